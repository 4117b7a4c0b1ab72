"""A mistake in the configuration or in a menu: one line that names it, and nothing is started."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, with_free_ports


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("config.yaml", "log_level: info", "loglevel: info", "unknown key 'loglevel'. Did you mean 'log_level'?"),
        ("menus/self_service.yaml", "done: balance_or_debt\n", "done: balanse\n", "there is no screen 'balanse'."),
    ],
)
def test_a_mistake_is_told_before_anything_is_started(
    short_folder: Path, free_port: Callable[[], int], file: str, old: str, new: str, line: str
) -> None:
    shutil.copytree(REPOSITORY / "menus", short_folder / "menus")
    text = with_free_ports((REPOSITORY / "config.yaml").read_text(), free_port)
    (short_folder / "config.yaml").write_text(text.replace(str(REPOSITORY / "menus"), "menus"))
    changed = short_folder / file
    assert old in changed.read_text()
    changed.write_text(changed.read_text().replace(old, new, 1))
    command = [sys.executable, "-m", "stack.run", "--config", str(short_folder / "config.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=REPOSITORY)
    assert done.returncode == 1
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (short_folder / ".data" / "postgres").exists()
