"""What must hold for every stream: chunks do not matter, nothing a peer sends raises, every PDU comes back."""

from __future__ import annotations

import contextlib
import itertools
import struct
import time
import typing
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import decode, encode
from smpp.connection import Closing, Connection, Event
from smpp.errors import QUIRKS, FramingError, PduError
from smpp.limits import Limits
from smpp.states import Role
from smpp.text import decode_gsm, decode_text, decode_ucs2, encode_gsm, encode_ucs2, septets, ucs2_units

THOROUGH = settings(max_examples=200, deadline=None)

OCTET = st.integers(0, 255)
SEQUENCE = st.integers(0, 0xFFFFFFFF)
TLVS = st.lists(st.builds(p.Tlv, st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=4).map(tuple)


def c_string(octets_max: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=octets_max - 1)


def values(wire: object) -> st.SearchStrategy[Any]:
    match wire:
        case p.CString(octets_max):
            return c_string(octets_max)
        case p.Counted(octets_max):
            return st.binary(max_size=octets_max)
        case p.Listed("dest_address"):
            address = st.builds(p.SmeAddress, OCTET, OCTET, c_string(21))
            return st.lists(address | st.builds(p.DistributionList, c_string(21)), max_size=5).map(tuple)
        case p.Listed():
            return st.lists(st.builds(p.UnsuccessSme, OCTET, OCTET, c_string(21), SEQUENCE), max_size=5).map(tuple)
    return OCTET


def pdus_of(cls: type[p.Pdu]) -> st.SearchStrategy[p.Pdu]:
    hints = typing.get_type_hints(cls, include_extras=True)
    names = cls._fields[:-3]  # type: ignore[attr-defined]
    fields = {name: values(hints[name].__metadata__[0]) for name in names}
    return st.builds(cls, **fields, tlvs=TLVS, sequence_number=SEQUENCE, command_status=st.just(0))


PDUS = st.deferred(lambda: st.one_of([pdus_of(cls) for cls in p.BY_COMMAND_ID.values()]))


@THOROUGH
@given(PDUS)
def test_every_pdu_comes_back_as_it_was_written(pdu: p.Pdu) -> None:
    assert decode(encode(pdu)) == pdu


@THOROUGH
@given(st.sampled_from(list(p.BY_COMMAND_ID)), st.binary(max_size=80), st.sampled_from([0, 8]), SEQUENCE)
def test_any_body_is_read_or_refused_and_quirks_are_known_words(
    command_id: int, body: bytes, status: int, sequence: int
) -> None:
    quirks: list[str] = []
    octets = struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body
    refused: PduError | None = None
    read: p.Pdu | None = None
    try:
        read = decode(octets, quirks.append)
    except PduError as error:
        refused = error
    if refused:
        assert (refused.command_id, refused.sequence_number) == (command_id, sequence)
        assert not command_id & c.RESPONSE
    if read:
        assert (read.command_id, read.command_status, read.sequence_number) == (command_id, status, sequence)
    assert set(quirks) <= QUIRKS


@THOROUGH
@given(st.binary(max_size=40))
def test_any_octets_are_a_pdu_or_an_error_of_ours(octets: bytes) -> None:
    with contextlib.suppress(PduError, FramingError):
        decode(octets)


# --- streams ---

BIND = encode(p.BindTransceiver("a", sequence_number=1))


def session(role: Role) -> Connection:
    connection = Connection(role, Limits(), 0.0)
    if role is Role.SERVER:
        connection.receive(BIND, 0.0)
        connection.accept_bind("b")
    else:
        connection.send(p.BindTransceiver("a"), 0.0)
        connection.receive(encode(p.BindTransceiverResp("b", sequence_number=1)), 0.0)
        for _ in range(5):
            connection.send(p.SubmitSm(), 0.0)
    return connection


def told(role: Role, chunks: list[bytes]) -> tuple[list[Event], bytes]:
    connection = session(role)
    return [event for chunk in chunks for event in connection.receive(chunk, 0.0)], connection.take_octets()


SPOILT = st.builds(
    lambda octets, at, value: octets[: at % len(octets)] + bytes((value,)) + octets[at % len(octets) + 1 :],
    PDUS.map(encode),
    st.integers(0, 200),
    OCTET,
)
STREAMS = st.lists(st.one_of(PDUS.map(encode), SPOILT), max_size=6).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=12)


@THOROUGH
@given(st.sampled_from(list(Role)), STREAMS, CUTS)
@example(Role.SERVER, bytes.fromhex("0000001000000015000000000000000248545450"), [1, 2, 3, 17, 18])
def test_every_chunking_of_a_stream_gives_the_same_events(role: Role, stream: bytes, cuts: list[int]) -> None:
    whole = told(role, [stream])
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    assert told(role, [stream[a:b] for a, b in itertools.pairwise(places)]) == whole
    assert told(role, [stream[at : at + 1] for at in range(len(stream))]) == whole


@THOROUGH
@given(st.sampled_from(list(Role)), st.lists(st.binary(max_size=60), max_size=6))
def test_nothing_a_peer_sends_raises_and_closing_comes_last(role: Role, chunks: list[bytes]) -> None:
    connection = session(role)
    events: list[Event] = []
    for number, chunk in enumerate(chunks):
        events += connection.receive(chunk, float(number))
        events += connection.tick(float(number))
    ends = [number for number, event in enumerate(events) if isinstance(event, Closing)]
    assert ends in ([], [len(events) - 1])


def test_a_stream_is_read_in_linear_time_whole_and_octet_by_octet() -> None:
    pdu = encode(p.DataSm(tlvs=(p.Tlv(c.TAG_MESSAGE_PAYLOAD, b"x" * 60000),), sequence_number=2))
    many_tlvs = encode(p.DataSm(tlvs=(p.Tlv(1, b""),) * 16000, sequence_number=3))
    connection = Connection(Role.SERVER, Limits(message_payload_allowed=True), 0.0)
    connection.receive(BIND, 0.0)
    connection.accept_bind("b")
    begin = time.perf_counter()
    events = connection.receive(pdu * 20 + many_tlvs, 0.0)
    for at in range(len(pdu)):
        events += connection.receive(pdu[at : at + 1], 0.0)
    assert len(events) == 22
    assert time.perf_counter() - begin < 2.0  # quadratic work would take minutes


# --- text ---


@THOROUGH
@given(st.text())
def test_gsm_text_comes_back_and_is_as_long_as_was_said(text: str) -> None:
    count = septets(text)
    if count is not None:
        assert decode_gsm(encode_gsm(text)) == text
        assert len(encode_gsm(text)) == count


@THOROUGH
@given(st.text())
def test_ucs2_text_comes_back_with_one_unit_a_character(text: str) -> None:
    octets = encode_ucs2(text)
    assert len(octets) == 2 * ucs2_units(text) == 2 * len(text)
    expected = "".join(char if char <= "\uffff" and not "\ud800" <= char <= "\udfff" else "?" for char in text)
    assert decode_ucs2(octets) == expected.removeprefix("\ufeff")


@THOROUGH
@given(st.binary(), OCTET, st.sampled_from(["gsm", "ascii", "latin1", "utf8"]))
def test_any_octets_are_some_text(octets: bytes, coding: int, alphabet: Any) -> None:
    assert isinstance(decode_text(octets, coding, alphabet), str)
