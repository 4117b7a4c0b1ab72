"""The engine as an ESME: it binds to a centre, and dialogues and SMS go over deliver_sm and submit_sm."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from billing import notices
from billing.signing import key_from_file, sign
from smpp import constants
from smpp.fake_smsc import Account, FakeSmsc, NotServed, Treatment
from smpp.pdu import SubmitSm
from smpp.reactor import reactor_on
from smpp.receipt import MessageState
from stack.programs import start_engine, stop_program
from stack.settings import read_settings
from tests.conftest import RunningStack, engine_beside


class Esme(NamedTuple):
    """An engine of its own that is bound to a centre of its own; the billing core is the stack's."""

    smsc: FakeSmsc
    config: Path
    http: str
    key: bytes


@pytest.fixture(scope="module")
def centre_port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture(scope="module")
def engine(running_stack: RunningStack, centre_port: int, free_port: Callable[[], int]) -> Iterator[tuple[Path, str]]:
    """An engine process beside the stack's, with two binds to the centre; its configuration and HTTP address."""
    config = engine_beside(running_stack, "centre", centre_port, free_port, binds=2)
    route = '    o: {links: [o-ussdc], sender: "111"}\n'
    text = config.read_text()
    assert route in text
    config.write_text(text.replace(route, ""))  # a network to which no SMS can be sent
    child = start_engine(config)
    yield config, str(read_settings(config).engine_http)
    stop_program(child)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def esme(engine: tuple[Path, str], centre_port: int) -> AsyncIterator[Esme]:
    config, http = engine
    reactor = reactor_on(asyncio.get_running_loop())
    async with FakeSmsc(reactor, Account("engine", "secret"), port=centre_port) as smsc:
        await smsc.until_bound(2, 20)
        yield Esme(smsc, config, http, key_from_file((config.parent / ".data/keys/billing-core").read_bytes()))


def hand_over(esme: Esme, event: str, arguments: dict[str, object], **fields: str) -> tuple[int, dict[str, str]]:
    """What the core's relay does: status and JSON of the answer."""
    notice = notices.Notice(
        **{
            "id": str(uuid.uuid4()), "msisdn": "77010000007", "network": "kcell", "event": event, "language": "ru",
            "arguments": arguments, "not_after": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600)),
            **fields,
        }
    )  # fmt: skip
    body = notices.to_octets(notice)
    headers = sign("billing-core", esme.key, "POST", notices.PATH, body, time.time())
    request = urllib.request.Request(f"http://{esme.http}{notices.PATH}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=45) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


TOP_UP = {"sum": {"minor": 10000, "currency": "KZT"}, "balance": {"minor": 20000, "currency": "KZT"}}


async def test_the_same_dialogue_runs_over_deliver_sm_and_submit_sm(esme: Esme) -> None:
    phone = esme.smsc.handset("77010000217")
    screen = await phone.dial("*111*9#")
    assert screen.text.startswith("Тіл\n1 Қазақша")
    assert not screen.ends
    assert (await phone.send("0")).text.startswith("Мәзір\n1 ")
    screen = await phone.send("3")
    assert screen.text.startswith("Баланс: ")
    assert screen.ends
    assert isinstance(screen.pdu, SubmitSm)
    assert (screen.pdu.source_addr, screen.pdu.destination_addr) == (phone.code, "77010000217")


async def test_an_sms_to_111_is_answered_by_sms(esme: Esme) -> None:
    await esme.smsc.send_sms("77010000209", "111", "BAL")
    sms = await esme.smsc.sms_to("77010000209")
    assert sms.source == "111"
    assert sms.text.startswith("Баланс: ")


async def test_an_sms_from_a_short_number_or_a_name_is_taken_and_never_answered(esme: Esme) -> None:
    await esme.smsc.send_sms("4259", "111", "BAL")
    with pytest.raises(NotServed):
        await esme.smsc.sms_to("4259", 0.3)


async def test_a_redelivered_sms_has_one_answer(esme: Esme) -> None:
    for _ in range(2):
        await esme.smsc.send_sms("77010000211", "111", "TARIFF")
    await esme.smsc.sms_to("77010000211")
    with pytest.raises(NotServed):
        await esme.smsc.sms_to("77010000211", 0.4)


async def test_an_unknown_word_gets_the_help(esme: Esme) -> None:
    await esme.smsc.send_sms("77010000212", "111", "как дела?")
    assert "111 нөміріне жіберіңіз" in (await esme.smsc.sms_to("77010000212")).text


async def test_a_text_that_looks_like_a_receipt_is_a_text(esme: Esme) -> None:
    text = "id:1 sub:001 dlvrd:001 submit date:2601011200 done date:2601011200 stat:DELIVRD err:000 text:BAL"
    await esme.smsc.send_sms("77010000213", "111", text)
    assert "BAL, TARIFF" in (await esme.smsc.sms_to("77010000213")).text  # the help: it is no word of ours


async def test_an_sms_to_a_number_that_is_none_of_ours_is_refused(esme: Esme) -> None:
    with pytest.raises(NotServed) as caught:
        await esme.smsc.send_sms("77010000213", "999", "BAL")
    assert caught.value.status == constants.ESME_RINVDSTADR


async def test_a_notice_is_answered_200_only_when_the_smsc_took_it(esme: Esme) -> None:
    status, answer = await asyncio.to_thread(hand_over, esme, "account.topped_up", TOP_UP)
    sms = await esme.smsc.sms_to("77010000007")
    assert (status, sms.text) == (200, "Ваш счёт пополнен на 100 тг. Баланс: 200 тг")
    assert answer["message_id"] == sms.message_ids[0]


async def test_the_time_that_is_left_goes_along_as_validity_period(esme: Esme) -> None:
    await asyncio.to_thread(hand_over, esme, "account.topped_up", TOP_UP)
    part = (await esme.smsc.sms_to("77010000007")).parts[0]
    assert part.validity_period.startswith("00000000")
    assert part.validity_period.endswith("R")
    assert part.registered_delivery == 1


async def test_a_long_notice_arrives_whole_under_the_service_sender(esme: Esme) -> None:
    arguments = {"password": "k7w9xm4rtp", "valid_until": "2026-11-22T10:00:00Z"}
    status, _ = await asyncio.to_thread(hand_over, esme, "cabinet.temporary_password", arguments)
    sms = await esme.smsc.sms_to("77010000007")
    assert status == 200
    assert "k7w9xm4rtp" in sms.text
    assert len(sms.parts) > 1
    assert sms.source == "Kcell"
    assert sms.parts[0].source_addr_ton == 5


async def test_a_notice_that_the_smsc_refuses_is_to_be_handed_over_later(esme: Esme) -> None:
    esme.smsc.treat_next(Treatment(status=constants.ESME_RSYSERR))
    status, answer = await asyncio.to_thread(hand_over, esme, "account.topped_up", TOP_UP)
    assert status == 503
    assert "the peer said" in answer["detail"]


async def test_a_notice_that_the_smsc_is_too_busy_for_is_sent_a_moment_later(esme: Esme) -> None:
    esme.smsc.treat_next(Treatment(status=constants.ESME_RTHROTTLED))
    status, _ = await asyncio.to_thread(hand_over, esme, "account.topped_up", TOP_UP)
    await esme.smsc.sms_to("77010000007")
    assert status == 200


async def test_a_number_that_the_smsc_does_not_know_is_a_matter_for_people(esme: Esme) -> None:
    esme.smsc.treat_next(Treatment(status=constants.ESME_RINVDSTADR))
    status, answer = await asyncio.to_thread(hand_over, esme, "account.topped_up", TOP_UP)
    assert (status, answer["detail"]) == (422, "the peer said ESME_RINVDSTADR")


@pytest.mark.parametrize(
    ("event", "arguments", "fields"),
    [
        ("account.topped_up", TOP_UP, {"not_after": "2020-01-01T00:00:00Z"}),
        ("wallet.pin_changed", {"at": "2026-11-21T10:00:00Z"}, {}),  # no menu of kcell has words for it
    ],
)
async def test_a_notice_that_can_never_be_sent_says_so(
    esme: Esme, event: str, arguments: dict[str, object], fields: dict[str, str]
) -> None:
    status, answer = await asyncio.to_thread(hand_over, esme, event, arguments, **fields)
    assert status == 422
    assert answer["detail"]


async def test_a_notice_without_the_right_signature_is_refused(esme: Esme) -> None:
    forged = esme._replace(key=b"x" * 32)
    status, _ = await asyncio.to_thread(hand_over, forged, "account.topped_up", TOP_UP)
    assert status == 401


async def test_receipts_are_matched_and_counted(esme: Esme) -> None:
    await asyncio.to_thread(hand_over, esme, "account.topped_up", TOP_UP)
    sms = await esme.smsc.sms_to("77010000007")
    await esme.smsc.send_receipt(sms, MessageState.DELIVERED)
    await asyncio.sleep(0.1)

    def metrics() -> str:
        with urllib.request.urlopen(f"http://{esme.http}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    assert 'ussd_receipts_total{state="delivered"}' in await asyncio.to_thread(metrics)


async def test_a_probe_says_whether_the_link_is_usable(esme: Esme) -> None:
    def probe() -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.prefix) / "bin" / "ussd-engine"), "probe", "centre", "--config", str(esme.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    done = await asyncio.to_thread(probe)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("OK - centre: ")
    esme.smsc.bind_status = constants.ESME_RINVPASWD
    done = await asyncio.to_thread(probe)
    esme.smsc.bind_status = constants.ESME_ROK
    assert done.returncode == 2
    assert "ESME_RINVPASWD" in done.stdout


async def test_the_bind_is_dialled_again_after_it_was_cut(esme: Esme) -> None:
    binds = len(esme.smsc.bind_requests)
    esme.smsc.cut()
    while len(esme.smsc.bind_requests) < binds + 2:
        await asyncio.sleep(0.05)
    await esme.smsc.until_bound(2, 20)
    assert (await esme.smsc.handset("77010000224").dial("*111#")).text.startswith("Мәзір\n1 ")


async def test_a_notice_without_a_bound_link_is_to_be_handed_over_later(esme: Esme) -> None:
    await esme.smsc.crash()
    status, _ = await asyncio.to_thread(hand_over, esme, "account.topped_up", TOP_UP, msisdn="77010000999")
    assert status == 503
