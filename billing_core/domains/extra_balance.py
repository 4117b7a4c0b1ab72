"""The extra balance: money lent until the next top-up, one at a time.

Rules of this file:
- What is lent is a claim of the house (`lent`, below zero) and money on the prepaid account; its fee is earned when it
  is paid back.
- A top-up pays back as much as it can, the lent sum first, and nothing else does: what was on the account before stays
  there. Until all is paid back none is lent again.
"""

from __future__ import annotations

import uuid
from typing import Any

from billing.calls import Call, Done, Refused
from billing.contract import MONEY_MINOR_MOST, Value
from billing_core import intents, ledger
from billing_core.database import Connection
from billing_core.idempotency import Counted
from billing_core.ledger import money
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import Who

_OFFERS = """
SELECT offer_id, sum_minor, fee_minor FROM extra_balance_offers WHERE network = $1 AND currency = $2 ORDER BY sum_minor
"""
_OWED = """
SELECT cause, sum_left_minor, fee_left_minor FROM extra_balances
WHERE subscriber_id = $1 AND paid_at IS NULL FOR UPDATE
"""
_LEND = """
INSERT INTO extra_balances (cause, subscriber_id, sum_left_minor, fee_left_minor, given_at) VALUES ($1, $2, $3, $4, $5)
"""
_PAID_BACK = """
UPDATE extra_balances SET sum_left_minor = $2, fee_left_minor = $3,
                          paid_at = CASE WHEN $2::bigint + $3::bigint = 0 THEN $4::timestamptz END
WHERE cause = $1
"""
_AUTO = "SELECT auto_extra_balance FROM preferences WHERE subscriber_id = $1"
_SET_AUTO = """
INSERT INTO preferences (subscriber_id, auto_extra_balance) VALUES ($1, $2)
ON CONFLICT (subscriber_id) DO UPDATE SET auto_extra_balance = excluded.auto_extra_balance
"""


class ExtraBalance:
    """The operations, and what other domains do to it."""

    def __init__(self, tools: Tools) -> None:
        self._ledger = tools.ledger

    async def offers(self, connection: Connection, _call: Call, who: Who) -> Done:
        """`extra_balance.offers`."""
        listed: list[Any] = [
            {
                "id": row["offer_id"],
                "sum": money(row["sum_minor"], who.currency),
                "fee": money(row["fee_minor"], who.currency),
            }
            for row in await connection.fetch(_OFFERS, who.network, who.currency)
        ]
        result: dict[str, Value] = {"offers": listed, "auto": await connection.fetchval(_AUTO, who.id) is True}
        if (owed := await connection.fetchrow(_OWED.replace("FOR UPDATE", ""), who.id)) is not None:
            result["owed"] = money(owed["sum_left_minor"] + owed["fee_left_minor"], who.currency)
        return Done(result)

    async def quote(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`extra_balance.quote`."""
        offers = {row["offer_id"]: row for row in await connection.fetch(_OFFERS, who.network, who.currency)}
        offer = offers.get(call.arguments["offer"])
        if offer is None:
            return Refused("NO_SUCH_OFFER", {})
        if await connection.fetchrow(_OWED, who.id) is not None:
            return Refused("OWES", {})
        lent, fee = offer["sum_minor"], offer["fee_minor"]
        quoted = await intents.quote(connection, call, who, "extra_balance", {}, lent, fee)
        return Done({**quoted, "sum": money(lent, who.currency), "fee": money(fee, who.currency)})

    async def confirm(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        """`extra_balance.confirm`."""
        intent = await intents.with_digits(connection, call, who, "extra_balance")
        if not isinstance(intent, intents.Intent):
            return intent
        if await connection.fetchrow(_OWED, who.id) is not None:
            return await intents.refused(connection, intent, Refused("OWES", {}), who.now)
        _account, has = await self._prepaid(connection, who)
        if has + intent.sum_minor > MONEY_MINOR_MOST:
            return await intents.refused(connection, intent, Refused("TOO_MUCH", {}), who.now)
        balance = await self._lend(connection, who, intent.id, intent.sum_minor, intent.fee_minor)
        result = {"sum": money(intent.sum_minor, who.currency), "balance": money(balance, who.currency)}
        return await intents.done(connection, intent, result, who.now)

    async def set_auto(self, connection: Connection, call: Call, who: Who) -> Done:
        """`extra_balance.set_auto`."""
        auto = call.arguments["auto"]
        await connection.execute(_SET_AUTO, who.id, auto)
        return Done({"auto": auto})

    async def lend_by_itself(self, connection: Connection, who: Who, cause: uuid.UUID) -> int:
        """Lends the smallest offer to who wished that, and owes nothing; returns what was lent, in hundredths."""
        if not await connection.fetchval(_AUTO, who.id) or await connection.fetchrow(_OWED, who.id) is not None:
            return 0
        offer = await connection.fetchrow(_OFFERS + "LIMIT 1", who.network, who.currency)
        if offer is None:
            return 0
        await self._lend(connection, who, cause, offer["sum_minor"], offer["fee_minor"])
        lent: int = offer["sum_minor"]
        return lent

    @staticmethod
    async def _prepaid(connection: Connection, who: Who) -> tuple[int, int]:
        """The prepaid account, and what is on it until the transaction ends."""
        account = await ledger.account_of(connection, who.id)
        return account, (await ledger.locked(connection, [account]))[account]

    async def _lend(self, connection: Connection, who: Who, cause: uuid.UUID, lent: int, fee: int) -> int:
        """Returns the balance after it."""
        account, balance = await self._prepaid(connection, who)
        house = await self._ledger.house(connection, "lent", who.currency, cause)
        await connection.execute(_LEND, cause, who.id, lent, fee, who.now)
        await self._ledger.post(connection, cause, "extra_balance", who.currency, {account: lent, house: -lent})
        arguments = {"sum": money(lent, who.currency), "fee": money(fee, who.currency)}
        await write_notice(connection, who.id, str(cause), "account.extra_balance", arguments)
        return balance + lent

    async def pay_back(self, connection: Connection, who: Who, cause: uuid.UUID, account: int, came: int) -> int:
        """Takes back what is owed, from what just came to the prepaid account; returns how much was taken."""
        owed = await connection.fetchrow(_OWED, who.id)
        if owed is None:
            return 0
        lent: int = min(owed["sum_left_minor"], came)
        fee: int = min(owed["fee_left_minor"], came - lent)
        house = await self._ledger.house(connection, "lent", who.currency, cause)
        revenue = await self._ledger.house(connection, "revenue", who.currency, cause)
        await ledger.locked(connection, [revenue])  # before `lent`, as where a charge makes the house lend
        moves = {account: -lent - fee, house: lent, revenue: fee}
        await self._ledger.post(connection, cause, "extra_balance_paid", who.currency, moves)
        left_of_sum, left_of_fee = owed["sum_left_minor"] - lent, owed["fee_left_minor"] - fee
        await connection.execute(_PAID_BACK, owed["cause"], left_of_sum, left_of_fee, who.now)
        arguments = {"sum": money(lent + fee, who.currency), "owed": money(left_of_sum + left_of_fee, who.currency)}
        await write_notice(connection, who.id, str(cause), "account.extra_balance_paid", arguments)
        return lent + fee
