"""The tariff of a number."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_WHILE_BARRED, Operation
from billing.values import Choice, Count, Day, Field, Flag, Id, ListOf, Money, Text

_PERIOD: Final = Field(Choice(("day", "month")), "the period the fee pays for")
_OFFER: Final = {
    "id": Field(Id(), "its name for programs"),
    "name": Field(Text(24), "its name in the language of the call"),
    "fee": Field(Money(), "what one period costs"),
    "fee_period": _PERIOD,
    "minutes": Field(Count(99_999), "minutes in one period"),
    "megabytes": Field(Count(999_999), "megabytes in one period"),
    "sms": Field(Count(99_999), "messages in one period"),
    "is_current": Field(Flag(), "it is the tariff of the number"),
}

OPERATIONS: Final = (
    Operation(
        name="tariffs.offered",
        means="The tariffs of the number's network, the cheapest first.",
        arguments={},
        results={"tariffs": Field(ListOf(_OFFER, 30), "the tariffs")},
        refusals=NOT_WHILE_BARRED,
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
            "fee_period": _PERIOD,
            "minutes_left": Field(Count(99_999), "minutes left in this period"),
            "megabytes_left": Field(Count(999_999), "megabytes left in this period"),
            "sms_left": Field(Count(99_999), "messages left in this period"),
            "renews_on": Field(Day(), "the day on which the next period begins"),
        },
        refusals=NOT_WHILE_BARRED,
        changes=False,
        status=None,
        seconds_max=1.0,
    ),
)
