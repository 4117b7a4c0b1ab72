"""A private PostgreSQL, on a Unix socket alone.

Rules of this file:
- The cluster is made beside its place and moved there when it is whole: an interrupted first start is begun anew.
- Two roles may log in, and neither is a superuser: one owns the database `billing`, the other serves. What works here
  works on a server whose administrator gave away as little. A cluster of before there were two gets the second one.
- A commit that was acknowledged is on disk: fsync and synchronous_commit are on, here as in production.
- Nothing is left outside the data folder: shared memory that would be a file lies in the cluster.
- Logs never show the values of rows.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import asyncpg

from stack import binaries, places
from stack.child import UNPRIVILEGED_ID, Child, Pause, StartError, run_to_end, start_child, wait_until

START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 20.0
MAKE_SECONDS_MAX: Final = 120.0

_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "port": str(places.POSTGRES_PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "password_encryption": "scram-sha-256",  # nosec B105
    "dynamic_shared_memory_type": "mmap",  # files in the cluster, not in /dev/shm
    "log_error_verbosity": "terse",  # the detail of an error names the values of keys: numbers of subscribers
    "log_min_error_statement": "panic",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

# Words of the server when its predecessor has not quite ended: it is worth trying again.
_STILL_ENDING: Final = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


def start_postgres(data_folder: Path, seconds_max: float = START_SECONDS_MAX, pause: Pause = time.sleep) -> Child:
    """Starts PostgreSQL on `places.postgres_socket`, and returns once it takes connections.

    On first use the cluster is made, with the role and the database. After a kill it waits until the last process of
    the one before has ended. Raises StartError and OSError.
    """
    places.check_socket_paths(data_folder)
    places.make_folders(data_folder)
    places.make_keys(data_folder)
    cluster = places.postgres_cluster(data_folder)
    if not cluster.exists():
        _make_cluster(data_folder, pause)
    _check_owner(cluster)
    if not places.has_serving_role(data_folder):
        _add_serving_role(data_folder, cluster, pause)
    deadline = time.monotonic() + seconds_max
    while (postgres := _try_to_start(data_folder, cluster, deadline, pause)) is None:
        pause(0.2)
    return postgres


def _try_to_start(data_folder: Path, cluster: Path, deadline: float, pause: Pause) -> Child | None:
    """One try. None when its predecessor has not ended yet and there is time for another. Raises StartError."""
    remove_stale_locks(data_folder)
    postgres = _start(data_folder, cluster)
    try:
        seconds_max = deadline - time.monotonic()
        wait_until(postgres, lambda: _takes_connections(cluster, postgres.pid), seconds_max, pause)
    except StartError:
        still_ending = any(words in line for line in postgres.log_lines() for words in _STILL_ENDING)
        if still_ending and time.monotonic() < deadline:
            return None
        raise
    return postgres


def stop_postgres(postgres: Child) -> bool:
    """Ends it in good order, its clients disconnected (a "fast shutdown"). True when it ended by itself."""
    return postgres.stop(signal.SIGINT, STOP_SECONDS_MAX)


def cluster_identity(data_folder: Path) -> str:
    """A name that one cluster keeps for life, and no other has: its system identifier. Raises OSError.

    It stands in the first 8 octets of `global/pg_control` (struct ControlFileData in PostgreSQL's sources).
    """
    return (places.postgres_cluster(data_folder) / "global" / "pg_control").read_bytes()[:8].hex()


def create_database(data_folder: Path, name: str, template: str = "template1") -> str:
    """Makes a database on the running private server, and returns its address for its owner. It is empty, or a copy of
    `template`, to which nobody may be connected.

    Names: letters, digits and `_`. Raises ValueError, OSError and asyncpg.PostgresError. May be called anywhere, also
    where an event loop runs (which it keeps waiting).
    """
    _check_name(name)
    _check_name(template)
    _execute(places.postgres_url(data_folder), f"CREATE DATABASE {name} TEMPLATE {template}")
    return places.postgres_url(data_folder, name)


def drop_database(data_folder: Path, name: str) -> None:
    """Removes a database, its connections closed; nothing happens when there is none. Raises as `create_database`."""
    _check_name(name)
    _execute(places.postgres_url(data_folder), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _check_name(name: str) -> None:
    if not (name.isascii() and name.isidentifier() and name.islower()):
        raise ValueError(f"{name!r} is no name for a database: use small letters, digits and _")


def _execute(url: str, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # a thread has no event loop yet, whoever calls
        thread.submit(asyncio.run, execute()).result()


def _make_cluster(data_folder: Path, pause: Pause) -> None:
    cluster = places.postgres_cluster(data_folder)
    partial = cluster.with_name("postgres.new")
    if partial.exists():
        shutil.rmtree(partial)
    places.make_folder(partial)
    if os.geteuid() == 0:
        os.chown(partial, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    making = [binaries.initdb(), *("--pgdata", str(partial)), *("--username", "postgres"), *("--auth", "reject")]
    making += [*("--encoding", "UTF8"), *("--locale", "C"), "--data-checksums", "--no-instructions"]
    _run(data_folder, making, "", pause)
    password = places.key_file(data_folder, "postgres").read_text().strip()
    statements = (
        f"CREATE ROLE {places.DATABASE_USER} LOGIN CREATEDB PASSWORD '{password}'\n"
        f"CREATE DATABASE {places.DATABASE} OWNER {places.DATABASE_USER}\n"
    )
    _run_alone(data_folder, partial, statements, pause)
    _add_serving_role(data_folder, partial, pause)
    partial.rename(cluster)


def _add_serving_role(data_folder: Path, cluster: Path, pause: Pause) -> None:
    """Makes the role that serves, in a cluster that does not run. What lets it in is written last: its mark."""
    name, password = places.SERVING_USER, places.key_file(data_folder, "postgres-serving").read_text().strip()
    made = f"IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN CREATE ROLE {name}; END IF;"
    statements = f"DO $$ BEGIN {made} END $$\nALTER ROLE {name} LOGIN PASSWORD '{password}'\n"
    statements += f"GRANT {name} TO {places.DATABASE_USER}\n"  # who owns a database may end who serves in it
    _run_alone(data_folder, cluster, statements, pause)
    roles = (places.DATABASE_USER, name)
    (cluster / "pg_hba.conf").write_text("".join(f"local all {role} scram-sha-256\n" for role in roles))


def _run_alone(data_folder: Path, cluster: Path, statements: str, pause: Pause) -> None:
    """Runs statements, a line each, in the server's single-user mode. Raises StartError."""
    alone = [binaries.postgres(), "--single", *("-D", str(cluster)), *("-c", "exit_on_error=on")]
    _run(data_folder, [*alone, *("-c", "log_checkpoints=off"), "postgres"], statements, pause)


def _run(data_folder: Path, command: list[str], standard_input: str, pause: Pause) -> None:
    """Runs one of PostgreSQL's programs to its end. Raises StartError."""
    program = start_child(
        Path(command[0]).name,
        command,
        places.log_file(data_folder, "postgres"),
        without_privileges=True,
        environment=_environment(),
        standard_input=standard_input.encode(),
    )
    run_to_end(program, MAKE_SECONDS_MAX, pause)


def _start(data_folder: Path, cluster: Path) -> Child:
    folder = str(places.run_folder(data_folder)).replace('"', '""')
    command = [binaries.postgres(), *("-D", str(cluster)), *("-c", f'unix_socket_directories="{folder}"')]
    for name, value in _SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    return start_child(
        "PostgreSQL",
        command,
        places.log_file(data_folder, "postgres"),
        on_our_death=signal.SIGINT,
        without_privileges=True,
        environment=_environment(),
    )


def _environment() -> dict[str, str]:
    """English messages, which are looked at here; and no PG* variable of the operator, which would change settings."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _takes_connections(cluster: Path, pid: int) -> bool:
    """What `pg_ctl` looks at: the pid and the state in the first and eighth line of `postmaster.pid`."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _check_owner(cluster: Path) -> None:
    expected = os.geteuid() or UNPRIVILEGED_ID
    owner = cluster.stat().st_uid
    if owner != expected:
        raise StartError(
            f"{cluster} was made by another user (it belongs to uid {owner}, and PostgreSQL would run as {expected}): "
            "run this as the user who made it, or remove the data folder"
        )


def remove_stale_locks(data_folder: Path) -> None:
    """Removes lock files whose pid has gone to another program, as it often has after a restart of a container.

    PostgreSQL looks only whether *some* process has that pid. Ours counts as alive when that process was started on
    this very cluster. A file whose pid nobody has is left to PostgreSQL, which finds by it what else was left.
    """
    cluster = places.postgres_cluster(data_folder)
    socket = places.postgres_socket(data_folder)
    for lock in (cluster / "postmaster.pid", socket.with_name(socket.name + ".lock")):
        try:
            pid = lock.read_text().split("\n", 1)[0]
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except FileNotFoundError:
            continue
        if os.fsencode(cluster) not in words:
            lock.unlink(missing_ok=True)
