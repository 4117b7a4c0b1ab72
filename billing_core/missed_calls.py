"""Missed calls: somebody called while the phone was off; told when it is on again, by whoever sees that."""

from __future__ import annotations

import datetime

from billing.calls import Done, Refused
from billing.contract import Value
from billing_core.database import Connection
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.subscribers import UNKNOWN_NUMBER

_SUBSCRIBER = """
SELECT subscriber_id, status, statement_timestamp() AS now FROM subscribers WHERE msisdn = $1 AND held_until IS NULL
"""


async def report(
    connection: Connection, cause: str, msisdn: str, caller: str, times: int, at: datetime.datetime | None = None
) -> Done | Refused:
    """Writes the notice. `cause`: an id of the report, `at`: the last call, now when None.

    Refused with UNKNOWN_NUMBER and CLOSED. Raises ValueError for what the contract's event does not allow.
    """
    async with connection.transaction():
        row = await connection.fetchrow(_SUBSCRIBER, msisdn)
        if row is None:
            return UNKNOWN_NUMBER
        if row["status"] == "closed":
            return Refused("CLOSED", {})
        arguments: dict[str, Value] = {"caller": caller, "at": as_instant(at or row["now"]), "count": times}
        await write_notice(connection, row["subscriber_id"], cause, "calls.missed", arguments)
        return Done({})
