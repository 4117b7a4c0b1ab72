"""What a dialect says of SMS: read strictly from its YAML, and obeyed in every PDU."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from smpp import constants as c
from smpp.pdu import DeliverSm, SubmitSm, find_tlv
from smpp.receipt import IdPolicy
from smpp.segments import Joiner, TextTooLong, Way
from smpp.states import Role
from smpp.text import Alphabet
from strict_yaml import Mistake, into, read_text
from ussd_engine import over_sms
from ussd_engine.dialect import Dialect, read_dialects
from ussd_engine.sms_dialect import SmsDialect

STANDARD, _ = read_dialects(Path(__file__).resolve().parents[3] / "dialects")["standard"]
NUMBER = "77010000007"
WRITTEN: list[tuple[Alphabet, str, bytes]] = [
    ("gsm", "é{€", b"\x05\x1b\x28\x1b\x65"),
    ("ascii", "{@", b"{@"),
    ("latin1", "é{@", b"\xe9{@"),
    ("utf8", "é€ш", b"\xc3\xa9\xe2\x82\xac\xd1\x88"),
]
"""A word in each alphabet, and its octets there; GSM reads the octets of the other three as other words."""


def read(text: str) -> tuple[SmsDialect | None, list[Mistake]]:
    mistakes: list[Mistake] = []
    return into(SmsDialect, read_text(text.encode(), "sms.yaml"), mistakes), mistakes


def speaking(sms: SmsDialect) -> Dialect:
    return dataclasses.replace(STANDARD, sms=sms)


def pdus(text: str, sms: SmsDialect, reference: int = 1) -> list[SubmitSm]:
    made = over_sms.sms_pdus(text, "111", NUMBER, speaking(sms), Role.CLIENT, reference, None)
    return [pdu for pdu in made if isinstance(pdu, SubmitSm)]


def test_a_dialect_says_how_sms_are_split_and_written_and_how_ids_are_spelt() -> None:
    sms, mistakes = read(
        """
        split: sar
        alphabet: utf8
        message_ids: {response: hexadecimal, receipt: decimal, leading_zeros_matter: false, case_matters: false}
        """
    )
    assert not mistakes
    assert sms == SmsDialect("sar", "utf8", IdPolicy("hexadecimal", "decimal", False, False))


def test_what_a_dialect_leaves_out_is_as_most_centres_have_it() -> None:
    assert read("split: udh8")[0] == SmsDialect() == STANDARD.sms
    assert SmsDialect().message_ids == IdPolicy("text", "text", leading_zeros_matter=True, case_matters=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("split: udh", "Write udh8 or udh16 or sar or payload."),
        ("alphabet: gsm7", "Write gsm or ascii or latin1 or utf8."),
        ("message_ids: {response: hex}", "Write text or decimal or hexadecimal."),
        ("message_ids: {answer: text}", "unknown key 'answer'"),
        ("message_ids: {case_matters: 1}", "true or false"),
    ],
)
def test_a_mistake_in_it_is_told(text: str, told: str) -> None:
    sms, mistakes = read(text)
    assert sms is None
    assert told in str(mistakes[0])


@pytest.mark.parametrize(
    ("way", "esm_class", "begins"),
    [("udh8", 0x40, "050003cd0201"), ("udh16", 0x40, "060804abcd0201"), ("sar", 0, "0448"), ("payload", 0, "")],
)
def test_a_long_text_is_carried_as_the_dialect_says(way: Way, esm_class: int, begins: str) -> None:
    parts = pdus("ш" * 100, SmsDialect(split=way), 0xABCD)
    assert {part.esm_class for part in parts} == {esm_class}
    assert parts[0].short_message.hex().startswith(begins)
    assert [find_tlv(part, c.TAG_SAR_MSG_REF_NUM) for part in parts] == (
        [b"\xab\xcd"] * 2 if way == "sar" else [None] * len(parts)
    )
    payload = find_tlv(parts[0], c.TAG_MESSAGE_PAYLOAD)
    assert payload == (("ш" * 100).encode("utf-16-be") if way == "payload" else None)
    assert {part.data_coding for part in parts} == {STANDARD.data_coding.ucs2}


def test_an_alphabet_has_the_data_coding_of_gsm_and_ucs2_its_own() -> None:
    coding = dataclasses.replace(STANDARD.data_coding, gsm=3, ucs2=24)
    dialect = dataclasses.replace(speaking(SmsDialect(alphabet="latin1")), data_coding=coding)
    made = [over_sms.sms_pdus(text, "111", NUMBER, dialect, Role.CLIENT, 1, None)[0] for text in ("Crème", "5 €")]
    assert [(pdu.data_coding, pdu.short_message) for pdu in made] == [
        (3, b"Cr\xe8me"),
        (24, "5 €".encode("utf-16-be")),
    ]


def test_what_is_written_in_one_alphabet_may_be_read_in_another() -> None:
    dialect = dataclasses.replace(speaking(SmsDialect(alphabet="utf8")), default_alphabet="latin1")
    assert over_sms.sms_pdus("ш", "111", NUMBER, dialect, Role.CLIENT, 1, None)[0].short_message == "ш".encode()


def test_what_ascii_lacks_goes_in_ucs2() -> None:
    made = [pdus(text, SmsDialect(alphabet="ascii"))[0] for text in ("{1} @ ~", "Crème")]
    assert [(pdu.data_coding, pdu.short_message) for pdu in made] == [
        (0, b"{1} @ ~"),
        (8, "Crème".encode("utf-16-be")),
    ]


@pytest.mark.parametrize("way", ["udh8", "udh16", "sar", "payload"])
@pytest.mark.parametrize(("alphabet", "word", "octets"), WRITTEN)
def test_what_is_written_in_an_alphabet_is_read_in_it(alphabet: Alphabet, word: str, octets: bytes, way: Way) -> None:
    for text in (word, word * 70):
        made = pdus(text, SmsDialect(split=way, alphabet=alphabet))
        assert {pdu.data_coding for pdu in made} == {STANDARD.data_coding.gsm}
        assert (made[0].short_message or find_tlv(made[0], c.TAG_MESSAGE_PAYLOAD) or b"").find(octets) in (0, 6, 7)
        joiner = Joiner(default_alphabet=alphabet)
        assert [joiner.add(NUMBER, "111", pdu, 0.0) for pdu in made] == [None] * (len(made) - 1) + [text]


@pytest.mark.parametrize(("alphabet", "word", "octets"), WRITTEN)
def test_an_sms_of_a_subscriber_is_read_in_the_alphabet_of_his_network(
    alphabet: Alphabet, word: str, octets: bytes
) -> None:
    incoming = DeliverSm(source_addr=NUMBER, destination_addr="111", short_message=octets)
    assert Joiner(default_alphabet=alphabet).add(NUMBER, "111", incoming, 0.0) == word
    in_ucs2 = incoming._replace(data_coding=8, short_message="Да".encode("utf-16-be"))
    assert Joiner(default_alphabet=alphabet).add(NUMBER, "111", in_ucs2, 0.0) == "Да"


@pytest.mark.parametrize(("alphabet", "word", "octets"), WRITTEN)
def test_a_character_cut_between_two_parts_is_read_whole_in_every_alphabet(
    alphabet: Alphabet, word: str, octets: bytes
) -> None:
    for at in range(1, len(octets)):
        joiner = Joiner(default_alphabet=alphabet)
        halves = [
            DeliverSm(esm_class=0x40, short_message=bytes((5, 0, 3, 7, 2, number)) + half)
            for number, half in enumerate((octets[:at], octets[at:]), 1)
        ]
        assert [joiner.add(NUMBER, "111", half, 0.0) for half in halves] == [None, word]


@pytest.mark.parametrize("way", ["udh8", "udh16", "sar", "payload"])
def test_an_sms_has_ten_parts_at_most_however_it_goes(way: Way) -> None:
    assert pdus("a" * 152 * 10, SmsDialect(split=way))
    with pytest.raises(TextTooLong):
        pdus("a" * (153 * 10 + 1), SmsDialect(split=way))
