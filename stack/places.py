"""Where things lie in the data folder, and the addresses that follow from it.

Rules of this file:
- Everything of a deployment that is made at run time lies under one data folder; nothing of ours lies anywhere else.
- The engine and the billing core find the private servers by these same paths, from their own configuration.
- A Unix socket's path has at most 107 octets (`sun_path` of 108 with its closing zero, unix(7)). Redis cuts a longer
  one without a word, so it is refused here.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import quote

from stack.child import StartError

SOCKET_PATH_OCTETS_MAX = 107
KEY_OCTETS = 32
KEYS = (
    *("engine", "desk", "billing-core", "operations", "pepper", "seals", "notices", "masking", "postgres"),
    "postgres-serving",
)
LASTING_KEYS = ("pepper", "seals", "postgres", "postgres-serving")
"""Keys that stored data depends on: a new one would not open what lies in the database."""

DATABASE = "billing"
DATABASE_USER = "ussd"
"""Owns the database."""
SERVING_USER = "ussd_serving"
"""Serves, with as few rights as that takes."""
POSTGRES_PORT = 5432
"""Only a part of the socket's name: nothing listens on TCP."""


def run_folder(data_folder: Path) -> Path:
    """Sockets and the lock of the running supervisor."""
    return data_folder / "run"


def redis_socket(data_folder: Path) -> Path:
    """The socket of the private Redis."""
    return run_folder(data_folder) / "redis.sock"


def postgres_socket(data_folder: Path) -> Path:
    """The socket of the private PostgreSQL; clients name its folder and the port."""
    return run_folder(data_folder) / f".s.PGSQL.{POSTGRES_PORT}"


def postgres_cluster(data_folder: Path) -> Path:
    """The database cluster of the private PostgreSQL; whole, or not there."""
    return data_folder / "postgres"


def key_file(data_folder: Path, name: str) -> Path:
    """The file of one of `KEYS`: 32 random octets in hex, without a line end."""
    return data_folder / "keys" / name


def log_file(data_folder: Path, program: str) -> Path:
    """What `redis`, `postgres`, `billing-core` or `ussd-engine` wrote."""
    return data_folder / "log" / f"{program}.log"


def redis_url(data_folder: Path) -> str:
    """The address of the private Redis."""
    return f"unix://{quote(str(redis_socket(data_folder)))}"


def postgres_url(data_folder: Path, database: str = DATABASE) -> str:
    """The address of a database on the private PostgreSQL, with its owner's password. Raises OSError before keys are
    made."""
    return _postgres_url(data_folder, DATABASE_USER, "postgres", database)


def serving_url(data_folder: Path, database: str = DATABASE) -> str:
    """The same, for the role that serves."""
    return _postgres_url(data_folder, SERVING_USER, "postgres-serving", database)


def _postgres_url(data_folder: Path, user: str, key: str, database: str) -> str:
    password = key_file(data_folder, key).read_text().strip()
    folder = quote(str(run_folder(data_folder)), safe="")
    return f"postgresql://{user}:{password}@/{database}?host={folder}&port={POSTGRES_PORT}"


def make_folder(folder: Path) -> Path:
    """Makes a folder that only we may enter. One that is there already keeps its contents and gets the same mode."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def make_folders(data_folder: Path) -> None:
    """Makes the data folder (its mode is the operator's own if it was there) and those inside it. Raises OSError."""
    data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("keys", "run", "log"):
        make_folder(data_folder / name)


def make_keys(data_folder: Path) -> tuple[str, ...]:
    """Makes the keys that are missing, and returns their names.

    Raises StartError when a key is missing on which an existing database depends, and OSError.
    """
    missing = tuple(name for name in KEYS if not key_file(data_folder, name).exists())
    if postgres_cluster(data_folder).exists():
        lost = set(missing).intersection(LASTING_KEYS)
        if not has_serving_role(data_folder):
            lost.discard("postgres-serving")
        for name in lost:
            raise StartError(
                f"{key_file(data_folder, name)} is gone, and the database beside it cannot be used without it: "
                "put it back from a copy, or begin anew with `make clean`"
            )
    for name in missing:
        _write_new(key_file(data_folder, name), secrets.token_hex(KEY_OCTETS))
    return missing


def has_serving_role(data_folder: Path) -> bool:
    """Whether the cluster lets the role in that serves; one of before there were two roles does not yet."""
    lets_in = postgres_cluster(data_folder) / "pg_hba.conf"
    return lets_in.exists() and SERVING_USER in lets_in.read_text()


def _write_new(path: Path, text: str) -> None:
    """Writes a file of mode 0600 that is there whole or not at all."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    partial.rename(path)


def check_socket_paths(data_folder: Path) -> None:
    """Raises StartError when a socket's path would be longer than the system takes."""
    for path in (redis_socket(data_folder), postgres_socket(data_folder)):
        octets = len(os.fsencode(path))
        if octets > SOCKET_PATH_OCTETS_MAX:
            raise StartError(
                f"the socket path {path} has {octets} octets, and {SOCKET_PATH_OCTETS_MAX} is the most: "
                "move the checkout, or set data_folder in config.yaml to a shorter absolute path"
            )
