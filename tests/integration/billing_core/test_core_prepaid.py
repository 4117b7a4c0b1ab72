"""The prepaid account: what is on it, what comes, is used and is lent; each story has a number of its own."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from billing.calls import Done, Refused
from billing.contract import MONEY_MINOR_MOST, Value
from billing_core.idempotency import OtherArguments

from .running_core import Core
from .stories import (
    HOUR,
    MIDNIGHT,
    MINUTE,
    NOON,
    SECOND,
    assert_the_ledger_holds,
    balance,
    instant,
    kcell,
    other_digits,
    result,
    som,
    tenge,
    with_balance,
)


@pytest.fixture(autouse=True)
def _it_is_noon(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


async def top_up(core: Core, number: str, sum_: dict[str, Value], call_id: str | None = None) -> Done | Refused:
    return await core.do("balances.top_up", number, sum=sum_, place="terminal-7", call_id=call_id)


async def charge(core: Core, number: str, sum_: dict[str, Value], kind: str = "call", **more: str) -> Done | Refused:
    return await core.do("balances.charge", number, sum=sum_, kind=kind, **more)


async def told(core: Core, number: str, event: str) -> list[dict[str, Any]]:
    return [notice["arguments"] for notice in await core.notices(number, event)]


# --- what is on it --------------------------------------------------------------------------------------------------


async def test_balance_and_bonuses_are_told_and_nothing_owed_where_nothing_is(core: Core) -> None:
    outcome = await core.do("balances.get", kcell(7))
    assert outcome == Done({"balance": tenge(1788, 83), "bonuses": tenge(258, 39)})


async def test_a_number_barred_for_debt_still_has_its_balance_told_and_a_blocked_or_closed_one_not(core: Core) -> None:
    assert await core.do("balances.get", kcell(91)) == Done({"balance": tenge(0), "bonuses": tenge(59, 7)})
    assert await core.do("balances.get", kcell(95)) == Refused("BLOCKED", {})
    assert await core.do("balances.get", kcell(97)) == Refused("CLOSED", {})
    assert await core.do("balances.get", "77019999999") == Refused("UNKNOWN_NUMBER", {})


# --- money that comes -----------------------------------------------------------------------------------------------


async def test_a_top_up_is_on_the_account_at_once_and_told_with_sum_and_balance(core: Core) -> None:
    number = await with_balance(core, kcell(200), 300)
    assert await top_up(core, number, tenge(500, 50)) == Done({"balance": tenge(800, 50)})
    assert (await told(core, number, "account.topped_up"))[-1] == {"sum": tenge(500, 50), "balance": tenge(800, 50)}
    assert await balance(core, number) == 800_50


async def test_a_top_up_that_comes_twice_under_one_id_is_one(core: Core) -> None:
    number, call_id = await with_balance(core, kcell(201), 300), str(uuid.uuid4())
    answers = {str(await top_up(core, number, tenge(100), call_id)) for _ in range(3)}
    assert answers == {str(Done({"balance": tenge(400)}))}
    assert await balance(core, number) == 400_00


async def test_the_same_id_with_another_sum_place_or_number_is_a_mistake_and_moves_nothing(core: Core) -> None:
    number, call_id = await with_balance(core, kcell(202), 300), str(uuid.uuid4())
    await top_up(core, number, tenge(100), call_id)
    with pytest.raises(OtherArguments):
        await top_up(core, number, tenge(101), call_id)
    with pytest.raises(OtherArguments):
        await top_up(core, kcell(203), tenge(100), call_id)
    with pytest.raises(OtherArguments):
        await core.do("balances.top_up", number, sum=tenge(100), place="terminal-8", call_id=call_id)
    assert await balance(core, number) == 400_00


async def test_another_currency_is_refused(core: Core) -> None:
    number = await with_balance(core, kcell(204), 300)
    assert await top_up(core, number, som(100)) == Refused("OTHER_CURRENCY", {})
    assert await charge(core, number, som(100)) == Refused("OTHER_CURRENCY", {})
    assert await balance(core, number) == 300_00
    assert await top_up(core, "996555000204", tenge(100)) == Refused("OTHER_CURRENCY", {})


async def test_an_account_holds_no_more_than_a_screen_can_show(core: Core) -> None:
    number = await with_balance(core, kcell(205), 1)
    most: dict[str, Value] = {"minor": MONEY_MINOR_MOST, "currency": "KZT"}
    assert await top_up(core, number, most) == Refused("TOO_MUCH", {})
    assert await balance(core, number) == 1_00


async def test_whoever_is_barred_or_blocked_can_be_topped_up_and_a_closed_number_cannot(core: Core) -> None:
    for number in (kcell(192), kcell(195)):
        before = await balance(core, number)
        assert await top_up(core, number, tenge(100)) == Done(
            {"balance": {"minor": before + 100_00, "currency": "KZT"}}
        )
    assert await top_up(core, kcell(197), tenge(100)) == Refused("CLOSED", {})


async def test_who_does_not_want_to_be_told_of_top_ups_is_not(core: Core) -> None:
    number = kcell(206)
    assert await core.do("notices.set", number, kind="topped_up", on=False) == Done({"on": False})
    await top_up(core, number, tenge(100))
    assert await core.notices(number) == []
    await core.do("notices.set", number, kind="topped_up", on=True)
    await top_up(core, number, tenge(100))
    assert len(await core.notices(number, "account.topped_up")) == 1


async def test_twenty_top_ups_and_twenty_charges_at_once_all_count(core: Core) -> None:
    number = await with_balance(core, kcell(207), 1000)
    moves = [top_up(core, number, tenge(10)) for _ in range(20)] + [charge(core, number, tenge(7)) for _ in range(20)]
    assert all(isinstance(outcome, Done) for outcome in await asyncio.gather(*moves))
    assert await balance(core, number) == 1060_00
    await assert_the_ledger_holds(core)


# --- money that is used ---------------------------------------------------------------------------------------------


async def test_a_charge_takes_its_sum(core: Core) -> None:
    number = await with_balance(core, kcell(208), 300)
    assert await charge(core, number, tenge(12, 34)) == Done({"charged": tenge(12, 34), "balance": tenge(287, 66)})


async def test_a_charge_takes_no_more_than_there_is_and_nothing_from_an_empty_account(core: Core) -> None:
    number = await with_balance(core, kcell(209), 300)
    assert await charge(core, number, tenge(500)) == Done({"charged": tenge(300), "balance": tenge(0)})
    postings = await core.pool.fetchval("SELECT count(*) FROM postings")
    assert await charge(core, number, tenge(500)) == Done({"charged": tenge(0), "balance": tenge(0)})
    assert await core.pool.fetchval("SELECT count(*) FROM postings") == postings


async def test_of_charges_at_once_none_takes_an_account_below_zero(core: Core) -> None:
    number = await with_balance(core, kcell(210), 300)
    outcomes = await asyncio.gather(*(charge(core, number, tenge(70)) for _ in range(20)))
    charged = sorted(result(outcome)["charged"]["minor"] for outcome in outcomes)
    assert charged == [0] * 15 + [20_00] + [70_00] * 4
    assert await balance(core, number) == 0
    await assert_the_ledger_holds(core)


async def test_a_closed_number_is_charged_nothing(core: Core) -> None:
    assert await charge(core, kcell(297), tenge(1)) == Refused("CLOSED", {})


# --- low balance ----------------------------------------------------------------------------------------------------


async def low(core: Core, number: str) -> list[Any]:
    return [arguments["balance"] for arguments in await told(core, number, "account.low_balance")]


async def test_a_balance_that_falls_below_100_is_told_and_one_of_100_is_not_low(core: Core) -> None:
    number = await with_balance(core, kcell(220), 150)
    await charge(core, number, tenge(50))
    assert await low(core, number) == []
    await charge(core, number, tenge(0, 1))
    assert await low(core, number) == [tenge(99, 99)]


async def test_it_is_told_once_a_fall_and_again_after_the_next(core: Core) -> None:
    number = await with_balance(core, kcell(221), 150)
    for _ in range(3):
        await charge(core, number, tenge(30))
    assert await low(core, number) == [tenge(90)]
    await top_up(core, number, tenge(10))
    assert await balance(core, number) == 70_00
    await charge(core, number, tenge(5))
    assert await low(core, number) == [tenge(90)]
    await top_up(core, number, tenge(35))
    await charge(core, number, tenge(1))
    assert await low(core, number) == [tenge(90), tenge(99)]


async def test_the_sum_below_which_it_is_low_is_the_subscriber_s_to_choose(core: Core) -> None:
    number = await with_balance(core, kcell(222), 600)
    assert result(await core.do("notices.settings", number))["below"] == tenge(100)
    assert await core.do("notices.set_low_balance", number, below=tenge(500)) == Done({"below": tenge(500)})
    assert result(await core.do("notices.settings", number))["below"] == tenge(500)
    await charge(core, number, tenge(101))
    assert await low(core, number) == [tenge(499)]
    assert await core.do("notices.set_low_balance", number, below=som(500)) == Refused("OTHER_CURRENCY", {})


async def test_below_nothing_it_is_never_low(core: Core) -> None:
    number = await with_balance(core, kcell(223), 600)
    await core.do("notices.set_low_balance", number, below=tenge(0))
    await charge(core, number, tenge(600))
    assert await low(core, number) == []


async def test_it_can_be_switched_off_and_choosing_a_sum_switches_it_on_again(core: Core) -> None:
    number = await with_balance(core, kcell(224), 600)
    await core.do("notices.set", number, kind="low_balance", on=False)
    await charge(core, number, tenge(599))
    assert await low(core, number) == []
    await top_up(core, number, tenge(599))
    await core.do("notices.set_low_balance", number, below=tenge(200))
    assert result(await core.do("notices.settings", number))["low_balance"] is True
    await charge(core, number, tenge(401))
    assert await low(core, number) == [tenge(199)]


@pytest.mark.parametrize(
    ("n", "at", "sent_at"),
    [
        (225, MIDNIGHT - 2 * HOUR - SECOND, MIDNIGHT - 2 * HOUR - SECOND),  # 21:59:59
        (226, MIDNIGHT - 2 * HOUR, MIDNIGHT + 8 * HOUR),
        (227, MIDNIGHT + HOUR, MIDNIGHT + 8 * HOUR),
        (228, MIDNIGHT + 8 * HOUR - SECOND, MIDNIGHT + 8 * HOUR),
        (229, MIDNIGHT + 8 * HOUR, MIDNIGHT + 8 * HOUR),
    ],
)
async def test_between_22_and_8_it_waits_for_the_morning(
    core: Core, n: int, at: datetime.datetime, sent_at: datetime.datetime
) -> None:
    number = await with_balance(core, kcell(n), 150)
    core.now = at
    await charge(core, number, tenge(60))
    [notice] = await core.notices(number, "account.low_balance")
    assert notice["try_at"] == sent_at
    assert notice["not_after"] == sent_at + 12 * HOUR


async def test_the_night_is_that_of_the_network_s_time_zone(core: Core) -> None:
    number = await with_balance(core, "996555000230", 150)
    core.now = MIDNIGHT - 3 * HOUR + SECOND  # 21:00:01 in Almaty, 22:00:01 in Bishkek
    await charge(core, number, som(60))
    [notice] = await core.notices(number, "account.low_balance")
    assert notice["try_at"] == MIDNIGHT + 7 * HOUR


# --- missed calls ---------------------------------------------------------------------------------------------------


async def test_a_missed_call_is_told_with_who_when_and_how_often(core: Core) -> None:
    number, at = kcell(231), instant(NOON - HOUR)
    assert await core.do("missed_calls.report", number, caller=kcell(1), times=3, at=at) == Done({})
    await core.do("missed_calls.report", number, caller=kcell(2), times=1)
    assert await told(core, number, "calls.missed") == [
        {"caller": kcell(1), "at": at, "count": 3},
        {"caller": kcell(2), "at": instant(NOON), "count": 1},
    ]


async def test_missed_calls_are_not_told_to_who_has_switched_that_off(core: Core) -> None:
    number = kcell(232)
    await core.do("notices.set", number, kind="missed_calls", on=False)
    assert await core.do("missed_calls.report", number, caller=kcell(1), times=1) == Done({})
    assert await core.notices(number) == []


async def test_a_closed_number_has_missed_no_call(core: Core) -> None:
    assert await core.do("missed_calls.report", kcell(397), caller=kcell(1), times=1) == Refused("CLOSED", {})


# --- extra balance --------------------------------------------------------------------------------------------------


async def offers(core: Core, number: str) -> Any:
    return result(await core.do("extra_balance.offers", number))


async def quoted(core: Core, number: str, offer: str = "kcell-250") -> Any:
    return result(await core.do("extra_balance.quote", number, offer=offer))


async def confirm(core: Core, number: str, quote: Any, call_id: str | None = None) -> Done | Refused:
    told = {"intent": quote["intent"], "digits": quote["digits"]}
    return await core.do("extra_balance.confirm", number, call_id=call_id, **told)


async def lent(core: Core, number: str, offer: str = "kcell-250") -> None:
    assert isinstance(await confirm(core, number, await quoted(core, number, offer)), Done)


async def test_250_to_1000_tenge_are_offered_with_what_they_cost(core: Core) -> None:
    assert await offers(core, kcell(240)) == {
        "offers": [
            {"id": f"kcell-{sum_}", "sum": tenge(sum_), "fee": tenge(sum_ // 10)} for sum_ in (250, 500, 750, 1000)
        ],
        "auto": False,
    }


async def test_what_was_quoted_is_lent_told_and_owed(core: Core) -> None:
    number = await with_balance(core, kcell(241), 10)
    quote = await quoted(core, number, "kcell-500")
    assert (quote["sum"], quote["fee"]) == (tenge(500), tenge(50))
    assert await balance(core, number) == 10_00
    assert await confirm(core, number, quote) == Done({"sum": tenge(500), "balance": tenge(510)})
    assert await told(core, number, "account.extra_balance") == [{"sum": tenge(500), "fee": tenge(50)}]
    assert (await offers(core, number))["owed"] == tenge(550)
    assert result(await core.do("balances.get", number))["owed"] == tenge(550)
    await assert_the_ledger_holds(core)


async def test_one_at_a_time_is_lent_however_many_were_quoted(core: Core) -> None:
    number = await with_balance(core, kcell(242), 10)
    first, second = await quoted(core, number), await quoted(core, number)
    assert isinstance(await confirm(core, number, first), Done)
    assert await confirm(core, number, second) == Refused("OWES", {})
    assert await core.do("extra_balance.quote", number, offer="kcell-250") == Refused("OWES", {})
    assert await balance(core, number) == 260_00


async def test_what_was_refused_as_owed_stays_refused_when_it_is_paid_back(core: Core) -> None:
    number = await with_balance(core, kcell(243), 10)
    first, second = await quoted(core, number), await quoted(core, number)
    await confirm(core, number, first)
    assert await confirm(core, number, second) == Refused("OWES", {})
    await top_up(core, number, tenge(275))
    assert await confirm(core, number, second) == Refused("OWES", {})
    assert await balance(core, number) == 260_00


async def test_twenty_quotes_confirmed_at_once_lend_once(core: Core) -> None:
    number = await with_balance(core, kcell(244), 10)
    quotes = [await quoted(core, number) for _ in range(20)]
    outcomes = await asyncio.gather(*(confirm(core, number, quote) for quote in quotes))
    assert sum(isinstance(outcome, Done) for outcome in outcomes) == 1
    assert await balance(core, number) == 260_00


async def test_one_quote_confirmed_twenty_times_at_once_lends_once_and_all_are_told_so(core: Core) -> None:
    number = await with_balance(core, kcell(245), 10)
    quote = await quoted(core, number)
    outcomes = await asyncio.gather(*(confirm(core, number, quote) for _ in range(20)))
    assert {str(outcome) for outcome in outcomes} == {str(Done({"sum": tenge(250), "balance": tenge(260)}))}
    assert len(await core.notices(number, "account.extra_balance")) == 1


async def test_the_next_top_up_pays_it_back_and_what_is_more_stays(core: Core) -> None:
    number = await with_balance(core, kcell(246), 10)
    await lent(core, number)
    assert await top_up(core, number, tenge(300)) == Done({"balance": tenge(285)})
    assert await told(core, number, "account.extra_balance_paid") == [{"sum": tenge(275), "owed": tenge(0)}]
    assert (await told(core, number, "account.topped_up"))[-1] == {"sum": tenge(300), "balance": tenge(285)}
    assert "owed" not in await offers(core, number)
    assert isinstance(await core.do("extra_balance.quote", number, offer="kcell-250"), Done)
    await assert_the_ledger_holds(core)


async def test_a_small_top_up_pays_back_a_part_and_nothing_that_was_there_before(core: Core) -> None:
    number = await with_balance(core, kcell(247), 400)
    await lent(core, number)
    assert await top_up(core, number, tenge(260)) == Done({"balance": tenge(650)})
    assert result(await core.do("balances.get", number))["owed"] == tenge(15)
    assert await core.do("extra_balance.quote", number, offer="kcell-250") == Refused("OWES", {})
    assert await top_up(core, number, tenge(20)) == Done({"balance": tenge(655)})
    paid = await told(core, number, "account.extra_balance_paid")
    assert paid == [{"sum": tenge(260), "owed": tenge(15)}, {"sum": tenge(15), "owed": tenge(0)}]
    await assert_the_ledger_holds(core)


async def test_what_is_lent_comes_back_to_where_it_came_from_before_its_fee_is_earned(core: Core) -> None:
    number = await with_balance(core, kcell(248), 10)

    async def house(kind: str) -> int:
        sum_ = await core.pool.fetchval(
            "SELECT sum(balance_minor) FROM accounts WHERE kind = $1 AND currency = 'KZT'", kind
        )
        return int(sum_)

    before = await house("lent")
    await lent(core, number)
    assert await house("lent") == before - 250_00
    earned = await house("revenue")
    await top_up(core, number, tenge(250))
    assert (await house("lent"), await house("revenue")) == (before, earned)
    await top_up(core, number, tenge(25))
    assert (await house("lent"), await house("revenue")) == (before, earned + 25_00)


async def test_without_money_and_barred_for_debt_one_can_still_borrow_and_a_blocked_number_cannot(core: Core) -> None:
    await lent(core, kcell(292))
    assert result(await core.do("balances.get", kcell(292)))["owed"] == tenge(275)
    assert await core.do("extra_balance.offers", kcell(295)) == Refused("BLOCKED", {})
    assert await core.do("extra_balance.quote", kcell(297), offer="kcell-250") == Refused("CLOSED", {})


async def test_an_offer_of_another_network_is_none(core: Core) -> None:
    for offer in ("bkz-250", "mega-50", "kcell-300"):
        assert await core.do("extra_balance.quote", kcell(249), offer=offer) == Refused("NO_SUCH_OFFER", {})


async def test_in_kyrgyzstan_som_are_lent(core: Core) -> None:
    number = await with_balance(core, "996777000249", 10)
    assert [each["sum"] for each in (await offers(core, number))["offers"]] == [som(50), som(100)]
    assert await confirm(core, number, await quoted(core, number, "bkg-50")) == Done(
        {"sum": som(50), "balance": som(60)}
    )
    assert await top_up(core, number, som(55)) == Done({"balance": som(60)})
    await assert_the_ledger_holds(core)


async def test_three_wrong_digits_end_the_quote_and_so_do_three_minutes(core: Core) -> None:
    number = await with_balance(core, kcell(250), 10)
    quote = await quoted(core, number)
    for left in (2, 1, 0):
        wrong = {**quote, "digits": other_digits(quote["digits"], left + 1)}
        assert await confirm(core, number, wrong) == Refused("WRONG_DIGITS", {"tries_left": left})
    assert await confirm(core, number, quote) == Refused("EXPIRED", {})
    quote = await quoted(core, number)
    core.now = NOON + 3 * MINUTE
    assert await confirm(core, number, quote) == Refused("EXPIRED", {})
    assert await balance(core, number) == 10_00


async def test_it_is_lent_by_itself_to_who_wants_that_when_the_account_runs_low(core: Core) -> None:
    number = await with_balance(core, kcell(251), 150)
    assert await core.do("extra_balance.set_auto", number, auto=True) == Done({"auto": True})
    assert (await offers(core, number))["auto"] is True
    assert await charge(core, number, tenge(50)) == Done({"charged": tenge(50), "balance": tenge(100)})
    assert await charge(core, number, tenge(10)) == Done({"charged": tenge(10), "balance": tenge(340)})
    assert await told(core, number, "account.extra_balance") == [{"sum": tenge(250), "fee": tenge(25)}]
    assert await low(core, number) == []
    assert result(await core.do("balances.get", number))["owed"] == tenge(275)
    await assert_the_ledger_holds(core)


async def test_who_owes_already_is_lent_nothing_by_itself_and_told_that_the_balance_is_low(core: Core) -> None:
    number = await with_balance(core, kcell(252), 150)
    await core.do("extra_balance.set_auto", number, auto=True)
    await charge(core, number, tenge(60))
    assert await charge(core, number, tenge(330)) == Done({"charged": tenge(330), "balance": tenge(10)})
    assert await low(core, number) == [tenge(10)]
    assert len(await core.notices(number, "account.extra_balance")) == 1


async def test_who_has_switched_it_off_again_or_never_wanted_it_is_lent_nothing_by_itself(core: Core) -> None:
    number = await with_balance(core, kcell(253), 150)
    await core.do("extra_balance.set_auto", number, auto=True)
    assert await core.do("extra_balance.set_auto", number, auto=False) == Done({"auto": False})
    for each in (number, await with_balance(core, kcell(254), 150)):
        assert await charge(core, each, tenge(60)) == Done({"charged": tenge(60), "balance": tenge(90)})
        assert await low(core, each) == [tenge(90)]


async def test_a_low_balance_of_one_s_own_choice_is_what_lets_it_be_lent(core: Core) -> None:
    number = await with_balance(core, kcell(255), 1100)
    await core.do("extra_balance.set_auto", number, auto=True)
    await core.do("notices.set_low_balance", number, below=tenge(1000))
    assert await charge(core, number, tenge(500)) == Done({"charged": tenge(500), "balance": tenge(850)})
    assert await low(core, number) == [tenge(850)]


async def test_top_ups_at_once_with_a_loan_leave_all_of_it_accounted_for(core: Core) -> None:
    number = await with_balance(core, kcell(256), 10)
    quote = await quoted(core, number)
    await asyncio.gather(confirm(core, number, quote), *(top_up(core, number, tenge(30)) for _ in range(10)))
    owed = result(await core.do("balances.get", number)).get("owed", tenge(0))["minor"]
    assert await balance(core, number) == 10_00 + 250_00 + 300_00 - (275_00 - owed)
    await assert_the_ledger_holds(core)
