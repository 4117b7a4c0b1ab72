"""Waiting for a child."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from stack.child import Child, run_to_end


class EndsInBetween:
    """A child that is running when it is first looked at, and has ended well when it is looked at again."""

    name = "initdb"
    log = Path("log")

    def __init__(self) -> None:
        self.looks = 0

    def poll(self) -> int | None:
        self.looks += 1
        return None if self.looks == 1 else 0


def test_a_child_that_ends_well_between_two_looks_has_ended_well() -> None:
    child = EndsInBetween()
    run_to_end(cast(Child, child), 1.0, lambda _: None)
    assert child.looks == 3
