"""What must be true of any octets, whoever sends them.

- `codec.decode` gives a PDU, or a PduError or FramingError that names what was sent; what it gives can be written again
  and means the same, or is refused by a ValueError.
- A connection takes a stream whole and in pieces, in both roles and every state, with requests of ours pending: the
  same events, the same octets out, the same requests handed back; `Closing` at most once and last; nothing raised.
  Every PDU of a stream that is read to its end is told of: as many quirks as the codec sees in it.
- It never holds more than one PDU of the longest kind.
Anything else is an AssertionError, or the exception itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Final, NamedTuple

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import decode, encode, unpack_header
from smpp.connection import BindRequested, Closing, Connection, Event, Quirk, RequestReceived
from smpp.errors import (
    QUIRK_BODY_ON_ERROR,
    QUIRK_NO_BODY,
    QUIRK_TLV_OVERRUN,
    QUIRK_TRAILING_OCTETS,
    QUIRK_UNREADABLE_BODY,
    QUIRK_UNTERMINATED,
    QUIRKS,
    FramingError,
    PduError,
)
from smpp.limits import Limits
from smpp.states import Role
from tests.fuzz.mutation import Case

LIMITS: Final = Limits()
CODEC_QUIRKS: Final = {
    *(QUIRK_BODY_ON_ERROR, QUIRK_NO_BODY, QUIRK_TLV_OVERRUN),
    *(QUIRK_TRAILING_OCTETS, QUIRK_UNREADABLE_BODY, QUIRK_UNTERMINATED),
}
"""Those that the codec tells, not the connection."""
_LATER: Final = 3.0  # seconds, when answers and partial PDUs are still waited for
_BINDS: Final = (p.BindTransmitter("a"), p.BindReceiver("a"), p.BindTransceiver("a"))
_BIND_OCTETS: Final = tuple(encode(bind.numbered(1)) for bind in _BINDS)
_ACCEPTED: Final = tuple(
    encode(response("b", sequence_number=1))
    for response in (p.BindTransmitterResp, p.BindReceiverResp, p.BindTransceiverResp)
)


class Told(NamedTuple):
    """What came of a stream."""

    events: list[Event]
    octets: bytes
    closing_events: list[Event]


# --- the situations a stream can come in ---


def _open_server() -> Connection:
    return Connection(Role.SERVER, LIMITS, 0.0)


def _server_with_a_bind_undecided() -> Connection:
    connection = _open_server()
    connection.receive(_BIND_OCTETS[2], 0.0)
    return connection


def _bound_server(kind: int) -> Connection:
    connection = _open_server()
    connection.receive(_BIND_OCTETS[kind], 0.0)
    connection.accept_bind("b")
    return connection


def _server_with_requests() -> Connection:
    connection = _bound_server(2)
    connection.send(p.DataSm(), 0.0, "given up")
    connection.tick(31.0)  # asks with enquire_link, and gives the first up
    for context in range(2):
        connection.send(p.DeliverSm(), 31.0, context)
    return connection


def _server_that_unbinds() -> Connection:
    connection = _bound_server(1)
    connection.send(p.DeliverSm(), 0.0)
    connection.unbind(0.0)
    return connection


def _open_client() -> Connection:
    return Connection(Role.CLIENT, LIMITS, 0.0)


def _client_that_binds() -> Connection:
    connection = _open_client()
    connection.send(_BINDS[2], 0.0)
    return connection


def _bound_client(kind: int) -> Connection:
    connection = _open_client()
    connection.send(_BINDS[kind], 0.0)
    connection.receive(_ACCEPTED[kind], 0.0)
    return connection


def _client_with_requests() -> Connection:
    connection = _bound_client(2)
    requests: tuple[p.Pdu, ...] = (p.SubmitSm(), p.DataSm(), p.QuerySm(), p.SubmitMulti())
    for context, request in enumerate(requests):
        connection.send(request, 0.0, context)
    return connection


def _client_that_unbinds() -> Connection:
    connection = _client_with_requests()
    connection.unbind(0.0)
    return connection


SITUATIONS: Final[tuple[Callable[[], Connection], ...]] = (
    _open_server,
    _server_with_a_bind_undecided,
    lambda: _bound_server(0),
    lambda: _bound_server(1),
    _server_with_requests,
    _server_with_requests,
    _server_that_unbinds,
    _open_client,
    _client_that_binds,
    lambda: _bound_client(1),
    _client_with_requests,
    _client_with_requests,
    _client_that_unbinds,
)
"""Those with requests of ours stand twice, because most can happen there."""

_HOLDERS: Final = tuple(
    name for name in Connection.__slots__ if isinstance(getattr(_open_server(), name, None), bytes | bytearray)
)
"""Where a connection keeps octets that came or that go."""


# --- the judgement ---


def judge(case: Case) -> None:
    """Raises AssertionError, or whatever was raised, when a case is not taken as it must be."""
    for unit in case.units:
        judge_codec(unit)
    begin = SITUATIONS[case.situation % len(SITUATIONS)]
    judge_pieces(begin, case.stream, case.cuts)


def judge_codec(octets: bytes) -> p.Pdu | None:
    """One unit through the codec; the PDU, if it is one. Raises as `judge` does."""
    quirks: list[str] = []
    try:
        pdu = decode(octets, quirks.append)
    except FramingError:
        assert len(octets) < 16 or unpack_header(octets)[0] != len(octets)
        return None
    except PduError as error:
        _judge_refusal(octets, error)
        return None
    assert (len(octets), pdu.command_id, pdu.command_status, pdu.sequence_number) == unpack_header(octets)
    assert QUIRKS.issuperset(quirks)
    try:
        written = encode(pdu)
    except ValueError:
        return pdu  # a field longer than we may write
    if not pdu.command_status or not pdu.command_id & c.RESPONSE:
        assert decode(written) == pdu
    else:  # an error response: its TLVs alone are written
        again = decode(written)
        assert (again.tlvs, again.command_status) == (pdu.tlvs, pdu.command_status)
    return pdu


def _judge_refusal(octets: bytes, error: PduError) -> None:
    _, command_id, _, sequence_number = unpack_header(octets)
    assert (error.command_id, error.sequence_number) == (command_id, sequence_number)
    assert error.command_status != c.ESME_ROK
    assert not command_id & c.RESPONSE or command_id not in p.BY_COMMAND_ID


def judge_pieces(begin: Callable[[], Connection], stream: bytes, cuts: Iterable[int]) -> None:
    """One stream in one situation, whole and in pieces."""
    whole = hear(begin(), (stream,))
    if not any(isinstance(event, Closing) for event in whole.events):
        found = [event.kind for event in whole.events if isinstance(event, Quirk) and event.kind in CODEC_QUIRKS]
        assert found == list(quirks_of(stream))
    pieces = hear(begin(), [stream[a:b] for a, b in pairwise((0, *cuts, len(stream)))])
    assert pieces == whole


def quirks_of(stream: bytes) -> Iterator[str]:
    """The quirks of the whole PDUs of a stream whose lengths are all believable, read by the codec alone."""
    at = 0
    while len(stream) - at >= 4:
        end = at + int.from_bytes(stream[at : at + 4], "big")
        if end > len(stream):
            break
        quirks: list[str] = []
        with suppress(PduError):
            decode(stream[at:end], quirks.append)
            yield from quirks
        at = end


def hear(connection: Connection, chunks: Iterable[bytes]) -> Told:
    """What comes of these chunks: the owner answers all requests at the end, and then the socket is lost."""
    events: list[Event] = []
    for chunk in chunks:
        events += connection.receive(chunk, 31.0)
        for name in _HOLDERS:
            assert len(getattr(connection, name)) <= LIMITS.pdu_octets_max
    for event in events:
        if isinstance(event, RequestReceived):
            connection.respond(event.pdu, c.ESME_ROK)
    closed = [number for number, event in enumerate(events) if isinstance(event, Closing)]
    assert closed in ([], [len(events) - 1])
    assert all(event.kind in QUIRKS for event in events if isinstance(event, Quirk))
    if not closed and any(isinstance(event, BindRequested) for event in events):
        connection.accept_bind("b")
    unsent, octets = connection.unsent_octets, connection.take_octets()
    assert unsent == len(octets)
    last: list[Event] = [*connection.tick(31.0 + _LATER), *connection.lost()]
    return Told(events, octets, last)
