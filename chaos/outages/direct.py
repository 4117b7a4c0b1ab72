"""The core as a client sees it that looks at every octet: signed requests, answers as they come."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import aiohttp

from billing import wire
from billing.calls import Call
from billing.signing import key_from_file, sign

ANSWER_SECONDS_MAX: Final = 5.0


class Answer(NamedTuple):
    """What the core said. Status 0: nothing, and why."""

    at: float
    seconds: float
    status: int
    kind: str
    body: str

    @property
    def has_words(self) -> bool:
        """Whether it is what the contract allows: an outcome, or a problem document that is not a mistake's."""
        if self.status == 200:
            return self.kind == "application/json"
        return self.status != 500 and self.kind == "application/problem+json"


class Direct:
    """One client of the core, `engine` or `desk`. Used as an async context."""

    def __init__(self, port: int, client: str, keys: Path, clock: Callable[[], float] = time.time) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._client = client
        self._key = key_from_file((keys / client).read_bytes())
        self._clock = clock
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Direct:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, operation: str, msisdn: str, call: str = "", **arguments: Any) -> Answer:
        """One request; a call without an id gets one."""
        at, path = time.monotonic(), wire.PATH + operation
        body = wire.request_octets(Call(call or str(uuid.uuid4()), operation, msisdn, "ru", arguments))
        headers = sign(self._client, self._key, "POST", path, body, self._clock())
        headers["Content-Type"] = wire.JSON_TYPE
        try:
            async with self._session.post(self._base + path, data=body, headers=headers) as response:
                text = await response.text()
                return Answer(at, time.monotonic() - at, response.status, response.content_type, text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(at, time.monotonic() - at, 0, "", f"{type(error).__name__}: {error}")

    async def ask_on(self, operation: str, msisdn: str, per_second: float, answers: list[Answer]) -> None:
        """The same again and again, whether others are answered or not, until it is cancelled."""
        tasks: set[asyncio.Task[None]] = set()

        async def one() -> None:
            answers.append(await self.ask(operation, msisdn))

        try:
            while True:
                task = asyncio.ensure_future(one())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                await asyncio.sleep(1.0 / per_second)
        finally:
            await asyncio.gather(*tasks)
