"""Peers that are not ours. Where one is missing its tests are skipped, and say so; under CI=true they fail."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp import pdu as p
from smpp.link import Link
from smpp.reactor import reactor_on
from smpp.upstream import Upstream

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = REPOSITORY / ".peers" / "node_modules"
SCRIPT = REPOSITORY / "peers" / "centre.js"


def missing(what: str) -> None:
    """Ends the test: the peer is not there."""
    reason = f"{what}: run `make peers`"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class NodeSmpp:
    """node-smpp in a process of its own, told what to do by lines of JSON (`peers/centre.js`)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._events: list[dict[str, Any]] = []
        self._came = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._events.append(json.loads(line))
            self._came.set()

    def do(self, what: str, **order: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what} | order).encode() + b"\n")

    async def event(self, name: str, command: str = "", seconds: float = 5.0) -> dict[str, Any]:
        """The next event of this name, about this command if one is said; others stay where they are."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for number, event in enumerate(self._events):
                        if event["event"] == name and event.get("pdu", {}).get("command", "").startswith(command):
                            return self._events.pop(number)
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"no {name} {command} in {seconds:g} s; there is {self._events}") from None

    async def request(self, command: str) -> dict[str, Any]:
        """The fields of the next request of this command that it received."""
        pdu: dict[str, Any] = (await self.event("request", command))["pdu"]
        return pdu

    async def listening(self) -> int:
        """Makes it a centre with the account engine / secret; its port."""
        self.do("listen", host="127.0.0.1", port=0, system_id="engine", password="secret")
        port: int = (await self.event("listening"))["port"]
        return port

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 5)
        await self._reading


@pytest.fixture
async def node() -> AsyncIterator[NodeSmpp]:
    node = shutil.which("node")
    if node is None:
        missing("node is not installed")
    if not (MODULES / "smpp").is_dir():
        missing("node-smpp is not installed")
    process = await asyncio.create_subprocess_exec(
        str(node),
        str(SCRIPT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"NODE_PATH": str(MODULES)},
    )
    peer = NodeSmpp(process)
    yield peer
    await peer.end()


class Owner:
    """Our side: writes down what it hears, takes every message, and does what a test wants with requests."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.requests: list[p.Pdu] = []
        self.answers: list[p.Pdu | None] = []
        self.quirks: list[str] = []
        self.reasons: list[str] = []
        self.errors: list[ConnectionError] = []

    def request(self, link: Link, pdu: p.Pdu) -> None:
        self.requests.append(pdu)
        link.respond(pdu, c.ESME_ROK)

    def response(self, link: Link, request: p.Pdu, response: p.Pdu | None, context: object) -> None:
        self.answers.append(response)

    def quirk(self, link: Link, kind: str) -> None:
        self.quirks.append(kind)

    def bound(self, link: Link) -> None:
        self.links.append(link)

    def gone(self, link: Link, reason: str) -> None:
        self.links.remove(link)
        self.reasons.append(reason)

    def not_bound(self, upstream: Upstream, error: ConnectionError) -> None:
        self.errors.append(error)


Until = Callable[[Callable[[], object]], Coroutine[None, None, None]]


@pytest.fixture
def until() -> Until:
    async def met(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.005)

    return met


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture(scope="session")
async def reactor() -> AsyncioSelectorReactor:
    return reactor_on(asyncio.get_running_loop())
