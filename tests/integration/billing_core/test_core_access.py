"""Who may ask for what, and for whom: by the client's key, and by who manages a number."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest

from billing.calls import Call, Done, Refused
from billing.contract import OPERATIONS
from billing.signing import sign
from billing.wire import PATH, request_octets
from billing_core.app import make_app
from billing_core.config import Client
from billing_core.measures import Measures

from .running_core import KEY, Core, served

ENGINE, DESK = "engine", "desk"
CLIENTS = {
    ENGINE: Client((KEY,), frozenset({"subscriber"})),
    DESK: Client((KEY,), frozenset({"office", "payments", "network"})),
}
MANAGER, MANAGED, STRANGER = "77010000501", "77010000502", "77010000503"


@pytest.fixture(scope="module")
async def url(core: Core) -> AsyncIterator[str]:
    async with served(make_app(core.pool, CLIENTS, core.operations, Measures())) as url:
        yield url


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def status_of(
    session: aiohttp.ClientSession, url: str, client: str, operation: str, **more: object
) -> tuple[int, dict[str, object]]:
    path = PATH + operation
    call = Call(str(uuid.uuid4()), operation, "77010000500", "ru", {})._replace(**more)
    body = request_octets(call)
    headers = sign(client, KEY, "POST", path, body, time.time())
    async with session.post(url + path, data=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_each_operation_is_for_the_clients_that_may_ask_for_it(
    session: aiohttp.ClientSession, url: str, name: str
) -> None:
    asked_by = OPERATIONS[name].asked_by
    for client, may in CLIENTS.items():
        status, body = await status_of(session, url, client, name)
        assert (status == 403) == (asked_by not in may.may), body


async def test_who_manages_is_told_in_the_envelope_where_the_operation_knows_it(
    session: aiohttp.ClientSession, url: str
) -> None:
    for name, operation in OPERATIONS.items():
        if operation.asked_by != "subscriber":
            continue
        status, body = await status_of(session, url, ENGINE, name, by=MANAGER)
        faults = {fault["field"] for fault in body.get("invalid_params", [])}  # type: ignore[attr-defined]
        assert ("by" in faults) != operation.by_manager, name
    status, body = await status_of(session, url, ENGINE, "balances.get", by="+7")
    assert (status, body["invalid_params"][0]["field"]) == (422, "by")  # type: ignore[index]


@pytest.fixture
async def managed(owner: asyncpg.Connection) -> AsyncIterator[None]:
    await owner.execute(
        "INSERT INTO delegations (delegation_id, manager_id, managed_id, state, valid_until, active_at)"
        " SELECT gen_random_uuid(), a.subscriber_id, b.subscriber_id, 'active', now(), now()"
        " FROM subscribers a, subscribers b WHERE a.msisdn = $1 AND b.msisdn = $2",
        MANAGER,
        MANAGED,
    )
    yield
    await owner.execute("DELETE FROM delegations")


READING = sorted(
    name
    for name, operation in OPERATIONS.items()
    if operation.by_manager and not operation.changes and not operation.arguments
)


@pytest.mark.parametrize("name", READING)
async def test_what_is_read_of_another_number_is_read_by_who_manages_it_alone(
    core: Core, managed: None, name: str
) -> None:
    assert isinstance(await core.do(name, MANAGED, by=MANAGER), Done)
    for stranger in (STRANGER, MANAGED, "77019999999"):
        assert await core.do(name, MANAGED, by=stranger) == Refused("NOT_MANAGED", {})
    assert await core.do(name, MANAGER, by=MANAGED) == Refused("NOT_MANAGED", {})


async def test_a_number_in_debt_or_a_manager_that_is_blocked_manages_nothing(
    core: Core, owner: asyncpg.Connection, managed: None
) -> None:
    set_status = "UPDATE subscribers SET status = $2 WHERE msisdn = $1"
    for number, status in ((MANAGED, "barred"), (MANAGER, "blocked"), (MANAGER, "closed")):
        await owner.execute(set_status, number, status)
        assert await core.do("balances.get", MANAGED, by=MANAGER) == Refused("NOT_MANAGED", {})
        await owner.execute(set_status, number, "active")
    assert isinstance(await core.do("balances.get", MANAGED, by=MANAGER), Done)
