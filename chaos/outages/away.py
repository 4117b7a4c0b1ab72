"""Redis and PostgreSQL away: killed and started again, and stopped for a while; what subscribers and clients see."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from chaos.outages.crowd import Load, Seen, dialled, turn
from chaos.outages.direct import Answer, Direct
from chaos.outages.words import DIAL_AGAIN, ENGINE, ENGINE_AT_FAULT, SORRY
from chaos.report import Report, Terms
from chaos.stand import CORE, POSTGRES, REDIS, Stand
from smpp.fake_smsc import NotServed

AWAY_SECONDS: Final = 10
AWAY_SECONDS_MIN: Final = 1
BACK_SECONDS_MAX: Final = 2.0
NETWORK_WAITS_SECONDS: Final = 10.0
SWEPT_SECONDS: Final = 5.5
"""In so long everything that goes on beside requests has gone round once."""
CORE_ANSWER_SECONDS_MAX: Final = 1.5
"""`balances.get` is answered in a second, of which the core takes 80 %; the rest is for a machine that is busy."""


class Subscribers:
    """Who dial while a store is away, and clients who ask the core."""

    def __init__(
        self,
        stand: Stand,
        numbers: Sequence[str],
        engine: Direct,
        desk: Direct,
        terms: Terms,
        report: Report,
    ) -> None:
        self._stand = stand
        self._ours, self._dialling, self._others = numbers[:10], numbers[10:60], numbers[60:]
        self._engine = engine
        self._desk = desk
        self._terms = terms
        self._report = report
        self._centre = stand.centres["kcell"]
        self._seconds = terms.times(AWAY_SECONDS, AWAY_SECONDS_MIN)

    # --- Redis ---

    async def redis_is_away(self) -> None:
        """Killed, and started again empty; then stopped, and going on with all that it held."""
        for how in ("killed", "stopped"):
            self._terms.say(f"Redis is {how}")
            open_ones = await dialled(self._centre, self._dialling, "*111#")
            back = await self._gone(REDIS, how)
            load = Load(self._centre, itertools.cycle(self._others), "*111#", 20)
            typing = asyncio.gather(*(turn(handset, "9") for handset, _ in open_ones))
            await asyncio.sleep(self._seconds)
            typed = await typing
            await back()
            at = time.monotonic()
            await self._served_again(f"Redis {how}", at, ENGINE)
            seen = [*typed, *(each for each in await load.end() if each.at < at - 0.1)]
            self._in_words(f"Redis {how}", seen)
            again = await asyncio.gather(*(turn(handset, "9") for handset, _ in open_ones))
            lost = [each for each in again if each.trouble or each.text in ENGINE_AT_FAULT]
            self._report.check(not lost, f"Redis {how}: {len(lost)} dialogues were neither gone on with nor ended")
        self._alive("Redis")

    async def _gone(self, name: str, how: str) -> Callable[[], Awaitable[None]]:
        """Takes a part away; what brings it back."""
        if how == "killed":
            self._stand.kill(name)
            return lambda: self._stand.start(name)
        family = _family(self._stand.children[name].pid)
        for pid in family:
            os.kill(pid, signal.SIGSTOP)

        async def back() -> None:
            for pid in reversed(family):
                _signal(pid, signal.SIGCONT)

        return back

    def _in_words(self, what: str, seen: list[Seen]) -> None:
        late = [each for each in seen if each.trouble or each.seconds > NETWORK_WAITS_SECONDS]
        self._report.check(not late, f"{what}: {len(late)} of {len(seen)} had no screen: {late[:1]}")
        told = [each for each in seen if each.text in ENGINE_AT_FAULT]
        self._report.figures[f"{what}: told to try again"] = len(told)
        self._report.figures[f"{what}: longest wait for a screen s"] = round(max(each.seconds for each in seen), 2)
        self._report.check(bool(told), f"{what}: nobody was told to try again")
        other = [each for each in seen if each.text in DIAL_AGAIN]
        self._report.check(not other, f"{what}: {len(other)} were told that their dialogue is over")

    async def _served_again(self, what: str, back: float, wrong: frozenset[str]) -> None:
        served, number = 0, itertools.cycle(self._ours)
        while served < 10 and time.monotonic() - back < NETWORK_WAITS_SECONDS:
            seen = await turn(self._centre.handset(next(number)), "*111*3#", begins=True)
            served = 0 if seen.trouble or any(each in seen.text for each in wrong) else served + 1
            await asyncio.sleep(0.02)
        seconds = time.monotonic() - back
        self._report.figures[f"{what}: served again after s"] = round(seconds, 2)
        self._report.check(seconds <= BACK_SECONDS_MAX, f"{what}: served again only after {seconds:.1f} s")

    def _alive(self, what: str) -> None:
        for name in (self._stand.engines[0], CORE):
            self._report.check(self._stand.children[name].poll() is None, f"{what}: {name} has ended")

    # --- PostgreSQL ---

    async def postgres_is_away(self) -> None:
        """Killed, and started again; then stopped. Clients of the core are told so, and nobody is left hanging."""
        for how in ("killed", "stopped"):
            self._terms.say(f"PostgreSQL is {how}")
            answers: list[Answer] = []
            asking = asyncio.ensure_future(self._engine.ask_on("balances.get", self._ours[0], 20, answers))
            back = await self._gone(POSTGRES, how)
            gone = time.monotonic()
            load = Load(self._centre, itertools.cycle(self._others), "*111*3#", 10)
            await asyncio.sleep(self._seconds)
            await back()
            at = time.monotonic()
            await self._core_serves(f"PostgreSQL {how}", at, answers)
            await self._served_again(f"PostgreSQL {how}", at, SORRY | ENGINE)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            seen = [each for each in await load.end() if each.at < at - 0.1]
            self._worded(f"PostgreSQL {how}", [each for each in answers if each.at > gone], seen)
        self._alive("PostgreSQL")

    async def _core_serves(self, what: str, back: float, answers: list[Answer]) -> None:
        while not [each for each in answers if each.at > back and each.status == 200]:
            if time.monotonic() - back > NETWORK_WAITS_SECONDS:
                break
            await asyncio.sleep(0.01)
        seconds = time.monotonic() - back
        self._report.figures[f"{what}: core serves again after s"] = round(seconds, 2)
        self._report.check(seconds <= BACK_SECONDS_MAX, f"{what}: the core serves again only after {seconds:.1f} s")

    def _worded(self, what: str, answers: list[Answer], seen: list[Seen]) -> None:
        report = self._report
        report.figures[f"{what}: requests turned away"] = sum(each.status == 503 for each in answers)
        mute = [each for each in answers if not each.has_words]
        report.check(not mute, f"{what}: {len(mute)} of {len(answers)} answers without words: {mute[:1]}")
        slow = [each.seconds for each in answers if each.seconds > CORE_ANSWER_SECONDS_MAX]
        report.check(not slow, f"{what}: {len(slow)} of {len(answers)} answers took up to {max(slow, default=0):.1f} s")
        late = [each for each in seen if each.trouble or each.seconds > NETWORK_WAITS_SECONDS]
        report.check(not late, f"{what}: {len(late)} of {len(seen)} had no screen: {late[:1]}")
        generic = [each for each in seen if each.text in ENGINE]
        report.check(not generic, f"{what}: {len(generic)} of {len(seen)} saw the engine's own words")

    async def rest_goes_on(self) -> None:
        """The relay hears of a notice, the sealer seals, and the sweeper fences a quote that is too old."""
        report, number = self._report, self._ours[1]
        quote = "0d9f7f5e-0000-4000-8000-00000000c0de"
        owner = await self._stand.owner()
        try:
            quoted = await self._engine.ask("extra_balance.quote", number, quote, offer=await self._offer(number))
            top_up = await self._desk.ask(
                "balances.top_up", number, sum={"minor": 10_000, "currency": "KZT"}, place="terminal-1"
            )
            report.check(quoted.status == top_up.status == 200, f"not done after PostgreSQL: {quoted}, {top_up}")
            await owner.execute("UPDATE intents SET expires_at = moment() WHERE intent_id = $1", quote)
            at = time.monotonic()
            try:
                await self._centre.sms_to(number, SWEPT_SECONDS)
            except NotServed as error:
                report.check(False, f"the relay does not go on: {error}")
            report.figures["after PostgreSQL: an SMS after s"] = round(time.monotonic() - at, 2)
            await asyncio.sleep(max(0.0, at + SWEPT_SECONDS - time.monotonic()))
            state = await owner.fetchval("SELECT state FROM intents WHERE intent_id = $1", quote)
            report.check(state == "expired", f"the sweeper does not go on: a quote is {state}")
            unsealed = await owner.fetchval("SELECT count(*) FROM unsealed")
            report.check(unsealed == 0, f"the sealer does not go on: {unsealed} postings wait")
        finally:
            await owner.close()

    async def _offer(self, number: str) -> str:
        """What a loan is offered as; of a service, in whose place it may stand."""
        answer = await self._engine.ask("extra_balance.offers", number)
        found = answer.body.partition('"id":"')[2].partition('"')[0]
        return found or "none"


def _family(pid: int) -> list[int]:
    """A process and all that came of it, the elder first."""
    family = [pid]
    for each in family:
        for task in Path(f"/proc/{each}/task").iterdir():
            family += map(int, (task / "children").read_text().split())
    return family


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
