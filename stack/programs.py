"""The two programs of ours as processes: the billing core and the engine.

Rules of this file:
- They are started as an operator would start them, by their commands, and read their own configuration.
- A program is up when its `/ready` says so with status 200: before, nobody is told that it is.
- Which commands they are comes as a value, so that a test may put others in their place.
"""

from __future__ import annotations

import http.client
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from stack import places
from stack.child import Child, Pause, run_to_end, start_child, wait_until
from stack.settings import Listen, Settings, read_settings

START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 10.0
CHECK_SECONDS_MAX: Final = 60.0
MIGRATE_SECONDS_MAX: Final = 120.0
SEED_SECONDS_MAX: Final = 300.0
_ANSWER_SECONDS_MAX: Final = 2.0


class Programs(NamedTuple):
    """The commands of the two programs, before their arguments."""

    billing_core: tuple[str, ...]
    ussd_engine: tuple[str, ...]


def installed_programs() -> Programs:
    """The commands as they are installed beside the Python that runs this."""
    folder = Path(sys.prefix) / "bin"
    return Programs((str(folder / "billing-core"),), (str(folder / "ussd-engine"),))


def check(config: Path, programs: Programs | None = None, pause: Pause = time.sleep) -> None:
    """Reads settings, and checks menus that were not found green before. Raises StartError with the first mistake."""
    command = (programs or installed_programs()).ussd_engine
    _run("ussd-engine", command, "check", config, CHECK_SECONDS_MAX, pause, ("--once",))


def migrate(config: Path, programs: Programs | None = None, pause: Pause = time.sleep) -> None:
    """Brings the core's database to its newest form. Raises StartError."""
    command = (programs or installed_programs()).billing_core
    _run("billing-core", command, "migrate", config, MIGRATE_SECONDS_MAX, pause)


def seed(config: Path, numbers: int, programs: Programs | None = None, pause: Pause = time.sleep) -> None:
    """Fills the core's database with `numbers` subscribers to try with. Raises StartError."""
    command = (programs or installed_programs()).billing_core
    _run("billing-core", command, "seed", config, SEED_SECONDS_MAX, pause, ("--numbers", str(numbers)))


def _run(
    name: str,
    command: tuple[str, ...],
    what: str,
    config: Path,
    seconds_max: float,
    pause: Pause,
    more: Sequence[str] = (),
) -> None:
    """A command that has an end of its own."""
    run_to_end(_start(read_settings(config), name, command, what, more), seconds_max, pause)


def start_billing_core(
    config: Path,
    programs: Programs | None = None,
    seconds_max: float = START_SECONDS_MAX,
    pause: Pause = time.sleep,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Starts the core and returns once it is ready. Its database must have been migrated. Raises StartError."""
    settings = read_settings(config)
    core = _start(
        settings, "billing-core", (programs or installed_programs()).billing_core, "serve", environment=environment
    )
    wait_until(core, lambda: is_ready(settings.core_http), seconds_max, pause)
    return core


def start_engine(
    config: Path,
    programs: Programs | None = None,
    seconds_max: float = START_SECONDS_MAX,
    pause: Pause = time.sleep,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Starts the engine and returns once it is ready. Redis and the core must be up. Raises StartError."""
    settings = read_settings(config)
    engine = _start(
        settings, "ussd-engine", (programs or installed_programs()).ussd_engine, "serve", environment=environment
    )
    wait_until(engine, lambda: is_ready(settings.engine_http), seconds_max, pause)
    return engine


def stop_program(program: Child) -> bool:
    """Lets it finish what it is at, within `STOP_SECONDS_MAX`. True when it ended by itself."""
    return program.stop(signal.SIGTERM, STOP_SECONDS_MAX)


def is_ready(listen: Listen) -> bool:
    """Whether `/ready` at this address says yes."""
    connection = http.client.HTTPConnection(listen.reached_at, listen.port, timeout=_ANSWER_SECONDS_MAX)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _start(
    settings: Settings,
    name: str,
    command: Sequence[str],
    what: str,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Child:
    log = places.log_file(settings.data_folder, name)
    child_name = name if what == "serve" else f"{name} {what}"
    full_command = [*command, what, "--config", str(settings.config), *arguments]
    return start_child(child_name, full_command, log, environment=environment)
