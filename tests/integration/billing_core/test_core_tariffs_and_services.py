"""Tariffs and services: offered, quoted, confirmed once by the digits that were shown, and told by SMS."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from billing.calls import Done, Refused
from billing_core.domains.tariffs import next_renewal
from billing_core.idempotency import OtherArguments

from .running_core import Core
from .stories import (
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

# Kcell numbers whose n is 0 modulo 3 have the tariff "11" at 1990, 1: "Plenty" at 3990, 2: "Every day" at 99 a day.
EXPIRED, NO_SUCH_QUOTE = Refused("EXPIRED", {}), Refused("NO_SUCH_QUOTE", {})


@pytest.fixture(autouse=True)
def _it_is_noon(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


async def quote(core: Core, number: str, tariff: str, call_id: str | None = None) -> Any:
    return result(await core.do("tariffs.quote", number, tariff=tariff, call_id=call_id))


async def confirm(core: Core, number: str, quoted: Any, digits: str = "", **more: Any) -> Done | Refused:
    told = {"intent": quoted["intent"], "digits": digits or quoted["digits"]}
    return await core.do("tariffs.confirm", number, **told, **more)


async def current(core: Core, number: str) -> Any:
    return result(await core.do("tariffs.current", number, language="en"))


async def fees_taken(core: Core, number: str, kind: str = "tariff") -> int:
    count = await core.pool.fetchval(
        "SELECT count(*) FROM entries e JOIN postings p USING (posting_id) JOIN accounts a USING (account_id)"
        " JOIN subscribers s USING (subscriber_id) WHERE s.msisdn = $1 AND p.kind = $2 AND p.posted_at >= $3",
        *(number, kind, NOON - datetime.timedelta(days=1)),
    )
    return int(count)


# --- tariffs: what there is -----------------------------------------------------------------------------------------


async def test_the_tariffs_of_the_network_are_offered_the_cheapest_month_first(core: Core) -> None:
    outcome = result(await core.do("tariffs.offered", kcell(200), language="en"))["tariffs"]
    assert [(each["name"], each["fee"], each["fee_period"], each["is_current"]) for each in outcome] == [
        ("Daytime unlimited", tenge(1490), "month", False),
        ("11", tenge(1990), "month", False),
        ("Every day", tenge(99), "day", True),
        ("Plenty", tenge(3990), "month", False),
    ]
    assert [each["id"] for each in result(await core.do("tariffs.offered", "996555000200"))["tariffs"]] == [
        "mega-start",
        "mega-more",
    ]


async def test_the_conditions_of_each_are_told(core: Core) -> None:
    offered = result(await core.do("tariffs.offered", kcell(200), language="kk"))["tariffs"]
    assert offered[3] == {
        **{"id": "kcell-plus", "name": "Молшылық", "fee": tenge(3990), "fee_period": "month"},
        **{"minutes": 1000, "megabytes": 51200, "sms": 300, "is_current": False},
    }


@pytest.mark.parametrize(
    ("today", "period", "day", "renews_on"),
    [
        ("2027-03-31", "day", 1, "2027-04-01"),
        ("2027-03-14", "month", 15, "2027-03-15"),
        ("2027-03-15", "month", 15, "2027-04-15"),
        ("2027-12-31", "month", 28, "2028-01-28"),
        ("2027-01-30", "month", 28, "2027-02-28"),
    ],
)
def test_a_period_begins_on_the_next_day_or_on_the_same_day_of_each_month(
    today: str, period: str, day: int, renews_on: str
) -> None:
    assert next_renewal(datetime.date.fromisoformat(today), period, day).isoformat() == renews_on


# --- tariffs: the change --------------------------------------------------------------------------------------------


async def test_a_change_takes_the_fee_fills_the_packages_and_is_told_in_the_subscriber_s_language(core: Core) -> None:
    number = await with_balance(core, kcell(203), 5000)
    await core.ask("subscribers.set_language", number, {"language": "kk"})
    quoted = await core.do("tariffs.quote", number, tariff="kcell-plus", language="en")
    shown = {**result(quoted)}
    assert (shown.pop("intent"), shown.pop("digits").isdecimal()) == (result(quoted)["intent"], True)
    assert shown == {"name": "Plenty", "fee": tenge(3990), "fee_period": "month"}
    assert await balance(core, number) == 5000_00
    outcome = await confirm(core, number, result(quoted), language="en")
    assert outcome == Done({"name": "Plenty", "balance": tenge(1010)})
    assert await current(core, number) == {
        **{"name": "Plenty", "fee": tenge(3990), "fee_period": "month"},
        **{"minutes_left": 1000, "megabytes_left": 51200, "sms_left": 300, "renews_on": "2027-04-28"},
    }
    [notice] = await core.notices(number, "tariffs.changed")
    assert (notice["language"], notice["arguments"]) == ("kk", {"name": "Молшылық", "fee": tenge(3990)})
    await assert_the_ledger_holds(core)


async def test_a_daily_tariff_renews_tomorrow_where_the_subscriber_is(core: Core) -> None:
    number = await with_balance(core, kcell(204), 500)
    core.now = NOON + 12 * 60 * MINUTE - SECOND  # 23:59:59
    assert await confirm(core, number, await quote(core, number, "kcell-day")) == Done(
        {"name": "На каждый день", "balance": tenge(401)}
    )
    assert (await current(core, number))["renews_on"] == "2027-04-01"
    core.now = NOON + 12 * 60 * MINUTE
    assert (await current(core, number))["renews_on"] == "2027-04-02"


async def test_without_the_money_it_is_refused_and_told_how_much_is_missing(core: Core) -> None:
    number = await with_balance(core, kcell(206), 3900)
    refused = Refused("NOT_ENOUGH_MONEY", {"missing": tenge(90)})
    assert await core.do("tariffs.quote", number, tariff="kcell-plus") == refused
    assert isinstance(await core.do("balances.top_up", number, sum=tenge(90), place="a-branch"), Done)
    assert await confirm(core, number, await quote(core, number, "kcell-plus")) == Done(
        {"name": "Изобилие", "balance": tenge(0)}
    )


async def test_money_gone_since_the_quote_ends_it_for_ever_and_nothing_has_changed(core: Core) -> None:
    number = await with_balance(core, kcell(207), 3990)
    quoted = await quote(core, number, "kcell-plus")
    await core.do("balances.charge", number, sum=tenge(0, 1), kind="sms")
    refused = Refused("NOT_ENOUGH_MONEY", {"missing": tenge(0, 1)})
    assert await confirm(core, number, quoted) == refused
    await core.do("balances.top_up", number, sum=tenge(1000), place="a-branch")
    assert await confirm(core, number, quoted) == refused
    assert (await current(core, number))["name"] == "11"
    assert await balance(core, number) == 4989_99
    assert await core.notices(number, "tariffs.changed") == []


async def test_the_current_tariff_and_those_of_other_networks_are_refused(core: Core) -> None:
    number = await with_balance(core, kcell(208), 5000)
    assert (await current(core, number))["name"] == "Plenty"
    assert await core.do("tariffs.quote", number, tariff="kcell-plus") == Refused("IS_CURRENT", {})
    for tariff in ("bkz-start", "mega-start", "nothing"):
        assert await core.do("tariffs.quote", number, tariff=tariff) == Refused("NO_SUCH_TARIFF", {})


async def test_the_fee_is_the_one_that_was_quoted_whatever_the_tariff_costs_by_then(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = await with_balance(core, kcell(209), 5000)
    quoted = await quote(core, number, "kcell-plus")
    await owner.execute("UPDATE tariffs SET fee_minor = 449000 WHERE tariff_id = 'kcell-plus'")
    try:
        assert await confirm(core, number, quoted) == Done({"name": "Изобилие", "balance": tenge(1010)})
        assert (await core.notices(number, "tariffs.changed"))[0]["arguments"]["fee"] == tenge(3990)
        assert (await quote(core, await with_balance(core, kcell(210), 5000), "kcell-plus"))["fee"] == tenge(4490)
    finally:
        await owner.execute("UPDATE tariffs SET fee_minor = 399000 WHERE tariff_id = 'kcell-plus'")


async def test_a_fee_can_make_the_balance_low(core: Core) -> None:
    number = await with_balance(core, kcell(212), 2000)
    await confirm(core, number, await quote(core, number, "kcell-11"))
    [notice] = await core.notices(number, "account.low_balance")
    assert notice["arguments"] == {"balance": tenge(10)}


async def test_in_kyrgyzstan_the_fee_is_in_som(core: Core) -> None:
    number = await with_balance(core, "996777000200", 100)
    assert await confirm(core, number, await quote(core, number, "bkg-daily"), language="ky") == Done(
        {"name": "Күн сайын", "balance": som(85)}
    )


# --- what confirms a quote ------------------------------------------------------------------------------------------


async def test_the_digits_are_two_and_no_zero_leads_them(core: Core) -> None:
    number = await with_balance(core, kcell(213), 5000)
    drawn = {(await quote(core, number, "kcell-plus"))["digits"] for _ in range(60)}
    assert len(drawn) > 20
    assert all(10 <= int(digits) <= 99 and len(digits) == 2 for digits in drawn)


async def test_after_two_wrong_tries_the_right_digits_still_confirm(core: Core) -> None:
    number = await with_balance(core, kcell(215), 5000)
    quoted = await quote(core, number, "kcell-plus")
    for left in (2, 1):
        wrong = other_digits(quoted["digits"], left)
        assert await confirm(core, number, quoted, wrong) == Refused("WRONG_DIGITS", {"tries_left": left})
    assert isinstance(await confirm(core, number, quoted), Done)


async def test_three_wrong_tries_void_the_quote_for_the_right_digits_too(core: Core) -> None:
    number = await with_balance(core, kcell(216), 5000)
    quoted = await quote(core, number, "kcell-plus")
    for left in (2, 1, 0):
        wrong = other_digits(quoted["digits"], left + 1)
        assert await confirm(core, number, quoted, wrong) == Refused("WRONG_DIGITS", {"tries_left": left})
    assert await confirm(core, number, quoted) == EXPIRED
    assert await confirm(core, number, quoted, wrong) == EXPIRED
    assert await balance(core, number) == 5000_00


async def test_of_ninety_guesses_at_once_three_are_looked_at(core: Core) -> None:
    number = await with_balance(core, kcell(218), 5000)
    quoted = await quote(core, number, "kcell-plus")
    guesses = [other_digits(quoted["digits"], nth) for nth in range(1, 90)]
    outcomes = await asyncio.gather(*(confirm(core, number, quoted, digits) for digits in guesses))
    assert sum(outcome.code == "WRONG_DIGITS" for outcome in outcomes if isinstance(outcome, Refused)) == 3
    assert outcomes.count(EXPIRED) == 86


async def test_a_wrong_try_that_comes_twice_counts_once(core: Core) -> None:
    number, call_id = await with_balance(core, kcell(219), 5000), str(uuid.uuid4())
    quoted = await quote(core, number, "kcell-plus")
    wrong = other_digits(quoted["digits"])
    for _ in range(5):
        outcome = await confirm(core, number, quoted, wrong, call_id=call_id)
        assert outcome == Refused("WRONG_DIGITS", {"tries_left": 2})
    assert isinstance(await confirm(core, number, quoted), Done)


async def test_a_quote_holds_for_three_minutes_and_then_never_again(core: Core) -> None:
    number = await with_balance(core, kcell(221), 5000)
    quoted = await quote(core, number, "kcell-plus")
    core.now = NOON + 3 * MINUTE - SECOND
    assert isinstance(await confirm(core, number, quoted), Done)
    number = await with_balance(core, kcell(222), 5000)
    core.now = NOON
    quoted = await quote(core, number, "kcell-plus")
    core.now = NOON + 3 * MINUTE
    assert await confirm(core, number, quoted) == EXPIRED
    core.now = NOON
    assert await confirm(core, number, quoted) == EXPIRED
    assert await balance(core, number) == 5000_00


async def test_a_quote_that_was_swept_away_is_expired(core: Core) -> None:
    number = await with_balance(core, kcell(224), 5000)
    quoted = await quote(core, number, "kcell-plus")
    core.now = NOON + 3 * MINUTE
    await core.sweeper.sweep()
    assert await core.pool.fetchval("SELECT state FROM intents WHERE intent_id = $1", quoted["intent"]) == "expired"
    assert await confirm(core, number, quoted) == EXPIRED


async def test_confirmed_again_under_the_same_or_another_id_it_is_the_same_answer_and_one_fee(core: Core) -> None:
    number, call_id = await with_balance(core, kcell(225), 9000), str(uuid.uuid4())
    quoted = await quote(core, number, "kcell-plus")
    first = await confirm(core, number, quoted, call_id=call_id)
    assert first == Done({"name": "Изобилие", "balance": tenge(5010)})
    assert await confirm(core, number, quoted, call_id=call_id) == first
    assert await confirm(core, number, quoted) == first
    assert await confirm(core, number, quoted, other_digits(quoted["digits"])) == first
    core.now = NOON + 60 * MINUTE
    assert await confirm(core, number, quoted) == first
    assert (await fees_taken(core, number), len(await core.notices(number, "tariffs.changed"))) == (1, 1)


async def test_twenty_confirmations_at_once_are_one_fee_one_sms_and_one_answer(core: Core) -> None:
    number = await with_balance(core, kcell(227), 9000)
    quoted = await quote(core, number, "kcell-plus")
    outcomes = await asyncio.gather(*(confirm(core, number, quoted) for _ in range(20)))
    assert {str(outcome) for outcome in outcomes} == {str(Done({"name": "Изобилие", "balance": tenge(5010)}))}
    assert (await fees_taken(core, number), len(await core.notices(number, "tariffs.changed"))) == (1, 1)
    await assert_the_ledger_holds(core)


async def test_two_quotes_of_the_same_tariff_are_paid_for_once(core: Core) -> None:
    number = await with_balance(core, kcell(228), 9000)
    quotes = [await quote(core, number, "kcell-plus") for _ in range(20)]
    outcomes = await asyncio.gather(*(confirm(core, number, quoted) for quoted in quotes))
    assert outcomes.count(Done({"name": "Изобилие", "balance": tenge(5010)})) == 1
    assert outcomes.count(Refused("IS_CURRENT", {})) == 19
    assert await fees_taken(core, number) == 1


async def test_a_quote_asked_for_again_under_its_id_is_the_same_quote(core: Core) -> None:
    number, call_id = await with_balance(core, kcell(230), 5000), str(uuid.uuid4())
    first = await quote(core, number, "kcell-plus", call_id)
    assert await quote(core, number, "kcell-plus", call_id) == first
    with pytest.raises(OtherArguments):
        await core.do("tariffs.quote", number, tariff="kcell-day", call_id=call_id)
    with pytest.raises(OtherArguments):
        await confirm(core, number, first, call_id=call_id)


async def test_nobody_confirms_a_quote_of_somebody_else_or_of_another_kind_or_none(core: Core) -> None:
    number = await with_balance(core, kcell(231), 9000)
    quoted = await quote(core, number, "kcell-plus")
    assert await confirm(core, kcell(233), quoted) == NO_SUCH_QUOTE
    told = {"intent": quoted["intent"], "digits": quoted["digits"]}
    assert await core.do("services.confirm", number, **told) == NO_SUCH_QUOTE
    assert await core.do("extra_balance.confirm", number, **told) == NO_SUCH_QUOTE
    assert await confirm(core, number, {**quoted, "intent": str(uuid.uuid4())}) == NO_SUCH_QUOTE
    assert await confirm(core, number, {**quoted, "intent": "rubbish"}) == NO_SUCH_QUOTE
    assert isinstance(await confirm(core, number, quoted), Done)


async def test_whoever_is_barred_blocked_or_closed_has_no_tariff_to_look_at_or_change(core: Core) -> None:
    for n, code in ((291, "BARRED"), (295, "BLOCKED"), (297, "CLOSED")):
        for operation in ("tariffs.offered", "tariffs.current", "services.offered", "services.connected"):
            assert await core.do(operation, kcell(n)) == Refused(code, {})
        assert await core.do("tariffs.quote", kcell(n), tariff="kcell-plus") == Refused(code, {})
        assert await core.do("services.quote", kcell(n), service="kcell-melody", connect=True) == Refused(code, {})


async def test_who_is_barred_after_the_quote_confirms_nothing_and_pays_nothing(core: Core) -> None:
    number = await with_balance(core, kcell(234), 5000)
    quoted = await quote(core, number, "kcell-plus")
    await core.do("subscribers.set_status", number, status="barred")
    assert await confirm(core, number, quoted) == Refused("BARRED", {})
    await core.do("subscribers.set_status", number, status="active")
    assert isinstance(await confirm(core, number, quoted), Done)


# --- services -------------------------------------------------------------------------------------------------------


async def quote_service(core: Core, number: str, service: str, connect: bool = True) -> Any:
    return result(await core.do("services.quote", number, service=service, connect=connect))


async def confirm_service(core: Core, number: str, quoted: Any, **more: Any) -> Done | Refused:
    told = {"intent": quoted["intent"], "digits": quoted["digits"]}
    return await core.do("services.confirm", number, **told, **more)


async def ids(core: Core, operation: str, number: str) -> list[str]:
    return [each["id"] for each in result(await core.do(operation, number))["services"]]


async def test_what_is_not_connected_is_on_offer_with_fee_and_conditions(core: Core) -> None:
    offered = result(await core.do("services.offered", kcell(300), language="en"))["services"]
    assert len(offered) == 12
    assert offered[0] == {
        **{"id": "kcell-antispam", "fee": tenge(149), "fee_period": "month"},
        **{name: offered[0][name] for name in ("name", "conditions")},
    }
    assert all(each["name"] and each["conditions"] for each in offered)
    assert await ids(core, "services.connected", kcell(300)) == []
    assert result(await core.do("services.offered", "996555000300"))["services"] == []


async def test_connecting_takes_the_first_fee_and_is_told_by_sms(core: Core) -> None:
    number = await with_balance(core, kcell(301), 1000)
    quoted = await quote_service(core, number, "kcell-melody")
    assert (quoted["fee"], quoted["fee_period"]) == (tenge(199), "month")
    done = result(await confirm_service(core, number, quoted))
    assert (done["connected"], done["balance"]) == (True, tenge(801))
    assert "kcell-melody" not in await ids(core, "services.offered", number)
    [connected] = result(await core.do("services.connected", number))["services"]
    assert (connected["id"], connected["since"]) == ("kcell-melody", instant(NOON))
    [notice] = await core.notices(number, "services.connected")
    assert notice["arguments"]["fee"] == tenge(199)
    await assert_the_ledger_holds(core)


async def test_disconnecting_costs_nothing_and_is_told_by_sms(core: Core) -> None:
    number = await with_balance(core, kcell(302), 199)
    await confirm_service(core, number, await quote_service(core, number, "kcell-melody"))
    quoted = await quote_service(core, number, "kcell-melody", connect=False)
    done = result(await confirm_service(core, number, quoted, language="en"))
    assert (done["connected"], done["balance"]) == (False, tenge(0))
    assert await ids(core, "services.connected", number) == []
    assert "kcell-melody" in await ids(core, "services.offered", number)
    [notice] = await core.notices(number, "services.disconnected")
    assert list(notice["arguments"]) == ["name"]
    assert await fees_taken(core, number, "service") == 1


async def test_a_service_can_be_connected_again_for_a_new_fee(core: Core) -> None:
    number = await with_balance(core, kcell(303), 500)
    for connect in (True, False, True):
        await confirm_service(core, number, await quote_service(core, number, "kcell-melody", connect))
    assert await ids(core, "services.connected", number) == ["kcell-melody"]
    assert await balance(core, number) == 500_00 - 2 * 199_00


async def test_a_service_that_costs_nothing_is_connected_without_money(core: Core) -> None:
    number = await with_balance(core, kcell(304), 0)
    assert result(await confirm_service(core, number, await quote_service(core, number, "kcell-who-called")))[
        "connected"
    ]
    assert await fees_taken(core, number, "service") == 0


async def test_without_the_money_for_a_service_it_is_told_how_much_is_missing(core: Core) -> None:
    number = await with_balance(core, kcell(305), 100)
    refused = await core.do("services.quote", number, service="kcell-melody", connect=True)
    assert refused == Refused("NOT_ENOUGH_MONEY", {"missing": tenge(99)})
    await core.do("balances.top_up", number, sum=tenge(99), place="a-branch")
    quoted = await quote_service(core, number, "kcell-melody")
    await core.do("balances.charge", number, sum=tenge(9), kind="call")
    for _ in range(2):
        refused = await confirm_service(core, number, quoted)
        assert refused == Refused("NOT_ENOUGH_MONEY", {"missing": tenge(9)})
    assert await ids(core, "services.connected", number) == []


async def test_what_is_so_already_is_refused_at_the_quote_and_at_the_confirmation(core: Core) -> None:
    number = await with_balance(core, kcell(306), 1000)
    is_so = Refused("IS_SO", {})
    assert await core.do("services.quote", number, service="kcell-melody", connect=False) == is_so
    first, second = [await quote_service(core, number, "kcell-melody") for _ in range(2)]
    assert isinstance(await confirm_service(core, number, first), Done)
    assert await confirm_service(core, number, second) == is_so
    assert await core.do("services.quote", number, service="kcell-melody", connect=True) == is_so
    assert await fees_taken(core, number, "service") == 1


async def test_of_twenty_quotes_of_a_service_confirmed_at_once_one_is_paid(core: Core) -> None:
    number = await with_balance(core, kcell(307), 9000)
    quotes = [await quote_service(core, number, "kcell-melody") for _ in range(20)]
    outcomes = await asyncio.gather(*(confirm_service(core, number, quoted) for quoted in quotes))
    assert (sum(isinstance(outcome, Done) for outcome in outcomes), outcomes.count(Refused("IS_SO", {}))) == (1, 19)
    assert await balance(core, number) == 9000_00 - 199_00
    await assert_the_ledger_holds(core)


async def test_a_service_of_another_network_is_none(core: Core) -> None:
    for service in ("bkz-melody", "kcell-nothing"):
        refused = await core.do("services.quote", kcell(308), service=service, connect=True)
        assert refused == Refused("NO_SUCH_SERVICE", {})


async def test_a_service_that_is_offered_no_more_can_be_disconnected_but_not_connected(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number, other = await with_balance(core, kcell(309), 5000), await with_balance(core, kcell(310), 5000)
    await confirm_service(core, number, await quote_service(core, number, "kcell-night"))
    await owner.execute("UPDATE services SET on_offer = false WHERE service_id = 'kcell-night'")
    try:
        assert "kcell-night" not in await ids(core, "services.offered", other)
        refused = await core.do("services.quote", other, service="kcell-night", connect=True)
        assert refused == Refused("NO_SUCH_SERVICE", {})
        assert await ids(core, "services.connected", number) == ["kcell-night"]
        quoted = await quote_service(core, number, "kcell-night", connect=False)
        assert isinstance(await confirm_service(core, number, quoted), Done)
    finally:
        await owner.execute("UPDATE services SET on_offer = true WHERE service_id = 'kcell-night'")


async def test_the_digits_guard_a_service_as_they_guard_a_tariff(core: Core) -> None:
    number = await with_balance(core, kcell(311), 1000)
    quoted = await quote_service(core, number, "kcell-melody")
    for left in (2, 1, 0):
        wrong = {**quoted, "digits": other_digits(quoted["digits"], left + 1)}
        assert await confirm_service(core, number, wrong) == Refused("WRONG_DIGITS", {"tries_left": left})
    assert await confirm_service(core, number, quoted) == EXPIRED
    quoted = await quote_service(core, number, "kcell-melody")
    core.now = NOON + 3 * MINUTE
    assert await confirm_service(core, number, quoted) == EXPIRED
    assert await balance(core, number) == 1000_00
