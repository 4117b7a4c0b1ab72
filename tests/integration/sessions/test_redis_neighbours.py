"""Engine processes asking one another over a real Redis: answered in time, and who is gone is known at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from sessions.neighbours import Alone, Standing
from sessions.redis_neighbours import RedisNeighbours


def here(msisdn: str, link: str, age_seconds: float) -> Standing:
    """As each number says how it stands with it."""
    return {"77010000007": Standing.WORKING, "77010000014": Standing.UNSEEN}.get(msisdn, Standing.SETTLED)


@pytest.fixture
async def two(redis_url: str) -> AsyncIterator[tuple[RedisNeighbours, RedisNeighbours]]:
    one, other = RedisNeighbours(redis_url, "one"), RedisNeighbours(redis_url, "other")
    for each in (one, other):
        each.open(here)
    await until_heard(redis_url, 2)
    yield one, other
    await one.close()
    await other.close()


async def until_heard(redis_url: str, count: int) -> None:
    async with Redis.from_url(redis_url) as redis:
        while len(await redis.pubsub_channels("engine:*")) != count:
            await asyncio.sleep(0.01)


async def test_a_process_says_how_it_stands_with_a_number(two: tuple[RedisNeighbours, RedisNeighbours]) -> None:
    one, other = two
    assert await one.standing("other", "77010000007", "link", 0.0) is Standing.WORKING
    assert await other.standing("one", "77010000014", "link", 0.0) is Standing.UNSEEN


async def test_many_questions_at_once_each_get_their_answer(two: tuple[RedisNeighbours, RedisNeighbours]) -> None:
    numbers = ["77010000007", "77010000014", "77010000021"] * 100
    told = await asyncio.gather(*(two[0].standing("other", number, "link", 0.0) for number in numbers))
    assert told == [here(number, "link", 0.0) for number in numbers]


async def test_who_has_never_been_there_is_gone_at_once(two: tuple[RedisNeighbours, RedisNeighbours]) -> None:
    began = time.monotonic()
    assert await two[0].standing("nobody", "77010000007", "link", 0.0) is Standing.GONE
    assert time.monotonic() - began < 0.25


async def test_who_has_ended_is_gone(redis_url: str, two: tuple[RedisNeighbours, RedisNeighbours]) -> None:
    await two[1].close()
    assert await two[0].standing("other", "77010000007", "link", 0.0) is Standing.GONE


async def test_a_process_that_redis_has_cut_off_is_heard_again(
    redis_url: str, two: tuple[RedisNeighbours, RedisNeighbours]
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    async with asyncio.timeout(5):
        while await two[0].standing("other", "77010000007", "link", 0.0) is not Standing.WORKING:
            await asyncio.sleep(0.05)


async def test_what_nobody_understands_disturbs_nobody(
    redis_url: str, two: tuple[RedisNeighbours, RedisNeighbours]
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.publish("engine:other", b"\xc1 of another release")
    assert await two[0].standing("other", "77010000007", "link", 0.0) is Standing.WORKING


async def test_without_redis_everybody_is_gone() -> None:
    alone = RedisNeighbours("redis://127.0.0.1:1", "one", 0.2)
    alone.open(here)
    assert await alone.standing("other", "77010000007", "link", 0.0) is Standing.GONE
    assert await Alone().standing("other", "77010000007", "link", 0.0) is Standing.GONE
    await alone.close()
