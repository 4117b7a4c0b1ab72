"""An engine beside the stack's, with menus of its own that a test may edit."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from stack.child import Child
from stack.programs import start_engine, stop_program
from stack.settings import Settings, read_settings
from tests.conftest import REPOSITORY, RunningStack, engine_like

SECONDS_MAX = 15.0


class OwnEngine(NamedTuple):
    """The engine, its settings and its menus."""

    settings: Settings
    menus: Path
    child: Child

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.settings.engine_http}/health", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)["menus"]
            return found

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://{self.settings.engine_http}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            found = self.health()
            if holds(found):
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"it did not happen: {self.health()}")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.prefix) / "bin/ussd-engine"), *arguments, "--config", str(self.settings.config)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


@contextmanager
def own_engine(
    stack: RunningStack, name: str, free_port: Callable[[], int], *, checks_anew: bool = False
) -> Iterator[OwnEngine]:
    """Starts an engine of this name with a copy of our menus. `checks_anew`: whatever was found green before."""
    folder = stack.config.parent / name
    folder.mkdir()
    menus = folder / "menus"
    shutil.copytree(REPOSITORY / "menus", menus)
    changes = {
        f" menus: {REPOSITORY / 'menus'} ": f" menus: {menus} ",
        "menus_watch_seconds: 1 ": "menus_watch_seconds: 0.2 ",
        "maintenance_file: .data/maintenance.yaml": f"maintenance_file: {folder / 'maintenance.yaml'}",
        "folder: .data/records ": f"folder: {folder / 'records'} ",
    }
    if checks_anew:
        changes[f"menus_compiled: {REPOSITORY / '.build/compiled'} "] = "menus_compiled: null "
    config = engine_like(stack, name, free_port, changes)
    child = start_engine(config)
    try:
        yield OwnEngine(read_settings(config), menus, child)
    finally:
        stop_program(child)
