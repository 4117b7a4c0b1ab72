"""The campaign of floods, a tenth of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chaos import floods
from chaos.report import Terms

SEED = 1


async def test_a_flood_on_one_link_is_refused_and_the_others_are_served(short_folders: Callable[[], Path]) -> None:
    report = await floods.run(Terms(0.1, SEED, short_folders(), lambda _line: None))
    assert report.failures == [], report.as_text()
