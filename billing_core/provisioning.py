"""What the network has to be told of a number: orders, written with the fact, and done until the network has them.

Rules of this file:
- The port is `Network`; the network that is simulated takes every order. A real one is told under the order's id, and
  takes what it has taken before for done.
- Orders of one number are done in the order in which they were written.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Protocol

import structlog

from billing_core.database import Connection

TELL_SECONDS_MAX = 3.0
"""Less than a transaction may lie idle."""
_ORDER = "INSERT INTO provisioning (cause, msisdn, what) VALUES ($1, $2, $3)"
_DUE = """
SELECT order_id, msisdn, what FROM provisioning o
WHERE done_at IS NULL AND try_at <= moment() AND NOT EXISTS (
    SELECT FROM provisioning e WHERE e.msisdn = o.msisdn AND e.done_at IS NULL AND e.order_id < o.order_id)
ORDER BY order_id LIMIT 1
FOR UPDATE SKIP LOCKED
"""
_DONE = "UPDATE provisioning SET done_at = moment(), problem = NULL WHERE order_id = $1"
_LATER = """
UPDATE provisioning SET tries = tries + 1, problem = $2,
                        try_at = moment() + make_interval(secs => least(60, 2 ^ least(tries, 6)))
WHERE order_id = $1
"""
_log = structlog.stdlib.get_logger("billing_core.provisioning")


class NetworkAway(Exception):
    """The network did not take the order. The text is for people."""


class Network(Protocol):
    """The operator's provisioning system. Raises NetworkAway."""

    async def tell(self, order_id: int, msisdn: str, what: str) -> None:
        """`what`: block, unblock, close or open the number's service. Under the same id it has one effect."""
        ...


class NoNetwork:
    """No provisioning system is connected: orders wait."""

    async def tell(self, order_id: int, msisdn: str, what: str) -> None:
        raise NetworkAway("no provisioning system is connected")


class SimulatedNetwork:
    """Takes every order, and says so in the log."""

    async def tell(self, order_id: int, msisdn: str, what: str) -> None:
        _log.info("the network was told", order=order_id, msisdn=msisdn, what=what)


async def order(connection: Connection, cause: uuid.UUID, msisdn: str, what: str) -> None:
    """Writes an order, in the transaction of the fact."""
    await connection.execute(_ORDER, cause, msisdn, what)


async def tell_one(connection: Connection, network: Network) -> bool:
    """Does one order that is due, in the caller's transaction; whether there was one."""
    row = await connection.fetchrow(_DUE)
    if row is None:
        return False
    try:
        async with asyncio.timeout(TELL_SECONDS_MAX):
            await network.tell(row["order_id"], row["msisdn"], row["what"])
    except (NetworkAway, TimeoutError) as error:
        await connection.execute(_LATER, row["order_id"], str(error) or type(error).__name__)
    else:
        await connection.execute(_DONE, row["order_id"])
    return True
