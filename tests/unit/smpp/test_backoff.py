"""The waits between tries to bind, without a clock and with chosen luck."""

from __future__ import annotations

import random

import pytest

from smpp import constants as c
from smpp.backoff import (
    ABSENT_SECONDS_MAX,
    ABSENT_SECONDS_MIN,
    ALREADY_BOUND_SECONDS_MIN,
    STEADY_SECONDS,
    WAIT_SECONDS_MAX,
    WAIT_SECONDS_MIN,
    WRONG_ACCOUNT,
    WRONG_ACCOUNT_SECONDS_MIN,
    Backoff,
)


def unlucky() -> float:
    """All but 1: the longest wait that may be drawn."""
    return 1.0


def lucky() -> float:
    return 0.0


def test_the_ceiling_doubles_and_stays_at_a_minute() -> None:
    backoff = Backoff(unlucky)
    assert [backoff.after_failure() for _ in range(8)] == [2, 4, 8, 16, 32, 60, 60, 60]


def test_no_wait_is_shorter_than_a_second_whatever_the_luck() -> None:
    backoff = Backoff(lucky)
    assert {backoff.after_failure() for _ in range(1000)} == {WAIT_SECONDS_MIN}
    assert backoff.after_loss(0.0) == WAIT_SECONDS_MIN


def test_waits_are_spread_over_the_whole_range() -> None:
    """So that many engines do not come back in step."""
    waits = []
    for seed in range(200):
        backoff = Backoff(random.Random(seed).random)
        for _ in range(9):
            backoff.after_failure()
        waits.append(backoff.after_failure())
    assert min(waits) < 5
    assert max(waits) > 55


def test_a_peer_that_thinks_we_are_bound_is_given_time() -> None:
    assert Backoff(lucky).after_failure(c.ESME_RALYBND) == ALREADY_BOUND_SECONDS_MIN
    assert Backoff(unlucky).after_failure(c.ESME_RALYBND) == 2 * ALREADY_BOUND_SECONDS_MIN


@pytest.mark.parametrize("status", sorted(WRONG_ACCOUNT))
def test_a_wrong_account_is_tried_seldom_from_the_first_time_on(status: int) -> None:
    assert Backoff(lucky).after_failure(status) == WRONG_ACCOUNT_SECONDS_MIN
    assert Backoff(unlucky).after_failure(status) == WAIT_SECONDS_MAX


def test_a_bind_that_lasted_makes_the_waits_short_again() -> None:
    backoff = Backoff(unlucky)
    for _ in range(9):
        backoff.after_failure()
    assert backoff.after_loss(STEADY_SECONDS) == ABSENT_SECONDS_MAX
    assert backoff.failures == 1
    assert backoff.after_failure() == 2


def test_a_centre_that_is_not_there_is_tried_about_once_a_second_for_as_long_as_it_takes() -> None:
    backoff = Backoff(unlucky)
    assert {backoff.after_absence() for _ in range(1000)} == {ABSENT_SECONDS_MAX}
    assert backoff.failures == 1000
    assert Backoff(lucky).after_absence() == ABSENT_SECONDS_MIN
    assert backoff.after_failure() == 2  # who was not there has not refused us


def test_a_peer_that_binds_and_hangs_up_is_waited_for_longer_each_time() -> None:
    backoff = Backoff(unlucky)
    assert [backoff.after_loss(0.1) for _ in range(6)] == [2, 4, 8, 16, 32, 60]
