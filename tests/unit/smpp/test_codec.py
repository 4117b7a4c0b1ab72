"""Reading is generous, writing is exact: the rules of `smpp.codec` beyond the gathered vectors."""

from __future__ import annotations

import struct

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import decode, encode
from smpp.errors import QUIRK_TLV_OVERRUN, QUIRK_TRAILING_OCTETS, QUIRK_UNREADABLE_BODY, FramingError, PduError


def raw(command_id: int, body: bytes, status: int = 0, sequence: int = 7) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body


MESSAGE = b"USSD\0\x01\x01996700123456\0\0\x01*111#\0\0\0\0\0\0\0\0\x0f\0"  # up to sm_length


def test_every_command_comes_back_as_it_was_written() -> None:
    for cls in p.BY_COMMAND_ID.values():
        made = cls().numbered(0x01020304)
        assert decode(encode(made)) == made
        assert type(decode(encode(made))) is cls


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
