"""Choosing and reserving a new number, and what the office does with it."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_WHILE_BARRED, UNKNOWN_NUMBER, Operation, change
from billing.operations.quotes import CONFIRMS, MISSING, NOT_CONFIRMED, NOT_ENOUGH, QUOTED, TRIES_LEFT
from billing.operations.tariffs import FEE_MINOR_MOST
from billing.values import Choice, Digits, Field, Flag, Id, Instant, ListOf, Money, Msisdn, Secret, Text

CATEGORIES: Final = ("plain", "silver", "gold", "platinum")
CHANNELS: Final = ("ussd", "web", "office")
FOUND_MOST: Final = 8
RESERVED_MOST: Final = 20
_SUM: Final = Money(most=FEE_MINOR_MOST, least=0)
_NUMBER: Final = Field(Msisdn(), "the number")
_CITY: Final = Field(Id(), "the `id` of the city whose office registers it")
_CITY_NAME: Final = Field(Text(20), "the city's name in the language of the call")
_PRICE: Final = Field(_SUM, "price of its category, paid at the office")
_VALID_UNTIL: Final = Field(Instant(), "until when it is held")
_TAKEN: Final = {"TAKEN": "somebody else has it by now"}
_CLOSED_THERE: Final = Field(Flag(), "no centre of that city opens before the deadline")

OPERATIONS: Final = (
    Operation(
        name="numbers.prefixes",
        means="The prefixes under which a brand of the number's network has free numbers.",
        arguments={"brand": Field(Text(20), "the brand")},
        results={
            "prefixes": Field(
                ListOf({"id": Field(Id(), "the prefix"), "prefix": Field(Digits(3, 3), "three digits")}, 20),
                "the prefixes",
            )
        },
        refusals=NOT_WHILE_BARRED,
    ),
    Operation(
        name="numbers.categories",
        means="The categories of numbers of the number's network, the cheapest first.",
        results={
            "categories": Field(
                ListOf(
                    {
                        "id": Field(Id(), "its name for programs"),
                        "category": Field(Choice(CATEGORIES), "the category"),
                        "name": Field(Text(12), "its name in the language of the call"),
                        "price": _PRICE,
                    },
                    len(CATEGORIES),
                ),
                "the categories",
            )
        },
        refusals=NOT_WHILE_BARRED,
    ),
    Operation(
        name="numbers.search",
        means="Free numbers, in an order of their own; `after` leads on.",
        arguments={
            "brand": Field(Text(20), "the brand under which it is sold"),
            "prefix": Field(Digits(3, 3), "its first digits after the country's"),
            "category": Field(Choice((*CATEGORIES, "any")), "its category; absent: any", optional=True),
            "digits": Field(Digits(7, 2), "digits that it contains, after the prefix; absent: any", optional=True),
            "after": Field(Msisdn(), "the last number that was seen", optional=True),
        },
        results={
            "numbers": Field(
                ListOf(
                    {
                        "id": Field(Id(), "the number"),
                        "number": _NUMBER,
                        "category": Field(Choice(CATEGORIES), "its category"),
                        "price": _PRICE,
                    },
                    FOUND_MOST,
                ),
                "at most eight",
            ),
            "last": Field(Msisdn(), "the last of them; absent: there are no more", optional=True),
        },
        refusals=NOT_WHILE_BARRED,
    ),
    change(
        name="numbers.quote",
        means="What a reservation costs now, what is paid at the office, and what comes with the number.",
        arguments={
            "number": _NUMBER,
            "city": _CITY,
            "channel": Field(Choice(CHANNELS), "where it is reserved; absent: ussd", optional=True),
        },
        results={
            **QUOTED,
            "fee": Field(_SUM, "charged now, and never given back"),
            "price": _PRICE,
            "advance": Field(_SUM, "what the office puts on the new account, paid there"),
            "category": Field(Choice(CATEGORIES), "its category"),
            "tariff": Field(Text(24), "the tariff it starts with, in the language of the call"),
            "city": _CITY_NAME,
            "valid_until": _VALID_UNTIL,
            "closed_till_then": _CLOSED_THERE,
        },
        refusals={
            **NOT_WHILE_BARRED,
            **NOT_ENOUGH,
            **_TAKEN,
            "NO_SUCH_CITY": "no office registers numbers there",
            "TOO_MANY": "the month's number of reservations is used up",
        },
        details={"missing": MISSING},
    ),
    change(
        name="numbers.reserve",
        means="Takes the fee and holds the number, or does neither. The code is told once, here and by SMS.",
        arguments=CONFIRMS,
        results={
            "number": _NUMBER,
            "code": Field(Digits(8, 8), "the office asks for it; absent when it was told before", optional=True),
            "valid_until": _VALID_UNTIL,
            "city": _CITY_NAME,
        },
        refusals={**NOT_WHILE_BARRED, **NOT_CONFIRMED, **NOT_ENOUGH, **_TAKEN, "TOO_MANY": "as in the quote"},
        details={"missing": MISSING, "tries_left": TRIES_LEFT},
    ),
    Operation(
        name="numbers.reservations",
        means="What the number holds, the soonest to end first.",
        results={
            "reservations": Field(
                ListOf(
                    {
                        "id": Field(Id(), "the reserved number"),
                        "number": _NUMBER,
                        "valid_until": _VALID_UNTIL,
                        "city": _CITY_NAME,
                    },
                    RESERVED_MOST,
                ),
                "the reservations",
            )
        },
        refusals=NOT_WHILE_BARRED,
    ),
    change(
        name="numbers.cancel",
        means="Gives a reserved number up. The fee is not given back.",
        arguments={
            "number": _NUMBER,
            "last_digits": Field(Digits(4, 4), "its last four digits, as they were typed"),
        },
        refusals={
            **NOT_WHILE_BARRED,
            "NOT_RESERVED": "the number is not, or no more, reserved by the subscriber",
            "WRONG_DIGITS": "it ends in other digits",
        },
    ),
    change(
        name="numbers.register",
        means="At the office: who has the code and shows a document gets the reserved number.",
        arguments={
            "number": _NUMBER,
            "code": Field(Secret(16), "the reservation code"),
            "document": Field(Text(40), "kind and number of the identity document"),
            "city": _CITY,
        },
        results={"number": _NUMBER, "price": _PRICE, "advance": Field(_SUM, "what is on its account")},
        refusals={
            **UNKNOWN_NUMBER,
            "WRONG_CODE": "another code, another city, or no reservation that holds",
        },
        asked_by="office",
    ),
    change(
        name="numbers.annul",
        means="Ends a reservation of somebody who misuses them. The fee is not given back.",
        arguments={"number": _NUMBER, "why": Field(Text(100), "for people")},
        refusals={**UNKNOWN_NUMBER, "NOT_RESERVED": "the subscriber does not hold it"},
        asked_by="office",
    ),
)
