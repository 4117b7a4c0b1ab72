"""A billing core served over real TCP, and its client.

Its time is that of the database until a test sets `core.now`: then it is that moment for every statement.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import asyncpg
from fastapi import FastAPI

from billing.calls import Call, Done, Outcome, Refused
from billing.contract import OPERATIONS, Value, check_values
from billing.http_client import HttpBilling
from billing.operation import ASKERS
from billing_core.app import make_app
from billing_core.codes import Codes
from billing_core.config import Client, Listen
from billing_core.database import Connection, Pool
from billing_core.measures import Measures
from billing_core.operations import Domains, Performing, make_operations
from billing_core.passwords import Hasher
from billing_core.provisioning import SimulatedNetwork
from billing_core.rules import Rules
from billing_core.sealing import Seal
from billing_core.serving import bind, make_server
from billing_core.simulated_biller import SimulatedBiller
from billing_core.sweeper import Sweeper
from billing_core.tools import Tools

KEY = b"0123456789abcdef0123456789abcdef"
PEPPER = b"pepper of the tests, kept outside of the database"
NOTICE_KEY = b"key of the tests for secrets in notices"
CLIENTS = {"engine": Client((KEY,), frozenset(ASKERS))}
CHEAP = {"memory_kib": 8, "passes": 1}
"""What a hash costs where many are made."""


@dataclass
class Core:
    """A running core: its address, its client, its database, and what its operations work with."""

    url: str
    billing: HttpBilling
    pool: Pool
    tools: Tools
    domains: Domains
    operations: Mapping[str, Performing]
    measures: Measures
    sweeper: Sweeper
    clock: Clock

    async def ask(
        self,
        operation: str,
        msisdn: str,
        arguments: Mapping[str, Value] | None = None,
        *,
        language: str = "ru",
        call_id: str | None = None,
        by_sms: bool = False,
        by: str = "",
    ) -> Outcome:
        """Makes a call over HTTP, under an id of its own unless one is given."""
        call = Call(call_id or str(uuid.uuid4()), operation, msisdn, language, arguments or {}, by_sms, by)
        return await self.billing.perform(call, 5.0)

    async def do(
        self,
        operation: str,
        msisdn: str,
        /,
        *,
        call_id: str | None = None,
        language: str = "ru",
        by: str = "",
        **arguments: Any,
    ) -> Done | Refused:
        """Performs an operation beside HTTP; arguments, results and refusals are those of the contract."""
        contract = OPERATIONS[operation]
        assert check_values(arguments, contract.arguments, "arguments") == []
        call = Call(call_id or str(uuid.uuid4()), operation, msisdn, language, arguments, False, by)
        outcome = await self.operations[operation](self.pool, call)
        if isinstance(outcome, Done):
            assert check_values(outcome.result, contract.results, "results") == []
        else:
            assert outcome.code in contract.refusals, outcome
            assert check_values(outcome.details, contract.details, "details") == []
        return outcome

    @property
    def now(self) -> datetime.datetime | None:
        """What time it is for the core; None: the database's own."""
        return self.clock.now

    @now.setter
    def now(self, moment: datetime.datetime | None) -> None:
        self.clock.now = moment

    async def notices(self, msisdn: str, event: str | None = None) -> list[dict[str, Any]]:
        """The notices written for a number, oldest first: event and arguments, secret ones opened."""
        rows = await self.pool.fetch(
            "SELECT notice_id, event, language, arguments, sealed, try_at, not_after FROM notices"
            " WHERE msisdn = $1 AND ($2::text IS NULL OR event = $2) ORDER BY position",
            msisdn,
            event,
        )
        return [{**dict(row), "arguments": _opened(row)} for row in rows]

    async def sent(self, msisdn: str, event: str, name: str) -> str:
        """An argument of the last notice of an event."""
        return str((await self.notices(msisdn, event))[-1]["arguments"][name])


class Clock:
    """Sets the core's time in each connection that is taken from the pool."""

    KEEPS: ClassVar[str] = "SELECT set_config('billing.now', $1, false)"

    def __init__(self) -> None:
        self.now: datetime.datetime | None = None

    async def __call__(self, connection: Connection) -> None:
        await connection.execute(self.KEEPS, "" if self.now is None else self.now.isoformat())


def _opened(row: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = json.loads(row["arguments"])
    if row["sealed"] is not None:
        arguments |= Seal(NOTICE_KEY).open(uuid.UUID(str(row["notice_id"])), row["sealed"])
    return arguments


async def sent_password(core: Core, number: str) -> str:
    """The last temporary password that was written for the number, as only the holder of the key can read it."""
    return await core.sent(number, "cabinet.temporary_password", "password")


@asynccontextmanager
async def running_core(
    database_url: str,
    rules: Rules | None = None,
    *,
    connections: int = 8,
    late_seconds: float = 0.3,
    peppers: Sequence[bytes] = (PEPPER,),
    **hashing: int,
) -> AsyncIterator[Core]:
    """A core on this database, with a clock that a test can set. `hashing`: as `Hasher` takes it."""
    clock, measures, hasher = Clock(), Measures(), Hasher(peppers[0], older=peppers[1:], **hashing)
    pool = await asyncpg.create_pool(
        database_url,
        min_size=connections,
        max_size=connections,
        setup=clock,
        server_settings={"statement_timeout": "10000"},
    )
    biller = SimulatedBiller(pool, late_seconds)
    tools = Tools(rules or Rules(), hasher, Seal(NOTICE_KEY), Codes(*peppers), biller, measures)
    domains = Domains(tools)
    biller.tell = lambda payment, answer: domains.payments.settle(pool, payment, answer)
    operations = make_operations(domains)
    sweeper = Sweeper(pool, domains.payments, SimulatedNetwork(), measures, tools.rules.wallet.people_after_minutes)
    async with served(make_app(pool, CLIENTS, operations, measures)) as url:
        billing = HttpBilling(url, "engine", KEY)
        await billing.start()
        yield Core(url, billing, pool, tools, domains, operations, measures, sweeper, clock)
        await billing.close()
    await biller.close()
    hasher.close()
    await pool.close()


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serves the app on a free port; yields its address."""
    with bind(Listen("127.0.0.1", 0)) as listening:
        server = make_server(app)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving
