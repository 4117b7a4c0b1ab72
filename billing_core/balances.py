"""Balances: what is on a subscriber's accounts."""

from __future__ import annotations

from billing.calls import Call, Done, Refused
from billing_core.database import Connection
from billing_core.subscribers import UNKNOWN_NUMBER, refusal_by_status

_BALANCES = """
SELECT s.status, p.currency, p.balance_minor, coalesce(b.balance_minor, 0)
FROM subscribers s
JOIN accounts p ON p.subscriber_id = s.subscriber_id AND p.kind = 'prepaid'
LEFT JOIN accounts b ON b.subscriber_id = s.subscriber_id AND b.kind = 'bonus'
WHERE s.msisdn = $1 AND s.held_until IS NULL
"""


async def get(connection: Connection, call: Call) -> Done | Refused:
    """`balances.get`."""
    row = await connection.fetchrow(_BALANCES, call.msisdn)
    if row is None:
        return UNKNOWN_NUMBER
    status, currency, balance, bonuses = row
    if refusal := refusal_by_status(status, call.operation):
        return refusal
    return Done(
        {
            "balance": {"minor": balance, "currency": currency},
            "bonuses": {"minor": bonuses, "currency": currency},
        }
    )
