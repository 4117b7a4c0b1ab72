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
from billing_core.cli import bind, make_server
from billing_core.config import Listen
from billing_core.database import Pool

KEY = b"0123456789abcdef0123456789abcdef"


class Core(NamedTuple):
    """A running core: its address, its client, and its database."""

    url: str
    billing: HttpBilling
    pool: Pool

    async def ask(
        self,
        operation: str,
        msisdn: str,
        arguments: Mapping[str, Value] | None = None,
        *,
        language: str = "ru",
        call_id: str | None = None,
    ) -> Outcome:
        """Makes a call, under an id of its own unless one is given."""
        call = Call(call_id or str(uuid.uuid4()), operation, msisdn, language, arguments or {})
        return await self.billing.perform(call, 5.0)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serves the app on a free port; yields its address."""
    with bind(Listen("127.0.0.1", 0)) as listening:
        server = make_server(app)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving
