"""Letting somebody else manage a number: A asks, B agrees with a code, A begins with another one."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, NOT_WHILE_BARRED, Operation, change
from billing.operations.quotes import TRIES_LEFT
from billing.operations.subscribers import MANAGED_MOST
from billing.values import Digits, Field, Flag, Id, Instant, ListOf, Msisdn, Secret

REQUESTS_MOST: Final = 9
CODE: Final = Secret(16)
"""8 digits; spaces and full-width digits are forgiven."""
_SIM: Final = {"SIM_TOO_NEW": "the SIM card is in use for too short a time"}
_OTHER: Final = Field(Msisdn(), "the other number")
_UNTIL: Final = Field(Instant(), "until when the code holds")
_ONE: Final = {"id": Field(Id(), "the other number"), "number": _OTHER, "since": Field(Instant(), "since when")}
_AGAIN: Final = Field(Instant(), "when it can be tried again", optional=True)

OPERATIONS: Final = (
    change(
        name="delegation.request",
        means="A asks to manage B's number. B gets an SMS that says so, with a confirmation code.",
        arguments={"number": Field(Msisdn(), "B's number")},
        results={"valid_until": _UNTIL},
        refusals={
            **NOT_WHILE_BARRED,
            **_SIM,
            "NOT_REACHED": "the other number is not of this operator, or not in use",
            "ITS_OWN": "it is the number itself",
            "IS_SO": "it is managed already, or was asked for and the code still holds",
            "TOO_MANY": "as many are managed or asked for as may be, or too many codes were sent to the other number",
        },
        details={"again_at": _AGAIN},
    ),
    Operation(
        name="delegation.requests",
        means="Who has asked to manage the number and was not answered yet.",
        results={
            "requests": Field(
                ListOf(
                    {
                        "id": Field(Id(), "the request"),
                        "number": Field(Msisdn(), "who asks"),
                        "valid_until": Field(Instant(), "until when it can be answered"),
                    },
                    REQUESTS_MOST,
                ),
                "the requests, the newest first",
            )
        },
        refusals=NOT_IN_USE,
    ),
    change(
        name="delegation.answer",
        means="B agrees or refuses, in the cabinet or a menu. To who agrees the activation code is sent by SMS.",
        arguments={
            "request": Field(Id(), "the request's `id`"),
            "agree": Field(Flag(), "true: agree, false: refuse"),
        },
        refusals={
            **NOT_WHILE_BARRED,
            **_SIM,
            "NO_SUCH_REQUEST": "there is none, it is too old, or it was answered",
        },
        details={"again_at": _AGAIN},
    ),
    change(
        name="delegation.confirm",
        means="B agrees with the confirmation code, by SMS. The activation code is sent to B by SMS.",
        arguments={"code": Field(CODE, "as it was sent in")},
        refusals={
            **NOT_WHILE_BARRED,
            **_SIM,
            "WRONG_CODE": "none of the requests to this number has this code; whose it is, is never told",
            "PAUSED": "too many wrong codes from this number lately",
        },
        details={"again_at": _AGAIN, "tries_left": TRIES_LEFT},
        answer_notice="delegation.activation",
    ),
    change(
        name="delegation.activate",
        means="A enters the activation code that B has handed over, and manages B's number from then on.",
        arguments={"number": Field(Msisdn(), "B's number"), "code": Field(CODE, "the activation code")},
        results={"number": _OTHER},
        refusals={
            **NOT_WHILE_BARRED,
            **_SIM,
            "NO_SUCH_REQUEST": "B has not agreed to a request of A, or it is too old",
            "WRONG_CODE": "another code; after three in a row this request's code is void",
            "VOID": "the code is void: three wrong ones were entered",
        },
        details={"again_at": _AGAIN, "tries_left": TRIES_LEFT},
    ),
    Operation(
        name="delegation.managed",
        means="The numbers that this one manages, and those whose activation code it may enter.",
        results={
            "managed": Field(ListOf(_ONE, MANAGED_MOST), "managed now"),
            "agreed": Field(ListOf(_ONE, MANAGED_MOST), "agreed to, waiting for the activation code"),
        },
        refusals=NOT_WHILE_BARRED,
    ),
    Operation(
        name="delegation.managers",
        means="Who manages this number.",
        results={"managers": Field(ListOf(_ONE, REQUESTS_MOST), "the numbers")},
        refusals=NOT_IN_USE,
    ),
    change(
        name="delegation.end",
        means="Ends what one of the two manages of the other, whoever of them asks. Both get an SMS.",
        arguments={
            "number": _OTHER,
            "last_digits": Field(
                Digits(4, 4), "the other number's last four digits, as they were typed", optional=True
            ),
        },
        refusals={
            **NOT_IN_USE,
            "NOT_SO": "neither manages the other",
            "WRONG_DIGITS": "the other number ends in other digits",
        },
        answer_notice="delegation.ended",
    ),
)
