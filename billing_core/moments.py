"""Moments as the contract writes them."""

from __future__ import annotations

import datetime


def as_instant(moment: datetime.datetime) -> str:
    """A moment with its time zone, in UTC and whole seconds: `2026-03-31T09:30:00Z`."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
