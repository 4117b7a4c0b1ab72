"""The tariff of a number, those on offer, and how it is changed."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_WHILE_BARRED, Operation, change
from billing.operations.quotes import CONFIRMS, MISSING, NOT_CONFIRMED, NOT_ENOUGH, QUOTED, TRIES_LEFT
from billing.values import Choice, Count, Day, Field, Flag, Id, ListOf, Money, Text

FEE_MINOR_MOST: Final = 9_999_999
PERIOD: Final = Field(Choice(("day", "month")), "the period the fee pays for")
FEE: Final = Field(Money(most=FEE_MINOR_MOST, least=0), "what one period costs")
_NAME: Final = Field(Text(24), "its name in the language of the call")
_OFFER: Final = {
    "id": Field(Id(), "its name for programs"),
    "name": _NAME,
    "fee": FEE,
    "fee_period": PERIOD,
    "minutes": Field(Count(99_999), "minutes in one period"),
    "megabytes": Field(Count(999_999), "megabytes in one period"),
    "sms": Field(Count(99_999), "messages in one period"),
    "is_current": Field(Flag(), "it is the tariff of the number"),
}

OPERATIONS: Final = (
    Operation(
        name="tariffs.offered",
        means="The tariffs of the number's network, the cheapest first.",
        results={"tariffs": Field(ListOf(_OFFER, 30), "the tariffs")},
        refusals=NOT_WHILE_BARRED,
        by_manager=True,
    ),
    Operation(
        name="tariffs.current",
        means="The tariff of the number and what is left of its packages.",
        results={
            "name": _NAME,
            "fee": FEE,
            "fee_period": PERIOD,
            "minutes_left": Field(Count(99_999), "minutes left in this period"),
            "megabytes_left": Field(Count(999_999), "megabytes left in this period"),
            "sms_left": Field(Count(99_999), "messages left in this period"),
            "renews_on": Field(Day(), "the day on which the next period begins"),
        },
        refusals=NOT_WHILE_BARRED,
        by_manager=True,
    ),
    change(
        name="tariffs.quote",
        means="What a change to another tariff would cost now: the fee of its first period.",
        arguments={"tariff": Field(Id(), "the `id` of one that is offered")},
        results={**QUOTED, "name": _NAME, "fee": FEE, "fee_period": PERIOD},
        refusals={
            **NOT_WHILE_BARRED,
            **NOT_ENOUGH,
            "NO_SUCH_TARIFF": "the network does not offer it",
            "IS_CURRENT": "it is the number's tariff already",
        },
        details={"missing": MISSING},
        by_manager=True,
    ),
    change(
        name="tariffs.confirm",
        means="Changes the tariff as it was quoted: takes the fee, fills the packages, and tells it by SMS.",
        arguments=CONFIRMS,
        results={"name": _NAME, "balance": Field(Money(), "what is on the account now")},
        refusals={
            **NOT_WHILE_BARRED,
            **NOT_CONFIRMED,
            **NOT_ENOUGH,
            "IS_CURRENT": "it was changed to this one meanwhile",
        },
        details={"missing": MISSING, "tries_left": TRIES_LEFT},
        by_manager=True,
    ),
)
