"""What is being worked on: counted, bounded, awaited at the end, and never ending in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import structlog

from .metrics import Metrics

T = TypeVar("T")


class Work:
    """The tasks of one engine process. Past `in_flight_max`, and while closing, nothing more should be taken on."""

    def __init__(self, metrics: Metrics, in_flight_max: int) -> None:
        self._metrics = metrics
        self._in_flight_max = in_flight_max
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()
        self.is_open = True

    @property
    def is_full(self) -> bool:
        """Whether more must be refused now."""
        return not self.is_open or len(self._tasks) >= self._in_flight_max

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Works on it as a task of its own."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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

    async def drain(self, seconds_max: float) -> None:
        """Takes on no more, and waits until what there is has been done."""
        self.is_open = False
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds_max)
