"""What was paid and what was charged; and the itemised statement, which names other people's numbers."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_WHILE_BARRED, Operation, change
from billing.operations.balances import CHARGE_KINDS
from billing.values import Choice, Digits, Field, Instant, ListOf, Money, Msisdn, Secret, Text

PAYMENT_KINDS: Final = ("terminal", "voucher", "wallet", "extra_balance", "other")
FEE_KINDS: Final = ("tariff", "service", "reservation", "extra_balance", "other")
SHOWN_MOST: Final = 50
DAYS: Final = 90
_AT: Final = Field(Instant(), "when")

OPERATIONS: Final = (
    Operation(
        name="history.payments",
        means="The last payments of 90 days, the newest first.",
        results={
            "payments": Field(
                ListOf(
                    {
                        "at": _AT,
                        "kind": Field(Choice(PAYMENT_KINDS), "how it came"),
                        "sum": Field(Money(least=0), "how much"),
                    },
                    SHOWN_MOST,
                ),
                "the payments",
            )
        },
        refusals=NOT_WHILE_BARRED,
        by_manager=True,
    ),
    Operation(
        name="history.charges",
        means="The last charges of 90 days, the newest first; with nobody's number. Older ones are told at an office.",
        results={
            "charges": Field(
                ListOf(
                    {
                        "at": _AT,
                        "kind": Field(Choice((*CHARGE_KINDS, *FEE_KINDS)), "for what"),
                        "sum": Field(Money(least=0), "how much"),
                    },
                    SHOWN_MOST,
                ),
                "the charges",
            )
        },
        refusals=NOT_WHILE_BARRED,
        by_manager=True,
    ),
    change(
        name="statements.request",
        means="Asks for the itemised statement: who knows the holder's data gets a one-time code by SMS.",
        arguments={
            "surname": Field(Text(40), "the holder's surname, as in the identity document"),
            "name": Field(Text(40), "and name"),
            "person_id": Field(Digits(14, 12), "the holder's IIN or INN"),
        },
        results={"valid_until": Field(Instant(), "until when the code can be used")},
        refusals={
            **NOT_WHILE_BARRED,
            "NOT_THE_HOLDER": "these are not the holder's data, or they are not known",
            "TOO_OFTEN": "too many tries today",
        },
        details={"again_at": Field(Instant(), "when it can be tried again", optional=True)},
    ),
    change(
        name="statements.get",
        means="The itemised statement of 90 days, the newest first, for who has the one-time code.",
        arguments={"code": Field(Secret(16), "from the SMS")},
        results={
            "items": Field(
                ListOf(
                    {
                        "at": _AT,
                        "kind": Field(Choice(CHARGE_KINDS), "for what"),
                        "sum": Field(Money(least=0), "how much"),
                        "other": Field(Msisdn(), "the other number, where there is one", optional=True),
                    },
                    SHOWN_MOST,
                ),
                "what was used",
            )
        },
        refusals={**NOT_WHILE_BARRED, "WRONG_CODE": "another code was sent, or it is too old; after three it is void"},
    ),
)
