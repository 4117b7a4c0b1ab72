"""What a wallet can pay, and what it would cost: billers by category, transfers, mobile accounts.

Rules of this file:
- Sums are whole units of the currency, within the service's limits.
- While an earlier payment is being checked, nothing new is quoted. The same payee and sum some minutes later is told as
  `repeats`, for the subscriber to be asked whether it is meant.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing.operations.wallet import SERVICES_MOST
from billing_core import intents
from billing_core.database import Connection
from billing_core.domains.wallets import KINDS, NO_WALLET, Wallets, wallet_of
from billing_core.ledger import money
from billing_core.tools import Tools
from billing_core.who import Who, find, named

_CATEGORIES = "SELECT * FROM biller_categories WHERE position > 0 ORDER BY position LIMIT $1"
_CATEGORY = "SELECT true FROM biller_categories WHERE category_id = $1"
_SERVICES = "SELECT * FROM biller_services WHERE category_id = $1 AND currency = $2 ORDER BY position LIMIT $3"
_SERVICE = "SELECT * FROM biller_services WHERE service_id = $1 AND currency = $2"
# While one is being checked, and whether the same was paid since then.
_LATELY = """
SELECT EXISTS (SELECT FROM intents
               WHERE subscriber_id = $1 AND kind = ANY ($2)
                 AND (state = 'reserved' OR (state = 'quoted' AND asked_at IS NOT NULL))),
       EXISTS (SELECT FROM intents
               WHERE subscriber_id = $1 AND kind = ANY ($2) AND state IN ('done', 'reserved') AND quoted_at > $3
                 AND terms ->> 'payee' = $4 AND sum_minor = $5)
"""
_RECEIVER = """
SELECT w.first_name, w.last_name FROM subscribers s JOIN networks n USING (network) JOIN wallets w USING (subscriber_id)
WHERE s.msisdn = $1 AND s.held_until IS NULL AND s.status IN ('active', 'barred') AND n.currency = $2
  AND w.closed_at IS NULL
"""
_BASIS_POINTS: Final = 10_000
_LANGUAGES: Final = ("ky", "ru", "en")


class WalletQuotes:
    """The operations."""

    def __init__(self, tools: Tools, wallets: Wallets) -> None:
        self._rules = tools.rules.wallet
        self._ledger = tools.ledger
        self._wallets = wallets

    async def categories(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.categories`."""
        if await wallet_of(connection, who) is None:
            return NO_WALLET
        listed: list[Any] = [
            {"id": row["category_id"], "name": named(row, call.language)}
            for row in await connection.fetch(_CATEGORIES, SERVICES_MOST)
        ]
        return Done({"categories": listed})

    async def services(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.services`."""
        if await wallet_of(connection, who) is None:
            return NO_WALLET
        category = call.arguments["category"]
        if not await connection.fetchval(_CATEGORY, category):
            return Refused("NO_SUCH_CATEGORY", {})
        listed: list[Any] = [
            {
                "id": row["service_id"],
                "name": named(row, call.language),
                **{name: row[name] for name in ("account_kind", "digits_min", "digits_max", "sum_min", "sum_max")},
            }
            for row in await connection.fetch(_SERVICES, category, who.currency, SERVICES_MOST)
        ]
        return Done({"services": listed})

    async def quote_payment(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.quote_payment`."""
        row = await connection.fetchrow(_SERVICE, call.arguments["service"], who.currency)
        if row is None or not await self._ledger.has_house(connection, "biller", who.currency, row["biller"]):
            return Refused("NO_SUCH_SERVICE", {})
        account, service = str(call.arguments["account"]), row["service_id"]
        if not row["digits_min"] <= len(account) <= row["digits_max"] or not _pattern(row["account_pattern"])(account):
            return Refused("WRONG_ACCOUNT", {})
        names = {f"name_{each}": row[f"name_{each}"] for each in _LANGUAGES if row[f"name_{each}"] is not None}
        terms = {"payee": f"{service} {account}", "service": service, "biller": row["biller"], "account": account}
        fee = row["fee_minor"] + _whole(call) * 100 * row["fee_basis_points"] // _BASIS_POINTS
        limits = (row["sum_min"], row["sum_max"])
        return await self._quote(connection, call, who, "payment", {**terms, **names}, limits, fee)

    async def quote_transfer(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.quote_transfer`."""
        number = str(call.arguments["to"])
        if number == who.msisdn:
            return Refused("ITS_OWN", {})
        wallet = await connection.fetchrow(_RECEIVER, number, who.currency)
        if wallet is None:
            return Refused("NOT_REACHED", {})
        terms = {"payee": f"transfer {number}", "to": number, "name_ru": shown_name(wallet)}
        return await self._quote(connection, call, who, "transfer", terms, self._limits())

    async def quote_mobile(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.quote_mobile`."""
        number = str(call.arguments["to"])
        to = await find(connection, number)
        if to is None or not is_served(to, who):
            return Refused("NOT_REACHED", {})
        terms = {"payee": f"mobile {number}", "to": number, "name_ru": number}
        return await self._quote(connection, call, who, "mobile", terms, self._limits())

    def _limits(self) -> tuple[int, int]:
        return self._rules.transfer_min, self._rules.transfer_max

    async def _quote(
        self,
        connection: Connection,
        call: Call,
        who: Who,
        kind: str,
        terms: Mapping[str, Value],
        limits: tuple[int, int],
        fee: int = 0,
    ) -> Done | Refused:
        wallet = await wallet_of(connection, who)
        if wallet is None:
            return NO_WALLET
        if refusal := self._wallets.guessing.locked(wallet, who.now):
            return refusal
        since = who.now - datetime.timedelta(minutes=self._rules.repeat_minutes)
        sum_minor = _whole(call) * 100
        found = (who.id, list(KINDS), since, terms["payee"], sum_minor)
        [(is_checked, repeats)] = await connection.fetch(_LATELY, *found)
        if is_checked:
            return Refused("OPEN_PAYMENT", {})
        whole = _whole(call)
        if not limits[0] <= whole <= limits[1]:
            least, most = (money(limit * 100, who.currency) for limit in limits)
            return Refused("LIMIT", {"least": least, "most": most})
        missing = sum_minor + fee - wallet["balance_minor"]
        if missing > 0:
            return Refused("NOT_ENOUGH_MONEY", {"missing": money(missing, who.currency)})
        quoted = await intents.quote(connection, call, who, kind, terms, sum_minor, fee, with_digits=False)
        shown = {"sum": money(sum_minor, who.currency), "fee": money(fee, who.currency), "repeats": repeats}
        name = {} if kind == "mobile" else {"name": named(terms, call.language)}
        return Done({**quoted, **shown, **name})


def _whole(call: Call) -> int:
    """The sum of a quote, in whole units."""
    return cast("int", call.arguments["sum"])


def is_served(to: Who, who: Who) -> bool:
    """Whether money can come to this number from that one's wallet."""
    return to.currency == who.currency and to.status in ("active", "barred")


def shown_name(wallet: Any) -> str:
    """A holder's name as others see it: the family name cut to a letter."""
    return f"{wallet['first_name'][:20]} {wallet['last_name'][:1]}."


@functools.lru_cache(maxsize=1000)
def _pattern(pattern: str) -> Any:
    return re.compile(pattern, re.ASCII).fullmatch
