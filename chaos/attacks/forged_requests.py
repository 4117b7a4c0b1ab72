"""Requests to the HTTP sides of engine and core that are forged, caught and sent again or too large: none does a thing.

Each target is asked once as it should be, to see that it is not refused for another reason; then in every wrong way.
What counts is the status, that the answer is a problem document, and what the system has done meanwhile.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import aiohttp
from multidict import CIMultiDict

from billing.signing import key_from_file, sign
from chaos.attacks.siege import Siege, number
from stack.settings import Listen

REPEATS: Final = 20
"""Of each wrong way, when it is the whole."""
PROBLEM_TYPE: Final = "application/problem+json"
SKEW_SECONDS: Final = 60
_NOBODY: Final = number("kcell", 199)
_DONE: Final = """
SELECT (SELECT count(*) FROM calls WHERE msisdn = $1),
       (SELECT sum(a.balance_minor)::bigint FROM accounts a WHERE a.subscriber_id = s.subscriber_id),
       (SELECT count(*) FROM notices WHERE msisdn = $1)
FROM subscribers s WHERE s.msisdn = $1 AND s.held_until IS NULL
"""


class Target(NamedTuple):
    """What may be asked of one side, by whom; and who else has a key that is not for it."""

    listen: Listen
    path: str
    client: str
    stranger: str
    body: dict[str, Any]


class Forged(NamedTuple):
    """A request that must be refused with one of these statuses."""

    what: str
    method: str
    path: str
    body: bytes
    headers: CIMultiDict[str]
    refused: frozenset[int]


class Keys(NamedTuple):
    """The keys of all clients, by name."""

    by_client: Mapping[str, bytes]

    def signed(self, target: Target, body: bytes, **otherwise: Any) -> CIMultiDict[str]:
        """The header of a request to this target; `otherwise`: what is signed in place of it."""
        client = otherwise.get("client", target.client)
        key = otherwise.get("key") or self.by_client[client]
        method, path = otherwise.get("method", "POST"), otherwise.get("path", target.path)
        return CIMultiDict(
            sign(client, key, method, path, otherwise.get("body", body), otherwise.get("at", time.time()))
        )


async def run(siege: Siege) -> None:
    """Every target in every wrong way."""
    folder = siege.stand.settings().data_folder / "keys"
    clients = ("engine", "desk", "billing-core", "operations")
    keys = Keys({name: key_from_file((folder / name).read_bytes()) for name in clients})
    tally: Counter[int] = Counter()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        for target in _targets(siege):
            await _as_it_should_be(siege, session, target, keys)
        before = await _done(siege)
        for target in _targets(siege):
            for _ in range(siege.terms.times(REPEATS)):
                for forged in _forged(target, keys):
                    tally[await _ask(siege, session, target, forged)] += 1
        after = await _done(siege)
    siege.check(before == after, f"forged requests have done something: {before} was {after}")
    siege.report.figures["forged requests"] = tally.total()
    siege.report.figures["forged requests, by status"] = {str(each): tally[each] for each in sorted(tally)}


async def _done(siege: Siege) -> tuple[object, ...]:
    """Everything that a request of this part could change: all of it is about one number."""
    owner = await siege.stand.owner()
    [row] = await owner.fetch(_DONE, _NOBODY)
    await owner.close()
    centre = siege.stand.centres["kcell"]
    sms = sum(each.destination == _NOBODY for each in centre.sms)
    pushed = sum(each.pdu.destination_addr == _NOBODY for each in centre.stray_screens)
    return *row, sms, pushed


def _targets(siege: Siege) -> tuple[Target, ...]:
    settings = siege.stand.settings()
    engine, core = settings.engine_http, settings.core_http
    call = {"id": str(uuid.uuid4()), "msisdn": _NOBODY, "language": "ru"}
    sum_of = {"minor": 100_000, "currency": "KZT"}
    notice = {
        "id": str(uuid.uuid4()), "msisdn": _NOBODY, "network": "kcell", "event": "account.topped_up", "language": "ru",
        "arguments": {"sum": sum_of, "balance": sum_of}, "not_after": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    dialogue = {"id": str(uuid.uuid4()), "msisdn": _NOBODY, "network": "kcell", "code": "*111#"}
    question = {"by": "somebody", "msisdn": _NOBODY, "link": "centre-kcell", "seconds": 1}
    operators = ("menus/reload", "history", "links", "links/trace", "recordings/begin", "recordings/take")
    return (
        Target(engine, "/v1/notices", "billing-core", "operations", notice),
        Target(engine, "/v1/dialogues", "billing-core", "operations", dialogue),
        *(Target(engine, f"/v1/{each}", "operations", "billing-core", question) for each in operators),
        Target(core, "/v1/operations/balances.top_up", "desk", "engine",
               {**call, "arguments": {"sum": sum_of, "place": "a-terminal"}}),
        Target(core, "/v1/operations/extra_balance.set_auto", "engine", "desk", {**call, "arguments": {"auto": True}}),
    )  # fmt: skip


async def _as_it_should_be(siege: Siege, session: aiohttp.ClientSession, target: Target, keys: Keys) -> None:
    """A body that is wrong, rightly signed, is refused for the body: the signature was right."""
    body = b"{}"
    forged = Forged("a body that is none", "POST", target.path, body, keys.signed(target, body), frozenset({422}))
    await _ask(siege, session, target, forged)


def _forged(target: Target, keys: Keys) -> Iterator[Forged]:  # long because: each wrong way is a line
    body, path = json.dumps(target.body).encode(), target.path
    refused, none = frozenset({401}), CIMultiDict[str]()

    def post(what: str, headers: CIMultiDict[str], *, octets: bytes = body, to: str = path) -> Forged:
        return Forged(what, "POST", to, octets, headers, refused)

    right = keys.signed(target, body)
    header = right["Authorization"]
    scheme, _, rest = header.partition(" ")
    client, second, signature = rest.split(":")
    yield post("no signature", none)
    yield post("an empty signature", CIMultiDict(Authorization=""))
    yield post("a wrong key", keys.signed(target, body, key=b"a key that nobody has given us"))
    yield post("the name of one, the key of another", keys.signed(target, body, key=keys.by_client[target.stranger]))
    yield post("a client that is not known", keys.signed(target, body, client="stranger", key=b"x" * 32))
    yield post("another body", right, octets=body.replace(b'": ', b'":  ', 1))
    yield post("a longer body", right, octets=body + b" ")
    yield post("another path", keys.signed(target, body, path=path + "x"))
    yield post("a query that was not signed", right, to=path + "?a=b")
    yield post("another method signed", keys.signed(target, body, method="GET"))
    for off in (-SKEW_SECONDS - 1, SKEW_SECONDS + 3, -86_400, -(10**9), 10**10):
        yield post(f"signed {off:+} s off", keys.signed(target, body, at=time.time() + off))
    later = str(int(second) + 1)
    for spelt in (
        f"{scheme} {client}:{later}:{signature}", f"{scheme} {client}:{second}:{signature[:-1]}", header + "0",
        f"{scheme} {client}:{second}:{signature.upper()}", f"Basic {rest}", f"{scheme.lower()} {rest}", rest,
        f"{scheme}  {rest}", f"{header}, {header}", f"{scheme} {client}:-{second}:{signature}",
        f"{scheme} {client}:{second}:{'0' * 64}", f"{scheme} {client}:{second}:", f"{scheme} ::", "x" * 7000,
        f"{scheme} {client.upper()}:{second}:{signature}", f"{scheme} {client}:{second}.0:{signature}",
    ):  # fmt: skip
        yield post(f"a header that reads {spelt[:20]}…", CIMultiDict(Authorization=spelt))
    wrong = keys.signed(target, body, key=b"a key that nobody has given us")["Authorization"]
    yield post(
        "two signatures, the wrong one first", CIMultiDict([("Authorization", wrong), ("Authorization", header)])
    )
    yield post("signed in another header", CIMultiDict({"X-Authorization": header, "Proxy-Authorization": header}))
    yield post("another method by a header", CIMultiDict({"X-HTTP-Method-Override": "GET", "Authorization": wrong}))
    yield post("another path by a header", CIMultiDict({"X-Original-URL": "/health", "X-Forwarded-For": "127.0.0.1"}))
    large = b"[" + b" " * 2**17 + b"]"
    yield Forged("a body that is too large", "POST", path, large, keys.signed(target, large), frozenset({413}))
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        yield Forged(method, method, path, body, keys.signed(target, body, method=method), frozenset({401, 404, 405}))
    stranger = keys.signed(target, body, client=target.stranger)
    yield Forged("a client that has no right to it", "POST", path, body, stranger, frozenset({401, 403}))


async def _ask(siege: Siege, session: aiohttp.ClientSession, target: Target, forged: Forged) -> int:
    url = f"http://{target.listen.reached_at}:{target.listen.port}{forged.path}"
    named = f"{target.path} with {forged.what}"
    try:
        async with session.request(forged.method, url, data=forged.body, headers=forged.headers) as answer:
            said = await answer.read()
    except aiohttp.ClientError as error:
        siege.check(isinstance(error, aiohttp.ClientConnectionError), f"{named}: {error!r}")
        return 0
    siege.check(answer.status in forged.refused, f"{named} was answered {answer.status}: {said[:200]!r}")
    siege.check(answer.content_type == PROBLEM_TYPE, f"{named}: {answer.status} is told as {answer.content_type}")
    return answer.status
