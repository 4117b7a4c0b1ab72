"""Half an hour at six tenths of what it can do, with a fault each minute: memory, sockets, keys and tasks stay flat.

Rules of this file:
- What it can do is measured first: ever more is offered, until not all of it is served.
- The first engine, the core, Redis and PostgreSQL live from the beginning to the end, so that what grows in them can be
  seen; the faults are those that a process lives through. The second engine is killed.
- A slope is that of the straight line through all samples after the first fifth, in which caches fill.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import urlopen

from redis.asyncio import Redis

from chaos.answers import Proxies, stand_with_proxies
from chaos.judge import people_at_it
from chaos.load import PAYMENTS_A_SECOND, RESERVATIONS_A_SECOND, REST_SECONDS, Load
from chaos.report import Report, Terms
from chaos.stand import CORE, POSTGRES, REDIS, Stand
from stack import places, redis_server

SECONDS: Final = 1800.0
SHARE: Final = 0.6
STEP_SECONDS: Final = 5.0
LEAST_SHARE: Final = 0.2
STEPS_MAX: Final = 20.0
SERVED_SHARE: Final = 0.98
"""Of what is offered at a step, so much must be served well for the next step to be tried."""
FAULT_EACH_SECONDS: Final = 60.0
SAMPLE_EACH_SECONDS: Final = 5.0
STALL_SECONDS: Final = 3.0
WARM_SHARE: Final = 0.2
RSS_MIB_AN_HOUR_MAX: Final = 64.0
"""More is a leak; below it lies what the allocators of four processes do."""
COUNT_AN_HOUR_MAX: Final = 20.0
"""Of sockets, files and tasks."""
_END_BACKENDS: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ussd_serving'"
_METRIC: Final = re.compile(r"^(ussd_tasks|smpp_timers|ussd_turns_in_flight) ([0-9.e+]+)$", re.MULTILINE)


class Sample(NamedTuple):
    """What was seen at a moment, by its name."""

    at: float
    values: Mapping[str, float]


async def run(terms: Terms) -> Report:
    """The campaign."""
    report = Report("soak", terms.seed)
    async with stand_with_proxies(terms) as (stand, proxies), people_at_it(stand, terms, report) as load:
        can = await _capacity(load, terms)
        report.figures["payments and reservations a second, at most"] = round(can, 1)
        report.check(can > 0, "not even the least that was offered was served")
        load.rest_seconds = REST_SECONDS
        _offer(load, SHARE * can / (PAYMENTS_A_SECOND + RESERVATIONS_A_SECOND))
        samples = await _watched(stand, proxies, terms, report)
    _judge_slopes(samples, report)
    return report


async def _capacity(load: Load, terms: Terms) -> float:
    """Attempts a second, the most of which nearly all were served; it goes on being offered."""
    load.rest_seconds = 0.0
    found, share = 0.0, LEAST_SHARE
    while share < STEPS_MAX:
        _offer(load, share)
        await asyncio.sleep(STEP_SECONDS / 2)
        before = len(load.attempts)
        await asyncio.sleep(STEP_SECONDS)
        seen = load.attempts[before:]
        served = sum(attempt.said in ("done", "refused") for attempt in seen if attempt.said != "nothing")
        decided = sum(attempt.said != "nothing" for attempt in seen)
        offered = share * (PAYMENTS_A_SECOND + RESERVATIONS_A_SECOND)
        if served < SERVED_SHARE * decided or len(seen) < SERVED_SHARE * offered * STEP_SECONDS:
            break
        found, share = offered, share * 1.25
    terms.say(f"{found:.0f} a second is what it can do")
    return found


def _offer(load: Load, share: float) -> None:
    """So many times what the other campaigns offer."""
    load.payments_a_second, load.reservations_a_second = PAYMENTS_A_SECOND * share, RESERVATIONS_A_SECOND * share


async def _watched(stand: Stand, proxies: Proxies, terms: Terms, report: Report) -> list[Sample]:
    """Samples for as long as it takes, with a fault each minute between them."""
    faults = itertools.cycle(_faults(stand, proxies))
    redis = Redis(unix_socket_path=str(places.redis_socket(stand.data_folder)))
    ends = time.monotonic() + max(30.0, SECONDS * terms.scale)
    next_fault = time.monotonic() + FAULT_EACH_SECONDS * min(1.0, 10 * terms.scale)
    samples: list[Sample] = []
    while (now := time.monotonic()) < ends:
        samples.append(Sample(now, await _sample(stand, redis, report)))
        if now >= next_fault:
            next_fault += FAULT_EACH_SECONDS * min(1.0, 10 * terms.scale)
            name, fault = next(faults)
            terms.say(f"{name}; {ends - now:.0f} s to go")
            await fault()
            report.figures["faults"] = report.figures.get("faults", 0) + 1
        await asyncio.sleep(SAMPLE_EACH_SECONDS * min(1.0, 10 * terms.scale))
    await redis.aclose()
    return samples


def _faults(stand: Stand, proxies: Proxies) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    async def engine_killed() -> None:
        name = stand.engines[1]
        stand.kill(name)
        await stand.start_again(name)

    async def flushed() -> None:
        redis_server.flush(stand.data_folder)

    async def stalled(name: str) -> None:
        os.kill(stand.children[name].pid, signal.SIGSTOP)
        await asyncio.sleep(STALL_SECONDS)
        os.kill(stand.children[name].pid, signal.SIGCONT)

    async def links_cut() -> None:
        for centre in stand.centres.values():
            centre.cut()

    async def answers_lost() -> None:
        proxies.begin()
        await asyncio.sleep(2 * STALL_SECONDS)
        proxies.end()

    async def backends_ended() -> None:
        owner = await stand.owner()
        await owner.execute(_END_BACKENDS)
        await owner.close()

    return [
        ("an engine is killed", engine_killed),
        ("Redis forgets all", flushed),
        ("the core stands still", lambda: stalled(CORE)),
        ("all links are cut", links_cut),
        ("answers are lost", answers_lost),
        ("Redis stands still", lambda: stalled(REDIS)),
        ("PostgreSQL ends all connections", backends_ended),
        ("an engine stands still", lambda: stalled(stand.engines[0])),
    ]


# --- what is looked at ---


async def _sample(stand: Stand, redis: Redis, report: Report) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in (stand.engines[0], CORE, REDIS, POSTGRES):
        pid = stand.children[name].pid
        found[f"{name} RSS MiB"] = _rss_mib(pid)
        found[f"{name} files"] = float(len(os.listdir(f"/proc/{pid}/fd")))
    address = stand.settings(stand.engines[0]).engine_http
    text = await asyncio.to_thread(_fetched, f"http://{address}/metrics")
    found |= {f"{stand.engines[0]} {name}": float(value) for name, value in _METRIC.findall(text)}
    keys = [key async for key in redis.scan_iter(count=1000)]
    asked = redis.pipeline(transaction=False)
    for key in keys:
        asked.ttl(key)
    for key, seconds in zip(keys, await asked.execute(), strict=True):
        report.check(seconds != -1, f"Redis keeps {key!r} for ever")
    found["redis keys"] = float(len(keys))
    return found


def _rss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _fetched(url: str) -> str:
    with urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def slope(samples: Iterable[tuple[float, float]]) -> float:
    """Of the straight line with the least squares, by the second; 0 when there is none."""
    points = list(samples)
    if len(points) < 2:
        return 0.0
    mean_at = sum(at for at, _ in points) / len(points)
    mean = sum(value for _, value in points) / len(points)
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    return sum((at - mean_at) * (value - mean) for at, value in points) / spread if spread else 0.0


def _judge_slopes(samples: list[Sample], report: Report) -> None:
    warm = samples[int(len(samples) * WARM_SHARE) :]
    for name in sorted({name for sample in warm for name in sample.values}):
        seen = [(sample.at, sample.values[name]) for sample in warm if name in sample.values]
        an_hour = slope(seen) * 3600
        values = [value for _, value in seen]
        report.figures[f"{name}"] = f"{min(values):.0f}-{max(values):.0f}, {an_hour:+.1f} an hour"
        most = RSS_MIB_AN_HOUR_MAX if "RSS" in name else COUNT_AN_HOUR_MAX
        if name != "redis keys" and "turns" not in name:
            report.check(an_hour <= most, f"{name} grows by {an_hour:.1f} an hour")
