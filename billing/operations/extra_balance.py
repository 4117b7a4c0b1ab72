"""The extra balance (a promised payment): money lent until the next top-up."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, Operation, change
from billing.operations.quotes import CONFIRMS, NOT_CONFIRMED, QUOTED, TRIES_LEFT
from billing.operations.tariffs import FEE_MINOR_MOST
from billing.values import Field, Flag, Id, ListOf, Money

_SUM: Final = Money(most=FEE_MINOR_MOST, least=0)
_OWES: Final = {"OWES": "one was given and is not paid back yet"}

OPERATIONS: Final = (
    Operation(
        name="extra_balance.offers",
        means="What can be lent, what is owed now, and whether it is lent by itself when the account runs low.",
        results={
            "offers": Field(
                ListOf(
                    {
                        "id": Field(Id(), "its name for programs"),
                        "sum": Field(_SUM, "what is lent"),
                        "fee": Field(_SUM, "what it costs, paid back with it"),
                    },
                    9,
                ),
                "the offers, the smallest first",
            ),
            "auto": Field(Flag(), "it is lent by itself"),
            "owed": Field(_SUM, "what is to be paid back; absent: nothing", optional=True),
        },
        refusals=NOT_IN_USE,
        by_manager=True,
    ),
    change(
        name="extra_balance.quote",
        means="What is lent, and what will be taken from the next top-up.",
        arguments={"offer": Field(Id(), "the `id` of an offer")},
        results={**QUOTED, "sum": Field(_SUM, "what is lent"), "fee": Field(_SUM, "what it costs")},
        refusals={**NOT_IN_USE, **_OWES, "NO_SUCH_OFFER": "there is no such offer"},
        by_manager=True,
    ),
    change(
        name="extra_balance.confirm",
        means="Lends it.",
        arguments=CONFIRMS,
        results={"sum": Field(_SUM, "what was lent"), "balance": Field(Money(), "what is on the account now")},
        refusals={**NOT_IN_USE, **NOT_CONFIRMED, **_OWES, "TOO_MUCH": "an account cannot hold so much"},
        details={"tries_left": TRIES_LEFT},
        by_manager=True,
    ),
    change(
        name="extra_balance.set_auto",
        means="Whether the smallest offer is lent by itself when the account runs low.",
        arguments={"auto": Field(Flag(), "from now on")},
        results={"auto": Field(Flag(), "what holds now")},
        refusals=NOT_IN_USE,
        by_manager=True,
    ),
)
