"""The text of an SMS to its parts, and parts to the text: concatenation as 3GPP TS 23.040, section 9.2.3.24.1 has it.

Rules of this file:
- A text is GSM 03.38 when every character is in it, else UCS-2. Alone it has 160 septets or 70 units; in several parts
  each has 153 or 67, because 140 octets on the air carry a header of six as well.
- Nothing is cut in two: a character of the extension table stays whole, and a character above U+FFFF becomes `?` before
  anything is cut, as `text.encode_ucs2` writes it.
- What we write has 8-bit references. What we read may have 16-bit ones, or the SAR parameters of SMPP (5.3.2.22-24).
- Joining never fails: whoever sends parts that fit nothing gets them read as messages of their own, or forgotten.
- Parts are joined as octets and read as text once, because others do cut characters in two.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import groupby
from typing import Final, NamedTuple

from smpp import constants as c
from smpp.pdu import DataSm, DeliverSm, SubmitSm, find_tlv
from smpp.text import ESCAPE, Alphabet, decode_text, encode_gsm, encode_ucs2, septets

SEPTETS_MAX: Final = 160
SEPTETS_MAX_OF_PART: Final = 153
UNITS_MAX: Final = 70
UNITS_MAX_OF_PART: Final = 67
PARTS_MAX: Final = 255

ESM_CLASS_UDHI: Final = 0x40  # the message begins with a user data header (5.2.12)
_IE_REFERENCE_8: Final = 0x00  # information elements of the header, 23.040 section 9.2.3.24
_IE_REFERENCE_16: Final = 0x08
_PART_OCTETS: Final = 200  # what a part takes in memory besides its octets, about


class TextTooLong(ValueError):
    """The text would take more parts than are allowed."""


class Segment(NamedTuple):
    """One part as a message carries it; `data_coding` is SMPP's 0 or 8: a peer that wants others gets others."""

    short_message: bytes
    data_coding: int
    esm_class: int


def split(text: str, reference: int, parts_max: int = PARTS_MAX) -> tuple[Segment, ...]:
    """The parts of an SMS, one at least; the low octet of `reference` tells them from other texts to the same number.

    Raises TextTooLong when the text takes more than `parts_max` parts.
    """
    gsm = septets(text) is not None
    coding = c.CODING_DEFAULT if gsm else c.CODING_UCS2
    octets = encode_gsm(text) if gsm else encode_ucs2(text)
    if len(octets) <= (SEPTETS_MAX if gsm else 2 * UNITS_MAX):
        return (Segment(octets, coding, 0),)
    parts = _cut_gsm(octets) if gsm else _cut(octets, 2 * UNITS_MAX_OF_PART)
    if len(parts) > min(parts_max, PARTS_MAX):
        raise TextTooLong(f"the text takes {len(parts)} parts, and {min(parts_max, PARTS_MAX)} are allowed")
    head = bytes((5, _IE_REFERENCE_8, 3, reference & 0xFF, len(parts)))
    return tuple(
        Segment(head + bytes((number,)) + part, coding, ESM_CLASS_UDHI) for number, part in enumerate(parts, 1)
    )


def _cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def _cut_gsm(octets: bytes) -> list[bytes]:
    parts: list[bytes] = []
    at = 0
    while at < len(octets):
        end = at + SEPTETS_MAX_OF_PART
        if end < len(octets) and octets[end - 1] == ESCAPE:
            end -= 1
        parts.append(octets[at:end])
        at = end
    return parts


# --- joining ----------------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """Where a message stands among the parts of a longer one, and what it carries without its header."""

    reference: tuple[str, int]  # which of the three ways, and its number
    number: int  # from 1
    total: int
    octets: bytes


class _Gathered:
    """The parts of one text that have come so far."""

    __slots__ = ("began_at", "done", "parts", "total")

    def __init__(self, total: int, now: float) -> None:
        self.total = total
        self.began_at = now
        self.done = False
        self.parts: dict[int, tuple[int, bytes]] = {}  # number: data_coding, octets


class _Key(NamedTuple):
    source: str
    destination: str
    reference: tuple[str, int]


class Joiner:
    """The texts of one link that have not come whole yet.

    A text is forgotten `seconds_max` after its first part came, whole or not: till then its parts are known when they
    are sent again. At most `octets_held_max` are held; beyond that the oldest text is forgotten.
    """

    def __init__(
        self, default_alphabet: Alphabet, seconds_max: float = 600.0, octets_held_max: int = 4_000_000
    ) -> None:
        self._alphabet: Alphabet = default_alphabet
        self._seconds_max = seconds_max
        self._octets_held_max = octets_held_max
        self._gathered: OrderedDict[_Key, _Gathered] = OrderedDict()
        self.octets_held = 0  # with what it costs to hold a part
        self.incomplete = 0  # texts that were forgotten before they were whole: a counter

    def add(self, source: str, destination: str, pdu: SubmitSm | DeliverSm | DataSm, now: float) -> str | None:
        """The text that this message makes whole; None while parts are missing, and for one that came before."""
        self._forget_old(now)
        part = read_part(pdu)
        if part is None:
            return self._read([(pdu.data_coding, _without_header(pdu))])
        key = _Key(source, destination, part.reference)
        gathered = self._gathered.get(key)
        if gathered is not None and self._is_of_another(gathered, part):
            self._forget(key)
            gathered = None
        if gathered is None:
            gathered = self._gathered[key] = _Gathered(part.total, now)
        if part.number in gathered.parts:
            return None
        gathered.parts[part.number] = (pdu.data_coding, part.octets)
        self.octets_held += _PART_OCTETS + len(part.octets)
        if len(gathered.parts) == gathered.total:
            gathered.done = True
        while self.octets_held > self._octets_held_max:
            self._forget(next(iter(self._gathered)))
        return self._read(gathered.parts[number] for number in sorted(gathered.parts)) if gathered.done else None

    def take_back(self, source: str, destination: str, pdu: SubmitSm | DeliverSm | DataSm) -> None:
        """The peer is told to send this message again: the part is taken for one that has not come."""
        part = read_part(pdu)
        gathered = self._gathered.get(_Key(source, destination, part.reference)) if part is not None else None
        if part is None or gathered is None or part.number not in gathered.parts:
            return
        _, octets = gathered.parts.pop(part.number)
        self.octets_held -= _PART_OCTETS + len(octets)
        gathered.done = False

    def _is_of_another(self, gathered: _Gathered, part: Part) -> bool:
        """Whether the sender uses the reference anew: then this part is not one of those that came."""
        before = gathered.parts.get(part.number)
        return gathered.total != part.total or (before is not None and before[1] != part.octets)

    def _read(self, parts: Iterable[tuple[int, bytes]]) -> str:
        """Parts in one alphabet are put together before they are read."""
        return "".join(
            decode_text(b"".join(octets for _, octets in run), coding, self._alphabet)
            for coding, run in groupby(parts, key=lambda part: part[0])
        )

    def _forget_old(self, now: float) -> None:
        while self._gathered:
            key, oldest = next(iter(self._gathered.items()))
            if now - oldest.began_at < self._seconds_max:
                return
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        gathered = self._gathered.pop(key)
        self.octets_held -= sum(_PART_OCTETS + len(octets) for _, octets in gathered.parts.values())
        self.incomplete += not gathered.done


def read_part(pdu: SubmitSm | DeliverSm | DataSm) -> Part | None:
    """What the message says of its place in a longer one; None for a message that stands alone."""
    if pdu.esm_class & ESM_CLASS_UDHI:
        octets = message_octets(pdu)
        found = _from_header(octets[1 : 1 + octets[0]]) if octets and len(octets) > octets[0] else None
    else:
        found = _from_tlvs(pdu)
    if found is None:
        return None
    way, reference, total, number = found
    return Part((way, reference), number, total, _without_header(pdu)) if 1 <= number <= total != 1 else None


def message_octets(pdu: SubmitSm | DeliverSm | DataSm) -> bytes:
    """What the message carries, header included: `short_message`, or message_payload where that is empty."""
    octets = b"" if isinstance(pdu, DataSm) else pdu.short_message
    return octets or find_tlv(pdu, c.TAG_MESSAGE_PAYLOAD) or b""


def _without_header(pdu: SubmitSm | DeliverSm | DataSm) -> bytes:
    """A header longer than its message is none: then everything is taken for text."""
    octets = message_octets(pdu)
    if pdu.esm_class & ESM_CLASS_UDHI and octets and len(octets) > octets[0]:
        return octets[1 + octets[0] :]
    return octets


def _from_header(header: bytes) -> tuple[str, int, int, int] | None:
    """Way, reference, total and number from the information elements of a header; other elements are passed over."""
    at = 0
    while at + 2 <= len(header):
        element, size = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + size]
        if element == _IE_REFERENCE_8 and len(value) == 3:
            return "8 bits", value[0], value[1], value[2]
        if element == _IE_REFERENCE_16 and len(value) == 4:
            return "16 bits", value[0] << 8 | value[1], value[2], value[3]
        at += 2 + size
    return None


def _from_tlvs(pdu: SubmitSm | DeliverSm | DataSm) -> tuple[str, int, int, int] | None:
    reference = find_tlv(pdu, c.TAG_SAR_MSG_REF_NUM)
    total = find_tlv(pdu, c.TAG_SAR_TOTAL_SEGMENTS)
    number = find_tlv(pdu, c.TAG_SAR_SEGMENT_SEQNUM)
    if not (reference and total and number):
        return None
    return "sar", int.from_bytes(reference, "big"), total[-1], number[-1]
