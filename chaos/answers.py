"""Three of ten answers between engine and core are lost, never a request; every other connection is cut now and then.

Rules of this file:
- 30 % of all answers of the core to the engines, and of the engine to the core's relay, never arrive: swallowed in
  silence, cut, or half-closed; more of them come late.
- Between the core and PostgreSQL, the engines and Redis, and the engines and the centres one answer of some hundreds is
  lost: with three of ten nobody would get as far as a payment.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chaos.judge import people_at_it
from chaos.load import PAYMENTS_A_SECOND
from chaos.proxy import Faults, Proxy
from chaos.report import Report, Terms
from chaos.stand import CENTRES, Stand
from stack import places

PAYMENTS = 5000
OF_CORE = Faults(lost=0.1, cut=0.15, half_closed=0.05, delayed=0.2, delay_seconds=0.6)
OF_RELAY = Faults(lost=0.02, cut=0.23, half_closed=0.05, delayed=0.2, delay_seconds=0.6)
OF_DATABASE = Faults(lost=0.0002, cut=0.001, delayed=0.01, delay_seconds=0.2)
OF_REDIS = Faults(lost=0.0005, cut=0.001, half_closed=0.0005, delayed=0.01, delay_seconds=0.1)
OF_CENTRE = Faults(cut=0.0005, half_closed=0.0002, delayed=0.01, delay_seconds=0.1)
FAULTS = {"core": OF_CORE, "relay": OF_RELAY, "database": OF_DATABASE, "redis": OF_REDIS}


class Proxies:
    """Between all parts of a stand, which they are given as what `change` does to its configuration."""

    def __init__(self, terms: Terms) -> None:
        self._folder = terms.folder
        self._chance = terms.chance("proxies")
        self.database = self._made(terms.folder / "between" / f".s.PGSQL.{places.POSTGRES_PORT}")
        self.redis = self._made(terms.folder / "between" / "redis.sock")
        self.core = self._made()
        self.relay = self._made()
        self.centres = {network: self._made() for network in CENTRES}

    def _made(self, at: Path | int = 0) -> Proxy:
        return Proxy(at, Faults(), random.Random(self._chance.random()))

    @property
    def all(self) -> dict[str, Proxy]:
        """By what they stand before."""
        between = {"database": self.database, "redis": self.redis, "core": self.core, "relay": self.relay}
        return between | {f"centre of {network}": proxy for network, proxy in self.centres.items()}

    def begin(self) -> None:
        """From now on answers have fates."""
        for name, proxy in self.all.items():
            proxy.faults = FAULTS.get(name, OF_CENTRE)

    def end(self) -> None:
        """No more faults; what was swallowed is cut off."""
        for proxy in self.all.values():
            proxy.faults = Faults()
            proxy.cut()

    def figures(self) -> dict[str, object]:
        """The fates of all answers."""
        return {f"answers of {name}": dict(proxy.fates) for name, proxy in self.all.items()}

    def stand_between(self, config: dict[str, Any]) -> None:
        """Puts the proxies' addresses in the place of those of the parts."""
        engine, core = config["engine"], config["billing_core"]
        data_folder = self._folder / "data"
        self.core.to = core["http_listen"]
        if engine["name"].endswith("-1"):  # whose configuration is the core's, too
            self.relay.to = core["engine_url"].removeprefix("http://")
            core["engine_url"] = f"http://{self.relay.address}"
        engine["billing"]["url"] = f"http://{self.core.address}"
        self.redis.to = places.redis_socket(data_folder)
        engine["sessions"]["redis_url"] = f"unix://{quote(str(self._folder / 'between' / 'redis.sock'))}"
        self.database.to = places.postgres_socket(data_folder)
        direct = quote(str(places.run_folder(data_folder)), safe="")
        here = quote(str(self._folder / "between"), safe="")
        core["database_url"] = places.serving_url(data_folder).replace(f"host={direct}", f"host={here}")
        core["owner_database_url"] = places.postgres_url(data_folder)
        for network, proxy in self.centres.items():
            link = engine["links"][f"centre-{network}"]
            proxy.to = link["address"]
            link["address"] = proxy.address


async def run(terms: Terms) -> Report:
    """The campaign."""
    report = Report("answers", terms.seed)
    async with stand_with_proxies(terms) as (stand, proxies), people_at_it(stand, terms, report):
        await lose_answers(terms, proxies)
    report.figures |= proxies.figures()
    return report


@asynccontextmanager
async def stand_with_proxies(terms: Terms) -> AsyncIterator[tuple[Stand, Proxies]]:
    """A stand of two engines, with proxies between all parts that let everything through at first."""
    proxies = Proxies(terms)
    async with AsyncExitStack() as closing:
        for proxy in proxies.all.values():
            await closing.enter_async_context(proxy)
        made = Stand(terms.folder, terms.say, engines=2, change=proxies.stand_between)
        yield await closing.enter_async_context(made), proxies


async def lose_answers(terms: Terms, proxies: Proxies) -> None:
    """For as long as the payments take; then every connection is cut, and nothing is lost any more."""
    terms.say("answers are being lost")
    proxies.begin()
    await asyncio.sleep(terms.times(PAYMENTS) / PAYMENTS_A_SECOND)
    proxies.end()
