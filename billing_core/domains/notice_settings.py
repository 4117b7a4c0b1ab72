"""What a subscriber wants to be told by SMS."""

from __future__ import annotations

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing.operations.notices import KINDS
from billing_core.database import Connection
from billing_core.ledger import minor_in, money
from billing_core.tools import Tools
from billing_core.who import Who

_SETTINGS = (
    "SELECT low_balance, topped_up, missed_calls, requests, below_minor FROM preferences WHERE subscriber_id = $1"
)
_SET = {
    kind: f"""
INSERT INTO preferences (subscriber_id, {kind}) VALUES ($1, $2)
ON CONFLICT (subscriber_id) DO UPDATE SET {kind} = excluded.{kind}
"""  # noqa: S608 - names of our columns
    for kind in KINDS
}
_SET_BELOW = """
INSERT INTO preferences (subscriber_id, below_minor, low_balance) VALUES ($1, $2, true)
ON CONFLICT (subscriber_id) DO UPDATE SET below_minor = excluded.below_minor, low_balance = true
"""


class NoticeSettings:
    """The operations."""

    def __init__(self, tools: Tools) -> None:
        self._below_minor = tools.rules.notices.low_balance_below * 100

    async def settings(self, connection: Connection, _call: Call, who: Who) -> Done:
        """`notices.settings`."""
        row = await connection.fetchrow(_SETTINGS, who.id)
        below = self._below_minor if row is None or row["below_minor"] is None else row["below_minor"]
        result: dict[str, Value] = {kind: row is None or row[kind] for kind in KINDS}
        return Done({**result, "below": money(below, who.currency)})

    async def set(self, connection: Connection, call: Call, who: Who) -> Done:
        """`notices.set`."""
        on = call.arguments["on"]
        await connection.execute(_SET[str(call.arguments["kind"])], who.id, on)
        return Done({"on": on})

    async def set_low_balance(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`notices.set_low_balance`."""
        below = minor_in(call.arguments["below"], who.currency)
        if below is None:
            return Refused("OTHER_CURRENCY", {})
        await connection.execute(_SET_BELOW, who.id, below)
        return Done({"below": money(below, who.currency)})
