"""The command line of the billing core: `billing-core serve | migrate | seed | …`.

Rules of this file: every error that an operator can cause is one line on standard error, with exit code 2 for the
configuration and 1 for the rest.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import uuid
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

import failpoints
from billing.contract import CURRENCIES, MONEY_MINOR_MOST, Count, Msisdn
from billing_core import commands, database, seeding
from billing_core.config import Config, ConfigError, read_config
from billing_core.failure import Failure, where
from billing_core.migrator import SchemaError
from billing_core.serving import serve
from strict_yaml import StrictYamlError

MISSED_CALLS_MAX = 999

_SUM = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?\Z", re.ASCII)
_EXAMPLES = """examples:
  billing-core migrate                      bring the database of config.yaml up to the schema
  billing-core seed --numbers 100000        add subscribers and catalogues for trying
  billing-core serve --config my.yaml       serve until SIGTERM
  billing-core topup 77010000007 500        500 tenge come to the account, and an SMS says so
  billing-core missed-call 77010000007 --from 77010000008 --times 2
  billing-core perform wallet.top_up 996555000007 sum=1000 place=branch-1
  billing-core perform numbers.register 77010000007 number=77012345678 code=- document="passport N1" city=almaty
  billing-core vouchers --count 100 --sum 1000 --currency KZT > vouchers.txt
  billing-core verify --json                is the ledger what was sealed, and does it add up?
  billing-core reconcile                    payments whose biller has not answered for long
  billing-core reconcile 6f2b1f0e-… --paid  … and what people have found out of one
  billing-core purge                        forget personal data that is older than `keeping:` says
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = read_config(options.config)
        if why := failpoints.refusal(os.environ, production=config.production):
            raise ConfigError(why)
        uvloop.run(_command(options, config))
    except (StrictYamlError, ConfigError) as error:
        print(f"billing-core: {error}", file=sys.stderr)
        return 2
    except Failure as error:
        print(f"billing-core: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="billing-core",
        description="The reference billing core: accounts, tariffs and subscribers over signed HTTP.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=Path("config.yaml"), help="default: config.yaml")
    to_people = argparse.ArgumentParser(add_help=False, parents=[common])
    to_people.add_argument("--json", action="store_true", help="one JSON document on standard output")
    add = parser.add_subparsers(dest="command", required=True, metavar="COMMAND").add_parser
    add("serve", parents=[common], help="answer requests, hand SMS over, settle what is open, until SIGTERM")
    add("migrate", parents=[common], help="bring the database up to the schema, and give the serving role its rights")
    _add_seed(add("seed", parents=[common], help="add subscribers and catalogues for trying; changes nothing twice"))
    of_one = argparse.ArgumentParser(add_help=False, parents=[common])
    of_one.add_argument("msisdn", metavar="MSISDN", type=_msisdn, help="E.164 digits: 77010000007")
    _add_top_up(add("topup", parents=[of_one], help="money comes to the prepaid account; an SMS says so"))
    _add_missed_call(add("missed-call", parents=[of_one], help="the phone is on again after a call; an SMS"))
    performing = add("perform", parents=[common], help="any operation of the contract, answered as JSON")
    performing.add_argument("operation", metavar="OPERATION", help="docs/billing-operations.md lists them")
    performing.add_argument("msisdn", metavar="MSISDN", type=_msisdn, help="whom it is about")
    performing.add_argument(
        "arguments", metavar="NAME=VALUE", nargs="*", help="money in whole units; `-`: a secret is asked"
    )
    performing.add_argument("--id", type=uuid.UUID, help="under one id it is done once")
    _add_vouchers(add("vouchers", parents=[common], help="make vouchers; their digits stand nowhere else"))
    verifying = add("verify", parents=[to_people], help="look whether the ledger is what was sealed, and adds up")
    verifying.add_argument(
        "--expect", metavar="N:HASH", type=_seal, help="a seal that was noted before: was the end cut?"
    )
    reconciling = add("reconcile", parents=[to_people], help="payments that wait for people")
    reconciling.add_argument("intent", metavar="INTENT", nargs="?", type=uuid.UUID, help="one of them, to be decided")
    deciding = reconciling.add_mutually_exclusive_group()
    deciding.add_argument("--paid", dest="decided", action="store_const", const="paid", help="the biller has it")
    deciding.add_argument("--not-paid", dest="decided", action="store_const", const="not paid", help="it never will")
    add("keys", parents=[to_people], help="what still needs which key, when one was changed")
    add("purge", parents=[common], help="forget personal data that is older than the configuration says")
    return parser


def _add_seed(seeding_parser: argparse.ArgumentParser) -> None:
    default = seeding.KCELL_NUMBERS
    seeding_parser.add_argument("--numbers", "-n", type=int, default=default, help=f"of kcell (default {default})")
    free = seeding.FREE_NUMBERS
    seeding_parser.add_argument("--free-numbers", type=int, default=free, help=f"to be reserved (default {free})")


def _add_top_up(paying: argparse.ArgumentParser) -> None:
    paying.add_argument("sum_minor", metavar="SUM", type=_sum_minor, help="in the account's currency: 500 or 499.50")
    paying.add_argument("--id", type=uuid.UUID, help="a UUID of the payment: under one id it happens once")


def _add_missed_call(missing: argparse.ArgumentParser) -> None:
    missing.add_argument("--from", dest="caller", metavar="MSISDN", type=_msisdn, required=True, help="who called")
    missing.add_argument("--times", type=_times, default=1, help=f"how often (default 1, at most {MISSED_CALLS_MAX})")


def _add_vouchers(making: argparse.ArgumentParser) -> None:
    making.add_argument("--count", type=int, required=True, help="how many")
    making.add_argument("--sum", dest="sum_minor", type=_sum_minor, required=True, help="what each is worth")
    making.add_argument("--currency", choices=CURRENCIES, required=True)


def _msisdn(text: str) -> str:
    if wrong := Msisdn().wrong(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no number: it {wrong}")
    return text


def _sum_minor(text: str) -> int:
    """A sum as people write it, in hundredths."""
    parts = _SUM.match(text)
    minor = int(parts[1]) * 100 + int((parts[2] or "").ljust(2, "0")) if parts else 0
    if not 0 < minor <= MONEY_MINOR_MOST:
        raise argparse.ArgumentTypeError(f"'{text}' is no sum: write 500 or 499.50")
    return minor


def _seal(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,18}:[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no seal: write it as `verify` prints it")
    return text


def _times(text: str) -> int:
    if not text.isdecimal() or Count(MISSED_CALLS_MAX).wrong(int(text)) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not 1 to {MISSED_CALLS_MAX}")
    return int(text)


async def _command(options: argparse.Namespace, config: Config) -> None:
    url = config.database_url()
    try:
        await _chosen(options, config)
    except (SchemaError, database.UnsafeDatabase) as error:
        raise Failure(str(error)) from None
    except database.UNAVAILABLE as error:
        raise Failure(f"the database at {where(url)} does not serve: {error or type(error).__name__}") from None
    except asyncpg.PostgresError as error:
        raise Failure(f"the database at {where(url)} refuses: {error}") from None


def _chosen(options: argparse.Namespace, config: Config) -> Coroutine[Any, Any, None]:
    given = options
    match options.command:
        case "serve":
            return serve(config)
        case "migrate":
            return commands.migrate_schema(config)
        case "seed":
            return commands.seed(config, given.numbers, given.free_numbers)
        case "topup":
            return commands.top_up(config, given.msisdn, given.sum_minor, given.id or uuid.uuid4())
        case "missed-call":
            return commands.missed_call(config, given.msisdn, given.caller, given.times)
        case "perform":
            call_id = given.id or uuid.uuid4()
            return commands.perform(config, given.operation, given.msisdn, given.arguments, call_id)
        case "vouchers":
            return commands.make_vouchers(config, given.count, given.sum_minor, given.currency)
        case "verify":
            return commands.verify(config, given.json, given.expect)
        case "reconcile":
            if (given.intent is None) != (given.decided is None):
                raise Failure("to decide a payment, write its id and --paid or --not-paid")
            return commands.reconcile(config, given.intent, given.decided, given.json)
        case "keys":
            return commands.keys(config, given.json)
        case "purge":
            return commands.forget(config)
    raise AssertionError(options.command)


if __name__ == "__main__":
    sys.exit(main())
