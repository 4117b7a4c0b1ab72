"""PINs and passwords that are tried: what happens in which order, beside a database that only writes down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from billing.calls import Refused
from billing_core.database import Connection
from billing_core.guessing import Guessing, Likeness
from billing_core.idempotency import Counted, Outdated
from billing_core.rules import Rules
from billing_core.who import Who

STORED, RIGHT, WRONG = "$argon2id$stored", "$argon2id$stored", "$argon2id$other"
WHO = cast(Who, type("Someone", (), {"id": 7, "now": None})())


class Database:
    """Counts every try as the first one; writes down what was asked of it."""

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened

    async def fetch(self, statement: str, *_: object) -> list[tuple[int, int]]:
        assert "wrong_in_row + 1" in statement
        self._happened.append("counted")
        return [(1, 1)]

    async def execute(self, statement: str, *_: object) -> None:
        assert "wrong_in_row = 0" in statement
        self._happened.append("forgiven")


class Typed(Mapping[str, Likeness]):
    """What was typed, hashed; writes down when it is looked at."""

    def __init__(self, hashed: str, happened: list[str]) -> None:
        self._hashed, self._happened = hashed, happened

    def __getitem__(self, stored: str) -> Likeness:
        if "compared" not in self._happened:
            self._happened.append("compared")
        return Likeness(self._hashed, None)

    def __contains__(self, stored: object) -> bool:
        return stored == STORED

    def __iter__(self) -> Iterator[str]:
        return iter((STORED,))

    def __len__(self) -> int:
        return 1


async def judged(hashed: str) -> tuple[Any, list[str]]:
    happened: list[str] = []
    guessing = Guessing("wallets", Rules().wallet, "WRONG_PIN")
    connection = cast(Connection, Database(happened))
    return await guessing.judge(connection, WHO, [STORED], Typed(hashed, happened)), happened


async def test_a_try_is_counted_before_it_is_compared() -> None:
    assert await judged(WRONG) == (Counted(Refused("WRONG_PIN", {"tries_left": 2})), ["counted", "compared"])
    assert await judged(RIGHT) == (STORED, ["counted", "compared", "forgiven"])


async def test_nothing_is_counted_when_what_is_stored_has_changed_meanwhile() -> None:
    happened: list[str] = []
    guessing = Guessing("wallets", Rules().wallet, "WRONG_PIN")
    with pytest.raises(Outdated):
        await guessing.judge(cast(Connection, Database(happened)), WHO, ["another"], Typed(RIGHT, happened))
    assert happened == []
