"""Which numbers are seeded, and of which network each range is."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from billing_core.database import Connection

KCELL_NUMBERS = 10_000
KCELL_NUMBERS_MAX = 1_000_000
OTHER_NUMBERS = 1_000
DEMO_NUMBERS = 200
"""So many of the first numbers of `DEMO_NETWORKS` have histories, services and identities."""
DEMO_NETWORKS = ("kcell", "beeline-kz")

BEGIN = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
"""Nobody holds a seeded number before, and all accounts were opened then."""
_DAYS_OF_BEGINNING = 365


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

_HOLDERS = """
SELECT msisdn::bigint - $1, subscriber_id, held_since FROM subscribers
WHERE msisdn = ANY ($2::text[]) AND held_until IS NULL
"""


def held_since(n: int) -> datetime.datetime:
    """Since when the number `n` of a range, counted from 0, is held by the one it was seeded for."""
    return BEGIN + datetime.timedelta(days=n % _DAYS_OF_BEGINNING)


async def seeded_holders(connection: Connection, numbers: Range, count: int) -> dict[int, int]:
    """Who holds the first `count` numbers: place in the range → subscriber. Left out are numbers that nobody holds, and
    those that have gone to somebody else."""
    wanted = [str(numbers.first + n) for n in range(count)]
    rows = await connection.fetch(_HOLDERS, numbers.first, wanted)
    holders = {row[0]: row[1] for row in rows if row[2] == held_since(row[0])}
    return {n: holders[n] for n in sorted(holders)}
