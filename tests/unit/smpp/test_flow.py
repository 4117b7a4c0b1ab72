"""How fast we send: a bucket, slowed down by a peer that is throttled, told with a clock that only the test moves."""

from __future__ import annotations

import pytest

from smpp.flow import PER_SECOND_MIN, Flow


def sent_within(flow: Flow, begin: float, seconds: float, step: float = 0.01) -> int:
    """How many messages leave in so many seconds when there are always more."""
    count, now = 0, begin
    while now < begin + seconds:
        while not flow.wait_seconds(now) and count < 1_000_000:
            flow.sent(now)
            count += 1
        now += step
    return count


@pytest.mark.parametrize(("per_second", "seconds", "expected"), [(10, 10, 109), (0.5, 20, 10), (100, 1, 199)])
def test_a_rate_is_kept_and_a_second_s_worth_may_go_at_once(per_second: float, seconds: float, expected: int) -> None:
    assert sent_within(Flow(per_second, 0.0), 0.0, seconds) == pytest.approx(expected, abs=2)


def test_a_rate_of_zero_bounds_nothing_and_divides_by_nothing() -> None:
    flow = Flow(0, 0.0)
    for _ in range(1000):
        assert flow.wait_seconds(0.0) == 0.0
        flow.sent(0.0)


def test_a_throttled_link_sends_at_half_its_rate_and_comes_back() -> None:
    flow = Flow(40, 0.0)
    sent_within(flow, 0.0, 1)
    flow.throttled(1.0)
    assert flow.per_second == 20
    assert sent_within(flow, 1.0, 1) == pytest.approx(20, abs=2)
    sent_within(flow, 2.0, 10)
    assert flow.per_second == 40


def test_refusals_that_answer_one_burst_halve_the_rate_once() -> None:
    flow = Flow(40, 0.0)
    for _ in range(40):
        flow.throttled(0.5)
    assert flow.per_second == 20
    flow.throttled(1.6)
    assert flow.per_second == 10


def test_an_unbounded_link_is_halved_from_what_it_sent_and_unbounded_again_in_time() -> None:
    flow = Flow(0, 0.0)
    for number in range(200):
        assert not flow.wait_seconds(number / 200)
        flow.sent(number / 200)
    flow.throttled(1.0)
    assert flow.per_second == 100
    sent_within(flow, 1.0, 12)
    assert flow.per_second == 0


def test_however_often_a_peer_refuses_something_is_still_tried() -> None:
    flow = Flow(1, 0.0)
    for second in range(0, 100, 2):
        flow.throttled(float(second))
    assert flow.per_second == PER_SECOND_MIN
    assert flow.wait_seconds(100.0) <= 20


def test_a_refusal_never_makes_a_slow_link_faster() -> None:
    flow = Flow(0.05, 0.0)
    flow.throttled(1.0)
    assert flow.per_second == 0.05
