"""Vouchers: cards with digits under a coating that are worth a top-up, once."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, change
from billing.values import Field, Instant, Money, Secret

OPERATIONS: Final = (
    change(
        name="vouchers.redeem",
        means="Puts a voucher's worth on the account. Too many wrong ones a day close it till tomorrow.",
        arguments={"voucher": Field(Secret(20), "the digits of the card")},
        results={
            "sum": Field(Money(least=0), "what it was worth"),
            "balance": Field(Money(), "what is on the account now"),
        },
        refusals={
            **NOT_IN_USE,
            "WRONG_VOUCHER": "there is no such voucher",
            "USED": "it was used before",
            "TOO_MANY": "too many wrong ones today",
            "TOO_MUCH": "an account cannot hold so much",
        },
        details={"again_at": Field(Instant(), "when it can be tried again", optional=True)},
        by_manager=True,
    ),
)
