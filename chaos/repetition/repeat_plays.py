"""One repeat, played: a subscriber says something, it is said again, and what came of it is compared with the table.

Rules of this file:
- What is compared stands in `repeated.expected`; how often something was done is asked of the database of the core.
- A repeat that was meant for a moment that has passed when it leaves (the machine is busy) is counted as late, and may
  get the same screen.
"""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from billing_core.seeding import wallets
from chaos.repetition.repeated import Case, Moment, Outcome, Place, Script, expected
from chaos.repetition.slow_core import SlowCore
from chaos.repetition.wire import Heard, Line, Said, WireCentre
from sessions.redis_store import RedisStore
from sessions.session import Session
from ussd_engine.dialect import Kind

SCREEN_SECONDS_MAX: Final = 9.0
SETTLE_SECONDS: Final = 0.06
"""Until both engines have heard what was accepted: what is on two sockets has no order."""
QUIET_SECONDS: Final = 0.12
"""So long nothing more comes, where nothing should."""
SLOW_SECONDS: Final = (0.05, 0.3)
PAYER: Final = "01234567890123"
_CONFIRMATION: Final = re.compile(r"(?:аберите|Иә:|еріңіз|ype|onfirm:) ([0-9]{2})\b")
CALLS: Final = "SELECT count(*) FROM calls WHERE msisdn = $1 AND operation = $2"
_POSTINGS = """
SELECT count(DISTINCT posting_id) FROM entries JOIN accounts USING (account_id) JOIN subscribers USING (subscriber_id)
WHERE msisdn = $1
"""
_TARIFF = """
SELECT concat_ws('|', name_kk, name_ru, name_en) FROM tariffs JOIN subscriptions USING (tariff_id)
JOIN subscribers USING (subscriber_id) WHERE msisdn = $1
"""
_DIGITS = """
SELECT digits FROM intents JOIN subscribers USING (subscriber_id) WHERE msisdn = $1 ORDER BY quoted_at DESC LIMIT 1
"""


class Pool:
    """Things of which each is used by one case at a time."""

    def __init__(self, things: list[str]) -> None:
        self._free: asyncio.Queue[str] = asyncio.Queue()
        for thing in things:
            self._free.put_nowait(thing)

    async def take(self) -> str:
        return await self._free.get()

    def give(self, thing: str) -> None:
        self._free.put_nowait(thing)


@dataclass
class Scene:
    """What all cases share."""

    centres: dict[tuple[str, str], WireCentre]
    numbers: dict[str, Pool]
    store: RedisStore
    database: asyncpg.Pool[Any]
    core: SlowCore
    chance: random.Random
    again: int = 0
    nothing: int = 0
    late: int = 0
    receipts: int = 0
    payments: int = 0

    def __post_init__(self) -> None:
        self.brands = Pool(["1 1", "1 2", "2 1", "2 2"])
        """Numbers to choose from, by brand and prefix: each case takes the first free one."""

    async def count(self, question: str, *arguments: str) -> int:
        """What the core's database says."""
        return int(await self.database.fetchval(question, *arguments) or 0)


class Handset:
    """A subscriber's, at one centre. `failures`: what did not hold."""

    def __init__(self, scene: Scene, case: Case, centre: WireCentre, number: str) -> None:
        chance = self.chance = scene.chance
        self.scene, self.centre, self.number = scene, centre, number
        self.session, self.code = b"", ""
        self.failures: list[str] = []
        engines = sorted(centre.lines)
        mine = chance.choice(engines)
        self.home = chance.choice(centre.lines[mine])
        """Where the input comes that is repeated."""
        others = {
            Place.LINK: [self.home],
            Place.BIND: [line for line in centre.lines[mine] if line is not self.home],
            Place.ENGINE: [line for engine in engines if engine != mine for line in centre.lines[engine]],
        }
        self.elsewhere = chance.choice(others[case.place])
        """Where the repeat comes."""

    @property
    def screens(self) -> list[Heard]:
        return self.centre.screens[self.number]

    def check(self, holds: bool, failure: str) -> None:
        if not holds:
            self.failures.append(failure)

    def message(self, kind: Kind, text: str, line: Line) -> Said:
        """What is said, under a number of the line."""
        if kind is Kind.BEGIN:
            self.session, self.code = self.centre.new_session(), f"*{text.strip('*#').split('*')[0]}#"
        return line.number(self.centre.message(kind, self.number, self.code, text, self.session))

    async def says(self, kind: Kind, text: str, line: Line) -> Heard:
        """Says it, and waits for the next screen. Raises AssertionError."""
        count = len(self.screens)
        line.say(self.message(kind, text, line))
        return await self.screen(count)

    async def screen(self, count: int) -> Heard:
        """The screen after so many. Raises AssertionError."""
        came = await self.centre.until(self.number, lambda: len(self.screens) > count, SCREEN_SECONDS_MAX)
        assert came, f"no screen came after {[each.shown.text for each in self.screens][-2:]}"
        self.session = self.screens[-1].shown.session or self.session
        return self.screens[count]

    async def until_gone(self) -> None:
        """Until the dialogue is stored no more. Raises TimeoutError."""
        async with asyncio.timeout(SCREEN_SECONDS_MAX):
            while await self.stored() is not None:  # noqa: ASYNC110 - it lies in Redis, which tells nobody
                await asyncio.sleep(SETTLE_SECONDS)

    async def stored(self) -> Session | None:
        return await self.scene.store.load(self.number)


async def play_dialogue(scene: Scene, case: Case, script: Script, handset: Handset) -> None:
    """Plays it, and leaves no dialogue behind."""
    brand = await scene.brands.take() if "brand" in script.lead else ""
    try:
        await _lead(scene, script, handset, brand)
        await _repeat(scene, case, script, handset)
    finally:
        if brand:
            scene.brands.give(brand)
    open_still = await handset.stored()
    if open_still is not None and not open_still.ended:
        handset.home.say(handset.message(Kind.ABORT, "", handset.home))
        await handset.until_gone()


async def _lead(scene: Scene, script: Script, handset: Handset, brand: str) -> None:
    """Goes as far as the input that will be repeated, on one line or another."""
    line = handset.chance.choice([handset.home, handset.elsewhere])
    for said in script.lead:
        for text in await _meant(scene, said, handset, brand, line):
            heard = await handset.says(Kind.BEGIN if text.startswith("*") else Kind.REPLY, text, line)
            assert not heard.shown.ends, f"after {text}: {heard.shown.text}"
    if script.lead:
        await asyncio.sleep(SETTLE_SECONDS)


async def _meant(scene: Scene, said: str, handset: Handset, brand: str, line: Line) -> tuple[str, ...]:
    """What is typed for a word of a script."""
    if said in ("brand", "prefix"):
        return (brand.split()[said == "prefix"],)
    if said == "tariff":
        theirs = str(await scene.database.fetchval(_TARIFF, handset.number)).split("|")
        first = handset.screens[-1].shown.text.split("\n")[1]
        return ("2" if first.removeprefix("1 ") in theirs else "1",)
    if said == "payment":
        scene.payments += 1
        return (f"*900*3*3*14*14*{PAYER}*{100 + scene.payments % 1000}#",)
    if said == "reserve":  # pages, an office that opens late, conditions: until there are two digits to type
        for _ in range(9):
            shown = handset.screens[-1].shown.text
            if _CONFIRMATION.search(shown):
                return ()
            await handset.says(Kind.REPLY, "98" if "98 " in shown else "1", line)
        raise AssertionError(f"no digits to type on: {handset.screens[-1].shown.text}")
    return (said,)


async def _typed(scene: Scene, script: Script, handset: Handset) -> str:
    if script.said == "digits":
        return str(await scene.database.fetchval(_DIGITS, handset.number))
    return wallets.pin_of(int(handset.number[-1])) if script.said == "pin" else script.said


async def _repeat(scene: Scene, case: Case, script: Script, handset: Handset) -> None:
    said = await _typed(scene, script, handset)
    before, outcome = await handset.stored(), expected(script, case)
    count = len(handset.screens)
    calls = await scene.count(CALLS, handset.number, script.operation)
    postings = await scene.count(_POSTINGS, handset.number)
    first = handset.message(script.kind, said, handset.home)
    again = first if case.place is Place.LINK else handset.elsewhere.number(first.pdu)
    taken, late = await _say_twice(scene, case, script, handset, first, again)
    if late:
        scene.late += 1
        outcome = Outcome.COPIES
    more = await _more(outcome, handset, count + (script.kind is not Kind.ABORT))
    scene.again += outcome is Outcome.SAME
    scene.nothing += outcome is Outcome.NOTHING
    _judge_screens(outcome, script, handset, more, count, again)
    anew = outcome is Outcome.NEW and script.kind is Kind.BEGIN and bool(script.operation)
    calls_now = await scene.count(CALLS, handset.number, script.operation)
    once = (not script.operation and not calls_now) or calls_now - calls == 1 + anew
    handset.check(once, f"{script.operation} was called {calls_now - calls} times")
    postings_now = await scene.count(_POSTINGS, handset.number)
    handset.check(postings_now - postings == script.postings, f"{postings_now - postings} postings")
    if script.then and case.moment is not Moment.ENDED:
        await _go_on(script, handset, before, taken, outcome)
    elif script.kind is Kind.ABORT:
        left = await handset.stored()
        begun = case.moment is Moment.ENDED
        handset.check((left is not None) == begun, f"after an abort that came twice there is {left}")


async def _say_twice(
    scene: Scene, case: Case, script: Script, handset: Handset, first: Said, again: Said
) -> tuple[Session | None, bool]:
    """Says it and says it again; the dialogue in between, and whether the repeat came too late for its moment."""
    count, home, number = len(handset.screens), handset.home, handset.number
    is_abort = script.kind is Kind.ABORT
    if case.moment is Moment.AT_ONCE:
        if again.line is home:
            home.say(first, again)
        else:
            home.say(first)
            again.line.say(again)
        if not is_abort:
            await handset.screen(count)
        return None, False
    if case.moment is Moment.WORKING:
        seconds = scene.core.waits[number] = scene.chance.uniform(*SLOW_SECONDS)
        home.say(first)
        await asyncio.sleep(seconds * scene.chance.uniform(0.1, 0.6))
        late = len(handset.screens) > count
        again.line.say(again)
        await handset.screen(count)
        scene.core.waits.pop(number, None)
        return None, late
    if case.moment is Moment.UNSEEN:
        handset.centre.held.add(number)
    home.say(first)
    if not is_abort:
        await handset.screen(count)
    if case.moment is not Moment.UNSEEN:
        await asyncio.sleep(SETTLE_SECONDS)
    taken = await handset.stored()
    if case.moment is Moment.ENDED:
        await _end(case, script, handset)
    again.line.say(again)
    return taken, False


async def _end(case: Case, script: Script, handset: Handset) -> None:
    """The dialogue is over. Where the repeat must be known for one, another has begun by then."""
    if not script.ends and script.kind is not Kind.ABORT:
        handset.home.say(handset.message(Kind.ABORT, "", handset.home))
        await handset.until_gone()
    elif case.place is Place.LINK or script.kind is Kind.ABORT:
        await handset.says(Kind.BEGIN, "*166#", handset.home)
        handset.screens.pop()
    await asyncio.sleep(SETTLE_SECONDS)


async def _more(outcome: Outcome, handset: Handset, count: int) -> list[Heard]:
    """The screens after so many, once all that should come has come, and been accepted."""
    if outcome in (Outcome.SAME, Outcome.NEW, Outcome.CLOSED):
        await handset.centre.until(handset.number, lambda: len(handset.screens) > count, SCREEN_SECONDS_MAX)
    await asyncio.sleep(QUIET_SECONDS)
    handset.centre.held.discard(handset.number)
    for heard in handset.screens:
        heard.accept()
    await asyncio.sleep(SETTLE_SECONDS)
    return handset.screens[count:]


def _judge_screens(
    outcome: Outcome, script: Script, handset: Handset, more: list[Heard], count: int, again: Said
) -> None:
    texts = [each.shown.text for each in more]
    first = None if script.kind is Kind.ABORT else handset.screens[count].shown
    if outcome is Outcome.COPIES:
        handset.check(len(more) <= 1, f"more than one screen again: {texts}")
    elif outcome is Outcome.NOTHING:
        handset.check(not more, f"where nothing should come: {texts}")
    else:
        handset.check(len(more) == 1, f"{outcome} should come, and {len(more)} came: {texts}")
    for each in more:
        if outcome in (Outcome.COPIES, Outcome.SAME) and first is not None:
            same = each.shown.text == first.text or script.confidential
            handset.check(same, f"another screen came again: {each.shown.text!r} for {first.text!r}")
            handset.check(each.shown.ends == first.ends, "what ends, or goes on, does not when it is repeated")
        if outcome is Outcome.CLOSED:
            handset.check(each.shown.ends, f"the dialogue was over, and there came {each.shown.text!r}")
        lines = (
            (again.line, handset.home) if outcome is Outcome.COPIES else (again.line,)
        )  # in whatever order they come
        handset.check(each.line in lines, "the screen that came again left on another bind than the repeat")


async def _go_on(
    script: Script, handset: Handset, before: Session | None, taken: Session | None, outcome: Outcome
) -> None:
    """The input was walked once; and what is typed now, having seen the screen, is walked, whatever it is."""
    now = await handset.stored()
    if now is None or now.ended:
        handset.check(outcome is Outcome.NEW, f"the dialogue does not go on: {now}")
        return
    if script.kind is Kind.BEGIN:
        begun_again = taken is not None and taken.id != now.id
        handset.check(begun_again == (outcome is Outcome.NEW), "a begin that came again began anew")
    elif before is not None:
        walked = now.turn - before.turn
        handset.check(walked == (2 if outcome is Outcome.NEW else 1), f"it was walked {walked} times")
    line = handset.chance.choice([handset.home, handset.elsewhere])
    heard = await handset.says(Kind.REPLY, script.then, line)
    await asyncio.sleep(SETTLE_SECONDS)
    last = await handset.stored()
    handset.check(last is not None and last.turn == now.turn + 1, f"what was typed next was not walked: {heard.shown}")
    handset.check(heard.line is line, "a screen left on another bind than its input's")
