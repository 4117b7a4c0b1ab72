"""Choosing and reserving a new number, and what the office does with the reservation.

Rules of this file:
- Fee and hold are one transaction. The number's row is the lock: of many who want it at once one gets it, and only that
  one pays.
- A number that nobody holds any more is free by itself: a hold counts until its deadline, and whoever takes the number
  next ends what is left of it.
- The code is told once, on one screen and by SMS; a keyed hash of it stays, unique among those that hold.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing.operations.numbers import FOUND_MOST, RESERVED_MOST
from billing_core import intents, ledger
from billing_core.calendar import local, month_begins
from billing_core.codes import make_code, typed_code
from billing_core.database import Connection
from billing_core.domains.balances import Balances, locked_prepaid
from billing_core.domains.blocking import document_shown, ends_in
from billing_core.domains.service_points import opens_before
from billing_core.domains.tariffs import missing_for, not_enough
from billing_core.idempotency import Counted, Once
from billing_core.ledger import money
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.provisioning import order
from billing_core.tools import Tools
from billing_core.who import Who, named

SUBSCRIBER_DIGITS: Final = 7
"""Of a number in Kazakhstan, after country and prefix."""
_DRAWS_MAX: Final = 20

_PREFIXES = """
WITH RECURSIVE found AS (
    (SELECT prefix FROM numbers WHERE network = $1 AND brand = $2 AND sold_at IS NULL ORDER BY prefix LIMIT 1)
    UNION ALL
    SELECT (SELECT n.prefix FROM numbers n WHERE n.network = $1 AND n.brand = $2 AND n.sold_at IS NULL
            AND n.prefix > found.prefix ORDER BY n.prefix LIMIT 1)
    FROM found WHERE found.prefix IS NOT NULL
)
SELECT prefix FROM found WHERE prefix IS NOT NULL LIMIT 20
"""
_CATEGORIES = "SELECT category, price_minor FROM number_categories WHERE network = $1 ORDER BY price_minor, category"
CATEGORY_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "plain": {"kk": "Қарапайым", "ky": "Жөнөкөй", "ru": "Простой", "en": "Plain"},
    "silver": {"kk": "Күміс", "ky": "Күмүш", "ru": "Серебряный", "en": "Silver"},
    "gold": {"kk": "Алтын", "ky": "Алтын", "ru": "Золотой", "en": "Gold"},
    "platinum": {"kk": "Платина", "ky": "Платина", "ru": "Платиновый", "en": "Platinum"},
}
_FREE = """
SELECT n.msisdn, n.category, c.price_minor
FROM numbers n JOIN number_categories c USING (network, category)
WHERE n.network = $1 AND n.brand = $2 AND n.prefix = $3 AND n.sold_at IS NULL AND n.msisdn > $4
  AND {which} NOT EXISTS (SELECT FROM reservations r
                          WHERE r.msisdn = n.msisdn AND r.state = 'held' AND r.valid_until > moment())
ORDER BY n.msisdn LIMIT $5
"""
# Each way of searching is a statement of its own, so that each has its own index.
_SEARCH: Final = {
    (False, False): _FREE.format(which=""),
    (True, False): _FREE.format(which="n.category = $6 AND"),
    (False, True): _FREE.format(which=f"right(n.msisdn, {SUBSCRIBER_DIGITS}) LIKE $6 AND"),
    (True, True): _FREE.format(which=f"n.category = $6 AND right(n.msisdn, {SUBSCRIBER_DIGITS}) LIKE $7 AND"),
}
_OFFERED = """
SELECT n.msisdn, n.brand, n.category, c.price_minor, b.advance_minor, b.tariff_id,
       t.name_kk, t.name_ky, t.name_ru, t.name_en
FROM numbers n
JOIN number_categories c USING (network, category)
JOIN number_brands b ON b.network = n.network AND b.brand = n.brand
JOIN tariffs t ON t.tariff_id = b.tariff_id
WHERE n.msisdn = $1 AND n.network = $2 AND n.sold_at IS NULL
"""
_LOCK_NUMBER = "SELECT true FROM numbers WHERE msisdn = $1 AND sold_at IS NULL FOR NO KEY UPDATE"
_IS_HELD = "SELECT true FROM reservations WHERE msisdn = $1 AND state = 'held' AND valid_until > $2"
_LET_GO = """
UPDATE reservations SET state = 'expired', ended_at = $2 WHERE msisdn = $1 AND state = 'held' AND valid_until <= $2
"""
_CITY = """
SELECT c.* FROM cities c WHERE c.city_id = $1 AND c.network = $2
  AND EXISTS (SELECT FROM service_points p WHERE p.city_id = c.city_id AND p.is_centre)
"""
_THIS_MONTH = """
SELECT count(*) FROM reservations WHERE subscriber_id = $1 AND channel <> 'ussd' AND reserved_at >= $2
"""
_HOLD = """
INSERT INTO reservations (reservation_id, msisdn, subscriber_id, city_id, channel, mark, reserved_at, valid_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (mark) WHERE state = 'held' DO NOTHING
RETURNING true
"""
_HELD = """
SELECT r.msisdn, r.valid_until, c.name_kk, c.name_ru, c.name_en FROM reservations r JOIN cities c USING (city_id)
WHERE r.subscriber_id = $1 AND r.state = 'held' AND r.valid_until > $2 ORDER BY r.valid_until, r.msisdn LIMIT $3
"""
_LOCK_HELD = """
SELECT reservation_id, city_id, mark, wrong FROM reservations
WHERE msisdn = $1 AND subscriber_id = $2 AND state = 'held' AND valid_until > $3
FOR UPDATE
"""
_END = "UPDATE reservations SET state = $2, ended_at = $3, why = $4 WHERE reservation_id = $1"
_WRONG = "UPDATE reservations SET wrong = wrong + 1 WHERE reservation_id = $1"
_SELL = "UPDATE numbers SET sold_at = $2 WHERE msisdn = $1"
_NEW_SUBSCRIBER = """
INSERT INTO subscribers (msisdn, network, brand, status, language, held_since)
VALUES ($1, $2, $3, 'active', $4, $5)
RETURNING subscriber_id
"""
_SUBSCRIBE = """
INSERT INTO subscriptions (subscriber_id, tariff_id, renewal_day, minutes_left, megabytes_left, sms_left)
SELECT $1, tariff_id, $3, minutes, megabytes, sms FROM tariffs WHERE tariff_id = $2
"""
_RENEWAL_DAY_MOST: Final = 28


class Numbers:
    """The operations."""

    def __init__(self, tools: Tools, balances: Balances) -> None:
        self._tools = tools
        self._rules = tools.rules.numbers
        self._balances = balances

    # --- choosing ---

    async def prefixes(self, connection: Connection, call: Call, who: Who) -> Done:
        """`numbers.prefixes`."""
        rows = await connection.fetch(_PREFIXES, who.network, call.arguments["brand"])
        listed: list[Any] = [{"id": row["prefix"], "prefix": row["prefix"]} for row in rows]
        return Done({"prefixes": listed})

    async def categories(self, connection: Connection, call: Call, who: Who) -> Done:
        """`numbers.categories`."""
        listed: list[Any] = [
            {
                "id": row["category"],
                "category": row["category"],
                "name": CATEGORY_NAMES[row["category"]].get(call.language, row["category"]),
                "price": money(row["price_minor"], who.currency),
            }
            for row in await connection.fetch(_CATEGORIES, who.network)
        ]
        return Done({"categories": listed})

    async def search(self, connection: Connection, call: Call, who: Who) -> Done:
        """`numbers.search`."""
        given = call.arguments
        category = None if given.get("category", "any") == "any" else given["category"]
        digits = f"%{given['digits']}%" if "digits" in given else None
        narrowed = [each for each in (category, digits) if each is not None]
        statement = _SEARCH[category is not None, digits is not None]
        after = given.get("after", "")
        rows = await connection.fetch(
            statement, who.network, given["brand"], given["prefix"], after, FOUND_MOST + 1, *narrowed
        )
        listed: list[Any] = [
            {
                "id": row["msisdn"],
                "number": row["msisdn"],
                "category": row["category"],
                "price": money(row["price_minor"], who.currency),
            }
            for row in rows[:FOUND_MOST]
        ]
        result: dict[str, Value] = {"numbers": listed}
        if len(rows) > FOUND_MOST:
            result["last"] = listed[-1]["number"]
        return Done(result)

    # --- reserving ---

    async def quote(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`numbers.quote`."""
        given = call.arguments
        channel = str(given.get("channel", "ussd"))
        city = await connection.fetchrow(_CITY, given["city"], who.network)
        if city is None:
            return Refused("NO_SUCH_CITY", {})
        number = await connection.fetchrow(_OFFERED, given["number"], who.network)
        if number is None or await connection.fetchval(_IS_HELD, given["number"], who.now):
            return Refused("TAKEN", {})
        if await self._is_over_month(connection, who, channel):
            return Refused("TOO_MANY", {})
        fee = self._rules.fee * 100
        if missing := await missing_for(connection, who, fee):
            return missing
        valid_until = self._valid_until(who, channel)
        terms: dict[str, Value] = {"number": given["number"], "city": given["city"], "channel": channel}
        quoted = await intents.quote(connection, call, who, "reservation", terms, fee)
        opens = await opens_before(
            connection, city["city_id"], local(who), valid_until.astimezone(ZoneInfo(who.time_zone))
        )
        shown = {
            "fee": money(fee, who.currency),
            "price": money(number["price_minor"], who.currency),
            "advance": money(number["advance_minor"], who.currency),
            "category": number["category"],
            "tariff": named(number, call.language),
            "city": named(city, call.language),
            "valid_until": as_instant(valid_until),
            "closed_till_then": not opens,
        }
        return Done({**quoted, **shown})

    async def reserve(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted | Once:
        """`numbers.reserve`."""
        intent = await intents.with_digits(connection, call, who, "reservation")
        if not isinstance(intent, intents.Intent):
            return intent
        number, channel = str(intent.terms["number"]), str(intent.terms["channel"])
        if refusal := await self._cannot_be_held(connection, who, number, channel):
            return await intents.refused(connection, intent, refusal, who.now)
        account, balance = await locked_prepaid(connection, who)
        fee = intent.sum_minor
        if balance < fee:
            return await intents.refused(connection, intent, not_enough(fee - balance, who.currency), who.now)
        if fee:
            await self._balances.take(connection, who, intent.id, "reservation", account, fee)
        valid_until = self._valid_until(who, channel)
        code = await self._hold(connection, who, intent, valid_until)
        city = await connection.fetchrow(_CITY, intent.terms["city"], who.network)
        told = {"number": number, "valid_until": as_instant(valid_until)}
        arguments = {**told, "code": code, "city": named(city, who.own_language)}
        await write_notice(connection, who.id, call.id, "numbers.reserved", arguments, self._tools.seal)
        await self._balances.has_fallen(connection, who, str(intent.id), balance, balance - fee)
        done = await intents.done(connection, intent, {**told, "city": named(city, call.language)}, who.now)
        return Once(done, {"code": code})

    async def _cannot_be_held(self, connection: Connection, who: Who, number: str, channel: str) -> Refused | None:
        """Takes the lock of the number, and says why it cannot be had."""
        if not await connection.fetchval(_LOCK_NUMBER, number):
            return Refused("TAKEN", {})
        await connection.execute(_LET_GO, number, who.now)
        if await connection.fetchval(_IS_HELD, number, who.now):
            return Refused("TAKEN", {})
        return Refused("TOO_MANY", {}) if await self._is_over_month(connection, who, channel) else None

    async def _hold(
        self, connection: Connection, who: Who, intent: intents.Intent, valid_until: datetime.datetime
    ) -> str:
        """Holds the number under a code that no other number is held under, and returns the code."""
        terms = intent.terms
        for _ in range(_DRAWS_MAX):
            code = make_code()
            mark = self._tools.codes.mark("reservation", code)
            held = (intent.id, terms["number"], who.id, terms["city"], terms["channel"], mark, who.now, valid_until)
            if await connection.fetchval(_HOLD, *held):
                return code
        raise RuntimeError("no reservation code is free")

    async def _is_over_month(self, connection: Connection, who: Who, channel: str) -> bool:
        if channel == "ussd":
            return False
        count: int = await connection.fetchval(_THIS_MONTH, who.id, month_begins(who))
        return count >= self._rules.other_a_month_max

    def _valid_until(self, who: Who, channel: str) -> datetime.datetime:
        hours = self._rules.ussd_hours if channel == "ussd" else self._rules.other_hours
        return who.now + datetime.timedelta(hours=hours)

    # --- what is held ---

    async def reservations(self, connection: Connection, call: Call, who: Who) -> Done:
        """`numbers.reservations`."""
        listed: list[Any] = [
            {
                "id": row["msisdn"],
                "number": row["msisdn"],
                "valid_until": as_instant(row["valid_until"]),
                "city": named(row, call.language),
            }
            for row in await connection.fetch(_HELD, who.id, who.now, RESERVED_MOST)
        ]
        return Done({"reservations": listed})

    async def cancel(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`numbers.cancel`."""
        number = str(call.arguments["number"])
        held = await connection.fetchrow(_LOCK_HELD, number, who.id, who.now)
        if held is None:
            return Refused("NOT_RESERVED", {})
        if not ends_in(number, str(call.arguments["last_digits"])):
            return Refused("WRONG_DIGITS", {})
        await connection.execute(_END, held["reservation_id"], "cancelled", who.now, None)
        return Done({})

    async def annul(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`numbers.annul`."""
        number = call.arguments["number"]
        held = await connection.fetchrow(_LOCK_HELD, number, who.id, who.now)
        if held is None:
            return Refused("NOT_RESERVED", {})
        await connection.execute(_END, held["reservation_id"], "annulled", who.now, call.arguments["why"])
        await write_notice(connection, who.id, call.id, "numbers.annulled", {"number": number})
        return Done({})

    async def register(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        """`numbers.register`. The try is counted before it is compared."""
        number = str(call.arguments["number"])
        held = await connection.fetchrow(_LOCK_HELD, number, who.id, who.now)
        if held is None or held["wrong"] >= self._rules.wrong_codes_max:
            return Refused("WRONG_CODE", {})
        fits = self._tools.codes.fits(held["mark"], "reservation", typed_code(str(call.arguments["code"])))
        if not fits or held["city_id"] != call.arguments["city"]:
            await connection.execute(_WRONG, held["reservation_id"])
            return Counted(Refused("WRONG_CODE", {}))
        [offered] = await connection.fetch(_OFFERED, number, who.network)
        await connection.execute(_END, held["reservation_id"], "registered", who.now, None)
        await connection.execute(_SELL, number, who.now)
        await self._hand_over(connection, call, who, offered)
        await document_shown(connection, call, who)
        await write_notice(connection, who.id, call.id, "numbers.registered", {"number": number})
        price, advance = money(offered["price_minor"], who.currency), money(offered["advance_minor"], who.currency)
        return Done({"number": number, "price": price, "advance": advance})

    async def _hand_over(self, connection: Connection, call: Call, who: Who, offered: Any) -> None:
        """The number is somebody's from now on: with accounts, a tariff and the advance that was paid."""
        cause, number, advance = uuid.UUID(call.id), offered["msisdn"], offered["advance_minor"]
        row = (number, who.network, offered["brand"], who.language, who.now)
        subscriber = await connection.fetchval(_NEW_SUBSCRIBER, *row)
        account = await ledger.open_account(connection, subscriber, "prepaid", who.currency)
        await ledger.open_account(connection, subscriber, "bonus", who.currency)
        day = min(local(who).day, _RENEWAL_DAY_MOST)
        await connection.execute(_SUBSCRIBE, subscriber, offered["tariff_id"], day)
        if advance:
            cash = await self._tools.ledger.house(connection, "cash", who.currency, cause)
            moves = {account: advance, cash: -advance}
            await self._tools.ledger.post(connection, cause, "top_up", who.currency, moves)
        await order(connection, cause, number, "open")
