"""Stands between who dials and who listens, carries what they say unchanged, and keeps it."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import NamedTuple, TypeAlias

_READ_OCTETS_MAX = 65536


class Chunk(NamedTuple):
    """Octets as they came in one read."""

    from_dialler: bool
    octets: bytes


Talk: TypeAlias = list[Chunk]
"""All that was said on one connection, in the order it came."""


class RecordingRelay:
    """Use it as `async with RecordingRelay(host, port) as relay`: whoever dials `relay.port` talks to host and port."""

    def __init__(self, host: str, port: int) -> None:
        self.talks: list[Talk] = []
        self.port = 0
        self._to = host, port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RecordingRelay:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._carry_both_ways(reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over; the loop's own callback would complain of it
        finally:
            writer.close()
            self._open.discard(task)

    async def _carry_both_ways(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection(*self._to)
        except OSError:  # nobody listens: who dialled is hung up on
            return
        talk: Talk = []
        self.talks.append(talk)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, to_writer, talk, True))
                both.create_task(_carry(to_reader, writer, talk, False))
        finally:
            to_writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Talk, from_dialler: bool) -> None:
    """Carries one direction until its end, and ends it on the other side too; after a cut, both at once."""
    try:
        while octets := await reader.read(_READ_OCTETS_MAX):
            talk.append(Chunk(from_dialler, octets))
            writer.write(octets)
            await writer.drain()
        writer.write_eof()
    except OSError:
        with contextlib.suppress(OSError):
            writer.transport.abort()
