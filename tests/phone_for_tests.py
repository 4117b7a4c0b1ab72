"""A subscriber and the engine's turns over a real store, without a network between them, and with a scripted core."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from billing.calls import Call, Done, Outcome
from sessions.redis_store import RedisStore
from tests.menus_for_tests import Notes, catalog_in, versions_of
from ussd_engine.config import Link, read_settings
from ussd_engine.dial_string import Dialled
from ussd_engine.greeting import Greetings
from ussd_engine.taking import Taking
from ussd_engine.turn import Answer, Begin, Ports, Reply, Turns, Witness
from ussd_engine.versions import Versions

ROOT = Path(__file__).resolve().parents[1]
LINK: Link = read_settings(ROOT / "config.yaml").links["kcell-ussdc"]
CATALOG = catalog_in(ROOT / "menus")
NUMBER = "77010000007"
HELLO = Done({"network": "kcell", "brand": "Kcell", "status": "active", "language": "ru"})
BALANCE = Done({"balance": {"minor": 100, "currency": "KZT"}, "bonuses": {"minor": 0, "currency": "KZT"}})


class ScriptedBilling:
    """Answers from a list, the last answer for ever; keeps what was asked, and what lay in the store then."""

    def __init__(self, store: RedisStore, script: Mapping[str, list[Outcome]]) -> None:
        self._store = store
        self.script = {"subscribers.hello": [HELLO], **script}
        self.asked: list[Call] = []
        self.stored_then: list[object] = []

    async def perform(self, call: Call, seconds_max: float) -> Outcome:
        assert seconds_max > 0
        self.asked.append(call)
        self.stored_then.append(await self._store.load(call.msisdn))
        answers = self.script[call.operation]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def times(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.asked)


class Phone:
    """One subscriber of one engine process. `clock` is the wall clock that the engine sees."""

    def __init__(
        self,
        store: RedisStore,
        versions: Versions | None = None,
        witness: Witness | None = None,
        process: str = "",
        **script: list[Outcome],
    ) -> None:
        """`script`: `balances__get=[…]`, what the core answers to each operation."""
        self.store = store
        self.billing = ScriptedBilling(store, {name.replace("__", "."): answers for name, answers in script.items()})
        self.notes = Notes()
        self.inputs = 0
        self.clock = 0.0
        self._process = process
        ids = iter(f"id-{process}{n}" for n in range(1000))
        now = asyncio.get_running_loop().time
        greetings = Greetings(self.billing, now, ids.__next__, 0.5, 60, 100)
        ports = Ports(
            versions or versions_of(CATALOG), store, self.billing, greetings, witness or self.notes, now,
            lambda: self.clock, ids.__next__, 180, process,
        )  # fmt: skip
        self.turns = Turns(ports)

    def mark(self) -> str:
        self.inputs += 1
        return f"c{self._process}1/{self.inputs}-0"

    async def dial(self, *parts: str, mark: str | None = None, seconds: float = 8) -> Reply | None:
        until = asyncio.get_running_loop().time() + seconds
        return await Taking(self.turns, Begin(NUMBER, LINK, Dialled(parts), mark or self.mark(), until)).reply()

    async def send(self, text: str, mark: str | None = None, seconds: float = 8) -> Reply | None:
        until = asyncio.get_running_loop().time() + seconds
        return await Taking(self.turns, Answer(NUMBER, LINK, text, mark or self.mark(), until)).reply()

    async def hang_up(self) -> None:
        await self.turns.hang_up(NUMBER, LINK)
