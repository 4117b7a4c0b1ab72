"""What figures are measured on and by, and how a row of them is printed."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from bench.driver import Result

_TICK = os.sysconf("SC_CLK_TCK")
HEAD = "\nscenario       in flight   turns/s  dialogues/s   p50 ms   p99 ms   max ms  CPU µs/turn  engine cores  wrong"


def row(r: Result) -> str:
    """A row under `HEAD`."""
    return (
        f"{r.scenario:<14} {r.in_flight:>9} {r.turns_per_second:>9,.0f} {r.dialogues_per_second:>12,.0f} {r.p50:>8.2f}"
        f" {r.p99:>8.2f} {r.most:>8.2f} {r.cpu_microseconds:>12.1f} {r.engine_cores:>13.2f} {r.wrong_screens:>6}"
    )


def cpu_seconds(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def machine() -> str:
    """What the figures were measured on, in a line."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores, {model.partition(':')[2].strip()}, Python {platform.python_version()}"
