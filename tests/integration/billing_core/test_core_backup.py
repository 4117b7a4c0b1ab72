"""The database is lost and comes back, as docs/operations.md says: by a dump, and by a copy with the log since then.

PostgreSQL's own tools do it; what is tried is that the ledger verifies afterwards, that what was lost shows, and that
nothing more is lost than the page says.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest

from billing_core.sealer import seal_key, seal_what_waits
from stack import binaries, places, postgres_server
from stack.child import UNPRIVILEGED_ID, Child

from .running_core import PEPPER, running_core
from .stories import NOON, balance, kcell, result, tenge
from .test_core_cli import configured, ran

NUMBER = kcell(7)
TOOLS = Path(binaries.postgres()).parent
pytestmark = pytest.mark.skipif(not (TOOLS / "pg_dump").exists(), reason="this PostgreSQL came without its tools")


class Money(NamedTuple):
    """What was on the account, and the last seal that was noted then."""

    minor: int
    seal: str


def tool(name: str, url: str, *arguments: str) -> list[str]:
    return [str(TOOLS / name), "--dbname", url, "--no-password", *arguments]


def run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **(environment or {})}, check=False
    )
    assert done.returncode == 0, done.stderr


async def paid(database: str, whole: int) -> Money:
    """Money comes in over HTTP and is sealed; what is there then."""
    async with running_core(database, connections=2) as core:
        core.now = NOON
        result(await core.ask("balances.top_up", NUMBER, {"sum": tenge(whole), "place": "t1"}))
        async with core.pool.acquire() as connection:
            while await seal_what_waits(connection, seal_key(PEPPER)):
                pass
            seal = await connection.fetchval(
                "SELECT seal_id || ':' || encode(hash, 'hex') FROM seals ORDER BY seal_id DESC LIMIT 1"
            )
        return Money(await balance(core, NUMBER), seal)


async def verified(config: Path, seal: str) -> tuple[int, str]:
    """`billing-core verify --expect SEAL`: its exit code, and the first thing that it says."""
    ended = await ran("verify", "--expect", seal, "--config", str(config))
    return ended.code, ended.out.splitlines()[0]


# --- a dump, each night ---


async def test_a_dump_brings_back_what_it_has_and_what_came_after_it_is_known_to_be_lost(
    postgres_data_folder: Path, database: str, postgres_url: str, tmp_path: Path
) -> None:
    config = configured(tmp_path, database, postgres_url)
    before = await paid(database, 500)
    dump = tmp_path / "billing.dump"
    run(tool("pg_dump", postgres_url, "--format", "custom", "--file", str(dump)))
    after = await paid(database, 300)
    assert (await verified(config, after.seal))[0] == 0

    name = urlsplit(postgres_url).path.lstrip("/")
    postgres_server.drop_database(postgres_data_folder, name)
    postgres_server.create_database(postgres_data_folder, name)
    run(tool("pg_restore", postgres_url, "--exit-on-error", "--single-transaction", str(dump)))
    assert (await ran("migrate", "--config", str(config))).out == "nothing to apply\n"

    code, said = await verified(config, before.seal)
    assert (code, "the last seal is " + before.seal in said) == (0, True)
    code, said = await verified(config, after.seal)
    assert (code, said) == (1, f"a seal that was noted is not there: {after.seal.partition(':')[0]}")
    again = await paid(database, 100)
    assert again.minor == before.minor + 10_000
    assert (await verified(config, again.seal))[0] == 0


async def test_who_serves_after_a_restore_may_still_not_change_the_ledger(database: str) -> None:
    connection = await asyncpg.connect(database)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("DELETE FROM entries")
    await connection.close()


# --- a copy, and the log that follows it ---


class Cluster(NamedTuple):
    """A private PostgreSQL of its own, which may be copied over its socket."""

    folder: Path
    environment: Mapping[str, str]

    def command(self, name: str, *arguments: str) -> list[str]:
        run_folder = str(places.run_folder(self.folder))
        return [str(TOOLS / name), "--host", run_folder, "--username", "backup", "--no-password", *arguments]


@pytest.fixture
def cluster(short_folder: Path) -> Iterator[Cluster]:
    """As its administrator sets it up: a role that may copy, and nothing else."""
    folder = short_folder / "data"
    postgres_server.stop_postgres(postgres_server.start_postgres(folder))
    postgres_server._run_alone(
        folder, places.postgres_cluster(folder), "CREATE ROLE backup LOGIN REPLICATION PASSWORD 'backup'\n", time.sleep
    )
    with (places.postgres_cluster(folder) / "pg_hba.conf").open("a") as lets_in:
        lets_in.write("local replication backup scram-sha-256\n")
    return Cluster(folder, {"PGPASSWORD": "backup"})


@pytest.fixture
async def ready(cluster: Cluster, tmp_path: Path) -> AsyncIterator[tuple[Path, list[Child]]]:
    """A core's database in that cluster, its configuration, and the servers that are running."""
    running = [postgres_server.start_postgres(cluster.folder)]
    serving, owning = places.serving_url(cluster.folder), places.postgres_url(cluster.folder)
    config = configured(tmp_path, serving, owning)
    assert (await ran("migrate", "--config", str(config))).code == 0
    assert (await ran("seed", "--numbers", "50", "--free-numbers", "100", "--config", str(config))).code == 0
    yield config, running
    for each in running:
        if each.poll() is None:
            postgres_server.stop_postgres(each)


def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def put_back(cluster: Cluster, copy: Path, log: Path) -> None:
    """The copy becomes the cluster, and reads the log from where it was received, the unfinished file too."""
    place = places.postgres_cluster(cluster.folder)
    shutil.copytree(copy, place)
    for partial in log.glob("*.partial"):
        partial.rename(partial.with_suffix(""))
    with (place / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"restore_command = 'cp {log}/%f %p'\nsynchronous_standby_names = ''\n")
    (place / "recovery.signal").touch()
    if os.geteuid() == 0:
        for path in (place, *place.rglob("*"), log, *log.iterdir()):
            os.chown(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)


def _wait_for_the_copy(cluster: Cluster, postgres: Child) -> None:
    """From now on a commit is acknowledged once the receiver of the log has it on disk as well."""
    settings = places.postgres_cluster(cluster.folder) / "postgresql.auto.conf"
    with settings.open("a") as file:
        file.write("synchronous_standby_names = 'pg_receivewal'\n")
    os.kill(postgres.pid, signal.SIGHUP)


async def test_a_copy_and_the_log_that_was_received_since_bring_back_every_payment(
    cluster: Cluster, ready: tuple[Path, list[Child]], short_folder: Path
) -> None:
    config, running = ready
    database = places.serving_url(cluster.folder)
    copy, log = short_folder / "copy", short_folder / "log"
    log.mkdir()
    receive = cluster.command("pg_receivewal", "--directory", str(log), "--slot", "backup", "--synchronous")
    run([*receive, "--create-slot", "--if-not-exists"], cluster.environment)
    receiving = subprocess.Popen(receive, env={**os.environ, **cluster.environment}, stderr=subprocess.DEVNULL)
    try:
        until(lambda: list(log.glob("*.partial")))
        _wait_for_the_copy(cluster, running[0])
        await paid(database, 500)
        base = cluster.command("pg_basebackup", "--pgdata", str(copy), "--checkpoint", "fast", "--wal-method", "none")
        run(base, cluster.environment)
        after = await paid(database, 300)
        os.kill(running[0].pid, signal.SIGKILL)
        until(lambda: running[0].poll() is not None)
    finally:
        receiving.terminate()
        receiving.wait(10)
    shutil.rmtree(places.postgres_cluster(cluster.folder))
    put_back(cluster, copy, log)
    running.append(postgres_server.start_postgres(cluster.folder))

    code, said = await verified(config, after.seal)
    assert (code, "the last seal is " + after.seal in said) == (0, True)
    assert (await paid(database, 100)).minor == after.minor + 10_000
