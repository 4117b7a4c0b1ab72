"""The itemised statement: it names other people's numbers, so it is for who proves to be the holder.

Rules of this file: surname, name and personal number have to match what is known of the holder; a try counts whatever
it comes to. Then a code goes to the number itself, which opens the statement once; what it says of other people is kept
in no answer, since those stay for ever.
"""

from __future__ import annotations

import datetime
import hmac
import unicodedata
from typing import Any

from billing.calls import Call, Done, Refused
from billing_core.calendar import note_try, tomorrow, tried_today
from billing_core.codes import make_code, typed_code
from billing_core.database import Connection
from billing_core.domains.ending import VOID_STATEMENT_CODE
from billing_core.domains.history import DAYS, SHOWN_MAX, charge_kind
from billing_core.idempotency import Counted, Once
from billing_core.ledger import money
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import Who

WRONG_CODES_MAX = 3
_TRY = "identity"
_IDENTITY = "SELECT surname, name, person_id FROM identities WHERE subscriber_id = $1"
_KEEP_CODE = """
INSERT INTO statement_codes (subscriber_id, mark, wrong, valid_until) VALUES ($1, $2, 0, $3)
ON CONFLICT (subscriber_id) DO UPDATE SET mark = excluded.mark, wrong = 0, valid_until = excluded.valid_until
"""
_TRY_CODE = """
UPDATE statement_codes SET wrong = wrong + 1
WHERE subscriber_id = $1 AND mark IS NOT NULL AND wrong < $2 AND valid_until > $3
RETURNING mark
"""
_ITEMS = """
SELECT p.posted_at, p.kind, -e.amount_minor AS charged, e.currency, n.other
FROM accounts a
JOIN entries e ON e.account_id = a.account_id
JOIN postings p ON p.posting_id = e.posting_id
LEFT JOIN charged_numbers n ON n.posting_id = p.posting_id
WHERE a.subscriber_id = $1 AND a.kind = 'prepaid' AND p.kind LIKE 'charge.%' AND p.posted_at >= $2
ORDER BY e.version DESC LIMIT $3
"""


class Statements:
    """The operations."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def request(self, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        """`statements.request`."""
        rules = self._tools.rules.help
        if await tried_today(connection, who, _TRY) >= rules.identity_tries_a_day_max:
            return Refused("TOO_OFTEN", {"again_at": as_instant(tomorrow(who))})
        await note_try(connection, who, _TRY)
        known = await connection.fetchrow(_IDENTITY, who.id)
        given = [_folded(str(call.arguments[name])) for name in ("surname", "name", "person_id")]
        if known is None or not _equal(given, [_folded(text) for text in known]):
            return Counted(Refused("NOT_THE_HOLDER", {}))
        code = make_code()
        valid_until = who.now + datetime.timedelta(minutes=rules.statement_code_minutes)
        await connection.execute(_KEEP_CODE, who.id, self._tools.codes.mark(_kind(who), code), valid_until)
        arguments = {"code": code, "valid_until": as_instant(valid_until)}
        await write_notice(connection, who.id, call.id, "statements.code", arguments, self._tools.seal)
        return Done({"valid_until": as_instant(valid_until)})

    async def get(self, connection: Connection, call: Call, who: Who) -> Once | Counted:
        """`statements.get`. The try is counted before it is compared; a right code is used up."""
        mark = await connection.fetchval(_TRY_CODE, who.id, WRONG_CODES_MAX, who.now)
        typed = typed_code(str(call.arguments["code"]))
        if mark is None or not self._tools.codes.fits(mark, _kind(who), typed):
            return Counted(Refused("WRONG_CODE", {}))
        await connection.execute(VOID_STATEMENT_CODE, who.id)
        since = who.now - datetime.timedelta(days=DAYS)
        items: list[Any] = []
        for at, kind, charged, currency, other in await connection.fetch(_ITEMS, who.id, since, SHOWN_MAX):
            item = {"at": as_instant(at), "kind": charge_kind(kind), "sum": money(charged, currency)}
            items.append({**item, "other": other} if other else item)
        return Once(Done({"items": []}), {"items": items})


def _kind(who: Who) -> str:
    """Of the codes that are marked."""
    return f"statement {who.id}"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _equal(given: list[str], known: list[str]) -> bool:
    """Compared as a whole, in the same time wherever they differ."""
    return hmac.compare_digest("\n".join(given).encode(), "\n".join(known).encode())
