"""`make bench`: the system as `make run` starts it, with a million numbers, driven over SMPP; a table and JSON.

The engine, the core, Redis and PostgreSQL are processes of their own, as ever; the driver is this process. On two cores
the driver, the core and both databases share what the engine leaves.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import uvloop

from bench import codec, core, menus, swaps
from bench.driver import Result, Scenario, Step, run
from bench.own import own_settings
from stack.programs import installed_programs
from stack.together import Stack, start_all

FOLDER = Path(".build/bench")
FIRST_NUMBER = 77010000000
WARM_NUMBERS = 5_000
"""Numbers of the menu scenario: few enough that their greeting is remembered."""
PORTS_FROM = 20000
PARTS = ("codec", "menus", "swaps", "core")
"""What is measured beside turns: the codec, menus without I/O, live change under load, the billing core."""
_TICK = os.sysconf("SC_CLK_TCK")


def _ucs2(text: str) -> bytes:
    return text.encode("utf-16-be")


def _few() -> Iterator[int]:
    return itertools.cycle(range(FIRST_NUMBER, FIRST_NUMBER + WARM_NUMBERS))


def _all(numbers: int) -> Iterator[int]:
    """Every number once before any comes twice, in an order that no cache likes."""
    stride = 611_953  # prime, so that it has no factor in common with the count
    return (FIRST_NUMBER + at * stride % numbers for at in itertools.count())


def scenarios(numbers: int) -> list[Scenario]:
    """What is measured: (a) a walk of three steps without calls, (b) the balance with its two calls."""
    root, languages = (_ucs2("3 "),), (_ucs2("1 "),)
    # Some seeded numbers have chosen a language, and some are blocked or closed, and are told so.
    balance = (_ucs2("Баланс: "), _ucs2("Нөмір "), _ucs2("Номер "), b"Balance: ", b"The number ")
    return [
        Scenario("a: *111# 9 0", (Step("*111#", root), Step("9", languages), Step("0", root)), _few),
        Scenario("b: *111*3#", (Step("*111*3#", balance),), lambda: _all(numbers)),
    ]


def main() -> int:
    """Runs what was asked for; exit code 1 when a screen was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--numbers", type=int, default=1_000_000, help="seeded subscribers (default: 1,000,000)")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured time a row (default: 8)")
    parser.add_argument("--in-flight", default="1,64,512", help="dialogues at a time (default: 1,64,512)")
    parser.add_argument("--only", choices=["a", "b", *PARTS], help="one part alone")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    figures: dict[str, object] = {"machine": machine()}
    print(f"machine: {machine()}")
    wrong = False
    if options.only in (None, "codec"):
        measured = codec.measure()
        print(codec.table(measured))
        figures["codec"] = measured._asdict()
    if options.only in (None, "menus"):
        of_menus = menus.measure()
        print(menus.table(of_menus))
        figures["menus"] = of_menus._asdict()
    if options.only not in PARTS:
        results = _drive(options)
        figures["turns"] = [result._asdict() for result in results]
        wrong = any(result.wrong_screens or result.refused for result in results)
    if options.only in (None, "swaps"):
        swapped = swaps.measure()
        print(swaps.table(swapped))
        figures["swaps"] = swapped._asdict()
        wrong = wrong or swaps.failed(swapped)
    if options.only in (None, "core"):
        seeded, rows = core.measure(options.numbers)
        print(core.table(seeded, options.numbers, rows))
        figures["core"] = {"seeded_seconds": seeded, "rows": [row._asdict() for row in rows]}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if wrong else 0


def _drive(options: argparse.Namespace) -> list[Result]:
    settings = own_settings(FOLDER, PORTS_FROM)
    results: list[Result] = []
    with Stack(say=print) as stack:
        start_all(stack, settings, installed_programs(), options.numbers, say=print)
        engine = next(child for child in stack.children if child.name == "ussd-engine")
        print(_HEAD)
        for scenario in scenarios(options.numbers):
            if options.only not in (None, scenario.name[0]):
                continue
            for in_flight in map(int, options.in_flight.split(",")):
                listen = settings.engine_smpp
                drive = run(
                    scenario, listen.host, listen.port, in_flight, 2.0, options.seconds, lambda: _cpu(engine.pid)
                )
                results.append(uvloop.run(drive))
                print(_row(results[-1]), flush=True)
    return results


def _cpu(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def machine() -> str:
    """What the figures were measured on, in a line."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores, {model.partition(':')[2].strip()}, Python {platform.python_version()}"


_HEAD = "\nscenario       in flight   turns/s  dialogues/s   p50 ms   p99 ms   max ms  CPU µs/turn  engine cores  wrong"


def _row(r: Result) -> str:
    return (
        f"{r.scenario:<14} {r.in_flight:>9} {r.turns_per_second:>9,.0f} {r.dialogues_per_second:>12,.0f} {r.p50:>8.2f}"
        f" {r.p99:>8.2f} {r.most:>8.2f} {r.cpu_microseconds:>12.1f} {r.engine_cores:>13.2f} {r.wrong_screens:>6}"
    )


if __name__ == "__main__":
    sys.exit(main())
