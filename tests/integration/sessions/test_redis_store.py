"""Dialogues in a real Redis: kept, compared, forgotten, and never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from sessions.redis_store import RedisStore
from sessions.session import Session, UnreadableSession, stamp_of
from sessions.store import StoreAway

SESSION = Session(
    id="s1", msisdn="77010000007", link="l", reference="", network="kcell", brand="Kcell", status="active",
    language="kk", service="self_service", menu="abc", started_at=0.0, version=1, input_mark="c1/1-1",
)  # fmt: skip
NEXT = replace(SESSION, version=2, input_mark="c1/2-2")


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url)
    yield store
    await store.close()


async def test_what_was_begun_can_be_loaded(store: RedisStore) -> None:
    assert await store.load(SESSION.msisdn) is None
    assert await store.begin(SESSION, 60) is None
    assert await store.load(SESSION.msisdn) == SESSION


async def test_a_save_finds_the_state_it_expects_or_does_nothing(store: RedisStore) -> None:
    await store.begin(SESSION, 60)
    assert await store.save(NEXT, stamp_of(SESSION), 60)
    assert not await store.save(replace(NEXT, shown="late"), stamp_of(SESSION), 60)
    assert await store.load(SESSION.msisdn) == NEXT


async def test_a_save_into_nothing_does_nothing(store: RedisStore) -> None:
    assert not await store.save(NEXT, stamp_of(SESSION), 60)
    assert await store.load(SESSION.msisdn) is None


async def test_a_new_begin_ends_the_old_dialogue(store: RedisStore) -> None:
    await store.begin(SESSION, 60)
    other = replace(SESSION, id="s2", input_mark="c1/9-9")
    assert await store.begin(other, 60) is None
    assert await store.load(SESSION.msisdn) == other
    assert not await store.save(NEXT, stamp_of(SESSION), 60)


async def test_a_repeated_begin_gives_the_dialogue_that_it_began(store: RedisStore) -> None:
    first = replace(SESSION, shown="Баланс")
    await store.begin(first, 60)
    assert await store.begin(replace(SESSION, id="s2"), 60) == first
    assert await store.load(SESSION.msisdn) == first


async def test_a_begin_finds_one_like_it_that_another_process_has_taken(store: RedisStore) -> None:
    theirs = replace(SESSION, owner="aaa", input_mark="link.aaa.1/7-c0de")
    await store.begin(theirs, 60)
    ours = replace(SESSION, id="s2", owner="bbb", input_mark="link.bbb.1/9-c0de")
    assert await store.begin(ours, 60, "-c0de") == theirs
    assert await store.begin(replace(ours, owner="aaa"), 60, "-c0de") is None  # its own: it knows by itself
    await store.begin(theirs, 60)
    assert await store.begin(ours, 60, "-0000") is None
    await store.begin(replace(theirs, input_mark="link/=05-0-c0de"), 60)  # the peer's own count is like no other
    assert await store.begin(ours, 60, "-c0de") is None
    assert await store.load(SESSION.msisdn) == ours


async def test_one_process_is_the_first(store: RedisStore, redis_url: str) -> None:
    other = RedisStore(redis_url)
    firsts = await asyncio.gather(*(each.is_first("answer:1", 0.1) for each in (store, other, store)))
    assert sum(firsts) == 1
    assert await other.is_first("answer:2", 60)
    await asyncio.sleep(0.12)
    assert await store.is_first("answer:1", 60)
    await other.close()


async def test_only_the_dialogue_that_is_meant_is_forgotten(store: RedisStore) -> None:
    await store.begin(SESSION, 60)
    await store.forget(SESSION.msisdn, "s")
    assert await store.load(SESSION.msisdn) == SESSION
    await store.forget(SESSION.msisdn, "s1")
    assert await store.load(SESSION.msisdn) is None


async def test_every_key_expires(store: RedisStore, redis_url: str) -> None:
    await store.begin(SESSION, 60)
    await store.save(NEXT, stamp_of(SESSION), 0.05)
    async with Redis.from_url(redis_url) as redis:
        assert [key async for key in redis.scan_iter()] == [b"ussd:77010000007"]
        assert 0 < await redis.pttl("ussd:77010000007") <= 50
    await asyncio.sleep(0.08)
    assert await store.load(SESSION.msisdn) is None


async def test_of_many_saves_at_once_one_wins(store: RedisStore) -> None:
    await store.begin(SESSION, 60)
    saves = [store.save(replace(NEXT, shown=str(n)), stamp_of(SESSION), 60) for n in range(50)]
    assert sum(await asyncio.gather(*saves)) == 1


async def test_many_numbers_asked_at_once_each_get_their_own(store: RedisStore) -> None:
    sessions = [replace(SESSION, id=f"s{n}", msisdn=f"7701{n:07}") for n in range(300)]
    await asyncio.gather(*(store.begin(session, 60) for session in sessions))
    assert await asyncio.gather(*(store.load(session.msisdn) for session in sessions)) == sessions


async def test_octets_of_another_format_are_unreadable_not_nothing(store: RedisStore, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set("ussd:77010000007", b"9 s1 1 m\n...", px=5000)
    with pytest.raises(UnreadableSession):
        await store.load(SESSION.msisdn)


async def test_a_store_that_is_away_says_so_in_time() -> None:
    store = RedisStore("redis://127.0.0.1:1", answer_seconds_max=0.3)
    with pytest.raises(StoreAway):
        await store.load("77010000007")
    with pytest.raises(StoreAway):
        await store.ready()
    await store.close()


async def test_a_store_that_hangs_says_so_in_time() -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    store = RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", answer_seconds_max=0.2)
    started = asyncio.get_running_loop().time()
    with pytest.raises(StoreAway):
        await store.load("77010000007")
    assert asyncio.get_running_loop().time() - started < 1
    await store.close()
    server.close()


async def test_it_answers_again_once_redis_is_back(redis_url: str) -> None:
    store = RedisStore(redis_url)
    await store.begin(SESSION, 60)
    async with Redis.from_url(redis_url) as redis:
        await redis.client_kill_filter(skipme=True)
    results = await asyncio.gather(store.load(SESSION.msisdn), return_exceptions=True)
    assert isinstance(results[0], StoreAway | Session)
    assert await store.load(SESSION.msisdn) == SESSION
    await store.close()
