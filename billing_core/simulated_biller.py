"""A biller for trying: it behaves by the last two digits of the payer's account, and remembers what a real one would.

| Account ends in | What it does |
|---|---|
| 90 | refuses |
| 91 | never answers, and never knows |
| 92 | answers nothing, and 20 s later has been paid; it says so by itself |
| 93 | answers nothing, and 20 s later has refused; it says so by itself |
| 94 | accepts, and says so twice |
| anything else | accepts |

Rules of this file: one payment under one id, however often it is asked for; an id that is asked about and was never
heard of is refused from then on.
"""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from billing_core.billers import Accepted, Answer, Declined, NotKnown, Order
from billing_core.database import Pool

LATE_SECONDS: Final = 20.0
_HAS: Final = """
INSERT INTO simulated_payments AS p (payment_id, account, sum_minor, state, known_at)
VALUES ($1, $2, $3, $4, moment() + $5::interval)
ON CONFLICT (payment_id) DO UPDATE SET times = p.times + $6
RETURNING state, known_at <= moment() AS is_known
"""
_NEVER: Final = datetime.timedelta(days=36_500)
_AT_ONCE: Final = datetime.timedelta()


class SimulatedBiller:
    """Every biller at once. `tell`: who is told of answers that come by themselves."""

    def __init__(self, pool: Pool, late_seconds: float = LATE_SECONDS) -> None:
        self._pool = pool
        self._late_seconds = late_seconds
        self._told: set[asyncio.Task[None]] = set()
        self.tell: Callable[[uuid.UUID, Answer], Awaitable[None]] | None = None

    async def pay(self, order: Order, seconds_max: float) -> Answer:
        """As the port says."""
        ending = order.account[-2:]
        late = datetime.timedelta(seconds=self._late_seconds)
        state = "refused" if ending in ("90", "93") else "paid"
        known_after = {"91": _NEVER, "92": late, "93": late}.get(ending, _AT_ONCE)
        row = await self._pool.fetchrow(_HAS, order.payment_id, order.account, order.sum_minor, state, known_after, 1)
        answer = _answer(row)
        if ending in ("92", "93", "94"):
            self._tell_later(order.payment_id, state, 0.0 if ending == "94" else self._late_seconds)
        if isinstance(answer, NotKnown):
            await asyncio.sleep(seconds_max)
        return answer

    async def ask(self, order: Order, seconds_max: float) -> Answer:
        """As the port says."""
        del seconds_max
        row = await self._pool.fetchrow(_HAS, order.payment_id, order.account, order.sum_minor, "refused", _AT_ONCE, 0)
        return _answer(row)

    def _tell_later(self, payment_id: uuid.UUID, state: str, seconds: float) -> None:
        async def tell() -> None:
            await asyncio.sleep(seconds)
            if self.tell is not None:
                await self.tell(payment_id, Accepted() if state == "paid" else Declined("refused by the biller"))

        task = asyncio.create_task(tell())
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def close(self) -> None:
        """Tells nothing more."""
        for task in tuple(self._told):
            task.cancel()
        await asyncio.gather(*self._told, return_exceptions=True)


def _answer(row: Any) -> Answer:
    if not row["is_known"]:
        return NotKnown("no answer")
    return Accepted() if row["state"] == "paid" else Declined("refused by the biller")
