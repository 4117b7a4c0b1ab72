"""The pool of the core before a PostgreSQL that stands still: nobody who gives up is held up, and all is well again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from billing_core import database
from stack import places

SOCKET = f".s.PGSQL.{places.POSTGRES_PORT}"


class StandingStill:
    """Stands before a server's socket; while `stands`, connections are accepted, and nothing passes."""

    def __init__(self, server: Path, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._goes = asyncio.Event()
        self._goes.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def stand(self) -> None:
        self._goes.clear()

    def go_on(self) -> None:
        self._goes.set()

    async def open(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._connected, self._folder / SOCKET)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._goes.wait()
        to_reader, to_writer = await asyncio.open_unix_connection(self._server / SOCKET)
        await asyncio.gather(self._pass(reader, to_writer), self._pass(to_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while octets := await reader.read(65536):
                await self._goes.wait()
                writer.write(octets)
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def server(postgres_data_folder: Path, short_folder: Path) -> AsyncIterator[StandingStill]:
    standing = StandingStill(places.run_folder(postgres_data_folder), short_folder)
    listening = await standing.open()
    yield standing
    standing.go_on()
    listening.close()


async def test_who_gives_up_on_a_server_that_stands_still_is_not_held_up(
    server: StandingStill, serving_url: str, postgres_data_folder: Path, short_folder: Path
) -> None:
    real, ours = (quote(str(each), safe="") for each in (places.run_folder(postgres_data_folder), short_folder))
    assert real in serving_url
    pool = await database.open_pool(serving_url.replace(real, ours), 2)

    async def read() -> int:
        async with asyncio.timeout(0.3):
            return await database.in_transaction(pool, lambda connection: connection.fetchval("SELECT 7"))

    async def gives_up() -> float:
        began = time.monotonic()
        with pytest.raises((TimeoutError, *database.UNAVAILABLE)):
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(read())), 3)
        return time.monotonic() - began

    assert await read() == 7
    server.stand()
    times = await asyncio.gather(*(gives_up() for _ in range(4)))
    assert max(times) < 1.0
    server.go_on()
    assert await read() == 7
    await asyncio.wait_for(pool.close(), 5)
