"""Intents: quoted, then done once, whoever confirms them how often.

Rules of this file:
- A quote is a row, under the id of the call that made it. It holds for three minutes; a database trigger lets it go
  only where `intents_move` says.
- Confirming begins with the lock of the row. What is final already gets its stored answer; what is too old is fenced
  then and there; digits are counted before they are compared.
- A confirmation that fails for a business reason ends the intent as well: a late retry must not do what somebody was
  told was not done.
"""

from __future__ import annotations

import datetime
import hmac
import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

import failpoints
from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing_core.database import Connection
from billing_core.idempotency import Counted
from billing_core.ledger import money
from billing_core.notices import write_notice
from billing_core.who import Who, find_by_id, named

MINUTES: Final = 3
WRONG_DIGITS_MAX: Final = 3

_QUOTE = """
INSERT INTO intents (intent_id, kind, subscriber_id, terms, digits, currency, sum_minor, fee_minor, quoted_at,
                     expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9::timestamptz + make_interval(mins => $10))
"""
_LOCKED = """
SELECT intent_id, kind, state, terms, digits, wrong, currency, sum_minor, fee_minor, expires_at, outcome, code, asked_at
FROM intents WHERE intent_id = $1 AND subscriber_id = $2 AND kind = ANY ($3)
FOR UPDATE
"""
_WRONG = "UPDATE intents SET wrong = wrong + 1 WHERE intent_id = $1 RETURNING wrong"
_SETTLE = """
UPDATE intents SET state = $2, outcome = $3, claimed_at = coalesce(claimed_at, $4), settled_at = $4, code = $5
WHERE intent_id = $1
RETURNING intent_id, subscriber_id, terms, sum_minor, currency, asked_at
"""

_EXPIRE = """
UPDATE intents SET state = 'expired', settled_at = $2 WHERE intent_id = $1 AND state = 'quoted'
RETURNING intent_id, subscriber_id, terms, sum_minor, currency, asked_at
"""

_encoder = msgspec.json.Encoder()


class Intent(NamedTuple):
    """One that was quoted, its row locked."""

    id: uuid.UUID
    kind: str
    state: str
    terms: Mapping[str, Any]
    currency: str
    sum_minor: int
    fee_minor: int


def draw_digits() -> str:
    """Two digits to be shown and typed; never such as begin with 0, which people leave out."""
    return str(10 + secrets.randbelow(90))


async def quote(
    connection: Connection,
    call: Call,
    who: Who,
    kind: str,
    terms: Mapping[str, Value],
    sum_minor: int = 0,
    fee_minor: int = 0,
    *,
    with_digits: bool = True,
) -> dict[str, Value]:
    """Keeps a quote, and returns what its answer begins with: the intent, and the digits that confirm it."""
    digits = draw_digits() if with_digits else None
    written = _encoder.encode(terms).decode()
    row = (uuid.UUID(call.id), kind, who.id, written, digits, who.currency, sum_minor, fee_minor, who.now, MINUTES)
    await connection.execute(_QUOTE, *row)
    return {"intent": call.id, "digits": digits} if digits else {"intent": call.id}


async def locked(
    connection: Connection, who: Who, intent_id: str, kinds: tuple[str, ...]
) -> Intent | Done | Refused | Counted:
    """The intent, to be confirmed now; or the answer that ends it: the stored one, or why it cannot be confirmed."""
    row = await _row(connection, who, intent_id, kinds)
    if row is None:
        return Refused("NO_SUCH_QUOTE", {})
    if row["state"] == "reserved":
        return Done(being_checked(row["sum_minor"], row["fee_minor"], row["currency"]))
    if row["state"] != "quoted":
        return stored_answer(row["state"], row["outcome"])
    if row["expires_at"] <= who.now:
        await fence(connection, row["intent_id"], who.now)
        return Counted(Refused("EXPIRED", {}))
    failpoints.passed("claimed")
    terms = msgspec.json.decode(row["terms"])
    return Intent(
        row["intent_id"], row["kind"], row["state"], terms, row["currency"], row["sum_minor"], row["fee_minor"]
    )


async def with_digits(connection: Connection, call: Call, who: Who, kind: str) -> Intent | Done | Refused | Counted:
    """As `locked`, for an intent of this kind that is confirmed by the digits in the call's arguments."""
    intent = await locked(connection, who, str(call.arguments["intent"]), (kind,))
    if not isinstance(intent, Intent):
        return intent
    digits = await connection.fetchval("SELECT digits FROM intents WHERE intent_id = $1", intent.id)
    if digits is not None and hmac.compare_digest(str(call.arguments["digits"]).encode(), digits.encode()):
        return intent
    wrong = await connection.fetchval(_WRONG, intent.id)
    if wrong >= WRONG_DIGITS_MAX:
        await settle(connection, intent.id, "refused", Refused("EXPIRED", {}), who.now)
        return Counted(Refused("WRONG_DIGITS", {"tries_left": 0}))
    return Counted(Refused("WRONG_DIGITS", {"tries_left": WRONG_DIGITS_MAX - wrong}))


async def done(
    connection: Connection, intent: Intent, result: Mapping[str, Value], now: datetime.datetime, code: str | None = None
) -> Done:
    """Ends the intent as done, in the transaction that does it; `code`: that of a payment."""
    outcome = Done(result)
    await settle(connection, intent.id, "done", outcome, now, code)
    return outcome


async def refused(connection: Connection, intent: Intent, refusal: Refused, now: datetime.datetime) -> Counted:
    """Ends the intent as refused, for ever."""
    await settle(connection, intent.id, "refused", refusal, now)
    return Counted(refusal)


async def settle(
    connection: Connection,
    intent_id: uuid.UUID,
    state: str,
    outcome: Done | Refused,
    now: datetime.datetime,
    code: str | None = None,
) -> None:
    """Writes how the intent has ended. Whoever was told that it is being checked gets an SMS when it was not done; what
    is done has one anyway."""
    written = _encoder.encode(_as_json(outcome)).decode()
    [row] = await connection.fetch(_SETTLE, intent_id, state, written, now, code)
    if row["asked_at"] is not None and isinstance(outcome, Refused):
        await tell_not_paid(connection, row)


async def fence(connection: Connection, intent_id: uuid.UUID, now: datetime.datetime) -> None:
    """A quote ends that was not confirmed: no confirmation does anything any more. Only then is anybody told so, who
    was told that it was being checked."""
    row = await connection.fetchrow(_EXPIRE, intent_id, now)
    failpoints.passed("fenced")
    if row is not None and row["asked_at"] is not None:
        await tell_not_paid(connection, row)


async def tell_not_paid(connection: Connection, row: Any) -> None:
    """The SMS that was promised, for a payment that was not made; `row`: of `intents`."""
    who = await find_by_id(connection, row["subscriber_id"])
    name = named(msgspec.json.decode(row["terms"]), who.own_language)
    arguments: dict[str, Value] = {"name": name, "sum": money(row["sum_minor"], row["currency"])}
    await write_notice(connection, who.id, str(row["intent_id"]), "wallet.not_paid", arguments)


def being_checked(sum_minor: int, fee_minor: int, currency: str) -> dict[str, Value]:
    """The result of a payment that is reserved, and whose biller has not answered."""
    return {"state": "checking", "sum": money(sum_minor, currency), "fee": money(fee_minor, currency)}


def stored_answer(state: str, outcome: str | None) -> Done | Refused:
    """What whoever confirms an intent again is told."""
    if outcome is None:
        return Refused("EXPIRED", {})
    told = msgspec.json.decode(outcome)
    return Done(told["done"]) if state == "done" else Refused(told["refused"], told.get("details", {}))


async def _row(connection: Connection, who: Who, intent_id: str, kinds: tuple[str, ...]) -> Any:
    try:
        asked = uuid.UUID(intent_id)
    except ValueError:
        return None
    return await connection.fetchrow(_LOCKED, asked, who.id, list(kinds))


def _as_json(outcome: Done | Refused) -> dict[str, Any]:
    if isinstance(outcome, Done):
        return {"done": outcome.result}
    return {"refused": outcome.code, "details": outcome.details}
