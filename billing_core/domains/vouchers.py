"""Vouchers: made in batches, of which only marks are kept; each worth a top-up once.

Rules of this file: a wrong voucher is a try that is counted, under the lock of the subscriber's row; so many a day
close it till tomorrow, right ones too.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from billing.calls import Call, Done, Refused
from billing_core.calendar import note_try, tomorrow, tried_today
from billing_core.codes import make_code, typed_code
from billing_core.database import Connection
from billing_core.domains.balances import Balances
from billing_core.idempotency import Counted
from billing_core.ledger import money
from billing_core.moments import as_instant
from billing_core.tools import Tools
from billing_core.who import Who

DIGITS = 14
_TRY = _MARKED = "voucher"
_ADD = "INSERT INTO vouchers (mark, currency, sum_minor) VALUES ($1, $2, $3)"
_FIND = "SELECT currency, sum_minor, used_at, mark FROM vouchers WHERE mark = ANY($1) FOR UPDATE"
_USE = "UPDATE vouchers SET used_by = $2, used_at = $3 WHERE mark = $1"


class Vouchers:
    """The operation, and how vouchers are made."""

    def __init__(self, tools: Tools, balances: Balances) -> None:
        self._tools = tools
        self._balances = balances

    async def redeem(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        """`vouchers.redeem`."""
        if await tried_today(connection, who, _TRY) >= self._tools.rules.vouchers.wrong_a_day_max:
            return Refused("TOO_MANY", {"again_at": as_instant(tomorrow(who))})
        marks = self._tools.codes.marks(_MARKED, typed_code(str(call.arguments["voucher"])))
        row = await connection.fetchrow(_FIND, marks)
        if row is None or row["currency"] != who.currency:
            await note_try(connection, who, _TRY)
            return Counted(Refused("WRONG_VOUCHER", {}))
        if row["used_at"] is not None:
            return Refused("USED", {})
        cause, sum_minor = uuid.UUID(call.id), row["sum_minor"]
        house = await self._tools.ledger.house(connection, "vouchers", who.currency, cause)
        credited = await self._balances.credit(connection, who, cause, "voucher", house, sum_minor)
        if isinstance(credited, Refused):
            return credited
        await connection.execute(_USE, row["mark"], who.id, who.now)
        return Done({"sum": money(sum_minor, who.currency), **credited.result})

    def mark(self, digits: str) -> bytes:
        """What stands for a voucher's digits."""
        return self._tools.codes.mark(_MARKED, digits)

    async def make(self, connection: Connection, count: int, sum_minor: int, currency: str) -> Iterator[str]:
        """Makes vouchers and returns their digits, which are known nowhere else."""
        made = [make_code(DIGITS) for _ in range(count)]
        await connection.executemany(_ADD, [(self.mark(digits), currency, sum_minor) for digits in made])
        return iter(made)
