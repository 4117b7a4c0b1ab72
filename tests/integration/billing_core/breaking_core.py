"""A core that breaks promises: a proxy before a sound one, with one fault planted in it.

Rules of this file: a fault is a function of what was asked and of the sound core, to which it may pass on as much as it
likes. It knows the engine's key, so that it can sign anew what it has changed.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeAlias

import aiohttp
from aiohttp import web

from billing.signing import sign
from billing.wire import PATH

from .running_core import KEY


class Asked(NamedTuple):
    """A request: its path with the query, what it was signed with, and its body."""

    method: str
    path: str
    headers: Mapping[str, str]
    octets: bytes

    @property
    def operation(self) -> str:
        return self.path.removeprefix(PATH).partition("?")[0] if self.path.startswith(PATH) else ""

    @property
    def body(self) -> dict[str, Any]:
        """The body; empty when it is no object."""
        try:
            said = json.loads(self.octets)
        except (ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}

    def signed_anew(self) -> Asked:
        """The same, signed as the engine signs now."""
        signed = sign("engine", KEY, "POST", self.path, self.octets, time.time())
        return self._replace(headers={**self.headers, **signed})

    def with_path(self, operation: str) -> Asked:
        """The same for another operation, not signed yet."""
        return self._replace(path=PATH + operation)

    def with_body(self, octets: bytes) -> Asked:
        """The same with another body, signed as the engine signs now."""
        return self._replace(octets=octets).signed_anew()

    def changed(self, **fields: object) -> Asked:
        """The same call with other fields."""
        return self.with_body(json.dumps({**self.body, **fields}).encode())


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    octets: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.octets)

    def with_body(self, body: object) -> Said:
        return self._replace(octets=json.dumps(body, ensure_ascii=False).encode())


Passing: TypeAlias = "Callable[[Asked], Awaitable[Said]]"
"""Passes a request on to the sound core."""
Fault: TypeAlias = "Callable[[Asked, Passing], Awaitable[Said]]"


@asynccontextmanager
async def breaking_core(url: str, fault: Fault) -> AsyncIterator[str]:
    """Serves the core at `url` with this fault; yields the address."""
    async with aiohttp.ClientSession() as session:

        async def pass_on(asked: Asked) -> Said:
            async with session.request(
                asked.method, url + asked.path, data=asked.octets, headers=asked.headers
            ) as response:
                kept = {n: v for n, v in response.headers.items() if n.lower() in ("content-type", "www-authenticate")}
                return Said(response.status, kept, await response.read())

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            kept = {n: v for n, v in request.headers.items() if n.lower() in ("content-type", "authorization")}
            asked = Asked(request.method, request.raw_path, kept, await request.read())
            said = await fault(asked, pass_on)
            return web.Response(status=said.status, headers=said.headers, body=said.octets)

        runner = web.ServerRunner(web.Server(answer), shutdown_timeout=2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
        await runner.cleanup()
