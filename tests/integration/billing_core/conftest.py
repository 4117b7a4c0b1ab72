"""A database with schema and seed for each test module, and a core that runs on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from billing.http_client import HttpBilling
from billing_core.app import make_app
from billing_core.cabinet import Cabinet
from billing_core.config import CabinetRules, InboxRules
from billing_core.database import open_pool
from billing_core.measures import Measures
from billing_core.migrator import migrate, read_migrations
from billing_core.operations import make_operations
from billing_core.passwords import Hasher
from billing_core.sealing import Seal
from billing_core.seed import seed

from .running_core import KEY, NOTICE_KEY, PEPPER, Core, served


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> str:
    """The address of a migrated and seeded database of this test module."""
    connection = await asyncpg.connect(postgres_url)
    await migrate(connection, read_migrations())
    await seed(connection, kcell_numbers=1000)
    await connection.close()
    return postgres_url


@pytest.fixture(scope="module")
async def core(database: str) -> AsyncIterator[Core]:
    """A running core with 1000 numbers of each network."""
    pool = await open_pool(database, 8)
    measures, hasher = Measures(), Hasher(PEPPER)
    cabinet = Cabinet(CabinetRules(), hasher, Seal(NOTICE_KEY), measures.password_ceiling.inc)
    operations = make_operations(cabinet, InboxRules())
    async with served(make_app(pool, {"engine": KEY}, operations, measures)) as url:
        billing = HttpBilling(url, "engine", KEY)
        await billing.start()
        yield Core(url, billing, pool, cabinet, operations, measures)
        await billing.close()
    hasher.close()
    await pool.close()
