"""The billing contract: every operation with its arguments, its results and the ways it can be refused.

Rules of this file (pure: no I/O, no clock; it imports nothing of ours):
- One frozen `Operation` each. OpenAPI is written from them (`billing.openapi`), menus are checked against them, and
  both sides check what they receive with `check_values`. Nothing else describes the API.
- The set of types is closed. A type knows how long its value can get, so that a screen can be proved to fit.
- Whose number it is and in which language to answer travel with every call (`billing.calls.Call`), so they are no
  operation's arguments.
- An operation that changes something, or that takes a secret, names the operation that tells its outcome afterwards.
- A name or a type, once published, stays. What is added is optional, and a reader passes over results it does not know.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
    """A sum in hundredths of its currency, as `{"minor": 123450, "currency": "KZT"}`; a debt is below zero."""

    def wrong(self, value: object) -> str | None:
        if type(value) is not dict or value.keys() != {"minor", "currency"}:
            return "must be an object with exactly `minor` and `currency`"
        if type(value["minor"]) is not int or abs(value["minor"]) > MONEY_MINOR_MOST:
            return f"`minor` must be a whole number of at most {MONEY_MINOR_MOST}"
        return None if value["currency"] in CURRENCIES else f"`currency` must be {' or '.join(CURRENCIES)}"


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


Type: TypeAlias = Text | Msisdn | Money | Count | Day | Instant | Id | Inn | Choice | Secret | Flag | ListOf


def _is_in_calendar(written: str) -> bool:
    try:
        datetime.datetime.fromisoformat(written)
    except ValueError:
        return False
    return True


# --- fields and operations ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A named value: its type, what it means, and whether it may be left out (it is then absent, never null)."""

    type: Type
    means: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing the billing core can be asked to do.

    `refusals`: code → meaning. `changes`: it alters something that lasts. `status`: the operation that tells the
    outcome by the call's id. `seconds_max`: how long a caller waits at most. `details`: what a refusal may carry, all
    of them optional.
    """

    name: str
    means: str
    arguments: Mapping[str, Field]
    results: Mapping[str, Field]
    refusals: Mapping[str, str]
    changes: bool
    status: str | None
    seconds_max: float
    details: Mapping[str, Field] = dataclasses.field(default_factory=dict)

    @property
    def takes_secret(self) -> bool:
        """Whether an argument is a secret: such a call is made once, and never made again."""
        return any(isinstance(field.type, Secret) for field in self.arguments.values())


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


def broken_rules(operations: Iterable[Operation]) -> list[str]:
    """The rules of the contract that a set of operations breaks, in words; empty for a sound set."""
    listed = list(operations)
    by_name = {operation.name: operation for operation in listed}
    broken = ["two operations have one name"] if len(by_name) < len(listed) else []
    for operation in listed:
        name, status = operation.name, operation.status
        if (operation.changes or operation.takes_secret) and status is None:
            broken.append(f"{name} changes something or takes a secret, and has no status operation")
        if status is not None and (status not in by_name or by_name[status].changes):
            broken.append(f"{name}: its status operation {status} is not there, or changes something itself")
        if operation.seconds_max <= 0:
            broken.append(f"{name}: seconds_max must be above 0")
        broken += [f"{name}: result {r} is a secret" for r, f in operation.results.items() if type(f.type) is Secret]
        broken += [f"{name}: detail {d} is not optional" for d, f in operation.details.items() if not f.optional]
    return broken


# --- the operations -------------------------------------------------------------------------------------------------
# Who is served, by status: `active` everything; `barred` for debt: balance, voucher, extra balance, language, help;
# `blocked` by its owner and `closed`: help only. The core looks at the status again in every operation.

_UNKNOWN_NUMBER: Final = {"UNKNOWN_NUMBER": "the core has no subscriber with this number"}
_NOT_IN_USE: Final = {
    **_UNKNOWN_NUMBER,
    "BLOCKED": "the number is blocked by its owner",
    "CLOSED": "the number is closed",
}
_NOT_WHILE_BARRED: Final = {**_NOT_IN_USE, "BARRED": "the number is barred for debt"}

_ALL: Final = (
    Operation(
        name="subscribers.hello",
        means="Who is calling: asked once, when a dialogue begins. Answered whatever the status is.",
        arguments={},
        results={
            "network": Field(Choice(NETWORKS), "the network the number belongs to"),
            "brand": Field(Text(20), "the brand under which it was sold"),
            "status": Field(Choice(STATUSES), "what the number may use"),
            "language": Field(Choice(LANGUAGES), "the language chosen; absent until one is", optional=True),
        },
        refusals=_UNKNOWN_NUMBER,
        changes=False,
        status=None,
        seconds_max=0.5,
    ),
    Operation(
        name="subscribers.set_language",
        means="Remembers the language in which the subscriber wants to be answered.",
        arguments={"language": Field(Choice(LANGUAGES), "the language chosen")},
        results={"language": Field(Choice(LANGUAGES), "the language that is now remembered")},
        refusals={**_NOT_IN_USE, "LANGUAGE_NOT_OFFERED": "the country of the number's network has no such language"},
        changes=True,
        status="calls.status",
        seconds_max=2.0,
    ),
    Operation(
        name="balances.get",
        means="What is on the account.",
        arguments={},
        results={
            "balance": Field(Money(), "money to spend"),
            "bonuses": Field(Money(), "bonuses, in the same currency"),
        },
        refusals=_NOT_IN_USE,
        changes=False,
        status=None,
        seconds_max=1.0,
    ),
    Operation(
        name="tariffs.current",
        means="The tariff of the number and what is left of its packages.",
        arguments={},
        results={
            "name": Field(Text(24), "the tariff's name in the language of the call"),
            "fee": Field(Money(), "what one period costs"),
            "fee_period": Field(Choice(("day", "month")), "the period the fee pays for"),
            "minutes_left": Field(Count(99_999), "minutes left in this period"),
            "megabytes_left": Field(Count(999_999), "megabytes left in this period"),
            "sms_left": Field(Count(99_999), "messages left in this period"),
            "renews_on": Field(Day(), "the day on which the next period begins"),
        },
        refusals=_NOT_WHILE_BARRED,
        changes=False,
        status=None,
        seconds_max=1.0,
    ),
    Operation(
        name="calls.status",
        means=(
            "What became of an earlier call of the same number, asked when its outcome is unknown. Waits for a call "
            "that is being worked on. `unknown_call` says only that it has not arrived: it may still be on its way."
        ),
        arguments={"call": Field(Id(), "the id of the call asked about")},
        results={
            "state": Field(Choice(("done", "refused", "unknown_call")), "what became of it"),
            "code": Field(Id(), "the code, when it was refused", optional=True),
        },
        refusals={},
        changes=False,
        status=None,
        seconds_max=1.0,
    ),
)

if _broken := broken_rules(_ALL):
    raise ValueError("the billing contract breaks its own rules: " + "; ".join(_broken))

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({operation.name: operation for operation in _ALL})
"""Every operation by its name."""
