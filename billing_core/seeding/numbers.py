"""Free numbers to choose from, their brands, and what the beautiful ones cost.

Rules of this file:
- Which numbers are free follows from how many are wanted: those of fewer are among those of more.
- The seven digits look drawn at random, so that any two or three of them are found somewhere. Every fiftieth number of
  a prefix is made beautiful; what a number is worth is told by its digits, however it came by them.
- The first of the seven digits is not 0: there the seeded subscribers are.
"""

from __future__ import annotations

from billing_core.database import Connection

FREE_NUMBERS = 200_000
FREE_NUMBERS_MAX = 1_000_000

_NETWORK = "kcell"
# brand, tariff, advance in hundredths
_BRANDS = (("Kcell", "kcell-11", 200_000), ("activ", "activ-daytime", 0))
# category, price in hundredths
_CATEGORIES = (("plain", 0), ("silver", 500_000), ("gold", 1_500_000), ("platinum", 5_000_000))
_PREFIXES = (
    *(("Kcell", "701"), ("Kcell", "702")),
    *(("activ", "701"), ("activ", "702"), ("activ", "775"), ("activ", "778")),
)

_ADD_BRAND = """
INSERT INTO number_brands (network, brand, tariff_id, advance_minor) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_ADD_CATEGORY = """
INSERT INTO number_categories (network, category, price_minor) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
# Some more are drawn than are wanted, since a few come twice; the first of them counts. Categories: five alike in a
# row, or two different digits in all; four alike, the same backwards, or three digits twice; three alike or two pairs
# at the end.
_ADD_NUMBERS = r"""
WITH drawn AS (
    SELECT i, i / cardinality($3::text[]) AS k, p.brand, p.prefix, (1000000 + r.number % 9000000)::text AS d
    FROM generate_series(0, $1::int + $1::int / 10 + 100) AS i
    CROSS JOIN LATERAL (
        SELECT ('x' || encode(substr(sha256(i::text::bytea), 1, 4), 'hex'))::bit(32)::bigint AS number) AS r
    JOIN unnest($3::text[], $4::text[]) WITH ORDINALITY AS p (brand, prefix, nth)
        ON p.nth = 1 + i % cardinality($3::text[])
), made AS (
    SELECT i, brand, prefix,
           CASE WHEN k % 50 <> 7 THEN d
                WHEN k / 50 % 3 = 0 THEN left(d, 1) || repeat(substr(d, 2, 1), 5) || right(d, 1)
                WHEN k / 50 % 3 = 1 THEN left(d, 4) || reverse(left(d, 3))
                ELSE left(d, 4) || repeat(substr(d, 5, 1), 3) END AS d
    FROM drawn
), once AS (
    SELECT DISTINCT ON (prefix, d) i, brand, prefix, d FROM made ORDER BY prefix, d, i
)
INSERT INTO numbers (msisdn, network, brand, prefix, category)
SELECT '7' || prefix || d, $2, brand, prefix,
       CASE WHEN d ~ '(.)\1{4}' OR d ~ '^(.)\1*(.)(\1|\2)*$' THEN 'platinum'
            WHEN d ~ '(.)\1{3}' OR d = reverse(d) OR d ~ '(...)\1$' THEN 'gold'
            WHEN d ~ '(.)\1\1$' OR d ~ '(.)\1(.)\2$' OR d ~ '(..)\1$' THEN 'silver'
            ELSE 'plain' END
FROM (SELECT * FROM once ORDER BY i LIMIT $1::int) AS wanted
ON CONFLICT DO NOTHING
"""


async def seed_numbers(connection: Connection, count: int) -> None:
    """Adds brands, categories and those of `count` free numbers that are missing."""
    brands, prefixes = [brand for brand, _ in _PREFIXES], [prefix for _, prefix in _PREFIXES]
    async with connection.transaction():
        await connection.executemany(_ADD_BRAND, [(_NETWORK, *row) for row in _BRANDS])
        await connection.executemany(_ADD_CATEGORY, [(_NETWORK, *row) for row in _CATEGORIES])
        await connection.execute(_ADD_NUMBERS, count, _NETWORK, brands, prefixes)
