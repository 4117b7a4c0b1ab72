"""The billing core of a run: a model that keeps every id for ever, behind a network that loses, delays and lies still.

Rules of this file:
- A call that changes something is done once under its id, and answered as it was answered. The same id with another
  operation, number or arguments is a mistake of the engine's, and the judge is told.
- What is on its way when an engine is killed arrives, or does not: the core knows nothing of engines.
- Whatever the contract allows is answered where no money moves: by the crawler's data, of every profile.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from billing.calls import Call, Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS, Operation, Secret, Value
from ussd_engine.language.sample import PROFILES, Sample

from .judge import Judge
from .loop import Chance, Process, outside
from .money import Answer, Money, Tell
from .trace import Trace
from .weather import Weather

SLOW_SECONDS_MAX = 25.0
SAME_SMS_SECONDS = 10.0
_SERVICE: Mapping[str, Value] = {
    "name": "DosTek", "account_kind": "inn", "digits_min": 14, "digits_max": 14, "sum_min": 1, "sum_max": 9999,
}  # fmt: skip
_encoder = msgspec.json.Encoder(order="deterministic")


class Answered(NamedTuple):
    """A call as it was answered."""

    call: Call
    answer: Answer


class Core:
    """What all engine processes call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, chance: Chance, trace: Trace, judge: Judge, tell: Tell) -> None:
        self._loop = loop
        self._chance = chance
        self._trace = trace
        self._judge = judge
        self._tell = tell
        self.money = Money(loop, chance, trace, tell)
        self.is_away = False
        self.languages: dict[str, str] = {}
        self.networks: dict[str, str] = {}
        self._answered: dict[str, Answered] = {}
        self._inbox: dict[tuple[str, ...], tuple[float, str]] = {}
        self._samples = [Sample(each) for each in PROFILES]
        self._searched = 0

    def arrived(self, call: Call) -> Outcome:
        """A call that has come: done, refused, or turned away as a mistake."""
        if not OPERATIONS[call.operation].changes:
            return self._told(call, self._do(call))
        known = self._answered.get(call.id)
        if known is None:
            answer = self._do(call)
            self._answered[call.id] = Answered(call, answer)
            return self._told(call, answer)
        if fingerprint(known.call) != fingerprint(call):
            self._judge.other_call(known.call, call)
            return NotMade("turned away with 409", for_ever=True)
        self._judge.same_call(known.call, call)
        return self._told(call, known.answer, "again ")

    def _told(self, call: Call, answer: Answer, again: str = "") -> Answer:
        told = "done" if isinstance(answer, Done) else answer.code
        self._trace.note("core", f"{again}{call.operation} {call.id[:8]} of …{call.msisdn[-4:]}: {told}")
        return answer

    def _do(self, call: Call) -> Answer:
        money = self.money
        match call.operation:
            case "subscribers.hello":
                return self._hello(call)
            case "subscribers.set_language":
                return self._set_language(call)
            case "wallet.state":
                return money.state(call)
            case "wallet.categories" if self._chance.hits(0.8):
                return Done({"categories": [{"id": f"c{at}", "name": f"Category {at}"} for at in range(1, 15)]})
            case "wallet.services" if self._chance.hits(0.8):
                return Done({"services": [{**_SERVICE, "id": f"s{at}"} for at in range(1, 15)]})
            case "wallet.quote_transfer" | "wallet.quote_mobile" | "wallet.quote_payment":
                return money.quote(call)
            case "wallet.confirm":
                return money.confirm(call)
            case "wallet.outcome":
                return money.outcome(call, self._answer_of(call))
            case "numbers.search":
                return self._search(call)
            case "numbers.quote":
                return money.quote_number(call)
            case "numbers.reserve":
                return money.reserve(call)
            case "calls.status":
                return self._status(call)
            case "inbox.accept":
                return self._accept(call)
        return self._anything(call, OPERATIONS[call.operation])

    # --- who calls ---

    def _hello(self, call: Call) -> Answer:
        network = self.networks[call.msisdn]
        return Done({"network": network, "brand": "Brand", "status": "active", "language": self.languages[call.msisdn]})

    def _set_language(self, call: Call) -> Answer:
        language = str(call.arguments["language"])
        allowed = ("kk", "ru", "en") if self.networks[call.msisdn].startswith("k") else ("ky", "ru", "en")
        if language not in allowed:
            return Refused("LANGUAGE_NOT_OFFERED", {})
        self.languages[call.msisdn] = language
        if call.by_sms:
            self._tell(call.msisdn, "subscribers.language_set", {"language": language})
        return Done({"language": language})

    # --- what became of it ---

    def _answer_of(self, call: Call) -> Answer | None:
        known = self._answered.get(str(call.arguments["call"]))
        return known.answer if known is not None and known.call.msisdn == call.msisdn else None

    def _status(self, call: Call) -> Answer:
        known = self._answer_of(call)
        if known is None:
            return Done({"outcome": "unknown_call"})
        if isinstance(known, Done):
            return Done({"outcome": "done"})
        return Done({"outcome": "refused", "refusal": known.code})

    def _accept(self, call: Call) -> Answer:
        """The same text within ten seconds is the same message."""
        key = (*tuple(str(call.arguments[name]) for name in ("link", "short_number", "digest")), call.msisdn)
        at, inbox_id = self._inbox.get(key, (-SAME_SMS_SECONDS, ""))
        repeated = self._loop.time() - at < SAME_SMS_SECONDS
        if not repeated:
            inbox_id = str(uuid.UUID(int=self._chance.bits(128), version=4))
        self._inbox[key] = (self._loop.time() if not repeated else at, inbox_id)
        return Done({"inbox_id": inbox_id, "repeated": repeated})

    # --- the rest ---

    def _search(self, call: Call) -> Answer:
        """Free numbers, each of which is found once: what somebody reserves is known by its number."""
        numbers: list[Any] = []
        for _ in range(self._chance.whole(1, 3)):
            self._searched += 1
            number = f"7702{self._searched:07}"
            numbers.append(
                {"id": number, "number": number, "category": "plain", "price": {"minor": 0, "currency": "KZT"}}
            )
        return Done({"numbers": numbers, "last": numbers[-1]["number"]})

    def _anything(self, call: Call, operation: Operation) -> Answer:
        if operation.refusals and self._chance.hits(0.1):
            return Refused(self._chance.pick(tuple(operation.refusals)), {})
        done = self._chance.pick(self._samples).record(operation.results)
        if call.by_sms and operation.answer_notice == "delegation.activation":
            code = {"caller": call.msisdn, "code": self._chance.digits(8), "valid_until": "2027-01-18T20:00:00Z"}
            self._tell(call.msisdn, operation.answer_notice, code)
        return Done(done)


def fingerprint(call: Call) -> bytes:
    """What must be alike of two calls under one id; a secret is no part of it."""
    fields = OPERATIONS[call.operation].arguments
    plain = {name: each for name, each in call.arguments.items() if not isinstance(fields[name].type, Secret)}
    return _encoder.encode([call.operation, call.msisdn, plain, call.by])


class CoreClient:
    """The `Billing` of one engine process."""

    def __init__(
        self,
        core: Core,
        process: Process,
        loop: asyncio.AbstractEventLoop,
        chance: Chance,
        weather: Weather,
        trace: Trace,
        judge: Judge,
    ) -> None:
        self._core = core
        self._process = process
        self._loop = loop
        self._chance = chance
        self._weather = weather
        self._trace = trace
        self._judge = judge

    async def perform(self, call: Call, seconds_max: float) -> Outcome:
        """See `billing.calls.Billing`."""
        self._judge.asked(call, seconds_max, self._process)
        seconds = min(seconds_max, OPERATIONS[call.operation].seconds_max)
        outcome = await self._perform(call, seconds)
        if not self._process.is_alive:
            await self._loop.create_future()  # nobody is there any more
        if isinstance(outcome, NotMade | Unknown):
            self._trace.note(self._process.name, f"core: {call.operation} {call.id[:8]}: {type(outcome).__name__}")
        return outcome

    async def _perform(self, call: Call, seconds: float) -> Outcome:
        chance, weather = self._chance, self._weather
        if chance.hits(weather.not_made) or (self._core.is_away and chance.hits(0.5)):
            await asyncio.sleep(chance.between(0.0, seconds * 0.75))
            return NotMade("no connection")
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        there, back, roll = chance.between(0.001, 0.02), chance.between(0.001, 0.02), chance.draw()
        tells = not self._core.is_away

        def arrives() -> None:
            outcome = outside(self._core.arrived, call)
            if tells:
                self._loop.call_later(back, _answered, answer, outcome)

        if roll < weather.call_lost:
            pass
        elif roll < weather.call_lost + weather.answer_lost:
            tells = False
            self._loop.call_later(there, arrives)
        elif roll < weather.call_lost + weather.answer_lost + weather.call_slow:
            self._loop.call_later(chance.between(0.3, chance.pick((3.0, SLOW_SECONDS_MAX))), arrives)
        elif not self._core.is_away or chance.hits(0.3):
            self._loop.call_later(there, arrives)
        await asyncio.wait((answer,), timeout=seconds)
        return answer.result() if answer.done() else Unknown("no answer in time")


def _answered(answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not answer.done():
        answer.set_result(outcome)
