"""The prepaid account: what is on it, money that comes, money that is used.

Rules of this file:
- The row of a subscriber's prepaid account is the lock; who decides by its balance holds it.
- A top-up pays back an extra balance first, in a posting of its own.
- Whatever takes money says so to `has_fallen`: a low balance is told once each time it becomes low, and never at night.
"""

from __future__ import annotations

import uuid

from billing.calls import Call, Done, Refused
from billing.contract import MONEY_MINOR_MOST, Value
from billing_core import ledger, notices
from billing_core.calendar import awake
from billing_core.database import Connection
from billing_core.domains import extra_balance
from billing_core.ledger import minor_in, money
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import UNKNOWN_NUMBER, Who, who_calls

_BALANCES = """
SELECT s.status, p.currency, p.balance_minor, coalesce(b.balance_minor, 0), e.sum_left_minor + e.fee_left_minor
FROM subscribers s
JOIN accounts p ON p.subscriber_id = s.subscriber_id AND p.kind = 'prepaid'
LEFT JOIN accounts b ON b.subscriber_id = s.subscriber_id AND b.kind = 'bonus'
LEFT JOIN extra_balances e ON e.subscriber_id = s.subscriber_id AND e.paid_at IS NULL
WHERE s.msisdn = $1 AND s.held_until IS NULL
"""
_BELOW = "SELECT below_minor FROM preferences WHERE subscriber_id = $1"
_NOTE_NUMBER = "INSERT INTO charged_numbers (posting_id, other) VALUES ($1, $2)"


async def get(connection: Connection, call: Call) -> Done | Refused:
    """`balances.get`, in one look at the database; in two for who manages the number."""
    if call.by and isinstance(who := await who_calls(connection, call, lock=False), Refused):
        return who
    row = await connection.fetchrow(_BALANCES, call.msisdn)
    if row is None:
        return UNKNOWN_NUMBER
    status, currency, balance, bonuses, owed = row
    if status in ("blocked", "closed"):
        return Refused(status.upper(), {})
    result: dict[str, Value] = {"balance": money(balance, currency), "bonuses": money(bonuses, currency)}
    if owed:
        result["owed"] = money(owed, currency)
    return Done(result)


async def locked_prepaid(connection: Connection, who: Who) -> tuple[int, int]:
    """The id of the prepaid account and its balance, which stays until the transaction ends."""
    account = await ledger.account_of(connection, who.id)
    return account, (await ledger.locked(connection, [account]))[account]


class Balances:
    """Money that comes and goes."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._extra = extra_balance.ExtraBalance(tools)

    async def top_up(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`balances.top_up`."""
        sum_minor, cause = minor_in(call.arguments["sum"], who.currency), uuid.UUID(call.id)
        if sum_minor is None:
            return Refused("OTHER_CURRENCY", {})
        cash = await self._tools.ledger.house(connection, "cash", who.currency, cause)
        return await self.credit(connection, who, cause, "top_up", cash, sum_minor)

    async def credit(
        self, connection: Connection, who: Who, cause: uuid.UUID, kind: str, source: int, sum_minor: int
    ) -> Done | Refused:
        """Moves a sum from the account `source` to the prepaid account. An extra balance is paid back from it. Results
        as `balances.top_up`, refused with TOO_MUCH."""
        account, balance = await locked_prepaid(connection, who)
        if balance + sum_minor > MONEY_MINOR_MOST:
            return Refused("TOO_MUCH", {})
        currency = who.currency
        await self._tools.ledger.post(connection, cause, kind, currency, {account: sum_minor, source: -sum_minor})
        paid = await self._extra.pay_back(connection, who, cause, account, sum_minor)
        after = balance + sum_minor - paid
        if await notices.is_wanted(connection, who.id, "topped_up"):
            arguments = {"sum": money(sum_minor, currency), "balance": money(after, currency)}
            await write_notice(connection, who.id, str(cause), "account.topped_up", arguments)
        return Done({"balance": money(after, currency)})

    async def charge(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`balances.charge`."""
        sum_minor = minor_in(call.arguments["sum"], who.currency)
        if sum_minor is None:
            return Refused("OTHER_CURRENCY", {})
        account, balance = await locked_prepaid(connection, who)
        taken = min(balance, sum_minor)
        if taken:
            cause, kind = uuid.UUID(call.id), f"charge.{call.arguments['kind']}"
            posting = await self.take(connection, who, cause, kind, account, taken)
            if other := call.arguments.get("other"):
                await connection.execute(_NOTE_NUMBER, posting, other)
        after = await self.has_fallen(connection, who, call.id, balance, balance - taken)
        return Done({"charged": money(taken, who.currency), "balance": money(after, who.currency)})

    async def take(
        self, connection: Connection, who: Who, cause: uuid.UUID, kind: str, account: int, sum_minor: int
    ) -> int:
        """Takes a sum for the house from the prepaid account, which holds it; returns the posting's id."""
        revenue = await self._tools.ledger.house(connection, "revenue", who.currency, cause)
        moves = {account: -sum_minor, revenue: sum_minor}
        return (await self._tools.ledger.post(connection, cause, kind, who.currency, moves)).id

    async def has_fallen(self, connection: Connection, who: Who, cause: str, before: int, after: int) -> int:
        """Looks whether the balance has become low: then an extra balance is lent, where that was wished for, and it is
        told, in the morning at the latest. Returns what is on the account in the end."""
        below = await connection.fetchval(_BELOW, who.id)
        below = self._tools.rules.notices.low_balance_below * 100 if below is None else below
        if not after < below <= before:
            return after
        after += await self._extra.lend_by_itself(connection, who, uuid.UUID(cause))
        if after < below and await notices.is_wanted(connection, who.id, "low_balance"):
            quiet = self._tools.rules.notices
            morning = awake(who, quiet.quiet_from_hour, quiet.quiet_to_hour)
            arguments = {"balance": money(after, who.currency)}
            await write_notice(connection, who.id, cause, "account.low_balance", arguments, not_before=morning)
        return after
