"""How often a number may begin a dialogue: so often a minute and an hour, as its link says (pure: told the time).

Rules of this file:
- A minute begins with a number's first start in it, and so does an hour. A start that is refused counts as none:
  whoever waits is served.
- Numbers that dialled last are remembered, so many and no more; one that is forgotten begins anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from .config import Link

NUMBERS_MAX = 100_000
MINUTE, HOUR = 60.0, 3600.0


class _Count:
    """The starts of one number."""

    __slots__ = ("hour_ends", "in_hour", "in_minute", "minute_ends")

    def __init__(self) -> None:
        self.minute_ends = self.hour_ends = 0.0
        self.in_minute = self.in_hour = 0


class Starts:
    """The starts of all numbers, as one engine process sees them."""

    def __init__(self, now: Callable[[], float], refused: Callable[[], None]) -> None:
        """`now`: monotonic seconds. `refused` counts who begins too often."""
        self._now = now
        self._refused = refused
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def admits(self, msisdn: str, link: Link) -> bool:
        """Whether the number may begin one more dialogue on this link; a yes counts as a start."""
        limits = link.config.floods
        if not limits.starts_a_minute_max and not limits.starts_an_hour_max:
            return True
        now, count = self._now(), self._count_of(msisdn)
        if now >= count.minute_ends:
            count.minute_ends, count.in_minute = now + MINUTE, 0
        if now >= count.hour_ends:
            count.hour_ends, count.in_hour = now + HOUR, 0
        if _reached(count.in_minute, limits.starts_a_minute_max) or _reached(count.in_hour, limits.starts_an_hour_max):
            self._refused()
            return False
        count.in_minute += 1
        count.in_hour += 1
        return True

    def _count_of(self, msisdn: str) -> _Count:
        count = self._counts.get(msisdn)
        if count is not None:
            self._counts.move_to_end(msisdn)
            return count
        if len(self._counts) >= NUMBERS_MAX:
            self._counts.popitem(last=False)
        count = self._counts[msisdn] = _Count()
        return count


def _reached(count: int, most: int) -> bool:
    return bool(most) and count >= most
