"""Our OpenAPI document and our core, tried against each other by Schemathesis: what the document allows, and forbids.

Rules of this file:
- Each request is signed by the engine, over the octets that are really sent.
- Whatever comes back is in the document: its status, its content type, its body. A 5xx is a mistake of ours.
- What the document allows is done or refused; what it forbids is turned away. Half of what is allowed is about numbers
  and names that there are, and what an answer names is asked about later.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from billing import openapi
from billing.contract import OPERATIONS, Choice, Operation
from billing.signing import sign
from billing.wire import PATH
from billing_core.seeding.ranges import RANGES
from billing_core.seeding.wallets import pin_of

from .running_core import KEY, Core, running_core

EXAMPLES_MAX = 12
"""For each operation and kind of call: with 77 operations, some 1,900 requests in half a minute."""
SECONDS_MAX = 10.0
KEPT_MAX = 40
NUMBERS = ("msisdn", "number", "to", "caller", "other")
NAMED_BY = {
    "tariffs": "tariff",
    "services": "service",
    "offers": "offer",
    "cities": "city",
    "points": "point",
    "prefixes": "prefix",
    "numbers": "number",
    "categories": "category",
    "requests": "request",
}
"""Results that list what an argument takes."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

steady = settings(
    max_examples=EXAMPLES_MAX,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
every = pytest.mark.parametrize("name", OPERATIONS)


class Quote(NamedTuple):
    """What an answer has quoted."""

    number: str
    confirms: Mapping[str, str]


class Known:
    """Values that there are, by the name of the argument or field; what answers tell is added."""

    def __init__(self) -> None:
        numbers = [str(each.first + n) for each in RANGES for n in (*range(10), 91, 95, 97)]
        self._values: dict[str, deque[Any]] = {name: deque(numbers) for name in NUMBERS}
        self.quotes: deque[Quote] = deque(maxlen=KEPT_MAX)

    def of(self, name: str) -> list[Any]:
        """Values that it could have; empty when none is known."""
        return list(self._values.get(name, ()))

    def learn(self, number: str, result: Mapping[str, Any]) -> None:
        """Keeps what an answer names: `cities` have ids that the argument `city` takes."""
        for name, argument in NAMED_BY.items():
            listed = result.get(name)
            for each in listed if isinstance(listed, list) else ():
                self._values.setdefault(argument, deque(maxlen=KEPT_MAX)).append(each["id"])
        if "intent" in result:
            confirms = {name: result[name] for name in ("intent", "digits") if name in result}
            self.quotes.append(Quote(number, {"pin": pin_of(int(number[-1])), **confirms}))


class Signed(requests.auth.AuthBase):
    """Signs as the engine does."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        request.headers.update(sign("engine", KEY, str(request.method), request.path_url, body, time.time()))
        return request


@pytest.fixture(scope="module")
async def core(database: str) -> AsyncIterator[Core]:
    """A core with hashes that cost little."""
    async with running_core(database, memory_kib=8, passes=1) as core:
        yield core


@pytest.fixture(scope="module")
def operations() -> Mapping[str, APIOperation]:
    """The operations of the document as Schemathesis reads it. It draws no Authorization: that is ours."""
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    document = schemathesis.openapi.from_dict(openapi.document(), config=config)
    found = (result.ok() for result in document.get_all_operations())
    return {operation.path.removeprefix(PATH): operation for operation in found}


@pytest.fixture(scope="module")
def known() -> Known:
    return Known()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def send(case: Case, url: str, session: requests.Session) -> Response:
    """Sends the call, and looks whether what comes back is in the document."""
    response = case.call(base_url=url, session=session, auth=Signed(), timeout=SECONDS_MAX)
    case.validate_response(response, checks=CHECKS)
    return response


def about_what_there_is(operation: Operation, case: Case, data: st.DataObject, known: Known) -> None:
    """The same call under an id of its own, and half of the time about numbers and names that there are."""
    case.body = {**without_fractions(case.body), "id": str(uuid.uuid4())}
    arguments = case.body["arguments"]
    named = [name for name in arguments if type(operation.arguments[name].type) is not Choice]
    for fields, names in ((case.body, ["msisdn"]), (arguments, named)):
        for name in names:
            if (values := known.of(name)) and data.draw(st.booleans()):
                fields[name] = data.draw(st.sampled_from(values))
    if "intent" in arguments and known.quotes and data.draw(st.booleans()):
        quote = data.draw(st.sampled_from(list(known.quotes)))
        case.body["msisdn"] = quote.number
        arguments |= {name: quote.confirms[name] for name in arguments if name in quote.confirms}


def without_fractions(value: Any) -> Any:
    """JSON Schema takes 5.0 for a whole number; no side of ours writes one so, and the contract's is 5."""
    if isinstance(value, dict):
        return {name: without_fractions(each) for name, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_the_document_has_every_operation(operations: Mapping[str, APIOperation]) -> None:
    assert operations.keys() == OPERATIONS.keys()


@every
async def test_what_the_document_allows_is_done_or_refused(
    core: Core, operations: Mapping[str, APIOperation], known: Known, session: requests.Session, name: str
) -> None:
    @steady
    @given(operations[name].as_strategy(generation_mode=GenerationMode.POSITIVE), st.data())
    def asking(case: Case, data: st.DataObject) -> None:
        about_what_there_is(OPERATIONS[name], case, data, known)
        response = send(case, core.url, session)
        assert response.status_code == 200, f"{case.body}: {response.status_code} {response.text}"
        known.learn(case.body["msisdn"], response.json().get("done", {}))

    await asyncio.to_thread(asking)


@every
async def test_what_the_document_forbids_is_turned_away(
    core: Core, operations: Mapping[str, APIOperation], session: requests.Session, name: str
) -> None:
    @steady
    @given(operations[name].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def asking(case: Case) -> None:
        response = send(case, core.url, session)
        assert 400 <= response.status_code < 500, f"{case.body!r}: {response.status_code} {response.text}"

    await asyncio.to_thread(asking)
