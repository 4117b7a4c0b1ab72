"""What the engine counts, as Prometheus metrics; labels are bound once, so that counting costs a quarter of a µs.

No label ever holds what a peer or subscriber may choose: numbers and codes are not labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from billing.breaker import Breaker
from billing.calls import Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS

from .record import ENDED
from .statistics import ScreenCounts

OUTCOMES: dict[type, str] = {Done: "done", Refused: "refused", Unknown: "unknown", NotMade: "not_made"}
TURN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The engine's counters, in a registry of their own."""

    def __init__(self) -> None:  # long because: every metric once
        registry = self.registry = CollectorRegistry()
        self._log = structlog.get_logger()
        inputs = Counter("ussd_inputs", "Messages from peers, by what became of them", ["kind"], registry=registry)
        self.begins = inputs.labels("begin")
        self.answers = inputs.labels("answer")
        self.aborts = inputs.labels("abort")
        self.duplicates = inputs.labels("duplicate")
        self.throttled = inputs.labels("throttled")
        self.too_often = inputs.labels("too_often")
        self.refused = inputs.labels("refused")
        screens = Counter("ussd_screens", "Screens, by what became of them", ["outcome"], registry=registry)
        self.screens_sent = screens.labels("sent")
        self.screens_refused = screens.labels("refused")
        self.screens_expired = screens.labels("unanswered")
        self.screens_homeless = screens.labels("no_link")
        self.screens_late = screens.labels("late")
        self.apologies = screens.labels("apology")
        self.turn_seconds = Histogram(
            "ussd_turn_seconds", "From a message to its screen", buckets=TURN_SECONDS, registry=registry
        )
        self.turns_in_flight = Gauge("ussd_turns_in_flight", "Turns being worked on", registry=registry)
        self._calls = Counter("ussd_calls", "Calls of the core, by outcome", ["call", "outcome"], registry=registry)
        self._call = {
            (name, outcome): self._calls.labels(name, word) for name in OPERATIONS for outcome, word in OUTCOMES.items()
        }
        seconds = Histogram(
            "ussd_call_seconds", "How long calls of the core took", ["call"], buckets=TURN_SECONDS, registry=registry
        )
        self._call_seconds = {name: seconds.labels(name) for name in OPERATIONS}
        self.screens = ScreenCounts()
        registry.register(self.screens)
        self._ended = Counter("ussd_dialogues_ended", "Dialogues, by cause", ["service", "cause"], registry=registry)
        self._faults = Counter("ussd_faults", "Faults of ours that a subscriber has seen", registry=registry)
        self._menu_versions = Gauge("ussd_menu_versions", "Versions of services in this process", registry=registry)
        self._menu_swaps = Gauge("ussd_menu_swaps", "Live changes put in force", registry=registry)
        self._menu_refusals = Gauge("ussd_menu_refusals", "Live changes refused", registry=registry)
        self._menus_refused = Gauge(
            "ussd_menus_refused", "1 while the files are not what is in force", registry=registry
        )
        self.records_lost = Counter("ussd_records_lost", "Histories that could not be kept", registry=registry)
        self.records_failed = Counter("ussd_records_failed", "Writes of records that failed", registry=registry)
        self.loop_lag = Histogram(
            "ussd_loop_lag_seconds", "How late the loop was", buckets=TURN_SECONDS, registry=registry
        )
        sms = Counter("ussd_sms", "SMS, by what became of them", ["outcome"], registry=registry)
        self.sms_received = sms.labels("received")
        self.sms_sent = sms.labels("sent")
        self.sms_refused = sms.labels("not_accepted")
        self.sms_put_off = sms.labels("put_off")
        self.receipts = Counter("ussd_receipts", "Delivery receipts of our SMS", ["state"], registry=registry)
        self.notices = Counter("ussd_notices", "Notices of the core, by answer", ["answer"], registry=registry)
        self.pushes = Counter("ussd_pushes", "Dialogues begun by us, by answer", ["answer"], registry=registry)
        self.dials_failed = Counter("smpp_dials_failed", "Tries to bind that failed", ["link"], registry=registry)
        self.binds = Gauge("smpp_binds", "Open binds", ["link"], registry=registry)
        self.binds_refused = Counter("smpp_binds_refused", "Binds that were refused", registry=registry)
        self.passwords_evaluated = Counter(
            "smpp_passwords_evaluated", "Passwords of binds that were evaluated", registry=registry
        )
        ProcessCollector(registry=registry)

    def begin_with(self, links: Iterable[str]) -> None:
        """A link counts from the start: one that nobody ever binds is down, and not unknown."""
        for link in links:
            self.binds.labels(link)
            self.dials_failed.labels(link)

    def shows(self, breakers: Mapping[str, Breaker], tasks: Callable[[], float], timers: Callable[[], float]) -> None:
        """What is looked at when somebody asks: whether calls are held back, and what only a leak lets grow."""
        is_open = Gauge(
            "ussd_breaker_open", "1 while calls of a domain are held back", ["domain"], registry=self.registry
        )
        for domain, breaker in breakers.items():
            is_open.labels(domain).set_function(partial(_is_open, breaker))
        Gauge("ussd_tasks", "Tasks on the loop", registry=self.registry).set_function(tasks)
        Gauge("smpp_timers", "Timers of connections", registry=self.registry).set_function(timers)

    def call_made(self, operation: str, outcome: Outcome, seconds: float) -> None:
        """A call of the core has ended."""
        self._call[operation, type(outcome)].inc()
        self._call_seconds[operation].observe(seconds)

    def dialogue_ended(self, service: str, screen: str, cause: str) -> None:
        """A dialogue is over; `screen`: where it stood."""
        self._ended.labels(service, cause).inc()
        if cause != ENDED:
            self.screens.note(service, ((f"left {cause}", screen),))

    def menus(self, versions: int, swaps: int, refusals: int, *, refused: bool) -> None:
        """How it stands with live changes of menus."""
        self._menu_versions.set(versions)
        self._menu_swaps.set(swaps)
        self._menu_refusals.set(refusals)
        self._menus_refused.set(refused)

    def failed(self, what: str, msisdn: str) -> None:
        self._faults.inc()
        self._log.error("turn failed", what=what, msisdn=msisdn)


def _is_open(breaker: Breaker) -> float:
    return float(breaker.is_open)
