"""python-smpplib, which knows nothing of us, bound to our listener and to the running engine."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator

import pytest
import smpplib.client
import smpplib.command
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp.fake_smsc import FakeSmsc, NotServed, Treatment
from smpp.receipt import MessageState
from tests.conftest import RunningStack

ABAI = "77010000007"
LONG = "Ваш баланс: 1 234,50 ₸. " * 8
LONG_GSM = "Balance {1} [2] ~3~ 5 € | " * 20


@pytest.fixture
async def smsc(reactor: AsyncioSelectorReactor) -> AsyncIterator[FakeSmsc]:
    async with FakeSmsc(reactor) as opened:
        yield opened


@pytest.fixture
def client(smsc: FakeSmsc) -> Iterator[smpplib.client.Client]:
    client = smpplib.client.Client("127.0.0.1", smsc.port, timeout=0.3, allow_unknown_opt_params=True)
    yield client
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of being closed while bound
        client.disconnect()


def submit(
    client: smpplib.client.Client, text: str, registered_delivery: int = 0
) -> list[smpplib.command.SubmitSMResp]:
    """Sends an SMS in as many parts as smpplib cuts it into; the answers."""
    answers: list[smpplib.command.SubmitSMResp] = []

    def note(pdu: smpplib.command.SubmitSMResp) -> None:  # called by this name
        answers.append(pdu)

    client.set_message_sent_handler(note)
    client.set_error_pdu_handler(lambda pdu: None)  # an answer with an error comes to the other too
    parts, coding, esm_class = smpplib.gsm.make_parts(text)
    for part in parts:
        client.send_message(
            source_addr="111",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            destination_addr=ABAI,
            short_message=part,
            data_coding=coding,
            esm_class=esm_class,
            registered_delivery=registered_delivery,
        )
    while len(answers) < len(parts):
        client.read_once()
    return answers


def bind_submit_unbind(client: smpplib.client.Client, bind: str, text: str) -> list[smpplib.command.SubmitSMResp]:
    client.connect()
    bound = getattr(client, bind)(system_id="engine", password="secret")
    assert bound.status == smpplib.consts.SMPP_ESME_ROK
    assert bound.system_id == b"fake-smsc"
    answers = submit(client, text)
    client.unbind()
    return answers


@pytest.mark.parametrize("bind", ["bind_transmitter", "bind_transceiver"])
@pytest.mark.parametrize("text", ["BAL", LONG, LONG_GSM])
async def test_it_binds_sends_an_sms_of_any_length_and_unbinds(
    smsc: FakeSmsc, client: smpplib.client.Client, bind: str, text: str
) -> None:
    answers = await asyncio.to_thread(bind_submit_unbind, client, bind, text)
    sms = await smsc.sms_to(ABAI)
    assert (sms.source, sms.text) == ("111", text)
    assert [answer.message_id.decode() for answer in answers] == list(sms.message_ids)
    await smsc.until_bound(0)


async def test_a_refusal_of_ours_reaches_it(smsc: FakeSmsc, client: smpplib.client.Client) -> None:
    smsc.treat_next(Treatment(c.ESME_RTHROTTLED))
    (answer,) = await asyncio.to_thread(bind_submit_unbind, client, "bind_transmitter", "BAL")
    assert answer.status == c.ESME_RTHROTTLED
    with pytest.raises(NotServed):
        await smsc.sms_to(ABAI, 0.01)


async def test_it_is_refused_with_a_wrong_password(client: smpplib.client.Client) -> None:
    def bind() -> None:
        client.connect()
        client.bind_transceiver(system_id="engine", password="wrong")

    with pytest.raises(smpplib.exceptions.PDUError) as caught:
        await asyncio.to_thread(bind)
    assert caught.value.args[1] == smpplib.consts.SMPP_ESME_RINVPASWD


@pytest.mark.parametrize("text", ["BAL", LONG])
async def test_it_takes_the_sms_of_a_subscriber(smsc: FakeSmsc, client: smpplib.client.Client, text: str) -> None:
    heard: list[bytes] = []
    codings: set[int] = set()

    def take(pdu: smpplib.command.DeliverSM) -> int:
        heard.append(pdu.short_message[6:] if pdu.esm_class & 0x40 else pdu.short_message)
        codings.add(pdu.data_coding)
        return c.ESME_ROK

    def bind() -> None:
        client.connect()
        client.bind_receiver(system_id="engine", password="secret")
        client.set_message_received_handler(take)

    await asyncio.to_thread(bind)
    sending = asyncio.ensure_future(smsc.send_sms(ABAI, "111", text))
    while not sending.done():
        await asyncio.to_thread(client.read_once)
    await sending
    assert b"".join(heard).decode("utf-16-be" if codings == {8} else "ascii") == text
    await asyncio.to_thread(client.unbind)


async def test_it_hears_the_receipt_of_its_sms(smsc: FakeSmsc, client: smpplib.client.Client) -> None:
    smsc.receipts_of = MessageState.DELIVERED
    receipts: list[smpplib.command.DeliverSM] = []

    def take(pdu: smpplib.command.DeliverSM) -> int:
        receipts.append(pdu)
        return c.ESME_ROK

    def bind_submit_hear() -> list[smpplib.command.SubmitSMResp]:
        client.connect()
        client.bind_transceiver(system_id="engine", password="secret")
        client.set_message_received_handler(take)
        answers = submit(client, "BAL", registered_delivery=1)
        while not receipts:
            client.read_once()
        client.unbind()
        return answers

    (answer,) = await asyncio.to_thread(bind_submit_hear)
    (receipt,) = receipts
    assert receipt.esm_class == 4
    assert receipt.receipted_message_id.rstrip(b"\0") == answer.message_id
    assert f"id:{answer.message_id.decode()} ".encode() in receipt.short_message


async def test_it_enquires_when_nothing_is_said_and_is_answered(smsc: FakeSmsc, client: smpplib.client.Client) -> None:
    def bind_wait_enquire() -> list[str]:
        client.connect()
        client.bind_transceiver(system_id="engine", password="secret")
        client.read_once()  # nothing comes: it enquires
        heard = client.read_pdu().command
        client.unbind()
        return [heard]

    assert await asyncio.to_thread(bind_wait_enquire) == ["enquire_link_resp"]


# --- with the running engine ---


def write(client: smpplib.client.Client, number: str, text: str) -> str:
    """Sends an SMS as the centre of a subscriber; the text of the answer."""
    heard: list[bytes] = []

    def take(pdu: smpplib.command.DeliverSM) -> int:
        heard.append(pdu.short_message)
        return c.ESME_ROK

    client.connect()
    client.bind_transceiver(system_id="ussdc", password="secret")
    client.set_message_received_handler(take)
    client.set_message_sent_handler(lambda pdu: None)
    client.send_message(
        source_addr_ton=smpplib.consts.SMPP_TON_INTL,
        source_addr=number,
        destination_addr="111",
        short_message=text.encode("ascii"),
    )
    while not heard:
        client.read_once()
    client.unbind()
    return heard[0].decode("utf-16-be")


async def test_it_carries_an_sms_to_the_engine_and_its_answer_back(running_stack: RunningStack) -> None:
    listen = running_stack.settings.engine_smpp
    client = smpplib.client.Client(listen.host, listen.port, timeout=5, allow_unknown_opt_params=True)
    assert (await asyncio.to_thread(write, client, "77010000012", "BAL")).startswith("Баланс: ")
    client.disconnect()
