"""Promises of the door: the document, signatures, and requests that are no calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias

from billing import openapi
from billing.conformance import samples
from billing.conformance.asking import Answer, Client
from billing.conformance.ground import Ground, asked, envelope, octets_of, of_each
from billing.conformance.judging import not_turned_away, outcome
from billing.conformance.promise import Breach, NotTried, Promise
from billing.contract import OPERATIONS, Operation
from billing.wire import JSON_TYPE, PATH, REQUEST_OCTETS_MAX

HELLO: Final = "subscribers.hello"
HOUR: Final = 3600.0
"""More than clocks may differ, whatever is configured."""
NO_SUCH: Final = ("balances.set", "", f"x/{HELLO}", HELLO.upper())

Sending: TypeAlias = "Callable[[Ground, bytes], Awaitable[Answer]]"
"""Sends a body that is a call, but not signed as it must be."""


async def served(ground: Ground) -> list[Breach]:
    """The document is compared as JSON, not octet by octet."""
    answer = await ground.asking.get("/openapi.json")
    asked_for = "GET /openapi.json"
    if answer.status != 200 or answer.kind != JSON_TYPE:
        return [Breach(asked_for, f"200 as {JSON_TYPE}", str(answer))]
    if (other := difference(openapi.document(), answer.said)) is not None:
        return [Breach(asked_for, "what `python -m billing.openapi` writes", f"another document, at {other}")]
    return []


def difference(ours: Any, theirs: Any, where: str = "") -> str | None:
    """The first place where two JSON values differ; None when they are the same."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if odd := ours.keys() ^ theirs.keys():
            return f"{where}/{min(odd)}"
        parts = [(name, ours[name], theirs[name]) for name in ours]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        parts = [(str(at), mine, other) for at, (mine, other) in enumerate(zip(ours, theirs, strict=True))]
    else:
        return None if type(ours) is type(theirs) and ours == theirs else where or "/"
    found = (difference(mine, other, f"{where}/{name}") for name, mine, other in parts)
    return next((place for place in found if place is not None), None)


# --- signatures -----------------------------------------------------------------------------------------------------


async def accepted(ground: Ground) -> list[Breach]:
    """With a wrong key this fails, and nearly everything else is not tried."""
    octets = octets_of(envelope(OPERATIONS[HELLO], ground.number))
    answer = await ground.asking.post(HELLO, octets, ground.asking.signed(ground.clients[0], HELLO, octets))
    judged = outcome(HELLO, answer)
    return [Breach(asked(HELLO, ground.number, "signed"), judged, str(answer))] if isinstance(judged, str) else []


async def _not_at_all(ground: Ground, body: bytes) -> Answer:
    return await ground.asking.post(HELLO, body, {})


async def _by_a_stranger(ground: Ground, body: bytes) -> Answer:
    stranger = Client("nobody-we-know", ground.clients[0].key)
    return await ground.asking.post(HELLO, body, ground.asking.signed(stranger, HELLO, body))


async def _under_another_key(ground: Ground, body: bytes) -> Answer:
    forger = Client(ground.clients[0].name, b"a key that nobody was ever given")
    return await ground.asking.post(HELLO, body, ground.asking.signed(forger, HELLO, body))


async def _in_another_scheme(ground: Ground, body: bytes) -> Answer:
    return await ground.asking.post(HELLO, body, {"Authorization": "Bearer eyJhbGciOiJub25lIn0"})


async def _cut_short(ground: Ground, body: bytes) -> Answer:
    whole = ground.asking.signed(ground.clients[0], HELLO, body)["Authorization"]
    return await ground.asking.post(HELLO, body, {"Authorization": whole[:-8]})


async def _for_another_operation(ground: Ground, body: bytes) -> Answer:
    return await ground.asking.post(HELLO, body, ground.asking.signed(ground.clients[0], "balances.get", body))


async def _for_another_query(ground: Ground, body: bytes) -> Answer:
    return await ground.asking.post(f"{HELLO}?x=1", body, ground.asking.signed(ground.clients[0], HELLO, body))


async def _for_another_body(ground: Ground, body: bytes) -> Answer:
    other = body.replace(samples.NOBODY.encode(), samples.ALSO_NOBODY.encode())
    return await ground.asking.post(HELLO, other, ground.asking.signed(ground.clients[0], HELLO, body))


async def _long_ago(ground: Ground, body: bytes, late: float = HOUR) -> Answer:
    return await ground.asking.post(HELLO, body, ground.asking.signed(ground.clients[0], HELLO, body, late=late))


async def _of_an_operation_that_is_not_there(ground: Ground, body: bytes) -> Answer:
    return await ground.asking.post(NO_SUCH[0], body, {})


async def _turned_away(how: str, send: Sending, ground: Ground) -> list[Breach]:
    answer = await send(ground, octets_of(envelope(OPERATIONS[HELLO])))
    return not_turned_away(asked(HELLO, samples.NOBODY, how), 401, answer)


def _signature(name: str, how: str, send: Sending) -> Promise:
    means = f"A request that is {how} is turned away with 401, and told how to sign."
    return Promise(f"signature.{name}", means, partial(_turned_away, how, send))


# --- requests that are no calls, and calls of those who may not -------------------------------------------------------


async def no_such_operation(ground: Ground) -> list[Breach]:
    body, found = octets_of(envelope(OPERATIONS[HELLO])), []
    for name in NO_SUCH:
        answer = await ground.asking.post(name, body, ground.asking.signed(ground.clients[0], name, body))
        found += not_turned_away(f"POST {PATH}{name}", 404, answer)
    return found


async def not_json(ground: Ground) -> list[Breach]:
    bodies = {
        "an empty body": b"",
        "a body that breaks off": octets_of(envelope(OPERATIONS[HELLO]))[:-1],
        "a body that is no text": b"\xff\xfe\x00",
        "a form": b"msisdn=" + samples.NOBODY.encode(),
        "10,000 objects in one another": b'{"arguments":' + b'{"a":' * 10_000,
    }
    found = []
    for what, body in bodies.items():
        found += not_turned_away(f"{HELLO} with {what}", 400, await ground.post(HELLO, body))
    return found


async def too_long(ground: Ground) -> list[Breach]:
    body = octets_of(envelope(OPERATIONS[HELLO])).ljust(REQUEST_OCTETS_MAX + 1)
    answer = await ground.post(HELLO, body)
    return not_turned_away(f"{HELLO} with a body of {len(body)} octets", 413, answer)


async def not_for_this_client(ground: Ground) -> list[Breach]:
    """Every operation, by everybody who may not ask for it."""
    if len(ground.clients) < 2:
        raise NotTried("it takes a client that may not ask for everything: --other-client")

    async def look(shut: tuple[Client, Operation]) -> list[Breach]:
        client, operation = shut
        answer = await ground.post(operation.name, envelope(operation), client)
        return not_turned_away(asked(operation.name, samples.NOBODY, f"by {client.name}"), 403, answer)

    shut = [
        (client, operation)
        for client in ground.clients
        for operation in OPERATIONS.values()
        if not ground.may[client, operation.asked_by]
    ]
    if not shut:
        both = " and ".join(client.name for client in ground.clients)
        return [Breach(f"each kind of operation by {both}", "403 for one of them", "both may ask for everything")]
    return await of_each(look, shut)


PROMISES: Final = (
    Promise("document.served", "The document at /openapi.json is the contract's.", served),
    Promise("signature.accepted", "A request that is signed as it must be is answered.", accepted),
    _signature("missing", "not signed", _not_at_all),
    _signature("stranger", "signed by a client that is not known", _by_a_stranger),
    _signature("key", "signed under another key", _under_another_key),
    _signature("scheme", "signed in another scheme", _in_another_scheme),
    _signature("short", "signed with half a signature", _cut_short),
    _signature("operation", "signed for another operation", _for_another_operation),
    _signature("query", "signed for another query", _for_another_query),
    _signature("body", "signed for another body", _for_another_body),
    _signature("old", "signed an hour ago", _long_ago),
    _signature("future", "signed an hour in the future", partial(_long_ago, late=-HOUR)),
    _signature("first", "not signed, for an operation that is not there,", _of_an_operation_that_is_not_there),
    Promise("operation.unknown", "An operation that is not there is 404.", no_such_operation),
    Promise("body.not_json", "A body that is no JSON is 400.", not_json),
    Promise("body.too_long", f"A body of more than {REQUEST_OCTETS_MAX} octets is 413.", too_long),
    Promise("asked_by.others", "An operation is 403 for a client that may not ask for it.", not_for_this_client),
)
