"""The tariff of a number."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_WHILE_BARRED, Operation
from billing.values import Choice, Count, Day, Field, Money, Text

OPERATIONS: Final = (
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
        refusals=NOT_WHILE_BARRED,
        changes=False,
        status=None,
        seconds_max=1.0,
    ),
)
