"""`python -m billing.conformance`: does an implementation keep what the billing contract promises?

Rules of this file: exit code 0 when every promise that was tried is kept, 1 when one is broken or the core does not
answer, 2 for a command that cannot be run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from billing.conformance.asking import SECONDS_MAX, Client, Gone
from billing.conformance.ground import Wallet
from billing.conformance.running import Plan, Report, Verdict, run
from billing.contract import Digits, Msisdn
from billing.signing import key_from_file

NUMBER: Final = "77010000007"
"""An active number of every seeded reference core."""
BREACHES_SHOWN_MAX: Final = 5
_NAME_WIDTH: Final = 24
_LINE_CHARACTERS_MAX: Final = 118

_ABOUT = """\
Looks whether a running billing core keeps the promises of the billing contract
(docs/billing.md): a line for each promise, what was expected and what came where one
is broken, and a summary. It takes a key, and a number for trying that nobody else uses
meanwhile.

What it does to that number is harmless, and this is all of it:
  its language is set, and put back (a number without one keeps `ru`);
  0.01 of its currency comes to its account, twice;
  quotes are made that are never confirmed, and end by themselves;
  a few SMS of these things may be sent to it.
With --wallet, the least sum is paid from it once: to the wallet --to, or to the account
of its own number. One wrong PIN is tried each time, and then the right one: the wallet
must not be in use, and an office may have to reset its PIN after some runs.
Everything that should be turned away is asked of 999999999999999, which nobody holds."""

_EXAMPLES = """\
examples:
  python -m billing.conformance http://127.0.0.1:8081 --client engine --key-file .data/keys/engine \\
      --other-client desk --other-key-file .data/keys/desk
  python -m billing.conformance http://127.0.0.1:8081 --client engine --key-file .data/keys/engine \\
      --wallet 996555000007 --pin 4640
  python -m billing.conformance https://core.example --client engine --key-file engine.key \\
      --number 996555123456 --json > conformance.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the kit and returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        plan = _plan(options)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror or error}")
    except ValueError as error:
        parser.error(str(error))
    try:
        report = asyncio.run(run(plan, (lambda _: None) if options.json else _print))
    except ValueError as error:
        parser.error(str(error))
    except Gone as gone:
        print(f"{plan.url} does not answer: {gone}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps(report.as_json(plan), ensure_ascii=False, indent=2))
    else:
        print(_summary(report))
    return 1 if report.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m billing.conformance",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="base address of the core: https://core.example")
    add("--client", required=True, metavar="NAME", help="who asks: may ask for what subscribers do, as the engine does")
    add("--key-file", required=True, type=Path, metavar="FILE", help="its HMAC key")
    add("--other-client", metavar="NAME", help="a client that may ask for other things: the desk's")
    add("--other-key-file", type=Path, metavar="FILE", help="its HMAC key")
    add("--number", default=NUMBER, metavar="MSISDN", help=f"an active number for trying (default: {NUMBER})")
    add("--wallet", metavar="MSISDN", help="a number for trying that has a wallet with some money in it")
    add("--pin", help="the PIN of that wallet")
    add("--to", default="", metavar="MSISDN", help="another wallet for trying, that the money goes to")
    add("--seconds", type=float, default=SECONDS_MAX, help=f"deadline of each request (default: {SECONDS_MAX:g})")
    add("--json", action="store_true", help="one JSON document on standard output, at the end")
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    """What the command line says. Raises OSError and ValueError."""
    if (options.other_client is None) != (options.other_key_file is None):
        raise ValueError("--other-client and --other-key-file belong together")
    if (options.wallet is None) != (options.pin is None) or (options.to and options.wallet is None):
        raise ValueError("--wallet and --pin belong together, and --to with them")
    if options.seconds <= 0:
        raise ValueError("--seconds must be above 0")
    for name in ("number", "wallet", "to"):
        if (value := getattr(options, name)) and (wrong := Msisdn().wrong(value)):
            raise ValueError(f"--{name}: {wrong}")
    if options.pin is not None and (wrong := Digits(4, 4).wrong(options.pin)):
        raise ValueError(f"--pin: {wrong}")
    other = Client(options.other_client, _key(options.other_key_file)) if options.other_client else None
    wallet = Wallet(options.wallet, options.pin, options.to) if options.wallet else None
    return Plan(
        options.url, Client(options.client, _key(options.key_file)), options.number, other, wallet, options.seconds
    )


def _key(path: Path) -> bytes:
    try:
        return key_from_file(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _print(verdict: Verdict) -> None:
    """The line of a promise, and what was wrong with it."""
    print(f"{verdict.word:8}{verdict.promise.name:{_NAME_WIDTH}} {verdict.promise.means}")
    if verdict.not_tried:
        print(f"{'':8}{verdict.not_tried}")
    for breach in verdict.breaches[:BREACHES_SHOWN_MAX]:
        for name, text in zip(("asked:", "expected:", "came:"), breach, strict=True):
            begin = f"{'':8}{name:10}"
            print(textwrap.fill(text, _LINE_CHARACTERS_MAX, initial_indent=begin, subsequent_indent=" " * 18))
    if (more := len(verdict.breaches) - BREACHES_SHOWN_MAX) > 0:
        print(f"{'':8}… and {more} more; --json has all of them")
    sys.stdout.flush()


def _summary(report: Report) -> str:
    requests = sum(verdict.requests for verdict in report.verdicts)
    seconds = sum(verdict.seconds for verdict in report.verdicts)
    counted = f"{report.count('ok')} kept, {report.count('FAILED')} broken, {report.count('skipped')} not tried"
    broken = f"\nbroken: {', '.join(report.failed)}" if report.failed else ""
    return f"{counted}; {requests} requests in {seconds:.1f} s{broken}"


if __name__ == "__main__":
    sys.exit(main())
