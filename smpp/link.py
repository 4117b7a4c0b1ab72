"""A connection of ours on a real socket: Twisted's protocol around a `Connection`.

Rules of this file:
- Decisions are `Connection`'s; here octets and events are carried, and nothing a peer sends may raise into the loop.
- Everything written in one round of the loop leaves in one write, so that answers share a segment.
- A peer that does not read is closed once `unsent_octets_max` wait for it.
- One timer serves many links (`Ticker`): none is set for a PDU.
- An owner hears `gone` exactly once for each link, after everything else about it.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from smpp.connection import (
    BindRefused,
    BindRequested,
    Bound,
    Closing,
    Connection,
    Event,
    Quirk,
    RequestExpired,
    RequestReceived,
    ResponseReceived,
)
from smpp.errors import WrongState
from smpp.limits import Limits
from smpp.pdu import BindPdu, Pdu
from smpp.states import Role, State

TICK_SECONDS: Final = 0.25

PEER_NOT_READING: Final = "peer_not_reading"
CLOSED_BY_PEER: Final = "closed_by_peer"
CONNECTION_LOST: Final = "connection_lost"


class LinkOwner(Protocol):
    """Who is told what happens on a link. All calls come on the loop, and must return soon."""

    def request(self, link: Link, pdu: Pdu) -> None:
        """The peer asks; answer with `link.respond`, now or later."""

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        """The answer to what `link.send` sent; None when there will be none: it expired, or the link is gone."""

    def quirk(self, link: Link, kind: str) -> None:
        """The peer did something wrong that needs no action: count it. `kind` is one of `errors.QUIRKS`."""

    def bound(self, link: Link) -> None:
        """The link may be used from now on."""

    def gone(self, link: Link, reason: str) -> None:
        """The link ended, bound or not; called once, last."""


class Ticker:
    """One timer that ticks every link it knows, and rests while it knows none."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._links: set[Link] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, link: Link) -> None:
        """Ticks the link from now on."""
        self._links.add(link)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def remove(self, link: Link) -> None:
        """Ticks it no more."""
        self._links.discard(link)
        if not self._links and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self._loop.time()
        for link in tuple(self._links):
            link.tick(now)


@implementer(IPushProducer)
class Link(TwistedProtocol):
    """One SMPP connection to a peer. `listen` and `dial` make it; `name` is the owner's to set."""

    transport: ITCPTransport

    def __init__(
        self, role: Role, owner: LinkOwner, limits: Limits, loop: asyncio.AbstractEventLoop, ticker: Ticker
    ) -> None:
        self.name = ""
        self.peer_ip = ""
        self.system_id = ""
        self._owner = owner
        self._limits = limits
        self._loop = loop
        self._ticker = ticker
        self._connection = Connection(role, limits, loop.time())
        self._flush_is_due = False
        self._paused = False
        self._held_octets = 0
        self._reason = ""
        self._closed_at: float | None = None

    @property
    def state(self) -> State:
        """Where the connection is in its life."""
        return self._connection.state

    # --- for the owner ---

    def send(self, pdu: Pdu, context: object = None) -> None:
        """Sends a request; its answer comes to `owner.response` with `context`.

        Raises WrongState (also once closed), WindowFull, and ValueError for a field that cannot be written.
        """
        if self._closed_at is not None:
            raise WrongState(f"the link is closed: {self._reason}")
        self._connection.send(pdu, self._loop.time(), context)
        self._flush_soon()

    def respond(self, request: Pdu, response: Pdu | int) -> None:
        """Answers a request of the peer, with a PDU or a status alone; nothing happens once the link is closed.

        Raises ValueError when `response` does not belong to `request`, or cannot be written.
        """
        self._connection.respond(request, response)
        self._flush_soon()

    def unbind(self) -> None:
        """Ends the session in order: unbind, its answer, close. `owner.gone` tells when it is over."""
        self._connection.unbind(self._loop.time())
        self._flush_soon()

    def close(self, reason: str) -> None:
        """Writes what is left and closes, without an unbind."""
        if self._closed_at is not None:
            return
        self._reason = reason
        self._closed_at = self._loop.time()
        self._paused = False
        self._flush()
        cast(IConsumer, self.transport).unregisterProducer()
        self.transport.loseConnection()

    def abort(self, reason: str) -> None:
        """Closes at once; what was not written is lost."""
        self._reason = self._reason or reason
        if self._closed_at is None:
            self._closed_at = self._loop.time()
        self.transport.abortConnection()

    def tick(self, now: float) -> None:
        """Lets time pass on this link; its `Ticker` calls."""
        if self._closed_at is None:
            self._told(self._connection.tick(now))
        elif now - self._closed_at >= self._limits.unbind_answer_seconds:
            self.abort(self._reason)

    # --- for `listen` and `dial` ---

    def bind_requested(self, request: BindPdu) -> None:
        """The peer wants to bind."""

    def bind_refused(self, status: int) -> None:
        """The peer refused our bind."""

    def bound_by(self, request: BindPdu) -> None:
        """The connection is bound."""
        self._owner.bound(self)

    def lost(self) -> None:
        """The socket is gone, and `_reason` says why."""
        self._owner.gone(self, self._reason)

    # --- for Twisted ---

    def connectionMade(self) -> None:
        self.peer_ip = self.transport.getPeer().host
        self.transport.setTcpNoDelay(True)
        cast(IConsumer, self.transport).registerProducer(self, True)
        self._ticker.add(self)

    def dataReceived(self, data: bytes) -> None:
        if self._closed_at is None:
            self._told(self._connection.receive(data, self._loop.time()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ticker.remove(self)
        if not self._reason:
            self._reason = CLOSED_BY_PEER if isinstance(reason.value, ConnectionDone) else CONNECTION_LOST
        if self._closed_at is None:
            self._closed_at = self._loop.time()
        try:
            self._told(cast("list[Event]", self._connection.lost()))
        finally:
            self.lost()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._held_octets = 0
        self._flush_soon()

    def stopProducing(self) -> None:
        self._paused = True

    # --- between the two ---

    def _told(self, events: list[Event]) -> None:
        owner = self._owner
        for event in events:
            match event:
                case RequestReceived(pdu):
                    owner.request(self, pdu)
                case ResponseReceived(request, pdu, context, _):
                    owner.response(self, request, pdu, context)
                case RequestExpired(request, context):
                    owner.response(self, request, None, context)
                case Quirk(kind):
                    owner.quirk(self, kind)
                case BindRequested(bind):
                    self.system_id = bind.system_id
                    self.bind_requested(bind)
                case Bound(bind, _):
                    self.bound_by(bind)
                case BindRefused(status):
                    self.bind_refused(status)
                case Closing(reason):
                    self.close(reason)
        if self._connection.unsent_octets:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._closed_at is not None:
            return
        if self._paused and self._held_octets + self._connection.unsent_octets > self._limits.unsent_octets_max:
            self.abort(PEER_NOT_READING)
        elif not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        if self._paused or not self._connection.unsent_octets:
            return
        octets = self._connection.take_octets()
        self.transport.write(octets)
        if self._paused:  # Twisted says so from within the write
            self._held_octets = len(octets)
