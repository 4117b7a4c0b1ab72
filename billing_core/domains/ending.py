"""What ends with a number: delegations when it is blocked, and all access when it is closed."""

from __future__ import annotations

from billing_core.database import Connection
from billing_core.notices import write_notice
from billing_core.who import Who

_END_DELEGATIONS = """
WITH ended AS (
    UPDATE delegations
    SET ended_at = $2, mark = NULL, state = CASE WHEN state = 'active' THEN 'ended' ELSE 'expired' END
    WHERE (managed_id = $1 OR manager_id = $1) AND state IN ('asked', 'agreed', 'active')
    RETURNING state, CASE WHEN managed_id = $1 THEN manager_id ELSE managed_id END AS other_id
)
SELECT DISTINCT other_id FROM ended WHERE state = 'ended'
"""
_CLOSE_WALLET = "UPDATE wallets SET closed_at = $2 WHERE subscriber_id = $1 AND closed_at IS NULL"
VOID_PASSWORDS = (
    "UPDATE temporary_passwords SET password_hash = NULL WHERE subscriber_id = $1 AND password_hash IS NOT NULL"
)
VOID_STATEMENT_CODE = "UPDATE statement_codes SET mark = NULL WHERE subscriber_id = $1"
VOID_PIN_CHANGE = "UPDATE pin_changes SET change_id = NULL, new_hash = NULL WHERE subscriber_id = $1"
_VOID = (
    VOID_PASSWORDS,
    "UPDATE cabinets SET password_hash = NULL WHERE subscriber_id = $1",
    VOID_STATEMENT_CODE,
    VOID_PIN_CHANGE,
    "UPDATE intents SET state = 'expired', settled_at = moment() WHERE subscriber_id = $1 AND state = 'quoted'",
)
_SILENCE = "UPDATE notices SET not_after = least(not_after, $2) WHERE msisdn = $1 AND state = 'waiting'"
_CANCEL = "UPDATE reservations SET state = 'cancelled', ended_at = $2 WHERE subscriber_id = $1 AND state = 'held'"


async def end_delegations(connection: Connection, who: Who, cause: str) -> None:
    """Nobody manages the number any more, and it manages none; whoever has lost something is told."""
    for row in await connection.fetch(_END_DELEGATIONS, who.id, who.now):
        arguments = {"number": who.msisdn}
        await write_notice(connection, row["other_id"], cause, "delegation.ended", arguments, to_each=True)


async def close(connection: Connection, who: Who, cause: str) -> None:
    """Whoever gets the number next finds nothing of this holder: wallet, cabinet, codes, quotes and delegations end,
    and what waits to be sent to the number is not."""
    await end_delegations(connection, who, cause)
    await connection.execute(_CLOSE_WALLET, who.id, who.now)
    await connection.execute(_CANCEL, who.id, who.now)
    await connection.execute(_SILENCE, who.msisdn, who.now)
    for statement in _VOID:
        await connection.execute(statement, who.id)
