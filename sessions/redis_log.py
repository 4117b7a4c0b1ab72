"""The last few entries under a name, in Redis: appended many at a time, each name under a TTL.

One script appends whatever the moment has brought: its cost for an entry is a fraction of a command's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from .redis_client import client_of
from .store import StoreAway

_APPEND = """
for i, key in ipairs(KEYS) do
  redis.call('LPUSH', key, ARGV[i + 2])
  redis.call('LTRIM', key, 0, ARGV[1] - 1)
  redis.call('PEXPIRE', key, ARGV[2])
end
"""
ENTRIES_A_CALL_MAX = 500


class RedisLog:
    """Create it inside the running loop; `close` it at the end."""

    def __init__(
        self, url: str, prefix: str, entries_max: int, seconds: float, answer_seconds_max: float = 2.0
    ) -> None:
        """So many entries are kept under a name, for so long after the last. Raises ValueError for another scheme."""
        self._redis = client_of(url, 1, answer_seconds_max)
        self._prefix = prefix
        self._entries_max = entries_max
        self._milliseconds = int(seconds * 1000)
        self._answer_seconds_max = answer_seconds_max

    async def close(self) -> None:
        """Lets go of the connection."""
        await self._redis.aclose()

    async def append(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Appends to each name. Raises StoreAway."""
        try:
            for at in range(0, len(entries), ENTRIES_A_CALL_MAX):
                some = entries[at : at + ENTRIES_A_CALL_MAX]
                keys = (self._prefix + name for name, _ in some)
                octets = (each for _, each in some)
                async with asyncio.timeout(self._answer_seconds_max):
                    await self._redis.eval(_APPEND, len(some), *keys, self._entries_max, self._milliseconds, *octets)
        except (RedisError, OSError) as error:
            raise StoreAway(f"Redis: {str(error) or 'no answer in time'}") from error

    async def last(self, name: str) -> list[bytes]:
        """The entries under a name, the newest first. Raises StoreAway."""
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                found: list[Any] = await self._redis.lrange(self._prefix + name, 0, self._entries_max - 1)
        except (RedisError, OSError) as error:
            raise StoreAway(f"Redis: {str(error) or 'no answer in time'}") from error
        return found
