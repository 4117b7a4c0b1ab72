"""A circuit breaker: after so many failures in a row nothing is tried for a while, then one trial at a time.

Rules of this file (pure: `now` is the loop's time in seconds):
- It counts failures to reach the other side or to get a usable answer; a refusal is a success.
- A trial that never reports back (its task was cancelled) blocks nothing: the next one may go one pause later.
"""

from __future__ import annotations


class Breaker:
    """Closed: everything passes. Open, after `failures_max` in a row: one trial every `open_seconds`."""

    __slots__ = ("_failures", "_failures_max", "_next_trial", "_open_seconds")

    def __init__(self, failures_max: int, open_seconds: float) -> None:
        """Raises ValueError unless both are above 0."""
        if failures_max < 1 or open_seconds <= 0:
            raise ValueError("a breaker needs failures_max and open_seconds above 0")
        self._failures_max = failures_max
        self._open_seconds = open_seconds
        self._failures = 0
        self._next_trial = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are held back, but for trials."""
        return self._failures >= self._failures_max

    def admits(self, now: float) -> bool:
        """Whether a call may be made now. While open, a yes is the trial, and the next comes `open_seconds` later."""
        if not self.is_open:
            return True
        if now < self._next_trial:
            return False
        self._next_trial = now + self._open_seconds
        return True

    def succeeded(self) -> None:
        """A call got a usable answer: closed again."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """A call got none. Late failures of calls made before it opened do not push the trial away."""
        self._failures += 1
        if self._failures == self._failures_max:
            self._next_trial = now + self._open_seconds

    def __repr__(self) -> str:
        return f"Breaker({'open' if self.is_open else 'closed'}, {self._failures} failures in a row)"
