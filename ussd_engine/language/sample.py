"""Data as the billing contract allows it, made up for the crawler: shortest, longest, in other alphabets, with lists of
every length (pure, and the same each time).

A profile makes one result of an operation; `variants` are results that differ from it in one field each: a field that
may be left out is, and one that a condition looks at has every choice, and numbers on both sides of what it is compared
with. The items of a list are such variants of one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from billing import contract
from billing.contract import Field, Value

from .menu import OPTIONS_MAX

VARIANTS_MAX = 40
"""Results of one call that are tried; more would be a service that decides too much."""
ITEM_VARIANTS_MAX = 8
"""Items of a list that differ from one another: so many of its first are pressed."""


class Profile(NamedTuple):
    """One kind of data. `sign`: what texts are made of; `items`: how long lists are; `others`: how long they are in
    variants, None: as long as they get."""

    name: str
    sign: str
    longest: bool
    items: int
    others: tuple[int | None, ...] = (0, 1)


# Characters that take two septets need no kind of their own: what fits in 80 UCS-2 units with Cyrillic letters fits in
# 182 septets with as many of those.
PROFILES = (
    Profile("longest", "W", longest=True, items=ITEM_VARIANTS_MAX),
    Profile("shortest", "a", longest=False, items=2),
    Profile("Cyrillic", "Ж", longest=True, items=3, others=(0, 1, OPTIONS_MAX, None)),
    Profile("an empty list", "W", longest=True, items=0),
)
TOO_MANY = Profile("more items than can be shown", "W", longest=True, items=OPTIONS_MAX + 1)

FITTING = PROFILES[:1] + PROFILES[2:3]
"""Those that are walked once more when a number is managed: what fits then is decided by them."""


def profiles_for(operations: Iterable[contract.Operation], *, narrowed: bool) -> tuple[Profile, ...]:
    """The profiles that make a difference for these operations. `narrowed`: too many items lead somewhere."""
    fields = [field for each in operations for field in (*each.results.values(), *each.details.values())]
    if not fields:
        return PROFILES[:1]
    if not any(isinstance(field.type, contract.ListOf) for field in fields):
        return PROFILES[:-1]
    return (*PROFILES, TOO_MANY) if narrowed else PROFILES


class Sample:
    """Data of one profile. `looked_at`: fields that conditions look at; `constants`: what they compare with."""

    def __init__(self, profile: Profile, looked_at: Iterable[str] = (), constants: Iterable[int | str] = ()) -> None:
        self._profile = profile
        self._looked_at = frozenset(looked_at)
        self._constants = tuple(constants)

    def record(self, fields: Mapping[str, Field]) -> dict[str, Any]:
        """A record with these fields; in the shortest one, fields that may be left out are."""
        longest = self._profile.longest
        return {name: self.value(field.type) for name, field in fields.items() if longest or not field.optional}

    def variants(self, fields: Mapping[str, Field], most: int = VARIANTS_MAX) -> list[dict[str, Any]]:
        """The profile's record, and records that differ from it in one field."""
        base = self.record(fields)
        found = [base]
        for name, field in fields.items():
            if field.optional and name in base:
                found.append({each: held for each, held in base.items() if each != name})
            if name in self._looked_at or isinstance(field.type, contract.ListOf):
                found += [{**base, name: other} for other in self._others(field.type) if base.get(name) != other]
        return found[:most]

    def value(self, kind: contract.Type) -> Value:
        """A value of a type."""
        longest = self._profile.longest
        match kind:
            case contract.Text() | contract.Secret():
                return self._profile.sign * (kind.characters_max if longest else 1)
            case contract.Id():
                return "Q" * (contract.ID_CHARACTERS_MAX if longest else 1)
            case contract.Money():
                return {"minor": kind.least or kind.most if longest else max(kind.least, 0), "currency": "KZT"}
            case contract.Digits():
                return "7" * (kind.most if longest else kind.least)
            case contract.Count():
                return kind.most if longest else 0
            case contract.Choice():
                return kind.values[0]
            case contract.Flag():
                return True
            case contract.Msisdn():
                return "9" * 15 if longest else "77010000008"
            case contract.Day():
                return "2026-12-28"
            case contract.Instant():
                return "2026-12-28T20:59:59Z"
            case contract.Inn():
                return "22212198900123"
            case contract.ListOf():
                return self._items(kind, min(self._profile.items, kind.items_max))

    def _items(self, kind: contract.ListOf, count: int) -> list[Mapping[str, Value]]:
        """So many items, each with an id of its own, as the core's have."""
        different = self.variants(kind.fields, ITEM_VARIANTS_MAX)
        return [_numbered(different[at % len(different)], at) for at in range(count)]

    def _others(self, kind: contract.Type) -> Iterator[Value]:
        """Other values of a type that can make a difference."""
        match kind:
            case contract.Choice():
                yield from kind.values
            case contract.Flag():
                yield from (True, False)
            case contract.Count():
                yield from sorted({0, kind.most} | self._near(kind.most))
            case contract.Money():
                for number in sorted({max(0, kind.least), 100} | self._near(kind.most)):
                    yield {"minor": number, "currency": "KZT"}
            case contract.Text():
                yield from (
                    each for each in self._constants if isinstance(each, str) and len(each) <= kind.characters_max
                )
            case contract.ListOf():
                most = kind.items_max
                counts = {most if count is None else min(count, most) for count in self._profile.others}
                yield from (self._items(kind, count) for count in sorted(counts))

    def _near(self, most: int) -> set[int]:
        numbers = {each + step for each in self._constants if isinstance(each, int) for step in (-1, 0, 1)}
        return {number for number in numbers if 0 <= number <= most}


def _numbered(item: dict[str, Any], at: int) -> dict[str, Any]:
    return {**item, "id": f"q{at}"} if isinstance(item.get("id"), str) else item
