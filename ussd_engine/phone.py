"""A handset in the terminal: binds over real SMPP as a USSD centre would, dials, and shows what a phone shows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from smpp import constants
from smpp.dial import dial
from smpp.limits import Limits
from smpp.pdu import BindTransceiver, DeliverSm, DeliverSmResp, Pdu, SubmitSm, Tlv, find_tlv
from smpp.reactor import reactor_on
from smpp.text import decode_text, encode_gsm, encode_ucs2, septets

from .config import Address
from .dialect import Dialect
from .msisdn import TON_INTERNATIONAL
from .wording import Limits as ScreenLimits
from .wording import measure

if TYPE_CHECKING:
    from smpp.link import Link

NPI_E164 = 1


class Account(NamedTuple):
    """As whom to bind, and where."""

    address: Address
    system_id: str
    password: str


class Screen(NamedTuple):
    """One screen as it came: its length on the air, whether it ends the dialogue, and how long it took."""

    text: str
    length: int
    unit: str
    limit: int
    ends: bool
    seconds: float


@dataclass
class Conversation:
    """What was dialled, typed and shown, and who ended it: service, subscriber, or network with `reason`."""

    dialled: str
    msisdn: str
    screens: list[Screen] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    ended_by: str = ""
    reason: str = ""

    @property
    def ended_properly(self) -> bool:
        """The service had the last word."""
        return self.ended_by == "service"


class _Lost(Exception):
    """The dialogue cannot go on: the text says why."""


class _Line:
    """The handset's side of the bind (`smpp.link.LinkOwner`)."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.arrived: asyncio.Queue[Screen | str] = asyncio.Queue()
        self.asked_at = 0.0

    def request(self, link: Link, pdu: Pdu) -> None:
        if not isinstance(pdu, DeliverSm):
            link.respond(pdu, constants.ESME_RINVCMDID)
            return
        link.respond(pdu, DeliverSmResp())
        op = find_tlv(pdu, constants.TAG_USSD_SERVICE_OP)
        if op is None:
            return
        text = decode_text(pdu.short_message, pdu.data_coding, self._dialect.default_alphabet)
        ends = op[0] == self._dialect.ops.end
        self.arrived.put_nowait(_screen(text, ends, time.monotonic() - self.asked_at, self._dialect.screen))

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        if response is None:
            self.arrived.put_nowait("the engine did not answer")
        elif response.command_status:
            self.arrived.put_nowait(f"the engine refused: {constants.status_name(response.command_status)}")

    def quirk(self, link: Link, kind: str) -> None:
        """Ours is the engine: an oddity shows elsewhere."""

    def bound(self, link: Link) -> None:
        """Nothing to do: `dial` returns then."""

    def gone(self, link: Link, reason: str) -> None:
        self.arrived.put_nowait(f"the connection ended: {reason}")


def _screen(text: str, ends: bool, seconds: float, limits: ScreenLimits) -> Screen:
    length, unit = measure(text)
    return Screen(text, length, unit, limits.septets if unit == "septets" else limits.ucs2_units, ends, seconds)


async def converse(
    account: Account,
    dialect: Dialect,
    msisdn: str,
    code: str,
    answer: Callable[[Screen], Awaitable[str | None]],
    shown: Callable[[Screen], None],
) -> Conversation:
    """Dials `code` and goes on until the dialogue is over. `answer` gives what is typed next; None hangs up.

    Raises ConnectionError or BindRefused when the engine cannot be reached or refuses the bind.
    """
    conversation = Conversation(code, msisdn)
    line = _Line(dialect)
    bind = BindTransceiver(system_id=account.system_id, password=account.password, interface_version=0x34)
    reactor = reactor_on(asyncio.get_running_loop())
    link = await dial(reactor, account.address.host, account.address.port, bind, line, Limits())
    try:
        await _talk(link, line, dialect, conversation, answer, shown)
    except _Lost as error:
        conversation.ended_by, conversation.reason = "network", str(error)
    finally:
        link.unbind()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_until_gone(line), 2)
    return conversation


async def _talk(
    link: Link,
    line: _Line,
    dialect: Dialect,
    conversation: Conversation,
    answer: Callable[[Screen], Awaitable[str | None]],
    shown: Callable[[Screen], None],
) -> None:
    def send(text: str, op: int) -> None:
        line.asked_at = time.monotonic()
        link.send(_message(conversation.msisdn, conversation.dialled, text, op, dialect))

    send(conversation.dialled, dialect.ops.begin[0])
    while True:
        screen = await _next_screen(line, dialect.waits.application_seconds)
        conversation.screens.append(screen)
        shown(screen)
        if screen.ends:
            conversation.ended_by = "service"
            return
        typed = await answer(screen)
        if typed is None:
            send("", dialect.ops.abort[0])
            conversation.ended_by = "subscriber"
            return
        conversation.sent.append(typed)
        send(typed, dialect.ops.reply[0])


async def _next_screen(line: _Line, seconds_max: float) -> Screen:
    try:
        arrived = await asyncio.wait_for(line.arrived.get(), seconds_max)
    except TimeoutError:
        raise _Lost(f"no screen within {seconds_max:g} s") from None
    if isinstance(arrived, str):
        raise _Lost(arrived)
    return arrived


async def _until_gone(line: _Line) -> None:
    while not isinstance(await line.arrived.get(), str):
        pass


def _message(msisdn: str, code: str, text: str, op: int, dialect: Dialect) -> SubmitSm:
    gsm = septets(text) is not None
    return SubmitSm(
        service_type=dialect.service_type,
        source_addr_ton=TON_INTERNATIONAL,
        source_addr_npi=NPI_E164,
        source_addr=msisdn,
        destination_addr=code[:20],
        data_coding=dialect.data_coding.gsm if gsm else dialect.data_coding.ucs2,
        short_message=encode_gsm(text) if gsm else encode_ucs2(text),
        tlvs=(Tlv(constants.TAG_USSD_SERVICE_OP, bytes((op,))),),
    )
