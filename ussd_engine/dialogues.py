"""Dialogues as they go over the wire: one answer per prompt, screens on their way, what is a repeat and what is late.

Rules of this file (a shell around `turn`):
- While a number's turn is being worked on, its further answers are duplicates; until the peer has accepted our
  screen, a further answer gets the same screen again. A new begin takes the number over.
- A screen leaves on the bind on which its input came; if that is gone or cannot carry it, on another of the same link.
- What another link says of a number touches no dialogue of this one.
- A turn that outlives its deadline is apologised for once, and its own screen is never sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from smpp.errors import TooFast, WindowFull, WrongState
from smpp.pdu import Pdu

from . import over_smpp
from .binds import Binds
from .config import Link
from .metrics import Metrics
from .over_smpp import Kind, Message
from .record import NETWORK_ABORT, USER_ABORT
from .taking import Taking
from .turn import Answer, Begin, Reply, Turns
from .work import Work

if TYPE_CHECKING:
    from smpp.link import Link as Bind

BUDGET_SHARE = 0.8
"""Of the time that the network waits for us, this much is a turn's; the rest is the way back."""
LATE_SECONDS = 0.25
"""So long after its deadline a turn is apologised for."""
SWEEP_SECONDS = 0.25


class Exchange:
    """One message of a dialogue and what has become of it: being worked on, or its screen sent and not accepted yet."""

    __slots__ = (
        "bind",
        "code",
        "link",
        "mark",
        "msisdn",
        "overtaken",
        "reply",
        "sent",
        "started",
        "taking",
        "until",
        "waits",
    )

    def __init__(self, bind: Bind, link: Link, message: Message, now: float) -> None:
        self.bind = bind
        self.link = link
        self.msisdn = message.msisdn or ""
        self.code = message.code
        self.mark = f"{bind.name}/{message.mark}"
        self.started = now
        self.until = now + link.dialect.waits.application_seconds * BUDGET_SHARE
        self.reply: Reply | None = None
        self.taking: Taking | None = None
        self.sent = False
        """Its screen has gone out once: what is sent from now on is a repeat."""
        self.overtaken = False
        self.waits = False
        """Its screen waits for room in a window."""

    @property
    def dead_at(self) -> float:
        """When the network has given up waiting for the screen, or for its acceptance."""
        return self.started + self.link.dialect.waits.application_seconds


class Dialogues:
    """The exchanges of all links."""

    def __init__(self, turns: Turns, binds: Binds, work: Work, metrics: Metrics) -> None:
        self._turns = turns
        self._now = turns.ports.now
        self._binds = binds
        self._work = work
        self._metrics = metrics
        self._exchanges: dict[str, Exchange] = {}
        self._waiting: dict[Bind, deque[Exchange]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether a message waits for its screen, or a screen for its acceptance."""
        return bool(self._exchanges)

    def heard(self, bind: Bind, link: Link, message: Message) -> None:
        """A message of a dialogue, accepted on the wire."""
        exchange = Exchange(bind, link, message, self._now())
        before = self._exchanges.get(exchange.msisdn)
        if before is not None and before.reply is not None and before.dead_at < exchange.started:
            self._forget(before)  # its acceptance was lost: whoever speaks now has seen it, or has dialled again
            before = None
        elsewhere = before is not None and before.link.name != link.name
        if message.kind in (Kind.ABORT, Kind.NETWORK_ABORT):
            self._aborted(exchange, None if elsewhere else before, network=message.kind is Kind.NETWORK_ABORT)
        elif before is not None and (message.kind is not Kind.BEGIN or before.mark == exchange.mark):
            self._metrics.duplicates.inc()
            if before.reply is not None and not elsewhere:
                self._send(before)
        else:
            self._take(exchange, before, message)

    def _aborted(self, exchange: Exchange, before: Exchange | None, *, network: bool) -> None:
        self._metrics.aborts.inc()
        self._overtake(before)
        cause = NETWORK_ABORT if network else USER_ABORT
        self._work.begin(self._turns.hang_up(exchange.msisdn, exchange.link, cause))

    def _take(self, exchange: Exchange, before: Exchange | None, message: Message) -> None:
        self._overtake(before)
        self._binds.heard(exchange.msisdn, exchange.bind)
        (self._metrics.begins if message.kind is Kind.BEGIN else self._metrics.answers).inc()
        self._exchanges[exchange.msisdn] = exchange
        dialled = None if message.kind is Kind.REPLY else over_smpp.dialled(message)
        request: Begin | Answer = (
            Begin(exchange.msisdn, exchange.link, dialled, exchange.mark, exchange.until)
            if message.kind is Kind.BEGIN
            else Answer(exchange.msisdn, exchange.link, message.text, exchange.mark, exchange.until, dialled)
        )
        exchange.taking = Taking(self._turns, request)
        self._work.begin(self._serve(exchange, exchange.taking))

    async def _serve(self, exchange: Exchange, taking: Taking) -> None:
        reply = await self._work.safely(taking.reply(), taking.broken, exchange.msisdn)
        if exchange.overtaken or exchange.reply is not None:
            self._metrics.screens_late.inc()
        elif reply is None:
            self._forget(exchange)
        else:
            self._metrics.turn_seconds.observe(self._now() - exchange.started)
            exchange.reply = reply
            self._send(exchange)

    def _overtake(self, exchange: Exchange | None) -> None:
        if exchange is not None:
            exchange.overtaken = True
            self._forget(exchange)

    def _forget(self, exchange: Exchange) -> None:
        if self._exchanges.get(exchange.msisdn) is exchange:
            del self._exchanges[exchange.msisdn]

    # --- screens --------------------------------------------------------------------------------------------------

    def _send(self, exchange: Exchange) -> bool:
        """Sends the exchange's screen; False when it cannot be sent at all. One that waits for room is sent later."""
        link, reply = exchange.link, exchange.reply
        bind = self._binds.for_screen(exchange.bind, link)
        if bind is None or reply is None:
            self._lost(exchange)
            return False
        text = reply.again if reply.again and exchange.sent else reply.text
        try:
            bind.send(
                over_smpp.screen_pdu(text, reply.ends, exchange.msisdn, exchange.code, link.dialect, link.role),
                exchange,
            )
        except WindowFull as error:
            self._wait(exchange, bind, error)
            return True
        except (WrongState, ValueError):  # the bind ends, or the link's dialect has a field that cannot be written
            self._lost(exchange)
            return False
        exchange.sent = True
        self._metrics.screens_sent.inc()
        return True

    def _lost(self, exchange: Exchange) -> None:
        self._metrics.screens_homeless.inc()
        self._forget(exchange)

    def answered(self, bind: Bind, exchange: Exchange, response: Pdu | None) -> None:
        """The peer's word on a screen; None: it gave none in time, or is gone. A screen is never sent again for it."""
        if response is None:
            self._metrics.screens_expired.inc()
        elif response.command_status:
            self._metrics.screens_refused.inc()
        self._forget(exchange)
        self._send_waiting(bind)

    def _wait(self, exchange: Exchange, bind: Bind, error: WindowFull) -> None:
        """The screen leaves when a place in the window is free, or when the rate has room."""
        if not exchange.waits:
            exchange.waits = True
            self._waiting.setdefault(bind, deque()).append(exchange)
        if isinstance(error, TooFast):
            asyncio.get_running_loop().call_later(error.wait_seconds, self._send_waiting, bind)

    def _send_waiting(self, bind: Bind) -> None:
        waiting = self._waiting.get(bind)
        while waiting:
            following = waiting.popleft()
            following.waits = False
            if self._exchanges.get(following.msisdn) is not following:
                continue  # overtaken meanwhile
            if following.dead_at < self._now():
                self._lost(following)
            elif self._send(following):
                return

    def gone(self, bind: Bind) -> None:
        """A bind has ended: what waited for room on it tries another of its link."""
        for exchange in self._waiting.pop(bind, ()):
            exchange.waits = False
            if self._exchanges.get(exchange.msisdn) is exchange:
                self._send(exchange)

    # --- time -----------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Apologises for turns past their deadline, for as long as the engine runs."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._work.count()
            now = self._now()
            late = [each for each in self._exchanges.values() if each.reply is None and each.until + LATE_SECONDS < now]
            for exchange in late:
                self._metrics.apologies.inc()
                assert exchange.taking is not None  # noqa: S101 - what is late is being worked on
                exchange.reply = exchange.taking.too_late()
                self._send(exchange)
