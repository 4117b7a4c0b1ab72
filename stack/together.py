"""All parts as one: started in order, watched, ended in the opposite order.

Rules of this file:
- Everything that can be known to fail (another run, a busy port, a long path) is found out before anything is started.
- What was started is ended, whatever happens: engine, billing core, Redis, PostgreSQL.
- A server whose URL stands in the configuration is somebody else's: it is neither started, nor ended, nor filled with
  subscribers to try with.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from stack import places, postgres_server, programs, redis_server
from stack.child import Child, Pause, StartError, check_privileges_can_be_dropped
from stack.programs import Programs
from stack.settings import Listen, Settings

NUMBERS: Final = 10_000
"""Subscribers that a new database gets."""

Say = Callable[[str], None]
"""Takes one line of progress, in plain words."""


class Part(NamedTuple):
    """One running process, and how it is ended well."""

    child: Child
    stop: Callable[[Child], bool]


class Stack:
    """The running parts. As a context it ends them all at its end."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._parts: list[Part] = []

    @property
    def children(self) -> tuple[Child, ...]:
        """The processes in the order they were started."""
        return tuple(part.child for part in self._parts)

    def add(self, child: Child, stop: Callable[[Child], bool]) -> None:
        """Takes charge of a process that has started."""
        self._parts.append(Part(child, stop))

    def dead(self) -> Child | None:
        """A part that has ended although nobody asked it to, if there is one."""
        return next((child for child in self.children if child.poll() is not None), None)

    def stop(self) -> None:
        """Ends what runs, last started first, and says so. What does not end in its time is killed."""
        while self._parts:
            child, stop = self._parts[-1]
            ran = child.poll() is None
            by_itself = stop(child)
            self._parts.pop()
            if ran:
                self._say(
                    f"{child.name} has ended" if by_itself else f"{child.name} did not end in time and was killed"
                )

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()


def start_all(
    stack: Stack, settings: Settings, commands: Programs, numbers: int, say: Say, pause: Pause = time.sleep
) -> None:
    """Starts all parts into `stack`, which the caller ends; when it returns, all are ready.

    Raises StartError and OSError, and what `pause` raises.
    """
    check_ports(settings)
    if settings.redis_url is None or settings.database_url is None:
        places.check_socket_paths(settings.data_folder)
        check_privileges_can_be_dropped()
    places.make_folders(settings.data_folder)
    if made := places.make_keys(settings.data_folder):
        say(f"made the keys {', '.join(made)} in {shown(settings.data_folder / 'keys')}")
    if settings.database_url is None:
        if not places.postgres_cluster(settings.data_folder).exists():
            say("making a new database (on the first run only) …")
        stack.add(postgres_server.start_postgres(settings.data_folder, pause=pause), postgres_server.stop_postgres)
        say("PostgreSQL is ready")
    if settings.redis_url is None:
        stack.add(redis_server.start_redis(settings.data_folder, pause=pause), redis_server.stop_redis)
        say("Redis is ready")
    programs.migrate(settings.config, commands, pause)
    say("the tables of the billing core are up to date")
    if settings.database_url is None:
        seed_once(settings, commands, numbers, say, pause)
    stack.add(programs.start_billing_core(settings.config, commands, pause=pause), programs.stop_program)
    say("the billing core is ready")
    stack.add(programs.start_engine(settings.config, commands, pause=pause), programs.stop_program)
    say("the engine is ready")


def seed_once(
    settings: Settings, commands: Programs, numbers: int, say: Say = lambda _line: None, pause: Pause = time.sleep
) -> None:
    """Fills a new database; one that was filled is left as it is, whatever `numbers` says now."""
    stamp = settings.data_folder / "seeded"
    identity = postgres_server.cluster_identity(settings.data_folder)
    if stamp.exists() and stamp.read_text() == identity:
        return
    say(f"making {numbers:,} subscribers to try with (on the first run only) …")
    programs.seed(settings.config, numbers, commands, pause)
    stamp.write_text(identity)
    say("the subscribers are made")


def check_ports(settings: Settings) -> None:
    """Raises StartError when an address that will be listened on cannot be."""
    taken: dict[tuple[str, int], str] = {}
    for listen in settings.listens:
        other = taken.setdefault((listen.host, listen.port), listen.key)
        if other != listen.key:
            raise StartError(f"{listen.key} and {other} in {settings.config.name} are both {listen}: change one")
        _check_port(listen, settings.config)


def _check_port(listen: Listen, config: Path) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"{listen} is busy: end the program that listens there, or write another port "
                f"for {listen.key} in {config.name}"
            ) from None
        raise StartError(f"{listen} ({listen.key} in {config.name}) cannot be listened on: {error.strerror}") from None


@contextmanager
def only_one(data_folder: Path) -> Iterator[None]:
    """Holds the data folder's lock. Raises StartError when another supervisor holds it.

    The lock is the kernel's (flock(2)): it ends with the process that holds it, however that ends.
    """
    places.make_folders(data_folder)
    path = places.run_folder(data_folder) / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = file.read().strip() or "unknown"
            raise StartError(
                f"it runs already on {shown(data_folder)} (pid {pid}): end that one first, with Ctrl-C or kill {pid}"
            ) from None
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def shown(path: Path) -> str:
    """A path as short as it can be understood: relative where it lies below the working folder."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
