"""USSD centres and SMSCs of a run: real SMPP at the far end of a wire, in both roles, that misbehave now and then.

Rules of this file:
- A centre keeps the protocol by `smpp.connection`, as a peer would that is well made; what goes wrong is the weather's.
- What a handset says leaves on one of its centre's binds. The centre may say it twice: the same octets on the same
  connection, or the same words as a message of its own on another.
- Screens and SMS reach handsets; what nobody waits for reaches the judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from smpp import constants
from smpp.connection import (
    BindRequested,
    Bound,
    Closing,
    Connection,
    Event,
    RequestExpired,
    RequestReceived,
    ResponseReceived,
)
from smpp.limits import Limits
from smpp.pdu import BindTransceiver, DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp, answer
from smpp.segments import Joiner, split
from smpp.states import BOUND, Role
from ussd_engine import centre_side
from ussd_engine.config import Link
from ussd_engine.dialect import Kind
from ussd_engine.exchange import Exchange
from ussd_engine.outbox import Part
from ussd_engine.over_smpp import Carried

from .judge import Judge
from .loop import Chance
from .trace import Trace
from .weather import Weather
from .wire import Wire

if TYPE_CHECKING:
    from .engine import Engine

BINDS_MAX = 2
REBIND_SECONDS = (0.2, 3.0)
FOR_A_WHILE = (constants.ESME_RSYSERR, constants.ESME_RTHROTTLED)
"""After these an SMS comes again."""
PASSWORD = "secret"  # noqa: S105 - of a centre that is none
LIMITS = Limits(window_out=1000, window_in=1000, window_in_max=1000)


class Heard(NamedTuple):
    """A screen as a handset sees it. `mark`: of the input that it answers."""

    text: str
    ends: bool
    session: bytes
    mark: str


class Handset:
    """What a centre reaches of a subscriber."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.screens: asyncio.Queue[Heard] = asyncio.Queue()
        self.read_sms: Callable[[str], None] = lambda _text: None
        self.bind: Bind | None = None
        """On which its dialogue goes on."""


class Bind:
    """One connection of a centre."""

    def __init__(self, centre: Centre, wire: Wire, role: Role, engine: str) -> None:
        self.centre = centre
        self.wire = wire
        self.engine = engine
        self.connection = Connection(role, LIMITS, centre.loop.time())
        self.is_gone = False

    @property
    def is_bound(self) -> bool:
        """Whether messages can be sent."""
        return not self.is_gone and self.connection.state in BOUND

    def arrived(self, octets: bytes) -> None:
        self.told(self.connection.receive(octets, self.centre.loop.time()))

    def gone(self) -> None:
        self.is_gone = True
        self.told(cast("list[Event]", self.connection.lost()))
        self.centre.lost(self)

    def told(self, events: list[Event]) -> None:
        """What the protocol has made of what came."""
        for event in events:
            match event:
                case BindRequested():
                    self.told(self.connection.accept_bind("centre"))
                case RequestReceived(pdu):
                    self.centre.asked(self, pdu)
                case ResponseReceived(request, response, context, _):
                    self.centre.answered(request, response, context)
                case RequestExpired(request, context):
                    self.centre.answered(request, None, context)
                case Bound():
                    self.centre.trace.note(self.centre.link.name, f"is bound to {self.engine}")
                case Closing():
                    self.flush()
                    self.wire.cut()
        self.flush()

    def flush(self) -> bytes:
        """Says what is to be said."""
        octets = self.connection.take_octets()
        if octets and not self.is_gone:
            self.wire.say(octets)
        return octets


class Centre:
    """The peer of one link, bound to every engine there is."""

    def __init__(
        self,
        link: Link,
        loop: asyncio.AbstractEventLoop,
        chance: Chance,
        weather: Weather,
        trace: Trace,
        judge: Judge,
        handsets: dict[str, Handset],
    ) -> None:
        """`handsets`: of all centres. An SMS for any of them may come by any."""
        self.link = link
        self.loop = loop
        self.trace = trace
        self._chance = chance
        self._weather = weather
        self._judge = judge
        self._joiner = Joiner(link.dialect.sms.alphabet)
        self.binds: list[Bind] = []
        self.handsets = handsets
        self._sessions = 0
        self.is_closing = False

    # --- binds ---

    def dial(self, engine: Engine) -> None:
        """Binds to an engine that takes connections: they are the server."""
        if self.is_closing or not engine.process.is_alive or engine.is_stopping:
            return
        near = engine.takes_connection()
        if near is None:
            return
        wire = Wire(engine.process, self.loop, self._chance)
        bind = self._joined(wire, Role.CLIENT, engine.process.name)
        wire.far = bind
        wire.begins(near)
        bind.connection.send(BindTransceiver(system_id=self.link.config.system_id, password=PASSWORD), self.loop.time())
        bind.flush()

    def takes(self, wire: Wire) -> Bind | None:
        """An engine dials: we are the server."""
        return None if self.is_closing else self._joined(wire, Role.SERVER, wire.process.name)

    def _joined(self, wire: Wire, role: Role, engine: str) -> Bind:
        bind = Bind(self, wire, role, engine)
        self.binds.append(bind)
        return bind

    def lost(self, bind: Bind) -> None:
        """A connection is gone."""
        self.trace.note(self.link.name, f"has lost {bind.engine}")
        self._judge.cut(self.link.name)
        self.binds.remove(bind)

    def cut_one(self) -> None:
        """One of the connections breaks."""
        if self.binds:
            bind = self._chance.pick(self.binds)
            self.trace.note(self.link.name, f"the connection to {bind.engine} breaks")
            bind.wire.cut()

    def close(self) -> None:
        """Unbinds everywhere, for good."""
        self.is_closing = True
        for bind in self.binds:
            bind.connection.unbind(self.loop.time())
            bind.flush()

    # --- what handsets say ---

    def new_session(self) -> bytes:
        """Of a dialogue that begins."""
        self._sessions += 1
        return centre_side.new_session(self._sessions, self.link.dialect)

    def say(self, handset: Handset, kind: Kind, code: str, text: str, session: bytes) -> str:
        """A handset says something; "" when nobody is bound. Returns the words that the trace has for it."""
        role = Role.SERVER if self.link.role is Role.CLIENT else Role.CLIENT
        pdu = centre_side.said(kind, handset.number, code, text, self.link.dialect, session, role)
        bind = handset.bind
        if bind is None or not bind.is_bound or kind is Kind.BEGIN:
            bind = self._any_bind()
        if pdu is None or bind is None:
            return ""
        handset.bind = bind
        self._send(bind, pdu, f"{kind.value} …{handset.number[-4:]}")
        if self._chance.hits(self._weather.repeated_elsewhere):
            self.loop.call_later(self._later(), self._say_elsewhere, pdu, handset)
        return bind.engine

    def say_sms(self, handset: Handset, short_number: str, text: str) -> None:
        """A handset sends an SMS. What is refused for a while comes again."""
        bind = self._any_bind()
        for part in split(text, 0):
            pdu = centre_side.sms(handset.number, short_number, part, self.link.dialect)
            carried: Carried = pdu if self.link.role is Role.SERVER else DeliverSm(*pdu)
            if bind is not None:
                self._send(bind, carried, f"sms …{handset.number[-4:]}")

    def _any_bind(self) -> Bind | None:
        bound = [each for each in self.binds if each.is_bound]
        return self._chance.pick(bound) if bound else None

    def _send(self, bind: Bind, pdu: Carried, what: str) -> None:
        bind.connection.send(pdu, self.loop.time(), what)
        octets = bind.flush()
        if self._chance.hits(self._weather.repeated):
            self.loop.call_later(self._later(), self._repeat, bind, octets, what)

    def _later(self) -> float:
        """When a message comes again: at once, while it is worked on, or when its subscriber is further."""
        return self._chance.between(0.0, self._chance.pick((0.05, 1.0, 15.0)))

    def _repeat(self, bind: Bind, octets: bytes, what: str) -> None:
        if bind.is_bound:
            self.trace.note(self.link.name, f"repeats {what} to {bind.engine}")
            bind.wire.say(octets)

    def _say_elsewhere(self, pdu: Carried, handset: Handset) -> None:
        bind = self._any_bind()
        if bind is not None:
            self._send(bind, pdu, f"once more …{handset.number[-4:]}")

    def answered(self, request: Pdu, response: Pdu | None, what: object) -> None:
        """The engine's word on what a handset has said."""
        if response is None:
            return
        if response.command_status:
            self.trace.note(self.link.name, f"{what}: {constants.status_name(response.command_status)}")
        if (
            str(what).startswith("sms")
            and response.command_status in FOR_A_WHILE
            and isinstance(request, SubmitSm | DeliverSm)
        ):
            self.loop.call_later(self._chance.between(1.0, 9.0), self._sms_again, request)

    def _sms_again(self, pdu: Carried) -> None:
        bind = self._any_bind()
        if bind is not None:
            self._send(bind, pdu, f"sms again …{pdu.source_addr[-4:]}")

    # --- what comes for handsets ---

    def asked(self, bind: Bind, pdu: Pdu) -> None:
        """A screen or an SMS for a handset."""
        about = bind.wire.said.popleft() if bind.wire.said else None
        if self._chance.hits(self._weather.refused):
            self._respond(bind, pdu, self._chance.pick((constants.ESME_RSYSERR, constants.ESME_RTHROTTLED)))
            return
        if self._chance.hits(self._weather.withheld):
            self.trace.note(self.link.name, f"does not say that it took a message of {bind.engine}")
        else:
            self.loop.call_later(self._chance.between(0.0, 0.2), self._respond, bind, pdu, 0)
        handset = self.handsets.get(cast(Carried, pdu).destination_addr)
        if handset is None:
            self._judge.breaks(f"a message for nobody: {pdu}")
        elif isinstance(about, Exchange):
            shown = centre_side.heard(cast(Carried, pdu), self.link.dialect)
            if shown is None or shown.number != handset.number:
                self._judge.breaks(f"a screen that is none: {pdu}")
                return
            handset.screens.put_nowait(Heard(shown.text, shown.ends, shown.session, about.mark))
        elif isinstance(about, Part):
            carried = cast("SubmitSm | DeliverSm", pdu)
            text = self._joiner.add(carried.source_addr, handset.number, carried, self.loop.time())
            if text is not None:
                handset.read_sms(text)
        else:
            self._judge.breaks(f"a message that nobody has sent: {pdu}")

    def _respond(self, bind: Bind, pdu: Pdu, status: int) -> None:
        if bind.is_gone:
            return
        if status:
            bind.connection.respond(pdu, status)
        else:
            response = answer(pdu)
            if isinstance(response, SubmitSmResp | DeliverSmResp):
                response = response._replace(message_id=f"{self.link.name}-{self._chance.bits(32):x}")
            bind.connection.respond(pdu, response if response is not None else 0)
        bind.flush()
