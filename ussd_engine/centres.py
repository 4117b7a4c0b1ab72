"""The USSD centres and SMSCs of several networks as one: bound to a running engine over real SMPP, with many handsets.

`phone` is one handset for one conversation; here binds stay open, and an SMS finds whichever handset it is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from smpp import constants
from smpp.dial import dial
from smpp.errors import WrongState
from smpp.limits import Limits
from smpp.pdu import BindTransceiver, DataSm, DeliverSm, Pdu, SubmitSm, answer
from smpp.reactor import reactor_on
from smpp.segments import Joiner, split

from . import centre_side, phone
from .dialect import Dialect, Kind

if TYPE_CHECKING:
    from smpp.link import Link

SCREEN_SECONDS = 20.0
SMS_SECONDS = 10.0
WINDOW_OUT = 1000
"""Handsets that may talk at a time on one bind."""


class Peer(NamedTuple):
    """As which centre a network binds, and how it speaks."""

    account: phone.Account
    dialect: Dialect


class Centres:
    """One bind a network. Use it as `async with Centres(peers) as centres`; raises as `phone.converse` does."""

    def __init__(self, peers: Mapping[str, Peer]) -> None:
        """`peers`: network → as which centre it binds."""
        self._lines = {network: _Line(self, peer) for network, peer in peers.items()}
        self.screens: defaultdict[str, asyncio.Queue[phone.Screen | str]] = defaultdict(asyncio.Queue)
        self.sms: defaultdict[str, asyncio.Queue[phone.ShortMessage]] = defaultdict(asyncio.Queue)
        self.asked_at: dict[str, float] = {}
        self.sessions: dict[str, bytes] = {}

    def handset(self, network: str, msisdn: str) -> Handset:
        """A telephone of a subscriber of this network. What an earlier one of the number did not look at is gone."""
        self.screens.pop(msisdn, None)
        self.sms.pop(msisdn, None)
        return Handset(self, self._lines[network], network, msisdn)

    async def __aenter__(self) -> Centres:
        for line in self._lines.values():
            await line.bind()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        for line in self._lines.values():
            await line.unbind()


class Handset:
    """A subscriber's telephone. Made by `Centres.handset`."""

    def __init__(self, centres: Centres, line: _Line, network: str, msisdn: str) -> None:
        self.network = network
        self.msisdn = msisdn
        self._centres = centres
        self._line = line
        self._code = ""

    async def dial(self, code: str) -> phone.Screen:
        """Dials, and waits for the first screen. Raises phone.Lost."""
        self._code = code
        self._centres.sessions[self.msisdn] = self._line.new_session()
        return await self._heard(code, Kind.BEGIN)

    async def send(self, text: str) -> phone.Screen:
        """Types an answer, and waits for the next screen. Raises phone.Lost."""
        return await self._heard(text, Kind.REPLY)

    def hang_up(self) -> None:
        """Ends the dialogue; nothing is expected back."""
        self._say("", Kind.ABORT)

    async def write(self, short_number: str, text: str) -> None:
        """Sends an SMS, and returns when the engine has taken it. Raises phone.Lost."""
        dialect = self._line.peer.dialect
        for part in split(text, 1):
            await self._line.taken(centre_side.sms(self.msisdn, short_number, part, dialect))

    async def sms(self, seconds: float = SMS_SECONDS) -> phone.ShortMessage:
        """The next SMS to this number. Raises phone.Lost."""
        try:
            return await asyncio.wait_for(self._centres.sms[self.msisdn].get(), seconds)
        except TimeoutError:
            raise phone.Lost(f"no SMS to {self.msisdn} within {seconds:g} s") from None

    async def _heard(self, text: str, kind: Kind) -> phone.Screen:
        self._centres.asked_at[self.msisdn] = time.monotonic()
        self._say(text, kind)
        try:
            came = await asyncio.wait_for(self._centres.screens[self.msisdn].get(), SCREEN_SECONDS)
        except TimeoutError:
            raise phone.Lost(f"no screen for {self.msisdn} within {SCREEN_SECONDS:g} s") from None
        if isinstance(came, str):
            raise phone.Lost(came)
        return came

    def _say(self, text: str, kind: Kind) -> None:
        session = self._centres.sessions.get(self.msisdn, b"")
        pdu = centre_side.said(kind, self.msisdn, self._code, text, self._line.peer.dialect, session)
        if pdu is not None:
            self._line.send(pdu)


class _Line:
    """The bind of one network (`smpp.link.LinkOwner`)."""

    def __init__(self, centres: Centres, peer: Peer) -> None:
        self.peer = peer
        self._centres = centres
        self._joiner = Joiner(peer.dialect.default_alphabet)
        self._link: Link | None = None
        self._gone = asyncio.Event()
        self._dialogues = int(time.time())

    def new_session(self) -> bytes:
        """The session number of a new dialogue."""
        self._dialogues += 1
        return centre_side.new_session(self._dialogues, self.peer.dialect)

    async def bind(self) -> None:
        address, system_id, password = self.peer.account
        request = BindTransceiver(system_id=system_id, password=password, interface_version=0x34)
        reactor = reactor_on(asyncio.get_running_loop())
        self._link = await dial(reactor, address.host, address.port, request, self, Limits(window_out=WINDOW_OUT))

    async def unbind(self) -> None:
        if self._link is not None and not self._gone.is_set():
            with contextlib.suppress(TimeoutError, WrongState):
                self._link.unbind()
                await asyncio.wait_for(self._gone.wait(), 2)

    def send(self, pdu: Pdu, context: object = None) -> None:
        """Sends; `context` is the future of who waits for the response. Raises phone.Lost."""
        if self._link is None:
            raise phone.Lost("nobody is bound")
        try:
            self._link.send(pdu, context=context)
        except WrongState as error:
            raise phone.Lost(str(error)) from None

    async def taken(self, pdu: Pdu) -> None:
        """Sends, and waits until the engine has taken it. Raises phone.Lost."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.send(pdu, answer)
        if reason := await answer:
            raise phone.Lost(reason)

    # --- for the link ---

    def request(self, link: Link, pdu: Pdu) -> None:
        if not isinstance(pdu, DeliverSm | DataSm):
            link.respond(pdu, constants.ESME_RINVCMDID)
            return
        link.respond(pdu, answer(pdu) or constants.ESME_ROK)
        dialect, number = self.peer.dialect, pdu.destination_addr
        shown = centre_side.heard(pdu, dialect)
        if shown is None:
            text = self._joiner.add(pdu.source_addr, number, pdu, time.monotonic())
            if text is not None:
                self._centres.sms[number].put_nowait(phone.ShortMessage(pdu.source_addr, text))
            return
        number = shown.number
        self._centres.sessions[number] = shown.session or self._centres.sessions.get(number, b"")
        seconds = time.monotonic() - self._centres.asked_at.get(number, time.monotonic())
        screen = phone.read_screen(shown.text, shown.ends, seconds, dialect.screen)
        self._centres.screens[number].put_nowait(screen)

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        reason = "the engine did not answer" if response is None else ""
        if response is not None and response.command_status:
            reason = phone.refusal(response.command_status)
        if isinstance(context, asyncio.Future):
            if not context.done():
                context.set_result(reason)
        elif reason and isinstance(request, SubmitSm | DataSm):
            self._centres.screens[request.source_addr].put_nowait(reason)

    def quirk(self, link: Link, kind: str) -> None:
        """Ours is the engine: an oddity shows elsewhere."""

    def bound(self, link: Link) -> None:
        """Nothing to do: `dial` returns then."""

    def gone(self, link: Link, reason: str) -> None:
        self._gone.set()
