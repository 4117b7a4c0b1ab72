"""The engine as an ESME: what it says to a centre that it has bound to is well-formed for tshark too."""

from __future__ import annotations

import asyncio

import pytest

from smpp import constants as c
from smpp.fake_smsc import Treatment
from smpp.receipt import MessageState

from . import dissector
from .conftest import Centres, missing

NUMBER = "77010000411"


@pytest.fixture(autouse=True)
def _tshark() -> None:
    if not dissector.is_here():
        missing("tshark is not here")


async def test_a_dialogue_sms_receipts_and_refusals_are_well_formed(centres: Centres) -> None:
    smsc = centres.smsc
    phone = smsc.handset(NUMBER)
    screens = [await phone.dial("*111#"), await phone.send("9"), await phone.send("3"), await phone.send("3")]
    smsc.receipts_of = MessageState.DELIVERED
    await smsc.send_sms(NUMBER, "111", "what is this? " * 20)
    help_sms = await smsc.sms_to(NUMBER)
    smsc.treat_next(Treatment(c.ESME_RTHROTTLED))
    await smsc.send_sms(NUMBER, "111", "BAL")
    await asyncio.sleep(0.15)  # it is tried again after a quarter of a second at the earliest
    await smsc.crash()

    assert dissector.complaints(centres.relay.talks, from_dialler=True) == []
    (talk,) = centres.relay.talks
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
