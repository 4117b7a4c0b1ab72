"""A process that dies at a named point leaves behind what the failure table promises, whoever was at it.

Each point ends its process twice; `make chaos` does it fifty times each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import failpoints
from chaos.failpoints import TIMES, run
from chaos.report import Terms

DEATHS = 2
SEED = 20261125


@pytest.mark.timeout(600)
async def test_what_a_process_dies_at_is_done_once_or_not_at_all_and_is_told(
    short_folders: Callable[[], Path],
) -> None:
    report = await run(Terms(DEATHS / TIMES, SEED, short_folders(), lambda _line: None))
    assert not report.failures, report.as_text()
    assert report.figures["deaths by points"] == DEATHS * len(failpoints.POINTS)
