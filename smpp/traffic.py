"""What went over a link, counted: PDUs by command and status, quirks, and how long answers took (pure).

Rules of this file: counting costs a look-up, and nothing is formatted here; whoever shows figures reads the fields.
A peer may send any status: those outside the table of SMPP count as one, so that the counters stay few.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from smpp.constants import STATUS_NAMES

STATUS_OTHER: Final = -1
"""Any status that stands in no table."""
COMMAND_OTHER: Final = -1
"""Any command that SMPP 3.4 does not know."""
ANSWER_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WINDOW_DEPTHS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


class Distribution:
    """How often a value fell up to each bound; the last count is of what lay above all bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Traffic:
    """The counts of one link, over all of its connections."""

    __slots__ = ("enquire_seconds", "quirks", "received", "response_seconds", "sent", "window_depth")

    def __init__(self) -> None:
        self.received: Counter[tuple[int, int]] = Counter()  # (command_id, command_status)
        self.sent: Counter[tuple[int, int]] = Counter()
        self.quirks: Counter[str] = Counter()
        self.response_seconds = Distribution(ANSWER_SECONDS)  # of the peer, to requests of ours
        self.enquire_seconds = Distribution(ANSWER_SECONDS)  # the round trip of enquire_link
        self.window_depth = Distribution(WINDOW_DEPTHS)  # requests in flight, this one included, at each of ours


def known(status: int) -> int:
    """The status, or STATUS_OTHER for one that stands in no table."""
    return status if status in STATUS_NAMES else STATUS_OTHER
