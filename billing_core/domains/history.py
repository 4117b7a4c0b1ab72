"""What was paid and what was charged, as the ledger has it; 90 days back."""

from __future__ import annotations

import datetime
from typing import Any

from billing.calls import Call, Done
from billing_core.database import Connection
from billing_core.ledger import money
from billing_core.moments import as_instant
from billing_core.who import Who

DAYS = 90
SHOWN_MAX = 50
"""As the contract says."""

_MOVES = """
SELECT p.posted_at, p.kind, e.amount_minor, e.currency
FROM accounts a
JOIN entries e ON e.account_id = a.account_id
JOIN postings p ON p.posting_id = e.posting_id
WHERE a.subscriber_id = $1 AND a.kind = 'prepaid' AND p.kind <> 'opening' AND p.posted_at >= $2
  AND sign(e.amount_minor) = $3
ORDER BY e.version DESC LIMIT $4
"""
_PAYMENTS = {"top_up": "terminal", "voucher": "voucher", "wallet.mobile": "wallet", "extra_balance": "extra_balance"}
_CHARGES = {
    "tariff": "tariff",
    "service": "service",
    "reservation": "reservation",
    "extra_balance_paid": "extra_balance",
}


async def payments(connection: Connection, _call: Call, who: Who) -> Done:
    """`history.payments`."""
    listed: list[Any] = [
        {"at": at, "kind": _PAYMENTS.get(kind, "other"), "sum": money(amount, currency)}
        for at, kind, amount, currency in await _moves(connection, who, 1)
    ]
    return Done({"payments": listed})


async def charges(connection: Connection, _call: Call, who: Who) -> Done:
    """`history.charges`."""
    listed: list[Any] = [
        {"at": at, "kind": charge_kind(kind), "sum": money(-amount, currency)}
        for at, kind, amount, currency in await _moves(connection, who, -1)
    ]
    return Done({"charges": listed})


def charge_kind(posted: str) -> str:
    """The contract's word for the kind of a posting that has taken money."""
    used = posted.removeprefix("charge.")
    return used if used != posted else _CHARGES.get(posted, "other")


async def _moves(connection: Connection, who: Who, sign: int) -> list[tuple[str, str, int, str]]:
    since = who.now - datetime.timedelta(days=DAYS)
    rows = await connection.fetch(_MOVES, who.id, since, sign, SHOWN_MAX)
    return [(as_instant(row[0]), row[1], row[2], row[3]) for row in rows]
