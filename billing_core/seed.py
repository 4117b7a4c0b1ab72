"""Subscribers for trying, made in the database itself.

Rules of this file:
- Everything about a number follows from the number: the same on every new database, whatever was seeded before.
- What is there stays: seeding again adds what is missing and changes nothing.
- `kcell` can be seeded with up to a million numbers; the other networks have a thousand each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from billing_core.database import Connection

KCELL_NUMBERS = 10_000
KCELL_NUMBERS_MAX = 1_000_000
OTHER_NUMBERS = 1_000
CHUNK = 25_000


class Range(NamedTuple):
    """The numbers of one network: `first` and those after it. `other_brand`: of every tenth."""

    network: str
    first: int
    brand: str
    other_brand: str
    language: str
    currency: str
    tariffs: tuple[str, ...]
    other_tariff: str


RANGES = (
    Range(
        "kcell", 77010000000, "Kcell", "activ", "kk", "KZT", ("kcell-11", "kcell-plus", "kcell-day"), "activ-daytime"
    ),
    Range("beeline-kz", 77770000000, "Beeline", "Beeline", "kk", "KZT", ("bkz-start", "bkz-family"), "bkz-start"),
    Range("megacom", 996555000000, "MegaCom", "MegaCom", "ky", "KGS", ("mega-start", "mega-more"), "mega-start"),
    Range("beeline-kg", 996777000000, "Beeline", "Beeline", "ky", "KGS", ("bkg-start", "bkg-daily"), "bkg-start"),
    Range("o", 996700000000, "O!", "O!", "ky", "KGS", ("o-start", "o-more"), "o-start"),
)

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

# In the statements below `n` counts the numbers of a range from 0.
_ADD_SUBSCRIBERS = """
INSERT INTO subscribers (msisdn, network, brand, status, language, held_since)
SELECT ($3::bigint + n)::text, $4,
       CASE WHEN n % 10 = 3 THEN $6 ELSE $5 END,
       CASE WHEN n % 100 IN (91, 92) THEN 'barred' WHEN n % 100 = 95 THEN 'blocked' WHEN n % 100 = 97 THEN 'closed'
            ELSE 'active' END,
       (ARRAY[NULL, 'ru', $7, 'en', 'ru', $7, $7])[1 + n % 7],
       timestamptz '2024-01-01 00:00:00+00' + interval '1 day' * (n % 365)
FROM generate_series($1::bigint, $2::bigint) AS n
ON CONFLICT (msisdn) WHERE held_until IS NULL DO NOTHING
"""
_ADD_ACCOUNTS = """
INSERT INTO accounts (subscriber_id, kind, currency, balance_minor)
SELECT s.subscriber_id, kind, $4,
       CASE WHEN kind = 'bonus' THEN (n * 10477 + 2500) % 50000
            WHEN n % 100 IN (91, 92) THEN 0
            ELSE (n * 7919 + 123450) % 1000000 END
FROM generate_series($1::bigint, $2::bigint) AS n
JOIN subscribers s ON s.msisdn = ($3::bigint + n)::text AND s.held_until IS NULL
CROSS JOIN unnest(ARRAY['prepaid', 'bonus']) AS kind
ON CONFLICT (subscriber_id, kind) DO NOTHING
"""
_ADD_SUBSCRIPTIONS = """
INSERT INTO subscriptions (subscriber_id, tariff_id, renewal_day, minutes_left, megabytes_left, sms_left)
SELECT s.subscriber_id, t.tariff_id, 1 + n % 28,
       n * 37 % (t.minutes + 1), n * 1013 % (t.megabytes + 1), n * 11 % (t.sms + 1)
FROM generate_series($1::bigint, $2::bigint) AS n
JOIN subscribers s ON s.msisdn = ($3::bigint + n)::text AND s.held_until IS NULL
JOIN tariffs t ON t.tariff_id = CASE WHEN n % 10 = 3 THEN $5 ELSE ($4::text[])[1 + n % cardinality($4::text[])] END
ON CONFLICT (subscriber_id) DO NOTHING
"""


async def seed(
    connection: Connection, kcell_numbers: int = KCELL_NUMBERS, progress: Callable[[int, int], None] | None = None
) -> int:
    """Seeds all networks and returns how many subscribers were added. `progress(done, total)` is told of every chunk.

    Raises ValueError when `kcell_numbers` is not 1 to a million.
    """
    if not 1 <= kcell_numbers <= KCELL_NUMBERS_MAX:
        raise ValueError(f"the numbers of kcell must be 1 to {KCELL_NUMBERS_MAX}")
    await connection.executemany(_ADD_TARIFF, _TARIFFS)
    total = kcell_numbers + OTHER_NUMBERS * (len(RANGES) - 1)
    done = added = 0
    for numbers in RANGES:
        count = kcell_numbers if numbers.network == "kcell" else OTHER_NUMBERS
        for begin in range(0, count, CHUNK):
            end = min(begin + CHUNK, count)
            added += await _seed_chunk(connection, numbers, begin, end - 1)
            done += end - begin
            if progress is not None:
                progress(done, total)
    await connection.execute("ANALYZE subscribers, accounts, subscriptions, tariffs")
    return added


async def _seed_chunk(connection: Connection, numbers: Range, begin: int, last: int) -> int:
    bounds = (begin, last, numbers.first)
    async with connection.transaction():
        said = await connection.execute(
            _ADD_SUBSCRIBERS, *bounds, numbers.network, numbers.brand, numbers.other_brand, numbers.language
        )
        await connection.execute(_ADD_ACCOUNTS, *bounds, numbers.currency)
        await connection.execute(_ADD_SUBSCRIPTIONS, *bounds, list(numbers.tariffs), numbers.other_tariff)
    return int(said.rpartition(" ")[2])  # "INSERT 0 25000"
