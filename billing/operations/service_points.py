"""The operator's service points; help, for every status of a number."""

from __future__ import annotations

from typing import Final

from billing.operation import UNKNOWN_NUMBER, Operation, change
from billing.values import Choice, Field, Flag, Id, ListOf, Text

HOURS_KINDS: Final = ("weekdays", "published")
_CITY: Final = Field(Id(), "the `id` of a city")
_HOURS: Final = Text(11)
_POINT: Final = {
    "id": Field(Id(), "its name for programs"),
    "address": Field(Text(60), "as the operator has published it"),
    "is_own": Field(Flag(), "a centre of the operator; else a dealer"),
    "hours": Field(Choice(HOURS_KINDS), "whether the hours are told by weekday, or only as they were published"),
    "monday_friday": Field(_HOURS, "hours, as 09:00-20:00; absent: closed, or only `published`", optional=True),
    "saturday": Field(_HOURS, "the same", optional=True),
    "sunday": Field(_HOURS, "the same", optional=True),
    "published": Field(_HOURS, "hours of days that were not said", optional=True),
}
_NO_SUCH_CITY: Final = {**UNKNOWN_NUMBER, "NO_SUCH_CITY": "there is no such city"}

OPERATIONS: Final = (
    Operation(
        name="service_points.cities",
        means="Cities that have a service point, those with a centre of the operator first.",
        arguments={"centres_only": Field(Flag(), "only those with a centre of the operator", optional=True)},
        results={
            "cities": Field(
                ListOf(
                    {
                        "id": Field(Id(), "its name for programs"),
                        "name": Field(Text(20), "its name in the language of the call"),
                        "has_centre": Field(Flag(), "the operator has a centre there"),
                    },
                    97,
                ),
                "the cities",
            )
        },
        refusals=UNKNOWN_NUMBER,
    ),
    Operation(
        name="service_points.of_city",
        means="The service points of a city, centres of the operator first.",
        arguments={"city": _CITY},
        results={"points": Field(ListOf(_POINT, 40), "the service points")},
        refusals=_NO_SUCH_CITY,
    ),
    change(
        name="service_points.send",
        means="Sends a service point's address and hours by SMS.",
        arguments={"point": Field(Id(), "the `id` of a service point")},
        refusals={
            **UNKNOWN_NUMBER,
            "NO_SUCH_POINT": "there is no such service point",
            "TOO_MANY": "too many were sent today",
        },
        by_any_link=True,
    ),
)
