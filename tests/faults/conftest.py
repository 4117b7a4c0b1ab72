"""A whole system of its own, bound to a centre of the test, whose parts can be killed and started again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from chaos.report import Terms
from smpp.fake_smsc import Account, FakeSmsc
from smpp.reactor import reactor_on
from stack import postgres_server, programs, redis_server
from stack.child import Child
from stack.programs import installed_programs
from stack.settings import read_settings
from stack.together import Stack, start_all
from tests.conftest import REPOSITORY, with_client_link, with_free_ports

SEED = 20261125


@pytest.fixture
def tenth(short_folder: Path) -> Terms:
    """A tenth of a campaign, always drawn from the same seed."""
    return Terms(0.1, SEED, short_folder, print)


class System:
    """Redis, PostgreSQL, core and engine; `kill` and `start` by name, while the centre stays."""

    def __init__(self, config: Path, children: dict[str, Child]) -> None:
        self.config = config
        self.settings = read_settings(config)
        self.children = children

    def kill(self, name: str) -> None:
        """kill -9, at once."""
        self.children[name].kill()

    def start(self, name: str) -> None:
        """Starts a part that was killed, and returns once it is ready."""
        folder = self.settings.data_folder
        start: dict[str, Callable[[], Child]] = {
            "ussd-engine": lambda: programs.start_engine(self.config),
            "billing-core": lambda: programs.start_billing_core(self.config),
            "redis": lambda: redis_server.start_redis(folder),
            "postgres": lambda: postgres_server.start_postgres(folder),
        }
        self.children[name] = start[name]()

    def run(self, *arguments: str) -> None:
        """A command of the core, which must succeed."""
        program = str(Path(sys.prefix) / "bin" / "billing-core")
        subprocess.run([program, *arguments, "--config", str(self.config)], check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def centre_port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture(scope="module")
def system(short_folders: Callable[[], Path], free_port: Callable[[], int], centre_port: int) -> Iterator[System]:
    config = short_folders() / "config.yaml"
    text = with_free_ports((REPOSITORY / "config.yaml").read_text(), free_port)
    text = with_client_link(text, "centre", centre_port, binds=2).replace("links: [kcell-ussdc]", "links: [centre]", 1)
    config.write_text(text)
    (config.parent / "centre.password").write_text("secret")
    with Stack(say=lambda _line: None) as stack:
        start_all(stack, read_settings(config), installed_programs(), 200, say=lambda _line: None)
        system = System(config, {child.name: child for child in stack.children})
        yield system
        for name in ("ussd-engine", "billing-core"):
            programs.stop_program(system.children[name])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def smsc(system: System, centre_port: int) -> AsyncIterator[FakeSmsc]:
    async with FakeSmsc(reactor_on(asyncio.get_running_loop()), Account("engine", "secret"), port=centre_port) as smsc:
        await smsc.until_bound(2, 30)
        yield smsc
