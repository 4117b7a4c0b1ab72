"""Which messages of a number have been heard: one that comes again is walked once, whatever has happened since.

The last message of a number gets its screen again, from whoever has it. Those before it are nobody's answer any more: a
peer that has lost our response may send one again when its subscriber is further, or has dialled anew.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum

KEPT_SECONDS = 60.0
"""How long a message can come again."""
OF_A_NUMBER_MAX = 32
"""More than anybody types in that time."""
NUMBERS_MAX = 100_000


class Repeat(Enum):
    """What a message is."""

    NEW = "new"
    AGAIN = "again"
    """The last one of its number, once more."""
    OUTDATED = "outdated"
    """One before that, once more."""


class Repeats:
    """Of one engine process."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()
        """Number → when something new was heard of it last, and the marks, the last one last."""

    def hears(self, msisdn: str, mark: str, now: float) -> Repeat:
        """Notes a message, and says whether it was heard before."""
        at, marks = self._heard.get(msisdn, (now, ()))
        if at + KEPT_SECONDS < now:
            marks = ()
        if mark in marks:
            return Repeat.AGAIN if marks[-1] == mark else Repeat.OUTDATED
        self._heard[msisdn] = now, (*marks[1 - OF_A_NUMBER_MAX :], mark)
        self._heard.move_to_end(msisdn)
        oldest = next(iter(self._heard))
        if len(self._heard) > NUMBERS_MAX or self._heard[oldest][0] + KEPT_SECONDS < now:
            del self._heard[oldest]
        return Repeat.NEW
