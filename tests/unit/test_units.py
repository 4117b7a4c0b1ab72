"""The units for systemd: what they start exists, they are hardened, and they wait until the programs have ended."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import billing_core.cli
import ussd_engine.cli
from billing_core import relay, serving
from smpp.limits import Limits
from ussd_engine.app import DRAIN_SECONDS_MAX, EXIT_AT_ONCE

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
PARSERS = {"ussd-engine": partial(ussd_engine.cli._parser, serve_alone=False), "billing-core": billing_core.cli._parser}
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "DynamicUser": "yes",
    "UMask": "0077",
    "LimitCORE": "0",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateUsers": "yes",
    "PrivateMounts": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectControlGroups": "yes",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "RemoveIPC": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
}
EXPOSURE_TENTHS_MAX = 12
"""What `systemd-analyze security` may find: 0 is nothing, 96 a unit that says nothing."""


def read_unit(path: Path) -> dict[str, list[str]]:
    """Every line of a unit, by its key: some stand more than once, and count all."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def seconds(unit: dict[str, list[str]], key: str) -> float:
    [text] = unit[key]
    return float(text.removesuffix("h")) * (3600 if text.endswith("h") else 1)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_what_a_unit_starts_is_a_command_of_ours_with_options_that_it_has(path: Path) -> None:
    [command] = read_unit(path)["ExecStart"]
    program, *arguments = shlex.split(command)
    assert program.startswith("/opt/ussd/.venv/bin/")
    name = Path(program).name
    assert name in SCRIPTS
    parser: Callable[[], object] = PARSERS[name]
    assert parser().parse_args(arguments) is not None  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_is_hardened(path: Path) -> None:
    unit = read_unit(path)
    assert {key: unit.get(key) for key in HARDENED} == {key: [value] for key, value in HARDENED.items()}
    first, forbidden, again = unit["SystemCallFilter"]
    assert (first, forbidden[0]) == ("@system-service", "~")
    assert {"@privileged", "@resources", "@debug", "@mount"} <= set(forbidden[1:].split())
    assert set(again.split()) == {"setpriority", "prlimit64", "setrlimit"}
    assert {"MemoryHigh", "MemoryMax", "TasksMax"} <= set(unit)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_keys_are_handed_over_and_are_no_files_of_the_user_s(path: Path) -> None:
    """The configuration too, which may have a password in it; keys lie beside it, under their own names."""
    unit = read_unit(path)
    [config, *keys] = [given.partition(":")[::2] for given in unit["LoadCredential"]]
    assert unit["ExecStart"][0].endswith(f" --config %d/{config[0]}")
    assert config[1].startswith("/etc/ussd/")
    assert keys == [(name, f"/etc/ussd/keys/{name}") for name, _source in keys]


def test_a_unit_waits_until_the_program_has_ended_by_itself() -> None:
    engine = read_unit(UNITS / "ussd-engine@.service")
    assert seconds(engine, "TimeoutStopSec") > DRAIN_SECONDS_MAX + Limits().unbind_answer_seconds
    assert engine["SuccessExitStatus"] == [str(EXIT_AT_ONCE)]
    core = read_unit(UNITS / "billing-core.service")
    assert seconds(core, "TimeoutStopSec") > 2 * serving.SHUTDOWN_SECONDS_MAX + relay.STOP_SECONDS_MAX
    for unit in (engine, core):
        assert (unit["Restart"], unit["KillSignal"]) == (["on-failure"], ["SIGTERM"])


def test_each_timer_has_what_it_starts_and_comes_in_order() -> None:
    timers = sorted(UNITS.glob("*.timer"))
    assert [path.with_suffix(".service").exists() for path in timers] == [True, True]
    at = [read_unit(path)["OnCalendar"][0] for path in timers]
    assert at == sorted(at), "the ledger is looked at when what is too old has gone"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_systemd_finds_little_to_say_of_it(path: Path, tmp_path: Path) -> None:
    unit = tmp_path / path.name.replace("@.", "@one.")
    shutil.copy(path, unit)
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_TENTHS_MAX}"]
    done = subprocess.run([*command, str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
    for program in SCRIPTS:  # what is only not installed there is no mistake
        text = unit.read_text().replace(f"/opt/ussd/.venv/bin/{program} ", "/bin/true ")
        unit.write_text(text)
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, re.sub(r"(?m)^.*SysV.*\n", "", said.stderr)) == (0, "")
