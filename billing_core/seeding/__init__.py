"""Everything for trying: subscribers with accounts and histories, services, free numbers, billers, wallets.

Rules of this package:
- Everything about a number follows from the number: the same on every new database, whatever was seeded before.
- What is there stays: seeding again adds what is missing and changes nothing. What was interrupted is gone on with.
- `kcell` can be seeded with up to a million numbers; the other networks have a thousand each.
- It is done by who owns the database, since it writes opening balances; all other money is moved as the ledger wants.
"""

from __future__ import annotations

from collections.abc import Callable

from billing_core.codes import Codes
from billing_core.database import Connection
from billing_core.passwords import Hasher
from billing_core.seeding.billers import seed_billers
from billing_core.seeding.identities import seed_identities
from billing_core.seeding.numbers import FREE_NUMBERS, FREE_NUMBERS_MAX, seed_numbers
from billing_core.seeding.ranges import KCELL_NUMBERS, KCELL_NUMBERS_MAX, OTHER_NUMBERS, RANGES, Range
from billing_core.seeding.service_points import seed_service_points
from billing_core.seeding.services import connect_services, seed_services
from billing_core.seeding.subscribers import CHUNK, seed_chunk, seed_tariffs
from billing_core.seeding.vouchers import seed_vouchers
from billing_core.seeding.wallets import seed_wallets

__all__ = [
    "FREE_NUMBERS",
    "FREE_NUMBERS_MAX",
    "KCELL_NUMBERS",
    "KCELL_NUMBERS_MAX",
    "OTHER_NUMBERS",
    "RANGES",
    "Range",
    "seed",
]

_ANALYZE = """
ANALYZE subscribers, accounts, subscriptions, tariffs, postings, entries, unsealed, charged_numbers, services,
        connected_services, extra_balance_offers, identities, vouchers, cities, service_points, number_brands,
        number_categories, numbers, biller_categories, biller_services, wallets
"""


async def seed(
    connection: Connection,
    codes: Codes,
    hasher: Hasher,
    kcell_numbers: int = KCELL_NUMBERS,
    free_numbers: int = FREE_NUMBERS,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Seeds everything and returns how many subscribers were added. `progress(what, done, total)` is told now and then.

    Raises ValueError when `kcell_numbers` is not 1 to a million, or `free_numbers` not 0 to a million; Busy.
    """
    if not 1 <= kcell_numbers <= KCELL_NUMBERS_MAX:
        raise ValueError(f"the numbers of kcell must be 1 to {KCELL_NUMBERS_MAX}")
    if not 0 <= free_numbers <= FREE_NUMBERS_MAX:
        raise ValueError(f"the free numbers must be 0 to {FREE_NUMBERS_MAX}")
    await seed_tariffs(connection)
    await seed_services(connection)
    await seed_vouchers(connection, codes)
    await seed_service_points(connection)
    await seed_billers(connection)
    added = await _seed_subscribers(connection, kcell_numbers, progress)
    await seed_identities(connection)
    await connect_services(connection)
    await seed_wallets(connection, hasher)
    await seed_numbers(connection, free_numbers)
    if progress is not None:
        progress("free numbers", free_numbers, free_numbers)
    await connection.execute(_ANALYZE)
    return added


async def _seed_subscribers(
    connection: Connection, kcell_numbers: int, progress: Callable[[str, int, int], None] | None
) -> int:
    total = kcell_numbers + OTHER_NUMBERS * (len(RANGES) - 1)
    now = (await connection.fetchval("SELECT moment()")).replace(microsecond=0)
    done = added = 0
    for numbers in RANGES:
        count = kcell_numbers if numbers.network == "kcell" else OTHER_NUMBERS
        for begin in range(0, count, CHUNK):
            end = min(begin + CHUNK, count)
            added += await seed_chunk(connection, numbers, begin, end, now)
            done += end - begin
            if progress is not None:
                progress("subscribers", done, total)
    return added
