"""`make bench`: the system as `make run` starts it, with a million numbers, driven over SMPP; a table and JSON.

The engine, the core, Redis and PostgreSQL are processes of their own, as ever; the driver is this process. On two cores
the driver, the core and both databases share what the engine leaves.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import uvloop

from bench import codec, core, menus, mix, pairs, swaps
from bench.driver import Result, Scenario, Step, run
from bench.figures import HEAD, cpu_seconds, machine, row
from bench.numbers import FIRST_NUMBER, either, in_turn, spread
from bench.own import own_settings
from stack.programs import installed_programs
from stack.together import Stack, start_all

FOLDER = Path(".build/bench")
WARM_NUMBERS = 5_000
"""Numbers of the menu scenario: few enough that their greeting is remembered."""
PORTS_FROM = 20000
PARTS = ("codec", "pairs", "menus", "mix", "swaps", "core")
"""What is measured beside turns: the codec, pairs of submit_sm and response, menus without I/O, a mix of services, live
change under load, the core."""


def scenarios(numbers: int) -> list[Scenario]:
    """What is measured: (a) a walk of three steps without calls, (b) the balance with its two calls."""
    root, languages = either("3 "), either("1 ")
    # Some seeded numbers have chosen a language, and some are blocked or closed, and are told so.
    balance = either("Баланс: ", "Нөмір ", "Номер ", "Balance: ", "The number ")
    walk = (Step("*111#", root), Step("9", languages), Step("0", root))
    return [
        Scenario("a: *111# 9 0", walk, lambda: in_turn(FIRST_NUMBER, WARM_NUMBERS)),
        Scenario("b: *111*3#", (Step("*111*3#", balance),), lambda: spread(FIRST_NUMBER, numbers)),
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
    figures |= _alone(options.only)
    if options.only not in PARTS:
        results = _drive(options)
        figures["turns"] = [result._asdict() for result in results]
        wrong = any(result.wrong_screens or result.refused for result in results)
    if options.only in (None, "mix"):
        mixed = mix.measure(options.numbers, _many(options.in_flight), options.seconds)
        figures["mix"] = mixed.figures()
        wrong = wrong or mixed.failed
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


def _alone(only: str | None) -> dict[str, object]:
    """The parts that need no system beside them."""
    found: dict[str, object] = {}
    if only in (None, "codec"):
        measured = codec.measure()
        print(codec.table(measured))
        found["codec"] = measured._asdict()
    if only in (None, "pairs"):
        of_pairs = pairs.measure()
        print(pairs.table(of_pairs))
        found["pairs"] = pairs.figures(of_pairs)
    if only in (None, "menus"):
        of_menus = menus.measure()
        print(menus.table(of_menus))
        found["menus"] = of_menus._asdict()
    return found


def _many(in_flight: str) -> list[int]:
    return [int(each) for each in in_flight.split(",")]


def _drive(options: argparse.Namespace) -> list[Result]:
    settings = own_settings(FOLDER, PORTS_FROM)
    results: list[Result] = []
    with Stack(say=print) as stack:
        start_all(stack, settings, installed_programs(), options.numbers, say=print)
        engine = next(child for child in stack.children if child.name == "ussd-engine")
        print(HEAD)
        for scenario in scenarios(options.numbers):
            if options.only not in (None, scenario.name[0]):
                continue
            for in_flight in _many(options.in_flight):
                listen = settings.engine_smpp
                drive = run(
                    scenario, listen.host, listen.port, in_flight, 2.0, options.seconds, lambda: cpu_seconds(engine.pid)
                )
                results.append(uvloop.run(drive))
                print(row(results[-1]), flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
