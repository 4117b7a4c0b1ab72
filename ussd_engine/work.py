"""What is being worked on: counted, bounded, awaited at the end, and never ending in silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import structlog

from .config import Link
from .metrics import Metrics

T = TypeVar("T")

LOOK_SECONDS = 0.1
LAG_SECONDS_MAX = 1.0
"""A loop that is later than this begins nothing new: there is a queue of a second already."""
DRAIN_LOOK_SECONDS = 0.02


class Work:
    """The tasks of one engine process. Past `in_flight_max`, and while closing, nothing more should be taken on."""

    def __init__(self, metrics: Metrics, in_flight_max: int) -> None:
        self._metrics = metrics
        self._in_flight_max = in_flight_max
        self._tasks: set[asyncio.Task[None]] = set()
        self._of_links: Counter[str] = Counter()
        self._log = structlog.get_logger()
        self._closed = False
        self.is_open = True
        """Nothing new is begun once it is not: the engine is stopping."""
        self.lag_seconds = 0.0
        """How late the loop was when somebody looked last."""

    @property
    def is_full(self) -> bool:
        """Whether everything must be refused now."""
        return self._closed or len(self._tasks) >= self._in_flight_max

    @property
    def takes_new(self) -> bool:
        """Whether a dialogue may begin, and an SMS be taken: what has begun already goes before."""
        return self.is_open and not self.is_full and self.lag_seconds < LAG_SECONDS_MAX

    def has_room_for(self, link: Link, *, begins: bool) -> bool:
        """Whether one more turn of this link can be taken on, beside those of the others."""
        turns, most = self._of_links[link.name], link.config.floods.turns_max
        return (self.takes_new and turns < most) if begins else (not self.is_full and turns < 2 * most)

    async def watch_lag(self, loop: asyncio.AbstractEventLoop) -> None:
        """Looks how late the loop is, for as long as the engine runs."""
        while True:
            due = loop.time() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self.lag_seconds = max(0.0, loop.time() - due)
            self._metrics.loop_lag.observe(self.lag_seconds)

    def begin(self, work: Coroutine[None, None, None], link: str = "") -> asyncio.Task[None]:
        """Works on it as a task of its own; `link`: whose turn it is."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if link:
            self._of_links[link] += 1
            task.add_done_callback(lambda _task: self._of_links.subtract((link,)))
        return task

    async def safely(self, work: Awaitable[T], otherwise: Callable[[], T], msisdn: str) -> T:
        """What the work gives; after a fault of ours, which is logged, what is to be said instead."""
        try:
            return await work
        except Exception as error:  # noqa: BLE001 - the one place: whoever waits still gets an answer
            self._metrics.failed(type(error).__name__, msisdn)
            self._log.exception("a fault of ours", msisdn=msisdn)
            return otherwise()

    def count(self) -> None:
        """Shows in the metrics how much there is."""
        self._metrics.turns_in_flight.set(len(self._tasks))

    async def drain(self, seconds_max: float, is_busy: Callable[[], bool] = lambda: False) -> None:
        """Begins nothing new, and waits until what there is has been done and `is_busy` says no; then takes nothing."""
        self.is_open = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                while self._tasks or is_busy():  # noqa: ASYNC110 - once in a life, and of many parts
                    await asyncio.sleep(DRAIN_LOOK_SECONDS)
        self._closed = True
