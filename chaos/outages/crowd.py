"""Subscribers in numbers: each dials and types over SMPP, and what each has seen is kept, with its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from chaos.stand import Stand
from smpp.errors import WindowFull, WrongState
from smpp.fake_smsc import FakeSmsc, Handset, NotServed

SCREEN_SECONDS_MAX: Final = 15.0
"""Longer than any network waits: what comes by then is measured, and what does not come is a failure."""


class Seen(NamedTuple):
    """One turn as its subscriber saw it."""

    at: float  # when it was typed, on the monotonic clock
    seconds: float  # until the screen
    text: str
    ends: bool
    trouble: str = ""  # why there was no screen


async def turn(handset: Handset, text: str, *, begins: bool = False) -> Seen:
    """Dials or types, and waits."""
    at = time.monotonic()
    try:
        screen = await (handset.dial if begins else handset.send)(text, SCREEN_SECONDS_MAX)
    except (NotServed, WrongState, WindowFull) as error:
        return Seen(at, time.monotonic() - at, "", True, str(error) or type(error).__name__)
    return Seen(at, time.monotonic() - at, screen.text, screen.ends)


async def numbers_of(stand: Stand, network: str) -> tuple[str, ...]:
    """Numbers of a network that may use everything, in a row."""
    owner = await stand.owner()
    try:
        rows = await owner.fetch(
            "SELECT msisdn FROM subscribers WHERE network = $1 AND status = 'active' ORDER BY msisdn", network
        )
    finally:
        await owner.close()
    return tuple(row["msisdn"] for row in rows)


async def dialled(centre: FakeSmsc, numbers: Sequence[str], code: str) -> list[tuple[Handset, Seen]]:
    """All of them dial at once."""
    handsets = [centre.handset(number) for number in numbers]
    return list(zip(handsets, await asyncio.gather(*(turn(each, code, begins=True) for each in handsets)), strict=True))


class Load:
    """One number after another dials a code, so many a second, whether others have ended or not, until it is ended."""

    def __init__(self, centre: FakeSmsc, numbers: Iterator[str], code: str, per_second: float) -> None:
        self.seen: list[Seen] = []
        self._centre = centre
        self._numbers = numbers
        self._code = code
        self._pause = 1.0 / per_second
        self._turns: set[asyncio.Task[None]] = set()
        self._task = asyncio.ensure_future(self._run())

    async def end(self) -> list[Seen]:
        """Dials no more, and waits for what is under way; everything that was seen."""
        self._task.cancel()
        await asyncio.gather(self._task, *self._turns, return_exceptions=True)
        return self.seen

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            task = asyncio.ensure_future(self._dial(self._centre.handset(next(self._numbers))))
            self._turns.add(task)
            task.add_done_callback(self._turns.discard)
            due += self._pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _dial(self, handset: Handset) -> None:
        self.seen.append(await turn(handset, self._code, begins=True))


def p99(seen: Sequence[Seen]) -> float:
    """In seconds; 0.0 of nothing."""
    times = sorted(each.seconds for each in seen)
    return times[int(len(times) * 0.99)] if times else 0.0
