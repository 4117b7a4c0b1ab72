"""What is kept for how long: personal data is forgotten after a time, and the ledger stays.

Rules of this file:
- A kind of data has one line here, with its setting and its statements; `billing-core purge` does them all, as the
  owner.
- Entries, postings and seals have no personal data. Calls and intents stay for ever, as their ids must; what was shown
  of an intent is emptied.
- In batches, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from billing_core.database import Connection
from billing_core.rules import KeepingRules

BATCH: Final = 5000


class Kind(NamedTuple):
    """One kind of data: what it is, the setting of its days, and the statement that forgets a batch of it."""

    what: str
    setting: str
    statement: str


def _delete(table: str, condition: str) -> str:
    return f"""
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {table} WHERE {condition} LIMIT {BATCH}))"""  # noqa: S608 - names of ours


_OLD: Final = "moment() - make_interval(days => $1)"
_OF_OLD_POSTINGS: Final = f"posting_id IN (SELECT posting_id FROM postings WHERE posted_at < {_OLD})"  # noqa: S608
KINDS: Final = (
    Kind("SMS that were sent", "notices_days", _delete("notices", f"settled_at < {_OLD}")),
    Kind("SMS that came in", "inbox_days", _delete("inbox", f"accepted_at < {_OLD}")),
    Kind("tries that were counted", "tries_days", _delete("tries", f"at < {_OLD}")),
    Kind("requests between subscribers", "tries_days", _delete("requests", f"at < {_OLD}")),
    Kind("temporary passwords", "tries_days", _delete("temporary_passwords", f"valid_until < {_OLD}")),
    Kind("changes of PINs that were begun", "tries_days", _delete("pin_changes", f"valid_until < {_OLD}")),
    Kind(
        "other numbers of charges",
        "charged_numbers_days",
        _delete("charged_numbers", _OF_OLD_POSTINGS),
    ),
    Kind("documents that were shown", "documents_days", _delete("documents_shown", f"at < {_OLD}")),
    Kind("fault tickets", "documents_days", _delete("tickets", f"closed_at < {_OLD}")),
    Kind("delegations that ended", "documents_days", _delete("delegations", f"ended_at < {_OLD}")),
    Kind("the simulated biller's memory", "payments_days", _delete("simulated_payments", f"known_at < {_OLD}")),
    Kind(
        "accounts and names in payments",
        "payments_days",
        f"""
UPDATE intents SET terms = '{{}}' WHERE intent_id = ANY (ARRAY(
    SELECT intent_id FROM intents WHERE settled_at < {_OLD} AND terms <> '{{}}' LIMIT {BATCH}))""",  # noqa: S608
    ),
)


async def purge(
    connection: Connection, rules: KeepingRules, progress: Callable[[str, int], None] = lambda _what, _count: None
) -> dict[str, int]:
    """Forgets what is too old, and returns how much of each kind."""
    forgotten: dict[str, int] = {}
    for kind in KINDS:
        days = getattr(rules, kind.setting)
        while count := _count(await connection.execute(kind.statement, days)):
            forgotten[kind.what] = forgotten.get(kind.what, 0) + count
            progress(kind.what, forgotten[kind.what])
    return forgotten


def _count(said: str) -> int:
    return int(said.rpartition(" ")[2])
