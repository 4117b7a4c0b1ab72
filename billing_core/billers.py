"""The port to billers: whoever is paid over the wallet, and is no account of ours.

Rules of this file (only the promise):
- A payment is asked for under our id. Asked for again under it, a biller does nothing a second time.
- A biller says yes or a definite no; anything else, silence too, is `NotKnown`: it may have happened.
"""

from __future__ import annotations

import uuid
from typing import NamedTuple, Protocol, TypeAlias


class Order(NamedTuple):
    """A payment to a biller: `payment_id` is ours and stays, `sum_minor` in hundredths."""

    payment_id: uuid.UUID
    biller: str
    service: str
    account: str
    sum_minor: int
    currency: str


class Accepted(NamedTuple):
    """The biller has it."""


class Declined(NamedTuple):
    """The biller will never have it. `why` is for people."""

    why: str


class NotKnown(NamedTuple):
    """It may have it or not. `why` is for people."""

    why: str


Answer: TypeAlias = Accepted | Declined | NotKnown


class NoBillers:
    """None is connected: nothing is paid."""

    async def pay(self, _order: Order, _seconds_max: float) -> Answer:
        """As the port says."""
        return Declined("no biller is connected")

    async def ask(self, _order: Order, _seconds_max: float) -> Answer:
        """As the port says."""
        return NotKnown("no biller is connected")


class Billers(Protocol):
    """All billers. Every failure is an answer; nothing is raised but for a mistake of the program."""

    async def pay(self, order: Order, seconds_max: float) -> Answer:
        """Asks for the payment, waiting at most `seconds_max`."""
        ...

    async def ask(self, order: Order, seconds_max: float) -> Answer:
        """Asks what became of it. `Declined` when the biller has never heard of it, and never will."""
        ...
