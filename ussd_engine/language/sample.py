"""Data as the billing contract allows it, made up for the crawler: shortest, longest, in other alphabets, with lists of
every length (pure, and the same each time).

A profile makes one result of an operation; `variants` are results that differ from it in one field each, so that every
choice, flag and absent field is met, and every number that a condition compares with, from both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from billing import contract
from billing.contract import Field, Value

from .menu import OPTIONS_MAX

VARIANTS_MAX = 40
"""Results of one call that are tried; more would be a service that decides too much."""


class Profile(NamedTuple):
    """One kind of data. `sign`: what texts are made of; `items`: how long lists are, None: as long as they get."""

    name: str
    sign: str
    longest: bool
    items: int | None


PROFILES = (
    Profile("longest", "W", longest=True, items=3),
    Profile("shortest", "a", longest=False, items=2),
    Profile("Cyrillic", "Ж", longest=True, items=3),
    Profile("extended Latin", "€", longest=True, items=3),
    Profile("an empty list", "W", longest=True, items=0),
    Profile("one item", "W", longest=True, items=1),
    Profile("97 items", "Ж", longest=True, items=OPTIONS_MAX),
    Profile("more items than can be shown", "W", longest=True, items=None),
)


def profiles_for(operations: Iterable[contract.Operation]) -> tuple[Profile, ...]:
    """The profiles that make a difference for these operations."""
    fields = [field for each in operations for field in (*each.results.values(), *each.details.values())]
    if not fields:
        return PROFILES[:1]
    return PROFILES if any(isinstance(field.type, contract.ListOf) for field in fields) else PROFILES[:4]


def result(fields: Mapping[str, Field], profile: Profile) -> dict[str, Any]:
    """A record with these fields; in the shortest one, fields that may be left out are."""
    return {name: value(field.type, profile) for name, field in fields.items() if profile.longest or not field.optional}


def variants(fields: Mapping[str, Field], profile: Profile, constants: Iterable[int | str]) -> Iterator[dict[str, Any]]:
    """The profile's record, and records that differ from it in one field."""
    base = result(fields, profile)
    yield base
    given = 1
    for name, field in fields.items():
        for other in _others(field, profile, constants):
            if given == VARIANTS_MAX:
                return
            if other is None:
                if name in base:
                    given += 1
                    yield {each: held for each, held in base.items() if each != name}
            elif base.get(name) != other:
                given += 1
                yield {**base, name: other}


def value(kind: contract.Type, profile: Profile) -> Value:
    """A value of a type."""
    match kind:
        case contract.Text() | contract.Secret():
            return profile.sign * (kind.characters_max if profile.longest else 1)
        case contract.Id():
            return "Q" * (contract.ID_CHARACTERS_MAX if profile.longest else 1)
        case contract.Money():
            return {"minor": -contract.MONEY_MINOR_MOST if profile.longest else 0, "currency": "KZT"}
        case contract.Count():
            return kind.most if profile.longest else 0
        case contract.Choice():
            return kind.values[0]
        case contract.Flag():
            return True
        case contract.Msisdn():
            return "9" * 15 if profile.longest else "77010000008"
        case contract.Day():
            return "2026-12-28"
        case contract.Instant():
            return "2026-12-28T20:59:59Z"
        case contract.Inn():
            return "22212198900123"
        case contract.ListOf():
            count = kind.items_max if profile.items is None else min(profile.items, kind.items_max)
            return [_numbered(result(kind.fields, profile), at) for at in range(count)]


def _numbered(item: dict[str, Any], at: int) -> dict[str, Any]:
    """Items differ by their ids, as the core's do."""
    return {**item, "id": f"q{at}"} if isinstance(item.get("id"), str) else item


def _others(field: Field, profile: Profile, constants: Iterable[int | str]) -> Iterator[Any]:
    """Other values of a field that can make a difference; None: it is left out."""
    kind = field.type
    if field.optional:
        yield None
    match kind:
        case contract.Choice():
            yield from kind.values
        case contract.Flag():
            yield from (True, False)
        case contract.Count():
            yield from sorted({0, kind.most} | _near(constants, kind.most))
        case contract.Money():
            numbers = sorted({0, 100} | _near(constants, contract.MONEY_MINOR_MOST))
            yield from ({"minor": number, "currency": "KZT"} for number in numbers)
        case contract.Text():
            yield from (each for each in constants if isinstance(each, str) and len(each) <= kind.characters_max)
        case contract.ListOf():
            yield from (value(kind, profile._replace(items=items)) for items in (0, 1))


def _near(constants: Iterable[int | str], most: int) -> set[int]:
    numbers = {each + step for each in constants if isinstance(each, int) for step in (-1, 0, 1)}
    return {number for number in numbers if 0 <= number <= most}
