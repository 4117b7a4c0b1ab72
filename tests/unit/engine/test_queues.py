"""Queues before the window of a bind: who goes next, who is passed over, and what makes room."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import cast

from smpp.errors import TooFast, WindowFull
from smpp.link import Link as Bind
from ussd_engine.queues import SCREENS_PER_SMS, Queues


class Window:
    """A bind's window, and all that has left on it."""

    def __init__(self, places: int = 0) -> None:
        self.queues = Queues()
        self.bind = cast(Bind, self)
        self.places = places
        self.refusal: WindowFull = WindowFull("full")
        self.left: list[str] = []
        self.pointless: set[str] = set()

    def leave(self, name: str) -> bool:
        if name in self.pointless:
            return False
        if not self.places:
            raise self.refusal
        self.places -= 1
        self.left.append(name)
        return True

    def screens(self, *names: str) -> list[bool]:
        return [self.queues.screen(self.bind, partial(self.leave, name)) for name in names]

    def sms(self, *names: str) -> list[bool]:
        return [self.queues.sms(self.bind, partial(self.leave, name)) for name in names]

    def answers(self, count: int = 1) -> None:
        """So many of our requests are answered, each of which leaves its place."""
        for _ in range(count):
            self.places += 1
            self.queues.room(self.bind)


async def test_what_finds_room_leaves_at_once_and_what_does_not_leaves_in_turn() -> None:
    window = Window(places=2)
    assert window.screens("a", "b", "c", "d") == [True, True, False, False]
    window.answers(2)
    assert window.left == ["a", "b", "c", "d"]
    window.answers()
    assert window.screens("e") == [True]


async def test_nothing_goes_before_what_came_earlier() -> None:
    window = Window()
    window.screens("a")
    window.places = 1  # there is room, and nobody has said so yet
    assert window.screens("b") == [False]
    window.queues.room(window.bind)
    window.answers()
    assert window.left == ["a", "b"]


async def test_of_ten_that_leave_one_is_an_sms_while_screens_and_sms_wait() -> None:
    window = Window()
    window.screens(*(f"screen {n}" for n in range(40)))
    window.sms(*(f"sms {n}" for n in range(10)))
    window.answers(40)
    kinds = ["sms" if name.startswith("sms") else "screen" for name in window.left]
    for begin in range(0, 40, SCREENS_PER_SMS + 1):
        assert kinds[begin : begin + SCREENS_PER_SMS + 1].count("sms") == 1
    assert [name for name in window.left if name.startswith("sms")] == ["sms 0", "sms 1", "sms 2", "sms 3"]


async def test_without_screens_sms_leave_as_fast_as_there_is_room() -> None:
    window = Window()
    window.sms("a", "b", "c")
    window.answers(3)
    assert window.left == ["a", "b", "c"]


async def test_a_screen_that_comes_behind_many_sms_is_the_next_to_leave() -> None:
    window = Window()
    window.sms(*(f"sms {n}" for n in range(10)))
    window.screens("screen")
    window.answers()
    assert window.left == ["screen"]


async def test_what_is_wanted_no_more_leaves_its_place_to_the_next() -> None:
    window = Window()
    window.screens("a", "b")
    window.sms("c")
    window.pointless = {"a", "b"}
    window.answers()
    assert window.left == ["c"]


async def test_an_sms_that_found_no_room_in_its_turn_keeps_its_turn() -> None:
    window = Window()
    window.screens(*(f"screen {n}" for n in range(20)))
    window.sms("sms")
    window.answers(SCREENS_PER_SMS)
    window.queues.room(window.bind)  # somebody else has taken the place
    window.answers()
    assert window.left[-1] == "sms"


async def test_where_the_rate_has_no_room_time_lets_them_go_one_by_one() -> None:
    window = Window()
    window.refusal = TooFast(0.02)
    window.screens("a", "b")
    window.sms("c")
    window.places = 3
    seen: list[int] = []
    async with asyncio.timeout(5):
        while len(window.left) < 3:
            await asyncio.sleep(0.001)
            seen.append(len(window.left))
    assert window.left == ["a", "b", "c"]
    assert {1, 2} <= set(seen)


async def test_who_waited_for_a_bind_that_ends_is_told() -> None:
    window = Window()
    window.screens("a")
    window.sms("b")
    window.places = 2
    window.queues.gone(window.bind)
    assert window.left == ["a", "b"]
    window.queues.room(window.bind)
    assert window.left == ["a", "b"]
