"""The campaign of slow and dead parts, a tenth of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chaos import slow
from chaos.report import Terms

SEED = 1


async def test_what_is_slow_or_dead_holds_up_nothing_else(short_folders: Callable[[], Path]) -> None:
    report = await slow.run(Terms(0.1, SEED, short_folders(), lambda _line: None))
    assert report.failures == [], report.as_text()
