"""What became of a call whose answer did not arrive."""

from __future__ import annotations

from typing import Final

from billing.operation import Operation
from billing.values import Choice, Field, Id

OPERATIONS: Final = (
    Operation(
        name="calls.status",
        means=(
            "What became of an earlier call of the same number, asked when its outcome is unknown. Waits for a call "
            "that is being worked on. `unknown_call` says only that it has not arrived: it may still be on its way."
        ),
        arguments={"call": Field(Id(), "the id of the call asked about")},
        results={
            "outcome": Field(Choice(("done", "refused", "unknown_call")), "what became of it"),
            "refusal": Field(Id(), "the code, when it was refused", optional=True),
        },
        refusals={},
    ),
)
