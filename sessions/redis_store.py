"""Dialogues in Redis: one key a number, every key under a TTL, compare-and-set in one script.

What the turns of one loop tick ask for goes out together: all loads as one MGET, all changes as one script over many
keys. While a batch is on its way the next one gathers: the busier the engine, the less a turn costs. The script is
sent whole: its text is shorter than the care that EVALSHA wants after a restart of Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from redis.exceptions import RedisError

import failpoints

from .redis_client import client_of
from .session import Session, Stamp, UnreadableSession, dialogue_prefix, from_octets, to_octets
from .store import StoreAway

# For each key six arguments: prefix expected ('' = whatever is there), octets ('' = remove), milliseconds, mark, the
# end of marks like it ('' = none), process.
# Each answer is 1 when done, 0 when the stored state is another one, or the stored octets when their header ends in
# the mark, or in one like it that bears another process; a peer's own count (`/=`) is like no other.
_COMPARE_AND_SET = r"""
local answers = {}
local function is_heard(old, mark, like, process)
  if mark == '' or not old then return false end
  local heard = string.match(old, '^[^\n]* ([^\n]*)\n')
  if heard == mark then return true end
  if like == '' or not heard or string.sub(heard, -#like) ~= like then return false end
  return not string.find(heard, process, 1, true) and not string.find(heard, '/=', 1, true)
end
for i, key in ipairs(KEYS) do
  local expected, octets, milliseconds, mark, like, process = unpack(ARGV, 6 * i - 5, 6 * i)
  local old = redis.call('GET', key)
  if expected ~= '' and (not old or string.sub(old, 1, #expected) ~= expected) then
    answers[i] = 0
  elseif is_heard(old, mark, like, process) then
    answers[i] = old
  else
    if octets == '' then redis.call('DEL', key) else redis.call('SET', key, octets, 'PX', milliseconds) end
    answers[i] = 1
  end
end
return answers
"""


SCANNED_AT_A_TIME = 1000
_NOTED = "noted"
"""The mark of what was noted once."""


class _Change(NamedTuple):
    """One compare-and-set: the arguments of the script."""

    expected: bytes
    octets: bytes
    milliseconds: int
    mark: str
    like: str
    process: str


class _Asked(NamedTuple):
    """What one turn asks of the store: a change of its key, or (None) a load."""

    key: str
    change: _Change | None
    answer: asyncio.Future[Any]


class RedisStore:
    """The `Store` of production. Create it inside the running loop; `close` it at the end."""

    def __init__(self, url: str, answer_seconds_max: float = 1.0) -> None:
        """`url`: redis://, rediss:// or unix://. Raises ValueError for another scheme."""
        self._redis = client_of(url, 2, answer_seconds_max)
        self._answer_seconds_max = answer_seconds_max
        self._waiting: list[_Asked] = []
        self._sender: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Returns when Redis answers. Raises StoreAway."""
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                await self._redis.ping()
        except (RedisError, OSError) as error:
            raise StoreAway(f"Redis: {error}") from error

    async def close(self) -> None:
        """Lets go of the connections; what still waits gets StoreAway."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        _fail(self._waiting, StoreAway("the store is closing"))
        await self._redis.aclose()

    async def load(self, msisdn: str) -> Session | None:
        octets = await self._ask(msisdn, None)
        return None if octets is None else from_octets(octets)

    async def begin(self, session: Session, seconds: float, like: str = "") -> Session | None:
        change = _change(b"", to_octets(session), seconds)
        change = change._replace(mark=session.input_mark, like=like, process=f".{session.owner}.")
        answer = await self._ask(session.msisdn, change)
        return from_octets(answer) if isinstance(answer, bytes) else None

    async def save(self, session: Session, expected: Stamp, seconds: float) -> bool:
        answer = await self._ask(session.msisdn, _change(expected.prefix(), to_octets(session), seconds))
        return bool(answer == 1)

    async def forget(self, msisdn: str, session_id: str) -> None:
        await self._ask(msisdn, _change(dialogue_prefix(session_id), b"", 1))

    async def remove(self, msisdn: str, expected: Stamp) -> bool:
        return bool(await self._ask(msisdn, _change(expected.prefix(), b"", 1)) == 1)

    async def is_first(self, name: str, seconds: float) -> bool:
        noted = _change(b"", b"first %s\n" % _NOTED.encode(), seconds)._replace(mark=_NOTED)
        return bool(await self._ask_of(f"first:{name}", noted) == 1)

    async def all_sessions(self) -> AsyncIterator[Session]:
        """Every dialogue there is, in no order; those of other releases are passed over. Raises StoreAway."""
        try:
            cursor = 0
            while True:
                cursor, keys = await self._redis.scan(cursor, match="ussd:*", count=SCANNED_AT_A_TIME)
                found: list[Any] = await self._redis.mget(keys) if keys else []
                for octets in found:
                    with contextlib.suppress(UnreadableSession):
                        if octets:
                            yield from_octets(octets)
                if not cursor:
                    return
        except (RedisError, OSError) as error:
            raise StoreAway(f"Redis: {error}") from error

    def _ask(self, msisdn: str, change: _Change | None) -> asyncio.Future[Any]:
        return self._ask_of(f"ussd:{msisdn}", change)

    def _ask_of(self, key: str, change: _Change | None) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(_Asked(key, change, answer))
        if self._sender is None:
            self._sender = loop.create_task(self._send_all())
        return answer

    async def _send_all(self) -> None:
        """Sends what waits, and what came meanwhile, until nothing waits."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._send(batch)
        finally:
            self._sender = None

    async def _send(self, batch: list[_Asked]) -> None:
        """One round trip: all loads, then all changes. A number that is in both has asked in two turns."""
        loads = [asked for asked in batch if asked.change is None]
        changes = [asked for asked in batch if asked.change is not None]
        pipeline = self._redis.pipeline(transaction=False)
        if loads:
            pipeline.execute_command("MGET", *(asked.key for asked in loads))
        if changes:
            keys = (asked.key for asked in changes)
            arguments = (part for asked in changes for part in asked.change or ())
            pipeline.execute_command("EVAL", _COMPARE_AND_SET, len(changes), *keys, *arguments)
        why = "the store is closing"
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                answers = await pipeline.execute()
            if changes:
                failpoints.passed("session_saved")
            for group in (loads, changes):
                for asked, answer in zip(group, answers.pop(0) if group else (), strict=True):
                    if not asked.answer.done():  # else the turn that asked has given up
                        asked.answer.set_result(answer)
        except (RedisError, OSError) as error:  # a TimeoutError is an OSError
            why = f"Redis: {str(error) or 'no answer in time'}"
        finally:
            _fail(batch, StoreAway(why))  # whatever went wrong: nobody waits for ever


def _change(expected: bytes, octets: bytes, seconds: float) -> _Change:
    return _Change(expected, octets, max(1, int(seconds * 1000)), "", "", "")


def _fail(batch: list[_Asked], error: StoreAway) -> None:
    for asked in batch:
        if not asked.answer.done():
            asked.answer.set_exception(error)
