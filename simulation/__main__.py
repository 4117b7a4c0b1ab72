"""`python -m simulation`: runs seeds, and says which of them break something, and how to see it again."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable

from .run import Verdict, run

CODE_BROKEN = 1


def main(arguments: list[str] | None = None) -> int:
    """0 when everything held."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="how many seeds are run (default 200)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="SEED", help="the first of them")
    parser.add_argument("--seed", type=int, metavar="SEED", help="one seed alone")
    parser.add_argument("--trace", action="store_true", help="every event as a line")
    parser.add_argument("--json", action="store_true", help="a line of JSON a seed")
    asked = parser.parse_args(arguments)
    seeds = range(asked.first, asked.first + asked.seeds) if asked.seed is None else (asked.seed,)
    return CODE_BROKEN if _run(seeds, trace=asked.trace, as_json=asked.json) else 0


def _run(seeds: Iterable[int], *, trace: bool, as_json: bool) -> list[Verdict]:
    """Those that broke something."""
    began, count, events, broken = time.perf_counter(), 0, 0, []
    for seed in seeds:
        verdict = run(seed, print if trace else None)
        count, events = count + 1, events + verdict.events
        if as_json:
            print(json.dumps({**verdict._asdict(), "last": verdict.last if verdict.broken else []}), flush=True)
        elif verdict.broken:
            print(told(verdict), flush=True)
        if verdict.broken:
            broken.append(verdict)
    seconds = time.perf_counter() - began
    if not as_json:
        rate = f"{count / seconds:.0f} seeds a second, {events / max(1, count):.0f} events a seed"
        print(f"{count} seeds in {seconds:.1f} s ({rate}): {f'{len(broken)} broken' if broken else 'everything held'}")
    return broken


def told(verdict: Verdict) -> str:
    """What broke, what came before it, and how to see it again."""
    again = f"python -m simulation --seed {verdict.seed} --trace"
    return "\n".join([f"seed {verdict.seed}: {verdict.broken}", *verdict.last, f"again: {again}", ""])


if __name__ == "__main__":
    sys.exit(main())
