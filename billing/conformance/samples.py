"""Values to ask with: good ones of each type, and bad ones of each kind of badness.

Rules of this file (pure): every value is made up. Secrets are such that they stand in no text by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from billing.contract import (
    CURRENCIES,
    ID_CHARACTERS_MAX,
    LANGUAGES,
    MONEY_MINOR_MOST,
    Choice,
    Count,
    Day,
    Digits,
    Flag,
    Id,
    Inn,
    Instant,
    ListOf,
    Money,
    Msisdn,
    Operation,
    Secret,
    Text,
    Type,
    Value,
)

NOBODY: Final = "999999999999999"
"""A number that nobody holds: no country has the code 999."""
ALSO_NOBODY: Final = "999999999999998"
SECRET: Final = "zQ7xvK9jwY3b" * 6
"""Secrets are made of its beginning."""
OTHER_SECRET: Final = "Wj5qXg8kZv2h" * 6
SECRET_NUMBER: Final = 7391739173917391


class Bad(NamedTuple):
    """A value that does not fit. `what` says how, and never holds the value. `is_type`: its JSON type is another one;
    otherwise it is out of the type's bounds."""

    what: str
    value: Any
    is_type: bool = False


def arguments(operation: Operation) -> dict[str, Value]:
    """Arguments that fit, all of them."""
    return {name: good(field.type) for name, field in operation.arguments.items()}


def other_arguments(operation: Operation) -> dict[str, Value] | None:
    """Others that fit, secrets being the same; None when there are none."""
    given = arguments(operation)
    for name, field in operation.arguments.items():
        if type(field.type) is not Secret and (value := another(field.type)) != given[name]:
            return {**given, name: value}
    return None


def secrets(operation: Operation) -> list[str]:
    """The names of its arguments that are secret."""
    return [name for name, field in operation.arguments.items() if type(field.type) is Secret]


def good(kind: Type) -> Value:
    """A value that fits."""
    return _pair(kind)[0]


def another(kind: Type) -> Value:
    """Another one; the same where there is only one."""
    return _pair(kind)[1]


def _pair(kind: Type) -> tuple[Value, Value]:
    match kind:
        case Text(characters_max):
            return "Conformance"[:characters_max], "Other text"[:characters_max]
        case Secret(characters_max):
            return SECRET[:characters_max], OTHER_SECRET[:characters_max]
        case Id():
            return "conformance-1", "conformance-2"
        case Msisdn():
            return ALSO_NOBODY, "999999999999997"
        case Inn():
            return "20101199000001", "20101199000002"
        case Digits(_most, least):
            return "1" * least, "2" * least
        case Money(most, least):
            return _money(max(1, least)), _money(min(2, most))
        case Count(most):
            return min(1, most), min(2, most)
        case Day():
            return "2026-03-31", "2026-04-01"
        case Instant():
            return "2026-03-31T09:30:00Z", "2026-04-01T09:30:00Z"
        case Choice(values):
            return values[0], values[-1]
        case Flag():
            return True, False
        case ListOf():
            return [], []


def _money(minor: Any, currency: str = CURRENCIES[0]) -> dict[str, Any]:
    return {"minor": minor, "currency": currency}


def bad(kind: Type) -> list[Bad]:
    """Values that do not fit."""
    return [*_of_other_types(kind), *_out_of_bounds(kind)]


def _of_other_types(kind: Type) -> Iterator[Bad]:
    yield Bad("null", None, True)
    yield Bad("a list", ["a list"], True)
    match kind:
        case Money():
            yield Bad("text", "1.00", True)
            yield Bad("a number", 100, True)
            yield Bad("a sum that is text", _money("100"), True)
            yield Bad("a sum with a fraction", _money(1.5), True)
            yield Bad("a sum that is true", _money(True), True)
        case Count():
            yield Bad("text", "1", True)
            yield Bad("a fraction", 1.5, True)
            yield Bad("true", True, True)
            yield Bad("an object", {}, True)
        case Flag():
            yield Bad("text", "true", True)
            yield Bad("a number", 1, True)
            yield Bad("an object", {}, True)
        case Secret():
            yield Bad("a number", SECRET_NUMBER, True)
            yield Bad("true", True, True)
            yield Bad("an object with it", {"it": SECRET}, True)
        case _:
            yield Bad("a number", 12345678, True)
            yield Bad("true", True, True)
            yield Bad("an object", {}, True)


def _out_of_bounds(kind: Type) -> list[Bad]:
    match kind:
        case Text(characters_max):
            return [Bad("a character too long", "x" * (characters_max + 1)), Bad("a control character", "a\x00b")]
        case Secret(characters_max):
            return [Bad("a character too long", SECRET[: characters_max + 1]), Bad("empty", "")]
        case Id():
            too_long = Bad("a character too long", "x" * (ID_CHARACTERS_MAX + 1))
            return [too_long, Bad("empty", ""), Bad("a space", "a b"), Bad("a line feed behind it", "a\n")]
        case Msisdn():
            return _wrong_numbers()
        case Inn():
            return _wrong_digits(14, 14)
        case Digits(most, least):
            return _wrong_digits(most, least)
        case Money(most, least):
            return list(_wrong_money(most, least))
        case Count(most):
            return [Bad("one too many", most + 1), Bad("below zero", -1)]
        case Choice(values):
            return [Bad("another word", values[0] + "x"), Bad("empty", "")]
        case Day() | Instant():
            return [Bad("no moment", good(kind) + "0"), Bad("not in the calendar", "2026-02-30T09:30:00Z")]  # type: ignore[operator]
        case Flag() | ListOf():
            return []


def _wrong_numbers() -> list[Bad]:
    return [
        Bad("a digit too long", "9" * 16),
        Bad("a digit too short", "9" * 6),
        Bad("a plus before it", "+" + NOBODY[:12]),
        Bad("a 0 before it", "0" + NOBODY[:12]),
        Bad("digits of another script", "٩" * 12),
        Bad("a line feed behind it", NOBODY[:12] + "\n"),
    ]


def _wrong_digits(most: int, least: int) -> list[Bad]:
    return [
        Bad("a digit too long", "1" * (most + 1)),
        Bad("a digit too short", "1" * (least - 1)),
        Bad("a letter", "1" * (least - 1) + "x"),
        Bad("digits of another script", "١" * least),
        Bad("a line feed behind it", "1" * least + "\n"),
    ]


def _wrong_money(most: int, least: int) -> Iterator[Bad]:
    yield Bad("too much", _money(most + 1))
    yield Bad("too little", _money(least - 1))
    yield Bad("more than anybody can hold", _money(MONEY_MINOR_MOST * 10**12))
    yield Bad("another currency", _money(max(1, least), "USD"))
    yield Bad("no currency", {"minor": max(1, least)})
    yield Bad("a field too many", {**_money(max(1, least)), "exponent": 2})


ENVELOPE: Final[Mapping[str, tuple[Bad, ...]]] = {
    "id": (Bad("a number", 7, True), Bad("null", None, True), Bad("no UUID", "7"), Bad("empty", "")),
    "msisdn": (
        *(Bad("a number", int(NOBODY), True), Bad("null", None, True), Bad("a list", [NOBODY], True)),
        *_wrong_numbers(),
        Bad("empty", ""),
    ),
    "language": (
        *(Bad("a number", 7, True), Bad("null", None, True), Bad("empty", "")),
        *(Bad("another language", "de"), Bad("in capitals", LANGUAGES[0].upper())),
    ),
    "arguments": (Bad("null", None, True), Bad("a list", [], True), Bad("text", "{}", True)),
    "by_sms": (Bad("text", "true", True), Bad("a number", 1, True), Bad("null", None, True)),
    "by": (Bad("a number", int(NOBODY), True), Bad("null", None, True), *_wrong_numbers(), Bad("empty", "")),
}
"""What does not fit of each field beside the arguments."""
