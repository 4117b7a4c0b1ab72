"""The engine's HTTP side: is it alive, can it serve, what does it count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import generate_latest

from .config import Address
from .metrics import Metrics

READY_SECONDS_MAX = 1.0

Probe = Callable[[], Awaitable[str | None]]
"""Asks one part: None when it serves, else why not, in words."""


class HttpSide:
    """`/health` (the process answers), `/ready` (its parts do), `/metrics` (Prometheus text)."""

    def __init__(self, metrics: Metrics, probes: dict[str, Probe]) -> None:
        self._metrics = metrics
        self._probes = probes
        self._runner: web.AppRunner | None = None

    async def start(self, address: Address) -> None:
        """Listens. Raises OSError on a busy port."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/ready", self._ready),
                web.get("/metrics", self._show_metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, address.host, address.port).start()

    async def close(self) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

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
