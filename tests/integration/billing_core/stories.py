"""What stories about the core begin with, and what each of them must leave behind: a ledger that holds."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import asyncpg

from billing.calls import Done, Refused
from billing.contract import Value

from .running_core import Core

NOON = datetime.datetime(2027, 3, 31, 7, tzinfo=datetime.UTC)  # a Wednesday, in Almaty
SECOND, MINUTE, HOUR, DAY = (datetime.timedelta(seconds=seconds) for seconds in (1, 60, 3600, 86400))
MIDNIGHT = NOON + 12 * HOUR  # in Almaty


def kcell(n: int) -> str:
    """The seeded number `n` of kcell."""
    return f"7701000{n:04}"


def tenge(whole: int, part: int = 0) -> dict[str, Value]:
    return {"minor": whole * 100 + part, "currency": "KZT"}


def som(whole: int, part: int = 0) -> dict[str, Value]:
    return {"minor": whole * 100 + part, "currency": "KGS"}


def instant(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def result(outcome: Done | Refused) -> Any:
    assert isinstance(outcome, Done), outcome
    return outcome.result


async def balance(core: Core, number: str) -> int:
    """What is on the account, in hundredths."""
    row = await core.pool.fetchrow(
        "SELECT a.balance_minor FROM accounts a JOIN subscribers s USING (subscriber_id)"
        " WHERE s.msisdn = $1 AND s.held_until IS NULL AND a.kind = 'prepaid'",
        number,
    )
    assert row is not None
    return int(row[0])


async def with_balance(core: Core, number: str, whole: int) -> str:
    """Sees to it that so much is on the account of a number that owes nothing, and returns the number."""
    currency = result(await core.do("balances.get", number))["balance"]["currency"]
    more = whole * 100 - await balance(core, number)
    money = {"minor": abs(more), "currency": currency}
    if more > 0:
        await core.do("balances.top_up", number, sum=money, place="a-branch")
    elif more < 0:
        await core.do("balances.charge", number, sum=money, kind="internet")
    assert await balance(core, number) == whole * 100
    return number


def other_digits(digits: str, nth: int = 1) -> str:
    """Two digits that are not these."""
    return f"{10 + (int(digits) - 10 + nth) % 90}"


async def manages(owner: asyncpg.Connection[asyncpg.Record], manager: str, managed: str) -> None:
    """From now on the one manages the other."""
    await owner.execute(
        "INSERT INTO delegations (delegation_id, manager_id, managed_id, state, valid_until, asked_at, active_at)"
        " SELECT $1, a.subscriber_id, b.subscriber_id, 'active', $4, $4, $4 FROM subscribers a, subscribers b"
        " WHERE a.msisdn = $2 AND b.msisdn = $3 AND a.held_until IS NULL AND b.held_until IS NULL",
        *(uuid.uuid4(), manager, managed, NOON - DAY),
    )


async def given_to_somebody_else(owner: asyncpg.Connection[asyncpg.Record], number: str) -> None:
    """A closed number is somebody else's, who begins with nothing."""
    network = await owner.fetchval(
        "UPDATE subscribers SET held_until = $2 WHERE msisdn = $1 AND held_until IS NULL AND status = 'closed'"
        " RETURNING network",
        *(number, NOON),
    )
    assert network is not None
    await owner.execute(
        "WITH them AS (INSERT INTO subscribers (msisdn, network, brand, status, held_since)"
        " VALUES ($1, $2, 'Brand', 'active', $3) RETURNING subscriber_id)"
        " INSERT INTO accounts (subscriber_id, kind, currency)"
        " SELECT subscriber_id, kind, n.currency FROM them, networks n, unnest(ARRAY['prepaid', 'bonus']) AS kind"
        " WHERE n.network = $2",
        *(number, network, NOON),
    )


async def assert_the_ledger_holds(core: Core) -> None:
    """All entries add up to nothing, in each posting too, and each account holds what its last entry says."""
    sums = await core.pool.fetch(
        "SELECT posting_id, sum(amount_minor) FROM entries GROUP BY posting_id HAVING sum(amount_minor) <> 0"
    )
    accounts = await core.pool.fetch(
        "SELECT a.account_id, a.balance_minor, e.after_minor FROM accounts a"
        " LEFT JOIN entries e ON e.account_id = a.account_id AND e.version = a.version"
        " WHERE a.balance_minor <> coalesce(e.after_minor, 0) OR (a.version > 0 AND e.version IS NULL)"
    )
    skipped = await core.pool.fetch(
        "SELECT account_id FROM entries GROUP BY account_id HAVING count(*) <> max(version) OR min(version) <> 1"
    )
    assert (sums, accounts, skipped) == ([], [], [])
    assert await core.pool.fetchval("SELECT sum(amount_minor) FROM entries") == 0


async def everything_kept(owner: asyncpg.Connection[asyncpg.Record]) -> str:
    """All rows of all tables, as text."""
    tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'numbers'")
    rows = [await owner.fetch(f'SELECT t::text FROM "{table}" t') for (table,) in tables]
    return "\n".join(row[0] for of_table in rows for row in of_table)


async def change_pin(
    core: Core, number: str, old: str, new: str, again: str | None = None, call_id: str | None = None
) -> Done | Refused:
    """The three steps of another PIN; what stopped it, or what the last of them answered. `call_id`: of the first."""
    begun = await core.do("wallet.begin_pin_change", number, call_id=call_id, old=old)
    if isinstance(begun, Refused):
        return begun
    change = begun.result["change"]
    chosen = await core.do("wallet.choose_pin", number, change=change, new=new)
    if isinstance(chosen, Refused):
        return chosen
    return await core.do("wallet.confirm_pin", number, change=change, again=new if again is None else again)
