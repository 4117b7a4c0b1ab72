"""USSD centres of all five networks, bound to the engine of the whole system, as the demo accounts of `config.yaml`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from billing.http_client import HttpBilling
from billing.signing import key_from_file
from tests.conftest import RunningStack
from ussd_engine import phone
from ussd_engine.centres import Centres, Peer
from ussd_engine.config import read_settings

from .telephone import Operators, Town


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(running_stack: RunningStack) -> AsyncIterator[Town]:
    """Telephones of all networks, and the core's other askers."""
    settings = read_settings(running_stack.config)
    address = settings.engine.smpp_listen
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
