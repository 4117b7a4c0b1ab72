"""Every bug that can be planted still can be, and the tests that must see it are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from chaos import planted
from chaos.planted_bugs import PLANTED, Planted

ROOT = Path(__file__).resolve().parents[3]
BUGS = pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)


@BUGS
def test_its_old_text_stands_in_its_file_exactly_once_and_python_can_read_the_new_one(bug: Planted) -> None:
    text = (ROOT / bug.file).read_text()
    assert text.count(bug.old) == 1
    changed = text.replace(bug.old, bug.new)
    assert changed != text
    ast.parse(changed)


@BUGS
def test_the_tests_that_must_see_it_are_there(bug: Planted) -> None:
    for test in bug.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text())
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not name or name in there, test


def test_each_has_a_name_of_its_own() -> None:
    assert len({bug.name for bug in PLANTED}) == len(PLANTED) >= 14


def test_a_bug_whose_place_has_changed_is_refused_loudly(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("one = 1\ntwo = 1\n")
    for old in ("three", "= 1"):
        with pytest.raises(planted.NotPlanted, match="and not once"):
            planted.plant(tmp_path, Planted("a bug", "file.py", old, "", ()))
    planted.plant(tmp_path, Planted("a bug", "file.py", "two = 1", "two = 3", ()))
    assert (tmp_path / "file.py").read_text() == "one = 1\ntwo = 3\n"
