"""The ledger: it adds up, is only added to, and is sealed; whatever is tried with it by the role that serves."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from billing_core import ledger
from billing_core.roles import may_change_ledger
from billing_core.sealer import seal_key, seal_what_waits, verify

from .running_core import PEPPER, Core, running_core

KEY = seal_key(PEPPER)
COLUMN = {
    "postings": "kind",
    "entries": "amount_minor",
    "unsealed": "posting_id",
    "seals": "hash",
    "accounts": "balance_minor",
}
CHANGES = [
    statement
    for table, column in COLUMN.items()
    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE")
]
ADDITIONS = [
    "INSERT INTO postings (cause, kind, currency) VALUES (gen_random_uuid(), 'test', 'KZT')",
    "INSERT INTO entries SELECT * FROM entries",
    "INSERT INTO seals SELECT * FROM seals",
    "INSERT INTO unsealed SELECT * FROM unsealed",
    "INSERT INTO accounts (kind, currency, balance_minor) VALUES ('cash', 'KZT', 5)",
]


@pytest.fixture(scope="module")
async def core(database: str) -> AsyncIterator[Core]:
    async with running_core(database, memory_kib=8, passes=1) as core:
        yield core


async def account_of(core: Core, number: str, kind: str = "prepaid") -> int:
    account: int = await core.pool.fetchval(
        "SELECT account_id FROM accounts JOIN subscribers USING (subscriber_id) WHERE msisdn = $1 AND kind = $2",
        number,
        kind,
    )
    return account


async def sealed(core: Core) -> None:
    async with core.pool.acquire() as connection:
        while await seal_what_waits(connection, KEY):
            pass


# --- double entry ---


async def test_a_posting_says_what_was_there_before_and_after_with_a_version_of_each_account(core: Core) -> None:
    number = "77010000401"
    account = await account_of(core, number)
    before = await core.pool.fetchval("SELECT balance_minor FROM accounts WHERE account_id = $1", account)
    for _ in range(2):
        await core.do("balances.top_up", number, sum={"minor": 500, "currency": "KZT"}, place="t1")
    rows = await core.pool.fetch("SELECT * FROM entries WHERE account_id = $1 ORDER BY version DESC LIMIT 2", account)
    assert [(row["before_minor"], row["after_minor"]) for row in reversed(rows)] == [
        (before, before + 500),
        (before + 500, before + 1000),
    ]
    assert rows[0]["version"] == rows[1]["version"] + 1


@pytest.mark.parametrize("moves", [{0: -100, 1: 99}, {0: 100}, {0: 100, 2: -100}])
async def test_what_does_not_add_up_or_has_one_side_is_not_posted(core: Core, moves: dict[int, int]) -> None:
    accounts = [await account_of(core, "77010000402"), await account_of(core, "77010000403"), 999_999_999]
    there = {accounts[which]: amount for which, amount in moves.items()}
    async with core.pool.acquire() as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await core.tools.ledger.post(connection, uuid.uuid4(), "test", "KZT", there)


async def test_no_account_of_a_subscriber_goes_below_zero(core: Core) -> None:
    one, other = await account_of(core, "77010000404"), await account_of(core, "77010000405")
    async with core.pool.acquire() as connection:
        balance = (await ledger.locked(connection, [one]))[one]
        moves = {one: -balance - 1, other: balance + 1}
        with pytest.raises(asyncpg.CheckViolationError, match="accounts_not_below_zero"):
            await core.tools.ledger.post(connection, uuid.uuid4(), "test", "KZT", moves)


async def test_two_currencies_do_not_meet_in_one_posting(core: Core) -> None:
    tenge, som = await account_of(core, "77010000404"), await account_of(core, "996555000001")
    async with core.pool.acquire() as connection:
        for currency in ("KZT", "KGS"):
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await core.tools.ledger.post(connection, uuid.uuid4(), "test", currency, {tenge: -1, som: 1})


async def test_one_cause_posts_once_in_each_way(core: Core) -> None:
    one, other, cause = await account_of(core, "77010000404"), await account_of(core, "77010000405"), uuid.uuid4()
    async with core.pool.acquire() as connection:
        await core.tools.ledger.post(connection, cause, "test", "KZT", {one: -1, other: 1})
        with pytest.raises(asyncpg.UniqueViolationError):
            await core.tools.ledger.post(connection, cause, "test", "KZT", {one: -1, other: 1})


# --- only added to ---


@pytest.mark.parametrize("what", CHANGES)
async def test_who_serves_cannot_change_what_is_in_the_ledger(core: Core, what: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await core.pool.execute(what)


@pytest.mark.parametrize("what", ADDITIONS)
async def test_who_serves_cannot_add_to_it_but_by_posting(core: Core, what: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await core.pool.execute(what)


async def test_who_serves_is_known_to_be_harmless_and_who_owns_is_not(core: Core, owner: asyncpg.Connection) -> None:
    async with core.pool.acquire() as connection:
        assert not await may_change_ledger(connection)
    assert await may_change_ledger(owner)


@pytest.mark.parametrize("what", [each for each in CHANGES if "unsealed" not in each and "accounts" not in each])
async def test_even_the_owner_is_stopped_by_a_trigger(owner: asyncpg.Connection, what: str) -> None:
    with pytest.raises(asyncpg.RaiseError, match="only added to"):
        await owner.execute(what)


async def test_entries_cannot_join_a_posting_of_another_transaction(owner: asyncpg.Connection) -> None:
    statement = """
INSERT INTO entries (account_id, version, posting_id, currency, amount_minor, before_minor, after_minor)
SELECT account_id, version + 1000, (SELECT min(posting_id) FROM postings WHERE currency = a.currency), currency,
       CASE row_number() OVER () WHEN 1 THEN 5 ELSE -5 END, 0, CASE row_number() OVER () WHEN 1 THEN 5 ELSE -5 END
FROM (SELECT * FROM accounts WHERE currency = 'KZT' LIMIT 2) AS a"""
    with pytest.raises(asyncpg.CheckViolationError, match="come with it"):
        await owner.execute(statement)


# --- sealed ---


async def test_what_is_posted_is_sealed_and_verifies(core: Core, owner: asyncpg.Connection) -> None:
    await core.do("balances.top_up", "77010000406", sum={"minor": 500, "currency": "KZT"}, place="t1")
    await sealed(core)
    assert await owner.fetchval("SELECT count(*) FROM unsealed") == 0
    assert await verify(owner, KEY) == []


async def test_a_ledger_that_was_changed_behind_its_back_does_not_verify(core: Core, owner: asyncpg.Connection) -> None:
    number = "77010000407"
    await core.do("balances.top_up", number, sum={"minor": 500, "currency": "KZT"}, place="t1")
    await sealed(core)
    account = await account_of(core, number)
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("ALTER TABLE entries DISABLE TRIGGER entries_stay")
    await owner.execute(
        "UPDATE entries SET amount_minor = amount_minor + 1, after_minor = after_minor + 1"
        " WHERE account_id = $1 AND version = (SELECT max(version) FROM entries WHERE account_id = $1)",
        account,
    )
    await owner.execute("UPDATE accounts SET balance_minor = balance_minor + 1 WHERE account_id = $1", account)
    found = {each.what for each in await verify(owner, KEY)}
    await transaction.rollback()
    assert found == {"a seal that does not fit what it covers", "a posting that adds up to something"}


async def test_a_seal_that_is_missing_or_made_under_another_key_is_found(core: Core, owner: asyncpg.Connection) -> None:
    for number in range(3):
        await core.do("balances.top_up", "77010000408", sum={"minor": 5 + number, "currency": "KZT"}, place="t1")
        await sealed(core)
    assert {each.what for each in await verify(owner, seal_key(b"another pepper"))} == {
        "a seal that does not fit what it covers"
    }
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("ALTER TABLE seals DISABLE TRIGGER seals_stay")
    await owner.execute("DELETE FROM seals WHERE seal_id = (SELECT max(seal_id) - 1 FROM seals)")
    found = {each.what for each in await verify(owner, KEY)}
    await transaction.rollback()
    assert found == {"a seal that does not fit what it covers", "a posting that no seal covers and none will"}


async def test_one_seal_covers_what_it_may_and_says_that_more_waits(core: Core) -> None:
    for _ in range(3):
        await core.do("balances.top_up", "77010000409", sum={"minor": 5, "currency": "KZT"}, place="t1")
    async with core.pool.acquire() as connection, connection.transaction():
        while await seal_what_waits(connection, KEY):
            pass
        assert await connection.fetchval("SELECT count(*) FROM unsealed") == 0
        assert not await seal_what_waits(connection, KEY)


async def test_who_serves_makes_no_money_out_of_nothing_and_no_seal_out_of_turn(core: Core) -> None:
    account = await account_of(core, "77010000410")
    async with core.pool.acquire() as connection:
        opening = await core.tools.ledger.house(connection, "opening", "KZT", uuid.uuid4())
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only the owner"):
            await core.tools.ledger.post(connection, uuid.uuid4(), "test", "KZT", {account: 5, opening: -5})
        for seal, postings in ((2**62, [1]), (1, [])):
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute("SELECT add_seal($1, $2, $3)", seal, postings, bytes(32))
