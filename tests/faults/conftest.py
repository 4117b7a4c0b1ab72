"""The short forms of the campaigns: a tenth of each, from the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.report import Terms

SEED = 20261125


@pytest.fixture
def tenth(short_folder: Path) -> Terms:
    """A tenth of a campaign."""
    return Terms(0.1, SEED, short_folder, print)
