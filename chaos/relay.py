"""A relay of TCP between two parts, which can fail in the ways that networks and peers do.

Rules of this file:
- It knows octets and no protocol; who holds some requests up says how they begin.
- Whatever it does, it does to connections that are there and to those to come, until it is told to pass them on again.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal, TypeAlias

Mode: TypeAlias = Literal["pass", "silent", "refuse"]
"""`silent`: connections are accepted, and nothing is ever passed on. `refuse`: nobody listens."""

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: a close sends RST."""
CHUNK_OCTETS: Final = 65_536


class Relay:
    """Listens on 127.0.0.1 and passes everything on to `target`, a port of the same. Open it inside the loop."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.holds: Callable[[bytes], bool] = lambda _octets: False
        """Of what is sent through it: octets for which this is true are held up, and all that follow them."""
        self.waits: Callable[[bytes], float] = lambda _octets: 0.0
        """Of what is sent through it: so many seconds these octets wait, and all that follow them."""
        self._mode: Mode = "pass"
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listens; again at the same port. Raises OSError."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Ends everything."""
        self._stop_listening()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def turn(self, mode: Mode) -> None:
        """From now on, of connections to come; those that are there stay as they are."""
        self._mode = mode
        if mode == "refuse":
            self._stop_listening()
        elif self._server is None:
            await self.open()

    def cut(self) -> None:
        """Every connection is reset, as by a peer that crashed."""
        for writer in tuple(self._writers):
            connection = writer.get_extra_info("socket")
            if connection is not None and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()

    def end_one_way(self) -> None:
        """Every connection is ended towards who made it, as by a peer that only shuts its sending side."""
        for writer in tuple(self._writers):
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()

    def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._mode == "silent":
                await _swallow(reader)
                return
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(to_writer)
            await self._both(self._pass(reader, to_writer, watched=True), self._pass(to_reader, writer, watched=False))
        except OSError:
            return
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _both(self, there: Coroutine[Any, Any, None], back: Coroutine[Any, Any, None]) -> None:
        tasks = {asyncio.ensure_future(there), asyncio.ensure_future(back)}
        self._tasks |= tasks
        try:
            await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            self._tasks -= tasks

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, watched: bool) -> None:
        try:
            while octets := await reader.read(CHUNK_OCTETS):
                if watched and self.holds(octets):
                    await _swallow(reader)
                    break
                if watched and (seconds := self.waits(octets)):
                    await asyncio.sleep(seconds)
                writer.write(octets)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)


async def _swallow(reader: asyncio.StreamReader) -> None:
    """Reads until the other side gives up."""
    try:
        while await reader.read(CHUNK_OCTETS):
            pass
    except OSError:
        return
