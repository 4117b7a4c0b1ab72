"""The client against a core over real TCP that answers, refuses, hangs, breaks, redirects and talks nonsense."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeAlias

import pytest

from billing.calls import Call, Done, NotMade, Refused, Unknown
from billing.contract import OPERATIONS, Field, Secret
from billing.http_client import HttpBilling
from billing.signing import verify

KEY = b"0123456789abcdef0123456789abcdef"
HELLO = Call("6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", "subscribers.hello", "77010000007", "kk", {})
WALLET = HELLO._replace(operation="wallet.state")
KNOWN = {"network": "kcell", "brand": "Kcell", "status": "active"}


class Received(NamedTuple):
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


Move: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]


class ScriptedCore:
    """A server that makes one move of its script for each request, the last one again and again."""

    def __init__(self, moves: list[Move]) -> None:
        self.moves = moves
        self.received: list[Received] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not reader.at_eof():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:-2])}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.received.append(Received(head[0], headers, body))
                move = self.moves.pop(0) if len(self.moves) > 1 else self.moves[0]
                await move(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def says(status: int, body: object, *headers: str) -> Move:
    async def move(writer: asyncio.StreamWriter) -> None:
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(octets)}", *headers]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + octets)

    return move


def writes(octets: bytes) -> Move:
    """Sends octets that need not be HTTP, and closes."""

    async def move(writer: asyncio.StreamWriter) -> None:
        writer.write(octets)
        writer.close()

    return move


async def hangs(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


answers = says(200, {"done": KNOWN})


async def answers_late(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.22)
    await answers(writer)


breaks = writes(b"")


@asynccontextmanager
async def core(*moves: Move, **limits: Any) -> AsyncIterator[tuple[HttpBilling, ScriptedCore]]:
    script = ScriptedCore(list(moves))
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    billing = HttpBilling(f"http://127.0.0.1:{port}", "engine", KEY, **limits)
    await billing.start()
    try:
        yield billing, script
    finally:
        await billing.close()
        server.close()


async def test_an_answer_is_done_with_its_results() -> None:
    async with core(answers) as (billing, _):
        assert await billing.perform(HELLO, 1.0) == Done(KNOWN)


async def test_a_refusal_is_refused_with_its_code() -> None:
    async with core(says(200, {"refused": {"code": "UNKNOWN_NUMBER"}})) as (billing, _):
        assert await billing.perform(HELLO, 1.0) == Refused("UNKNOWN_NUMBER", {})


async def test_what_is_sent_is_signed_and_names_the_call() -> None:
    async with core(answers, clock=lambda: 1000.0) as (billing, script):
        await billing.perform(HELLO, 1.0)
    [received] = script.received
    assert received.line == "POST /v1/operations/subscribers.hello HTTP/1.1"
    path = received.line.split()[1]
    assert (
        verify({"engine": (KEY,)}, "POST", path, received.headers["authorization"], received.body, 1000, 1) == "engine"
    )
    assert json.loads(received.body) == {"id": HELLO.id, "msisdn": "77010000007", "language": "kk", "arguments": {}}


async def test_connections_are_kept_and_used_again() -> None:
    async with core(answers) as (billing, script):
        for _ in range(10):
            await billing.perform(HELLO, 1.0)
    assert script.connections == 1


async def test_a_core_that_hangs_is_unknown_when_the_time_is_up() -> None:
    async with core(hangs) as (billing, _):
        began = time.monotonic()
        outcome = await billing.perform(HELLO, 0.2)
        took = time.monotonic() - began
    assert isinstance(outcome, Unknown)
    assert 0.15 < took < 0.45


async def test_the_operation_s_own_deadline_holds_when_the_caller_has_more_time() -> None:
    async with core(hangs) as (billing, _):
        began = time.monotonic()
        assert isinstance(await billing.perform(HELLO, 60.0), Unknown)
        assert time.monotonic() - began < 2 * OPERATIONS["subscribers.hello"].seconds_max


async def test_an_answer_that_comes_in_drops_is_unknown_when_the_time_is_up() -> None:
    async def drops(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await asyncio.sleep(0.05)

    async with core(drops) as (billing, script):
        assert isinstance(await billing.perform(HELLO, 0.2), Unknown)
        assert len(script.received) == 1


async def test_without_time_nothing_is_sent() -> None:
    async with core(answers) as (billing, script):
        assert isinstance(await billing.perform(HELLO, 0.0), NotMade)
    assert script.received == []


async def test_nobody_listening_is_not_made() -> None:
    async with core(answers) as (billing, _):
        pass
    await billing.start()
    outcome = await billing.perform(HELLO, 1.0)
    await billing.close()
    assert isinstance(outcome, NotMade)


async def test_a_client_that_was_not_started_makes_nothing() -> None:
    outcome = await HttpBilling("http://127.0.0.1:9", "engine", KEY).perform(HELLO, 1.0)
    assert outcome == NotMade("the client is not started")


async def test_waiting_for_a_free_connection_in_vain_is_not_made() -> None:
    async with core(hangs, connections_max=1) as (billing, script):
        outcomes = await asyncio.gather(billing.perform(HELLO, 0.4), billing.perform(HELLO, 0.2))
    assert [type(outcome) for outcome in outcomes] == [Unknown, NotMade]
    assert len(script.received) == 1


async def test_a_connection_that_broke_before_any_answer_is_tried_once_more_under_the_same_id() -> None:
    async with core(breaks, answers) as (billing, script):
        assert await billing.perform(HELLO, 1.0) == Done(KNOWN)
    first, second = script.received
    assert first.body == second.body


async def test_a_connection_that_the_core_closed_while_it_lay_idle_costs_nothing() -> None:
    async def answers_and_closes(writer: asyncio.StreamWriter) -> None:
        await answers(writer)
        writer.close()

    async with core(answers_and_closes) as (billing, script):
        for _ in range(5):
            assert await billing.perform(HELLO, 1.0) == Done(KNOWN)
    assert len(script.received) == 5


async def test_a_connection_that_breaks_twice_is_unknown() -> None:
    async with core(breaks) as (billing, script):
        assert isinstance(await billing.perform(HELLO, 1.0), Unknown)
    assert len(script.received) == 2


async def test_not_done_said_of_the_second_try_says_nothing_about_the_first() -> None:
    not_done = says(503, {"title": "away", "status": 503, "not_done": True})
    async with core(breaks, not_done) as (billing, _):
        assert isinstance(await billing.perform(HELLO, 1.0), Unknown)


async def test_a_call_with_a_secret_is_never_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = dataclasses.replace(OPERATIONS["subscribers.hello"], arguments={"pin": Field(Secret(4), "")})
    monkeypatch.setattr("billing.http_client.OPERATIONS", {"subscribers.hello": asking})
    async with core(breaks, answers) as (billing, script):
        assert isinstance(await billing.perform(HELLO._replace(arguments={"pin": "4711"}), 1.0), Unknown)
    assert len(script.received) == 1


async def test_a_connection_that_breaks_in_the_middle_of_an_answer_is_unknown_and_not_tried_again() -> None:
    async with core(writes(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), answers) as (billing, script):
        assert isinstance(await billing.perform(HELLO, 1.0), Unknown)
    assert len(script.received) == 1


@pytest.mark.parametrize(
    "octets",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"\x00" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" * 9000,
    ],
)
async def test_what_is_not_http_is_unknown(octets: bytes) -> None:
    async with core(writes(octets)) as (billing, _):
        assert isinstance(await billing.perform(HELLO, 1.0), Unknown)


async def test_an_answer_that_breaks_the_contract_is_unknown() -> None:
    async with core(says(200, {"done": {**KNOWN, "status": "asleep"}})) as (billing, _):
        outcome = await billing.perform(HELLO, 1.0)
    assert isinstance(outcome, Unknown)
    assert "done.status" in outcome.why


async def test_a_redirect_is_not_followed() -> None:
    async with core(answers) as (_, elsewhere_script), core(answers) as (elsewhere, _):
        location = f"Location: {elsewhere._base}"
        async with core(says(307, b"", location)) as (billing, _):
            assert isinstance(await billing.perform(HELLO, 1.0), Unknown)
        assert elsewhere_script.received == []


async def test_a_megabyte_of_answer_is_unknown_and_not_read_to_its_end() -> None:
    megabyte = b'{"done": "' + b"x" * 1_000_000 + b'"}'
    async with core(says(200, megabyte), answers) as (billing, script):
        outcome = await billing.perform(HELLO, 1.0)
        assert isinstance(outcome, Unknown)
        assert "65536" in outcome.why
        assert await billing.perform(HELLO, 1.0) == Done(KNOWN)
    assert script.connections == 2


async def test_an_answer_of_exactly_64_kib_is_read() -> None:
    body = json.dumps({"done": {**KNOWN, "more": ""}}).encode()
    body = body.replace(b'"more": ""', b'"more": "' + b"x" * (65_536 - len(body)) + b'"')
    async with core(says(200, body)) as (billing, _):
        assert await billing.perform(HELLO, 1.0) == Done(KNOWN)


async def test_a_request_that_was_turned_away_is_not_made() -> None:
    async with core(says(401, {"title": "Not signed as it must be", "status": 401})) as (billing, _):
        outcome = await billing.perform(HELLO, 1.0)
    assert isinstance(outcome, NotMade)
    assert "401" in outcome.why


async def test_the_breaker_opens_after_failures_and_nothing_is_sent_until_a_trial_succeeds() -> None:
    failing = says(500, b"")
    async with core(failing, failing, answers, breaker_failures=2, breaker_seconds=0.2) as (billing, script):
        assert isinstance(await billing.perform(HELLO, 1.0), Unknown)
        assert isinstance(await billing.perform(HELLO, 1.0), Unknown)
        assert isinstance(await billing.perform(HELLO, 1.0), NotMade)
        assert len(script.received) == 2
        await asyncio.sleep(0.25)
        assert await billing.perform(HELLO, 1.0) == Done(KNOWN)
        assert not billing.breakers["subscribers"].is_open


async def test_refusals_and_requests_turned_away_do_not_open_the_breaker() -> None:
    refusing = says(200, {"refused": {"code": "UNKNOWN_NUMBER"}})
    async with core(refusing, says(404, b""), refusing, breaker_failures=1) as (billing, _):
        for _ in range(3):
            await billing.perform(HELLO, 1.0)
        assert not billing.breakers["subscribers"].is_open


async def test_a_domain_that_hangs_opens_its_own_breaker_and_no_other() -> None:
    async with core(hangs, hangs, answers, breaker_failures=2) as (billing, script):
        for _ in range(2):
            assert isinstance(await billing.perform(WALLET, 0.05), Unknown)
        assert isinstance(await billing.perform(WALLET, 1.0), NotMade)
        assert await billing.perform(HELLO, 1.0) == Done(KNOWN)
        assert [name for name, breaker in billing.breakers.items() if breaker.is_open] == ["wallet"]
    assert len(script.received) == 3


async def test_a_domain_that_hangs_leaves_half_of_the_connections_to_the_others() -> None:
    async with core(hangs, hangs, answers, connections_max=4) as (billing, script):
        hanging = [asyncio.ensure_future(billing.perform(WALLET, 0.5)) for _ in range(6)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert await billing.perform(HELLO, 0.5) == Done(KNOWN)
        assert time.monotonic() - began < 0.2
        outcomes = await asyncio.gather(*hanging)
    assert [type(outcome) for outcome in outcomes] == [Unknown] * 2 + [NotMade] * 4
    assert len(script.received) == 3


async def test_a_queue_of_ours_is_no_failure_of_the_core() -> None:
    async with core(answers_late, connections_max=2, breaker_failures=1) as (billing, _):
        outcomes = await asyncio.gather(*(billing.perform(HELLO, 0.25) for _ in range(3)))
        assert [type(outcome) for outcome in outcomes] == [Done, NotMade, NotMade]
        assert not billing.breakers["subscribers"].is_open


async def test_a_place_that_gets_free_in_time_is_taken() -> None:
    async with core(answers_late, connections_max=2) as (billing, script):
        outcomes = await asyncio.gather(*(billing.perform(HELLO, 0.5) for _ in range(2)))
    assert outcomes == [Done(KNOWN)] * 2
    assert script.connections == 1


async def test_ready_says_why_not() -> None:
    async with core(answers, says(503, b""), hangs) as (billing, script):
        assert await billing.ready(1.0) is None
        assert script.received[0].line == "GET /ready HTTP/1.1"
        assert await billing.ready(1.0) == "the billing core says 503"
        assert "does not answer" in str(await billing.ready(0.1))


async def test_an_operation_that_the_contract_lacks_is_a_mistake_of_the_program() -> None:
    async with core(answers) as (billing, _):
        with pytest.raises(KeyError):
            await billing.perform(HELLO._replace(operation="no.such"), 1.0)


@pytest.mark.parametrize("url", ["127.0.0.1:8081", "ftp://core", "http://", ""])
def test_an_address_that_is_not_http_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        HttpBilling(url, "engine", KEY)


async def test_a_base_address_may_have_a_path() -> None:
    async with core(answers) as (billing, script):
        behind = HttpBilling(f"{billing._base}/core/", "engine", KEY)
        await behind.start()
        await behind.perform(HELLO, 1.0)
        await behind.ready(1.0)
        await behind.close()
    lines = [received.line.split()[1] for received in script.received]
    assert lines == ["/core/v1/operations/subscribers.hello", "/core/ready"]
