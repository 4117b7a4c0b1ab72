"""Lines of log as JSON on standard error, numbers masked: a leaf, the same for both programs.

Rules of this file: one configuration for structlog and for what libraries say through `logging`; an MSISDN travels only
in the field `msisdn`, which leaves masked.
"""

from __future__ import annotations

import logging
import sys

import structlog

from masking import Masker


def configure(level: str, masker: Masker) -> None:
    """Sets logging up for the whole process. `level`: debug, info, warning or error."""

    def mask(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return masker.log_processor(logger, method, dict(event))

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    written = logging.StreamHandler(sys.stderr)
    written.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [written]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
