"""The engine as an ESME: what it says to a centre that it has bound to is well-formed for tshark too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import pytest_asyncio
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp.fake_smsc import Account, FakeSmsc, Treatment
from smpp.receipt import MessageState
from stack.programs import start_engine, stop_program
from tests.conftest import RunningStack, engine_beside
from tests.recording_relay import RecordingRelay

from . import dissector
from .conftest import missing

NUMBER = "77010000411"


class Esme(NamedTuple):
    """A centre, and what is said between it and the engine that has bound to it."""

    smsc: FakeSmsc
    relay: RecordingRelay


@pytest_asyncio.fixture(loop_scope="session")
async def esme(
    running_stack: RunningStack, free_port: Callable[[], int], reactor: AsyncioSelectorReactor
) -> AsyncIterator[Esme]:
    if not dissector.is_here():
        missing("tshark is not here")
    account = Account("engine", "secret")
    async with FakeSmsc(reactor, account) as smsc, RecordingRelay("127.0.0.1", smsc.port) as relay:
        config = engine_beside(running_stack, "recorded", relay.port, free_port)
        engine = await asyncio.to_thread(start_engine, config)
        await smsc.until_bound(1, 20)
        yield Esme(smsc, relay)
        await asyncio.to_thread(stop_program, engine)


async def test_a_dialogue_sms_receipts_and_refusals_are_well_formed(esme: Esme) -> None:
    phone = esme.smsc.handset(NUMBER)
    screens = [await phone.dial("*111#"), await phone.send("9"), await phone.send("3"), await phone.send("3")]
    esme.smsc.receipts_of = MessageState.DELIVERED
    await esme.smsc.send_sms(NUMBER, "111", "what is this? " * 20)
    help_sms = await esme.smsc.sms_to(NUMBER)
    esme.smsc.treat_next(Treatment(c.ESME_RTHROTTLED))
    await esme.smsc.send_sms(NUMBER, "111", "BAL")
    await asyncio.sleep(0.3)
    await esme.smsc.crash()

    assert dissector.complaints(esme.relay.talks, from_dialler=True) == []
    (talk,) = esme.relay.talks
    ours = [pdu for pdu in dissector.decoded(talk) if pdu.from_dialler]
    commands = [pdu.number("command_id") for pdu in ours]
    assert commands[0] == c.BIND_TRANSCEIVER
    submitted = [pdu for pdu in ours if pdu.number("command_id") == c.SUBMIT_SM]
    ops = [pdu.number("ussd_service_op") for pdu in submitted if pdu.octets("ussd_service_op")]
    assert ops == [screen.op for screen in screens] == [c.USSD_USSR_REQUEST] * 3 + [c.USSD_PSSR_RESPONSE]
    sms = [pdu for pdu in submitted if not pdu.octets("ussd_service_op")]
    assert [pdu.octets("message") for pdu in sms[:-1]] == [[part.short_message] for part in help_sms.parts]  # type: ignore[union-attr]
    assert {pdu.number("regdel.receipt") for pdu in sms} == {1}
    assert commands.count(c.DELIVER_SM_RESP) >= len(screens) + 3
