"""An engine for the tests of the relay: it takes notices over real HTTP, and answers as it is told.

Rules of this file: a request that is not signed as it must be, or that is no notice, is answered as an engine does;
what was taken is kept in order. It can be stopped, and started again at the same port.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from billing.notices import PATH, Notice, NoticeError, from_octets
from billing.signing import SigningError, verify
from billing_core.config import Listen
from billing_core.serving import bind

RELAY_KEY = b"key of the tests for the relay to sign with"

Answering = Callable[[Notice], Awaitable[web.StreamResponse]]


async def accept(notice: Notice) -> web.StreamResponse:
    return web.json_response({"message_id": f"smsc-{notice.id[:8]}"})


async def later(_notice: Notice) -> web.StreamResponse:
    return problem(503, "No bind to the SMSC")


def problem(status: int, title: str) -> web.StreamResponse:
    body = {"title": title, "status": status}
    return web.json_response(body, status=status, content_type="application/problem+json")


def hold(until: asyncio.Event) -> Answering:
    """Accepts, once the event is set."""

    async def held(notice: Notice) -> web.StreamResponse:
        await until.wait()
        return await accept(notice)

    return held


class StandInEngine:
    """`taken`: the notices that came, in order. `answering`: what is done with the next ones."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.in_flight = 0
        self.in_flight_most = 0
        self.answering: Answering = accept
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post(PATH, self._take)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        listening = bind(Listen("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """Nobody listens any more; open connections are cut."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.StreamResponse:
        octets = await request.read()
        try:
            header = request.headers.get("Authorization")
            verify({"billing-core": (RELAY_KEY,)}, "POST", request.raw_path, header, octets, time.time(), 60)
            notice = from_octets(octets)
        except SigningError as error:
            return problem(401, str(error))
        except NoticeError as error:
            return problem(422, str(error))
        self.taken.append(notice)
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)
        try:
            return await self.answering(notice)
        finally:
            self.in_flight -= 1
