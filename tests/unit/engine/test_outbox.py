"""SMS out over a real socket, to a scripted centre: order, patience, refusals for good, and whose receipts came."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from smpp import constants as c
from smpp import flow
from smpp.dial import dial
from smpp.errors import WindowFull
from smpp.fake_smsc import FakeSmsc, Treatment
from smpp.limits import Limits
from smpp.link import Link as Bind
from smpp.pdu import BindTransceiver, DeliverSm, Pdu
from smpp.reactor import reactor_on
from smpp.receipt import IdPolicy, MessageState, Spelling, read_receipt
from smpp.traffic import Traffic
from ussd_engine import outbox as outbox_module
from ussd_engine.binds import Binds
from ussd_engine.config import Link, read_settings
from ussd_engine.metrics import Metrics
from ussd_engine.outbox import NotSent, Outbox, Part, Sms
from ussd_engine.peer_config import Address, ClientLink, RouteConfig
from ussd_engine.queues import Queues
from ussd_engine.record import SmsRecord
from ussd_engine.sms_dialect import SmsDialect

SETTINGS = read_settings(Path(__file__).resolve().parents[3] / "config.yaml")
SERVER = SETTINGS.links["kcell-ussdc"]
NUMBER, OTHER = "77010000007", "77010000008"
LONG = "".join(f"{n:03}-" for n in range(100))  # three parts
BUSY = Treatment(status=c.ESME_RTHROTTLED)


class Esme:
    """What `Reception` does for an outbox: binds, answers and receipts; and the outbox itself."""

    def __init__(self, sms: SmsDialect) -> None:
        config = ClientLink(
            network="kcell", dialect="standard", trust="operator", system_id="engine", role="client",
            address=Address("127.0.0.1", 1), password_file="",
        )  # fmt: skip
        self.link = Link("smsc", config, SERVER.network, dataclasses.replace(SERVER.dialect, sms=sms))
        self.binds = Binds()
        self.queues = Queues()
        self.metrics = Metrics()
        self.records: list[SmsRecord] = []
        self.outbox = Outbox(
            self.binds, self.queues, {"kcell": RouteConfig(("smsc",), "111")}, self.metrics,
            asyncio.get_running_loop().time, lambda: 0.0, lambda: 0.0, lambda record: self.records.append(record(1)),
        )  # fmt: skip

    def request(self, bind: Bind, pdu: Pdu) -> None:
        bind.respond(pdu, c.ESME_ROK)
        receipt = read_receipt(pdu)
        if receipt is not None:
            self.outbox.receipt(self.link, receipt)

    def response(self, bind: Bind, request: Pdu, response: Pdu | None, context: object) -> None:
        assert isinstance(context, Part)
        self.outbox.answered(bind, context, response)

    def quirk(self, bind: Bind, kind: str) -> None:
        raise AssertionError(kind)

    def bound(self, bind: Bind) -> None:
        self.binds.add(bind, self.link)

    def gone(self, bind: Bind, reason: str) -> None:
        self.binds.drop(bind)
        self.queues.gone(bind)

    async def send(self, text: str = "Hello", number: str = NUMBER, valid_seconds: float | None = None) -> str:
        return await self.outbox.send(Sms(number, "kcell", "balance", text, valid_seconds))

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
async def smsc() -> AsyncIterator[FakeSmsc]:
    async with FakeSmsc(reactor_on(asyncio.get_running_loop()), message_id=lambda n: f"{0xA0 + n:X}") as opened:
        yield opened


Opened = Callable[..., Awaitable[Esme]]


@pytest.fixture
async def bound(smsc: FakeSmsc) -> Opened:
    async def bind(sms: SmsDialect | None = None, limits: Limits | None = None) -> Esme:
        esme = Esme(sms or SmsDialect())
        request = BindTransceiver("engine", "secret", interface_version=0x34)
        await dial(reactor_on(asyncio.get_running_loop()), "127.0.0.1", smsc.port, request, esme, limits or Limits())
        return esme

    return bind


@pytest.fixture
async def esme(bound: Opened) -> Esme:
    return await bound()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits as long as in real life by hundredths."""
    monkeypatch.setattr(flow, "UNBOUNDED_MIN", 2000.0)
    monkeypatch.setattr(outbox_module, "WAIT_SECONDS_MIN", 0.005)
    monkeypatch.setattr(outbox_module, "WAIT_SECONDS_MAX", 0.04)
    monkeypatch.setattr(outbox_module, "TRY_SECONDS_MAX", 0.5)
    monkeypatch.setattr(outbox_module, "ANSWER_SECONDS_MAX", 0.8)


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not met():
            await asyncio.sleep(0.005)


# --- order ---


async def test_sms_to_one_number_go_one_after_the_other_in_the_order_asked(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treatment = Treatment(delay_seconds=0.01)
    smsc.treat_next(Treatment(delay_seconds=0.05), BUSY)  # the first one is slow, and is tried again
    texts = [f"{n} {LONG}" for n in range(4)]
    await asyncio.gather(*(esme.send(text) for text in texts))
    assert [sms.text for sms in smsc.sms] == texts
    taken = [pdu.short_message[3] for pdu in smsc.submitted if not isinstance(pdu, DeliverSm)]  # type: ignore[union-attr]
    assert taken == sorted(taken)  # references: parts of two texts never mix


async def test_another_number_does_not_wait(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treat_next_sms(NUMBER, Treatment(delay_seconds=0.2))
    first = asyncio.create_task(esme.send("slow"))
    await asyncio.sleep(0.01)
    await esme.send("quick", OTHER)
    assert not first.done()
    await first


async def test_who_waits_too_long_for_its_turn_is_told_so(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treat_next(Treatment(delay_seconds=0.3))
    first = asyncio.create_task(esme.send("slow"))
    await asyncio.sleep(0.01)
    with pytest.raises(NotSent, match="still being sent"):
        await esme.send("late", valid_seconds=0.05)
    await first
    assert [sms.text for sms in smsc.sms] == ["slow"]


async def test_a_number_that_nobody_writes_to_costs_nothing(esme: Esme) -> None:
    await asyncio.gather(*(esme.send("Hello", f"7701000000{n}") for n in range(10)))
    assert not esme.outbox._turns


# --- patience ---


@pytest.mark.parametrize("status", [c.ESME_RTHROTTLED, c.ESME_RMSGQFUL, c.ESME_RX_T_APPN])
async def test_throttled_answers_are_not_lost(smsc: FakeSmsc, esme: Esme, status: int) -> None:
    smsc.treat_next(Treatment(), Treatment(status), Treatment(status), Treatment(status))
    await esme.send(LONG)
    assert (await smsc.sms_to(NUMBER)).text == LONG
    assert len(smsc.submitted) == 3 + 3  # the parts that were taken are not sent again
    assert esme.counted("ussd_sms_total", outcome="put_off") == 3
    assert esme.counted("ussd_sms_total", outcome="not_accepted") == 0


async def test_a_peer_that_stays_busy_is_left_alone_between_tries_and_given_up_in_time(
    smsc: FakeSmsc, esme: Esme
) -> None:
    smsc.treatment = BUSY
    with pytest.raises(NotSent, match="ESME_RTHROTTLED") as caught:
        await esme.send()
    assert not caught.value.for_ever
    assert 4 <= len(smsc.submitted) <= 16  # after 5 ms, 10, 20, then 40 each, for half a second


async def test_no_try_comes_later_than_the_sms_is_worth_sending(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treatment = BUSY
    with pytest.raises(NotSent):
        await esme.send(valid_seconds=0.02)
    assert len(smsc.submitted) <= 3


async def test_a_full_window_is_waited_for(smsc: FakeSmsc, bound: Opened) -> None:
    esme = await bound(limits=Limits(window_out=1))
    smsc.treat_next(Treatment(delay_seconds=0.05))
    await asyncio.gather(esme.send("one", NUMBER), esme.send("two", OTHER))
    assert {sms.text for sms in smsc.sms} == {"one", "two"}
    assert esme.counted("ussd_sms_total", outcome="put_off") > 0


async def test_an_sms_that_waits_leaves_as_soon_as_there_is_room(
    smsc: FakeSmsc, bound: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "WAIT_SECONDS_MIN", 60.0)  # whoever waited for time would wait in vain
    esme = await bound(limits=Limits(window_out=1))
    smsc.treatment = Treatment(delay_seconds=0.005)
    await asyncio.gather(*(esme.send("Hello", f"7701000000{n}") for n in range(10)))
    assert len(smsc.sms) == 10


async def test_waits_between_tries_of_many_differ(smsc: FakeSmsc, esme: Esme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "WAIT_SECONDS_MIN", 0.2)
    fractions = iter((0.0, 1.0))
    monkeypatch.setattr(esme.outbox, "_random", lambda: next(fractions))
    smsc.treat_next_sms(NUMBER, BUSY)
    smsc.treat_next_sms(OTHER, BUSY)
    loop, took = asyncio.get_running_loop(), {}

    async def send(number: str) -> None:
        began = loop.time()
        await esme.send("Hello", number)
        took[number] = loop.time() - began

    await asyncio.gather(send(NUMBER), send(OTHER))
    assert took[NUMBER] >= 0.2
    assert 0.1 <= took[OTHER] < took[NUMBER]


async def test_a_window_that_stays_full_is_said(smsc: FakeSmsc, esme: Esme, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(bind: Bind, pdu: Pdu, context: object, seconds_max: float) -> None:
        raise WindowFull("5 requests wait for their answer")

    monkeypatch.setattr(Bind, "send", full)
    with pytest.raises(NotSent, match="5 requests wait"):
        await esme.send(valid_seconds=0.05)


@pytest.mark.parametrize(
    ("status", "for_ever"),
    [
        (c.ESME_RINVDSTADR, True),
        (c.ESME_RINVDSTTON, True),
        (c.ESME_RINVDSTNPI, True),
        (c.ESME_RINVMSGLEN, True),
        (c.ESME_RX_P_APPN, True),
        (c.ESME_RSYSERR, False),
        (c.ESME_RSUBMITFAIL, False),
        (0x00000408, False),
    ],
)
async def test_another_refusal_is_told_at_once_and_whether_it_is_for_good(
    smsc: FakeSmsc, esme: Esme, status: int, for_ever: bool
) -> None:
    smsc.treatment = Treatment(status)
    with pytest.raises(NotSent, match="the peer said") as caught:
        await esme.send()
    assert caught.value.for_ever is for_ever
    assert len(smsc.submitted) == 1
    assert esme.records[0].outcome == str(caught.value)


async def test_an_sms_that_may_have_been_taken_is_not_sent_again_from_here(smsc: FakeSmsc, bound: Opened) -> None:
    esme = await bound(limits=Limits(sms_response_seconds=0.05))
    smsc.treat_next(Treatment(answered=False))
    with pytest.raises(NotSent, match="no answer"):
        await esme.send()
    assert len(smsc.submitted) == 1


async def test_no_answer_is_waited_for_longer_than_the_core_waits_for_ours(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treat_next(Treatment(delay_seconds=1.2))
    began = asyncio.get_running_loop().time()
    with pytest.raises(NotSent, match="no answer"):
        await esme.send()
    assert asyncio.get_running_loop().time() - began < 1.2
    await asyncio.sleep(0.6)  # the late answer harms nobody
    await esme.send("next")


async def test_a_bind_that_is_lost_within_a_text_leaves_it_to_the_core(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treat_next(Treatment(), Treatment(cut=True))
    with pytest.raises(NotSent) as caught:
        await esme.send(LONG)
    assert not caught.value.for_ever
    with pytest.raises(NotSent, match="bound"):
        await esme.send()
    assert len(smsc.submitted) == 2


async def test_a_bind_that_is_lost_while_a_busy_peer_is_waited_for_ends_the_wait(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.treatment = BUSY
    waits = asyncio.create_task(esme.send())
    await until(lambda: len(smsc.submitted) == 2)
    smsc.cut()
    with pytest.raises(NotSent, match="closed"):
        await waits
    assert len(smsc.submitted) <= 4


async def test_a_text_of_too_many_parts_is_refused_for_good(smsc: FakeSmsc, esme: Esme) -> None:
    with pytest.raises(NotSent, match="parts") as caught:
        await esme.send("a" * 1600)
    assert caught.value.for_ever
    assert not smsc.submitted


# --- as the dialect has it ---


@pytest.mark.parametrize("way", ["udh8", "udh16", "sar", "payload"])
async def test_a_long_text_arrives_whole_in_the_way_of_the_dialect(smsc: FakeSmsc, bound: Opened, way: str) -> None:
    esme = await bound(SmsDialect(split=way))  # type: ignore[arg-type]
    await esme.send("ш" * 100)
    sms = await smsc.sms_to(NUMBER)
    assert sms.text == "ш" * 100
    assert len(sms.parts) == (1 if way == "payload" else 2)


async def test_an_sms_is_written_in_the_alphabet_of_the_dialect(smsc: FakeSmsc, bound: Opened) -> None:
    esme = await bound(SmsDialect(alphabet="latin1"))
    await esme.send("Crème")
    await esme.send("5 €")
    latin, ucs2 = (pdu for pdu in smsc.submitted)
    assert (latin.data_coding, latin.short_message) == (0, b"Cr\xe8me")  # type: ignore[union-attr]
    assert (ucs2.data_coding, ucs2.short_message) == (8, "5 €".encode("utf-16-be"))  # type: ignore[union-attr]


# --- receipts ---


@pytest.mark.parametrize("with_tlvs", [True, False])
async def test_message_ids_hex_in_one_place_decimal_in_the_other(
    smsc: FakeSmsc, bound: Opened, with_tlvs: bool
) -> None:
    esme = await bound(SmsDialect(message_ids=IdPolicy(response="hexadecimal", receipt="decimal")))
    assert await esme.send() == "A1"
    sms = await smsc.sms_to(NUMBER)
    await smsc.send_receipt(sms, with_tlvs=with_tlvs, spelt=lambda each: str(int(each, 16)))
    assert esme.counted("ussd_receipts_total", state="delivered") == 1


@pytest.mark.parametrize(
    ("policy", "spelt", "found"),
    [
        (IdPolicy(), str, 1),
        (IdPolicy(), str.lower, 0),
        (IdPolicy(case_matters=False), str.lower, 1),
        (IdPolicy(), lambda each: f"00{each}", 0),
        (IdPolicy(leading_zeros_matter=False), lambda each: f"00{each}", 1),
        (IdPolicy("hexadecimal", "hexadecimal"), lambda each: f"00{each.lower()}", 1),
        (IdPolicy("hexadecimal", "decimal"), lambda each: str(int(each, 16)), 1),
        (IdPolicy("hexadecimal", "decimal"), str, 0),
    ],
)
async def test_an_id_in_a_receipt_is_spelt_as_the_dialect_says(
    smsc: FakeSmsc, bound: Opened, policy: IdPolicy, spelt: Callable[[str], str], found: int
) -> None:
    esme = await bound(SmsDialect(message_ids=policy))
    await esme.send()
    await smsc.send_receipt(await smsc.sms_to(NUMBER), with_tlvs=False, spelt=spelt)
    assert esme.counted("ussd_receipts_total", state="delivered") == found


async def test_an_id_in_decimal_may_come_back_in_hexadecimal(bound: Opened, smsc: FakeSmsc) -> None:
    ways: tuple[Spelling, Spelling] = ("decimal", "hexadecimal")
    smsc._message_id = lambda number: str(1000 + number)
    esme = await bound(SmsDialect(message_ids=IdPolicy(*ways)))
    assert await esme.send() == "1001"
    await smsc.send_receipt(await smsc.sms_to(NUMBER), with_tlvs=False, spelt=lambda each: f"{int(each):x}")
    assert esme.counted("ussd_receipts_total", state="delivered") == 1


async def test_a_receipt_before_its_response_is_counted_with_it(smsc: FakeSmsc, esme: Esme) -> None:
    smsc.receipts_of = MessageState.DELIVERED
    smsc.treatment = Treatment(receipt_first=True)
    await esme.send(LONG)
    assert esme.counted("ussd_receipts_total", state="delivered") == 3


async def test_the_parts_that_were_taken_have_their_receipts_also_when_a_later_one_was_not(
    smsc: FakeSmsc, esme: Esme
) -> None:
    smsc.receipts_of = MessageState.DELIVERED
    smsc.treat_next(Treatment(), Treatment(c.ESME_RSYSERR))
    with pytest.raises(NotSent):
        await esme.send(LONG)
    await until(lambda: esme.counted("ussd_receipts_total", state="delivered") == 1)


async def test_a_users_text_that_looks_like_a_receipt_is_a_text(smsc: FakeSmsc, esme: Esme) -> None:
    await esme.send()
    text = b"id:A1 sub:001 dlvrd:001 submit date:2601011200 done date:2601011200 stat:DELIVRD err:000 text:Hello"
    await smsc.send_pdu(DeliverSm(source_addr=NUMBER, destination_addr="111", short_message=text))
    assert esme.counted("ussd_receipts_total", state="delivered") == 0


async def test_nothing_is_kept_or_tried_while_nobody_is_bound(smsc: FakeSmsc, esme: Esme) -> None:
    """Requeue storms while unbound."""
    for link in tuple(smsc.links):
        link.abort("gone")
    await until(lambda: not esme.binds.of("kcell-ussdc"))
    before = len(asyncio.all_tasks())
    answers = await asyncio.gather(*(esme.send(number=f"7701{n:07}") for n in range(100)), return_exceptions=True)
    assert all(isinstance(answer, NotSent) for answer in answers)
    assert len(asyncio.all_tasks()) == before
    assert not smsc.submitted


async def test_an_sms_that_the_rate_has_no_room_for_in_time_is_not_sent_late(smsc: FakeSmsc, esme: Esme) -> None:
    for bind in esme.binds.of(esme.link.name):
        bind.serve(bind.limits, Traffic(), flow.Flow(0.5, asyncio.get_running_loop().time()))
    await esme.send("first")
    with pytest.raises(NotSent, match="no room in time"):
        await esme.send("second", valid_seconds=1.0)
    assert [sms.text for sms in smsc.sms] == ["first"]
