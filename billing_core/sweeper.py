"""The sweeper: settles what was left open, by id, whoever left it.

Rules of this file:
- Every five seconds: quotes that are too old are fenced, and only then is anybody told "not paid"; billers are asked
  about payments that are reserved; what has run out is written so; the network is told what it must do.
- What stays open for long is for people: a list (`billing-core reconcile`), a gauge, and a line of log.
- Any number of processes may sweep: rows that another one holds are passed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Final

import structlog

from billing_core import intents
from billing_core.database import UNAVAILABLE, Connection, Pool, in_transaction
from billing_core.domains.payments import LEASE_SECONDS, Payments
from billing_core.measures import Measures
from billing_core.provisioning import Network, tell_one

SWEEP_SECONDS: Final = 5.0
_QUOTES_MAX: Final = 1000
_PAYMENTS_MAX: Final = 50
_ROUNDS_MAX: Final = 4
_ORDERS_MAX: Final = 200
_COMPLAINT_SECONDS: Final = 60.0

_FENCE_UNASKED: Final = """
UPDATE intents SET state = 'expired', settled_at = moment() WHERE intent_id IN (
    SELECT intent_id FROM intents WHERE state = 'quoted' AND expires_at <= moment() AND asked_at IS NULL
    ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
"""
_ASKED: Final = """
SELECT intent_id, moment() AS now FROM intents
WHERE state = 'quoted' AND expires_at <= moment() AND asked_at IS NOT NULL
ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_RESERVED: Final = """
UPDATE intents SET tries = tries + 1, try_at = moment() + make_interval(secs => $2),
                   asked_at = coalesce(asked_at, moment())   -- whoever confirmed it was not told how it ended
WHERE intent_id IN (
    SELECT intent_id FROM intents WHERE state = 'reserved' AND try_at <= moment()
    ORDER BY try_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING intent_id, terms, sum_minor, currency
"""
_RUN_OUT: Final = (
    "UPDATE reservations SET state = 'expired', ended_at = moment() WHERE state = 'held' AND valid_until <= moment()",
    """UPDATE delegations SET state = 'expired', ended_at = moment(), mark = NULL
       WHERE state IN ('asked', 'agreed') AND valid_until <= moment()""",
)
FOR_PEOPLE: Final = """
SELECT i.intent_id, s.msisdn, i.kind, i.terms, i.currency, i.sum_minor, i.fee_minor, i.claimed_at, i.tries, i.problem
FROM intents i JOIN subscribers s USING (subscriber_id)
WHERE i.state = 'reserved' AND i.claimed_at <= moment() - make_interval(mins => $1)
ORDER BY i.claimed_at LIMIT 1000
"""
"""Payments that have been open for so many minutes."""

_log = structlog.stdlib.get_logger("billing_core.sweeper")


class Sweeper:
    """Sweeps until it is stopped. A mistake of ours ends it; a database that is away does not."""

    def __init__(
        self, pool: Pool, payments: Payments, network: Network, measures: Measures, people_after_minutes: int
    ) -> None:
        self._pool = pool
        self._payments = payments
        self._network = network
        self._measures = measures
        self._people_after_minutes = people_after_minutes
        self._stopped = asyncio.Event()
        self._next_complaint = 0.0

    def stop(self) -> None:
        """Ends `run` soon."""
        self._stopped.set()

    async def run(self) -> None:
        """Sweeps until `stop`."""
        while not self._stopped.is_set():
            try:
                await self.sweep()
            except UNAVAILABLE as error:
                _log.warning("not swept", why=f"{type(error).__name__}: {error}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Once, everything that is due; no part waits for another, so that no silent biller keeps a number open."""
        parts = (self._fence_quotes(), self._ask_billers(), self._let_run_out(), self._tell_network())
        failed = [each for each in await asyncio.gather(*parts, return_exceptions=True) if each is not None]
        await self._count_for_people()
        if failed:
            raise failed[0]

    async def _fence_quotes(self) -> None:
        while await in_transaction(self._pool, _fence):
            pass

    async def _ask_billers(self) -> None:
        """In rounds, as long as payments are due; each round is as long as its slowest biller."""
        for _ in range(_ROUNDS_MAX):
            due = await in_transaction(self._pool, _take_reserved)
            await asyncio.gather(*(self._payments.ask(self._pool, row) for row in due))
            if len(due) < _PAYMENTS_MAX:
                return

    async def _let_run_out(self) -> None:
        for statement in _RUN_OUT:
            await self._pool.execute(statement)

    async def _tell_network(self) -> None:
        for _ in range(_ORDERS_MAX):
            if not await in_transaction(self._pool, tell_one, self._network):
                return

    async def _count_for_people(self) -> None:
        rows = await self._pool.fetch(FOR_PEOPLE, self._people_after_minutes)
        self._measures.payments_for_people.set(len(rows))
        if rows and time.monotonic() >= self._next_complaint:
            self._next_complaint = time.monotonic() + _COMPLAINT_SECONDS
            _log.error("payments wait for people: run `billing-core reconcile`", payments=len(rows))


async def _fence(connection: Connection) -> bool:
    """Ends quotes that are too old, as many as it may; returns whether there may be more."""
    said = await connection.execute(_FENCE_UNASKED, _QUOTES_MAX)
    asked = await connection.fetch(_ASKED, _PAYMENTS_MAX)
    for row in asked:
        await intents.fence(connection, row["intent_id"], row["now"])
    return int(said.rpartition(" ")[2]) == _QUOTES_MAX or len(asked) == _PAYMENTS_MAX


async def _take_reserved(connection: Connection) -> list[Any]:
    return list(await connection.fetch(_RESERVED, _PAYMENTS_MAX, LEASE_SECONDS))
