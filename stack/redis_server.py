"""A private Redis, on a Unix socket alone.

Rules of this file:
- Nothing is written to disk: Redis holds only what may be lost. A restart begins empty.
- Its memory is bounded. When it is full, what would expire first goes first.
- The socket lies in a folder that only we may enter; there is no password and no TCP port.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Final

from stack import binaries, places
from stack.child import UNPRIVILEGED_ID, Child, Pause, StartError, start_child, wait_until

MEMORY_MAX: Final = "512mb"
START_SECONDS_MAX: Final = 10.0
STOP_SECONDS_MAX: Final = 5.0
_ANSWER_SECONDS_MAX: Final = 1.0


def start_redis(data_folder: Path, seconds_max: float = START_SECONDS_MAX, pause: Pause = time.sleep) -> Child:
    """Starts Redis on `places.redis_socket` and returns once it answers PING. Raises StartError and OSError.

    A Redis of a supervisor that was just killed gets `seconds_max` to end.
    """
    places.check_socket_paths(data_folder)
    places.make_folders(data_folder)
    path = places.redis_socket(data_folder)
    _wait_until_silent(path, seconds_max, pause)
    folder = places.make_folder(data_folder / "redis")
    if os.geteuid() == 0:
        os.chown(folder, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    command = [binaries.redis_server(), *("--port", "0"), *("--unixsocket", str(path)), *("--unixsocketperm", "700")]
    command += [*("--dir", str(folder)), *("--save", ""), *("--appendonly", "no"), *("--databases", "1")]
    command += [*("--maxmemory", MEMORY_MAX), *("--maxmemory-policy", "volatile-ttl")]
    redis = start_child("Redis", command, places.log_file(data_folder, "redis"), without_privileges=True)
    wait_until(redis, lambda: answers(path), seconds_max, pause)
    return redis


def stop_redis(redis: Child) -> bool:
    """Ends it. True when it ended by itself."""
    return redis.stop(signal.SIGTERM, STOP_SECONDS_MAX)


def answers(path: Path) -> bool:
    """Whether a Redis answers at this socket."""
    try:
        return ask(path, b"PING\r\n").startswith(b"+PONG")
    except OSError:
        return False


def flush(data_folder: Path) -> None:
    """Forgets all that the private Redis holds. Raises OSError when it does not do so."""
    answer = ask(places.redis_socket(data_folder), b"FLUSHALL\r\n")
    if answer != b"+OK\r\n":
        raise OSError(f"Redis answered FLUSHALL with {answer!r}")


def ask(path: Path, command: bytes) -> bytes:
    """One command with a short answer, without a client library. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS_MAX)
        connection.connect(str(path))
        connection.sendall(command)
        return connection.recv(1024)


def _wait_until_silent(path: Path, seconds_max: float, pause: Pause) -> None:
    deadline = time.monotonic() + seconds_max
    while answers(path):
        if time.monotonic() > deadline:
            raise StartError(f"another Redis answers at {path}: end it first")
        pause(0.1)
