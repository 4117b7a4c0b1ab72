"""Engines, core, Redis and PostgreSQL are killed again and again while people pay and reserve; Redis forgets, too.

Rules of this file:
- Parts die in turn: both engines and Redis at the same time, then the core, then PostgreSQL. So payments go on, and
  what one death leaves half done meets the next.
- There are two engines, so that somebody is served while one of them is away.
- A stale Redis is one that was copied to disk, served on, died, and came back with the copy, as after a failover to a
  replica that was behind.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from chaos.judge import people_at_it
from chaos.report import Report, Terms
from chaos.stand import CORE, POSTGRES, REDIS, Stand
from stack import places, redis_server

ENGINE_KILLS, CORE_KILLS, REDIS_KILLS, POSTGRES_KILLS = 300, 300, 100, 100
FLUSHES, FAILOVERS = 50, 20
PAUSE_SECONDS = (0.2, 1.2)
"""Between a part's start and its next death."""
QUIET_SECONDS = 2.0
"""Before the first kill and after the last."""
STALE_SECONDS = (0.5, 2.0)
"""How far behind the copy of Redis is."""

_Deed: TypeAlias = Callable[[Stand, random.Random], Awaitable[None]]


async def run(terms: Terms) -> Report:
    """The campaign."""
    report = Report("kills", terms.seed)
    async with Stand(terms.folder, terms.say, engines=2) as stand, people_at_it(stand, terms, report):
        await asyncio.sleep(QUIET_SECONDS)
        await kill_all(stand, terms)
        terms.say("all kills are done; waiting for what is open")
        await asyncio.sleep(QUIET_SECONDS)
    return report


async def kill_all(stand: Stand, terms: Terms) -> None:
    """All kills, at the scale of `terms`."""
    of_one_engine = terms.times(ENGINE_KILLS) // len(stand.engines)
    await asyncio.gather(_redis(stand, terms), *(_killer(stand, name, of_one_engine, terms) for name in stand.engines))
    await _killer(stand, CORE, terms.times(CORE_KILLS), terms)
    await _killer(stand, POSTGRES, terms.times(POSTGRES_KILLS), terms)


async def _killer(stand: Stand, name: str, times: int, terms: Terms) -> None:
    chance = terms.chance(name)
    for nth in range(times):
        await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
        stand.kill(name)
        await stand.start_again(name)
        _say_at_tenths(terms, name, nth + 1, times)


async def _redis(stand: Stand, terms: Terms) -> None:
    chance = terms.chance(REDIS)
    counts: Sequence[tuple[_Deed, int]] = ((_killed, REDIS_KILLS), (_flushed, FLUSHES), (_failed_over, FAILOVERS))
    deeds: list[_Deed] = []
    for deed, whole in counts:
        deeds += [deed] * terms.times(whole)
    chance.shuffle(deeds)
    for nth, deed in enumerate(deeds):
        await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
        await deed(stand, chance)
        _say_at_tenths(terms, REDIS, nth + 1, len(deeds))


async def _killed(stand: Stand, _chance: random.Random) -> None:
    stand.kill(REDIS)
    await stand.start_again(REDIS)


async def _flushed(stand: Stand, _chance: random.Random) -> None:
    redis_server.flush(stand.data_folder)
    stand.kills["redis, flushed"] = stand.kills.get("redis, flushed", 0) + 1


async def _failed_over(stand: Stand, chance: random.Random) -> None:
    redis_server.ask(places.redis_socket(stand.data_folder), b"SAVE\r\n")
    await asyncio.sleep(chance.uniform(*STALE_SECONDS))
    await _killed(stand, chance)
    (stand.data_folder / "redis" / "dump.rdb").unlink()
    stand.kills["redis, stale"] = stand.kills.get("redis, stale", 0) + 1


def _say_at_tenths(terms: Terms, name: str, done: int, times: int) -> None:
    if done * 10 // times != (done - 1) * 10 // times:
        terms.say(f"{name}: {done} of {times}")
