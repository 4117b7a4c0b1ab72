"""USSD centres of all five networks, bound to the engine of the whole system, as the demo accounts of `config.yaml`.

All that they and the engine say is recorded; once the tests are done, tshark must find nothing wrong in the engine's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from billing.http_client import HttpBilling
from billing.signing import key_from_file
from tests.conftest import RunningStack
from tests.peers import dissector
from tests.recording_relay import RecordingRelay, Talk
from ussd_engine import phone
from ussd_engine.centres import Centres, Peer
from ussd_engine.config import read_settings

from .telephone import Operators, Town


@pytest.fixture(scope="session")
def talks() -> Iterator[list[Talk]]:
    """Every connection of the centres of this session. Where tshark is missing, `test_well_formed` says so."""
    talks: list[Talk] = []
    yield talks
    assert talks
    if dissector.is_here():
        assert dissector.complaints(talks, from_dialler=False) == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relay(running_stack: RunningStack, talks: list[Talk]) -> AsyncIterator[RecordingRelay]:
    """Between the centres and the engine."""
    address = running_stack.settings.engine_smpp
    async with RecordingRelay(address.host, address.port) as relay:
        yield relay
    talks += relay.talks


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(running_stack: RunningStack, relay: RecordingRelay) -> AsyncIterator[Town]:
    """Telephones of all networks, and the core's other askers."""
    settings = read_settings(running_stack.config)
    address = replace(settings.engine.smpp_listen, port=relay.port)
    peers = {
        link.config.network: Peer(phone.Account(address, link.config.system_id, "secret"), link.dialect)
        for link in settings.links.values()
    }
    url = f"http://{running_stack.settings.core_http}"
    keys = running_stack.config.parent / ".data/keys"
    desk = HttpBilling(url, "desk", key_from_file((keys / "desk").read_bytes()))
    engine = HttpBilling(url, "engine", key_from_file((keys / "engine").read_bytes()))
    await desk.start()
    await engine.start()
    async with Centres(peers) as centres:
        yield Town(centres, Operators(desk, engine))
    await engine.close()
    await desk.close()
