"""What waits for room on a bind: screens and SMS, each in the order in which they came.

Rules of this file:
- Room comes with an answer of the peer, which frees a place in the window, and with time, where it is the link's rate
  that has none. Either way one may go; while anything waits, nothing that came later goes before it.
- Screens go first: somebody holds the phone. But of ten that go one is an SMS, while one waits: a link that is always
  full of screens carries SMS, too.
- Who waits may have become pointless; that is seen when its turn comes, and the next one goes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from smpp.errors import TooFast, WindowFull

if TYPE_CHECKING:
    from smpp.link import Link as Bind

SCREENS_PER_SMS = 9
"""So many screens go before an SMS that waits."""
RATE_LOOK_SECONDS = 0.01
"""So soon after one that waited for a link's rate the next one is tried; it says itself when it is too soon."""

Leave: TypeAlias = Callable[[], bool]
"""Leaves on the bind; False when that is wanted no more. Raises WindowFull when there is no room."""


class _Queue:
    """Of one bind."""

    __slots__ = ("screens", "since_sms", "sms")

    def __init__(self) -> None:
        self.screens: deque[Leave] = deque()
        self.sms: deque[Leave] = deque()
        self.since_sms = 0

    @property
    def next(self) -> deque[Leave] | None:
        """Whose first one is the next to go; None: nothing waits."""
        if self.sms and (not self.screens or self.since_sms >= SCREENS_PER_SMS):
            return self.sms
        return self.screens or None

    def has_left(self, line: deque[Leave]) -> None:
        """One of these has gone."""
        self.since_sms = 0 if line is self.sms else self.since_sms + 1


class Queues:
    """The queues of all binds."""

    def __init__(self) -> None:
        self._of: dict[Bind, _Queue] = {}
        self._rated: set[Bind] = set()
        """Binds for whose rate a timer runs."""

    def holds_screens(self, bind: Bind) -> bool:
        """Whether a screen waits for room on this bind."""
        queue = self._of.get(bind)
        return queue is not None and bool(queue.screens)

    def screen(self, bind: Bind, leave: Leave) -> bool:
        """Lets a screen go, now if nothing waits and there is room. Whether it is done with; else it waits."""
        done = self._goes(bind, leave)
        if not done:
            self._of.setdefault(bind, _Queue()).screens.append(leave)
        return done

    def withdraw(self, bind: Bind, leave: Leave) -> None:
        """A screen that waits here leaves elsewhere."""
        with contextlib.suppress(KeyError, ValueError):  # the bind is gone, or the screen has left
            self._of[bind].screens.remove(leave)

    def sms(self, bind: Bind, leave: Leave) -> bool:
        """The same for an SMS."""
        done = self._goes(bind, leave)
        if not done:
            self._of.setdefault(bind, _Queue()).sms.append(leave)
        return done

    def _goes(self, bind: Bind, leave: Leave) -> bool:
        queue = self._of.get(bind)
        if queue is not None and queue.next is not None:
            return False
        try:
            leave()
        except WindowFull as error:
            self._look_later(bind, error)
            return False
        return True

    def room(self, bind: Bind) -> None:
        """There may be room on this bind: a request of ours was answered, or the rate has room."""
        queue = self._of.get(bind)
        while queue is not None and (line := queue.next) is not None:
            try:
                left = line[0]()
            except WindowFull as error:
                self._look_later(bind, error)
                return
            line.popleft()
            if left:
                queue.has_left(line)
                return

    def _look_later(self, bind: Bind, error: WindowFull) -> None:
        """Where it is the rate that has no room, no answer need come to say that it has."""
        if isinstance(error, TooFast) and bind not in self._rated:
            self._rated.add(bind)
            asyncio.get_running_loop().call_later(error.wait_seconds, self._rate_has_room, bind)

    def _rate_has_room(self, bind: Bind) -> None:
        self._rated.discard(bind)
        self.room(bind)
        queue = self._of.get(bind)
        if queue is not None and queue.next is not None and bind not in self._rated:
            self._rated.add(bind)
            asyncio.get_running_loop().call_later(RATE_LOOK_SECONDS, self._rate_has_room, bind)

    def gone(self, bind: Bind) -> None:
        """The bind has ended: whoever waited for room on it finds that out."""
        queue = self._of.pop(bind, None)
        if queue is not None:
            for leave in (*queue.screens, *queue.sms):
                leave()
