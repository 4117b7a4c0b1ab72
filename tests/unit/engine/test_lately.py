"""What has happened lately: known for its time, for no longer, and never without bound."""

from __future__ import annotations

from ussd_engine.lately import Lately


def test_what_happens_again_in_time_is_a_repeat_of_the_first_time() -> None:
    lately = Lately(60.0)
    assert [lately.is_repeat("a/1-c0de", at) for at in (0.0, 0.1, 60.0, 60.2)] == [False, True, True, False]


def test_something_else_is_none() -> None:
    lately = Lately(60.0)
    heard = [("7", "a/1-c0de"), ("8", "a/1-c0de"), ("7", "b/1-c0de"), ("7", "a/2-c0de"), ("7", "a/1-f00d")]
    assert not any(lately.is_repeat(each, 1.0) for each in heard)
    assert all(lately.is_repeat(each, 2.0) for each in heard)


def test_the_last_time_is_told() -> None:
    lately = Lately(10.0)
    lately.note("7", 1.0)
    lately.note("7", 5.0)
    assert lately.when("7", 14.0) == 5.0
    assert lately.when("7", 15.1) is None
    assert lately.when("8", 14.0) is None


def test_what_is_remembered_is_bounded_and_the_latest_is_known() -> None:
    lately = Lately(60.0, most=100)
    for n in range(1000):
        lately.is_repeat(n, n * 0.01)
    assert lately.is_repeat(950, 10.0)
    assert not lately.is_repeat(1, 10.0)
    assert len(lately._noted) + len(lately._before) <= 200
