"""The billing core over HTTP: one aiohttp session, a deadline for every call, a breaker, and never a doubtful answer.

Rules of this file (a shell; no threads but the resolver's, and none when the URL has an address instead of a name):
- What may have reached the core is `Unknown` until the core has said otherwise; what surely has not is `NotMade`.
- A connection that breaks before any answer is usually one that the core closed while it lay idle. Such a call is made
  once more, within its deadline and under its id, so that a change still happens once. aiohttp repeats by itself only
  the idempotent methods of HTTP (GET, PUT, …), never our POST, so there are at most two tries.
- A call with a secret is never made again: its operation's `status` is asked instead.
- Operations of one domain (`wallet`, `balances`, …) have a breaker, and at most half of the connections: what stands
  still in one part of the core holds up no other.
- No redirects, no cookies, no proxies from the environment, no compression, 64 KiB an answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from yarl import URL

import failpoints
from billing import wire
from billing.breaker import Breaker
from billing.calls import Call, NotMade, Outcome, Unknown
from billing.contract import OPERATIONS, Operation
from billing.signing import sign

if TYPE_CHECKING:
    from aiohttp.connector import Connection

KEEPALIVE_SECONDS = 15.0
"""An idle connection is closed after this. The core keeps its side open longer, so that it is we who close."""

WAIT_SHARE = 0.8
"""Of a call's time, so much may pass until it has a connection: a queue is waited through, a dead core is not."""

DOMAIN_SHARE = 0.5
"""Of all connections, the calls of one domain have at most so much."""

_SKIPPED_HEADERS = ("User-Agent", "Accept", "Accept-Encoding")


class _Try(NamedTuple):
    """How one try went: what it came to, whether the core answered sensibly, and whether it may be made once more."""

    outcome: Outcome
    answered: bool
    again: bool = False


class _AnswerToCome(aiohttp.ClientResponse):
    """Passes the failpoints between a request that was written and its answer."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        operation = OPERATIONS.get(self.url.name)
        if operation is not None and operation.quotes:
            await failpoints.written("quote_sent")
        elif operation is not None and operation.confirms:
            await failpoints.written("confirm_sent")
        return await super().start(connection)


class _Domain:
    """What the operations of one domain share: their breaker, and their places among the connections."""

    __slots__ = ("breaker", "places")

    def __init__(self, breaker: Breaker, places_max: int) -> None:
        self.breaker = breaker
        self.places = asyncio.Semaphore(places_max)


class HttpBilling:
    """`billing.calls.Billing` over HTTP. `start` it inside the running loop, `close` it before the loop ends."""

    def __init__(
        self,
        url: str,
        client: str,
        key: bytes,
        *,
        connections_max: int = 64,
        breaker_failures: int = 5,
        breaker_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`url`: base address of the core; `client` and `key` sign; `clock`: Unix time, for signatures alone.

        Raises ValueError for an address that is not http or https.
        """
        self._base = URL(url)
        if self._base.scheme not in ("http", "https") or not self._base.host:
            raise ValueError(f"the billing core's address must be http://… or https://…, not {url!r}")
        self._urls = {name: self._base.joinpath(wire.PATH[1:] + name) for name in OPERATIONS}
        self._client = client
        self._key = key
        self._connections_max = connections_max
        self._clock = clock
        places_max = max(1, int(connections_max * DOMAIN_SHARE))
        self._domains = {
            domain: _Domain(Breaker(breaker_failures, breaker_seconds), places_max)
            for domain in {domain_of(name) for name in OPERATIONS}
        }
        self._session: aiohttp.ClientSession | None = None

    @property
    def breakers(self) -> dict[str, Breaker]:
        """The breaker of each domain."""
        return {name: domain.breaker for name, domain in self._domains.items()}

    async def start(self) -> None:
        """Opens the pool; no connection is made before the first call."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections_max, keepalive_timeout=KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SKIPPED_HEADERS,
            auto_decompress=False,
            response_class=_AnswerToCome if failpoints.is_armed else aiohttp.ClientResponse,
        )

    async def close(self) -> None:
        """Closes all connections; calls in flight end as unknown."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def perform(self, call: Call, seconds_max: float) -> Outcome:
        """See `billing.calls.Billing`. The deadline is the shorter of the operation's and `seconds_max`."""
        operation = OPERATIONS[call.operation]
        loop = asyncio.get_running_loop()
        now = loop.time()
        deadline = now + min(operation.seconds_max, seconds_max)
        if self._session is None or deadline <= now:
            return NotMade("no time was left" if self._session else "the client is not started")
        domain = self._domains[domain_of(call.operation)]
        if not domain.breaker.admits(now):
            return NotMade("the breaker is open: the core gave no usable answer lately")
        attempt = await self._in_its_place(self._session, domain.places, operation, call, deadline)
        if attempt is None:  # which says nothing of the core
            return NotMade("its domain has all the connections that it may have")
        if attempt.answered:
            domain.breaker.succeeded()
        else:
            domain.breaker.failed(loop.time())
        return attempt.outcome

    async def _in_its_place(
        self,
        session: aiohttp.ClientSession,
        places: asyncio.Semaphore,
        operation: Operation,
        call: Call,
        deadline: float,
    ) -> _Try | None:
        """Made once one of the domain's places is free; None when that is not soon enough."""
        loop = asyncio.get_running_loop()
        if places.locked():
            now = loop.time()
            try:
                async with asyncio.timeout_at(now + (deadline - now) * WAIT_SHARE):
                    await places.acquire()
            except TimeoutError:
                return None
        else:
            await places.acquire()
        try:
            return await self._twice_at_most(session, operation, wire.request_octets(call), deadline)
        finally:
            places.release()

    async def _twice_at_most(
        self, session: aiohttp.ClientSession, operation: Operation, body: bytes, deadline: float
    ) -> _Try:
        loop = asyncio.get_running_loop()
        attempt = await self._try(session, operation, body, deadline - loop.time())
        if attempt.again and not operation.takes_secret and (left := deadline - loop.time()) > 0:
            attempt = await self._try(session, operation, body, left)
            if isinstance(attempt.outcome, NotMade):
                # True of the second try alone: the first one was sent, and nobody has said what became of it.
                attempt = attempt._replace(outcome=Unknown(f"sent, then the connection broke; {attempt.outcome.why}"))
        if attempt.answered and operation.confirms:
            failpoints.passed("core_answered")
        return attempt

    async def ready(self, seconds_max: float) -> str | None:
        """Asks the core's `/ready`: None when it can serve, otherwise why not. Passes by the breaker."""
        if self._session is None:
            return "the client is not started"
        try:
            timeout = aiohttp.ClientTimeout(total=seconds_max)
            async with self._session.get(self._base / "ready", timeout=timeout, allow_redirects=False) as response:
                return None if response.status == 200 else f"the billing core says {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"the billing core does not answer: {_named(error)}"

    async def _try(self, session: aiohttp.ClientSession, operation: Operation, body: bytes, seconds: float) -> _Try:
        url = self._urls[operation.name]
        headers = sign(self._client, self._key, "POST", url.raw_path, body, self._clock())
        headers["Content-Type"] = wire.JSON_TYPE
        # A wait for a connection ends earlier than the whole, so that "nothing was sent" can be told from "no answer".
        timeout = aiohttp.ClientTimeout(total=seconds, connect=seconds * WAIT_SHARE)
        try:
            async with session.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                octets = await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return _Try(NotMade(f"no connection: {_named(error)}"), answered=False)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            return _Try(Unknown(f"the connection broke: {_named(error)}"), answered=False, again=True)
        except TimeoutError:
            return _Try(Unknown(f"no answer within {seconds:.2f} s"), answered=False)
        except (aiohttp.ClientError, OSError) as error:
            return _Try(Unknown(f"no answer that can be read: {_named(error)}"), answered=False)
        if octets is None:
            return _Try(Unknown(f"an answer of more than {wire.ANSWER_OCTETS_MAX} octets"), answered=False)
        outcome = wire.read_answer(operation, response.status, octets)
        return _Try(outcome, answered=response.status < 500 and not isinstance(outcome, Unknown))


def domain_of(operation: str) -> str:
    """The domain of an operation: what stands before the dot in its name."""
    return operation.partition(".")[0]


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The whole body; None when it is too long, and then the connection is given up with what it still holds."""
    octets = await response.content.read(wire.ANSWER_OCTETS_MAX + 1)
    while not response.content.at_eof() and len(octets) <= wire.ANSWER_OCTETS_MAX:
        octets += await response.content.read(wire.ANSWER_OCTETS_MAX + 1 - len(octets))
    if len(octets) <= wire.ANSWER_OCTETS_MAX:
        return octets
    response.close()
    return None


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
