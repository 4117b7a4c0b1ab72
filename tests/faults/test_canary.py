"""No secret rests anywhere: the campaign `canary` at a tenth (`python -m chaos canary` is the whole)."""

from __future__ import annotations

from pathlib import Path

from chaos import canary
from chaos.report import Terms


async def test_no_secret_is_written_down_anywhere(short_folder: Path) -> None:
    report = await canary.run(Terms(0.1, 20261125, short_folder, lambda _line: None))
    assert report.failures == [], report.as_text()
    assert report.figures["kinds of secrets"] == 20
