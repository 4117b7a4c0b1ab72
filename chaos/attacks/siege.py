"""What the parts of `attackers` share: the system under siege, who is served meanwhile, and accounts to attack from.

Numbers are handed out, so that no part disturbs another: `numbers` of a network are taken from its end.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import urllib.request
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from billing_core.seeding.ranges import RANGES
from chaos.attacks.pulse import Pulse
from chaos.report import Report, Terms
from chaos.stand import CENTRES, NUMBERS, REPOSITORY, Stand
from stack.settings import Listen

T = TypeVar("T")
PASSWORD = "secret"
FIRST_NUMBERS = {each.network: each.first for each in RANGES if each.network in CENTRES}
TRUSTED = "ussdc"
"""The account of a centre that the operator itself runs."""
SECOND = "second"
"""Another account of it, whose password nobody has evaluated yet."""
UNTRUSTED = {(trust, network): f"{trust}-{network}" for trust in ("none", "partner") for network in FIRST_NUMBERS}
"""The account of a link of this trust in this network."""
ALLOWED = "127.0.0.0/16"
CEILING = 20
"""Temporary passwords of all numbers together, a minute."""
PASSWORDS_FROM_ONE_NUMBER = 3
P99_MS_MAX = 100.0
P99_MS_MAX_TOGETHER = 3_000.0


class Siege(NamedTuple):
    """One campaign on its way."""

    stand: Stand
    terms: Terms
    report: Report
    pulse: Pulse
    processes: Executor

    @property
    def smpp(self) -> Listen:
        """Where the engine listens for centres."""
        return self.stand.settings().engine_smpp

    @property
    def p99_ms_max(self) -> float:
        """What who is served may feel. Where attacks go on together, on whatever machine, it only has to be alive."""
        return P99_MS_MAX if self.terms.scale >= 1 else P99_MS_MAX_TOGETHER

    def check(self, holds: bool, failure: str) -> None:
        """Notes the failure unless it holds."""
        self.report.check(holds, failure)

    async def apart(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of work that takes a processor, in a process of its own: who is served shall not feel it."""
        return await asyncio.get_running_loop().run_in_executor(self.processes, partial(work, *arguments))

    async def metric(self, pattern: str, *, core: bool = False) -> float:
        """The sum of the samples whose name and labels this expression matches."""
        settings = self.stand.settings()
        page = await asyncio.to_thread(page_of, settings.core_http if core else settings.engine_http, "/metrics")
        lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
        return sum(float(value) for name, _, value in lines if re.fullmatch(pattern, name))


def number(network: str, at: int) -> str:
    """A subscriber of a network; `at` is below `NUMBERS`."""
    if not 0 <= at < NUMBERS:
        raise ValueError(at)
    return str(FIRST_NUMBERS[network] + at)


def page_of(listen: Listen, path: str) -> str:
    """A page of the engine or the core."""
    url = f"http://{listen.reached_at}:{listen.port}{path}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def besieged(folder: Path, config: dict[str, Any]) -> None:
    """The configuration that is attacked: accounts of every trust, menus of its own, a ceiling that can be reached."""
    engine = config["engine"]
    links = engine["links"]
    trusted = {**links["kcell-ussdc"], "allowed_from": [ALLOWED], "binds_max": 100}
    links["kcell-ussdc"] = trusted
    links["kcell-second"] = {**trusted, "allowed_from": [ALLOWED], "system_id": SECOND}
    for (trust, network), account in UNTRUSTED.items():
        links[account] = {
            **trusted,
            "allowed_from": [ALLOWED],
            "system_id": account,
            "trust": trust,
            "network": network,
        }
    menus = folder / "menus"
    shutil.copytree(REPOSITORY / "menus", menus, dirs_exist_ok=True)
    engine |= {"menus": str(menus), "menus_watch_seconds": 0.2}
    config["billing_core"]["cabinet"] |= {
        "temporary_of_all_a_minute_max": CEILING,
        "temporary_an_hour_max": PASSWORDS_FROM_ONE_NUMBER,
    }
