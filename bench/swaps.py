"""Live change under load: `python -m bench.swaps [--swaps 50] [--turns 3000]`.

The system as `make run` starts it, with a folder of menus of its own. Handsets dial `*111#`, press 9 and 0, so many
turns a second; meanwhile the menus are edited and put in force, again and again. Every edit writes its number on every
screen. A screen is wrong when it is none of the menu's, or when its number is another than that of the dialogue's first
screen: a dialogue goes on with the version that it began with. A turn has failed when no screen came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench.driver import BIND_SECONDS_MAX, Bind, Scenario, Step, Tally
from bench.numbers import in_turn
from bench.own import own_settings
from stack.programs import installed_programs
from stack.together import Stack, start_all
from ussd_engine.commands import operate
from ussd_engine.config import read_settings as engine_settings
from ussd_engine.operator_side import RELOAD_PATH

FOLDER = Path(".build/bench/swaps")
PORTS_FROM = 20100
FIRST_NUMBER = 77010005000
NUMBERS = 5_000
SEEDED = 10_000
TICK_SECONDS = 0.01
THINK_SECONDS = (0.0, 2.0)
STEPS = ("*111#", "9", "0")
_EDITED = {
    "{kk: Мәзір, ru: Меню, en: Menu}": "{{kk: Нөмір {n}, ru: Номер {n}, en: Number {n}}}",
    "{kk: Тіл, ru: Язык, en: Language}": "{{kk: Тіл {n}, ru: Язык {n}, en: Language {n}}}",
}
_MARK = re.compile(r"\A(?:Нөмір|Номер|Number|Тіл|Язык|Language) (\d+)\n")


class Result(NamedTuple):
    """What came of it. `marks`: how many of the edits were seen on screens."""

    swaps: int
    seconds: float
    turns: int
    turns_per_second: float
    wrong_screens: int
    unanswered: int
    refused: int
    marks: int
    p99_ms: float
    longest_ms: float


class Paced(Bind):
    """A bind whose handsets begin so many dialogues a second, and look at the number on every screen."""

    def __init__(self, scenario: Scenario, tally: Tally, dialogues_per_second: float) -> None:
        self._next = in_turn(FIRST_NUMBER, NUMBERS)
        super().__init__(scenario, self._next, 0, tally)
        self._per_second = dialogues_per_second
        self._marks: dict[bytes, str] = {}
        self._open: set[bytes] = set()
        self.seen: set[str] = set()
        self._random = random.Random(1)

    async def run(self) -> None:
        """Begins dialogues until `stopping`."""
        due, last = 0.0, time.perf_counter()
        while not self.stopping:
            await asyncio.sleep(TICK_SECONDS)
            now = time.perf_counter()
            due, last = due + (now - last) * self._per_second, now
            out: list[bytes] = []
            while due >= 1:
                due -= 1
                number = b"%d" % next(self._next)
                if number not in self._open:
                    self._open.add(number)
                    self._send(number, 0, out)
            if out and self._transport is not None:
                self._transport.write(b"".join(out))

    @property
    def unanswered(self) -> int:
        """Inputs without a screen."""
        return len(self._talks)

    def _screen(self, body: bytes, out: list[bytes]) -> None:
        start = body.index(b"\0", 7) + 3
        number = body[start : start + 11]
        step, sent = self._talks.pop(number, (-1, 0.0))
        tally = self._tally
        tally.turns += 1
        tally.seconds.append(time.perf_counter() - sent)
        found = _MARK.match(_text(body))
        mark = found[1] if found else ""
        if step == 0:
            self._marks[number] = mark
        if step < 0 or not mark or mark != self._marks[number]:
            tally.wrong_screens += 1
        self.seen.add(mark)
        if step == len(STEPS) - 1:
            self._open.discard(number)
        elif step >= 0:  # people think: many dialogues are open while the menus change
            asyncio.get_running_loop().call_later(self._random.uniform(*THINK_SECONDS), self._type, number, step + 1)

    def _type(self, number: bytes, step: int) -> None:
        out: list[bytes] = []
        self._send(number, step, out)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(out))


def _text(body: bytes) -> str:
    """The screen in a deliver_sm without its header: what stands between the length and the TLV of the op."""
    at = body.index(b"\0", body.index(b"\0", body.index(b"\0") + 3) + 3) + 1  # after service_type and both addresses
    at += 3 + 2 + 4  # esm_class, protocol_id, priority; two empty times; delivery, replace, coding, default message
    length = body[at]
    coding = body[at - 2]
    octets = body[at + 1 : at + 1 + length]
    return octets.decode("utf-16-be") if coding == 8 else octets.decode("ascii", "replace")


def edit(menus: Path, number: int, source: Path = Path("menus/self_service.yaml")) -> None:
    """Writes the menu of `*111#`, which is that of `source`, with this number on its screens."""
    text = source.read_text().partition("\ntests:")[0] + "\n"
    for before, after in _EDITED.items():
        text = text.replace(before, after.format(n=number))
    for talks in (menus / "talks").glob("self_service*"):
        talks.unlink()  # of the menu as it was
    (menus / "self_service.yaml").write_text(text)


async def swap_under_load(
    config: Path, host: str, port: int, swaps: int, turns_per_second: float, edited: Callable[[int], None]
) -> Result:
    """Drives a running system and changes its menus meanwhile, each time by `edited`."""
    settings, tally = engine_settings(config), Tally(counting=True)
    scenario = Scenario("swaps", tuple(Step(text, ()) for text in STEPS), lambda: iter(()))
    loop = asyncio.get_running_loop()
    bind = Paced(scenario, tally, turns_per_second / len(STEPS))
    await loop.create_connection(lambda: bind, host, port)
    await asyncio.wait_for(bind.bound, BIND_SECONDS_MAX)
    running = loop.create_task(bind.run())
    began = time.perf_counter()
    await asyncio.sleep(1)
    for number in range(1, swaps + 1):
        edited(number)
        answer = await operate.ask_engine(settings, RELOAD_PATH)
        if not answer["ok"]:
            raise AssertionError(f"an edit was refused: {answer['mistakes'][:2]}")
    lasted = time.perf_counter() - began
    bind.stopping = True
    await running
    await asyncio.sleep(2 * THINK_SECONDS[1] + 1)  # what is on its way comes in
    bind.close()
    times = sorted(tally.seconds)
    return Result(
        swaps, round(lasted, 1), tally.turns, round(tally.turns / lasted), tally.wrong_screens, bind.unanswered,
        tally.refused, len(bind.seen), round(times[int(len(times) * 0.99)] * 1000, 1), round(times[-1] * 1000, 1),
    )  # fmt: skip


def own_menus(folder: Path) -> Path:
    """A copy of our menus that can be edited; its first edit has number 0."""
    menus = folder / "menus"
    shutil.rmtree(menus, ignore_errors=True)
    shutil.copytree("menus", menus)
    edit(menus, 0)
    return menus


def measure(swaps: int = 50, turns: float = 3000) -> Result:
    """Starts a system, swaps its menus so many times under so many turns a second."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    menus = own_menus(FOLDER)
    settings = own_settings(FOLDER, PORTS_FROM, menus)
    with Stack(say=lambda _: None) as stack:
        start_all(stack, settings, installed_programs(), SEEDED, say=lambda _: None)
        listen = settings.engine_smpp
        return uvloop.run(
            swap_under_load(settings.config, listen.host, listen.port, swaps, turns, partial(edit, menus))
        )


def table(r: Result) -> str:
    """The figures for people."""
    return (
        f"{r.swaps} swaps of menus in {r.seconds} s under {r.turns_per_second:,} turns/s: {r.turns:,} turns,\n"
        f"  {r.wrong_screens} wrong screens, {r.unanswered} without a screen, {r.refused} refused;\n"
        f"  {r.marks} versions seen; p99 {r.p99_ms} ms, longest {r.longest_ms} ms"
    )


def failed(r: Result) -> bool:
    """Was a screen wrong or missing?"""
    return bool(r.wrong_screens or r.unanswered or r.refused)


def main() -> int:
    """Exit code 1 when a screen was wrong or missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.swaps", description=__doc__)
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--turns", type=float, default=3000, help="turns a second (default: 3000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    result = measure(options.swaps, options.turns)
    print(json.dumps(result._asdict()) if options.json else table(result))
    return 1 if failed(result) else 0


if __name__ == "__main__":
    sys.exit(main())
