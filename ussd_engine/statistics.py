"""How often each screen was entered, answered, answered wrongly and left, per service: plain counts, shown as metrics.

A count is one step in a dict, several times cheaper than a Prometheus counter with labels; they become one when
somebody asks (`collect`). Names are those of menus, so there is an end to them.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from .language.walk import Mark


class ScreenCounts(Collector):
    """Service, screen or option, and what happened there: entered, answered, wrong, cut, a call's outcome, left."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}

    def note(self, service: str, marks: tuple[Mark, ...]) -> None:
        """Counts what happened in a turn."""
        counts = self._counts
        for outcome, screen in marks:
            key = (service, screen, outcome)
            counts[key] = counts.get(key, 0) + 1

    def count(self, service: str, screen: str, outcome: str) -> int:
        """How often."""
        return self._counts.get((service, screen, outcome), 0)

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "ussd_menu", "What happened on screens and options of menus", labels=("service", "screen", "outcome")
        )
        for key, count in sorted(self._counts.items()):
            family.add_metric(key, count)
        yield family
