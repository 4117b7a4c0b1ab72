"""Where messages of peers come in: whose binds they are, who may talk, what is for a dialogue and what is an SMS.

Rules of this file (a shell; dialogues go on in `dialogues`, SMS in `sms_turn`):
- A dialogue's message is answered on the wire at once, before the menu's work; an SMS only when its work is done. What
  is too much is refused with ESME_RTHROTTLED, or, where the dialect wants it, with a screen.
- No link takes the engine from the others: so many of its turns are worked on, so much begins a second.
- A message from whose address we could not answer is refused with a status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import structlog

import failpoints
from masking import Masker
from smpp import constants
from smpp.errors import BindRefused
from smpp.flow import Flow
from smpp.pdu import (
    BindReceiver,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSm,
    Outbind,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    answer,
)
from smpp.receipt import read_receipt
from smpp.segments import PARTS_MAX, Joiner, TextTooLong, split

from . import over_smpp
from .accounts import Accounts, may_outbind
from .binds import Binds
from .chronicle import Chronicle
from .config import Link
from .dialect import Kind
from .dialect_values import Value
from .dialogues import Dialogues
from .exchange import Exchange
from .language.menu import Service
from .link_states import LinkStates
from .metrics import Metrics
from .outbox import NotSent, Outbox, Part, Sms
from .over_smpp import CODE_CHARACTERS_MAX, Message
from .peer_config import ServerLink
from .record import OVERLOAD, sms_record
from .sms_turn import LATER, Incoming, SmsTurns
from .trace import Traces
from .work import Work

if TYPE_CHECKING:
    from smpp.link import Link as Bind
    from smpp.pdu import BindPdu
    from smpp.upstream import Upstream

Carrier: TypeAlias = SubmitSm | DeliverSm | DataSm

SMS_SECONDS_MAX = 8.0
"""How long an SMS may take until its acceptance."""
TRY_LATER: dict[type[Pdu], int] = {
    SubmitSm: constants.ESME_RSYSERR,
    DeliverSm: constants.ESME_RX_T_APPN,
    DataSm: constants.ESME_RX_T_APPN,
}
"""The temporary error after which a peer sends its message again (SMPP 3.4 section 5.1.3)."""
NOT_SERVED: dict[type[Pdu], int] = {
    QuerySm: constants.ESME_RQUERYFAIL,
    CancelSm: constants.ESME_RCANCELFAIL,
    ReplaceSm: constants.ESME_RREPLACEFAIL,
    SubmitMulti: constants.ESME_RSUBMITFAIL,
}
"""What a peer that bound to us may ask of a message centre, and we are none (SMPP 3.4 sections 4.5, 4.8-4.10, 5.1.3).

A message that we have accepted is worked on by then: there is nothing left to ask for, to call back or to replace. A
message for many numbers has no meaning where each number is a service. alert_notification (4.12) has no response.
"""


class Reception:
    """The owner of every bind, of those that peers open to us and of those that we open (`smpp` calls it)."""

    def __init__(  # long because: each part that it owns or serves is a line
        self,
        dialogues: Dialogues,
        sms_turns: SmsTurns,
        outbox: Outbox,
        binds: Binds,
        links: Mapping[str, Link],
        chronicle: Chronicle,
        accounts: Accounts,
        work: Work,
        metrics: Metrics,
        states: LinkStates,
        traces: Traces,
        bind_pdus: Mapping[str, BindPdu],
        process: str,
        masker: Masker,
    ) -> None:
        """`bind_pdus`: how we bind to whom we bind to. `process`: tells this process' binds from another's."""
        self._masker = masker
        self._states = states
        self._traces = traces
        self._bind_pdus = bind_pdus
        self._dialogues = dialogues
        self._sms_turns = sms_turns
        self._outbox = outbox
        self._binds = binds
        self._links = links
        self._versions = sms_turns.ports.versions
        self._chronicle = chronicle
        self._joiners = {name: Joiner(link.dialect.default_alphabet) for name, link in links.items()}
        self._flows = {name: Flow(link.config.floods.per_second, sms_turns.ports.now()) for name, link in links.items()}
        self._sms_working: Counter[tuple[str, str]] = Counter()
        self._accounts = accounts
        self._work = work
        self._metrics = metrics
        metrics.begin_with(links)
        self._process = process
        self._now = sms_turns.ports.now
        self._log = structlog.get_logger()
        self._bound: set[Bind] = set()
        self._unknown_ops: set[tuple[str, Value | None]] = set()
        self._count = 0

    # --- binds ----------------------------------------------------------------------------------------------------

    def connected(self, peer_ip: str) -> bool:
        """Whether to talk to this address at all."""
        return self._work.is_open and self._accounts.admits(peer_ip)

    async def bind(self, bind: Bind, request: BindPdu) -> int:
        """The status that answers a bind; 0 accepts."""
        found = await self._accounts.authenticate(
            request.system_id, request.password, bind.peer_ip, secure=bind.is_secure, certificate=bind.certificate_name
        )
        status = found if isinstance(found, int) else self._admit(bind, found)
        if status:
            account = self._accounts.link_of(request.system_id)
            if account is not None:
                self._states.failed(account.name, f"bind from {bind.peer_ip} refused: {constants.status_name(status)}")
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
        state = self._states[link.name]
        bind.serve(link.limits, state.traffic, state.flow)
        self._traces.attend(bind, link.name)

    def outbind(self, bind: Bind, request: Outbind) -> BindPdu | None:
        """A centre asks to be bound to: we do, as the link that its address and name belong to."""
        for name, pdu in self._bind_pdus.items():
            if may_outbind(
                self._links[name], request.system_id, bind.peer_ip, secure=bind.is_secure, name=bind.certificate_name
            ):
                bind.name = name
                state = self._states[name]
                bind.serve(self._links[name].limits, state.traffic, state.flow)
                return BindReceiver(*pdu)
        self._log.warning("outbind not expected", peer=bind.peer_ip)
        return None

    def bound(self, bind: Bind) -> None:
        link = self._binds.link_of(bind)
        if link is None:  # one that we have opened: it bears the name of its link
            link = self._links[bind.name]
            self._take(bind, link)
        self._bound.add(bind)
        self._states.bound(link.name)
        self._metrics.binds.labels(link.name).inc()
        self._log.info("bound", link=link.name, bind=bind.name, peer=bind.peer_ip, state=bind.state.value)

    def not_bound(self, upstream: Upstream, error: ConnectionError) -> None:
        """A try to bind to a peer failed; another will follow."""
        self._not_bound(upstream.name, error)

    def _not_bound(self, link: str, error: ConnectionError) -> None:
        self._states.not_bound(link, error)
        self._metrics.dials_failed.labels(link).inc()
        wrong = self._states[link].wrong_account
        (self._log.error if wrong else self._log.warning)("not bound", link=link, reason=str(error))

    def refused(self, bind: Bind, status: int) -> None:
        """A centre that had asked for it by outbind has refused our bind."""
        self._not_bound(bind.name, BindRefused(status))

    def gone(self, bind: Bind, reason: str) -> None:
        link = self._binds.drop(bind)
        self._dialogues.gone(bind)
        if link is not None and bind in self._bound:
            self._bound.remove(bind)
            self._states.gone(link.name, reason)
            self._metrics.binds.labels(link.name).dec()
            self._log.info("bind ended", link=link.name, bind=bind.name, reason=reason)
            if not self._binds.count(link):
                self._chronicle.link_lost(link.name)

    def quirk(self, bind: Bind, kind: str) -> None:
        if self._binds.link_of(bind) is None:
            self._states.quirks_of_strangers[kind] += 1  # those of links are in their traffic

    # --- messages -------------------------------------------------------------------------------------------------

    def request(self, bind: Bind, pdu: Pdu) -> None:
        """A request of a bound peer: a dialogue's is answered here and worked on afterwards, an SMS after its work."""
        link = self._binds.link_of(bind)
        if link is None or not isinstance(pdu, SubmitSm | DeliverSm | DataSm):
            bind.respond(pdu, NOT_SERVED.get(type(pdu), constants.ESME_RINVCMDID))
            return
        receipt = read_receipt(pdu)
        if receipt is not None:
            self._accept(bind, pdu)
            self._outbox.receipt(link, receipt)
            return
        message = over_smpp.read_message(pdu, link.dialect, link.network.country, self._masker)
        failpoints.passed("pdu_parsed")
        if message.kind is Kind.SMS:
            self._sms(bind, link, pdu, message)
        elif status := self._refusal(link, message):
            if status == constants.ESME_RTHROTTLED and self._gets_screen(bind, link, message):
                self._metrics.throttled.inc()
                self._accept(bind, pdu)
                self._dialogues.too_much(bind, link, message)
            else:
                self._refuse(bind, pdu, status)
            if status == constants.ESME_RTHROTTLED and message.msisdn is not None:
                self._chronicle.troubled(message.msisdn, OVERLOAD)
        else:
            self._accept(bind, pdu)
            self._note_op(link, message)
            self._dialogues.heard(bind, link, message)

    def _note_op(self, link: Link, message: Message) -> None:
        """An op that the dialect does not know is logged once a link: perhaps the dialect lacks it."""
        if message.kind is Kind.UNKNOWN and (link.name, message.op) not in self._unknown_ops:
            self._unknown_ops.add((link.name, message.op))
            self._log.warning("unknown operation", link=link.name, op=message.op)

    def _refusal(self, link: Link, message: Message) -> int:
        if message.msisdn is None:
            return constants.ESME_RINVSRCADR
        if len(message.code) > CODE_CHARACTERS_MAX:
            return constants.ESME_RINVDSTADR  # it is our address in every screen, and would not fit there
        begins = message.kind is Kind.BEGIN
        if not self._work.has_room_for(link, begins=begins) or (begins and not self._begins_in_time(link)):
            return constants.ESME_RTHROTTLED
        return constants.ESME_ROK

    def _begins_in_time(self, link: Link) -> bool:
        """Whether the link's rate has room for one more that begins; a yes takes it."""
        flow, now = self._flows[link.name], self._now()
        if flow.wait_seconds(now):
            return False
        flow.sent(now)
        return True

    def _gets_screen(self, bind: Bind, link: Link, message: Message) -> bool:
        """Whether a begin that is too much is told so by a screen; not while screens wait already."""
        wanted = link.dialect.when_busy == "screen" and message.kind is Kind.BEGIN
        return wanted and self._work.is_open and self._dialogues.has_room_on(bind)

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
        service = self._versions.current.takes_sms(link.config.network, message.code)
        if service is None:
            self._refuse(bind, pdu, constants.ESME_RINVDSTADR)  # no service takes an SMS at this address
        elif message.msisdn is None:
            self._accept(bind, pdu)  # from a short number or a name: never answered
        elif not self._work.has_room_for(link, begins=True) or not self._begins_in_time(link):
            self._refuse(bind, pdu, constants.ESME_RTHROTTLED)
        else:
            text = self._joiners[link.name].add(pdu.source_addr, pdu.destination_addr, pdu, self._now())
            if text is not None:
                self._binds.heard(message.msisdn, bind)
                self._metrics.sms_received.inc()
                incoming = Incoming(message.msisdn, link, message.code, text, self._now() + SMS_SECONDS_MAX)
                self._work.begin(self._take_sms(bind, pdu, service, incoming), link.name)
            elif self._sms_working[link.name, message.msisdn]:
                self._refuse(bind, pdu, TRY_LATER[type(pdu)])  # perhaps a repeat of what is being worked on
            else:
                self._accept(bind, pdu)  # a part of a longer text, the rest of which is still to come

    async def _take_sms(self, bind: Bind, pdu: Carrier, service: Service, sms: Incoming) -> None:
        worked_on = sms.link.name, sms.msisdn
        self._sms_working[worked_on] += 1
        try:
            verdict = await self._work.safely(self._sms_turns.take(service, sms), lambda: LATER, sms.msisdn)
        finally:
            self._sms_working[worked_on] -= 1
            if not self._sms_working[worked_on]:
                del self._sms_working[worked_on]
        if verdict.accepted:
            failpoints.passed("sms_done")
            self._accept(bind, pdu)
            self._chronicle.sms(
                sms_record(
                    "mo", sms.msisdn, sms.link.config.network, sms.link.name, sms.short_number, service.id,
                    self._sms_turns.ports.wall_clock(), _parts(sms.text), "accepted", verdict.inbox_id,
                )
            )  # fmt: skip
            if verdict.answer is not None:
                await self._send_sms(verdict.answer)
        else:  # the SMSC keeps it and sends it again
            self._joiners[sms.link.name].take_back(pdu.source_addr, pdu.destination_addr, pdu)
            self._refuse(bind, pdu, TRY_LATER[type(pdu)])

    async def _send_sms(self, sms: Sms) -> None:
        """Sends an answer; one that is lost can be asked for again."""
        try:
            await self._outbox.send(sms)
        except NotSent as error:
            self._log.warning("answer not sent", msisdn=sms.msisdn, reason=str(error))

    # --- answers --------------------------------------------------------------------------------------------------

    def response(self, bind: Bind, request: Pdu, response: Pdu | None, context: object) -> None:
        """The peer's word on what we sent; None: it gave none in time, or is gone."""
        if isinstance(context, Part):
            self._outbox.answered(bind, context, response)
        elif isinstance(context, Exchange):
            self._dialogues.answered(bind, context, response)


def _parts(text: str) -> int:
    """How many parts an SMS of this text takes."""
    try:
        return len(split(text, 0))
    except TextTooLong:
        return PARTS_MAX
