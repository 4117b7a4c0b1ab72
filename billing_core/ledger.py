"""Money moves here, and nowhere else: postings of the ledger.

Rules of this file:
- A posting moves sums between accounts of one currency; what it takes and gives adds up to nothing. The database does
  it (`post` in the migrations), and who serves has no other right to change an account.
- Whoever decides by a balance holds the account, or its subscriber. One posting locks its accounts in the order of
  their ids; where there are two in one transaction, `revenue` comes before `lent`: nobody waits for somebody who waits
  for them.
- A house account that everybody pays to has stripes; which one is used follows from the cause.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from billing.contract import Value
from billing_core.database import Connection

STRIPES: Final = 16

_LOCK = "SELECT account_id, balance_minor FROM hold($1)"
_HOUSE = """
SELECT kind, owner, currency, array_agg(account_id ORDER BY stripe) FROM accounts
WHERE subscriber_id IS NULL GROUP BY kind, owner, currency
"""
_OWN = "SELECT account_id FROM accounts WHERE subscriber_id = $1 AND kind = $2"
_OPEN = "INSERT INTO accounts (subscriber_id, kind, currency) VALUES ($1, $2, $3) RETURNING account_id"
_POST = "SELECT posting_id, account_id, balance_minor FROM post($1, $2, $3, $4, $5)"


def money(minor: int, currency: str) -> dict[str, Value]:
    """A sum as it travels."""
    return {"minor": minor, "currency": currency}


def minor_in(value: Value, currency: str) -> int | None:
    """The hundredths of a sum of the contract, when it is in this currency; None otherwise."""
    minor = value["minor"] if isinstance(value, Mapping) and value["currency"] == currency else None
    return minor if isinstance(minor, int) else None


async def account_of(connection: Connection, subscriber_id: int, kind: str = "prepaid") -> int:
    """The id of a subscriber's account. Raises LookupError when there is none."""
    account: int | None = await connection.fetchval(_OWN, subscriber_id, kind)
    if account is None:
        raise LookupError(f"subscriber {subscriber_id} has no account '{kind}'")
    return account


async def open_account(connection: Connection, subscriber_id: int, kind: str, currency: str) -> int:
    """Opens an empty account and returns its id."""
    account: int = await connection.fetchval(_OPEN, subscriber_id, kind, currency)
    return account


async def locked(connection: Connection, accounts: Iterable[int]) -> dict[int, int]:
    """The balances of these accounts, in hundredths; they stay what they are until the transaction ends."""
    return {row[0]: row[1] for row in await connection.fetch(_LOCK, list(accounts))}


class Posted(NamedTuple):
    """A posting, and what is on its accounts after it, in hundredths."""

    id: int
    balances: Mapping[int, int]


class Ledger:
    """Posts, and knows the accounts of the house."""

    def __init__(self) -> None:
        self._house: dict[tuple[str, str, str], list[int]] = {}

    async def house(self, connection: Connection, kind: str, currency: str, cause: uuid.UUID, owner: str = "") -> int:
        """The id of an account of the house, of the stripe that the cause uses. Raises LookupError."""
        if not await self.has_house(connection, kind, currency, owner):
            raise LookupError(f"the house has no account '{kind}' of '{owner}' in {currency}")
        stripes = self._house[kind, owner, currency]
        return stripes[cause.int % len(stripes)]

    async def has_house(self, connection: Connection, kind: str, currency: str, owner: str = "") -> bool:
        """Whether the house has such an account."""
        if (kind, owner, currency) not in self._house:
            self._house = {(row[0], row[1], row[2]): row[3] for row in await connection.fetch(_HOUSE)}
        return (kind, owner, currency) in self._house

    async def post(
        self, connection: Connection, cause: uuid.UUID, kind: str, currency: str, moves: Mapping[int, int]
    ) -> Posted:
        """Moves sums in hundredths between accounts (account → what it gets; below 0: gives). A move of nothing is left
        out. Raises asyncpg.CheckViolationError when an account does not hold it."""
        there = {account: amount for account, amount in moves.items() if amount}
        rows = await connection.fetch(_POST, cause, kind, currency, list(there), list(there.values()))
        return Posted(rows[0]["posting_id"], {row["account_id"]: row["balance_minor"] for row in rows})
