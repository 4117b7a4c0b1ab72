"""The reactor that all tests of this folder share."""

from __future__ import annotations

import asyncio

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp.reactor import reactor_on


@pytest.fixture(scope="session")
async def reactor() -> AsyncioSelectorReactor:
    return reactor_on(asyncio.get_running_loop())
