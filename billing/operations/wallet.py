"""The wallet: registration, PIN, balance, billers, payments, transfers and what became of them."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, NOT_WHILE_BARRED, UNKNOWN_NUMBER, Operation, change
from billing.operations.quotes import INTENT, MISSING, TRIES_LEFT
from billing.values import (
    MONEY_MINOR_MOST,
    Choice,
    Count,
    Digits,
    Field,
    Flag,
    Id,
    Inn,
    Instant,
    ListOf,
    Money,
    Msisdn,
    Secret,
    Text,
)

SUM_MOST: Final = 999_999
"""In whole som."""
FEE_MINOR_MOST: Final = 9_999_999
SERVICES_MOST: Final = 40
SHOWN_MOST: Final = 20
NAME_CHARACTERS_MAX: Final = 40
ACCOUNT_DIGITS_MAX: Final = 20
CODE_DIGITS: Final = 10
ACCOUNT_KINDS: Final = ("digits", "inn", "msisdn")
MOVES: Final = ("payment", "transfer_out", "transfer_in", "mobile", "top_up", "returned")
PIN: Final = Secret(4)
_PIN: Final = Field(PIN, "the wallet's PIN: four digits")
_OPEN: Final = {**NOT_WHILE_BARRED, "NO_WALLET": "the number has no wallet"}
_TRY: Final = {
    "WRONG_PIN": "another PIN; three wrong ones in a row lock the wallet",
    "LOCKED": "too many wrong PINs: for a while, or until the holder's identity is proven",
}
_TRY_DETAILS: Final = {
    "until": Field(Instant(), "when the lock ends; absent when identity must be proven", optional=True),
    "tries_left": TRIES_LEFT,
}
_PIN_CHANGE: Final = Field(Id(), "the change that was begun")
_NO_PIN_CHANGE: Final = {"EXPIRED": "there is no such change, or it has been begun too long ago"}
_BALANCE: Final = Field(Money(), "what is in the wallet now")
_SUM: Final = Field(Count(SUM_MOST), "in whole som")
_MONEY: Final = Money(least=0, most=100 * SUM_MOST + FEE_MINOR_MOST)
_FEE: Final = Field(Money(least=0, most=FEE_MINOR_MOST), "the fee, beside the sum")
_SERVICE_NAME: Final = Field(Text(24), "its name in the language of the call")
_SERVICE: Final = {
    "id": Field(Id(), "its name for programs"),
    "name": _SERVICE_NAME,
    "account_kind": Field(Choice(ACCOUNT_KINDS), "what the payer's account is"),
    "digits_min": Field(Count(ACCOUNT_DIGITS_MAX), "so many digits at least"),
    "digits_max": Field(Count(ACCOUNT_DIGITS_MAX), "and at most"),
    "sum_min": _SUM,
    "sum_max": _SUM,
}
_QUOTED: Final = {"intent": INTENT, "sum": Field(_MONEY, "what is paid"), "fee": _FEE}
_QUOTE_REFUSALS: Final = {
    **_OPEN,
    "NOT_ENOUGH_MONEY": "the wallet does not cover sum and fee",
    "LIMIT": "the sum is out of the limits",
    "OPEN_PAYMENT": "an earlier payment is still being checked",
    "LOCKED": "the PIN is locked",
}
_QUOTE_DETAILS: Final = {
    "missing": MISSING,
    "least": Field(_MONEY, "the least sum", optional=True),
    "most": Field(_MONEY, "the largest sum", optional=True),
    "until": Field(Instant(), "when the lock ends", optional=True),
}
_REPEATS: Final = Field(Flag(), "the same was paid some minutes ago: ask whether it is meant")
_CODE: Final = Field(Digits(CODE_DIGITS), "the payment code", optional=True)
_NOT_PAID: Final = {
    "NO_SUCH_QUOTE": "the wallet has no such quote",
    "EXPIRED": "the quote is too old, or was given up: nothing was paid",
    "NOT_ENOUGH_MONEY": "the wallet does not cover sum and fee: nothing was paid",
    "NOT_ACCEPTED": "the biller refuses: nothing was paid",
}
_PAID: Final = {
    "sum": Field(_MONEY, "what was paid", optional=True),
    "fee": Field(Money(least=0, most=FEE_MINOR_MOST), "the fee", optional=True),
    "code": _CODE,
    "balance": Field(Money(), "what is in the wallet now", optional=True),
}

OPERATIONS: Final = (
    Operation(
        name="wallet.state",
        means="Whether the number has a wallet, and a payment that is still being checked.",
        results={
            "registered": Field(Flag(), "it has one"),
            "open": Field(Flag(), "a payment is being checked: its outcome comes by SMS"),
            "name": Field(Text(NAME_CHARACTERS_MAX), "the open payment's biller or receiver", optional=True),
            "sum": Field(_MONEY, "and its sum", optional=True),
        },
        refusals=NOT_WHILE_BARRED,
    ),
    change(
        name="wallet.register",
        means="Opens a wallet, one for a number and one for a person. The PIN comes by SMS.",
        arguments={
            "first_name": Field(Text(NAME_CHARACTERS_MAX), "the holder's name"),
            "last_name": Field(Text(NAME_CHARACTERS_MAX), "and family name"),
            "inn": Field(Inn(), "the holder's INN"),
            "offer": Field(Choice(("accepted",)), "the public offer was accepted"),
        },
        refusals={
            **NOT_WHILE_BARRED,
            "NOT_OFFERED": "the number's network has no wallet",
            "HAS_WALLET": "the number has one",
            "INN_HAS_WALLET": "a wallet was opened for this INN",
            "WRONG_INN": "the digits are no person's INN",
            "WRONG_NAME": "a name has only letters",
        },
    ),
    change(
        name="wallet.begin_pin_change",
        means="The first step of a new PIN: the old one. What is begun stands for some minutes.",
        arguments={"old": _PIN},
        results={"change": _PIN_CHANGE},
        refusals={**_OPEN, **_TRY},
        details=_TRY_DETAILS,
    ),
    change(
        name="wallet.choose_pin",
        means="The second step: the new PIN. Another one may be chosen in its place.",
        arguments={"change": _PIN_CHANGE, "new": Field(PIN, "the new PIN")},
        refusals={
            **_OPEN,
            **_NO_PIN_CHANGE,
            "TRIVIAL_PIN": "the new PIN is too easy to guess, no PIN, or the old one",
        },
    ),
    change(
        name="wallet.confirm_pin",
        means="The last step: the new PIN once more puts it in the place of the old one.",
        arguments={"change": _PIN_CHANGE, "again": Field(PIN, "the new PIN once more")},
        refusals={
            **_OPEN,
            **_NO_PIN_CHANGE,
            "PINS_DIFFER": "the new PIN was not typed twice alike: it has to be chosen anew",
        },
    ),
    change(
        name="wallet.reset_pin",
        means="At a branch or the call centre, the holder's identity proven: a new PIN by SMS, and no lock.",
        arguments={"document": Field(Text(40), "how identity was proven")},
        refusals={**NOT_IN_USE, "NO_WALLET": "the number has no wallet", "SIM_TOO_NEW": "the SIM card is too new"},
        details={"again_at": Field(Instant(), "when it is old enough", optional=True)},
        asked_by="office",
    ),
    Operation(
        name="wallet.balance",
        means="What is in the wallet.",
        results={"balance": _BALANCE},
        refusals=_OPEN,
    ),
    Operation(
        name="wallet.categories",
        means="Categories of billers, in the order that is printed.",
        results={
            "categories": Field(
                ListOf({"id": Field(Id(), "its name for programs"), "name": _SERVICE_NAME}, SERVICES_MOST),
                "the categories",
            )
        },
        refusals=_OPEN,
    ),
    Operation(
        name="wallet.services",
        means="Billers of a category, in the order that is printed.",
        arguments={"category": Field(Id(), "the `id` of a category, or `utilities` or `mobile`")},
        results={"services": Field(ListOf(_SERVICE, SERVICES_MOST), "the billers' services")},
        refusals={**_OPEN, "NO_SUCH_CATEGORY": "there is no such category"},
    ),
    change(
        name="wallet.quote_payment",
        means="What a payment to a biller would cost.",
        arguments={
            "service": Field(Id(), "the `id` of a service"),
            "account": Field(Digits(ACCOUNT_DIGITS_MAX), "the payer's account with the biller"),
            "sum": _SUM,
        },
        results={**_QUOTED, "name": _SERVICE_NAME, "repeats": _REPEATS},
        refusals={
            **_QUOTE_REFUSALS,
            "NO_SUCH_SERVICE": "there is no such service",
            "WRONG_ACCOUNT": "the biller has no accounts like this",
        },
        details=_QUOTE_DETAILS,
        by_dialling=True,
    ),
    change(
        name="wallet.quote_transfer",
        means="What a transfer to another wallet would cost.",
        arguments={"to": Field(Msisdn(), "the number of the other wallet"), "sum": _SUM},
        results={
            **_QUOTED,
            "name": Field(Text(24), "the receiver's name, the family name cut to a letter"),
            "repeats": _REPEATS,
        },
        refusals={**_QUOTE_REFUSALS, "NOT_REACHED": "that number has no wallet", "ITS_OWN": "it is the same wallet"},
        details=_QUOTE_DETAILS,
        by_dialling=True,
    ),
    change(
        name="wallet.quote_mobile",
        means="What it would cost to top up a number from the wallet.",
        arguments={"to": Field(Msisdn(), "the number to be topped up"), "sum": _SUM},
        results={**_QUOTED, "repeats": _REPEATS},
        refusals={**_QUOTE_REFUSALS, "NOT_REACHED": "the number cannot be topped up from here"},
        details=_QUOTE_DETAILS,
        by_dialling=True,
    ),
    change(
        name="wallet.confirm",
        means=(
            "Does what was quoted, once. `state` is `paid`, or `checking` while a biller has not answered: then the "
            "outcome is told by SMS."
        ),
        arguments={"intent": INTENT, "pin": _PIN},
        results={"state": Field(Choice(("paid", "checking")), "what became of it"), **_PAID},
        refusals={**_OPEN, **_TRY, **_NOT_PAID},
        status="wallet.outcome",
        details={**_TRY_DETAILS, "missing": MISSING},
    ),
    Operation(
        name="wallet.outcome",
        means=(
            "What became of a confirmation whose answer did not arrive. Whoever is told `pending` will be told the "
            "outcome by SMS, whatever it is; and so is, once, who was `told` already that it is being checked."
        ),
        arguments={
            "call": Field(Id(), "the id of the confirmation"),
            "intent": INTENT,
            "told": Field(Flag(), "an SMS was promised already; absent: no", optional=True),
        },
        results={
            "outcome": Field(Choice(("done", "refused", "pending")), "what became of the confirmation"),
            "refusal": Field(Id(), "the code, when it was refused", optional=True),
            "state": Field(Choice(("paid", "checking")), "as `wallet.confirm` tells it", optional=True),
            **_PAID,
        },
        refusals={},
    ),
    Operation(
        name="wallet.history",
        means="What has moved in the wallet, the newest first.",
        results={
            "moves": Field(
                ListOf(
                    {
                        "at": Field(Instant(), "when"),
                        "kind": Field(Choice(MOVES), "what it was"),
                        "sum": Field(_MONEY, "how much, with its fee"),
                        "name": Field(Text(24), "biller or name, in the language of the call", optional=True),
                    },
                    SHOWN_MOST,
                ),
                "the moves",
            )
        },
        refusals=_OPEN,
    ),
    Operation(
        name="wallet.recent",
        means="The last payments that differ from one another, to be repeated.",
        results={
            "payments": Field(
                ListOf(
                    {
                        "id": Field(Id(), "the payment that is repeated"),
                        "service": Field(Id(), "the service"),
                        "name": _SERVICE_NAME,
                        "account": Field(Digits(ACCOUNT_DIGITS_MAX), "the account"),
                        "sum": _SUM,
                    },
                    9,
                ),
                "the payments, the newest first",
            )
        },
        refusals=_OPEN,
    ),
    change(
        name="wallet.send_statement",
        means="Sends the last moves by SMS.",
        refusals={**_OPEN, "TOO_MANY": "too many were sent today"},
    ),
    change(
        name="wallet.top_up",
        means="Money was taken for the wallet, at a terminal or a branch.",
        arguments={
            "sum": Field(Money(most=MONEY_MINOR_MOST, least=1), "how much was taken"),
            "place": Field(Id(), "where: the terminal or branch"),
        },
        results={"balance": _BALANCE},
        refusals={
            **UNKNOWN_NUMBER,
            "CLOSED": "the number is closed",
            "NO_WALLET": "the number has no wallet",
            "OTHER_CURRENCY": "the wallet holds another currency",
            "TOO_MUCH": "a wallet cannot hold so much",
        },
        asked_by="payments",
    ),
)
