"""Engine processes asking one another over Redis: a channel a process, questions and answers many at a time.

Nobody is asked of a dialogue whose turns are all taken by one process. What the turns of one loop tick ask of a process
goes out as one message, and so do its answers. A process that is gone has no subscription: that is known at once,
without a wait.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from .neighbours import Standing

RECONNECT_SECONDS = 0.5
StandingHere: TypeAlias = Callable[[str, str, float], Standing]


class _Letter(msgspec.Struct, array_like=True):
    """What one process says to another. `asks`: numbers of questions, with MSISDN, link and the input's age
    in seconds; `tells`: their answers."""

    sender: str
    asks: list[tuple[int, str, str, float]] = []
    tells: list[tuple[int, str]] = []


_encoder = msgspec.msgpack.Encoder()
_read = msgspec.msgpack.Decoder(_Letter)


class RedisNeighbours:
    """The `Neighbours` of production, and the one who answers for this process. Create it inside the running loop."""

    def __init__(self, url: str, process: str, answer_seconds_max: float = 0.3) -> None:
        """`process`: this one's name. Raises ValueError for another scheme."""
        self._redis: Redis = Redis.from_url(url, socket_connect_timeout=1.0, max_connections=4)
        self._channel = self._redis.pubsub(ignore_subscribe_messages=True)
        self._process = process
        self._standing_here: StandingHere = lambda _msisdn, _link, _age: Standing.SETTLED
        self._answer_seconds_max = answer_seconds_max
        self._asked: dict[int, asyncio.Future[Standing]] = {}
        self._count = 0
        self._letters: dict[str, _Letter] = {}
        self._sender: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None

    def open(self, standing_here: StandingHere) -> None:
        """Answers from now on; while Redis is away, nobody asks. `standing_here`: how it stands with a number on a
        link at this process."""
        self._standing_here = standing_here
        self._reader = asyncio.get_running_loop().create_task(self._read_all())

    async def close(self) -> None:
        """Answers no more; whoever still asks is told that the other is gone."""
        tasks = [task for task in (self._reader, self._sender) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for answer in self._asked.values():
            _settle(answer, Standing.GONE)
        await self._channel.aclose()  # type: ignore[no-untyped-call]
        await self._redis.aclose()

    async def standing(self, process: str, msisdn: str, link: str, age_seconds: float) -> Standing:
        self._count += 1
        number = self._count
        answer: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._letter_to(process).asks.append((number, msisdn, link, age_seconds))
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                return await answer
        except TimeoutError:
            return Standing.GONE
        finally:
            del self._asked[number]

    def _letter_to(self, process: str) -> _Letter:
        """What goes out to this process next."""
        if process not in self._letters:
            self._letters[process] = _Letter(self._process)
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_all())
        return self._letters[process]

    async def _send_all(self) -> None:
        """Sends what waits, and what came meanwhile, until nothing waits."""
        try:
            while self._letters:
                letters, self._letters = self._letters, {}
                for process, letter in letters.items():
                    await self._send(process, letter)
        finally:
            self._sender = None

    async def _send(self, process: str, letter: _Letter) -> None:
        heard_by = 0
        with contextlib.suppress(RedisError, OSError):  # then nobody has heard it
            async with asyncio.timeout(self._answer_seconds_max):
                heard_by = await self._redis.publish(_channel_of(process), _encoder.encode(letter))
        if not heard_by:
            for number, *_ in letter.asks:
                self._answered(number, Standing.GONE)

    async def _read_all(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._channel.subscribe(_channel_of(self._process))
                async for message in self._channel.listen():
                    self._read(message)
            await asyncio.sleep(RECONNECT_SECONDS)

    def _read(self, message: dict[str, Any]) -> None:
        try:
            letter = _read.decode(message["data"])
        except (msgspec.MsgspecError, TypeError):
            return  # of another release
        for number, msisdn, link, age_seconds in letter.asks:
            standing = self._standing_here(msisdn, link, age_seconds)
            self._letter_to(letter.sender).tells.append((number, standing.value))
        for number, told in letter.tells:
            self._answered(number, Standing(told))

    def _answered(self, number: int, standing: Standing) -> None:
        answer = self._asked.get(number)
        if answer is not None:
            _settle(answer, standing)


def _channel_of(process: str) -> str:
    return f"engine:{process}"


def _settle(answer: asyncio.Future[Standing], standing: Standing) -> None:
    if not answer.done():
        answer.set_result(standing)
