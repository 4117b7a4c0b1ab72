"""Payments: money that comes to the prepaid account.

Rules of this file:
- The id is made by whoever takes the money, before it is taken: asked again under it, nothing happens a second time.
- Account, payment and notice are written in one transaction, under the lock of the account's row.
"""

from __future__ import annotations

import uuid
from typing import NamedTuple

from billing.calls import Refused
from billing.contract import MONEY_MINOR_MOST, Value
from billing_core.database import Connection
from billing_core.notices import write_notice
from billing_core.subscribers import UNKNOWN_NUMBER

_LOCKED = """
SELECT s.subscriber_id, s.status, a.account_id, a.currency, a.balance_minor, a.version
FROM subscribers s JOIN accounts a ON a.subscriber_id = s.subscriber_id AND a.kind = 'prepaid'
WHERE s.msisdn = $1 AND s.held_until IS NULL
FOR NO KEY UPDATE OF a
"""
_PAID = "SELECT account_id, sum_minor, currency, balance_after_minor FROM payments WHERE payment_id = $1"
_PAY = """
INSERT INTO payments (payment_id, account_id, sum_minor, currency, source, balance_before_minor, balance_after_minor,
                      version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (payment_id) DO NOTHING
RETURNING true
"""
_CREDIT = "UPDATE accounts SET balance_minor = $2, version = $3 WHERE account_id = $1"


class Paid(NamedTuple):
    """The money is on the account. `repeated`: since an earlier time under this id."""

    sum_minor: int
    balance_minor: int  # after it
    currency: str
    repeated: bool


async def top_up(
    connection: Connection, payment_id: uuid.UUID, msisdn: str, sum_minor: int, source: str
) -> Paid | Refused:
    """Credits the account with a sum in hundredths of its currency, and writes the notice.

    Refused with UNKNOWN_NUMBER, CLOSED, TOO_MUCH (the account cannot hold it) or OTHER_PAYMENT (the id was used).
    Raises ValueError for a sum that is not above 0.
    """
    if sum_minor <= 0:
        raise ValueError("a payment must be above 0")
    async with connection.transaction():
        account = await connection.fetchrow(_LOCKED, msisdn)
        if account is None:
            return UNKNOWN_NUMBER
        account_id, before = account["account_id"], account["balance_minor"]
        if (paid := await connection.fetchrow(_PAID, payment_id)) is not None:
            if (paid["account_id"], paid["sum_minor"]) != (account_id, sum_minor):
                return Refused("OTHER_PAYMENT", {})
            return Paid(sum_minor, paid["balance_after_minor"], paid["currency"], repeated=True)
        if account["status"] == "closed":
            return Refused("CLOSED", {})
        currency, after, version = account["currency"], before + sum_minor, account["version"] + 1
        if after > MONEY_MINOR_MOST:
            return Refused("TOO_MUCH", {})
        row = (payment_id, account_id, sum_minor, currency, source, before, after, version)
        if not await connection.fetchval(_PAY, *row):
            return Refused("OTHER_PAYMENT", {})  # of another account, a moment ago
        await connection.execute(_CREDIT, account_id, after, version)
        arguments = {"sum": _money(sum_minor, currency), "balance": _money(after, currency)}
        await write_notice(connection, account["subscriber_id"], str(payment_id), "account.topped_up", arguments)
        return Paid(sum_minor, after, currency, repeated=False)


def _money(minor: int, currency: str) -> Value:
    return {"minor": minor, "currency": currency}
