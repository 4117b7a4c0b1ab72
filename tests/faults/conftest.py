"""The short forms of the campaigns: a tenth of each, from the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.report import Terms

SEED = 20261125
LONGEST = ("test_money.py", "test_failpoints.py")
"""They begin first: of two processes, neither is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture
def tenth(short_folder: Path) -> Terms:
    """A tenth of a campaign."""
    return Terms(0.1, SEED, short_folder, print)
