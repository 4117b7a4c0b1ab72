"""Where messages of peers come in and screens go out: who may talk, what is a repeat, what is too much, what is late.

Rules of this file (a shell around `turn` and `sms_turn`):
- A dialogue's message is answered on the wire at once, before the menu's work; an SMS only when its work is done. What
  is too much is refused with ESME_RTHROTTLED.
- One answer per prompt: while a number's turn is being worked on, its further answers are duplicates; until the peer
  has accepted our screen, a further answer gets the same screen again. A new begin takes the number over.
- A screen leaves on the bind on which its input came; if that is gone or cannot carry it, on another of the same link.
- A turn that outlives its deadline is apologised for once, and its own screen is never sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Coroutine, Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import structlog

from smpp import constants
from smpp.errors import WindowFull, WrongState
from smpp.pdu import DataSm, DataSmResp, DeliverSm, Pdu, SubmitSm, SubmitSmResp, answer
from smpp.receipt import read_receipt
from smpp.segments import Joiner

from . import over_smpp
from .accounts import Accounts
from .binds import Binds
from .config import Link, ServerLink
from .menu import Service
from .metrics import Metrics
from .outbox import NotSent, Outbox, Part, Sms
from .over_smpp import Kind, Message
from .sms_turn import LATER, Incoming, SmsTurns
from .turn import Answer, Begin, Reply, Turns

if TYPE_CHECKING:
    from smpp.link import Link as Bind
    from smpp.pdu import BindPdu
    from smpp.upstream import Upstream

Carrier: TypeAlias = SubmitSm | DeliverSm | DataSm
T = TypeVar("T")

BUDGET_SHARE = 0.8
"""Of the time that the network waits for us, this much is a turn's; the rest is the way back."""
SMS_SECONDS_MAX = 8.0
"""How long an SMS may take until its acceptance."""
TRY_LATER: dict[type[Pdu], int] = {
    SubmitSm: constants.ESME_RSYSERR,
    DeliverSm: constants.ESME_RX_T_APPN,
    DataSm: constants.ESME_RX_T_APPN,
}
"""The temporary error after which a peer sends its message again (SMPP 3.4 section 5.1.3)."""
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
    """The owner of every bind, of those that peers open to us and of those that we open (`smpp` calls it)."""

    def __init__(
        self,
        turns: Turns,
        sms_turns: SmsTurns,
        outbox: Outbox,
        binds: Binds,
        links: Mapping[str, Link],
        accounts: Accounts,
        metrics: Metrics,
        turns_in_flight_max: int,
        process: str,
    ) -> None:
        """`process`: tells this process' binds from another's."""
        self._turns = turns
        self._catalog = turns.ports.catalog
        self._now = turns.ports.now
        self._sms_turns = sms_turns
        self._outbox = outbox
        self._binds = binds
        self._links = links
        self._joiners = {name: Joiner(link.dialect.default_alphabet) for name, link in links.items()}
        self._accounts = accounts
        self._metrics = metrics
        self._in_flight_max = turns_in_flight_max
        self._process = process
        self._log = structlog.get_logger()
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
        status = found if isinstance(found, int) else self._admit(bind, found)
        if status:
            self._metrics.binds_refused.inc()
            self._log.warning("bind refused", peer=bind.peer_ip, status=constants.status_name(status))
        return status

    def _admit(self, bind: Bind, link: Link) -> int:
        if isinstance(link.config, ServerLink) and self._binds.count(link) >= link.config.binds_max:
            return constants.ESME_RALYBND
        self._take(bind, link)
        return constants.ESME_ROK

    def _take(self, bind: Bind, link: Link) -> None:
        self._count += 1
        bind.name = f"{link.name}.{self._process}.{self._count}"
        self._binds.add(bind, link)

    def bound(self, bind: Bind) -> None:
        link = self._binds.link_of(bind)
        if link is None:  # one that we have opened: it bears the name of its link
            link = self._links[bind.name]
            self._take(bind, link)
        self._metrics.binds.labels(link.name).inc()
        self._log.info("bound", link=link.name, bind=bind.name, peer=bind.peer_ip, state=bind.state.value)

    def not_bound(self, upstream: Upstream, error: ConnectionError) -> None:
        """A try to bind to a peer failed; another will follow."""
        self._metrics.dials_failed.labels(upstream.name).inc()
        self._log.warning("not bound", link=upstream.name, reason=str(error))

    def gone(self, bind: Bind, reason: str) -> None:
        link = self._binds.drop(bind)
        for exchange in self._waiting.pop(bind, ()):
            self._forget(exchange)
        if link is not None:
            self._metrics.binds.labels(link.name).dec()
            self._log.info("bind ended", link=link.name, bind=bind.name, reason=reason)

    def quirk(self, bind: Bind, kind: str) -> None:
        self._metrics.quirks.labels(kind).inc()

    # --- messages -------------------------------------------------------------------------------------------------

    def request(self, bind: Bind, pdu: Pdu) -> None:
        """A request of a bound peer: a dialogue's is answered here and worked on afterwards, an SMS after its work."""
        link = self._binds.link_of(bind)
        if link is None or not isinstance(pdu, SubmitSm | DeliverSm | DataSm):
            bind.respond(pdu, constants.ESME_RINVCMDID)
            return
        receipt = read_receipt(pdu)
        if receipt is not None:
            self._accept(bind, pdu)
            self._outbox.receipt(link.name, receipt)
            return
        message = over_smpp.read_message(pdu, link.dialect, link.network.country)
        if message.kind is Kind.SMS:
            self._sms(bind, link, pdu, message)
        elif status := self._refusal(message):
            self._refuse(bind, pdu, status)
        else:
            self._accept(bind, pdu)
            self._heard(bind, link, message)

    def _refusal(self, message: Message) -> int:
        if message.msisdn is None:
            return constants.ESME_RINVSRCADR
        if self._in_flight >= self._in_flight_max or not self._open:
            return constants.ESME_RTHROTTLED
        return constants.ESME_ROK

    def _refuse(self, bind: Bind, pdu: Pdu, status: int) -> None:
        (self._metrics.throttled if status == constants.ESME_RTHROTTLED else self._metrics.refused).inc()
        bind.respond(pdu, status)

    def _accept(self, bind: Bind, pdu: Pdu) -> None:
        self._count += 1
        response = answer(pdu)
        if isinstance(response, SubmitSmResp | DataSmResp):
            response = response._replace(message_id=f"{self._process}{self._count:x}")
        bind.respond(pdu, response if response is not None else constants.ESME_ROK)

    # --- SMS ------------------------------------------------------------------------------------------------------

    def _sms(self, bind: Bind, link: Link, pdu: Carrier, message: Message) -> None:
        service = self._catalog.takes_sms(link.config.network, message.code)
        if service is None:
            self._refuse(bind, pdu, constants.ESME_RINVDSTADR)  # no service takes an SMS at this address
        elif message.msisdn is None:
            self._accept(bind, pdu)  # from a short number or a name: never answered
        elif self._in_flight >= self._in_flight_max or not self._open:
            self._refuse(bind, pdu, constants.ESME_RTHROTTLED)
        else:
            text = self._joiners[link.name].add(pdu.source_addr, pdu.destination_addr, pdu, self._now())
            if text is None:
                self._accept(bind, pdu)  # a part of a longer text, the rest of which is still to come
                return
            self._binds.heard(message.msisdn, bind)
            self._metrics.sms_received.inc()
            self._in_flight += 1
            until = self._now() + SMS_SECONDS_MAX
            incoming = Incoming(message.msisdn, link, message.code, text, until)
            self._aside(self._take_sms(bind, pdu, service, incoming))

    async def _take_sms(self, bind: Bind, pdu: Carrier, service: Service, sms: Incoming) -> None:
        try:
            verdict = await self._safely(self._sms_turns.take(service, sms), LATER, sms.msisdn)
        finally:
            self._in_flight -= 1
        if verdict.accepted:
            self._accept(bind, pdu)
            if verdict.answer is not None:
                await self._send_sms(verdict.answer)
        else:  # the SMSC keeps it and sends it again
            self._joiners[sms.link.name].take_back(pdu.source_addr, pdu.destination_addr, pdu)
            self._refuse(bind, pdu, TRY_LATER[type(pdu)])

    async def _safely(self, work: Awaitable[T], otherwise: T, msisdn: str) -> T:
        """What the work gives; after a fault of ours, which is logged, what is to be said instead."""
        try:
            return await work
        except Exception as error:  # noqa: BLE001 - the one place: whoever waits still gets an answer
            self._metrics.failed(type(error).__name__, msisdn)
            self._log.exception("a fault of ours", msisdn=msisdn)
            return otherwise

    async def _send_sms(self, sms: Sms) -> None:
        """Sends an answer; one that is lost can be asked for again."""
        try:
            await self._outbox.send(sms)
        except NotSent as error:
            self._log.warning("answer not sent", msisdn=sms.msisdn, reason=str(error))

    # --- dialogues ------------------------------------------------------------------------------------------------

    def _heard(self, bind: Bind, link: Link, message: Message) -> None:
        now = self._now()
        self._binds.heard(message.msisdn or "", bind)
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
        sorry = self._turns.own_words("try_again", link)
        try:
            reply = await self._safely(self._turns.take(request), sorry, exchange.msisdn)
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
        link = exchange.link
        bind = self._binds.for_screen(exchange.bind, link)
        if bind is None:
            self._metrics.screens_homeless.inc()
            self._forget(exchange)
            return
        pdu = over_smpp.screen_pdu(reply.text, reply.ends, exchange.msisdn, exchange.code, link.dialect, link.role)
        try:
            bind.send(pdu, exchange)
        except WindowFull:
            self._waiting.setdefault(bind, deque()).append(exchange)
        except WrongState:
            self._metrics.screens_homeless.inc()
            self._forget(exchange)
        else:
            self._metrics.screens_sent.inc()

    def response(self, bind: Bind, request: Pdu, response: Pdu | None, context: object) -> None:
        """The peer's word on what we sent; None: it gave none in time, or is gone. A screen is never sent again."""
        if isinstance(context, Part):
            self._outbox.answered(context, response)
            return
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
