"""An event loop in which time passes only when nothing else is left to do: seconds cost nothing.

Rules of this file:
- No sockets, no threads, no wall clock: whoever waits for one of them has come to the wrong world.
- When nothing is ready, time jumps to the next timer. When there is no timer either, whatever runs is stuck, and that
  is a mistake (`Stuck`).
- What belongs to which engine process is known (`PROCESS`), so that a process can be killed with all its tasks.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Stuck(Exception):
    """Nothing is ready, and nothing will ever be."""


class Process:
    """What runs as one program: its tasks, in the order in which they began. A killed one begins nothing more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}

    def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Calls it as this process would: the tasks and timers that it begins are this process's."""
        token = PROCESS.set(self)
        try:
            return work(*arguments)
        finally:
            PROCESS.reset(token)

    def kill(self) -> None:
        """Ends it between two instructions. Whoever it speaks to must not listen any more (`is_alive`)."""
        self.is_alive = False
        for task in tuple(self.tasks):
            task.cancel()


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def outside(work: Callable[..., T], *arguments: Any) -> T:
    """Calls it as nobody's: what it begins outlives every process."""
    token = PROCESS.set(None)
    try:
        return work(*arguments)
    finally:
        PROCESS.reset(token)


class _Clock:
    """Stands where the loop has its selector: there is nothing to select, and time jumps."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, seconds: float | None) -> list[Any]:
        if seconds is None:
            raise Stuck("nothing is ready, and no timer runs")
        if seconds > 0:
            self._loop.pass_time(seconds)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop of one run."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = 1e-9
        self._selector = _Clock(self)
        self.set_task_factory(_task)

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        """Jumps to the next timer, which is so far away."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        self._now = max(self._now, min(self._now + seconds, scheduled[0].when()))

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As ever; but what a killed process sets never rings."""
        timer = super().call_at(when, callback, *args, context=context)
        process = PROCESS.get()
        if process is not None and not process.is_alive:
            timer.cancel()
        return timer

    def waiting(self) -> list[asyncio.TimerHandle]:
        """The timers that run, the next first."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return sorted((each for each in scheduled if not each.cancelled()), key=asyncio.TimerHandle.when)

    async def getaddrinfo(self, host: Any, port: Any, **_hints: Any) -> list[Any]:
        """Every name is an address already."""
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]

    def _process_events(self, event_list: list[Any]) -> None: ...

    def _write_to_self(self) -> None: ...


def _task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T] | Generator[Any, None, T], context: Any = None
) -> asyncio.Task[T]:
    task: asyncio.Task[T] = asyncio.Task(work, loop=loop, context=context)
    process = PROCESS.get()
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(lambda _: process.tasks.pop(task, None))
        if not process.is_alive:
            task.cancel()
    return task


class Chance:
    """The dice of a run, or of one part of it: the same seed and part throw the same."""

    def __init__(self, seed: int, part: str) -> None:
        self._dice = random.Random(f"{seed}/{part}")  # noqa: S311 - chance that can be repeated is what is wanted
        self.draw = self._dice.random
        self.between = self._dice.uniform
        self.whole = self._dice.randint
        self.bits = self._dice.getrandbits

    def hits(self, share: float) -> bool:
        """Whether something happens that happens in this share of all cases."""
        return self.draw() < share

    def pick(self, those: Any) -> Any:
        """One of them, each as likely as another."""
        return those[int(self.draw() * len(those))]

    def digits(self, count: int) -> str:
        """So many digits."""
        return "".join(self.pick("0123456789") for _ in range(count))
