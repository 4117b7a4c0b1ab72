"""Blocking a number that was lost, by its holder or who manages it; undone only at an office."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, UNKNOWN_NUMBER, change
from billing.values import Digits, Field, Text

OPERATIONS: Final = (
    change(
        name="blocking.block",
        means="Blocks the number, in the network as well. Only an office undoes it, with an identity document.",
        arguments={"last_digits": Field(Digits(4, 4), "the last four digits of the number, as they were typed")},
        refusals={**NOT_IN_USE, "WRONG_DIGITS": "the number ends in other digits"},
        by_manager=True,
    ),
    change(
        name="blocking.unblock",
        means="The holder has shown an identity document: the number is used as before.",
        arguments={"document": Field(Text(40), "kind and number of the document")},
        refusals={**UNKNOWN_NUMBER, "CLOSED": "the number is closed", "NOT_BLOCKED": "the number is not blocked"},
        asked_by="office",
    ),
)
