"""Structured logs: one JSON object a line on standard error, subscriber numbers masked."""

from __future__ import annotations

import logging
import sys

import structlog

from masking import Masker


def set_up(level: str, masker: Masker) -> None:
    """Configures structlog for the process. `level`: debug, info, warning or error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            masker.log_processor,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
