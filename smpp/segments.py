"""The text of an SMS to its parts, and parts to the text: concatenation as 3GPP TS 23.040, section 9.2.3.24.1 has it.

Rules of this file:
- A text goes out in the alphabet that the peer takes `data_coding` 0 for when every character is in it, else in UCS-2.
- A message has 140 octets on the air: 160 septets, 140 octets, 70 UCS-2 units. A part of a longer text shares them with
  a header of six octets (8-bit references) or seven (16-bit ones). GSM is counted in septets, and so is ASCII where GSM
  writes each character with one. Of all else only the peer knows what it makes of it: octets are counted as octets.
- Nothing is cut in two: a character of the extension table stays whole, and one of UTF-8; a character above U+FFFF
  becomes `?` before UCS-2 is cut, as `text.encode_ucs2` writes it.
- What we write has the header (with 8-bit or 16-bit references), or the SAR parameters of SMPP (5.3.2.22-24), from
  which the peer makes one, or is left whole in message_payload (5.3.2.32), for the peer to cut. We read all four.
- Joining never fails: whoever sends parts that fit nothing gets them read as messages of their own, or forgotten.
- Parts are joined as octets and read as text once, because others do cut characters in two.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import groupby
from typing import Final, Literal, NamedTuple, TypeAlias

from smpp import constants as c
from smpp.national import NO_SHIFT, Shift
from smpp.pdu import DataSm, DeliverSm, SubmitSm, Tlv, find_tlv
from smpp.text import ESCAPE, Alphabet, decode_text, encode_text, encode_ucs2, septets

Way: TypeAlias = Literal["udh8", "udh16", "sar", "payload"]
"""How a text that is too long for one message is carried."""

PARTS_MAX: Final = 255
SEPTETS_MAX: Final = 160
SEPTETS_MAX_OF_PART: Final = 153
UNITS_MAX: Final = 70
UNITS_MAX_OF_PART: Final = 67

ESM_CLASS_UDHI: Final = 0x40  # the message begins with a user data header (5.2.12)
_IE_REFERENCE_8: Final = 0x00  # information elements of the header, 23.040 section 9.2.3.24
_IE_REFERENCE_16: Final = 0x08
_IE_SINGLE_SHIFT: Final = 0x24
_IE_LOCKING_SHIFT: Final = 0x25
_PART_OCTETS: Final = 200  # what a part takes in memory besides its octets, about


class TextTooLong(ValueError):
    """The text would take more parts than are allowed."""


class _Sizes(NamedTuple):
    """How much of an encoded text a message takes: alone, as a part, and as one with a 16-bit reference; in octets of
    what we write (of which GSM has one a septet)."""

    alone: int
    part: int
    part_16: int


_UCS2: Final = _Sizes(2 * UNITS_MAX, 2 * UNITS_MAX_OF_PART, 2 * 66)
_SEPTETS: Final = _Sizes(SEPTETS_MAX, SEPTETS_MAX_OF_PART, 152)
_OCTETS: Final = _Sizes(140, 134, 133)


class Segment(NamedTuple):
    """One part as a message carries it; `data_coding` is SMPP's 0 or 8: a peer that wants others gets others."""

    short_message: bytes
    data_coding: int
    esm_class: int
    tlvs: tuple[Tlv, ...] = ()


def split(
    text: str, reference: int, parts_max: int = PARTS_MAX, way: Way = "udh8", alphabet: Alphabet = "gsm"
) -> tuple[Segment, ...]:
    """The parts of an SMS, one at least; the low 8 or 16 bits of `reference` tell them from other texts to the number.

    What fits in one message has neither header nor parameters, whatever the `way`. Raises TextTooLong when the text
    takes more than `parts_max` parts, or, as one message_payload, would on the air.
    """
    encoded = encode_text(text, alphabet)
    coding = c.CODING_UCS2 if encoded is None else c.CODING_DEFAULT
    octets = encode_ucs2(text) if encoded is None else encoded
    sizes = _sizes(text, None if encoded is None else alphabet)
    if len(octets) <= sizes.alone:
        return (Segment(octets, coding, 0),)
    parts = _cut(octets, sizes.part_16 if way == "udh16" else sizes.part, None if encoded is None else alphabet)
    if len(parts) > min(parts_max, PARTS_MAX):
        raise TextTooLong(f"the text takes {len(parts)} parts, and {min(parts_max, PARTS_MAX)} are allowed")
    if way == "payload":
        return (Segment(b"", coding, 0, (Tlv(c.TAG_MESSAGE_PAYLOAD, octets),)),)
    if way == "sar":
        return tuple(
            Segment(part, coding, 0, _sar(reference, len(parts), number)) for number, part in enumerate(parts, 1)
        )
    head = _header(reference, len(parts), way)
    return tuple(
        Segment(head + bytes((number,)) + part, coding, ESM_CLASS_UDHI) for number, part in enumerate(parts, 1)
    )


def _sizes(text: str, alphabet: Alphabet | None) -> _Sizes:
    if alphabet is None:
        return _UCS2
    in_septets = alphabet == "gsm" or (alphabet == "ascii" and septets(text) == len(text))
    return _SEPTETS if in_septets else _OCTETS


def _header(reference: int, total: int, way: Way) -> bytes:
    """The user data header of a part up to its number, which is the last octet (23.040 sections 9.2.3.24.1, .8)."""
    if way == "udh16":
        return bytes((6, _IE_REFERENCE_16, 4, reference >> 8 & 0xFF, reference & 0xFF, total))
    return bytes((5, _IE_REFERENCE_8, 3, reference & 0xFF, total))


def _sar(reference: int, total: int, number: int) -> tuple[Tlv, ...]:
    return (
        Tlv(c.TAG_SAR_MSG_REF_NUM, (reference & 0xFFFF).to_bytes(2, "big")),
        Tlv(c.TAG_SAR_TOTAL_SEGMENTS, bytes((total,))),
        Tlv(c.TAG_SAR_SEGMENT_SEQNUM, bytes((number,))),
    )


def _cut(octets: bytes, size: int, alphabet: Alphabet | None) -> list[bytes]:
    """Pieces of at most `size` octets, each of whole characters; None is UCS-2, of which an even size cuts none."""
    parts: list[bytes] = []
    at = 0
    while at < len(octets):
        end = at + size
        if end < len(octets):
            end -= _of_the_next(octets, end, alphabet)
        parts.append(octets[at:end])
        at = end
    return parts


def _of_the_next(octets: bytes, end: int, alphabet: Alphabet | None) -> int:
    """How many octets before `end` begin a character that goes on behind it."""
    if alphabet == "gsm":
        return int(octets[end - 1] == ESCAPE)
    if alphabet == "utf8":
        return next(back for back in range(4) if octets[end - back] & 0xC0 != 0x80)
    return 0


# --- joining ----------------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """Where a message stands among the parts of a longer one, and what it carries without its header."""

    reference: tuple[str, int]  # which of the three ways, and its number
    number: int  # from 1
    total: int
    octets: bytes
    shift: Shift = NO_SHIFT  # the national tables that its header announces


class _Reading(NamedTuple):
    """How the octets of a part are to be read."""

    data_coding: int
    shift: Shift


class _Gathered:
    """The parts of one text that have come so far."""

    __slots__ = ("began_at", "done", "parts", "total")

    def __init__(self, total: int, now: float) -> None:
        self.total = total
        self.began_at = now
        self.done = False
        self.parts: dict[int, tuple[_Reading, bytes]] = {}


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
            body = _read_body(pdu)
            return self._read([(_Reading(pdu.data_coding, body.shift), body.octets)])
        key = _Key(source, destination, part.reference)
        gathered = self._gathered.get(key)
        if gathered is not None and self._is_of_another(gathered, part):
            self._forget(key)
            gathered = None
        if gathered is None:
            gathered = self._gathered[key] = _Gathered(part.total, now)
        if part.number in gathered.parts:
            return None
        gathered.parts[part.number] = (_Reading(pdu.data_coding, part.shift), part.octets)
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

    def _read(self, parts: Iterable[tuple[_Reading, bytes]]) -> str:
        """Parts in one alphabet are put together before they are read."""
        return "".join(
            decode_text(b"".join(octets for _, octets in run), reading.data_coding, self._alphabet, reading.shift)
            for reading, run in groupby(parts, key=lambda part: part[0])
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
    """What the message says of its place in a longer one; None for a message that stands alone.

    A header that gives no place (but ports, or national tables) leaves it to the SAR parameters.
    """
    body = _read_body(pdu)
    found = body.place or _from_tlvs(pdu)
    if found is None:
        return None
    way, reference, total, number = found
    return Part((way, reference), number, total, body.octets, body.shift) if 1 <= number <= total != 1 else None


def message_octets(pdu: SubmitSm | DeliverSm | DataSm) -> bytes:
    """What the message carries, header included: `short_message`, or message_payload where that is empty."""
    octets = b"" if isinstance(pdu, DataSm) else pdu.short_message
    return octets or find_tlv(pdu, c.TAG_MESSAGE_PAYLOAD) or b""


_Place: TypeAlias = tuple[str, int, int, int]  # way, reference, total, number


class _Body(NamedTuple):
    """What a message carries behind its user data header, and what the header says of it."""

    octets: bytes
    place: _Place | None = None
    shift: Shift = NO_SHIFT


def _read_body(pdu: SubmitSm | DeliverSm | DataSm) -> _Body:
    """A header longer than its message is none: then everything is taken for text."""
    octets = message_octets(pdu)
    if not pdu.esm_class & ESM_CLASS_UDHI or not octets or len(octets) <= octets[0]:
        return _Body(octets)
    header, octets = octets[1 : 1 + octets[0]], octets[1 + octets[0] :]
    place: _Place | None = None
    shift = NO_SHIFT
    at = 0
    while at + 2 <= len(header):  # elements that are not known here are passed over (23.040 section 9.2.3.24)
        element, value = header[at], header[at + 2 : at + 2 + header[at + 1]]
        at += 2 + header[at + 1]
        if element == _IE_REFERENCE_8 and len(value) == 3:
            place = place or ("8 bits", value[0], value[1], value[2])
        elif element == _IE_REFERENCE_16 and len(value) == 4:
            place = place or ("16 bits", value[0] << 8 | value[1], value[2], value[3])
        elif element == _IE_SINGLE_SHIFT and len(value) == 1:  # 9.2.3.24.15
            shift = shift._replace(single=value[0])
        elif element == _IE_LOCKING_SHIFT and len(value) == 1:  # 9.2.3.24.16
            shift = shift._replace(locking=value[0])
    return _Body(octets, place, shift)


def _from_tlvs(pdu: SubmitSm | DeliverSm | DataSm) -> _Place | None:
    reference = find_tlv(pdu, c.TAG_SAR_MSG_REF_NUM)
    total = find_tlv(pdu, c.TAG_SAR_TOTAL_SEGMENTS)
    number = find_tlv(pdu, c.TAG_SAR_SEGMENT_SEQNUM)
    if not (reference and total and number):
        return None
    return "sar", int.from_bytes(reference, "big"), total[-1], number[-1]
