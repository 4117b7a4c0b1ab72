"""Cities and service points of Kcell, as the operator has published them: `service_points.json`.

Rules of this file: everything is taken as it was published, in that order. Hours of which the weekdays were not said
stay so; an address that is too long is refused by the database, never cut.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from billing_core.database import Connection

FILE = Path(__file__).with_name("service_points.json")
_NETWORK = "kcell"
_ADD_CITY = """
INSERT INTO cities (city_id, network, position, name_kk, name_ru, name_en)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""
_ADD_POINT = """
INSERT INTO service_points (point_id, city_id, position, is_centre, address, monday_friday, saturday, sunday, published)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING
"""


async def seed_service_points(connection: Connection) -> None:
    """Adds the cities and points that are missing. Raises KeyError for a point whose city is not among the cities."""
    published = json.loads(FILE.read_text(encoding="utf-8"))
    cities = {city["ru"]: _id_of(city["en"]) for city in published["cities"]}
    city_rows = [
        (cities[city["ru"]], _NETWORK, position, city["kk"], city["ru"], city["en"])
        for position, city in enumerate(published["cities"], 1)
    ]
    async with connection.transaction():
        await connection.executemany(_ADD_CITY, city_rows)
        await connection.executemany(_ADD_POINT, _point_rows(published["points"], cities))


def _id_of(name: str) -> str:
    return name.lower().replace(" ", "-")


def _point_rows(points: list[Any], cities: dict[str, str]) -> list[tuple[Any, ...]]:
    """A point's id is its city's and which one it is in that city."""
    counted: Counter[str] = Counter()
    rows = []
    for position, point in enumerate(points, 1):
        city, hours = cities[point["city"]], point["hours"]
        counted[city] += 1
        by_day = [hours.get(name) for name in ("mon-fri", "sat", "sun", "published")]
        is_centre = point["kind"] == "centre"
        rows.append((f"{city}-{counted[city]}", city, position, is_centre, point["address"], *by_day))
    return rows
