"""A centre as octets: what it has said it can say again as it was, and what it is told it accepts when it likes.

Rules of this file:
- Engines bind to it, each under a system_id of its own, so that it is known whose bind a line is.
- A screen is accepted at once, unless its number is held; then when the campaign says so.
- It never asks how it is meant: what comes is noted by number, in the order it came.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from smpp import constants as c
from smpp.codec import decode, encode
from smpp.pdu import BindTransceiver, DataSm, DataSmResp, DeliverSm, EnquireLink, Pdu, SubmitSm, SubmitSmResp, answer
from smpp.segments import Joiner
from smpp.states import Role
from ussd_engine import centre_side
from ussd_engine.centre_side import Shown
from ussd_engine.dialect import Dialect, Kind
from ussd_engine.over_smpp import Carried

_HEADER_OCTETS: Final = 4


class Said(NamedTuple):
    """A message of the centre as it went over a line."""

    line: Line
    pdu: Carried
    octets: bytes
    answer: asyncio.Future[Pdu]


@dataclass
class Heard:
    """A screen that has come, and whether it was accepted."""

    line: Line
    pdu: SubmitSm | DataSm
    shown: Shown
    accepted: bool = False

    def accept(self) -> None:
        """Says that it was taken."""
        if not self.accepted:
            self.accepted = True
            self.line.accept(self.pdu)


class Text(NamedTuple):
    """An SMS that has come, whole."""

    line: Line
    text: str
    message_id: str
    pdu: SubmitSm | DataSm


class Line(asyncio.Protocol):
    """One bind."""

    def __init__(self, centre: WireCentre) -> None:
        self.centre = centre
        self.engine = ""
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._sequences = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Pdu]] = {}

    # --- for the campaign ---

    def number(self, pdu: Carried) -> Said:
        """The message with a sequence number of this line, not said yet."""
        numbered = pdu._replace(sequence_number=next(self._sequences))
        return Said(self, numbered, encode(numbered), asyncio.get_running_loop().create_future())

    def say(self, *messages: Said) -> None:
        """Says them in one write; the first answer to each counts."""
        for said in messages:
            self._asked.setdefault(said.pdu.sequence_number, said.answer)
        self._write(b"".join(said.octets for said in messages))

    def accept(self, pdu: SubmitSm | DataSm) -> str:
        """Accepts a message of the engine; the id that it gets."""
        message_id = self.centre.next_id()
        response = SubmitSmResp if isinstance(pdu, SubmitSm) else DataSmResp
        self._write(encode(response(message_id, sequence_number=pdu.sequence_number)))
        return message_id

    # --- for asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def connection_lost(self, exc: Exception | None) -> None:
        self.centre.lost(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _HEADER_OCTETS:
            length = int.from_bytes(self._buffer[:_HEADER_OCTETS], "big")
            if len(self._buffer) < length:
                return
            octets, self._buffer = self._buffer[:length], self._buffer[length:]
            self._read(decode(octets))

    def _read(self, pdu: Pdu) -> None:
        if pdu.command_id & c.RESPONSE:
            asked = self._asked.pop(pdu.sequence_number, None)
            if asked is not None and not asked.done():
                asked.set_result(pdu)
            return
        if isinstance(pdu, BindTransceiver):
            self.engine = pdu.system_id
            self.centre.bound(self)
        if isinstance(pdu, SubmitSm | DataSm):
            self.centre.heard(self, pdu)
        elif (response := answer(pdu)) is not None:
            self._write(encode(response))
            if not isinstance(pdu, BindTransceiver | EnquireLink):
                self.close()

    def _write(self, octets: bytes) -> None:
        if self._transport is not None:
            self._transport.write(octets)

    def close(self) -> None:
        """Ends the connection."""
        if self._transport is not None:
            self._transport.close()


@dataclass
class WireCentre:
    """The centre of one link. `held`: numbers whose screens are not accepted by themselves."""

    dialect: Dialect
    screens: defaultdict[str, list[Heard]] = field(default_factory=lambda: defaultdict(list))
    texts: defaultdict[str, list[Text]] = field(default_factory=lambda: defaultdict(list))
    held: set[str] = field(default_factory=set)
    lines: defaultdict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    sessions: int = 256
    server: asyncio.Server | None = None
    _bound: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._joiner = Joiner(self.dialect.default_alphabet)

    async def open(self) -> None:
        """Listens on a free port."""
        self.server = await asyncio.get_running_loop().create_server(lambda: Line(self), "127.0.0.1", 0)

    @property
    def port(self) -> int:
        """Where engines bind."""
        assert self.server is not None
        return int(self.server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Ends every connection."""
        if self.server is not None:
            self.server.close()
        for lines in tuple(self.lines.values()):
            for line in tuple(lines):
                line.close()

    async def until_bound(self, engines: int, binds: int) -> None:
        """Returns when so many engines are bound, so many times each."""
        while [len(lines) for lines in self.lines.values()] != [binds] * engines:
            self._bound.clear()
            await self._bound.wait()

    def next_id(self) -> str:
        return f"{self.dialect.dialect}-{next(self._ids)}"

    def new_session(self) -> bytes:
        """The session number of a dialogue more."""
        self.sessions += 1
        return centre_side.new_session(self.sessions, self.dialect)

    def message(self, kind: Kind, number: str, code: str, text: str, session: bytes) -> Carried:
        """What the centre says for a handset."""
        pdu = centre_side.said(kind, number, code, text, self.dialect, session, Role.SERVER)
        assert pdu is not None, f"{self.dialect.dialect} has no word for {kind}"
        return pdu

    def sms(self, number: str, short_number: str, text: str) -> DeliverSm:
        """An SMS that a handset sends; the text is in GSM 03.38 and fits one."""
        return DeliverSm(
            source_addr_ton=1, source_addr_npi=1, source_addr=number, destination_addr=short_number,
            short_message=text.encode("ascii"),
        )  # fmt: skip

    async def until(self, number: str, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it holds within that time; looked at whenever something comes for the number."""
        until = time.monotonic() + seconds
        while not holds():
            self._changed[number].clear()
            try:
                await asyncio.wait_for(self._changed[number].wait(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                return holds()
        return True

    # --- for its lines ---

    def heard(self, line: Line, pdu: SubmitSm | DataSm) -> None:
        """The engine has said something."""
        shown = centre_side.heard(pdu, self.dialect)
        number = pdu.destination_addr if shown is None else shown.number
        if shown is None:
            message_id = line.accept(pdu)
            text = self._joiner.add(pdu.source_addr, number, pdu, time.monotonic())
            if text is not None:
                self.texts[number].append(Text(line, text, message_id, pdu))
        else:
            heard = Heard(line, pdu, shown)
            self.screens[number].append(heard)
            if number not in self.held:
                heard.accept()
        self._changed[number].set()

    def bound(self, line: Line) -> None:
        """An engine has bound."""
        self.lines[line.engine].append(line)
        self._bound.set()

    def lost(self, line: Line) -> None:
        """A bind is gone."""
        if line in self.lines[line.engine]:
            self.lines[line.engine].remove(line)
