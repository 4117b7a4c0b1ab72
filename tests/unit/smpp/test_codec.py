"""Reading is generous, writing is exact: the rules of `smpp.codec` beyond the gathered vectors."""

from __future__ import annotations

import struct
import timeit

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import decode, encode
from smpp.errors import (
    QUIRK_BODY_ON_ERROR,
    QUIRK_TLV_OVERRUN,
    QUIRK_TRAILING_OCTETS,
    QUIRK_UNREADABLE_BODY,
    QUIRK_UNTERMINATED,
    FramingError,
    PduError,
)


def raw(command_id: int, body: bytes, status: int = 0, sequence: int = 7) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body


MESSAGE = b"USSD\0\x01\x01996700123456\0\0\x01*111#\0\0\0\0\0\0\0\0\x0f\0"  # up to sm_length


def test_every_command_comes_back_as_it_was_written() -> None:
    for cls in p.BY_COMMAND_ID.values():
        made = cls().numbered(0x01020304)
        assert decode(encode(made)) == made
        assert type(decode(encode(made))) is cls


# every field of every command with a value of its own, and the octets as sections 4.1 to 4.12 lay them out
MESSAGE_OCTETS = "5553534400 01023700 03043800 05 06 01 3000 3100 02 01 0f 09 026869"
BY_HAND = [
    (p.GenericNack(command_status=3), "80000000 00000003", ""),
    (p.BindReceiver("a", "b", "c", 0x34, 1, 2, "7"), "00000001 00000000", "6100 6200 6300 34 01 02 3700"),
    (p.BindReceiverResp("a", (p.Tlv(0x0210, b"\x34"),)), "80000001 00000000", "6100 0210 0001 34"),
    (p.BindTransmitter("a", "b", "c", 0x33, 1, 2, "7"), "00000002 00000000", "6100 6200 6300 33 01 02 3700"),
    (p.BindTransmitterResp("a"), "80000002 00000000", "6100"),
    (p.QuerySm("id", 1, 2, "7"), "00000003 00000000", "696400 01023700"),
    (p.QuerySmResp("id", "0", 2, 9), "80000003 00000000", "696400 3000 02 09"),
    (
        p.SubmitSm("USSD", 1, 2, "7", 3, 4, "8", 5, 6, 1, "0", "1", 2, 1, 15, 9, b"hi"),
        "00000004 00000000",
        MESSAGE_OCTETS,
    ),
    (p.SubmitSmResp("id"), "80000004 00000000", "696400"),
    (
        p.DeliverSm("USSD", 1, 2, "7", 3, 4, "8", 5, 6, 1, "0", "1", 2, 1, 15, 9, b"hi"),
        "00000005 00000000",
        MESSAGE_OCTETS,
    ),
    (p.DeliverSmResp(), "80000005 00000000", "00"),
    (p.Unbind(), "00000006 00000000", ""),
    (p.UnbindResp(), "80000006 00000000", ""),
    (
        p.ReplaceSm("id", 1, 2, "7", "0", "1", 2, 9, b"hi"),
        "00000007 00000000",
        "696400 01023700 3000 3100 02 09 026869",
    ),
    (p.ReplaceSmResp(), "80000007 00000000", ""),
    (p.CancelSm("USSD", "id", 1, 2, "7", 3, 4, "8"), "00000008 00000000", "5553534400 696400 01023700 03043800"),
    (p.CancelSmResp(command_status=0x11), "80000008 00000011", ""),
    (p.BindTransceiver("a", "b", "c", 0x50, 1, 2, "7"), "00000009 00000000", "6100 6200 6300 50 01 02 3700"),
    (p.BindTransceiverResp("a"), "80000009 00000000", "6100"),
    (p.Outbind("a", "b"), "0000000b 00000000", "6100 6200"),
    (p.EnquireLink(), "00000015 00000000", ""),
    (p.EnquireLinkResp(), "80000015 00000000", ""),
    (
        p.SubmitMulti(
            *("USSD", 1, 2, "7", (p.SmeAddress(3, 4, "8"), p.DistributionList("l"))),
            *(5, 6, 1, "0", "1", 2, 1, 15, 9, b"hi"),
        ),
        "00000021 00000000",
        "5553534400 01023700 02 01 03043800 02 6c00 05 06 01 3000 3100 02 01 0f 09 026869",
    ),
    (p.SubmitMultiResp("id", (p.UnsuccessSme(3, 4, "8", 11),)), "80000021 00000000", "696400 01 03043800 0000000b"),
    (
        p.AlertNotification(1, 2, "7", 3, 4, "8", (p.Tlv(0x0422, b"\0"),)),
        "00000102 00000000",
        "01023700 03043800 0422000100",
    ),
    (
        p.DataSm("USSD", 1, 2, "7", 3, 4, "8", 5, 6, 15, (p.Tlv(0x0424, b"hi"),)),
        "00000103 00000000",
        "5553534400 01023700 03043800 05 06 0f 0424 0002 6869",
    ),
    (p.DataSmResp("id"), "80000103 00000000", "696400"),
]


@pytest.mark.parametrize(
    ("made", "head", "body"), BY_HAND, ids=lambda value: c.command_name(getattr(value, "command_id", 0))
)
def test_the_octets_of_a_command_are_those_of_its_section(made: p.Pdu, head: str, body: str) -> None:
    octets = bytes.fromhex(f"{head} 01020304 {body}")
    octets = (4 + len(octets)).to_bytes(4, "big") + octets
    assert encode(made.numbered(0x01020304)) == octets
    assert decode(octets) == made.numbered(0x01020304)


def test_all_27_commands_have_their_octets_written_by_hand() -> None:
    assert [type(made) for made, _, _ in BY_HAND] == sorted(p.BY_COMMAND_ID.values(), key=order)
    assert len(BY_HAND) == 27


def order(cls: type[p.Pdu]) -> tuple[int, int]:
    """A request before its response, generic_nack first."""
    return cls.command_id & ~c.RESPONSE, cls.command_id


@pytest.mark.parametrize("version", [c.VERSION_3_3, c.VERSION_3_4, c.VERSION_5_0])
def test_a_bind_of_each_version_is_read_and_written(version: int) -> None:
    octets = raw(c.BIND_RECEIVER, b"a\0b\0\0" + bytes((version,)) + b"\0\0\0")
    bind = p.BindReceiver("a", "b", interface_version=version, sequence_number=7)
    assert decode(octets) == bind
    assert encode(bind) == octets


def test_all_fields_of_a_message_come_back() -> None:
    message = p.SubmitSm(
        service_type="USSD",
        source_addr_ton=5,
        source_addr_npi=1,
        source_addr="\xe9toile",
        dest_addr_ton=1,
        dest_addr_npi=2,
        destination_addr="996700123456",
        esm_class=3,
        protocol_id=64,
        priority_flag=1,
        schedule_delivery_time="000000001000000R",
        validity_period="000000010000000R",
        registered_delivery=1,
        replace_if_present_flag=1,
        data_coding=8,
        sm_default_msg_id=9,
        short_message=bytes(range(254)),
        tlvs=(p.Tlv(0x0501, b"\x02"), p.Tlv(0x0501, b"\x11"), p.Tlv(0xFFFF, b"")),
        sequence_number=0x7FFFFFFF,
    )
    assert decode(encode(message)) == message


def test_the_same_fields_under_another_command_are_not_equal() -> None:
    assert p.SubmitSm(source_addr="1") != p.DeliverSm(source_addr="1")
    assert p.SubmitSm(source_addr="1") == p.SubmitSm(source_addr="1")
    assert len({p.SubmitSm(), p.DeliverSm(), p.SubmitSm()}) == 2


def test_the_first_of_two_tlvs_with_one_tag_is_found() -> None:
    pdu = p.DeliverSm(tlvs=(p.Tlv(0x1383, b"\x01\x02"), p.Tlv(0x0501, b"\x01"), p.Tlv(0x0501, b"\x12")))
    assert p.find_tlv(pdu, c.TAG_USSD_SERVICE_OP) == b"\x01"
    assert p.find_tlv(pdu, c.TAG_MESSAGE_PAYLOAD) is None


# --- mistakes met in the field ---


@pytest.mark.parametrize("sequence", [0, 0x80000000, 0xFFFFFFFF])
def test_a_sequence_number_outside_the_range_is_read_and_echoed(sequence: int) -> None:
    request = decode(raw(c.SUBMIT_SM, MESSAGE + b"\0", sequence=sequence))
    answer = p.answer(request)
    assert answer is not None
    assert encode(answer)[12:16] == sequence.to_bytes(4, "big")


def test_an_error_response_is_written_without_a_body() -> None:
    refused = p.SubmitSmResp(message_id="1", command_status=c.ESME_RTHROTTLED, sequence_number=3)
    assert encode(refused) == raw(c.SUBMIT_SM_RESP, b"", c.ESME_RTHROTTLED, 3)


def test_a_positive_response_is_written_with_its_body() -> None:
    assert encode(p.DeliverSmResp(sequence_number=3)) == raw(c.DELIVER_SM_RESP, b"\0", 0, 3)


def test_a_status_outside_the_table_is_read_and_has_a_name() -> None:
    assert decode(raw(c.SUBMIT_SM_RESP, b"", 0x408)).command_status == 0x408
    assert c.status_name(0x408) == "0x00000408"
    assert c.status_name(c.ESME_RTHROTTLED) == "ESME_RTHROTTLED"


@pytest.mark.parametrize("stray", [b"\0", b"\0\0", b"\x05\x01\0"])
def test_up_to_three_stray_octets_after_short_message_are_a_quirk(stray: bytes) -> None:
    quirks: list[str] = []
    pdu = decode(raw(c.SUBMIT_SM, MESSAGE + b"\x02hi" + stray), quirks.append)
    assert isinstance(pdu, p.SubmitSm)
    assert (pdu.short_message, pdu.tlvs, quirks) == (b"hi", (), [QUIRK_TRAILING_OCTETS])


OVERRUN = MESSAGE + b"\x02hi\x05\x01\0\x01\x01\x04\x24\0\x20cut"


@pytest.mark.parametrize("command_id", [c.SUBMIT_SM])
def test_a_tlv_longer_than_the_pdu_is_refused_where_the_text_may_be_in_it(command_id: int) -> None:
    with pytest.raises(PduError) as refused:
        decode(raw(command_id, OVERRUN))
    assert refused.value.command_status == c.ESME_RINVOPTPARSTREAM


def test_a_tlv_longer_than_the_pdu_is_dropped_from_deliver_sm() -> None:
    quirks: list[str] = []
    pdu = decode(raw(c.DELIVER_SM, OVERRUN), quirks.append)
    assert (pdu.tlvs, quirks) == ((p.Tlv(0x0501, b"\x01"),), [QUIRK_TLV_OVERRUN])


@pytest.mark.parametrize("body", [b"", b"USSD", b"USSD\0\x01", MESSAGE[:-3], MESSAGE])
def test_a_request_that_ends_too_early_is_refused_with_its_length(body: bytes) -> None:
    with pytest.raises(PduError) as refused:
        decode(raw(c.SUBMIT_SM, body))
    assert (refused.value.command_id, refused.value.sequence_number) == (c.SUBMIT_SM, 7)
    assert refused.value.command_status == c.ESME_RINVCMDLEN


def test_an_sm_length_beyond_the_pdu_is_refused() -> None:
    with pytest.raises(PduError) as refused:
        decode(raw(c.DELIVER_SM, MESSAGE + b"\x09short"))
    assert refused.value.command_status == c.ESME_RINVMSGLEN


def test_a_response_that_cannot_be_read_still_arrives() -> None:
    quirks: list[str] = []
    pdu = decode(raw(c.QUERY_SM_RESP, b"12"), quirks.append)
    assert pdu == p.QuerySmResp(sequence_number=7)
    assert quirks == [QUIRK_UNREADABLE_BODY]


# --- error responses, and TLVs in them ---

CONGESTION = p.Tlv(c.TAG_CONGESTION_STATE, b"\x50")
FAILURE = p.Tlv(c.TAG_DELIVERY_FAILURE_REASON, b"\x02")
VERSION = p.Tlv(c.TAG_SC_INTERFACE_VERSION, b"\x34")
ERROR_RESPONSES = [
    (c.DATA_SM_RESP, p.DataSmResp(tlvs=(FAILURE,)), "0425 0001 02"),
    (c.SUBMIT_SM_RESP, p.SubmitSmResp(tlvs=(CONGESTION,)), "0428 0001 50"),
    (c.BIND_TRANSCEIVER_RESP, p.BindTransceiverResp(tlvs=(VERSION,)), "0210 0001 34"),
    (c.QUERY_SM_RESP, p.QuerySmResp(tlvs=(CONGESTION,)), "0428 0001 50"),
    (c.SUBMIT_MULTI_RESP, p.SubmitMultiResp(tlvs=(FAILURE, CONGESTION)), "0425 0001 02 0428 0001 50"),
    (c.SUBMIT_SM_RESP, p.SubmitSmResp(tlvs=(p.Tlv(0x0423, b"\x03\0\0"),)), "0423 0003 030000"),
]


def with_error(pdu: p.Pdu) -> p.Pdu:
    return pdu._replace(command_status=8, sequence_number=7)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(("command_id", "pdu", "tlvs"), ERROR_RESPONSES)
def test_an_error_response_with_tlvs_in_place_of_its_body_is_read(command_id: int, pdu: p.Pdu, tlvs: str) -> None:
    quirks: list[str] = []
    assert decode(raw(command_id, bytes.fromhex(tlvs), 8), quirks.append) == with_error(pdu)
    assert quirks == [QUIRK_BODY_ON_ERROR]


@pytest.mark.parametrize(("command_id", "pdu", "tlvs"), ERROR_RESPONSES)
def test_an_error_response_with_tlvs_is_written_with_an_empty_mandatory_part(
    command_id: int, pdu: p.Pdu, tlvs: str
) -> None:
    empty = {c.QUERY_SM_RESP: bytes(4), c.SUBMIT_MULTI_RESP: bytes(2)}.get(command_id, bytes(1))
    octets = raw(command_id, empty + bytes.fromhex(tlvs), 8)
    quirks: list[str] = []
    assert encode(with_error(pdu)) == octets
    assert decode(octets, quirks.append) == with_error(pdu)
    assert quirks == []


def test_the_message_id_of_an_error_response_is_not_written() -> None:
    failed = p.DataSmResp("id", (FAILURE,), 7, 8)
    assert encode(failed) == raw(c.DATA_SM_RESP, bytes.fromhex("00 0425 0001 02"), 8)


@pytest.mark.parametrize(
    ("body", "message_id", "tlvs", "quirks"),
    [
        (b"\0", "", (), [QUIRK_BODY_ON_ERROR]),
        (b"42\0", "42", (), [QUIRK_BODY_ON_ERROR]),
        (b"42\0\x04\x28\0\x01\x50", "42", (CONGESTION,), []),
        (b"42", "42", (), [QUIRK_BODY_ON_ERROR, QUIRK_UNTERMINATED]),
        (b"42\0\0", "42", (), [QUIRK_BODY_ON_ERROR, QUIRK_TRAILING_OCTETS]),
        (b"42\0\x04\x28\0\x09\x50", "42", (), [QUIRK_BODY_ON_ERROR, QUIRK_TLV_OVERRUN]),
        (bytes(4), "", (), [QUIRK_BODY_ON_ERROR, QUIRK_TRAILING_OCTETS]),
        (b"\x02\0\x04\x28\0\x01\x50", "\x02", (CONGESTION,), []),
    ],
)
def test_an_error_response_with_a_body_of_its_own_is_read(
    body: bytes, message_id: str, tlvs: tuple[p.Tlv, ...], quirks: list[str]
) -> None:
    found: list[str] = []
    assert decode(raw(c.SUBMIT_SM_RESP, body, 8), found.append) == p.SubmitSmResp(message_id, tlvs, 7, 8)
    assert found == quirks


def test_a_response_that_cannot_be_read_costs_hardly_more_than_one_that_can() -> None:
    """Or a peer could keep us busy with a few octets: reading the table of fields anew took 200 times as long."""

    def seconds(octets: bytes) -> float:
        return min(timeit.repeat(lambda: decode(octets), repeat=20, number=20))

    readable = raw(c.QUERY_SM_RESP, b"12\0\0\x02\0")
    for body, status in ((b"12", 0), (b"12", 8), (b"\x04\x28\0\x01", 8)):
        assert seconds(raw(c.QUERY_SM_RESP, body, status)) < 30 * seconds(readable)


@pytest.mark.parametrize("body", [b"\0\0\0\0\x02\x01", b"\0\0\0\0\x01\x03\0\0a\0", b"\0\0\0\0\xff", b"\0\0\0\0"])
def test_a_list_of_destinations_that_is_cut_or_odd_is_refused(body: bytes) -> None:
    with pytest.raises(PduError) as refused:
        decode(raw(c.SUBMIT_MULTI, body))
    assert refused.value.command_status == c.ESME_RINVCMDLEN


def test_an_unknown_command_names_its_sequence_number() -> None:
    with pytest.raises(PduError) as refused:
        decode(raw(0x110, b"", sequence=99))
    assert (refused.value.command_status, refused.value.sequence_number) == (c.ESME_RINVCMDID, 99)


@pytest.mark.parametrize("octets", [b"", b"\0" * 15, raw(c.ENQUIRE_LINK, b"")[:-1], raw(c.ENQUIRE_LINK, b"") + b"\0"])
def test_octets_that_are_not_one_pdu_are_a_framing_error(octets: bytes) -> None:
    with pytest.raises(FramingError):
        decode(octets)


# --- what we never write ---


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (p.SubmitSm(source_addr_ton=256), "source_addr_ton"),
        (p.SubmitSm(esm_class=-1), "esm_class"),
        (p.SubmitSm(source_addr="1" * 21), "source_addr"),
        (p.SubmitSm(service_type="USSD\0"), "service_type"),
        (p.SubmitSm(destination_addr="номер"), "destination_addr"),
        (p.SubmitSm(short_message=b"x" * 255), "short_message"),
        (p.SubmitSm(tlvs=(p.Tlv(0x10000, b""),)), "tlvs"),
        (p.SubmitSm(tlvs=(p.Tlv(0x0424, b"x" * 65536),)), "tlvs"),
        (p.SubmitSm(sequence_number=-1), "sequence_number"),
        (p.EnquireLink(command_status=1 << 32), "command_status"),
        (p.BindTransceiver(password="123456789"), "password"),
        (p.SubmitMulti(dest_address=(p.SmeAddress(0, 0, "1" * 21),)), "dest_address"),
        (p.SubmitMulti(dest_address=(p.DistributionList("x"),) * 256), "dest_address"),
    ],
)
def test_a_value_that_its_place_cannot_hold_is_refused_by_name(wrong: p.Pdu, field: str) -> None:
    with pytest.raises(ValueError, match=rf"\.{field}: "):
        encode(wrong)
