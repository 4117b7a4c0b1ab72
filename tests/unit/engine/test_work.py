"""What is worked on: a loop that is late begins nothing new, and a stop waits, but not for ever."""

from __future__ import annotations

import asyncio
import time

import pytest

from ussd_engine.metrics import Metrics
from ussd_engine.work import LAG_SECONDS_MAX, Work


@pytest.fixture
def work() -> Work:
    return Work(Metrics(), 2)


def test_a_loop_that_is_late_begins_nothing_new_and_goes_on_with_what_it_has(work: Work) -> None:
    assert work.takes_new
    work.lag_seconds = LAG_SECONDS_MAX
    assert not work.takes_new
    assert not work.is_full


async def test_how_late_the_loop_is_is_looked_at_all_the_time(work: Work) -> None:
    watching = asyncio.ensure_future(work.watch_lag(asyncio.get_running_loop()))
    await asyncio.sleep(0.15)
    time.sleep(0.3)
    await asyncio.sleep(0.01)
    assert work.lag_seconds > 0.15
    await asyncio.sleep(0.25)
    assert work.lag_seconds < 0.15
    watching.cancel()


async def test_a_stop_waits_for_what_is_worked_on_and_then_takes_nothing(work: Work) -> None:
    done: list[str] = []

    async def a_turn() -> None:
        await asyncio.sleep(0.05)
        done.append("turn")

    work.begin(a_turn())
    draining = asyncio.ensure_future(work.drain(5))
    await asyncio.sleep(0.01)
    assert not work.takes_new
    assert not work.is_full  # who has begun may go on
    await draining
    assert done == ["turn"]
    assert work.is_full


async def test_a_stop_does_not_wait_for_ever(work: Work) -> None:
    work.begin(asyncio.sleep(60))
    begun = time.monotonic()
    await work.drain(0.1, lambda: True)
    assert time.monotonic() - begun < 1
