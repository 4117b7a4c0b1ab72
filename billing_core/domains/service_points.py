"""The operator's service points, with their hours as they were published."""

from __future__ import annotations

import datetime
from typing import Any

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing_core.calendar import note_try, tried_today
from billing_core.database import Connection
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import Who, named

CITIES_MAX, POINTS_MAX = 97, 40
"""As the contract says."""
_TRY = "service point"
_HOURS = ("monday_friday", "saturday", "sunday", "published")
_DAYS = {
    "kk": ("Дс-Жм", "Сн", "Жк", "жабық"),
    "ky": ("Дш-Жм", "Иш", "Жк", "жабык"),
    "ru": ("Пн-Пт", "Сб", "Вс", "закрыто"),
    "en": ("Mon-Fri", "Sat", "Sun", "closed"),
}
"""Monday to Friday, Saturday, Sunday; and what is said of a day without hours."""
_CITIES = """
SELECT c.*, EXISTS (SELECT FROM service_points p WHERE p.city_id = c.city_id AND p.is_centre) AS has_centre
FROM cities c
WHERE c.network = $1
  AND ($3 = false OR EXISTS (SELECT FROM service_points p WHERE p.city_id = c.city_id AND p.is_centre))
ORDER BY has_centre DESC, c.position LIMIT $2
"""
_CITY = "SELECT * FROM cities WHERE city_id = $1 AND network = $2"
_POINTS = "SELECT * FROM service_points WHERE city_id = $1 ORDER BY is_centre DESC, position LIMIT $2"
_POINT = """
SELECT p.*, c.name_kk, c.name_ru, c.name_en FROM service_points p JOIN cities c USING (city_id)
WHERE p.point_id = $1 AND c.network = $2
"""
_CENTRES = """
SELECT monday_friday, saturday, sunday, published FROM service_points WHERE city_id = $1 AND is_centre
"""
_DAYS_LOOKED_AHEAD = 31


class ServicePoints:
    """The operations."""

    def __init__(self, tools: Tools) -> None:
        self._sms_a_day_max = tools.rules.help.sms_a_day_max

    async def cities(self, connection: Connection, call: Call, who: Who) -> Done:
        """`service_points.cities`."""
        centres_only = call.arguments.get("centres_only", False)
        listed: list[Any] = [
            {"id": row["city_id"], "name": named(row, call.language), "has_centre": row["has_centre"]}
            for row in await connection.fetch(_CITIES, who.network, CITIES_MAX, centres_only)
        ]
        return Done({"cities": listed})

    async def of_city(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`service_points.of_city`."""
        if await connection.fetchrow(_CITY, call.arguments["city"], who.network) is None:
            return Refused("NO_SUCH_CITY", {})
        rows = await connection.fetch(_POINTS, call.arguments["city"], POINTS_MAX)
        listed: list[Any] = [_told(row) for row in rows]
        return Done({"points": listed})

    async def send(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`service_points.send`."""
        if await tried_today(connection, who, _TRY) >= self._sms_a_day_max:
            return Refused("TOO_MANY", {})
        row = await connection.fetchrow(_POINT, call.arguments["point"], who.network)
        if row is None:
            return Refused("NO_SUCH_POINT", {})
        await note_try(connection, who, _TRY)
        language = who.own_language
        arguments = {"city": named(row, language), "address": row["address"], "hours": _hours_in(row, language)}
        await write_notice(connection, who.id, call.id, "service_points.sent", arguments)
        return Done({})


def _hours_in(row: Any, language: str) -> str:
    """The hours in words; those whose days were not published, as they were."""
    if row["published"] is not None:
        return str(row["published"])
    *days, closed = _DAYS.get(language, _DAYS["ru"])
    return ", ".join(f"{day} {row[name] or closed}" for day, name in zip(days, _HOURS, strict=False))


def _told(row: Any) -> dict[str, Value]:
    told: dict[str, Value] = {
        "id": row["point_id"],
        "address": row["address"],
        "is_own": row["is_centre"],
        "hours": "weekdays" if row["published"] is None else "published",
    }
    return {**told, **{name: row[name] for name in _HOURS if row[name] is not None}}


async def opens_before(
    connection: Connection, city_id: str, begins: datetime.datetime, ends: datetime.datetime
) -> bool:
    """Whether a centre of that city is open at some time between two local moments, by its published hours; nobody says
    that it is not where the days were not published."""
    centres = await connection.fetch(_CENTRES, city_id)
    if any(row["published"] is not None for row in centres):
        return True
    for day in range(min((ends.date() - begins.date()).days, _DAYS_LOOKED_AHEAD) + 1):
        date = begins.date() + datetime.timedelta(days=day)
        which = {5: "saturday", 6: "sunday"}.get(date.weekday(), "monday_friday")
        for row in centres:
            if row[which] is None:
                continue
            opens, closes = (
                datetime.datetime.combine(date, datetime.time.fromisoformat(each), begins.tzinfo)
                for each in row[which].split("-")
            )
            if opens < ends and closes > begins:
                return True
    return False
