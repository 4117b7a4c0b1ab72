"""What the core counts, for Prometheus.

Rules of this file: labels are bound beforehand, for a labelled look-up would cost more than the counting; no number of
a subscriber is a label.
"""

from __future__ import annotations

import prometheus_client

from billing.contract import OPERATIONS
from billing.events import EVENTS

NOTICE_OUTCOMES = ("accepted", "later", "rejected", "expired")


class Measures:
    """All measures of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=registry)
        calls = prometheus_client.Counter(
            "billing_core_calls", "calls answered", ["operation", "outcome"], registry=registry
        )
        seconds = prometheus_client.Histogram(
            "billing_core_call_seconds",
            "from the request's last octet to its answer",
            ["operation"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
            registry=registry,
        )
        self.problems = prometheus_client.Counter(
            "billing_core_problems", "requests that were not served", ["status"], registry=registry
        )
        self.done = {name: calls.labels(name, "done") for name in OPERATIONS}
        self.refused = {name: calls.labels(name, "refused") for name in OPERATIONS}
        self.seconds = {name: seconds.labels(name) for name in OPERATIONS}
        self.password_ceiling = prometheus_client.Counter(
            "billing_core_password_ceiling",
            "temporary passwords refused because all numbers together asked for too many: an alarm",
            registry=registry,
        )
        self.payments_for_people = prometheus_client.Gauge(
            "billing_core_payments_for_people",
            "payments whose biller has not answered for long: an alarm; `billing-core reconcile` lists them",
            registry=registry,
        )
        self.payments_contradicted = prometheus_client.Counter(
            "billing_core_payments_contradicted",
            "answers of billers against what was settled already: an alarm",
            registry=registry,
        )
        self._add_notices()

    def _add_notices(self) -> None:
        notices = prometheus_client.Counter(
            "billing_core_notices",
            "tries to hand an SMS over, by what they came to; `rejected` and `expired` are alarms",
            ["event", "outcome"],
            registry=self.registry,
        )
        self.notices = {(e, o): notices.labels(e, o) for e in EVENTS for o in NOTICE_OUTCOMES}
        self.notices_waiting = prometheus_client.Gauge(
            "billing_core_notices_waiting", "SMS that the engine has not accepted yet", registry=self.registry
        )
        self.notices_rejected = prometheus_client.Gauge(
            "billing_core_notices_rejected",
            "of them, those that the engine says can never be sent: an alarm",
            registry=self.registry,
        )
        self.notices_oldest_seconds = prometheus_client.Gauge(
            "billing_core_notices_oldest_seconds", "the age of the oldest of them", registry=self.registry
        )
