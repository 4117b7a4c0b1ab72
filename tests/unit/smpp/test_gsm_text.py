"""Text as phones know it: GSM 03.38, UCS-2, and the data codings that peers set."""

from __future__ import annotations

import pytest

from smpp.text import (
    Alphabet,
    decode_gsm,
    decode_text,
    decode_ucs2,
    encode_gsm,
    encode_text,
    encode_ucs2,
    septets,
    ucs2_units,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("1. Balance\n2. Tariff", 20),
        ("100 €", 6),
        ("[^{|}~\\]\f", 18),
        ("Ω@£$", 4),
        ("Баланс", None),
        ("қ", None),
    ],
)
def test_septets_counts_extended_characters_twice_and_knows_what_is_not_gsm(text: str, count: int | None) -> None:
    assert septets(text) == count


def test_the_escape_itself_is_no_text() -> None:
    assert septets("\x1b") is None
    with pytest.raises(ValueError, match="GSM"):
        encode_gsm("\x1be")


def test_every_gsm_character_comes_back() -> None:
    text = "".join(chr(code) for code in range(0x10000) if septets(chr(code)) is not None)
    assert len(text) == 127 + 10
    assert decode_gsm(encode_gsm(text)) == text
    assert len(encode_gsm(text)) == septets(text)


def test_known_places_of_the_alphabet() -> None:
    assert encode_gsm("@Δ ¡¿àa€") == bytes.fromhex("00102040607f611b65")


def test_a_lone_escape_an_unknown_one_and_a_high_octet_are_read_as_something() -> None:
    assert decode_gsm(b"a\x1b") == "a "
    assert decode_gsm(b"\x1ba") == "a"
    assert decode_gsm(b"\x1b\x1be") == " e"
    assert decode_gsm(b"a\x80\x1b\xff") == "a\ufffd\ufffd"


def test_an_escape_is_never_left_at_the_end_when_what_follows_is_cut_by_the_counted_length() -> None:
    assert encode_gsm("€")[-1:] != b"\x1b"
    assert septets("a€") == len(encode_gsm("a€")) == 3


def test_characters_above_ffff_are_replaced_whole() -> None:
    assert encode_ucs2("a😀б") == "a?б".encode("utf-16-be")
    assert encode_ucs2("\ud83d") == b"\0?"
    assert ucs2_units("a😀б") * 2 == len(encode_ucs2("a😀б"))


def test_ucs2_of_odd_length_with_lone_surrogates_or_a_mark_is_read() -> None:
    assert decode_ucs2("1".encode("utf-16-be") + b"\0") == "1"
    assert decode_ucs2(b"\xd8\x3d\0a") == "\ufffda"
    assert decode_ucs2(b"\xfe\xff\0a") == "a"
    assert decode_ucs2("😀".encode("utf-16-be")) == "😀"
    assert decode_ucs2(b"") == decode_ucs2(b"x") == ""


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        (b"*111#\0", 0x00, "*111#@"),
        (b"*111#\0", 0x0F, "*111#@"),
        (b"\x10", 0xEE, "Δ"),
        (b"@", 0x01, "@"),
        (b"\xe9", 0x03, "é"),
        (b"1", 0x04, "1"),
        (b"\xbc", 0x06, "М"),
        (b"\x04\x1c", 0x08, "М"),
        (b"\x65\x37\x04\x1c", 0x11, "М"),  # "en", packed, then UCS-2
        (b"\x04\x1c\x00\x31", 0x11, "М1"),  # the language left out
        (b"", 0x11, ""),
        (b"\xe9", 0x44, "é"),
        (b"\x04\x1c", 0x48, "М"),
    ],
)
def test_data_coding_says_how_octets_are_read(octets: bytes, coding: int, text: str) -> None:
    assert decode_text(octets, coding, "gsm") == text


def test_the_default_alphabet_is_the_links() -> None:
    assert decode_text(b"@\xe9", 0, "latin1") == "@é"
    assert decode_text("Баланс".encode(), 0, "utf8") == "Баланс"
    assert decode_text(b"@\xe9", 0, "ascii") == "@\ufffd"
    assert decode_text(b"\xff1", 0, "utf8") == "\ufffd1"


@pytest.mark.parametrize(
    ("text", "alphabet", "octets"),
    [
        ("5 €", "gsm", b"5 \x1b\x65"),
        ("é", "gsm", b"\x05"),
        ("ж", "gsm", None),
        ("[5]", "ascii", b"[5]"),
        ("é", "ascii", None),
        ("ê", "latin1", b"\xea"),
        ("€", "latin1", None),
        ("ж€😀", "utf8", "ж€😀".encode()),
        ("a\ud83d", "utf8", b"a?"),
        ("a\ud83d", "gsm", None),
        ("", "ascii", b""),
    ],
)
def test_a_text_is_written_in_an_alphabet_that_has_all_of_it(
    text: str, alphabet: Alphabet, octets: bytes | None
) -> None:
    assert encode_text(text, alphabet) == octets
