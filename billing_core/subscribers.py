"""Subscribers: who holds a number, what it may use, and in which language to answer.

Rules of this file: a number's network is what the row says, never its prefix. Which operations a status shuts is told
by the contract: an operation refuses `BARRED`, `BLOCKED` or `CLOSED` when that code is among its refusals.
"""

from __future__ import annotations

from billing.calls import Call, Done, Refused
from billing.contract import OPERATIONS, Value
from billing_core.database import Connection
from billing_core.notices import write_notice

UNKNOWN_NUMBER = Refused("UNKNOWN_NUMBER", {})

_LANGUAGES_OFFERED = {"KZ": ("kk", "ru", "en"), "KG": ("ky", "ru", "en")}

_HELLO = "SELECT network, brand, status, language FROM subscribers WHERE msisdn = $1 AND held_until IS NULL"
_LOCKED = """
SELECT s.subscriber_id, s.status, n.country
FROM subscribers s JOIN networks n ON n.network = s.network
WHERE s.msisdn = $1 AND s.held_until IS NULL
FOR UPDATE OF s
"""
_SET_LANGUAGE = "UPDATE subscribers SET language = $2 WHERE subscriber_id = $1"


def refusal_by_status(status: str, operation: str) -> Refused | None:
    """The refusal when a number of this status may not use the operation."""
    code = status.upper()
    return Refused(code, {}) if code in OPERATIONS[operation].refusals else None


async def hello(connection: Connection, call: Call) -> Done | Refused:
    """`subscribers.hello`."""
    row = await connection.fetchrow(_HELLO, call.msisdn)
    if row is None:
        return UNKNOWN_NUMBER
    network, brand, status, language = row
    result: dict[str, Value] = {"network": network, "brand": brand, "status": status}
    if language is not None:
        result["language"] = language
    return Done(result)


async def set_language(connection: Connection, call: Call) -> Done | Refused:
    """`subscribers.set_language`."""
    row = await connection.fetchrow(_LOCKED, call.msisdn)
    if row is None:
        return UNKNOWN_NUMBER
    if refusal := refusal_by_status(row["status"], call.operation):
        return refusal
    language = call.arguments["language"]
    if language not in _LANGUAGES_OFFERED[row["country"]]:
        return Refused("LANGUAGE_NOT_OFFERED", {})
    await connection.execute(_SET_LANGUAGE, row["subscriber_id"], language)
    if call.by_sms:
        arguments = {"language": language}
        await write_notice(connection, row["subscriber_id"], call.id, "subscribers.language_set", arguments)
    return Done({"language": language})
