"""We call them: a connection on which we bind to a message or USSD centre.

Rules of this file: one call, one try. When to try again, and how long to wait before it, is the caller's to say;
ESME_RALYBND after a lost connection means that the peer has not noticed yet: wait, and try later.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from smpp.errors import BindRefused, NoConnection, WrongState
from smpp.limits import Limits
from smpp.link import Link, LinkOwner, Ticker
from smpp.pdu import BindPdu
from smpp.states import Role
from smpp.tls import ClientTls

GIVEN_UP = "given_up"


class DialledLink(Link):
    """A link that we opened; `owner` hears of it once it is bound."""

    def __init__(self, owner: LinkOwner, limits: Limits, loop: asyncio.AbstractEventLoop, *, secure: bool) -> None:
        super().__init__(Role.CLIENT, owner, limits, loop, Ticker(loop), secured_later=secure)
        self.when_bound: asyncio.Future[None] = loop.create_future()

    def bound_by(self, request: BindPdu) -> None:
        if self.when_bound.done():
            self.close(GIVEN_UP)
            return
        self.when_bound.set_result(None)
        super().bound_by(request)

    def bind_refused(self, status: int) -> None:
        if not self.when_bound.done():
            self.when_bound.set_exception(BindRefused(status))

    def lost(self) -> None:
        if not self.when_bound.done():
            self.when_bound.set_exception(ConnectionError(f"not bound: {self._reason}"))
        elif not self.when_bound.cancelled() and self.when_bound.exception() is None:
            super().lost()


class _One(Factory):
    """A factory of the one link of a call."""

    noisy = False

    def __init__(self, link: DialledLink) -> None:
        self._link = link

    def buildProtocol(self, addr: IAddress | None) -> DialledLink:
        return self._link


async def dial(
    reactor: AsyncioSelectorReactor,
    host: str,
    port: int,
    bind: BindPdu,
    owner: LinkOwner,
    limits: Limits,
    tls: ClientTls | None = None,
) -> Link:
    """Connects, binds with `bind`, and returns the link once it is bound.

    Raises BindRefused with the peer's status, NoConnection when there is none, and ConnectionError when nobody answers,
    in time or at all (all are ConnectionErrors); ValueError for a bind that SMPP cannot carry. `limits` bound the
    connecting, TLS where `tls` (`tls.client_options`) is given, and the answer to the bind.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limits.connect_seconds):
            link = await _connected(reactor, host, port, owner, limits, loop, tls)
    except TimeoutError:
        raise NoConnection(f"no connection to {host}:{port} in {limits.connect_seconds:g} s") from None
    link.system_id = bind.system_id
    try:
        with suppress(WrongState):  # it ended already, or spoke something else than SMPP: `lost` will say so
            link.send(bind)
        await link.when_bound
    except BaseException:  # also when the caller is cancelled: nobody else holds the link
        link.abort(GIVEN_UP)
        raise
    return link


async def _connected(
    reactor: AsyncioSelectorReactor,
    host: str,
    port: int,
    owner: LinkOwner,
    limits: Limits,
    loop: asyncio.AbstractEventLoop,
    tls: ClientTls | None,
) -> DialledLink:
    """Tries each address of the host in turn. The loop resolves names, so that no thread of Twisted's is started."""
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter: not even a name
        raise ConnectionError(f"cannot resolve {host}: {error}") from None
    failure = ""
    for family, _, _, _, address in found:
        endpoint = TCP6ClientEndpoint if family == socket.AF_INET6 else TCP4ClientEndpoint
        link = DialledLink(owner, limits, loop, secure=tls is not None)
        factory: Any = _One(link)
        if tls is not None:
            factory = TLSMemoryBIOFactory(tls, True, factory, reactor)
            factory.noisy = False
        try:
            await (
                endpoint(reactor, str(address[0]), port, timeout=limits.connect_seconds).connect(factory).asFuture(loop)
            )
        except ConnectError as error:
            failure = str(error)
        else:
            return link
    raise NoConnection(f"no connection to {host}:{port}: {failure}")
