"""Call me, pay for me, free SMS: free, with limits on both sides.

Rules of this file: the rows of both subscribers are locked, in one order, before anything is counted; a day is one of
the sender's calendar. Who has switched requests off, is not in use or is of another network is not reached, and which
of these it is, is not told.
"""

from __future__ import annotations

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing_core.calendar import day_begins
from billing_core.database import Connection
from billing_core.notices import is_wanted, write_notice
from billing_core.tools import Tools
from billing_core.who import Who, admitted, find_all

_REQUESTS = ("call_me", "pay_for_me")
_SENT = "SELECT count(*) FROM requests WHERE subscriber_id = $1 AND kind = ANY ($2) AND at >= $3"
_SENT_TO = """
SELECT count(*) FILTER (WHERE subscriber_id = $1), count(*) FROM requests
WHERE to_id = $4 AND kind = ANY ($2) AND at >= $3
"""
_NOTE = "INSERT INTO requests (subscriber_id, to_id, kind, at) VALUES ($1, $2, $3, $4)"


class Requests:
    """The operations. Those that send lock their subscribers themselves."""

    def __init__(self, tools: Tools) -> None:
        self._rules = tools.rules.requests

    async def call_me(self, connection: Connection, call: Call) -> Done | Refused:
        """`requests.call_me`."""
        return await self._ask(connection, call, "call_me")

    async def pay_for_me(self, connection: Connection, call: Call) -> Done | Refused:
        """`requests.pay_for_me`."""
        return await self._ask(connection, call, "pay_for_me")

    async def free_sms(self, connection: Connection, call: Call) -> Done | Refused:
        """`requests.free_sms`."""
        both = await self._both(connection, call)
        if isinstance(both, Refused):
            return both
        who, to = both
        sent = await connection.fetchval(_SENT, who.id, ["free_sms"], day_begins(who))
        if sent >= self._rules.free_sms_a_day_max:
            return Refused("TOO_MANY", {"left": 0})
        arguments = {"caller": who.msisdn, "text": call.arguments["text"]}
        await self._send(connection, call, who, to, "free_sms", arguments)
        return Done({"left": self._rules.free_sms_a_day_max - sent - 1})

    async def left(self, connection: Connection, _call: Call, who: Who) -> Done:
        """`requests.left`."""
        begins = day_begins(who)
        requests = await connection.fetchval(_SENT, who.id, list(_REQUESTS), begins)
        free_sms = await connection.fetchval(_SENT, who.id, ["free_sms"], begins)
        rules = self._rules
        left = {"requests": rules.a_day_max - requests, "free_sms": rules.free_sms_a_day_max - free_sms}
        return Done({name: max(0, count) for name, count in left.items()})

    async def _ask(self, connection: Connection, call: Call, kind: str) -> Done | Refused:
        both = await self._both(connection, call)
        if isinstance(both, Refused):
            return both
        who, to = both
        rules, begins, kinds = self._rules, day_begins(who), list(_REQUESTS)
        sent = await connection.fetchval(_SENT, who.id, kinds, begins)
        [(to_this_one, reaching_it)] = await connection.fetch(_SENT_TO, who.id, kinds, begins, to.id)
        left = max(0, rules.a_day_max - sent)
        if not left or to_this_one >= rules.to_one_a_day_max or reaching_it >= rules.reaching_one_a_day_max:
            return Refused("TOO_MANY", {"left": left})
        await self._send(connection, call, who, to, kind, {"caller": who.msisdn})
        return Done({"left": left - 1})

    async def _both(self, connection: Connection, call: Call) -> tuple[Who, Who] | Refused:
        """Who asks, and who is asked; or why not."""
        number = str(call.arguments["to"])
        found = await find_all(connection, (call.msisdn, number))
        who = await admitted(connection, call, found.get(call.msisdn))
        if isinstance(who, Refused):
            return who
        if number == call.msisdn:
            return Refused("ITS_OWN", {})
        to = found.get(number)
        if to is None or to.network != who.network or to.status not in ("active", "barred"):
            return Refused("NOT_REACHED", {})
        return (who, to) if await is_wanted(connection, to.id, "requests") else Refused("NOT_REACHED", {})

    @staticmethod
    async def _send(
        connection: Connection, call: Call, who: Who, to: Who, kind: str, arguments: dict[str, Value]
    ) -> None:
        await connection.execute(_NOTE, who.id, to.id, kind, who.now)
        await write_notice(connection, to.id, call.id, f"requests.{kind}", arguments)
