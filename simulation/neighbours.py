"""The engine processes of a run asking one another, as over the channels of Redis, and what goes wrong with that.

Rules of this file:
- A process that is dead has no subscription: that is known after one way. One that dies with a question on its table
  does not answer, and neither comes what is lost on the way, one way or the other: both count as gone, in time.
- What the asked one says is as it stands when the question arrives; it may be otherwise when the answer does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from sessions.neighbours import Standing

from .loop import Chance, Process
from .trace import Trace
from .weather import Weather

StandingHere: TypeAlias = Callable[[str, str, float], Standing]
ANSWER_SECONDS_MAX = 0.3
"""How long a process waits for another, as in `sessions.redis_neighbours`."""
WAY_SECONDS = (0.0001, 0.004)


class Channels:
    """Where each process can be asked."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._open: dict[str, tuple[Process, StandingHere]] = {}

    def opens(self, process: Process, standing_here: StandingHere) -> None:
        """It answers from now on."""
        self._open[process.name] = process, standing_here

    def at(self, name: str) -> StandingHere | None:
        """Who answers for a process of this name; None when it is dead."""
        process, standing_here = self._open.get(name, (None, None))
        return standing_here if process is not None and process.is_alive else None


class NeighboursClient:
    """The `Neighbours` of one process."""

    def __init__(
        self, channels: Channels, process: Process, loop: asyncio.AbstractEventLoop, chance: Chance, weather: Weather
    ) -> None:
        self._channels = channels
        self._process = process
        self._loop = loop
        self._chance = chance
        self._weather = weather

    async def standing(self, process: str, msisdn: str, link: str, age_seconds: float) -> Standing:
        chance = self._chance
        answer: asyncio.Future[Standing] = self._loop.create_future()
        there, back, is_lost = chance.between(*WAY_SECONDS), chance.between(*WAY_SECONDS), chance.draw()
        if is_lost >= self._weather.store_lost:
            self._loop.call_later(there, self._arrives, answer, back, process, msisdn, link, age_seconds)
        await asyncio.wait((answer,), timeout=ANSWER_SECONDS_MAX)
        if not self._process.is_alive:
            await self._loop.create_future()  # nobody is there any more
        told = answer.result() if answer.done() else Standing.GONE
        self._channels.trace.note(
            self._process.name, f"{process} says of …{msisdn[-4:]}: {told.value}, {answer.done()}"
        )
        return told

    def _arrives(
        self, answer: asyncio.Future[Standing], back: float, process: str, msisdn: str, link: str, age_seconds: float
    ) -> None:
        standing_here = self._channels.at(process)
        told = Standing.GONE if standing_here is None else standing_here(msisdn, link, age_seconds)
        self._loop.call_later(back, _tell, answer, told)


def _tell(answer: asyncio.Future[Standing], told: Standing) -> None:
    if not answer.done():
        answer.set_result(told)
