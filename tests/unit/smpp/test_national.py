"""The national tables of 23.038, annex A: where they differ from the default ones, and nowhere else."""

from __future__ import annotations

import pytest

from smpp.national import LOCKING, PORTUGUESE, SINGLE, SPANISH, TURKISH, Shift
from smpp.text import decode_gsm, decode_text

SEPTETS = bytes(range(128))
DEFAULT = decode_gsm(SEPTETS.replace(b"\x1b", b""))
DEFAULT_SINGLE = {code: char for code in SEPTETS if (char := decode_gsm(bytes((0x1B, code)))) in "\f^{}\\[~]|€"}


def differences(table: str) -> dict[int, str]:
    default = DEFAULT[:0x1B] + "\x1b" + DEFAULT[0x1B:]
    return {code: char for code, char in enumerate(table) if char != default[code]}


def test_the_turkish_alphabet_differs_in_eight_places() -> None:
    assert differences(LOCKING[TURKISH]) == {
        0x04: "€", 0x07: "ı", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç",
    }  # fmt: skip


def test_the_portuguese_alphabet_differs_in_thirty_places() -> None:
    assert differences(LOCKING[PORTUGUESE]) == {
        0x04: "ê", 0x06: "ú", 0x07: "í", 0x08: "ó", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "ª",
        0x13: "Ç", 0x14: "À", 0x15: "∞", 0x16: "^", 0x17: "\\", 0x18: "€", 0x19: "Ó", 0x1A: "|", 0x1C: "Â", 0x1D: "â",
        0x1E: "Ê", 0x24: "º", 0x40: "Í", 0x5B: "Ã", 0x5C: "Õ", 0x5D: "Ú", 0x60: "~", 0x7B: "ã", 0x7C: "õ", 0x7D: "`",
    }  # fmt: skip


def test_spanish_has_no_alphabet_of_its_own() -> None:
    assert set(LOCKING) == {TURKISH, PORTUGUESE}
    assert decode_gsm(SEPTETS.replace(b"\x1b", b""), Shift(locking=SPANISH)) == DEFAULT


@pytest.mark.parametrize("language", [TURKISH, SPANISH, PORTUGUESE])
def test_every_national_extension_keeps_what_the_default_one_has(language: int) -> None:
    assert DEFAULT_SINGLE.items() <= SINGLE[language].items()


@pytest.mark.parametrize(
    ("language", "letters"),
    [
        (TURKISH, {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş"}),
        (
            SPANISH,
            {0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú"},
        ),
    ],
)
def test_what_an_escape_adds_stands_where_its_letter_does(language: int, letters: dict[int, str]) -> None:
    assert SINGLE[language].items() - DEFAULT_SINGLE.items() == letters.items()


def test_the_portuguese_extension_has_the_greek_letters_that_its_alphabet_lost() -> None:
    escaped = b"".join(bytes((0x1B, code)) for code in (*range(0x12, 0x14), *range(0x15, 0x1A)))
    assert decode_gsm(escaped, Shift(single=PORTUGUESE)) == "ΦΓΩΠΨΣΘ"
    letters = bytes.fromhex("1b05 1b09 1b0b 1b0c 1b0e 1b0f 1b1f 1b41 1b49 1b4f 1b55 1b5b 1b5c 1b61 1b69 1b6f 1b75")
    assert decode_gsm(letters, Shift(single=PORTUGUESE)) == "êçÔôÁáÊÀÍÓÚÃÕÂíóú"
    assert decode_gsm(bytes.fromhex("1b7b 1b7c 1b7f"), Shift(single=PORTUGUESE)) == "ãõâ"


def test_both_tables_at_a_time() -> None:
    assert decode_gsm(bytes.fromhex("4c1b6b1b65"), Shift(TURKISH, TURKISH)) == "Lk€"
    assert decode_gsm(bytes.fromhex("0c1b69"), Shift(TURKISH, PORTUGUESE)) == "ğí"


def test_an_unknown_escape_shows_the_letter_of_the_alphabet_in_use() -> None:
    assert decode_gsm(b"\x1b\x0b", Shift(locking=TURKISH)) == "Ğ"
    assert decode_gsm(b"\x1b\x1bg\x1b", Shift(single=TURKISH)) == " g "


@pytest.mark.parametrize("number", [0, SPANISH, 4, 13, 14, 255])
def test_a_language_without_a_table_leaves_the_default_one(number: int) -> None:
    assert decode_gsm(b"\x0b\x1b\x65", Shift(locking=number)) == "Ø€"


def test_the_tables_mean_nothing_outside_gsm() -> None:
    both = Shift(TURKISH, TURKISH)
    assert decode_text("ж".encode("utf-16-be"), 8, "gsm", both) == "ж"
    assert decode_text(b"\xe7", 0, "latin1", both) == "ç"
    assert decode_text(b"\x60", 0, "gsm", both) == "ç"
