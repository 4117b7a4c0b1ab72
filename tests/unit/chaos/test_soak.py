"""What the soak makes of its samples."""

from __future__ import annotations

from chaos.report import Report
from chaos.soak import COUNT_AN_HOUR_MAX, Sample, _judge_slopes, slope


def test_a_slope_is_that_of_the_line_through_the_samples() -> None:
    assert slope([(0, 1.0), (10, 6.0), (20, 11.0)]) == 0.5
    assert slope([(0, 5.0), (10, 5.0)]) == 0
    assert slope([(3, 5.0)]) == 0


def test_what_grows_is_a_failure_and_what_filled_at_the_beginning_is_none() -> None:
    report = Report("soak", 1)
    grows = COUNT_AN_HOUR_MAX / 3600 * 2
    samples = [
        Sample(at, {"leak files": 10 + at * grows, "cache files": min(at, 100.0), "flat RSS MiB": 80.0})
        for at in range(0, 1800, 5)
    ]
    _judge_slopes(samples, report)
    assert [failure.split(" grows")[0] for failure in report.failures] == ["leak files"]
