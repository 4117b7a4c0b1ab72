"""Links of every sort at one running engine: how many binds, TLS, outbind, a wrong password, a shared rate."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from OpenSSL import SSL

from smpp import constants as c
from smpp.codec import decode, encode
from smpp.dial import dial
from smpp.errors import BindRefused
from smpp.fake_smsc import Account, FakeSmsc
from smpp.limits import Limits
from smpp.link import Link
from smpp.pdu import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    Outbind,
    Pdu,
    Tlv,
)
from smpp.reactor import reactor_on
from smpp.tls import client_options
from stack.programs import start_engine, stop_program
from stack.settings import Listen, read_settings
from tests.centre_for_tests import Centre
from tests.conftest import RunningStack, engine_like
from tests.own_engine import OwnEngine
from tests.unit.smpp.test_tls import Authority, Identity

NAME = "linked"
HASH = "$argon2id$v=19$m=19456,t=2,p=1$AFalUBhzQA/r6rwxSztd6A$PTFwAfeCiX23bzxAYwo7T8epfy9BahgMz1MGtTeLPZc"
IDLE_SECONDS = 10  # the least that an engine takes
ASKS, LAST = 2, 17  # ussd_service_op of a screen that waits for an answer, and of the last one
LOST_NUMBER = "77010000921"
TOO_OFTEN = "Сұраныс тым көп. Кейінірек қайталаңыз."
UNKNOWN_COMMAND = bytes.fromhex("00000010 00007777 00000000 00000063")
RECEIPT = b"id:1 sub:001 dlvrd:001 submit date:2601011200 done date:2601011200 stat:DELIVRD err:000 text:"


def server_link(name: str, more: str = "") -> str:
    """A link whose peer binds to us as NAME / secret."""
    return (
        f"    {name}: {{role: server, network: kcell, dialect: standard, trust: operator, system_id: {name},"
        f' demo: true, allowed_from: [127.0.0.1/32], password_hash: "{HASH}"{more}}}\n'
    )


def client_link(name: str, port: int, more: str = "") -> str:
    """A link by which we bind to a centre as engine / secret."""
    return (
        f"    {name}: {{role: client, address: '127.0.0.1:{port}', system_id: engine, password_file: linked.password,"
        f" network: kcell, dialect: standard, trust: operator{more}}}\n"
    )


def links(refusing: int, nobody: int) -> str:
    return "".join(
        (
            server_link("capped", ", binds_max: 4"),
            server_link("secure", ", tls: true, client_certificate: good"),
            server_link("slow", ", limits: {per_second: 2}"),
            server_link("asked", ", limits: {enquire_idle_seconds: 0.2}"),
            server_link("eager", ", floods: {starts_a_minute_max: 2}"),
            server_link("rated", ", floods: {per_second: 1}"),
            server_link("polite", ", floods: {per_second: 1}, dialect_fields: {when_busy: screen}"),
            server_link("narrow", ", floods: {turns_max: 2}"),
            server_link("fragile"),
            server_link("double"),
            client_link("refused", refusing),
            client_link("called", nobody, ", outbind: {allowed_from: [127.0.0.1/32], system_id: smsc}"),
        )
    )


class Linked(NamedTuple):
    """The engine, and what its peers over TLS need."""

    own: OwnEngine
    tls_port: int
    authority: Authority
    good: Identity
    other: Identity

    @property
    def plain(self) -> Listen:
        return self.own.settings.engine_smpp

    async def metrics(self) -> str:
        return await asyncio.to_thread(self.own.metrics)

    def records(self) -> list[dict[str, Any]]:
        """What has been recorded, in files that are being written or are whole."""
        files = sorted((self.own.menus / "records").glob(f"{NAME}.*"))
        read = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return [each for each in read if isinstance(each, dict)]  # the last number that was given has a file, too

    def causes(self, number: str) -> list[str]:
        return [record["cause"] for record in self.records() if record.get("msisdn") == number]


class Peer(Centre):
    """A bind of any account, with or without TLS."""

    async def come(self, engine: Linked, system_id: str, shown: Identity | None = None) -> Link:
        request = BindTransceiver(system_id=system_id, password="secret", interface_version=0x34)
        tls = shown and client_options("localhost", engine.authority.file, shown.certificate, shown.key)
        port = engine.tls_port if shown else engine.plain.port
        reactor = reactor_on(asyncio.get_running_loop())
        self.link = await dial(reactor, "127.0.0.1", port, request, self, Limits(window_out=100), tls)
        return self.link


class Caller:
    """A peer that writes its octets by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def call(cls, engine: Linked) -> Caller:
        return cls(*await asyncio.open_connection(engine.plain.host, engine.plain.port))

    def say(self, what: Pdu | bytes) -> None:
        self._writer.write(what if isinstance(what, bytes) else encode(what))

    async def hear(self) -> Pdu:
        head = await asyncio.wait_for(self._reader.readexactly(4), 5)
        return decode(head + await asyncio.wait_for(self._reader.readexactly(int.from_bytes(head, "big") - 4), 5))

    async def hear_the_end(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(), 3)

    def hang_up(self) -> None:
        self._writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def refusing() -> AsyncIterator[FakeSmsc]:
    """A centre that does not know the engine's password."""
    async with FakeSmsc(reactor_on(asyncio.get_running_loop()), Account("engine", "secret")) as smsc:
        smsc.bind_status = c.ESME_RINVPASWD
        yield smsc


@pytest.fixture(scope="module")
def engine(
    running_stack: RunningStack,
    refusing: FakeSmsc,
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Linked]:
    """One engine with all these links."""
    folder = tmp_path_factory.mktemp(NAME).resolve()
    authority, port = Authority(folder, "ours"), free_port()
    mine = authority.identity("engine")
    changes = {
        "  limits: {}  ": f"  smpp_tls: {{listen: 127.0.0.1:{port}, certificate_file: {mine.certificate},"
        f" key_file: {mine.key}, client_ca_file: {authority.file}}}\n  limits: {{}}  ",
        "    kcell-ussdc:\n": links(refusing.port, free_port()) + "    kcell-ussdc:\n",
        "idle_seconds: 180 ": f"idle_seconds: {IDLE_SECONDS} ",
        "folder: .data/records ": f"folder: {folder / 'records'} ",
    }
    config = engine_like(running_stack, NAME, free_port, changes)
    (config.parent / "linked.password").write_text("secret\n")
    child = start_engine(config)
    own = OwnEngine(read_settings(config), folder, child)
    try:
        yield Linked(own, port, authority, authority.identity("good"), authority.identity("other"))
    finally:
        stop_program(child)


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _lost_link(engine: Linked) -> None:
    """A dialogue loses the only bind of its link, at once: what becomes of it is known much later."""
    peer = Peer()
    await peer.come(engine, "fragile")
    peer.type("*111#", 1, LOST_NUMBER)
    assert (await peer.screen())[1] == ASKS
    cut(peer)


@pytest_asyncio.fixture(loop_scope="session")
async def come(engine: Linked) -> AsyncIterator[Callable[..., Awaitable[Peer]]]:
    """Binds as an account; what is bound when the test is over is cut."""
    peers: list[Peer] = []

    async def bind(system_id: str, shown: Identity | None = None) -> Peer:
        peer = Peer()
        await peer.come(engine, system_id, shown)
        peers.append(peer)
        return peer

    yield bind
    for peer in peers:
        cut(peer)
    await asyncio.sleep(0.05)


Come = Callable[..., Awaitable[Peer]]


def cut(peer: Peer) -> None:
    assert peer.link is not None
    peer.link.abort("cut by the test")


async def until_metric(engine: Linked, line: str, seconds: float = 5.0) -> str:
    deadline = time.monotonic() + seconds
    while line not in (found := await engine.metrics()):
        assert time.monotonic() < deadline, f"no '{line}' in the metrics"
        await asyncio.sleep(0.05)
    return found


async def until_cause(engine: Linked, number: str, seconds: float) -> list[str]:
    deadline = time.monotonic() + seconds
    while not (found := engine.causes(number)):
        assert time.monotonic() < deadline, f"no record of {number}"
        await asyncio.sleep(0.1)
    return found


# --- binds of an account ---


async def test_a_bind_more_than_the_account_may_have_is_refused_as_already_bound(engine: Linked, come: Come) -> None:
    for _ in range(4):
        await come("capped")
    with pytest.raises(BindRefused) as caught:
        await come("capped")
    assert caught.value.status == c.ESME_RALYBND
    await until_metric(engine, 'smpp_binds{link="capped"} 4.0')


async def test_after_an_unbind_another_bind_of_the_account_is_let_in(engine: Linked, come: Come) -> None:
    await until_metric(engine, 'smpp_binds{link="capped"} 0.0')
    peers = [await come("capped") for _ in range(4)]
    link = peers[0].link
    assert link is not None
    link.unbind()
    await until_metric(engine, 'smpp_binds{link="capped"} 3.0')
    peer = await come("capped")
    peer.type("*111*3#", 1, "77010000901")
    assert (await peer.screen())[1] == LAST


# --- outbind ---


async def outbound(engine: Linked) -> Caller:
    """A centre that has called the engine, and to which the engine is bound."""
    caller = await Caller.call(engine)
    caller.say(Outbind(system_id="smsc", password="any"))
    request = await caller.hear()
    assert isinstance(request, BindReceiver)
    assert (request.system_id, request.password) == ("engine", "secret")
    caller.say(BindReceiverResp(system_id="smsc", sequence_number=request.sequence_number))
    await until_metric(engine, 'smpp_binds{link="called"} 1.0')
    return caller


async def test_a_centre_that_calls_is_bound_to_and_delivers_a_receipt(engine: Linked) -> None:
    caller = await outbound(engine)
    caller.say(
        DeliverSm(
            source_addr="77010000902", destination_addr="111", esm_class=4, short_message=RECEIPT, sequence_number=7
        )
    )
    answer = await caller.hear()
    caller.hang_up()
    assert isinstance(answer, DeliverSmResp)
    assert (answer.command_status, answer.sequence_number) == (c.ESME_ROK, 7)
    await until_metric(engine, 'smpp_binds{link="called"} 0.0')


async def test_a_centre_that_calls_delivers_what_a_handset_dials(engine: Linked) -> None:
    caller = await outbound(engine)
    op = Tlv(c.TAG_USSD_SERVICE_OP, b"\x01")
    caller.say(
        DeliverSm(
            service_type="USSD", source_addr_ton=1, source_addr_npi=1, source_addr="77010000904",
            destination_addr="*111#", short_message=b"*111*3#", tlvs=(op,), sequence_number=8,
        )
    )  # fmt: skip
    answer = await caller.hear()
    caller.hang_up()
    assert isinstance(answer, DeliverSmResp)
    assert (answer.command_status, answer.sequence_number) == (c.ESME_ROK, 8)
    await until_metric(engine, 'smpp_binds{link="called"} 0.0')


async def test_a_centre_that_calls_under_another_name_is_closed(engine: Linked) -> None:
    caller = await Caller.call(engine)
    caller.say(Outbind(system_id="stranger", password="any"))
    left = await caller.hear_the_end()
    caller.hang_up()
    assert c.BIND_RECEIVER.to_bytes(4, "big") not in left


# --- TLS ---


async def test_a_dialogue_goes_over_tls(engine: Linked, come: Come) -> None:
    peer = await come("secure", engine.good)
    peer.type("*111*3#", 1, "77010000903")
    text, op = await peer.screen()
    assert text.startswith(("Баланс: ", "Balance: "))
    assert op == LAST


async def test_an_account_for_tls_is_refused_without_it(come: Come) -> None:
    with pytest.raises(BindRefused) as caught:
        await come("secure")
    assert caught.value.status == c.ESME_RBINDFAIL


async def test_a_certificate_of_another_name_is_refused(engine: Linked, come: Come) -> None:
    with pytest.raises(BindRefused) as caught:
        await come("secure", engine.other)
    assert caught.value.status == c.ESME_RBINDFAIL


async def test_a_certificate_that_nobody_of_ours_has_signed_is_closed_before_the_bind(
    engine: Linked, come: Come, tmp_path_factory: pytest.TempPathFactory
) -> None:
    forged = Authority(tmp_path_factory.mktemp("forged"), "theirs").identity("good")
    with pytest.raises((ConnectionError, SSL.Error)) as caught:
        await come("secure", forged)
    assert not isinstance(caught.value, BindRefused)


# --- our own account ---


async def test_a_password_of_ours_that_is_refused_is_an_alarm(engine: Linked, refusing: FakeSmsc) -> None:
    await until_metric(engine, 'smpp_wrong_account{link="refused"} 1.0', 10)
    done = await asyncio.to_thread(engine.own.command, "links", "--json")
    told = {each["link"]: each for each in json.loads(done.stdout)["links"]}
    assert told["refused"]["wrong_account"] is True
    assert told["called"]["wrong_account"] is False
    assert len(refusing.bind_requests) == 1  # and is not tried again and again


# --- rate ---


async def test_the_binds_of_a_link_share_its_rate_and_no_screen_is_lost(come: Come) -> None:
    peers = [await come("slow"), await come("slow")]
    begun, came = time.monotonic(), list[float]()

    async def screens(peer: Peer) -> None:
        for _ in range(4):
            assert (await peer.screen())[1] == LAST
            came.append(time.monotonic() - begun)

    for number in range(8):
        peers[number % 2].type("*111*3#", 1, f"7701000091{number}")
    await asyncio.gather(*(screens(peer) for peer in peers))
    came.sort()
    assert len(came) == 8
    # Two may leave at once, and then one each half second.
    for number, seconds in enumerate(came):
        assert seconds >= (number - 1) * 0.5 - 0.1, came
    assert came[-1] < 5, came


# --- dialogues of a link that goes ---


async def test_a_dialogue_goes_on_when_one_of_two_binds_is_cut(engine: Linked, come: Come) -> None:
    number = "77010000920"
    first, second = await come("double"), await come("double")
    first.type("*111#", 1, number)
    assert (await first.screen())[1] == ASKS
    cut(first)
    await until_metric(engine, 'smpp_binds{link="double"} 1.0')
    second.type("3", 18, number)
    assert (await second.screen())[1] == LAST
    assert await until_cause(engine, number, 3) == ["ended"]


# --- metrics ---


async def test_an_unknown_command_is_counted_for_its_link(engine: Linked) -> None:
    caller = await Caller.call(engine)
    caller.say(BindTransceiver(system_id="asked", password="secret", interface_version=0x34, sequence_number=1))
    assert isinstance(await caller.hear(), BindTransceiverResp)
    caller.say(UNKNOWN_COMMAND)
    nack = await caller.hear()
    assert isinstance(nack, GenericNack)
    assert (nack.command_status, nack.sequence_number) == (c.ESME_RINVCMDID, 0x63)
    caller.hang_up()
    await until_metric(engine, 'smpp_quirks_total{kind="unknown_command",link="asked"} 1.0')


async def test_an_unknown_command_of_who_has_not_bound_is_counted_for_no_link(engine: Linked) -> None:
    caller = await Caller.call(engine)
    caller.say(UNKNOWN_COMMAND)
    assert isinstance(await caller.hear(), GenericNack)
    caller.hang_up()
    await until_metric(engine, 'smpp_quirks_total{kind="unknown_command",link=""} 1.0')


async def test_round_trips_of_enquire_link_are_measured(engine: Linked, come: Come) -> None:
    await come("asked")
    deadline = time.monotonic() + 5
    while 'smpp_enquire_link_seconds_count{link="asked"} 0.0' in await engine.metrics():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert 'smpp_enquire_link_seconds_count{link="asked"} ' in await engine.metrics()


async def test_rates_and_requests_in_flight_are_shown_by_link(engine: Linked, come: Come) -> None:
    await come("slow")
    found = await until_metric(engine, 'smpp_in_flight{link="slow"} 0.0')
    assert 'smpp_rate_per_second{link="slow"} 2.0' in found
    assert 'smpp_rate_per_second{link="fragile"} 0.0' in found


# --- the last, because an engine ends a silent dialogue after ten seconds and more ---


async def test_a_dialogue_whose_link_is_gone_has_one_record_that_says_so(engine: Linked) -> None:
    assert await until_cause(engine, LOST_NUMBER, IDLE_SECONDS + 8) == ["link_lost"]
    await asyncio.sleep(0.5)
    assert engine.causes(LOST_NUMBER) == ["link_lost"]
    lines = [json.loads(line) for line in engine.own.child.log.read_text().splitlines() if '"link_lost"' in line]
    assert [line["event"] for line in lines if line["link"] == "fragile"] == ["dialogue"]


# --- floods ---


async def statuses(peer: Peer, count: int) -> list[str]:
    answers = [await asyncio.wait_for(peer.answers.get(), 5) for _ in range(count)]
    return [c.status_name(answer.command_status) for answer in answers]


async def test_a_number_that_dials_without_end_is_told_so_and_others_are_served(
    come: Callable[..., Awaitable[Peer]],
) -> None:
    peer = await come("eager")
    screens = []
    for number in (*["77010000931"] * 3, "77010000932"):
        peer.type("*111#", 1, number)
        screens.append((await peer.screen())[0])
    assert [text == TOO_OFTEN for text in screens] == [False, False, True, False]
    peer.type("9", 18, "77010000931")  # the dialogue that it has goes on
    assert (await peer.screen())[0] != TOO_OFTEN


async def test_a_link_that_begins_more_than_its_rate_is_throttled_and_its_dialogues_go_on(
    come: Callable[..., Awaitable[Peer]],
) -> None:
    peer = await come("rated")
    for number in ("77010000933", "77010000934"):
        peer.type("*111#", 1, number)
    assert await statuses(peer, 2) == ["ESME_ROK", "ESME_RTHROTTLED"]
    await peer.screen()
    await asyncio.sleep(1.1)  # a peer that was throttled slows down
    peer.type("*111#", 1, "77010000934")
    peer.type("9", 18, "77010000933")
    assert await statuses(peer, 2) == ["ESME_ROK"] * 2


async def test_where_the_dialect_wants_it_too_much_is_answered_with_a_screen(
    come: Callable[..., Awaitable[Peer]],
) -> None:
    peer = await come("polite")
    for number in ("77010000935", "77010000936"):
        peer.type("*111#", 1, number)
    assert await statuses(peer, 2) == ["ESME_ROK", "ESME_ROK"]
    screens = {await peer.screen() for _ in range(2)}
    assert ("Қазір жүктеме көп. Бір минуттан соң қайталаңыз.", LAST) in screens


async def test_a_link_has_so_many_turns_at_a_time_and_no_more(come: Callable[..., Awaitable[Peer]]) -> None:
    narrow, other = await come("narrow"), await come("double")
    for n in range(4):
        narrow.type("*111#", 1, f"7701000094{n}")
    other.type("*111#", 1, "77010000945")
    assert sorted(await statuses(narrow, 4)) == ["ESME_ROK"] * 2 + ["ESME_RTHROTTLED"] * 2
    assert await statuses(other, 1) == ["ESME_ROK"]
