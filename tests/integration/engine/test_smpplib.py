"""python-smpplib, which knows nothing of us, against the running engine."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions

from tests.conftest import RunningStack


@pytest.fixture
def client(running_stack: RunningStack) -> Iterator[smpplib.client.Client]:
    listen = running_stack.settings.engine_smpp
    client = smpplib.client.Client(listen.host, listen.port, allow_unknown_opt_params=True)
    client.connect()
    yield client
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of being closed while bound
        client.disconnect()


def sends_an_sms(client: smpplib.client.Client, bind: str) -> tuple[int, int]:
    """Binds, sends an SMS, enquires, unbinds; the statuses of bind and submit."""
    statuses: list[int] = []
    client.set_message_sent_handler(lambda pdu: statuses.append(pdu.status))
    client.set_error_pdu_handler(lambda pdu: statuses.append(pdu.status))
    bound = getattr(client, bind)(system_id="ussdc", password="secret")
    client.send_message(
        source_addr_ton=smpplib.consts.SMPP_TON_INTL,
        source_addr="77010000007",
        destination_addr="111",
        short_message=b"BAL",
    )
    client.read_once()
    client.unbind()
    return bound.status, statuses[0]


@pytest.mark.parametrize("bind", ["bind_transceiver", "bind_transmitter"])
async def test_it_binds_sends_an_sms_and_unbinds(client: smpplib.client.Client, bind: str) -> None:
    bound, submitted = await asyncio.to_thread(sends_an_sms, client, bind)
    assert bound == smpplib.consts.SMPP_ESME_ROK
    assert submitted == smpplib.consts.SMPP_ESME_ROK


async def test_it_is_refused_with_a_wrong_password(client: smpplib.client.Client) -> None:
    with pytest.raises(smpplib.exceptions.PDUError) as caught:
        await asyncio.to_thread(client.bind_transceiver, system_id="ussdc", password="wrong")
    assert caught.value.args[1] == smpplib.consts.SMPP_ESME_RBINDFAIL
