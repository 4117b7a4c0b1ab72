"""A stranger's socket: SMPP octets by hand, from an address of its own, and what came back.

Every 127.x.y.z is an address of this machine, so that thousands of strangers fit on it.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from struct import pack, unpack
from typing import Final

from smpp import constants as c
from stack.settings import Listen

HEADER_OCTETS: Final = 16
ENQUIRE_LINK: Final = pack(">IIII", HEADER_OCTETS, c.ENQUIRE_LINK, 0, 7)


class Stranger:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened = time.monotonic()
        self._reader = reader
        self._writer = writer

    @classmethod
    async def call(cls, listen: Listen, address: str = "127.0.0.1", *, deaf: bool = False) -> Stranger:
        """Connects from this address. `deaf`: it reads nothing, and the system keeps little for it. Raises OSError."""
        own = socket.socket()
        try:
            own.setblocking(False)
            if deaf:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            own.bind((address, 0))
            await asyncio.get_running_loop().sock_connect(own, (listen.reached_at, listen.port))
            reader, writer = await asyncio.open_connection(sock=own, limit=4096 if deaf else 2**16)
        except BaseException:
            own.close()
            raise
        return cls(reader, writer)

    def send(self, octets: bytes) -> None:
        """Writes; what is gone by then is no matter here."""
        self._writer.write(octets)

    async def flushed(self) -> None:
        """Waits until the system has taken nearly all of it. Raises OSError when the connection is gone."""
        await self._writer.drain()

    async def answer(self, seconds: float) -> tuple[int, int] | None:
        """Command and status of the next PDU; None when the connection was closed instead. Raises TimeoutError."""
        try:
            async with asyncio.timeout(seconds):
                length, command, status, _ = unpack(">IIII", await self._reader.readexactly(HEADER_OCTETS))
                await self._reader.readexactly(length - HEADER_OCTETS)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return command, status

    async def octets_until_closed(self, seconds: float) -> int:
        """How many octets came before the other side closed. Raises TimeoutError when it did not."""
        count = 0
        async with asyncio.timeout(seconds):
            try:
                while octets := await self._reader.read(4096):
                    count += len(octets)
            except ConnectionError:
                pass
        return count

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return time.monotonic() - self.opened

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


def bind_octets(system_id: str, password: bytes, sequence: int = 1) -> bytes:
    """A bind_transceiver with a password of any length."""
    body = system_id.encode() + b"\0" + password + b"\0" + b"\0" + b"\x34\0\0" + b"\0"
    return pack(">IIII", HEADER_OCTETS + len(body), c.BIND_TRANSCEIVER, 0, sequence) + body


def many_sockets() -> None:
    """Lets this process, and its children, open as many as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
