"""`make audit`: our source through bandit, and the packages of the locks through pip-audit.

Rules of this file:
- Both tools live in `.build/audit`, installed from `audit.lock` by hash. An unchanged lock costs nothing. Its versions
  are those of the other locks where they share a package, as pip-audit wants it.
- pip-audit asks the service behind PyPI which versions have known vulnerabilities. A service that answers nothing looks
  to pip-audit like one that knows of nothing: so a version that is known to be vulnerable is asked for first, and
  nothing is believed unless that one rings.
- What is found fails, and so does bandit. A service that cannot be asked, three times, is said loudly and fails nobody:
  an outage of others must not stop our builds. What was not looked up by its name is told as well.
- Tools that cannot be installed fail under CI=true; a developer without a network is told, and goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from stack.bootstrap import BootstrapError, digest, pip_wheel

ROOT: Final = Path(__file__).resolve().parent.parent
LOCKS: Final = ("requirements.lock", "requirements-dev.lock", "audit.lock")
TRIES: Final = 3
PAUSE_SECONDS: Final = 1.0
SECONDS_MAX: Final = 120.0
ACCEPTED: Final[Mapping[str, str]] = {}
"""Vulnerabilities that do not reach us: id → why not. Each is told at each run."""
# CVE-2020-14343: known since 2021, and never to be forgotten. The hash is of no file: nothing is fetched.
CANARY: Final = f"pyyaml==5.3.1 --hash=sha256:{'0' * 64}\n"

_FOLDER: Final = ROOT / ".build" / "audit"
_PYTHON: Final = _FOLDER / "bin" / "python"


class Report(NamedTuple):
    """What pip-audit says: `name version: id …` each, and the names of what it could not look up."""

    looked_up: int
    found: list[str]
    accepted: list[str]
    not_looked_up: list[str]


def read_report(text: str, accepted: Mapping[str, str] = ACCEPTED) -> Report | None:
    """The report in pip-audit's JSON; None when it is none, as when the service cannot be reached."""
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    report = Report(0, [], [], [])
    for package in packages:
        if "vulns" not in package:
            report.not_looked_up.append(package["name"])
            continue
        report = report._replace(looked_up=report.looked_up + 1)
        for each in package["vulns"]:
            ids = [each["id"], *each.get("aliases", ())]
            line = f"{package['name']} {package['version']}: {', '.join(ids)}"
            if reason := next((accepted[one] for one in ids if one in accepted), None):
                report.accepted.append(f"{line}: {reason}")
            else:
                report.found.append(f"{line}; mended in {', '.join(each.get('fix_versions', ())) or 'no version'}")
    return report


def look_up(ask: Callable[[Sequence[str]], str], say: Callable[[str], None], pause: Callable[[float], None]) -> bool:
    """Whether nothing is found in the locks. `ask`: pip-audit's JSON for some files of requirements."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    canary = _FOLDER / "canary.txt"
    canary.write_text(CANARY)
    for left in reversed(range(TRIES)):
        report = read_report(ask([str(canary)]))
        if report is not None and report.found:
            break
        if left:
            pause(PAUSE_SECONDS)
    else:
        say("AUDIT: the service that knows of vulnerabilities cannot be asked: the locks were NOT looked up")
        return True
    report = read_report(ask(LOCKS))
    if report is None:
        say("AUDIT: the service went away while it was asked: the locks were NOT looked up")
        return True
    for each in report.accepted:
        say(f"audit: accepted: {each}")
    if report.not_looked_up:
        say(f"AUDIT: the service does not know, and did NOT look up: {', '.join(report.not_looked_up)}")
    for each in report.found:
        say(f"audit: VULNERABLE: {each}")
    say(f"audit: {report.looked_up} packages looked up, {len(report.found)} vulnerabilities")
    return not report.found


def main() -> int:
    """Returns the exit code: 0, or 1 when something was found."""
    try:
        install()
    except (BootstrapError, OSError) as error:
        _say(f"AUDIT: the tools cannot be installed, and NOTHING was looked at: {error}")
        return 1 if os.environ.get("CI") == "true" else 0
    is_sound = _bandit() == 0
    return 0 if look_up(_pip_audit, _say, time.sleep) and is_sound else 1


def install() -> None:
    """Brings `.build/audit` to what `audit.lock` says. Raises BootstrapError and OSError."""
    stamp, wanted = _FOLDER / "installed", digest(ROOT / "audit.lock")
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _say("installing bandit and pip-audit in .build/audit")
    venv.EnvBuilder(clear=True, symlinks=True).create(_FOLDER)
    command = [str(_PYTHON), "-I", str(pip_wheel() / "pip"), "install", "--quiet", "--no-input", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--root-user-action=ignore", "--require-hashes", "--no-deps"]
    command += ["--only-binary=:all:", "-r", str(ROOT / "audit.lock")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BootstrapError((done.stderr.strip().splitlines() or [f"pip ended with {done.returncode}"])[-1])
    stamp.write_text(wanted)


def _bandit() -> int:
    """Its exit code; what it finds is printed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = sorted({name.partition(".")[0] for name in project["packages"]})
    names = [*folders, *(f"{name}.py" for name in project["py-modules"])]
    command = [str(_PYTHON), "-m", "bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", *names]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        _say(done.stdout + done.stderr)
    _say(f"audit: bandit {'found something' if done.returncode else 'finds nothing'} in {', '.join(names)}")
    return done.returncode


def _pip_audit(files: Sequence[str]) -> str:
    """Its JSON for these files; "" when it ran for too long."""
    command = [str(_PYTHON), "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--require-hashes"]
    command += ["--disable-pip", "--cache-dir", str(_FOLDER / "answers")]
    for each in files:
        command += ["--requirement", each]
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    try:
        return str(subprocess.run(command, cwd=ROOT, timeout=SECONDS_MAX, check=False, **quiet).stdout)
    except subprocess.TimeoutExpired:
        return ""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
