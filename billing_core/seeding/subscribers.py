"""Tariffs, and the subscribers of a range with accounts and subscriptions, made in the database itself.

Rules of this file:
- A chunk of numbers is a transaction: a subscriber is there with everything, or not at all.
- A number that anybody has ever held is left alone, whoever holds it now.
- What is on the accounts comes from one posting a chunk, against what the house began with.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping

from billing_core.database import Connection
from billing_core.seeding.histories import histories, post_histories
from billing_core.seeding.ranges import BEGIN, DEMO_NETWORKS, DEMO_NUMBERS, Range

CHUNK = 25_000
_CAUSES = uuid.UUID("6f1d7a52-93c4-5d0b-8a57-2f0c1b9e4d10")

# id, network, name in kk, ky, ru, en, currency, fee in hundredths, its period, minutes, megabytes, messages
_TARIFFS = (
    ("kcell-11", "kcell", "11", None, "11", "11", "KZT", 199000, "month", 300, 15360, 100),
    ("kcell-plus", "kcell", "Молшылық", None, "Изобилие", "Plenty", "KZT", 399000, "month", 1000, 51200, 300),
    ("kcell-day", "kcell", "Күнделікті", None, "На каждый день", "Every day", "KZT", 9900, "day", 30, 1024, 10),
    (
        *("activ-daytime", "kcell", "Күндізгі шексіз", None, "Дневной безлимит", "Daytime unlimited"),
        *("KZT", 149000, "month", 500, 10240, 50),
    ),
    ("bkz-start", "beeline-kz", "Бастау", None, "Старт", "Start", "KZT", 179000, "month", 200, 12288, 50),
    ("bkz-family", "beeline-kz", "Отбасы", None, "Семья", "Family", "KZT", 449000, "month", 1500, 61440, 200),
    ("mega-start", "megacom", None, "Башталыш", "Старт", "Start", "KGS", 35000, "month", 200, 10240, 50),
    ("mega-more", "megacom", None, "Көбүрөөк", "Больше", "More", "KGS", 59000, "month", 600, 40960, 100),
    ("bkg-start", "beeline-kg", None, "Башталыш", "Старт", "Start", "KGS", 33000, "month", 150, 8192, 50),
    ("bkg-daily", "beeline-kg", None, "Күн сайын", "Каждый день", "Daily", "KGS", 1500, "day", 20, 1024, 5),
    ("o-start", "o", None, "Башталыш", "Старт", "Start", "KGS", 34000, "month", 200, 10240, 50),
    ("o-more", "o", None, "Көбүрөөк", "Больше", "More", "KGS", 55000, "month", 500, 30720, 100),
)

_ADD_TARIFF = """
INSERT INTO tariffs (tariff_id, network, name_kk, name_ky, name_ru, name_en, currency, fee_minor, fee_period,
                     minutes, megabytes, sms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING
"""

# In the statements below `n` counts the numbers of a range from 0. The day is `held_since` of the ranges.
_ADD_SUBSCRIBERS = """
INSERT INTO subscribers (msisdn, network, brand, status, language, held_since)
SELECT ($3::bigint + n)::text, $4,
       CASE WHEN n % 10 = 3 THEN $6 ELSE $5 END,
       CASE WHEN n % 100 IN (91, 92) THEN 'barred' WHEN n % 100 = 95 THEN 'blocked' WHEN n % 100 = 97 THEN 'closed'
            ELSE 'active' END,
       (ARRAY[NULL, 'ru', $7, 'en', 'ru', $7, $7])[1 + n % 7],
       $8::timestamptz + interval '24 hours' * (n % 365)
FROM generate_series($1::bigint, $2::bigint) AS n
WHERE NOT EXISTS (SELECT FROM subscribers s WHERE s.msisdn = ($3::bigint + n)::text AND s.held_until IS NOT NULL)
ON CONFLICT (msisdn) WHERE held_until IS NULL DO NOTHING
RETURNING subscriber_id, msisdn::bigint - $3::bigint
"""
_ADD_SUBSCRIPTIONS = """
INSERT INTO subscriptions (subscriber_id, tariff_id, renewal_day, minutes_left, megabytes_left, sms_left)
SELECT s.subscriber_id, t.tariff_id, 1 + n % 28,
       n * 37 % (t.minutes + 1), n * 1013 % (t.megabytes + 1), n * 11 % (t.sms + 1)
FROM unnest($1::bigint[], $2::bigint[]) AS s (subscriber_id, n)
JOIN tariffs t ON t.tariff_id = CASE WHEN n % 10 = 3 THEN $4 ELSE ($3::text[])[1 + n % cardinality($3::text[])] END
"""
# `more`: what a history will take in the end. An account on which nothing is has no entry, and no change is counted.
_OPEN_ACCOUNTS = """
WITH opened AS (
    INSERT INTO accounts (subscriber_id, kind, currency, balance_minor, version)
    SELECT s.subscriber_id, a.kind, $3, a.minor, sign(a.minor)
    FROM unnest($1::bigint[], $2::bigint[]) AS s (subscriber_id, n)
    LEFT JOIN unnest($4::bigint[], $5::bigint[]) AS h (subscriber_id, more) USING (subscriber_id)
    CROSS JOIN LATERAL (VALUES
        ('prepaid', CASE WHEN n % 100 IN (91, 92) THEN 0 ELSE (n * 7919 + 123450) % 1000000 END + coalesce(more, 0)),
        ('bonus', (n * 10477 + 2500) % 50000)
    ) AS a (kind, minor)
    RETURNING account_id, balance_minor AS minor
), given AS (
    SELECT sum(minor)::bigint AS minor FROM opened HAVING sum(minor) > 0
), house AS (
    UPDATE accounts a SET balance_minor = a.balance_minor - given.minor, version = a.version + 1
    FROM given WHERE a.kind = 'opening' AND a.currency = $3 AND a.subscriber_id IS NULL
    RETURNING a.account_id, a.version, a.balance_minor, given.minor
), posting AS (
    INSERT INTO postings (cause, kind, currency, posted_at)
    SELECT $6, 'opening', $3, $7 FROM house RETURNING posting_id
), noted AS (
    INSERT INTO unsealed SELECT posting_id FROM posting
)
INSERT INTO entries (account_id, version, posting_id, currency, amount_minor, before_minor, after_minor)
SELECT account_id, 1, posting_id, $3, minor, 0, minor FROM opened, posting WHERE minor > 0
UNION ALL
SELECT account_id, version, posting_id, $3, -minor, balance_minor + minor, balance_minor FROM house, posting
"""


async def seed_tariffs(connection: Connection) -> None:
    """Adds the tariffs that are missing."""
    await connection.executemany(_ADD_TARIFF, _TARIFFS)


async def seed_chunk(connection: Connection, numbers: Range, begin: int, end: int, now: datetime.datetime) -> int:
    """Adds those of the numbers `begin` to `end` - 1 of a range that are missing, with all they have; returns how many.

    `now`: histories end shortly before it.
    """
    of_range = (numbers.network, numbers.brand, numbers.other_brand, numbers.language, BEGIN)
    async with connection.transaction():
        added = await connection.fetch(_ADD_SUBSCRIBERS, begin, end - 1, numbers.first, *of_range)
        if not added:
            return 0
        ids, places = [row[0] for row in added], [row[1] for row in added]
        await connection.execute(_ADD_SUBSCRIPTIONS, ids, places, list(numbers.tariffs), numbers.other_tariff)
        demo: Mapping[int, int] = {}
        if numbers.network in DEMO_NETWORKS:
            demo = {n: subscriber for subscriber, n in added if n < DEMO_NUMBERS}
        made = await histories(connection, numbers, demo)
        taken = [sum(-move.sum_minor for move in moves) for moves in made.values()]
        cause = uuid.uuid5(_CAUSES, f"{numbers.network} {begin} {end}")
        opening = (numbers.currency, list(made), taken, cause, BEGIN)
        await connection.execute(_OPEN_ACCOUNTS, ids, places, *opening)
        await post_histories(connection, numbers.currency, made, now)
    return len(added)
