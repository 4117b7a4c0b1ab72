"""Faults that subscribers report; help, for every status of a number."""

from __future__ import annotations

from typing import Final

from billing.operation import UNKNOWN_NUMBER, change
from billing.values import Choice, Digits, Field

FAULT_KINDS: Final = ("network", "payment", "internet")

OPERATIONS: Final = (
    change(
        name="faults.report",
        means="Takes a report of a fault. Its ticket is told by SMS as well; somebody will call back.",
        arguments={"kind": Field(Choice(FAULT_KINDS), "what does not work")},
        results={"ticket": Field(Digits(8), "the ticket's number")},
        refusals={**UNKNOWN_NUMBER, "TOO_MANY": "several reports of the number are open"},
        details={"ticket": Field(Digits(8), "the last open one", optional=True)},
        by_any_link=True,
    ),
    change(
        name="faults.close",
        means="The fault was mended, or is none.",
        arguments={"ticket": Field(Digits(8), "the ticket's number")},
        refusals={**UNKNOWN_NUMBER, "NO_SUCH_TICKET": "the number has no such open ticket"},
        asked_by="office",
    ),
)
