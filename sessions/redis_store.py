"""Dialogues in Redis: one key a number, every key under a TTL, compare-and-set in one script.

The commands of one loop tick share a pipeline, and while a pipeline is on its way the next ones gather: the busier
the engine, the fewer system calls a turn costs. `EVAL` is sent whole: its text is shorter than the care that
`EVALSHA` wants after a restart of Redis.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from .session import Session, Stamp, dialogue_prefix, from_octets, to_octets
from .store import StoreAway

# KEYS[1] the number; ARGV: prefix expected ('' = whatever is there), octets ('' = remove), milliseconds, mark.
# Returns 1 when done, 0 when the stored state is another one, or the stored octets when their header ends in the mark.
_COMPARE_AND_SET = """
local old = redis.call('GET', KEYS[1])
if ARGV[1] ~= '' and (not old or string.sub(old, 1, #ARGV[1]) ~= ARGV[1]) then return 0 end
if ARGV[4] ~= '' and old and string.match(old, '^[^\\n]* ([^\\n]*)\\n') == ARGV[4] then return old end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""

_Command = tuple[Any, ...]


class RedisStore:
    """The `Store` of production. Create it inside the running loop; `close` it at the end."""

    def __init__(self, url: str, answer_seconds_max: float = 1.0) -> None:
        """`url`: redis://, rediss:// or unix://. Raises ValueError for another scheme."""
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=answer_seconds_max,
            socket_connect_timeout=answer_seconds_max,
            max_connections=2,
            single_connection_client=False,
        )
        self._waiting: list[tuple[_Command, asyncio.Future[Any]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Returns when Redis answers. Raises StoreAway."""
        await self._ask("PING")

    async def close(self) -> None:
        """Lets go of the connections; what still waits gets StoreAway."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        self._fail(self._waiting, StoreAway("the store is closing"))
        await self._redis.aclose()

    async def load(self, msisdn: str) -> Session | None:
        octets = await self._ask("GET", _key(msisdn))
        return None if octets is None else from_octets(octets)

    async def begin(self, session: Session, seconds: float) -> Session | None:
        octets = to_octets(session)
        answer = await self._compare_and_set(session.msisdn, b"", octets, seconds, session.input_mark)
        return from_octets(answer) if isinstance(answer, bytes) else None

    async def save(self, session: Session, expected: Stamp, seconds: float) -> bool:
        answer = await self._compare_and_set(session.msisdn, expected.prefix(), to_octets(session), seconds)
        return bool(answer == 1)

    async def forget(self, msisdn: str, session_id: str) -> None:
        await self._compare_and_set(msisdn, dialogue_prefix(session_id), b"", 1)

    def _compare_and_set(
        self, msisdn: str, expected: bytes, octets: bytes, seconds: float, mark: str = ""
    ) -> asyncio.Future[Any]:
        milliseconds = max(1, int(seconds * 1000))
        return self._ask("EVAL", _COMPARE_AND_SET, 1, _key(msisdn), expected, octets, milliseconds, mark)

    def _ask(self, *command: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        if self._sender is None:
            self._sender = asyncio.ensure_future(self._send_all())
        return future

    async def _send_all(self) -> None:
        """Sends what waits, and what came meanwhile, until nothing waits."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._send(batch)
        finally:
            self._sender = None

    async def _send(self, batch: list[tuple[_Command, asyncio.Future[Any]]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for command, _ in batch:
            pipeline.execute_command(*command)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            self._fail(batch, StoreAway(f"Redis: {error}"))
            return
        except asyncio.CancelledError:
            self._fail(batch, StoreAway("the store is closing"))
            raise
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue  # the turn that asked has given up
            if isinstance(answer, ResponseError | RedisError):
                future.set_exception(StoreAway(f"Redis: {answer}"))
            else:
                future.set_result(answer)

    @staticmethod
    def _fail(batch: list[tuple[_Command, asyncio.Future[Any]]], error: StoreAway) -> None:
        for _, future in batch:
            if not future.done():
                future.set_exception(error)


def _key(msisdn: str) -> str:
    return f"ussd:{msisdn}"
