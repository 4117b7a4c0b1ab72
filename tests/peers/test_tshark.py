"""tshark, which knows nothing of us, reads what our codec writes: every command, every kind of field."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import encode
from smpp.pdu import Tlv
from smpp.segments import split
from tests.recording_relay import Chunk

from . import dissector
from .conftest import missing
from .dissector import Decoded

ABAI = "77010000007"
TIME = "261121120000024+"
FLAGS = {"esm_class": 0x10, "registered_delivery": 0x15, "replace_if_present_flag": 1, "interface_version": 0x34}
DESTINATIONS = (p.SmeAddress(1, 1, ABAI), p.DistributionList("friends"), p.SmeAddress(2, 8, "7010000009"))
UNREACHED = (p.UnsuccessSme(1, 1, ABAI, c.ESME_RINVDSTADR), p.UnsuccessSme(2, 8, "7010000009", c.ESME_RTHROTTLED))
LISTED = {"dest_address": DESTINATIONS, "unsuccess_sme": UNREACHED}
DIALOGUE = (Tlv(c.TAG_USSD_SERVICE_OP, b"\x02"), Tlv(c.TAG_ITS_SESSION_INFO, b"\x07\x05"))
COMMANDS = sorted(p.BY_COMMAND_ID.values(), key=lambda cls: cls.command_id)
NO_PARAMETERS = {
    p.BindReceiver, p.BindTransmitter, p.BindTransceiver, p.Outbind, p.Unbind, p.UnbindResp, p.EnquireLink,
    p.EnquireLinkResp, p.GenericNack, p.QuerySm, p.QuerySmResp, p.CancelSm, p.CancelSmResp, p.ReplaceSmResp,
}  # fmt: skip
"""Commands to which SMPP 3.4 gives no optional parameters: tshark does not look for any in them."""


@pytest.fixture(scope="module", autouse=True)
def _tshark() -> None:
    if not dissector.is_here():
        missing("tshark is not here")


@pytest.fixture(scope="module")
def commands(_tshark: None) -> dict[type[p.Pdu], Decoded]:
    """Every command with all its fields filled, as tshark reads it."""
    return dict(zip(COMMANDS, read(*(filled(cls) for cls in COMMANDS)), strict=True))


def written(pdu: p.Pdu) -> Chunk:
    return Chunk(True, encode(pdu))


def read(*pdus: p.Pdu) -> list[Decoded]:
    """The PDUs as tshark reads them, from one connection; it complains of none of them."""
    talk = [written(pdu) for pdu in pdus]
    assert dissector.complaints([talk], from_dialler=True) == []
    return dissector.decoded(talk)


def filled(cls: type[p.Pdu]) -> p.Pdu:
    """A PDU of this class with something of its own in every field, as long as the field may be."""
    values: dict[str, Any] = {}
    for number, (name, hint) in enumerate(typing.get_type_hints(cls, include_extras=True).items(), 1):
        if name in ("tlvs", "sequence_number", "command_status", "command_id"):
            continue
        wire = hint.__metadata__[0]
        if isinstance(wire, p.Listed):
            values[name] = LISTED[name]
        elif isinstance(wire, p.Counted):
            values[name] = bytes(range(1, wire.octets_max + 1))
        elif isinstance(wire, p.CString):
            values[name] = TIME if wire.octets_max == 17 else (name * 9)[: wire.octets_max - 1]
        else:
            values[name] = FLAGS.get(name, number)
    return typing.cast(Any, cls)(**values, tlvs=parameters(cls), sequence_number=cls.command_id & 0xFFF | 0x12345000)  # type: ignore[no-any-return]


def parameters(cls: type[p.Pdu]) -> tuple[Tlv, ...]:
    return () if cls in NO_PARAMETERS else DIALOGUE


def expected(pdu: p.Pdu) -> dict[str, list[bytes]]:
    """The fields that a PDU has in tshark's names, and their octets."""
    found: dict[str, list[bytes]] = {}
    for name, value in pdu._asdict().items():  # type: ignore[attr-defined]
        if name == "esm_class":
            parts = (("mode", value & 3), ("type", value >> 2 & 15))
            found |= {f"esm.submit.msg_{part}": [bytes((octet,))] for part, octet in parts}
        elif name == "registered_delivery":
            parts = (("receipt", value & 3), ("acks", value >> 2 & 3), ("notif", value >> 4 & 1))
            found |= {f"regdel.{part}": [bytes((octet,))] for part, octet in parts}
        elif name == "short_message":
            found |= {"message": [value], "sm_length": [bytes((len(value),))]}
        elif name in LISTED:
            found |= expected_entries(value)
        elif isinstance(value, str):
            found[name] = [value.encode("latin-1") + b"\0"]
        elif name not in ("tlvs", "sequence_number", "command_status"):
            found[name] = [bytes((value,))]
    return found


def expected_entries(entries: tuple[Any, ...]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for entry in entries:
        for name, value in entry._asdict().items():
            octets = value.encode() + b"\0" if isinstance(value, str) else bytes((value,))
            found.setdefault(name, []).append(value.to_bytes(4, "big") if name == "error_status_code" else octets)
    return found


# --- every command ---


@pytest.mark.parametrize("cls", COMMANDS, ids=lambda cls: c.command_name(cls.command_id))
def test_it_reads_every_field_of_a_command_as_we_meant_it(
    commands: dict[type[p.Pdu], Decoded], cls: type[p.Pdu]
) -> None:
    pdu, found = filled(cls), commands[cls]
    assert found.number("command_id") == cls.command_id
    assert found.number("sequence_number") == pdu.sequence_number
    assert found.numbers("opt_param_tag") == [tlv.tag for tlv in parameters(cls)]
    assert {name: found.octets(name) for name in expected(pdu)} == expected(pdu)


def test_there_are_27_commands() -> None:
    assert len(COMMANDS) == 27


def test_it_reads_commands_with_nothing_in_their_fields() -> None:
    assert [found.number("command_id") for found in read(*(cls() for cls in COMMANDS))] == [
        cls.command_id for cls in COMMANDS
    ]


def test_a_response_with_an_error_is_a_header_and_no_more() -> None:
    responses = [cls for cls in COMMANDS if cls.command_id & c.RESPONSE]
    pdus = [typing.cast(Any, cls)(command_status=c.ESME_RTHROTTLED, sequence_number=7) for cls in responses]
    for cls, found in zip(responses, read(*pdus), strict=True):
        assert found.number("command_id") == cls.command_id
        assert (found.number("command_length"), found.number("command_status")) == (16, c.ESME_RTHROTTLED)


TOLD_MORE = pytest.mark.parametrize(
    "pdu",
    [
        p.SubmitSmResp(
            command_status=c.ESME_RTHROTTLED, sequence_number=7, tlvs=(Tlv(c.TAG_CONGESTION_STATE, b"\x5a"),)
        ),
        p.DataSmResp(
            command_status=c.ESME_RDELIVERYFAILURE, sequence_number=8,
            tlvs=(Tlv(c.TAG_DELIVERY_FAILURE_REASON, b"\x01"), Tlv(c.TAG_NETWORK_ERROR_CODE, b"\x03\x00\x1b")),
        ),
    ],
    ids=["submit_sm_resp", "data_sm_resp"],
)  # fmt: skip
"""Responses with an error that say more of it in optional parameters."""


@TOLD_MORE
def test_parameters_in_a_response_with_an_error_are_no_fault_and_hide_nothing_behind_them(
    pdu: p.SubmitSmResp | p.DataSmResp,
) -> None:
    found, behind = read(pdu, p.EnquireLink(sequence_number=9))
    assert found.number("command_length") == len(encode(pdu)) > 16
    assert (found.number("command_status"), found.number("sequence_number")) == (
        pdu.command_status,
        pdu.sequence_number,
    )
    assert behind.number("sequence_number") == 9


@TOLD_MORE
def test_parameters_in_a_response_with_an_error_stand_where_those_of_a_positive_one_do(
    pdu: p.SubmitSmResp | p.DataSmResp,
) -> None:
    octets = encode(pdu)
    positive = [Chunk(True, octets[:8] + bytes(4) + octets[12:])]  # behind an error tshark looks at the header alone
    assert dissector.complaints([positive], from_dialler=True) == []
    (found,) = dissector.decoded(positive)
    assert found.numbers("opt_param_tag") == [tlv.tag for tlv in pdu.tlvs]
    assert found.numbers("opt_param_len") == [len(tlv.value) for tlv in pdu.tlvs]
    assert octets.endswith(pdu.tlvs[-1].value)


@pytest.mark.parametrize("status", [c.ESME_RINVCMDID, c.ESME_RINVCMDLEN, 0x00000408])
def test_a_generic_nack_bears_its_status_and_the_sequence_number_that_it_is_for(status: int) -> None:
    (found,) = read(p.GenericNack(sequence_number=0x7FFFFFFF, command_status=status))
    assert (found.number("command_status"), found.number("sequence_number")) == (status, 0x7FFFFFFF)


# --- optional parameters ---


def test_it_reads_the_session_and_its_end_in_its_session_info() -> None:
    (found,) = read(p.DeliverSm(tlvs=DIALOGUE))
    assert (found.number("ussd_service_op"), found.number("its_session.number")) == (2, 7)
    assert (found.number("its_session.sequence"), found.number("its_session.ind")) == (2, 1)


def test_a_payload_of_60_000_octets_arrives_whole() -> None:
    payload = bytes(range(256)) * 235
    (found,) = read(p.DataSm(source_addr=ABAI, tlvs=(Tlv(c.TAG_MESSAGE_PAYLOAD, payload[:60_000]),)))
    assert found.octets("message_payload") == [payload[:60_000]]


def test_it_reads_the_parts_of_a_message_that_sar_parameters_tell() -> None:
    tlvs = (
        Tlv(c.TAG_SAR_MSG_REF_NUM, b"\x12\x34"),
        Tlv(c.TAG_SAR_TOTAL_SEGMENTS, b"\x03"),
        Tlv(c.TAG_SAR_SEGMENT_SEQNUM, b"\x02"),
    )
    (found,) = read(p.SubmitSm(short_message=b"part", tlvs=tlvs))
    assert (found.number("sar_msg_ref_num"), found.number("sar_segment_seqnum")) == (0x1234, 2)
    assert found.number("sar_total_segments") == 3


def test_it_reads_the_parameters_of_a_receipt() -> None:
    tlvs = (Tlv(c.TAG_RECEIPTED_MESSAGE_ID, b"1a2b\0"), Tlv(c.TAG_MESSAGE_STATE, b"\x02"))
    (found,) = read(p.DeliverSm(esm_class=4, short_message=b"id:1a2b stat:DELIVRD", tlvs=tlvs))
    assert (found.text("receipted_message_id"), found.number("message_state")) == ("1a2b", 2)


def test_unknown_parameters_duplicates_and_empty_ones_stay_in_their_order() -> None:
    tlvs = (Tlv(0x1777, b"vendor's"), *DIALOGUE, Tlv(0x0666, b""), DIALOGUE[0], Tlv(0x3FFF, b"\x01" * 300))
    (found,) = read(p.SubmitSm(tlvs=tlvs))
    assert found.numbers("opt_param_tag") == [tlv.tag for tlv in tlvs]
    assert found.numbers("opt_param_len") == [len(tlv.value) for tlv in tlvs]
    assert found.octets("vendor_op")[0] == b"vendor's"


# --- texts ---


@pytest.mark.parametrize(
    ("text", "coding"), [("Ваш баланс: 1 234,50 ₸. " * 8, 8), ("Balance {1} [2] ~3~ 5 € | " * 20, 0)]
)
def test_it_reads_the_parts_of_our_long_sms(text: str, coding: int) -> None:
    parts = split(text, 7)
    found = read(*(p.SubmitSm(destination_addr=ABAI, **part._asdict()) for part in parts))
    assert [pdu.number("data_coding") for pdu in found] == [coding] * len(parts)
    assert [pdu.number("gsm_sms.udh.mm.msg_id") for pdu in found] == [7] * len(parts)
    assert [pdu.number("gsm_sms.udh.mm.msg_parts") for pdu in found] == [len(parts)] * len(parts)
    assert [pdu.number("gsm_sms.udh.mm.msg_part") for pdu in found] == list(range(1, len(parts) + 1))
    if coding == c.CODING_UCS2:
        assert "".join(pdu.text("message_text") for pdu in found) == text


def test_pdus_that_share_a_segment_or_lie_across_two_are_told_apart() -> None:
    octets = b"".join(encode(p.SubmitSm(short_message=b"x" * size, sequence_number=size)) for size in range(1, 200))
    talk = [Chunk(True, octets[at : at + 777]) for at in range(0, len(octets), 777)]
    assert dissector.complaints([talk], from_dialler=True) == []
    assert [pdu.number("sequence_number") for pdu in dissector.decoded(talk)] == list(range(1, 200))


# --- it would say so ---


def resized(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets[4:]


SUBMIT = encode(p.SubmitSm(short_message=b"Hi", tlvs=DIALOGUE))


@pytest.mark.parametrize(
    "octets",
    [
        resized(SUBMIT[:-1]),
        resized(SUBMIT + b"\0"),
        resized(SUBMIT[:30]),
        resized(encode(p.SubmitSm(short_message=b"abcdef"))[:-2]),
        resized(encode(p.SubmitSmResp("17"))[:-1]),
        resized(encode(p.SubmitSmResp("17"))[:16]),
        SUBMIT[:4] + b"\0\0\0\x99" + SUBMIT[8:],
        b"\0\0\0\x08" + SUBMIT[4:],
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=[
        "a TLV longer than the PDU", "a stray octet", "a body that ends early", "a message longer than the PDU",
        "an id without its NUL", "a positive response without its body", "an unknown command", "a length of 8",
        "no SMPP at all",
    ],
)  # fmt: skip
def test_it_complains_of_what_is_wrong_and_of_who_said_it(octets: bytes) -> None:
    talks = [[Chunk(True, SUBMIT)], [Chunk(True, SUBMIT), Chunk(False, octets)]]
    assert dissector.complaints(talks, from_dialler=True) == []
    (first, *_) = dissector.complaints(talks, from_dialler=False)
    assert first.startswith("talk 1")
