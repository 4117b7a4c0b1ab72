"""Receipts as real centres send them, and which message each means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import decode
from smpp.receipt import Expected, IdPolicy, MessageState, Receipt, Spelling, is_receipt, read_receipt
from smpp.text import encode_ucs2

_DATA = json.loads((Path(__file__).parents[2] / "data" / "pdu_vectors.json").read_text())
VECTORS = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in _DATA["vectors"]}
D, U, A = MessageState.DELIVERED, MessageState.UNDELIVERABLE, MessageState.ACCEPTED


def receipt_of(text: str, *tlvs: p.Tlv, esm_class: int = 4, coding: int = 0) -> Receipt:
    octets = encode_ucs2(text) if coding == 8 else text.encode("latin-1")
    receipt = read_receipt(p.DeliverSm(esm_class=esm_class, data_coding=coding, short_message=octets, tlvs=tlvs))
    assert receipt is not None
    return receipt


# --- reading ---


@pytest.mark.parametrize(
    ("vector", "message_id", "text_id", "state", "error_code", "done_at", "text"),
    [
        ("v091", "94251430923", "94251430923", A, "107", "0911040124", "26F102"),
        ("v092", "0000003005", "0000003005", D, "000", None, None),
        ("v095", "70BA8A69", "1891273321", D, "000", "1305050826", "DLVRD TO MOBILE"),
        ("v098", "18d0e03a", "0416342074", D, "000", "2101041522", None),
        ("v100", "03a37b2756bf8fe70005a15c", "03a37b2756bf8fe70005a15c", D, "000", "160330083552", ""),
        ("v101", "18d0e03a", "0416342074", D, "000", "2101041522", None),
        ("v103", "253092914522667372", "253092914522667372", D, "0000", "1309291652", "\x1b<eviSMS\x1b>\nSMS de Prue"),
        ("v104", "4D19C83C", "4D19C83C", D, "0000", "1510090105", "GW250 MCC=270 MNC=1 BillingMNC=1"),
        ("v105", *["6a3ed98a66444e8abac3acd9bba8656f"] * 2, U, "000", "141016003800", ""),
        ("v106", "155040621242143585", "155040621242143585", D, "0000", "1504062324", " baff"),
        ("v107", *["126e85a6edeac1a02020099312479564"] * 2, D, "000", "1002191630", "Hello               "),
    ],
)
def test_a_receipt_of_a_real_centre(
    vector: str,
    message_id: str,
    text_id: str,
    state: MessageState,
    error_code: str,
    done_at: str | None,
    text: str | None,
) -> None:
    receipt = read_receipt(decode(VECTORS[vector]))
    assert receipt is not None
    assert (receipt.message_id, receipt.text_id, receipt.state) == (message_id, text_id, state)
    assert receipt.error_code == error_code
    assert receipt.is_final is (state is not A)
    if done_at is not None:
        assert receipt.done_at == done_at
    if text is not None:
        assert receipt.text == text


def test_a_text_that_looks_like_a_receipt_is_a_text() -> None:
    text = b"id:1 sub:001 dlvrd:001 submit date:0911040124 done date:0911040124 stat:DELIVRD err:000 text:"
    assert read_receipt(p.DeliverSm(short_message=text)) is None
    assert read_receipt(p.DeliverSm(esm_class=0x40, short_message=text)) is None
    assert read_receipt(p.SubmitSm(short_message=text)) is None
    assert read_receipt(decode(VECTORS["v097"])) is None


@pytest.mark.parametrize(
    ("esm_class", "expected"),
    [
        (0x04, True),
        (0x20, True),
        (0x44, True),
        (0x07, True),
        (0x00, False),
        (0x08, False),
        (0x10, False),
        (0x3C, False),
    ],
)
def test_only_esm_class_makes_a_receipt(esm_class: int, expected: bool) -> None:
    assert is_receipt(p.DeliverSm(esm_class=esm_class, short_message=b"hello")) is expected


def test_fields_may_be_missing_empty_or_in_another_order_and_case() -> None:
    receipt = receipt_of("STAT:undeliv ID:00AF done_date:2601011200 err: sub: dlvrd:000 Text:stat:DELIVRD id:9")
    assert (receipt.message_id, receipt.state, receipt.error_code) == ("00AF", U, "")
    assert (receipt.submitted_at, receipt.done_at) == ("", "2601011200")
    assert receipt.text == "stat:DELIVRD id:9"


def test_what_a_receipt_quotes_does_not_overwrite_its_fields() -> None:
    assert receipt_of("id:1 stat:EXPIRED id:2 stat:DELIVRD").message_id == "1"


@pytest.mark.parametrize("word", ["DELIVRD", "DELIVERED", "delivrd"])
def test_a_state_is_read_short_and_long(word: str) -> None:
    assert receipt_of(f"id:1 stat:{word}").state is D


def test_the_parameters_go_before_the_text() -> None:
    tlvs = (p.Tlv(c.TAG_RECEIPTED_MESSAGE_ID, b"ABC\0"), p.Tlv(c.TAG_MESSAGE_STATE, b"\x05"))
    receipt = receipt_of("id:1 stat:DELIVRD", *tlvs, p.Tlv(c.TAG_NETWORK_ERROR_CODE, b"\x03\x00\x01"))
    assert (receipt.message_id, receipt.text_id, receipt.state) == ("ABC", "1", U)
    assert receipt.network_error == b"\x03\x00\x01"


def test_a_parameter_with_a_state_that_nobody_knows_leaves_it_to_the_text() -> None:
    assert receipt_of("id:1 stat:DELIVRD", p.Tlv(c.TAG_MESSAGE_STATE, b"\x63")).state is D
    assert receipt_of("id:1 stat:DELIVRD", p.Tlv(c.TAG_MESSAGE_STATE, b"")).state is D


def test_a_receipt_in_ucs2_is_read_and_one_that_only_says_so_too() -> None:
    assert receipt_of("id:7 stat:DELIVRD text:Сәлем", coding=8)[:4] == ("7", "7", D, "")
    octets = b"id:7 stat:DELIVRD"
    receipt = read_receipt(p.DeliverSm(esm_class=4, data_coding=8, short_message=octets))
    assert receipt is not None
    assert (receipt.message_id, receipt.state) == ("7", D)


def test_a_receipt_that_says_nothing_is_one_of_nothing() -> None:
    receipt = receipt_of("hello")
    assert (receipt.message_id, receipt.state, receipt.is_final) == ("", MessageState.UNKNOWN, False)


def test_an_intermediate_notification_is_never_final() -> None:
    assert not receipt_of("id:1 stat:UNDELIV", esm_class=0x20).is_final


def test_a_receipt_may_come_in_data_sm() -> None:
    tlvs = (p.Tlv(c.TAG_RECEIPTED_MESSAGE_ID, b"AB"), p.Tlv(c.TAG_MESSAGE_STATE, b"\x02"))
    receipt = read_receipt(p.DataSm("", 1, 1, "7701", 0, 1, "111", esm_class=4, tlvs=tlvs))
    assert receipt is not None
    assert (receipt.message_id, receipt.state, receipt.source, receipt.destination) == ("AB", D, "7701", "111")


# --- which message ---


@pytest.mark.parametrize(
    ("response", "receipt", "response_id", "receipt_id", "same"),
    [
        ("text", "text", "00AF", "00AF", True),
        ("text", "text", "00AF", "00af", False),
        ("hexadecimal", "decimal", "70BA8A69", "1891273321", True),
        ("decimal", "hexadecimal", "1891273321", "70ba8a69", True),
        ("hexadecimal", "decimal", "18d0e03a", "0416342074", True),
        ("hexadecimal", "hexadecimal", "00ff", "FF", True),
        ("hexadecimal", "decimal", "10", "10", False),
        ("decimal", "decimal", "not-a-number", "not-a-number", True),
        ("decimal", "decimal", "12é", "12é", True),
    ],
)
def test_two_spellings_of_one_id_have_one_key(
    response: Spelling, receipt: Spelling, response_id: str, receipt_id: str, same: bool
) -> None:
    policy = IdPolicy(response, receipt)
    found = policy.response_key(response_id) in policy.receipt_keys(receipt_of(f"id:{receipt_id} stat:DELIVRD"))
    assert found is same


def test_zeros_and_case_matter_unless_said_otherwise() -> None:
    policy = IdPolicy(leading_zeros_matter=False, case_matters=False)
    assert policy.response_key("00AF") == policy.response_key("0af") == "af"
    assert policy.response_key("000") == policy.response_key("0") == "0"
    assert policy.response_key("") == ""


def test_a_centre_that_spells_the_id_of_its_text_differently_is_understood_by_either() -> None:
    receipt = read_receipt(decode(VECTORS["v095"]))
    assert receipt is not None
    assert IdPolicy().receipt_keys(receipt) == ("70BA8A69", "1891273321")


@pytest.mark.parametrize(
    ("text_id", "parameter", "key"),
    [
        ("1891273321", "70BA8A69", ("1891273321",)),  # the parameter as in the response, the text not
        ("", "10", ("16",)),  # the parameter alone is as in the response …
        ("16", "16", ("16",)),  # … unless the text says the same
        ("16", "", ("16",)),
        ("17", "10", ("16", "17")),
    ],
)
def test_the_parameter_spells_an_id_as_the_response_did(text_id: str, parameter: str, key: tuple[str, ...]) -> None:
    tlvs = (p.Tlv(c.TAG_RECEIPTED_MESSAGE_ID, parameter.encode() + b"\0"),) if parameter else ()
    receipt = receipt_of(f"id:{text_id} stat:DELIVRD" if text_id else "stat:DELIVRD", *tlvs)
    assert IdPolicy("hexadecimal", "decimal").receipt_keys(receipt) == key


# --- waiting for receipts ---


def expected(**settings: float) -> Expected[str]:
    return Expected(IdPolicy(), **{"seconds_max": 86400.0, **settings})  # type: ignore[arg-type]


def test_a_receipt_finds_its_message_once() -> None:
    waiting = expected()
    assert waiting.sent("1", "notice 1", 0.0) == ()
    assert waiting.sent("2", "notice 2", 0.0) == ()
    assert waiting.came(receipt_of("id:2 stat:DELIVRD"), 5.0) == "notice 2"
    assert waiting.came(receipt_of("id:2 stat:DELIVRD"), 6.0) is None
    assert len(waiting) == 1


def test_word_on_the_way_leaves_the_message_waiting() -> None:
    waiting = expected()
    waiting.sent("1", "notice 1", 0.0)
    assert waiting.came(receipt_of("id:1 stat:ACCEPTD"), 1.0) == "notice 1"
    assert waiting.came(receipt_of("id:1 stat:ENROUTE", esm_class=0x20), 2.0) == "notice 1"
    assert waiting.came(receipt_of("id:1 stat:DELIVRD"), 3.0) == "notice 1"
    assert len(waiting) == 0


def test_a_receipt_before_its_response_is_handed_over_with_it() -> None:
    waiting = expected()
    accepted, delivered = receipt_of("id:1 stat:ACCEPTD"), receipt_of("id:1 stat:DELIVRD")
    assert waiting.came(accepted, 0.0) is None
    assert waiting.came(delivered, 0.1) is None
    assert waiting.sent("1", "notice 1", 0.2) == (accepted, delivered)
    assert len(waiting) == 0


def test_an_early_receipt_that_is_repeated_is_handed_over_once() -> None:
    waiting = expected()
    for _ in range(2):
        waiting.came(receipt_of("id:7 stat:DELIVRD"), 0.0)
    assert len(waiting.sent("7", "mine", 0.0)) == 1


def test_an_early_receipt_is_used_up_under_both_its_ids() -> None:
    waiting = expected()
    receipt = receipt_of("id:16 stat:DELIVRD", p.Tlv(c.TAG_RECEIPTED_MESSAGE_ID, b"10\0"))
    waiting.came(receipt, 0.0)
    assert waiting.sent("10", "notice 10", 0.1) == (receipt,)
    assert waiting.sent("16", "notice 16", 0.2) == ()


def test_an_early_receipt_is_forgotten_after_its_time() -> None:
    waiting = expected(early_seconds_max=60)
    waiting.came(receipt_of("id:1 stat:DELIVRD"), 0.0)
    assert waiting.sent("1", "notice 1", 60.0) == ()
    assert len(waiting) == 1


def test_messages_without_a_receipt_come_back_after_their_time() -> None:
    waiting = expected(seconds_max=100)
    waiting.sent("1", "notice 1", 0.0)
    waiting.sent("2", "notice 2", 50.0)
    assert waiting.expired(99.0) == ()
    assert waiting.expired(100.0) == ("notice 1",)
    assert waiting.came(receipt_of("id:1 stat:DELIVRD"), 101.0) is None
    assert waiting.came(receipt_of("id:2 stat:DELIVRD"), 101.0) == "notice 2"


def test_an_id_used_again_means_the_later_message() -> None:
    waiting = expected()
    waiting.sent("1", "old", 0.0)
    waiting.sent("1", "new", 1.0)
    assert waiting.came(receipt_of("id:1 stat:DELIVRD"), 2.0) == "new"
    assert len(waiting) == 0


def test_what_waits_is_bounded_and_the_oldest_goes_first() -> None:
    waiting = expected(entries_max=100)
    for number in range(1000):
        waiting.sent(f"{number}", f"notice {number}", 0.0)
        waiting.came(receipt_of(f"id:early{number} stat:DELIVRD"), 0.0)
    assert len(waiting) == 100
    assert waiting.came(receipt_of("id:899 stat:DELIVRD"), 0.0) is None
    assert waiting.came(receipt_of("id:900 stat:DELIVRD"), 0.0) == "notice 900"
    assert waiting.sent("early0", "", 0.0) == ()
    assert len(waiting.sent("early999", "", 0.0)) == 1


def test_a_centre_that_has_bound_to_us_sends_its_receipts_in_submit_sm() -> None:
    read = read_receipt(p.SubmitSm(esm_class=4, short_message=b"id:77 stat:DELIVRD err:000 text:Hello"))
    assert read is not None
    assert (read.message_id, read.state) == ("77", MessageState.DELIVERED)
