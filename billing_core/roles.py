"""The two database roles: who owns the schema, and who serves.

Rules of this file:
- Who serves deletes nothing, and of the ledger it may only read and call what posts (`post`, `hold`, `add_seal`): a
  mistake, or a stolen password, adds entries that balance, and changes none.
- Catalogues (tariffs, services, billers, cities) are the owner's; who serves reads them.
- The grants follow the migrations, and are made anew after each.
"""

from __future__ import annotations

import re
from typing import Final

from billing_core.database import Connection

LEDGER: Final = ("postings", "entries", "unsealed", "seals")
CATALOGUES: Final = (
    *("networks", "tariffs", "services", "extra_balance_offers", "cities", "service_points", "identities"),
    *("number_brands", "number_categories", "biller_categories", "biller_services", "applied_migrations"),
)
_ROLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}\Z")
_MAY_CHANGE: Final = """
SELECT bool_or(has_table_privilege(t, right_to))
FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS right_to,
     unnest($1::text[]) AS t
"""
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


async def grant(connection: Connection, role: str) -> None:
    """Gives the serving role what it needs, and takes what it does not. Raises ValueError for no name of a role."""
    if not _ROLE.match(role):
        raise ValueError(f"'{role}' is no name of a database role")
    name = f'"{role}"'
    tables = {row[0] for row in await connection.fetch(_TABLES)}
    own = sorted(tables - {*LEDGER, *CATALOGUES, "accounts"})
    async with connection.transaction():
        await connection.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}")
        await connection.execute(f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {name}")
        await connection.execute(f"GRANT USAGE ON SCHEMA public TO {name}")
        await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
        await connection.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}")
        await connection.execute(f"GRANT INSERT, UPDATE ON {', '.join(own)} TO {name}")
        await connection.execute(f"GRANT INSERT (subscriber_id, kind, currency) ON accounts TO {name}")
        await connection.execute(f"GRANT EXECUTE ON FUNCTION post, hold, add_seal TO {name}")


async def may_change_ledger(connection: Connection) -> bool:
    """Whether who is connected could change or remove what the ledger has."""
    may: bool = await connection.fetchval(_MAY_CHANGE, [*LEDGER, "accounts"])
    return may
