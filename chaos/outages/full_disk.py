"""Disks that are full: PostgreSQL refuses every write as it does then, and no file of the engine gets longer.

PostgreSQL says SQLSTATE 53100 when it finds no room; a trigger on every table says the same. Of the engine it is the
kernel that refuses (RLIMIT_FSIZE), its log included.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg

from chaos.outages.crowd import dialled, turn
from chaos.outages.direct import Direct
from chaos.outages.gauges import Gauges
from chaos.outages.words import BALANCE, ENGINE, SORRY
from chaos.report import Report, Terms
from chaos.stand import Stand

FULL_SECONDS: Final = 10
FULL_SECONDS_MIN: Final = 1
_FULL: Final = """
CREATE FUNCTION chaos_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""
_TABLES: Final = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
_MONEY: Final = "SELECT count(*), coalesce(sum(after_minor), 0)::bigint FROM entries"


async def fill(
    stand: Stand, numbers: Sequence[str], engine: Direct, desk: Direct, terms: Terms, report: Report
) -> None:
    """The core's disk and the engine's are full for a while."""
    terms.say("disks are full")
    owner = await stand.owner()
    gauges, pid = Gauges(stand), stand.children[stand.engines[0]].pid
    limit = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    try:
        money = await owner.fetchrow(_MONEY)
        await _fill(owner)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, limit[1]))
        until = time.monotonic() + terms.times(FULL_SECONDS, FULL_SECONDS_MIN)
        while True:
            await _refused_without_charge(stand, numbers, engine, desk, report)
            if time.monotonic() > until:
                break
        await asyncio.sleep(0.5)  # records are written each fifth of a second
        failed = await gauges.total("ussd_records_failed_total")
        report.check(failed > 0, "no write of records has failed")
        after = await owner.fetchrow(_MONEY)
        report.check(money == after, f"money has moved on a full disk: {money} became {after}")
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
        await owner.execute("DROP FUNCTION IF EXISTS chaos_full CASCADE")
        await owner.close()
    paid = await desk.ask("balances.top_up", numbers[0], sum={"minor": 100, "currency": "KZT"}, place="terminal-1")
    report.check(paid.status == 200 and '"done"' in paid.body, f"there is room again, and money does not move: {paid}")
    await _all_recorded(stand, gauges, report)


async def _fill(owner: asyncpg.Connection[Any]) -> None:
    async with owner.transaction():
        await owner.execute(_FULL)
        for (table,) in await owner.fetch(_TABLES):
            await owner.execute(
                f"CREATE TRIGGER chaos_full BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION chaos_full()"
            )


async def _refused_without_charge(
    stand: Stand, numbers: Sequence[str], engine: Direct, desk: Direct, report: Report
) -> None:
    """Money does not move and is said not to; balances are told; menus go on."""
    refused = await desk.ask("balances.top_up", numbers[0], sum={"minor": 100, "currency": "KZT"}, place="terminal-1")
    report.check(
        refused.status == 503 and '"not_done":true' in refused.body, f"a full disk, and a payment is answered {refused}"
    )
    read = await engine.ask("balances.get", numbers[0])
    report.check(read.status == 200, f"a full disk, and a balance is answered {read}")
    centre = stand.centres["kcell"]
    seen = [each for _, each in await dialled(centre, numbers, "*111*3#")]
    wrong = [
        each for each in seen if each.trouble or each.text in ENGINE or not any(word in each.text for word in BALANCE)
    ]
    report.check(not wrong, f"a full disk, and {len(wrong)} of {len(seen)} balances are not shown: {wrong[:1]}")
    handset = centre.handset(numbers[1])
    steps = [await turn(handset, "*111#", begins=True), await turn(handset, "9"), await turn(handset, "2")]
    said = steps[-1].text
    report.check(
        not any(each.trouble or each.text in ENGINE for each in steps),
        f"a full disk, and a change is answered in the engine's own words: {steps[-1]}",
    )
    report.figures["a full disk: a change is answered"] = "sorry" if said in SORRY else said.replace("\n", " | ")[:40]


async def _all_recorded(stand: Stand, gauges: Gauges, report: Report) -> None:
    """Once there is room, every dialogue that has ended stands in the records, once."""
    folder = stand.data_folder / "records"
    until = time.monotonic() + 5
    while True:
        told = int(await gauges.total("ussd_dialogues_ended_total"))
        written = sum(_dialogues(path) for path in folder.glob("ussd-engine-1.0*"))
        if told == written or time.monotonic() > until:
            break
        await asyncio.sleep(0.1)
    report.figures["records of dialogues"] = written
    report.check(told == written, f"{told} dialogues have ended, and {written} are recorded")


def _dialogues(path: Path) -> int:
    return path.read_bytes().count(b'{"record":"dialogue"')
