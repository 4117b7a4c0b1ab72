"""Brings a database up to the schema: `migrations/NNNN_what.sql` in order, each once, each in a transaction of its own.

Rules of this file:
- A migration that was applied is never edited: its checksum is kept, and a difference stops everything.
- One migrator at a time: an advisory lock of the session holds the others back.
- Forward only. What must be undone is undone by the next migration.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from billing_core.database import Connection

FOLDER = Path(__file__).with_name("migrations")

_NAME = re.compile(r"[0-9]{4}_[a-z_]+\.sql\Z")
_LOCK = 0x62696C6C696E67  # "billing" in octets: no other program of ours locks this number
_APPLIED = """
CREATE TABLE IF NOT EXISTS applied_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class SchemaError(Exception):
    """The database and the migrations do not fit together; the text says how, and what to do."""


class Migration(NamedTuple):
    """One file: its name, its SQL and the SHA-256 of it."""

    name: str
    sql: str
    checksum: str


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """All migrations, in order. Raises SchemaError for a name out of the pattern or a number used twice."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        if not _NAME.match(path.name):
            raise SchemaError(f"migrations/{path.name}: a name must read 0001_what.sql")
        sql = path.read_text(encoding="utf-8")
        found.append(Migration(path.name, sql, hashlib.sha256(sql.encode()).hexdigest()))
    if len({migration.name[:4] for migration in found}) < len(found):
        raise SchemaError("two migrations have one number")
    return found


async def migrate(connection: Connection, migrations: Sequence[Migration]) -> list[str]:
    """Applies what is missing and returns its names. Raises SchemaError; then everything before the mistake stays."""
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(_APPLIED)
        missing = await pending(connection, migrations)
        for migration in missing:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO applied_migrations (name, checksum) VALUES ($1, $2)",
                    migration.name,
                    migration.checksum,
                )
        return [migration.name for migration in missing]
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def pending(connection: Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """The migrations this database still lacks. Raises SchemaError when what was applied differs from the files."""
    applied: dict[str, str] = {}
    if await connection.fetchval("SELECT to_regclass('applied_migrations')") is not None:
        rows = await connection.fetch("SELECT name, checksum FROM applied_migrations")
        applied = {row["name"]: row["checksum"] for row in rows}
    known = {migration.name: migration.checksum for migration in migrations}
    for name, checksum in sorted(applied.items()):
        if name not in known:
            raise SchemaError(f"the database has migration {name}, which this program lacks: run a newer program")
        if known[name] != checksum:
            raise SchemaError(f"migration {name} was edited after it was applied: put it back, and write a new one")
    missing = [migration for migration in migrations if migration.name not in applied]
    if missing and applied and missing[0].name < max(applied):
        raise SchemaError(f"migration {missing[0].name} comes before {max(applied)}, which was applied: renumber it")
    return missing
