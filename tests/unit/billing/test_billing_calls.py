"""A call: its id stands for the intent, and its print-out gives nothing away."""

from __future__ import annotations

from billing.calls import Call, call_id


def test_a_turn_that_is_repeated_asks_under_the_same_id_and_any_other_under_another() -> None:
    ids = [call_id("s1", 3, "wallet.quote"), call_id("s1", 4, "wallet.quote"), call_id("s2", 3, "wallet.quote")]
    assert call_id("s1", 3, "wallet.quote") == ids[0]
    assert len({*ids, call_id("s1", 3, "balances.get")}) == 4


def test_a_call_that_is_printed_shows_neither_its_arguments_nor_the_whole_number() -> None:
    printed = f"{Call('id-1', 'wallet.confirm', '77010000007', 'kk', {'pin': '4711'})}"
    assert "4711" not in printed
    assert "77010000007" not in printed
    assert "…0007" in printed


def test_an_answer_is_wanted_by_sms_only_when_it_was_said() -> None:
    call = Call("id-1", "cabinet.temporary_password", "77010000007", "kk", {})
    assert not call.by_sms
    assert "by SMS" in f"{call._replace(by_sms=True)}"
