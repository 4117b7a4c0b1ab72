"""Mistakes that public SMPP projects made or met, one test each: what a peer does, and what we answer."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import encode
from smpp.connection import (
    BindRequested,
    Bound,
    Closing,
    Connection,
    Event,
    Quirk,
    RequestExpired,
    RequestReceived,
    ResponseReceived,
)
from smpp.errors import (
    QUIRK_BODY_ON_ERROR,
    QUIRK_NO_BODY,
    QUIRK_REFUSED_PDU,
    QUIRK_TLV_OVERRUN,
    QUIRK_TRAILING_OCTETS,
    QUIRK_UNKNOWN_COMMAND,
    QUIRK_UNTERMINATED,
    QUIRK_VERSION_IN_DECIMAL,
    QUIRK_WRONG_STATE,
)
from smpp.limits import Limits
from smpp.states import Role, State
from smpp.window import SEQUENCE_MAX
from tests.unit.smpp.test_connection import written

BIND = p.BindTransceiver("ussdc", "secret", sequence_number=1)


def raw(command_id: int, body: bytes = b"", status: int = 0, sequence: int = 7) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body


def bound_centre() -> Connection:
    """We are the centre, and the peer is bound as a transceiver."""
    connection = Connection(Role.SERVER, Limits(), 0.0)
    connection.receive(encode(BIND), 0.0)
    connection.accept_bind("engine")
    connection.take_octets()
    return connection


def bound_client_with_a_submit() -> tuple[Connection, p.Pdu]:
    """We are bound to a centre, and one submit_sm of ours waits for its answer."""
    connection = Connection(Role.CLIENT, Limits(), 0.0)
    connection.send(BIND, 0.0)
    connection.receive(encode(p.BindTransceiverResp("centre", sequence_number=1)), 0.0)
    request = p.SubmitSm(destination_addr="996700123456")
    number = connection.send(request, 0.0, context="screen")
    connection.take_octets()
    return connection, request.numbered(number)


# --- responses ---


@pytest.mark.parametrize(
    ("body", "status", "quirk", "message_id"),
    [
        pytest.param(b"42\0", c.ESME_RTHROTTLED, QUIRK_BODY_ON_ERROR, "42", id="an error with a body"),
        pytest.param(b"\0", c.ESME_RTHROTTLED, QUIRK_BODY_ON_ERROR, "", id="an error with an empty message_id"),
        pytest.param(b"", c.ESME_ROK, QUIRK_NO_BODY, "", id="no error and no body"),
        pytest.param(b"42", c.ESME_ROK, QUIRK_UNTERMINATED, "42", id="a message_id without its NUL"),
    ],
)
def test_a_response_with_too_much_or_too_little_body_completes_its_request(
    body: bytes, status: int, quirk: str, message_id: str
) -> None:
    connection, request = bound_client_with_a_submit()
    events = connection.receive(raw(c.SUBMIT_SM_RESP, body, status, request.sequence_number), 0.1)
    response = p.SubmitSmResp(message_id, (), request.sequence_number, status)
    assert events == [Quirk(quirk), ResponseReceived(request, response, "screen", 0.0)]


@pytest.mark.parametrize("mandatory", [b"", b"\0"], ids=["in place of the body", "behind an empty message_id"])
def test_an_error_response_may_say_how_busy_the_peer_is(mandatory: bytes) -> None:
    connection, request = bound_client_with_a_submit()
    octets = raw(c.SUBMIT_SM_RESP, mandatory + b"\x04\x28\0\x01\x5a", c.ESME_RTHROTTLED, request.sequence_number)
    (answered,) = [event for event in connection.receive(octets, 0.1) if isinstance(event, ResponseReceived)]
    assert answered.pdu.command_status == c.ESME_RTHROTTLED
    assert answered.pdu.tlvs == (p.Tlv(c.TAG_CONGESTION_STATE, b"\x5a"),)


@pytest.mark.parametrize("status", [0x00000009, 0x00000408, 0x00010001, 0xFFFFFFFF])
def test_a_status_outside_the_table_completes_the_request(status: int) -> None:
    connection, request = bound_client_with_a_submit()
    (answered,) = connection.receive(raw(c.SUBMIT_SM_RESP, b"", status, request.sequence_number), 0.1)
    assert isinstance(answered, ResponseReceived)
    assert answered.pdu.command_status == status
    assert c.status_name(status) == f"0x{status:08X}"


def test_a_generic_nack_completes_the_pending_request() -> None:
    connection, request = bound_client_with_a_submit()
    nack = p.GenericNack((), request.sequence_number, c.ESME_RINVCMDID)
    assert connection.receive(encode(nack), 0.1) == [ResponseReceived(request, nack, "screen", 0.0)]
    assert connection.lost() == []


def test_a_pending_request_expires_after_ten_seconds_and_never_twice() -> None:
    connection, request = bound_client_with_a_submit()
    assert connection.tick(9.9) == []
    assert connection.tick(10.0) == [RequestExpired(request, "screen")]
    assert [event for event in connection.tick(1000.0) if isinstance(event, RequestExpired)] == []
    assert connection.lost() == []


# --- requests ---


def test_a_stray_octet_after_short_message_is_counted_and_the_message_taken() -> None:
    connection = bound_centre()
    message = p.SubmitSm(short_message=b"*111#", sequence_number=7)
    octets = bytearray(encode(message) + b"\0")
    octets[3] += 1
    assert connection.receive(bytes(octets), 0.0) == [Quirk(QUIRK_TRAILING_OCTETS), RequestReceived(message)]


def test_a_tlv_longer_than_the_pdu_is_refused_in_submit_sm_and_the_session_stays() -> None:
    connection = bound_centre()
    octets = raw(c.SUBMIT_SM, encode(p.SubmitSm())[16:] + b"\x04\x24\x01\0cut")
    assert connection.receive(octets, 0.0) == [Quirk(QUIRK_REFUSED_PDU)]
    assert written(connection) == [p.SubmitSmResp("", (), 7, c.ESME_RINVOPTPARSTREAM)]
    assert connection.state is State.BOUND_TRX


def test_a_tlv_longer_than_the_pdu_is_dropped_from_a_receipt() -> None:
    connection, _ = bound_client_with_a_submit()
    receipt = p.DeliverSm(esm_class=4, short_message=b"id:42 stat:DELIVRD", sequence_number=7)
    octets = raw(c.DELIVER_SM, encode(receipt)[16:] + b"\0\x1e\0\x2042")
    assert connection.receive(octets, 0.0) == [Quirk(QUIRK_TLV_OVERRUN), RequestReceived(receipt)]


@pytest.mark.parametrize("command_id", [c.BROADCAST_SM, c.QUERY_BROADCAST_SM, c.CANCEL_BROADCAST_SM, 0x00010204])
@pytest.mark.parametrize("sequence", [1, 0xFFFFFFFF])
def test_an_unknown_command_is_nacked_with_its_sequence_and_the_session_stays(command_id: int, sequence: int) -> None:
    connection = bound_centre()
    enquiry = p.EnquireLink(sequence_number=9)
    events = connection.receive(raw(command_id, b"some body\0", 0, sequence) + encode(enquiry), 0.0)
    assert events == [Quirk(QUIRK_UNKNOWN_COMMAND)]
    nack = p.GenericNack((), sequence, c.ESME_RINVCMDID)
    assert written(connection) == [nack, p.EnquireLinkResp(sequence_number=9)]
    assert connection.state is State.BOUND_TRX


def test_the_commands_of_5_0_have_names_in_logs() -> None:
    assert c.command_name(0x00000111) == "broadcast_sm"
    assert c.command_name(0x80000112) == "query_broadcast_sm_resp"
    assert c.command_name(0x00000113) == "cancel_broadcast_sm"


@pytest.mark.parametrize("sequence", [0, 0x80000000, 0xFFFFFFFF])
def test_a_sequence_number_outside_the_range_is_echoed(sequence: int) -> None:
    connection = bound_centre()
    (asked,) = connection.receive(encode(p.SubmitSm(sequence_number=sequence)), 0.0)
    assert isinstance(asked, RequestReceived)
    connection.respond(asked.pdu, p.SubmitSmResp("42"))
    connection.receive(encode(p.EnquireLink(sequence_number=sequence)), 0.0)
    assert written(connection) == [p.SubmitSmResp("42", (), sequence), p.EnquireLinkResp(sequence_number=sequence)]


def test_our_own_sequence_numbers_wrap_at_0x7fffffff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand million requests are not sent for it: the last number is brought down."""
    monkeypatch.setattr("smpp.window.SEQUENCE_MAX", 4)
    connection = bound_centre()
    numbers = [connection.send(p.DeliverSm(), 0.0) for _ in range(3)]
    assert numbers == [1, 2, 3]
    connection.receive(encode(p.DeliverSmResp(sequence_number=2)), 0.0)
    assert [connection.send(p.DeliverSm(), 0.0), connection.send(p.DeliverSm(), 0.0)] == [4, 2]


def test_the_last_sequence_number_is_0x7fffffff() -> None:
    assert SEQUENCE_MAX == 0x7FFFFFFF


# --- binds ---


@pytest.mark.parametrize(
    ("version", "quirks", "answered"),
    [
        (0x00, [], ()),
        (c.VERSION_3_3, [], ()),
        (c.VERSION_3_4, [], (p.Tlv(c.TAG_SC_INTERFACE_VERSION, b"\x34"),)),
        (c.VERSION_5_0, [], (p.Tlv(c.TAG_SC_INTERFACE_VERSION, b"\x34"),)),
        (34, [Quirk(QUIRK_VERSION_IN_DECIMAL)], (p.Tlv(c.TAG_SC_INTERFACE_VERSION, b"\x34"),)),
    ],
)
def test_an_interface_version_is_taken_and_answered_with_ours_from_3_4_on(
    version: int, quirks: list[Event], answered: tuple[p.Tlv, ...]
) -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    bind = p.BindTransceiver("ussdc", interface_version=version, sequence_number=1)
    assert connection.receive(encode(bind), 0.0) == [*quirks, BindRequested(bind)]
    assert connection.accept_bind("engine") == [Bound(bind, State.BOUND_TRX)]
    assert written(connection) == [p.BindTransceiverResp("engine", answered, 1)]


def test_submit_sm_in_an_unbound_state_is_answered_0x04() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    assert connection.receive(encode(p.SubmitSm(sequence_number=7)), 0.0) == [Quirk(QUIRK_WRONG_STATE)]
    assert written(connection) == [p.SubmitSmResp("", (), 7, 0x04)]


def test_an_unbound_peer_that_only_sends_enquire_link_for_an_hour_is_closed_after_five_seconds() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    closed: list[tuple[float, Event]] = []
    for second in range(3600):
        closed += [(second, event) for event in connection.receive(raw(c.ENQUIRE_LINK), float(second))]
        closed += [(second, event) for event in connection.tick(float(second))]
    assert closed == [(5, Closing("not_bound_in_time"))]


# --- lengths ---


@pytest.mark.parametrize(
    "first_four",
    [b"HTTP", b"AMQP", b"GET ", b"\x16\x03\x01\0", *(bytes((0, 0, 0, length)) for length in range(16)), b"\xff" * 4],
)
@pytest.mark.parametrize("bound", [False, True])
def test_a_length_that_cannot_be_ends_the_connection_and_costs_no_memory(first_four: bytes, bound: bool) -> None:
    connection = bound_centre() if bound else Connection(Role.SERVER, Limits(), 0.0)
    chunk = bytes(65536)
    tracemalloc.start()
    try:
        events = connection.receive(first_four, 0.0)
        for _ in range(100):
            events += connection.receive(chunk, 0.0)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert events == [Closing("bad_length")]
    assert most < 16384
    assert written(connection) == [p.GenericNack((), 0, c.ESME_RINVCMDLEN)]


@pytest.mark.parametrize(("bound", "limit"), [(False, 4096), (True, 8192)])
def test_the_longest_length_that_is_believed_keeps_no_more_than_itself(bound: bool, limit: int) -> None:
    connection = bound_centre() if bound else Connection(Role.SERVER, Limits(), 0.0)
    octets = bytes(1)
    tracemalloc.start()
    try:
        connection.receive(limit.to_bytes(4, "big"), 0.0)
        for _ in range(limit - 5):
            connection.receive(octets, 0.0)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2 * limit
