"""A proxy that loses answers and never requests, and that delays, cuts and half-closes; over TCP or Unix sockets.

Rules of this file:
- What the one who connected sends always arrives whole. What comes back may not: an answer is lost from its first octet
  on, and nothing that follows it on this connection is let through as if nothing had been lost.
- Each answer's fate is drawn when its first octets come. An answer begins with the first octets that come back after
  something was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, TypeAlias

Fate: TypeAlias = Literal["passed", "lost", "cut", "half-closed", "delayed"]
_OCTETS: Final = 65_536


@dataclass(frozen=True)
class Faults:
    """How often an answer meets which fate; what is left over passes. `delay_seconds`: at most."""

    lost: float = 0.0
    """Swallowed, and the connection stays open in silence."""
    cut: float = 0.0
    """Swallowed, and the connection is cut."""
    half_closed: float = 0.0
    """Who answers is told that nothing more will be sent, and goes on; who asked sees an end before an answer."""
    delayed: float = 0.0
    delay_seconds: float = 0.0

    def draw(self, chance: random.Random) -> Fate:
        """The fate of the next answer."""
        drawn = chance.random()
        fates: tuple[tuple[Fate, float], ...] = (
            ("lost", self.lost), ("cut", self.cut), ("half-closed", self.half_closed), ("delayed", self.delayed),
        )  # fmt: skip
        for fate, share in fates:
            if drawn < share:
                return fate
            drawn -= share
        return "passed"


@dataclass
class _Direction:
    """What the two directions of a connection know of one another: something was sent that has no answer yet."""

    asked: bool = False


class Proxy:
    """Listens at `at` (a port of 127.0.0.1, 0 for a free one, or the path of a socket), and connects to `to`."""

    def __init__(self, at: int | Path, faults: Faults, chance: random.Random, to: str | Path = "") -> None:
        self.faults = faults
        self.to = to
        """`host:port` or the path of a socket; may be set later, and changed."""
        self.fates: Counter[Fate] = Counter()
        self._at = at
        self._chance = chance
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where it listens, `host:port`."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def __aenter__(self) -> Proxy:
        if isinstance(self._at, Path):
            self._at.parent.mkdir(parents=True, exist_ok=True)
            self._server = await asyncio.start_unix_server(self._connected, self._at)
        else:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._at)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        while self._tasks:  # one may have been connecting when the others were cut
            self.cut()
            await asyncio.wait(tuple(self._tasks), timeout=0.1)

    def cut(self) -> None:
        """Cuts every connection."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            there_reader, there_writer = await self._connect()
        except OSError:
            writer.transport.abort()
        else:
            self._writers.add(there_writer)
            sides = _Direction()
            back = asyncio.ensure_future(self._back(there_reader, there_writer, writer, sides))
            await self._there(reader, there_writer, sides)
            with contextlib.suppress(asyncio.CancelledError):
                await back
            self._writers.discard(there_writer)
            there_writer.transport.abort()
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.to, Path):
            return await asyncio.open_unix_connection(self.to)
        host, _, port = self.to.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _there(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, sides: _Direction) -> None:
        """What is sent: all of it arrives."""
        with contextlib.suppress(OSError):
            while octets := await reader.read(_OCTETS):
                sides.asked = True
                there.write(octets)
                await there.drain()
        with contextlib.suppress(OSError, RuntimeError):
            there.write_eof()

    async def _back(
        self, there: asyncio.StreamReader, there_writer: asyncio.StreamWriter, here: asyncio.StreamWriter,
        sides: _Direction,
    ) -> None:  # fmt: skip
        """What comes back: each answer has its fate."""
        swallows = False
        with contextlib.suppress(OSError, RuntimeError):
            while octets := await there.read(_OCTETS):
                if sides.asked and not swallows:
                    sides.asked = False
                    fate = self.faults.draw(self._chance)
                    self.fates[fate] += 1
                    swallows = fate in ("lost", "half-closed")
                    if fate == "cut":
                        break
                    if fate == "half-closed":
                        here.write_eof()
                        there_writer.write_eof()
                    if fate == "delayed":
                        await asyncio.sleep(self._chance.uniform(0, self.faults.delay_seconds))
                if not swallows:
                    here.write(octets)
                    await here.drain()
        here.transport.abort()
        there_writer.transport.abort()
