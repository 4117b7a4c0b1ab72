"""A `Shelf` in Redis: one key a name, every key under a TTL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from .redis_client import client_of
from .store import StoreAway


class RedisShelf:
    """The `Shelf` of production. Create it inside the running loop; `close` it at the end."""

    def __init__(self, url: str, prefix: str, answer_seconds_max: float = 2.0) -> None:
        """`url`: redis://, rediss:// or unix://; `prefix`: stands before every name. Raises ValueError."""
        self._redis = client_of(url, 1, answer_seconds_max)
        self._prefix = prefix
        self._answer_seconds_max = answer_seconds_max

    async def close(self) -> None:
        """Lets go of the connection."""
        await self._redis.aclose()

    async def put(self, octets: Mapping[str, bytes], seconds: float) -> None:
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                for name, each in octets.items():
                    await self._redis.set(self._prefix + name, each, px=max(1, int(seconds * 1000)))
        except (RedisError, OSError) as error:
            raise StoreAway(f"Redis: {str(error) or 'no answer in time'}") from error

    async def get(self, name: str) -> bytes | None:
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                found: Any = await self._redis.get(self._prefix + name)
        except (RedisError, OSError) as error:
            raise StoreAway(f"Redis: {str(error) or 'no answer in time'}") from error
        return None if found is None else bytes(found)
