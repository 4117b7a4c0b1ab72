"""Links to centres that come and go: reset, ended one way, silent, not there, refusing; how soon they are bound again.

Each link of this part is an account of its own at a centre of its own, behind a relay; so that many fail at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from chaos.relay import Relay
from chaos.report import Report
from smpp import constants
from smpp.fake_smsc import Account, FakeSmsc, NotServed
from smpp.reactor import reactor_on

LINKS: Final = 4
WAYS: Final = ("reset", "ended one way", "not there", "silent", "refusing")
STEADY_SECONDS: Final = 1.1
"""A bind that has lasted so long is dialled again soon."""
HELD_SECONDS: Final = 1.0
"""How long a centre is not there, silent or refusing."""
REBOUND_SECONDS_MAX: Final = 2.0
SLACK_SECONDS: Final = 0.3
"""For a machine that has other things to do."""


class Flapping:
    """The centres, their relays and their links."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._centres: list[FakeSmsc] = []
        self._relays: list[Relay] = []
        self.rebounds: dict[str, list[float]] = {way: [] for way in WAYS}

    async def open(self) -> None:
        """Before the engine is configured."""
        reactor = reactor_on(asyncio.get_running_loop())
        for _ in range(LINKS):
            centre = FakeSmsc(reactor, Account("flapping", "secret"))
            await centre.open()
            relay = Relay(centre.port)
            await relay.open()
            self._centres.append(centre)
            self._relays.append(relay)

    async def close(self) -> None:
        """After the engine has ended."""
        for relay, centre in zip(self._relays, self._centres, strict=True):
            await relay.close()
            await centre.close()

    def links(self) -> dict[str, Any]:
        """For the configuration of the engine."""
        password = self._folder / "flapping.password"
        password.write_text("secret")
        password.chmod(0o600)
        return {
            f"flapping-{n}": {
                "role": "client", "address": f"127.0.0.1:{relay.port}", "system_id": "flapping",
                "password_file": str(password), "network": "beeline-kg", "dialect": "standard", "trust": "operator",
                "limits": {"bind_answer_seconds": 2.0},
            }
            for n, relay in enumerate(self._relays, 1)
        }  # fmt: skip

    async def fail(self, times: int, report: Report) -> None:
        """All links together fail so many times, each in every way in its turn."""
        await asyncio.gather(*(self._fail_one(at, -(-times // LINKS), report) for at in range(LINKS)))

    async def _fail_one(self, at: int, times: int, report: Report) -> None:
        centre, relay = self._centres[at], self._relays[at]
        for n in range(times):
            try:
                await centre.until_bound(1, 10.0)
            except NotServed:
                report.check(False, f"link {at + 1} is not bound before failure {n + 1}")
                return
            await asyncio.sleep(STEADY_SECONDS)
            way = WAYS[(n + at) % len(WAYS)]
            can_be = await self._break(centre, relay, way)
            seconds = await _rebound(centre, can_be)
            if seconds is None:
                report.check(False, f"a link whose centre was {way} is not bound again after 30 s")
                return
            self.rebounds[way].append(seconds)

    async def _break(self, centre: FakeSmsc, relay: Relay, way: str) -> float:
        """Breaks the link; when it can be bound again."""
        bound = centre.links
        if way == "ended one way":
            relay.end_one_way()
        elif way == "reset":
            relay.cut()
        elif way == "refusing":
            centre.bind_status = constants.ESME_RBINDFAIL
            relay.cut()
            await asyncio.sleep(HELD_SECONDS)
            centre.bind_status = constants.ESME_ROK
        else:
            await relay.turn("refuse" if way == "not there" else "silent")
            relay.cut()
            await asyncio.sleep(HELD_SECONDS)
            await relay.turn("pass")
            relay.cut()
        can_be = time.monotonic()
        await _until(lambda: not set(bound) & set(centre.links), 10.0)
        return can_be


async def _rebound(centre: FakeSmsc, can_be: float) -> float | None:
    found = await _until(lambda: bool(centre.links), 30.0)
    return time.monotonic() - can_be if found else None


async def _until(met: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not met():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.005)
    return True


def judged(flapping: Flapping, report: Report) -> None:
    """The figures of all rebounds, and whether each was soon enough."""
    for way, seconds in flapping.rebounds.items():
        if seconds:
            report.figures[f"links: {way}, times"] = len(seconds)
            report.figures[f"links: {way}, longest rebound s"] = round(max(seconds), 2)
        late = [each for each in seconds if each > REBOUND_SECONDS_MAX + SLACK_SECONDS]
        report.check(not late, f"links whose centre was {way}: rebounds of {[round(each, 2) for each in late]} s")
