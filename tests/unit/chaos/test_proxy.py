"""The proxy of the campaigns: requests always arrive, answers meet the fate that was drawn for them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from chaos.proxy import Faults, Proxy


class Echo:
    """Answers each line with itself, and remembers it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._server: asyncio.Server | None = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.heard.append(line)
            writer.write(line)
        writer.close()

    @asynccontextmanager
    async def behind(self, faults: Faults) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with Proxy(0, faults, random.Random(1), to=f"127.0.0.1:{port}") as proxy:
            yield proxy
        server.close()


async def asked(proxy: Proxy, line: bytes, seconds: float = 0.5) -> bytes:
    """What comes back within the time; b"" is an end."""
    host, _, port = proxy.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(line)
    try:
        return await asyncio.wait_for(reader.readline(), seconds)
    finally:
        writer.close()


async def test_without_faults_everything_passes() -> None:
    echo = Echo()
    async with echo.behind(Faults()) as proxy:
        assert await asked(proxy, b"one\n") == b"one\n"
    assert proxy.fates == {"passed": 1}


async def test_a_lost_answer_leaves_silence_and_the_request_has_arrived() -> None:
    echo = Echo()
    async with echo.behind(Faults(lost=1.0)) as proxy:
        with pytest.raises(TimeoutError):
            await asked(proxy, b"one\n")
    assert echo.heard == [b"one\n"]


async def test_nothing_passes_on_a_connection_after_an_answer_was_lost() -> None:
    echo = Echo()
    async with echo.behind(Faults(lost=1.0)) as proxy:
        host, _, port = proxy.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"one\n")
        await asyncio.sleep(0.05)
        proxy.faults = Faults()
        writer.write(b"two\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 0.2)
        writer.close()
    assert echo.heard == [b"one\n", b"two\n"]


@pytest.mark.parametrize("faults", [Faults(cut=1.0), Faults(half_closed=1.0)])
async def test_cut_or_half_closed_who_asked_sees_an_end_and_the_request_has_arrived(faults: Faults) -> None:
    echo = Echo()
    async with echo.behind(faults) as proxy:
        with suppress(ConnectionResetError):
            assert await asked(proxy, b"one\n") == b""
    assert echo.heard == [b"one\n"]


async def test_a_delayed_answer_comes_whole() -> None:
    async with Echo().behind(Faults(delayed=1.0, delay_seconds=0.05)) as proxy:
        assert await asked(proxy, b"one\n") == b"one\n"
    assert proxy.fates == {"delayed": 1}


async def test_the_shares_are_those_that_were_asked_for() -> None:
    chance = random.Random(1)
    drawn = [Faults(lost=0.1, cut=0.2).draw(chance) for _ in range(10_000)]
    assert 900 < drawn.count("lost") < 1100
    assert 1900 < drawn.count("cut") < 2100
