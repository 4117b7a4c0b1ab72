"""One SMPP connection without its socket: octets and time in, events and octets out. One class for both roles.

Rules of this file:
- No I/O and no clock. `receive`, `tick` and the calls below never block and never raise for anything a peer sent.
- Whatever has to be written waits in `take_octets()`; ask for it after every call.
- At most one PDU is buffered, and its length is believed only when it is within the limits: a wrong one ends the
  connection before an octet of it is kept. Work is linear in the octets, however they were cut into chunks.
- enquire_link and unbind are answered here; every other request becomes an event, and its owner answers it. When
  many wait for their answer `is_full` asks the shell to read no more; beyond the hard limit they are throttled here.
- `Closing` comes at most once and last; then nothing more is read, and no request is sent. Requests that came before
  it may still be answered until `take_octets` is called: their answers go out before the answer to the unbind.
"""
# long because: the events stand beside the one class that makes them

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple, TypeAlias, cast

from smpp import constants as c
from smpp.codec import HEADER_OCTETS, decode, encode
from smpp.errors import (
    QUIRK_LATE_RESPONSE,
    QUIRK_REFUSED_PDU,
    QUIRK_UNEXPECTED_RESPONSE,
    QUIRK_UNKNOWN_COMMAND,
    QUIRK_UNKNOWN_RESPONSE,
    QUIRK_VERSION_IN_DECIMAL,
    QUIRK_WINDOW_EXCEEDED,
    QUIRK_WRONG_RESPONSE,
    QUIRK_WRONG_STATE,
    PduError,
    WrongState,
)
from smpp.limits import Limits
from smpp.pdu import (
    BY_COMMAND_ID,
    BindPdu,
    BindTransceiverResp,
    EnquireLink,
    GenericNack,
    Outbind,
    Pdu,
    Tlv,
    Unbind,
    answer,
)
from smpp.states import BOUND, MAY_SEND, STATE_AFTER_BIND, Role, State
from smpp.timers import Due, Timers
from smpp.traffic import COMMAND_OTHER, Traffic, known
from smpp.window import Window

BAD_LENGTH: Final = "bad_length"
BIND_REFUSED: Final = "bind_refused"
UNBOUND_BY_PEER: Final = "unbound_by_peer"
UNBOUND_BY_US: Final = "unbound_by_us"

_OWN_REQUESTS: Final = c.BINDS | {c.UNBIND, c.ENQUIRE_LINK}
_SESSION_REQUESTS: Final = _OWN_REQUESTS | {c.OUTBIND}
_unpack_length: Final = Struct(">I").unpack_from
_SC_INTERFACE_VERSION: Final = (Tlv(c.TAG_SC_INTERFACE_VERSION, bytes((c.VERSION_3_4,))),)


class BindRequested(NamedTuple):
    """The peer wants to bind: answer with `accept_bind` or `refuse_bind`, at once or later."""

    pdu: BindPdu


class Bound(NamedTuple):
    """The connection is bound by this request, and in which state."""

    pdu: BindPdu
    state: State


class BindRefused(NamedTuple):
    """The peer refused our bind with this ESME status; `Closing` follows."""

    status: int


class RequestReceived(NamedTuple):
    """A request of the peer that is legal now; its owner answers with `respond`."""

    pdu: Pdu


class ResponseReceived(NamedTuple):
    """The answer to a request of ours, or a generic_nack of it. `sent_at` is the time given to `send`."""

    request: Pdu
    pdu: Pdu
    context: object
    sent_at: float


class RequestExpired(NamedTuple):
    """A request of ours that will not be answered: its time is over, or the connection is."""

    request: Pdu
    context: object


class Quirk(NamedTuple):
    """The peer did something wrong that was taken or refused as a matter of course; a word of `errors.QUIRKS`."""

    kind: str


class Closing(NamedTuple):
    """Write what is left, then close. `reason` is one of a fixed set of words."""

    reason: str


class OutbindReceived(NamedTuple):
    """A centre has called us and wants us to bind (2.2.1): we are its client now: `send` a bind, or close."""

    pdu: Outbind


Event: TypeAlias = (
    BindRequested
    | Bound
    | BindRefused
    | RequestReceived
    | ResponseReceived
    | RequestExpired
    | Quirk
    | Closing
    | OutbindReceived
)
Trace: TypeAlias = Callable[[bool, bytes], None]
"""Is shown each whole PDU: whether it was received, and its octets, passwords and texts included."""


class Connection:
    """The protocol state of one connection, in either role."""

    __slots__ = (
        "_bind_request",
        "_farewell",
        "_limits",
        "_octets_max",
        "_open_requests",
        "_out",
        "_over",
        "_partial",
        "_peer_may",
        "_quirks",
        "_silent",
        "_timers",
        "_unbinding",
        "_we_may",
        "_window",
        "role",
        "state",
        "trace",
        "traffic",
        "unsent_octets",
    )

    def __init__(self, role: Role, limits: Limits, now: float, *, secured: bool = True) -> None:
        """`now`: the moment the socket was connected, from the clock of all later calls, in seconds.

        `secured` False: TLS is not agreed on yet, and `secure` says when it is.
        """
        self.role = role
        self.traffic = Traffic()
        self.trace: Trace | None = None
        self.unsent_octets = 0
        self._open_requests = 0  # the peer's requests that have no answer yet
        self._limits = limits
        self._timers = Timers(limits, now, secured=secured)
        self._window = Window(limits.window_out, late_seconds=limits.late_seconds)
        self._partial = bytearray()
        self._out: list[bytes] = []
        self._quirks: list[str] = []
        self._bind_request: BindPdu | None = None
        self._unbinding = False
        self._over = False  # nothing is read or asked any more
        self._silent = False  # nor written
        self._farewell = b""  # the last PDU, behind the answers to what came before
        self._enter(State.OPEN)

    @property
    def is_full(self) -> bool:
        """Whether so many of the peer's requests wait for an answer that no more should be read."""
        return self._open_requests >= self._limits.window_in

    @property
    def is_ending(self) -> bool:
        """Whether nothing more can be asked: an unbind of ours is on its way, or all is over."""
        return self._unbinding or self._over

    @property
    def in_flight(self) -> int:
        """How many of our requests wait for an answer."""
        return len(self._window)

    def serve(self, limits: Limits, traffic: Traffic) -> None:
        """From now on these limits hold, and this counts: the peer has said who it is. Call it before `accept_bind`."""
        self._limits, self.traffic = limits, traffic
        self._octets_max = limits.octets_max(bound=self.state in BOUND)
        self._timers.serve(limits)
        self._window.size_max, self._window.late_seconds = limits.window_out, limits.late_seconds

    def opened(self, now: float) -> None:
        """The socket is connected just now, later than the connection was made."""
        self._timers.open(now)

    def secure(self, now: float) -> None:
        """TLS is agreed on."""
        self._timers.secure(now)

    # --- what the shell brings ---

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Octets as they came from the socket, cut anywhere. The events in the order of their PDUs."""
        events: list[Event] = []
        at, size = self._finish_partial(octets, now, events), len(octets)
        while size - at >= 4 and not self._over:
            (length,) = _unpack_length(octets, at)
            if not HEADER_OCTETS <= length <= self._octets_max:
                self._refuse_length(events)
                break
            if size - at < length:
                break
            self._take(octets[at : at + length], now, events)
            at += length
        if at < size and not self._over:
            if not self._partial:
                self._timers.partial_at = now
            self._partial += octets[at:]
        return events

    def tick(self, now: float) -> list[Event]:
        """What time alone brings; call it a few times a second."""
        if self._over:
            return []
        late = self._window.expired(now)
        events: list[Event] = [RequestExpired(pending.request, pending.context) for pending in late]
        if self.is_full:
            self._timers.held(now)
        due = self._timers.tick(now)
        if due is Due.ENQUIRE:
            if not self._timers.misses:
                self._window.forget_own(c.ENQUIRE_LINK)
            self._send_own(EnquireLink(), now)
        elif due is Due.UNBIND:
            self.unbind(now)
        elif due is not None:
            self._close(due.value, events)
        return events

    def lost(self) -> list[RequestExpired]:
        """The socket is gone: what was still waiting for an answer. Call it once."""
        self._over = self._silent = True
        self._enter(State.CLOSED)
        return [RequestExpired(pending.request, pending.context) for pending in self._window.drain()]

    def take_octets(self) -> bytes:
        """What is to be written now; the caller writes it, all of it and in this order."""
        if self._over:
            self._out.append(self._farewell)
            self._farewell, self._silent = b"", True
        octets = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self.unsent_octets = 0
        return octets

    # --- what the owner does ---

    def send(self, pdu: Pdu, now: float, context: object = None, seconds_max: float | None = None) -> int:
        """Sends a request of ours and returns its sequence number; `context` comes back with the answer.

        `seconds_max`: how long its answer may take, `ussd_response_seconds` unless it is said.
        Raises WrongState, WindowFull, and ValueError for a field that cannot be written; then nothing was sent.
        """
        command_id = pdu.command_id
        if command_id not in self._we_may or self._unbinding:
            raise WrongState(f"{c.command_name(command_id)} as {self.role.value} in state {self.state.value}")
        if command_id in _OWN_REQUESTS:
            return self._send_session(pdu, now)
        answered = command_id | c.RESPONSE in BY_COMMAND_ID
        if answered:
            self._window.check_room()
        request = pdu.numbered(self._window.allot())
        self._write(encode(request))
        self.traffic.sent[command_id, 0] += 1
        self._timers.active_at = now
        if answered:
            if seconds_max is None:
                seconds_max = self._limits.ussd_response_seconds
            self._window.add(request, context, now, seconds_max)
            self.traffic.window_depth.add(len(self._window))
        elif command_id == c.OUTBIND:
            self._enter(State.OUTBOUND)
        return request.sequence_number

    def respond(self, request: Pdu, response: Pdu | int) -> None:
        """Answers a request of the peer, under its sequence number: with a PDU, or with a status alone.

        Nothing happens once the connection is closed, or for a request that has no response (alert_notification).
        Raises ValueError when `response` does not belong to `request`, or cannot be written.
        """
        if self._answer(request, response) and self._open_requests:
            self._open_requests -= 1

    def _answer(self, request: Pdu, response: Pdu | int) -> bool:
        """Whether the request has an answer at all."""
        if isinstance(response, int):
            made = answer(request, response)
            if made is None:
                return False
            response = made
        elif response.command_id not in (request.command_id | c.RESPONSE, c.GENERIC_NACK):
            wrong, asked = c.command_name(response.command_id), c.command_name(request.command_id)
            raise ValueError(f"{wrong} does not answer {asked}")
        else:
            response = response.numbered(request.sequence_number)
        if not self._silent:
            self._write(encode(response))
            status = response.command_status
            self.traffic.sent[response.command_id, status and known(status)] += 1
        return True

    def accept_bind(self, system_id: str) -> list[Event]:
        """Accepts the bind that was requested; `system_id` is ours. Raises WrongState when none waits."""
        request = self._take_bind_request()
        made = cast("BindTransceiverResp", answer(request))
        version = request.interface_version
        speaks_tlvs = version >= c.VERSION_3_4 or version == c.VERSION_3_4_IN_DECIMAL
        made = made._replace(system_id=system_id, tlvs=_SC_INTERFACE_VERSION if speaks_tlvs else ())
        self._write(encode(made))
        self.traffic.sent[made.command_id, 0] += 1
        return [self._bound(request)]

    def refuse_bind(self, status: int) -> list[Event]:
        """Refuses the bind that was requested, and ends the connection. Raises WrongState when none waits."""
        self._answer(self._take_bind_request(), status)
        events: list[Event] = []
        self._close(BIND_REFUSED, events)
        return events

    def unbind(self, now: float) -> None:
        """Ends the session in order: `Closing` comes with the answer, or when it does not come in time.

        Until then answers to earlier requests are still taken, and requests of the peer still answered.
        """
        if self.state in BOUND and not self._unbinding:
            self._send_session(Unbind(), now)

    # --- the stream ---

    def _finish_partial(self, octets: bytes, now: float, events: list[Event]) -> int:
        """Completes the PDU that an earlier chunk began; returns how many octets of this chunk that took."""
        partial = self._partial
        if not partial or self._over:
            return 0
        at = max(0, min(4 - len(partial), len(octets)))
        partial += octets[:at]
        if len(partial) < 4:
            return at
        length: int = _unpack_length(partial)[0]
        if not HEADER_OCTETS <= length <= self._octets_max:
            self._refuse_length(events)
            return at
        end = at + length - len(partial)
        partial += octets[at:end]
        if len(partial) < length:
            return len(octets)
        whole = bytes(partial)
        partial.clear()
        self._timers.partial_at = None
        self._take(whole, now, events)
        return end

    def _refuse_length(self, events: list[Event]) -> None:
        """The sequence number is 0 even where one can be seen: with a wrong length, nothing after it is believed."""
        self._close(BAD_LENGTH, events, GenericNack(command_status=c.ESME_RINVCMDLEN))

    def _take(self, octets: bytes, now: float, events: list[Event]) -> None:
        """One whole PDU."""
        self._timers.heard(now)
        if self.trace is not None:
            self.trace(True, octets)
        try:
            pdu = decode(octets, self._quirks.append)
        except PduError as error:
            self._refuse(error, events)
            return
        if self._quirks:
            for kind in self._quirks:
                self._quirk(kind, events)
            self._quirks.clear()
        command_id, status = pdu.command_id, pdu.command_status
        self.traffic.received[command_id, status and known(status)] += 1
        if command_id & c.RESPONSE:
            self._take_response(pdu, now, events)
        elif command_id not in self._peer_may:
            self._take_unwanted(pdu, events)
        elif command_id in _SESSION_REQUESTS:
            self._take_session_request(pdu, events)
        elif self._open_requests >= self._limits.window_in_max:
            self._quirk(QUIRK_WINDOW_EXCEEDED, events)
            self._answer(pdu, c.ESME_RTHROTTLED)
        else:
            self._timers.active_at = now
            self._open_requests += command_id != c.ALERT_NOTIFICATION
            events.append(RequestReceived(pdu))

    def _take_unwanted(self, pdu: Pdu, events: list[Event]) -> None:
        """A request that is not legal in this state, but for the outbind of a centre that has called us."""
        if isinstance(pdu, Outbind) and self.state is State.OPEN and self._bind_request is None:
            self.role = Role.CLIENT  # from now on; a second one is in the wrong state
            self._enter(State.OUTBOUND)
            events.append(OutbindReceived(pdu))
            return
        self._quirk(QUIRK_WRONG_STATE, events)
        again = pdu.command_id in c.BINDS and self.state in BOUND
        self._answer(pdu, c.ESME_RALYBND if again else c.ESME_RINVBNDSTS)

    def _refuse(self, error: PduError, events: list[Event]) -> None:
        self._quirks.clear()
        self.traffic.received[error.command_id if error.command_id in BY_COMMAND_ID else COMMAND_OTHER, 0] += 1
        if error.command_id in BY_COMMAND_ID:
            self._quirk(QUIRK_REFUSED_PDU, events)
            refusal = answer(BY_COMMAND_ID[error.command_id]().numbered(error.sequence_number), error.command_status)
            if refusal is not None:
                self._write(encode(refusal))
                self.traffic.sent[refusal.command_id, error.command_status] += 1
        elif error.command_id & c.RESPONSE:
            self._quirk(QUIRK_UNKNOWN_RESPONSE, events)
        else:
            self._quirk(QUIRK_UNKNOWN_COMMAND, events)
            nack = GenericNack(sequence_number=error.sequence_number, command_status=error.command_status)
            self._write(encode(nack))
            self.traffic.sent[c.GENERIC_NACK, error.command_status] += 1

    # --- requests of the session itself ---

    def _take_session_request(self, pdu: Pdu, events: list[Event]) -> None:
        if isinstance(pdu, EnquireLink):
            self._answer(pdu, c.ESME_ROK)
        elif isinstance(pdu, Unbind):
            self._close(UNBOUND_BY_PEER, events, answer(pdu))
        elif isinstance(pdu, Outbind):
            self._enter(State.OUTBOUND)
            events.append(RequestReceived(pdu))
        elif self._bind_request is not None:
            self._quirk(QUIRK_WRONG_STATE, events)
            self._answer(pdu, c.ESME_RALYBND)
        else:
            bind = cast("BindPdu", pdu)
            if bind.interface_version == c.VERSION_3_4_IN_DECIMAL:
                self._quirk(QUIRK_VERSION_IN_DECIMAL, events)
            self._bind_request = bind
            events.append(BindRequested(bind))

    def _send_session(self, pdu: Pdu, now: float) -> int:
        number = self._send_own(pdu, now)
        if pdu.command_id in c.BINDS:
            self._timers.bind_sent_at = now
        elif pdu.command_id == c.UNBIND:
            self._timers.unbind_sent_at = now
            self._unbinding = True
        return number

    def _send_own(self, pdu: Pdu, now: float) -> int:
        request = pdu.numbered(self._window.allot())
        self._write(encode(request))
        self.traffic.sent[request.command_id, 0] += 1
        self._window.add_own(request, now)
        return request.sequence_number

    def _take_bind_request(self) -> BindPdu:
        request = self._bind_request
        if request is None or self._over:
            raise WrongState("no bind waits for an answer")
        self._bind_request = None
        return request

    def _bound(self, request: BindPdu) -> Bound:
        self._timers.bound = True
        self._timers.active_at = self._timers.heard_at
        self._enter(STATE_AFTER_BIND[request.command_id])
        return Bound(request, self.state)

    # --- responses ---

    def _take_response(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        number = pdu.sequence_number
        pending = self._window.peek(number)
        own = None if pending else self._window.peek_own(number)
        asked = pending or own
        if asked is None:
            self._quirk(QUIRK_LATE_RESPONSE if self._window.take_late(number) else QUIRK_UNEXPECTED_RESPONSE, events)
        elif pdu.command_id not in (asked.request.command_id | c.RESPONSE, c.GENERIC_NACK):
            self._quirk(QUIRK_WRONG_RESPONSE, events)
        else:
            self._window.remove(number)
            if pending:
                self.traffic.response_seconds.add(now - pending.sent_at)
                events.append(ResponseReceived(pending.request, pdu, pending.context, pending.sent_at))
            elif own:
                if own.request.command_id == c.ENQUIRE_LINK:
                    self.traffic.enquire_seconds.add(now - own.sent_at)
                self._take_own_response(own.request, pdu, events)

    def _take_own_response(self, request: Pdu, pdu: Pdu, events: list[Event]) -> None:
        """The answer to a bind, an unbind or an enquire_link of ours; to the last, any answer says enough."""
        if request.command_id == c.UNBIND:
            self._close(UNBOUND_BY_US, events)
        elif request.command_id in c.BINDS:
            self._timers.bind_sent_at = None
            if pdu.command_status == c.ESME_ROK and pdu.command_id != c.GENERIC_NACK:
                events.append(self._bound(cast("BindPdu", request)))
            else:
                events.append(BindRefused(pdu.command_status))
                self._close(BIND_REFUSED, events)

    # --- small things ---

    def _quirk(self, kind: str, events: list[Event]) -> None:
        self.traffic.quirks[kind] += 1
        events.append(Quirk(kind))

    def _write(self, octets: bytes) -> None:
        if self.trace is not None:
            self.trace(False, octets)
        self._out.append(octets)
        self.unsent_octets += len(octets)

    def _enter(self, state: State) -> None:
        self.state = state
        self._we_may = MAY_SEND[self.role, state]
        self._peer_may = MAY_SEND[self.role.peer, state]
        self._octets_max = self._limits.octets_max(bound=state in BOUND)

    def _close(self, reason: str, events: list[Event], farewell: Pdu | None = None) -> None:
        self._over = True
        if farewell is not None:
            self._farewell = encode(farewell)
            self.unsent_octets += len(self._farewell)
            self.traffic.sent[farewell.command_id, farewell.command_status] += 1
            if self.trace is not None:
                self.trace(False, self._farewell)
        self._partial.clear()
        self._enter(State.UNBOUND if reason in (UNBOUND_BY_PEER, UNBOUND_BY_US) else State.CLOSED)
        events.append(Closing(reason))
