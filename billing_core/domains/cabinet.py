"""The personal cabinet: its password, and the temporary ones that are sent by SMS.

Rules of this file:
- A temporary password goes to the number itself and nowhere else: in clear it stands in no answer, no row and no log.
  It voids the one before, leaves the current password as it is, and must be changed at its first use.
- How often one is made is counted in rows, under the lock of the subscriber's row: of many that are asked for at once,
  one is made. A day is one of the network's calendar. What all numbers together get is counted by one at a time.
- Hashing is done before the transaction. When a password has changed meanwhile, it is done anew.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing_core.calendar import Limits, again_at, day_begins, sim_too_new
from billing_core.database import Connection, Pool
from billing_core.domains.blocking import document_shown
from billing_core.domains.ending import VOID_PASSWORDS
from billing_core.guessing import Guessing, Typed, hashed_like
from billing_core.idempotency import Counted, Outdated
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.passwords import is_weak, make_password
from billing_core.tools import Tools
from billing_core.who import ChangeOf, Who

_ISSUED = """
SELECT ARRAY(SELECT t.issued_at FROM temporary_passwords t
             WHERE t.subscriber_id = $1 AND t.issued_at >= $2 ORDER BY t.issued_at DESC),
       (SELECT count(*) FROM temporary_passwords t WHERE t.issued_at > $3)
"""
_ONE_AT_A_TIME = int.from_bytes(b"password")
"""An advisory lock, "password" in octets, held from the count of all passwords until the one more is committed."""
_ISSUE = """
INSERT INTO temporary_passwords (subscriber_id, password_hash, issued_at, valid_until) VALUES ($1, $2, $3, $4)
"""
_BEGIN = "INSERT INTO cabinets (subscriber_id) VALUES ($1) ON CONFLICT DO NOTHING"
_STATE = """
SELECT c.password_hash AS current, t.password_hash AS temporary, c.locked_until,
       coalesce(c.wrong_in_all, 0) AS wrong_in_all
FROM (SELECT) AS always
LEFT JOIN cabinets c ON c.subscriber_id = $1
LEFT JOIN temporary_passwords t
       ON t.subscriber_id = $1 AND t.password_hash IS NOT NULL AND t.valid_until > $2
"""
_CHANGE = "UPDATE cabinets SET password_hash = $2, changed_at = $3 WHERE subscriber_id = $1"


class Fresh(NamedTuple):
    """A password that was just made, and its hash."""

    password: str
    hash: str

    def __repr__(self) -> str:
        return "Fresh(…)"


class Cabinet:
    """The operations of the cabinet. Those that hash give the change that follows the hashing."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._rules = tools.rules.cabinet
        rules = self._rules
        self._limits = Limits(rules.temporary_a_minute_max, rules.temporary_an_hour_max, rules.temporary_a_day_max)
        self._guessing = Guessing("cabinets", self._rules, "WRONG_PASSWORD")

    # --- temporary passwords ---

    async def temporary_password(self, pool: Pool, _call: Call, who: Who) -> ChangeOf:
        """`cabinet.temporary_password`. A password is only made, and hashed, when it looks as if it may be sent."""
        async with pool.acquire() as connection:
            refusal = await self._cannot_be_issued(connection, who)
        if refusal is not None:
            return partial(self._issue, None)
        password = make_password()
        return partial(self._issue, Fresh(password, await self._tools.hasher.hash(password)))

    async def _cannot_be_issued(self, connection: Connection, who: Who, *, rings: bool = False) -> Refused | None:
        """Why none can be sent now; `rings`: the ceiling for all numbers is an alarm, once for each call."""
        if refusal := sim_too_new(who, self._rules.sim_hours_min):
            return refusal
        since = min(day_begins(who), who.now - datetime.timedelta(hours=1))
        minute = datetime.timedelta(minutes=1)
        [(issued, of_all)] = await connection.fetch(_ISSUED, who.id, since, who.now - minute)
        sent_at: dict[str, Value] = {"sent_at": as_instant(issued[0])} if issued else {}
        again = again_at(who, issued, self._limits)
        if again is None and of_all >= self._rules.temporary_of_all_a_minute_max:
            again = who.now + minute
            if rings:
                self._tools.measures.password_ceiling.inc()
        return None if again is None else Refused("TOO_OFTEN", {**sent_at, "again_at": as_instant(again, up=True)})

    async def _issue(self, fresh: Fresh | None, connection: Connection, call: Call, who: Who) -> Done | Refused:
        if fresh is not None:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
        if refusal := await self._cannot_be_issued(connection, who, rings=True):
            return refusal
        if fresh is None:
            raise Outdated("a password may be sent after all, and none was made")
        valid_until = who.now + datetime.timedelta(hours=self._rules.temporary_hours)
        await connection.execute(VOID_PASSWORDS, who.id)
        await connection.execute(_ISSUE, who.id, fresh.hash, who.now, valid_until)
        arguments: Mapping[str, Value] = {"password": fresh.password, "valid_until": as_instant(valid_until)}
        event = "cabinet.temporary_password"
        await write_notice(connection, who.id, call.id, event, arguments, self._tools.seal)
        return Done({"valid_until": as_instant(valid_until)})

    # --- the password ---

    async def login(self, pool: Pool, call: Call, who: Who) -> ChangeOf:
        """`cabinet.login`."""
        return partial(self._login, await self._typed(pool, who, str(call.arguments["password"])))

    async def change_password(self, pool: Pool, call: Call, who: Who) -> ChangeOf:
        """`cabinet.change_password`. A weak new password is refused before the old one is looked at: no try is used."""
        old, new = str(call.arguments["old"]), str(call.arguments["new"])
        if old == new or is_weak(new, call.msisdn):
            return _refuse_weak
        typed = await self._typed(pool, who, old)
        return partial(self._change, typed, await self._tools.hasher.hash(new) if typed is not None else None)

    async def _typed(self, pool: Pool, who: Who, password: str) -> Typed | None:
        """What was typed, hashed as each password that holds was; None when it need not be looked at."""
        async with pool.acquire() as connection:
            state = await _state(connection, who)
        if self._guessing.locked(state, who.now):
            return None
        return await hashed_like(self._tools.hasher, _holding(state), password)

    async def _try(self, typed: Typed | None, connection: Connection, who: Who) -> bool | Refused | Counted:
        """Whether what was typed is right as the temporary one alone; or why it is not right."""
        state = await _state(connection, who)
        if refusal := self._guessing.locked(state, who.now):
            return refusal
        await connection.execute(_BEGIN, who.id)
        right = await self._guessing.judge(connection, who, _holding(state), typed)
        return right if isinstance(right, Counted) else right != state["current"]

    async def _login(
        self, typed: Typed | None, connection: Connection, _call: Call, who: Who
    ) -> Done | Refused | Counted:
        is_temporary = await self._try(typed, connection, who)
        return Done({"must_change": is_temporary}) if isinstance(is_temporary, bool) else is_temporary

    async def _change(
        self, typed: Typed | None, new_hash: str | None, connection: Connection, call: Call, who: Who
    ) -> Done | Refused | Counted:
        is_temporary = await self._try(typed, connection, who)
        if not isinstance(is_temporary, bool):
            return is_temporary
        await connection.execute(_CHANGE, who.id, new_hash, who.now)
        await connection.execute(VOID_PASSWORDS, who.id)
        await write_notice(connection, who.id, call.id, "cabinet.password_changed", {"at": as_instant(who.now)})
        return Done({})

    async def prove_identity(self, connection: Connection, call: Call, who: Who) -> Done:
        """`cabinet.prove_identity`."""
        await self._guessing.identity_proven(connection, who)
        await document_shown(connection, call, who)
        return Done({})


async def _refuse_weak(_connection: Connection, _call: Call, _who: Who) -> Refused:
    return Refused("WEAK_PASSWORD", {})


async def _state(connection: Connection, who: Who) -> Any:
    """The passwords that hold now, as their hashes, and the lock."""
    [state] = await connection.fetch(_STATE, who.id, who.now)
    return state


def _holding(state: Any) -> list[str | None]:
    return [state["current"], state["temporary"]]
