"""Staying bound to a centre, over real TCP: what the centre sees of us, and what the owner hears.

The waits between tries are `Backoff`'s, and tested there; here luck is always the shortest wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp import pdu as p
from smpp.errors import BindRefused
from smpp.fake_smsc import FakeSmsc
from smpp.limits import Limits
from smpp.link import Link
from smpp.states import State
from smpp.upstream import BIND_OF_MODE, Upstream

BIND = p.BindTransceiver("engine", "secret")
QUICK = Limits(bind_answer_seconds=0.3, unbind_answer_seconds=0.3)


class Owner:
    """Writes down what it hears, and answers every request."""

    def __init__(self) -> None:
        self.requests: list[p.Pdu] = []
        self.answers: list[object] = []
        self.quirks: list[str] = []
        self.names: list[str] = []
        self.reasons: list[str] = []
        self.errors: list[ConnectionError] = []

    def request(self, link: Link, pdu: p.Pdu) -> None:
        self.requests.append(pdu)
        link.respond(pdu, c.ESME_ROK)

    def response(self, link: Link, request: p.Pdu, response: p.Pdu | None, context: object) -> None:
        self.answers.append(context)

    def quirk(self, link: Link, kind: str) -> None:
        self.quirks.append(kind)

    def bound(self, link: Link) -> None:
        self.names.append(link.name)

    def gone(self, link: Link, reason: str) -> None:
        self.reasons.append(reason)

    def not_bound(self, upstream: Upstream, error: ConnectionError) -> None:
        self.errors.append(error)


class Clock:
    """Seconds that only the test moves: the status page's."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def smsc(reactor: AsyncioSelectorReactor) -> AsyncIterator[FakeSmsc]:
    async with FakeSmsc(reactor) as opened:
        yield opened


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def clock() -> Clock:
    return Clock()


Start = Callable[..., Upstream]


@pytest.fixture
async def upstream_of(
    reactor: AsyncioSelectorReactor, smsc: FakeSmsc, owner: Owner, clock: Clock
) -> AsyncIterator[Start]:
    started: list[Upstream] = []

    def start(bind: p.BindPdu = BIND, binds: int = 1) -> Upstream:
        upstream = Upstream(
            reactor, "kcell", "127.0.0.1", smsc.port, bind, owner, QUICK, binds=binds, random=lambda: 0.0, clock=clock
        )
        started.append(upstream)
        upstream.start()
        return upstream

    yield start
    for upstream in started:
        await asyncio.wait_for(upstream.close(), 5)


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not met():
            await asyncio.sleep(0.005)


# --- bound ---


async def test_as_many_links_as_wanted_are_bound_under_the_name_of_the_upstream(
    smsc: FakeSmsc, owner: Owner, upstream_of: Start, clock: Clock
) -> None:
    upstream = upstream_of(binds=3)
    await smsc.until_bound(3)
    await until(lambda: len(upstream.links) == 3)
    assert owner.names == ["kcell"] * 3
    assert upstream.state._replace(since=0) == (3, 3, 0, 0, "", None)
    await asyncio.sleep(0.1)
    assert len(smsc.bind_requests) == 3  # and no more are tried


@pytest.mark.parametrize(
    ("mode", "state"),
    [("transceiver", State.BOUND_TRX), ("transmitter", State.BOUND_TX), ("receiver", State.BOUND_RX)],
)
async def test_a_link_is_bound_as_its_mode_says(smsc: FakeSmsc, upstream_of: Start, mode: str, state: State) -> None:
    upstream = upstream_of(BIND_OF_MODE[mode]("engine", "secret"))
    await smsc.until_bound()
    await until(lambda: upstream.links)
    assert [link.state for link in upstream.links] == [state]


async def test_the_version_is_3_4_unless_the_bind_says_otherwise(smsc: FakeSmsc, upstream_of: Start) -> None:
    upstream_of()
    upstream_of(BIND._replace(interface_version=0x33))
    await smsc.until_bound(2)
    assert sorted(request.interface_version for request in smsc.bind_requests) == [0x33, 0x34]


async def test_messages_go_both_ways_to_the_owner(smsc: FakeSmsc, owner: Owner, upstream_of: Start) -> None:
    upstream = upstream_of()
    await until(lambda: upstream.links)
    upstream.links[0].send(p.SubmitSm(destination_addr="77010000007"), context="notice 1")
    await until(lambda: owner.answers == ["notice 1"])
    await smsc.send_sms("77010000007", "111", "BAL")
    (message,) = owner.requests
    assert isinstance(message, p.DeliverSm)
    assert message.short_message == b"BAL"


def test_a_bind_that_smpp_cannot_carry_is_refused_at_once(reactor: AsyncioSelectorReactor, owner: Owner) -> None:
    async def make() -> None:
        bind = BIND._replace(password="longer than eight")
        Upstream(reactor, "kcell", "127.0.0.1", 1, bind, owner, QUICK, binds=1, random=lambda: 0.0, clock=lambda: 0.0)

    with pytest.raises(ValueError, match="password"):
        asyncio.run(make())


# --- lost, and bound again ---


async def test_a_link_that_is_cut_is_bound_again_after_a_second(
    smsc: FakeSmsc, owner: Owner, upstream_of: Start, clock: Clock
) -> None:
    upstream = upstream_of(binds=2)
    await until(lambda: len(upstream.links) == 2)
    clock.now = 1060.0
    begin = asyncio.get_running_loop().time()
    smsc.cut()
    await until(lambda: len(owner.reasons) == 2)
    assert (upstream.links, upstream.state.since) == ((), 1060.0)
    assert upstream.state.last_error in ("connection_lost", "closed_by_peer")
    assert 0 < (upstream.state.retry_seconds or 0) <= 1
    clock.now = 1062.0
    await until(lambda: len(upstream.links) == 2)
    assert 1.0 <= asyncio.get_running_loop().time() - begin < 1.5
    assert upstream.state.since == 1062.0


async def test_a_centre_that_comes_back_is_bound_to_again(smsc: FakeSmsc, owner: Owner, upstream_of: Start) -> None:
    upstream = upstream_of()
    await until(lambda: upstream.links)
    await smsc.crash()
    await until(lambda: owner.errors)
    assert "no connection to 127.0.0.1" in upstream.state.last_error
    await smsc.open()
    await smsc.until_bound()


async def test_a_centre_that_unbinds_us_is_bound_to_again(smsc: FakeSmsc, owner: Owner, upstream_of: Start) -> None:
    upstream_of()
    await smsc.until_bound()
    smsc.links[0].unbind()
    await until(lambda: owner.reasons == ["unbound_by_peer"])
    await smsc.until_bound()


# --- refused ---


async def test_a_wrong_password_is_told_and_tried_seldom_and_never_shown(
    smsc: FakeSmsc, owner: Owner, upstream_of: Start
) -> None:
    upstream = upstream_of(BIND._replace(password="wr0ng"), binds=4)
    await until(lambda: owner.errors)
    (error,) = owner.errors
    assert isinstance(error, BindRefused)
    assert error.status == c.ESME_RINVPASWD
    state = upstream.state
    assert (state.bound, state.failures) == (0, 1)
    assert "ESME_RINVPASWD" in state.last_error
    assert 29 < (state.retry_seconds or 0) <= 60
    assert "wr0ng" not in repr(state) + repr(error)
    await asyncio.sleep(0.1)
    assert len(smsc.bind_requests) == 1  # one try for all four


async def test_a_centre_that_takes_us_for_bound_is_given_five_seconds(
    smsc: FakeSmsc, owner: Owner, upstream_of: Start
) -> None:
    smsc.bind_status = c.ESME_RALYBND
    upstream = upstream_of()
    await until(lambda: owner.errors)
    assert 4 < (upstream.state.retry_seconds or 0) <= 5


async def test_one_bind_too_many_leaves_the_others_be(smsc: FakeSmsc, owner: Owner, upstream_of: Start) -> None:
    smsc.binds_max = 2
    upstream = upstream_of(binds=3)
    await until(lambda: owner.errors)
    assert (upstream.state.bound, len(smsc.links)) == (2, 2)


async def test_a_link_that_is_lost_does_not_wait_for_one_that_is_refused(
    smsc: FakeSmsc, owner: Owner, upstream_of: Start
) -> None:
    smsc.binds_max = 1
    upstream = upstream_of(binds=2)
    await until(lambda: owner.errors)
    assert (upstream.state.retry_seconds or 0) > 4
    smsc.cut()
    await until(lambda: owner.reasons)
    assert (upstream.state.retry_seconds or 9) <= 1
    await smsc.until_bound()


async def test_a_centre_that_accepts_and_hangs_up_is_not_dialled_in_a_loop(
    smsc: FakeSmsc, owner: Owner, upstream_of: Start
) -> None:
    upstream = upstream_of()
    await until(lambda: len(owner.names) == 1)
    smsc.cut()
    await until(lambda: len(owner.names) == 2)
    smsc.cut()
    await until(lambda: len(owner.reasons) == 2)
    assert upstream.state.failures == 2
    assert len(smsc.bind_requests) == 2


# --- the end ---


async def test_closing_unbinds_every_link(smsc: FakeSmsc, owner: Owner, upstream_of: Start) -> None:
    upstream = upstream_of(binds=3)
    await until(lambda: len(upstream.links) == 3)
    await upstream.close()
    assert owner.reasons == ["unbound_by_us"] * 3
    await smsc.until_bound(0)
    assert upstream.state.retry_seconds is None
    await asyncio.sleep(0.1)
    assert len(smsc.bind_requests) == 3


async def test_closing_ends_a_try(smsc: FakeSmsc, owner: Owner, upstream_of: Start) -> None:
    smsc.bind_status = c.ESME_RINVPASWD
    upstream = upstream_of()
    await until(lambda: owner.errors)
    await asyncio.wait_for(upstream.close(), 1)
    await upstream.close()  # and again, without harm
    assert owner.reasons == []


async def test_closing_while_the_bind_is_on_its_way_leaves_no_link(
    reactor: AsyncioSelectorReactor, owner: Owner
) -> None:
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(16)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        closed.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        upstream = Upstream(
            reactor, "mute", "127.0.0.1", port, BIND, owner, Limits(), binds=1, random=lambda: 0.0, clock=Clock()
        )
        upstream.start()
        await asyncio.sleep(0.05)
        await asyncio.wait_for(upstream.close(), 1)
        await asyncio.wait_for(closed.wait(), 1)
    assert (owner.names, owner.reasons, owner.errors) == ([], [], [])
