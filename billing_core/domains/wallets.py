"""Wallets: opened by their holder, guarded by a PIN, filled at a branch or terminal.

Rules of this file:
- One open wallet a number and a person. A PIN goes to the number itself by SMS, and stands nowhere in clear.
- Hashing is done before the transaction; what was found then is looked at again inside.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec

from billing.calls import Call, Done, Refused
from billing.contract import MONEY_MINOR_MOST, Value
from billing_core import ledger
from billing_core.calendar import local, sim_too_new
from billing_core.database import Connection, Pool
from billing_core.domains.blocking import document_shown
from billing_core.domains.ending import VOID_PIN_CHANGE
from billing_core.guessing import Guessing, Typed
from billing_core.idempotency import Answer, Counted, Outdated
from billing_core.ledger import minor_in, money
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.pins import is_personal_inn, make_pin
from billing_core.tools import Tools
from billing_core.who import ChangeOf, Who, named

KINDS: Final = ("payment", "transfer", "mobile")
"""Intents of a wallet."""
NO_WALLET: Final = Refused("NO_WALLET", {})

_WALLETS = """
SELECT w.subscriber_id, w.account_id, w.first_name, w.last_name, w.inn, w.pin_hash, w.wrong_in_row, w.wrong_in_all,
       w.locked_until, a.balance_minor
FROM wallets w JOIN accounts a USING (account_id) WHERE w.subscriber_id = ANY ($1) AND w.closed_at IS NULL
"""
_OFFERED = "SELECT has_wallet FROM networks WHERE network = $1"
_INN_IS_TAKEN = "SELECT true FROM wallets WHERE inn = $1 AND closed_at IS NULL"
_OPEN = """
INSERT INTO wallets (subscriber_id, account_id, first_name, last_name, inn, pin_hash, pin_at, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (inn) WHERE closed_at IS NULL DO NOTHING
RETURNING true
"""
SET_PIN = "UPDATE wallets SET pin_hash = $2, pin_at = $3 WHERE subscriber_id = $1"
_BEING_CHECKED = """
SELECT terms, sum_minor FROM intents
WHERE subscriber_id = $1 AND kind = ANY ($2) AND (state = 'reserved' OR (state = 'quoted' AND asked_at IS NOT NULL))
ORDER BY quoted_at LIMIT 1
"""


async def wallet_of(connection: Connection, who: Who) -> Any:
    """The row of the open wallet, with its balance; None when there is none."""
    return await connection.fetchrow(_WALLETS, [who.id])


async def wallets_of(connection: Connection, *holders: Who) -> Mapping[int, Any]:
    """The rows of the open wallets of these subscribers, with their balances, by the subscriber's id."""
    rows = await connection.fetch(_WALLETS, [who.id for who in holders])
    return {row["subscriber_id"]: row for row in rows}


async def being_checked(connection: Connection, who: Who) -> Any:
    """Terms and sum of a payment whose outcome is not known yet; None when there is none."""
    return await connection.fetchrow(_BEING_CHECKED, who.id, list(KINDS))


class Wallets:
    """The operations. Those that take or make a PIN give the change that follows the hashing."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._rules = tools.rules.wallet
        self.guessing = Guessing("wallets", self._rules, "WRONG_PIN")

    async def state(self, connection: Connection, call: Call, who: Who) -> Done:
        """`wallet.state`."""
        wallet = await wallet_of(connection, who)
        checked = await being_checked(connection, who) if wallet is not None else None
        result: dict[str, Value] = {"registered": wallet is not None, "open": checked is not None}
        if checked is not None:
            terms = msgspec.json.decode(checked["terms"])
            result |= {"name": named(terms, call.language), "sum": money(checked["sum_minor"], who.currency)}
        return Done(result)

    async def balance(self, connection: Connection, _call: Call, who: Who) -> Done | Refused:
        """`wallet.balance`."""
        wallet = await wallet_of(connection, who)
        return NO_WALLET if wallet is None else Done({"balance": money(wallet["balance_minor"], who.currency)})

    async def top_up(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.top_up`."""
        sum_minor, cause = minor_in(call.arguments["sum"], who.currency), uuid.UUID(call.id)
        wallet = await wallet_of(connection, who)
        if wallet is None:
            return NO_WALLET
        if sum_minor is None:
            return Refused("OTHER_CURRENCY", {})
        account = wallet["account_id"]
        balance = (await ledger.locked(connection, [account]))[account] + sum_minor
        if balance > MONEY_MINOR_MOST:
            return Refused("TOO_MUCH", {})
        cash = await self._tools.ledger.house(connection, "cash", who.currency, cause)
        await self._tools.ledger.post(
            connection, cause, "wallet.top_up", who.currency, {account: sum_minor, cash: -sum_minor}
        )
        arguments = {"sum": money(sum_minor, who.currency), "balance": money(balance, who.currency)}
        await write_notice(connection, who.id, call.id, "wallet.topped_up", arguments)
        return Done({"balance": money(balance, who.currency)})

    # --- registration ---

    async def register(self, pool: Pool, call: Call, who: Who) -> ChangeOf:
        """`wallet.register`. A PIN is only made, and hashed, when it looks as if the wallet may be opened."""
        async with pool.acquire() as connection:
            refusal = await self._cannot_register(connection, call, who)
        if refusal is not None:
            return partial(self._register, None)
        pin = make_pin(who.msisdn, local(who).date())
        return partial(self._register, (pin, await self._tools.hasher.hash(pin)))

    async def _cannot_register(self, connection: Connection, call: Call, who: Who) -> Refused | None:
        given = call.arguments
        if not await connection.fetchval(_OFFERED, who.network):
            return Refused("NOT_OFFERED", {})
        if await wallet_of(connection, who) is not None:
            return Refused("HAS_WALLET", {})
        if not (is_name(str(given["first_name"])) and is_name(str(given["last_name"]))):
            return Refused("WRONG_NAME", {})
        if not is_personal_inn(str(given["inn"]), local(who).date()):
            return Refused("WRONG_INN", {})
        return Refused("INN_HAS_WALLET", {}) if await connection.fetchval(_INN_IS_TAKEN, given["inn"]) else None

    async def _register(
        self, made: tuple[str, str] | None, connection: Connection, call: Call, who: Who
    ) -> Done | Refused:
        if refusal := await self._cannot_register(connection, call, who):
            return refusal
        if made is None:
            raise Outdated("a wallet may be opened after all, and no PIN was made")
        pin, pin_hash = made
        account = await ledger.open_account(connection, who.id, "wallet", who.currency)
        names = (as_name(str(call.arguments["first_name"])), as_name(str(call.arguments["last_name"])))
        if not await connection.fetchval(_OPEN, who.id, account, *names, call.arguments["inn"], pin_hash, who.now):
            return Refused("INN_HAS_WALLET", {})
        await write_notice(connection, who.id, call.id, "wallet.registered", {"pin": pin}, self._tools.seal)
        return Done({})

    # --- the PIN ---

    async def judged(
        self, connection: Connection, call: Call, who: Who, wallet: Any, typed: Typed | None
    ) -> Refused | Counted | None:
        """None for the right PIN; or why not, counted, and told by SMS when it has locked the wallet. Raises
        Outdated."""
        if refusal := self.guessing.locked(wallet, who.now):
            return refusal
        answer = await self.guessing.judge(connection, who, [wallet["pin_hash"]], typed)
        if not isinstance(answer, Counted):
            return None
        if answer.refused.code == "LOCKED":
            until = answer.refused.details.get("until")
            event = "wallet.shut" if until is None else "wallet.locked"
            arguments = {"at": as_instant(who.now)} if until is None else {"until": until}
            await write_notice(connection, who.id, call.id, event, arguments)
        return answer

    async def reset_pin(self, _pool: Pool, call: Call, who: Who) -> ChangeOf:
        """`wallet.reset_pin`."""
        pin = make_pin(who.msisdn, local(who).date())
        return partial(self._reset_pin, pin, await self._tools.hasher.hash(pin))

    async def _reset_pin(self, pin: str, pin_hash: str, connection: Connection, call: Call, who: Who) -> Done | Refused:
        if await wallet_of(connection, who) is None:
            return NO_WALLET
        if refusal := sim_too_new(who, self._rules.sim_hours_min):
            return refusal
        await connection.execute(SET_PIN, who.id, pin_hash, who.now)
        await connection.execute(VOID_PIN_CHANGE, who.id)  # it was begun with a PIN that holds no more
        await self.guessing.identity_proven(connection, who)
        await document_shown(connection, call, who)
        await write_notice(connection, who.id, call.id, "wallet.pin_reset", {"pin": pin}, self._tools.seal)
        return Done({})


def is_name(text: str) -> bool:
    """Whether this can be a person's name: letters, and what stands between them."""
    return any(map(str.isalpha, text)) and all(each.isalpha() or each in " -'’." for each in as_name(text))


def as_name(text: str) -> str:
    """A name without what was typed around it."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def refuse(refusal: Refused) -> ChangeOf:
    """A change that changes nothing: it is refused."""

    async def refused(_connection: Connection, _call: Call, _who: Who) -> Answer:
        return refusal

    return refused
