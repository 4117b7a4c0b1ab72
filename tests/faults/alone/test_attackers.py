"""Strangers, partners and hostile authors against the whole system, on a small scale (`python -m chaos attackers`)."""

from __future__ import annotations

from pathlib import Path

from chaos import attackers
from chaos.report import Terms

SEED = 20261125


async def test_nobody_gets_in_and_subscribers_are_served_meanwhile(short_folder: Path) -> None:
    report = await attackers.run(Terms(0.02, SEED, short_folder, print))
    assert report.failures == [], report.as_text()
