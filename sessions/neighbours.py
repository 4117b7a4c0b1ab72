"""What another engine process says of a number that it has heard last: the port (pure, only the promise)."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Standing(Enum):
    """How it stands with a number's last input at the process that took it."""

    WORKING = "working"
    """Its turn is being worked on, or was when the next input came."""
    UNSEEN = "unseen"
    """Its screen is on its way: the peer has not accepted it."""
    SETTLED = "settled"
    """The peer has accepted its screen, or nothing is known of it."""
    GONE = "gone"
    """The process is no more, or does not answer."""


class Neighbours(Protocol):
    """The engine processes that share the store."""

    async def standing(self, process: str, msisdn: str, link: str, age_seconds: float) -> Standing:
        """How it stands with the number's dialogue on this link, at that process, for an input that has come here so
        many seconds ago. Never raises."""
        ...


class Alone:
    """Where there is one process: whoever else took a turn is gone."""

    async def standing(self, process: str, msisdn: str, link: str, age_seconds: float) -> Standing:
        return Standing.GONE
