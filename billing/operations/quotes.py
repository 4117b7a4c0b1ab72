"""What all quoted changes share: first a quote, which is kept and shown, then its confirmation, once.

Rules of this file (pure):
- A quote stands for the intent. It is kept under the id of the call that made it, holds for some minutes, and is done
  once, whatever confirms it how often.
- What confirms it is never the key of the screen before: two digits drawn with the quote and shown, the last four of a
  number, or a PIN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from billing.values import Count, Digits, Field, Id, Money

INTENT: Final = Field(Id(), "the quote's id: what is to be confirmed")
DIGITS: Final = Field(Digits(2, 2), "drawn with the quote and shown; who confirms it types them")

QUOTED: Final[Mapping[str, Field]] = {"intent": INTENT, "digits": DIGITS}
"""Results of a quote that two digits confirm."""
CONFIRMS: Final[Mapping[str, Field]] = {"intent": INTENT, "digits": Field(Digits(2, 2), "as they were typed")}
"""Arguments of its confirmation."""
NOT_CONFIRMED: Final[Mapping[str, str]] = {
    "NO_SUCH_QUOTE": "the number has no such quote",
    "EXPIRED": "the quote is too old, or was given up",
    "WRONG_DIGITS": "other digits were shown; after three tries the quote is void",
}
"""Refusals of its confirmation."""
TRIES_LEFT: Final = Field(Count(9), "tries that are left", optional=True)

NOT_ENOUGH: Final[Mapping[str, str]] = {"NOT_ENOUGH_MONEY": "the account does not cover it"}
MISSING: Final = Field(Money(least=0), "how much is missing", optional=True)
