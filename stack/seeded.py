"""A seeded database for tests and campaigns, made once an hour and copied: making one takes twenty seconds of work.

Rules of this file:
- What is kept is a whole data folder with its keys, of a PostgreSQL that has ended: `make run` would go on with it.
- Another source, lock or count, or another cost of a hash, is another folder. So is another hour: what is seeded lies
  in the past as it would if it had been seeded just now.
- Several processes want it at once: one makes it, the others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

from stack import postgres_server, programs, together
from stack.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / ".build/seeded"
SOURCES = ("requirements.lock", "strict_yaml.py", "billing/**/*", "billing_core/**/*", "stack/**/*")
SECONDS_MAX = 3600.0


def provide(settings: Settings, numbers: int, hashing: str = "default") -> None:
    """Puts a data folder with a seeded database, whose servers do not run, in its place, which is not there yet.

    `hashing`: a word for what a hash costs in the configuration. Raises StartError and OSError.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = _digest()
    kept = FOLDER / f"{source}-{numbers}-{hashing}"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for old in FOLDER.glob("*-*"):
            if not old.name.startswith(source) or time.time() - old.stat().st_mtime > SECONDS_MAX:
                shutil.rmtree(old)
        if not kept.exists():
            _make(settings, numbers)
            _copy(settings.data_folder, kept.with_name("unfinished-"))
            kept.with_name("unfinished-").replace(kept)
            kept.touch()
            return
        _copy(kept, settings.data_folder)


def _make(settings: Settings, numbers: int) -> None:
    """As `make run` makes it, without the rest of it."""
    postgres = postgres_server.start_postgres(settings.data_folder)
    try:
        programs.migrate(settings.config)
        together.seed_once(settings, programs.installed_programs(), numbers)
    finally:
        postgres_server.stop_postgres(postgres)


def _copy(folder: Path, to: Path) -> None:
    """With owners and modes: PostgreSQL looks at them."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(folder), str(to)], check=True)


def _digest() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for pattern in SOURCES for path in REPOSITORY.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"\n{path.relative_to(REPOSITORY)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
