"""How often a number may dial: ten times a minute, sixty an hour, unless its link says otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ussd_engine.config import Link, read_settings
from ussd_engine.peer_config import FloodLimits
from ussd_engine.starts import HOUR, MINUTE, NUMBERS_MAX, Starts

NUMBER, OTHER = "77010000007", "77010000008"
DEMO = read_settings(Path(__file__).resolve().parents[3] / "config.yaml").links["kcell-ussdc"]


def link(floods: FloodLimits) -> Link:
    return DEMO._replace(config=replace(DEMO.config, floods=floods))


LINK = link(FloodLimits())


class Dialling:
    """A number that dials, by a clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.refused = 0
        self.starts = Starts(lambda: self.now, self._count)

    def _count(self) -> None:
        self.refused += 1

    def dials(self, times: int, number: str = NUMBER, over: Link = LINK) -> int:
        """How many of so many starts were admitted."""
        return sum(self.starts.admits(number, over) for _ in range(times))


@pytest.fixture
def dialling() -> Dialling:
    return Dialling()


def test_a_number_begins_ten_dialogues_a_minute_and_no_other_number_is_the_worse_for_it(dialling: Dialling) -> None:
    assert dialling.dials(15) == 10
    assert dialling.refused == 5
    assert dialling.dials(1, OTHER) == 1
    dialling.now += MINUTE
    assert dialling.dials(15) == 10


def test_a_number_begins_sixty_dialogues_an_hour(dialling: Dialling) -> None:
    admitted = 0
    for _ in range(10):
        admitted += dialling.dials(10)
        dialling.now += MINUTE
    assert admitted == 60
    dialling.now += HOUR - 10 * MINUTE
    assert dialling.dials(1) == 1


def test_what_was_refused_counts_as_no_start(dialling: Dialling) -> None:
    dialling.dials(1000)
    dialling.now += MINUTE
    assert dialling.dials(10) == 10


def test_a_link_has_limits_of_its_own_and_0_is_none(dialling: Dialling) -> None:
    assert dialling.dials(5, over=link(FloodLimits(starts_a_minute_max=2))) == 2
    assert dialling.dials(500, OTHER, link(FloodLimits(starts_a_minute_max=0, starts_an_hour_max=0))) == 500
    assert dialling.dials(500, OTHER, link(FloodLimits(starts_a_minute_max=0))) == 60


def test_so_many_numbers_are_remembered_and_the_longest_silent_is_forgotten_first(dialling: Dialling) -> None:
    dialling.dials(10, "silent")
    dialling.dials(10, "again")
    for n in range(NUMBERS_MAX - 2):
        dialling.dials(1, str(n))
    assert dialling.dials(1, "again") == 0
    dialling.dials(1, "one more")
    assert dialling.dials(1, "silent") == 1
    assert dialling.dials(1, "again") == 0
