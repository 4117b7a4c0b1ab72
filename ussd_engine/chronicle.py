"""What becomes of dialogues, told to everybody who wants to know: records, history, log and counters.

Rules of this file (a shell around `record` and `history`):
- A dialogue has one record, written where it ended. Whoever took its last turn writes it; a dialogue that has gone on
  in another engine process is that one's.
- A dialogue that goes silent has ended `idle` (or with its link, or because we refused its input) when it is too old to
  be answered. To be sure that no other process goes on with it, its session is removed on the condition that it is
  still the one we know: the store decides who writes.
- How long a dialogue has been silent is measured by the monotonic clock: one that is set an hour on ends nobody's.
- Nothing waits for any of this: what a turn brings is noted in memory, and written a moment later.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import structlog

from sessions.session import Session, UnreadableSession, stamp_of
from sessions.store import Store, StoreAway

from . import history
from .history import Dialogue, Turn
from .metrics import Metrics
from .record import IDLE, LINK_LOST, OUR_FAULT, REDIALLED, Record, SmsRecord, dialogue_record
from .record_files import RecordFiles

FLUSH_SECONDS = 0.2
SWEEP_SECONDS = 5.0
SWEPT_AT_A_TIME = 256
WAITING_MAX = 200_000
"""Histories that wait to be written; past this the oldest are lost, and counted, as records are."""


class Log(Protocol):
    """Where histories are kept (`sessions.redis_log`). Raises StoreAway."""

    async def append(self, entries: list[tuple[str, bytes]]) -> None: ...


class Open:
    """A dialogue that is not over, as far as this process knows."""

    __slots__ = ("cause", "heard", "session", "turns")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.heard = 0.0
        """When its last turn was kept, on the monotonic clock."""
        self.turns: list[Turn] = []
        self.cause = IDLE
        """How it will have ended if nothing more is heard of it."""


class Chronicle:
    """Of one engine process."""

    def __init__(
        self,
        files: RecordFiles | None,
        log: Log | None,
        store: Store,
        metrics: Metrics,
        now: Callable[[], float],
        wall_clock: Callable[[], float],
        idle_seconds: float,
    ) -> None:
        """`files`, `log`: None where records or histories are switched off. `now`: monotonic seconds; `wall_clock`:
        seconds since 1970, for what is written down alone.
        """
        self._files = files
        self._history = log
        self._store = store
        self._metrics = metrics
        self._now = now
        self._wall_clock = wall_clock
        self._idle_seconds = idle_seconds
        self._open: OrderedDict[str, Open] = OrderedDict()
        """By number, the longest silent first."""
        self._histories: list[tuple[str, bytes]] = []
        self._says = structlog.get_logger()

    # --- what happens ---------------------------------------------------------------------------------------------

    def turn(self, session: Session, typed: str, shown: str) -> None:
        """A turn was kept. `typed`: as it may be told; `shown`: as a repeat would show it."""
        dialogue = self._open.pop(session.msisdn, None)
        if dialogue is not None and dialogue.session.id != session.id:
            self._end(dialogue, REDIALLED, self._wall_clock())
            dialogue = None
        dialogue = dialogue or Open(session)
        dialogue.session = session
        dialogue.heard = self._now()
        dialogue.cause = IDLE
        if self._history is not None and len(dialogue.turns) < history.TURNS_MAX:
            dialogue.turns.append(Turn(typed, shown, session.at))
        self._open[session.msisdn] = dialogue

    def ended(self, session: Session, cause: str) -> None:
        """A dialogue is over, and this process has ended it."""
        dialogue = self._open.pop(session.msisdn, None)
        if dialogue is None or dialogue.session.id != session.id:
            dialogue = Open(session)
        dialogue.session = session
        self._end(dialogue, cause, self._wall_clock())

    def troubled(self, msisdn: str, cause: str) -> None:
        """Something of ours has failed the number's dialogue: if nothing more is heard of it, this was why."""
        dialogue = self._open.get(msisdn)
        if dialogue is not None:
            dialogue.cause = cause

    def link_lost(self, link: str) -> None:
        """The last bind of a link is gone, and its dialogues with it."""
        for dialogue in self._open.values():
            if dialogue.session.link == link:
                dialogue.cause = LINK_LOST

    def sms(self, record: Callable[[int], SmsRecord]) -> None:
        """An SMS came in or went out."""
        self._record(record)

    def _end(self, dialogue: Open, cause: str, at: float) -> None:
        session = dialogue.session
        self._metrics.dialogue_ended(session.service, session.screen, cause)
        self._record(lambda seq: dialogue_record(session, cause, at, seq))
        self._says.info(
            "dialogue", msisdn=session.msisdn, id=session.id, service=session.service, code=session.code,
            link=session.link, cause=cause, turns=session.turn + 1, last=session.screen,
            seconds=round(at - session.started_at, 3),
        )  # fmt: skip
        if self._history is not None:
            told = Dialogue(session.id, session.service, session.link, session.started_at, cause, tuple(dialogue.turns))
            self._histories.append((session.msisdn, history.to_octets(told)))
            if len(self._histories) > WAITING_MAX:
                del self._histories[0]
                self._metrics.records_lost.inc()

    def _record(self, record: Callable[[int], Record]) -> None:
        if self._files is not None and not self._files.add(record):
            self._metrics.records_lost.inc()

    # --- time -----------------------------------------------------------------------------------------------------

    async def keep_on(self) -> None:
        """Writes, and looks for dialogues that went silent, for as long as the engine runs."""
        swept = self._now()
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
            if self._now() - swept >= SWEEP_SECONDS:
                swept = self._now()
                await self.sweep()

    async def flush(self) -> None:
        """Writes what has been noted. What cannot be written is kept for the next time."""
        if self._files is not None:
            try:
                self._files.flush()
            except OSError as error:
                self._metrics.records_failed.inc()
                self._says.error("records not written", reason=str(error))
        histories, self._histories = self._histories, []
        if self._history is not None and histories:
            try:
                await self._history.append(histories)
            except StoreAway as error:  # customer care misses a few dialogues
                self._metrics.records_lost.inc(len(histories))
                self._says.warning("histories not kept", reason=str(error), count=len(histories))

    async def sweep(self) -> None:
        """Ends the dialogues that nothing more was heard of."""
        now = self._now()
        silent: list[Open] = []
        for dialogue in self._open.values():
            if dialogue.heard + self._idle_seconds > now:
                break
            silent.append(dialogue)
        for at in range(0, len(silent), SWEPT_AT_A_TIME):
            await asyncio.gather(*(self._silent(dialogue) for dialogue in silent[at : at + SWEPT_AT_A_TIME]))

    async def _silent(self, dialogue: Open) -> None:
        """A dialogue that is too old to be answered: it has ended, unless somebody else goes on with it."""
        session = dialogue.session
        if self._open.get(session.msisdn) is not dialogue:
            return  # it has spoken meanwhile
        cause, known = dialogue.cause, stamp_of(session)
        try:
            stored = await self._store.load(session.msisdn)
            if stored is None:
                cause = OUR_FAULT  # the store has lost it
            elif stored.id != session.id:
                cause = REDIALLED
            elif stamp_of(stored) == stamp_of(session) and not await self._store.remove(
                session.msisdn, stamp_of(session)
            ):
                return  # it has just gone on: looked at again
        except (StoreAway, UnreadableSession):
            cause = OUR_FAULT
            stored = None
        if self._open.get(session.msisdn) is dialogue:
            del self._open[session.msisdn]
        if stored is None or stored.id != session.id or stamp_of(stored) == known:
            self._end(dialogue, cause, self._wall_clock())

    async def close(self) -> None:
        """Writes what there is; dialogues that are open may go on in another process, and are told of there."""
        await self.flush()
        if self._files is not None:
            self._files.close()
