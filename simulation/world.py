"""A run: engines, peers, subscribers, store and core on one virtual loop, all from one seed.

Rules of this file:
- First everything happens that the weather has in store. Then it clears up, nobody dials any more, and time passes:
  what was promised must come, and nothing may be left over. Then the engines are stopped in order.
- Whatever is thrown with dice has dice of its own, so that a change in one part does not shuffle the others.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from billing.notices import Notice

from .core import Core
from .engine import Engine
from .given import given
from .judge import Judge
from .loop import Chance, Process, VirtualLoop
from .money import Purse
from .neighbours import Channels
from .peers import Bind, Centre, Handset
from .relay import Relay
from .store import Memory
from .subscribers import Subscriber, pins
from .trace import Trace
from .weather import Weather, forecast
from .wire import Wire

SECONDS = (30.0, 90.0)
"""How long things go wrong."""
SUBSCRIBERS = (2, 5)
QUIET_SECONDS = 100.0
"""Longer than a silent dialogue is kept, than an SMS is put off and than the core waits before it fences a quote."""
RESTART_SECONDS = (0.5, 5.0)
LOOK_SECONDS = 0.5
"""Between two looks of a centre whether it is bound everywhere."""


class World:
    """One run."""

    def __init__(self, seed: int, loop: VirtualLoop, shown: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.loop = loop
        self._given = given()
        self.reader = self._given.reader
        self._chance = Chance(seed, "world")
        self._ids = Chance(seed, "ids")
        self.weather: Weather = forecast(self._chance)
        self.trace = Trace(loop.time, shown)
        self.judge = Judge(loop, self.trace, self.reader.own_words, self.reader.refusals)
        self.memory = Memory(loop, self.trace, self.judge)
        self.neighbours = Channels(self.trace)
        self.relay = Relay(self, given())
        self.core = Core(loop, Chance(seed, "core"), self.trace, self.judge, self.relay.tell)
        self.engines: dict[str, Engine] = {}
        handsets: dict[str, Handset] = {}
        self.centres = {
            name: Centre(link, loop, Chance(seed, name), self.weather, self.trace, self.judge, handsets)
            for name, link in self._given.settings.links.items()
        }
        self.subscribers: dict[str, Subscriber] = {}
        weather = self.weather
        self.apologies_count = not (weather.repeated_elsewhere and (weather.engines > 1 or weather.crash_seconds))
        """An apology is the last word on what was confirmed: no other process can hear the same again."""
        self.judge.trusts_store = not (weather.store_late or weather.store_lost or weather.store_unacknowledged)
        self.judge.goes_on = self.memory.goes_on
        self.judge.counts_records = weather.engines == 1 and not (
            weather.store_late
            or weather.store_lost
            or weather.store_unacknowledged
            or weather.repeated_elsewhere
            or weather.impatient
        )
        self.is_ending = False
        self._starts = 0

    def new_id(self) -> str:
        """A UUID."""
        return str(uuid.UUID(int=self._ids.bits(128), version=4))

    # --- the story ---

    async def run(self) -> None:
        """All of it."""
        chance = self._chance
        self._settle_subscribers()
        for at in range(self.weather.engines):
            self._start(f"e{at}")
        keeping = [self.loop.create_task(self._keep_bound(centre)) for centre in self.centres.values()]
        await asyncio.sleep(1.0)
        lives = [self.loop.create_task(each.live()) for each in self.subscribers.values()]
        faults = [self.loop.create_task(each) for each in self._faults()]
        await asyncio.sleep(chance.between(*SECONDS))
        self.is_ending = True
        await asyncio.gather(*lives)
        for each in faults:
            each.cancel()
        await asyncio.gather(*faults, return_exceptions=True)
        self.weather.clear_up()
        self.core.is_away = False
        for name in [name for name, each in self.engines.items() if not each.process.is_alive]:
            self._start(name)
        self.trace.note("world", "it clears up")
        await asyncio.sleep(QUIET_SECONDS)
        self._check_rest()
        for task in keeping:
            task.cancel()
        for centre in self.centres.values():
            centre.is_closing = True
        await asyncio.gather(*(self.loop.create_task(self._stop(each)) for each in self.engines.values()))
        self._check_end()

    def _settle_subscribers(self) -> None:
        chance, pin = self._chance, pins(Chance(self.seed, "pins"))
        for at in range(chance.whole(*SUBSCRIBERS)):
            name = chance.pick(tuple(self.centres))
            centre = self.centres[name]
            network = centre.link.config.network
            number = f"7701000{at:04}" if centre.link.network.country == "KZ" else f"996555{at:06}"
            self.core.networks[number] = network
            self.core.languages[number] = chance.pick(("ru", "en", centre.link.network.language))
            purse = self.core.money.purses[number] = Purse(next(pin), chance.pick((100_000, 10_000_000)))
            self.subscribers[number] = subscriber = Subscriber(
                self, centre, number, purse.pin, Chance(self.seed, number)
            )
            subscriber.handset.read_sms = lambda text, number=number: self.relay.is_read(number, text)  # type: ignore[misc]

    # --- engines ---

    def _start(self, name: str) -> None:
        self._starts += 1
        process = Process(f"{name}.{self._starts}")
        self.trace.note("world", f"{process.name} starts")
        given = self._given
        self.engines[name] = process.run(Engine, self, process, given.settings, given.catalog, given.metrics)

    def takes(self, address: str, wire: Wire) -> Bind | None:
        """An engine dials this address."""
        for centre in self.centres.values():
            if str(getattr(centre.link.config, "address", "")) == address:
                return centre.takes(wire)
        return None

    def tells(self, notice: Notice) -> asyncio.Task[str] | None:
        """The core hands a notice to one of the engines, if there is any."""
        engines = [each for each in self.engines.values() if each.process.is_alive]
        return self._chance.pick(engines).tells(notice) if engines else None

    async def _keep_bound(self, centre: Centre) -> None:
        """A centre that binds to us does so to each engine, again and again."""
        if centre.link.config.role != "server":
            return
        chance = Chance(self.seed, f"binding {centre.link.name}")
        while True:
            for engine in self.engines.values():
                bound = sum(each.engine == engine.process.name for each in centre.binds)
                if bound < 1 + (chance.draw() < 0.1 and bound < 2):
                    centre.dial(engine)
            await asyncio.sleep(chance.between(LOOK_SECONDS, 2 * LOOK_SECONDS))

    async def _stop(self, engine: Engine) -> None:
        self.trace.note("world", f"{engine.process.name} stops")
        stopping = engine.process.run(self.loop.create_task, engine.stop())
        await asyncio.wait((stopping,))
        stopping.result()
        engine.process.kill()

    # --- faults ---

    def _faults(self) -> list[Any]:
        weather = self.weather
        kinds: dict[str, Callable[[Chance], None]] = {
            "cut_seconds": lambda chance: chance.pick(tuple(self.centres.values())).cut_one(),
            "crash_seconds": self._crash,
            "core_away_seconds": self._core_goes_away,
            "store_emptied_seconds": lambda _chance: self.memory.empty(),
            "store_older_seconds": self.memory.fall_back,
        }
        return [
            self._now_and_then(Chance(self.seed, name), getattr(weather, name), work)
            for name, work in kinds.items()
            if getattr(weather, name)
        ]

    async def _now_and_then(self, chance: Chance, seconds: float, work: Callable[[Chance], None]) -> None:
        while True:
            await asyncio.sleep(chance.between(0.1, 2 * seconds))
            work(chance)

    def _crash(self, chance: Chance) -> None:
        name = chance.pick(tuple(self.engines))
        engine = self.engines[name]
        if engine.process.is_alive:
            self.trace.note("world", f"{engine.process.name} is killed")
            self.judge.died()
            engine.kill()
            for centre in self.centres.values():
                for bind in [each for each in centre.binds if each.engine == engine.process.name]:
                    bind.wire.cut()
            self.loop.call_later(chance.between(*RESTART_SECONDS), self._restart, name)

    def _restart(self, name: str) -> None:
        if not self.engines[name].process.is_alive:
            self._start(name)

    def _core_goes_away(self, chance: Chance) -> None:
        self.trace.note("core", "goes away")
        self.core.is_away = True
        self.loop.call_later(chance.between(1.0, 15.0), self._core_comes_back)

    def _core_comes_back(self) -> None:
        self.trace.note("core", "is back")
        self.core.is_away = False

    # --- the end ---

    def _check_rest(self) -> None:
        """Time has passed, and everything is done."""
        for engine in self.engines.values():
            left = engine.left()
            if left:
                self.judge.breaks(f"{engine.process.name} has left over: {left}")
        if self.relay.left:
            self.judge.breaks(f"{self.relay.left} notices were never sent")
        ledger: dict[tuple[str, str], int] = {}
        for entry in self.core.money.ledger:
            ledger[entry.msisdn, entry.what] = ledger.get((entry.msisdn, entry.what), 0) + 1
        for (number, what), count in ledger.items():
            if count > 1:
                self.judge.breaks(f"…{number[-4:]} was charged {count} times for {what}")
        for subscriber in self.subscribers.values():
            self._check_told(subscriber, ledger)

    def _check_told(self, subscriber: Subscriber, ledger: Mapping[tuple[str, str], int]) -> None:
        who = f"…{subscriber.number[-4:]}"
        for what, word in subscriber.told.items():
            is_done = (subscriber.number, what) in ledger
            if word == "done" and not is_done:
                self.judge.breaks(f"{who} was told that {what} is done, and it is not")
            if word == "checking" and not subscriber.by_sms.get(what) and self._is_promised(subscriber.number, what):
                self.judge.breaks(f"{who} was told that {what} is being checked, and never what became of it")
            if word == "not done" and is_done:
                self.judge.breaks(f"{who} was told that {what} is not done, and it is")
        for what, events in subscriber.by_sms.items():
            is_done = (subscriber.number, what) in ledger
            if events & {"wallet.paid", "wallet.sent", "numbers.reserved"} and not is_done:
                self.judge.breaks(f"{who} was told by SMS that {what} is done, and it is not")
            if "wallet.not_paid" in events and is_done:
                self.judge.breaks(f"{who} was told by SMS that {what} is not done, and it is")

    def _is_promised(self, number: str, what: str) -> bool:
        """Whether the core has said that it will tell. A process that is killed asks no more, and of a refusal whose
        answer was lost nobody tells."""
        intents = self.core.money.intents.values()
        return self.judge.nobody_died and any(
            each.msisdn == number and each.what == what and (each.promised or each.state == "done") for each in intents
        )

    def _check_end(self) -> None:
        """The engines are stopped: nothing runs any more."""
        for engine in self.engines.values():
            self.judge.check(f"{engine.process.name} has tasks", lambda e=engine: not e.process.tasks)  # type: ignore[misc]
        for centre in self.centres.values():
            self.judge.check(f"{centre.link.name} is still bound", lambda c=centre: not c.binds)  # type: ignore[misc]
