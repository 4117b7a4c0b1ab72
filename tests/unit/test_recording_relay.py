"""The relay that records: what passes is unchanged, kept in its order, and ends as it ended."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from tests.recording_relay import Chunk, RecordingRelay


@pytest.fixture
async def relay() -> AsyncIterator[RecordingRelay]:
    """Before a listener that says everything back, and hangs up when the other does."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with RecordingRelay("127.0.0.1", server.sockets[0].getsockname()[1]) as relay:
        yield relay
    server.close()


async def test_what_is_said_passes_and_is_kept_in_its_order(relay: RecordingRelay) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    for word in (b"one", b"two"):
        writer.write(word)
        assert await reader.readexactly(3) == word
    writer.close()
    assert relay.talks == [[Chunk(True, b"one"), Chunk(False, b"one"), Chunk(True, b"two"), Chunk(False, b"two")]]


async def test_a_megabyte_passes_unchanged(relay: RecordingRelay) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    octets = bytes(range(256)) * 4096
    writer.write(octets)
    assert await reader.readexactly(len(octets)) == octets
    writer.close()
    assert b"".join(chunk.octets for chunk in relay.talks[0] if chunk.from_dialler) == octets


async def test_each_connection_has_a_talk_of_its_own(relay: RecordingRelay) -> None:
    for word in (b"one", b"two"):
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(word)
        await reader.readexactly(3)
        writer.close()
    assert [talk[0].octets for talk in relay.talks] == [b"one", b"two"]


async def test_who_says_no_more_still_hears_the_rest(relay: RecordingRelay) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(b"bye")
    writer.write_eof()
    assert await reader.read() == b"bye"
    writer.close()


async def test_the_other_side_hears_of_a_cut() -> None:
    ended = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with RecordingRelay("127.0.0.1", server.sockets[0].getsockname()[1]) as relay:
        _, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 5)
    server.close()


async def test_who_dials_while_nobody_listens_is_hung_up_on(free_port: Callable[[], int]) -> None:
    async with RecordingRelay("127.0.0.1", free_port()) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        assert await reader.read() == b""
        writer.close()
    assert relay.talks == []
