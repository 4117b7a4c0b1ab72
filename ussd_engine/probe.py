"""Is a link usable? One line and an exit code, as monitoring plugins have them: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

A peer that we bind to is bound once more for a moment; for a peer that binds to us, the running engine is asked.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, NamedTuple

import aiohttp

from smpp import constants
from smpp.connection import UNBOUND_BY_US
from smpp.dial import dial
from smpp.errors import BindRefused
from smpp.limits import Limits
from smpp.pdu import BindPdu, Pdu
from smpp.reactor import reactor_on
from smpp.tls import ClientTls

from .config import Link
from .peer_config import Address, ClientLink

if TYPE_CHECKING:
    from smpp.link import Link as Bind

OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


class Finding(NamedTuple):
    """What a probe found: `state` is the exit code, `seconds` what was timed."""

    link: str
    state: int
    text: str
    seconds: dict[str, float]

    def __str__(self) -> str:
        """One line, with performance data behind a bar."""
        timed = " ".join(f"{name}={value:.4f}s" for name, value in self.seconds.items())
        return f"{WORDS[self.state]} - {self.link}: {self.text}" + (f" | {timed}" if timed else "")


class _Owner:
    """Waits for the end of a bind (`smpp.link.LinkOwner`)."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def request(self, link: Bind, pdu: Pdu) -> None:
        """Traffic of others is not ours to take: the peer sends it elsewhere."""
        link.respond(pdu, constants.ESME_RX_T_APPN)

    def response(self, link: Bind, request: Pdu, response: Pdu | None, context: object) -> None: ...

    def quirk(self, link: Bind, kind: str) -> None: ...

    def bound(self, link: Bind) -> None: ...

    def gone(self, link: Bind, reason: str) -> None:
        self.ended.set_result(reason)


async def probe_client(
    link: Link, config: ClientLink, bind: BindPdu, tls: ClientTls | None, seconds_max: float
) -> Finding:
    """Binds to the peer and unbinds; both must be answered."""
    owner = _Owner()
    reactor = reactor_on(asyncio.get_running_loop())
    limits = Limits(connect_seconds=seconds_max, bind_answer_seconds=seconds_max, unbind_answer_seconds=seconds_max)
    begun = time.perf_counter()
    try:
        opened = await dial(reactor, config.address.host, config.address.port, bind, owner, limits, tls)
    except BindRefused as error:
        full = error.status == constants.ESME_RALYBND
        text = f"{config.address} refuses to bind: {constants.status_name(error.status)}"
        return Finding(link.name, WARNING if full else CRITICAL, text, {})
    except ConnectionError as error:
        return Finding(link.name, CRITICAL, str(error), {})
    bound = time.perf_counter()
    opened.unbind()
    reason = await owner.ended
    seconds = {"bind": bound - begun, "unbind": time.perf_counter() - bound}
    if reason != UNBOUND_BY_US:
        return Finding(link.name, CRITICAL, f"{config.address} was bound and does not answer: {reason}", seconds)
    return Finding(link.name, OK, f"{config.address} binds and answers", seconds)


async def probe_server(link: Link, http: Address, seconds_max: float) -> Finding:
    """Asks the running engine how many binds of the peer are open."""
    try:
        timeout = aiohttp.ClientTimeout(total=seconds_max)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"http://{http}/metrics") as answer:
            text = await answer.text()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Finding(
            link.name, CRITICAL, f"the engine does not answer on {http}: {error or type(error).__name__}", {}
        )
    found = re.search(rf'^smpp_binds{{link="{re.escape(link.name)}"}} ([0-9.]+)', text, re.MULTILINE)
    binds = int(float(found[1])) if found else 0
    if binds:
        return Finding(link.name, OK, f"{binds} bound", {})
    return Finding(link.name, WARNING, "nobody is bound", {})
