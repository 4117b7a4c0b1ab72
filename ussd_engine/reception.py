"""Where messages of peers come in and screens go out: who may talk, what is a repeat, what is too much, what is late.

Rules of this file (a shell around `turn`):
- A message is answered on the wire at once, before the menu's work; what is too much is refused with ESME_RTHROTTLED.
- One answer per prompt: while a number's turn is being worked on, its further answers are duplicates; until the peer
  has accepted our screen, a further answer gets the same screen again. A new begin takes the number over.
- A screen leaves on the bind on which its input came; if that is gone or cannot carry it, on another of the same link.
- A turn that outlives its deadline is apologised for once, and its own screen is never sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

import structlog

from smpp import constants
from smpp.errors import WindowFull, WrongState
from smpp.pdu import DataSm, DataSmResp, Pdu, SubmitSm, SubmitSmResp
from smpp.states import MAY_SEND, Role

from . import over_smpp
from .accounts import Accounts
from .config import Link
from .metrics import Metrics
from .over_smpp import Kind, Message
from .turn import Answer, Begin, Reply, Turns

if TYPE_CHECKING:
    from smpp.link import Link as Bind
    from smpp.pdu import BindPdu

BUDGET_SHARE = 0.8
"""Of the time that the network waits for us, this much is a turn's; the rest is the way back."""
LATE_SECONDS = 0.25
"""So long after its deadline a turn is apologised for."""
SWEEP_SECONDS = 0.25


class _Exchange:
    """One message of a dialogue and what has become of it: being worked on, or its screen sent and not accepted yet."""

    __slots__ = ("bind", "code", "link", "mark", "msisdn", "overtaken", "reply", "started", "task", "until")

    def __init__(self, bind: Bind, link: Link, message: Message, started: float, until: float) -> None:
        self.bind = bind
        self.link = link
        self.msisdn = message.msisdn or ""
        self.code = message.code
        self.mark = f"{bind.name}/{message.mark}"
        self.started = started
        self.until = until
        self.reply: Reply | None = None
        self.overtaken = False
        self.task: asyncio.Task[None] | None = None


class Reception:
    """The owner of every bind that peers open to us (`smpp.listen.ListenOwner`)."""

    def __init__(
        self,
        turns: Turns,
        accounts: Accounts,
        metrics: Metrics,
        now: Callable[[], float],
        turns_in_flight_max: int,
        process: str,
    ) -> None:
        """`now`: monotonic seconds, the clock of `turns`. `process`: tells this process' binds from another's."""
        self._turns = turns
        self._accounts = accounts
        self._metrics = metrics
        self._now = now
        self._in_flight_max = turns_in_flight_max
        self._process = process
        self._log = structlog.get_logger()
        self._links: dict[Bind, Link] = {}
        self._exchanges: dict[str, _Exchange] = {}
        self._in_flight = 0
        self._asides: set[asyncio.Task[None]] = set()
        self._waiting: dict[Bind, deque[_Exchange]] = {}
        self._count = 0
        self._open = True

    # --- binds ----------------------------------------------------------------------------------------------------

    def connected(self, peer_ip: str) -> bool:
        """Whether to talk to this address at all."""
        return self._open and self._accounts.admits(peer_ip)

    async def bind(self, bind: Bind, request: BindPdu) -> int:
        """The status that answers a bind; 0 accepts."""
        found = await self._accounts.authenticate(request.system_id, request.password, bind.peer_ip)
        status = found if isinstance(found, int) else self._take(bind, found)
        if status:
            self._metrics.binds_refused.inc()
            self._log.warning("bind refused", peer=bind.peer_ip, status=constants.status_name(status))
        return status

    def _take(self, bind: Bind, link: Link) -> int:
        if sum(each is link for each in self._links.values()) >= link.config.binds_max:
            return constants.ESME_RALYBND
        self._count += 1
        bind.name = f"{link.name}.{self._process}.{self._count}"
        self._links[bind] = link
        return constants.ESME_ROK

    def bound(self, bind: Bind) -> None:
        link = self._links[bind]
        self._metrics.binds.labels(link.name).inc()
        self._log.info("bound", link=link.name, bind=bind.name, peer=bind.peer_ip, state=bind.state.value)

    def gone(self, bind: Bind, reason: str) -> None:
        link = self._links.pop(bind, None)
        self._waiting.pop(bind, None)
        if link is not None:
            self._metrics.binds.labels(link.name).dec()
            self._log.info("bind ended", link=link.name, bind=bind.name, reason=reason)

    def quirk(self, bind: Bind, kind: str) -> None:
        self._metrics.quirks.labels(kind).inc()

    # --- messages -------------------------------------------------------------------------------------------------

    def request(self, bind: Bind, pdu: Pdu) -> None:
        """A request of a bound peer: answered here, and worked on afterwards."""
        if not isinstance(pdu, SubmitSm | DataSm):
            bind.respond(pdu, constants.ESME_RINVCMDID)
            return
        link = self._links[bind]
        message = over_smpp.read_message(pdu, link.dialect, link.network.country)
        status = self._refusal(message)
        if status:
            (self._metrics.throttled if status == constants.ESME_RTHROTTLED else self._metrics.refused).inc()
            bind.respond(pdu, status)
            return
        self._count += 1
        resp = SubmitSmResp if isinstance(pdu, SubmitSm) else DataSmResp
        bind.respond(pdu, resp(message_id=f"{self._process}{self._count:x}"))
        self._heard(bind, link, message)

    def _refusal(self, message: Message) -> int:
        if message.kind is Kind.SMS:
            return constants.ESME_RINVDSTADR  # no service takes an SMS at this address
        if message.msisdn is None:
            return constants.ESME_RINVSRCADR
        if self._in_flight >= self._in_flight_max or not self._open:
            return constants.ESME_RTHROTTLED
        return constants.ESME_ROK

    def _heard(self, bind: Bind, link: Link, message: Message) -> None:
        now = self._now()
        until = now + link.dialect.waits.application_seconds * BUDGET_SHARE
        exchange = _Exchange(bind, link, message, now, until)
        before = self._exchanges.get(exchange.msisdn)
        if message.kind is Kind.ABORT:
            self._metrics.aborts.inc()
            self._overtake(before)
            self._aside(self._turns.hang_up(exchange.msisdn))
            return
        if before is not None and (message.kind is Kind.REPLY or before.mark == exchange.mark):
            self._repeated(before)
            return
        self._overtake(before)
        (self._metrics.begins if message.kind is Kind.BEGIN else self._metrics.answers).inc()
        self._exchanges[exchange.msisdn] = exchange
        self._in_flight += 1
        exchange.task = asyncio.get_running_loop().create_task(self._serve(exchange, message))

    def _repeated(self, exchange: _Exchange) -> None:
        """Another message on a prompt that is answered already: nothing while it is worked on, then the same screen."""
        self._metrics.duplicates.inc()
        if exchange.reply is not None:
            self._send(exchange, exchange.reply)

    def _overtake(self, exchange: _Exchange | None) -> None:
        if exchange is not None:
            exchange.overtaken = True
            self._forget(exchange)

    def _forget(self, exchange: _Exchange) -> None:
        if self._exchanges.get(exchange.msisdn) is exchange:
            del self._exchanges[exchange.msisdn]

    def _aside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _serve(self, exchange: _Exchange, message: Message) -> None:
        link = exchange.link
        request: Begin | Answer
        if message.kind is Kind.BEGIN:
            dialled = over_smpp.dialled(message)
            request = Begin(exchange.msisdn, link, dialled, exchange.mark, exchange.until)
        else:
            request = Answer(exchange.msisdn, link, message.text, exchange.mark, exchange.until)
        reply: Reply | None = None
        try:
            reply = await self._turns.take(request)
        except Exception as error:  # noqa: BLE001 - the one place: a fault of ours still gives the subscriber a screen
            self._metrics.failed(f"{type(error).__name__}: {error}", exchange.msisdn)
            self._log.exception("turn failed", msisdn=exchange.msisdn)
            reply = self._turns.own_words("try_again", link)
        finally:
            self._in_flight -= 1
        if exchange.overtaken:
            self._metrics.screens_late.inc()
        elif reply is None:
            self._forget(exchange)
        else:
            self._metrics.turn_seconds.observe(self._now() - exchange.started)
            exchange.reply = reply
            self._send(exchange, reply)

    # --- screens --------------------------------------------------------------------------------------------------

    def _send(self, exchange: _Exchange, reply: Reply) -> None:
        bind = self._way_back(exchange)
        if bind is None:
            self._metrics.screens_homeless.inc()
            self._forget(exchange)
            return
        pdu = over_smpp.screen_pdu(reply.text, reply.ends, exchange.msisdn, exchange.code, exchange.link.dialect)
        try:
            bind.send(pdu, exchange)
        except WindowFull:
            self._waiting.setdefault(bind, deque()).append(exchange)
        except WrongState:
            self._metrics.screens_homeless.inc()
            self._forget(exchange)
        else:
            self._metrics.screens_sent.inc()

    def _way_back(self, exchange: _Exchange) -> Bind | None:
        if exchange.bind in self._links and _carries_screens(exchange.bind):
            return exchange.bind
        others = (bind for bind, link in self._links.items() if link is exchange.link and _carries_screens(bind))
        return next(others, None)

    def response(self, bind: Bind, request: Pdu, response: Pdu | None, context: object) -> None:
        """The peer's word on a screen of ours; None: it gave none in time, or is gone. We never send it again."""
        if response is None:
            self._metrics.screens_expired.inc()
        elif response.command_status:
            self._metrics.screens_refused.inc()
        if isinstance(context, _Exchange):
            self._forget(context)
        waiting = self._waiting.get(bind)
        if waiting:
            exchange = waiting.popleft()
            if not exchange.overtaken and exchange.reply is not None:
                self._send(exchange, exchange.reply)

    # --- time -----------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Apologises for turns past their deadline, for as long as the engine runs."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._metrics.turns_in_flight.set(self._in_flight)
            now = self._now()
            late = [each for each in self._exchanges.values() if each.reply is None and each.until + LATE_SECONDS < now]
            for exchange in late:
                self._metrics.apologies.inc()
                self._overtake(exchange)
                self._send(exchange, self._turns.own_words("being_checked", exchange.link))

    async def drain(self, seconds_max: float) -> None:
        """Takes no more messages and waits until what is being worked on has its screen."""
        self._open = False
        working = {each.task for each in self._exchanges.values() if each.task is not None} | self._asides
        if working:
            await asyncio.wait(working, timeout=seconds_max)


def _carries_screens(bind: Bind) -> bool:
    return constants.DELIVER_SM in MAY_SEND[Role.SERVER, bind.state]
