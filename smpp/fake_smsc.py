"""A scripted USSD centre and SMSC: real SMPP on a real socket, with handsets that dial and a script that misbehaves.

For tests, the demo and the bench; our engine, or any ESME, binds to it.

Rules of this file:
- It keeps the protocol as a centre would, by `listen`, and adds no shortcut: whatever a test sees has crossed a socket.
- Without a script it is well behaved. `treat_next` and the public attributes say, one thing at a time, what goes wrong.
- A wait ends with what was waited for, or with NotServed that says what came instead: never in silence.
- What nobody asks for is kept, up to a bound: a test can look for what should not have come.
"""
# long because: the centre, its handsets and what they hand out are one fake

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, TypeAlias, cast

from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp.limits import Limits
from smpp.link import Link
from smpp.listen import Listener, listen
from smpp.pdu import BindPdu, DataSm, DataSmResp, DeliverSm, Outbind, Pdu, SubmitSm, SubmitSmResp, Tlv, find_tlv
from smpp.receipt import ESM_CLASS_RECEIPT, STAT_WORDS, MessageState
from smpp.segments import Joiner, message_octets, read_part, split
from smpp.states import State
from smpp.text import Alphabet, decode_text, encode_gsm, encode_ucs2, septets

TON_INTERNATIONAL: Final = 1
NPI_E164: Final = 1
CUT: Final = "cut_by_script"
_KEPT_MAX: Final = 100_000
_RECEIVING: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})

Submitted: TypeAlias = SubmitSm | DataSm


class NotServed(Exception):
    """What was waited for did not come: `status` is the ESME status of a refusal, None for anything else."""

    def __init__(self, what: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(what)


class Account(NamedTuple):
    """As whom an ESME binds to the centre."""

    system_id: str = "engine"
    password: str = "secret"  # noqa: S105 - a fake's


class Ops(NamedTuple):
    """The values of ussd_service_op (5.3.2.44) that the centre speaks; those of the standard dialect."""

    begin: int = c.USSD_PSSR_INDICATION
    reply: int = c.USSD_USSR_CONFIRM
    abort: int = 129
    end: int = c.USSD_PSSR_RESPONSE
    notify: int = c.USSD_USSN_REQUEST
    confirm: int = c.USSD_USSN_CONFIRM


_ACCOUNT: Final = Account()
_OPS: Final = Ops()


class Treatment(NamedTuple):
    """What the centre does with a message that it is given."""

    status: int = c.ESME_ROK  # any other: the message is refused
    delay_seconds: float = 0.0  # before anything below is done
    answered: bool = True  # False: the message is taken, and its response lost
    cut: bool = False  # the connection is cut instead, and the message not taken
    receipt_first: bool = False  # its receipt (see `receipts_of`) goes out before its response


class Screen(NamedTuple):
    """What a handset shows."""

    text: str
    ends: bool  # the dialogue is over
    op: int
    pdu: Submitted


class Sms(NamedTuple):
    """An SMS that the centre was given, whole."""

    source: str
    destination: str
    text: str
    message_ids: tuple[str, ...]  # of its parts, in the order they came
    parts: tuple[Submitted, ...]


class Handset:
    """A subscriber's telephone. Made by `FakeSmsc.handset`."""

    def __init__(self, smsc: FakeSmsc, number: str, tlvs: tuple[Tlv, ...]) -> None:
        self.number = number
        self.link: Link | None = None  # where its last dialogue began: the network goes on there while it can
        self.code = ""
        self._smsc = smsc
        self._tlvs = tlvs
        self.arrived: asyncio.Queue[Screen | NotServed] = asyncio.Queue()

    async def dial(self, code: str, seconds: float = 5.0) -> Screen:
        """Dials, and waits for the first screen. Raises NotServed."""
        self.begin(code)
        return await self.screen(seconds)

    async def send(self, text: str, seconds: float = 5.0) -> Screen:
        """Types an answer, and waits for the next screen. Raises NotServed."""
        self.reply(text)
        return await self.screen(seconds)

    async def screen(self, seconds: float = 5.0) -> Screen:
        """The next screen that comes, also one that nobody dialled for. Raises NotServed."""
        try:
            arrived = await asyncio.wait_for(self.arrived.get(), seconds)
        except TimeoutError:
            raise NotServed(f"no screen for {self.number} in {seconds:g} s") from None
        if isinstance(arrived, NotServed):
            raise arrived
        return arrived

    def begin(self, code: str, link: Link | None = None) -> None:
        """Dials, on this link if one is given, and does not wait. Raises NotServed when nobody is bound."""
        self.code = code
        self.link = link or self._smsc.receiving_link()
        self._send(code, self._smsc.ops.begin)

    def reply(self, text: str) -> None:
        """Types an answer, and does not wait."""
        self._send(text, self._smsc.ops.reply)

    def confirm(self) -> None:
        """Acknowledges a notification."""
        self._send("", self._smsc.ops.confirm)

    def hang_up(self) -> None:
        """Ends the dialogue from the network's side; nothing is expected back."""
        self._send("", self._smsc.ops.abort)

    def _send(self, text: str, op: int) -> None:
        gsm = septets(text) is not None
        pdu = DeliverSm(
            service_type="USSD",
            source_addr_ton=TON_INTERNATIONAL,
            source_addr_npi=NPI_E164,
            source_addr=self.number,
            dest_addr_npi=NPI_E164,
            destination_addr=self.code[:20],
            data_coding=c.CODING_DEFAULT if gsm else c.CODING_UCS2,
            short_message=encode_gsm(text) if gsm else encode_ucs2(text),
            tlvs=(Tlv(c.TAG_USSD_SERVICE_OP, bytes((op,))), *self._tlvs),
        )
        if self.link is None or self.link.state not in _RECEIVING:
            self.link = self._smsc.receiving_link()
        self.link.send(pdu, context=self._answered)

    def _answered(self, response: Pdu | None) -> None:
        if response is None:
            self.arrived.put_nowait(NotServed("the ESME did not answer"))
        elif response.command_status:
            self.arrived.put_nowait(_refusal(response.command_status))


class FakeSmsc:
    """The centre. Use it as `async with FakeSmsc(reactor) as smsc`, or by `open` and `close`."""

    def __init__(  # long because: each setting of the script and each record of it is a line
        self,
        reactor: AsyncioSelectorReactor,
        account: Account = _ACCOUNT,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ops: Ops = _OPS,
        alphabet: Alphabet = "gsm",
        limits: Limits | None = None,
        message_id: Callable[[int], str] = str,
    ) -> None:
        """`port` 0 takes a free one, and keeps it when opened again; `message_id` spells the n-th id, from 1."""
        self.account = account
        self.port = port
        self.ops = ops
        # --- the script ---
        self.bind_status = c.ESME_ROK  # any other refuses every bind
        self.binds_max = 100  # more are refused with ESME_RALYBND
        self.submits_per_second_max: int | None = None  # more are refused with ESME_RTHROTTLED
        self.treatment = Treatment()  # of every message that `treat_next` does not speak of
        self.receipts_of: MessageState | None = None  # sent at once where registered_delivery asks for one
        # --- what was seen ---
        self.bind_requests: deque[BindPdu] = deque(maxlen=_KEPT_MAX)
        self.submitted: deque[Submitted] = deque(maxlen=_KEPT_MAX)  # all that came, refused or not
        self.sms: deque[Sms] = deque(maxlen=_KEPT_MAX)  # that `sms_to` has not given out
        self.stray_screens: deque[Screen] = deque(maxlen=_KEPT_MAX)  # for numbers that have no handset
        self._reactor = reactor
        self._host = host
        self._alphabet: Alphabet = alphabet
        self._limits = limits or Limits(unbind_answer_seconds=1.0, window_out=1000)
        self._message_id = message_id
        self._listener: Listener | None = None
        self._links: list[Link] = []
        self._handsets: dict[str, Handset] = {}
        self._next_treatments: deque[Treatment] = deque()
        self._next_sms: dict[str, deque[Treatment]] = {}  # by the number that they are for
        self._joiner = Joiner(alphabet)
        self._parts: dict[object, dict[int, tuple[str, Submitted]]] = {}
        self._changed = asyncio.Event()
        self._messages = 0
        self._references = 0
        self._turns = 0
        self._second, self._in_second = 0, 0

    async def __aenter__(self) -> FakeSmsc:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # --- the centre as a whole ---

    async def open(self) -> None:
        """Listens. Raises OSError when the address cannot be used."""
        self._listener = await listen(self._reactor, self._host, self.port, self, self._limits, system_id="fake-smsc")
        self.port = self._listener.port

    async def close(self) -> None:
        """Unbinds every link and listens no more."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()

    async def crash(self) -> None:
        """Cuts every connection and listens no more; `open` brings the centre back at the same port."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.stop_listening()
            _abort(listener)
            while self._links:
                await self._change(5.0, "the links to be gone")

    def cut(self) -> None:
        """Cuts every connection; who dials again is served."""
        if self._listener is not None:
            _abort(self._listener)

    async def until_bound(self, binds: int = 1, seconds: float = 5.0) -> None:
        """Waits until so many links are bound, no more and no fewer. Raises NotServed."""
        until = _now() + seconds
        while len(self._links) != binds:
            await self._change(until - _now(), f"{binds} links: {len(self._links)} are bound")

    @property
    def links(self) -> tuple[Link, ...]:
        """The bound links, oldest first."""
        return tuple(self._links)

    def treat_next(self, *treatments: Treatment) -> None:
        """What is done with the next messages, one treatment each; the rest is done as always."""
        self._next_treatments.extend(treatments)

    def treat_next_sms(self, number: str, *treatments: Treatment) -> None:
        """What is done with the next SMS to this number: a screen may come before them or after."""
        self._next_sms.setdefault(number, deque()).extend(treatments)

    def handset(self, number: str, *tlvs: Tlv) -> Handset:
        """A telephone with this number; `tlvs` go along with all it sends. The earlier one of the number is no more."""
        made = self._handsets[number] = Handset(self, number, tlvs)
        return made

    # --- SMS ---

    async def sms_to(self, number: str, seconds: float = 5.0) -> Sms:
        """The next SMS to this number, whole; each is given out once. Raises NotServed."""
        until = _now() + seconds
        while True:
            for sms in self.sms:
                if sms.destination == number:
                    self.sms.remove(sms)
                    return sms
            await self._change(until - _now(), f"an SMS to {number}")

    async def send_sms(self, source: str, destination: str, text: str) -> None:
        """A subscriber's SMS, in as many parts as it takes; returns when the ESME has taken them. Raises NotServed."""
        self._references += 1
        for part in split(text, self._references):
            pdu = DeliverSm(
                source_addr_ton=TON_INTERNATIONAL,
                source_addr_npi=NPI_E164,
                source_addr=source,
                dest_addr_npi=NPI_E164,
                destination_addr=destination,
                esm_class=part.esm_class,
                data_coding=part.data_coding,
                short_message=part.short_message,
            )
            await self.send_pdu(pdu)

    async def send_receipt(
        self,
        sms: Sms,
        state: MessageState = MessageState.DELIVERED,
        *,
        with_tlvs: bool = True,
        spelt: Callable[[str], str] = str,
    ) -> None:
        """The receipts of an SMS, one a part; `spelt` makes the id that the text shows. Raises NotServed."""
        for message_id, pdu in zip(sms.message_ids, sms.parts, strict=True):
            await self.send_pdu(_receipt(pdu, message_id, state, with_tlvs, spelt))

    async def send_pdu(self, pdu: DeliverSm | DataSm) -> Pdu:
        """Sends any message to the ESME, and returns its answer. Raises NotServed."""
        answer: asyncio.Future[Pdu | None] = asyncio.get_running_loop().create_future()
        self.receiving_link().send(pdu, context=answer.set_result)
        response = await asyncio.shield(answer)  # whoever waits may give up; the answer still has its place
        if response is None:
            raise NotServed("the ESME did not answer")
        if response.command_status:
            raise _refusal(response.command_status)
        return response

    def receiving_link(self) -> Link:
        """A bound link that takes messages, another one each time. Raises NotServed when there is none."""
        able = [link for link in self._links if link.state in _RECEIVING]
        if not able:
            raise NotServed("nobody is bound to receive")
        self._turns += 1
        return able[self._turns % len(able)]

    # --- for the listener: `ListenOwner` ---

    def connected(self, peer_ip: str) -> bool:
        return True

    async def bind(self, link: Link, request: BindPdu) -> int:
        self.bind_requests.append(request)
        if self.bind_status:
            return self.bind_status
        if request.system_id != self.account.system_id:
            return c.ESME_RINVSYSID
        if request.password != self.account.password:
            return c.ESME_RINVPASWD
        return c.ESME_RALYBND if len(self._links) >= self.binds_max else c.ESME_ROK

    def outbind(self, link: Link, request: Outbind) -> BindPdu | None:
        return None

    def refused(self, link: Link, status: int) -> None: ...

    def bound(self, link: Link) -> None:
        self._links.append(link)
        self._changed.set()

    def gone(self, link: Link, reason: str) -> None:
        if link in self._links:
            self._links.remove(link)
        self._changed.set()

    def quirk(self, link: Link, kind: str) -> None:
        """Oddities are counted by what they are sent to, and ours is a sender."""

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        cast("Callable[[Pdu | None], object]", context)(response)

    def request(self, link: Link, pdu: Pdu) -> None:
        if not isinstance(pdu, SubmitSm | DataSm):
            link.respond(pdu, c.ESME_RINVCMDID)
            return
        self.submitted.append(pdu)
        of_sms = self._next_sms.get(pdu.destination_addr) if find_tlv(pdu, c.TAG_USSD_SERVICE_OP) is None else None
        due = of_sms or self._next_treatments
        treatment = due.popleft() if due else self.treatment
        if self._is_over_rate():
            treatment = Treatment(c.ESME_RTHROTTLED)
        if treatment.delay_seconds:
            asyncio.get_running_loop().call_later(treatment.delay_seconds, self._treat, link, pdu, treatment)
        else:
            self._treat(link, pdu, treatment)

    # --- what it is given ---

    def _is_over_rate(self) -> bool:
        second = int(_now())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self.submits_per_second_max is not None and self._in_second > self.submits_per_second_max

    def _treat(self, link: Link, pdu: Submitted, treatment: Treatment) -> None:
        if treatment.cut:
            link.abort(CUT)
        elif treatment.status:
            link.respond(pdu, treatment.status)
        else:
            self._messages += 1
            message_id = self._message_id(self._messages)
            if treatment.receipt_first:
                self._take(link, pdu, message_id)
            if treatment.answered:
                response = SubmitSmResp if isinstance(pdu, SubmitSm) else DataSmResp
                link.respond(pdu, response(message_id))
            if not treatment.receipt_first:
                self._take(link, pdu, message_id)

    def _take(self, link: Link, pdu: Submitted, message_id: str) -> None:
        op = find_tlv(pdu, c.TAG_USSD_SERVICE_OP)
        if op is None:
            self._take_sms(link, pdu, message_id)
            return
        text = decode_text(message_octets(pdu), pdu.data_coding, self._alphabet)
        screen = Screen(text, op[0] == self.ops.end, op[0], pdu)
        handset = self._handsets.get(pdu.destination_addr)
        if handset is None:
            self.stray_screens.append(screen)
        else:
            handset.arrived.put_nowait(screen)

    def _take_sms(self, link: Link, pdu: Submitted, message_id: str) -> None:
        source, destination = pdu.source_addr, pdu.destination_addr
        part = read_part(pdu)
        key = (source, destination, part.reference if part else message_id)
        self._parts.setdefault(key, {})[part.number if part else 1] = (message_id, pdu)
        text = self._joiner.add(source, destination, pdu, _now())
        if text is not None:
            ids, parts = zip(*self._parts.pop(key).values(), strict=True)
            self.sms.append(Sms(source, destination, text, ids, parts))
            self._changed.set()
        if self.receipts_of is not None and pdu.registered_delivery & 0x03 and link.state in _RECEIVING:
            link.send(_receipt(pdu, message_id, self.receipts_of, True, str), context=_nothing)

    async def _change(self, seconds: float, what: str) -> None:
        """Waits for the next link or SMS. Raises NotServed."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.0, seconds))
        except TimeoutError:
            raise NotServed(f"waited in vain for {what}") from None


def _receipt(
    pdu: Submitted, message_id: str, state: MessageState, with_tlvs: bool, spelt: Callable[[str], str]
) -> DeliverSm:
    """The receipt of one message, as appendix B of SMPP 3.4 shows it."""
    at = time.strftime("%y%m%d%H%M", time.gmtime())
    delivered = "001" if state is MessageState.DELIVERED else "000"
    text = (
        f"id:{spelt(message_id)} sub:001 dlvrd:{delivered} submit date:{at} done date:{at}"
        f" stat:{STAT_WORDS[state]} err:000 text:"
    )
    tlvs = (
        Tlv(c.TAG_RECEIPTED_MESSAGE_ID, message_id.encode("latin-1") + b"\0"),
        Tlv(c.TAG_MESSAGE_STATE, bytes((state,))),
    )
    return DeliverSm(
        source_addr_ton=pdu.dest_addr_ton,
        source_addr_npi=pdu.dest_addr_npi,
        source_addr=pdu.destination_addr,
        dest_addr_ton=pdu.source_addr_ton,
        dest_addr_npi=pdu.source_addr_npi,
        destination_addr=pdu.source_addr,
        esm_class=ESM_CLASS_RECEIPT,
        short_message=text.encode("latin-1"),
        tlvs=tlvs if with_tlvs else (),
    )


def _refusal(status: int) -> NotServed:
    return NotServed(f"the ESME refused: {c.status_name(status)}", status)


def _abort(listener: Listener) -> None:
    for link in tuple(listener.links):
        link.abort(CUT)


def _nothing(response: Pdu | None) -> None:
    """Nobody waits for this answer."""


_now: Final = time.monotonic
