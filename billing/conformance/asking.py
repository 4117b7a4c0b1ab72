"""Requests to the core under test, signed as they should be or as they should not.

Rules of this file (a shell):
- Every request has a deadline. Silence is an answer with status 0; after some of it in a row the core is `Gone`.
- Nothing is repeated by itself, no redirect is followed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import aiohttp
from yarl import URL

from billing.signing import sign
from billing.wire import ANSWER_OCTETS_MAX, JSON_TYPE, PATH

SECONDS_MAX: Final = 10.0
SILENCES_MAX: Final = 5
CONNECTIONS_MAX: Final = 32
PAGE_OCTETS_MAX: Final = 4 * 1024 * 1024
_TOLD_CHARACTERS_MAX: Final = 300


class Gone(Exception):
    """The core does not answer any more. The text says how."""


class Client(NamedTuple):
    """Somebody who may ask: the name, and the key under which it signs."""

    name: str
    key: bytes

    def __repr__(self) -> str:
        return f"Client({self.name})"


class Answer(NamedTuple):
    """What came back. Status 0: nothing, and `octets` say why. `headers` by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    octets: bytes

    @property
    def kind(self) -> str:
        """Its content type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def said(self) -> Any:
        """What its JSON says; None when it is none."""
        try:
            return json.loads(self.octets)
        except (ValueError, RecursionError):
            return None

    def __str__(self) -> str:
        text = self.octets[: _TOLD_CHARACTERS_MAX + 1].decode("utf-8", "replace")
        short = text if len(text) <= _TOLD_CHARACTERS_MAX else text[:_TOLD_CHARACTERS_MAX] + "…"
        return f"{self.status} {self.kind or 'without a type'}: {short}" if self.status else f"no answer: {short}"


class Asking:
    """The core at an address. To be used in an `async with`; `requests` counts what was sent."""

    def __init__(self, url: str, seconds_max: float = SECONDS_MAX) -> None:
        """Raises ValueError for an address that is not http or https."""
        self._base = URL(url)
        if self._base.scheme not in ("http", "https") or not self._base.host:
            raise ValueError(f"an address must be http://… or https://…, not {url!r}")
        self._timeout = aiohttp.ClientTimeout(total=seconds_max)
        self._session: aiohttp.ClientSession | None = None
        self._silences = 0
        self.requests = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def path(self, operation: str) -> str:
        """The path of an operation as it stands in the request line, and is signed. `operation` may have a query."""
        return self._url(PATH + operation).raw_path_qs

    def signed(self, client: Client, operation: str, body: bytes, *, late: float = 0) -> dict[str, str]:
        """The headers of a request that the client signs now, or signed `late` seconds ago."""
        return sign(client.name, client.key, "POST", self.path(operation), body, time.time() - late)

    async def post(self, operation: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Sends a body to an operation. Raises Gone."""
        headers = {**headers, "Content-Type": JSON_TYPE}
        return await self._send("POST", self._url(PATH + operation), body, headers, ANSWER_OCTETS_MAX)

    async def get(self, path: str) -> Answer:
        """Gets a page, unsigned. Raises Gone."""
        return await self._send("GET", self._url(path), None, {}, PAGE_OCTETS_MAX)

    def _url(self, path: str) -> URL:
        return URL(str(self._base).rstrip("/") + path, encoded=True)

    async def _send(
        self, method: str, url: URL, body: bytes | None, headers: Mapping[str, str], octets_max: int
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("it is not open")
        self.requests += 1
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                octets = await _read(response, octets_max)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._silence(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        self._silences = 0
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, octets)

    def _silence(self, why: str) -> Answer:
        self._silences += 1
        if self._silences >= SILENCES_MAX:
            raise Gone(why)
        return Answer(0, {}, why.encode())


async def _read(response: aiohttp.ClientResponse, octets_max: int) -> bytes:
    """The body; of one that is longer than it may be, only the beginning and an octet more than that."""
    octets = b""
    while len(octets) <= octets_max and (part := await response.content.read(octets_max + 1)):
        octets += part
    return octets[: octets_max + 1]
