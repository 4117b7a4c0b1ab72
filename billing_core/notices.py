"""Notices as rows: what a subscriber is to be told is written in the transaction of the fact, and sent by the relay.

Rules of this file:
- Network and language are the subscriber's own at that moment, as the same transaction sees them.
- A secret argument never lies in clear in a row: which one is a secret is told by its type, and nobody has to remember.
- Who holds the number no more is told nothing by it: somebody else may hold it now.
- One cause tells one event once: written again, it is the row of before.
- Whoever writes a row wakes the relay: `NOTIFY` reaches it when the transaction commits.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping

import msgspec

import failpoints
from billing.contract import Value, check_values
from billing.events import EVENTS
from billing_core.database import Connection
from billing_core.sealing import Seal

CHANNEL = "notices"

_NOTICES = uuid.UUID("2b9c7c1e-7f0f-5d0a-8f57-0f3f5b7d1c64")
"""The namespace of notice ids."""

_WRITE = f"""
WITH written AS (
    INSERT INTO notices (notice_id, msisdn, network, event, language, arguments, sealed, written_at, try_at, not_after)
    SELECT $1, s.msisdn, s.network, $3, s.language, $4, $5, moment(), from_then, from_then + make_interval(secs => $6)
    FROM subscribers s, coalesce($7::timestamptz, moment()) AS from_then
    WHERE s.subscriber_id = $2 AND s.held_until IS NULL AND s.status <> 'closed'
    ON CONFLICT (notice_id) DO NOTHING
)
SELECT pg_notify('{CHANNEL}', '')
"""  # noqa: S608 - a constant of ours
_WANTED = {
    kind: f"SELECT {kind} FROM preferences WHERE subscriber_id = $1"  # noqa: S608 - names of our columns
    for kind in ("low_balance", "topped_up", "missed_calls", "requests")
}


def notice_id(cause: str, event: str, subscriber_id: int | None = None) -> uuid.UUID:
    """The id of the notice of an event that a call, a payment or the like has caused; `cause` is that one's id.
    `subscriber_id` where one cause tells the same event to two."""
    whom = "" if subscriber_id is None else f"\n{subscriber_id}"
    return uuid.uuid5(_NOTICES, f"{cause}\n{event}{whom}")


async def is_wanted(connection: Connection, subscriber_id: int, kind: str) -> bool:
    """Whether the subscriber wants notices of this kind (`billing.operations.notices.KINDS`)."""
    return await connection.fetchval(_WANTED[kind], subscriber_id) is not False


async def write_notice(
    connection: Connection,
    subscriber_id: int,
    cause: str,
    event: str,
    arguments: Mapping[str, Value],
    seal: Seal | None = None,
    *,
    not_before: datetime.datetime | None = None,
    to_each: bool = False,
) -> None:
    """Writes the row, inside the caller's transaction. `not_before`: when it may be sent, now when None; `to_each`: the
    cause tells the same event to several subscribers.

    Raises ValueError for arguments that are not the event's, or that need a seal and have none.
    """
    fields = EVENTS[event].arguments
    if faults := check_values(arguments, fields, "arguments"):
        raise ValueError(f"{event}: {faults[0].field} {faults[0].what}")
    row, secret = notice_id(cause, event, subscriber_id if to_each else None), EVENTS[event].secrets
    if secret and seal is None:
        raise ValueError(f"{event} has secrets, and there is nothing to seal them with")
    sealed = seal.seal(row, {name: arguments[name] for name in secret}) if secret and seal else None
    clear = {name: value for name, value in arguments.items() if name not in secret}
    written = msgspec.json.encode(clear).decode()
    valid = EVENTS[event].seconds_valid
    await connection.execute(_WRITE, row, subscriber_id, event, written, sealed, valid, not_before)
    failpoints.passed("notice_row")
