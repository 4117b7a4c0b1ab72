"""Repeats of what an engine took that has been killed: another one is told, and nobody can say what was seen.

Half of the subscribers have typed something whose screen was sent and not accepted, half something that changes their
language and that the core is slow about. The engine dies by `kill -9`; then the other one hears the same again.
"""

from __future__ import annotations

import asyncio
from typing import Final

from chaos.repetition.repeat_plays import SETTLE_SECONDS, Handset, Scene
from chaos.repetition.repeated import KCELL, SCRIPTS, Case, Moment, Place, Script
from chaos.repetition.wire import Said
from chaos.report import Report
from chaos.stand import Stand
from ussd_engine.dialect import Kind

SLOW_SECONDS: Final = 0.5
_CALLED = "SELECT count(*) FROM calls WHERE msisdn = $1 AND operation = $2 AND state = 'done'"
_ANSWERS: Final = {script.name: script for script in SCRIPTS if script.then and script.lead}


async def deaths(scene: Scene, stand: Stand, count: int, report: Report) -> None:
    """The first engine dies in the turns of so many subscribers."""
    dying = stand.engines[0][-1]
    talks = [await _begin(scene, number, dying) for number in range(count)]
    said = await asyncio.gather(*(_say(scene, *talk) for talk in talks))
    await asyncio.sleep(SLOW_SECONDS / 3)
    stand.kill(stand.engines[0])
    repeats = (_again(scene, *talk, first) for talk, first in zip(talks, said, strict=True))
    for (script, _), ended in zip(talks, await asyncio.gather(*repeats, return_exceptions=True), strict=True):
        report.check(ended is None, f"{script.name}, after the engine died: {ended}")
    for script, handset in talks:
        handset.centre.held.discard(handset.number)
        report.failures += [f"{script.name}, after the engine died: {failure}" for failure in handset.failures]
    report.figures["repeats of what a dead engine took"] = count


async def _begin(scene: Scene, number: int, dying: str) -> tuple[Script, Handset]:
    """A subscriber of the engine that will die, who is about to say something."""
    centre = scene.centres[KCELL, "standard"]
    script = _ANSWERS["answer" if number % 2 else "answer that changes"]
    msisdn = await scene.numbers[KCELL].take()
    handset = Handset(scene, Case(script, "standard", Place.ENGINE, Moment.UNSEEN, number), centre, msisdn)
    handset.home = scene.chance.choice(centre.lines[dying])
    living = [line for name, lines in centre.lines.items() if name != dying for line in lines]
    handset.elsewhere = scene.chance.choice(living)
    for text in script.lead:
        await handset.says(Kind.BEGIN, text, handset.home)
    return script, handset


async def _say(scene: Scene, script: Script, handset: Handset) -> Said:
    """Says it; an answer that changes nothing is shown, and not accepted."""
    count = len(handset.screens)
    handset.centre.held.add(handset.number)
    if script.operation:
        scene.core.waits[handset.number] = SLOW_SECONDS
    first = handset.message(script.kind, script.said, handset.home)
    handset.home.say(first)
    if not script.operation:
        await handset.screen(count)
    return first


async def _again(scene: Scene, script: Script, handset: Handset, first: Said) -> None:
    before, count = await handset.stored(), len(handset.screens)
    called = await scene.count(_CALLED, handset.number, script.operation)
    handset.elsewhere.say(handset.elsewhere.number(first.pdu))
    heard = await handset.screen(count)
    if not script.operation:
        shown = handset.screens[count - 1].shown
        handset.check(heard.shown == shown, f"another screen: {heard.shown} for {shown}")
    await asyncio.sleep(SETTLE_SECONDS)
    handset.check(len(handset.screens) == count + 1, "it was answered more than once")
    heard.accept()
    await asyncio.sleep(SETTLE_SECONDS)
    after = await handset.stored()
    walked = before is not None and after is not None and after.turn == before.turn
    handset.check(walked, f"it was walked again: {before} became {after}")
    if script.operation:
        scene.core.waits.pop(handset.number, None)
        await asyncio.sleep(SLOW_SECONDS)
        done = await scene.count(_CALLED, handset.number, script.operation)
        handset.check(done - called == 1, f"{script.operation} was done {done - called} times")
    handset.elsewhere.say(handset.message(script.kind, script.then, handset.elsewhere))
    await handset.screen(count + 1)
    handset.check(heard.line is handset.elsewhere, "it was answered by an engine that is dead")
