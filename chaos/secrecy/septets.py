"""Texts in the packed septets of GSM 03.38, as an SMS or USSD string has them on the air, at any bit of an octet.

A text that begins at some bit fills some octets wholly; by those it is known. Eight characters are enough to know it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

CHARACTERS: Final = 8
_BEFORE_PIN: Final = b"PIN: "
_PIN_DIGITS: Final = 4
_ALPHABET: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"


class Packed:
    """Looks for texts of at least eight digits and letters; and for a PIN behind the words that SMS have before it."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._by_bit: list[dict[bytes, bytes]] = [{} for _ in range(8)]
        for text in texts:
            for bit in range(8):
                self._by_bit[bit][_whole_octets(text[:CHARACTERS], bit)] = text
        self._patterns = [_pattern(bit) for bit in range(8)]
        self._heads = [_whole_octets(_BEFORE_PIN, bit) for bit in range(8)]

    def found(self, octets: bytes) -> Iterator[tuple[bytes, int]]:
        """The texts that are there, with their places."""
        for pattern, known in zip(self._patterns, self._by_bit, strict=True):
            if known:
                for match in pattern.finditer(octets):
                    if match[1] in known:
                        yield known[match[1]], match.start()

    def found_pins(self, octets: bytes) -> Iterator[tuple[bytes, int]]:
        """Four characters behind `PIN: `, with their places."""
        for bit, head in enumerate(self._heads):
            at = octets.find(head)
            while at >= 0:
                first = at - (1 if bit else 0)  # the octet in which the text begins
                text = unpacked(octets[max(0, first) : first + 9], bit, len(_BEFORE_PIN) + _PIN_DIGITS)
                if first >= 0 and text.startswith(_BEFORE_PIN):
                    yield text[-_PIN_DIGITS:], at
                at = octets.find(head, at + 1)


def packed(text: bytes, bit: int = 0) -> bytes:
    """Septets packed into octets, the first at this bit, the rest zero."""
    value = sum(septet << (bit + 7 * at) for at, septet in enumerate(text))
    return value.to_bytes((bit + 7 * len(text) + 7) // 8, "little")


def unpacked(octets: bytes, bit: int, count: int) -> bytes:
    """So many septets, the first at this bit."""
    value = int.from_bytes(octets, "little") >> bit
    return bytes(value >> (7 * at) & 0x7F for at in range(count))


def _whole_octets(text: bytes, bit: int) -> bytes:
    """The octets that the text fills alone."""
    return packed(text, bit)[(bit + 7) // 8 : (bit + 7 * len(text)) // 8]


@functools.cache
def _pattern(bit: int) -> re.Pattern[bytes]:
    """Matches, at every place, the octets that eight septets of the alphabet fill when they begin at this bit."""
    classes = []
    for octet in range((bit + 7) // 8, (bit + 7 * CHARACTERS) // 8):
        low = 8 * octet
        shifts = [bit + 7 * at - low for at in range(CHARACTERS) if -7 < bit + 7 * at - low < 8]
        values = {
            sum(
                septet << shift if shift >= 0 else septet >> -shift
                for septet, shift in zip(septets, shifts, strict=True)
            )
            & 0xFF
            for septets in product(_ALPHABET, repeat=len(shifts))
        }
        classes.append(b"[" + b"".join(re.escape(bytes((value,))) for value in sorted(values)) + b"]")
    return re.compile(b"(?=(" + b"".join(classes) + b"))", re.DOTALL)
