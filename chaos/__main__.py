"""`python -m chaos`: runs campaigns, whole unless told otherwise, and says what did not hold.

python -m chaos                              everything
python -m chaos kills answers --scale 0.1    a tenth of two of them
python -m chaos repeats --seed 7             the same again
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import secrets
import shutil
import sys
import time
from pathlib import Path
from types import ModuleType

import uvloop

from chaos.report import Campaign, Report, Terms

CAMPAIGNS = (
    "kills", "answers", "takeover", "failpoints", "canary", "attackers", "slow", "floods", "planted", "repeats",
)  # fmt: skip
LONG = ("soak",)
"""Each is a module beside this one, with a `run` and a first line that says what it does."""
_ALL = (*CAMPAIGNS, *LONG)


def main() -> int:
    """Exit code 1 when something did not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "campaigns", nargs="*", metavar="CAMPAIGN", help=f"{', '.join(CAMPAIGNS)}: all by default; or {', '.join(LONG)}"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the whole, 0.1 a tenth (default: 1)")
    parser.add_argument("--seed", type=int, help="of everything that is drawn; one is drawn, and printed, by default")
    parser.add_argument("--json", type=Path, default=Path(".build/chaos.json"), help="where figures and failures go")
    parser.add_argument("--list", action="store_true", help="says what each campaign does")
    options = parser.parse_args()
    if unknown := set(options.campaigns) - set(_ALL):
        parser.error(f"there is no campaign {', '.join(sorted(unknown))}: choose from {', '.join(_ALL)}")
    if options.list:
        for name in _ALL:
            print(f"{name:<12} {(_module(name).__doc__ or '').splitlines()[0]}")
        return 0
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    print(f"seed {seed}, scale {options.scale:g}, {platform.machine()}, {os.cpu_count()} processors")
    reports = [_run(name, options.scale, seed) for name in options.campaigns or CAMPAIGNS]
    options.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"machine": platform.machine(), "processors": os.cpu_count(), "python": platform.python_version()}
    written = {**machine, "scale": options.scale, "campaigns": [report.as_json() for report in reports]}
    options.json.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n")
    print(f"figures: {options.json}")
    return 1 if any(report.failures for report in reports) else 0


def _run(name: str, scale: float, seed: int) -> Report:
    folder = Path(".build/chaos", name).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run: Campaign = _module(name).run

    async def campaign() -> Report:
        return await run(Terms(scale, seed, folder, lambda line: print(f"  {name}: {line}", flush=True)))

    began = time.monotonic()
    report = uvloop.run(campaign())
    report.figures["seconds"] = round(time.monotonic() - began, 1)
    print(report.as_text(), flush=True)
    return report


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"chaos.{name}")


if __name__ == "__main__":
    sys.exit(main())
