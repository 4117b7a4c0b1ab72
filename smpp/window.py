"""Our requests that wait for their answer, and the sequence numbers they go under.

Rules of this file: numbers run from 1 to 0x7FFFFFFF (SMPP 3.4, section 5.1.4) and around, past those still waiting
and those that have expired a moment ago, whose answers may still come.
Requests of one kind wait equally long, so the oldest of each kind stands first, and expiry looks at no more than it
removes. The session's own requests (bind, enquire_link, unbind) take numbers here but no place: a full window must not
keep a link from being watched or ended.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from smpp.errors import WindowFull
from smpp.pdu import Pdu

SEQUENCE_MAX: Final = 0x7FFFFFFF


class Pending(NamedTuple):
    """A request of ours, what its sender wants back with the answer, and when it was sent."""

    request: Pdu
    context: object
    sent_at: float
    seconds_max: float


class Own(NamedTuple):
    """A request of the session itself."""

    request: Pdu
    sent_at: float


class Window:
    """The requests in flight of one connection, at most `size_max`."""

    __slots__ = ("_kinds", "_last", "_late", "_own", "_pending", "late_seconds", "size_max")

    def __init__(self, size_max: int, last_sequence_number: int = 0, late_seconds: float = 60.0) -> None:
        """`late_seconds`: so long an expired number is remembered."""
        self.size_max = size_max
        self._last = last_sequence_number
        self.late_seconds = late_seconds
        self._pending: dict[int, Pending] = {}
        self._kinds: dict[float, dict[int, Pending]] = {}  # by how long they wait, in the order they were sent
        self._own: dict[int, Own] = {}
        self._late: dict[int, float] = {}  # number: until when it is remembered, the earliest first

    def __len__(self) -> int:
        return len(self._pending)

    def allot(self) -> int:
        """The next sequence number that nothing waits under."""
        number = self._last
        while True:
            number = number + 1 if number < SEQUENCE_MAX else 1
            if number not in self._pending and number not in self._own and number not in self._late:
                self._last = number
                return number

    def check_room(self) -> None:
        """Raises WindowFull when no further request may be sent."""
        if len(self._pending) >= self.size_max:
            raise WindowFull(f"{len(self._pending)} requests wait for their answer")

    def add(self, request: Pdu, context: object, now: float, seconds_max: float) -> None:
        """Notes a numbered request that was sent, and how long its answer may take."""
        pending = Pending(request, context, now, seconds_max)
        number = request.sequence_number
        self._pending[number] = pending
        kind = self._kinds.get(seconds_max)
        if kind is None:
            kind = self._kinds[seconds_max] = {}
        kind[number] = pending

    def add_own(self, request: Pdu, now: float) -> None:
        """Notes a numbered request of the session itself; `Timers` watches its answer."""
        self._own[request.sequence_number] = Own(request, now)

    def peek(self, sequence_number: int) -> Pending | None:
        """The request that waits under this number."""
        return self._pending.get(sequence_number)

    def peek_own(self, sequence_number: int) -> Own | None:
        """The session's own request that waits under this number."""
        return self._own.get(sequence_number)

    def remove(self, sequence_number: int) -> None:
        """Its answer came."""
        pending = self._pending.pop(sequence_number, None)
        if pending is not None:
            del self._kinds[pending.seconds_max][sequence_number]
        else:
            self._own.pop(sequence_number, None)

    def take_late(self, sequence_number: int) -> bool:
        """Whether an answer under this number is one that comes too late; the next one is a stranger."""
        return self._late.pop(sequence_number, None) is not None

    def forget_own(self, command_id: int) -> None:
        """The session no longer waits for answers to this command of its own."""
        for number in [number for number, own in self._own.items() if own.request.command_id == command_id]:
            del self._own[number]

    def expired(self, now: float) -> list[Pending]:
        """Removes and returns what has waited too long by `now`, oldest first, and remembers its numbers."""
        while self._late and next(iter(self._late.values())) <= now:
            del self._late[next(iter(self._late))]
        late: list[Pending] = []
        for seconds_max, kind in self._kinds.items():
            for pending in kind.values():
                if now - pending.sent_at < seconds_max:
                    break
                late.append(pending)
        late.sort(key=lambda pending: pending.sent_at)
        for pending in late:
            self.remove(pending.request.sequence_number)
            if self.late_seconds:
                self._late[pending.request.sequence_number] = now + self.late_seconds
        return late

    def drain(self) -> list[Pending]:
        """Removes and returns everything: the connection is gone."""
        left = list(self._pending.values())
        self._pending.clear()
        self._kinds.clear()
        self._own.clear()
        return left
