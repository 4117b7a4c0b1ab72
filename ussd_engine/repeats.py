"""What is a repeat: one file for what this process remembers, what the store says, and what other processes know.

Rules of this file (async over ports only; `dialogues` knows what is on its way here, `taking` has the screens):
- The same octets under the same sequence number of one connection, or the same count of the peer's, are a repeat for
  a minute (`Heard`): the last one of its number gets its screen again, those before it are nobody's answer any more. A
  peer that has lost our response may send one again when its subscriber is further, or has dialled anew.
- On another connection, or at another process, it is known by the mark of the stored dialogue; by the peer's
  count; or because the process that took the last turn has no word of the peer's on its screen (`Repeats`).
- A process that is gone cannot tell. What says the same as the input that it took last is a repeat then, for as long
  as the network can be waiting for that screen: the subscriber sees it once more, and nothing is walked that was not
  meant.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from sessions.neighbours import Standing
from sessions.session import Session, stamp_of

if TYPE_CHECKING:
    from .turn import Answer, Begin, Ports

KEPT_SECONDS = 60.0
"""How long a message can come again."""
OF_A_NUMBER_MAX = 32
"""More than anybody types in that time."""
NUMBERS_MAX = 100_000
BEGIN_TRIES = 3
"""What a begin finds may end, or be begun again, while another process is asked about it."""


class Repeat(Enum):
    """What a message is, as far as this process has heard it before."""

    NEW = "new"
    AGAIN = "again"
    """The last one of its number, once more."""
    OUTDATED = "outdated"
    """One before that, once more."""


class Sameness(NamedTuple):
    """What else than its mark tells an input from another."""

    again: bool = False
    """It was the last one of its number that was heard here, and it is not walked a second time."""
    like: str = ""
    """How the marks of all inputs end that say the same, on whatever connection; "" where the peer counts."""
    sequence: int | None = None
    """In its session, where the peer counts."""
    came_at: float = 0.0
    """On the clock of the turns."""


class _Number:
    """What was heard of a number."""

    __slots__ = ("accepted_at", "at", "link", "marks")

    def __init__(self) -> None:
        self.at = 0.0
        """When something new was heard of it last."""
        self.marks: tuple[str, ...] = ()
        """What was heard, the last one last."""
        self.link = ""
        self.accepted_at = 0.0
        """When the peer accepted a screen to it last, and on which link."""


class Heard:
    """What this process has heard of all numbers, and what it said that was accepted."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, _Number] = OrderedDict()

    def hears(self, msisdn: str, mark: str, now: float, past: str = "") -> Repeat:
        """Notes a message, and says whether it was heard before. `mark`: connection, sequence number and octets; or the
        peer's count. `past`: how marks begin that say nothing any more, if this is new: it begins to count anew."""
        number = self._of(msisdn, now)
        if number.at + KEPT_SECONDS < now:
            number.marks = ()
        if mark in number.marks:
            return Repeat.AGAIN if number.marks[-1] == mark else Repeat.OUTDATED
        if past:
            number.marks = tuple(each for each in number.marks if not each.startswith(past))
        number.at, number.marks = now, (*number.marks[1 - OF_A_NUMBER_MAX :], mark)
        self._numbers.move_to_end(msisdn)
        return Repeat.NEW

    def accepts(self, msisdn: str, link: str, now: float) -> None:
        """The peer has accepted a screen."""
        number = self._of(msisdn, now)
        number.link, number.accepted_at = link, now

    def was_accepted(self, msisdn: str, link: str, since: float) -> bool:
        """Whether the peer has accepted a screen later than at this moment."""
        number = self._numbers.get(msisdn)
        return number is not None and number.link == link and number.accepted_at > since

    def _of(self, msisdn: str, now: float) -> _Number:
        number = self._numbers.get(msisdn)
        if number is None:
            number = self._numbers[msisdn] = _Number()
            number.at = now
            oldest = next(iter(self._numbers))
            if len(self._numbers) > NUMBERS_MAX or self._numbers[oldest].at + KEPT_SECONDS < now:
                del self._numbers[oldest]
        return number


class Repeated(Exception):
    """The input has been taken already: `session` is the dialogue as it left it; None: nothing is to be said."""

    def __init__(self, session: Session | None) -> None:
        self.session = session
        super().__init__()


class Repeats:
    """Tells whether one input has been taken before, here or elsewhere."""

    __slots__ = ("_begins", "_link", "_mark", "_ports", "_reference", "_sameness", "_seconds")

    def __init__(
        self, ports: Ports, request: Begin | Answer, begins: bool, seconds: Callable[[Session], float]
    ) -> None:
        """`seconds`: how long a dialogue is kept."""
        self._ports = ports
        self._begins = begins  # a number of 8 bits comes again: what is dialled tells two begins
        self._link = request.link
        self._mark = request.mark
        self._reference = request.reference
        self._sameness = request.sameness
        self._seconds = seconds

    def stamped(self, session: Session) -> Session:
        """The session as it is when this input is the last that it has taken, here."""
        ports, sequence, counts, begun_by = self._ports, self._sameness.sequence, session.counts, session.begun_by
        if sequence is not None and not session.version:
            counts, begun_by = b"", self._mark
        elif sequence is not None and not self._begins and sequence not in counts:
            counts += bytes((sequence,))
        return replace(
            session,
            input_mark=self._mark,
            at=ports.wall_clock(),
            owner=ports.process,
            travelled=session.travelled or session.owner != ports.process,
            counts=counts,
            begun_by=begun_by,
        )

    def is_last(self, session: Session | None) -> bool:
        """Whether this very input was the last that the dialogue has taken."""
        if session is None or session.input_mark != self._mark:
            return False
        return self._sameness.sequence is not None or self._is_younger(session, KEPT_SECONDS)

    def is_old(self, session: Session | None) -> bool:
        """Whether the peer's count says that the dialogue has taken this input before its last one."""
        sequence = self._sameness.sequence
        if sequence is None or session is None or self.is_last(session):
            return False
        if session.link != self._link.name or not self._is_of(session):
            return False
        return session.begun_by == self._mark if self._begins else sequence in session.counts

    async def look(self, session: Session) -> None:
        """Raises Repeated for a repeat of what the dialogue has taken last, here or elsewhere; and StoreAway."""
        store, standing = self._ports.store, await self._standing(session)
        if standing is Standing.WORKING:
            raise Repeated(None)
        if standing is Standing.UNSEEN:
            if session.owner == self._ports.process:
                raise Repeated(session)
            kept = await store.load(session.msisdn)  # it may have been kept after we had looked
            raise Repeated(kept if kept is not None and kept.id == session.id else None)
        if standing is Standing.GONE and session.pending is None:
            ours = replace(self.stamped(session), version=session.version + 1)
            raise Repeated(ours if await store.save(ours, stamp_of(session), self._seconds(ours)) else None)

    async def begin(self, session: Session) -> None:
        """Keeps a new dialogue, in place of what the number had. Raises Repeated when its begin was taken already, and
        StoreAway."""
        store, seconds = self._ports.store, self._seconds(session)
        for _ in range(BEGIN_TRIES):
            before = await store.begin(session, seconds, self._sameness.like)
            if before is None:
                return
            standing = await self._standing_of_begin(before)
            if standing in (Standing.UNSEEN, Standing.GONE):
                raise Repeated(before)
            if standing is Standing.WORKING:
                break
            if await store.save(session, stamp_of(before), seconds):
                return
        raise Repeated(None)

    async def _standing(self, session: Session) -> Standing:
        """How it stands with the input that the dialogue has taken last, if this is a repeat of it; SETTLED: it
        is none."""
        ports, is_over = self._ports, self.is_last(session) and session.pending is None
        if session.owner == ports.process:
            return Standing.UNSEEN if is_over else Standing.SETTLED  # what is on its way, `dialogues` knows
        age_seconds = ports.now() - self._sameness.came_at
        standing = await ports.neighbours.standing(session.owner, session.msisdn, session.link, age_seconds)
        if standing is Standing.WORKING:
            return standing
        if is_over:
            return Standing.UNSEEN
        if standing is not Standing.GONE:
            return standing
        same = bool(self._sameness.like) and session.input_mark.endswith(self._sameness.like)
        waited_for = self._is_younger(session, self._link.dialect.waits.application_seconds)
        return Standing.GONE if same and waited_for else Standing.SETTLED

    async def _standing_of_begin(self, before: Session) -> Standing:
        """As `_standing`, of a begin that finds a dialogue begun alike."""
        is_last = self.is_last(before)
        if not is_last and (before.link != self._link.name or before.hung_up or not self._is_of(before)):
            return Standing.SETTLED
        standing = await self._standing(before)
        if is_last and standing is Standing.SETTLED:
            return Standing.GONE  # whoever took it has ended without a screen
        # A dialogue is begun anew rather than gone on with by guess; a call that was made is asked about.
        return Standing.SETTLED if standing is Standing.GONE and before.pending is None else standing

    def _is_of(self, session: Session) -> bool:
        return session.reference == self._reference

    def _is_younger(self, session: Session, seconds: float) -> bool:
        return self._ports.wall_clock() - session.at < seconds
