"""Makes `.venv` from the lock, with nothing but Python itself: the first step of `make run` and `make test`.

Rules of this file:
- It works before anything is installed: the standard library alone, and nothing of ours. Debian's python3 has no
  ensurepip, so pip comes from a wheel beside this file, whose digest stands here; pip itself is not installed.
- What is installed is what the lock says, checked by hash, from wheels: nothing of others is built or run on the way.
- An unchanged lock costs nothing; an installation that was interrupted is thrown away and begun anew.
- Nothing is written outside the checkout: downloads are kept in `.build`.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PROGRESS_SECONDS = 5.0
PYTHON_LEAST = (3, 11)

_PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==", re.MULTILINE)
_FOUND = re.compile(r"^(?:Collecting|Processing) (\S+)")


class BootstrapError(Exception):
    """`.venv` cannot be made; its text is the one line that says why and what to do."""


class Checkout(NamedTuple):
    """The folder of the project, and what lies where in it."""

    folder: Path

    @property
    def venv(self) -> Path:
        """The virtual environment."""
        return self.folder / ".venv"

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.venv / "bin" / "python"

    @property
    def unfinished(self) -> Path:
        """There while something is being installed: if it is found, that was interrupted."""
        return self.venv / "unfinished"

    @property
    def log(self) -> Path:
        """What pip wrote."""
        return self.venv / "install.log"

    @property
    def downloads(self) -> Path:
        """Kept wheels, so that an interrupted installation need not load them again."""
        return self.folder / ".build" / "downloads"

    def lock(self, *, dev: bool) -> Path:
        """The lock to install: with `dev`, the one that has the tools and tests too."""
        return self.folder / ("requirements-dev.lock" if dev else "requirements.lock")

    def stamp(self, what: str) -> Path:
        """The file that says which version of `what` is installed."""
        return self.venv / f"installed-{what}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes `.venv` as the lock says. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Makes .venv from the lock; does nothing when it is up to date.")
    parser.add_argument("--dev", action="store_true", help="with the tools and tests: requirements-dev.lock")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        make_environment(Checkout(Path(__file__).resolve().parent.parent), dev=options.dev)
    except BootstrapError as error:
        print(f"make: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"make: {error.filename or '.venv'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make: interrupted; it begins anew next time", file=sys.stderr)
        return 130
    return 0


def make_environment(checkout: Checkout, *, dev: bool) -> None:
    """Brings `.venv` to what the lock and pyproject.toml say. Raises BootstrapError and OSError."""
    if sys.version_info < PYTHON_LEAST:
        raise BootstrapError(f"this is Python {sys.version.split()[0]}, and {_dotted(PYTHON_LEAST)} or newer is needed")
    what = "dev" if dev else "run"
    lock = digest(checkout.lock(dev=dev))
    project = digest(checkout.folder / "pyproject.toml")
    if _works(checkout) and _has(checkout, what, lock) and _has(checkout, "project", project):
        return
    with only_one(checkout):
        if not _works(checkout):
            _make_venv(checkout)
        checkout.unfinished.touch()
        if not _has(checkout, what, lock):
            _install_lock(checkout, checkout.lock(dev=dev))
            _write_stamps(checkout, dev=dev)
        if not _has(checkout, "project", project):
            _install_project(checkout)
            checkout.stamp("project").write_text(project)
        checkout.unfinished.unlink()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _has(checkout: Checkout, what: str, version: str) -> bool:
    """Whether `.venv` has this version of `run`, `dev` or `project`."""
    stamp = checkout.stamp(what)
    return stamp.exists() and stamp.read_text() == version


def pip_wheel() -> Path:
    """The wheel of pip beside this file. Raises BootstrapError when it is not the one that belongs here."""
    path = Path(__file__).resolve().parent / "vendor" / PIP_WHEEL
    if not path.exists() or digest(path) != PIP_SHA256:
        raise BootstrapError(f"{path} is not the file that belongs there: `git checkout {os.path.relpath(path)}`")
    return path


@contextmanager
def only_one(checkout: Checkout) -> Iterator[None]:
    """Waits until no other bootstrap works in this checkout, nor a pip that outlived one: it inherits the lock."""
    folder = checkout.folder / ".build"
    folder.mkdir(exist_ok=True)
    with (folder / "bootstrap.lock").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another installation in this checkout to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _works(checkout: Checkout) -> bool:
    """Whether there is a `.venv` that was not left unfinished, nor moved here, nor lost the Python it was made with."""
    if checkout.unfinished.exists():
        return False
    try:
        now = _python_and_place(checkout)
    except (OSError, subprocess.CalledProcessError):
        return False
    made = checkout.stamp("python")
    return not made.exists() or made.read_text() == now


def _python_and_place(checkout: Checkout) -> str:
    """What must stay as it is: programs in `.venv/bin` name their folder, and packages belong to one Python."""
    program = "import sys; print(*sys.version_info[:2], sys.prefix)"
    command = [str(checkout.python), "-I", "-c", program]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout


def _make_venv(checkout: Checkout) -> None:
    if checkout.venv.exists():
        _say("removing a .venv that is unfinished, was moved, or lost its Python")
        shutil.rmtree(checkout.venv)
    _say(f"making .venv with Python {sys.version.split()[0]}")
    checkout.venv.mkdir()
    checkout.unfinished.touch()
    venv.EnvBuilder(with_pip=False, symlinks=True).create(checkout.venv)
    checkout.stamp("python").write_text(_python_and_place(checkout))


def _write_stamps(checkout: Checkout, *, dev: bool) -> None:
    """The development lock holds all of the other one, so it answers for both; not the other way round."""
    checkout.stamp("run").write_text(digest(checkout.lock(dev=False)))
    if dev:
        checkout.stamp("dev").write_text(digest(checkout.lock(dev=True)))
    else:
        checkout.stamp("dev").unlink(missing_ok=True)


def _install_lock(checkout: Checkout, lock: Path) -> None:
    total = len(_PIN.findall(lock.read_text()))
    _say(f"installing {total} packages of {lock.name}; the first time takes a minute or two")
    arguments = ["--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(lock)]
    _pip(checkout, arguments, total)


def _install_project(checkout: Checkout) -> None:
    _say("installing the project itself, editable")
    _pip(checkout, ["--no-deps", "--no-build-isolation", "--editable", str(checkout.folder)], total=1)


def _pip(checkout: Checkout, arguments: Sequence[str], total: int) -> None:
    """Runs `pip install`, shows how far it is, and keeps its words in the log. Raises BootstrapError."""
    command = [str(checkout.python), "-I", str(pip_wheel() / "pip"), "install", "--no-input", "--progress-bar=off"]
    command += ["--disable-pip-version-check", "--no-warn-script-location", "--root-user-action=ignore"]
    command += ["--cache-dir", str(checkout.downloads), *arguments]
    environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    checkout.downloads.mkdir(parents=True, exist_ok=True)
    with (
        checkout.log.open("a") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            close_fds=False,
        ) as pip,
    ):
        try:
            errors = _follow(pip.stdout or (), log, total)
        except BaseException:
            pip.kill()
            raise
    if pip.returncode:
        why = errors[0] if errors else f"pip ended with exit code {pip.returncode}"
        raise BootstrapError(f"the installation failed: {why} (all of it: {checkout.log})")


def _follow(output: Iterable[str], log: IO[str], total: int) -> list[str]:
    """Shows progress from pip's own lines; returns those that are errors."""
    errors: list[str] = []
    seen = 0
    shown = time.monotonic()
    for line in output:
        log.write(line)
        if line.startswith("ERROR: "):
            errors.append(line.removeprefix("ERROR: ").strip())
        if found := _FOUND.match(line):
            seen += 1
            if time.monotonic() - shown > PROGRESS_SECONDS:
                _say(f"{seen} of {total}: {found[1].rpartition('/')[2]}")
                shown = time.monotonic()
        if line.startswith("Installing collected packages") and total > 1:
            _say(f"unpacking {seen} packages")
    return errors


_begun = time.monotonic()


def _say(line: str) -> None:
    print(f"{time.monotonic() - _begun:7.1f} s  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
