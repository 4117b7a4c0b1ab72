"""A handset in the terminal: binds over real SMPP as a USSD centre would, dials, and shows what a phone shows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from smpp import constants
from smpp.dial import dial
from smpp.errors import WrongState
from smpp.limits import Limits
from smpp.pdu import BindTransceiver, DataSm, DeliverSm, Pdu, answer
from smpp.reactor import reactor_on
from smpp.segments import Joiner, split

from . import centre_side
from .dialect import Dialect, Kind
from .language.pages import Limits as ScreenLimits
from .language.pages import measure
from .peer_config import Address

if TYPE_CHECKING:
    from smpp.link import Link


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


class ShortMessage(NamedTuple):
    """An SMS that came to the handset."""

    sender: str
    text: str


@dataclass
class Conversation:
    """What was dialled, typed and shown, and who ended it: service, subscriber, or network with `reason`."""

    dialled: str
    msisdn: str
    screens: list[Screen] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    sms: list[ShortMessage] = field(default_factory=list)
    ended_by: str = ""
    reason: str = ""

    @property
    def ended_properly(self) -> bool:
        """The service had the last word."""
        return self.ended_by == "service"


class Lost(Exception):
    """The dialogue cannot go on: the text says why."""


class _Line:
    """The handset's side of the bind (`smpp.link.LinkOwner`)."""

    def __init__(self, dialect: Dialect, msisdn: str) -> None:
        self._dialect = dialect
        self._msisdn = msisdn
        self._joiner = Joiner(dialect.default_alphabet)
        self.arrived: asyncio.Queue[Screen | str] = asyncio.Queue()
        self.sms: asyncio.Queue[ShortMessage] = asyncio.Queue()
        self.accepted = asyncio.Event()
        self.asked_at = 0.0
        self.session = centre_side.new_session(int(time.time()), dialect)

    def request(self, link: Link, pdu: Pdu) -> None:
        if not isinstance(pdu, DeliverSm | DataSm):
            link.respond(pdu, constants.ESME_RINVCMDID)
            return
        link.respond(pdu, answer(pdu) or constants.ESME_ROK)
        screen = centre_side.heard(pdu, self._dialect)
        if screen is None:
            text = self._joiner.add(pdu.source_addr, pdu.destination_addr, pdu, time.monotonic())
            if text is not None and pdu.destination_addr == self._msisdn:
                self.sms.put_nowait(ShortMessage(pdu.source_addr, text))
            return
        self.session = screen.session or self.session
        seconds = time.monotonic() - self.asked_at
        self.arrived.put_nowait(read_screen(screen.text, screen.ends, seconds, self._dialect.screen))

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        if response is None:
            self.arrived.put_nowait("the engine did not answer")
        elif response.command_status:
            self.arrived.put_nowait(refusal(response.command_status))
        else:
            self.accepted.set()

    def quirk(self, link: Link, kind: str) -> None:
        """Ours is the engine: an oddity shows elsewhere."""

    def bound(self, link: Link) -> None:
        """Nothing to do: `dial` returns then."""

    def gone(self, link: Link, reason: str) -> None:
        self.arrived.put_nowait(f"the connection ended: {reason}")


def refusal(status: int) -> str:
    """Why the engine did not take a message, for who sent it."""
    meant = {
        constants.ESME_RINVSRCADR: "the number it comes from is no subscriber's number of the link's country",
        constants.ESME_RINVDSTADR: "the short number or code it goes to cannot be read",
        constants.ESME_RTHROTTLED: "there is too much at once",
    }
    name = constants.status_name(status)
    return f"the engine refused: {meant[status]} ({name})" if status in meant else f"the engine refused: {name}"


def read_screen(text: str, ends: bool, seconds: float, limits: ScreenLimits) -> Screen:
    """A screen that came, measured."""
    length, unit = measure(text)
    return Screen(text, length, unit, limits.septets if unit == "septets" else limits.ucs2_units, ends, seconds)


async def converse(
    account: Account,
    dialect: Dialect,
    msisdn: str,
    code: str,
    answer: Callable[[Screen], Awaitable[str | None]],
    shown: Callable[[Screen | ShortMessage], None],
    sms_seconds: float,
) -> Conversation:
    """Dials `code` and goes on until the dialogue is over. `answer` gives what is typed next; None hangs up.

    Then SMS to the number are waited for, `sms_seconds` long. Raises ConnectionError or BindRefused when the engine
    cannot be reached or refuses the bind.
    """
    conversation = Conversation(code, msisdn)
    async with _bound(account, dialect, msisdn) as (link, line):
        try:
            await _talk(link, line, dialect, conversation, answer, shown)
        except Lost as error:
            conversation.ended_by, conversation.reason = "network", str(error)
        await _wait_for_sms(line, conversation, shown, sms_seconds, 1000)
    return conversation


async def send_sms(
    account: Account,
    dialect: Dialect,
    msisdn: str,
    short_number: str,
    text: str,
    shown: Callable[[Screen | ShortMessage], None],
    sms_seconds: float,
) -> Conversation:
    """Sends an SMS and waits for the answer, `sms_seconds` long. Raises as `converse` does."""
    conversation = Conversation(short_number, msisdn, sent=[text])
    async with _bound(account, dialect, msisdn) as (link, line):
        pdus = [centre_side.sms(msisdn, short_number, part, dialect) for part in split(text, 1)]
        for pdu in pdus:
            link.send(pdu)
        waits = [asyncio.ensure_future(line.accepted.wait()), asyncio.ensure_future(line.arrived.get())]
        await asyncio.wait(waits, timeout=dialect.waits.application_seconds, return_when=asyncio.FIRST_COMPLETED)
        if waits[1].done():
            conversation.ended_by, conversation.reason = "network", str(waits[1].result())
        for wait in waits:
            wait.cancel()
        if not conversation.reason:
            await _wait_for_sms(line, conversation, shown, sms_seconds, 1)
            conversation.ended_by = "service" if conversation.sms else "network"
            conversation.reason = "" if conversation.sms else f"no answer within {sms_seconds:g} s"
    return conversation


@contextlib.asynccontextmanager
async def _bound(account: Account, dialect: Dialect, msisdn: str) -> AsyncIterator[tuple[Link, _Line]]:
    line = _Line(dialect, msisdn)
    bind = BindTransceiver(system_id=account.system_id, password=account.password, interface_version=0x34)
    reactor = reactor_on(asyncio.get_running_loop())
    link = await dial(reactor, account.address.host, account.address.port, bind, line, Limits())
    try:
        yield link, line
    finally:
        link.unbind()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_until_gone(line), 2)


async def _wait_for_sms(
    line: _Line,
    conversation: Conversation,
    shown: Callable[[Screen | ShortMessage], None],
    seconds: float,
    most: int,
) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while len(conversation.sms) < most:
                sms = await line.sms.get()
                conversation.sms.append(sms)
                shown(sms)


async def _talk(
    link: Link,
    line: _Line,
    dialect: Dialect,
    conversation: Conversation,
    answer: Callable[[Screen], Awaitable[str | None]],
    shown: Callable[[Screen | ShortMessage], None],
) -> None:
    def send(text: str, kind: Kind) -> None:
        line.asked_at = time.monotonic()
        pdu = centre_side.said(kind, conversation.msisdn, conversation.dialled, text, dialect, line.session)
        if pdu is not None:
            link.send(pdu)

    send(conversation.dialled, Kind.BEGIN)
    while True:
        screen = await _next_screen(line, dialect.waits.application_seconds)
        conversation.screens.append(screen)
        shown(screen)
        if screen.ends:
            conversation.ended_by = "service"
            return
        typed = await answer(screen)
        if typed is None:
            with contextlib.suppress(WrongState):  # the link may have ended by itself
                send("", Kind.ABORT)
            conversation.ended_by = "subscriber"
            return
        conversation.sent.append(typed)
        try:
            send(typed, Kind.REPLY)
        except WrongState as error:
            raise Lost(str(error)) from None


async def _next_screen(line: _Line, seconds_max: float) -> Screen:
    try:
        arrived = await asyncio.wait_for(line.arrived.get(), seconds_max)
    except TimeoutError:
        raise Lost(f"no screen within {seconds_max:g} s") from None
    if isinstance(arrived, str):
        raise Lost(arrived)
    return arrived


async def _until_gone(line: _Line) -> None:
    while not isinstance(await line.arrived.get(), str):
        pass
