"""Secrets of every kind, in every flow and out of place; then all that is written down anywhere is searched for them.

Logs at debug, PDU traces, records and histories are on, Redis writes to disk; engine and core are killed, tables are
gone for a moment, input is damaged. Found must be nothing.
"""

from __future__ import annotations

import asyncio
import collections
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import aiohttp
from redis.asyncio import Redis

from billing.contract import OPERATIONS, Secret
from billing.events import EVENTS
from billing.http_client import HttpBilling
from billing.signing import key_from_file
from chaos.report import Report, Terms
from chaos.secrecy import places_of_secrets, traces_of_secrets
from chaos.secrecy.flows_of_secrets import FLOWS, LOST, PUBLIC, Town
from chaos.secrecy.misplaced_secrets import MISPLACED, Doors
from chaos.secrecy.places_of_secrets import Place
from chaos.secrecy.traces_of_secrets import Searcher, Trace
from chaos.stand import BINDS, BOUND_SECONDS_MAX, CORE, Stand
from stack import places
from ussd_engine.commands.operate import ask_engine
from ussd_engine.config import read_settings
from ussd_engine.operator_side import HISTORY_PATH, LINKS_PATH, TRACE_PATH

RUNS: Final = 500
AT_A_TIME: Final = 12
NUMBERS: Final = 1000
CUT_SHORT_SECONDS: Final = 8.0
TRACED_SECONDS: Final = 3600.0
TORN_SECONDS: Final = 0.6
TORN: Final = ("pin_changes", "temporary_passwords", "vouchers", "statement_codes", "inbox")
"""Tables that are gone for a moment: what asks for them fails with a traceback."""
SHOWN: Final = frozenset({"numbers.reserve.code", "numbers.reserved.code", "numbers.register.code"})
"""What stands on one screen, which the menu calls confidential."""

Story = Callable[[], Awaitable[None]]


async def run(terms: Terms) -> Report:
    """The campaign."""
    report = Report("canary", terms.seed)
    stand = Stand(terms.folder, terms.say, numbers=NUMBERS, change=_talkative)
    async with stand:
        redis = Redis.from_url(places.redis_url(stand.data_folder))
        for setting, value in (("appendonly", "yes"), ("rdbcompression", "no")):
            await redis.config_set(setting, value)
        await _trace(stand)
        since = await places_of_secrets.wal_position(stand)
        async with _town(stand, terms, redis) as (town, doors):
            await _flows(stand, town, doors, terms, report)
            await _faults(stand, town, doors, terms, report)
            await _covered(stand, town, report)
            pages = _by_name(doors.pages)
            pages += await _histories(stand, town)
            terms.say("gathering everything that was written down …")
            found = [*await places_of_secrets.every_place(stand, redis, since), *pages]
            screens = places_of_secrets.screens(stand.centres.values())
        await redis.aclose()
    gathered = time.monotonic()
    terms.say(f"searching {len(found)} places for {len(set(town.secrets))} secrets …")
    traces = await _search(town, [*found])
    traces += [trace for trace in await _search(town, [screens]) if trace.secret.what not in SHOWN]
    report.figures |= {
        "secrets": len({each.text for each in town.secrets}),
        "kinds of secrets": len(_wanted()),
        "places": len(found),
        "octets searched": sum(len(place.octets) for place in found),
        "lines searched": sum(place.lines.count(b"\n") for place in found),
        "answers to what was refused": len(doors.pages),
        "found": len(traces),
        "seconds of searching": time.monotonic() - gathered,
    }
    for trace in traces:
        report.failures.append(str(trace))
    return report


# --- the system ---


def _talkative(config: dict[str, Any]) -> None:
    config["engine"]["log_level"] = config["billing_core"]["log_level"] = "debug"
    config["billing_core"]["cabinet"]["temporary_of_all_a_minute_max"] = 1000


async def _trace(stand: Stand) -> None:
    """Every link's PDUs go to the log from now on."""
    for engine in stand.engines:
        settings = read_settings(stand.config_of(engine))
        for link in (await ask_engine(settings, LINKS_PATH))["links"]:
            await ask_engine(settings, TRACE_PATH, link=link["link"], seconds=TRACED_SECONDS)


async def _histories(stand: Stand, town: Town) -> list[Place]:
    """What customer care sees of every number."""
    settings = read_settings(stand.config)
    told = [json.dumps(await ask_engine(settings, HISTORY_PATH, number)).encode() for number in sorted(town.numbers)]
    return [Place("histories", b"\n".join(told), b"\n".join(told))]


def _by_name(pages: Iterable[tuple[str, bytes]]) -> list[Place]:
    named: dict[str, list[bytes]] = collections.defaultdict(list)
    for name, octets in pages:
        named[name].append(octets)
    return [Place(name, b"\n".join(each), b"\n".join(each)) for name, each in named.items()]


@asynccontextmanager
async def _town(stand: Stand, terms: Terms, redis: Redis) -> AsyncIterator[tuple[Town, Doors]]:
    settings = stand.settings()
    core, engine = f"http://{settings.core_http}", f"http://{settings.engine_http}"

    def key_of(name: str) -> bytes:
        return key_from_file(places.key_file(stand.data_folder, name).read_bytes())

    engine_asks, desk_asks = (
        HttpBilling(core, name, key_of(name), breaker_failures=10_000) for name in ("engine", "desk")
    )
    vouchers = (await stand.core_command("vouchers", "--count", str(RUNS), "--sum", "10", "--currency", "KZT")).split()
    await engine_asks.start()
    await desk_asks.start()
    try:
        chance = terms.chance("secrets")
        smpp = (settings.engine_smpp.reached_at, settings.engine_smpp.port)
        doors = Doors(core, engine, smpp, redis, key_of, [], [])
        yield Town(stand.centres, engine_asks, desk_asks, vouchers, await _holders(stand), chance), doors
    finally:
        await engine_asks.close()
        await desk_asks.close()


async def _holders(stand: Stand) -> Mapping[str, Mapping[str, str]]:
    owner = await stand.owner()
    rows = await owner.fetch(
        "SELECT s.msisdn, i.surname, i.name, i.person_id FROM identities i JOIN subscribers s USING (subscriber_id)"
        " WHERE s.network = 'kcell' AND s.status = 'active' ORDER BY s.msisdn"
    )
    await owner.close()
    return {row["msisdn"]: {name: row[name] for name in ("surname", "name", "person_id")} for row in rows}


# --- what happens ---


async def _flows(stand: Stand, town: Town, doors: Doors, terms: Terms, report: Report) -> None:
    """Every flow in turn, some at a time; each must go as its story says."""
    stories = _stories(town, doors)
    count = terms.times(RUNS, len(stories))
    terms.say(f"{count} runs through {len(stories)} flows …")
    at_a_time = asyncio.Semaphore(AT_A_TIME)

    again = 0

    async def tell(n: int) -> None:
        nonlocal again
        name, story = stories[n % len(stories)]
        async with at_a_time:
            try:
                await story()
            except LOST:  # the machine was slow for a moment, and something was asked about in place of done
                again += 1
                try:
                    await story()
                except LOST as error:
                    report.failures.append(f"{name}: {type(error).__name__}: {error}")

    await asyncio.gather(*(tell(n) for n in range(count)))
    report.figures["runs"] = count
    report.figures["stories told again"] = again
    report.figures["flows"] = len(stories)


def _stories(town: Town, doors: Doors) -> list[tuple[str, Story]]:
    told: list[tuple[str, Story]] = [(flow.__name__, partial(flow, town)) for flow in FLOWS]
    return told + [(each.__name__, partial(each, town, doors)) for each in MISPLACED]


async def _faults(stand: Stand, town: Town, doors: Doors, terms: Terms, report: Report) -> None:
    """Engine and core die in the middle of flows, and tables are gone; a story that is cut short is none of ours."""
    lost: collections.Counter[str] = collections.Counter()

    async def cut_short(story: Story) -> None:
        try:
            async with asyncio.timeout(CUT_SHORT_SECONDS):
                await story()
        except (*LOST, OSError, aiohttp.ClientError) as error:
            lost[type(error).__name__] += 1

    faults = (_engine_dies, _core_dies, _tables_are_gone)
    for nth, fault in enumerate(faults):
        told = _stories(town, doors) * terms.times(10)
        telling = asyncio.gather(*(cut_short(story) for _, story in told[nth :: len(faults)]))
        await asyncio.sleep(0.3)
        await fault(stand)
        await telling
    await _trace(stand)
    report.figures["stories cut short by faults"] = sum(lost.values())


async def _engine_dies(stand: Stand) -> None:
    """By a signal at which Python writes down where every thread was."""
    [engine] = stand.engines
    await asyncio.to_thread(stand.children[engine].stop, signal.SIGABRT, 5.0)
    await stand.start(engine, {"PYTHONFAULTHANDLER": "1"})
    for centre in stand.centres.values():
        await centre.until_bound(BINDS, BOUND_SECONDS_MAX)
    await _trace(stand)


async def _core_dies(stand: Stand) -> None:
    await asyncio.to_thread(stand.children[CORE].stop, signal.SIGABRT, 5.0)
    await stand.start(CORE, {"PYTHONFAULTHANDLER": "1"})


async def _tables_are_gone(stand: Stand) -> None:
    owner = await stand.owner()
    for table in TORN:
        await owner.execute(f"ALTER TABLE {table} RENAME TO {table}_torn")
    await asyncio.sleep(TORN_SECONDS)
    for table in TORN:
        await owner.execute(f"ALTER TABLE {table}_torn RENAME TO {table}")
    await owner.close()


# --- what must have been, and what must not be ---


def _wanted() -> set[str]:
    """All that the contract calls a secret, and what is told once."""
    arguments = {
        f"{name}.{argument}"
        for name, operation in OPERATIONS.items()
        for argument, field in operation.arguments.items()
        if isinstance(field.type, Secret)
    }
    told = {f"{name}.{argument}" for name, event in EVENTS.items() for argument in event.secrets}
    return arguments | told | SHOWN


async def _covered(stand: Stand, town: Town, report: Report) -> None:
    """Nothing that the contract calls a secret was left out, and the core was really asked and really told of it."""
    missing = _wanted() - {secret.what for secret in town.secrets}
    report.check(not missing, f"no flow has a secret for {', '.join(sorted(missing))}")
    owner = await stand.owner()
    asked = {row[0] for row in await owner.fetch("SELECT DISTINCT operation FROM calls")}
    asked |= {row[0] for row in await owner.fetch("SELECT DISTINCT event FROM notices")}
    await owner.close()
    never = {what.rpartition(".")[0] for what in _wanted()} - asked
    report.check(not never, f"the core was never asked for, or never told of, {', '.join(sorted(never))}")


async def _search(town: Town, found: Iterable[Place]) -> list[Trace]:
    """In processes of their own: it is all work and no waiting."""
    ends = {number[-4:] for number in town.numbers}
    secrets, ignored = tuple(dict.fromkeys(town.secrets)), tuple(ends | PUBLIC)
    loop = asyncio.get_running_loop()
    largest_first = sorted(found, key=lambda place: -len(place.octets))
    with ProcessPoolExecutor(2, initializer=_know, initargs=(secrets, ignored)) as pool:
        told = await asyncio.gather(*(loop.run_in_executor(pool, _traces, place) for place in largest_first))
    return [trace for traces in told for trace in traces]


_known: Searcher


def _know(secrets: tuple[traces_of_secrets.Secret, ...], ignored: tuple[str, ...]) -> None:
    """What a process that searches knows."""
    global _known
    _known = Searcher(secrets, ignored)


def _traces(place: Place) -> list[Trace]:
    traces = _known.traces(place.name, place.octets, small=place.small)
    return traces + _known.traces_in_lines(place.name, place.lines)
