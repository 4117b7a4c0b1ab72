"""Passwords and PINs that are tried: counted, compared, and locked when too many were wrong.

Rules of this file:
- A try is counted before it is compared, under the lock of the subscriber's row, in one transaction with the answer.
- Wrong ones in a row lock for a while; wrong ones in all, over any number of right ones, lock until identity is proven.
- What was typed is hashed before the transaction, as each stored hash was made (`Typed`). When another one is stored by
  then, everything is done anew.
- A stored hash of an older pepper or cost is replaced by one of now when it was right.
"""

from __future__ import annotations

import contextlib
import datetime
import hmac
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from billing.calls import Refused
from billing_core.database import Connection
from billing_core.idempotency import Counted, Outdated
from billing_core.moments import as_instant
from billing_core.passwords import Busy, Hasher
from billing_core.who import Who


class Likeness(NamedTuple):
    """What was typed, hashed as a stored hash was made; `anew`: hashed as it is done now, where what is stored is of
    before."""

    hash: str
    anew: str | None = None


Typed: TypeAlias = "Mapping[str, Likeness]"
"""By each stored hash."""

_COUNTED: Final = {"cabinets": "password_hash", "wallets": "pin_hash"}
"""Tables with tries, and where each has its hash."""


class GuessRules(Protocol):
    """How many wrong ones, and for how long."""

    @property
    def wrong_in_a_row_max(self) -> int: ...
    @property
    def wrong_in_all_max(self) -> int: ...
    @property
    def lock_minutes(self) -> int: ...


async def hashed_like(hasher: Hasher, stored: Iterable[str | None], typed: str) -> Typed:
    """What was typed, hashed as each of these was. Raises Busy and PepperGone."""
    return {each: await _likeness(hasher, each, typed) for each in stored if each is not None}


async def _likeness(hasher: Hasher, stored: str, typed: str) -> Likeness:
    found, anew = await hasher.like(stored, typed), None
    if hasher.is_outdated(stored):  # right or wrong: of guesses made at once, the time would tell which one was right
        with contextlib.suppress(Busy):  # then at another time
            anew = await hasher.hash(typed)
    return Likeness(found, anew)


class Guessing:
    """Tries at one kind of secret, counted in its table's columns `wrong_in_row`, `wrong_in_all` and `locked_until`."""

    def __init__(self, table: str, rules: GuessRules, wrong_code: str) -> None:
        """`wrong_code`: the refusal of a wrong one."""
        if table not in _COUNTED:
            raise ValueError(table)
        self._rules = rules
        self._wrong_code = wrong_code
        # S608: the name is one of ours
        self._count = f"""
UPDATE {table} SET wrong_in_row = wrong_in_row + 1, wrong_in_all = wrong_in_all + 1 WHERE subscriber_id = $1
RETURNING wrong_in_row, wrong_in_all
"""  # noqa: S608
        self._right = f"""
UPDATE {table} SET wrong_in_row = 0, wrong_in_all = wrong_in_all - 1, locked_until = NULL WHERE subscriber_id = $1
"""  # noqa: S608
        column = _COUNTED[table]
        self._renew = f"UPDATE {table} SET {column} = $3 WHERE subscriber_id = $1 AND {column} = $2"  # noqa: S608
        self._lock = f"UPDATE {table} SET wrong_in_row = 0, locked_until = $2 WHERE subscriber_id = $1"  # noqa: S608
        self._proven = f"""
UPDATE {table} SET wrong_in_row = 0, wrong_in_all = 0, locked_until = NULL WHERE subscriber_id = $1
"""  # noqa: S608

    def locked(self, row: Any, now: datetime.datetime) -> Refused | None:
        """The refusal while no more is looked at; `row` has the columns of the table."""
        if row["wrong_in_all"] >= self._rules.wrong_in_all_max:
            return Refused("LOCKED", {})
        until = row["locked_until"]
        return Refused("LOCKED", {"until": as_instant(until, up=True)}) if until is not None and until > now else None

    async def judge(
        self, connection: Connection, who: Who, stored: Iterable[str | None], typed: Typed | None
    ) -> str | Counted:
        """The stored hash that what was typed is right for; or the refusal, counted. Raises Outdated."""
        holding = [each for each in stored if each is not None]
        if typed is None or not typed.keys() >= set(holding):
            raise Outdated("what is stored has changed since what was typed was hashed")
        [(in_row, in_all)] = await connection.fetch(self._count, who.id)
        matching = [each for each in holding if hmac.compare_digest(typed[each].hash, each)]
        if matching:
            await connection.execute(self._right, who.id)
            if (anew := typed[matching[0]].anew) is not None:
                await connection.execute(self._renew, who.id, matching[0], anew)
            return matching[0]
        if in_all >= self._rules.wrong_in_all_max:
            return Counted(Refused("LOCKED", {}))
        if in_row >= self._rules.wrong_in_a_row_max:
            until = who.now + datetime.timedelta(minutes=self._rules.lock_minutes)
            await connection.execute(self._lock, who.id, until)
            return Counted(Refused("LOCKED", {"until": as_instant(until, up=True)}))
        left = min(self._rules.wrong_in_a_row_max - in_row, self._rules.wrong_in_all_max - in_all)
        return Counted(Refused(self._wrong_code, {"tries_left": left}))

    async def identity_proven(self, connection: Connection, who: Who) -> None:
        """Somebody has seen the holder's identity document: the wrong ones so far count no more."""
        await connection.execute(self._proven, who.id)
