"""The alert rules for Prometheus: each looks at what is really counted, and the page for operators says what to do."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from billing_core.measures import Measures
from ussd_engine.link_metrics import LinkMetrics
from ussd_engine.link_states import LinkStates
from ussd_engine.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
GROUPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"]
ALERTS: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
PAGE = (ROOT / "docs" / "operations.md").read_text()
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",), "info": ("_info",)}
WORDS = {
    *("by", "le", "sum", "rate", "increase", "histogram_quantile", "max", "min", "and", "up", "unless", "without"),
    *("instance", "link", "status", "kind", "outcome", "job"),
}
CLOSED_LABELS = {("ussd_inputs_total", "kind"), ("ussd_screens_total", "outcome"), ("ussd_sms_total", "outcome")}
"""Of these, every value is bound when the engine starts, so that a misspelt one shows here."""


@functools.cache
def counted() -> dict[str, set[str]]:
    """Every metric that the two programs show, by name, with the names of its labels."""
    registry = Metrics().registry
    registry.register(LinkMetrics(LinkStates({}, lambda: 0.0, lambda: 0.0), dict))
    return {**_of(registry), **_of(Measures().registry)}


def _of(registry: CollectorRegistry) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for family in registry.collect():
        for suffix in SUFFIXES.get(family.type, ("",)):
            labels = {label for sample in family.samples for label in sample.labels}
            found[family.name + suffix] = labels | set(getattr(family, "_labelnames", ()))
    return found


def metrics_of(expression: str) -> Iterator[str]:
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\[[0-9a-z]+\]", " ", expression)
    yield from (word for word in re.findall(r"[a-z][a-z_0-9]+", bare) if word not in WORDS)


@pytest.mark.parametrize("alert", ALERTS, ids=[each["alert"] for each in ALERTS])
def test_an_alert_looks_at_what_is_counted(alert: dict[str, Any]) -> None:
    known = counted()
    named = list(metrics_of(alert["expr"]))
    assert named or 'up{job="' in alert["expr"]
    assert [each for each in named if each not in known] == []


@pytest.mark.parametrize("alert", ALERTS, ids=[each["alert"] for each in ALERTS])
def test_the_values_of_labels_that_it_asks_for_exist(alert: dict[str, Any]) -> None:
    samples = [sample for family in Metrics().registry.collect() for sample in family.samples]
    for metric, label, values in re.findall(r"([a-z_]+)\{([a-z]+)=~?\"([^\"]*)\"", alert["expr"]):
        if (metric, label) in CLOSED_LABELS:
            there = {sample.labels.get(label) for sample in samples if sample.name == metric}
            assert set(values.split("|")) <= there


@pytest.mark.parametrize("alert", ALERTS, ids=[each["alert"] for each in ALERTS])
def test_an_alert_says_how_urgent_it_is_and_what_has_happened(alert: dict[str, Any]) -> None:
    assert set(alert) <= {"alert", "expr", "for", "labels", "annotations"}
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert alert["annotations"]["summary"]


def test_the_page_for_operators_has_a_row_for_each_alert_and_no_other() -> None:
    part = PAGE.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([A-Za-z]+)` \| (page|ticket) \|(.*)\|$", part, re.MULTILINE)
    assert [row[:2] for row in rows] == [(each["alert"], each["labels"]["severity"]) for each in ALERTS]
    for name, _severity, cells in rows:
        assert [bool(cell.strip()) for cell in cells.split(" | ")] == [True] * 3, name


def test_the_page_names_no_metric_that_is_not_counted() -> None:
    known = counted()
    bases = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in known} | set(known)
    named = re.findall(r"`((?:ussd|smpp|billing_core)_[a-z_]+)[`{]", PAGE)
    assert [each for each in named if each not in bases] == []
