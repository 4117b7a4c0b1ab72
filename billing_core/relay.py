"""The relay: hands the notices that wait in the database to the engine, until it says that the SMSC has accepted them.

Rules of this file (a shell; one task in each core process, any number of which may run):
- A row is leased before it is handed over, for a few seconds, and each second anew while its answer is waited for: what
  a process held that was killed is sent by another within 10 s. Leasing is one at a time, so that one number has one
  notice in flight and gets them in order, oldest first.
- Accepted is a fact and is written whoever holds the lease by then. Any other end counts only for who holds it.
- 503, other failures and silence mean later, after 1 s, 2 s, 4 s … 30 s. 400, 401, 422 and the like say that it will
  never work: an alarm, the row is kept for people, those behind it go before it, and it is tried until it is too old.
- An engine that is away costs no notice its turn: nothing is leased for a while, then one is tried.
- Nothing goes out after its `not_after`, by the database's clock. Each second what is too old is settled and its
  secrets are erased, whether the engine is there or not.
- New rows wake it (`LISTEN`); without that, it looks once a second.
"""
# long because: the leases, the tries and the endings of a notice are one protocol

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import aiohttp
import asyncpg
import msgspec
import structlog
from yarl import URL

import failpoints
from billing import notices as contract
from billing.events import EVENTS
from billing.notices import Notice
from billing.signing import sign
from billing.wire import JSON_TYPE
from billing_core.database import CONNECT_SECONDS_MAX, STATEMENT_SECONDS_MAX, UNAVAILABLE, Pool
from billing_core.measures import Measures
from billing_core.moments import as_instant
from billing_core.notices import CHANNEL
from billing_core.sealing import Seal, SealBroken

ANSWER_SECONDS_MAX = 40.0
"""Longer than the engine waits for the SMSC's response."""
POLL_SECONDS = 1.0
LEASE_SECONDS = 6.0
"""Several times as long as it takes to be renewed: a slow database is no reason for a second SMS."""
SETTLE_SECONDS_MAX = 60.0
"""How long it is tried to write down what became of a notice."""
AWAY_SECONDS_MAX = 5.0
"""Between two tries to reach an engine that is away: what waits is sent soon after it is back."""
STOP_SECONDS_MAX = 3.0
COMPLAINT_SECONDS = 5.0
_DATABASE_SECONDS_MAX = 2 * STATEMENT_SECONDS_MAX
_PROBLEM_CHARACTERS_MAX = 200
_ANSWER_OCTETS_MAX = 16 * 1024
_NEVER = frozenset({400, 401, 403, 404, 405, 409, 411, 413, 414, 415, 421, 422})

_ONE_AT_A_TIME = 0x6E6F7469636573
"""An advisory lock, "notices" in octets, held for the transaction that leases."""
_LEASE = """
UPDATE notices SET leased_until = statement_timestamp() + make_interval(secs => $2), tries = tries + 1
WHERE notice_id IN (
    SELECT n.notice_id FROM notices n
    WHERE n.state = 'waiting' AND n.try_at <= statement_timestamp() AND n.not_after > statement_timestamp()
      AND (n.leased_until IS NULL OR n.leased_until <= statement_timestamp()) AND n.event = ANY($3)
      AND NOT EXISTS (
          SELECT FROM notices o
          WHERE o.state = 'waiting' AND o.msisdn = n.msisdn AND o.notice_id <> n.notice_id
            AND (o.leased_until > statement_timestamp()
                 OR (o.not_after > statement_timestamp() AND (o.put_off > 0 OR o.try_at <= statement_timestamp())
                     AND (o.rejected, o.position) < (n.rejected, n.position))))
    ORDER BY n.position
    LIMIT $1
    FOR UPDATE SKIP LOCKED)
RETURNING notice_id, msisdn, network, event, language, arguments, sealed, not_after, tries
"""
_RENEW = """
UPDATE notices n SET leased_until = statement_timestamp() + make_interval(secs => $3)
FROM unnest($1::uuid[], $2::integer[]) AS held (notice_id, tries)
WHERE n.notice_id = held.notice_id AND n.tries = held.tries AND n.state = 'waiting' AND n.leased_until IS NOT NULL
"""
_ACCEPTED = """
UPDATE notices SET state = 'accepted', message_id = $2, sealed = NULL, leased_until = NULL, problem = NULL,
                   settled_at = statement_timestamp()
WHERE notice_id = $1 AND state <> 'accepted'
"""
_LATER = """
UPDATE notices SET leased_until = NULL, problem = $3, rejected = $4, put_off = put_off + 1,
                   try_at = statement_timestamp() + make_interval(secs => least(30, 2 ^ least(put_off, 5)))
WHERE notice_id = $1 AND tries = $2 AND state = 'waiting'
"""
_GIVE_BACK = "UPDATE notices SET leased_until = NULL WHERE notice_id = $1 AND tries = $2 AND state = 'waiting'"
_EXPIRE = """
UPDATE notices
SET sealed = NULL,
    state = CASE WHEN leased_until > statement_timestamp() THEN state ELSE 'expired' END,
    settled_at = CASE WHEN leased_until > statement_timestamp() THEN NULL ELSE statement_timestamp() END
WHERE state = 'waiting' AND not_after <= statement_timestamp()
  AND (sealed IS NOT NULL OR leased_until IS NULL OR leased_until <= statement_timestamp())
RETURNING event, state
"""
_WAITING = """
SELECT count(*), count(*) FILTER (WHERE rejected),
       coalesce(extract(epoch FROM statement_timestamp() - min(written_at)
                        FILTER (WHERE put_off > 0 OR try_at <= statement_timestamp())), 0)::float8
FROM notices WHERE state = 'waiting'
"""

_log = structlog.stdlib.get_logger("billing_core.relay")


class Accepted(NamedTuple):
    """The SMSC has it."""

    message_id: str


class Later(NamedTuple):
    """It may work another time. `rejected`: so it was said to never work."""

    why: str
    rejected: bool = False


class Away(NamedTuple):
    """No connection to the engine: nothing was sent."""

    why: str


Answer: TypeAlias = Accepted | Later | Away


class Engine(NamedTuple):
    """Where notices are handed over, and how that is signed. `url`: base address, http or https."""

    url: str
    client: str
    key: bytes

    def __repr__(self) -> str:
        return f"Engine({self.url} {self.client})"


class _AcceptedBody(msgspec.Struct, frozen=True):
    message_id: str


class _ProblemBody(msgspec.Struct, frozen=True):
    title: str = ""
    detail: str = ""


_accepted = msgspec.json.Decoder(_AcceptedBody)
_problem = msgspec.json.Decoder(_ProblemBody)


class Relay:
    """One relay. `run` it until `stop`."""

    def __init__(
        self,
        pool: Pool,
        database_url: str,
        engine: Engine,
        seal: Seal,
        measures: Measures,
        *,
        notices_max: int = 16,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`notices_max`: in flight at a time; `clock`: Unix time, for signatures alone."""
        self._pool = pool
        self._database_url = database_url
        self._engine = engine
        self._url = URL(engine.url).joinpath(contract.PATH[1:])
        self._seal = seal
        self._measures = measures
        self._notices_max = notices_max
        self._answer_seconds_max = answer_seconds_max
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = False
        self._in_flight: dict[asyncio.Task[None], asyncpg.Record] = {}
        self._times_away = 0
        self._away_until = 0.0
        self._next_sweep = 0.0
        self._next_complaint = 0.0

    async def run(self) -> None:
        """Relays until `stop`, then waits a little for what is in flight; what has no answer by then stays leased."""
        listening = asyncio.create_task(self._listen())
        try:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._notices_max, keepalive_timeout=15.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            ) as session:
                while not self._stopping:
                    self._wake.clear()
                    await self._look(session)
                    await self._sleep()
                await self._finish()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def stop(self) -> None:
        """Lets `run` end."""
        self._stopping = True
        self._wake.set()

    # --- what is due ------------------------------------------------------------------------------------------------

    async def _look(self, session: aiohttp.ClientSession) -> None:
        now = asyncio.get_running_loop().time()
        try:
            if now >= self._next_sweep:
                self._next_sweep = now + POLL_SECONDS
                await self._sweep()
            for row in await self._lease(now):
                task = asyncio.create_task(self._hand_over(session, row))
                self._in_flight[task] = row
                task.add_done_callback(self._landed)
        except UNAVAILABLE as error:
            self._complain("the database does not serve", f"{type(error).__name__}: {error}")

    async def _lease(self, now: float) -> list[asyncpg.Record]:
        room = self._notices_max - len(self._in_flight)
        if self._times_away:
            room = 1 if now >= self._away_until and not self._in_flight else 0
        if room <= 0:
            return []
        async with asyncio.timeout(_DATABASE_SECONDS_MAX), self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
            return await connection.fetch(_LEASE, room, self._lease_seconds, list(EVENTS))

    async def _sweep(self) -> None:
        held = [(row["notice_id"], row["tries"]) for row in self._in_flight.values()]
        async with asyncio.timeout(_DATABASE_SECONDS_MAX), self._pool.acquire() as connection:
            if held:
                await connection.execute(_RENEW, *map(list, zip(*held, strict=True)), self._lease_seconds)
            expired = await connection.fetch(_EXPIRE)
            [(waiting, rejected, oldest_seconds)] = await connection.fetch(_WAITING)
        for event, state in expired:
            if state == "expired":
                self._count(event, "expired")
                _log.warning("a notice was too old to be sent", notice_event=event)
        self._measures.notices_waiting.set(waiting)
        self._measures.notices_rejected.set(rejected)
        self._measures.notices_oldest_seconds.set(oldest_seconds)

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    def _landed(self, task: asyncio.Task[None]) -> None:
        del self._in_flight[task]
        self._wake.set()
        if not task.cancelled():
            task.result()

    async def _finish(self) -> None:
        if self._in_flight:
            _, late = await asyncio.wait(self._in_flight, timeout=STOP_SECONDS_MAX)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # --- one notice -------------------------------------------------------------------------------------------------

    async def _hand_over(self, session: aiohttp.ClientSession, row: asyncpg.Record) -> None:
        loop = asyncio.get_running_loop()
        failpoints.passed("notice_leased")
        answer = await self._send(session, row)
        failpoints.passed("notice_taken")
        until = loop.time() + SETTLE_SECONDS_MAX
        self._mark_away(answer, loop.time())
        self._tell(answer, row)
        while True:  # an answer that is lost means a second SMS
            try:
                await self._settle(answer, row)
                return failpoints.passed("sms_marked")
            except UNAVAILABLE as error:
                self._complain("the database does not serve", f"{type(error).__name__}: {error}")
            if loop.time() >= until:
                return
            await asyncio.sleep(POLL_SECONDS / 2)

    async def _send(self, session: aiohttp.ClientSession, row: asyncpg.Record) -> Answer:
        try:
            body = contract.to_octets(self._notice(row))
        except SealBroken as error:
            return Later(str(error), rejected=True)
        headers = sign(self._engine.client, self._engine.key, "POST", self._url.raw_path, body, self._clock())
        headers["Content-Type"] = JSON_TYPE
        timeout = aiohttp.ClientTimeout(total=self._answer_seconds_max, connect=self._answer_seconds_max / 4)
        try:
            async with session.post(
                self._url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                said = await response.content.read(_ANSWER_OCTETS_MAX)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Away(f"no connection: {type(error).__name__}")
        except TimeoutError:
            return Later(f"no answer within {self._answer_seconds_max:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Later(f"no answer that can be read: {type(error).__name__}")
        return read_answer(response.status, said)

    def _notice(self, row: asyncpg.Record) -> Notice:
        """The notice in a row, with its secrets. Raises SealBroken."""
        arguments: dict[str, Any] = msgspec.json.decode(row["arguments"])
        if row["sealed"] is not None:
            arguments |= self._seal.open(uuid.UUID(str(row["notice_id"])), row["sealed"])
        return Notice(
            id=str(row["notice_id"]),
            msisdn=row["msisdn"],
            network=row["network"],
            event=row["event"],
            language=row["language"] or "",
            arguments=arguments,
            not_after=as_instant(row["not_after"]),
        )

    async def _settle(self, answer: Answer, row: asyncpg.Record) -> None:
        async with asyncio.timeout(_DATABASE_SECONDS_MAX), self._pool.acquire() as connection:
            if isinstance(answer, Accepted):
                await connection.execute(_ACCEPTED, row["notice_id"], answer.message_id)
            elif isinstance(answer, Later):
                await connection.execute(_LATER, row["notice_id"], row["tries"], answer.why, answer.rejected)
            else:
                await connection.execute(_GIVE_BACK, row["notice_id"], row["tries"])

    # --- what is told ------------------------------------------------------------------------------------------------

    def _mark_away(self, answer: Answer, now: float) -> None:
        if not isinstance(answer, Away):
            self._times_away = 0
        elif now >= self._away_until:  # of several that have just failed, one counts
            self._times_away += 1
            self._away_until = now + min(0.5 * 2.0 ** min(self._times_away, 8), AWAY_SECONDS_MAX)
            self._complain("the engine is away", answer.why)

    def _tell(self, answer: Answer, row: asyncpg.Record) -> None:
        if isinstance(answer, Accepted):
            self._count(row["event"], "accepted")
        elif isinstance(answer, Later):
            self._count(row["event"], "rejected" if answer.rejected else "later")
            if answer.rejected:
                named = {"notice": str(row["notice_id"]), "notice_event": row["event"], "msisdn": row["msisdn"]}
                _log.error("a notice that can never be sent", why=answer.why, **named)

    def _count(self, event: str, outcome: str) -> None:
        if event in EVENTS:
            self._measures.notices[event, outcome].inc()

    def _complain(self, what: str, why: str) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_complaint:
            self._next_complaint = now + COMPLAINT_SECONDS
            _log.warning("notices wait", what=what, why=why)

    # --- being woken ------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Wakes the relay when a row is written, on a connection of its own, which is made anew when it is lost."""
        while True:
            try:
                connection = await asyncpg.connect(self._database_url, timeout=CONNECT_SECONDS_MAX)
            except UNAVAILABLE:
                await asyncio.sleep(POLL_SECONDS)
                continue
            lost = asyncio.Event()
            connection.add_termination_listener(lambda *_, lost=lost: lost.set())
            try:
                await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
                self._wake.set()
                await lost.wait()
            except UNAVAILABLE:
                await asyncio.sleep(POLL_SECONDS)
            finally:
                connection.terminate()


def read_answer(status: int, said: bytes) -> Answer:
    """What the engine's answer means."""
    if status == 200:
        try:
            message_id = _accepted.decode(said).message_id
        except (msgspec.MsgspecError, RecursionError):
            return Later("200 without a message_id")
        return Accepted(message_id[:_PROBLEM_CHARACTERS_MAX])
    try:
        problem = _problem.decode(said)
        why = ". ".join(part for part in (problem.title, problem.detail) if part)
    except (msgspec.MsgspecError, RecursionError):
        why = "no problem document"
    return Later(f"{status}: {why}"[:_PROBLEM_CHARACTERS_MAX], rejected=status in _NEVER)
