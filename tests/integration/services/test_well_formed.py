"""What the engine says is well-formed SMPP for a decoder that is not ours: in these talks and in those of all services.

The talks of the other files are dissected when the session ends (`conftest.talks`): a complaint is an error there.
"""

from __future__ import annotations

import pytest

from smpp import constants
from tests.peers import dissector
from tests.peers.conftest import missing
from tests.peers.dissector import Decoded
from tests.recording_relay import RecordingRelay

from .telephone import Town


@pytest.fixture(autouse=True)
def _tshark() -> None:
    if not dissector.is_here():
        missing("tshark is not here, and NOTHING that the engine said in the tests of the services is dissected")


async def test_screens_and_sms_in_three_languages_are_well_formed(town: Town, relay: RecordingRelay) -> None:
    shown, heard = [], []
    for language in ("kk", "ru", "en"):
        phone = await town.somebody("kcell", language)
        shown.append(await phone.dial("*111#"))
        await phone.write("111", "how are you?")
        heard.append(await phone.sms())
    assert dissector.complaints(relay.talks, from_dialler=False) == []

    said = [pdu for talk in relay.talks for pdu in dissector.decoded(talk) if not pdu.from_dialler]
    ours = [pdu for pdu in said if pdu.number("command_id") == constants.DELIVER_SM]
    screens = [text(pdu) for pdu in ours if pdu.octets("ussd_service_op")]
    assert set(shown) <= set(screens)
    assert "".join(text(pdu) for pdu in ours if not pdu.octets("ussd_service_op")) == "".join(heard)


def text(pdu: Decoded) -> str:
    """The text that a message has for tshark: without the header that tells the parts of a long one."""
    (octets,) = pdu.octets("message_text") or pdu.octets("message")
    return octets.decode("utf-16-be" if pdu.number("data_coding") == constants.CODING_UCS2 else "ascii")
