"""Peers that are not ours. Where one is missing its tests are skipped, and say so; under CI=true they fail."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp import pdu as p
from smpp.fake_smsc import Account, FakeSmsc
from smpp.link import Link
from smpp.reactor import reactor_on
from smpp.upstream import Upstream
from stack.programs import start_engine, stop_program
from stack.settings import Settings, read_settings
from tests.conftest import RunningStack, engine_like, with_client_link
from tests.recording_relay import RecordingRelay

from .driven_peer import NODE, PERL, DrivenPeer, driven, is_here


def missing(what: str) -> None:
    """Ends the test: the peer is not there."""
    reason = f"{what}: run `make peers`"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
async def node() -> AsyncIterator[DrivenPeer]:
    """node-smpp, which does nothing yet."""
    if not await is_here(NODE):
        missing(f"{NODE} is not here")
    async with driven(NODE) as peer:
        yield peer


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


class Centres(NamedTuple):
    """Centres that one engine beside the stack's has bound to, each over a link of its own."""

    engine: Settings
    peers: dict[str, DrivenPeer]  # those that are here
    smsc: FakeSmsc
    relay: RecordingRelay  # between the engine and `smsc`


@pytest.fixture(scope="session")
async def centres(
    running_stack: RunningStack, free_port: Callable[[], int], reactor: AsyncioSelectorReactor
) -> AsyncIterator[Centres]:
    """One engine for all of them, because an engine takes seconds to start."""
    async with AsyncExitStack() as begun:
        peers = {name: await begun.enter_async_context(driven(name)) for name in (NODE, PERL) if await is_here(name)}
        smsc = await begun.enter_async_context(FakeSmsc(reactor, Account("engine", "secret")))
        relay = await begun.enter_async_context(RecordingRelay("127.0.0.1", smsc.port))
        ports = {f"peer-{number}": await peer.listening() for number, peer in enumerate(peers.values())}
        config = _engine_bound_to(ports | {"recorded": relay.port}, running_stack, free_port)
        engine = await asyncio.to_thread(start_engine, config)
        begun.push_async_callback(asyncio.to_thread, stop_program, engine)
        await smsc.until_bound(1, 20)
        yield Centres(read_settings(config), peers, smsc, relay)


def _engine_bound_to(ports: dict[str, int], stack: RunningStack, free_port: Callable[[], int]) -> Path:
    """Writes the configuration of an engine with a client link to each of these ports."""
    config = engine_like(stack, "peers", free_port, {"links: [kcell-ussdc]": f"links: [{', '.join(ports)}]"})
    text = config.read_text()
    for name, port in ports.items():
        text = with_client_link(text, name, port)
        (config.parent / f"{name}.password").write_text("secret\n")
    config.write_text(text)
    return config
