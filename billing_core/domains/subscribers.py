"""Subscribers: who holds a number, what it may use, in which language to answer; and what ends when it is closed."""

from __future__ import annotations

import uuid

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing_core.database import Connection
from billing_core.domains import ending
from billing_core.notices import write_notice
from billing_core.provisioning import order
from billing_core.who import UNKNOWN_NUMBER, Who, who_calls

_LANGUAGES_OFFERED = {"KZ": ("kk", "ru", "en"), "KG": ("ky", "ru", "en")}

_HELLO = """
SELECT s.network, s.brand, s.status, s.language,
       (SELECT count(*) FROM delegations d JOIN subscribers b ON b.subscriber_id = d.managed_id
        WHERE d.manager_id = s.subscriber_id AND d.state = 'active' AND b.status = 'active')
FROM subscribers s WHERE s.msisdn = $1 AND s.held_until IS NULL
"""
_SET_LANGUAGE = "UPDATE subscribers SET language = $2 WHERE subscriber_id = $1"
_SET_STATUS = "UPDATE subscribers SET status = $2, status_under = NULL WHERE subscriber_id = $1"
_SET_STATUS_UNDER = "UPDATE subscribers SET status_under = $2 WHERE subscriber_id = $1"
_NEW_SIM = "UPDATE subscribers SET sim_since = $2 WHERE subscriber_id = $1"


async def hello(connection: Connection, call: Call) -> Done | Refused:
    """`subscribers.hello`, in one look at the database; in two for who manages the number."""
    if call.by and isinstance(who := await who_calls(connection, call, lock=False), Refused):
        return who
    row = await connection.fetchrow(_HELLO, call.msisdn)
    if row is None:
        return UNKNOWN_NUMBER
    network, brand, status, language, manages = row
    result: dict[str, Value] = {"network": network, "brand": brand, "status": status}
    if language is not None:
        result["language"] = language
    if manages:
        result["manages"] = manages
    return Done(result)


async def set_language(connection: Connection, call: Call, who: Who) -> Done | Refused:
    """`subscribers.set_language`."""
    language = call.arguments["language"]
    if language not in _LANGUAGES_OFFERED[who.country]:
        return Refused("LANGUAGE_NOT_OFFERED", {})
    await connection.execute(_SET_LANGUAGE, who.id, language)
    if call.by_sms:
        await write_notice(connection, who.id, call.id, "subscribers.language_set", {"language": language})
    return Done({"language": language})


async def set_status(connection: Connection, call: Call, who: Who) -> Done | Refused:
    """`subscribers.set_status`. A number that its holder has blocked stays blocked until an office opens it; then it is
    what was said last."""
    status = str(call.arguments["status"])
    if status != "closed" and who.status == "blocked":
        await connection.execute(_SET_STATUS_UNDER, who.id, status)
        return Done({"status": "blocked"})
    await connection.execute(_SET_STATUS, who.id, status)
    if status == "closed":
        await order(connection, uuid.UUID(call.id), who.msisdn, "close")
        await ending.close(connection, who, call.id)
    return Done({"status": status})


async def report_sim_change(connection: Connection, call: Call, who: Who) -> Done:
    """`subscribers.report_sim_change`."""
    await connection.execute(_NEW_SIM, who.id, who.now)
    return Done({})
