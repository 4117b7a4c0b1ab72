"""How a peer wants SMS: the part `sms:` of a dialect (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SmsDialect:
    """What a peer expects of the SMS that we give it, and how it speaks of them afterwards."""
