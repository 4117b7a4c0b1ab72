"""The HTTP side of the billing core: signed operations, and what operators look at.

Rules of this file:
- An operation is served by a bare ASGI endpoint that branches off before FastAPI's routing (which would cost a fifth of
  a read): no pydantic, no Request object, no line of log on its path. What it must check it checks once: size,
  signature, envelope, arguments.
- Every failure is translated here, in one place, into a problem document that says whether nothing was done.
- An exception that is not expected is a mistake of ours: 500 by Starlette, with a traceback in the log.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import prometheus_client
import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from billing import openapi, wire
from billing.calls import Call, Done, Refused
from billing.contract import LANGUAGES, OPERATIONS, Choice, Fault, Msisdn, check_values
from billing.signing import SCHEME, SigningError, verify
from billing_core.config import Client
from billing_core.database import UNAVAILABLE, Pool
from billing_core.idempotency import OtherArguments, OutcomeUnknown, Outdated
from billing_core.measures import Measures
from billing_core.operations import Performing
from billing_core.passwords import Busy

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


DEADLINE_SHARE = 0.8
"""Of an operation's `seconds_max`: the core gives up before its caller does, so that the caller gets a sure answer."""
READY_SECONDS_MAX = 1.0
COMPLAINT_SECONDS = 1.0
"""While the database is away, one line of log in this time."""

_MSISDN, _LANGUAGE = Msisdn(), Choice(LANGUAGES)
_FIELD_AT = re.compile(r" - at `\$\.?([^`]*)`\Z")
_FIELD_NAMED = re.compile(r"(?:missing required|unknown) field `([^`]{1,64})")
_log = structlog.stdlib.get_logger("billing_core")


class _TurnedAway(Exception):
    """A request that is not served."""

    def __init__(self, status: int, title: str, detail: str = "", faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(title)
        params = [wire.InvalidParam(fault.field, fault.what) for fault in faults]
        self.problem = wire.Problem(title, status, detail, not_done=status == 503, invalid_params=params)


class _Answer(NamedTuple):
    status: int
    octets: bytes


def make_app(
    pool: Pool,
    clients: Mapping[str, Client],
    operations: Mapping[str, Performing],
    measures: Measures,
    *,
    clock_skew_seconds_max: float = 60,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """The ASGI application over an open pool of a migrated database. `clients`: who may call, by name; `clock`: Unix
    time, for signatures alone."""
    app = FastAPI(title="Billing core", openapi_url=None)
    served = _Operations(pool, clients, operations, measures, clock_skew_seconds_max, clock)
    app.add_middleware(_BranchOff, operations=served)
    _add_pages(app, pool, measures.registry)
    return app


def _add_pages(app: FastAPI, pool: Pool, registry: prometheus_client.CollectorRegistry) -> None:
    """What operators and their machines look at; not signed, so it tells nothing of subscribers."""
    contract = openapi.text().encode()

    @app.get("/health")
    async def health() -> Response:
        return Response(b'{"status":"ok"}', media_type=wire.JSON_TYPE)

    @app.get("/ready")
    async def ready() -> Response:
        why = await _why_not_ready(pool)
        return Response(
            msgspec.json.encode({"ready": why is None, "why": why}),
            200 if why is None else 503,
            media_type=wire.JSON_TYPE,
        )

    @app.get("/openapi.json")
    async def openapi_json() -> Response:
        return Response(contract, media_type=wire.JSON_TYPE)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(prometheus_client.generate_latest(registry), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    @app.exception_handler(HTTPException)
    async def no_such_page(_request: Request, error: HTTPException) -> Response:
        problem = wire.Problem(str(error.detail), error.status_code)
        return Response(wire.problem_octets(problem), error.status_code, media_type=wire.PROBLEM_TYPE)


async def _why_not_ready(pool: Pool) -> str | None:
    try:
        async with asyncio.timeout(READY_SECONDS_MAX), pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
    except UNAVAILABLE as error:
        return f"the database does not answer: {type(error).__name__}"
    return None


class _BranchOff:
    """Sends what asks for an operation there, and everything else on to FastAPI."""

    def __init__(self, app: ASGIApp, operations: ASGIApp) -> None:
        self._app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_operation = scope["type"] == "http" and scope["path"].startswith(wire.PATH)
        await (self._operations if is_operation else self._app)(scope, receive, send)


class _Operations:
    """`POST /v1/operations/{name}`."""

    def __init__(
        self,
        pool: Pool,
        clients: Mapping[str, Client],
        operations: Mapping[str, Performing],
        measures: Measures,
        clock_skew_seconds_max: float,
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._keys = {name: client.keys for name, client in clients.items()}
        self._may = {name: client.may for name, client in clients.items()}
        self._operations = operations
        self._clock_skew_seconds_max = clock_skew_seconds_max
        self._clock = clock
        self._measures = measures
        self._next_complaint = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, by the rules of ASGI."""
        try:
            answer = await self._answer(scope, receive)
            headers = [(b"content-type", b"application/json")]
        except _TurnedAway as turned_away:
            problem = turned_away.problem
            self._measures.problems.labels(str(problem.status)).inc()
            answer = _Answer(problem.status, wire.problem_octets(problem))
            headers = [(b"content-type", b"application/problem+json")]
            if problem.status == 401:
                headers.append((b"www-authenticate", SCHEME.encode()))
        headers.append((b"content-length", b"%d" % len(answer.octets)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.octets})

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        if scope["method"] != "POST":
            raise _TurnedAway(405, "Only POST")
        body = await _read_body(receive)
        began = time.perf_counter()
        path: str = scope["path"]
        try:
            header = _header(scope, b"authorization")
            target = scope["raw_path"].decode("latin-1")
            if scope["query_string"]:
                target += "?" + scope["query_string"].decode("latin-1")
            client = verify(self._keys, "POST", target, header, body, self._clock(), self._clock_skew_seconds_max)
        except SigningError as error:
            raise _TurnedAway(401, "Not signed as it must be", str(error)) from None
        name = path.rpartition("/")[2]
        if path != wire.PATH + name or name not in OPERATIONS:
            raise _TurnedAway(404, "No such operation")
        if OPERATIONS[name].asked_by not in self._may[client]:
            raise _TurnedAway(403, "Not for this client", f"{name} is asked for by {OPERATIONS[name].asked_by}.")
        outcome = await self._perform(_read_call(name, body))
        self._measures.seconds[name].observe(time.perf_counter() - began)
        if isinstance(outcome, Done):
            self._measures.done[name].inc()
            return _Answer(200, wire.done_octets(outcome.result))
        self._measures.refused[name].inc()
        return _Answer(200, wire.refused_octets(outcome.code, outcome.details))

    async def _perform(self, call: Call) -> Done | Refused:
        name = call.operation
        try:
            async with asyncio.timeout(OPERATIONS[name].seconds_max * DEADLINE_SHARE):
                return await self._operations[name](self._pool, call)
        except (Busy, Outdated) as error:
            raise _TurnedAway(429, "Too much at once", str(error)) from None
        except OtherArguments as error:
            raise _TurnedAway(409, "The id was used for another call", str(error)) from None
        except OutcomeUnknown as error:
            self._complain(call, error)
            turned_away = _TurnedAway(503, "Not known whether it was done", "Ask what became of the call.")
            turned_away.problem = msgspec.structs.replace(turned_away.problem, not_done=False)
            raise turned_away from None
        except UNAVAILABLE as error:
            self._complain(call, error)
            raise _TurnedAway(503, "The database does not serve now") from None

    def _complain(self, call: Call, error: BaseException) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_complaint:
            self._next_complaint = now + COMPLAINT_SECONDS
            why = f"{type(error).__name__}: {error}"
            _log.warning("not served", operation=call.operation, msisdn=call.msisdn, call=call.id, why=why)


def _header(scope: MutableMapping[str, Any], name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


async def _read_body(receive: Receive) -> bytes:
    """The whole body. A caller that is gone before it was read is no forger, though what is there is not what was
    signed: nothing is done."""
    body, more = b"", True
    while more and len(body) <= wire.REQUEST_OCTETS_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _TurnedAway(400, "The caller is gone")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > wire.REQUEST_OCTETS_MAX:
        raise _TurnedAway(413, "The body is too long", f"At most {wire.REQUEST_OCTETS_MAX} octets.")
    return body


def _read_call(name: str, body: bytes) -> Call:
    """The call in a body. Raises _TurnedAway, which names the fields that do not fit."""
    try:
        request = wire.read_request(body)
    except msgspec.ValidationError as error:
        raise _TurnedAway(422, "A field does not fit", "", (_fault_of(str(error)),)) from None
    except msgspec.DecodeError:
        raise _TurnedAway(400, "The body is not JSON") from None
    faults = check_values(request.arguments, OPERATIONS[name].arguments, "arguments")
    if wrong := _MSISDN.wrong(request.msisdn):
        faults.append(Fault("msisdn", wrong))
    if wrong := _LANGUAGE.wrong(request.language):
        faults.append(Fault("language", wrong))
    by = "" if request.by is msgspec.UNSET else request.by
    if request.by is not msgspec.UNSET and not OPERATIONS[name].by_manager:
        faults.append(Fault("by", "is not for this operation"))
    elif request.by is not msgspec.UNSET and (wrong := _MSISDN.wrong(request.by)):
        faults.append(Fault("by", wrong))
    if faults:
        raise _TurnedAway(422, "A field does not fit", "", tuple(faults))
    return Call(str(request.id), name, request.msisdn, request.language, request.arguments, request.by_sms, by)


def _fault_of(words: str) -> Fault:
    """What msgspec says in words, with the field apart; its words name types and fields, never values."""
    if at := _FIELD_AT.search(words):
        return Fault(at[1] or "body", words[: at.start()])
    named = _FIELD_NAMED.search(words)
    return Fault(named[1] if named else "body", words)
