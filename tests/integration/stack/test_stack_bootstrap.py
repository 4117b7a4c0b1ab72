"""Making `.venv`: in a small checkout whose lock holds one package, pip itself, from the wheel that is kept with us.

No network: the tests show what is installed when, and what happens when it is interrupted or goes wrong.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stack import bootstrap

REPOSITORY = Path(__file__).resolve().parents[3]

# A build backend in the checkout, so that the project can be installed without one from elsewhere.
BACKEND = """
import pathlib, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1-py3-none-any.whl"
    info = "tiny-1.dist-info/"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("tiny.pth", str(pathlib.Path.cwd()))
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\ntiny = tiny:main\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""


@pytest.fixture
def checkout(short_folder: Path) -> Path:
    (short_folder / "stack").mkdir()
    shutil.copy(REPOSITORY / "stack" / "bootstrap.py", short_folder / "stack")
    shutil.copytree(REPOSITORY / "stack" / "vendor", short_folder / "stack" / "vendor")
    version = re.match(r"pip-([0-9.]+)-", bootstrap.PIP_WHEEL)
    assert version is not None
    pin = f"pip=={version[1]} \\\n    --hash=sha256:{bootstrap.PIP_SHA256}\n"
    (short_folder / "requirements.lock").write_text(pin)
    (short_folder / "requirements-dev.lock").write_text(f"# with the tools\n{pin}")
    (short_folder / "backend.py").write_text(BACKEND)
    (short_folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny"\nversion = "1"\n'
    )
    return short_folder


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the bootstrap of a checkout as make does."""
    return subprocess.run(
        command(checkout, *arguments), capture_output=True, text=True, env=offline(checkout), check=False
    )


def command(checkout: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(checkout / "stack" / "bootstrap.py"), *arguments]


def offline(checkout: Path) -> dict[str, str]:
    """An environment in which pip finds the wheel beside it, and nothing else; and no settings of this machine."""
    return {
        "PATH": os.defpath,
        "HOME": str(checkout / "home"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(checkout / "stack" / "vendor"),
        "PIP_CONFIG_FILE": os.devnull,
    }


def test_what_the_lock_says_and_the_project_are_installed_and_a_second_time_costs_nothing(checkout: Path) -> None:
    first = make(checkout)
    assert (first.returncode, first.stderr) == (0, "")
    assert "installing 1 packages of requirements.lock" in first.stdout
    assert (checkout / ".venv" / "bin" / "pip").exists()
    assert (checkout / ".venv" / "bin" / "tiny").exists()
    assert not (checkout / "home").exists()
    begun = time.monotonic()
    second = make(checkout)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert time.monotonic() - begun < 2


def test_the_development_lock_answers_for_the_other_one_but_not_the_other_way_round(checkout: Path) -> None:
    assert make(checkout).returncode == 0
    assert "requirements-dev.lock" in make(checkout, "--dev").stdout
    assert make(checkout).stdout == ""
    assert make(checkout, "--dev").stdout == ""


def test_a_changed_lock_is_installed_and_a_changed_project_alone_is_not_the_lock(checkout: Path) -> None:
    assert make(checkout).returncode == 0
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# newer\n")
    changed_lock = make(checkout).stdout
    assert "requirements.lock" in changed_lock
    assert "the project itself" not in changed_lock
    with (checkout / "pyproject.toml").open("a") as project:
        project.write("# newer\n")
    changed_project = make(checkout).stdout
    assert "the project itself" in changed_project
    assert "requirements.lock" not in changed_project


def test_an_interrupted_installation_is_begun_anew(checkout: Path) -> None:
    process = subprocess.Popen(command(checkout), stdout=subprocess.PIPE, text=True, env=offline(checkout))
    assert process.stdout is not None
    assert any("installing 1 packages" in line for line in process.stdout)
    process.kill()
    process.communicate()
    again = make(checkout)
    assert again.returncode == 0
    assert "removing a .venv that is unfinished" in again.stdout
    assert (checkout / ".venv" / "bin" / "tiny").exists()


def test_ctrl_c_is_one_line(checkout: Path) -> None:
    process = subprocess.Popen(
        command(checkout), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=offline(checkout)
    )
    assert process.stdout is not None
    assert any("installing 1 packages" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "make: interrupted; it begins anew next time\n")


def test_a_package_that_is_not_the_one_in_the_lock_is_refused_with_one_line(checkout: Path) -> None:
    lock = checkout / "requirements.lock"
    lock.write_text(lock.read_text().replace(bootstrap.PIP_SHA256, "0" * 64))
    done = make(checkout)
    assert done.returncode == 1
    assert done.stderr.startswith("make: the installation failed: THESE PACKAGES DO NOT MATCH THE HASHES")
    assert done.stderr.count("\n") == 1


def test_a_pip_that_is_not_ours_is_not_run(checkout: Path) -> None:
    with (checkout / "stack" / "vendor" / bootstrap.PIP_WHEEL).open("ab") as wheel:
        wheel.write(b"\0")
    done = make(checkout)
    assert done.returncode == 1
    assert "is not the file that belongs there" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_checkout_that_was_moved_gets_an_environment_that_works_there(checkout: Path) -> None:
    assert make(checkout).returncode == 0
    moved = checkout / "moved"
    moved.mkdir()
    for name in ("stack", ".venv", "requirements.lock", "backend.py", "pyproject.toml"):
        shutil.move(checkout / name, moved / name)
    assert "was moved" in make(moved).stdout
    assert str(moved) in (moved / ".venv" / "bin" / "tiny").read_text().splitlines()[0]


def test_both_locks_pin_the_same_versions() -> None:
    pins = {name: dict(re.findall(r"^(\S+)==(\S+)", (REPOSITORY / name).read_text(), re.MULTILINE)) for name in LOCKS}
    run, dev = (pins[name] for name in LOCKS)
    assert run
    assert {name: dev.get(name) for name in run} == run


LOCKS = ("requirements.lock", "requirements-dev.lock")
