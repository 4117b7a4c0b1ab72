"""Cases for the SMPP layer: real octets, changed at random.

Rules of this file: a case is made of its seed and its number alone, so that each can be made again. Most cases keep a
believable `command_length`, or nothing behind the first four octets would ever be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from smpp.codec import encode
from smpp.pdu import BY_COMMAND_ID

_DATA = json.loads((Path(__file__).parents[1] / "data" / "pdu_vectors.json").read_text())
SEEDS: Final = (
    *(bytes.fromhex(vector["hex"]) for vector in _DATA["vectors"]),
    *(bytes.fromhex("".join(case["chunks"])) for case in _DATA["stream_cases"]),
    *(encode(cls().numbered(1)) for cls in BY_COMMAND_ID.values()),
)
"""What is changed: octets that real peers sent, and every command with empty fields."""

LENGTHS: Final = (
    *(0, 1, 4, 15, 16, 17, 20, 255, 256, 4095, 4096, 4097, 8191, 8192, 8193, 65535, 65536, 65537),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF, 0x48545450, 0x414D5150),  # the last two: HTTP, AMQP
)
"""Edges of `command_length`."""
_COMMANDS: Final = (*BY_COMMAND_ID, 0x111, 0x112, 0x113, 0x10204, 0x80000111, 0xFFFFFFFF)
_STATUSES: Final = (0, 0, 1, 8, 0x58, 0x400, 0xFFFFFFFF)
_NUMBERS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Sequence numbers: those of our own pending requests are among the small ones."""
_ANSWERS: Final = (
    *(0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x80000004, 0x80000005, 0x80000005, 0x80000006),
    *(0x80000009, 0x80000015, 0x80000021, 0x80000103),
)
_TLV_LENGTHS: Final = (0, 1, 2, 3, 4, 5, 254, 255, 256, 0x7FFF, 0xFFFF)
_OCTETS: Final = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
_PIECES_OCTET_BY_OCTET_MAX: Final = 400

Change = Callable[[Random, bytearray], None]


class Case(NamedTuple):
    """One stream, the PDUs it was made of, and the places where it is cut into pieces, ascending."""

    seed: int
    number: int
    units: tuple[bytes, ...]
    stream: bytes
    cuts: tuple[int, ...]
    situation: int  # any number; which of the judge's situations, counted around

    def __str__(self) -> str:
        return f"seed {self.seed}, case {self.number}, cut at {self.cuts}: {self.stream.hex()}"


def make_case(seed: int, number: int) -> Case:
    """The case of this number under this seed."""
    random = Random(seed << 40 | number)
    units = [_unit(random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    stream = bytearray().join(units)
    if random.random() < 0.15:
        random.choice(_CHANGES)(random, stream)
    whole = bytes(stream)
    return Case(seed, number, tuple(units), whole, cuts_of(random, len(whole)), random.randrange(1 << 16))


def cuts_of(random: Random, size: int) -> tuple[int, ...]:
    """Places between the octets of a stream of this size: a few, or now and then all."""
    if size <= _PIECES_OCTET_BY_OCTET_MAX and random.random() < 0.04:
        return tuple(range(1, size))
    return tuple(sorted({random.randrange(size + 1) for _ in range(random.choice((1, 1, 2, 3, 6)))}))


def _unit(random: Random) -> bytes:
    octets = bytearray(random.choice(SEEDS))
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 5))):
        random.choice(_CHANGES)(random, octets)
    if random.random() < 0.7:
        octets[:4] = len(octets).to_bytes(4, "big")
    return bytes(octets)


# --- the changes: each takes any octets, none of them too ---


def _place(random: Random, octets: bytearray) -> int:
    return random.randrange(len(octets)) if octets else 0


def _flip_a_bit(random: Random, octets: bytearray) -> None:
    if octets:
        octets[_place(random, octets)] ^= 1 << random.randrange(8)


def _change_an_octet(random: Random, octets: bytearray) -> None:
    if octets:
        octets[_place(random, octets)] = random.choice(_OCTETS) if random.random() < 0.5 else random.randrange(256)


def _insert(random: Random, octets: bytearray) -> None:
    at = _place(random, octets)
    octets[at:at] = random.randbytes(random.choice((1, 1, 2, 4, 16)))


def _delete(random: Random, octets: bytearray) -> None:
    at = _place(random, octets)
    del octets[at : at + random.choice((1, 1, 2, 4, 16))]


def _duplicate(random: Random, octets: bytearray) -> None:
    at = _place(random, octets)
    piece = octets[at : at + random.choice((1, 4, 5, 16, 64))]
    octets[at:at] = piece * random.choice((1, 1, 2, 30))


def _splice(random: Random, octets: bytearray) -> None:
    other = random.choice(SEEDS)
    octets[_place(random, octets) :] = other[random.randrange(len(other)) :]


def _truncate(random: Random, octets: bytearray) -> None:
    del octets[_place(random, octets) :]


def _repeat(random: Random, octets: bytearray) -> None:
    if len(octets) < 1000:
        octets *= random.choice((2, 3, 10)) if random.random() < 0.95 else 200


def _set_length(random: Random, octets: bytearray) -> None:
    near = (len(octets) + random.choice((-4, -1, 1, 4, 16))) & 0xFFFFFFFF
    octets[:4] = (near if random.random() < 0.5 else random.choice(LENGTHS)).to_bytes(4, "big")


def _set_command(random: Random, octets: bytearray) -> None:
    octets[4:8] = random.choice(_COMMANDS).to_bytes(4, "big")


def _set_status(random: Random, octets: bytearray) -> None:
    octets[8:12] = random.choice(_STATUSES).to_bytes(4, "big")


def _set_number(random: Random, octets: bytearray) -> None:
    octets[12:16] = random.choice(_NUMBERS).to_bytes(4, "big")


def _answer_a_request(random: Random, octets: bytearray) -> None:
    """A response to what may be pending: the judge's connections have asked under these numbers."""
    octets[4:16] = random.choice(_ANSWERS).to_bytes(4, "big") + bytes(4) + random.randrange(1, 7).to_bytes(4, "big")


def _set_two_octets(random: Random, octets: bytearray) -> None:
    """Wherever a TLV stands, the octets of its length are among these places."""
    at = max(16, len(octets) - random.randrange(1, 24))
    octets[at : at + 2] = random.choice(_TLV_LENGTHS).to_bytes(2, "big")


def _append_tlv(random: Random, octets: bytearray) -> None:
    size = random.choice((0, 1, 2, 4, 20))
    told = size if random.random() < 0.6 else random.choice(_TLV_LENGTHS)
    octets += random.choice((0x0005, 0x001E, 0x0424, 0x0425, 0x0501, 0x1501, 0xFFFF)).to_bytes(2, "big")
    octets += told.to_bytes(2, "big") + random.randbytes(size)


_CHANGES: Final[tuple[Change, ...]] = (
    *(_flip_a_bit, _change_an_octet, _insert, _delete, _duplicate, _splice, _truncate, _repeat),
    *(_set_length, _set_command, _set_status, _set_number, _answer_a_request, _set_two_octets, _append_tlv),
)
