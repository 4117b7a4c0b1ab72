"""One id, one effect: a call that changes something is done once, however often it arrives.

Rules of this file:
- The id is claimed and the answer stored in the transaction of the change. A second arrival of the id waits for the
  first one's commit, and gets its answer.
- A refusal is stored as well, and stays: a late retry must not do what the subscriber was told was not done. What a
  refused change has written is rolled back, unless it says that its traces must stay (`Counted`).
- The same id with another operation, number or arguments is a mistake of the caller (`OtherArguments`).
- What is told once (`Once`) is in the first answer alone.
- Secrets are no part of the fingerprint, nor is a digest of what may be one: nothing from which a PIN or a code could
  be tried out is ever kept.
- Work that takes long, such as hashing, is done before the transaction, without a connection (`perform_prepared`). What
  was found then is looked at again inside; when it has changed, everything is done anew (`Outdated`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

import asyncpg
import msgspec

import failpoints
from billing.calls import Call, Done, Refused
from billing.contract import OPERATIONS, Secret, Value
from billing_core.database import TRIES_MAX, UNAVAILABLE, Connection, Pool

_CLAIM = """
INSERT INTO calls (call_id, operation, msisdn, fingerprint, by_msisdn) VALUES ($1, $2, $3, $4, nullif($5, ''))
ON CONFLICT (call_id) DO NOTHING
RETURNING true
"""
_REFUSE = """
INSERT INTO calls (call_id, operation, msisdn, fingerprint, by_msisdn, state, answer)
VALUES ($1, $2, $3, $4, nullif($5, ''), 'refused', $6)
ON CONFLICT (call_id) DO NOTHING
RETURNING true
"""
_STORED = "SELECT fingerprint, state, answer FROM calls WHERE call_id = $1"
_STORE = "UPDATE calls SET state = $2, answer = $3 WHERE call_id = $1"
_STATUS = "SELECT state, answer FROM calls WHERE call_id = $1 AND msisdn = $2"

_GUESSABLE: Final = {"inbox.accept": frozenset({"digest"})}
"""Arguments that are no secrets, and from which one can be found by trying: the text of an SMS may be a code."""
_COMMIT_REFUSED = (asyncpg.IntegrityConstraintViolationError, asyncpg.TransactionRollbackError)
"""By these the server itself says that it did not commit."""

_encoder = msgspec.json.Encoder(order="deterministic")


class OtherArguments(Exception):
    """The id was used before, for something else. Nothing was done."""


class OutcomeUnknown(Exception):
    """The change may or may not have happened: the database broke while it committed, or another arrival of the same
    call was still being worked on when the time was up."""


class Outdated(Exception):
    """What was prepared before the transaction fits no more. Nothing was done."""


class _Undone(Exception):
    """What a refused change has written is to be rolled back."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.code)
        self.refused = refused


class Counted(NamedTuple):
    """A refusal whose traces stay: a wrong password that was counted."""

    refused: Refused


class Once(NamedTuple):
    """Done, with results that are told once and kept nowhere: a code that was sent by SMS as well."""

    done: Done
    told: Mapping[str, Value]


Answer: TypeAlias = "Done | Refused | Counted | Once"
"""What a change comes to."""
Change: TypeAlias = "Callable[[Connection, Call], Awaitable[Answer]]"
"""How a change is done, inside the transaction that claims its id."""
Preparing: TypeAlias = "Callable[[Pool, Call], Awaitable[Change]]"
"""Does the long work, holding no connection at its end, and gives the change that needs it."""


def fingerprint(call: Call) -> bytes:
    """32 octets that are equal for equal operation, number and arguments; what may not be guessed is left out."""
    fields = OPERATIONS[call.operation].arguments
    hidden = {name for name, field in fields.items() if type(field.type) is Secret}
    hidden |= _GUESSABLE.get(call.operation, frozenset())
    open_arguments = {n: v for n, v in call.arguments.items() if n in fields and n not in hidden}
    by = [call.by] if call.by else []
    return hashlib.sha256(_encoder.encode([call.operation, call.msisdn, open_arguments, *by])).digest()


async def perform_prepared(pool: Pool, call: Call, preparing: Preparing) -> Done | Refused:
    """`perform_once` of a change that must be prepared first. Raises as that does, and Outdated."""
    for tries_left in reversed(range(TRIES_MAX)):
        change = await preparing(pool, call)
        try:
            async with pool.acquire() as connection:
                return await perform_once(connection, call, change)
        except Outdated:
            if not tries_left:
                raise
    raise AssertionError("there is a last try")


async def perform_once(connection: Connection, call: Call, change: Change) -> Done | Refused:
    """Does the change, or returns the answer that it got when it was done before.

    Raises OtherArguments and OutcomeUnknown; after any other exception surely nothing was done.
    """
    for _ in range(TRIES_MAX - 1):
        try:
            return await _perform_in_transaction(connection, call, change)
        except asyncpg.TransactionRollbackError:
            continue
    return await _perform_in_transaction(connection, call, change)


async def _perform_in_transaction(connection: Connection, call: Call, change: Change) -> Done | Refused:
    transaction = connection.transaction()
    await transaction.start()
    try:
        outcome = await _claim_and_perform(connection, call, change)
    except _Undone as undone:
        await transaction.rollback()
        return await _store_refusal(connection, call, undone.refused)
    except BaseException:
        with contextlib.suppress(*UNAVAILABLE):  # a connection that is lost has rolled back; the cause is what counts
            await transaction.rollback()
        raise
    try:
        await transaction.commit()
    except _COMMIT_REFUSED:
        raise
    except BaseException as error:
        raise OutcomeUnknown(f"{type(error).__name__} while committing") from error
    if OPERATIONS[call.operation].quotes:
        failpoints.passed("quote_committed")
    else:
        failpoints.passed("committed")
    return outcome


async def _claim_and_perform(connection: Connection, call: Call, change: Change) -> Done | Refused:
    call_id, mark = uuid.UUID(call.id), fingerprint(call)
    try:
        claimed = await connection.fetchval(_CLAIM, call_id, call.operation, call.msisdn, mark, call.by)
    except (asyncio.CancelledError, asyncpg.QueryCanceledError) as error:
        raise OutcomeUnknown("another arrival of this call is still being worked on") from error
    if claimed is None:
        return await _answer_of_before(connection, call_id, mark)
    outcome = await change(connection, call)
    if isinstance(outcome, Refused):
        raise _Undone(outcome)
    if isinstance(outcome, Done | Once):
        kept = outcome.done if isinstance(outcome, Once) else outcome
        await connection.execute(_STORE, call_id, "done", _encoder.encode(kept.result).decode())
        return Done({**kept.result, **outcome.told}) if isinstance(outcome, Once) else outcome
    await connection.execute(_STORE, call_id, "refused", _refusal_octets(outcome.refused))
    return outcome.refused


async def _store_refusal(connection: Connection, call: Call, refused: Refused) -> Done | Refused:
    """Stores a refusal whose transaction was rolled back. Another arrival of the call may have been quicker: then its
    answer is that of both."""
    call_id, mark = uuid.UUID(call.id), fingerprint(call)
    row = (call_id, call.operation, call.msisdn, mark, call.by, _refusal_octets(refused))
    try:
        is_stored = await connection.fetchval(_REFUSE, *row)
    except (asyncio.CancelledError, asyncpg.QueryCanceledError) as error:
        raise OutcomeUnknown("another arrival of this call is still being worked on") from error
    return refused if is_stored else await _answer_of_before(connection, call_id, mark)


def _refusal_octets(refused: Refused) -> str:
    return _encoder.encode({"code": refused.code, "details": refused.details}).decode()


async def _answer_of_before(connection: Connection, call_id: uuid.UUID, mark: bytes) -> Done | Refused:
    row = await connection.fetchrow(_STORED, call_id)
    if row is None or row["fingerprint"] != mark:
        raise OtherArguments(f"another call was made under the id {call_id}")
    answer = msgspec.json.decode(row["answer"])
    return Done(answer) if row["state"] == "done" else Refused(answer["code"], answer["details"])


async def status(connection: Connection, call: Call) -> Done | Refused:
    """`calls.status`. The call asked about must be of the same number; any other is as unknown as one never made."""
    try:
        asked = uuid.UUID(str(call.arguments["call"]))
    except ValueError:
        return Done({"outcome": "unknown_call"})
    row = await connection.fetchrow(_STATUS, asked, call.msisdn)
    if row is None and await _is_being_worked_on(connection, asked):
        row = await connection.fetchrow(_STATUS, asked, call.msisdn)
    if row is None:
        return Done({"outcome": "unknown_call"})
    if row["state"] == "done":
        return Done({"outcome": "done"})
    return Done({"outcome": "refused", "refusal": msgspec.json.decode(row["answer"])["code"]})


async def _is_being_worked_on(connection: Connection, call_id: uuid.UUID) -> bool:
    """Waits until a transaction that has claimed the id has ended; true when it has stored an answer.

    A claim of our own, always rolled back, is what waits: it cannot pass one that is not committed yet.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        return await connection.fetchval(_CLAIM, call_id, "calls.status", "", bytes(32), "") is None
    finally:
        await transaction.rollback()
