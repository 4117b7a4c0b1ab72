"""SECURITY.md and docs/faults.md are held to the code: every file and every test that they name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
FAULTS = (ROOT / "docs/faults.md").read_text()
SHORT = "…/"
NAMED = sorted(set(re.findall(r"`([^` ]+/[^` ]+|[a-z_]+\.py|[a-z.-]+\.(?:lock|toml|yaml|md))`", PAGE, re.IGNORECASE)))
CONTROLS = [line for line in PAGE.partition("## What holds")[2].partition("\n## ")[0].splitlines() if line[:2] == "| "]


def whole(name: str) -> str:
    return name.replace(SHORT, "tests/integration/billing_core/")


def functions_of(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("name", NAMED)
def test_what_the_page_names_is_there(name: str) -> None:
    path, _, test = whole(name).partition("::")
    assert (ROOT / path).exists()
    assert not test or test in functions_of(ROOT / path)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:chaos|tests|simulation)/[^` ]*)`", FAULTS))))
def test_what_shows_that_nothing_is_lost_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    assert (ROOT / path).exists()
    assert not test or test in functions_of(ROOT / path)


def test_each_control_names_where_it_is_and_the_test_that_fails_without_it() -> None:
    rows = [line.strip("| ").split(" | ") for line in CONTROLS if not line.startswith(("| Against", "|---"))]
    assert len(rows) > 30
    for row in rows:
        assert len(row) == 4, row
        assert re.search(r"`[a-z_/@.0-9-]+`", row[2]), row
        assert re.search(r"`(?:tests/|…/)[a-z_/]+\.py(?:::test_\w+)?`", row[3]), row
