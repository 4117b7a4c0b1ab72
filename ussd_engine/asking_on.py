"""Asking on: what became of a change whose outcome nobody could say in its turn.

Rules of this file:
- The subscriber has been told that it is being checked. Whoever the core tells `pending` is told the outcome by SMS, so
  the core must have been asked once more, when it was away for the moment of the turn.
- It is asked at growing distances until it answers, for `SECONDS_MAX`. Nothing here must survive: an engine that ends
  forgets it, and the core's own sweeper settles what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from billing.calls import Billing, Call, Done, NotMade, Refused

from .work import Work

AT_ONCE_MAX = 1000
"""More are not asked about: the core has been away for long, and people are."""
FIRST_SECONDS, FURTHEST_SECONDS, SECONDS_MAX = 1.0, 5.0, 900.0
"""With the time that the core leaves a confirmation to come (its fence), the furthest distance is less than the half
minute in which a payment is final once the core is back, however long that was away."""
ANSWER_SECONDS_MAX = 2.0


class AskingOn:
    """The questions of one engine process that have no answer yet."""

    def __init__(self, billing: Billing, work: Work, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._billing = billing
        self._work = work
        self._sleep = sleep
        self._asked: dict[str, asyncio.Task[None]] = {}

    def ask(self, question: Call) -> None:
        """Goes on asking; `question` is the call that tells the outcome of another, which it names as `call`."""
        about = str(question.arguments.get("call", question.id))
        if about not in self._asked and len(self._asked) < AT_ONCE_MAX and self._work.is_open:
            asking = self._work.safely(self._ask(question), lambda: None, question.msisdn)
            task = self._asked[about] = asyncio.get_running_loop().create_task(asking)
            task.add_done_callback(lambda _: self._asked.pop(about, None))

    @property
    def count(self) -> int:
        """How many are asked about."""
        return len(self._asked)

    def stop(self) -> None:
        """Asks no more."""
        for task in tuple(self._asked.values()):
            task.cancel()

    async def _ask(self, question: Call) -> None:
        waited, pause = 0.0, FIRST_SECONDS
        while waited < SECONDS_MAX:
            await self._sleep(pause)
            waited, pause = waited + pause, min(2 * pause, FURTHEST_SECONDS)
            outcome = await self._billing.perform(question, ANSWER_SECONDS_MAX)
            if isinstance(outcome, Done | Refused) or (isinstance(outcome, NotMade) and outcome.for_ever):
                return  # what is pending is from now on the core's to tell
