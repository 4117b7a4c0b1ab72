"""Services beside the tariff: connecting takes the fee of the first period, disconnecting costs nothing."""

from __future__ import annotations

from typing import Any

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing_core import intents
from billing_core.database import Connection
from billing_core.domains.balances import Balances, locked_prepaid
from billing_core.domains.tariffs import missing_for, not_enough
from billing_core.idempotency import Counted
from billing_core.ledger import money
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.who import Who, named

LISTED_MAX = 40
"""As the contract says."""

_CONNECTED = """
SELECT s.*, c.since FROM connected_services c JOIN services s USING (service_id)
WHERE c.subscriber_id = $1 AND c.until IS NULL ORDER BY c.since, s.service_id LIMIT $2
"""
_OFFERED = """
SELECT s.* FROM services s
WHERE s.network = $2 AND s.on_offer AND NOT EXISTS (
    SELECT FROM connected_services c WHERE c.subscriber_id = $1 AND c.service_id = s.service_id AND c.until IS NULL)
ORDER BY s.service_id LIMIT $3
"""
_ONE = """
SELECT s.*, EXISTS (
    SELECT FROM connected_services c WHERE c.subscriber_id = $1 AND c.service_id = s.service_id AND c.until IS NULL
) AS is_connected
FROM services s WHERE s.service_id = $2 AND s.network = $3
"""
_CONNECT = "INSERT INTO connected_services (subscriber_id, service_id, since) VALUES ($1, $2, $3)"
_DISCONNECT = "UPDATE connected_services SET until = $3 WHERE subscriber_id = $1 AND service_id = $2 AND until IS NULL"


class Services:
    """The operations."""

    def __init__(self, balances: Balances) -> None:
        self._balances = balances

    async def connected(self, connection: Connection, call: Call, who: Who) -> Done:
        """`services.connected`."""
        rows = await connection.fetch(_CONNECTED, who.id, LISTED_MAX)
        listed: list[Any] = [{**_told(row, call.language), "since": as_instant(row["since"])} for row in rows]
        return Done({"services": listed})

    async def offered(self, connection: Connection, call: Call, who: Who) -> Done:
        """`services.offered`."""
        rows = await connection.fetch(_OFFERED, who.id, who.network, LISTED_MAX)
        listed: list[Any] = [_told(row, call.language) for row in rows]
        return Done({"services": listed})

    async def quote(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`services.quote`."""
        row = await connection.fetchrow(_ONE, who.id, call.arguments["service"], who.network)
        connect = call.arguments["connect"] is True
        if row is None or (connect and not row["on_offer"]):
            return Refused("NO_SUCH_SERVICE", {})
        if row["is_connected"] is connect:
            return Refused("IS_SO", {})
        fee = row["fee_minor"] if connect else 0
        if missing := await missing_for(connection, who, fee):
            return missing
        terms: dict[str, Value] = {"service": row["service_id"], "connect": connect}
        quoted = await intents.quote(connection, call, who, "service", terms, fee)
        told = _told(row, call.language)
        return Done({**quoted, "name": told["name"], "fee": told["fee"], "fee_period": told["fee_period"]})

    async def confirm(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        """`services.confirm`."""
        intent = await intents.with_digits(connection, call, who, "service")
        if not isinstance(intent, intents.Intent):
            return intent
        service, connect = intent.terms["service"], intent.terms["connect"]
        row = await connection.fetchrow(_ONE, who.id, service, who.network)
        if row is None or row["is_connected"] is connect:
            return await intents.refused(connection, intent, Refused("IS_SO", {}), who.now)
        account, balance = await locked_prepaid(connection, who)
        if balance < intent.sum_minor:
            refusal = not_enough(intent.sum_minor - balance, who.currency)
            return await intents.refused(connection, intent, refusal, who.now)
        if intent.sum_minor:
            await self._balances.take(connection, who, intent.id, "service", account, intent.sum_minor)
        await connection.execute(_CONNECT if connect else _DISCONNECT, who.id, service, who.now)
        own_name: dict[str, Value] = {"name": named(row, who.own_language)}
        event = "services.connected" if connect else "services.disconnected"
        arguments = {**own_name, "fee": money(intent.sum_minor, who.currency)} if connect else own_name
        await write_notice(connection, who.id, str(intent.id), event, arguments)
        after = await self._balances.has_fallen(connection, who, str(intent.id), balance, balance - intent.sum_minor)
        result = {"name": named(row, call.language), "connected": connect, "balance": money(after, who.currency)}
        return await intents.done(connection, intent, result, who.now)


def _told(row: Any, language: str) -> dict[str, Value]:
    return {
        "id": row["service_id"],
        "name": named(row, language),
        "fee": money(row["fee_minor"], row["currency"]),
        "fee_period": row["fee_period"],
        "conditions": named(row, language, "conditions"),
    }
