"""Call me, pay for me, free SMS: free, and limited on both sides. Each story has numbers of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from billing.calls import Done, Refused

from .running_core import Core
from .stories import HOUR, MIDNIGHT, NOON, SECOND, balance, kcell, som, with_balance

NOT_REACHED = Refused("NOT_REACHED", {})


@pytest.fixture(autouse=True)
def _it_is_noon(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


async def call_me(core: Core, number: str, to: str, call_id: str | None = None) -> Done | Refused:
    return await core.do("requests.call_me", number, to=to, call_id=call_id)


async def pay_for_me(core: Core, number: str, to: str) -> Done | Refused:
    return await core.do("requests.pay_for_me", number, to=to)


async def free_sms(core: Core, number: str, to: str, text: str = "Буду в семь") -> Done | Refused:
    return await core.do("requests.free_sms", number, to=to, text=text)


def left(count: int) -> Done:
    return Done({"left": count})


def too_many(count: int) -> Refused:
    return Refused("TOO_MANY", {"left": count})


# --- what they do ---------------------------------------------------------------------------------------------------


async def test_each_is_an_sms_to_the_other_that_says_from_whom(core: Core) -> None:
    number, other = kcell(200), kcell(201)
    assert await call_me(core, number, other) == left(9)
    assert await pay_for_me(core, number, other) == left(8)
    assert await free_sms(core, number, other, "Салем!\nБуду в семь") == left(14)
    assert [(notice["event"], notice["arguments"]) for notice in await core.notices(other)] == [
        ("requests.call_me", {"caller": number}),
        ("requests.pay_for_me", {"caller": number}),
        ("requests.free_sms", {"caller": number, "text": "Салем!\nБуду в семь"}),
    ]
    assert await core.notices(number) == []


async def test_they_are_not_charged(core: Core) -> None:
    number = await with_balance(core, kcell(202), 0)
    postings = await core.pool.fetchval("SELECT count(*) FROM postings")
    for ask in (call_me, pay_for_me, free_sms):
        assert isinstance(await ask(core, number, kcell(203)), Done)
    assert await core.pool.fetchval("SELECT count(*) FROM postings") == postings
    assert await balance(core, number) == 0


async def test_one_that_comes_twice_is_sent_once_and_counts_once(core: Core) -> None:
    number, call_id = kcell(204), str(uuid.uuid4())
    for _ in range(3):
        assert await call_me(core, number, kcell(205), call_id) == left(9)
    assert len(await core.notices(kcell(205))) == 1
    assert await call_me(core, number, kcell(205)) == left(8)


# --- who sends too many ---------------------------------------------------------------------------------------------


async def test_ten_a_day_can_be_sent_of_both_kinds_together(core: Core) -> None:
    number = kcell(206)
    for n in range(10):
        ask = call_me if n % 2 else pay_for_me
        assert await ask(core, number, kcell(210 + n)) == left(9 - n)
    assert await call_me(core, number, kcell(220)) == too_many(0)
    assert await pay_for_me(core, number, kcell(220)) == too_many(0)
    assert await core.notices(kcell(220)) == []


async def test_three_a_day_can_be_sent_to_one_number_and_others_are_left(core: Core) -> None:
    number, other = kcell(207), kcell(221)
    assert await call_me(core, number, other) == left(9)
    assert await pay_for_me(core, number, other) == left(8)
    assert await call_me(core, number, other) == left(7)
    assert await call_me(core, number, other) == too_many(7)
    assert await pay_for_me(core, number, other) == too_many(7)
    assert await call_me(core, number, kcell(222)) == left(6)
    assert len(await core.notices(other)) == 3


async def test_ten_a_day_reach_one_number_whoever_sends_them(core: Core) -> None:
    other = kcell(223)
    for n in range(10):
        assert await call_me(core, kcell(230 + n), other) == left(9)
    assert await call_me(core, kcell(240), other) == too_many(10)
    assert await pay_for_me(core, kcell(230), other) == too_many(9)
    assert len(await core.notices(other)) == 10
    core.now = MIDNIGHT
    assert await call_me(core, kcell(240), other) == left(9)


async def test_a_new_day_begins_at_midnight_where_the_sender_is(core: Core) -> None:
    number, other = "996555000200", "996555000201"
    for _ in range(3):
        await call_me(core, number, other)
    core.now = MIDNIGHT - HOUR - SECOND  # 23:59:59 in Bishkek
    assert await call_me(core, number, other) == too_many(7)
    core.now = MIDNIGHT - HOUR
    assert await call_me(core, number, other) == left(9)


async def test_of_twenty_at_once_three_reach_the_same_number(core: Core) -> None:
    outcomes = await asyncio.gather(*(call_me(core, kcell(241), kcell(242)) for _ in range(20)))
    assert (sum(isinstance(outcome, Done) for outcome in outcomes), outcomes.count(too_many(7))) == (3, 17)


async def test_of_twenty_senders_at_once_ten_reach_a_number(core: Core) -> None:
    numbers = [kcell(n) for n in range(250, 270)]
    outcomes = await asyncio.gather(*(call_me(core, number, kcell(243)) for number in numbers))
    assert (outcomes.count(left(9)), outcomes.count(too_many(10))) == (10, 10)


async def test_two_that_ask_one_another_at_once_are_both_heard(core: Core) -> None:
    one, other = kcell(244), kcell(245)
    asked = [call_me(core, *pair) for pair in ((one, other), (other, one)) * 3]
    assert all(isinstance(outcome, Done) for outcome in await asyncio.gather(*asked))


# --- who is not reached ---------------------------------------------------------------------------------------------


async def test_who_is_of_another_network_not_in_use_or_nobody_is_not_reached_and_which_it_is_is_not_told(
    core: Core,
) -> None:
    number = kcell(246)
    for other in ("77770000001", "996555000001", kcell(295), kcell(297), "77019999999"):
        for ask in (call_me, pay_for_me, free_sms):
            assert await ask(core, number, other) == NOT_REACHED
    assert await core.do("requests.left", number) == Done({"requests": 10, "free_sms": 15})


async def test_who_has_switched_them_off_is_not_reached_and_the_sender_loses_none(core: Core) -> None:
    number, other = kcell(247), kcell(248)
    assert await core.do("notices.set", other, kind="requests", on=False) == Done({"on": False})
    for ask in (call_me, pay_for_me, free_sms):
        assert await ask(core, number, other) == NOT_REACHED
    assert await core.notices(other) == []
    await core.do("notices.set", other, kind="requests", on=True)
    assert await call_me(core, number, other) == left(9)


async def test_who_is_barred_for_debt_can_be_asked_but_cannot_ask(core: Core) -> None:
    assert await call_me(core, kcell(249), kcell(291)) == left(9)
    for ask in (call_me, pay_for_me, free_sms):
        assert await ask(core, kcell(291), kcell(249)) == Refused("BARRED", {})
        assert await ask(core, kcell(295), kcell(249)) == Refused("BLOCKED", {})
    assert await core.do("requests.left", kcell(291)) == Refused("BARRED", {})


async def test_nobody_asks_oneself(core: Core) -> None:
    for ask in (call_me, pay_for_me, free_sms):
        assert await ask(core, kcell(270), kcell(270)) == Refused("ITS_OWN", {})


# --- free SMS -------------------------------------------------------------------------------------------------------


async def test_fifteen_free_sms_a_day_can_be_sent_and_each_answer_tells_how_many_are_left(core: Core) -> None:
    number = kcell(271)
    for n in range(15):
        assert await free_sms(core, number, kcell(272)) == left(14 - n)
    assert await free_sms(core, number, kcell(273)) == too_many(0)
    assert len(await core.notices(kcell(272))) == 15
    core.now = MIDNIGHT - SECOND
    assert await free_sms(core, number, kcell(272)) == too_many(0)
    core.now = MIDNIGHT
    assert await free_sms(core, number, kcell(272)) == left(14)


async def test_of_thirty_at_once_fifteen_are_sent(core: Core) -> None:
    outcomes = await asyncio.gather(*(free_sms(core, kcell(274), kcell(275)) for _ in range(30)))
    assert sorted(str(outcome) for outcome in outcomes) == sorted(
        [*(str(left(n)) for n in range(15)), *[str(too_many(0))] * 15]
    )


async def test_free_sms_and_requests_are_counted_apart(core: Core) -> None:
    number = kcell(276)
    assert await core.do("requests.left", number) == Done({"requests": 10, "free_sms": 15})
    await free_sms(core, number, kcell(277))
    await call_me(core, number, kcell(277))
    await pay_for_me(core, number, kcell(277))
    assert await core.do("requests.left", number) == Done({"requests": 8, "free_sms": 14})
    core.now = MIDNIGHT
    assert await core.do("requests.left", number) == Done({"requests": 10, "free_sms": 15})


async def test_a_text_of_a_hundred_characters_arrives_whole(core: Core) -> None:
    text = "Қазақша мәтін. " * 6 + "Жүз таңба!"
    assert len(text) == 100
    assert await free_sms(core, kcell(278), kcell(279), text) == left(14)
    assert await core.sent(kcell(279), "requests.free_sms", "text") == text


async def test_in_kyrgyzstan_they_are_as_free(core: Core) -> None:
    number = await with_balance(core, "996777000200", 1)
    assert await free_sms(core, number, "996777000201") == left(14)
    assert (await core.do("balances.get", number)).result["balance"] == som(1)  # type: ignore[union-attr]
