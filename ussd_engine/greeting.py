"""Who is calling: the core's answer to `subscribers.hello`, remembered for a minute in this process.

A dialogue begins with it. When the core does not answer in time, the network's defaults stand in, and the core looks
at the number's status again in every operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from billing.calls import Billing, Call, Done, Outcome, Refused


class Subscriber(NamedTuple):
    """What a dialogue needs to know of its number before the first screen."""

    brand: str
    status: str
    language: str
    """The language chosen, or "" while none is."""
    manages: int = 0
    """How many other numbers it manages."""


STRANGER = Subscriber("", "active", "")
"""Who calls while the core does not answer: the network's defaults apply."""


class Greetings:
    """Asks the core once a minute for a number; at most `numbers_max` answers are kept, the oldest leave first."""

    def __init__(
        self,
        billing: Billing,
        now: Callable[[], float],
        new_id: Callable[[], str],
        seconds_max: float,
        kept_seconds: float,
        numbers_max: int,
        call_made: Callable[[str, Outcome, float], None] = lambda _operation, _outcome, _seconds: None,
    ) -> None:
        """`now`: a monotonic clock, seconds. `seconds_max`: the deadline of one question. `call_made`: counts it."""
        self._billing = billing
        self._now = now
        self._new_id = new_id
        self._seconds_max = seconds_max
        self._kept_seconds = kept_seconds
        self._numbers_max = numbers_max
        self._call_made = call_made
        self._known: dict[str, tuple[float, Subscriber | None]] = {}

    async def ask(self, msisdn: str, language: str) -> Subscriber | None:
        """Who this is; None when the core says that it has no such subscriber."""
        known = self._known.get(msisdn)
        if known is not None and known[0] >= self._now():
            return known[1]
        call = Call(self._new_id(), "subscribers.hello", msisdn, language, {})
        began = self._now()
        outcome = await self._billing.perform(call, self._seconds_max)
        self._call_made(call.operation, outcome, self._now() - began)
        if isinstance(outcome, Done):
            result = outcome.result
            manages = result.get("manages", 0)
            found = Subscriber(
                str(result["brand"]), str(result["status"]), str(result.get("language", "")),
                manages if isinstance(manages, int) else 0,
            )  # fmt: skip
            return self._remember(msisdn, found)
        return self._remember(msisdn, None) if isinstance(outcome, Refused) else STRANGER

    def forget(self, msisdn: str) -> None:
        """Something about the number has changed: ask anew."""
        self._known.pop(msisdn, None)

    def _remember(self, msisdn: str, subscriber: Subscriber | None) -> Subscriber | None:
        if self._numbers_max > 0:
            self._known.pop(msisdn, None)
            while len(self._known) >= self._numbers_max:
                del self._known[next(iter(self._known))]
            self._known[msisdn] = (self._now() + self._kept_seconds, subscriber)
        return subscriber
