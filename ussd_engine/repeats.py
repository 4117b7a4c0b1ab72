"""What is a repeat, as far as the stored dialogue and the other engine processes tell (async over ports only).

Rules of this file (`dialogues` knows what this process has on its way, `taking` says what follows):
- A repeat is known by its mark; by the peer's count; or because the process that took the last turn has no word of the
  peer's on its screen.
- A process that is gone cannot tell. What says the same as the input that it took last is a repeat then, for as long
  as the network can be waiting for that screen: the subscriber sees it once more, and nothing is walked that was not
  meant.
"""

from __future__ import annotations

from msgspec.structs import replace

from sessions.neighbours import Standing
from sessions.session import Session

from .turn import REPEAT_SECONDS, Answer, Begin, Ports


class Repeats:
    """Tells whether one input has been taken before."""

    __slots__ = ("_begins", "_link", "_mark", "_ports", "_reference", "_sameness")

    def __init__(self, ports: Ports, request: Begin | Answer) -> None:
        self._ports = ports
        self._begins = isinstance(request, Begin)  # a number of 8 bits comes again: what is dialled tells two begins
        self._link = request.link
        self._mark = request.mark
        self._reference = request.reference
        self._sameness = request.sameness

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
        return self._sameness.sequence is not None or self._is_younger(session, REPEAT_SECONDS)

    def is_old(self, session: Session | None) -> bool:
        """Whether the dialogue has taken this input before its last one."""
        if self.is_last(session):
            return False
        if self._sameness.repeated:
            return True
        sequence = self._sameness.sequence
        if sequence is None or session is None or session.link != self._link.name or not self._is_of(session):
            return False
        return session.begun_by == self._mark if self._begins else sequence in session.counts

    async def standing(self, session: Session) -> Standing:
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

    async def standing_of_begin(self, before: Session) -> Standing:
        """As `standing`, of a begin that finds a dialogue begun alike."""
        is_last = self.is_last(before)
        if not is_last and (before.link != self._link.name or not self._is_of(before)):
            return Standing.SETTLED
        standing = await self.standing(before)
        if is_last and standing is Standing.SETTLED:
            return Standing.GONE  # whoever took it has ended without a screen
        # A dialogue is begun anew rather than gone on with by guess; a call that was made is asked about.
        return Standing.SETTLED if standing is Standing.GONE and before.pending is None else standing

    def _is_of(self, session: Session) -> bool:
        return session.reference == self._reference

    def _is_younger(self, session: Session, seconds: float) -> bool:
        return self._ports.wall_clock() - session.at < seconds
