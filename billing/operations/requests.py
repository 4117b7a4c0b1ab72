"""Small free services: call me, pay for me, free SMS; each with its limits."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_WHILE_BARRED, Operation, change
from billing.values import Count, Field, Msisdn, Text

FREE_SMS_CHARACTERS_MAX: Final = 100
_TO: Final = Field(Msisdn(), "the other subscriber's number")
_LEFT: Final = Field(Count(99), "how many are left today")
_REFUSALS: Final = {
    **NOT_WHILE_BARRED,
    "NOT_REACHED": "the other number is not of this network, is not in use, or does not want to get these",
    "ITS_OWN": "it is the number itself",
    "TOO_MANY": "the day's number of them is used up, in all or to this number",
}
_DETAILS: Final = {"left": Field(Count(99), "how many are left today, to others", optional=True)}


def _request(name: str, means: str) -> Operation:
    return change(
        name=name,
        means=means,
        arguments={"to": _TO},
        results={"left": _LEFT},
        refusals=_REFUSALS,
        details=_DETAILS,
        by_any_link=True,
    )


OPERATIONS: Final = (
    _request("requests.call_me", "Asks another subscriber by SMS to call. Free."),
    _request("requests.pay_for_me", "Asks another subscriber by SMS to top up the account. Free."),
    change(
        name="requests.free_sms",
        means="Sends a text to a number of the same network. Free.",
        arguments={"to": _TO, "text": Field(Text(FREE_SMS_CHARACTERS_MAX), "the text")},
        results={"left": _LEFT},
        refusals=_REFUSALS,
        details=_DETAILS,
        by_any_link=True,
    ),
    Operation(
        name="requests.left",
        means="How many are left today: of call me and pay for me together, and of free SMS.",
        results={"requests": _LEFT, "free_sms": _LEFT},
        refusals=NOT_WHILE_BARRED,
    ),
)
