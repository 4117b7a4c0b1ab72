"""An SMS to its parts and back: sizes and headers to the octet, and parts that come as parts do."""

from __future__ import annotations

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.segments import Joiner, Segment, TextTooLong, Way, read_part, split
from smpp.text import Alphabet, decode_text, encode_gsm

TEXT = "".join(f"{n:03}-" for n in range(100))  # 400 septets: three parts


def messages(parts: tuple[Segment, ...]) -> list[p.DeliverSm]:
    return [p.DeliverSm(**part._asdict()) for part in parts]


def with_header(header: str, octets: bytes, coding: int = 0) -> p.DeliverSm:
    return p.DeliverSm(esm_class=0x40, data_coding=coding, short_message=bytes.fromhex(header) + octets)


# --- splitting ---


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("a" * 160, [160]),
        ("a" * 161, [6 + 153, 6 + 8]),
        ("a" * 153 * 2, [6 + 153] * 2),
        ("€" * 80, [160]),
        ("€" * 81, [6 + 152, 6 + 10]),  # an escape and its character stay together
        ("ш" * 70, [140]),
        ("ш" * 71, [6 + 134, 6 + 8]),
        ("ш" * 67 * 3, [6 + 134] * 3),
        ("", [0]),
    ],
)
def test_each_part_is_as_full_as_it_may_be(text: str, octets: list[int]) -> None:
    assert [len(part.short_message) for part in split(text, 1)] == octets


def test_one_part_has_no_header() -> None:
    assert split("5 €", 7) == (Segment(encode_gsm("5 €"), c.CODING_DEFAULT, 0),)
    assert split("5 ₸", 7) == (Segment("5 ₸".encode("utf-16-be"), c.CODING_UCS2, 0),)


def test_parts_have_a_header_with_reference_total_and_number() -> None:
    parts = split(TEXT, 0x1F7)
    assert [part.short_message[:6].hex() for part in parts] == ["050003f70301", "050003f70302", "050003f70303"]
    assert {(part.esm_class, part.data_coding) for part in parts} == {(0x40, 0)}


def test_an_escape_at_the_edge_goes_to_the_next_part() -> None:
    first, second = split("a" * 152 + "€" + "b" * 10, 1)
    assert first.short_message[6:] == b"a" * 152
    assert second.short_message[6:] == b"\x1b\x65" + b"b" * 10


def test_a_character_above_ffff_is_replaced_whole() -> None:
    parts = split("😀" * 71, 1)
    assert [part.short_message[6:].decode("utf-16-be") for part in parts] == ["?" * 67, "?" * 4]


def test_a_text_that_takes_too_many_parts_is_refused() -> None:
    assert len(split("a" * 153 * 255, 1)) == 255
    with pytest.raises(TextTooLong, match="takes 256 parts, and 255 are allowed"):
        split("a" * (153 * 255 + 1), 1)
    with pytest.raises(TextTooLong, match="takes 4 parts, and 3 are allowed"):
        split("a" * (153 * 3 + 1), 1, parts_max=3)


# --- other ways than a header of six octets ---


def test_a_header_with_a_reference_of_16_bits_costs_a_septet_more() -> None:
    parts = split("a" * 305, 0x1ABCD, way="udh16")
    assert [part.short_message[:7].hex() for part in parts] == [f"060804abcd03{n:02}" for n in (1, 2, 3)]
    assert [len(part.short_message) for part in parts] == [7 + 152, 7 + 152, 7 + 1]
    assert [len(part.short_message) for part in split("ш" * 71, 1, way="udh16")] == [7 + 132, 7 + 10]


def test_parts_by_the_parameters_of_smpp_leave_room_for_the_header_that_the_peer_makes() -> None:
    parts = split("a" * 161, 0x1ABCD, way="sar")
    assert [len(part.short_message) for part in parts] == [153, 8]
    assert [part.esm_class for part in parts] == [0, 0]
    assert [part.tlvs for part in parts] == [
        (p.Tlv(0x020C, b"\xab\xcd"), p.Tlv(0x020E, b"\x02"), p.Tlv(0x020F, bytes((number,)))) for number in (1, 2)
    ]


def test_a_long_text_may_go_whole_in_message_payload() -> None:
    (whole,) = split(TEXT, 1, way="payload")
    assert whole == Segment(b"", c.CODING_DEFAULT, 0, (p.Tlv(c.TAG_MESSAGE_PAYLOAD, TEXT.encode()),))


def test_a_text_in_message_payload_may_take_no_more_parts_on_the_air_than_another() -> None:
    assert len(split("a" * 153 * 3, 1, 3, way="payload")) == 1
    with pytest.raises(TextTooLong, match="takes 4 parts"):
        split("a" * (153 * 3 + 1), 1, 3, way="payload")


@pytest.mark.parametrize("way", ["udh8", "udh16", "sar", "payload"])
def test_what_fits_in_one_message_is_one_whatever_the_way(way: Way) -> None:
    assert split("a" * 160, 1, way=way) == (Segment(b"a" * 160, 0, 0),)
    assert split("ш" * 70, 1, way=way) == (Segment(("ш" * 70).encode("utf-16-be"), 8, 0),)


# --- other alphabets than GSM ---


@pytest.mark.parametrize(
    ("text", "alphabet", "coding", "octets"),
    [
        ("a" * 160, "ascii", 0, [160]),
        ("a" * 161, "ascii", 0, [6 + 153, 6 + 8]),
        ("a" * 140 + "[", "ascii", 0, [6 + 134, 6 + 7]),  # a peer that makes GSM of it needs more than a septet for it
        ("é", "ascii", 8, [2]),
        ("ê" * 140, "latin1", 0, [140]),
        ("ê" * 141, "latin1", 0, [6 + 134, 6 + 7]),
        ("€" * 2, "latin1", 8, [4]),
        ("ш" * 70, "utf8", 0, [140]),
        ("ш" * 71, "utf8", 0, [6 + 134, 6 + 8]),
        ("a" + "ш" * 70, "utf8", 0, [6 + 133, 6 + 8]),  # not within a character
        ("a" + "😀" * 40, "utf8", 0, [6 + 133, 6 + 28]),
    ],
)
def test_what_the_peers_alphabet_has_not_goes_in_ucs2_and_sizes_are_the_alphabets(
    text: str, alphabet: Alphabet, coding: int, octets: list[int]
) -> None:
    parts = split(text, 1, alphabet=alphabet)
    assert [len(part.short_message) for part in parts] == octets
    assert {part.data_coding for part in parts} == {coding}


def test_an_escape_or_surrogate_is_never_cut_in_two() -> None:
    texts: list[tuple[str, Way, Alphabet]] = [
        ("a" * 152 + "€" * 100, "udh8", "gsm"), ("a" * 151 + "€" * 100, "udh16", "gsm"),
        ("a" * 152 + "€" * 100, "sar", "gsm"), ("ш" * 66 + "😀" * 40, "udh8", "gsm"),
        ("ш" * 65 + "😀" * 40, "udh16", "gsm"), ("a" * 133 + "😀" * 40, "udh8", "utf8"),
    ]  # fmt: skip
    for text, way, alphabet in texts:
        parts = split(text, 1, way=way, alphabet=alphabet)
        bodies = [part.short_message[{"udh8": 6, "udh16": 7, "sar": 0}[way] :] for part in parts]
        shown = [decode_text(body, part.data_coding, alphabet) for body, part in zip(bodies, parts, strict=True)]
        assert "".join(shown) == (text if alphabet == "utf8" else text.replace("😀", "?"))


# --- joining ---


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_parts_make_the_text_in_any_order(order: tuple[int, ...]) -> None:
    joiner, parts = Joiner("gsm"), messages(split(TEXT, 7))
    first, second, third = (joiner.add("7701", "111", parts[number], 0.0) for number in order)
    assert (first, second, third) == (None, None, TEXT)


def test_a_message_of_one_part_is_its_text() -> None:
    joiner = Joiner("gsm")
    assert joiner.add("7701", "111", messages(split("5 € ₸", 1))[0], 0.0) == "5 € ₸"
    assert joiner.octets_held == 0


@pytest.mark.parametrize("way", ["udh16", "sar", "payload"])
def test_a_text_is_whole_however_it_came_and_a_repeat_makes_no_second_one(way: Way) -> None:
    joiner, parts = Joiner("gsm"), messages(split(TEXT, 0xABCD, way=way))
    texts = [joiner.add("7701", "111", part, 0.0) for part in (*parts[1:], *parts[1:], *parts[:1])]
    assert [text for text in texts if text is not None] == [TEXT]


def test_two_ways_with_one_number_are_two_texts() -> None:
    joiner = Joiner("gsm")
    ways: list[Way] = ["udh8", "udh16", "sar"]
    parts = [messages(split(f"{way} " + TEXT, 7, way=way)) for way in ways]
    texts = [joiner.add("7701", "111", each[number], 0.0) for number in range(3) for each in parts]
    assert texts == [None] * 6 + [f"{way} " + TEXT for way in ways]


@pytest.mark.parametrize("again", [0, 2])
def test_a_part_that_comes_again_changes_nothing_and_makes_no_second_text(again: int) -> None:
    joiner, parts = Joiner("gsm"), messages(split(TEXT, 7))
    texts = [joiner.add("7701", "111", part, 0.0) for part in (*parts[: again + 1], *parts[again:], *parts)]
    assert [text for text in texts if text is not None] == [TEXT]


def test_texts_of_others_and_under_other_references_do_not_mix() -> None:
    joiner = Joiner("gsm")
    ways = [("7701", "111", 1), ("7702", "111", 1), ("7701", "112", 1), ("7701", "111", 2)]
    parts = {way: messages(split(f"{way}" + TEXT, way[2])) for way in ways}
    texts = {way: joiner.add(*way[:2], parts[way][number], 0.0) for number in range(3) for way in ways}
    assert texts == {way: f"{way}" + TEXT for way in ways}


def test_a_reference_used_again_begins_a_new_text() -> None:
    joiner = Joiner("gsm")
    old, new = messages(split("old " + TEXT, 7)), messages(split("new " + TEXT, 7))
    assert joiner.add("7701", "111", old[0], 0.0) is None
    assert [joiner.add("7701", "111", part, 1.0) for part in new] == [None, None, "new " + TEXT]
    assert joiner.incomplete == 1
    assert [joiner.add("7701", "111", part, 2.0) for part in old] == [None, None, "old " + TEXT]


def test_what_does_not_come_whole_in_time_is_forgotten() -> None:
    joiner, parts = Joiner("gsm", seconds_max=60), messages(split(TEXT, 7))
    joiner.add("7701", "111", parts[0], 0.0)
    joiner.add("7701", "111", parts[1], 59.0)
    assert joiner.add("7701", "111", parts[2], 60.0) is None
    assert joiner.incomplete == 1
    assert [joiner.add("7701", "111", part, 61.0) for part in parts[:2]] == [None, TEXT]


def test_what_is_held_is_bounded_and_the_oldest_goes_first() -> None:
    joiner, parts = Joiner("gsm", octets_held_max=100_000), messages(split(TEXT, 7))
    for number in range(10_000):
        joiner.add(f"{number}", "111", parts[0], 0.0)
        assert joiner.octets_held <= 100_000
    assert joiner.incomplete > 9_000
    assert [joiner.add("9999", "111", part, 0.0) for part in parts[1:]] == [None, TEXT]
    assert [joiner.add("0", "111", part, 0.0) for part in parts[1:]] == [None, None]


def test_a_reference_of_16_bits_and_elements_beside_it_are_read() -> None:
    joiner = Joiner("gsm")
    pdus = [with_header("0c" + "05040b84" + "23f0" + "0804ab120201", b"one, "), with_header("060804ab120202", b"two")]
    assert [joiner.add("7701", "111", pdu, 0.0) for pdu in pdus] == [None, "one, two"]


def test_parts_by_the_parameters_of_smpp_are_joined() -> None:
    def part(number: int, text: bytes) -> p.DeliverSm:
        tlvs = (
            p.Tlv(c.TAG_SAR_MSG_REF_NUM, b"\xab\x12"),
            p.Tlv(c.TAG_SAR_TOTAL_SEGMENTS, b"\x02"),
            p.Tlv(c.TAG_SAR_SEGMENT_SEQNUM, bytes((number,))),
        )
        return p.DeliverSm(short_message=text, tlvs=tlvs)

    joiner = Joiner("gsm")
    assert [joiner.add("7701", "111", part(*each), 0.0) for each in ((2, b"two"), (1, b"one, "))] == [None, "one, two"]


def test_characters_that_a_peer_cut_in_two_are_whole_again() -> None:
    joiner = Joiner("gsm")
    octets = "a😀b".encode("utf-16-be")
    pdus = [with_header("050003010201", octets[:4], 8), with_header("050003010202", octets[4:], 8)]
    assert [joiner.add("7701", "111", pdu, 0.0) for pdu in pdus] == [None, "a😀b"]
    pdus = [with_header("050003020201", b"5 \x1b"), with_header("050003020202", b"\x65")]
    assert [joiner.add("7701", "111", pdu, 0.0) for pdu in pdus] == [None, "5 €"]


def test_parts_in_different_alphabets_are_read_each_in_its_own() -> None:
    joiner = Joiner("gsm")
    pdus = [with_header("050003010201", b"5 "), with_header("050003010202", "₸".encode("utf-16-be"), 8)]
    assert [joiner.add("7701", "111", pdu, 0.0) for pdu in pdus] == [None, "5 ₸"]


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("050003010001" + "414243", "ABC"),  # of none
        ("050003010200" + "414243", "ABC"),  # the 0th
        ("050003010203" + "414243", "ABC"),  # the third of two
        ("050003010101" + "414243", "ABC"),  # the only one
        ("0400030102" + "41", "A"),  # an element longer than the header
        ("03240101" + "4142", "AB"),  # a header without a reference
        ("0470020102" + "4142", "AB"),  # one of an application on the SIM
        ("00" + "4142", "AB"),
        ("0500030102", "é@¥£$"),  # a header longer than the message: all is text
        ("", ""),
    ],
)
def test_a_header_that_fits_nothing_leaves_a_message_of_its_own(octets: str, text: str) -> None:
    pdu = p.DeliverSm(esm_class=0x40, short_message=bytes.fromhex(octets))
    assert read_part(pdu) is None
    assert Joiner("gsm").add("7701", "111", pdu, 0.0) == text


@pytest.mark.parametrize(
    ("header", "octets", "text"),
    [
        ("03240101", "1b67", "ğ"),
        ("03250101", "0c", "ğ"),
        ("06240101250101", "4d0c1b73", "Mğş"),
        ("0324010e", "1b67", "g"),  # no such language
        ("0424020101", "1b67", "g"),  # two octets where one is meant
        ("0a05040b8423f0240101e0", "1b67", "ğ"),  # beside ports, and an element that is cut off
    ],
)
def test_a_header_may_announce_national_tables(header: str, octets: str, text: str) -> None:
    assert Joiner("gsm").add("7701", "111", with_header(header, bytes.fromhex(octets)), 0.0) == text


def test_national_tables_count_in_the_parts_that_announce_them_and_an_escape_may_be_cut() -> None:
    joiner = Joiner("gsm")
    pdus = [
        with_header("080003070301" + "240101", b"da\x1b"),
        with_header("080003070302" + "240101", b"\x67, "),
        with_header("050003070303", b"\x1bg"),
    ]
    assert [joiner.add("7701", "111", pdu, 0.0) for pdu in pdus] == [None, None, "dağ, g"]


def test_a_header_without_a_place_leaves_it_to_the_parameters_of_smpp() -> None:
    joiner = Joiner("gsm")
    for number, octets in ((1, b"\x1b\x67"), (2, b"\x1b\x73")):
        tlvs = (
            p.Tlv(c.TAG_SAR_MSG_REF_NUM, b"\0\7"),
            p.Tlv(c.TAG_SAR_TOTAL_SEGMENTS, b"\2"),
            p.Tlv(c.TAG_SAR_SEGMENT_SEQNUM, bytes((number,))),
        )
        text = joiner.add("7701", "111", with_header("03240101", octets)._replace(tlvs=tlvs), 0.0)
    assert text == "ğş"


def test_a_part_in_message_payload_is_a_part() -> None:
    joiner = Joiner("gsm")
    tlvs = [(p.Tlv(c.TAG_MESSAGE_PAYLOAD, bytes.fromhex(f"0500030702{n:02}") + b"x" * 300),) for n in (1, 2)]
    pdus = [p.DataSm(esm_class=0x40, tlvs=each) for each in tlvs]
    assert [joiner.add("7701", "111", pdu, 0.0) for pdu in pdus] == [None, "x" * 600]
