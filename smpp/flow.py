"""How fast we may send over a link: a token bucket that a throttling peer slows down (pure: told the time).

Rules of this file:
- A rate may be a fraction (0.5 a second: one message in two seconds), and 0 means that nothing bounds it: it never
  divides by it. A second's worth may be sent at once, one message at least.
- ESME_RTHROTTLED and ESME_RMSGQFUL halve the rate; of a link without a bound, what was sent in the last second is
  halved, `UNBOUNDED_MIN` at least. Refusals that answer one burst count once: at most one halving a second.
- After a second without a refusal the rate grows again, by a tenth of what it was, each second.
"""

from __future__ import annotations

from typing import Final

from smpp import constants as c

THROTTLING: Final = frozenset({c.ESME_RTHROTTLED, c.ESME_RMSGQFUL})
HALVING_SECONDS: Final = 1.0
RECOVERY_SHARE: Final = 0.1
UNBOUNDED_MIN: Final = 20.0
"""What a link without a bound is taken to have sent at least: an idle one is not slowed down to its idling."""
PER_SECOND_MIN: Final = 0.1
"""No peer can slow us down below one message in ten seconds."""


class Flow:
    """The bucket of one link, over all of its connections."""

    __slots__ = (
        "_bound",
        "_counted",
        "_counting_since",
        "_full",
        "_last_second",
        "_rate",
        "_slowed_at",
        "_tokens",
        "_tokens_at",
    )

    def __init__(self, per_second: float, now: float) -> None:
        """`per_second` 0: as fast as the window lets us."""
        self._bound = per_second  # as it was set
        self._full = per_second  # where the way back leads
        self._rate = per_second  # 0 while nothing bounds it
        self._tokens = max(1.0, per_second)
        self._tokens_at = now
        self._slowed_at: float | None = None  # the last halving; None at full speed
        self._counting_since = now
        self._counted = 0
        self._last_second = 0

    @property
    def per_second(self) -> float:
        """The rate just now; 0: unbounded."""
        return self._rate

    def wait_seconds(self, now: float) -> float:
        """How long until a message may be sent; 0.0: now."""
        if not self._rate:
            return 0.0
        self._refill(now)
        return 0.0 if self._tokens >= 1.0 else max(0.001, (1.0 - self._tokens) / self._rate)

    def sent(self, now: float) -> None:
        """A message was sent."""
        if self._rate:
            self._tokens -= 1.0
        if now - self._counting_since >= 1.0:
            self._last_second = self._counted if now - self._counting_since < 2.0 else 0
            self._counting_since, self._counted = now, 0
        self._counted += 1

    def throttled(self, now: float) -> None:
        """The peer refused a message because it was too fast."""
        if self._slowed_at is not None and now - self._slowed_at < HALVING_SECONDS:
            return
        base = self._rate or max(UNBOUNDED_MIN, self._last_second, self._counted)
        if self._slowed_at is None:
            self._full = base
        self._rate = min(base, max(PER_SECOND_MIN, base / 2))
        self._slowed_at = now
        self._tokens, self._tokens_at = min(self._tokens, 0.0), now

    def _refill(self, now: float) -> None:
        passed = now - self._tokens_at
        if passed <= 0:
            return
        self._tokens = min(max(1.0, self._rate), self._tokens + passed * self._rate)
        self._tokens_at = now
        if self._slowed_at is not None and now - self._slowed_at >= HALVING_SECONDS:
            self._rate = min(self._full, self._rate + passed * RECOVERY_SHARE * self._full)
            if self._rate >= self._full:
                self._slowed_at = None
                self._rate = self._bound
