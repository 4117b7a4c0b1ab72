"""Who holds a number, and in which language they are answered."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_IN_USE, UNKNOWN_NUMBER, Operation
from billing.values import LANGUAGES, NETWORKS, STATUSES, Choice, Field, Text

OPERATIONS: Final = (
    Operation(
        name="subscribers.hello",
        means="Who is calling: asked once, when a dialogue begins. Answered whatever the status is.",
        arguments={},
        results={
            "network": Field(Choice(NETWORKS), "the network the number belongs to"),
            "brand": Field(Text(20), "the brand under which it was sold"),
            "status": Field(Choice(STATUSES), "what the number may use"),
            "language": Field(Choice(LANGUAGES), "the language chosen; absent until one is", optional=True),
        },
        refusals=UNKNOWN_NUMBER,
        changes=False,
        status=None,
        seconds_max=0.5,
    ),
    Operation(
        name="subscribers.set_language",
        means="Remembers the language in which the subscriber wants to be answered.",
        arguments={"language": Field(Choice(LANGUAGES), "the language chosen")},
        results={"language": Field(Choice(LANGUAGES), "the language that is now remembered")},
        refusals={**NOT_IN_USE, "LANGUAGE_NOT_OFFERED": "the country of the number's network has no such language"},
        changes=True,
        status="calls.status",
        seconds_max=2.0,
        answer_notice="subscribers.language_set",
    ),
)
