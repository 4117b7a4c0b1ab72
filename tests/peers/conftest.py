"""Peers that are not ours. Where one is missing its tests are skipped, and say so; under CI=true they fail."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp import pdu as p
from smpp.link import Link
from smpp.reactor import reactor_on
from smpp.upstream import Upstream

from .driven_peer import NODE, DrivenPeer, driven, is_here


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
