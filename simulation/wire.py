"""Connections without sockets: octets arrive in order, late, or not at all when the connection breaks.

Rules of this file: what Twisted asks of a transport and of a reactor, as far as `smpp.link` and `smpp.dial` use them.
An end that belongs to a killed process is silent: nothing reaches it, and nothing comes from it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.address import IPv4Address
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure

from .loop import Chance, Process, outside

_failure: Callable[[Exception], Failure] = Failure
NEXT_SECONDS = 1e-6
"""Between two that arrive one after the other: timers of one moment ring in no order."""
DELAY_SECONDS = (0.0005, 0.03)


class Far(Protocol):
    """The peer's end."""

    def arrived(self, octets: bytes) -> None:
        """Octets of the engine's."""

    def gone(self) -> None:
        """The connection has ended."""


class Wire:
    """One TCP connection: a process of ours at one end (it sees this as its transport), a peer at the other."""

    def __init__(self, process: Process, loop: asyncio.AbstractEventLoop, chance: Chance) -> None:
        self.process = process
        self.near: TwistedProtocol | None = None
        self.far: Far | None = None
        self.is_open = True
        self.said: deque[object] = deque()
        """What the messages on their way to the peer are about, in order: the context of each."""
        self._loop = loop
        self._chance = chance
        self._busy_until = [0.0, 0.0]

    def begins(self, near: TwistedProtocol) -> None:
        """Both ends are there."""
        self.near = near
        self.process.run(near.makeConnection, cast(Any, self))

    # --- from the peer ---

    def say(self, octets: bytes) -> None:
        """The peer says something."""
        self._later(0, self._reaches_us, octets)

    def _reaches_us(self, octets: bytes) -> None:
        if self.is_open and self.process.is_alive and self.near is not None:
            self.process.run(self.near.dataReceived, octets)

    def cut(self) -> None:
        """The connection breaks: what is on its way is lost, and each end hears of it in its own time."""
        if self.is_open:
            self.is_open = False
            self._ends(_failure(ConnectionLost()), self._chance.between(0.0, 1.0))

    # --- the transport ---

    def write(self, octets: bytes) -> None:
        if self.process.is_alive:
            self._later(1, self._reaches_peer, octets)

    def loseConnection(self) -> None:
        if self.is_open and self.process.is_alive:
            self._later(1, self._closed)

    def abortConnection(self) -> None:
        if self.is_open and self.process.is_alive:
            self.is_open = False
            self._ends(_failure(ConnectionLost()), 0.0)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "10.0.0.1", 2775)

    def setTcpNoDelay(self, _enabled: bool) -> None: ...

    def registerProducer(self, _producer: object, _streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    # --- between the two ---

    def _later(self, way: int, work: Callable[..., None], *arguments: object) -> None:
        at = max(self._busy_until[way] + NEXT_SECONDS, self._loop.time() + self._chance.between(*DELAY_SECONDS))
        self._busy_until[way] = at
        self._loop.call_at(at, work, *arguments)

    def _reaches_peer(self, octets: bytes) -> None:
        if self.is_open and self.far is not None:
            outside(self.far.arrived, octets)

    def _closed(self) -> None:
        if self.is_open:
            self.is_open = False
            self._ends(_failure(ConnectionDone()), 0.0)

    def _ends(self, reason: Failure, in_seconds: float) -> None:
        self.said.clear()
        self._loop.call_later(in_seconds, self._end_here, reason)
        self._loop.call_later(self._chance.between(*DELAY_SECONDS), self._end_there)

    def _end_here(self, reason: Failure) -> None:
        if self.process.is_alive and self.near is not None:
            self.process.run(self.near.connectionLost, reason)

    def _end_there(self) -> None:
        if self.far is not None:
            outside(self.far.gone)


class Reactor:
    """Dials peers, for `smpp.dial`: of a reactor it has what a TCP endpoint asks for."""

    def __init__(
        self,
        process: Process,
        loop: asyncio.AbstractEventLoop,
        chance: Chance,
        takes: Callable[[str, Wire], Far | None],
    ) -> None:
        """`takes`: a peer at this address takes a connection, or nobody is there."""
        self._process = process
        self._loop = loop
        self._chance = chance
        self._takes = takes

    @property
    def as_twisted(self) -> AsyncioSelectorReactor:
        """Whoever asks for a reactor gets this one."""
        return cast(AsyncioSelectorReactor, self)

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float, bindAddress: object = None) -> _Dialled:
        dialled = _Dialled()
        self._process.run(factory.doStart)
        factory.startedConnecting(dialled)
        self._loop.call_later(self._chance.between(*DELAY_SECONDS), self._answered, f"{host}:{port}", factory, dialled)
        return dialled

    def _answered(self, address: str, factory: Any, dialled: _Dialled) -> None:
        if dialled.is_given_up or not self._process.is_alive:
            return
        wire = Wire(self._process, self._loop, self._chance)
        far = outside(self._takes, address, wire)
        if far is None:
            self._process.run(factory.clientConnectionFailed, dialled, _failure(ConnectionError("nobody is there")))
            return
        wire.far = far
        near = self._process.run(factory.buildProtocol, wire.getPeer())
        wire.begins(near)


class _Dialled:
    """A connection that is being made."""

    is_given_up = False

    def stopConnecting(self) -> None:
        """Nobody waits for it any more."""
        self.is_given_up = True
