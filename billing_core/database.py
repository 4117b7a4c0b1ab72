"""The pool of connections to PostgreSQL.

Rules of this file:
- OK means committed and flushed: a server that would lose an acknowledged commit is refused at start.
- A statement that nobody waits for any more is ended by the server itself; a server that does not even say so is left.
- Nobody leaves anything behind in a session (no temporary tables, advisory locks or settings outlive a transaction), so
  a connection goes back to the pool without the reset that asyncpg would send, which costs a round trip a read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECT_SECONDS_MAX = 5.0
TRIES_MAX = 3
"""How often a transaction is made when PostgreSQL ends it in favour of another one."""
STATEMENT_SECONDS_MAX = 2.0
CANCEL_SECONDS_MAX = 0.15
"""What is left to an answer when the core has given up: a caller waits for 20 % longer than the core."""

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # the connection is closed, or closing
    asyncpg.InternalClientError,  # so asyncpg calls a connection that was cut while it lay idle
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28
    asyncpg.InvalidCatalogNameError,  # class 3D: no such database
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,  # class 40: ended in favour of others, more often than we try
    asyncpg.InsufficientResourcesError,  # class 53: disk full, out of memory, too many connections
    asyncpg.LockNotAvailableError,
    asyncpg.OperatorInterventionError,  # class 57: shutting down, starting up, a statement that took too long
)
"""What is raised when the database cannot serve now, and nothing is wrong with the statement."""

_SETTINGS = {
    "application_name": "billing-core",
    "statement_timeout": f"{STATEMENT_SECONDS_MAX * 1000:.0f}",
    "idle_in_transaction_session_timeout": "5000",
    # Every statement has one good plan: planning anew costs a fifth of a payment.
    "plan_cache_mode": "force_generic_plan",
}


_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_transaction(
    pool: Pool, work: Callable[Concatenate[Connection, _P], Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """Does work in a transaction of its own, anew when PostgreSQL ends it in favour of another one."""
    for tries_left in reversed(range(TRIES_MAX)):
        try:
            async with pool.acquire() as connection, connection.transaction():
                return await work(connection, *args, **kwargs)
        except asyncpg.TransactionRollbackError:
            if not tries_left:
                raise
    raise AssertionError("there is a last try")


class UnsafeDatabase(Exception):
    """The server would lose what it acknowledged; the text says by which setting."""


class _Connection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        return ""

    async def _cancel(self, waiter: asyncio.Future[None], cancel_waiter: asyncio.Future[None] | None = None) -> None:
        """asyncpg asks the server to end a statement, and waits for its word without end: a server that stands still
        would hold up whoever gave up on it. We wait for a moment; then the connection is given up, and made anew.
        """
        giving_up = asyncio.get_running_loop().call_later(CANCEL_SECONDS_MAX, self.terminate)
        try:
            await super()._cancel(waiter, cancel_waiter)  # type: ignore[misc]
        finally:
            giving_up.cancel()


async def open_pool(url: str, connections_max: int) -> Pool:
    """Opens `connections_max` connections. Raises UnsafeDatabase, and what `UNAVAILABLE` lists."""
    pool = await asyncpg.create_pool(
        url,
        min_size=connections_max,
        max_size=connections_max,
        max_inactive_connection_lifetime=0,
        timeout=CONNECT_SECONDS_MAX,
        connection_class=_Connection,
        server_settings=_SETTINGS,
    )
    try:
        async with pool.acquire() as connection:
            await refuse_unsafe(connection)
    except BaseException:
        pool.terminate()
        raise
    return pool


async def refuse_unsafe(connection: Connection) -> None:
    """Raises UnsafeDatabase unless an acknowledged commit is on disk."""
    for setting in ("fsync", "synchronous_commit"):
        found = await connection.fetchval("SELECT current_setting($1)", setting)
        if found != "on":
            raise UnsafeDatabase(
                f"PostgreSQL runs with {setting}={found}: set it to on, or money can be lost in a crash"
            )
