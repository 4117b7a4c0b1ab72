"""A database with schema and seed for each test module, and a core that runs on it, as the role that serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from billing_core.codes import Codes
from billing_core.migrator import migrate, read_migrations
from billing_core.passwords import Hasher
from billing_core.roles import grant
from billing_core.seeding import seed
from stack import places, postgres_server

from .running_core import CHEAP, PEPPER, Core, running_core

SEEDED = "seeded_for_tests"


@pytest.fixture(scope="session")
async def seeded(postgres_data_folder: Path) -> str:
    """The name of a database with schema and seed, to be copied: made once, since that takes seconds."""
    connection = await asyncpg.connect(postgres_server.create_database(postgres_data_folder, SEEDED))
    await migrate(connection, read_migrations())
    await grant(connection, places.SERVING_USER)
    hasher = Hasher(PEPPER, **CHEAP)
    await seed(connection, Codes(PEPPER), hasher, 1000, free_numbers=2_000)
    hasher.close()
    await connection.close()
    return SEEDED


@pytest.fixture(scope="module")
def database(postgres_data_folder: Path, postgres_url: str, serving_url: str, seeded: str) -> str:
    """The address of a migrated and seeded database of this test module, for the role that serves."""
    name = urlsplit(postgres_url).path.lstrip("/")
    postgres_server.drop_database(postgres_data_folder, name)
    postgres_server.create_database(postgres_data_folder, name, template=seeded)
    return serving_url


@pytest.fixture
async def owner(database: str, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the schema's owner to that database."""
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def core(database: str) -> AsyncIterator[Core]:
    """A running core with 1000 numbers of each network."""
    async with running_core(database) as core:
        yield core
