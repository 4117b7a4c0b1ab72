"""What happens that a subscriber is told of by SMS.

Rules of this file (pure):
- The core says what happened and with which facts; the words are the engine's. One frozen `Event` each, in `EVENTS`.
- An argument that is a `Secret` is never kept or written down in clear; which one is, its type says.
- A name or a type, once published, stays; what is added is optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from billing.values import LANGUAGES, Choice, Count, Digits, Field, Instant, Money, Msisdn, Secret, Text

_HOUR: Final = 3600.0
MANAGED_CHANGES: Final = ("tariff", "service", "extra_balance", "voucher", "notices", "blocking", "other")
"""What a manager can have changed, for the holder to be told."""


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of thing that happens. `seconds_valid`: a notice of it that is older is not sent any more."""

    name: str
    means: str
    arguments: Mapping[str, Field]
    seconds_valid: float

    @property
    def secrets(self) -> frozenset[str]:
        """The arguments that are never kept or written down in clear."""
        return frozenset(name for name, field in self.arguments.items() if isinstance(field.type, Secret))


_AT: Final = Field(Instant(), "when")
_SUM: Final = Field(Money(least=0), "how much")
_BALANCE: Final = Field(Money(), "what is there now")
_UNTIL: Final = Field(Instant(), "until when it holds")
_CODE: Final = Field(Secret(8), "eight digits")
_PIN: Final = Field(Secret(4), "four digits")
_SERVICE: Final = Field(Text(24), "its name, in the subscriber's language")


def _event(name: str, means: str, seconds_valid: float = 24 * _HOUR, /, **arguments: Field) -> Event:
    return Event(name, means, arguments, seconds_valid)


_ALL: Final = (
    _event(
        "cabinet.temporary_password",
        "A temporary password of the personal cabinet was asked for.",
        600.0,
        password=Field(Secret(16), "the password"),
        valid_until=Field(Instant(), "until when it can be used"),
    ),
    _event("cabinet.password_changed", "The password of the personal cabinet was changed.", at=_AT),
    _event("account.topped_up", "Money has come to the account.", sum=_SUM, balance=_BALANCE),
    _event(
        "account.low_balance",
        "The balance has come below what the subscriber wants to be told of; not told between 22 and 8.",
        12 * _HOUR,
        balance=_BALANCE,
    ),
    _event(
        "account.extra_balance",
        "An extra balance was lent, because it was asked for or by itself.",
        sum=_SUM,
        fee=Field(Money(least=0), "what it costs"),
    ),
    _event(
        "account.extra_balance_paid",
        "Of a top-up, an extra balance was paid back.",
        sum=_SUM,
        owed=Field(Money(least=0), "what is still to be paid back"),
    ),
    _event(
        "calls.missed",
        "Somebody called while the phone was off.",
        caller=Field(Msisdn(), "who"),
        at=Field(Instant(), "when, the last time"),
        count=Field(Count(999), "how many times"),
    ),
    _event(
        "subscribers.language_set",
        "The language of answers was chosen by SMS.",
        _HOUR,
        language=Field(Choice(LANGUAGES), "the language that is now remembered"),
    ),
    _event("tariffs.changed", "The tariff was changed.", name=_SERVICE, fee=_SUM),
    _event("services.connected", "A service was connected.", name=_SERVICE, fee=_SUM),
    _event("services.disconnected", "A service was disconnected.", name=_SERVICE),
    _event("number.blocked", "The number was blocked by its holder, or who manages it.", at=_AT),
    _event("requests.call_me", "Another subscriber asks to be called.", 12 * _HOUR, caller=Field(Msisdn(), "who")),
    _event("requests.pay_for_me", "Another subscriber asks for a top-up.", 12 * _HOUR, caller=Field(Msisdn(), "who")),
    _event(
        "requests.free_sms",
        "Another subscriber has sent a free SMS.",
        caller=Field(Msisdn(), "who"),
        text=Field(Text(100), "the text"),
    ),
    _event("faults.reported", "A fault was reported.", ticket=Field(Digits(8), "its ticket")),
    _event(
        "service_points.sent",
        "The address of a service point was asked for.",
        _HOUR,
        city=Field(Text(20), "its city, in the subscriber's language"),
        address=Field(Text(60), "as it was published"),
        hours=Field(Text(60), "by weekday in the subscriber's language, or as they were published"),
    ),
    _event("statements.code", "The itemised statement was asked for.", 600.0, code=_CODE, valid_until=_UNTIL),
    _event(
        "numbers.reserved",
        "A number was reserved.",
        number=Field(Msisdn(), "the number"),
        code=_CODE,
        valid_until=_UNTIL,
        city=Field(Text(20), "whose office registers it, in the subscriber's language"),
    ),
    _event("numbers.registered", "A reserved number was registered at an office.", number=Field(Msisdn(), "it")),
    _event("numbers.annulled", "A reservation was annulled.", number=Field(Msisdn(), "the number")),
    _event(
        "delegation.asked",
        "Somebody asks to manage the number; who agrees sends the code to the short number.",
        caller=Field(Msisdn(), "who asks"),
        code=_CODE,
        valid_until=_UNTIL,
    ),
    _event(
        "delegation.activation",
        "The holder has agreed: this code is for who asked.",
        caller=Field(Msisdn(), "who asked"),
        code=_CODE,
        valid_until=_UNTIL,
    ),
    _event("delegation.begun", "The number is managed by somebody else.", caller=Field(Msisdn(), "by whom")),
    _event("delegation.ended", "A number is managed no more.", number=Field(Msisdn(), "the other number")),
    _event(
        "delegation.changed",
        "Who manages the number has changed something of it.",
        caller=Field(Msisdn(), "who"),
        what=Field(Choice(MANAGED_CHANGES), "what, by the operation's domain"),
    ),
    _event("wallet.registered", "A wallet was opened.", pin=_PIN),
    _event("wallet.pin_changed", "The wallet's PIN was changed.", at=_AT),
    _event("wallet.pin_reset", "The wallet's PIN was set anew.", _HOUR, pin=_PIN),
    _event("wallet.locked", "Three wrong PINs have locked the wallet.", _HOUR, until=_UNTIL),
    _event("wallet.shut", "Nine wrong PINs in all have shut the wallet until identity is proven.", at=_AT),
    _event(
        "wallet.paid",
        "A payment was made.",
        code=Field(Digits(10), "the payment code"),
        name=_SERVICE,
        account=Field(Digits(20), "the payer's account"),
        sum=_SUM,
        fee=Field(Money(least=0), "its fee"),
        balance=_BALANCE,
    ),
    _event(
        "wallet.not_paid", "A payment that was being checked was not made.", name=Field(Text(24), "of what"), sum=_SUM
    ),
    _event(
        "wallet.sent",
        "Money was sent to another wallet, or to a number's account.",
        code=Field(Digits(10), "the payment code"),
        to=Field(Msisdn(), "to whom"),
        sum=_SUM,
        fee=Field(Money(least=0), "its fee"),
        balance=_BALANCE,
    ),
    _event(
        "wallet.received",
        "Money has come from another wallet.",
        caller=Field(Msisdn(), "from whom"),
        sum=_SUM,
        balance=_BALANCE,
    ),
    _event("wallet.topped_up", "Money has come to the wallet.", sum=_SUM, balance=_BALANCE),
    _event(
        "wallet.statement",
        "The wallet's last moves were asked for.",
        _HOUR,
        moves=Field(Text(300), "a move a line: day, sum with its sign, name"),
        balance=_BALANCE,
    ),
)

EVENTS: Final[Mapping[str, Event]] = MappingProxyType({event.name: event for event in _ALL})
"""Every event by its name."""
