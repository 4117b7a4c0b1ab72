"""The store and the shelf of a run: what Redis promises, and what it may lose.

Rules of this file:
- Octets lie here, as in Redis, each under its time; compare-and-set looks at their header and at nothing else.
- A request can be lost, or done and not acknowledged, or done after its caller has given up. The whole store can be
  emptied, or fall back to what it was.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from sessions.session import Session, Stamp, dialogue_prefix, from_octets, to_octets
from sessions.store import StoreAway
from ussd_engine.turn import is_over

from .judge import Judge
from .loop import Chance, Process
from .trace import Trace
from .weather import Weather

T = TypeVar("T")
ANSWER_SECONDS_MAX = 1.0
"""How long a client waits, as that of Redis does."""
LATE_SECONDS_MAX = 3.0
SNAPSHOTS = 12
"""One is taken at each second in which something is written."""


class _Kept(tuple[bytes, float]):
    """The octets of a dialogue, and until when they are kept."""

    __slots__ = ()


class Heard(NamedTuple):
    """What says that a begin was taken before: its mark, or the end of one like it that another process has taken."""

    mark: str
    like: str
    process: str

    def before(self, mark: str) -> bool:
        """Whether the stored mark says so."""
        if not self.mark:
            return False
        return mark == self.mark or (self.like != "" and mark.endswith(self.like) and self.process not in mark)


NOT_HEARD = Heard("", "", "")


class Memory:
    """What lies in the store, for all engine processes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, trace: Trace, judge: Judge) -> None:
        self._loop = loop
        self._trace = trace
        self._judge = judge
        self._kept: dict[str, _Kept] = {}
        self._snapshots: deque[tuple[float, dict[str, _Kept]]] = deque(maxlen=SNAPSHOTS)
        self.shelf: dict[str, bytes] = {}
        self._noted: dict[str, float] = {}
        """Names, and until when they are."""

    def get(self, msisdn: str) -> bytes | None:
        """The octets of a number's dialogue."""
        kept = self._kept.get(msisdn)
        return kept[0] if kept is not None and kept[1] > self._loop.time() else None

    def session(self, msisdn: str) -> Session | None:
        """A number's dialogue as it lies here now."""
        octets = self.get(msisdn)
        return None if octets is None else from_octets(octets)

    def goes_on(self, msisdn: str) -> bool:
        """Whether a number has a dialogue that is not over."""
        session = self.session(msisdn)
        return session is not None and not is_over(session)

    def change(
        self, msisdn: str, expected: bytes, octets: bytes, seconds: float, heard: Heard = NOT_HEARD
    ) -> bytes | bool:
        """One compare-and-set, as the script in `sessions.redis_store` does it."""
        old = self.get(msisdn)
        if expected and (old is None or not old.startswith(expected)):
            return False
        if old is not None and heard.before(old.partition(b"\n")[0].rpartition(b" ")[2].decode()):
            return old
        self._remember()
        if octets:
            self._judge.kept(octets, seconds, old)
            self._kept[msisdn] = _Kept((octets, self._loop.time() + seconds))
        else:
            self._kept.pop(msisdn, None)
        return True

    def is_first(self, name: str, seconds: float) -> bool:
        """Notes a name; False when it is noted."""
        now = self._loop.time()
        if self._noted.get(name, now) > now:
            return False
        self._noted[name] = now + seconds
        return True

    def _remember(self) -> None:
        now = self._loop.time()
        if not self._snapshots or self._snapshots[-1][0] + 1.0 <= now:
            self._snapshots.append((now, dict(self._kept)))

    def empty(self) -> None:
        """Everything is lost."""
        self._trace.note("store", "is emptied")
        self._judge.store_lost()
        self._kept.clear()
        self.shelf.clear()
        self._noted.clear()

    def fall_back(self, chance: Chance) -> None:
        """Another server takes over, that has heard less."""
        if self._snapshots:
            at, kept = chance.pick(self._snapshots)
            self._trace.note("store", f"falls back to {at:.6f}")
            self._judge.store_lost()
            self._kept = dict(kept)


class StoreClient:
    """The `Store` and the `Shelf` of one engine process."""

    def __init__(
        self,
        memory: Memory,
        process: Process,
        loop: asyncio.AbstractEventLoop,
        chance: Chance,
        weather: Weather,
        trace: Trace,
    ) -> None:
        self._memory = memory
        self._process = process
        self._loop = loop
        self._chance = chance
        self._weather = weather
        self._trace = trace

    async def load(self, msisdn: str) -> Session | None:
        octets = await self._ask(f"load …{msisdn[-4:]}", lambda: self._memory.get(msisdn))
        return None if octets is None else from_octets(octets)

    async def begin(self, session: Session, seconds: float, like: str = "") -> Session | None:
        octets, heard = to_octets(session), Heard(session.input_mark, like, f".{session.owner}.")
        answer = await self._ask(
            f"begin {_named(session)}",
            lambda: self._memory.change(session.msisdn, b"", octets, seconds, heard),
        )
        return from_octets(answer) if isinstance(answer, bytes) else None

    async def save(self, session: Session, expected: Stamp, seconds: float) -> bool:
        octets = to_octets(session)
        answer = await self._ask(
            f"save {_named(session)}",
            lambda: self._memory.change(session.msisdn, expected.prefix(), octets, seconds),
        )
        return answer is True

    async def forget(self, msisdn: str, session_id: str) -> None:
        prefix = dialogue_prefix(session_id)
        await self._ask(f"forget …{msisdn[-4:]}", lambda: self._memory.change(msisdn, prefix, b"", 0.0))

    async def remove(self, msisdn: str, expected: Stamp) -> bool:
        prefix = expected.prefix()
        return await self._ask(f"remove …{msisdn[-4:]}", lambda: self._memory.change(msisdn, prefix, b"", 0.0)) is True

    async def is_first(self, name: str, seconds: float) -> bool:
        return await self._ask(f"first {name[-6:]}", lambda: self._memory.is_first(name, seconds))

    async def put(self, octets: Mapping[str, bytes], seconds: float) -> None:
        await self._ask("put", lambda: self._memory.shelf.update(octets))

    async def get(self, name: str) -> bytes | None:
        return await self._ask("get", lambda: self._memory.shelf.get(name))

    async def _ask(self, what: str, work: Callable[[], T]) -> T:
        """One request: on its way, done, and on its way back; or whatever goes wrong with it. Raises StoreAway."""
        chance, weather = self._chance, self._weather
        answer: asyncio.Future[T] = self._loop.create_future()
        await self._until(answer, what, work, chance.draw(), weather)
        if answer.done() and self._process.is_alive:
            return answer.result()
        if not self._process.is_alive:
            await self._loop.create_future()  # nobody is there any more
        self._trace.note(self._process.name, f"store: {what}: no answer")
        raise StoreAway("no answer in time")

    async def _until(
        self, answer: asyncio.Future[T], what: str, work: Callable[[], T], roll: float, weather: Weather
    ) -> None:
        """Waits for the answer, as long as anybody waits for one."""
        there, back = self._chance.between(0.0001, 0.004), self._chance.between(0.0001, 0.004)
        gives_up = self._loop.time() + ANSWER_SECONDS_MAX

        def is_done(tells: bool) -> None:
            result = work()
            self._trace.note("store", f"{what} for {self._process.name}: {_told(result)}")
            if tells:
                self._loop.call_later(back, _answered, answer, result)

        lost, unheard = weather.store_lost / 2, weather.store_unacknowledged / 2
        if roll < lost:
            pass
        elif roll < lost + unheard:
            self._loop.call_later(there, is_done, False)
        elif roll < lost + unheard + weather.store_late / 2:
            self._loop.call_later(self._chance.between(0.0, LATE_SECONDS_MAX), is_done, True)
        else:
            self._loop.call_later(there, is_done, True)
        await asyncio.wait((answer,), timeout=gives_up - self._loop.time())


def _answered(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _named(session: Session) -> str:
    return f"…{session.msisdn[-4:]} {session.id[-6:]} v{session.version} {session.service}/{session.screen}"


def _told(result: object) -> str:
    return f"{len(result)} octets" if isinstance(result, bytes) else str(result)
