"""The breaker, told as stories without a clock."""

from __future__ import annotations

import pytest

from billing.breaker import Breaker


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker(failures_max=3, open_seconds=5)
    for _ in range(3):
        breaker.failed(now)
    return breaker


def test_it_stays_closed_while_successes_come_between_the_failures() -> None:
    breaker = Breaker(failures_max=3, open_seconds=5)
    for now in range(20):
        breaker.failed(now)
        breaker.failed(now)
        breaker.succeeded()
        assert breaker.admits(now)


def test_it_opens_with_the_last_of_so_many_failures_in_a_row() -> None:
    breaker = Breaker(failures_max=2, open_seconds=5)
    breaker.failed(100)
    assert breaker.admits(100)
    breaker.failed(100)
    assert not breaker.admits(100)
    assert breaker.is_open


def test_after_the_pause_one_trial_passes_and_no_second_one() -> None:
    breaker = opened()
    assert not breaker.admits(104.9)
    assert breaker.admits(105)
    assert not breaker.admits(105)


def test_a_trial_that_succeeds_closes_it() -> None:
    breaker = opened()
    assert breaker.admits(105)
    breaker.succeeded()
    assert breaker.admits(105)
    assert not breaker.is_open


def test_a_trial_that_fails_waits_for_the_next_pause() -> None:
    breaker = opened()
    assert breaker.admits(105)
    breaker.failed(106)
    assert not breaker.admits(109.9)
    assert breaker.admits(110)


def test_a_trial_that_never_reports_back_does_not_keep_it_open_for_ever() -> None:
    breaker = opened()
    assert breaker.admits(105)
    assert breaker.admits(110)


def test_late_failures_of_earlier_calls_do_not_push_the_trial_away() -> None:
    breaker = opened()
    breaker.failed(104)
    assert breaker.admits(105)


@pytest.mark.parametrize(("failures_max", "open_seconds"), [(0, 5.0), (1, 0.0)])
def test_a_breaker_that_could_never_work_is_not_made(failures_max: int, open_seconds: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Breaker(failures_max, open_seconds)
