"""The traffic of links as metrics: read from their counts when somebody asks, so that counting costs nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from smpp.constants import command_name, status_name
from smpp.traffic import COMMAND_OTHER, STATUS_OTHER, Distribution

from .link_states import LinkStates

_HISTOGRAMS = {
    "response_seconds": ("smpp_response_seconds", "How long peers took to answer requests of ours"),
    "enquire_seconds": ("smpp_enquire_link_seconds", "Round trips of enquire_link"),
    "window_depth": ("smpp_window_depth", "Requests of ours in flight, at each that was sent"),
}


class LinkMetrics(Collector):
    """Counters by link, command and status; quirks by kind; answers, round trips and window depths as histograms."""

    def __init__(self, states: LinkStates, in_flight: Callable[[], Mapping[str, int]]) -> None:
        """`in_flight`: requests of ours without an answer just now, by link."""
        self._states = states
        self._in_flight = in_flight

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Nothing before it is asked for."""
        return iter(())

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        states = self._states.all()
        pdus = CounterMetricFamily(
            "smpp_pdus", "PDUs, by direction, command and status", labels=["link", "direction", "command", "status"]
        )
        quirks = CounterMetricFamily("smpp_quirks", "Oddities of peers that were tolerated", labels=["link", "kind"])
        wrong = GaugeMetricFamily(
            "smpp_wrong_account", "1 while the peer refuses our system_id or password: for people", labels=["link"]
        )
        rate = GaugeMetricFamily("smpp_rate_per_second", "How fast we may send; 0: unbounded", labels=["link"])
        waiting = GaugeMetricFamily("smpp_in_flight", "Requests of ours without an answer", labels=["link"])
        for name, state in states.items():
            traffic = state.traffic
            for direction, counts in (("in", traffic.received), ("out", traffic.sent)):
                for (command_id, status), count in list(counts.items()):
                    word = "other" if status == STATUS_OTHER else status_name(status)
                    command = "other" if command_id == COMMAND_OTHER else command_name(command_id)
                    pdus.add_metric([name, direction, command, word], count)
            for kind, count in list(traffic.quirks.items()):
                quirks.add_metric([name, kind], count)
            wrong.add_metric([name], float(state.wrong_account))
            rate.add_metric([name], state.flow.per_second)
        for kind, count in list(self._states.quirks_of_strangers.items()):
            quirks.add_metric(["", kind], count)
        for name, count in self._in_flight().items():
            waiting.add_metric([name], count)
        yield from (pdus, quirks, wrong, rate, waiting)
        for field, (metric, what) in _HISTOGRAMS.items():
            family = HistogramMetricFamily(metric, what, labels=["link"])
            for name, state in states.items():
                distribution: Distribution = getattr(state.traffic, field)
                family.add_metric([name], _buckets(distribution), distribution.total)
            yield family


def _buckets(distribution: Distribution) -> list[tuple[str, float]]:
    """Cumulative, as the format wants them."""
    found, count = [], 0
    for bound, more in zip((*map(str, distribution.bounds), "+Inf"), distribution.counts, strict=True):
        count += more
        found.append((bound, float(count)))
    return found
