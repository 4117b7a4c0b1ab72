"""The personal cabinet: its password, and the temporary ones that are sent by SMS.

Rules of this file:
- A temporary password goes to the number itself and nowhere else: in clear it stands in no answer, no row and no log.
  It voids the one before, leaves the current password as it is, and must be changed at its first use.
- How often one is made is counted in rows, under the lock of the subscriber's row: of many that are asked for at once,
  one is made. A day is one of the network's calendar.
- A wrong password is counted before it is compared, in one transaction with the answer; the answer that a repeated call
  gets is the stored one, so that nothing is counted, or compared, twice.
- Wrong ones in a row lock for a while; wrong ones in all, over any number of right ones, lock until identity is proven.
- Hashing is done before the transaction. When a password has changed meanwhile, it is done anew.
- `now` is the database's clock unless it is given.
"""

from __future__ import annotations

import datetime
import hmac
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing_core.config import CabinetRules
from billing_core.database import Connection, Pool
from billing_core.idempotency import Change, Counted, Outdated
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.passwords import Hasher, is_weak, make_password
from billing_core.sealing import Seal
from billing_core.subscribers import UNKNOWN_NUMBER, refusal_by_status

_SUBSCRIBER = """
SELECT s.subscriber_id, s.status, n.time_zone, greatest(s.held_since, s.sim_since) AS sim_since
FROM subscribers s JOIN networks n ON n.network = s.network
WHERE s.msisdn = $1 AND s.held_until IS NULL
"""
_LOCK = "SELECT true FROM subscribers WHERE msisdn = $1 AND held_until IS NULL FOR NO KEY UPDATE"

_ISSUED = """
SELECT at AS now, today AT TIME ZONE $2 AS day_begins, (today + interval '1 day') AT TIME ZONE $2 AS day_ends,
       ARRAY(SELECT t.issued_at FROM temporary_passwords t
             WHERE t.subscriber_id = $1 AND t.issued_at >= least(at - interval '1 hour', today AT TIME ZONE $2)
             ORDER BY t.issued_at DESC) AS issued,
       (SELECT count(*) FROM temporary_passwords t WHERE t.issued_at > at - interval '1 minute') AS of_all_lately
FROM coalesce($3::timestamptz, clock_timestamp()) AS at, date_trunc('day', at AT TIME ZONE $2) AS today
"""
_VOID = "UPDATE temporary_passwords SET password_hash = NULL WHERE subscriber_id = $1 AND password_hash IS NOT NULL"
_ISSUE = """
INSERT INTO temporary_passwords (subscriber_id, password_hash, issued_at, valid_until) VALUES ($1, $2, $3, $4)
"""

_STATE = """
SELECT s.subscriber_id, s.status, at AS now, c.password_hash AS current, t.password_hash AS temporary,
       c.locked_until, coalesce(c.wrong_in_all, 0) AS wrong_in_all
FROM coalesce($2::timestamptz, clock_timestamp()) AS at
CROSS JOIN subscribers s
LEFT JOIN cabinets c ON c.subscriber_id = s.subscriber_id
LEFT JOIN temporary_passwords t
       ON t.subscriber_id = s.subscriber_id AND t.password_hash IS NOT NULL AND t.valid_until > at
WHERE s.msisdn = $1 AND s.held_until IS NULL
"""
_COUNT = """
INSERT INTO cabinets AS c (subscriber_id, wrong_in_row, wrong_in_all) VALUES ($1, 1, 1)
ON CONFLICT (subscriber_id) DO UPDATE SET wrong_in_row = c.wrong_in_row + 1, wrong_in_all = c.wrong_in_all + 1
RETURNING wrong_in_row, wrong_in_all
"""
_RIGHT = """
UPDATE cabinets SET wrong_in_row = 0, wrong_in_all = wrong_in_all - 1, locked_until = NULL WHERE subscriber_id = $1
"""
_LOCK_OUT = "UPDATE cabinets SET wrong_in_row = 0, locked_until = $2 WHERE subscriber_id = $1"
_CHANGE = "UPDATE cabinets SET password_hash = $2, changed_at = $3 WHERE subscriber_id = $1"
_PROVEN = """
UPDATE cabinets c SET wrong_in_row = 0, wrong_in_all = 0, locked_until = NULL
FROM subscribers s
WHERE s.subscriber_id = c.subscriber_id AND s.msisdn = $1 AND s.held_until IS NULL
"""


class Fresh(NamedTuple):
    """A password that was just made, and its hash."""

    password: str
    hash: str

    def __repr__(self) -> str:
        return "Fresh(…)"


class Issued(NamedTuple):
    """When a number got temporary passwords, newest first, as far back as any limit reaches, and its calendar day."""

    now: datetime.datetime
    day_begins: datetime.datetime
    day_ends: datetime.datetime
    issued: Sequence[datetime.datetime]


class _State(NamedTuple):
    """The passwords that hold now, as their hashes."""

    subscriber_id: int
    now: datetime.datetime
    current: str | None
    temporary: str | None

    @property
    def holding(self) -> list[str]:
        return [stored for stored in (self.current, self.temporary) if stored is not None]


class _Right(NamedTuple):
    """The password was right."""

    subscriber_id: int
    now: datetime.datetime
    is_temporary: bool


class Cabinet:
    """The operations of the cabinet. `ceiling_met` is told when all numbers together ask for too many passwords."""

    def __init__(
        self, rules: CabinetRules, hasher: Hasher, seal: Seal, ceiling_met: Callable[[], None] = lambda: None
    ) -> None:
        self._rules = rules
        self._hasher = hasher
        self._seal = seal
        self._ceiling_met = ceiling_met

    async def temporary_password(self, pool: Pool, call: Call, now: datetime.datetime | None = None) -> Change:
        """`cabinet.temporary_password`. A password is only made, and hashed, when it looks as if it may be sent."""
        async with pool.acquire() as connection:
            found = await self._may_be_issued(connection, call, now, self._ceiling_met)
        fresh = None
        if not isinstance(found, Refused):
            password = make_password()
            fresh = Fresh(password, await self._hasher.hash(password))
        return partial(self._issue, fresh, now)

    async def login(self, pool: Pool, call: Call, now: datetime.datetime | None = None) -> Change:
        """`cabinet.login`."""
        tried = await self._hash_tried(pool, call, "password", now)
        return partial(self._login, tried, now)

    async def change_password(self, pool: Pool, call: Call, now: datetime.datetime | None = None) -> Change:
        """`cabinet.change_password`. A weak new password is refused before the old one is looked at: no try is used."""
        old, new = str(call.arguments["old"]), str(call.arguments["new"])
        if old == new or is_weak(new, call.msisdn):
            return self._refuse_weak
        tried = await self._hash_tried(pool, call, "old", now)
        return partial(self._change, tried, await self._hasher.hash(new) if tried else None, now)

    # --- temporary passwords ----------------------------------------------------------------------------------------

    async def _may_be_issued(
        self, connection: Connection, call: Call, now: datetime.datetime | None, ceiling_met: Callable[[], None]
    ) -> tuple[int, datetime.datetime] | Refused:
        """The subscriber's id and the time, or why there is no password now."""
        row = await connection.fetchrow(_SUBSCRIBER, call.msisdn)
        if row is None:
            return UNKNOWN_NUMBER
        if refusal := refusal_by_status(row["status"], call.operation):
            return refusal
        [found] = await connection.fetch(_ISSUED, row["subscriber_id"], row["time_zone"], now)
        issued = Issued(found["now"], found["day_begins"], found["day_ends"], found["issued"])
        sim_ready = row["sim_since"] + datetime.timedelta(hours=self._rules.sim_hours_min)
        if sim_ready > issued.now:
            return Refused("SIM_TOO_NEW", {"again_at": _rounded_up(sim_ready)})
        sent_at: dict[str, Value] = {"sent_at": as_instant(issued.issued[0])} if issued.issued else {}
        if (again := again_at(self._rules, issued)) is not None:
            return Refused("TOO_OFTEN", {**sent_at, "again_at": _rounded_up(again)})
        if found["of_all_lately"] >= self._rules.temporary_of_all_a_minute_max:
            ceiling_met()
            again = issued.now + datetime.timedelta(minutes=1)
            return Refused("TOO_OFTEN", {**sent_at, "again_at": _rounded_up(again)})
        return row["subscriber_id"], issued.now

    async def _issue(
        self, fresh: Fresh | None, given_now: datetime.datetime | None, connection: Connection, call: Call
    ) -> Done | Refused:
        await connection.execute(_LOCK, call.msisdn)
        found = await self._may_be_issued(connection, call, given_now, lambda: None)
        if isinstance(found, Refused):
            return found
        if fresh is None:
            raise Outdated("a password may be sent after all, and none was made")
        subscriber_id, now = found
        valid_until = now + datetime.timedelta(hours=self._rules.temporary_hours)
        await connection.execute(_VOID, subscriber_id)
        await connection.execute(_ISSUE, subscriber_id, fresh.hash, now, valid_until)
        arguments: Mapping[str, Value] = {"password": fresh.password, "valid_until": as_instant(valid_until)}
        event = "cabinet.temporary_password"
        await write_notice(connection, subscriber_id, call.id, event, arguments, self._seal, now)
        return Done({"valid_until": as_instant(valid_until)})

    # --- the password -----------------------------------------------------------------------------------------------

    async def _hash_tried(
        self, pool: Pool, call: Call, argument: str, now: datetime.datetime | None
    ) -> Mapping[str, str] | None:
        """What was typed, hashed as each password that holds was; None when it need not be looked at."""
        async with pool.acquire() as connection:
            state = await self._state(connection, call, now)
        if isinstance(state, Refused):
            return None
        typed = str(call.arguments[argument])
        return {stored: await self._hasher.like(stored, typed) for stored in state.holding}

    async def _state(self, connection: Connection, call: Call, now: datetime.datetime | None) -> _State | Refused:
        row = await connection.fetchrow(_STATE, call.msisdn, now)
        if row is None:
            return UNKNOWN_NUMBER
        if refusal := refusal_by_status(row["status"], call.operation):
            return refusal
        if row["wrong_in_all"] >= self._rules.wrong_in_all_max:
            return Refused("LOCKED", {})
        if row["locked_until"] is not None and row["locked_until"] > row["now"]:
            return Refused("LOCKED", {"until": _rounded_up(row["locked_until"])})
        return _State(row["subscriber_id"], row["now"], row["current"], row["temporary"])

    async def _try(
        self, tried: Mapping[str, str] | None, now: datetime.datetime | None, connection: Connection, call: Call
    ) -> _Right | Refused | Counted:
        """Counts a try, then compares. Raises Outdated when what was hashed is not what holds now."""
        await connection.execute(_LOCK, call.msisdn)
        state = await self._state(connection, call, now)
        if isinstance(state, Refused):
            return state
        if tried is None or not tried.keys() >= set(state.holding):
            raise Outdated("the passwords have changed since what was typed was hashed")
        [(in_row, in_all)] = await connection.fetch(_COUNT, state.subscriber_id)
        matching = [stored for stored in state.holding if hmac.compare_digest(tried[stored], stored)]
        if matching:
            await connection.execute(_RIGHT, state.subscriber_id)
            return _Right(state.subscriber_id, state.now, is_temporary=state.current not in matching)
        if in_all >= self._rules.wrong_in_all_max:
            return Counted(Refused("LOCKED", {}))
        if in_row >= self._rules.wrong_in_a_row_max:
            until = state.now + datetime.timedelta(minutes=self._rules.lock_minutes)
            await connection.execute(_LOCK_OUT, state.subscriber_id, until)
            return Counted(Refused("LOCKED", {"until": _rounded_up(until)}))
        left = min(self._rules.wrong_in_a_row_max - in_row, self._rules.wrong_in_all_max - in_all)
        return Counted(Refused("WRONG_PASSWORD", {"tries_left": left}))

    async def _login(
        self, tried: Mapping[str, str] | None, now: datetime.datetime | None, connection: Connection, call: Call
    ) -> Done | Refused | Counted:
        right = await self._try(tried, now, connection, call)
        return Done({"must_change": right.is_temporary}) if isinstance(right, _Right) else right

    async def _change(
        self,
        tried: Mapping[str, str] | None,
        new_hash: str | None,
        now: datetime.datetime | None,
        connection: Connection,
        call: Call,
    ) -> Done | Refused | Counted:
        right = await self._try(tried, now, connection, call)
        if not isinstance(right, _Right):
            return right
        await connection.execute(_CHANGE, right.subscriber_id, new_hash, right.now)
        await connection.execute(_VOID, right.subscriber_id)
        arguments = {"at": as_instant(right.now)}
        event = "cabinet.password_changed"
        await write_notice(connection, right.subscriber_id, call.id, event, arguments, now=right.now)
        return Done({})

    async def _refuse_weak(self, connection: Connection, call: Call) -> Refused:
        row = await connection.fetchrow(_SUBSCRIBER, call.msisdn)
        if row is None:
            return UNKNOWN_NUMBER
        return refusal_by_status(row["status"], call.operation) or Refused("WEAK_PASSWORD", {})


def again_at(rules: CabinetRules, issued: Issued) -> datetime.datetime | None:
    """When the next temporary password may be sent, if not now."""
    waits = [
        issued.issued[most - 1] + window
        for most, window in (
            (rules.temporary_a_minute_max, datetime.timedelta(minutes=1)),
            (rules.temporary_an_hour_max, datetime.timedelta(hours=1)),
        )
        if len(issued.issued) >= most
    ]
    if sum(moment >= issued.day_begins for moment in issued.issued) >= rules.temporary_a_day_max:
        waits.append(issued.day_ends)
    return max((wait for wait in waits if wait > issued.now), default=None)


async def prove_identity(connection: Connection, msisdn: str) -> bool:
    """Somebody has seen the subscriber's identity document: the wrong passwords so far count no more. False when the
    number has no cabinet, and so no lock either."""
    return str(await connection.execute(_PROVEN, msisdn)) != "UPDATE 0"


def _rounded_up(moment: datetime.datetime) -> str:
    """The first whole second that is not before the moment."""
    return as_instant(moment + datetime.timedelta(microseconds=999_999))
