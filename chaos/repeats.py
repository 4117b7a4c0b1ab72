"""Repeats what a subscriber has said, on every kind of bind and at every moment, and looks for one effect.

Two engines are bound twice each to every centre. Of each case there is one subscriber: what is repeated, where, when
and in which dialect is drawn, and every combination that makes sense occurs. Then the ledger, the calls that the core
remembers, the stored dialogue and all that came over the wire must say that the input was taken once; and what the
subscriber types next is walked, also where it is the same key again.
"""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any, Final

import asyncpg

from billing_core import ledger
from chaos.repetition.repeat_deaths import deaths
from chaos.repetition.repeat_plays import Handset, Pool, Scene, play_dialogue
from chaos.repetition.repeat_sms import play_sms
from chaos.repetition.repeated import DIALECTS, KCELL, MEGACOM, Case, Moment, Place, Script, Sent, cases
from chaos.repetition.slow_core import SlowCore
from chaos.repetition.wire import WireCentre
from chaos.report import Report, Terms
from chaos.stand import BINDS, REPOSITORY, Stand
from sessions.redis_store import RedisStore
from stack import places
from ussd_engine.dialect import read_dialects

CASES: Final = 2000
AT_A_TIME: Final = 24
DEATHS: Final = 40
"""Subscribers in whose turns an engine dies."""
MONEY_MINOR: Final = 20_000_000
"""Given to each subscriber beforehand: fees and payments are paid from it."""
_ENGINES: Final = 2
_BOUND_SECONDS_MAX: Final = 30.0
_NUMBERS = """
SELECT s.msisdn, s.network, a.account_id, a.currency FROM subscribers s JOIN accounts a USING (subscriber_id)
WHERE s.status = 'active' AND CASE s.network
    WHEN 'kcell' THEN s.brand = 'Kcell' AND a.kind = 'prepaid' WHEN 'megacom' THEN a.kind = 'wallet' ELSE false END
ORDER BY s.msisdn
"""


async def run(terms: Terms) -> Report:
    """2,000 cases at scale 1."""
    report = Report("repeats", terms.seed)
    drawn = list(cases(terms.times(CASES), terms.chance("cases")))
    async with AsyncExitStack() as closing:
        core = await closing.enter_async_context(SlowCore())
        centres = await _centres(closing)
        stand = await closing.enter_async_context(
            Stand(
                terms.folder, terms.say, engines=_ENGINES, change=lambda config: _change(config, core, centres, terms)
            )
        )
        scene = await _scene(stand, core, centres, terms, closing)
        terms.say(f"{len(drawn)} repeats …")
        began = time.monotonic()
        await _play_all(scene, drawn, report)
        report.figures["seconds of play"] = round(time.monotonic() - began, 1)
        await _look_at_all(stand, scene, report)
        await deaths(scene, stand, terms.times(DEATHS, 4), report)
        report.check("FAIL" not in await stand.core_command("verify"), "the ledger does not verify")
    _count(drawn, scene, report)
    return report


async def _play_all(scene: Scene, drawn: list[Case], report: Report) -> None:
    waiting = list(reversed(drawn))

    async def worker() -> None:
        while waiting:
            case = waiting.pop()
            try:
                failures = await asyncio.wait_for(_play(scene, case), 60.0)
            except (TimeoutError, AssertionError, OSError) as error:
                failures = [f"{type(error).__name__}: {error}"]
            report.failures += [f"{case}: {failure}" for failure in failures]

    await asyncio.gather(*(worker() for _ in range(AT_A_TIME)))


async def _play(scene: Scene, case: Case) -> list[str]:
    """Plays it; what did not hold."""
    network = KCELL if isinstance(case.what, Sent) else case.what.network
    number = await scene.numbers[network].take()
    centre = scene.centres[network, case.dialect]
    handset = Handset(scene, case, centre, number)
    try:
        if isinstance(case.what, Script):
            await play_dialogue(scene, case, case.what, handset)
        else:
            await play_sms(scene, case, case.what, handset)
    finally:
        centre.held.discard(number)
        scene.core.waits.pop(number, None)
        centre.screens[number].clear()
        centre.texts[number].clear()
        scene.numbers[network].give(number)
    return handset.failures


async def _look_at_all(stand: Stand, scene: Scene, report: Report) -> None:
    """What must hold of all cases together."""
    receipts = sum([await asyncio.to_thread(_receipts, stand, engine) for engine in stand.engines])
    report.check(receipts == scene.receipts, f"{scene.receipts} receipts were sent, some twice; counted: {receipts}")


def _receipts(stand: Stand, engine: str) -> int:
    address = stand.settings(engine).engine_http
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        told = answer.read().decode()
    return round(sum(float(found) for found in re.findall(r"^ussd_receipts_total\{[^}]*\} (\S+)$", told, re.MULTILINE)))


def _count(drawn: list[Case], scene: Scene, report: Report) -> None:
    report.figures["cases"] = len(drawn)
    report.figures["calls slowed down"] = scene.core.delayed
    report.figures["screens again"], report.figures["nothing said"] = scene.again, scene.nothing
    report.figures["repeats that came too late for their moment"] = scene.late
    report.figures["moments, in this order"] = ", ".join(Moment)
    for what in sorted({case.name for case in drawn}):
        some = Counter((case.place, case.moment) for case in drawn if case.name == what)
        counts = (f"{place} {'/'.join(str(some[place, moment]) for moment in Moment)}" for place in Place)
        report.figures[what] = ", ".join(counts)
    report.figures["dialects"] = dict(Counter(case.dialect for case in drawn))


# --- what it is played on ---


async def _centres(closing: AsyncExitStack) -> dict[tuple[str, str], WireCentre]:
    dialects = read_dialects(REPOSITORY / "dialects")
    made: dict[tuple[str, str], WireCentre] = {}
    for network, names in DIALECTS.items():
        for name in names:
            made[network, name] = centre = WireCentre(dialects[name][0])
            await centre.open()
            closing.push_async_callback(centre.close)
    return made


def _change(config: dict[str, Any], core: SlowCore, centres: dict[tuple[str, str], WireCentre], terms: Terms) -> None:
    engine, billing_core = config["engine"], config["billing_core"]
    core.relay.target = int(engine["billing"]["url"].rpartition(":")[2])
    engine["billing"]["url"] = f"http://127.0.0.1:{core.relay.port}"
    engine["menus_watch_seconds"] = 0
    for (network, name), centre in centres.items():
        engine["links"][_link(network, name)] = {
            "role": "client", "address": f"127.0.0.1:{centre.port}", "binds": BINDS, "system_id": engine["name"][-1],
            "password_file": str(terms.folder / "centre.password"), "network": network, "dialect": name,
            "trust": "operator", "limits": {"window_out": 100},
            "floods": {"starts_a_minute_max": 0, "starts_an_hour_max": 0},
        }  # fmt: skip
    for network in (KCELL, MEGACOM):
        engine["routes"][network]["links"] = [_link(network, "standard")]
    billing_core["cabinet"] |= {
        "temporary_a_minute_max": 60,
        "temporary_an_hour_max": 1000,
        "temporary_a_day_max": 1000,
    }
    billing_core["inbox"] |= {"messages_an_hour_max": 10_000}


def _link(network: str, dialect: str) -> str:
    return f"{network}-{dialect}"


async def _scene(
    stand: Stand, core: SlowCore, centres: dict[tuple[str, str], WireCentre], terms: Terms, closing: AsyncExitStack
) -> Scene:
    async with asyncio.timeout(_BOUND_SECONDS_MAX):
        await asyncio.gather(*(centre.until_bound(_ENGINES, BINDS) for centre in centres.values()))
    store = RedisStore(places.redis_url(stand.data_folder), 5.0)
    closing.push_async_callback(store.close)
    database = await asyncpg.create_pool(places.postgres_url(stand.data_folder), min_size=1, max_size=4)
    closing.push_async_callback(database.close)
    numbers = await _with_money(database)
    pools = {network: Pool(some) for network, some in numbers.items()}
    return Scene(centres, pools, store, database, core, terms.chance("plays"))


async def _with_money(database: asyncpg.Pool[Any]) -> dict[str, list[str]]:
    """Subscribers of kcell, and those of megacom who have a wallet; each with money."""
    house = ledger.Ledger()
    async with database.acquire() as connection, connection.transaction():
        found = await connection.fetch(_NUMBERS)
        for row in found:
            cause = await connection.fetchval("SELECT gen_random_uuid()")
            opening = await house.house(connection, "opening", row["currency"], cause)
            accounts, sums = [row["account_id"], opening], [MONEY_MINOR, -MONEY_MINOR]
            await connection.execute("SELECT post($1, 'opening', $2, $3, $4)", cause, row["currency"], accounts, sums)
    return {network: [row["msisdn"] for row in found if row["network"] == network] for network in (KCELL, MEGACOM)}
