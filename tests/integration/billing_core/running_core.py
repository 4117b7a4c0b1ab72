"""A billing core served over real TCP, and its client."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from fastapi import FastAPI

from billing.calls import Call, Outcome
from billing.contract import Value
from billing.http_client import HttpBilling
from billing_core.cabinet import Cabinet
from billing_core.cli import bind, make_server
from billing_core.config import Listen
from billing_core.database import Pool
from billing_core.measures import Measures
from billing_core.operations import Operations
from billing_core.sealing import Seal

KEY = b"0123456789abcdef0123456789abcdef"
PEPPER = b"pepper of the tests, kept outside of the database"
NOTICE_KEY = b"key of the tests for secrets in notices"


class Core(NamedTuple):
    """A running core: its address, its client, its database, and what its operations work with."""

    url: str
    billing: HttpBilling
    pool: Pool
    cabinet: Cabinet
    operations: Operations
    measures: Measures

    async def ask(
        self,
        operation: str,
        msisdn: str,
        arguments: Mapping[str, Value] | None = None,
        *,
        language: str = "ru",
        call_id: str | None = None,
        by_sms: bool = False,
    ) -> Outcome:
        """Makes a call, under an id of its own unless one is given."""
        call = Call(call_id or str(uuid.uuid4()), operation, msisdn, language, arguments or {}, by_sms)
        return await self.billing.perform(call, 5.0)


async def sent_password(core: Core, number: str) -> str:
    """The last temporary password that was written for the number, as only the holder of the key can read it."""
    row = await core.pool.fetchrow(
        "SELECT notice_id, sealed FROM notices"
        " WHERE msisdn = $1 AND event = 'cabinet.temporary_password' ORDER BY position DESC LIMIT 1",
        number,
    )
    assert row is not None
    password = Seal(NOTICE_KEY).open(uuid.UUID(str(row["notice_id"])), row["sealed"])["password"]
    assert isinstance(password, str)
    return password


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serves the app on a free port; yields its address."""
    with bind(Listen("127.0.0.1", 0)) as listening:
        server = make_server(app)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving
