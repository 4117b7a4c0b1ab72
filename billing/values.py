"""The values that travel by the billing contract: a closed set of types, and what is wrong with a value.

Rules of this file (pure: no I/O, no clock; it imports nothing of ours):
- A type knows how long its value can get, so that a screen can be proved to fit.
- What is wrong is said in words that never repeat the value: it may be a secret.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

Value: TypeAlias = "str | int | bool | Mapping[str, Value] | list[Mapping[str, Value]]"
"""One value as it travels: what JSON makes of it. Money is `{"minor": 123450, "currency": "KZT"}`."""

NETWORKS: Final = ("kcell", "beeline-kz", "megacom", "beeline-kg", "o")
LANGUAGES: Final = ("kk", "ru", "ky", "en")
STATUSES: Final = ("active", "barred", "blocked", "closed")
CURRENCIES: Final = ("KZT", "KGS")
ID_CHARACTERS_MAX: Final = 64
MONEY_MINOR_MOST: Final = 99_999_999_999
"""The largest sum, in hundredths, below or above zero: a screen must hold it."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_MSISDN = re.compile(r"[1-9][0-9]{6,14}\Z", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z\Z")
_ID = re.compile(r"[!-~]{1,64}\Z")
_INN = re.compile(r"[0-9]{14}\Z", re.ASCII)
_DIGITS = re.compile(r"[0-9]+\Z", re.ASCII)


class Fault(NamedTuple):
    """One value that does not fit. `field` is its path (`arguments.language`); `what` never repeats the value."""

    field: str
    what: str


# --- the closed set of types ----------------------------------------------------------------------------------------
# `wrong(value)` says in words what is wrong with a value, or None; the value is never part of the words.


@dataclass(frozen=True, slots=True)
class Text:
    """Text for people, at most `characters_max` characters; line feed is the only control character."""

    characters_max: int

    def wrong(self, value: object) -> str | None:
        if type(value) is not str:
            return "must be text"
        if len(value) > self.characters_max:
            return f"must have at most {self.characters_max} characters"
        return "must have no control characters" if _CONTROL.search(value) else None


@dataclass(frozen=True, slots=True)
class Msisdn:
    """A subscriber number: E.164 digits without plus."""

    def wrong(self, value: object) -> str | None:
        return None if type(value) is str and _MSISDN.match(value) else "must be 7 to 15 digits, the first not 0"


@dataclass(frozen=True, slots=True)
class Money:
    """A sum in hundredths of its currency, as `{"minor": 123450, "currency": "KZT"}`, between two bounds in hundredths;
    a debt is below zero."""

    most: int = MONEY_MINOR_MOST
    least: int = -MONEY_MINOR_MOST

    def wrong(self, value: object) -> str | None:
        if type(value) is not dict or value.keys() != {"minor", "currency"}:
            return "must be an object with exactly `minor` and `currency`"
        if type(value["minor"]) is not int or not self.least <= value["minor"] <= self.most:
            return f"`minor` must be a whole number, {self.least} to {self.most}"
        return None if value["currency"] in CURRENCIES else f"`currency` must be {' or '.join(CURRENCIES)}"


@dataclass(frozen=True, slots=True)
class Digits:
    """Decimal digits that are no number to count with: a code, an account, a ticket. `least` to `most` of them."""

    most: int
    least: int = 1

    def wrong(self, value: object) -> str | None:
        if type(value) is str and self.least <= len(value) <= self.most and _DIGITS.match(value):
            return None
        return f"must be {self.most if self.least == self.most else f'{self.least} to {self.most}'} digits"


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number from 0 to `most`."""

    most: int

    def wrong(self, value: object) -> str | None:
        return None if type(value) is int and 0 <= value <= self.most else f"must be a whole number, 0 to {self.most}"


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the network's local calendar, as `2026-03-31`."""

    def wrong(self, value: object) -> str | None:
        if type(value) is str and _DAY.match(value) and _is_in_calendar(value):
            return None
        return "must be a day, as 2026-03-31"


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment in UTC, as `2026-03-31T09:30:00Z` (RFC 3339)."""

    def wrong(self, value: object) -> str | None:
        if type(value) is str and _INSTANT.match(value) and _is_in_calendar(value[:19]):
            return None
        return "must be a moment in UTC, as 2026-03-31T09:30:00Z"


@dataclass(frozen=True, slots=True)
class Id:
    """A name for programs: 1 to 64 visible ASCII characters, without spaces."""

    def wrong(self, value: object) -> str | None:
        return None if type(value) is str and _ID.match(value) else "must be 1 to 64 ASCII characters without spaces"


@dataclass(frozen=True, slots=True)
class Inn:
    """A taxpayer's number in Kyrgyzstan: 14 digits. Which digits make sense is for the operation to say."""

    def wrong(self, value: object) -> str | None:
        return None if type(value) is str and _INN.match(value) else "must be 14 digits"


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a closed set."""

    values: tuple[str, ...]

    def wrong(self, value: object) -> str | None:
        return None if type(value) is str and value in self.values else f"must be one of {', '.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Secret:
    """A PIN, a password or a code: never stored, logged, shown or sent twice. At most `characters_max` characters."""

    characters_max: int

    def wrong(self, value: object) -> str | None:
        if type(value) is str and 0 < len(value) <= self.characters_max and not _CONTROL.search(value):
            return None
        return f"must be 1 to {self.characters_max} characters"


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def wrong(self, value: object) -> str | None:
        return None if type(value) is bool else "must be true or false"


@dataclass(frozen=True, slots=True)
class ListOf:
    """At most `items_max` records with the same fields."""

    fields: Mapping[str, Field]
    items_max: int

    def wrong(self, value: object) -> str | None:
        """What is wrong with the list itself; its records are looked into by `check_values`."""
        if type(value) is not list:
            return "must be a list"
        return None if len(value) <= self.items_max else f"must have at most {self.items_max} items"


Type: TypeAlias = Text | Digits | Msisdn | Money | Count | Day | Instant | Id | Inn | Choice | Secret | Flag | ListOf


def _is_in_calendar(written: str) -> bool:
    try:
        datetime.datetime.fromisoformat(written)
    except ValueError:
        return False
    return True


# --- fields -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A named value: its type, what it means, and whether it may be left out (it is then absent, never null)."""

    type: Type
    means: str
    optional: bool = False


def check_values(
    values: Mapping[str, object], fields: Mapping[str, Field], where: str, *, more_allowed: bool = False
) -> list[Fault]:
    """What is wrong with `values`, measured by `fields`; empty when all is well. `where` begins the path of each fault.

    `more_allowed`: names that `fields` lacks are passed over (results of a newer core) instead of being faults.
    """
    faults: list[Fault] = []
    for name, field in fields.items():
        if name not in values:
            if not field.optional:
                faults.append(Fault(f"{where}.{name}", "is missing"))
            continue
        value = values[name]
        if wrong := field.type.wrong(value):
            faults.append(Fault(f"{where}.{name}", wrong))
        elif type(field.type) is ListOf:
            faults += _check_items(value, field.type, f"{where}.{name}", more_allowed)
    if not more_allowed and not values.keys() <= fields.keys():
        faults += [Fault(f"{where}.{name}", "is not known here") for name in sorted(values.keys() - fields.keys())]
    return faults


def _check_items(items: object, kind: ListOf, where: str, more_allowed: bool) -> list[Fault]:
    faults: list[Fault] = []
    for at, item in enumerate(items if isinstance(items, list) else ()):
        if type(item) is dict:
            faults += check_values(item, kind.fields, f"{where}[{at}]", more_allowed=more_allowed)
        else:
            faults.append(Fault(f"{where}[{at}]", "must be an object"))
    return faults


def only_known(values: Mapping[str, Value], fields: Mapping[str, Field]) -> dict[str, Value]:
    """The values that `fields` names: what a newer core adds is left behind."""
    return {name: values[name] for name in fields if name in values}
