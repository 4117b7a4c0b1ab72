"""`make run` as an operator meets it: real Redis and PostgreSQL, stand-ins for the engine and the billing core."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stack.postgres_server import start_postgres, stop_postgres

RUN = Path(__file__).with_name("run_with_stand_ins.py")
SECONDS_MAX = 20.0


class Try(NamedTuple):
    """A checkout to try it in: a folder with a configuration of its own."""

    folder: Path
    config: Path
    smpp_port: int
    http_port: int

    @property
    def data_folder(self) -> Path:
        return self.folder / "data"

    def told(self) -> list[str]:
        """What the stand-ins were told to do, in order."""
        return (self.data_folder / "told").read_text().splitlines()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(RUN), "--config", str(self.config), *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def everything_ended(self) -> bool:
        """Whether no process of ours is left: each names this folder among its words."""
        return not [pid for pid in Path("/proc").glob("[0-9]*") if str(self.folder) in words_of(pid)]


def words_of(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.fixture
def trial(short_folder: Path, free_port: Callable[[], int]) -> Iterator[Try]:
    smpp, http, core = free_port(), free_port(), free_port()
    config = short_folder / "config.yaml"
    config.write_text(
        "data_folder: data\n"
        f"engine:\n  smpp_listen: 127.0.0.1:{smpp}\n  http_listen: 127.0.0.1:{http}\n"
        f"billing_core:\n  http_listen: 127.0.0.1:{core}\n"
    )
    yield Try(short_folder, config, smpp, http)
    for process in Path("/proc").glob("[0-9]*"):
        if str(short_folder) in words_of(process):
            os.kill(int(process.name), signal.SIGKILL)


def until(process: subprocess.Popen[str], words: str) -> str:
    """Reads the output up to the line that has these words. Fails when it ends before."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if words in line:
            return seen
    _, errors = process.communicate(timeout=SECONDS_MAX)
    raise AssertionError(f"it ended without '{words}':\n{seen}{errors}")


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, and what was still written to output and errors."""
    output, errors = process.communicate(timeout=SECONDS_MAX)
    return process.returncode, output, errors


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_when_it_is_ready_and_a_signal_ends_all_in_order(trial: Try, how: signal.Signals) -> None:
    process = trial.start()
    output = until(process, "End it:")
    assert f"127.0.0.1:{trial.smpp_port}" in output
    assert "ussd-engine dial '*111*3#' --from 77010000007" in output
    process.send_signal(how)
    code, output, errors = ended(process)
    assert (code, errors) == (0, "")
    order = [line.split("s  ")[1] for line in output.splitlines() if "has ended" in line]
    assert order == ["ussd-engine has ended", "billing-core has ended", "Redis has ended", "PostgreSQL has ended"]
    assert trial.told() == ["core migrate", "core seed 10000", "core serve", "engine serve", "engine ends", "core ends"]
    assert trial.everything_ended()


def test_started_again_it_finds_its_data_and_seeds_nothing(trial: Try) -> None:
    for numbers in ("25", "50"):
        process = trial.start("--numbers", numbers)
        until(process, "everything is ready")
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0
    assert [line for line in trial.told() if "seed" in line] == ["core seed 25"]


def test_a_signal_in_the_middle_of_the_start_leaves_nothing(trial: Try) -> None:
    process = trial.start()
    until(process, "PostgreSQL is ready")
    process.send_signal(signal.SIGTERM)
    code, output, errors = ended(process)
    assert (code, errors) == (0, "")
    assert "everything is ready" not in output
    assert trial.everything_ended()


def test_a_terminal_that_is_gone_does_not_keep_it_from_ending(trial: Try) -> None:
    process = trial.start()
    until(process, "End it:")
    assert process.stdout is not None
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(SECONDS_MAX) == 0
    assert trial.told()[-2:] == ["engine ends", "core ends"]
    assert trial.everything_ended()


def test_a_second_run_on_the_same_folder_is_refused_and_the_first_goes_on(trial: Try) -> None:
    first = trial.start()
    until(first, "End it:")
    code, output, errors = ended(trial.start())
    assert (code, output) == (1, "")
    assert f"runs already on {trial.data_folder} (pid {first.pid})" in errors
    assert errors.count("\n") == 1
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    assert ended(first)[0] == 0


def test_a_busy_port_is_one_line_that_names_the_setting_and_nothing_is_started(trial: Try) -> None:
    with socket.create_server(("127.0.0.1", trial.http_port)):
        code, output, errors = ended(trial.start())
    assert (code, output) == (1, "")
    assert errors == (
        f"make run: 127.0.0.1:{trial.http_port} is busy: end the program that listens there, "
        "or write another port for engine.http_listen in config.yaml\n"
    )
    assert not (trial.data_folder / "postgres").exists()


def test_a_folder_with_too_long_a_path_is_one_line(trial: Try) -> None:
    trial.config.write_text(trial.config.read_text().replace("data_folder: data", f"data_folder: {'d' * 100}"))
    code, _, errors = ended(trial.start())
    assert code == 1
    assert "107 is the most" in errors
    assert errors.count("\n") == 1


def test_a_configuration_with_a_mistake_is_one_line_with_its_place(trial: Try) -> None:
    trial.config.write_text("engine:\n  http_listen: 8080\n")
    code, _, errors = ended(trial.start())
    assert code == 1
    assert errors.startswith(f"make run: {trial.config}:2:16: engine.http_listen is a number.")


def test_production_takes_no_private_servers(trial: Try) -> None:
    trial.config.write_text(trial.config.read_text() + "production: true\n")
    code, _, errors = ended(trial.start())
    assert code == 1
    assert "engine.sessions.redis_url is null" in errors


@pytest.mark.parametrize("name", ["core", "engine"])
def test_a_program_that_does_not_start_is_one_line_with_its_own_reason(trial: Try, name: str) -> None:
    trial.data_folder.mkdir(mode=0o700)
    (trial.data_folder / f"{name}.fails").write_text("starting\nOSError: no luck today")
    code, _, errors = ended(trial.start())
    assert code == 1
    assert "ended with exit code 3: OSError: no luck today" in errors
    assert errors.count("\n") == 1
    assert trial.everything_ended()


@pytest.mark.parametrize("victim", ["redis-server", "/postgres\0-D", "stand_in.py\0engine"])
def test_a_child_that_dies_ends_everything_with_one_line(trial: Try, victim: str) -> None:
    process = trial.start()
    until(process, "End it:")
    pids = [int(found.name) for found in Path("/proc").glob("[0-9]*") if is_one(found, victim, trial.folder)]
    assert len(pids) == 1
    os.kill(pids[0], signal.SIGKILL)
    code, _, errors = ended(process)
    assert code == 1
    assert errors.startswith("make run: everything ends, because ")
    assert "was killed by SIGKILL (log: " in errors
    assert errors.count("\n") == 1
    assert trial.everything_ended()
    assert stop_postgres(start_postgres(trial.data_folder)), "the next start does not find its data"


def is_one(process: Path, victim: str, folder: Path) -> bool:
    words = words_of(process)
    return victim in words and str(folder) in words


def test_nothing_outlives_a_supervisor_that_is_killed_and_the_next_one_starts(trial: Try) -> None:
    process = trial.start()
    until(process, "End it:")
    process.kill()
    process.communicate(timeout=SECONDS_MAX)
    with (trial.data_folder / "run" / "lock").open() as lock:  # its children did not inherit it
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    deadline = time.monotonic() + 5
    while not trial.everything_ended():
        assert time.monotonic() < deadline, "something outlived its supervisor by 5 s"
        time.sleep(0.02)
    again = trial.start()
    until(again, "everything is ready")
    again.send_signal(signal.SIGTERM)
    assert ended(again)[0] == 0


def test_help_has_examples() -> None:
    done = subprocess.run([sys.executable, "-m", "stack.run", "--help"], stdout=subprocess.PIPE, text=True, check=True)
    assert "--numbers 200" in done.stdout
