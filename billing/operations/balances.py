"""What is on the accounts."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, Operation
from billing.values import Field, Money

OPERATIONS: Final = (
    Operation(
        name="balances.get",
        means="What is on the account.",
        arguments={},
        results={
            "balance": Field(Money(), "money to spend"),
            "bonuses": Field(Money(), "bonuses, in the same currency"),
        },
        refusals=NOT_IN_USE,
        changes=False,
        status=None,
        seconds_max=1.0,
    ),
)
