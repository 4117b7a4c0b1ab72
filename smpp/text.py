"""Text to octets and back: GSM 03.38 with its extension table, UCS-2, and what `data_coding` says.

Rules of this file:
- "GSM" is the 7-bit default alphabet of 3GPP TS 23.038 section 6.2.1 with its extension table (6.2.1.1), one septet in
  one octet, as SMPP carries it; packing is the peer's work.
- Reading never fails: a subscriber's text is data. What cannot be read becomes U+FFFD.
- Writing GSM is exact: whoever writes has asked `septets` first. Writing UCS-2 replaces what UCS-2 has no place for
  (above U+FFFF, lone surrogates) by `?`, whole: one character, one unit, so that nothing is ever cut in two.
- What we read may use the national tables that its user data header announces (`national`); what we write never does.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, Literal, TypeAlias

from smpp import constants as c
from smpp.national import LOCKING, NO_SHIFT, SINGLE, Shift

Alphabet: TypeAlias = Literal["gsm", "ascii", "latin1", "utf8"]

ESCAPE: Final = 0x1B
REPLACEMENT: Final = "\ufffd"

# 23.038 section 6.2.1, sixteen characters a line; 0x1B is the escape to the extension table, shown as a space when it
# stands alone.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)

# 23.038 section 6.2.1.1: what follows the escape.
_EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

_EXTENDED_CHARACTERS: Final = "".join(_EXTENSION.values())
_PLAIN_CHARACTERS: Final = _BASIC.replace("\x1b", "")

_all_plain: Final = re.compile(f"[{re.escape(_PLAIN_CHARACTERS)}]*+").fullmatch
_all_gsm: Final = re.compile(f"[{re.escape(_PLAIN_CHARACTERS + _EXTENDED_CHARACTERS)}]*+").fullmatch
_find_extended: Final = re.compile(f"[{re.escape(_EXTENDED_CHARACTERS)}]").findall

_ENCODING: Final = codecs.charmap_build(_BASIC + "\ufffe" * 128)  # U+FFFE: no such code
_ESCAPED: Final = {ord(char): bytes((ESCAPE, code)) for code, char in _EXTENSION.items()}
_CODES: Final = {ord(char): bytes((code,)) for code, char in enumerate(_BASIC) if char != "\x1b"} | _ESCAPED
_CHARACTERS: Final = _BASIC.replace("\x1b", " ") + REPLACEMENT * 128
_MARKED: Final = {number: table + REPLACEMENT * 128 for number, table in LOCKING.items()} | {
    0: _BASIC + REPLACEMENT * 128
}
_escaped: Final = re.compile(r"\x1b(.)", re.DOTALL).sub

_no_ucs2: Final = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]").sub


def septets(text: str) -> int | None:
    """How many septets the text takes in GSM; None when a character is not in it. Extended characters take two."""
    if _all_plain(text):
        return len(text)
    if _all_gsm(text):
        return len(text) + len(_find_extended(text))
    return None


def encode_gsm(text: str) -> bytes:
    """The text in GSM, a septet an octet. Raises ValueError where `septets` is None."""
    if _all_plain(text):
        return codecs.charmap_encode(text, "strict", _ENCODING)[0]
    if not _all_gsm(text):
        raise ValueError("a character is not in the GSM alphabet")
    return codecs.charmap_encode(text, "strict", _CODES)[0]


def decode_gsm(octets: bytes, shift: Shift = NO_SHIFT) -> str:
    """GSM, a septet an octet, to text. An unknown escape shows the character of the alphabet in use (23.038)."""
    if shift == NO_SHIFT and ESCAPE not in octets:
        return codecs.charmap_decode(octets, "strict", _CHARACTERS)[0]
    alphabet = _MARKED.get(shift.locking, _MARKED[0])
    extension = SINGLE.get(shift.single, _EXTENSION)

    def shown(found: re.Match[str]) -> str:
        char = found[1]
        if char == "\x1b":
            return " "  # reserved for a further table: a space, says 6.2.1.1
        return extension.get(alphabet.find(char), char)

    return _escaped(shown, codecs.charmap_decode(octets, "strict", alphabet)[0]).replace("\x1b", " ")


def ucs2_units(text: str) -> int:
    """How many 16-bit units the text takes in UCS-2 as `encode_ucs2` writes it."""
    return len(text)


def encode_ucs2(text: str) -> bytes:
    """The text in UCS-2, big endian, two octets a character; what UCS-2 cannot hold becomes `?`."""
    try:
        octets = text.encode("utf-16-be")
        if len(octets) == 2 * len(text):
            return octets
    except UnicodeEncodeError:  # a lone surrogate
        pass
    return _no_ucs2("?", text).encode("utf-16-be")


def decode_ucs2(octets: bytes) -> str:
    """UCS-2 or UTF-16, big endian, to text. An odd last octet and a byte order mark are dropped."""
    whole = octets[:-1] if len(octets) % 2 else octets
    return whole.decode("utf-16-be", "replace").removeprefix("\ufeff")


# --- data_coding ------------------------------------------------------------------------------------------------

_CODECS: Final[dict[str, str]] = {"ascii": "ascii", "latin1": "latin-1", "utf8": "utf-8", "cyrillic": "iso8859-5"}

# SMPP and cell-broadcast values mix on one link; where both give a value a meaning, SMPP's is taken.
_ALPHABETS: Final[dict[int, str]] = {
    c.CODING_ASCII: "ascii",
    c.CODING_LATIN1: "latin1",
    c.CODING_OCTETS: "latin1",
    c.CODING_CYRILLIC: "cyrillic",
    c.CODING_UCS2: "ucs2",
    c.CODING_CBS_UCS2_WITH_LANGUAGE: "language, ucs2",
    c.CODING_CBS_OCTETS: "latin1",
    c.CODING_CBS_UCS2: "ucs2",
}


def decode_text(octets: bytes, data_coding: int, default_alphabet: Alphabet, shift: Shift = NO_SHIFT) -> str:
    """The text of a message. `data_coding` 0, 0x0F and every unknown one mean the link's default alphabet.

    `shift`: the national tables that its header announces; they are tables of GSM, and mean nothing in other alphabets.
    """
    alphabet = _ALPHABETS.get(data_coding, default_alphabet)
    if alphabet == "gsm":
        return decode_gsm(octets, shift)
    if alphabet == "ucs2":
        return decode_ucs2(octets)
    if alphabet == "language, ucs2":
        return decode_ucs2(octets[2:] if _begins_with_language(octets) else octets)
    return octets.decode(_CODECS[alphabet], "replace")


def encode_text(text: str, alphabet: Alphabet) -> bytes | None:
    """The text in an alphabet that a peer may take `data_coding` 0 for; None when a character is not in it.

    UTF-8 has all of them: there only a lone surrogate, which is none, becomes `?`.
    """
    if alphabet == "gsm":
        return encode_gsm(text) if _all_gsm(text) else None
    try:
        return text.encode(_CODECS[alphabet], "replace" if alphabet == "utf8" else "strict")
    except UnicodeEncodeError:
        return None


def _begins_with_language(octets: bytes) -> bool:
    """Whether two packed septets stand before the UCS-2 of `data_coding` 0x11.

    23.038 section 5: two letters of ISO 639 in GSM, packed into two octets whose last two bits are zero. Many peers
    set 0x11 and leave the language out; a UCS-2 character that looks like one lies in U+4100-U+7AFF or U+C100-U+FAFF.
    """
    if len(octets) < 2 or octets[1] > 0x3F:
        return False
    first, second = octets[0] & 0x7F, (octets[0] >> 7) | (octets[1] << 1)
    return chr(first).isalpha() and chr(second).isalpha()
