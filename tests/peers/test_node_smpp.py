"""node-smpp, which knows nothing of us: a centre that we bind to, and a client that binds to us."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import cast

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp import pdu as p
from smpp.errors import BindRefused
from smpp.fake_smsc import FakeSmsc
from smpp.limits import Limits
from smpp.link import Link
from smpp.receipt import MessageState, read_receipt
from smpp.segments import Joiner, split
from smpp.text import decode_text, encode_ucs2
from smpp.upstream import Upstream
from tests.peers.conftest import Owner, Until
from tests.peers.driven_peer import DrivenPeer

ABAI = "77010000007"
LONG = "Ваш баланс: 1 234,50 ₸. " * 8
LONG_GSM = "Balance {1} [2] ~3~ 5 € | " * 20


def upstream_to(port: int, reactor: AsyncioSelectorReactor, owner: Owner, password: str = "secret") -> Upstream:
    return Upstream(
        reactor,
        "node",
        "127.0.0.1",
        port,
        p.BindTransceiver("engine", password),
        owner,
        Limits(unbind_answer_seconds=1),
        binds=1,
        random=random.Random(1).random,
        clock=time.time,
    )


@pytest.fixture
async def upstream(
    node: DrivenPeer, reactor: AsyncioSelectorReactor, owner: Owner, until: Until
) -> AsyncIterator[Upstream]:
    """We are bound to node-smpp as a centre."""
    upstream = upstream_to(await node.listening(), reactor, owner)
    upstream.start()
    await until(lambda: owner.links)
    yield upstream
    await asyncio.wait_for(upstream.close(), 5)
    assert owner.quirks == []


@pytest.fixture
def link(upstream: Upstream) -> Link:
    return upstream.links[0]


# --- it is the centre ---


async def test_we_bind_to_it_and_unbind(node: DrivenPeer, upstream: Upstream, owner: Owner) -> None:
    bind = await node.request("bind_transceiver")
    assert (bind["system_id"], bind["interface_version"]) == ("engine", 0x34)
    assert "password" not in bind
    await upstream.close()
    await node.request("unbind")
    await node.event("closed")
    assert owner.reasons == ["unbound_by_us"]


async def test_a_dialogue_runs_over_it(node: DrivenPeer, link: Link, owner: Owner, until: Until) -> None:
    def send(text: str, op: int) -> None:
        fields = {"source_addr": ABAI, "destination_addr": "*111*3#", "ussd_service_op": op, "short_message": text}
        node.do("send", command="deliver_sm", fields={**fields, "data_coding": 0, "service_type": "USSD"}, tag=op)

    def show(text: str, op: int) -> None:
        tlvs = (p.Tlv(c.TAG_USSD_SERVICE_OP, bytes((op,))),)
        link.send(p.SubmitSm(destination_addr=ABAI, data_coding=8, short_message=encode_ucs2(text), tlvs=tlvs))

    send("*111*3#", 1)
    assert (await node.event("response", "deliver_sm_resp"))["pdu"]["command_status"] == 0
    begin = cast("p.DeliverSm", owner.requests[0])
    assert (begin.source_addr, begin.destination_addr, begin.short_message) == (ABAI, "*111*3#", b"*111*3#")
    assert p.find_tlv(begin, c.TAG_USSD_SERVICE_OP) == b"\x01"

    show("1. Баланс: 5 ₸", 2)
    screen = await node.request("submit_sm")
    assert (screen["ussd_service_op"], screen["short_message"]["message"]) == (2, "1. Баланс: 5 ₸")
    await until(lambda: owner.answers)
    assert owner.answers == [p.SubmitSmResp("1", sequence_number=cast("p.Pdu", owner.answers[0]).sequence_number)]

    send("1 {€}", 18)
    await until(lambda: len(owner.requests) == 2)
    reply = cast("p.DeliverSm", owner.requests[1])
    assert decode_text(reply.short_message, reply.data_coding, "gsm") == "1 {€}"
    show("Рахмет!", 17)
    assert (await node.request("submit_sm"))["ussd_service_op"] == 17


async def test_its_refusal_reaches_who_sent(node: DrivenPeer, link: Link, owner: Owner, until: Until) -> None:
    node.do("answer", status=c.ESME_RTHROTTLED)
    await asyncio.sleep(0.1)
    link.send(p.SubmitSm(destination_addr=ABAI))
    await until(lambda: owner.answers)
    assert cast("p.Pdu", owner.answers[0]).command_status == c.ESME_RTHROTTLED


async def test_a_wrong_password_is_its_to_refuse(
    node: DrivenPeer, reactor: AsyncioSelectorReactor, owner: Owner, until: Until
) -> None:
    upstream = upstream_to(await node.listening(), reactor, owner, password="wrong")
    upstream.start()
    await until(lambda: owner.errors)
    await upstream.close()
    (error,) = owner.errors
    assert isinstance(error, BindRefused)
    assert error.status == c.ESME_RINVPASWD


async def test_a_connection_that_it_cuts_is_bound_again(
    node: DrivenPeer, upstream: Upstream, owner: Owner, until: Until
) -> None:
    await node.request("bind_transceiver")
    node.do("cut")
    await until(lambda: owner.reasons)
    await node.request("bind_transceiver")
    await until(lambda: owner.links)


async def test_an_unbind_of_its_is_answered(node: DrivenPeer, link: Link, owner: Owner, until: Until) -> None:
    node.do("unbind")
    await until(lambda: owner.reasons)
    assert owner.reasons == ["unbound_by_peer"]


@pytest.mark.parametrize("text", [LONG, LONG_GSM])
async def test_it_reads_the_parts_of_our_long_sms(node: DrivenPeer, link: Link, text: str) -> None:
    parts = split(text, 7)
    for part in parts:
        link.send(p.SubmitSm(destination_addr=ABAI, **part._asdict()))
    read = [(await node.request("submit_sm"))["short_message"] for _ in parts]
    assert "".join(message["message"] for message in read) == text
    assert [message["udh"] for message in read] == [[f"000307{len(parts):02x}{n + 1:02x}"] for n in range(len(parts))]


@pytest.mark.parametrize(("text", "coding"), [(LONG, 8), (LONG_GSM, 0)])
async def test_we_read_the_parts_of_its_long_sms(
    node: DrivenPeer, link: Link, owner: Owner, until: Until, text: str, coding: int
) -> None:
    size = 60  # fewer than fit: its cuts are not ours
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    for number, piece in enumerate(pieces, 1):
        message = {"udh": {"hex": f"05000309{len(pieces):02x}{number:02x}"}, "message": piece}
        fields = {"source_addr": ABAI, "data_coding": coding, "short_message": message}
        node.do("send", command="deliver_sm", fields=fields)
    await until(lambda: len(owner.requests) == len(pieces))
    joiner = Joiner("gsm")
    texts = [joiner.add(ABAI, "", cast("p.DeliverSm", pdu), 0.0) for pdu in owner.requests]
    assert texts == [None] * (len(pieces) - 1) + [text]


async def test_we_read_its_receipts(node: DrivenPeer, link: Link, owner: Owner, until: Until) -> None:
    text = "id:17 sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:DELIVRD err:000 text:Hi"
    fields = {"esm_class": 4, "short_message": text, "receipted_message_id": "11", "message_state": 2}
    node.do("send", command="deliver_sm", fields={"source_addr": ABAI, **fields})
    await until(lambda: owner.requests)
    receipt = read_receipt(owner.requests[0])
    assert receipt is not None
    assert (receipt.message_id, receipt.text_id, receipt.state) == ("11", "17", MessageState.DELIVERED)
    assert (receipt.text, receipt.source, receipt.is_final) == ("Hi", ABAI, True)


# --- it is the client ---


@pytest.fixture
async def smsc(reactor: AsyncioSelectorReactor) -> AsyncIterator[FakeSmsc]:
    async with FakeSmsc(reactor) as opened:
        yield opened


def connect(node: DrivenPeer, smsc: FakeSmsc, bind: str = "bind_transceiver", password: str = "secret") -> None:
    fields = {"system_id": "engine", "password": password, "interface_version": 0x34}
    node.do("connect", host="127.0.0.1", port=smsc.port, bind=bind, fields=fields)


async def test_it_binds_to_us_and_serves_a_dialogue(node: DrivenPeer, smsc: FakeSmsc) -> None:
    connect(node, smsc)
    bound = await node.event("bound")
    assert (bound["status"], bound["pdu"]["system_id"], bound["pdu"]["sc_interface_version"]) == (0, "fake-smsc", 0x34)
    phone = smsc.handset(ABAI)
    phone.begin("*111#")
    begin = await node.request("deliver_sm")
    assert (begin["ussd_service_op"], begin["short_message"]["message"]) == (1, "*111#")
    fields = {"destination_addr": ABAI, "ussd_service_op": 2, "short_message": "Тіл / язык", "data_coding": 8}
    node.do("send", command="submit_sm", fields=fields, tag="screen")
    screen = await phone.screen()
    assert (screen.text, screen.ends) == ("Тіл / язык", False)
    answer = await node.event("response", "submit_sm_resp")
    assert (answer["tag"], answer["pdu"]["message_id"]) == ("screen", "1")
    node.do("unbind")
    await node.event("closed")
    await smsc.until_bound(0)


@pytest.mark.parametrize(("bind", "password", "status"), [("bind_transmitter", "wrong", c.ESME_RINVPASWD)])
async def test_it_is_refused_with_a_wrong_password(
    node: DrivenPeer, smsc: FakeSmsc, bind: str, password: str, status: int
) -> None:
    connect(node, smsc, bind, password)
    assert (await node.event("bound"))["status"] == status
    await node.event("closed")
