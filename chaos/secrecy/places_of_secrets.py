"""Everywhere that something of the running system is written down or told: what is searched for secrets.

Rules of this file:
- A place is its octets, and where it has a structure, lines of JSON: of a log, rows, dialogues.
- Of PostgreSQL's write-ahead log all that was written since the search's beginning is taken, to the octet.
"""

from __future__ import annotations

import asyncio
import collections
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec
from redis.asyncio import Redis

from chaos.stand import CORE, Stand
from sessions.session import UnreadableSession, from_octets
from smpp.fake_smsc import FakeSmsc
from smpp.segments import message_octets
from smpp.text import decode_text
from stack import binaries, places
from ussd_engine import history

WAL_SEGMENT: Final = 16 * 1024 * 1024
PAGES: Final = ("/health", "/ready", "/metrics")
_TABLES: Final = """
SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""
_COUNTING: Final = "SELECT array_agg(column_name::text) FROM information_schema.columns WHERE data_type LIKE 'xid%'"
"""Columns that count transactions: theirs are numbers, which are written as texts."""
_REMEMBERED: Final = """
SELECT row_to_json(s)::text FROM pg_stats s JOIN information_schema.columns c
  ON (c.table_schema, c.table_name, c.column_name) = (s.schemaname, s.tablename, s.attname)
WHERE c.data_type IN ('text', 'jsonb', 'bytea')
UNION ALL SELECT row_to_json(a)::text FROM pg_stat_activity a
"""
"""What PostgreSQL itself remembers: the most common values of columns, and what is being asked."""


class Place(NamedTuple):
    """`octets` are searched in every coding, `lines` for words. `small`: also for codings that come by chance."""

    name: str
    octets: bytes
    lines: bytes = b""
    small: bool = True


async def wal_position(stand: Stand) -> int:
    """Where the write-ahead log ends now."""
    owner = await stand.owner()
    try:
        return int(await owner.fetchval("SELECT pg_current_wal_lsn() - '0/0'"))
    finally:
        await owner.close()


async def every_place(stand: Stand, redis: Redis, since: int) -> list[Place]:
    """All of them. `since`: of `wal_position`."""
    await redis.save()
    found = [*_logs(stand), *_records(stand), *_of_redis(stand), *await _live(redis), *_processes(stand)]
    found += [
        *await _pages(stand),
        await _dump(stand),
        *await _rows(stand),
        _wal(stand, since, await wal_position(stand)),
    ]
    return found


# --- files ---


def _logs(stand: Stand) -> Iterator[Place]:
    for path in sorted((stand.data_folder / "log").glob("*")):
        octets = path.read_bytes()
        yield Place(f"log/{path.name}", octets, octets)


def _records(stand: Stand) -> Iterator[Place]:
    for path in sorted((stand.data_folder / "records").glob("*")):
        octets = path.read_bytes()
        yield Place(f"records/{path.name}", octets, octets)


def _wal(stand: Stand, since: int, until: int) -> Place:
    """The octets between two positions of the log."""
    taken = b""
    for path in sorted((places.postgres_cluster(stand.data_folder) / "pg_wal").glob("0" * 8 + "?" * 16)):
        begins = (int(path.name[8:16], 16) << 32) + int(path.name[16:], 16) * WAL_SEGMENT
        low, high = max(since - begins, 0), min(until - begins, WAL_SEGMENT)
        if low < high:
            with path.open("rb") as file:
                file.seek(low)
                taken += file.read(high - low)
    return Place("PostgreSQL's write-ahead log", taken, small=False)


def _processes(stand: Stand) -> Iterator[Place]:
    """What everybody may read of a process: its command line, and what its own user may: its environment."""
    for name in (CORE, *stand.engines):
        for what in ("cmdline", "environ"):
            octets = Path(f"/proc/{stand.children[name].pid}/{what}").read_bytes().replace(b"\0", b"\n")
            yield Place(f"{what} of {name}", octets)


# --- Redis ---


def _of_redis(stand: Stand) -> Iterator[Place]:
    for path in sorted((stand.data_folder / "redis").rglob("*")):
        if path.is_file():
            yield Place(f"redis/{path.name}", path.read_bytes())


async def _live(redis: Redis) -> list[Place]:
    """All keys by kind, dialogues and histories read."""
    octets: dict[str, list[bytes]] = collections.defaultdict(list)
    values: dict[str, list[bytes]] = collections.defaultdict(list)
    async for key in redis.scan_iter(count=1000):
        listed: list[Any] = (
            [await redis.get(key)] if await redis.type(key) == b"string" else await redis.lrange(key, 0, -1)
        )
        kind = key.decode(errors="replace").partition(":")[0]
        octets[kind] += [key, *(each for each in listed if each)]
        values[kind] += [json.dumps(value).encode() for each in listed if each for value in _read(key, each)]
    return [Place(f"Redis {kind}:", b"\n".join(octets[kind]), b"\n".join(values[kind])) for kind in octets]


def _read(key: bytes, octets: bytes) -> Iterator[Any]:
    if key.startswith(b"ussd:"):
        try:
            session = msgspec.to_builtins(from_octets(octets))
        except UnreadableSession:
            return
        yield [session, octets.partition(b"\n")[0].decode(errors="replace")]
    elif key.startswith(b"history:") and (told := history.from_octets(octets)) is not None:
        yield msgspec.to_builtins(told)


# --- pages ---


async def _pages(stand: Stand) -> list[Place]:
    settings, found = stand.settings(), []
    async with aiohttp.ClientSession() as session:
        for name, listen in (("core", settings.core_http), ("engine", settings.engine_http)):
            for page in PAGES:
                async with session.get(f"http://{listen}{page}") as answer:
                    found.append(Place(f"{page} of the {name}", await answer.read()))
    return found


def screens(centres: Iterable[FakeSmsc]) -> Place:
    """What handsets were shown; SMS are not of it, in which secrets travel."""
    shown = [
        decode_text(message_octets(pdu), pdu.data_coding, "gsm")
        for centre in centres
        for pdu in centre.submitted
        if pdu.tlvs and pdu.service_type == "USSD"
    ]
    return Place("screens", "\n".join(shown).encode())


# --- the database ---


async def _dump(stand: Stand) -> Place:
    """Everything, as its own program writes it down."""
    program = Path(binaries.postgres()).with_name("pg_dump")
    process = await asyncio.create_subprocess_exec(
        str(program), places.postgres_url(stand.data_folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"pg_dump ended with {process.returncode}: {err.decode()[-200:]}")
    return Place("a dump of the database", out, small=False)


async def _rows(stand: Stand) -> list[Place]:
    """Every row of every table, and what PostgreSQL remembers beside them; statistics as octets alone."""
    owner = await stand.owner()
    try:
        tables = [f'"{schema}"."{table}"' for schema, table in await owner.fetch(_TABLES)]
        counting = await owner.fetchval(_COUNTING)
        found = []
        for table in tables:
            rows = await owner.fetch(f"SELECT (to_jsonb(t) - $1::text[])::text FROM {table} AS t", counting)
            found.append(Place(f"table {table}", b"", _joined(rows)))
        found.append(Place("what PostgreSQL remembers", _joined(await owner.fetch(_REMEMBERED)), small=False))
        return found
    finally:
        await owner.close()


def _joined(rows: Iterable[Any]) -> bytes:
    return "\n".join(text for [text] in rows).encode()
