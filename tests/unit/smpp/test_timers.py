"""The timers of a session, told as stories with a clock that only the test moves."""

from __future__ import annotations

from smpp.limits import Limits
from smpp.timers import Due, Timers

LIMITS = Limits()


def bound_timers() -> Timers:
    timers = Timers(LIMITS, 0.0)
    timers.bound = True
    return timers


def test_a_peer_that_does_not_bind_is_ended_after_five_seconds_whatever_it_sends() -> None:
    timers = Timers(LIMITS, 100.0)
    for now in (101.0, 102.0, 103.0, 104.9):
        timers.heard(now)
        assert timers.tick(now) is None
    assert timers.tick(105.0) is Due.NOT_BOUND


def test_silence_is_asked_after_twice_and_then_ends_the_session() -> None:
    timers = bound_timers()
    assert timers.tick(29.9) is None
    assert timers.tick(30.0) is Due.ENQUIRE
    assert timers.tick(30.1) is None
    assert timers.tick(40.0) is Due.ENQUIRE
    assert timers.tick(49.9) is None
    assert timers.tick(50.0) is Due.PEER_SILENT


def test_anything_heard_takes_back_the_doubt() -> None:
    timers = bound_timers()
    assert timers.tick(30.0) is Due.ENQUIRE
    assert timers.tick(40.0) is Due.ENQUIRE
    timers.heard(41.0)
    assert timers.tick(50.0) is None
    assert timers.tick(71.0) is Due.ENQUIRE
    assert timers.tick(81.0) is Due.ENQUIRE
    assert timers.tick(91.0) is Due.PEER_SILENT


def test_a_late_tick_asks_once_not_as_often_as_it_missed() -> None:
    timers = bound_timers()
    assert timers.tick(300.0) is Due.ENQUIRE
    assert timers.tick(300.1) is None


def test_our_bind_has_half_a_minute_to_be_answered() -> None:
    timers = Timers(LIMITS, 0.0)
    timers.bind_sent_at = 0.0
    assert timers.tick(29.0) is None
    assert timers.tick(30.0) is Due.BIND_UNANSWERED


def test_a_pdu_that_has_begun_must_be_whole_in_time_even_on_a_lively_link() -> None:
    timers = bound_timers()
    timers.partial_at = 10.0
    timers.heard(14.0)
    assert timers.tick(14.9) is None
    assert timers.tick(15.0) is Due.PARTIAL_PDU


def test_our_unbind_is_waited_for_five_seconds_and_nothing_else_is_asked_meanwhile() -> None:
    timers = bound_timers()
    timers.unbind_sent_at = 29.0
    assert timers.tick(33.0) is None
    assert timers.tick(34.0) is Due.UNBIND_UNANSWERED
