"""The inbox: an SMS that came in is taken once, however often and by however many links' retries it comes.

Rules of this file:
- One SMS is: link, sender, short number and the SMSC's id of it; without such an id, its text within 10 s of the first
  time, by the database's clock. Of the text only a digest is told, and kept.
- What was taken before is told as `repeated` under its first id, and counts for nothing.
- One row of a sender at a time: the sender's row in `subscribers` is the lock.
"""

from __future__ import annotations

import datetime

from billing.calls import Call, Done, Refused
from billing_core.config import InboxRules
from billing_core.database import Connection
from billing_core.subscribers import UNKNOWN_NUMBER

SAME_TEXT_SECONDS = 10.0
"""Within this time after the first one, the same text is the same SMS."""

_LOCK = "SELECT true FROM subscribers WHERE msisdn = $1 AND held_until IS NULL FOR NO KEY UPDATE"
_TAKEN_BY_ID = """
SELECT inbox_id FROM inbox WHERE link = $1 AND msisdn = $2 AND short_number = $3 AND smsc_id = $4
"""
_TAKEN_BY_TEXT = """
SELECT inbox_id FROM inbox, coalesce($5::timestamptz, clock_timestamp()) AS at
WHERE link = $1 AND msisdn = $2 AND short_number = $3 AND digest = $4 AND smsc_id IS NULL
  AND accepted_at > at - make_interval(secs => $6)
ORDER BY accepted_at LIMIT 1
"""
_TAKE = """
INSERT INTO inbox (link, msisdn, short_number, smsc_id, digest, accepted_at)
SELECT $1, $2, $3, $4, $5, at
FROM coalesce($6::timestamptz, clock_timestamp()) AS at
WHERE (SELECT count(*) FROM inbox WHERE msisdn = $2 AND accepted_at > at - interval '1 hour') < $7
RETURNING inbox_id
"""


async def accept(
    rules: InboxRules, connection: Connection, call: Call, now: datetime.datetime | None = None
) -> Done | Refused:
    """`inbox.accept`. `now`: the database's clock when None."""
    if not await connection.fetchval(_LOCK, call.msisdn):
        return UNKNOWN_NUMBER
    given = call.arguments
    link, short_number, digest = given["link"], given["short_number"], given["digest"]
    smsc_id = given.get("smsc_id")
    if smsc_id is not None:
        taken = await connection.fetchval(_TAKEN_BY_ID, link, call.msisdn, short_number, smsc_id)
    else:
        same = (link, call.msisdn, short_number, digest, now, SAME_TEXT_SECONDS)
        taken = await connection.fetchval(_TAKEN_BY_TEXT, *same)
    if taken is not None:
        return Done({"inbox_id": str(taken), "repeated": True})
    row = (link, call.msisdn, short_number, smsc_id, digest, now, rules.messages_an_hour_max)
    taken = await connection.fetchval(_TAKE, *row)
    if taken is None:
        return Refused("TOO_MANY", {})
    return Done({"inbox_id": str(taken), "repeated": False})
