"""Fixtures for all tests: real private servers in temporary folders, and the whole stack.

Rules of this file:
- Redis and PostgreSQL are started once for all tests, and only when a test asks for them. Each test finds Redis empty,
  and each test module finds a PostgreSQL database of its own, empty.
- A temporary folder lies where paths are short: a socket's path has at most 107 octets. It lies in memory where there
  is enough: PostgreSQL waits for the disk at each commit, and no test pulls the plug. TMPDIR says otherwise.
- Servers are started from the thread that runs the tests, which outlives them; a killed test run takes them along.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from stack import places, postgres_server, redis_server, seeded
from stack.child import Child
from stack.programs import installed_programs
from stack.settings import Settings, read_settings
from stack.together import NUMBERS, Stack, start_all

# A machine that is slow for a moment is no failure of what is tested: no deadlines, no check of how fast data comes.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

REPOSITORY = Path(__file__).resolve().parent.parent
_FOLDER_OCTETS_MAX = 60
_IN_MEMORY = Path("/dev/shm")
_IN_MEMORY_OCTETS_MIN = 4 * 1024**3


class RunningStack(NamedTuple):
    """All four parts, running: Redis, PostgreSQL, billing core, engine."""

    config: Path
    settings: Settings  # addresses and ports
    redis_url: str
    postgres_url: str
    children: tuple[Child, ...]  # in the order they were started


@pytest.fixture(scope="session")
def short_folders() -> Iterator[Callable[[], Path]]:
    """Makes temporary folders whose paths are short enough for sockets; all are removed at the end."""
    made: list[Path] = []
    in_memory = "TMPDIR" not in os.environ and _IN_MEMORY.is_dir()
    if in_memory:
        _clear_up()
        in_memory = shutil.disk_usage(_IN_MEMORY).free > _IN_MEMORY_OCTETS_MIN

    def make() -> Path:
        place = str(_IN_MEMORY) if in_memory else tempfile.gettempdir()
        if len(os.fsencode(place)) > _FOLDER_OCTETS_MAX - len("/ussd-1234567-12345678"):
            place = "/tmp"
        made.append(Path(tempfile.mkdtemp(prefix=f"ussd-{os.getpid()}-", dir=place)))
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder)


def _clear_up() -> None:
    """Gives back the memory of test runs that were killed."""
    for folder in _IN_MEMORY.glob("ussd-*-*"):
        process = folder.name.split("-")[1]
        if process.isdecimal() and not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def short_folder(short_folders: Callable[[], Path]) -> Path:
    """An empty temporary folder with a short path."""
    return short_folders()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Finds a TCP port of 127.0.0.1 that nobody listens on; a different one at each call."""
    given: set[int] = set()

    def find() -> int:
        while True:
            with socket.socket() as trial:
                trial.bind(("127.0.0.1", 0))
                port: int = trial.getsockname()[1]
            if port not in given:
                given.add(port)
                return port

    return find


@pytest.fixture(scope="session")
def redis_data_folder(short_folders: Callable[[], Path]) -> Iterator[Path]:
    """The data folder of a private Redis, which runs while the tests do."""
    folder = short_folders()
    redis = redis_server.start_redis(folder)
    yield folder
    redis_server.stop_redis(redis)


@pytest.fixture(scope="session")
def redis_url(redis_data_folder: Path) -> str:
    """The address of a private Redis; each test that asks for it finds it empty."""
    return places.redis_url(redis_data_folder)


@pytest.fixture(autouse=True)
def _empty_redis(request: pytest.FixtureRequest) -> None:
    if "redis_url" in request.fixturenames:
        redis_server.flush(request.getfixturevalue("redis_data_folder"))


@pytest.fixture(scope="session")
def postgres_data_folder(short_folders: Callable[[], Path]) -> Iterator[Path]:
    """The data folder of a private PostgreSQL, which runs while the tests do."""
    folder = short_folders()
    postgres = postgres_server.start_postgres(folder)
    yield folder
    postgres_server.stop_postgres(postgres)


@pytest.fixture(scope="module")
def postgres_url(postgres_data_folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address, as asyncpg reads it, of an empty database that is this test module's own."""
    name = "".join(c if c.isalnum() else "_" for c in request.module.__name__.rpartition(".")[2].lower())
    yield postgres_server.create_database(postgres_data_folder, name)
    postgres_server.drop_database(postgres_data_folder, name)


@pytest.fixture(scope="module")
def serving_url(postgres_data_folder: Path, postgres_url: str) -> str:
    """The address of the same database for the role that serves."""
    name = postgres_url.partition("@/")[2].partition("?")[0]
    return places.serving_url(postgres_data_folder, name)


@pytest.fixture(scope="session")
def running_stack(short_folders: Callable[[], Path], free_port: Callable[[], int]) -> Iterator[RunningStack]:
    """The whole system as `make run` starts it, from our own `config.yaml` with other ports; 10,000 numbers."""
    config = short_folders() / "config.yaml"
    config.write_text(with_free_ports((REPOSITORY / "config.yaml").read_text(), free_port))
    settings = read_settings(config)
    seeded.provide(settings, NUMBERS)
    with Stack(say=lambda _line: None) as stack:
        start_all(stack, settings, installed_programs(), NUMBERS, say=lambda _line: None)
        yield RunningStack(
            config,
            settings,
            places.redis_url(settings.data_folder),
            places.postgres_url(settings.data_folder),
            stack.children,
        )


def with_client_link(config: str, name: str, port: int, binds: int = 1) -> str:
    """The text of a `config.yaml` with one link more: the engine binds to a centre of the test, as engine / secret.

    Whoever writes the file writes `NAME.password` beside it.
    """
    link = f"""
    {name}:
      role: client
      address: 127.0.0.1:{port}
      binds: {binds}
      system_id: engine
      password_file: {name}.password
      network: kcell
      dialect: standard
      trust: operator
      floods: {{starts_a_minute_max: 0, starts_an_hour_max: 0}}"""
    head = "\n  links: "
    assert head in config, "config.yaml has no links any more"
    at = config.index("\n", config.index(head) + 1)
    return config[:at] + link + config[at:]


def engine_beside(stack: RunningStack, name: str, port: int, free_port: Callable[[], int], binds: int = 1) -> Path:
    """Writes the configuration of a second engine: the stack's Redis and core, ports and a client link of its own."""
    config = engine_like(stack, name, free_port)
    text = with_client_link(config.read_text(), name, port, binds)
    config.write_text(text.replace("links: [kcell-ussdc]", f"links: [{name}]", 1))
    (config.parent / f"{name}.password").write_text("secret\n")
    return config


def engine_like(
    stack: RunningStack, name: str, free_port: Callable[[], int], changes: Mapping[str, str] | None = None
) -> Path:
    """Writes the configuration of one more engine of the same system: the same links, Redis and core, ports of its own.

    `changes`: text of `config.yaml` and what stands in its place.
    """
    settings = stack.settings
    text = stack.config.read_text().replace("  name: engine ", f"  name: {name} ", 1)
    for key, old in (("http_listen", settings.engine_http), ("smpp_listen", settings.engine_smpp)):
        text = text.replace(f"{key}: {old}", f"{key}: 127.0.0.1:{free_port()}", 1)
    for old_text, new_text in (changes or {}).items():
        assert old_text in text, f"config.yaml has no '{old_text}' any more"
        text = text.replace(old_text, new_text)
    config = stack.config.parent / f"{name}.yaml"
    config.write_text(text)
    return config


def with_free_ports(config: str, free_port: Callable[[], int]) -> str:
    """The text of a `config.yaml` with other ports, and with folders of the repository where they are read from.

    All engines of the tests keep compiled menus in one folder: only the first one checks them.
    """
    changes = {f"127.0.0.1:{port}": f"127.0.0.1:{free_port()}" for port in (8080, 8081, 2775)}
    changes |= {f" {name}: {name} ": f" {name}: {REPOSITORY / name} " for name in ("menus", "dialects")}
    changes |= {" menus_compiled: .data/compiled ": f" menus_compiled: {REPOSITORY / '.build/compiled'} "}
    for old, new in changes.items():
        assert old in config, f"config.yaml has no '{old}' any more"
        config = config.replace(old, new)
    return config
