"""Seals over the ledger: a chain of keyed hashes, by one writer, each second; and its verifier.

Rules of this file:
- A seal is HMAC-SHA256 over the seal before it, and number and digest of each posting that it covers. The key lies
  outside the database: who can write to the database alone cannot make the chain anew.
- A key can be changed. What it has sealed is verified under it; after the first seal of a newer one it counts no more.
- A chain in every commit would put them all in one row; so postings that are committed wait in `unsealed` for a second.
- One writer at a time, whoever it is: an advisory lock of the transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, NamedTuple

import structlog

from billing_core.database import UNAVAILABLE, Connection, Pool

SEAL_SECONDS: Final = 1.0
POSTINGS_MAX: Final = 2000
ENTRIES_MAX: Final = 100_000
"""Of one seal; one more posting may go beyond, as the opening ones do."""
FIRST: Final = bytes(32)
"""What stands before the first seal."""

_ONE_AT_A_TIME: Final = 0x7365616C73
"""An advisory lock, "seals" in octets."""
_TAKE: Final = """
SELECT posting_id, posting_digest(posting_id) AS digest, waiting FROM (
    SELECT posting_id, sum(has) OVER (ORDER BY posting_id) - has AS entries_before, count(*) OVER () AS waiting FROM (
        SELECT u.posting_id, (SELECT count(*) FROM entries e WHERE e.posting_id = u.posting_id) AS has
        FROM unsealed u ORDER BY u.posting_id LIMIT $1) AS due) AS counted
WHERE entries_before < $2 ORDER BY posting_id
"""
_LAST: Final = "SELECT seal_id, hash FROM seals ORDER BY seal_id DESC LIMIT 1"
_ADD: Final = "SELECT add_seal($1, $2, $3)"
_SEALS: Final = "SELECT seal_id, posting_ids, hash FROM seals WHERE seal_id > $1 ORDER BY seal_id LIMIT 100"
_DIGESTS: Final = "SELECT p, posting_digest(p) FROM unnest($1::bigint[]) AS p ORDER BY p"

# Each gives the numbers of what is wrong, or nothing.
_CHECKS: Final = {
    "a posting that adds up to something": """
        SELECT posting_id FROM entries GROUP BY posting_id HAVING sum(amount_minor) <> 0 OR count(*) < 2 LIMIT 5""",
    "a posting without entries": """
        SELECT posting_id FROM postings p WHERE NOT EXISTS (
            SELECT FROM entries e WHERE e.posting_id = p.posting_id) LIMIT 5""",
    "a posting that no seal covers and none will": """
        SELECT posting_id FROM postings EXCEPT SELECT posting_id FROM unsealed EXCEPT
        SELECT unnest(posting_ids) FROM seals ORDER BY 1 LIMIT 5""",
    "an account whose entries do not follow one another": """
        SELECT account_id FROM (
            SELECT account_id, version, before_minor,
                   lag(after_minor, 1, 0) OVER each AS after_before, row_number() OVER each AS expected
            FROM entries WINDOW each AS (PARTITION BY account_id ORDER BY version)) AS e
        WHERE before_minor <> after_before OR version <> expected LIMIT 5""",
    "an account whose balance is not that of its last entry": """
        SELECT a.account_id FROM accounts a
        LEFT JOIN LATERAL (SELECT version, after_minor FROM entries e WHERE e.account_id = a.account_id
                           ORDER BY version DESC LIMIT 1) AS e ON true
        WHERE a.version <> coalesce(e.version, 0) OR a.balance_minor <> coalesce(e.after_minor, 0) LIMIT 5""",
    "money held for payments that are not open, or open ones for which none is held": """
        SELECT held FROM (
            SELECT (SELECT coalesce(sum(balance_minor), 0) FROM accounts WHERE kind = 'held') AS held,
                   (SELECT coalesce(sum(sum_minor + fee_minor), 0)
                    FROM intents WHERE state = 'reserved') AS due) AS sums
        WHERE held <> due""",
    "money lent that nobody owes, or owed that was not lent": """
        SELECT lent FROM (
            SELECT (SELECT coalesce(-sum(balance_minor), 0) FROM accounts WHERE kind = 'lent') AS lent,
                   (SELECT coalesce(sum(sum_left_minor), 0) FROM extra_balances) AS owed) AS sums
        WHERE lent <> owed""",
}
_log = structlog.stdlib.get_logger("billing_core.sealer")


class Wrong(NamedTuple):
    """One thing that does not hold: what it is, and of which postings, accounts or seals."""

    what: str
    numbers: tuple[int, ...]


def seal_key(key: bytes) -> bytes:
    """The key of the chain, from one of its key file."""
    return hmac.digest(key, b"billing core: seals of the ledger", hashlib.sha256)


def seal_hash(key: bytes, before: bytes, covered: Sequence[tuple[int, bytes]]) -> bytes:
    """The seal after `before`, over postings and their digests."""
    octets = b"".join(posting.to_bytes(8, "big") + digest for posting, digest in covered)
    return hmac.digest(key, before + octets, hashlib.sha256)


async def seal_what_waits(connection: Connection, key: bytes) -> bool:
    """Makes one seal over the postings that wait, as many as it may cover; returns whether more wait."""
    async with connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _ONE_AT_A_TIME):
            return False
        rows = await connection.fetch(_TAKE, POSTINGS_MAX, ENTRIES_MAX)
        if not rows:
            return False
        covered = [(row["posting_id"], row["digest"]) for row in rows]
        last = await connection.fetchrow(_LAST)
        number, before = (last["seal_id"], last["hash"]) if last is not None else (0, FIRST)
        postings = [posting for posting, _digest in covered]
        await connection.execute(_ADD, number + 1, postings, seal_hash(key, before, covered))
    return len(rows) == POSTINGS_MAX or len(rows) < rows[0]["waiting"]


class Sealer:
    """Seals each second until it is stopped. A mistake of ours ends it; a database that is away does not."""

    def __init__(self, pool: Pool, key: bytes) -> None:
        self._pool = pool
        self._key = key
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Ends `run` soon."""
        self._stopped.set()

    async def run(self) -> None:
        """Seals until `stop`."""
        while not self._stopped.is_set():
            try:
                async with self._pool.acquire() as connection:
                    while await seal_what_waits(connection, self._key):
                        pass
            except UNAVAILABLE as error:
                _log.warning("nothing was sealed", why=f"{type(error).__name__}: {error}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), SEAL_SECONDS)


async def verify(
    connection: Connection, key: bytes, *older: bytes, progress: Callable[[str], None] = lambda _what: None
) -> list[Wrong]:
    """Everything in the ledger that does not hold; empty when all is well. `older`: keys of before, the oldest last."""
    wrong = [found async for found in _broken_seals(connection, (*reversed(older), key), progress)]
    for what, statement in _CHECKS.items():
        progress(f"looking for {what}")
        if rows := await connection.fetch(statement):
            wrong.append(Wrong(what, tuple(row[0] for row in rows)))
    return wrong


async def _broken_seals(
    connection: Connection, keys: Sequence[bytes], progress: Callable[[str], None]
) -> AsyncIterator[Wrong]:
    """`keys`: the oldest first."""
    number, before = 0, FIRST
    while seals := await connection.fetch(_SEALS, number):
        for row in seals:
            covered: list[tuple[int, Any]] = [
                (r[0], r[1]) for r in await connection.fetch(_DIGESTS, row["posting_ids"])
            ]
            gone = any(digest is None for _posting, digest in covered)
            fitting = [] if gone else [key for key in keys if _is_seal(row["hash"], key, before, covered)]
            if row["seal_id"] != number + 1 or not fitting:
                yield Wrong("a seal that does not fit what it covers", (row["seal_id"],))
            else:
                keys = keys[keys.index(fitting[0]) :]
            number, before = row["seal_id"], row["hash"]
        progress(f"{number} seals looked at")


def _is_seal(seal: bytes, key: bytes, before: bytes, covered: Sequence[tuple[int, bytes]]) -> bool:
    return hmac.compare_digest(seal_hash(key, before, covered), seal)
