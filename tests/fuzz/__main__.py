"""Octets changed at random against the SMPP layer.

examples:
  python -m tests.fuzz --cases 200000            a fresh seed, which is printed
  python -m tests.fuzz --cases 200000 --seed 7   the same cases again
  python -m tests.fuzz --seed 7 --only 4711      one case again
  python -m tests.fuzz --replay 00000010...      these octets in every situation, cut in many ways
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from random import Random
from typing import NamedTuple

from tests.fuzz.judge import SITUATIONS, judge, judge_codec, judge_pieces
from tests.fuzz.mutation import cuts_of, make_case

PROGRESS_SECONDS = 10.0
REPLAY_CUTS = 50
SEED_OCTETS = 4


class Campaign(NamedTuple):
    """Cases that were run, all of them well."""

    seed: int
    cases: int
    seconds: float
    cases_per_second: float


def run(cases: int, seed: int, *, say: bool = False) -> Campaign:
    """Runs the cases 0 to `cases` of a seed; the first that fails is printed, and its exception goes on."""
    begun = told = time.monotonic()
    number = 0
    good = False
    try:
        for number in range(cases):
            judge(make_case(seed, number))
            if say and not number & 0xFF and time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                print(f"{number:,} of {cases:,} cases, {number / (told - begun):,.0f} a second", file=sys.stderr)
        good = True
    finally:
        if not good:
            print(f"FAILED: {make_case(seed, number)}\nagain: python -m tests.fuzz --seed {seed} --only {number}")
    seconds = time.monotonic() - begun
    return Campaign(seed, cases, round(seconds, 2), round(cases / seconds))


def replay(octets: bytes) -> None:
    """Octets in every situation: one by one, and cut in `REPLAY_CUTS` ways."""
    judge_codec(octets)
    random = Random(0)  # the same cuts each time
    for begin in SITUATIONS:
        judge_pieces(begin, octets, range(1, len(octets)))
        for _ in range(REPLAY_CUTS):
            judge_pieces(begin, octets, cuts_of(random, len(octets)))


def fresh_seed() -> int:
    """A seed that nobody knows yet."""
    return int.from_bytes(os.urandom(SEED_OCTETS), "big")


def main() -> None:
    """Ends with a traceback and exit code 1 at the first case that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=200_000, help="how many (default: 200,000)")
    parser.add_argument("--seed", type=int, help="of all cases (default: a fresh one)")
    parser.add_argument("--only", type=int, metavar="N", help="the case of this number alone; needs --seed")
    parser.add_argument("--replay", type=bytes.fromhex, metavar="HEX", help="these octets alone")
    parser.add_argument("--json", action="store_true", help="the end as one JSON object")
    options = parser.parse_args()
    if options.only is not None and options.seed is None:
        parser.error("--only needs --seed")
    if options.replay is not None:
        replay(options.replay)
        print("good")
    elif options.only is not None:
        case = make_case(options.seed, options.only)
        print(case)
        judge(case)
        print("good")
    else:
        seed = fresh_seed() if options.seed is None else options.seed
        print(f"{options.cases:,} cases of seed {seed}", file=sys.stderr)
        done = run(options.cases, seed, say=True)
        print(json.dumps(done._asdict()) if options.json else f"{done.cases:,} cases in {done.seconds} s: all good")


if __name__ == "__main__":
    main()
