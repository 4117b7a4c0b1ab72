"""`kill -9` of a core at the worst moments: each notice is sent, and at most once more for each kill."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from billing.calls import Call, Done
from billing.http_client import HttpBilling

from .running_core import KEY
from .stand_in_engine import StandInEngine, accept, hold
from .test_core_cli import configured, started

ONE = "77010000007"


class Process(NamedTuple):
    """A core that runs as a process of its own."""

    process: asyncio.subprocess.Process
    url: str

    async def ask(self, operation: str, **arguments: str) -> object:
        billing = HttpBilling(self.url, "engine", KEY)
        await billing.start()
        outcome = await billing.perform(Call(str(uuid.uuid4()), operation, ONE, "ru", arguments), 5.0)
        await billing.close()
        return outcome

    async def kill(self) -> str:
        """Ends it as a power cut would, and returns what it has logged."""
        self.process.kill()
        _, logged = await self.process.communicate()
        return logged.decode()


@pytest.fixture
async def engine() -> AsyncIterator[StandInEngine]:
    engine = StandInEngine()
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def start(
    database: str, tmp_path: Path, engine: StandInEngine
) -> AsyncIterator[Callable[[], Awaitable[Process]]]:
    """Starts a core; those that were not killed end with the test."""
    config = configured(tmp_path, database, engine_url=engine.url, log_level="debug")
    running: list[asyncio.subprocess.Process] = []

    async def start_one() -> Process:
        process = await started("serve", "--config", str(config))
        running.append(process)
        assert process.stderr is not None
        while (said := json.loads(await asyncio.wait_for(process.stderr.readline(), 30)))["event"] != "serving":
            pass
        return Process(process, f"http://{said['listen']}")

    yield start_one
    for process in running:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.fixture
async def connection(database: str, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("TRUNCATE notices, temporary_passwords")
    yield connection
    await connection.close()


async def until(true: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(10):
        while not await true():
            await asyncio.sleep(0.02)


async def test_killed_between_commit_and_relay_the_notice_is_sent_once_by_the_next(
    start: Callable[[], Awaitable[Process]], engine: StandInEngine, connection: asyncpg.Connection
) -> None:
    await engine.stop()
    first = await start()
    assert isinstance(await first.ask("cabinet.temporary_password"), Done)
    logged = await first.kill()
    await engine.start()
    second = await start()
    await until(lambda: connection.fetchval("SELECT state = 'accepted' AND sealed IS NULL FROM notices"))
    [notice] = engine.taken
    password = str(notice.arguments["password"])
    assert await second.ask("cabinet.login", password=password) == Done({"must_change": True})
    assert await second.ask("cabinet.change_password", old=password, new="wolf-tree-seven") == Done({})
    await until(lambda: asyncio.sleep(0, len(engine.taken) == 2))
    logged += await second.kill()
    for secret in (password, "wolf-tree-seven", ONE):
        assert secret not in logged


async def test_killed_while_the_engine_had_it_the_notice_is_sent_once_more_within_ten_seconds(
    start: Callable[[], Awaitable[Process]], engine: StandInEngine, connection: asyncpg.Connection
) -> None:
    engine.answering = hold(asyncio.Event())
    first, second = await start(), await start()
    assert isinstance(await first.ask("cabinet.temporary_password"), Done)
    await until(lambda: asyncio.sleep(0, engine.in_flight == 1))
    engine.answering = accept
    for process in (first, second):
        await process.kill()
    assert await connection.fetchval("SELECT leased_until <= clock_timestamp() + interval '6 s' FROM notices")
    await start()
    await until(lambda: connection.fetchval("SELECT state = 'accepted' AND sealed IS NULL FROM notices"))
    assert [notice.id for notice in engine.taken] == [engine.taken[0].id] * 2
    assert engine.taken[0] == engine.taken[1]
