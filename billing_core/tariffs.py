"""Tariffs: the one a subscriber has, and what is left of its packages."""

from __future__ import annotations

import datetime

from billing.calls import Call, Done, Refused
from billing_core.database import Connection
from billing_core.subscribers import UNKNOWN_NUMBER, refusal_by_status

_CURRENT = """
SELECT s.status, t.name_kk, t.name_ky, t.name_ru, t.name_en, t.currency, t.fee_minor, t.fee_period,
       u.minutes_left, u.megabytes_left, u.sms_left, u.renewal_day,
       (statement_timestamp() AT TIME ZONE n.time_zone)::date AS today
FROM subscribers s
JOIN networks n ON n.network = s.network
JOIN subscriptions u ON u.subscriber_id = s.subscriber_id
JOIN tariffs t ON t.tariff_id = u.tariff_id
WHERE s.msisdn = $1 AND s.held_until IS NULL
"""


# A month of a daily fee is taken for thirty days.
_OFFERED = """
SELECT s.status, t.tariff_id, t.name_kk, t.name_ky, t.name_ru, t.name_en, t.currency, t.fee_minor, t.fee_period,
       t.minutes, t.megabytes, t.sms, t.tariff_id = u.tariff_id AS is_current
FROM subscribers s
LEFT JOIN subscriptions u ON u.subscriber_id = s.subscriber_id
LEFT JOIN tariffs t ON t.network = s.network
WHERE s.msisdn = $1 AND s.held_until IS NULL
ORDER BY t.fee_minor * CASE t.fee_period WHEN 'day' THEN 30 ELSE 1 END, t.tariff_id
LIMIT $2
"""
OFFERED_MAX = 30
"""As the contract says."""


async def offered(connection: Connection, call: Call) -> Done | Refused:
    """`tariffs.offered`."""
    rows = await connection.fetch(_OFFERED, call.msisdn, OFFERED_MAX)
    if not rows:
        return UNKNOWN_NUMBER
    if refusal := refusal_by_status(rows[0]["status"], call.operation):
        return refusal
    return Done(
        {
            "tariffs": [
                {
                    "id": row["tariff_id"],
                    "name": row["name_" + call.language] or row["name_ru"],
                    "fee": {"minor": row["fee_minor"], "currency": row["currency"]},
                    "fee_period": row["fee_period"],
                    "minutes": row["minutes"],
                    "megabytes": row["megabytes"],
                    "sms": row["sms"],
                    "is_current": row["is_current"] is True,
                }
                for row in rows
                if row["tariff_id"] is not None
            ]
        }
    )


async def current(connection: Connection, call: Call) -> Done | Refused:
    """`tariffs.current`. A name that a language lacks is given in Russian, which every tariff has."""
    row = await connection.fetchrow(_CURRENT, call.msisdn)
    if row is None:
        return UNKNOWN_NUMBER
    if refusal := refusal_by_status(row["status"], call.operation):
        return refusal
    return Done(
        {
            "name": row["name_" + call.language] or row["name_ru"],
            "fee": {"minor": row["fee_minor"], "currency": row["currency"]},
            "fee_period": row["fee_period"],
            "minutes_left": row["minutes_left"],
            "megabytes_left": row["megabytes_left"],
            "sms_left": row["sms_left"],
            "renews_on": next_renewal(row["today"], row["fee_period"], row["renewal_day"]).isoformat(),
        }
    )


def next_renewal(today: datetime.date, period: str, day_of_month: int) -> datetime.date:
    """The first day after `today` on which a period begins; `day_of_month` is 1 to 28, so that every month has it."""
    if period == "day":
        return today + datetime.timedelta(days=1)
    if today.day < day_of_month:
        return today.replace(day=day_of_month)
    first_of_next = (today.replace(day=1) + datetime.timedelta(days=31)).replace(day=1)
    return first_of_next.replace(day=day_of_month)
