"""The schema and the seed: applied once, guarded, and the same on every new database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from billing_core import seeding
from billing_core.codes import Codes
from billing_core.database import UnsafeDatabase, open_pool, refuse_unsafe
from billing_core.migrator import Migration, SchemaError, migrate, pending, read_migrations
from billing_core.passwords import Hasher

from .running_core import CHEAP, PEPPER

ALL = """
SELECT s.msisdn, s.network, s.brand, s.status, s.language, s.held_since,
       (SELECT array_agg((a.kind, a.currency, a.balance_minor, a.version) ORDER BY a.kind)::text
        FROM accounts a WHERE a.subscriber_id = s.subscriber_id) AS accounts,
       u.tariff_id, u.renewal_day, u.minutes_left, u.megabytes_left, u.sms_left
FROM subscribers s JOIN subscriptions u USING (subscriber_id) ORDER BY s.msisdn
"""


@pytest.fixture
async def empty(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a schema with nothing in it."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    yield connection
    await connection.close()


@pytest.fixture(autouse=True)
def _few_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred numbers of each network but kcell are as good as a thousand."""
    monkeypatch.setattr(seeding, "OTHER_NUMBERS", 100)


async def seeded(
    connection: asyncpg.Connection, kcell_numbers: int, progress: Callable[[str, int, int], None] | None = None
) -> int:
    """Seeds so many numbers of kcell; returns how many subscribers were added."""
    hasher = Hasher(PEPPER, **CHEAP)
    try:
        return await seeding.seed(connection, Codes(PEPPER), hasher, kcell_numbers, free_numbers=100, progress=progress)
    finally:
        hasher.close()


async def test_migrations_are_applied_once_and_in_order(empty: asyncpg.Connection) -> None:
    migrations = read_migrations()
    assert [m.name[:4] for m in migrations] == [f"{n:04}" for n in range(1, len(migrations) + 1)]
    assert await migrate(empty, migrations) == [m.name for m in migrations]
    assert await migrate(empty, migrations) == []
    assert await pending(empty, migrations) == []


async def test_migrators_side_by_side_apply_each_once(empty: asyncpg.Connection, postgres_url: str) -> None:
    others = [await asyncpg.connect(postgres_url) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(other, read_migrations()) for other in others))
    for other in others:
        await other.close()
    assert sorted(len(names) for names in applied) == [0, 0, 0, len(read_migrations())]


async def test_a_migration_that_was_edited_after_it_was_applied_stops_everything(empty: asyncpg.Connection) -> None:
    await migrate(empty, [Migration("0001_one.sql", "SELECT 1", "aa")])
    with pytest.raises(SchemaError, match="was edited"):
        await migrate(empty, [Migration("0001_one.sql", "SELECT 2", "bb")])


async def test_a_database_that_is_newer_than_the_program_is_refused(empty: asyncpg.Connection) -> None:
    await migrate(empty, [Migration("0001_one.sql", "SELECT 1", "aa"), Migration("0002_two.sql", "SELECT 1", "bb")])
    with pytest.raises(SchemaError, match="newer program"):
        await pending(empty, [Migration("0001_one.sql", "SELECT 1", "aa")])


async def test_a_migration_that_was_slipped_in_before_an_applied_one_is_refused(empty: asyncpg.Connection) -> None:
    await migrate(empty, [Migration("0002_two.sql", "SELECT 1", "bb")])
    with pytest.raises(SchemaError, match="renumber"):
        await migrate(empty, [Migration("0001_one.sql", "SELECT 1", "aa"), Migration("0002_two.sql", "SELECT 1", "bb")])


async def test_a_migration_that_fails_leaves_nothing_of_itself(empty: asyncpg.Connection) -> None:
    good = Migration("0001_good.sql", "CREATE TABLE good (x int)", "aa")
    bad = Migration("0002_bad.sql", "CREATE TABLE bad (x int); SELECT 1 / 0", "bb")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty, [good, bad])
    assert await pending(empty, [good, bad]) == [bad]
    assert await empty.fetchval("SELECT to_regclass('bad')") is None


async def test_what_is_seeded_follows_from_the_number_alone(empty: asyncpg.Connection) -> None:
    await migrate(empty, read_migrations())
    assert await seeded(empty, 200) == 600
    assert await seeded(empty, 300) == 100
    in_two_steps = await empty.fetch(ALL)
    await empty.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await migrate(empty, read_migrations())
    assert await seeded(empty, 300) == 700
    assert await empty.fetch(ALL) == in_two_steps
    assert len(in_two_steps) == 700


async def test_seeding_again_changes_nothing_that_was_changed_since(empty: asyncpg.Connection) -> None:
    await migrate(empty, read_migrations())
    await seeded(empty, 100)
    await empty.execute(
        "UPDATE subscribers SET language = 'en', status = 'barred';"
        "UPDATE accounts SET balance_minor = 1 WHERE kind IN ('prepaid', 'bonus')"
    )
    before = await empty.fetch(ALL)
    assert await seeded(empty, 100) == 0
    assert await empty.fetch(ALL) == before


async def test_every_status_is_among_the_seeded_and_most_are_active(empty: asyncpg.Connection) -> None:
    await migrate(empty, read_migrations())
    told: list[tuple[str, int, int]] = []
    await seeded(empty, 100, lambda *step: told.append(step))
    counted = dict(await empty.fetch("SELECT status, count(*) FROM subscribers WHERE network = 'kcell' GROUP BY 1"))
    assert counted == {"active": 96, "barred": 2, "blocked": 1, "closed": 1}
    assert ("subscribers", 500, 500) in told


async def test_a_server_that_would_lose_acknowledged_commits_is_refused(empty: asyncpg.Connection) -> None:
    await refuse_unsafe(empty)
    await empty.execute("SET synchronous_commit = off")
    with pytest.raises(UnsafeDatabase, match="synchronous_commit=off"):
        await refuse_unsafe(empty)


async def test_the_pool_does_not_open_on_such_a_server(empty: asyncpg.Connection, postgres_url: str) -> None:
    with pytest.raises(UnsafeDatabase):
        await open_pool(f"{postgres_url}&options=-c%20synchronous_commit%3Doff", 1)
