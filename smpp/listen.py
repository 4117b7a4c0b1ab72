"""They call us: a listening socket, plain or TLS, whose peers bind to us, or ask us by outbind to bind to them.

Rules of this file: an address that the owner does not let in is closed before an octet is read. Who may bind is the
owner's decision (accounts, failures, bans, evaluations); until it is made, and for 5 s at most, a peer may send
nothing but enquire_link.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Protocol, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorTCP
from twisted.internet.protocol import ServerFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from smpp import constants as c
from smpp.codec import encode
from smpp.limits import Limits
from smpp.link import Link, LinkOwner, Ticker
from smpp.pdu import BindPdu, BindTransceiverResp, Outbind
from smpp.states import BOUND, Role
from smpp.tls import ServerTls

CLOSED_BY_US = "listener_closed"
WAITING_MAX = 4096
"""Connections that the system keeps until they are looked at: what finds no place there is lost, be it a peer's or one
of a thousand strangers that called in the same moment."""


class ListenOwner(LinkOwner, Protocol):
    """A `LinkOwner` that also decides who gets in. `gone` comes for every link that `connected` let in."""

    def connected(self, peer_ip: str) -> bool:
        """Whether this address may connect at all; False closes it at once."""

    async def bind(self, link: Link, request: BindPdu) -> int:
        """The ESME status to answer: 0 accepts, anything else refuses and closes. Never log the password."""

    def outbind(self, link: Link, request: Outbind) -> BindPdu | None:
        """How we bind to the centre that asks for it (2.2.1); None closes: we were not expecting it."""

    def refused(self, link: Link, status: int) -> None:
        """The centre that had asked for it has refused our bind, with this ESME status."""


class AcceptedLink(Link):
    """A link that a peer opened."""

    def __init__(self, listener: Listener, owner: ListenOwner) -> None:
        super().__init__(
            Role.SERVER, owner, listener.limits, listener.loop, listener.ticker, secured_later=listener.is_secure
        )
        self._listener = listener
        self._listen_owner = owner
        self._decision: asyncio.Task[None] | None = None

    def bind_requested(self, request: BindPdu) -> None:
        self._decision = self._loop.create_task(self._decide(request))

    def outbound(self, request: Outbind) -> None:
        if self._closed_at is not None:
            return
        bind = self._listen_owner.outbind(self, request)
        if bind is None:
            super().outbound(request)
        else:
            self.system_id = bind.system_id
            self.send(bind)

    def bind_refused(self, status: int) -> None:
        self._listen_owner.refused(self, status)

    async def _decide(self, request: BindPdu) -> None:
        """Asks the owner; a mistake of the owner's is answered too, and then shows as that task's exception."""
        status = c.ESME_RSYSERR
        try:
            status = await self._listen_owner.bind(self, request)
        finally:
            if self._closed_at is None:
                accepted = status == c.ESME_ROK
                decide, said = self._connection, self._listener.system_id
                self._told(decide.accept_bind(said) if accepted else decide.refuse_bind(status))

    def lost(self) -> None:
        if self._decision is not None:
            self._decision.cancel()
        self._listener.links.pop(self, None)
        if not self._listener.links:
            self._listener.all_gone.set()
        super().lost()


class Listener(ServerFactory):
    """An open listening socket and the links it accepted. Made by `listen`."""

    noisy = False

    def __init__(
        self,
        owner: ListenOwner,
        limits: Limits,
        system_id: str,
        loop: asyncio.AbstractEventLoop,
        tls: ServerTls | None,
    ) -> None:
        self._tls = tls
        self.limits = limits
        self.system_id = system_id
        self.loop = loop
        self.ticker = Ticker(loop)
        self.links: dict[AcceptedLink, None] = {}
        self.all_gone = asyncio.Event()
        self._owner = owner
        self._listening: IListeningPort | None = None
        self.port = 0  # the TCP port, also when 0 was asked for

    @property
    def is_secure(self) -> bool:
        """Whether peers speak TLS here."""
        return self._tls is not None

    def open(self, reactor: AsyncioSelectorReactor, host: str, port: int) -> None:
        """Opens the socket; `host` is an IP address. Raises CannotListenError."""
        factory: Any = self if self._tls is None else _Secured(self._tls, self, self._owner, reactor)
        self._listening = cast(IReactorTCP, reactor).listenTCP(port, factory, WAITING_MAX, host)
        self.port = cast("IPv4Address | IPv6Address", self._listening.getHost()).port

    def buildProtocol(self, addr: IAddress | None) -> AcceptedLink | None:
        if not self._owner.connected(cast("IPv4Address | IPv6Address", addr).host):
            return None
        link = AcceptedLink(self, self._owner)
        self.links[link] = None
        self.all_gone.clear()
        return link

    async def stop_listening(self) -> None:
        """Accepts nobody any more; the links stay."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening).asFuture(self.loop)

    async def close(self) -> None:
        """Accepts nobody any more, unbinds every link, and returns when the last is gone."""
        await self.stop_listening()
        for link in tuple(self.links):
            if link.state in BOUND:
                link.unbind()
            else:
                link.close(CLOSED_BY_US)
        if self.links:
            await self.all_gone.wait()


class _Secured(TLSMemoryBIOFactory):
    """Addresses that may not connect are closed before TLS begins."""

    noisy = False

    def __init__(self, tls: ServerTls, listener: Listener, owner: ListenOwner, reactor: AsyncioSelectorReactor) -> None:
        super().__init__(tls, False, listener, reactor)
        self._owner = owner

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]
        if not self._owner.connected(cast("IPv4Address | IPv6Address", addr).host):
            return None
        return super().buildProtocol(addr)


async def listen(
    reactor: AsyncioSelectorReactor,
    host: str,
    port: int,
    owner: ListenOwner,
    limits: Limits,
    *,
    system_id: str = "ussd",
    tls: ServerTls | None = None,
) -> Listener:
    """Listens for peers that bind to us; `system_id` is what we call ourselves to them, `port` 0 takes a free one.

    `limits` hold for a peer until `Link.serve` gives it its own; `tls` (`tls.server_options`): nothing else is spoken.

    Raises OSError when the address cannot be used, and ValueError for a `system_id` that SMPP cannot carry.
    """
    encode(BindTransceiverResp(system_id))
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    listener = Listener(owner, limits, system_id, loop, tls)
    try:
        listener.open(reactor, str(found[0][4][0]), port)
    except CannotListenError as error:
        number = getattr(error.socketError, "errno", None)
        raise OSError(number, f"cannot listen on {host}:{port}: {error.socketError}") from None
    return listener
