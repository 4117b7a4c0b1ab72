"""Real TCP over the loopback, both roles: what a peer sees of us, and what an owner hears of a peer."""
# long because: one story a behaviour, and they share the listener, the phone and the owner

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import pytest
import uvloop
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

import smpp.dial
from smpp import constants as c
from smpp import pdu as p
from smpp.codec import decode, encode
from smpp.dial import dial
from smpp.errors import QUIRK_UNKNOWN_COMMAND, BindRefused, WrongState
from smpp.limits import Limits
from smpp.link import Link
from smpp.listen import Listener, listen
from smpp.reactor import reactor_on
from smpp.states import State

BIND = p.BindTransceiver(system_id="ussdc", password="secret")
QUICK = Limits(
    session_init_seconds=0.3,
    partial_pdu_seconds=0.3,
    unbind_answer_seconds=0.3,
    ussd_response_seconds=0.3,
    bind_answer_seconds=0.5,
)


class Answered(NamedTuple):
    request: p.Pdu
    response: p.Pdu | None
    context: object


class Owner:
    """An owner that writes down what it hears, and answers every request with ESME_ROK."""

    def __init__(self) -> None:
        self.allowed = True
        self.status = c.ESME_ROK
        self.bind_seconds = 0.0
        self.binds: list[p.BindPdu] = []
        self.links: list[Link] = []
        self.requests: list[p.Pdu] = []
        self.answers: list[Answered] = []
        self.quirks: list[str] = []
        self.reasons: list[str] = []
        self.outbinds: dict[str, p.BindPdu] = {}
        self.on_request: Callable[[Link, p.Pdu], None] = lambda link, pdu: link.respond(pdu, c.ESME_ROK)

    def connected(self, peer_ip: str) -> bool:
        assert peer_ip == "127.0.0.1"
        return self.allowed

    async def bind(self, link: Link, request: p.BindPdu) -> int:
        self.binds.append(request)
        await asyncio.sleep(self.bind_seconds)
        return self.status

    def outbind(self, link: Link, request: p.Outbind) -> p.BindPdu | None:
        return self.outbinds.get(request.system_id)

    def refused(self, link: Link, status: int) -> None:
        self.reasons.append(f"refused {status}")

    def request(self, link: Link, pdu: p.Pdu) -> None:
        self.requests.append(pdu)
        self.on_request(link, pdu)

    def response(self, link: Link, request: p.Pdu, response: p.Pdu | None, context: object) -> None:
        self.answers.append(Answered(request, response, context))

    def quirk(self, link: Link, kind: str) -> None:
        self.quirks.append(kind)

    def bound(self, link: Link) -> None:
        self.links.append(link)

    def gone(self, link: Link, reason: str) -> None:
        self.reasons.append(reason)


class Phone:
    """A peer made of a bare socket: it sends octets, and reads PDUs or the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *pdus: p.Pdu) -> None:
        self.writer.write(b"".join(map(encode, pdus)))

    async def read(self) -> p.Pdu:
        head = await asyncio.wait_for(self.reader.readexactly(4), 5)
        return decode(head + await self.reader.readexactly(int.from_bytes(head, "big") - 4))

    async def ended(self) -> bytes:
        """What still comes before the peer closes."""
        return await asyncio.wait_for(self.reader.read(), 5)


Dial = Callable[[int], Awaitable[Phone]]


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
async def listener(reactor: AsyncioSelectorReactor, owner: Owner) -> AsyncIterator[Listener]:
    opened = await listen(reactor, "127.0.0.1", 0, owner, QUICK, system_id="engine")
    yield opened
    await asyncio.wait_for(opened.close(), 5)


@pytest.fixture
async def phone(listener: Listener) -> AsyncIterator[Phone]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    yield Phone(reader, writer)
    writer.close()


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not met():
            await asyncio.sleep(0.005)


async def bound_phone(phone: Phone) -> Phone:
    phone.send(BIND.numbered(1))
    assert (await phone.read()).command_status == c.ESME_ROK
    return phone


# --- binding to us ---


@pytest.mark.parametrize(
    ("bind", "state"),
    [
        (p.BindTransmitter("ussdc", "secret"), State.BOUND_TX),
        (p.BindReceiver("ussdc", "secret"), State.BOUND_RX),
        (p.BindTransceiver("ussdc", "secret"), State.BOUND_TRX),
    ],
)
async def test_a_peer_binds_to_us(phone: Phone, owner: Owner, bind: p.BindPdu, state: State) -> None:
    phone.send(bind.numbered(7))
    answer = await phone.read()
    assert (answer.command_id, answer.sequence_number) == (bind.command_id | c.RESPONSE, 7)
    assert isinstance(answer, p.BindTransmitterResp | p.BindReceiverResp | p.BindTransceiverResp)
    assert answer.system_id == "engine"
    assert p.find_tlv(answer, c.TAG_SC_INTERFACE_VERSION) == b"\x34"
    (link,) = owner.links
    assert (link.state, link.peer_ip, link.system_id) == (state, "127.0.0.1", "ussdc")
    assert owner.binds == [bind.numbered(7)]


async def test_a_refused_bind_is_answered_and_closed(phone: Phone, owner: Owner) -> None:
    owner.status = c.ESME_RBINDFAIL
    phone.send(BIND.numbered(7))
    assert await phone.ended() == bytes.fromhex("00000010800000090000000d00000007")
    await until(lambda: owner.reasons)
    assert (owner.reasons, owner.links) == (["bind_refused"], [])


async def test_an_address_that_is_not_allowed_is_closed_before_an_octet_is_read(
    listener: Listener, owner: Owner
) -> None:
    owner.allowed = False
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(encode(BIND.numbered(1)))
    with contextlib.suppress(ConnectionResetError):  # when it was closed with our octets unread
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert (owner.binds, owner.reasons) == ([], [])


async def test_hundreds_that_call_in_one_moment_are_all_looked_at(listener: Listener, owner: Owner) -> None:
    strangers = [socket.socket() for _ in range(300)]
    for stranger in strangers:
        stranger.setblocking(False)
        stranger.connect_ex(("127.0.0.1", listener.port))  # before the loop can look at any
    async with asyncio.timeout(2):
        while len(owner.reasons) < len(strangers):
            await asyncio.sleep(0.05)
    assert set(owner.reasons) == {"not_bound_in_time"}
    for stranger in strangers:
        stranger.close()


async def test_a_bind_is_decided_while_other_links_go_on(listener: Listener, phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    owner.bind_seconds = 0.2
    slow = Phone(*await asyncio.open_connection("127.0.0.1", listener.port))
    slow.send(BIND.numbered(1))
    await until(lambda: len(owner.binds) == 2)
    phone.send(p.SubmitSm(sequence_number=2))
    assert (await phone.read()).command_status == c.ESME_ROK
    assert len(owner.links) == 1
    assert (await slow.read()).command_status == c.ESME_ROK
    slow.writer.close()


async def test_a_peer_that_leaves_while_its_bind_is_decided_is_never_bound(
    listener: Listener, phone: Phone, owner: Owner
) -> None:
    owner.bind_seconds = 0.2
    phone.send(BIND.numbered(1))
    await until(lambda: owner.binds)
    phone.writer.close()
    await until(lambda: owner.reasons)
    await asyncio.sleep(0.25)
    assert (owner.reasons, owner.links) == (["closed_by_peer"], [])


async def test_an_owner_that_fails_to_decide_refuses(phone: Phone, owner: Owner) -> None:
    async def fail(link: Link, request: p.BindPdu) -> int:
        raise LookupError("no accounts")

    owner.bind = fail  # type: ignore[method-assign]
    phone.send(BIND.numbered(1))
    assert (await phone.read()).command_status == c.ESME_RSYSERR
    await until(lambda: owner.reasons)
    assert (owner.reasons, owner.links) == (["bind_refused"], [])


# --- unbound sockets, odd octets ---


async def test_an_unbound_peer_that_only_sends_enquire_link_is_closed(phone: Phone, owner: Owner) -> None:
    begin = asyncio.get_running_loop().time()
    for number in range(1, 5):
        phone.send(p.EnquireLink(sequence_number=number))
        assert await phone.read() == p.EnquireLinkResp(sequence_number=number)
        await asyncio.sleep(0.05)
    assert await phone.ended() == b""
    assert asyncio.get_running_loop().time() - begin < 0.3 + 0.5
    await until(lambda: owner.reasons)
    assert owner.reasons == ["not_bound_in_time"]


async def test_a_web_browser_is_nacked_and_closed(phone: Phone, owner: Owner) -> None:
    phone.writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert (await phone.ended()).hex() == "00000010800000000000000200000000"
    await until(lambda: owner.reasons)
    assert owner.reasons == ["bad_length"]


async def test_a_pdu_of_4_gib_is_refused_at_its_length(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    phone.writer.write(b"\xff\xff\xff\xff" + b"\0" * 5000)
    assert (await phone.ended()).hex() == "00000010800000000000000200000000"


async def test_a_partial_pdu_closes_a_bound_link(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    phone.writer.write(encode(p.SubmitSm(sequence_number=2))[:-1])
    assert await phone.ended() == b""
    await until(lambda: owner.reasons)
    assert owner.reasons == ["partial_pdu"]


async def test_quirks_are_told_and_the_link_stays(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    phone.writer.write(bytes.fromhex("00000010000001120000000000000009"))
    assert await phone.read() == p.GenericNack(sequence_number=9, command_status=c.ESME_RINVCMDID)
    assert owner.quirks == [QUIRK_UNKNOWN_COMMAND]
    phone.send(p.EnquireLink(sequence_number=10))
    assert await phone.read() == p.EnquireLinkResp(sequence_number=10)


# --- a dialogue ---


async def test_a_peer_submits_and_is_delivered_a_screen(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    owner.on_request = lambda link, pdu: link.respond(pdu, p.SubmitSmResp("42"))
    begin = p.SubmitSm(source_addr="996700123456", destination_addr="*111#", sequence_number=2)
    phone.send(begin)
    assert await phone.read() == p.SubmitSmResp("42", sequence_number=2)
    assert owner.requests == [begin]

    (link,) = owner.links
    link.send(p.DeliverSm(short_message=b"1. Balance"), context="turn 1")
    screen = await phone.read()
    assert isinstance(screen, p.DeliverSm)
    phone.send(p.DeliverSmResp(sequence_number=screen.sequence_number))
    await until(lambda: owner.answers)
    assert owner.answers == [Answered(screen, p.DeliverSmResp(sequence_number=screen.sequence_number), "turn 1")]


async def test_many_answers_of_one_moment_share_a_segment(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    writes: list[int] = []
    (link,) = owner.links
    write = link.transport.write
    link.transport.write = lambda data: (writes.append(len(data)), write(data))[1]  # type: ignore[method-assign]
    phone.send(*(p.SubmitSm(sequence_number=number) for number in range(2, 102)))
    for number in range(2, 102):
        assert (await phone.read()).sequence_number == number
    assert len(writes) <= 3


async def test_a_peer_that_floods_takes_8_kib_of_a_round_of_the_loop_and_no_more(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    reads: list[int] = []
    (link,) = owner.links
    receive = link.dataReceived
    link.dataReceived = lambda data: (reads.append(len(data)), receive(data))[1]  # type: ignore[method-assign]
    phone.send(*(p.SubmitSm(sequence_number=number) for number in range(2, 2002)))
    for _ in range(2000):
        await phone.read()
    assert sum(reads) > 60_000
    assert max(reads) == 8192


async def test_small_writes_do_not_wait_for_each_other(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    assert owner.links[0].transport.getTcpNoDelay()


async def test_a_request_without_an_answer_comes_back_once(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    owner.links[0].send(p.DeliverSm(), context="lost screen")
    await until(lambda: owner.answers)
    assert [(answer.response, answer.context) for answer in owner.answers] == [(None, "lost screen")]
    await asyncio.sleep(0.4)
    assert len(owner.answers) == 1


async def test_what_waits_when_a_peer_hangs_up_comes_back_before_gone(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    (link,) = owner.links
    link.send(p.DeliverSm(), context="a")
    await phone.read()
    phone.writer.close()
    await until(lambda: owner.reasons)
    assert [answer.context for answer in owner.answers] == ["a"]
    assert owner.reasons == ["closed_by_peer"]
    link.respond(p.SubmitSm(sequence_number=9), c.ESME_ROK)  # a turn that ends late harms nobody
    with pytest.raises(WrongState):
        link.send(p.DeliverSm())


# --- the end ---


async def test_an_unbind_of_the_peer_is_answered_flushed_and_closed(phone: Phone, owner: Owner) -> None:
    await bound_phone(phone)
    phone.send(p.SubmitSm(sequence_number=2), p.Unbind(sequence_number=3))
    rest = await phone.ended()
    assert rest == encode(p.SubmitSmResp(sequence_number=2)) + encode(p.UnbindResp(sequence_number=3))
    await until(lambda: owner.reasons)
    assert owner.reasons == ["unbound_by_peer"]


async def test_closing_the_listener_unbinds_its_links(
    reactor: AsyncioSelectorReactor, listener: Listener, phone: Phone, owner: Owner
) -> None:
    await bound_phone(phone)
    closing = asyncio.ensure_future(listener.close())
    unbind = await phone.read()
    assert isinstance(unbind, p.Unbind)
    phone.send(p.UnbindResp(sequence_number=unbind.sequence_number))
    await asyncio.wait_for(closing, 5)
    assert owner.reasons == ["unbound_by_us"]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", listener.port)


async def test_closing_does_not_wait_for_a_peer_that_never_answers(
    listener: Listener, phone: Phone, owner: Owner
) -> None:
    await bound_phone(phone)
    await asyncio.wait_for(listener.close(), 3)
    assert owner.reasons == ["unbind_unanswered"]


async def test_a_peer_that_does_not_read_is_closed_at_the_bound(reactor: AsyncioSelectorReactor, owner: Owner) -> None:
    limits = Limits(unsent_octets_max=1_048_576, window_out=10**6)
    listener = await listen(reactor, "127.0.0.1", 0, owner, limits)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", listener.port))
        deaf.sendall(encode(BIND.numbered(1)))
        await until(lambda: owner.links)
        (link,) = owner.links
        screen = p.DeliverSm(short_message=b"x" * 250)
        sent = 0
        with contextlib.suppress(WrongState):
            while sent < 64 << 20:
                link.send(screen)
                sent += 300
                if sent % 30_000 == 0:
                    await asyncio.sleep(0)
        await until(lambda: owner.reasons)
        assert owner.reasons == ["peer_not_reading"]
        assert 1_048_576 < sent < 16 << 20  # the rest of it lay in the kernel
        assert len(owner.answers) >= sent // 300 - 100
    await listener.close()


async def test_a_busy_port_is_an_error_that_names_it(reactor: AsyncioSelectorReactor, listener: Listener) -> None:
    with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{listener.port}"):
        await listen(reactor, "127.0.0.1", listener.port, Owner(), QUICK)


# --- we call them ---


async def test_we_bind_to_a_centre_and_hold_a_dialogue(
    reactor: AsyncioSelectorReactor, listener: Listener, owner: Owner
) -> None:
    ours = Owner()
    link = await dial(reactor, "127.0.0.1", listener.port, BIND, ours, QUICK)
    assert (link.state, link.peer_ip, ours.links) == (State.BOUND_TRX, "127.0.0.1", [link])
    link.send(p.SubmitSm(destination_addr="*111#"), context="begin")
    await until(lambda: ours.answers)
    assert ours.answers[0].context == "begin"
    assert isinstance(ours.answers[0].response, p.SubmitSmResp)

    owner.links[0].send(p.DeliverSm(short_message=b"1. Balance"))
    await until(lambda: owner.answers)
    assert isinstance(ours.requests[0], p.DeliverSm)
    assert isinstance(owner.answers[0].response, p.DeliverSmResp)

    link.unbind()
    await until(lambda: ours.reasons and owner.reasons)
    assert (ours.reasons, owner.reasons) == (["unbound_by_us"], ["unbound_by_peer"])


async def test_a_bind_that_they_refuse_raises_with_their_status(
    reactor: AsyncioSelectorReactor, listener: Listener, owner: Owner
) -> None:
    owner.status, ours = c.ESME_RALYBND, Owner()
    with pytest.raises(BindRefused, match="ESME_RALYBND") as refused:
        await dial(reactor, "127.0.0.1", listener.port, BIND, ours, QUICK)
    assert refused.value.status == c.ESME_RALYBND
    await until(lambda: owner.reasons)
    assert (ours.links, ours.reasons) == ([], [])


async def test_nobody_there_is_a_connection_error(
    reactor: AsyncioSelectorReactor, free_port: Callable[[], int]
) -> None:
    with pytest.raises(ConnectionError, match="no connection to"):
        await dial(reactor, "127.0.0.1", free_port(), BIND, Owner(), QUICK)


@pytest.mark.parametrize(("hangs_up", "reason"), [(True, "closed_by_peer"), (False, "bind_unanswered")])
async def test_a_centre_that_does_not_answer_the_bind_is_a_connection_error(
    reactor: AsyncioSelectorReactor, hangs_up: bool, reason: str
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (reader.readexactly(16) if hangs_up else reader.read())
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match=reason):
            await dial(reactor, "127.0.0.1", port, BIND, Owner(), QUICK)


@pytest.mark.parametrize("greeting_is_first", [False, True])
async def test_a_server_of_something_else_is_a_connection_error(
    reactor: AsyncioSelectorReactor, monkeypatch: pytest.MonkeyPatch, greeting_is_first: bool
) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await reader.read()
        writer.close()

    connected = smpp.dial._connected

    async def connected_on_a_busy_loop(*arguments: Any) -> Any:
        link = await connected(*arguments)
        await asyncio.sleep(0.05)
        return link

    if greeting_is_first:  # it comes, and ends the link, before our bind can leave
        monkeypatch.setattr("smpp.dial._connected", connected_on_a_busy_loop)
    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match="bad_length"):
            await dial(reactor, "127.0.0.1", port, BIND, Owner(), QUICK)


@pytest.mark.parametrize("host", ["nobody.invalid", "..", "x" * 70])
async def test_a_host_that_is_no_name_is_a_connection_error(reactor: AsyncioSelectorReactor, host: str) -> None:
    with pytest.raises(ConnectionError, match="cannot resolve"):
        await dial(reactor, host, 2775, BIND, Owner(), QUICK)


async def test_a_dial_that_is_cancelled_leaves_no_connection(
    reactor: AsyncioSelectorReactor, listener: Listener, owner: Owner
) -> None:
    owner.bind_seconds = 0.2
    ours = Owner()
    dialling = asyncio.ensure_future(dial(reactor, "127.0.0.1", listener.port, BIND, ours, QUICK))
    await until(lambda: owner.binds)
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
    await until(lambda: owner.reasons)
    assert (ours.links, ours.reasons, owner.links) == ([], [], [])


# --- the guest on the loop ---


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_reactor_serves_on_both_loops_and_leaves_signals_to_them(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def story() -> list[str]:
        reactor = reactor_on(asyncio.get_running_loop())
        theirs, ours = Owner(), Owner()
        listener = await listen(reactor, "127.0.0.1", 0, theirs, QUICK)
        link = await dial(reactor, "127.0.0.1", listener.port, BIND, ours, QUICK)
        link.send(p.SubmitSm())
        await until(lambda: ours.answers)
        await listener.close()
        await until(lambda: ours.reasons)
        return ours.reasons

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(story()) == ["unbound_by_peer"]


def test_no_global_reactor_is_installed() -> None:
    program = "import sys, smpp.listen, smpp.dial, smpp.reactor; print('twisted.internet.reactor' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
