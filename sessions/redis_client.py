"""A client of Redis with few connections: whoever finds all of them at work waits for one, as long as for an answer.

Without that, `max_connections` of redis-py refuses at once whoever comes while another one asks.
"""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis


def client_of(url: str, connections_max: int, seconds_max: float) -> Redis:
    """`url`: redis://, rediss:// or unix://. Raises ValueError for another scheme."""
    pool = BlockingConnectionPool.from_url(
        url, max_connections=connections_max, timeout=seconds_max, socket_connect_timeout=seconds_max
    )
    return Redis.from_pool(pool)
