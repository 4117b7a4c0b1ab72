"""What grows in an engine when something is not given back: sockets, tasks, timers, memory."""

from __future__ import annotations

import asyncio
import os
import re
import urllib.request
from pathlib import Path
from typing import Final, NamedTuple

from chaos.report import Report
from chaos.stand import Stand

SETTLE_SECONDS: Final = 10.0
RSS_GROWTH_MAX: Final = 24 * 1024 * 1024
"""What a process takes when it has more to do than before, and does not give back."""
DESCRIPTORS_MORE_MAX: Final = 80
"""Connections to the core that lie idle, which the pool bounds."""
TASKS_MORE_MAX: Final = 4


class Reading(NamedTuple):
    """Of one moment."""

    descriptors: int
    tasks: int
    timers: int
    resident_octets: int


class Gauges:
    """Of the stand's first engine."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand

    async def metrics(self) -> str:
        """What the engine says of itself."""
        url = f"http://{self._stand.settings().engine_http}/metrics"
        return await asyncio.to_thread(_fetched, url)

    async def held_back(self) -> set[str]:
        """The domains whose breakers are open."""
        return set(re.findall(r'ussd_breaker_open\{domain="(\w+)"\} 1\.0', await self.metrics()))

    async def total(self, name: str) -> float:
        """The sum of a counter over all its labels."""
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", await self.metrics(), re.MULTILINE)
        return sum(map(float, found))

    async def read(self) -> Reading:
        """Of now."""
        pid = self._stand.children[self._stand.engines[0]].pid
        return Reading(
            len(os.listdir(f"/proc/{pid}/fd")), int(await self.total("ussd_tasks")),
            int(await self.total("smpp_timers")), _resident_octets(pid),
        )  # fmt: skip

    async def compare(self, before: Reading, report: Report) -> None:
        """Nothing has been kept, once what was under way has ended."""
        until = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while True:
            now = await self.read()
            more = now.descriptors - before.descriptors
            settled = more <= DESCRIPTORS_MORE_MAX and now.tasks <= before.tasks + TASKS_MORE_MAX
            if (settled and now.timers <= before.timers) or asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(0.25)
        report.figures["descriptors, before and after"] = f"{before.descriptors} {now.descriptors}"
        report.figures["tasks, before and after"] = f"{before.tasks} {now.tasks}"
        report.figures["timers, before and after"] = f"{before.timers} {now.timers}"
        grown = (now.resident_octets - before.resident_octets) / 2**20
        report.figures["resident, MiB before and after"] = (
            f"{before.resident_octets / 2**20:.1f} {now.resident_octets / 2**20:.1f}"
        )
        report.check(settled, f"something is kept: {before} became {now}")
        report.check(now.timers <= before.timers, f"timers run on: {before.timers} became {now.timers}")
        report.check(grown * 2**20 < RSS_GROWTH_MAX, f"the engine has grown by {grown:.1f} MiB")


def _resident_octets(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
