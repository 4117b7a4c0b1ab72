"""SMS that came in: each is taken once, however often the network delivers it."""

from __future__ import annotations

from typing import Final

from billing.operation import UNKNOWN_NUMBER, change
from billing.values import Field, Flag, Id

OPERATIONS: Final = (
    change(
        name="inbox.accept",
        means=(
            "Takes an SMS of the subscriber to a short number, before anything is done about it. The same SMS "
            "delivered again gets the same `inbox_id`; what is done about it is called by an id made from that one, "
            "so that it is done once. The text itself is not told."
        ),
        arguments={
            "link": Field(Id(), "the link it came by"),
            "short_number": Field(Id(), "the number it was sent to"),
            "digest": Field(Id(), "SHA-256 of its text, in hex"),
            "smsc_id": Field(Id(), "the SMSC's own id of it; without one, the same text within 10 s", optional=True),
        },
        results={
            "inbox_id": Field(Id(), "what this SMS is called from now on"),
            "repeated": Field(Flag(), "it was taken before"),
        },
        refusals={**UNKNOWN_NUMBER, "TOO_MANY": "the number has sent too many within the hour"},
        by_any_link=True,
    ),
)
