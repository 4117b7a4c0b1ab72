"""The private servers: they start, keep what they must, survive a kill, and let nobody else in."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from stack import places, postgres_server, redis_server
from stack.child import Child, StartError


@pytest.fixture(scope="module")
def cluster(short_folders: Callable[[], Path]) -> Path:
    """A data folder for the tests of this module that start and stop PostgreSQL themselves."""
    return short_folders()


@pytest.fixture
def postgres(cluster: Path) -> Iterator[Child]:
    child = postgres_server.start_postgres(cluster)
    yield child
    postgres_server.stop_postgres(child)


async def read(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_commit_is_on_disk_when_it_is_acknowledged(cluster: Path, postgres: Child) -> None:
    url = places.postgres_url(cluster)
    assert [await read(url, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == [
        "on"
    ] * 3


async def test_the_programs_role_owns_its_database_and_is_no_superuser(cluster: Path, postgres: Child) -> None:
    url = places.postgres_url(cluster)
    assert await read(url, "SELECT current_user || ' ' || current_database()") == "ussd billing"
    assert await read(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert await read(url, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'billing'") == "ussd"


async def test_a_wrong_password_does_not_get_in(cluster: Path, postgres: Child) -> None:
    right = places.key_file(cluster, "postgres").read_text()
    wrong = places.postgres_url(cluster).replace(right, "0" * 64)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await read(wrong, "SELECT 1")


async def test_the_superuser_cannot_log_in(cluster: Path, postgres: Child) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await read(places.postgres_url(cluster).replace("//ussd:", "//postgres:"), "SELECT 1")


async def test_data_is_there_after_a_kill_of_the_server_at_work(short_folder: Path) -> None:
    first = postgres_server.start_postgres(short_folder)
    url = places.postgres_url(short_folder)
    busy = await asyncpg.connect(url)  # its backend lives on for a moment, and holds the shared memory
    await busy.execute("CREATE TABLE kept (what text); INSERT INTO kept VALUES ('money')")
    first.kill()
    second = postgres_server.start_postgres(short_folder)
    assert await read(url, "SELECT what FROM kept") == "money"
    assert postgres_server.stop_postgres(second)
    busy.terminate()


def test_a_lock_file_whose_pid_another_program_has_does_not_keep_the_server_down(short_folder: Path) -> None:
    first = postgres_server.start_postgres(short_folder)
    pid_file = places.postgres_cluster(short_folder) / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    first.kill()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert postgres_server.stop_postgres(postgres_server.start_postgres(short_folder))
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_first_start_is_begun_anew(short_folder: Path) -> None:
    half_done = short_folder / "postgres.new"
    half_done.mkdir()
    (half_done / "PG_VERSION").write_text("16\n")
    assert postgres_server.stop_postgres(postgres_server.start_postgres(short_folder))
    assert not half_done.exists()


@pytest.mark.parametrize("name", places.LASTING_KEYS)
def test_a_lost_key_of_an_existing_database_is_not_replaced(short_folder: Path, name: str) -> None:
    places.make_folders(short_folder)
    places.make_keys(short_folder)
    places.postgres_cluster(short_folder).mkdir()
    (places.postgres_cluster(short_folder) / "pg_hba.conf").write_text("local all ussd_serving scram-sha-256\n")
    places.key_file(short_folder, name).unlink()
    with pytest.raises(StartError, match=f"keys/{name} is gone"):
        places.make_keys(short_folder)


async def test_a_cluster_of_before_there_was_a_role_that_serves_gets_it(short_folder: Path) -> None:
    postgres_server.stop_postgres(postgres_server.start_postgres(short_folder))
    (places.postgres_cluster(short_folder) / "pg_hba.conf").write_text("local all ussd scram-sha-256\n")
    places.key_file(short_folder, "postgres-serving").unlink()
    postgres = postgres_server.start_postgres(short_folder)
    assert await read(places.serving_url(short_folder), "SELECT current_user") == places.SERVING_USER
    postgres_server.stop_postgres(postgres)


def test_a_server_that_cannot_start_says_why_in_one_line(short_folder: Path) -> None:
    postgres_server.stop_postgres(postgres_server.start_postgres(short_folder))
    (places.postgres_cluster(short_folder) / "postgresql.conf").write_text("nonsense = 1\n")
    with pytest.raises(StartError, match=r"PostgreSQL ended with exit code 1: .*FATAL.*postgresql.conf") as caught:
        postgres_server.start_postgres(short_folder)
    assert "\n" not in str(caught.value)


def test_a_socket_path_that_the_system_would_cut_is_refused(short_folder: Path) -> None:
    socket_name = len("/run/.s.PGSQL.5432")
    fits = short_folder / ("d" * (places.SOCKET_PATH_OCTETS_MAX - socket_name - len(str(short_folder)) - 1))
    places.check_socket_paths(fits)
    for start in (redis_server.start_redis, postgres_server.start_postgres):
        with pytest.raises(StartError, match="has 108 octets, and 107 is the most: move the checkout"):
            start(fits.with_name(fits.name + "d"))


async def test_the_longest_path_that_is_allowed_works(short_folder: Path) -> None:
    data_folder = short_folder / ("d" * (places.SOCKET_PATH_OCTETS_MAX - len(f"{short_folder}//run/.s.PGSQL.5432")))
    postgres = postgres_server.start_postgres(data_folder)
    redis_child = redis_server.start_redis(data_folder)
    assert await read(places.postgres_url(data_folder), "SELECT 1") == 1
    assert redis_server.answers(places.redis_socket(data_folder))
    assert redis_server.stop_redis(redis_child)
    assert postgres_server.stop_postgres(postgres)


async def test_a_folder_with_odd_letters_works(short_folder: Path) -> None:
    data_folder = short_folder / 'a b "c"%20ш'
    postgres = postgres_server.start_postgres(data_folder)
    redis_child = redis_server.start_redis(data_folder)
    client = redis.asyncio.Redis.from_url(places.redis_url(data_folder))
    assert await client.ping()
    await client.aclose()
    assert await read(places.postgres_url(data_folder), "SELECT 1") == 1
    assert redis_server.stop_redis(redis_child)
    assert postgres_server.stop_postgres(postgres)


def test_keys_and_folders_are_for_their_owner_only(short_folder: Path) -> None:
    data_folder = short_folder / "data"
    places.make_folders(data_folder)
    assert places.make_keys(data_folder) == places.KEYS
    assert places.make_keys(data_folder) == ()
    texts = {places.key_file(data_folder, name).read_text() for name in places.KEYS}
    assert len(texts) == len(places.KEYS)
    assert all(len(bytes.fromhex(text)) == places.KEY_OCTETS for text in texts)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in data_folder.rglob("*")}
    assert set(modes.values()) == {0o600, 0o700}
    assert all((mode == 0o700) == path.is_dir() for path, mode in modes.items())


def test_redis_writes_nothing_to_disk_and_has_no_port(short_folder: Path) -> None:
    child = redis_server.start_redis(short_folder)
    path = places.redis_socket(short_folder)
    assert redis_server.ask(path, b"SET a b\r\n") == b"+OK\r\n"
    assert redis_server.ask(path, b"CONFIG GET port\r\n").endswith(b"$1\r\n0\r\n")
    assert redis_server.stop_redis(child)
    assert list((short_folder / "redis").iterdir()) == []
    assert not path.exists()


def test_a_second_redis_on_the_same_socket_is_refused(short_folder: Path) -> None:
    child = redis_server.start_redis(short_folder)
    with pytest.raises(StartError, match="another Redis answers"):
        redis_server.start_redis(short_folder, seconds_max=0.2)
    assert redis_server.stop_redis(child)


async def test_redis_is_empty_at_the_begin_of_a_test(redis_url: str) -> None:
    client = redis.asyncio.Redis.from_url(redis_url)
    assert await client.dbsize() == 0
    await client.set("left", "over")
    await client.aclose()


test_redis_is_empty_although_the_test_before_left_something = test_redis_is_empty_at_the_begin_of_a_test


async def test_a_module_has_a_database_of_its_own_and_it_is_empty(postgres_url: str) -> None:
    assert await read(postgres_url, "SELECT current_database()") == "test_stack_servers"
    assert await read(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_started_by_root_the_servers_are_not_root(cluster: Path, postgres: Child, redis_data_folder: Path) -> None:
    uids = Path(f"/proc/{postgres.pid}/status").read_text().split("Uid:")[1].split()[:4]
    assert uids == ["65534"] * 4
    assert places.redis_socket(redis_data_folder).stat().st_uid == 65534


KILLED = """
import os, signal, sys
from pathlib import Path
from stack import postgres_server, redis_server
from stack.child import start_child
folder = Path(sys.argv[1])
children = [postgres_server.start_postgres(folder), redis_server.start_redis(folder)]
children.append(start_child("sleep", ["sleep", "600"], folder / "log" / "sleep.log"))
print(*(child.pid for child in children), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_children_die_with_a_supervisor_that_is_killed(short_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(short_folder)], stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 3
    deadline = time.monotonic() + 5
    while any(runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "a child outlived its supervisor by 5 s"
        time.sleep(0.02)
    redis_child = redis_server.start_redis(short_folder)
    postgres = postgres_server.start_postgres(short_folder)
    assert redis_server.stop_redis(redis_child)
    assert postgres_server.stop_postgres(postgres)


def runs(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
