"""Personal data is forgotten after a time; the ledger, and what keeps things from happening twice, stay."""

from __future__ import annotations

import datetime
import uuid

import asyncpg
import pytest

from billing.calls import Done
from billing_core.purge import KINDS, purge
from billing_core.rules import KeepingRules
from billing_core.sealer import seal_key, seal_what_waits, verify
from billing_core.seeding.wallets import pin_of

from .running_core import PEPPER, Core
from .stories import kcell, result, tenge

RULES = KeepingRules()
# table, column of the time, setting
KEPT = [
    ("notices", "settled_at", "notices_days"),
    ("inbox", "accepted_at", "inbox_days"),
    ("tries", "at", "tries_days"),
    ("requests", "at", "tries_days"),
    ("documents_shown", "at", "documents_days"),
    ("tickets", "closed_at", "documents_days"),
    ("delegations", "ended_at", "documents_days"),
    ("temporary_passwords", "valid_until", "tries_days"),
    ("pin_changes", "valid_until", "tries_days"),
]


async def aged(owner: asyncpg.Connection, table: str, column: str, days: float) -> None:
    """Makes what is in the table as old as that."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    more = ", state = 'expired', sealed = NULL" if table == "notices" else ""
    before = ", issued_at = '2020-01-01'" if table == "temporary_passwords" else ""
    await owner.execute(f"UPDATE {table} SET {column} = $1{more}{before}", moment)


@pytest.fixture(scope="module")
async def lived(core: Core) -> Core:
    """Something of each kind."""
    a, b = kcell(901), kcell(902)
    await core.do("requests.call_me", a, to=b)
    await core.do("inbox.accept", a, link="l", short_number="111", digest="0" * 64)
    await core.do("vouchers.redeem", a, voucher="00000000000000")
    ticket = result(await core.do("faults.report", a, kind="network"))["ticket"]
    await core.do("faults.close", a, ticket=ticket)
    await core.do("delegation.request", a, number=b)
    await core.do("delegation.end", b, number=a)
    await core.do("cabinet.temporary_password", a)
    await core.do("cabinet.prove_identity", a, document="ID1")
    await core.do("balances.top_up", a, sum=tenge(5000), place="t")
    await core.do("balances.charge", a, sum=tenge(1), kind="call", other=b)
    await core.do("wallet.begin_pin_change", "996555000001", old=pin_of(1))
    return core


@pytest.mark.parametrize(("table", "column", "setting"), KEPT)
async def test_each_kind_is_kept_as_long_as_its_setting_says_and_not_longer(
    lived: Core, owner: asyncpg.Connection, table: str, column: str, setting: str
) -> None:
    days = getattr(RULES, setting)
    has = await owner.fetchval(f"SELECT count(*) FROM {table}")
    assert has > 0
    await aged(owner, table, column, days - 0.1)
    await purge(owner, RULES)
    assert await owner.fetchval(f"SELECT count(*) FROM {table}") == has
    await aged(owner, table, column, days + 0.1)
    await purge(owner, RULES)
    assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_what_was_paid_for_is_forgotten_and_that_it_was_paid_is_not(
    lived: Core, owner: asyncpg.Connection
) -> None:
    number, call_id = kcell(903), str(uuid.uuid4())
    await lived.do("balances.top_up", number, sum=tenge(50_000), place="t")
    quote = result(await lived.do("services.quote", number, service=await a_service(lived, number), connect=True))
    arguments = {"intent": quote["intent"], "digits": quote["digits"]}
    first = await lived.do("services.confirm", number, call_id=call_id, **arguments)
    assert isinstance(first, Done)
    await owner.execute("ALTER TABLE intents DISABLE TRIGGER intents_move")
    await owner.execute("UPDATE intents SET settled_at = now() - interval '3 years 1 day' WHERE state = 'done'")
    await owner.execute("ALTER TABLE intents ENABLE TRIGGER intents_move")
    forgotten = await purge(owner, RULES)
    assert forgotten["accounts and names in payments"] >= 1
    for again in (call_id, str(uuid.uuid4())):
        assert await lived.do("services.confirm", number, call_id=again, **arguments) == first


async def a_service(core: Core, number: str) -> str:
    return str(result(await core.do("services.offered", number))["services"][0]["id"])


async def test_the_ledger_stays_whole(lived: Core, owner: asyncpg.Connection) -> None:
    async with lived.pool.acquire() as connection:
        while await seal_what_waits(connection, seal_key(PEPPER)):
            pass
    before = await owner.fetchrow("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM calls)")
    await purge(owner, KeepingRules(1, 1, 32, 90, 90, 1))
    assert await owner.fetchrow("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM calls)") == before
    assert await verify(owner, seal_key(PEPPER)) == []


def test_every_kind_has_its_setting() -> None:
    assert all(hasattr(RULES, kind.setting) for kind in KINDS)
    assert {kind.setting for kind in KINDS} == set(vars(RULES))
