"""Parts that are slow or dead: the core, Redis, PostgreSQL, centres, disks and clocks; what subscribers see meanwhile.

Rules of this campaign:
- One part fails at a time, for up to a minute, under subscribers who go on dialling and typing; centres flap beside.
- Every subscriber gets a screen while the network still waits, in words that belong to what was asked.
- What does not need the part goes on as before; what needs it goes on soon after it is back; nothing is left over.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from chaos.outages import away, full_disk
from chaos.outages.clock import Clock
from chaos.outages.crowd import Load, Seen, dialled, numbers_of, p99, turn
from chaos.outages.direct import Direct
from chaos.outages.flapping import Flapping, judged
from chaos.outages.gauges import Gauges
from chaos.outages.words import BALANCE, ENGINE, ENGINE_AT_FAULT, RESUME, SORRY, WALLET_AWAY
from chaos.relay import Relay
from chaos.report import Report, Terms
from chaos.stand import CORE, Stand
from smpp.fake_smsc import Handset

STILL_SECONDS: Final = 60
STILL_SECONDS_MIN: Final = 6
NETWORK_WAITS_SECONDS: Final = 10.0
"""`waits.application_seconds` of the dialect that all links speak."""
OTHERS_P99_SECONDS_MAX: Final = 0.3
OTHERS_WRONG_SHARE: Final = 0.01
BREAKER_SECONDS: Final = 1.0
RECOVERY_SECONDS_MAX: Final = BREAKER_SECONDS + 1.0
FLAPS: Final = 200
DIALOGUES: Final = 500
HOUR: Final = 3600.0


async def run(terms: Terms) -> Report:
    """Brings the system up, and breaks one part after the other."""
    report = Report("slow", terms.seed)
    clock, flapping, relay = Clock(terms.folder), Flapping(terms.folder), Relay(0)
    await relay.open()
    await flapping.open()

    def change(config: dict[str, Any]) -> None:
        engine = config["engine"]
        relay.target = int(config["billing_core"]["http_listen"].rpartition(":")[2])
        engine["billing"] |= {"url": f"http://127.0.0.1:{relay.port}", "breaker_seconds": BREAKER_SECONDS}
        engine["links"] |= flapping.links()

    try:
        async with Stand(terms.folder, terms.say, change=change, environment=clock.environment) as stand:
            await _Slow(stand, terms, report, relay, clock, flapping).all()
    finally:
        await flapping.close()
        await relay.close()
    return report


class _Slow:
    """The parts of the campaign."""

    def __init__(
        self, stand: Stand, terms: Terms, report: Report, relay: Relay, clock: Clock, flapping: Flapping
    ) -> None:
        self._stand = stand
        self._terms = terms
        self._report = report
        self._relay = relay
        self._clock = clock
        self._flapping = flapping
        self._kcell, self._megacom = stand.centres["kcell"], stand.centres["megacom"]
        self._seconds = terms.times(STILL_SECONDS, STILL_SECONDS_MIN)
        self._gauges = Gauges(stand)

    async def all(self) -> None:
        """One after the other; links flap beside the first."""
        self._of_kcell = await numbers_of(self._stand, "kcell")
        self._of_megacom = await numbers_of(self._stand, "megacom")
        before = await self._gauges.read()
        flapping = asyncio.ensure_future(self._flapping.fail(self._terms.times(FLAPS), self._report))
        self._terms.say("the core stands still")
        await self._core_is_stopped()
        self._terms.say("a part of the core is silent, and the clock is set")
        await asyncio.gather(self._part_of_the_core_is_silent(), self._clock_is_set())
        core_port = self._stand.settings().core_http.port
        keys = self._stand.data_folder / "keys"
        async with Direct(core_port, "engine", keys) as engine, Direct(core_port, "desk", keys) as desk:
            subscribers = away.Subscribers(self._stand, self._of_kcell, engine, desk, self._terms, self._report)
            await subscribers.postgres_is_away()
            await asyncio.gather(subscribers.rest_goes_on(), subscribers.redis_is_away())
            await full_disk.fill(self._stand, self._of_kcell[60:90], engine, desk, self._terms, self._report)
        await flapping
        judged(self._flapping, self._report)
        await self._gauges.compare(before, self._report)

    # --- the core ---

    async def _core_is_stopped(self) -> None:
        """The whole core stands still, by SIGSTOP; then a relay in its place says nothing."""
        core = self._stand.children[CORE].pid
        await self._core_stands_still(
            "stopped", lambda: os.kill(core, signal.SIGSTOP), lambda: os.kill(core, signal.SIGCONT)
        )
        if self._terms.scale >= 1:
            await self._core_stands_still("silent", lambda: self._hold(b"/v1/operations/"), lambda: self._hold(b""))

    async def _core_stands_still(self, how: str, stop: Callable[[], None], go_on: Callable[[], None]) -> None:
        report = self._report
        asking, walking = self._of_kcell[20:], self._of_kcell[:20]
        without_wallet = self._of_megacom[20 : 20 + DIALOGUES - len(asking)]
        asked = await dialled(self._kcell, asking, "*111#")
        registering = await dialled(self._megacom, without_wallet, "*900#")
        walkers = [handset for handset, _ in await dialled(self._kcell, walking, "*111#")]
        report.check(all(not seen.ends for _, seen in (*asked, *registering)), "dialogues did not open before")
        stop()
        try:
            until = time.monotonic() + self._seconds
            waves = asyncio.gather(
                *(turn(handset, "3") for handset, _ in asked), *(turn(handset, "1") for handset, _ in registering)
            )
            others = await self._walk_until(until, walkers)
            seen = await waves
        finally:
            go_on()
        back = time.monotonic()
        self._screens_came(f"the core {how}", seen)
        self._said(f"the core {how}: balances", seen[: len(asked)], SORRY)
        report.figures[f"core {how}: dialogues"] = len(seen)
        report.figures[f"core {how}: longest wait for a screen s"] = round(max(each.seconds for each in seen), 2)
        self._others(f"core {how}: services without calls", others)
        await self._is_back(f"core {how}", back, "*111*3#", SORRY)

    async def _walk_until(self, until: float, walkers: Sequence[Handset]) -> list[Seen]:
        """Subscribers who go to and fro between screens that need no call, twenty steps a second."""
        seen: list[Seen] = []
        for at in itertools.count():
            if time.monotonic() >= until:
                return seen
            walker = walkers[at % len(walkers)]
            seen.append(await turn(walker, "9" if at // len(walkers) % 2 == 0 else "0"))
            await asyncio.sleep(0.05)
        return seen

    async def _part_of_the_core_is_silent(self) -> None:
        """Only what a wallet asks for is not answered."""
        report = self._report
        self._hold(b"/v1/operations/wallet.")
        wallets = Load(self._megacom, itertools.cycle(self._of_megacom[20:]), "*900#", 60)
        balances = Load(self._kcell, itertools.cycle(self._of_kcell[60:]), "*111*3#", 50)
        await asyncio.sleep(self._seconds)
        held_back = await self._gauges.held_back()
        others, mine = await balances.end(), await wallets.end()
        self._hold(b"")
        back = time.monotonic()
        report.check(held_back == {"wallet"}, f"calls are held back of {sorted(held_back) or 'no domain'}")
        self._screens_came("wallets silent", mine)
        self._said("wallets silent: wallets", mine, WALLET_AWAY | RESUME)
        report.figures["wallets silent: wallets dialled"] = len(mine)
        report.figures["wallets silent: longest wait for a screen s"] = round(max(each.seconds for each in mine), 2)
        self._others("wallets silent: balances", others)
        await self._is_back("wallets silent", back, "*900#", WALLET_AWAY)

    def _hold(self, path: bytes) -> None:
        """Requests whose path holds these octets are not answered; b"": all are."""
        self._relay.holds = (lambda octets: path in octets) if path else (lambda _octets: False)

    async def _is_back(self, what: str, back: float, code: str, away_words: frozenset[str]) -> None:
        """How long until ten in a row are served."""
        centre, numbers = (
            (self._megacom, self._of_megacom[:10]) if code == "*900#" else (self._kcell, self._of_kcell[:10])
        )
        served = 0
        for number in itertools.cycle(numbers):
            seen = await turn(centre.handset(number), code, begins=True)
            good = not seen.trouble and seen.text not in ENGINE and not _has(seen.text, away_words)
            served = served + 1 if good else 0
            if served == len(numbers) or time.monotonic() - back > NETWORK_WAITS_SECONDS:
                break
            await asyncio.sleep(0.02)
        seconds = time.monotonic() - back
        self._report.figures[f"{what}: served again after s"] = round(seconds, 2)
        self._report.check(seconds <= RECOVERY_SECONDS_MAX, f"{what}: served again only after {seconds:.1f} s")

    # --- the clock ---

    async def _clock_is_set(self) -> None:
        """An hour on, and an hour back, under dialogues that go on: nobody sees anything of it."""
        for ahead in (HOUR, 0.0):
            walkers = await dialled(self._kcell, self._of_kcell[20:60], "*111#")
            self._clock.set(ahead)
            await asyncio.sleep(away.SWEPT_SECONDS if ahead else 0.5)
            seen = await asyncio.gather(*(turn(handset, "3") for handset, _ in walkers))
            wrong = [each for each in seen if each.trouble or not _has(each.text, BALANCE)]
            self._report.check(not wrong, f"the clock {ahead:+.0f} s: {len(wrong)} of {len(seen)} saw {_shown(wrong)}")

    # --- what holds for all ---

    def _screens_came(self, what: str, seen: Sequence[Seen]) -> None:
        late = [each for each in seen if each.trouble or each.seconds > NETWORK_WAITS_SECONDS]
        self._report.check(not late, f"{what}: {len(late)} of {len(seen)} had no screen in time: {_shown(late)}")
        generic = [each for each in seen if each.text in ENGINE_AT_FAULT]
        self._report.check(not generic, f"{what}: {len(generic)} of {len(seen)} saw the engine's own words")

    def _said(self, what: str, seen: Sequence[Seen], words: frozenset[str]) -> None:
        other = [each for each in seen if not _has(each.text, words)]
        self._report.check(not other, f"{what}: {len(other)} of {len(seen)} saw something else: {_shown(other)}")

    def _others(self, what: str, seen: Sequence[Seen]) -> None:
        wrong = [each for each in seen if each.trouble or each.text in ENGINE or _has(each.text, SORRY)]
        self._report.figures[f"{what}, turns"] = len(seen)
        self._report.figures[f"{what}, p99 ms"] = round(p99(seen) * 1000, 1)
        self._report.check(len(seen) > 0, f"{what}: nobody dialled")
        few = len(seen) * OTHERS_WRONG_SHARE  # what is on its way while a clock is set is turned away
        self._report.check(len(wrong) <= few, f"{what}: {len(wrong)} of {len(seen)} were not served: {_shown(wrong)}")
        self._report.check(p99(seen) < OTHERS_P99_SECONDS_MAX, f"{what}: p99 {p99(seen) * 1000:.0f} ms")


def _has(text: str, words: frozenset[str]) -> bool:
    return any(each in text for each in words)


def _shown(seen: Sequence[Seen]) -> str:
    return "; ".join(sorted({each.trouble or repr(each.text[:60]) for each in seen}))[:300]
