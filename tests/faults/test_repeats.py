"""Whatever comes twice, on whatever bind of whatever engine and whenever, has one effect: each combination once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chaos import repeats
from chaos.report import Terms


async def test_what_comes_twice_has_one_effect(short_folders: Callable[[], Path]) -> None:
    report = await repeats.run(Terms(0.05, 20261125, short_folders(), lambda _line: None))
    assert report.failures == [], report.as_text()
