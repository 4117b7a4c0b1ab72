"""What comes again, and what it was the last of."""

from __future__ import annotations

from ussd_engine import repeats
from ussd_engine.repeats import Heard, Repeat


def test_the_last_message_comes_again_and_those_before_it_are_outdated() -> None:
    heard = Heard()
    assert [heard.hears("7", mark, 0.0) for mark in ("a/1", "a/2", "a/2", "a/1", "a/3")] == [
        Repeat.NEW, Repeat.NEW, Repeat.AGAIN, Repeat.OUTDATED, Repeat.NEW,
    ]  # fmt: skip
    assert heard.hears("8", "a/2", 0.0) is Repeat.NEW  # another number's


def test_after_a_minute_a_mark_is_a_new_message() -> None:
    heard = Heard()
    heard.hears("7", "a/1", 0.0)
    assert heard.hears("7", "a/1", repeats.KEPT_SECONDS) is Repeat.AGAIN
    assert heard.hears("7", "a/1", repeats.KEPT_SECONDS + 1) is Repeat.NEW


def test_what_is_remembered_is_bounded() -> None:
    heard = Heard()
    for number in range(repeats.NUMBERS_MAX + 10):
        heard.hears(str(number), "a/1", 0.0)
    assert heard.hears("0", "a/1", 0.0) is Repeat.NEW
    for mark in range(repeats.OF_A_NUMBER_MAX + 1):
        heard.hears("x", f"a/{mark}", 0.0)
    assert heard.hears("x", "a/0", 0.0) is Repeat.NEW
    assert heard.hears("x", "a/2", 0.0) is Repeat.OUTDATED


def test_a_session_number_that_comes_again_counts_anew_and_its_begins_stay_known() -> None:
    heard = Heard()
    for mark, past in (("a/=05/0-one", "a/=05-"), ("a/=05-1", ""), ("a/=06-1", ""), ("a/=05/0-two", "a/=05-")):
        assert heard.hears("7", mark, 0.0, past) is Repeat.NEW
    assert heard.hears("7", "a/=05-1", 0.0) is Repeat.NEW
    assert heard.hears("7", "a/=06-1", 0.0) is Repeat.OUTDATED
    assert heard.hears("7", "a/=05/0-one", 0.0, "a/=05-") is Repeat.OUTDATED
    assert heard.hears("7", "a/=05-1", 0.0) is Repeat.AGAIN


def test_when_a_screen_was_accepted_is_known_by_its_link() -> None:
    heard = Heard()
    heard.hears("7", "a/1", 1.0)
    heard.accepts("7", "kcell", 2.0)
    assert heard.was_accepted("7", "kcell", 1.5)
    assert not heard.was_accepted("7", "kcell", 2.5)
    assert not heard.was_accepted("7", "megacom", 1.5)
    assert not heard.was_accepted("8", "kcell", 1.5)
