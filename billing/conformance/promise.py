"""A promise of the contract, and how it is broken.

Rules of this file (pure): a check returns every breach that it found. It raises `Broken` where there is no going on,
and `NotTried` when what it needs was not given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from billing.conformance.ground import Ground


class Breach(NamedTuple):
    """One time that a promise was not kept: what was asked, what the contract expects, and what came."""

    asked: str
    expected: str
    came: str


class Broken(Exception):
    """A breach after which the rest of the check makes no sense."""

    def __init__(self, asked: str, expected: str, came: str) -> None:
        super().__init__(f"{asked}: expected {expected}, and {came} came")
        self.breach = Breach(asked, expected, came)


class NotTried(Exception):
    """The promise cannot be looked at here. The text says what is missing."""


Check: TypeAlias = "Callable[[Ground], Awaitable[list[Breach]]]"
"""Looks whether a promise is kept."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise. `name`: for programs and for the line that tells of it; `means`: what is promised."""

    name: str
    means: str
    check: Check
