"""The password of the personal cabinet: asked for by USSD, SMS or voice, used by the cabinet itself."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_WHILE_BARRED, UNKNOWN_NUMBER, change
from billing.values import Count, Field, Flag, Instant, Secret, Text

PASSWORD: Final = Secret(64)
_TRY: Final = {
    **NOT_WHILE_BARRED,
    "WRONG_PASSWORD": "the password is neither the current one nor a temporary one that still holds",  # nosec B105
    "LOCKED": "too many wrong passwords: for a while, or until the subscriber's identity is proven",
}
_TRY_DETAILS: Final = {
    "until": Field(Instant(), "when the lock ends; absent when identity must be proven", optional=True),
    "tries_left": Field(Count(99), "wrong passwords left before the next lock", optional=True),
}

OPERATIONS: Final = (
    change(
        name="cabinet.temporary_password",
        means=(
            "Sends a temporary password by SMS to the number itself, as a notice. It voids an earlier temporary one, "
            "and leaves the password as it is."
        ),
        results={"valid_until": Field(Instant(), "until when the temporary password can be used")},
        refusals={
            **NOT_WHILE_BARRED,
            "TOO_OFTEN": "one was sent lately, or too many are being asked for on all numbers",
            "SIM_TOO_NEW": "the SIM card is in use for too short a time",
        },
        details={
            "sent_at": Field(Instant(), "when the last one was sent; absent when none was", optional=True),
            "again_at": Field(Instant(), "when one can be asked for again", optional=True),
        },
        answer_notice="cabinet.temporary_password",
        by_dialling=True,
    ),
    change(
        name="cabinet.login",
        means="Whether this is the password. A wrong one is a try that counts.",
        arguments={"password": Field(PASSWORD, "the password, or the temporary one")},
        results={"must_change": Field(Flag(), "it is the temporary one: nothing is allowed but to change it")},
        refusals=_TRY,
        details=_TRY_DETAILS,
    ),
    change(
        name="cabinet.change_password",
        means="Puts a new password in the place of the current one, and voids a temporary one.",
        arguments={
            "old": Field(PASSWORD, "the current password, or the temporary one"),
            "new": Field(PASSWORD, "the one to be used from now on"),
        },
        refusals={**_TRY, "WEAK_PASSWORD": "the new password is too short, easy to guess, or the old one"},  # nosec B105
        details=_TRY_DETAILS,
        answer_notice="cabinet.password_changed",
    ),
    change(
        name="cabinet.prove_identity",
        means="The holder has shown an identity document: wrong passwords of the cabinet count from nothing again.",
        arguments={"document": Field(Text(40), "kind and number of the document")},
        refusals={**UNKNOWN_NUMBER, "CLOSED": "the number is closed"},
        asked_by="office",
    ),
)
