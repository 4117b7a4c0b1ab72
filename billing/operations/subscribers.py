"""Who holds a number, what it may use, and in which language its holder is answered."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, UNKNOWN_NUMBER, Operation, change
from billing.values import LANGUAGES, NETWORKS, STATUSES, Choice, Count, Field, Text

MANAGED_MOST: Final = 9

OPERATIONS: Final = (
    Operation(
        name="subscribers.hello",
        means="Who is calling: asked once, when a dialogue begins. Answered whatever the status is.",
        results={
            "network": Field(Choice(NETWORKS), "the network the number belongs to"),
            "brand": Field(Text(20), "the brand under which it was sold"),
            "status": Field(Choice(STATUSES), "what the number may use"),
            "language": Field(Choice(LANGUAGES), "the language chosen; absent until one is", optional=True),
            "manages": Field(Count(MANAGED_MOST), "how many other numbers it manages; absent: none", optional=True),
        },
        refusals=UNKNOWN_NUMBER,
        seconds_max=0.5,
        by_manager=True,
    ),
    change(
        name="subscribers.set_language",
        means="Remembers the language in which the subscriber wants to be answered.",
        arguments={"language": Field(Choice(LANGUAGES), "the language chosen")},
        results={"language": Field(Choice(LANGUAGES), "the language that is now remembered")},
        refusals={**NOT_IN_USE, "LANGUAGE_NOT_OFFERED": "the country of the number's network has no such language"},
        answer_notice="subscribers.language_set",
        by_any_link=True,
    ),
    change(
        name="subscribers.set_status",
        means=(
            "Says what the number may use from now on. A number that is closed loses its wallet's access, its "
            "delegations, codes and reservations, and may be given to somebody else."
        ),
        arguments={"status": Field(Choice(("active", "barred", "closed")), "from now on")},
        results={"status": Field(Choice(STATUSES), "what holds now")},
        refusals={**UNKNOWN_NUMBER, "CLOSED": "a closed number stays closed"},
        asked_by="office",
    ),
    change(
        name="subscribers.report_sim_change",
        means=(
            "The number has a new SIM card. For some days nothing is done that a thief of the number would want: no "
            "password, no PIN, no delegation."
        ),
        refusals={**UNKNOWN_NUMBER, "CLOSED": "the number is closed"},
        asked_by="network",
    ),
)
