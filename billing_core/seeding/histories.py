"""What the first numbers have paid and used in the last weeks.

Rules of this file:
- Three times money comes, and the charges that follow it take that much or a little more. So an account that begins
  with the difference more never falls below what it ends with.
- Which moves there are follows from the number; when they were, from that and the day of the seeding.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from billing_core import ledger
from billing_core.database import Connection
from billing_core.seeding.ranges import DEMO_NUMBERS, Range

DAYS = 80
_CAUSES = uuid.UUID("2d1f3c86-5b0e-5a4f-9c39-7e6d0a4b8f21")
_WHOLE_MINOR = 10_000
"""Money comes in whole hundreds."""
_BLOCKS = (("tariff", "usage"), ("tariff", "usage"), ("charge.internet", "usage"))
_USAGE = ("charge.call", "charge.sms", "charge.call", "charge.internet")
_COSTS = {"charge.call": (4_500, 21_000), "charge.sms": (1_200, 1_800), "charge.internet": (15_000, 40_000)}
"""In hundredths: the least, and up to how much more."""
_HOUSE = {"top_up": "cash"}
_DAYS_BETWEEN, _DAYS_VARIED = 9, 8

_FEES = """
SELECT u.subscriber_id, t.fee_minor FROM subscriptions u JOIN tariffs t USING (tariff_id)
WHERE u.subscriber_id = ANY ($1::bigint[])
"""
_ACCOUNTS = """
SELECT subscriber_id, account_id FROM accounts WHERE subscriber_id = ANY ($1::bigint[]) AND kind = 'prepaid'
"""
_STRIPES = """
SELECT account_id FROM accounts WHERE subscriber_id IS NULL AND kind IN ('cash', 'revenue') AND currency = $1
"""
_POST_AT = "SELECT post($2, $3, $4, $5, $6) FROM set_config('billing.now', $1, true)"
_NOTE_NUMBERS = """
INSERT INTO charged_numbers (posting_id, other)
SELECT p.posting_id, c.other FROM unnest($1::uuid[], $2::text[]) AS c (cause, other) JOIN postings p USING (cause)
"""


class Move(NamedTuple):
    """One movement on a prepaid account. `sum_minor`: below 0 for a charge. `other`: the number that was called."""

    cause: uuid.UUID
    ago: datetime.timedelta
    kind: str
    sum_minor: int
    other: str | None


def moves_of(numbers: Range, n: int, fee_minor: int) -> list[Move]:
    """What has moved on the account of a number, the oldest first; `fee_minor`: of its tariff."""
    made = []
    for place, (kind, sum_minor) in enumerate(_sums(n, fee_minor)):
        days = DAYS - 1 - _DAYS_BETWEEN * place - (n * 7 + place * 5) % _DAYS_VARIED
        ago = datetime.timedelta(days=days, minutes=(n * 97 + place * 331) % 1440)
        other = None
        if kind == "charge.call":
            other = str(numbers.first + DEMO_NUMBERS + (n * 31 + place * 7) % 800)
        cause = uuid.uuid5(_CAUSES, f"{numbers.first + n} {place}")
        made.append(Move(cause, ago, kind, sum_minor, other))
    return [move for move in made if move.sum_minor]


def _sums(n: int, fee_minor: int) -> Iterator[tuple[str, int]]:
    """Kinds and sums: money that comes, and the charges after it; three times."""
    for block, planned in enumerate(_BLOCKS):
        kinds = [_USAGE[(n + block) % len(_USAGE)] if kind == "usage" else kind for kind in planned]
        costs = [_cost(kind, n * 17 + block * 5 + at, fee_minor) for at, kind in enumerate(kinds)]
        yield "top_up", sum(costs) // _WHOLE_MINOR * _WHOLE_MINOR
        yield from zip(kinds, (-cost for cost in costs), strict=True)


def _cost(kind: str, varied: int, fee_minor: int) -> int:
    if kind == "tariff":
        return fee_minor
    least, more = _COSTS[kind]
    return least + varied * 1_370 % more


async def histories(
    connection: Connection, numbers: Range, subscribers: Mapping[int, int]
) -> dict[int, Sequence[Move]]:
    """The moves of each of these subscribers of a range, who are given by their places in it."""
    fees = {row[0]: row[1] for row in await connection.fetch(_FEES, list(subscribers.values()))}
    return {subscriber: moves_of(numbers, n, fees[subscriber]) for n, subscriber in subscribers.items()}


async def post_histories(
    connection: Connection, currency: str, made: Mapping[int, Sequence[Move]], now: datetime.datetime
) -> None:
    """Posts moves, by subscriber, in the order in which they were; in the transaction that opens the accounts."""
    if not made:
        return
    house = ledger.Ledger()
    accounts: dict[int, int] = {row[0]: row[1] for row in await connection.fetch(_ACCOUNTS, list(made))}
    await ledger.locked(connection, [row[0] for row in await connection.fetch(_STRIPES, currency)])
    every = sorted(((move, accounts[of]) for of, moves in made.items() for move in moves), key=lambda one: -one[0].ago)
    rows = []
    for move, account in every:
        other = await house.house(connection, _HOUSE.get(move.kind, "revenue"), currency, move.cause)
        sums = [move.sum_minor, -move.sum_minor]
        rows.append(((now - move.ago).isoformat(), move.cause, move.kind, currency, [account, other], sums))
    await connection.executemany(_POST_AT, rows)
    called = [(move.cause, move.other) for move, _account in every if move.other is not None]
    await connection.execute(_NOTE_NUMBERS, [cause for cause, _other in called], [other for _cause, other in called])
