"""Faults that subscribers report: a ticket each, told on the screen and by SMS."""

from __future__ import annotations

from billing.calls import Call, Done, Refused
from billing_core.database import Connection
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import Who

_OPEN = "SELECT ticket_id FROM tickets WHERE subscriber_id = $1 AND closed_at IS NULL ORDER BY ticket_id DESC"
_CLOSE = """
UPDATE tickets SET closed_at = $3 WHERE ticket_id = $1 AND subscriber_id = $2 AND closed_at IS NULL RETURNING true
"""
_ADD = "INSERT INTO tickets (subscriber_id, kind, opened_at) VALUES ($1, $2, $3) RETURNING ticket_id"


class Faults:
    """The operations."""

    def __init__(self, tools: Tools) -> None:
        self._open_max = tools.rules.help.open_tickets_max

    async def report(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`faults.report`."""
        still_open = await connection.fetch(_OPEN, who.id)
        if len(still_open) >= self._open_max:
            return Refused("TOO_MANY", {"ticket": str(still_open[0]["ticket_id"])})
        ticket = str(await connection.fetchval(_ADD, who.id, call.arguments["kind"], who.now))
        await write_notice(connection, who.id, call.id, "faults.reported", {"ticket": ticket})
        return Done({"ticket": ticket})

    async def close(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`faults.close`."""
        closed = await connection.fetchval(_CLOSE, int(str(call.arguments["ticket"])), who.id, who.now)
        return Done({}) if closed else Refused("NO_SUCH_TICKET", {})
