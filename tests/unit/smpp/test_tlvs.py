"""Optional parameters read on demand: whatever width, closed by a NUL or not, known or not."""

from __future__ import annotations

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import decode, encode
from smpp.tlvs import TLV_NAMES, tlv_int, tlv_name, tlv_text


def with_tlv(tag: int, value: bytes) -> p.Pdu:
    """A deliver_sm with this TLV, as it comes from the wire."""
    return decode(encode(p.DeliverSm(tlvs=(p.Tlv(tag, value),))))


@pytest.mark.parametrize("octets", [b"\x09", b"\0\x09", b"\0\0\x09", b"\0\0\0\x09"])
def test_a_number_is_read_in_the_width_that_the_peer_chose(octets: bytes) -> None:
    assert tlv_int(with_tlv(c.TAG_USER_MESSAGE_REFERENCE, octets), c.TAG_USER_MESSAGE_REFERENCE) == 9


def test_the_highest_octet_of_a_number_comes_first() -> None:
    assert tlv_int(with_tlv(c.TAG_ITS_SESSION_INFO, b"\x12\x34"), c.TAG_ITS_SESSION_INFO) == 0x1234
    assert tlv_int(with_tlv(c.TAG_PLUS_SESSION_ID, b"\xff\xff\xff\xff"), c.TAG_PLUS_SESSION_ID) == 0xFFFFFFFF


@pytest.mark.parametrize("octets", [b"", b"\0\0\0\0\x09"])
def test_octets_that_are_no_number_are_none(octets: bytes) -> None:
    assert tlv_int(with_tlv(c.TAG_SOURCE_PORT, octets), c.TAG_SOURCE_PORT) is None


@pytest.mark.parametrize("octets", [b"42a", b"42a\0", b"42a\0\0"])
def test_a_text_is_read_with_and_without_its_nul(octets: bytes) -> None:
    assert tlv_text(with_tlv(c.TAG_RECEIPTED_MESSAGE_ID, octets), c.TAG_RECEIPTED_MESSAGE_ID) == "42a"


def test_any_octets_are_some_text() -> None:
    assert tlv_text(with_tlv(0xFFFF, bytes(range(256))), 0xFFFF) == bytes(range(256)).decode("latin-1")
    assert tlv_text(with_tlv(0xFFFF, b""), 0xFFFF) == ""


def test_what_is_not_there_is_none() -> None:
    assert tlv_int(p.DeliverSm(), c.TAG_USSD_SERVICE_OP) is None
    assert tlv_text(p.DeliverSm(), c.TAG_RECEIPTED_MESSAGE_ID) is None


def test_the_first_of_two_with_one_tag_counts_and_both_are_kept() -> None:
    tlvs = (p.Tlv(0x0501, b"\x02"), p.Tlv(0x1383, b"\0\x01"), p.Tlv(0x0501, b"\x11"))
    pdu = decode(encode(p.DeliverSm(tlvs=tlvs)))
    assert tlv_int(pdu, 0x0501) == 2
    assert pdu.tlvs == tlvs


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        (0x0501, "ussd_service_op"),
        (0x0425, "delivery_failure_reason"),
        (0x0428, "congestion_state"),
        (0x060B, "billing_identification"),
        (0x060E, "dest_network_id"),
        (0x14FF, "0x14FF"),
        (0x0000, "0x0000"),
    ],
)
def test_a_tag_has_its_name_or_its_number(tag: int, name: str) -> None:
    assert tlv_name(tag) == name


def test_every_tag_that_the_code_knows_has_its_name() -> None:
    tags = {name.removeprefix("TAG_").lower(): tag for name, tag in vars(c).items() if name.startswith("TAG_")}
    assert tags
    assert {name: TLV_NAMES.get(tag) for name, tag in tags.items()} == {name: name for name in tags}


def test_no_two_tags_have_one_name() -> None:
    assert len(set(TLV_NAMES.values())) == len(TLV_NAMES)
