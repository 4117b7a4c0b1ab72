"""A new number: chosen, paid for and held in one step, free again by itself, registered at an office.

Each story has a subscriber of its own, and takes free numbers that no other one holds.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from billing.calls import Done, NotMade, Refused
from billing_core.domains import numbers

from .running_core import Core
from .stories import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    assert_the_ledger_holds,
    balance,
    instant,
    kcell,
    other_digits,
    result,
    tenge,
    with_balance,
)

FEE = 500
DOCUMENT = "identity card 012345678"
PRICES = {"plain": 0, "silver": 5_000, "gold": 15_000, "platinum": 50_000}


@pytest.fixture(autouse=True)
def _noon(core: Core) -> Iterator[None]:
    """Every story begins at noon, on a Wednesday, the last of March."""
    core.now = NOON
    yield
    core.now = None


@pytest.fixture(scope="module", autouse=True)
async def _no_money_is_made_or_lost(core: Core) -> AsyncIterator[None]:
    yield
    await assert_the_ledger_holds(core)


async def free(core: Core, brand: str = "Kcell", prefix: str = "702", category: str = "any") -> str:
    """A number that nobody holds now."""
    found = await core.do("numbers.search", kcell(1), brand=brand, prefix=prefix, category=category)
    return str(result(found)["numbers"][0]["number"])


async def all_free(core: Core, **wanted: str) -> list[dict[str, Any]]:
    """All that a search finds, page by page."""
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"last": ""}
    while "last" in page:
        after = {"after": page["last"]} if found else {}
        page = result(await core.do("numbers.search", kcell(1), **wanted, **after))
        found += page["numbers"]
    return found


async def quote(core: Core, who: str, number: str, city: str = "almaty", **more: str) -> dict[str, Any]:
    quoted: dict[str, Any] = result(await core.do("numbers.quote", who, number=number, city=city, **more))
    return quoted


async def confirm(core: Core, who: str, quoted: dict[str, Any], call_id: str = "") -> Done | Refused:
    confirming = {"intent": quoted["intent"], "digits": quoted["digits"]}
    return await core.do("numbers.reserve", who, call_id=call_id or None, **confirming)


async def reserve(core: Core, who: str, number: str, city: str = "almaty", **more: str) -> dict[str, Any]:
    reserved: dict[str, Any] = result(await confirm(core, who, await quote(core, who, number, city, **more)))
    return reserved


async def register(
    core: Core, who: str, number: str, code: str, city: str = "almaty", call_id: str = ""
) -> Done | Refused:
    given = {"number": number, "code": code, "document": DOCUMENT, "city": city}
    return await core.do("numbers.register", who, call_id=call_id or None, **given)


async def held_by(core: Core, who: str) -> list[str]:
    return [each["number"] for each in result(await core.do("numbers.reservations", who))["reservations"]]


async def is_free(core: Core, number: str) -> bool:
    found = await all_free(core, brand="Kcell", prefix=number[1:4], digits=number[4:])
    found += await all_free(core, brand="activ", prefix=number[1:4], digits=number[4:])
    return number in [each["number"] for each in found]


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08}"


# --- choosing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("brand", "prefixes"), [("Kcell", ["701", "702"]), ("activ", ["701", "702", "775", "778"]), ("Other", [])]
)
async def test_a_brand_has_its_prefixes(core: Core, brand: str, prefixes: list[str]) -> None:
    found = result(await core.do("numbers.prefixes", kcell(200), brand=brand))
    assert found == {"prefixes": [{"id": prefix, "prefix": prefix} for prefix in prefixes]}


async def test_each_category_has_its_price(core: Core) -> None:
    found = result(await core.do("numbers.categories", kcell(200)))["categories"]
    assert [each["category"] for each in found] == ["plain", "silver", "gold", "platinum"]
    assert found[0]["price"] == tenge(0)
    assert all(one["price"]["minor"] < other["price"]["minor"] for one, other in itertools.pairwise(found))


async def test_only_cities_with_a_centre_are_told_when_those_are_wanted(core: Core) -> None:
    every = result(await core.do("service_points.cities", kcell(200)))["cities"]
    centres = result(await core.do("service_points.cities", kcell(200), centres_only=True))["cities"]
    assert centres == [each for each in every if each["has_centre"]]
    assert 0 < len(centres) < len(every)


async def test_numbers_of_another_operator_are_not_offered(core: Core) -> None:
    number, who = await free(core), "77770000200"
    assert result(await core.do("numbers.prefixes", who, brand="Kcell")) == {"prefixes": []}
    assert result(await core.do("numbers.search", who, brand="Kcell", prefix="702")) == {"numbers": []}
    assert await core.do("numbers.quote", who, number=number, city="almaty") == Refused("NO_SUCH_CITY", {})


async def test_free_numbers_come_eight_at_a_time_and_after_the_last_come_the_next(core: Core) -> None:
    first = result(await core.do("numbers.search", kcell(200), brand="activ", prefix="775"))
    assert len(first["numbers"]) == 8
    assert first["last"] == first["numbers"][-1]["number"] == first["numbers"][-1]["id"]
    found = [each["number"] for each in await all_free(core, brand="activ", prefix="775")]
    stored = await core.pool.fetch("SELECT msisdn FROM numbers WHERE brand = 'activ' AND prefix = '775' ORDER BY 1")
    assert found == [row[0] for row in stored]
    after_all = await core.do("numbers.search", kcell(200), brand="activ", prefix="775", after=found[-1])
    assert result(after_all) == {"numbers": []}


async def test_a_brand_has_numbers_of_its_own_under_a_prefix_that_both_have(core: Core) -> None:
    of_kcell = {each["number"] for each in await all_free(core, brand="Kcell", prefix="701")}
    of_activ = {each["number"] for each in await all_free(core, brand="activ", prefix="701")}
    assert of_kcell
    assert of_activ
    assert not of_kcell & of_activ


@pytest.mark.parametrize("category", PRICES)
async def test_a_category_has_its_price(core: Core, category: str) -> None:
    found = await all_free(core, brand="Kcell", prefix="701", category=category)
    assert {(each["category"], each["price"]["minor"]) for each in found} == {(category, PRICES[category] * 100)}
    everything = await all_free(core, brand="Kcell", prefix="701", category="any")
    assert [each for each in everything if each["category"] == category] == found


async def test_digits_are_looked_for_after_the_prefix_and_nowhere_else(core: Core) -> None:
    everything = [each["number"] for each in await all_free(core, brand="Kcell", prefix="701")]
    whole = everything[7][4:]
    for digits in ("70", "01", "17", whole[2:5], whole[1:6], whole):
        found = [each["number"] for each in await all_free(core, brand="Kcell", prefix="701", digits=digits)]
        assert found == [number for number in everything if digits in number[4:]]
    assert len([number for number in everything if "70" in number]) == len(everything)


async def test_digits_and_a_category_are_looked_for_together(core: Core) -> None:
    silver = await all_free(core, brand="activ", prefix="701", category="silver")
    digits = silver[0]["number"][-2:]
    found = await all_free(core, brand="activ", prefix="701", category="silver", digits=digits)
    assert found == [each for each in silver if digits in each["number"][4:]]


@pytest.mark.parametrize("digits", ["7", "12345678", "1%"])
async def test_fewer_than_two_or_more_than_seven_digits_are_no_search(core: Core, digits: str) -> None:
    outcome = await core.ask("numbers.search", kcell(200), {"brand": "Kcell", "prefix": "701", "digits": digits})
    assert isinstance(outcome, NotMade)


@pytest.mark.parametrize(
    ("who", "code"),
    [(kcell(291), "BARRED"), (kcell(295), "BLOCKED"), (kcell(297), "CLOSED"), ("77019999999", "UNKNOWN_NUMBER")],
)
async def test_only_an_active_number_chooses_another(core: Core, who: str, code: str) -> None:
    number = await free(core)
    for operation, arguments in (
        ("numbers.prefixes", {"brand": "Kcell"}),
        ("numbers.search", {"brand": "Kcell", "prefix": "701"}),
        ("numbers.quote", {"number": number, "city": "almaty"}),
        ("numbers.reserve", {"intent": "none", "digits": "47"}),
        ("numbers.reservations", {}),
        ("numbers.cancel", {"number": number, "last_digits": number[-4:]}),
    ):
        assert await core.do(operation, who, **arguments) == Refused(code, {})


# --- the quote ------------------------------------------------------------------------------------------------------


async def test_a_quote_of_kcell_tells_fee_price_advance_and_tariff(core: Core) -> None:
    who, number = await with_balance(core, kcell(201), 5_000), await free(core, category="gold")
    quoted = await quote(core, who, number, language="en")
    told = {name: value for name, value in quoted.items() if name not in ("intent", "digits")}
    assert told == {
        "fee": tenge(FEE),
        "price": tenge(15_000),
        "advance": tenge(2_000),
        "category": "gold",
        "tariff": "11",
        "city": "Almaty",
        "valid_until": "2027-04-03T07:00:00Z",
        "closed_till_then": False,
    }


@pytest.mark.parametrize(
    ("language", "tariff", "city"),
    [
        ("kk", "Күндізгі шексіз", "Өскемен"),
        ("ru", "Дневной безлимит", "Усть-Каменогорск"),
        ("en", "Daytime unlimited", "Oskemen"),
    ],
)
async def test_a_quote_of_activ_has_no_advance_and_is_told_in_the_language_of_the_call(
    core: Core, language: str, tariff: str, city: str
) -> None:
    who, number = await with_balance(core, kcell(202), 5_000), await free(core, "activ", "778", "plain")
    quoted = await quote(core, who, number, "oskemen", language=language)
    assert (quoted["advance"], quoted["price"]) == (tenge(0), tenge(0))
    assert (quoted["tariff"], quoted["city"]) == (tariff, city)


@pytest.mark.parametrize(("channel", "hours"), [("ussd", 72), ("web", 24), ("office", 24)])
async def test_a_reservation_holds_72_hours_by_ussd_and_24_elsewhere(core: Core, channel: str, hours: int) -> None:
    who, number = await with_balance(core, kcell(203), 5_000), await free(core)
    quoted = await quote(core, who, number, channel=channel)
    assert quoted["valid_until"] == instant(NOON + hours * HOUR)
    core.now = NOON + MINUTE
    assert result(await confirm(core, who, quoted))["valid_until"] == instant(NOON + MINUTE + hours * HOUR)


@pytest.mark.parametrize(
    ("day", "time", "channel", "closed"),
    [
        ("2027-04-03", "17:59", "web", False),  # Saturday, open till 18:00
        ("2027-04-03", "18:00", "web", True),  # Sunday is closed
        ("2027-04-03", "18:00", "ussd", False),  # Monday and Tuesday are not
        ("2027-04-04", "09:00", "web", True),  # ends as they open on Monday
        ("2027-04-04", "09:01", "web", False),
        ("2027-04-05", "20:00", "office", False),  # closed for today, and open tomorrow
    ],
)
async def test_a_warning_is_due_when_no_centre_there_opens_before_the_deadline(
    core: Core, day: str, time: str, channel: str, closed: bool
) -> None:
    core.now = datetime.datetime.fromisoformat(f"{day}T{time}+05:00")
    who, number = await with_balance(core, kcell(204), 5_000), await free(core)
    assert (await quote(core, who, number, channel=channel))["closed_till_then"] is closed


async def test_a_quote_takes_nothing_and_holds_nothing(core: Core) -> None:
    who, number = await with_balance(core, kcell(205), 5_000), await free(core)
    await quote(core, who, number)
    assert await balance(core, who) == 500_000
    assert await is_free(core, number)
    assert await core.notices(who, "numbers.reserved") == []


async def test_a_quote_needs_a_city_with_a_centre_and_a_number_that_is_free(core: Core) -> None:
    who, number = await with_balance(core, kcell(206), 5_000), await free(core)
    without = await core.pool.fetchval(
        "SELECT city_id FROM cities WHERE network = 'kcell' AND NOT EXISTS"
        " (SELECT FROM service_points p WHERE p.city_id = cities.city_id AND is_centre) LIMIT 1"
    )
    for city in (without, "london"):
        refused = await core.do("numbers.quote", who, number=number, city=city)
        assert refused == Refused("NO_SUCH_CITY", {})
    for taken in (kcell(1), "77020000000"):
        assert await core.do("numbers.quote", who, number=taken, city="almaty") == Refused("TAKEN", {})


async def test_a_quote_says_how_much_is_missing(core: Core) -> None:
    who = await with_balance(core, kcell(207), FEE - 1)
    refused = await core.do("numbers.quote", who, number=await free(core), city="almaty")
    assert refused == Refused("NOT_ENOUGH_MONEY", {"missing": tenge(1)})


async def test_a_quote_holds_three_minutes_and_only_for_who_asked(core: Core) -> None:
    who, number = await with_balance(core, kcell(208), 5_000), await free(core)
    early, late = await quote(core, who, number), await quote(core, who, number)
    assert await confirm(core, kcell(209), early) == Refused("NO_SUCH_QUOTE", {})
    core.now = NOON + 3 * MINUTE
    assert await confirm(core, who, late) == Refused("EXPIRED", {})
    core.now = NOON + 3 * MINUTE - SECOND
    assert await confirm(core, who, late) == Refused("EXPIRED", {})  # what was told stays
    assert "code" in result(await confirm(core, who, early))


async def test_three_times_other_digits_and_the_quote_is_void(core: Core) -> None:
    who, number = await with_balance(core, kcell(210), 5_000), await free(core)
    quoted = await quote(core, who, number)
    for left in (2, 1, 0):
        wrong = {**quoted, "digits": other_digits(quoted["digits"])}
        assert await confirm(core, who, wrong) == Refused("WRONG_DIGITS", {"tries_left": left})
    assert await confirm(core, who, quoted) == Refused("EXPIRED", {})
    assert await balance(core, who) == 500_000
    assert await is_free(core, number)


# --- reserving ------------------------------------------------------------------------------------------------------


async def test_the_fee_is_taken_the_number_held_and_the_code_told_here_and_by_sms(core: Core) -> None:
    who, number = await with_balance(core, kcell(211), 5_000), await free(core)
    await core.ask("subscribers.set_language", who, {"language": "kk"})
    quoted = await quote(core, who, number, "oskemen")
    reserved = result(await confirm(core, who, quoted))
    told = {"number": number, "valid_until": "2027-04-03T07:00:00Z"}
    assert reserved == {**told, "code": reserved["code"], "city": "Усть-Каменогорск"}
    assert len(reserved["code"]) == 8
    [notice] = await core.notices(who, "numbers.reserved")
    assert notice["arguments"] == {**told, "code": reserved["code"], "city": "Өскемен"}
    assert notice["language"] == "kk"
    assert await balance(core, who) == 450_000
    moves = await core.pool.fetch(
        "SELECT a.kind, e.amount_minor FROM postings p JOIN entries e USING (posting_id) JOIN accounts a"
        " USING (account_id) WHERE p.cause = $1 AND p.kind = 'reservation' ORDER BY 2",
        uuid.UUID(quoted["intent"]),
    )
    assert [tuple(move) for move in moves] == [("prepaid", -FEE * 100), ("revenue", FEE * 100)]
    assert await held_by(core, who) == [number]
    assert not await is_free(core, number)


async def test_a_repeat_tells_no_code_and_takes_nothing_more(core: Core) -> None:
    who, number = await with_balance(core, kcell(212), 5_000), await free(core)
    quoted, call_id = await quote(core, who, number), str(uuid.uuid4())
    first = result(await confirm(core, who, quoted, call_id))
    without_code = {name: value for name, value in first.items() if name != "code"}
    assert result(await confirm(core, who, quoted, call_id)) == without_code  # the same call again
    assert result(await confirm(core, who, quoted)) == without_code  # and another one for the same quote
    assert await balance(core, who) == 450_000
    assert len(await core.notices(who, "numbers.reserved")) == 1


async def test_the_code_lies_nowhere_in_clear(core: Core, owner: asyncpg.Connection) -> None:
    who, number = await with_balance(core, kcell(213), 5_000), await free(core)
    code = (await reserve(core, who, number))["code"]
    kept = ""
    for table in ("calls", "intents", "reservations", "notices"):
        kept += "\n".join(row[0] for row in await owner.fetch(f"SELECT t::text FROM {table} t"))
    assert number in kept
    assert code not in kept
    assert code.encode().hex() not in kept


async def test_no_two_numbers_are_held_under_one_code(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    who = await with_balance(core, kcell(214), 5_000)
    drawn = iter(["31415926", "31415926", "31415926", "27182818"])
    monkeypatch.setattr(numbers, "make_code", lambda: next(drawn))
    assert (await reserve(core, who, await free(core)))["code"] == "31415926"
    assert (await reserve(core, who, await free(core)))["code"] == "27182818"


async def test_money_that_went_before_the_confirmation_is_missing_and_nothing_is_held(core: Core) -> None:
    who, number = await with_balance(core, kcell(215), 5_000), await free(core)
    quoted, call_id = await quote(core, who, number), str(uuid.uuid4())
    await with_balance(core, who, 499)
    refused = Refused("NOT_ENOUGH_MONEY", {"missing": tenge(1)})
    assert await confirm(core, who, quoted, call_id) == refused
    await with_balance(core, who, 5_000)
    assert await confirm(core, who, quoted, call_id) == await confirm(core, who, quoted) == refused
    assert await balance(core, who) == 500_000
    assert await held_by(core, who) == []
    assert await is_free(core, number)


async def test_who_comes_second_is_told_and_pays_nothing(core: Core) -> None:
    first, second = await with_balance(core, kcell(216), 5_000), await with_balance(core, kcell(217), 5_000)
    number = await free(core)
    early, late = await quote(core, first, number), await quote(core, second, number)
    assert isinstance(await confirm(core, second, late), Done)
    assert await confirm(core, first, early) == Refused("TAKEN", {})
    assert (await balance(core, first), await balance(core, second)) == (500_000, 450_000)
    assert await core.do("numbers.quote", first, number=number, city="almaty") == Refused("TAKEN", {})
    assert await core.notices(first, "numbers.reserved") == []


async def test_a_reservation_that_breaks_off_takes_its_fee_along(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    who, number = await with_balance(core, kcell(218), 5_000), await free(core)
    quoted, call_id = await quote(core, who, number), str(uuid.uuid4())

    async def breaks_off(*_args: object, **_named: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr(numbers, "write_notice", breaks_off)
        with pytest.raises(ConnectionResetError):
            await confirm(core, who, quoted, call_id)
    assert await balance(core, who) == 500_000
    assert await is_free(core, number)
    assert "code" in result(await confirm(core, who, quoted, call_id))
    assert await balance(core, who) == 450_000


@pytest.mark.parametrize("was_held", [True, False])
async def test_five_hundred_take_one_number_at_once_and_one_gets_it_and_pays(core: Core, was_held: bool) -> None:
    number = await free(core)
    if was_held:
        await reserve(core, await with_balance(core, kcell(219), 5_000), number)
        core.now = NOON + 72 * HOUR  # it is free again, and nobody has written so
    rows = await core.pool.fetch(
        "SELECT msisdn, balance_minor FROM subscribers JOIN accounts USING (subscriber_id) WHERE network = 'kcell'"
        " AND status = 'active' AND kind = 'prepaid' AND balance_minor >= $1 AND msisdn > $2 ORDER BY 1 LIMIT 100",
        *(5 * FEE * 100, kcell(400)),
    )
    before = {row["msisdn"]: row["balance_minor"] for row in rows}
    quotes = [(who, await quote(core, who, number)) for who in before for _ in range(5)]
    outcomes = await asyncio.gather(*(confirm(core, who, quoted) for who, quoted in quotes))
    assert len(outcomes) == 500
    [winner] = [who for (who, _), outcome in zip(quotes, outcomes, strict=True) if isinstance(outcome, Done)]
    assert [outcome for outcome in outcomes if isinstance(outcome, Refused)] == [Refused("TAKEN", {})] * 499
    for who, minor in before.items():
        assert await balance(core, who) == minor - (FEE * 100 if who == winner else 0)
        told = await core.notices(who, "numbers.reserved")
        assert [number for each in told if each["arguments"]["number"] == number] == [number] * (who == winner)
    assert number in await held_by(core, winner)
    await assert_the_ledger_holds(core)


# --- its end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channel", "hours", "n"), [("ussd", 72, 220), ("web", 24, 242), ("office", 24, 244)])
async def test_past_its_deadline_a_number_is_free_by_itself_and_the_fee_stays_where_it_is(
    core: Core, channel: str, hours: int, n: int
) -> None:
    who, number = await with_balance(core, kcell(n), 5_000), await free(core)
    await reserve(core, who, number, channel=channel)
    core.now = NOON + hours * HOUR - SECOND
    assert await held_by(core, who) == [number]
    assert not await is_free(core, number)
    core.now = NOON + hours * HOUR
    assert await held_by(core, who) == []
    assert await is_free(core, number)
    assert await balance(core, who) == 450_000
    next_one = await with_balance(core, kcell(n + 1), 5_000)
    await reserve(core, next_one, number)
    assert await held_by(core, next_one) == [number]


async def test_what_has_run_out_is_written_so_by_the_sweeper(core: Core) -> None:
    who, number = await with_balance(core, kcell(222), 5_000), await free(core)
    await reserve(core, who, number)
    states = "SELECT state, ended_at FROM reservations r JOIN subscribers s USING (subscriber_id) WHERE s.msisdn = $1"
    core.now = NOON + 72 * HOUR - SECOND
    await core.sweeper.sweep()
    assert [tuple(row) for row in await core.pool.fetch(states, who)] == [("held", None)]
    core.now = NOON + 72 * HOUR
    await core.sweeper.sweep()
    assert [tuple(row) for row in await core.pool.fetch(states, who)] == [("expired", NOON + 72 * HOUR)]
    assert await balance(core, who) == 450_000


async def test_a_number_is_given_up_by_its_last_four_digits_and_the_fee_is_not_given_back(core: Core) -> None:
    who, number = await with_balance(core, kcell(223), 5_000), await free(core)
    await reserve(core, who, number)
    wrong = f"{(int(number[-4:]) + 1) % 10_000:04}"
    assert await core.do("numbers.cancel", who, number=number, last_digits=wrong) == Refused("WRONG_DIGITS", {})
    not_theirs = await core.do("numbers.cancel", kcell(224), number=number, last_digits=number[-4:])
    assert not_theirs == Refused("NOT_RESERVED", {})
    assert await core.do("numbers.cancel", who, number=number, last_digits=number[-4:]) == Done({})
    assert await held_by(core, who) == []
    assert await is_free(core, number)
    assert await balance(core, who) == 450_000
    again = await core.do("numbers.cancel", who, number=number, last_digits=number[-4:])
    assert again == Refused("NOT_RESERVED", {})


async def test_a_reservation_is_annulled_by_the_office_and_the_fee_is_not_given_back(core: Core) -> None:
    who, number = await with_balance(core, kcell(225), 5_000), await free(core)
    await reserve(core, who, number)
    why = "sells numbers on"
    assert await core.do("numbers.annul", kcell(226), number=number, why=why) == Refused("NOT_RESERVED", {})
    assert await core.do("numbers.annul", who, number=number, why=why) == Done({})
    assert (await core.notices(who))[-1]["arguments"] == {"number": number}
    assert await core.pool.fetchval("SELECT why FROM reservations WHERE state = 'annulled'") == why
    assert await held_by(core, who) == []
    assert await is_free(core, number)
    assert await balance(core, who) == 450_000


async def test_a_number_that_is_closed_holds_no_other(core: Core) -> None:
    who, number = await with_balance(core, kcell(227), 5_000), await free(core)
    await reserve(core, who, number)
    assert isinstance(await core.do("subscribers.set_status", who, status="closed"), Done)
    assert await is_free(core, number)


async def test_ten_a_month_by_web_and_office_and_by_ussd_as_many_as_one_likes(core: Core) -> None:
    who = await with_balance(core, kcell(228), 9_000)
    for _ in range(2):
        await reserve(core, who, await free(core))
    for n in range(10):
        number = await free(core)
        await reserve(core, who, number, channel=("web", "office")[n % 2])
        if n < 5:
            await core.do("numbers.cancel", who, number=number, last_digits=number[-4:])  # counts all the same
    number = await free(core)
    for channel in ("web", "office"):
        over = await core.do("numbers.quote", who, number=number, city="almaty", channel=channel)
        assert over == Refused("TOO_MANY", {})
    await reserve(core, who, number)
    core.now = datetime.datetime.fromisoformat("2027-03-31T23:59:59+05:00")
    over = await core.do("numbers.quote", who, number=await free(core), city="almaty", channel="web")
    assert over == Refused("TOO_MANY", {})
    core.now += SECOND
    await reserve(core, who, await free(core), channel="web")
    assert await balance(core, who) == (9_000 - 14 * FEE) * 100


async def test_a_quote_from_before_the_tenth_is_refused_and_costs_nothing(core: Core) -> None:
    who, number = await with_balance(core, kcell(229), 8_000), await free(core)
    early = await quote(core, who, number, channel="web")
    for _ in range(10):
        await reserve(core, who, (await all_free(core, brand="activ", prefix="778"))[0]["number"], channel="web")
    before = await balance(core, who)
    assert await confirm(core, who, early) == Refused("TOO_MANY", {})
    assert await balance(core, who) == before
    assert await is_free(core, number)


async def test_my_reservations_are_told_the_soonest_to_end_first(core: Core) -> None:
    who, other = await with_balance(core, kcell(230), 5_000), await with_balance(core, kcell(231), 5_000)
    late, soon = await free(core, prefix="701"), await free(core, prefix="702")
    await reserve(core, who, late, "shymkent")
    await reserve(core, who, soon, "oskemen", channel="web")
    await reserve(core, other, await free(core))
    listed = result(await core.do("numbers.reservations", who, language="kk"))["reservations"]
    assert listed == [
        {"id": soon, "number": soon, "valid_until": "2027-04-01T07:00:00Z", "city": "Өскемен"},
        {"id": late, "number": late, "valid_until": "2027-04-03T07:00:00Z", "city": "Шымкент"},
    ]


# --- at the office --------------------------------------------------------------------------------------------------


async def test_who_has_the_code_gets_the_number_with_accounts_tariff_and_advance(core: Core) -> None:
    who, number = await with_balance(core, kcell(232), 5_000), await free(core, category="silver")
    code = (await reserve(core, who, number))["code"]
    core.now = NOON + 71 * HOUR
    registered = await register(core, who, number, code)
    assert result(registered) == {"number": number, "price": tenge(5_000), "advance": tenge(2_000)}
    hello = result(await core.do("subscribers.hello", number))
    assert (hello["network"], hello["brand"], hello["status"]) == ("kcell", "Kcell", "active")
    balances = {"balance": tenge(2_000), "bonuses": tenge(0)}
    assert result(await core.do("balances.get", number)) == balances
    tariff = result(await core.do("tariffs.current", number))
    assert (tariff["name"], tariff["minutes_left"], tariff["megabytes_left"]) == ("11", 300, 15_360)
    assert (await core.notices(who))[-1]["arguments"] == {"number": number}
    [order] = await core.pool.fetch("SELECT what FROM provisioning WHERE msisdn = $1", number)
    assert order["what"] == "open"
    assert await balance(core, who) == 450_000
    await assert_the_ledger_holds(core)


async def test_a_number_of_activ_begins_without_an_advance(core: Core) -> None:
    who, number = await with_balance(core, kcell(233), 5_000), await free(core, "activ", "778", "plain")
    code = (await reserve(core, who, number))["code"]
    nothing = {"number": number, "price": tenge(0), "advance": tenge(0)}
    assert result(await register(core, who, number, code)) == nothing
    assert await balance(core, number) == 0
    tariff = result(await core.do("tariffs.current", number, language="en"))
    assert (tariff["name"], tariff["minutes_left"]) == ("Daytime unlimited", 500)
    assert result(await core.do("subscribers.hello", number))["brand"] == "activ"
    assert isinstance(await core.do("balances.top_up", number, sum=tenge(100), place="a-branch"), Done)


async def test_a_registered_number_is_nobody_elses_any_more(core: Core) -> None:
    who, number = await with_balance(core, kcell(234), 5_000), await free(core)
    code, call_id = (await reserve(core, who, number))["code"], str(uuid.uuid4())
    registered = await register(core, who, number, code, call_id=call_id)
    assert await register(core, who, number, code, call_id=call_id) == registered  # the same call again
    assert await register(core, who, number, code) == Refused("WRONG_CODE", {})
    core.now = NOON + 1_000 * HOUR
    assert not await is_free(core, number)
    assert await core.do("numbers.quote", who, number=number, city="almaty") == Refused("TAKEN", {})
    assert await held_by(core, who) == []
    assert await balance(core, number) == 200_000


async def test_the_document_that_was_shown_is_noted(core: Core) -> None:
    who, number = await with_balance(core, kcell(235), 5_000), await free(core)
    await register(core, who, number, (await reserve(core, who, number))["code"])
    shown = await core.pool.fetch(
        "SELECT why, document, at FROM documents_shown JOIN subscribers USING (subscriber_id) WHERE msisdn = $1", who
    )
    assert [tuple(row) for row in shown] == [("numbers.register", DOCUMENT, NOON)]


async def test_another_code_or_city_is_refused_and_two_tries_do_not_spoil_the_third(core: Core) -> None:
    who, number = await with_balance(core, kcell(236), 5_000), await free(core)
    code = (await reserve(core, who, number))["code"]
    wrong, call_id = Refused("WRONG_CODE", {}), str(uuid.uuid4())
    for _ in range(5):  # one call, however often it arrives, is one try
        assert await register(core, who, number, another(code), call_id=call_id) == wrong
    assert await register(core, who, number, code, "shymkent") == wrong
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    assert isinstance(await register(core, who, number, full_width), Done)


async def test_after_three_wrong_codes_the_right_one_is_refused_as_well(core: Core) -> None:
    who, number = await with_balance(core, kcell(237), 5_000), await free(core)
    code = (await reserve(core, who, number))["code"]
    for typed in (another(code), another(code), another(code), code):
        assert await register(core, who, number, typed) == Refused("WRONG_CODE", {})
    assert await held_by(core, who) == [number]
    assert await core.do("subscribers.hello", number) == Refused("UNKNOWN_NUMBER", {})


async def test_the_code_is_worth_nothing_to_others_or_for_another_number_or_too_late(core: Core) -> None:
    who, other = await with_balance(core, kcell(238), 5_000), await with_balance(core, kcell(239), 5_000)
    number = await free(core)
    code = (await reserve(core, who, number))["code"]
    second = await free(core)
    await reserve(core, other, second)
    for asking, asked in ((other, number), (other, second), (kcell(240), number), (who, second)):
        assert await register(core, asking, asked, code) == Refused("WRONG_CODE", {})
    core.now = NOON + 72 * HOUR
    assert await register(core, who, number, code) == Refused("WRONG_CODE", {})


async def test_a_cancelled_or_annulled_reservation_is_not_registered(core: Core) -> None:
    who = await with_balance(core, kcell(241), 5_000)
    cancelled = await free(core)
    first = (await reserve(core, who, cancelled))["code"]
    await core.do("numbers.cancel", who, number=cancelled, last_digits=cancelled[-4:])
    annulled = await free(core)
    second = (await reserve(core, who, annulled))["code"]
    await core.do("numbers.annul", who, number=annulled, why="misuse")
    for number, code in ((cancelled, first), (annulled, second)):
        assert await register(core, who, number, code) == Refused("WRONG_CODE", {})
