"""The inputs of the last minute: known for a minute, for no longer, and never without bound."""

from __future__ import annotations

from ussd_engine.lately import Lately


def test_the_same_octets_of_the_same_connection_are_a_repeat_for_a_minute() -> None:
    lately = Lately()
    assert [lately.hears("7", "a/1-c0de", at) for at in (0.0, 0.1, 60.0, 60.2)] == [False, True, True, False]


def test_another_number_connection_sequence_or_text_is_none() -> None:
    lately = Lately()
    heard = [("7", "a/1-c0de"), ("8", "a/1-c0de"), ("7", "b/1-c0de"), ("7", "a/2-c0de"), ("7", "a/1-f00d")]
    assert not any(lately.hears(msisdn, mark, 1.0) for msisdn, mark in heard)
    assert all(lately.hears(msisdn, mark, 2.0) for msisdn, mark in heard)


def test_what_is_remembered_is_bounded_and_the_latest_is_known() -> None:
    lately = Lately(inputs_max=100)
    for n in range(1000):
        lately.hears("7", f"a/{n}-0", n * 0.01)
    assert lately.hears("7", "a/950-0", 10.0)
    assert not lately.hears("7", "a/1-0", 10.0)
    assert len(lately._heard) + len(lately._before) <= 200
