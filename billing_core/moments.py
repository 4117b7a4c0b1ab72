"""Moments as the contract writes them."""

from __future__ import annotations

import datetime


def as_instant(moment: datetime.datetime, *, up: bool = False) -> str:
    """A moment with its time zone, in UTC and whole seconds: `2026-03-31T09:30:00Z`; the first that is not before it
    when `up`."""
    if up:
        moment += datetime.timedelta(microseconds=999_999)
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
