"""A session between the two roles without sockets, and with a clock that only the test moves."""
# long because: one story a behaviour of the one class

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import decode, encode
from smpp.connection import (
    BindRefused,
    BindRequested,
    Bound,
    Closing,
    Connection,
    Event,
    OutbindReceived,
    Quirk,
    RequestExpired,
    RequestReceived,
    ResponseReceived,
)
from smpp.errors import (
    QUIRK_LATE_RESPONSE,
    QUIRK_REFUSED_PDU,
    QUIRK_UNEXPECTED_RESPONSE,
    QUIRK_UNKNOWN_COMMAND,
    QUIRK_VERSION_IN_DECIMAL,
    QUIRK_WRONG_RESPONSE,
    QUIRK_WRONG_STATE,
    WindowFull,
    WrongState,
)
from smpp.limits import Limits
from smpp.states import Role, State
from smpp.traffic import STATUS_OTHER, Traffic
from smpp.window import SEQUENCE_MAX, Window

BIND = p.BindTransceiver(system_id="ussdc", password="secret")


def written(connection: Connection) -> list[p.Pdu]:
    """The PDUs that wait to be written, taken."""
    octets, pdus = connection.take_octets(), []
    while octets:
        length = int.from_bytes(octets[:4], "big")
        pdus.append(decode(octets[:length]))
        octets = octets[length:]
    return pdus


def server(bind: p.BindPdu | None = BIND, limits: Limits | None = None) -> Connection:
    """A server's connection, bound unless `bind` is None, with nothing left to write."""
    connection = Connection(Role.SERVER, limits or Limits(), 0.0)
    if bind is not None:
        connection.receive(encode(bind.numbered(1)), 0.0)
        connection.accept_bind("engine")
        connection.take_octets()
    return connection


def client(limits: Limits | None = None) -> Connection:
    """A client's connection, bound as a transceiver."""
    connection = Connection(Role.CLIENT, limits or Limits(), 0.0)
    number = connection.send(BIND, 0.0)
    connection.receive(encode(p.BindTransceiverResp("centre", sequence_number=number)), 0.0)
    connection.take_octets()
    assert connection.state is State.BOUND_TRX
    return connection


# --- binding ---


@pytest.mark.parametrize(
    ("bind", "response", "state"),
    [
        (p.BindTransmitter("a"), p.BindTransmitterResp, State.BOUND_TX),
        (p.BindReceiver("a"), p.BindReceiverResp, State.BOUND_RX),
        (p.BindTransceiver("a"), p.BindTransceiverResp, State.BOUND_TRX),
    ],
)
def test_each_kind_of_bind_leads_to_its_state(bind: p.BindPdu, response: type[p.Pdu], state: State) -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    request = bind.numbered(9)
    assert connection.receive(encode(request), 0.0) == [BindRequested(request)]
    assert connection.state is State.OPEN
    assert connection.accept_bind("engine") == [Bound(request, state)]
    (answer,) = written(connection)
    assert type(answer) is response
    assert (answer.sequence_number, answer.command_status) == (9, c.ESME_ROK)
    assert p.find_tlv(answer, c.TAG_SC_INTERFACE_VERSION) == b"\x34"


def test_interface_version_34_is_taken_for_0x34_and_counted() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    request = p.BindTransceiver("a", interface_version=34, sequence_number=1)
    assert connection.receive(encode(request), 0.0) == [Quirk(QUIRK_VERSION_IN_DECIMAL), BindRequested(request)]
    connection.accept_bind("engine")
    assert p.find_tlv(written(connection)[0], c.TAG_SC_INTERFACE_VERSION) == b"\x34"


def test_a_peer_older_than_3_4_is_sent_no_tlvs() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    connection.receive(encode(p.BindReceiver("a", interface_version=0x33, sequence_number=1)), 0.0)
    connection.accept_bind("engine")
    assert written(connection)[0].tlvs == ()


def test_a_refused_bind_is_answered_without_a_body_and_ends_the_connection() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    connection.receive(encode(BIND.numbered(5)), 0.0)
    assert connection.refuse_bind(c.ESME_RBINDFAIL) == [Closing("bind_refused")]
    assert connection.take_octets().hex() == "00000010800000090000000d00000005"
    assert connection.state is State.CLOSED


def test_a_second_bind_is_refused_while_the_first_is_decided_and_after() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    connection.receive(encode(BIND.numbered(1)), 0.0)
    assert connection.receive(encode(BIND.numbered(2)), 0.0) == [Quirk(QUIRK_WRONG_STATE)]
    assert written(connection) == [p.BindTransceiverResp(sequence_number=2, command_status=c.ESME_RALYBND)]
    connection.accept_bind("engine")
    connection.take_octets()
    assert connection.receive(encode(BIND.numbered(3)), 0.0) == [Quirk(QUIRK_WRONG_STATE)]
    assert written(connection) == [p.BindTransceiverResp(sequence_number=3, command_status=c.ESME_RALYBND)]
    assert connection.state is State.BOUND_TRX


def test_a_bind_without_its_body_is_refused_and_a_right_one_may_follow() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    octets = bytes.fromhex("00000010000000010000000000000001")
    assert connection.receive(octets, 0.0) == [Quirk(QUIRK_REFUSED_PDU)]
    assert written(connection) == [p.BindReceiverResp(sequence_number=1, command_status=c.ESME_RINVCMDLEN)]
    assert connection.receive(encode(BIND.numbered(2)), 0.0) == [BindRequested(BIND.numbered(2))]


def test_our_bind_that_is_refused_says_why_and_closes() -> None:
    connection = Connection(Role.CLIENT, Limits(), 0.0)
    number = connection.send(BIND, 0.0)
    refusal = p.BindTransceiverResp(sequence_number=number, command_status=c.ESME_RALYBND)
    assert connection.receive(encode(refusal), 0.1) == [BindRefused(c.ESME_RALYBND), Closing("bind_refused")]


def test_our_bind_that_is_nacked_without_a_status_is_refused_too() -> None:
    connection = Connection(Role.CLIENT, Limits(), 0.0)
    number = connection.send(BIND, 0.0)
    events = connection.receive(encode(p.GenericNack(sequence_number=number)), 0.1)
    assert events == [BindRefused(c.ESME_ROK), Closing("bind_refused")]


def test_an_outbind_asks_us_to_bind() -> None:
    centre, esme = Connection(Role.SERVER, Limits(), 0.0), Connection(Role.CLIENT, Limits(), 0.0)
    outbind = p.Outbind("centre", "secret")
    number = centre.send(outbind, 0.0)
    assert esme.receive(centre.take_octets(), 0.0) == [RequestReceived(outbind.numbered(number))]
    assert (centre.state, esme.state) == (State.OUTBOUND, State.OUTBOUND)
    esme.send(BIND, 0.0)
    assert isinstance(centre.receive(esme.take_octets(), 0.0)[0], BindRequested)


# --- a dialogue ---


def test_a_dialogue_of_submit_sm_and_deliver_sm_between_the_two_roles() -> None:
    centre, engine = client(), server()
    begin = p.SubmitSm(source_addr="996700123456", destination_addr="*111#", tlvs=(p.Tlv(0x0501, b"\x01"),))
    number = centre.send(begin, 1.0, context="begin")
    (asked,) = engine.receive(centre.take_octets(), 1.0)
    assert asked == RequestReceived(begin.numbered(number))

    engine.respond(asked.pdu, p.SubmitSmResp("42"))
    screen = p.DeliverSm(source_addr="*111#", short_message=b"1. Balance")
    engine.send(screen, 1.0, context=("turn", 7))
    answered, shown = centre.receive(engine.take_octets(), 1.2)
    assert answered == ResponseReceived(begin.numbered(number), p.SubmitSmResp("42", (), number), "begin", 1.0)
    assert isinstance(shown, RequestReceived)

    centre.respond(shown.pdu, c.ESME_ROK)
    (accepted,) = engine.receive(centre.take_octets(), 1.3)
    assert isinstance(accepted, ResponseReceived)
    assert (accepted.context, accepted.pdu.command_status) == (("turn", 7), c.ESME_ROK)


def test_a_response_must_belong_to_its_request() -> None:
    engine = server()
    with pytest.raises(ValueError, match="deliver_sm_resp does not answer submit_sm"):
        engine.respond(p.SubmitSm(sequence_number=1), p.DeliverSmResp())
    assert engine.unsent_octets == 0


def test_an_alert_notification_is_taken_and_never_answered() -> None:
    connection = client()
    (event,) = connection.receive(encode(p.AlertNotification(source_addr="1", sequence_number=3)), 0.0)
    assert isinstance(event, RequestReceived)
    connection.respond(event.pdu, c.ESME_ROK)
    assert connection.take_octets() == b""


# --- states ---


def test_submit_sm_in_an_unbound_state_is_refused_not_answered_ok() -> None:
    connection = server(bind=None)
    assert connection.receive(encode(p.SubmitSm(sequence_number=4)), 0.0) == [Quirk(QUIRK_WRONG_STATE)]
    assert written(connection) == [p.SubmitSmResp(sequence_number=4, command_status=c.ESME_RINVBNDSTS)]


def test_submit_sm_of_a_receiver_is_refused() -> None:
    connection = server(p.BindReceiver("a"))
    assert connection.receive(encode(p.SubmitSm(sequence_number=4)), 0.0) == [Quirk(QUIRK_WRONG_STATE)]
    assert written(connection)[0].command_status == c.ESME_RINVBNDSTS


def test_we_cannot_deliver_to_a_transmitter_or_before_the_bind() -> None:
    for connection in (server(p.BindTransmitter("a")), server(bind=None)):
        with pytest.raises(WrongState, match="deliver_sm as server"):
            connection.send(p.DeliverSm(), 0.0)
        assert connection.take_octets() == b""


def test_enquire_link_is_answered_before_and_after_the_bind() -> None:
    for connection in (server(bind=None), server(), client()):
        assert connection.receive(encode(p.EnquireLink(sequence_number=77)), 0.0) == []
        assert written(connection) == [p.EnquireLinkResp(sequence_number=77)]


# --- the end ---


def test_an_unbind_is_answered_and_then_closed() -> None:
    connection = server()
    assert connection.receive(encode(p.Unbind(sequence_number=8)), 0.0) == [Closing("unbound_by_peer")]
    assert written(connection) == [p.UnbindResp(sequence_number=8)]
    assert connection.state is State.UNBOUND


def test_nothing_after_an_unbind_is_read_sent_or_answered() -> None:
    connection = server()
    request = p.SubmitSm(sequence_number=9)
    events = connection.receive(encode(p.Unbind(sequence_number=8)) + encode(request), 0.0)
    assert events == [Closing("unbound_by_peer")]
    connection.take_octets()
    assert connection.receive(encode(request), 0.0) == []
    connection.respond(request, c.ESME_ROK)
    assert connection.take_octets() == b""
    assert connection.tick(1000.0) == []
    with pytest.raises(WrongState):
        connection.send(p.DeliverSm(), 0.0)


def test_our_unbind_waits_for_its_answer_and_takes_earlier_answers_meanwhile() -> None:
    connection = server()
    number = connection.send(p.DeliverSm(), 0.0, context="last screen")
    connection.unbind(1.0)
    connection.unbind(1.1)
    _, unbind = written(connection)
    with pytest.raises(WrongState):
        connection.send(p.DeliverSm(), 1.2)
    (answered,) = connection.receive(encode(p.DeliverSmResp(sequence_number=number)), 1.3)
    assert isinstance(answered, ResponseReceived)
    response = encode(p.UnbindResp(sequence_number=unbind.sequence_number))
    assert connection.receive(response, 1.4) == [Closing("unbound_by_us")]


def test_our_unbind_that_is_not_answered_ends_after_five_seconds() -> None:
    connection = server()
    connection.unbind(1.0)
    assert connection.tick(5.9) == []
    assert connection.tick(6.0) == [Closing("unbind_unanswered")]


def test_what_waits_when_the_socket_goes_is_handed_back() -> None:
    connection = server()
    connection.send(p.DeliverSm(), 0.0, context="a")
    connection.send(p.DeliverSm(), 0.0, context="b")
    assert [event.context for event in connection.lost()] == ["a", "b"]
    assert connection.lost() == []


# --- time ---


def test_an_unbound_peer_that_only_sends_enquire_link_is_closed_after_five_seconds() -> None:
    connection = server(bind=None)
    for second in range(5):
        assert connection.receive(encode(p.EnquireLink(sequence_number=second + 1)), float(second)) == []
        assert connection.tick(float(second)) == []
    assert connection.tick(5.0) == [Closing("not_bound_in_time")]


def test_a_silent_peer_is_asked_twice_and_then_closed() -> None:
    connection = server()
    assert connection.tick(30.0) == []
    assert connection.tick(40.0) == []
    assert [type(pdu) for pdu in written(connection)] == [p.EnquireLink, p.EnquireLink]
    assert connection.tick(50.0) == [Closing("enquire_link_unanswered")]


@pytest.mark.parametrize("response", [p.EnquireLinkResp, p.GenericNack])
def test_any_answer_to_enquire_link_keeps_the_link(response: type[p.EnquireLinkResp]) -> None:
    connection = server()
    connection.tick(30.0)
    (asked,) = written(connection)
    assert connection.receive(encode(response(sequence_number=asked.sequence_number)), 31.0) == []
    assert connection.tick(60.9) == []
    assert connection.take_octets() == b""


def test_pending_requests_expire_in_the_order_they_were_sent() -> None:
    connection = server()
    connection.receive(encode(p.EnquireLink(sequence_number=1)), 5.0)
    for second in (0, 1, 2):
        connection.send(p.DeliverSm(), float(second), context=second)
    assert connection.tick(9.9) == []
    assert [event.context for event in connection.tick(11.0) if isinstance(event, RequestExpired)] == [0, 1]
    assert [event.context for event in connection.tick(12.0) if isinstance(event, RequestExpired)] == [2]


def test_an_answer_that_comes_too_late_is_counted_and_gives_nothing() -> None:
    connection = server()
    number = connection.send(p.DeliverSm(), 0.0)
    connection.tick(10.0)
    late = connection.receive(encode(p.DeliverSmResp(sequence_number=number)), 10.1)
    assert late == [Quirk(QUIRK_LATE_RESPONSE)]
    again = connection.receive(encode(p.DeliverSmResp(sequence_number=number)), 10.2)
    assert again == [Quirk(QUIRK_UNEXPECTED_RESPONSE)]


def test_a_partial_pdu_is_waited_for_five_seconds() -> None:
    connection = server()
    octets = encode(p.SubmitSm(sequence_number=2))
    connection.receive(octets[:20], 10.0)
    connection.receive(octets[20:21], 14.0)
    assert connection.tick(14.9) == []
    assert connection.tick(15.0) == [Closing("partial_pdu")]


def test_the_time_of_a_partial_pdu_begins_with_it_not_with_the_one_before() -> None:
    connection = server()
    octets = encode(p.EnquireLink(sequence_number=2))
    connection.receive(octets[:3], 10.0)
    connection.receive(octets[3:] + octets[:3], 14.0)
    assert connection.tick(16.0) == []
    connection.receive(octets[3:], 17.0)
    assert connection.tick(25.0) == []


def test_our_bind_that_nobody_answers_ends_after_half_a_minute() -> None:
    connection = Connection(Role.CLIENT, Limits(), 0.0)
    connection.send(BIND, 0.0)
    assert connection.tick(29.9) == []
    assert connection.tick(30.0) == [Closing("bind_unanswered")]


# --- lengths ---


@pytest.mark.parametrize("length", [0, 1, 15, 4097, 0x48545450, 0x414D5150, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_nacked_with_sequence_0_and_closes_before_anything_is_kept(length: int) -> None:
    connection = server(bind=None)
    octets = struct.pack(">IIII", length, c.ENQUIRE_LINK, 0, 55) + b"x" * 100
    assert connection.receive(octets, 0.0) == [Closing("bad_length")]
    assert written(connection) == [p.GenericNack(command_status=c.ESME_RINVCMDLEN)]
    assert connection.receive(b"x" * 60000, 0.0) == []


@pytest.mark.parametrize(
    ("allowed", "length", "fits"), [(False, 8192, True), (False, 8193, False), (True, 65536, True)]
)
def test_the_longest_pdu_depends_on_the_bind_and_on_message_payload(allowed: bool, length: int, fits: bool) -> None:
    empty = len(encode(p.DataSm())) + 4
    big = encode(p.DataSm(tlvs=(p.Tlv(c.TAG_MESSAGE_PAYLOAD, b"x" * (length - empty)),), sequence_number=2))
    assert len(big) == length
    connection = server(limits=Limits(message_payload_allowed=allowed))
    (event,) = connection.receive(big, 0.0)
    assert isinstance(event, RequestReceived) is fits
    assert server(bind=None, limits=Limits(message_payload_allowed=True)).receive(big, 0.0) == [Closing("bad_length")]


# --- odd requests and answers ---


def test_an_unknown_command_is_nacked_with_its_sequence_and_the_session_stays() -> None:
    connection = server()
    unknown = struct.pack(">IIII", 20, 0x00000112, 0, 0x1234) + b"\0\0\0\0"
    events = connection.receive(unknown + encode(p.SubmitSm(sequence_number=2)), 0.0)
    assert events == [Quirk(QUIRK_UNKNOWN_COMMAND), RequestReceived(p.SubmitSm(sequence_number=2))]
    assert written(connection) == [p.GenericNack(sequence_number=0x1234, command_status=c.ESME_RINVCMDID)]


def test_a_submit_sm_with_a_tlv_too_long_is_refused_and_the_session_stays() -> None:
    connection = server()
    octets = bytearray(encode(p.SubmitSm(tlvs=(p.Tlv(0x0501, b"\x01"),), sequence_number=6)))
    octets[-2] = 200
    assert connection.receive(bytes(octets), 0.0) == [Quirk(QUIRK_REFUSED_PDU)]
    assert written(connection) == [p.SubmitSmResp(sequence_number=6, command_status=c.ESME_RINVOPTPARSTREAM)]
    assert connection.state is State.BOUND_TRX


def test_a_generic_nack_completes_the_request_it_answers() -> None:
    connection = server()
    number = connection.send(p.DeliverSm(), 0.0, context="screen")
    nack = p.GenericNack(sequence_number=number, command_status=c.ESME_RINVCMDID)
    assert connection.receive(encode(nack), 0.5) == [
        ResponseReceived(p.DeliverSm().numbered(number), nack, "screen", 0.0)
    ]
    assert connection.tick(100.0) == []


def test_an_answer_to_nothing_and_an_answer_to_something_else_are_only_counted() -> None:
    connection = server()
    number = connection.send(p.DeliverSm(), 0.0, context="screen")
    stray = encode(p.SubmitSmResp(sequence_number=number)) + encode(p.DeliverSmResp(sequence_number=number + 1))
    assert connection.receive(stray, 0.0) == [Quirk(QUIRK_WRONG_RESPONSE), Quirk(QUIRK_UNEXPECTED_RESPONSE)]
    (event,) = connection.receive(encode(p.DeliverSmResp(sequence_number=number)), 0.0)
    assert isinstance(event, ResponseReceived)


# --- the window ---


def test_a_full_window_refuses_and_an_answer_makes_room() -> None:
    connection = server(limits=Limits(window_out=2))
    first = connection.send(p.DeliverSm(), 0.0)
    connection.send(p.DeliverSm(), 0.0)
    with pytest.raises(WindowFull):
        connection.send(p.DeliverSm(), 0.0)
    connection.receive(encode(p.DeliverSmResp(sequence_number=first)), 0.0)
    connection.send(p.DeliverSm(), 0.0)
    assert len(written(connection)) == 3


def test_a_full_window_does_not_keep_a_link_from_being_watched_or_ended() -> None:
    connection = server(limits=Limits(window_out=1, ussd_response_seconds=1000))
    connection.send(p.DeliverSm(), 0.0)
    connection.tick(30.0)
    connection.unbind(30.0)
    assert [type(pdu) for pdu in written(connection)] == [p.DeliverSm, p.EnquireLink, p.Unbind]


def test_our_sequence_numbers_wrap_at_7fffffff_past_those_still_waiting() -> None:
    window = Window(10, last_sequence_number=SEQUENCE_MAX - 1)
    for number in (1, 2):
        window.add(p.DeliverSm(sequence_number=number), None, 0.0, 10.0)
    assert [window.allot(), window.allot(), window.allot()] == [0x7FFFFFFF, 3, 4]


def test_a_request_that_cannot_be_written_leaves_nothing_behind() -> None:
    connection = server()
    with pytest.raises(ValueError, match="short_message"):
        connection.send(p.DeliverSm(short_message=b"x" * 255), 0.0)
    assert connection.take_octets() == b""
    assert connection.lost() == []


def test_events_come_in_the_order_of_the_octets() -> None:
    connection = server()
    octets = b"".join(encode(p.SubmitSm(sequence_number=number)) for number in range(1, 200))
    events: list[Event] = connection.receive(octets, 0.0)
    assert [event.pdu.sequence_number for event in events if isinstance(event, RequestReceived)] == list(range(1, 200))


def test_requests_that_came_before_an_unbind_are_answered_before_it() -> None:
    connection = server()
    octets = encode(p.SubmitSm(sequence_number=8)) + encode(p.Unbind(sequence_number=9))
    asked, closing = connection.receive(octets, 0.0)
    assert isinstance(asked, RequestReceived)
    assert closing == Closing("unbound_by_peer")
    connection.respond(asked.pdu, c.ESME_ROK)
    assert written(connection) == [p.SubmitSmResp(sequence_number=8), p.UnbindResp(sequence_number=9)]


# --- windows ---


def test_many_unanswered_requests_ask_for_no_more_to_be_read_and_beyond_the_hard_limit_they_are_throttled() -> None:
    connection = server(limits=Limits(window_in=2, window_in_max=3))
    events: list[Event] = []
    for number in range(10, 14):
        events += connection.receive(encode(p.SubmitSm(sequence_number=number)), 1.0)
    taken = [event.pdu for event in events if isinstance(event, RequestReceived)]
    assert [pdu.sequence_number for pdu in taken] == [10, 11, 12]
    assert events[-1] == Quirk("window_exceeded")
    (refusal,) = written(connection)
    assert (refusal.sequence_number, refusal.command_status) == (13, c.ESME_RTHROTTLED)
    assert connection.is_full
    connection.respond(taken[0], 0)
    assert connection.is_full
    connection.respond(taken[1], 0)
    assert not connection.is_full


def test_while_we_do_not_read_the_peer_is_not_taken_for_silent() -> None:
    connection = server(limits=Limits(window_in=1))
    connection.receive(encode(p.SubmitSm(sequence_number=10)), 0.0)
    for now in (29.0, 58.0, 87.0):
        assert connection.tick(now) == []
    assert written(connection) == []


def test_an_alert_needs_no_answer_and_takes_no_place() -> None:
    connection = client(limits=Limits(window_in=1))
    connection.receive(encode(p.AlertNotification(sequence_number=10)), 0.0)
    assert not connection.is_full


def test_an_sms_may_take_longer_to_be_answered_than_a_screen() -> None:
    connection = server()
    screen, sms = p.DeliverSm(short_message=b"screen"), p.DeliverSm(short_message=b"sms")
    connection.send(sms, 0.0, "sms", 30.0)
    connection.send(screen, 1.0, "screen")
    assert [event.context for event in connection.tick(11.0) if isinstance(event, RequestExpired)] == ["screen"]
    connection.receive(encode(p.EnquireLink(sequence_number=9)), 12.0)
    assert [event.context for event in connection.tick(30.0) if isinstance(event, RequestExpired)] == ["sms"]


def test_an_expired_number_is_not_used_again_for_a_minute() -> None:
    window = Window(10, last_sequence_number=SEQUENCE_MAX - 1, late_seconds=60.0)
    number = window.allot()
    window.add(p.DeliverSm(sequence_number=number), None, 0.0, 10.0)
    window.expired(10.0)
    window._last = SEQUENCE_MAX - 1
    assert window.allot() == 1
    window.expired(70.1)
    window._last = SEQUENCE_MAX - 1
    assert window.allot() == SEQUENCE_MAX


# --- time ---


def test_a_link_without_messages_is_unbound_if_that_is_wanted_whatever_enquire_links_say() -> None:
    connection = server(limits=Limits(inactivity_seconds=100))
    for now in (25.0, 50.0, 75.0, 99.0):
        connection.receive(encode(p.EnquireLink(sequence_number=int(now))), now)
        assert connection.tick(now) == []
    written(connection)
    connection.tick(100.0)
    assert [type(pdu) for pdu in written(connection)] == [p.Unbind]


def test_a_message_keeps_an_inactive_link() -> None:
    connection = server(limits=Limits(inactivity_seconds=100))
    connection.receive(encode(p.SubmitSm(sequence_number=10)), 90.0)
    connection.tick(100.0)
    assert p.Unbind not in [type(pdu) for pdu in written(connection)]


def test_tls_has_its_own_time_and_the_session_s_begins_behind_it() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0, secured=False)
    assert connection.tick(9.9) == []
    connection.secure(9.9)
    assert connection.tick(14.8) == []
    assert connection.tick(14.9) == [Closing("not_bound_in_time")]
    assert Connection(Role.SERVER, Limits(), 0.0, secured=False).tick(10.0) == [Closing("tls_not_agreed_in_time")]


# --- outbind ---


def test_a_centre_that_calls_us_asks_by_outbind_and_gets_a_bind() -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    (event,) = connection.receive(encode(p.Outbind("smsc", "pw", sequence_number=1)), 0.1)
    assert isinstance(event, OutbindReceived)
    assert connection.receive(encode(p.Outbind("smsc", "pw", sequence_number=2)), 0.1) == [Quirk(QUIRK_WRONG_STATE)]
    connection.send(p.BindReceiver("menu"), 0.2)
    (bind,) = written(connection)
    assert isinstance(bind, p.BindReceiver)
    events = connection.receive(encode(p.BindReceiverResp("smsc", sequence_number=bind.sequence_number)), 0.3)
    assert [type(each) for each in events] == [Bound]
    assert connection.state is State.BOUND_RX


def test_a_bound_peer_s_outbind_is_in_the_wrong_state_and_gets_no_answer() -> None:
    connection = server()
    assert connection.receive(encode(p.Outbind("smsc", sequence_number=9)), 1.0) == [Quirk(QUIRK_WRONG_STATE)]
    assert written(connection) == []


# --- what is counted, and what is shown ---


def test_what_goes_over_a_connection_is_counted_by_command_and_status() -> None:
    connection = server()
    connection.receive(encode(p.SubmitSm(sequence_number=10)), 1.0)
    (event,) = connection.receive(encode(p.SubmitSm(sequence_number=11)), 1.0)
    assert isinstance(event, RequestReceived)
    request = event.pdu
    connection.respond(request, c.ESME_RTHROTTLED)
    number = connection.send(p.DeliverSm(), 1.0)
    connection.receive(encode(p.DeliverSmResp(sequence_number=number, command_status=0x0408)), 1.02)
    traffic = connection.traffic
    assert traffic.received[c.SUBMIT_SM, 0] == 2
    assert traffic.sent[c.SUBMIT_SM_RESP, c.ESME_RTHROTTLED] == 1
    assert traffic.received[c.DELIVER_SM_RESP, STATUS_OTHER] == 1
    assert sum(traffic.response_seconds.counts) == 1
    assert traffic.response_seconds.total == pytest.approx(0.02)
    assert sum(traffic.window_depth.counts) == 1


def test_the_round_trip_of_enquire_link_is_measured() -> None:
    connection = server()
    connection.tick(30.0)
    (enquiry,) = written(connection)
    connection.receive(encode(p.EnquireLinkResp(sequence_number=enquiry.sequence_number)), 30.2)
    assert connection.traffic.enquire_seconds.total == pytest.approx(0.2)


def test_a_trace_is_shown_every_pdu_both_ways_the_last_one_too() -> None:
    shown: list[tuple[bool, int]] = []
    connection = server()
    connection.trace = lambda received, octets: shown.append((received, int.from_bytes(octets[4:8], "big")))
    connection.receive(encode(p.EnquireLink(sequence_number=5)) + encode(p.Unbind(sequence_number=6)), 1.0)
    assert shown == [(True, c.ENQUIRE_LINK), (False, c.ENQUIRE_LINK_RESP), (True, c.UNBIND), (False, c.UNBIND_RESP)]


# --- every timer is the link's own ---


def waits_of(field: str, seconds: float, *, served: bool) -> Connection:
    """A bound server's connection whose limit is set, from the beginning or when the peer has said who it is."""
    limits = Limits(**{field: seconds})  # type: ignore[arg-type]
    if not served:
        return server(limits=limits)
    connection = server(bind=None)
    connection.receive(encode(BIND.numbered(1)), 0.0)
    connection.serve(limits, Traffic())
    connection.accept_bind("engine")
    connection.take_octets()
    return connection


@pytest.mark.parametrize("served", [False, True])
@pytest.mark.parametrize(
    ("field", "begin", "reason"),
    [
        ("enquire_idle_seconds", lambda connection: None, p.EnquireLink),
        ("inactivity_seconds", lambda connection: None, p.Unbind),
        ("partial_pdu_seconds", lambda connection: connection.receive(b"\0\0\0\x20", 0.0), Closing("partial_pdu")),
        ("unbind_answer_seconds", lambda connection: connection.unbind(0.0), Closing("unbind_unanswered")),
        ("ussd_response_seconds", lambda connection: connection.send(p.DeliverSm(), 0.0), RequestExpired),
    ],
)
def test_a_timer_fires_when_the_link_s_own_limit_says_and_not_before(
    field: str, begin: Callable[[Connection], object], reason: object, served: bool
) -> None:
    connection = waits_of(field, 3.0, served=served)
    begin(connection)
    connection.take_octets()
    assert connection.tick(2.9) == []
    assert connection.take_octets() == b""
    events: list[object] = [*connection.tick(3.0), *written(connection)]
    assert [each if isinstance(each, Closing) else type(each) for each in events] == [reason]


@pytest.mark.parametrize(
    ("limits", "at", "reason"),
    [
        (Limits(session_init_seconds=2), 2.0, "not_bound_in_time"),
        (Limits(tls_seconds=3), 3.0, "tls_not_agreed_in_time"),
    ],
)
def test_a_peer_that_has_not_bound_has_the_listener_s_limits(limits: Limits, at: float, reason: str) -> None:
    connection = Connection(Role.SERVER, limits, 0.0, secured="tls" not in reason)
    assert connection.tick(at - 0.1) == []
    assert connection.tick(at) == [Closing(reason)]


def test_a_centre_has_the_link_s_time_to_answer_our_bind() -> None:
    connection = Connection(Role.CLIENT, Limits(bind_answer_seconds=7), 0.0)
    connection.opened(4.0)
    connection.send(BIND, 4.0)
    assert connection.tick(10.9) == []
    assert connection.tick(11.0) == [Closing("bind_unanswered")]


@pytest.mark.parametrize("served", [False, True])
def test_so_many_enquiries_may_stay_unanswered_as_the_link_says(served: bool) -> None:
    limits = Limits(enquire_idle_seconds=2, enquire_answer_seconds=1, enquire_misses_max=3)
    connection = server() if served else server(limits=limits)
    if served:
        connection.serve(limits, Traffic())
    for now in (2.0, 3.0, 4.0):
        assert connection.tick(now) == []
    assert connection.tick(5.0) == [Closing("enquire_link_unanswered")]


def test_an_expired_number_is_known_for_as_long_as_the_served_link_says() -> None:
    connection = server()
    connection.serve(Limits(late_seconds=5), Traffic())
    numbers = [connection.send(p.DeliverSm(), 0.0) for _ in range(2)]
    connection.tick(10.0)
    late = encode(p.DeliverSmResp(sequence_number=numbers[0]))
    assert connection.receive(late, 14.0) == [Quirk(QUIRK_LATE_RESPONSE)]
    connection.tick(15.1)
    stranger = encode(p.DeliverSmResp(sequence_number=numbers[1]))
    assert connection.receive(stranger, 15.2) == [Quirk(QUIRK_UNEXPECTED_RESPONSE)]


def test_a_link_s_own_length_of_a_pdu_holds_once_the_peer_is_known() -> None:
    connection = server()
    connection.serve(Limits(message_payload_allowed=True), Traffic())
    big = encode(p.DataSm(tlvs=(p.Tlv(c.TAG_MESSAGE_PAYLOAD, b"x" * 20_000),), sequence_number=9))
    assert [type(event) for event in connection.receive(big, 1.0)] == [RequestReceived]
