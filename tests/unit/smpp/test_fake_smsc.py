"""The scripted centre, tested with a small ESME of our own: when it behaves, and when it is told not to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp import pdu as p
from smpp.dial import dial
from smpp.errors import BindRefused
from smpp.fake_smsc import Account, FakeSmsc, NotServed, Treatment
from smpp.limits import Limits
from smpp.link import Link
from smpp.receipt import IdPolicy, MessageState, read_receipt
from smpp.segments import Joiner, split
from smpp.text import encode_ucs2

ABAI = "77010000007"
LIMITS = Limits(window_out=100, ussd_response_seconds=0.3, unbind_answer_seconds=0.3)


class Esme:
    """A service that echoes what is typed, in capitals, and ends the dialogue at `0`."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.heard: list[p.DeliverSm] = []
        self.answers: list[p.Pdu | None] = []
        self.reasons: list[str] = []
        self.status = c.ESME_ROK
        self.echoes = True

    def request(self, link: Link, pdu: p.Pdu) -> None:
        assert isinstance(pdu, p.DeliverSm)
        self.heard.append(pdu)
        link.respond(pdu, self.status)
        if self.echoes and not self.status and p.find_tlv(pdu, c.TAG_USSD_SERVICE_OP) in (b"\x01", b"\x12"):
            ends = pdu.short_message == b"0"
            self.show(pdu.source_addr, pdu.short_message.decode().upper(), 17 if ends else 2)

    def response(self, link: Link, request: p.Pdu, response: p.Pdu | None, context: object) -> None:
        self.answers.append(response)

    def quirk(self, link: Link, kind: str) -> None:
        raise AssertionError(kind)

    def bound(self, link: Link) -> None:
        self.link = link

    def gone(self, link: Link, reason: str) -> None:
        self.reasons.append(reason)

    def show(self, number: str, text: str, op: int = 2) -> None:
        tlvs = (p.Tlv(c.TAG_USSD_SERVICE_OP, bytes((op,))),)
        self.submit(p.SubmitSm(destination_addr=number, short_message=text.encode(), tlvs=tlvs))

    def submit(self, pdu: p.Pdu) -> None:
        assert self.link is not None
        self.link.send(pdu)

    def sms(self, number: str, text: str, reference: int = 1) -> None:
        for part in split(text, reference):
            self.submit(p.SubmitSm(source_addr="111", destination_addr=number, registered_delivery=1, **part._asdict()))

    async def answered(self, count: int = 1) -> list[p.Pdu | None]:
        async with asyncio.timeout(5):
            while len(self.answers) < count:
                await asyncio.sleep(0.005)
        return self.answers


@pytest.fixture
async def smsc(reactor: AsyncioSelectorReactor) -> AsyncIterator[FakeSmsc]:
    async with FakeSmsc(reactor) as opened:
        yield opened


Bind = Callable[..., Awaitable[Esme]]


@pytest.fixture
async def bind(reactor: AsyncioSelectorReactor, smsc: FakeSmsc) -> Bind:
    async def bound(request: p.BindPdu | None = None) -> Esme:
        esme = Esme()
        await dial(reactor, "127.0.0.1", smsc.port, request or p.BindTransceiver("engine", "secret"), esme, LIMITS)
        return esme

    return bound


@pytest.fixture
async def esme(bind: Bind) -> Esme:
    return await bind()


# --- handsets ---


async def test_a_dialogue_runs_from_the_dialled_code_to_the_last_screen(smsc: FakeSmsc, esme: Esme) -> None:
    phone = smsc.handset(ABAI)
    screen = await phone.dial("*abc#")
    assert (screen.text, screen.ends, screen.op) == ("*ABC#", False, 2)
    assert (await phone.send("yes")).text == "YES"
    last = await phone.send("0")
    assert (last.text, last.ends) == ("0", True)
    begin, *replies = esme.heard
    assert (begin.source_addr, begin.destination_addr, begin.short_message) == (ABAI, "*abc#", b"*abc#")
    assert [p.find_tlv(pdu, c.TAG_USSD_SERVICE_OP) for pdu in esme.heard] == [b"\x01", b"\x12", b"\x12"]
    assert {pdu.destination_addr for pdu in replies} == {"*abc#"}


async def test_handsets_do_not_see_each_others_screens(smsc: FakeSmsc, esme: Esme) -> None:
    phones = [smsc.handset(f"7701000000{n}") for n in range(10)]
    screens = await asyncio.gather(*(phone.dial(f"*a{n}#") for n, phone in enumerate(phones)))
    assert [screen.text for screen in screens] == [f"*A{n}#" for n in range(10)]


async def test_a_screen_is_read_as_its_data_coding_says(smsc: FakeSmsc, esme: Esme) -> None:
    esme.echoes = False
    phone = smsc.handset(ABAI)
    phone.begin("*111#")
    esme.submit(
        p.SubmitSm(
            destination_addr=ABAI,
            data_coding=8,
            short_message=encode_ucs2("Ваш баланс: 5 ₸"),
            tlvs=(p.Tlv(c.TAG_USSD_SERVICE_OP, b"\x02"),),
        )
    )
    assert (await phone.screen()).text == "Ваш баланс: 5 ₸"


async def test_a_text_outside_gsm_is_typed_in_ucs2(smsc: FakeSmsc, esme: Esme) -> None:
    esme.echoes = False
    phone = smsc.handset(ABAI)
    phone.begin("*111#")
    phone.reply("ы")
    esme.show(ABAI, "ok")
    await phone.screen()
    assert (esme.heard[-1].data_coding, esme.heard[-1].short_message) == (8, b"\x04\x4b")


async def test_hanging_up_is_an_abort_that_nothing_answers(smsc: FakeSmsc, esme: Esme) -> None:
    phone = smsc.handset(ABAI)
    await phone.dial("*a#")
    phone.hang_up()
    with pytest.raises(NotServed, match=r"no screen for 77010000007 in 0\.1 s"):
        await phone.screen(0.1)
    assert p.find_tlv(esme.heard[-1], c.TAG_USSD_SERVICE_OP) == b"\x81"


async def test_a_push_is_shown_and_answered(smsc: FakeSmsc, esme: Esme) -> None:
    phone = smsc.handset(ABAI)
    esme.show(ABAI, "Note", op=3)
    screen = await phone.screen()
    assert (screen.text, screen.op, screen.ends) == ("Note", 3, False)
    phone.confirm()
    esme.show(ABAI, "Sure?", op=2)
    assert (await phone.screen()).text == "Sure?"
    assert (await phone.send("0")).ends
    assert [p.find_tlv(pdu, c.TAG_USSD_SERVICE_OP) for pdu in esme.heard] == [b"\x13", b"\x12"]


async def test_a_vendors_parameters_go_along_with_all_that_a_handset_sends(smsc: FakeSmsc, esme: Esme) -> None:
    session = p.Tlv(c.TAG_ITS_SESSION_INFO, b"\x07\x02")
    phone = smsc.handset(ABAI, session)
    await phone.dial("*a#")
    await phone.send("1")
    assert [pdu.tlvs[-1] for pdu in esme.heard] == [session, session]


async def test_an_esme_that_refuses_is_told_to_who_dialled(smsc: FakeSmsc, esme: Esme) -> None:
    esme.status = c.ESME_RTHROTTLED
    with pytest.raises(NotServed, match="ESME_RTHROTTLED") as refused:
        await smsc.handset(ABAI).dial("*a#")
    assert refused.value.status == c.ESME_RTHROTTLED


async def test_a_screen_for_a_number_without_a_handset_is_kept(smsc: FakeSmsc, esme: Esme) -> None:
    esme.show("77010000008", "lost")
    await esme.answered()
    assert [screen.text for screen in smsc.stray_screens] == ["lost"]


async def test_nobody_bound_serves_nobody(smsc: FakeSmsc, bind: Bind) -> None:
    with pytest.raises(NotServed, match="nobody is bound"):
        await smsc.handset(ABAI).dial("*a#")
    await bind(p.BindTransmitter("engine", "secret"))
    with pytest.raises(NotServed, match="nobody is bound"):
        await smsc.handset(ABAI).dial("*a#")


async def test_dialogues_are_dealt_out_over_the_binds_and_each_stays_on_its_own(smsc: FakeSmsc, bind: Bind) -> None:
    first, second = await bind(), await bind()
    for number in (ABAI, "77010000008"):
        phone = smsc.handset(number)
        await phone.dial("*a#")
        await phone.send("1")
    assert [[pdu.source_addr for pdu in esme.heard] for esme in (first, second)].count([ABAI] * 2) == 1
    assert {len(first.heard), len(second.heard)} == {2}


# --- SMS ---


async def test_a_long_sms_is_kept_whole_with_the_ids_of_its_parts(smsc: FakeSmsc, esme: Esme) -> None:
    text = "Уважаемый абонент! " * 10
    esme.sms(ABAI, text)
    sms = await smsc.sms_to(ABAI)
    assert (sms.source, sms.text, sms.message_ids) == ("111", text, ("1", "2", "3"))
    answers = [answer for answer in await esme.answered(3) if isinstance(answer, p.SubmitSmResp)]
    assert [answer.message_id for answer in answers] == ["1", "2", "3"]


async def test_each_sms_is_given_out_once_and_to_its_own_number(smsc: FakeSmsc, esme: Esme) -> None:
    esme.sms("77010000008", "other")
    esme.sms(ABAI, "one")
    esme.sms(ABAI, "two")
    assert [(await smsc.sms_to(ABAI)).text for _ in range(2)] == ["one", "two"]
    with pytest.raises(NotServed, match="an SMS to 77010000007"):
        await smsc.sms_to(ABAI, 0.05)
    assert [sms.text for sms in smsc.sms] == ["other"]


async def test_an_sms_is_waited_for(smsc: FakeSmsc, esme: Esme) -> None:
    waiting = asyncio.ensure_future(smsc.sms_to(ABAI))
    await asyncio.sleep(0.05)
    esme.sms(ABAI, "late")
    assert (await waiting).text == "late"


async def test_ids_are_spelt_as_the_centre_is_told(reactor: AsyncioSelectorReactor) -> None:
    async with FakeSmsc(reactor, message_id=lambda number: f"{number + 9:X}") as smsc:
        esme = Esme()
        await dial(reactor, "127.0.0.1", smsc.port, p.BindTransceiver("engine", "secret"), esme, LIMITS)
        esme.sms(ABAI, "hello")
        sms = await smsc.sms_to(ABAI)
        assert sms.message_ids == ("A",)

        await smsc.send_receipt(sms, with_tlvs=False, spelt=lambda message_id: f"{int(message_id, 16):010}")
        receipt = read_receipt(esme.heard[0])
        assert receipt is not None
        assert (receipt.message_id, receipt.state) == ("0000000010", MessageState.DELIVERED)
        policy = IdPolicy(response="hexadecimal", receipt="decimal")
        assert policy.receipt_keys(receipt) == (policy.response_key("A"),)


async def test_a_subscribers_long_sms_comes_in_parts(smsc: FakeSmsc, esme: Esme) -> None:
    text = "Ш" * 100
    await smsc.send_sms(ABAI, "111", text)
    joiner = Joiner("gsm")
    texts = [joiner.add(pdu.source_addr, pdu.destination_addr, pdu, 0.0) for pdu in esme.heard]
    assert texts == [None, text]
    assert {(pdu.source_addr, pdu.destination_addr) for pdu in esme.heard} == {(ABAI, "111")}


async def test_an_sms_that_the_esme_refuses_is_told(smsc: FakeSmsc, esme: Esme) -> None:
    esme.status = c.ESME_RMSGQFUL
    with pytest.raises(NotServed, match="ESME_RMSGQFUL"):
        await smsc.send_sms(ABAI, "111", "BAL")


async def test_receipts_go_out_by_themselves_where_they_are_asked_for(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.receipts_of = MessageState.EXPIRED
    esme.submit(p.SubmitSm(destination_addr=ABAI))
    esme.sms(ABAI, "hello")
    await esme.answered(2)
    async with asyncio.timeout(5):
        while not esme.heard:
            await asyncio.sleep(0.005)
    (receipt,) = map(read_receipt, esme.heard)
    assert receipt is not None
    assert (receipt.message_id, receipt.state, receipt.source) == ("2", MessageState.EXPIRED, ABAI)


async def test_a_receipt_may_go_out_before_the_response_that_names_its_message(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.receipts_of = MessageState.DELIVERED
    smsc.treat_next(Treatment(receipt_first=True))
    order: list[str] = []
    esme.request = lambda link, pdu: order.append("receipt")  # type: ignore[method-assign]
    esme.response = lambda link, request, response, context: order.append("response")  # type: ignore[method-assign]
    esme.sms(ABAI, "hello")
    async with asyncio.timeout(5):
        while len(order) < 2:
            await asyncio.sleep(0.005)
    assert order == ["receipt", "response"]


async def test_data_sm_is_taken_too(smsc: FakeSmsc, esme: Esme) -> None:
    esme.submit(p.DataSm(destination_addr=ABAI, tlvs=(p.Tlv(c.TAG_MESSAGE_PAYLOAD, b"hello"),)))
    assert (await smsc.sms_to(ABAI)).text == "hello"
    assert isinstance((await esme.answered())[0], p.DataSmResp)


# --- the script ---


async def test_the_next_messages_are_refused_and_those_after_are_not(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treat_next(Treatment(c.ESME_RSYSERR), Treatment(c.ESME_RINVDSTADR))
    for text in ("a", "b", "c"):
        esme.sms(ABAI, text)
    answers = [answer.command_status for answer in await esme.answered(3) if answer]
    assert answers == [c.ESME_RSYSERR, c.ESME_RINVDSTADR, c.ESME_ROK]
    assert [sms.text for sms in smsc.sms] == ["c"]
    assert len(smsc.submitted) == 3


async def test_the_next_sms_to_a_number_is_refused_whatever_comes_before_it(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treat_next_sms(ABAI, Treatment(c.ESME_RSYSERR))
    esme.sms("77010000008", "a")
    for text in ("b", "c"):
        esme.sms(ABAI, text)
    answers = [answer.command_status for answer in await esme.answered(3) if answer]
    assert answers == [c.ESME_ROK, c.ESME_RSYSERR, c.ESME_ROK]


async def test_a_lost_response_leaves_the_message_taken(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treat_next(Treatment(answered=False))
    esme.sms(ABAI, "hello")
    assert await esme.answered() == [None]
    assert (await smsc.sms_to(ABAI)).text == "hello"


async def test_a_slow_centre_answers_later(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treatment = Treatment(delay_seconds=0.1)
    begin = asyncio.get_running_loop().time()
    esme.sms(ABAI, "hello")
    await esme.answered()
    assert 0.1 <= asyncio.get_running_loop().time() - begin < 0.25


async def test_a_connection_is_cut_instead_of_an_answer(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treat_next(Treatment(cut=True))
    esme.sms(ABAI, "hello")
    assert await esme.answered() == [None]
    await smsc.until_bound(0)
    assert not smsc.sms


async def test_more_than_the_rate_is_throttled(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.submits_per_second_max = 3
    for _ in range(20):
        esme.submit(p.SubmitSm(destination_addr=ABAI))
    statuses = [answer.command_status for answer in await esme.answered(20) if answer]
    assert set(statuses) == {c.ESME_ROK, c.ESME_RTHROTTLED}
    assert statuses.count(c.ESME_ROK) in (3, 6)  # 6: a second ended between


# --- binds ---


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [("engine", "wrong", c.ESME_RINVPASWD), ("nobody", "secret", c.ESME_RINVSYSID)],
)
async def test_another_account_is_refused(
    smsc: FakeSmsc, bind: Bind, system_id: str, password: str, status: int
) -> None:
    with pytest.raises(BindRefused) as refused:
        await bind(p.BindTransceiver(system_id, password))
    assert refused.value.status == status
    assert [request.system_id for request in smsc.bind_requests] == [system_id]


async def test_an_account_of_the_tests_own(reactor: AsyncioSelectorReactor) -> None:
    async with FakeSmsc(reactor, Account("ours", "pass")) as smsc:
        await dial(reactor, "127.0.0.1", smsc.port, p.BindReceiver("ours", "pass"), Esme(), LIMITS)
        await smsc.until_bound()


async def test_the_script_refuses_binds(smsc: FakeSmsc, bind: Bind) -> None:
    smsc.binds_max = 1
    await bind()
    with pytest.raises(BindRefused, match="ESME_RALYBND"):
        await bind()
    smsc.bind_status = c.ESME_RBINDFAIL
    with pytest.raises(BindRefused, match="ESME_RBINDFAIL"):
        await bind()


async def test_a_crash_and_a_new_beginning_at_the_same_port(smsc: FakeSmsc, bind: Bind) -> None:
    esme = await bind()
    port = smsc.port
    await smsc.crash()
    assert smsc.links == ()
    with pytest.raises(ConnectionError, match="no connection"):
        await bind()
    await smsc.open()
    assert smsc.port == port
    await bind()
    assert (await smsc.handset(ABAI).dial("*a#")).text == "*A#"
    assert esme.reasons != []


async def test_closing_unbinds(reactor: AsyncioSelectorReactor) -> None:
    async with FakeSmsc(reactor) as smsc:
        esme = Esme()
        await dial(reactor, "127.0.0.1", smsc.port, p.BindTransceiver("engine", "secret"), esme, LIMITS)
    async with asyncio.timeout(5):
        while not esme.reasons:
            await asyncio.sleep(0.005)
    assert esme.reasons == ["unbound_by_peer"]
