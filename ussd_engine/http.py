"""The engine's HTTP side: is it alive, can it serve, what does it count; and notices of the core, to be sent as SMS.

What operators ask is `operator_side`'s matter.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import generate_latest

from billing import notices

from .announce import Announcer
from .metrics import Metrics
from .outbox import NotSent
from .peer_config import Address
from .signed import ClientKeys, Refused, problem, problems, read_signed

READY_SECONDS_MAX = 1.0
SHUTDOWN_SECONDS = 1.0
"""What is being asked when the engine has drained and stops has so long."""
TOLD_SECONDS = 180.0
"""How long a notice is remembered as sent: longer than a signature is good for."""
TOLD_MAX = 100_000

Probe = Callable[[], Awaitable[str | None]]
"""Asks one part: None when it serves, else why not, in words."""


class HttpSide:
    """`/health` (the process answers), `/ready` (its parts do), `/metrics` (Prometheus text)."""

    def __init__(
        self,
        metrics: Metrics,
        probes: dict[str, Probe],
        announcer: Announcer,
        clients: ClientKeys,
        now: Callable[[], float],
        health: Callable[[], Mapping[str, Any]],
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        """`clients`: who may hand us notices. `now`: monotonic seconds. `health`: what else `/health` tells; `routes`:
        what else is served."""
        self._health_of = health
        self._routes = tuple(routes)
        self._metrics = metrics
        self._probes = probes
        self._announcer = announcer
        self._clients = clients
        self._now = now
        self._told: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._runner: web.AppRunner | None = None
        self._telling = 0
        self.takes_notices = True

    @property
    def is_busy(self) -> bool:
        """Whether a notice is on its way to an SMSC."""
        return bool(self._telling)

    async def start(self, address: Address) -> None:
        """Listens. Raises OSError on a busy port."""
        app = web.Application(client_max_size=notices.OCTETS_MAX, middlewares=[problems])
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/ready", self._ready),
                web.get("/metrics", self._show_metrics),
                web.post(notices.PATH, self._notice),
                *self._routes,
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, address.host, address.port).start()

    async def close(self) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _notice(self, request: web.Request) -> web.Response:
        """200 when the SMSC has accepted the SMS; 503 try later; 400, 401 and 422 never try again."""
        try:
            signed = await read_signed(request, self._clients)
            if not self.takes_notices:
                raise NotSent("the engine is stopping")
            self._telling += 1
            try:
                message_id = await self._tell(notices.from_octets(signed.body))
            finally:
                self._telling -= 1
        except Refused as error:
            return self._problem(error.status, str(error))
        except notices.NoticeError as error:
            return self._problem(422, str(error))
        except NotSent as error:
            return self._problem(422 if error.for_ever else 503, str(error))
        self._metrics.notices.labels("200").inc()
        return web.json_response({"message_id": message_id})

    async def _tell(self, notice: notices.Notice) -> str:
        """Sends the notice, once: one that was sent a moment ago and comes again (its 200 was lost, or somebody replays
        it) is only answered."""
        now = self._now()
        while self._told and next(iter(self._told.values()))[0] < now:
            self._told.popitem(last=False)
        if notice.id in self._told:
            return self._told[notice.id][1]
        message_id = await self._announcer.tell(notice)
        self._told[notice.id] = (now + TOLD_SECONDS, message_id)
        if len(self._told) > TOLD_MAX:
            self._told.popitem(last=False)
        return message_id

    def _problem(self, status: int, detail: str) -> web.Response:
        self._metrics.notices.labels(str(status)).inc()
        return problem(status, detail)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", **self._health_of()})

    async def _ready(self, _request: web.Request) -> web.Response:
        answers = await asyncio.gather(*(self._ask(probe) for probe in self._probes.values()))
        parts = {name: answer or "ok" for name, answer in zip(self._probes, answers, strict=True)}
        ready = not any(answers)
        return web.json_response({"ready": ready, "parts": parts}, status=200 if ready else 503)

    @staticmethod
    async def _ask(probe: Probe) -> str | None:
        try:
            return await asyncio.wait_for(probe(), READY_SECONDS_MAX)
        except TimeoutError:
            return f"no answer within {READY_SECONDS_MAX:g} s"

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        text = generate_latest(self._metrics.registry)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
