"""What in the database still needs which key: asked when a key was changed, and before anything is served.

Rules of this file: a hash names its pepper; one that names none is of the oldest. Marks of codes and vouchers name
none: of these, their age alone says which pepper they need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from billing_core.database import Connection
from billing_core.failure import Failure
from billing_core.passwords import pepper_id

_HASHES: Final = """
SELECT coalesce(substring(hash FROM 'keyid=([^$,]*)'), '') AS id,
       count(*) FILTER (WHERE is_pin) AS pins, count(*) FILTER (WHERE NOT is_pin) AS passwords
FROM (SELECT pin_hash AS hash, true AS is_pin FROM wallets
      UNION ALL SELECT new_hash, true FROM pin_changes WHERE valid_until > moment()
      UNION ALL SELECT password_hash, false FROM cabinets
      UNION ALL SELECT password_hash, false FROM temporary_passwords WHERE valid_until > moment()) AS every
WHERE hash IS NOT NULL GROUP BY 1
"""
_VOUCHERS: Final = "SELECT count(*), min(made_at) FROM vouchers WHERE used_at IS NULL"
_SEALED: Final = "SELECT count(*), min(written_at) FROM notices WHERE sealed IS NOT NULL"


class PepperUse(NamedTuple):
    """How many hashes need one pepper."""

    id: str
    pins: int
    passwords: int


class KeyUse(NamedTuple):
    """What needs which key. `ids`: of the peppers that are there; one that is needed and not there is told as well."""

    ids: list[str]
    peppers: list[PepperUse]
    vouchers: int
    oldest_voucher: str | None
    sealed: int
    oldest_sealed: str | None


async def key_use(connection: Connection, peppers: Sequence[bytes]) -> KeyUse:
    """What needs which of these; `peppers`: the oldest last."""
    ids = [pepper_id(each) for each in peppers]
    used = await _hashes(connection, ids)
    told = [used.pop(each, PepperUse(each, 0, 0)) for each in ids]
    [(vouchers, made_at)] = await connection.fetch(_VOUCHERS)
    [(sealed, written_at)] = await connection.fetch(_SEALED)
    oldest = [each and each.isoformat(timespec="seconds") for each in (made_at, written_at)]
    return KeyUse(ids, [*told, *used.values()], vouchers, oldest[0], sealed, oldest[1])


async def refuse_missing_peppers(connection: Connection, peppers: Sequence[bytes]) -> None:
    """Raises Failure when PINs or passwords were hashed under a pepper that is none of these."""
    ids = [pepper_id(each) for each in peppers]
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")  # every hash is looked at, once, at start
        used = await _hashes(connection, ids)
    if missing := [each for name, each in used.items() if name not in ids]:
        count = sum(each.pins + each.passwords for each in missing)
        names = ", ".join(each.id for each in missing)
        raise Failure(
            f"{count} PINs and passwords need a pepper that billing_core.pepper_file has not ({names}): put it back, "
            "as a line of its own below the one in use"
        )


async def _hashes(connection: Connection, ids: Sequence[str]) -> dict[str, PepperUse]:
    found: dict[str, PepperUse] = {}
    for name, pins, passwords in await connection.fetch(_HASHES):
        at = name or ids[-1]
        before = found.get(at, PepperUse(at, 0, 0))
        found[at] = PepperUse(at, before.pins + pins, before.passwords + passwords)
    return found
