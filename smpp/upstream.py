"""A peer that we bind to, and stay bound to: so many binds of one kind to one address, dialled again when they end.

Rules of this file:
- One try at a time, for all binds together: a centre that is down, or that refuses us, hears of us once and not once
  a bind. When to try is `Backoff`'s to say; what a try does is `dial`'s.
- The owner of the links hears of them what it would from `dial`; on top of that, of every try that failed, so that a
  wrong password shows in a log at once, and is still tried, seldom.
- Nothing is queued here: while no link is bound there is nothing to send on, and the owner sees that in `links`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp.backoff import Backoff
from smpp.codec import encode
from smpp.dial import dial
from smpp.errors import BindRefused, NoConnection
from smpp.limits import Limits
from smpp.link import Link, LinkOwner
from smpp.pdu import BindPdu, BindReceiver, BindTransceiver, BindTransmitter, Pdu
from smpp.tls import ClientTls

BIND_OF_MODE: Final[dict[str, type[BindPdu]]] = {
    "transceiver": BindTransceiver,
    "transmitter": BindTransmitter,
    "receiver": BindReceiver,
}


class UpstreamOwner(LinkOwner, Protocol):
    """A `LinkOwner` of links that come and go. The `name` of a link is its upstream's when `bound` tells of it."""

    def not_bound(self, upstream: Upstream, error: ConnectionError) -> None:
        """A try failed, and another will follow: `BindRefused` with the peer's status, or nobody answered."""


class UpstreamState(NamedTuple):
    """What a status page shows of an upstream."""

    bound: int  # links open now
    binds: int  # links wanted
    since: float  # when it became usable (the first link bound), or ceased to be, by the clock given
    failures: int  # tries and short-lived binds in a row
    last_error: str  # "" when there was none yet; never names the password
    retry_seconds: float | None  # until the next try; None when every link is bound, or none is wanted


class Upstream:
    """Keeps `binds` links bound to one peer, from `start` to `close`."""

    def __init__(
        self,
        reactor: AsyncioSelectorReactor,
        name: str,
        host: str,
        port: int,
        bind: BindPdu,
        owner: UpstreamOwner,
        limits: Limits,
        *,
        binds: int,
        random: Callable[[], float],
        clock: Callable[[], float],
        tls: ClientTls | None = None,
    ) -> None:
        """`bind` says the kind of link, the account and the version (3.4 unless it says otherwise).

        `random`: as `random.random`. `clock`: any seconds that the status page can show, `time.time` for one; waits
        follow the loop's own. Raises ValueError for a bind that SMPP cannot carry.
        """
        encode(bind)
        self.name = name
        self.binds = binds
        self._address = (host, port)
        self._bind = bind
        self._reactor = reactor
        self._owner = owner
        self._limits = limits
        self._tls = tls
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._bound_at: dict[Link, float] = {}
        self._backoff = Backoff(random)
        self._next_try_at = 0.0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._since = clock()
        self._last_error = ""

    @property
    def links(self) -> tuple[Link, ...]:
        """The links that are bound now, longest first."""
        return tuple(self._bound_at)

    @property
    def state(self) -> UpstreamState:
        """For the status page."""
        wanted = self._task is not None and len(self._bound_at) < self.binds
        retry_seconds = max(0.0, self._next_try_at - self._loop.time()) if wanted else None
        return UpstreamState(
            len(self._bound_at), self.binds, self._since, self._backoff.failures, self._last_error, retry_seconds
        )

    def start(self) -> None:
        """Begins to dial; returns at once."""
        if self._task is None:
            self._task = self._loop.create_task(self._tend())

    async def close(self) -> None:
        """Dials no more, unbinds every link, and returns when the last is gone; `limits` bound how long that takes."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()  # a mistake of ours: nothing else ends it
        for link in self.links:
            link.unbind()
        while self._bound_at:
            self._changed.clear()
            await self._changed.wait()

    # --- dialling ---

    async def _tend(self) -> None:
        while True:
            await self._until_due()
            try:
                await dial(self._reactor, *self._address, self._bind, self, self._limits, self._tls)
            except ConnectionError as error:
                self._failed(error)

    async def _until_due(self) -> None:
        """Returns when a link is missing and its time has come."""
        while True:
            self._changed.clear()
            missing = len(self._bound_at) < self.binds
            if missing and self._next_try_at <= self._loop.time():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next_try_at if missing else None):
                    await self._changed.wait()

    def _failed(self, error: ConnectionError) -> None:
        status = error.status if isinstance(error, BindRefused) else None
        absent = isinstance(error, NoConnection)
        wait = self._backoff.after_absence() if absent else self._backoff.after_failure(status)
        self._next_try_at = self._loop.time() + wait
        self._last_error = str(error)
        self._owner.not_bound(self, error)

    # --- for the links: `LinkOwner` ---

    def bound(self, link: Link) -> None:
        link.name = self.name
        if not self._bound_at:
            self._since = self._clock()
        self._bound_at[link] = self._loop.time()
        self._owner.bound(link)

    def gone(self, link: Link, reason: str) -> None:
        now = self._loop.time()
        lasted = now - self._bound_at.pop(link)
        if not self._bound_at:
            self._since = self._clock()
        if self._task is not None:
            self._last_error = reason
            due = now + self._backoff.after_loss(lasted)
            self._next_try_at = min(due, self._next_try_at) if self._next_try_at > now else due
        self._changed.set()
        self._owner.gone(link, reason)

    def request(self, link: Link, pdu: Pdu) -> None:
        self._owner.request(link, pdu)

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        self._owner.response(link, request, response, context)

    def quirk(self, link: Link, kind: str) -> None:
        self._owner.quirk(link, kind)
