"""The seeded numbers that the bench dials from, and what their screens are looked at for."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator
from typing import Final

FIRST_NUMBER: Final = 77010000000
NOT_ACTIVE: Final = frozenset((91, 92, 95, 97))
"""By their last two digits: numbers that were seeded barred, blocked or closed. They get other screens."""
_STRIDE: Final = 611_953
"""A prime, so that it has no factor in common with how many numbers there are."""


def spread(first: int, count: int, without: Container[int] = ()) -> Iterator[int]:
    """So many numbers, each once before any comes twice, for ever, in an order that no cache likes."""
    numbers = (first + at * _STRIDE % count for at in itertools.count())
    return (number for number in numbers if number % 100 not in without)


def in_turn(first: int, count: int) -> Iterator[int]:
    """The active ones of so many numbers, one after the other, for ever."""
    return itertools.cycle(number for number in range(first, first + count) if number % 100 not in NOT_ACTIVE)


def either(*texts: str) -> tuple[bytes, ...]:
    """A screen has one of these: in UCS-2, or in GSM 03.38, as some are in English."""
    return tuple(octets for text in texts for octets in (text.encode("utf-16-be"), text.encode()))
