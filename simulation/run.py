"""One run from its seed to its verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog

from .judge import Judge
from .loop import PROCESS, VirtualLoop
from .world import World


class Verdict(NamedTuple):
    """What a run came to. `broken`: "" when everything held."""

    seed: int
    broken: str
    hash: str
    events: int
    seconds: float
    """Of the run's own time."""
    last: tuple[str, ...]


def run(seed: int, shown: Callable[[str], None] | None = None) -> Verdict:
    """Runs one seed. `shown` gets each line of its trace."""
    loop = VirtualLoop()
    world = World(seed, loop, shown)

    def broken(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        process = PROCESS.get()
        if process is None or process.is_alive:
            world.judge.breaks(f"{context.get('message')}: {context.get('exception')!r}")

    loop.set_exception_handler(broken)
    before = structlog.get_config()
    structlog.configure(processors=[_logged(world.judge)], logger_factory=structlog.ReturnLoggerFactory())
    try:
        story = loop.create_task(world.run())
        loop.run_until_complete(asyncio.wait((story, world.judge.broken), return_when=asyncio.FIRST_COMPLETED))
        if story.done() and story.exception() is not None and not world.judge.broken.done():
            raise story.exception() or AssertionError
    finally:
        structlog.configure(**before)
        _let_go(loop)
    what = world.judge.broken.result() if world.judge.broken.done() else ""
    return Verdict(seed, what, world.trace.hash, world.trace.count, loop.time(), tuple(world.trace.last))


def _logged(judge: Judge) -> structlog.typing.Processor:
    def told(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        if event.pop("exc_info", None):
            event["exception"] = structlog.processors.format_exc_info(None, "", {"exc_info": True})["exception"]
        judge.logged(event)
        return ""

    return told


def _let_go(loop: VirtualLoop) -> None:
    """Whatever runs still is ended, unseen."""
    loop.set_exception_handler(lambda _loop, _context: None)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
