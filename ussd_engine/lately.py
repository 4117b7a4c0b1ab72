"""The inputs of the last minute, as they came: the same octets under the same sequence number of the same connection.

Of each only its mark is remembered, as a number. At most `INPUTS_MAX` of one minute: what came before is forgotten.
"""

from __future__ import annotations

from .turn import REPEAT_SECONDS

INPUTS_MAX = 100_000


class Lately:
    """What was heard lately. `now` is on one clock that never goes back."""

    def __init__(self, inputs_max: int = INPUTS_MAX) -> None:
        self._inputs_max = inputs_max
        self._heard: dict[int, float] = {}
        self._before: dict[int, float] = {}
        """What was heard before the last change of the two."""
        self._changed_at = 0.0

    def hears(self, msisdn: str, mark: str, now: float) -> bool:
        """Whether this is a repeat; if it is not, a repeat of it will be. The first time counts."""
        if now - self._changed_at > REPEAT_SECONDS or len(self._heard) >= self._inputs_max:
            self._heard, self._before, self._changed_at = {}, self._heard, now
        key = hash((msisdn, mark))
        at = self._heard.get(key)
        if at is None:
            at = self._before.get(key)
        if at is not None and now - at <= REPEAT_SECONDS:
            return True
        self._heard[key] = now
        return False
