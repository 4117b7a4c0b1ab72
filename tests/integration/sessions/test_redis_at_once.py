"""Many who ask the same Redis at the same time: each is answered, though there are few connections."""

from __future__ import annotations

import asyncio

from sessions.redis_log import RedisLog
from sessions.redis_shelf import RedisShelf
from sessions.redis_store import RedisStore


async def test_a_history_is_read_while_others_are_written(redis_url: str) -> None:
    log = RedisLog(redis_url, "history:", 3, 60)
    written = [log.append([("77010000007", b"%d" % n)]) for n in range(20)]
    await asyncio.gather(*written, *(log.last("77010000007") for _ in range(20)))
    assert len(await log.last("77010000007")) == 3
    await log.close()


async def test_menus_are_taken_from_the_shelf_while_others_are_put_there(redis_url: str) -> None:
    shelf = RedisShelf(redis_url, "menu:")
    await asyncio.gather(*(shelf.put({f"{n}": b"x"}, 60) for n in range(20)), *(shelf.get("0") for _ in range(20)))
    assert await shelf.get("19") == b"x"
    await shelf.close()


async def test_whoever_asks_whether_it_is_ready_is_told_so_also_when_many_ask(redis_url: str) -> None:
    store = RedisStore(redis_url)
    await asyncio.gather(*(store.ready() for _ in range(20)), *(store.load(f"7701000000{n}") for n in range(9)))
    await store.close()
