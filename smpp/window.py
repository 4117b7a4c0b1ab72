"""Our requests that wait for their answer, and the sequence numbers they go under.

Rules of this file: numbers run from 1 to 0x7FFFFFFF (SMPP 3.4, section 5.1.4) and around, past those still waiting.
Every request waits equally long, so the oldest stands first, and expiry looks at no more than it removes.
The session's own requests (bind, enquire_link, unbind) take numbers here but no place: a full window must not
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


class Window:
    """The requests in flight of one connection, at most `size_max`."""

    __slots__ = ("_last", "_own", "_pending", "_size_max")

    def __init__(self, size_max: int, last_sequence_number: int = 0) -> None:
        self._size_max = size_max
        self._last = last_sequence_number
        self._pending: dict[int, Pending] = {}
        self._own: dict[int, Pdu] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def allot(self) -> int:
        """The next sequence number that nothing waits under."""
        number = self._last
        while True:
            number = number + 1 if number < SEQUENCE_MAX else 1
            if number not in self._pending and number not in self._own:
                self._last = number
                return number

    def check_room(self) -> None:
        """Raises WindowFull when no further request may be sent."""
        if len(self._pending) >= self._size_max:
            raise WindowFull(f"{len(self._pending)} requests wait for their answer")

    def add(self, request: Pdu, context: object, now: float) -> None:
        """Notes a numbered request that was sent."""
        self._pending[request.sequence_number] = Pending(request, context, now)

    def add_own(self, request: Pdu) -> None:
        """Notes a numbered request of the session itself; `Timers` watches its answer."""
        self._own[request.sequence_number] = request

    def peek(self, sequence_number: int) -> Pending | None:
        """The request that waits under this number."""
        return self._pending.get(sequence_number)

    def peek_own(self, sequence_number: int) -> Pdu | None:
        """The session's own request that waits under this number."""
        return self._own.get(sequence_number)

    def remove(self, sequence_number: int) -> None:
        """Its answer came."""
        self._pending.pop(sequence_number, None)
        self._own.pop(sequence_number, None)

    def forget_own(self, command_id: int) -> None:
        """The session no longer waits for answers to this command of its own."""
        for number in [number for number, request in self._own.items() if request.command_id == command_id]:
            del self._own[number]

    def expired(self, sent_before: float) -> list[Pending]:
        """Removes and returns what was sent at or before this moment, oldest first."""
        late: list[Pending] = []
        for pending in self._pending.values():
            if pending.sent_at > sent_before:
                break
            late.append(pending)
        for pending in late:
            del self._pending[pending.request.sequence_number]
        return late

    def drain(self) -> list[Pending]:
        """Removes and returns everything: the connection is gone."""
        left = list(self._pending.values())
        self._pending.clear()
        self._own.clear()
        return left
