"""Twisted as a guest on a running asyncio loop.

Rules of this file:
- The reactor is made here and handed on as an argument. It is never installed as the global one (nothing of ours
  imports `twisted.internet.reactor`), it sets no signal handlers, and it never runs: the loop does.
- uvloop may stop watching a socket whose connection was reset, and tells nobody (MagicStack/uvloop#552,
  twisted/twisted#11904): Twisted would take the connection for alive until somebody misses an answer. So a socket that
  is not watched any more is looked for, at every write and once a second, and its connection is lost.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.python.log import callWithLogger

LOOK_SECONDS = 1.0


class GuestReactor(AsyncioSelectorReactor):
    """Twisted's reactor on asyncio, which notices when the loop has let go of a socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._look: asyncio.TimerHandle | None = None
        super().__init__(loop)  # which adds a reader

    def addReader(self, reader: IReadDescriptor) -> None:
        super().addReader(reader)  # type: ignore[no-untyped-call]
        if self._look is None:
            self._look = self._loop.call_later(LOOK_SECONDS, self._look_at_all)

    def addWriter(self, writer: IWriteDescriptor) -> None:
        try:
            super().addWriter(writer)  # type: ignore[no-untyped-call]
        except RuntimeError:  # the loop has let go of it
            self._loop.call_soon(self._lost, writer)

    def _look_at_all(self) -> None:
        readers: dict[Any, int] = self._readers
        self._look = self._loop.call_later(LOOK_SECONDS, self._look_at_all) if readers else None
        for reader, descriptor in tuple(readers.items()):
            try:  # watched already: nothing happens
                self._loop.add_reader(descriptor, callWithLogger, reader, self._readOrWrite, reader, True)
            except RuntimeError:
                self._lost(reader)

    def _lost(self, selectable: Any) -> None:
        if selectable in self._readers or selectable in self._writers:
            self._disconnectSelectable(selectable, CONNECTION_LOST, True)  # type: ignore[no-untyped-call]


def reactor_on(loop: asyncio.AbstractEventLoop) -> AsyncioSelectorReactor:
    """A reactor whose sockets and timers are those of `loop` (asyncio's or uvloop's); one a loop is enough.

    It needs no `run`: `startRunning` marks it started, and the loop serves its descriptors from then on.
    """
    reactor = GuestReactor(loop)
    reactor.startRunning(installSignalHandlers=False)
    return reactor
