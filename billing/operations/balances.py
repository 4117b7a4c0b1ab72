"""What is on the accounts, and money that comes to them or is used."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, UNKNOWN_NUMBER, Operation, change
from billing.values import MONEY_MINOR_MOST, Choice, Count, Field, Id, Instant, Money, Msisdn

CHARGE_KINDS: Final = ("call", "sms", "internet", "roaming", "content")
_SUM: Final = Money(most=MONEY_MINOR_MOST, least=1)
_CLOSED: Final = {**UNKNOWN_NUMBER, "CLOSED": "the number is closed"}
_OTHER_MONEY: Final = {"OTHER_CURRENCY": "the account holds another currency"}

OPERATIONS: Final = (
    Operation(
        name="balances.get",
        means="What is on the account.",
        results={
            "balance": Field(Money(), "money to spend"),
            "bonuses": Field(Money(), "bonuses, in the same currency"),
            "owed": Field(Money(least=0), "an extra balance not paid back yet; absent: none", optional=True),
        },
        refusals=NOT_IN_USE,
        by_manager=True,
    ),
    change(
        name="balances.top_up",
        means="Money was taken for the account, at a terminal or branch. An extra balance is paid back from it first.",
        arguments={
            "sum": Field(_SUM, "how much was taken"),
            "place": Field(Id(), "where: the terminal or branch"),
        },
        results={"balance": Field(Money(), "what is on the account now")},
        refusals={**_CLOSED, **_OTHER_MONEY, "TOO_MUCH": "an account cannot hold so much"},
        asked_by="payments",
    ),
    change(
        name="balances.charge",
        means="What the subscriber has used, as the network has rated it. It takes what there is.",
        arguments={
            "sum": Field(_SUM, "what it costs"),
            "kind": Field(Choice(CHARGE_KINDS), "what was used"),
            "other": Field(Msisdn(), "the other number, where there is one", optional=True),
        },
        results={
            "charged": Field(Money(least=0), "what was taken: less than the sum when the account is empty"),
            "balance": Field(Money(), "what is on the account now"),
        },
        refusals={**_CLOSED, **_OTHER_MONEY},
        asked_by="network",
    ),
    change(
        name="missed_calls.report",
        means="The phone is on again, after it was called while it was off. An SMS says so.",
        arguments={
            "caller": Field(Msisdn(), "who called"),
            "times": Field(Count(999), "how often"),
            "at": Field(Instant(), "when, the last time; absent: now", optional=True),
        },
        refusals=_CLOSED,
        asked_by="network",
    ),
)
