"""What is asked on after a turn has ended without knowing."""

from __future__ import annotations

import asyncio

from billing.calls import Call, Done, NotMade, Outcome, Unknown
from billing_core.domains.payments import FENCE_SECONDS
from billing_core.sweeper import SWEEP_SECONDS
from ussd_engine.asking_on import ANSWER_SECONDS_MAX, FURTHEST_SECONDS, SECONDS_MAX, AskingOn
from ussd_engine.metrics import Metrics
from ussd_engine.work import Work

QUESTION = Call("q1", "wallet.outcome", "996555000001", "ru", {"call": "c1", "intent": "i1"})


class Core:
    """A core that is away at first."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes
        self.asked: list[str] = []

    async def perform(self, call: Call, seconds_max: float) -> Outcome:
        self.asked.append(call.id)
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


class Pauses:
    """Waits for no time, and remembers for how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


async def asked(core: Core, pauses: Pauses, *questions: Call) -> None:
    asking = AskingOn(core, Work(Metrics(), 10), pauses)
    for question in questions:
        asking.ask(question)
    while asking.count:
        await asyncio.sleep(0)


async def test_it_is_asked_until_the_core_is_back_and_no_longer() -> None:
    core, pauses = Core([NotMade("away"), Unknown("late"), Done({"outcome": "pending"})]), Pauses()
    await asked(core, pauses, QUESTION)
    assert core.asked == ["q1", "q1", "q1"]
    assert pauses.seconds == [1.0, 2.0, 4.0]


async def test_a_core_that_stays_away_is_asked_ever_more_rarely_and_given_up() -> None:
    core, pauses = Core([NotMade("away")]), Pauses()
    await asked(core, pauses, QUESTION)
    assert max(pauses.seconds) == FURTHEST_SECONDS
    assert SECONDS_MAX <= sum(pauses.seconds) < SECONDS_MAX + FURTHEST_SECONDS


def test_half_a_minute_after_a_long_absence_of_the_core_nothing_is_being_checked_any_more() -> None:
    assert FURTHEST_SECONDS + ANSWER_SECONDS_MAX + FENCE_SECONDS + SWEEP_SECONDS < 30


async def test_a_question_that_will_always_be_a_mistake_is_asked_once() -> None:
    core = Core([NotMade("no such operation", for_ever=True)])
    await asked(core, Pauses(), QUESTION)
    assert core.asked == ["q1"]


async def test_one_call_is_asked_about_once() -> None:
    core = Core([Done({"outcome": "pending"})])
    await asked(core, Pauses(), QUESTION, QUESTION._replace(id="q2"))
    assert core.asked == ["q1"]


async def test_who_stops_asks_no_more() -> None:
    core = Core([NotMade("away")])
    asking = AskingOn(core, Work(Metrics(), 10))
    asking.ask(QUESTION)
    asking.stop()
    while asking.count:
        await asyncio.sleep(0)
    assert not core.asked
