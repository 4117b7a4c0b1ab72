"""A connection of ours on a real socket: Twisted's protocol around a `Connection`.

Rules of this file:
- Decisions are `Connection`'s; here octets and events are carried, and nothing a peer sends may raise into the loop.
- Everything written in one round of the loop leaves in one write, so that answers share a segment.
- A peer that does not read is closed once `unsent_octets_max` wait for it; one that asks faster than it is answered is
  not read from until it is.
- So much is read of a link in one round of the loop, and no more: the others have their turn.
- One timer serves many links (`Ticker`): none is set for a PDU.
- An owner hears `gone` exactly once for each link, after everything else about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IHandshakeListener, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from smpp import constants as c
from smpp.connection import (
    BindRefused,
    BindRequested,
    Bound,
    Closing,
    Connection,
    Event,
    OutbindReceived,
    Quirk,
    RequestExpired,
    RequestReceived,
    ResponseReceived,
)
from smpp.errors import TooFast, WrongState
from smpp.flow import THROTTLING, Flow
from smpp.limits import Limits
from smpp.pdu import BindPdu, Outbind, Pdu
from smpp.states import Role, State
from smpp.tls import shown_name
from smpp.traffic import Traffic

TICK_SECONDS: Final = 0.25
READ_OCTETS_MAX: Final = 8192
"""Of one link in one round of the loop: a peer that floods takes no more of a round than this, some 90 PDUs."""
_MESSAGES: Final = frozenset({c.SUBMIT_SM, c.SUBMIT_MULTI, c.DELIVER_SM, c.DATA_SM})

PEER_NOT_READING: Final = "peer_not_reading"
NO_OUTBIND: Final = "outbind_not_expected"
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
    """One timer that ticks every link it knows, the first one first, and rests while it knows none."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._links: dict[Link, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, link: Link) -> None:
        """Ticks the link from now on."""
        self._links[link] = None
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def remove(self, link: Link) -> None:
        """Ticks it no more."""
        self._links.pop(link, None)
        if not self._links and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self._loop.time()
        for link in tuple(self._links):
            link.tick(now)


@implementer(IPushProducer, IHandshakeListener)
class Link(TwistedProtocol):
    """One SMPP connection to a peer. `listen` and `dial` make it; `name` is the owner's to set."""

    transport: ITCPTransport

    def __init__(
        self,
        role: Role,
        owner: LinkOwner,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        ticker: Ticker,
        *,
        secured_later: bool = False,
    ) -> None:
        """`secured_later`: TLS is agreed on after the connection, and Twisted says when."""
        self.name = ""
        self.peer_ip = ""
        self.system_id = ""
        self.is_secure = False  # TLS is agreed on
        self.certificate_name = ""  # the common name in the certificate that the peer has shown over TLS
        self._owner = owner
        self._limits = limits
        self._loop = loop
        self._ticker = ticker
        self._connection = Connection(role, limits, loop.time(), secured=not secured_later)
        self._flow = Flow(limits.per_second, loop.time())
        self._flush_is_due = False
        self._paused = False
        self._reads = True
        self._secured_later = secured_later
        self._is_lost = False
        self._held_octets = 0
        self._reason = ""
        self._closed_at: float | None = None

    @property
    def state(self) -> State:
        """Where the connection is in its life."""
        return self._connection.state

    @property
    def limits(self) -> Limits:
        """Under which this connection is now."""
        return self._limits

    @property
    def may_send(self) -> bool:
        """Whether a request can still be sent: the link is neither closed nor being unbound."""
        return self._closed_at is None and not self._connection.is_ending

    @property
    def in_flight(self) -> int:
        """How many of our requests wait for an answer."""
        return self._connection.in_flight

    # --- for the owner ---

    def serve(self, limits: Limits, traffic: Traffic, flow: Flow) -> None:
        """The peer is known: its limits hold from now on, and what it shares with its other binds counts.

        To be called before a bind is accepted, or when one of ours is.
        """
        self._limits, self._flow = limits, flow
        self._connection.serve(limits, traffic)

    def trace(self, shown: Callable[[bool, bytes], None] | None) -> None:
        """Shows each PDU from now on (`connection.Trace`); None ends it."""
        self._connection.trace = shown

    def send(self, pdu: Pdu, context: object = None, seconds_max: float | None = None) -> None:
        """Sends a request; its answer comes to `owner.response` with `context`, in `seconds_max` or never.

        Raises WrongState (also once closed), WindowFull (TooFast: the rate says no, not the window), and ValueError for
        a field that cannot be written.
        """
        if self._closed_at is not None:
            raise WrongState(f"the link is closed: {self._reason}")
        now = self._loop.time()
        is_message = pdu.command_id in _MESSAGES
        if is_message and (wait := self._flow.wait_seconds(now)):
            raise TooFast(wait)
        self._connection.send(pdu, now, context, seconds_max)
        if is_message:
            self._flow.sent(now)
        self._flush_soon()

    def respond(self, request: Pdu, response: Pdu | int) -> None:
        """Answers a request of the peer, with a PDU or a status alone; nothing happens once the link is closed.

        Raises ValueError when `response` does not belong to `request`, or cannot be written.
        """
        self._connection.respond(request, response)
        if not self._reads and not self._connection.is_full:
            self._reads = True
            cast(IPushProducer, self.transport).resumeProducing()
        self._flush_soon()

    def unbind(self) -> None:
        """Ends the session in order: unbind, its answer, close. `owner.gone` tells when it is over."""
        self._connection.unbind(self._loop.time())
        self._flush_soon()

    def close(self, reason: str) -> None:
        """Writes what is left and closes, without an unbind."""
        if self._closed_at is not None:
            return
        if self._secured_later and not self.is_secure:
            self.abort(reason)  # there is nothing to be flushed, and no TLS to be ended
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
        if not self._is_lost:
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

    def outbound(self, request: Outbind) -> None:
        """A centre that called us wants us to bind; who cannot, closes."""
        self.close(NO_OUTBIND)

    def bound_by(self, request: BindPdu) -> None:
        """The connection is bound."""
        self._owner.bound(self)

    def lost(self) -> None:
        """The socket is gone, and `_reason` says why."""
        self._owner.gone(self, self._reason)

    # --- for Twisted ---

    def connectionMade(self) -> None:
        self._connection.opened(self._loop.time())
        self.peer_ip = self.transport.getPeer().host
        self.transport.setTcpNoDelay(True)
        cast(Any, getattr(self.transport, "transport", self.transport)).bufferSize = READ_OCTETS_MAX
        cast(IConsumer, self.transport).registerProducer(self, True)
        self._ticker.add(self)

    def handshakeCompleted(self) -> None:
        self.is_secure = True
        self.certificate_name = shown_name(cast("SSL.Connection", cast(Any, self.transport).getHandle()))
        self._connection.secure(self._loop.time())

    def dataReceived(self, data: bytes) -> None:
        if self._closed_at is None:
            self._told(self._connection.receive(data, self._loop.time()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ticker.remove(self)
        self._is_lost = True
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
            kind = type(event)
            if kind is RequestReceived:
                owner.request(self, cast(RequestReceived, event).pdu)
            elif kind is ResponseReceived:
                request, pdu, context, _ = cast(ResponseReceived, event)
                if pdu.command_status in THROTTLING:
                    self._flow.throttled(self._loop.time())
                owner.response(self, request, pdu, context)
            else:
                self._told_of_session(event)
        if self._connection.unsent_octets:
            self._flush_soon()
        if self._reads and self._connection.is_full and self._closed_at is None:
            self._reads = False
            cast(IPushProducer, self.transport).pauseProducing()

    def _told_of_session(self, event: Event) -> None:
        owner = self._owner
        match event:
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
            case OutbindReceived(outbind):
                self.outbound(outbind)
            case Closing(reason):
                self.close(reason)

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
