"""Blocking a number that was lost. What the network has to do is an order, written with the fact, done by a worker."""

from __future__ import annotations

import hmac
import uuid

from billing.calls import Call, Done, Refused
from billing_core.database import Connection
from billing_core.domains import ending
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.provisioning import order
from billing_core.who import Who

_BLOCK = "UPDATE subscribers SET status = 'blocked', status_under = status WHERE subscriber_id = $1"
_UNBLOCK = """
UPDATE subscribers SET status = coalesce(status_under, 'active'), status_under = NULL WHERE subscriber_id = $1
"""
_SHOWN = "INSERT INTO documents_shown (subscriber_id, why, document, at) VALUES ($1, $2, $3, $4)"


async def block(connection: Connection, call: Call, who: Who) -> Done | Refused:
    """`blocking.block`."""
    if not ends_in(who.msisdn, str(call.arguments["last_digits"])):
        return Refused("WRONG_DIGITS", {})
    await connection.execute(_BLOCK, who.id)
    await order(connection, uuid.UUID(call.id), who.msisdn, "block")
    await ending.end_delegations(connection, who, call.id)
    await write_notice(connection, who.id, call.id, "number.blocked", {"at": as_instant(who.now)})
    return Done({})


async def unblock(connection: Connection, call: Call, who: Who) -> Done | Refused:
    """`blocking.unblock`."""
    if who.status != "blocked":
        return Refused("CLOSED" if who.status == "closed" else "NOT_BLOCKED", {})
    await connection.execute(_UNBLOCK, who.id)
    await order(connection, uuid.UUID(call.id), who.msisdn, "unblock")
    await document_shown(connection, call, who)
    return Done({})


async def document_shown(connection: Connection, call: Call, who: Who) -> None:
    """Notes the identity document that was shown for a call."""
    await connection.execute(_SHOWN, who.id, call.operation, call.arguments["document"], who.now)


def ends_in(number: str, digits: str) -> bool:
    """Whether these are the last digits of the number."""
    return hmac.compare_digest(number[-len(digits) :].encode(), digits.encode())
