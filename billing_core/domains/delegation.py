"""Letting somebody else manage a number: A asks, B agrees with a code, A begins with another one.

Rules of this file:
- Both codes lie here as keyed hashes, hold for a day, and die with the request that they are of.
- A wrong code is counted before it is compared, in one transaction with the answer: confirmation codes by who sends
  them, activation codes by the request.
- A code works for the number it was sent to alone; whoever else sends it learns nothing.
- Rows of subscribers are locked before rows of requests, and two of them in one order.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any, Final

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing.operations.delegation import REQUESTS_MOST
from billing.operations.subscribers import MANAGED_MOST
from billing_core.calendar import Limits, again_at, note_try, sent_lately, sim_too_new
from billing_core.codes import make_code, typed_code
from billing_core.database import Connection
from billing_core.idempotency import Counted
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import Who, admitted, find_all

_TRY: Final = "delegation code"
_DRAWS_MAX: Final = 20

_OPEN = """
SELECT delegation_id, state FROM delegations
WHERE manager_id = $1 AND managed_id = $2 AND state IN ('asked', 'agreed', 'active') FOR UPDATE
"""
_EXPIRE = """
UPDATE delegations SET state = 'expired', ended_at = $2, mark = NULL
WHERE (manager_id = ANY ($1) OR managed_id = ANY ($1)) AND state IN ('asked', 'agreed') AND valid_until <= $2
"""
_OPEN_OF_MANAGER = "SELECT count(*) FROM delegations WHERE manager_id = $1 AND state IN ('asked', 'agreed', 'active')"
_OPEN_OF_MANAGED = """
SELECT count(*) FILTER (WHERE state = 'asked'), count(*) FILTER (WHERE state IN ('agreed', 'active'))
FROM delegations WHERE managed_id = $1 AND state IN ('asked', 'agreed', 'active')
"""
_MARKS = "SELECT mark FROM delegations WHERE managed_id = $1 AND state = 'asked'"
_ASK = """
INSERT INTO delegations (delegation_id, manager_id, managed_id, mark, valid_until, asked_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_REQUESTS = """
SELECT d.delegation_id, a.msisdn, d.valid_until FROM delegations d JOIN subscribers a ON a.subscriber_id = d.manager_id
WHERE d.managed_id = $1 AND d.state = 'asked' AND d.valid_until > $2 ORDER BY d.asked_at DESC LIMIT $3
"""
_REQUEST = """
SELECT d.delegation_id, a.msisdn FROM delegations d JOIN subscribers a ON a.subscriber_id = d.manager_id
WHERE d.managed_id = $1 AND d.state = 'asked' AND d.valid_until > $2 AND {which}
FOR UPDATE OF d
"""
_REQUEST_BY_ID = _REQUEST.format(which="d.delegation_id = $3")
_REQUEST_BY_MARK = _REQUEST.format(which="d.mark = ANY ($3)")
_REFUSE = "UPDATE delegations SET state = 'refused', ended_at = $2, mark = NULL WHERE delegation_id = $1"
_AGREE = """
UPDATE delegations SET state = 'agreed', agreed_at = $2, mark = $3, valid_until = $4, wrong = 0 WHERE delegation_id = $1
"""
_SENDER = "SELECT paused_until FROM code_senders WHERE subscriber_id = $1 AND paused_until > $2"
_COUNT_SENDER = """
INSERT INTO code_senders AS c (subscriber_id, wrong_in_row) VALUES ($1, 1)
ON CONFLICT (subscriber_id) DO UPDATE SET wrong_in_row = c.wrong_in_row + 1
RETURNING wrong_in_row
"""
_RESET_SENDER = "UPDATE code_senders SET wrong_in_row = 0, paused_until = $2 WHERE subscriber_id = $1"
_TO_ACTIVATE = """
SELECT d.delegation_id, d.mark, d.managed_id, d.state FROM delegations d
JOIN subscribers b ON b.subscriber_id = d.managed_id
WHERE d.manager_id = $1 AND b.msisdn = $2 AND b.held_until IS NULL AND d.state IN ('asked', 'agreed', 'void')
  AND d.valid_until > $3
ORDER BY d.asked_at DESC LIMIT 1
FOR UPDATE OF d
"""
_COUNT_ACTIVATION = "UPDATE delegations SET wrong = wrong + 1 WHERE delegation_id = $1 RETURNING wrong"
_VOID = "UPDATE delegations SET state = 'void', ended_at = $2, mark = NULL WHERE delegation_id = $1"
_BEGIN = "UPDATE delegations SET state = 'active', active_at = $2, mark = NULL, wrong = 0 WHERE delegation_id = $1"
_MANAGED = """
SELECT b.msisdn, d.state, coalesce(d.active_at, d.agreed_at) AS since
FROM delegations d JOIN subscribers b ON b.subscriber_id = d.managed_id
WHERE d.manager_id = $1 AND (d.state = 'active' OR (d.state = 'agreed' AND d.valid_until > $2))
ORDER BY since, b.msisdn
"""
_MANAGERS = """
SELECT a.msisdn, d.active_at AS since FROM delegations d JOIN subscribers a ON a.subscriber_id = d.manager_id
WHERE d.managed_id = $1 AND d.state = 'active' ORDER BY since, a.msisdn LIMIT $2
"""
_END = """
UPDATE delegations SET state = 'ended', ended_at = $3, mark = NULL
WHERE (state = 'active' OR (state IN ('asked', 'agreed') AND valid_until > $3))
  AND ((manager_id = $1 AND managed_id = $2) OR (manager_id = $2 AND managed_id = $1))
RETURNING true
"""


class Delegation:
    """The operations. `request` and `end` lock both subscribers themselves."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._rules = rules = tools.rules.delegation
        self._limits = Limits(rules.codes_a_minute_max, rules.codes_an_hour_max, rules.codes_a_day_max)

    async def request(self, connection: Connection, call: Call) -> Done | Refused:
        """`delegation.request`."""
        number = str(call.arguments["number"])
        found = await find_all(connection, (call.msisdn, number))
        who = await admitted(connection, call, found.get(call.msisdn))
        if isinstance(who, Refused):
            return who
        if number == call.msisdn:
            return Refused("ITS_OWN", {})
        if refusal := sim_too_new(who, self._rules.sim_hours_min):
            return refusal
        managed = found.get(number)
        if managed is None or managed.network != who.network or managed.status not in ("active", "barred"):
            return Refused("NOT_REACHED", {})
        await connection.execute(_EXPIRE, [who.id, managed.id], who.now)
        if refusal := await self._cannot_be_asked(connection, who, managed):
            return refusal
        code = await self._new_code(connection, managed)
        valid_until = who.now + datetime.timedelta(hours=self._rules.code_hours)
        mark = self._tools.codes.mark(_confirmation(managed), code)
        row = (uuid.UUID(call.id), who.id, managed.id, mark, valid_until, who.now)
        await connection.execute(_ASK, *row)
        await note_try(connection, managed, _TRY)
        arguments = {"caller": who.msisdn, "code": code, "valid_until": as_instant(valid_until)}
        await write_notice(connection, managed.id, call.id, "delegation.asked", arguments, self._tools.seal)
        return Done({"valid_until": as_instant(valid_until)})

    async def _cannot_be_asked(self, connection: Connection, who: Who, managed: Who) -> Refused | None:
        if await connection.fetchrow(_OPEN, who.id, managed.id) is not None:
            return Refused("IS_SO", {})
        asked_of, managed_by = (await connection.fetch(_OPEN_OF_MANAGED, managed.id))[0]
        has = await connection.fetchval(_OPEN_OF_MANAGER, who.id)
        if has >= self._rules.managed_max or max(asked_of, managed_by) >= REQUESTS_MOST:
            return Refused("TOO_MANY", {})
        again = again_at(managed, await sent_lately(connection, managed, _TRY), self._limits)
        return Refused("TOO_MANY", {"again_at": as_instant(again, up=True)}) if again else None

    async def _new_code(self, connection: Connection, managed: Who) -> str:
        """A code that none of the open requests to this number has."""
        taken = {row["mark"] for row in await connection.fetch(_MARKS, managed.id)}
        for _ in range(_DRAWS_MAX):
            code = make_code()
            if taken.isdisjoint(self._tools.codes.marks(_confirmation(managed), code)):
                return code
        raise RuntimeError("no confirmation code is free")

    async def requests(self, connection: Connection, _call: Call, who: Who) -> Done:
        """`delegation.requests`."""
        listed: list[Any] = [
            {"id": str(row[0]), "number": row[1], "valid_until": as_instant(row[2])}
            for row in await connection.fetch(_REQUESTS, who.id, who.now, REQUESTS_MOST)
        ]
        return Done({"requests": listed})

    async def answer(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`delegation.answer`."""
        agree = call.arguments["agree"] is True
        if agree and (refusal := sim_too_new(who, self._rules.sim_hours_min)):
            return refusal
        try:
            asked = uuid.UUID(str(call.arguments["request"]))
        except ValueError:
            return Refused("NO_SUCH_REQUEST", {})
        row = await connection.fetchrow(_REQUEST_BY_ID, who.id, who.now, asked)
        if row is None:
            return Refused("NO_SUCH_REQUEST", {})
        if agree:
            await self._agree(connection, call, who, row)
        else:
            await connection.execute(_REFUSE, asked, who.now)
        return Done({})

    async def confirm(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        """`delegation.confirm`."""
        if refusal := sim_too_new(who, self._rules.sim_hours_min):
            return refusal
        if (paused_until := await connection.fetchval(_SENDER, who.id, who.now)) is not None:
            return Refused("PAUSED", {"again_at": as_instant(paused_until, up=True)})
        wrong = await connection.fetchval(_COUNT_SENDER, who.id)
        marks = self._tools.codes.marks(_confirmation(who), typed_code(str(call.arguments["code"])))
        row = await connection.fetchrow(_REQUEST_BY_MARK, who.id, who.now, marks)
        if row is not None:
            await connection.execute(_RESET_SENDER, who.id, None)
            await self._agree(connection, call, who, row)
            return Done({})
        left = self._rules.wrong_confirmations_max - wrong
        if left > 0:
            return Counted(Refused("WRONG_CODE", {"tries_left": left}))
        again = who.now + datetime.timedelta(minutes=self._rules.pause_minutes)
        await connection.execute(_RESET_SENDER, who.id, again)
        return Counted(Refused("PAUSED", {"again_at": as_instant(again, up=True)}))

    async def _agree(self, connection: Connection, call: Call, who: Who, row: Any) -> None:
        code = make_code()
        valid_until = who.now + datetime.timedelta(hours=self._rules.code_hours)
        mark = self._tools.codes.mark(_activation(row["delegation_id"]), code)
        await connection.execute(_AGREE, row["delegation_id"], who.now, mark, valid_until)
        arguments = {"caller": row["msisdn"], "code": code, "valid_until": as_instant(valid_until)}
        await write_notice(connection, who.id, call.id, "delegation.activation", arguments, self._tools.seal)

    async def activate(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        """`delegation.activate`."""
        if refusal := sim_too_new(who, self._rules.sim_hours_min):
            return refusal
        number = str(call.arguments["number"])
        row = await connection.fetchrow(_TO_ACTIVATE, who.id, number, who.now)
        if row is None or row["state"] != "agreed":
            return Refused("VOID" if row is not None and row["state"] == "void" else "NO_SUCH_REQUEST", {})
        wrong = await connection.fetchval(_COUNT_ACTIVATION, row["delegation_id"])
        typed = typed_code(str(call.arguments["code"]))
        if self._tools.codes.fits(row["mark"], _activation(row["delegation_id"]), typed):
            await connection.execute(_BEGIN, row["delegation_id"], who.now)
            await write_notice(connection, row["managed_id"], call.id, "delegation.begun", {"caller": who.msisdn})
            return Done({"number": number})
        left = self._rules.wrong_activations_max - wrong
        if left <= 0:
            await connection.execute(_VOID, row["delegation_id"], who.now)
        return Counted(Refused("WRONG_CODE", {"tries_left": max(0, left)}))

    async def managed(self, connection: Connection, _call: Call, who: Who) -> Done:
        """`delegation.managed`."""
        rows = await connection.fetch(_MANAGED, who.id, who.now)
        listed: dict[str, list[Any]] = {
            told: [_one(row) for row in rows if row["state"] == state][:MANAGED_MOST]
            for told, state in (("managed", "active"), ("agreed", "agreed"))
        }
        return Done({**listed})

    async def managers(self, connection: Connection, _call: Call, who: Who) -> Done:
        """`delegation.managers`."""
        listed: list[Any] = [_one(row) for row in await connection.fetch(_MANAGERS, who.id, REQUESTS_MOST)]
        return Done({"managers": listed})

    async def end(self, connection: Connection, call: Call) -> Done | Refused:
        """`delegation.end`."""
        number = str(call.arguments["number"])
        typed = call.arguments.get("last_digits")
        found = await find_all(connection, (call.msisdn, number))
        who = await admitted(connection, call, found.get(call.msisdn))
        if isinstance(who, Refused):
            return who
        other = found.get(number)
        if typed is not None and not number.endswith(str(typed)):
            return Refused("WRONG_DIGITS", {})
        if other is None or not await connection.fetchval(_END, who.id, other.id, who.now):
            return Refused("NOT_SO", {})
        for told, of in ((who, other), (other, who)):
            arguments = {"number": of.msisdn}
            await write_notice(connection, told.id, call.id, "delegation.ended", arguments, to_each=True)
        return Done({})


def _confirmation(managed: Who) -> str:
    """The kind of code that the number's holder confirms with."""
    return f"confirmation {managed.id}"


def _activation(delegation_id: uuid.UUID) -> str:
    """The kind of code that the manager activates with."""
    return f"activation {delegation_id}"


def _one(row: Any) -> dict[str, Value]:
    return {"id": row["msisdn"], "number": row["msisdn"], "since": as_instant(row["since"])}
