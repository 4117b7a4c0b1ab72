"""Changing a wallet's PIN: the old one, the new one, the new one again, each in a call of its own.

Rules of this file:
- A call takes one secret, as a screen asks for one. What was chosen is kept between the calls as its hash alone.
- The old PIN is judged as everywhere; the later steps are nobody's guess, and count no tries.
- A change stands for some minutes, for one number; another one takes its place.
"""

from __future__ import annotations

import datetime
import hmac
import uuid
from functools import partial
from typing import Any, Final

from billing.calls import Call, Done, Refused
from billing_core.calendar import local
from billing_core.database import Connection, Pool
from billing_core.domains.ending import VOID_PIN_CHANGE
from billing_core.domains.wallets import NO_WALLET, SET_PIN, Wallets, refuse, wallet_of
from billing_core.guessing import Typed, hashed_like
from billing_core.idempotency import Counted, Outdated
from billing_core.moments import as_instant
from billing_core.notices import write_notice
from billing_core.pins import is_trivial
from billing_core.tools import Tools
from billing_core.who import ChangeOf, Who

NO_CHANGE: Final = Refused("EXPIRED", {})
_BEGIN: Final = """
INSERT INTO pin_changes (subscriber_id, change_id, valid_until) VALUES ($1, $2, $3)
ON CONFLICT (subscriber_id) DO UPDATE SET change_id = $2, new_hash = NULL, valid_until = $3
"""
_OPEN: Final = """
SELECT new_hash FROM pin_changes WHERE subscriber_id = $1 AND change_id::text = $2 AND valid_until > $3
"""
_CHOOSE: Final = "UPDATE pin_changes SET new_hash = $2 WHERE subscriber_id = $1"


class WalletPins:
    """The operations; each gives the change that follows the hashing."""

    def __init__(self, tools: Tools, wallets: Wallets) -> None:
        self._hasher = tools.hasher
        self._valid = datetime.timedelta(minutes=tools.rules.wallet.pin_change_minutes)
        self._wallets = wallets

    async def begin_pin_change(self, pool: Pool, call: Call, who: Who) -> ChangeOf:
        """`wallet.begin_pin_change`."""
        async with pool.acquire() as connection:
            wallet = await wallet_of(connection, who)
        if wallet is None:
            return refuse(NO_WALLET)
        if self._wallets.guessing.locked(wallet, who.now):
            return partial(self._begin, None)
        return partial(self._begin, await hashed_like(self._hasher, [wallet["pin_hash"]], str(call.arguments["old"])))

    async def _begin(
        self, typed: Typed | None, connection: Connection, call: Call, who: Who
    ) -> Done | Refused | Counted:
        wallet = await wallet_of(connection, who)
        if wallet is None:
            return NO_WALLET
        if (answer := await self._wallets.judged(connection, call, who, wallet, typed)) is not None:
            return answer
        await connection.execute(_BEGIN, who.id, uuid.UUID(call.id), who.now + self._valid)
        return Done({"change": call.id})

    async def choose_pin(self, pool: Pool, call: Call, who: Who) -> ChangeOf:
        """`wallet.choose_pin`."""
        new = str(call.arguments["new"])
        async with pool.acquire() as connection:
            wallet, change = await wallet_of(connection, who), await _change(connection, call, who)
        if wallet is None:
            return refuse(NO_WALLET)
        if change is None:
            return refuse(NO_CHANGE)
        if is_trivial(new, who.msisdn, local(who).date()):
            return refuse(Refused("TRIVIAL_PIN", {}))
        old = wallet["pin_hash"]
        if hmac.compare_digest((await hashed_like(self._hasher, [old], new))[old].hash, old):
            return refuse(Refused("TRIVIAL_PIN", {}))
        return partial(self._choose, await self._hasher.hash(new))

    async def _choose(self, new_hash: str, connection: Connection, call: Call, who: Who) -> Done | Refused:
        if await wallet_of(connection, who) is None:
            return NO_WALLET
        if await _change(connection, call, who) is None:
            return NO_CHANGE
        await connection.execute(_CHOOSE, who.id, new_hash)
        return Done({})

    async def confirm_pin(self, pool: Pool, call: Call, who: Who) -> ChangeOf:
        """`wallet.confirm_pin`."""
        async with pool.acquire() as connection:
            change = await _change(connection, call, who)
        if change is None or change["new_hash"] is None:
            return partial(self._confirm, {})
        return partial(
            self._confirm, await hashed_like(self._hasher, [change["new_hash"]], str(call.arguments["again"]))
        )

    async def _confirm(self, typed: Typed, connection: Connection, call: Call, who: Who) -> Done | Refused | Counted:
        if await wallet_of(connection, who) is None:
            return NO_WALLET
        change = await _change(connection, call, who)
        if change is None or change["new_hash"] is None:
            return NO_CHANGE
        chosen: str = change["new_hash"]
        if chosen not in typed:
            raise Outdated("another PIN was chosen since this one was hashed")
        if not hmac.compare_digest(typed[chosen].hash, chosen):
            await connection.execute(_CHOOSE, who.id, None)
            return Counted(Refused("PINS_DIFFER", {}))
        await connection.execute(SET_PIN, who.id, chosen, who.now)
        await connection.execute(VOID_PIN_CHANGE, who.id)
        await write_notice(connection, who.id, call.id, "wallet.pin_changed", {"at": as_instant(who.now)})
        return Done({})


async def _change(connection: Connection, call: Call, who: Who) -> Any:
    """The row of the change that the call names; None when the number has no such one, or no more."""
    return await connection.fetchrow(_OPEN, who.id, call.arguments["change"], who.now)
