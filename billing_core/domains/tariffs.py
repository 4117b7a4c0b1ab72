"""Tariffs: the one a subscriber has, what is left of its packages, those on offer, and the change to another one."""

from __future__ import annotations

import datetime
from typing import Any

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing_core import intents
from billing_core.calendar import local
from billing_core.database import Connection
from billing_core.domains.balances import Balances, locked_prepaid
from billing_core.idempotency import Counted
from billing_core.ledger import money
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import Who, named

_CURRENT = """
SELECT t.name_kk, t.name_ky, t.name_ru, t.name_en, t.currency, t.fee_minor, t.fee_period,
       u.minutes_left, u.megabytes_left, u.sms_left, u.renewal_day
FROM subscriptions u JOIN tariffs t ON t.tariff_id = u.tariff_id
WHERE u.subscriber_id = $1
"""
# A month of a daily fee is taken for thirty days.
_OFFERED = """
SELECT t.tariff_id, t.name_kk, t.name_ky, t.name_ru, t.name_en, t.currency, t.fee_minor, t.fee_period,
       t.minutes, t.megabytes, t.sms, t.tariff_id = u.tariff_id AS is_current
FROM tariffs t LEFT JOIN subscriptions u ON u.subscriber_id = $1
WHERE t.network = $2
ORDER BY t.fee_minor * CASE t.fee_period WHEN 'day' THEN 30 ELSE 1 END, t.tariff_id
LIMIT $3
"""
_CHANGE = """
INSERT INTO subscriptions (subscriber_id, tariff_id, renewal_day, minutes_left, megabytes_left, sms_left)
SELECT $1, tariff_id, $3, minutes, megabytes, sms FROM tariffs WHERE tariff_id = $2
ON CONFLICT (subscriber_id) DO UPDATE SET
    tariff_id = excluded.tariff_id, renewal_day = excluded.renewal_day, minutes_left = excluded.minutes_left,
    megabytes_left = excluded.megabytes_left, sms_left = excluded.sms_left
"""
_HAS = "SELECT true FROM subscriptions WHERE subscriber_id = $1 AND tariff_id = $2"
OFFERED_MAX = 30
"""As the contract says."""
RENEWAL_DAY_MOST = 28


async def offered(connection: Connection, call: Call, who: Who) -> Done:
    """`tariffs.offered`."""
    listed: list[Any] = [
        {
            "id": row["tariff_id"],
            "name": named(row, call.language),
            "fee": money(row["fee_minor"], row["currency"]),
            "fee_period": row["fee_period"],
            "minutes": row["minutes"],
            "megabytes": row["megabytes"],
            "sms": row["sms"],
            "is_current": row["is_current"] is True,
        }
        for row in await connection.fetch(_OFFERED, who.id, who.network, OFFERED_MAX)
    ]
    return Done({"tariffs": listed})


async def current(connection: Connection, call: Call, who: Who) -> Done | Refused:
    """`tariffs.current`."""
    row = await connection.fetchrow(_CURRENT, who.id)
    if row is None:
        return Refused("UNKNOWN_NUMBER", {})
    renews_on = next_renewal(local(who).date(), row["fee_period"], row["renewal_day"])
    return Done(
        {
            "name": named(row, call.language),
            "fee": money(row["fee_minor"], row["currency"]),
            "fee_period": row["fee_period"],
            "minutes_left": row["minutes_left"],
            "megabytes_left": row["megabytes_left"],
            "sms_left": row["sms_left"],
            "renews_on": renews_on.isoformat(),
        }
    )


class Tariffs:
    """The change to another tariff."""

    def __init__(self, tools: Tools, balances: Balances) -> None:
        self._tools = tools
        self._balances = balances

    async def quote(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`tariffs.quote`."""
        rows = await connection.fetch(_OFFERED, who.id, who.network, OFFERED_MAX)
        tariff = next((row for row in rows if row["tariff_id"] == call.arguments["tariff"]), None)
        if tariff is None:
            return Refused("NO_SUCH_TARIFF", {})
        if tariff["is_current"]:
            return Refused("IS_CURRENT", {})
        fee: int = tariff["fee_minor"]
        if missing := await missing_for(connection, who, fee):
            return missing
        terms: dict[str, Value] = {"tariff": tariff["tariff_id"], **_names(tariff)}
        quoted = await intents.quote(connection, call, who, "tariff", terms, fee)
        shown = {"fee": money(fee, who.currency), "fee_period": tariff["fee_period"]}
        return Done({**quoted, "name": named(tariff, call.language), **shown})

    async def confirm(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        """`tariffs.confirm`. The fee is the one that was quoted. A tariff that the number has by now, by another quote,
        is not paid for twice."""
        intent = await intents.with_digits(connection, call, who, "tariff")
        if not isinstance(intent, intents.Intent):
            return intent
        if await connection.fetchval(_HAS, who.id, intent.terms["tariff"]):
            return await intents.refused(connection, intent, Refused("IS_CURRENT", {}), who.now)
        account, balance = await locked_prepaid(connection, who)
        if balance < intent.sum_minor:
            refusal = not_enough(intent.sum_minor - balance, who.currency)
            return await intents.refused(connection, intent, refusal, who.now)
        if intent.sum_minor:
            await self._balances.take(connection, who, intent.id, "tariff", account, intent.sum_minor)
        day = min(local(who).day, RENEWAL_DAY_MOST)
        await connection.execute(_CHANGE, who.id, intent.terms["tariff"], day)
        own_name = named(intent.terms, who.own_language)
        arguments: dict[str, Value] = {"name": own_name, "fee": money(intent.sum_minor, who.currency)}
        await write_notice(connection, who.id, str(intent.id), "tariffs.changed", arguments)
        after = await self._balances.has_fallen(connection, who, str(intent.id), balance, balance - intent.sum_minor)
        result: dict[str, Value] = {"name": named(intent.terms, call.language), "balance": money(after, who.currency)}
        return await intents.done(connection, intent, result, who.now)


async def missing_for(connection: Connection, who: Who, fee: int) -> Refused | None:
    """The refusal that says how much is missing on the prepaid account for a fee, if it does not cover it."""
    _account, balance = await locked_prepaid(connection, who)
    return not_enough(fee - balance, who.currency) if balance < fee else None


def not_enough(missing_minor: int, currency: str) -> Refused:
    """The refusal that says how much is missing."""
    return Refused("NOT_ENOUGH_MONEY", {"missing": money(missing_minor, currency)})


def _names(row: Any) -> dict[str, Value]:
    """The name in all languages, as it was quoted."""
    return {name: row[name] for name in ("name_kk", "name_ky", "name_ru", "name_en") if row[name] is not None}


def next_renewal(today: datetime.date, period: str, day_of_month: int) -> datetime.date:
    """The first day after `today` on which a period begins; `day_of_month` is 1 to 28, so that every month has it."""
    if period == "day":
        return today + datetime.timedelta(days=1)
    if today.day < day_of_month:
        return today.replace(day=day_of_month)
    first_of_next = (today.replace(day=1) + datetime.timedelta(days=31)).replace(day=1)
    return first_of_next.replace(day=day_of_month)
