"""The HTTP side: what is turned away and how it is told, and the pages of operators."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
import uuid
from typing import Any, NamedTuple

import aiohttp
import pytest

from billing import openapi
from billing.calls import Done, NotMade
from billing.http_client import HttpBilling
from billing.signing import sign
from billing_core.app import make_app
from billing_core.config import Client
from billing_core.database import open_pool

from .running_core import CLIENTS, KEY, Core, served

PATH = "/v1/operations/balances.get"
BODY: dict[str, Any] = {
    "id": "6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001",
    "msisdn": "77010000007",
    "language": "ru",
    "arguments": {},
}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    said: Any


async def post(
    core: Core,
    body: object,
    path: str = PATH,
    signed_path: str | None = None,
    now: float | None = None,
    key: bytes = KEY,
) -> Answer:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = sign("engine", key, "POST", signed_path or path, octets, now or time.time())
    async with (
        aiohttp.ClientSession() as session,
        session.post(core.url + path, data=octets, headers=headers) as response,
    ):
        return Answer(response.status, dict(response.headers), await response.json(content_type=None))


async def get(core: Core, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(core.url + path) as response:
        return response.status, await response.text()


def counted(page: str, name: str) -> float:
    """The sum of what the page of metrics has under names that begin so."""
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))


async def test_a_signed_request_is_answered(core: Core) -> None:
    answer = await post(core, BODY)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.said) == {"done"}


async def test_what_is_not_signed_as_it_must_be_is_told_how_to(core: Core) -> None:
    for answer in (
        await post(core, BODY, key=b"another key that is long enough"),
        await post(core, BODY, signed_path="/v1/operations/subscribers.hello"),
        await post(core, BODY, now=time.time() - 120),
    ):
        assert answer.status == 401
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == "HMAC-SHA256"


async def test_a_query_that_was_not_signed_is_refused(core: Core) -> None:
    assert (await post(core, BODY, PATH + "?x=1", signed_path=PATH)).status == 401
    assert (await post(core, BODY, PATH + "?x=1")).status == 200


@pytest.mark.parametrize("path", ["/v1/operations/balances.set", "/v1/operations/", "/v1/operations/x/balances.get"])
async def test_an_operation_that_is_not_there_is_404(core: Core, path: str) -> None:
    assert (await post(core, BODY, path)).status == 404


async def test_a_stranger_does_not_learn_which_operations_there_are(core: Core) -> None:
    answer = await post(core, BODY, "/v1/operations/balances.set", key=b"another key that is long enough")
    assert answer.status == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "7"}, "id"),
        ({"msisdn": "+7 701"}, "msisdn"),
        ({"msisdn": 77010000007}, "msisdn"),
        ({"language": "de"}, "language"),
        ({"arguments": []}, "arguments"),
        ({"arguments": {"sum": 5}}, "arguments.sum"),
        ({"amount": 5}, "amount"),
        ({"msisdn": ...}, "msisdn"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(core: Core, change: dict[str, Any], field: str) -> None:
    body = {name: value for name, value in (BODY | change).items() if value is not ...}
    answer = await post(core, body)
    assert answer.status == 422
    assert [param["field"] for param in answer.said["invalid_params"]] == [field]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"arguments":' + b'{"a":' * 10_000])
async def test_a_body_that_is_no_json_is_400(core: Core, body: bytes) -> None:
    assert (await post(core, body)).status == 400


async def test_a_body_of_more_than_64_kib_is_413(core: Core) -> None:
    assert (await post(core, b"x" * 65_537)).status == 413


async def test_an_operation_is_only_posted_and_other_pages_are_problems_too(core: Core) -> None:
    assert (await get(core, PATH))[0] == 405
    status, said = await get(core, "/nothing")
    assert (status, json.loads(said)) == (404, {"title": "Not Found", "status": 404})


async def test_the_pages_of_operators_are_there(core: Core) -> None:
    assert (await get(core, "/health"))[0] == 200
    assert (await get(core, "/ready"))[0] == 200
    assert await core.billing.ready(1.0) is None
    assert await get(core, "/openapi.json") == (200, openapi.text())


async def test_calls_and_problems_are_counted_and_no_number_is_a_label(core: Core) -> None:
    done = 'billing_core_calls_total{operation="tariffs.current",outcome="done"}'
    problems = 'billing_core_problems_total{status="422"}'
    _, before = await get(core, "/metrics")
    await core.ask("tariffs.current", "77010000007")
    await post(core, BODY | {"language": "de"})
    _, after = await get(core, "/metrics")
    assert counted(after, done) == counted(before, done) + 1
    assert counted(after, problems) == counted(before, problems) + 1
    assert "77010000007" not in after


async def test_a_caller_that_dies_before_its_request_was_read_counts_as_no_forger(core: Core) -> None:
    forged, broken_off = (f'billing_core_problems_total{{status="{status}"}}' for status in (401, 400))
    before = (await get(core, "/metrics"))[1]
    host, _, port = core.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: core\r\nContent-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(5):
        while counted(after := (await get(core, "/metrics"))[1], broken_off) == counted(before, broken_off):
            await asyncio.sleep(0.02)
    assert counted(after, forged) == counted(before, forged)


async def test_a_client_asks_only_for_what_is_its_own(core: Core) -> None:
    clients = {"engine": Client((KEY,), frozenset({"payments"}))}
    async with served(make_app(core.pool, clients, core.operations, core.measures)) as url:
        terminal = dataclasses.replace(core, url=url)
        assert (await post(terminal, BODY)).status == 403
        top_up = {"sum": {"minor": 100, "currency": "KZT"}, "place": "a-terminal"}
        path = "/v1/operations/balances.top_up"
        answer = await post(terminal, BODY | {"id": str(uuid.uuid4()), "arguments": top_up}, path)
        assert (answer.status, set(answer.said)) == (200, {"done"})


async def test_who_asks_for_somebody_else_is_named_only_where_that_may_be(core: Core) -> None:
    by_another = BODY | {"by": "77010000008"}
    answer = await post(core, by_another)
    assert (answer.status, answer.said) == (200, {"refused": {"code": "NOT_MANAGED"}})
    for body, path in ((BODY | {"by": "8"}, PATH), (by_another, "/v1/operations/delegation.managed")):
        answer = await post(core, body, path)
        assert answer.status == 422
        assert [param["field"] for param in answer.said["invalid_params"]] == ["by"]


async def test_without_its_database_the_core_says_that_nothing_was_done_and_recovers(
    core: Core, serving_url: str
) -> None:
    pool = await open_pool(serving_url, 1)
    async with served(make_app(pool, CLIENTS, core.operations, core.measures)) as url:
        billing = HttpBilling(url, "engine", KEY)
        await billing.start()
        cut_off = dataclasses.replace(core, url=url, billing=billing, pool=pool)
        backend = await pool.fetchval("SELECT pg_backend_pid()")
        async with pool.acquire():  # the only connection: nobody else gets one in time
            why_not, *outcomes = await asyncio.gather(
                billing.ready(2.0),
                cut_off.ask("balances.get", "77010000007"),
                cut_off.ask("subscribers.set_language", "77010000007", {"language": "ru"}),
            )
            assert "503" in str(why_not)
            assert [type(outcome) for outcome in outcomes] == [NotMade, NotMade]
        await core.pool.execute("SELECT pg_terminate_backend($1)", backend)
        await cut_off.ask("balances.get", "77010000007")  # may meet the connection that was just cut
        assert isinstance(await cut_off.ask("balances.get", "77010000007"), Done)
        await billing.close()
    await pool.close()


async def test_an_id_is_taken_in_any_of_its_spellings_as_the_same(core: Core) -> None:
    call_id = uuid.uuid4()
    path = "/v1/operations/subscribers.set_language"
    for spelling, language in ((str(call_id), "ru"), (str(call_id).upper(), "kk")):
        answer = await post(core, BODY | {"id": spelling, "arguments": {"language": language}}, path)
    assert answer.status == 409
