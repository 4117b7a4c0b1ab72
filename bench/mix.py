"""Several services at a time: `make bench ARGS='--only mix'`.

Of ten dialogues six are `*111*3#`, two walk through `*111#`, one looks for a number (`*222#`) and leaves it, and one
goes as far as the PIN of a payment (`*900#`, over a link of its network) and hangs up. First as fast as it can be: each
handset begins its next dialogue when one has ended. Then at half of the turns a second that came of it, dialogues
beginning whether others have ended or not, as people's do; what a turn then takes is compared with `P99_MS_MAX`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import uvloop

from bench.driver import BIND_SECONDS_MAX, SYSTEM_ID, Result, Scenario, Step, Tally, Wire, number_in, octets_of
from bench.figures import HEAD, cpu_seconds, row
from bench.numbers import FIRST_NUMBER, NOT_ACTIVE, either, spread
from bench.own import own_settings
from bench.wallets import FIRST_WALLET, make_wallets
from stack.programs import installed_programs
from stack.settings import Listen
from stack.together import Stack, start_all

FOLDER: Final = Path(".build/bench/mix")
PORTS_FROM: Final = 20200
P99_MS_MAX: Final = 250.0
WALLETS: Final = 20_000
"""So many that none comes back while its last dialogue could be resumed."""
WARM_SECONDS: Final = 2.0
TICK_SECONDS: Final = 0.005
LAST_SECONDS: Final = 2.0
"""How long what is on its way may take at the end."""
MEGACOM_SYSTEM_ID: Final = "ussdc-mega"
BINDS: Final = {SYSTEM_ID: 4, MEGACOM_SYSTEM_ID: 2}


class Part(NamedTuple):
    """A dialogue of the mix: how many of ten, and over which link."""

    share: int
    scenario: Scenario
    system_id: str = SYSTEM_ID


class Dealt(NamedTuple):
    """A part, and what its handsets send."""

    part: Part
    bodies: list[tuple[bytes, bytes]]
    numbers: Iterator[int]


def parts(numbers: int, wallets: int = WALLETS) -> tuple[Part, ...]:
    """The mix. Each part has numbers of its own, since a number has one dialogue at a time."""
    balance = either("Баланс: ", "Нөмір ", "Номер ", "Balance: ", "The number ")  # some are blocked or closed
    to_balance, to_walk = numbers * 6 // 10, numbers * 8 // 10
    walk, search, pay = ("*111#", "9", "0"), ("*222#", "1", "1", "1"), ("*900#", "3", "3", "14", "14")
    payer = (("01234567890123", "10-50000"), ("100", "PIN"))
    return (
        Part(6, Scenario("*111*3#", (Step("*111*3#", balance),), lambda: spread(FIRST_NUMBER, to_balance))),
        Part(2, Scenario("*111#", _steps(zip(walk, ("3 ", "1 ", "3 "), strict=True)),
                         lambda: spread(FIRST_NUMBER + to_balance, to_walk - to_balance, NOT_ACTIVE))),
        Part(1, Scenario("*222#", _steps(zip(search, ("1 Kcell", "1 701", "3 ", "1 8 701 "), strict=True)),
                         lambda: spread(FIRST_NUMBER + to_walk, numbers - to_walk, NOT_ACTIVE))),
        Part(1, Scenario("*900#", _steps((*zip(pay, ("3 ", "3 ", "1 ", "1 ", "DosTek"), strict=True), *payer)),
                         lambda: spread(FIRST_WALLET, wallets)), MEGACOM_SYSTEM_ID),
    )  # fmt: skip


def _steps(pairs: Iterable[tuple[str, str]]) -> tuple[Step, ...]:
    return tuple(Step(text, either(seen)) for text, seen in pairs)


class Play:
    """All handsets of the mix: who is at which step, and whose turn it is to begin."""

    def __init__(self, mix: Iterable[Part], tally: Tally) -> None:
        dealt = [Dealt(part, octets_of(part.scenario), part.scenario.numbers()) for part in mix]
        self._cards = [each for each in dealt for _ in range(each.part.share)]
        self._tally = tally
        self._random = random.Random(1)
        self._deck: list[Dealt] = []
        self._talks: dict[bytes, tuple[Dealt, int, float]] = {}
        self._binds: dict[str, Iterator[Handsets]] = {}
        self.binds: list[Handsets] = []
        self.again = False
        """Whether a dialogue that has ended is followed by another."""
        self.most = 0
        """Dialogues open at a time."""

    async def bind(self, listen: Listen) -> None:
        """Opens all binds. Raises OSError, TimeoutError, ConnectionError."""
        loop = asyncio.get_running_loop()
        for system_id, count in BINDS.items():
            of_link = []
            for _ in range(count):
                handsets = partial(Handsets, self, self._tally, system_id)
                _, bind = await loop.create_connection(handsets, listen.host, listen.port)
                await asyncio.wait_for(bind.bound, BIND_SECONDS_MAX)
                of_link.append(bind)
            self.binds += of_link
            self._binds[system_id] = itertools.cycle(of_link)

    @property
    def unanswered(self) -> int:
        """Inputs without a screen."""
        return len(self._talks)

    def begin(self) -> None:
        """The next dialogue of the mix begins: of ten, each part has its share."""
        if not self._deck:
            self._deck = list(self._cards)
            self._random.shuffle(self._deck)
        dealt = self._deck.pop()
        number = next(number for each in dealt.numbers if (number := b"%d" % each) not in self._talks)
        bind, out = next(self._binds[dealt.part.system_id]), list[bytes]()
        self._send(bind, number, dealt, 0, out)
        self.most = max(self.most, len(self._talks))
        bind.write(out)

    def seen(self, bind: Handsets, body: bytes, out: list[bytes]) -> None:
        """A screen has come: the handset goes on, or the next one begins."""
        number = number_in(body)
        dealt, step, sent = self._talks.pop(number)
        steps = dealt.part.scenario.steps
        self._tally.add(steps[step], sent, body)
        if step + 1 < len(steps):
            self._send(bind, number, dealt, step + 1, out)
            return
        self._tally.dialogues += self._tally.counting
        if self.again:
            self.begin()

    def _send(self, bind: Handsets, number: bytes, dealt: Dealt, step: int, out: list[bytes]) -> None:
        bind.submit(number, dealt.bodies[step], out)
        self._talks[number] = (dealt, step, time.perf_counter())


class Handsets(Wire):
    """One bind of the mix."""

    def __init__(self, play: Play, tally: Tally, system_id: str) -> None:
        super().__init__(tally, system_id)
        self._play = play

    def _screen(self, body: bytes, out: list[bytes]) -> None:
        self._play.seen(self, body, out)


class Measured(NamedTuple):
    """What came of it: as fast as it could be, by handsets in flight, and then at a steady rate."""

    fastest: tuple[Result, ...]
    steady: Result
    unanswered: int

    @property
    def failed(self) -> bool:
        """Was a screen wrong, missing or refused, or a turn too slow?"""
        whole = (*self.fastest, self.steady)
        return bool(self.unanswered or not self.in_time or any(each.wrong_screens or each.refused for each in whole))

    @property
    def in_time(self) -> bool:
        """Whether turns took no longer than they may."""
        return self.steady.p99 <= P99_MS_MAX

    def figures(self) -> dict[str, Any]:
        """For JSON."""
        fastest = [each._asdict() for each in self.fastest]
        return {"fastest": fastest, "steady": self.steady._asdict(), "unanswered": self.unanswered}


async def fastest(play: Play, tally: Tally, in_flight: int, seconds: float, cpu: Callable[[], float]) -> Result:
    """So many handsets, each beginning anew when a dialogue has ended."""
    play.again = True
    for _ in range(in_flight):
        play.begin()
    found = await _counted(tally, "mix: fastest", in_flight, seconds, cpu)
    play.again = False
    await asyncio.sleep(LAST_SECONDS)
    return found


async def steady(play: Play, tally: Tally, per_second: float, seconds: float, cpu: Callable[[], float]) -> Result:
    """So many dialogues begun a second, whatever becomes of those before."""
    play.most = 0
    beginning = asyncio.get_running_loop().create_task(_begin_at_rate(play, per_second))
    found = await _counted(tally, "mix: steady", 0, seconds, cpu)
    beginning.cancel()
    await asyncio.sleep(LAST_SECONDS)
    return found._replace(in_flight=play.most)


async def _begin_at_rate(play: Play, per_second: float) -> None:
    began, begun = time.perf_counter(), 0
    while True:
        await asyncio.sleep(TICK_SECONDS)
        for _ in range(int((time.perf_counter() - began) * per_second) - begun):
            begun += 1
            play.begin()


async def _counted(tally: Tally, name: str, in_flight: int, seconds: float, cpu: Callable[[], float]) -> Result:
    await asyncio.sleep(WARM_SECONDS)
    used, started = cpu(), time.perf_counter()
    tally.start()
    await asyncio.sleep(seconds)
    tally.counting = False
    found = tally.result(name, in_flight, time.perf_counter() - started, cpu() - used)
    tally.refused = 0
    return found


async def drive(
    listen: Listen, mix: Iterable[Part], in_flight: Iterable[int], seconds: float, cpu: Callable[[], float]
) -> Measured:
    """Both measurements, on a running system. `cpu`: seconds of processor that the engine has used so far."""
    tally = Tally()
    play = Play(mix, tally)
    await play.bind(listen)
    rows = []
    for count in in_flight:
        rows.append(await fastest(play, tally, count, seconds, cpu))
        print(row(rows[-1]), flush=True)
    highest = max(rows, key=lambda each: each.turns_per_second)
    found = await steady(play, tally, highest.dialogues_per_second / 2, seconds, cpu)
    print(row(found), flush=True)
    for bind in play.binds:
        bind.close()
    return Measured(tuple(rows), found, play.unanswered)


def measure(numbers: int, in_flight: Iterable[int], seconds: float) -> Measured:
    """Starts a system with so many numbers, and drives it."""
    settings = own_settings(FOLDER, PORTS_FROM)
    with Stack(say=lambda _: None) as stack:
        start_all(stack, settings, installed_programs(), numbers, say=lambda _: None)
        uvloop.run(make_wallets(settings, WALLETS))
        engine = next(child for child in stack.children if child.name == "ussd-engine")
        print(HEAD)
        found = uvloop.run(
            drive(settings.engine_smpp, parts(numbers), in_flight, seconds, lambda: cpu_seconds(engine.pid))
        )
    print(verdict(found))
    return found


def verdict(found: Measured) -> str:
    """Whether it is as fast as it has to be, in a line."""
    rate = found.steady.turns_per_second
    word = "pass" if not found.failed else "FAIL"
    wrong = sum(each.wrong_screens for each in (*found.fastest, found.steady))
    refused = sum(each.refused for each in (*found.fastest, found.steady))
    return (
        f"{word}: p99 {found.steady.p99:.1f} ms at {rate:,.0f} turns/s, half of the highest rate (target"
        f" {P99_MS_MAX:g} ms); {wrong} wrong screens, {refused} refused, {found.unanswered} without a screen"
    )
