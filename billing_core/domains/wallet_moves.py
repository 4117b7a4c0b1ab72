"""What has moved in a wallet, as the ledger has it: on the screen, by SMS, and to be repeated."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from billing.calls import Call, Done, Refused
from billing.contract import Value
from billing.operations.wallet import SHOWN_MOST
from billing_core.calendar import note_try, tried_today
from billing_core.database import Connection
from billing_core.domains.wallets import NO_WALLET, wallet_of
from billing_core.ledger import money
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import Who, named

_MOVES = """
SELECT p.posted_at, p.kind, e.amount_minor, i.terms
FROM entries e JOIN postings p ON p.posting_id = e.posting_id LEFT JOIN intents i ON i.intent_id = p.cause
WHERE e.account_id = $1 AND p.kind <> 'opening' ORDER BY e.version DESC LIMIT $2
"""
_RECENT = """
SELECT intent_id, service, account, sum_minor, terms FROM (
    SELECT DISTINCT ON (terms ->> 'service', terms ->> 'account', sum_minor)
           intent_id, terms ->> 'service' AS service, terms ->> 'account' AS account, sum_minor, terms, quoted_at
    FROM intents WHERE subscriber_id = $1 AND kind = 'payment' AND state = 'done' AND terms ? 'service'
    ORDER BY terms ->> 'service', terms ->> 'account', sum_minor, quoted_at DESC
) AS each ORDER BY quoted_at DESC LIMIT 9
"""
_KINDS: Final = {
    "wallet.payment": "payment",
    "wallet.mobile": "mobile",
    "wallet.top_up": "top_up",
    "wallet.returned": "returned",
}
_TRY: Final = "wallet statement"
_LINES_MAX: Final = 8
_CHARACTERS_MAX: Final = 300
"""As the contract says."""


class WalletMoves:
    """The operations."""

    def __init__(self, tools: Tools) -> None:
        self._statements_a_day_max = tools.rules.wallet.statements_a_day_max

    async def history(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.history`."""
        wallet = await wallet_of(connection, who)
        if wallet is None:
            return NO_WALLET
        listed: list[Any] = []
        for row in await connection.fetch(_MOVES, wallet["account_id"], SHOWN_MOST):
            move = {"at": as_instant(row["posted_at"]), "kind": _kind(row)}
            name = _name(row, call.language)
            sum_moved = money(abs(row["amount_minor"]), who.currency)
            listed.append({**move, "sum": sum_moved, **({"name": name} if name else {})})
        return Done({"moves": listed})

    async def recent(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.recent`."""
        if await wallet_of(connection, who) is None:
            return NO_WALLET
        listed: list[Any] = [
            {
                "id": str(row["intent_id"]),
                "service": row["service"],
                "name": named(msgspec.json.decode(row["terms"]), call.language),
                "account": row["account"],
                "sum": row["sum_minor"] // 100,
            }
            for row in await connection.fetch(_RECENT, who.id)
        ]
        return Done({"payments": listed})

    async def send_statement(self, connection: Connection, call: Call, who: Who) -> Done | Refused:
        """`wallet.send_statement`."""
        wallet = await wallet_of(connection, who)
        if wallet is None:
            return NO_WALLET
        if await tried_today(connection, who, _TRY) >= self._statements_a_day_max:
            return Refused("TOO_MANY", {})
        await note_try(connection, who, _TRY)
        text = ""
        for row in await connection.fetch(_MOVES, wallet["account_id"], _LINES_MAX):
            line = _line(row, who)
            if len(text) + len(line) > _CHARACTERS_MAX:
                break
            text += line
        balance = money(wallet["balance_minor"], who.currency)
        arguments: dict[str, Value] = {"moves": text.rstrip("\n") or "-", "balance": balance}
        await write_notice(connection, who.id, call.id, "wallet.statement", arguments)
        return Done({})


_TOP_UP = {"ky": "Толуктоо", "ru": "Пополнение", "en": "Top-up"}


def _kind(row: Any) -> str:
    """The contract's word for what a posting did to this wallet."""
    if row["kind"] == "wallet.transfer":
        return "transfer_out" if row["amount_minor"] < 0 else "transfer_in"
    return _KINDS.get(row["kind"], "top_up" if row["amount_minor"] > 0 else "payment")


def _name(row: Any, language: str) -> str:
    """Biller or receiver; who has sent money is not named."""
    terms = msgspec.json.decode(row["terms"]) if row["terms"] is not None else {}
    is_shown = "name_ru" in terms and (row["kind"] != "wallet.transfer" or row["amount_minor"] < 0)
    return named(terms, language) if is_shown else ""


def _line(row: Any, who: Who) -> str:
    day = row["posted_at"].astimezone(ZoneInfo(who.time_zone)).strftime("%d.%m")
    whole, part = divmod(abs(row["amount_minor"]), 100)
    sign = "-" if row["amount_minor"] < 0 else "+"
    language = who.own_language
    name = _TOP_UP.get(language, _TOP_UP["ru"]) if _kind(row) == "top_up" else _name(row, language)
    return f"{day} {sign}{whole}{f',{part:02}' if part else ''} {name}".rstrip() + "\n"
