"""What must hold for every text as an SMS, for any order of its parts, and for all that calls itself a receipt."""

from __future__ import annotations

import time

from hypothesis import example, given, settings
from hypothesis import strategies as st

from smpp import pdu as p
from smpp.receipt import Expected, IdPolicy, Receipt, read_receipt
from smpp.segments import Joiner, Segment, TextTooLong, split
from smpp.text import ESCAPE, decode_gsm, septets

THOROUGH = settings(max_examples=300, deadline=None)

GSM = "".join(decode_gsm(bytes((code,))) for code in range(128) if code != ESCAPE) + "\f^{}\\[~]|€"
TEXTS = st.one_of(
    st.text(max_size=400),
    st.text(st.sampled_from(GSM), max_size=800),
    st.text(st.sampled_from("a€"), min_size=150, max_size=800),  # escapes at every edge
    st.text(st.sampled_from("aш😀\ud83d"), min_size=60, max_size=400),
)
OCTET = st.integers(0, 255)
TLVS = st.lists(
    st.builds(p.Tlv, st.sampled_from([0x001E, 0x020C, 0x020E, 0x020F, 0x0423, 0x0424, 0x0427]), st.binary(max_size=9)),
    max_size=4,
).map(tuple)


def as_read(text: str) -> str:
    """What a text is after UCS-2: no surrogates, and no mark of byte order at its begin."""
    if septets(text) is not None:
        return text
    shown = "".join(char if char <= "\uffff" and not "\ud800" <= char <= "\udfff" else "?" for char in text)
    return shown.removeprefix("\ufeff")


def joined(parts: list[Segment]) -> list[str]:
    joiner = Joiner("gsm")
    texts = [joiner.add("7701", "111", p.DeliverSm(**part._asdict()), 0.0) for part in parts]
    return [text for text in texts if text is not None]


@THOROUGH
@given(TEXTS, OCTET, st.randoms(use_true_random=False))
@example("a" * 152 + "€" * 100, 255, None)
def test_a_text_comes_back_from_its_parts_in_any_order(text: str, reference: int, random: object) -> None:
    parts = list(split(text, reference))
    if random is not None:
        random.shuffle(parts)  # type: ignore[attr-defined]
    assert joined(parts) == [as_read(text)]
    assert joined(parts + parts) == [as_read(text)] * (2 if len(parts) == 1 else 1)


@THOROUGH
@given(TEXTS, OCTET)
def test_no_part_is_too_long_or_cut_within_a_character(text: str, reference: int) -> None:
    parts = split(text, reference)
    gsm = septets(text) is not None
    alone = len(parts) == 1
    for number, part in enumerate(parts, 1):
        body = part.short_message if alone else part.short_message[6:]
        assert alone or part.short_message[:6] == bytes((5, 0, 3, reference, len(parts), number))
        assert len(body) <= ((160 if alone else 153) if gsm else (140 if alone else 134))
        if gsm:
            assert septets(decode_gsm(body)) == len(body)
            assert not body.endswith(b"\x1b")
        else:
            assert len(body) % 2 == 0
            assert not any(0xD8 <= octet <= 0xDF for octet in body[::2])


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
