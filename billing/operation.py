"""What one operation of the billing contract is, and the refusals that many of them share.

Rules of this file (pure): who is served, by the status of a number: `active` everything; `barred` for debt: balance,
voucher, extra balance, language, help; `blocked` by its owner and `closed`: help only. The core looks at the status
again in every operation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from billing.values import Field, Secret

ASKERS: Final = ("subscriber", "office", "payments", "network")
"""Who asks: what subscribers use (menus, cabinet, voice line); people at a desk who have seen a document; terminals and
branches that take money; and the network itself."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing the billing core can be asked to do.

    `refusals`: code → meaning. `changes`: it alters something that lasts. `status`: the operation that tells the
    outcome by the call's id. `seconds_max`: how long a caller waits at most. `details`: what a refusal may carry,
    all of them optional. `answer_notice`: the event of `billing.notices` that is written in the operation's own
    transaction when it was done and its answer was wanted by SMS (`Call.by_sms`); whoever asked so sends no answer
    of their own. `by_dialling`: it may be made by what is dialled, with no answer typed on a screen: it does no
    harm when somebody is made to dial it, and is limited, as a quote is that only a PIN can confirm. `asked_by`:
    one of `ASKERS`, whose key may ask for it. `by_manager`: who manages the number may ask for it (`Call.by`).
    `by_any_link`: it may be asked for over a link that is not trusted to say whose number it is: it moves no money,
    opens no door, and is limited.
    """

    name: str
    means: str
    arguments: Mapping[str, Field] = dataclasses.field(default_factory=dict)
    results: Mapping[str, Field] = dataclasses.field(default_factory=dict)
    refusals: Mapping[str, str] = dataclasses.field(default_factory=dict)
    changes: bool = False
    status: str | None = None
    seconds_max: float = 1.0
    details: Mapping[str, Field] = dataclasses.field(default_factory=dict)
    answer_notice: str | None = None
    by_dialling: bool = False
    asked_by: str = "subscriber"
    by_manager: bool = False
    by_any_link: bool = False

    @property
    def needs_trust(self) -> bool:
        """Whether it is only for links that the operator itself runs: it changes something, or takes a secret."""
        return (self.changes or self.takes_secret) and not self.by_any_link

    @property
    def takes_secret(self) -> bool:
        """Whether an argument is a secret: such a call is made once, and never made again."""
        return any(isinstance(field.type, Secret) for field in self.arguments.values())

    @property
    def quotes(self) -> bool:
        """Whether it keeps a quote, for another to confirm."""
        return self.changes and "intent" in self.results

    @property
    def confirms(self) -> bool:
        """Whether it does what was quoted."""
        return self.changes and "intent" in self.arguments


STATUS: Final = "calls.status"
change: Final = partial(Operation, changes=True, status=STATUS, seconds_max=2.0)
"""An operation that changes something, as most of them are."""

UNKNOWN_NUMBER: Final[Mapping[str, str]] = {"UNKNOWN_NUMBER": "the core has no subscriber with this number"}
NOT_MANAGED: Final[Mapping[str, str]] = {"NOT_MANAGED": "who asks does not manage the number, or not while it owes"}
NOT_IN_USE: Final[Mapping[str, str]] = {
    **UNKNOWN_NUMBER,
    "BLOCKED": "the number is blocked by its owner",
    "CLOSED": "the number is closed",
}
NOT_WHILE_BARRED: Final[Mapping[str, str]] = {**NOT_IN_USE, "BARRED": "the number is barred for debt"}
