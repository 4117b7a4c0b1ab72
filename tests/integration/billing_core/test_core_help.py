"""Help, for a number of any status: faults and their tickets, service points and their hours as they were published."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from billing.calls import Done, Refused
from billing_core.domains.service_points import opens_before

from .running_core import Core
from .stories import HOUR, MIDNIGHT, NOON, SECOND, kcell, result

ALMATY = ZoneInfo("Asia/Almaty")


@pytest.fixture(autouse=True)
def _it_is_noon(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


# --- faults ---------------------------------------------------------------------------------------------------------


async def report(core: Core, number: str, kind: str = "network", call_id: str | None = None) -> Done | Refused:
    return await core.do("faults.report", number, kind=kind, call_id=call_id)


@pytest.mark.parametrize(("n", "kind"), [(200, "network"), (201, "payment"), (202, "internet")])
async def test_a_fault_gets_a_ticket_on_the_screen_and_by_sms(core: Core, n: int, kind: str) -> None:
    ticket = result(await report(core, kcell(n), kind))["ticket"]
    assert (len(ticket), ticket.isdecimal()) == (8, True)
    [notice] = await core.notices(kcell(n))
    assert (notice["event"], notice["arguments"]) == ("faults.reported", {"ticket": ticket})


async def test_one_that_comes_twice_is_one_ticket_and_each_other_has_its_own(core: Core) -> None:
    number, call_id = kcell(203), str(uuid.uuid4())
    tickets = [result(await report(core, number, call_id=call_id))["ticket"] for _ in range(3)]
    assert len(set(tickets)) == 1
    assert result(await report(core, number))["ticket"] not in tickets


async def test_three_can_be_open_and_then_the_last_is_told_until_an_office_closes_one(core: Core) -> None:
    number = kcell(204)
    tickets = [result(await report(core, number))["ticket"] for _ in range(3)]
    assert await report(core, number, "payment") == Refused("TOO_MANY", {"ticket": tickets[-1]})
    assert len(await core.notices(number)) == 3
    assert await core.do("faults.close", kcell(205), ticket=tickets[0]) == Refused("NO_SUCH_TICKET", {})
    assert await core.do("faults.close", number, ticket=tickets[0]) == Done({})
    assert await core.do("faults.close", number, ticket=tickets[0]) == Refused("NO_SUCH_TICKET", {})
    assert isinstance(await report(core, number, "payment"), Done)


async def test_of_ten_at_once_three_get_a_ticket(core: Core) -> None:
    outcomes = await asyncio.gather(*(report(core, kcell(205)) for _ in range(10)))
    assert sum(isinstance(outcome, Done) for outcome in outcomes) == 3


async def test_help_is_for_a_number_of_any_status_and_for_no_stranger(core: Core) -> None:
    for n in (291, 295, 297):
        assert isinstance(await report(core, kcell(n)), Done)
        assert isinstance(await core.do("service_points.cities", kcell(n)), Done)
        assert isinstance(await core.do("service_points.of_city", kcell(n), city="almaty"), Done)
        assert await core.do("service_points.send", kcell(n), point="almaty-1") == Done({})
    unknown = Refused("UNKNOWN_NUMBER", {})
    assert await report(core, "77019999999") == unknown
    assert await core.do("service_points.cities", "77019999999") == unknown


# --- cities and service points --------------------------------------------------------------------------------------


async def cities(core: Core, language: str) -> list[Any]:
    listed: list[Any] = result(await core.do("service_points.cities", kcell(206), language=language))["cities"]
    return listed


async def points(core: Core, city: str) -> list[Any]:
    listed: list[Any] = result(await core.do("service_points.of_city", kcell(206), city=city))["points"]
    return listed


async def test_cities_with_a_centre_of_the_operator_come_first_each_part_as_it_was_published(core: Core) -> None:
    listed = await cities(core, "en")
    centres = [city["name"] for city in listed if city["has_centre"]]
    assert len(centres) == 17
    assert [city["has_centre"] for city in listed] == [True] * 17 + [False] * 9
    assert centres[:4] == ["Almaty", "Astana", "Aktau", "Aktobe"]
    assert listed[17]["name"] == "Arkalyk"


async def test_a_city_without_a_centre_comes_after_those_with_one_wherever_it_was_published(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    before = await cities(core, "en")
    position = await owner.fetchval("SELECT position FROM cities WHERE city_id = 'balkhash'")
    await owner.execute("UPDATE cities SET position = 0 WHERE city_id = 'balkhash'")
    try:
        after = await cities(core, "en")
        assert after[:17] == before[:17]
        assert after[17]["id"] == "balkhash"
    finally:
        await owner.execute("UPDATE cities SET position = $1 WHERE city_id = 'balkhash'", position)


async def test_cities_are_named_in_kazakh_russian_and_english(core: Core) -> None:
    named = [[city["name"] for city in await cities(core, language)] for language in ("kk", "ru", "en")]
    assert [names[2] for names in named] == ["Ақтау", "Актау", "Aktau"]
    assert all(len(set(names)) == 26 for names in named)


async def test_centres_of_the_operator_come_before_dealers(core: Core) -> None:
    listed = await points(core, "almaty")
    assert [point["is_own"] for point in listed] == [True] * 2 + [False] * 24
    assert len({point["id"] for point in listed}) == 26


async def test_hours_are_told_by_weekday_and_a_day_without_hours_is_a_closed_one(core: Core) -> None:
    assert (await points(core, "almaty"))[0] == {
        **{"id": "almaty-1", "address": "мкр. Самал 2, д.100", "is_own": True, "hours": "weekdays"},
        **{"monday_friday": "09:00-20:00", "saturday": "09:00-18:00"},
    }
    assert "09:00-18:00" in [point.get("sunday") for point in await points(core, "taraz")]


async def test_where_the_weekday_was_not_said_none_is_told(core: Core) -> None:
    assert await points(core, "aksu") == [
        {"id": "aksu-1", "address": "ул.Ауэзова 73", "is_own": True, "hours": "published", "published": "09:00-19:00"}
    ]


async def test_every_city_that_is_listed_has_a_service_point(core: Core) -> None:
    for city in await cities(core, "ru"):
        listed = await points(core, city["id"])
        assert listed
        assert any(point["is_own"] for point in listed) is city["has_centre"]


async def test_a_city_or_point_that_is_none_of_the_network_s_is_refused(core: Core) -> None:
    no_city, no_point = Refused("NO_SUCH_CITY", {}), Refused("NO_SUCH_POINT", {})
    assert await core.do("service_points.of_city", kcell(206), city="bishkek") == no_city
    assert await core.do("service_points.of_city", "77770000206", city="almaty") == no_city
    assert await core.do("service_points.send", kcell(206), point="almaty-99") == no_point
    assert await core.do("service_points.send", "77770000206", point="almaty-1") == no_point
    assert await core.do("service_points.cities", "77770000206") == Done({"cities": []})


# --- an address by SMS ----------------------------------------------------------------------------------------------


async def send(core: Core, number: str, point: str = "almaty-1") -> Done | Refused:
    return await core.do("service_points.send", number, point=point)


async def test_an_address_is_sent_with_its_city_in_the_subscriber_s_own_language_and_its_hours(core: Core) -> None:
    number = kcell(207)
    await core.ask("subscribers.set_language", number, {"language": "kk"})
    for point in ("aktau-1", "aksu-1"):
        assert await send(core, number, point) == Done({})
    assert [notice["arguments"] for notice in await core.notices(number, "service_points.sent")] == [
        {"city": "Ақтау", "address": "11 мкр, здание 7", "hours": "Дс-Жм 09:00-20:00, Сн 09:00-18:00, Жк жабық"},
        {"city": "Ақсу", "address": "ул.Ауэзова 73", "hours": "09:00-19:00"},
    ]


async def test_every_address_can_be_sent(core: Core) -> None:
    every = [point["id"] for city in await cities(core, "ru") for point in await points(core, city["id"])]
    assert len(every) == 61
    for at, point in enumerate(every):
        assert await send(core, kcell(210 + at // 10), point) == Done({})


async def test_ten_a_day_are_sent_and_one_that_does_not_exist_is_none_of_them(core: Core) -> None:
    number = kcell(220)
    assert await send(core, number, "nowhere") == Refused("NO_SUCH_POINT", {})
    for _ in range(10):
        assert await send(core, number) == Done({})
    core.now = MIDNIGHT - SECOND
    assert await send(core, number) == Refused("TOO_MANY", {})
    core.now = MIDNIGHT
    assert await send(core, number) == Done({})
    assert len(await core.notices(number)) == 11


# --- whether an office opens in time --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("city", "begins", "hours", "opens"),
    [
        ("almaty", "2027-03-31T12:00", 24, True),  # a Wednesday
        ("almaty", "2027-03-31T19:59", 1, True),
        ("almaty", "2027-03-31T20:00", 13, False),  # until it opens on Thursday
        ("almaty", "2027-03-31T20:00", 14, True),
        ("almaty", "2027-04-03T18:00", 24, False),  # a Saturday evening: no Sunday
        ("almaty", "2027-04-03T18:00", 72, True),
        ("almaty", "2027-04-03T17:00", 24, True),
        ("aksu", "2027-03-31T12:00", 72, True),  # nobody has said of which days its hours are: no warning
        ("arkalyk", "2027-03-31T12:00", 72, False),  # dealers alone
    ],
)
async def test_a_centre_opens_before_a_deadline_by_its_published_hours(
    core: Core, city: str, begins: str, hours: int, opens: bool
) -> None:
    from_then = datetime.datetime.fromisoformat(begins).replace(tzinfo=ALMATY)
    async with core.pool.acquire() as connection:
        assert await opens_before(connection, city, from_then, from_then + hours * HOUR) is opens
