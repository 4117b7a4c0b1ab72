"""What must hold for every text as an SMS, for any order of its parts, and for all that calls itself a receipt."""

from __future__ import annotations

import time
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from smpp import pdu as p
from smpp.receipt import Expected, IdPolicy, Receipt, read_receipt
from smpp.segments import Joiner, Segment, TextTooLong, Way, message_octets, split
from smpp.text import ESCAPE, Alphabet, decode_gsm, decode_text, encode_text, septets

THOROUGH = settings(max_examples=300, deadline=None)

GSM = "".join(decode_gsm(bytes((code,))) for code in range(128) if code != ESCAPE) + "\f^{}\\[~]|€"
TEXTS = st.one_of(
    st.text(max_size=400),
    st.text(st.sampled_from(GSM), max_size=800),
    st.text(st.sampled_from("a€"), min_size=150, max_size=800),  # escapes at every edge
    st.text(st.sampled_from("aш😀\ud83d"), min_size=60, max_size=400),
)
OCTET = st.integers(0, 255)
REFERENCE = st.integers(0, 0xFFFF)
WAYS: st.SearchStrategy[Way] = st.sampled_from(["udh8", "udh16", "sar", "payload"])
ALPHABETS: st.SearchStrategy[Alphabet] = st.sampled_from(["gsm", "ascii", "latin1", "utf8"])
ANY_TEXTS = st.one_of(
    TEXTS,
    st.text(st.characters(max_codepoint=0x7F), max_size=500),
    st.text(st.characters(max_codepoint=0xFF), max_size=500),
    st.text(st.sampled_from("aéш€😀"), min_size=60, max_size=400),  # UTF-8 of every length at every edge
)
HEADERS: dict[Way, int] = {"udh8": 6, "udh16": 7, "sar": 0, "payload": 0}
TLVS = st.lists(
    st.builds(p.Tlv, st.sampled_from([0x001E, 0x020C, 0x020E, 0x020F, 0x0423, 0x0424, 0x0427]), st.binary(max_size=9)),
    max_size=4,
).map(tuple)


def as_read(text: str, alphabet: Alphabet = "gsm") -> str:
    """What a text is after UCS-2, no surrogates, and no mark of byte order at its begin; UTF-8 loses the lone ones."""
    octets = encode_text(text, alphabet)
    if octets is not None:
        return decode_text(octets, 0, alphabet)
    shown = "".join(char if char <= "\uffff" and not "\ud800" <= char <= "\udfff" else "?" for char in text)
    return shown.removeprefix("\ufeff")


def joined(parts: list[Segment], alphabet: Alphabet) -> list[str]:
    joiner = Joiner(alphabet)
    texts = [joiner.add("7701", "111", p.DeliverSm(**part._asdict()), 0.0) for part in parts]
    return [text for text in texts if text is not None]


@THOROUGH
@given(ANY_TEXTS, REFERENCE, WAYS, ALPHABETS, st.randoms(use_true_random=False))
@example("a" * 152 + "€" * 100, 255, "udh8", "gsm", None)
def test_a_text_comes_back_from_its_parts_in_any_order_and_however_often(
    text: str, reference: int, way: Way, alphabet: Alphabet, random: Random | None
) -> None:
    parts = list(split(text, reference, way=way, alphabet=alphabet))
    alone = len(parts) == 1
    repeated = parts * (1 if alone else 2)
    if random is not None:
        random.shuffle(repeated)
    assert joined(repeated, alphabet) == [as_read(text, alphabet)]


@THOROUGH
@given(ANY_TEXTS, REFERENCE, WAYS, ALPHABETS)
def test_no_part_is_too_long_or_cut_within_a_character(text: str, reference: int, way: Way, alphabet: Alphabet) -> None:
    parts = split(text, reference, way=way, alphabet=alphabet)
    alone = len(parts) == 1
    for part in parts:
        octets = message_octets(p.DeliverSm(**part._asdict()))
        body = octets if alone else octets[HEADERS[way] :]
        if part.data_coding:
            most = (140, 134, 132)
            assert len(body) % 2 == 0
            assert not any(0xD8 <= octet <= 0xDF for octet in body[::2])
        else:
            septets_each = alphabet == "gsm" or (alphabet == "ascii" and septets(text) == len(text))
            most = (160, 153, 152) if septets_each else (140, 134, 133)
            assert encode_text(decode_text(body, 0, alphabet), alphabet) == body
            assert not (alphabet == "gsm" and body.endswith(b"\x1b"))
        assert len(body) <= (most[0] if alone else most[2] if way == "udh16" else most[1]) or part.tlvs[0].tag == 0x0424


@THOROUGH
@given(TEXTS, st.integers(1, 4))
def test_as_few_parts_as_can_be_and_never_more_than_allowed(text: str, parts_max: int) -> None:
    count = septets(text)
    most = (160, 153) if count is not None else (70, 67)
    size = count if count is not None else len(text)
    try:
        parts = len(split(text, 1, parts_max))
    except TextTooLong:
        assert size > most[0]
        assert size > parts_max * (most[1] - 1)
    else:
        assert parts <= parts_max
        assert (parts == 1) is (size <= most[0])
        assert parts == 1 or size > (parts - 1) * (most[1] - 1)


@THOROUGH
@given(st.lists(st.tuples(OCTET, OCTET, st.binary(max_size=12), TLVS), max_size=30), st.integers(0, 3000))
def test_a_joiner_takes_anything_and_stays_within_its_bound(
    messages: list[tuple[int, int, bytes, tuple[p.Tlv, ...]]], octets_held_max: int
) -> None:
    joiner = Joiner("gsm", octets_held_max=octets_held_max)
    for now, (esm_class, coding, octets, tlvs) in enumerate(messages):
        pdu = p.DeliverSm(esm_class=esm_class, data_coding=coding, short_message=octets, tlvs=tlvs)
        assert isinstance(joiner.add("7701", "111", pdu, float(now)), str | None)
        assert 0 <= joiner.octets_held <= octets_held_max


FIELDS = st.sampled_from(
    ["id:", "ID: ", "sub:001", "dlvrd:", "submit date:2601011200", "stat:DELIVRD", "err:", "text:", " ", "\0", "7", "é"]
)
RECEIPT_TEXTS = st.lists(FIELDS | st.text(max_size=4), max_size=12).map(lambda parts: "".join(parts).encode("utf-8"))


@THOROUGH
@given(RECEIPT_TEXTS, OCTET, TLVS)
def test_anything_that_calls_itself_a_receipt_is_read(text: bytes, coding: int, tlvs: tuple[p.Tlv, ...]) -> None:
    receipt = read_receipt(p.DeliverSm(esm_class=4, data_coding=coding, short_message=text[:254], tlvs=tlvs))
    assert isinstance(receipt, Receipt)
    waiting: Expected[int] = Expected(IdPolicy("decimal", "hexadecimal"), 10.0, entries_max=5)
    assert waiting.came(receipt, 0.0) is None


def test_a_receipt_of_64_kib_is_read_in_linear_time() -> None:
    begin = time.perf_counter()
    for piece in ("id: ", "id " * 5, "text ", "submit date", "stat:err:", " "):
        payload = (piece.encode() * 65000)[:65000]
        read_receipt(p.DataSm(esm_class=4, tlvs=(p.Tlv(0x0424, payload),)))
    assert time.perf_counter() - begin < 2.0  # quadratic work would take minutes
