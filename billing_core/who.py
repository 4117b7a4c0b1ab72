"""Who it is about: the subscriber of a call, looked up (and locked, for a change) before anything is decided.

Rules of this file:
- A number's network is what its row says, never its prefix. Which operations a status shuts is told by the contract: an
  operation refuses `BARRED`, `BLOCKED` or `CLOSED` when that code is among its refusals.
- A change holds the lock of its subscriber's row: what is counted under it is counted once.
- Who asks for somebody else must manage that number, now; a number in debt is managed by nobody.
- `now` is the database's time, the same for all that one call decides.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from billing.calls import Call, Refused
from billing.contract import OPERATIONS
from billing_core.database import Connection
from billing_core.idempotency import Answer

UNKNOWN_NUMBER = Refused("UNKNOWN_NUMBER", {})
NOT_MANAGED = Refused("NOT_MANAGED", {})
_OF_COUNTRY = {"KZ": "kk", "KG": "ky"}

_WHO = """
SELECT s.subscriber_id, s.msisdn, s.network, s.brand, s.status, s.language, n.country, n.time_zone, n.currency,
       moment() AS now, greatest(s.held_since, s.sim_since) AS sim_since
FROM subscribers s JOIN networks n ON n.network = s.network
WHERE s.msisdn = $1 AND s.held_until IS NULL
"""
_BY_ID = _WHO.replace("s.msisdn = $1 AND s.held_until IS NULL", "s.subscriber_id = $1")
_LOCKED = _WHO + "FOR NO KEY UPDATE OF s"
_LOCKED_TOGETHER = _WHO.replace("= $1", "= ANY ($1)") + "ORDER BY s.subscriber_id FOR NO KEY UPDATE OF s"
_MANAGES = """
SELECT true FROM delegations d JOIN subscribers m ON m.subscriber_id = d.manager_id
WHERE d.managed_id = $1 AND m.msisdn = $2 AND m.held_until IS NULL AND m.status IN ('active', 'barred')
  AND d.state = 'active'
"""


class Who(NamedTuple):
    """A subscriber. `sim_since`: since when this person has the number with this SIM card."""

    id: int
    msisdn: str
    network: str
    brand: str
    status: str
    language: str | None
    country: str
    time_zone: str
    currency: str
    now: datetime.datetime
    sim_since: datetime.datetime

    @property
    def own_language(self) -> str:
        """The language that was chosen, or that of the country."""
        return self.language or _OF_COUNTRY[self.country]


ChangeOf: TypeAlias = "Callable[[Connection, Call, Who], Awaitable[Answer]]"
"""How a change is done once its subscriber is locked, inside the transaction that claims its id."""


async def find(connection: Connection, msisdn: str, *, lock: bool = False) -> Who | None:
    """The subscriber with this number; None when nobody holds it."""
    row = await connection.fetchrow(_LOCKED if lock else _WHO, msisdn)
    return None if row is None else Who(*row)


async def find_by_id(connection: Connection, subscriber_id: int) -> Who:
    """The subscriber of this row, also when somebody else holds the number now. Raises LookupError."""
    row = await connection.fetchrow(_BY_ID, subscriber_id)
    if row is None:
        raise LookupError(f"there is no subscriber {subscriber_id}")
    return Who(*row)


async def find_all(connection: Connection, numbers: Iterable[str]) -> Mapping[str, Who]:
    """The subscribers with these numbers, locked in one order, by number."""
    rows = await connection.fetch(_LOCKED_TOGETHER, list(dict.fromkeys(numbers)))
    return {row["msisdn"]: Who(*row) for row in rows}


def by_status(who: Who, operation: str) -> Refused | None:
    """The refusal when a number of this status may not use the operation."""
    code = who.status.upper()
    return Refused(code, {}) if code in OPERATIONS[operation].refusals else None


async def admitted(connection: Connection, call: Call, who: Who | None) -> Who | Refused:
    """The subscriber of a call, or why it is not served."""
    if who is None:
        return UNKNOWN_NUMBER
    if call.by and (who.status == "barred" or not await connection.fetchval(_MANAGES, who.id, call.by)):
        return NOT_MANAGED
    return by_status(who, call.operation) or who


async def who_calls(connection: Connection, call: Call, *, lock: bool) -> Who | Refused:
    """Looks the subscriber of a call up; `lock`: for a change."""
    return await admitted(connection, call, await find(connection, call.msisdn, lock=lock))


def named(row: Any, language: str, what: str = "name") -> str:
    """The text of a row in a language; in Russian, which every row has, when it lacks one."""
    text: str = row.get(f"{what}_{language}") or row[f"{what}_ru"]
    return text
