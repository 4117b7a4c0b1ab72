"""Missed calls: somebody called while the phone was off; told when it is on again, by whoever sees that."""

from __future__ import annotations

from billing.calls import Call, Done
from billing_core.database import Connection
from billing_core.moments import as_instant
from billing_core.notices import is_wanted, write_notice
from billing_core.who import Who


async def report(connection: Connection, call: Call, who: Who) -> Done:
    """`missed_calls.report`."""
    if await is_wanted(connection, who.id, "missed_calls"):
        given = call.arguments
        at = given.get("at", as_instant(who.now))
        arguments = {"caller": given["caller"], "at": at, "count": given["times"]}
        await write_notice(connection, who.id, call.id, "calls.missed", arguments)
    return Done({})
