"""The inbox: an SMS that came in is taken once, however often and by however many links' retries it comes.

Rules of this file:
- One SMS is: link, sender, short number and the SMSC's id of it; without such an id, its text within 10 s of the first
  time, by the database's clock. Of the text only a digest is told, and of that a keyed hash is kept: it may be a code.
- What was taken before is told as `repeated` under its first id, and counts for nothing.
- One SMS of a sender at a time: the sender's row in `subscribers` is locked.
"""

from __future__ import annotations

import datetime

from billing.calls import Call, Done, Refused
from billing_core.database import Connection
from billing_core.tools import Tools
from billing_core.who import Who

SAME_TEXT_SECONDS = 10.0
"""Within this time after the first one, the same text is the same SMS."""

_TAKEN_BY_ID = """
SELECT inbox_id FROM inbox WHERE link = $1 AND msisdn = $2 AND short_number = $3 AND smsc_id = $4
"""
_TAKEN_BY_TEXT = """
SELECT inbox_id FROM inbox
WHERE link = $1 AND msisdn = $2 AND short_number = $3 AND digest = ANY ($4) AND smsc_id IS NULL AND accepted_at > $5
ORDER BY accepted_at LIMIT 1
"""
_TAKE = """
INSERT INTO inbox (link, msisdn, short_number, smsc_id, digest, accepted_at)
SELECT $1, $2, $3, $4, $5, $6::timestamptz
WHERE (SELECT count(*) FROM inbox WHERE msisdn = $2 AND accepted_at > $6::timestamptz - interval '1 hour') < $7
RETURNING inbox_id
"""


class Inbox:
    """The operation."""

    def __init__(self, tools: Tools) -> None:
        self._messages_an_hour_max = tools.rules.inbox.messages_an_hour_max
        self._codes = tools.codes

    async def accept(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`inbox.accept`."""
        given = call.arguments
        link, short_number = given["link"], given["short_number"]
        digests = [mark.hex() for mark in self._codes.marks("sms", str(given["digest"]))]
        smsc_id = given.get("smsc_id")
        if smsc_id is not None:
            taken = await connection.fetchval(_TAKEN_BY_ID, link, call.msisdn, short_number, smsc_id)
        else:
            since = who.now - datetime.timedelta(seconds=SAME_TEXT_SECONDS)
            taken = await connection.fetchval(_TAKEN_BY_TEXT, link, call.msisdn, short_number, digests, since)
        if taken is not None:
            return Done({"inbox_id": str(taken), "repeated": True})
        row = (link, call.msisdn, short_number, smsc_id, digests[0], who.now, self._messages_an_hour_max)
        taken = await connection.fetchval(_TAKE, *row)
        if taken is None:
            return Refused("TOO_MANY", {})
        return Done({"inbox_id": str(taken), "repeated": False})
