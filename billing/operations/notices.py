"""What a subscriber wants to be told by SMS."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, Operation, change
from billing.values import Choice, Field, Flag, Money

KINDS: Final = ("low_balance", "topped_up", "missed_calls", "requests")
_BELOW: Final = Money(most=9_999_900, least=0)

OPERATIONS: Final = (
    Operation(
        name="notices.settings",
        means="Which notices the subscriber gets.",
        results={
            **{kind: Field(Flag(), f"notices of {kind.replace('_', ' ')}") for kind in KINDS},
            "below": Field(_BELOW, "below this the balance is low"),
        },
        refusals=NOT_IN_USE,
        by_manager=True,
    ),
    change(
        name="notices.set",
        means="Switches one kind of notice on or off.",
        arguments={
            "kind": Field(Choice(KINDS), "which"),
            "on": Field(Flag(), "from now on"),
        },
        results={"on": Field(Flag(), "what holds now")},
        refusals=NOT_IN_USE,
        by_manager=True,
    ),
    change(
        name="notices.set_low_balance",
        means="Says below which sum the balance is low, and switches that notice on.",
        arguments={"below": Field(_BELOW, "the sum")},
        results={"below": Field(_BELOW, "what holds now")},
        refusals={**NOT_IN_USE, "OTHER_CURRENCY": "the account holds another currency"},
        by_manager=True,
    ),
)
