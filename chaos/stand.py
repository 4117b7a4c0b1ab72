"""A whole system of its own: Redis, PostgreSQL, core and engines as processes, between centres that this process plays.

Rules of this file:
- Parts are killed as a power cut would, and started as an operator would.
- Whatever a subscriber does and sees crosses SMPP: the engines bind to the centres, find one another's dialogues in
  Redis, and can be killed one after the other.
- It is the system of `config.yaml`; what is changed in it stands in `_configured`, and nowhere else.
- Children end with the thread that started them (`stack.child`): they are started from threads that live as long as
  the stand.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final

import asyncpg
import yaml

from smpp.fake_smsc import Account, FakeSmsc
from smpp.limits import Limits
from smpp.reactor import reactor_on
from stack import places, postgres_server, programs, redis_server, seeded
from stack.child import Child, StartError
from stack.settings import Settings, read_settings

REPOSITORY: Final = Path(__file__).resolve().parent.parent
CENTRES: Final = {"kcell": "kcell-ussdc", "megacom": "megacom-ussdc"}
"""The networks whose centres this process plays, and the links of `config.yaml` that they take the place of."""
LANGUAGE: Final = "ru"
"""Of who has not chosen another, or whose choice is not known for the moment."""
BINDS: Final = 2
"""Of each engine to each centre."""
CHEAP_HASHING: Final = {"memory_kib": 8, "passes": 1, "threads": 2, "waiting_max": 512}
NUMBERS: Final = 200
CORE, REDIS, POSTGRES = "billing-core", "redis", "postgres"
BOUND_SECONDS_MAX: Final = 30.0
_ENGINE: Final = "import sys; from ussd_engine.cli import main; sys.exit(main())"
AGAIN_SECONDS: Final = 0.1
AGAIN_SECONDS_MAX: Final = 60.0
START_SECONDS_MAX: Final = 120.0
"""Of a core or an engine: a machine that is busy with other things is no failure."""


class Stand:
    """The system. As an async context it is started, and ended whatever happens.

    `change` may alter what is read from `config.yaml`, as a tree of mappings, before the programs read it: addresses of
    proxies, limits, log level.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None],
        *,
        engines: int = 1,
        numbers: int = NUMBERS,
        change: Callable[[dict[str, Any]], None] = lambda _config: None,
        sources: Mapping[str, Path] = MappingProxyType({}),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`sources`: engines that run from another checkout than this one, with its configuration and its menus.
        `environment` is laid over ours, for cores and engines."""
        self.folder = folder
        self.data_folder = folder / "data"
        self.engines = tuple(f"ussd-engine-{n + 1}" for n in range(engines))
        self.children: dict[str, Child] = {}
        self.centres: dict[str, FakeSmsc] = {}
        self.kills: dict[str, int] = {}
        """How often each part was killed."""
        self._say = say
        self._change = change
        self._sources = sources
        self._numbers = numbers
        self._environment = dict(environment or {})
        self._threads = ThreadPoolExecutor(16)
        self._configs: dict[str, Path] = {}

    # --- as a whole ---

    async def __aenter__(self) -> Stand:
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def _open(self) -> None:
        self._say("making subscribers …")
        await self._in_thread(seeded.provide, self._for_seeding(), self._numbers, "cheap")
        places.make_folders(self.data_folder)
        places.make_keys(self.data_folder)
        reactor = reactor_on(asyncio.get_running_loop())
        limits = Limits(unbind_answer_seconds=1.0, window_out=10_000)
        for network in CENTRES:
            centre = FakeSmsc(reactor, Account("engine", "secret"), limits=limits, message_id="m{}".format)
            await centre.open()
            self.centres[network] = centre
        self._configure()
        self._say("starting PostgreSQL and Redis …")
        await asyncio.gather(self.start(POSTGRES), self.start(REDIS))
        await self.start(CORE)
        await self._in_thread(programs.check, self.config)  # which may take longer than a start, on a busy machine
        self._say(f"starting {len(self.engines)} engine(s) …")
        await asyncio.gather(*(self.start(name) for name in self.engines))
        for centre in self.centres.values():
            await centre.until_bound(BINDS * len(self.engines), BOUND_SECONDS_MAX)

    async def _close(self) -> None:
        for centre in self.centres.values():
            await centre.close()
        for name in (*self.engines, CORE, REDIS, POSTGRES):
            child = self.children.pop(name, None)
            if child is not None:
                child.kill()
        self._threads.shutdown()

    # --- its parts ---

    @property
    def config(self) -> Path:
        """The configuration of the core, and of the first engine."""
        return self._configs[self.engines[0]]

    def settings(self, engine: str = "") -> Settings:
        """The addresses of an engine, and of all that there is once."""
        return read_settings(self._configs[engine or self.engines[0]])

    def config_of(self, engine: str) -> Path:
        """The configuration of an engine."""
        return self._configs[engine]

    async def start(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Starts a part and returns once it is ready; `environment` is laid over ours. Raises StartError."""
        self.children[name] = await self._in_thread(self._starter(name, environment))

    async def start_again(self, name: str) -> None:
        """Starts a part as a service manager does: until it stays up, since what it needs may be away as well."""
        until = time.monotonic() + AGAIN_SECONDS_MAX
        while True:
            try:
                await self.start(name)
            except StartError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    def kill(self, name: str) -> None:
        """kill -9, at once."""
        self.kills[name] = self.kills.get(name, 0) + 1
        self.children[name].kill()

    async def owner(self) -> asyncpg.Connection[Any]:
        """A connection to the database as its owner, past every proxy."""
        return await asyncpg.connect(places.postgres_url(self.data_folder))

    async def core_command(self, *arguments: str) -> str:
        """Runs a command of the core, which must succeed; what it printed."""
        command = programs.installed_programs().billing_core
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, "--config", str(self.config),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"billing-core {' '.join(arguments)} ended with {process.returncode}: {err.decode()}")
        return out.decode()

    def _starter(self, name: str, environment: Mapping[str, str] | None) -> Callable[[], Child]:
        more = {**self._environment, **(environment or {})}
        laid_over = {**os.environ, **more} if more else None
        if name == REDIS:
            return partial(redis_server.start_redis, self.data_folder)
        if name == POSTGRES:
            return partial(postgres_server.start_postgres, self.data_folder)
        if name == CORE:
            return partial(
                programs.start_billing_core, self.config, seconds_max=START_SECONDS_MAX, environment=laid_over
            )
        commands = programs.installed_programs()
        if source := self._sources.get(name):
            commands = commands._replace(ussd_engine=(sys.executable, "-c", _ENGINE))
            laid_over = {**os.environ, "PYTHONPATH": str(source), "PYTHONSAFEPATH": "1", **more}
        return partial(programs.start_engine, self._configs[name], commands, START_SECONDS_MAX, environment=laid_over)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    # --- its configuration ---

    def _for_seeding(self) -> Settings:
        """What the database is made with, before there is anything else: our own, and a hash that costs little."""
        config: dict[str, Any] = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
        config["data_folder"] = str(self.data_folder)
        _in_folder(config, self.data_folder)
        config["billing_core"]["hashing"] = dict(CHEAP_HASHING)
        path = self.folder / "seeding.yaml"
        path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False))
        return read_settings(path)

    def _configure(self) -> None:
        ports = iter(free_ports(1 + 2 * len(self.engines)))
        core_port = next(ports)
        for name in self.engines:
            config = self._configured(name, core_port, next(ports), next(ports))
            path = self.folder / f"{name}.yaml"
            apart = json.loads(json.dumps(config))  # YAML would name what stands in two places, and refer to it
            path.write_text(yaml.safe_dump(apart, allow_unicode=True, sort_keys=False))
            self._configs[name] = path

    def _configured(self, name: str, core_port: int, http_port: int, smpp_port: int) -> dict[str, Any]:
        """Our own configuration with other addresses, our centres as links, and a hash that costs little."""
        source = self._sources.get(name, REPOSITORY)
        config: dict[str, Any] = yaml.safe_load((source / "config.yaml").read_text())
        engine, core = config["engine"], config["billing_core"]
        config["data_folder"] = str(self.data_folder)
        _in_folder(config, self.data_folder)
        engine |= {
            "name": name,
            "http_listen": f"127.0.0.1:{http_port}",
            "smpp_listen": f"127.0.0.1:{smpp_port}",
            "menus": str(source / "menus"),
            "dialects": str(source / "dialects"),
            "menus_compiled": str(source / ".build/compiled"),
            "maintenance_file": str(self.folder / "maintenance.yaml"),
        }
        engine["billing"] |= {"url": f"http://127.0.0.1:{core_port}", "breaker_seconds": 0.2}
        for network, link in CENTRES.items():
            engine["networks"][network]["language"] = LANGUAGE
            engine["links"][f"centre-{network}"] = self._centre(network)
            routed = engine["routes"][network]["links"]
            engine["routes"][network]["links"] = [f"centre-{network}", *(each for each in routed if each != link)]
        core |= {
            "http_listen": f"127.0.0.1:{core_port}",
            "engine_url": f"http://127.0.0.1:{http_port}" if name == self.engines[0] else core["engine_url"],
            "hashing": dict(CHEAP_HASHING),
        }
        self._change(config)
        return _without_what_is_newer(config, source)

    def _centre(self, network: str) -> dict[str, Any]:
        password = self.folder / "centre.password"
        password.write_text("secret")
        password.chmod(0o600)
        return {
            "role": "client", "address": f"127.0.0.1:{self.centres[network].port}", "binds": BINDS,
            "system_id": "engine", "password_file": str(password), "network": network, "dialect": "standard",
            "trust": "operator", "limits": {"window_out": 100},
            "floods": {"starts_a_minute_max": 0, "starts_an_hour_max": 0},
        }  # fmt: skip


def _without_what_is_newer(config: dict[str, Any], source: Path) -> dict[str, Any]:
    """Leaves out of section `engine:`, and of its links, what the version that reads it does not know."""
    known = set(yaml.safe_load((source / "config.yaml").read_text())["engine"])
    engine = config["engine"] = {key: value for key, value in config["engine"].items() if key in known}
    words = set(re.findall(r"\w+", (source / "ussd_engine" / "peer_config.py").read_text()))
    for name, link in engine["links"].items():
        engine["links"][name] = {key: value for key, value in link.items() if key in words}
    return config


def _in_folder(tree: Any, data_folder: Path) -> None:
    """Puts every path below `.data` into the data folder."""
    places_in = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(places_in):
        if isinstance(value, str) and value.startswith(".data/"):
            tree[key] = str(data_folder / value.removeprefix(".data/"))
        elif isinstance(value, dict | list):
            _in_folder(value, data_folder)


def free_ports(count: int) -> Sequence[int]:
    """TCP ports of 127.0.0.1 that nobody listens on, each another one."""
    trials = [socket.socket() for _ in range(count)]
    try:
        for trial in trials:
            trial.bind(("127.0.0.1", 0))
        return [int(trial.getsockname()[1]) for trial in trials]
    finally:
        for trial in trials:
            trial.close()
