"""How long to wait before the next try to bind: a full-jitter back-off that is told what happened, and holds no clock.

Rules of this file:
- Each failure in a row doubles the ceiling, up to `WAIT_SECONDS_MAX`; the wait is drawn evenly between a floor and that
  ceiling, so that many links to one centre that restarts do not come back in step. No wait is shorter than
  `ABSENT_SECONDS_MIN`: nothing can make us spin.
- A centre that is not there (no connection, or a bind lost that had lasted) is tried about once a second, for as long
  as it takes: such a try costs nobody anything, and while it lasts no subscriber is served.
- ESME_RALYBND means that the peer has not noticed yet that our last connection is gone: it is given time.
- An account that the peer does not know is a matter for people, who may correct it at the peer's side: we keep
  trying, at the slow end, because a peer may lock an account that fails often.
- A bind counts as success only once it has lasted: a peer that accepts us and hangs up has failed once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from smpp import constants as c

ABSENT_SECONDS_MIN: Final = 0.5
ABSENT_SECONDS_MAX: Final = 1.5
WAIT_SECONDS_MIN: Final = 1.0
WAIT_SECONDS_MAX: Final = 60.0
ALREADY_BOUND_SECONDS_MIN: Final = 5.0
WRONG_ACCOUNT_SECONDS_MIN: Final = 30.0
STEADY_SECONDS: Final = 1.0

WRONG_ACCOUNT: Final = frozenset({c.ESME_RINVPASWD, c.ESME_RINVSYSID, c.ESME_RINVSYSTYP})

_DOUBLINGS_MAX: Final = 6  # 2 ** 6 seconds is past the longest wait


class Backoff:
    """The waits of one upstream. `random` gives numbers in [0, 1), as `random.random` does."""

    __slots__ = ("_doublings", "_random", "failures")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._doublings = 0
        self.failures = 0  # in a row

    def after_failure(self, status: int | None = None) -> float:
        """Seconds until the next try; `status` is the ESME status of a refused bind, None when none came."""
        self.failures += 1
        self._doublings = min(self._doublings + 1, _DOUBLINGS_MAX)
        if status in WRONG_ACCOUNT:
            return self._between(WRONG_ACCOUNT_SECONDS_MIN, WAIT_SECONDS_MAX)
        ceiling = min(WAIT_SECONDS_MAX, 2.0**self._doublings)
        if status == c.ESME_RALYBND:
            return self._between(ALREADY_BOUND_SECONDS_MIN, max(2 * ALREADY_BOUND_SECONDS_MIN, ceiling))
        return self._between(WAIT_SECONDS_MIN, ceiling)

    def after_absence(self) -> float:
        """Seconds until the next try, when there was no connection."""
        self.failures += 1
        return self._between(ABSENT_SECONDS_MIN, ABSENT_SECONDS_MAX)

    def after_loss(self, lasted_seconds: float) -> float:
        """Seconds until a bind that was lost is dialled again; `lasted_seconds`: how long it was bound."""
        if lasted_seconds < STEADY_SECONDS:
            return self.after_failure()
        self.failures = self._doublings = 0
        return self.after_absence()

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * self._random()
