"""What is worked on: a loop that is late begins nothing new, and a stop waits, but not for ever."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ussd_engine.config import Link, read_settings
from ussd_engine.metrics import Metrics
from ussd_engine.peer_config import FloodLimits
from ussd_engine.work import LAG_SECONDS_MAX, Work

LINK = read_settings(Path(__file__).resolve().parents[3] / "config.yaml").links["kcell-ussdc"]


def with_turns(name: str, turns_max: int) -> Link:
    return LINK._replace(name=name, config=replace(LINK.config, floods=FloodLimits(turns_max=turns_max)))


@pytest.fixture
def work() -> Work:
    return Work(Metrics(), 2)


def test_a_loop_that_is_late_begins_nothing_new_and_goes_on_with_what_it_has(work: Work) -> None:
    assert work.takes_new
    work.lag_seconds = LAG_SECONDS_MAX
    assert not work.takes_new
    assert not work.is_full


async def test_a_link_that_has_all_its_turns_leaves_the_others_theirs() -> None:
    work = Work(Metrics(), 20)
    one, other = with_turns("one", 2), with_turns("other", 2)
    for _ in range(2):
        work.begin(asyncio.sleep(0.05), one.name)
    assert not work.has_room_for(one, begins=True)
    assert work.has_room_for(one, begins=False)  # who has begun may go on …
    assert work.has_room_for(other, begins=True)
    for _ in range(2):
        work.begin(asyncio.sleep(0.05), one.name)
    assert not work.has_room_for(one, begins=False)  # … up to twice as many
    await work.drain(1)
    work = Work(Metrics(), 20)
    work.begin(asyncio.sleep(0), one.name)
    await asyncio.sleep(0.01)
    assert work.has_room_for(one, begins=True)  # what has ended counts no more


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
