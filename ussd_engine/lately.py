"""What has happened lately, and when: for a time, and never without bound.

Of each thing only a number is remembered. At most `most` things of the time: what happened before is forgotten.
"""

from __future__ import annotations

from collections.abc import Hashable

MOST = 100_000


class Lately:
    """A memory of `seconds`. `now` is on one clock that never goes back."""

    def __init__(self, seconds: float, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._noted: dict[int, float] = {}
        self._before: dict[int, float] = {}
        """What was noted before the last change of the two."""
        self._changed_at = 0.0

    def note(self, what: Hashable, now: float) -> None:
        """It happens now."""
        if now - self._changed_at > self._seconds or len(self._noted) >= self._most:
            self._noted, self._before, self._changed_at = {}, self._noted, now
        self._noted[hash(what)] = now

    def when(self, what: Hashable, now: float) -> float | None:
        """When it happened last; None: not lately."""
        key = hash(what)
        at = self._noted.get(key)
        if at is None:
            at = self._before.get(key)
        return at if at is not None and now - at <= self._seconds else None

    def is_repeat(self, what: Hashable, now: float) -> bool:
        """Whether it has happened lately; if it has not, it happens now. The first time counts."""
        if self.when(what, now) is not None:
            return True
        self.note(what, now)
        return False
