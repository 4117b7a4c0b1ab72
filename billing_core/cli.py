"""The command line of the billing core: `billing-core serve | migrate | seed | topup | missed-call | identity-proven`.

Rules of this file (the only wiring): every error that an operator can cause is one line on standard error, with exit
code 2 for the configuration and 1 for the rest; SIGTERM and SIGINT end `serve` with 0, its requests in flight answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import socket
import sys
import uuid
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import asyncpg
import structlog
import uvicorn
import uvloop

import json_logs
from billing.calls import Refused
from billing.contract import MONEY_MINOR_MOST, Count, Msisdn
from billing_core import cabinet, database, missed_calls, payments, seed
from billing_core.app import make_app
from billing_core.cabinet import Cabinet
from billing_core.config import Config, ConfigError, Listen, read_config
from billing_core.measures import Measures
from billing_core.migrator import SchemaError, migrate, pending, read_migrations
from billing_core.operations import make_operations
from billing_core.passwords import Hasher
from billing_core.relay import Engine, Relay
from billing_core.sealing import Seal
from masking import Masker
from strict_yaml import StrictYamlError

if TYPE_CHECKING:
    from fastapi import FastAPI

KEEPALIVE_SECONDS = 75
"""Longer than clients keep an idle connection (`billing.http_client`), so that none is closed under a request."""
SHUTDOWN_SECONDS_MAX = 5
BACKLOG = 2048
MISSED_CALLS_MAX = 999

_SUM = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?\Z", re.ASCII)
_REFUSED = {
    "UNKNOWN_NUMBER": "nobody holds this number",
    "CLOSED": "the number is closed",
    "TOO_MUCH": "an account cannot hold so much",
    "OTHER_PAYMENT": "another payment was made under this id",
}
_EXAMPLES = """examples:
  billing-core migrate                      bring the database of config.yaml up to the schema
  billing-core seed --numbers 100000        add subscribers for trying
  billing-core serve --config my.yaml       serve until SIGTERM
  billing-core topup 77010000007 500        500 tenge come to the account, and an SMS says so
  billing-core missed-call 77010000007 --from 77010000008 --times 2
  billing-core identity-proven 77010000007  wrong passwords of the cabinet count from nothing again
"""


class _Failure(Exception):
    """An expected end; the text is the line an operator reads."""


class _Server(uvicorn.Server):
    """uvicorn inside our loop. By itself it raises the signal anew at the end, and the exit code would not be 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        self.force_exit = self.should_exit  # a second signal does not wait for requests in flight
        self.should_exit = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = read_config(options.config)
        uvloop.run(_command(options, config))
    except (StrictYamlError, ConfigError) as error:
        print(f"billing-core: {error}", file=sys.stderr)
        return 2
    except _Failure as error:
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
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", parents=[common], help="answer requests, and hand SMS over, until SIGTERM")
    commands.add_parser("migrate", parents=[common], help="bring the database up to the schema")
    seeding = commands.add_parser("seed", parents=[common], help="add subscribers for trying; changes nothing twice")
    seeding.add_argument(
        *("--numbers", "-n"),
        type=int,
        default=seed.KCELL_NUMBERS,
        help=f"numbers of kcell (default {seed.KCELL_NUMBERS})",
    )
    of_one = argparse.ArgumentParser(add_help=False, parents=[common])
    of_one.add_argument("msisdn", metavar="MSISDN", type=_msisdn, help="E.164 digits: 77010000007")
    paying = commands.add_parser("topup", parents=[of_one], help="money comes to the prepaid account; an SMS says so")
    paying.add_argument("sum_minor", metavar="SUM", type=_sum_minor, help="in the account's currency: 500 or 499.50")
    paying.add_argument("--id", type=uuid.UUID, help="a UUID of the payment: under one id it happens once")
    missing = commands.add_parser("missed-call", parents=[of_one], help="the phone is on again after a call; an SMS")
    missing.add_argument("--from", dest="caller", metavar="MSISDN", type=_msisdn, required=True, help="who called")
    missing.add_argument("--times", type=_times, default=1, help=f"how often (default 1, at most {MISSED_CALLS_MAX})")
    commands.add_parser("identity-proven", parents=[of_one], help="an identity document was seen: unlock the cabinet")
    return parser


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


def _times(text: str) -> int:
    if not text.isdecimal() or Count(MISSED_CALLS_MAX).wrong(int(text)) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not 1 to {MISSED_CALLS_MAX}")
    return int(text)


async def _command(options: argparse.Namespace, config: Config) -> None:
    url = config.database_url()
    try:
        match options.command:
            case "serve":
                await _serve(config, url)
            case "migrate":
                await _migrate(url)
            case "seed":
                await _seed(url, options.numbers)
            case "topup":
                await _top_up(url, options.msisdn, options.sum_minor, options.id or uuid.uuid4())
            case "missed-call":
                await _missed_call(url, options.msisdn, options.caller, options.times)
            case "identity-proven":
                await _identity_proven(url, options.msisdn)
    except (SchemaError, database.UnsafeDatabase) as error:
        raise _Failure(str(error)) from None
    except database.UNAVAILABLE as error:
        raise _Failure(f"the database at {_where(url)} does not serve: {error or type(error).__name__}") from None
    except asyncpg.PostgresError as error:
        raise _Failure(f"the database at {_where(url)} refuses: {error}") from None


async def _serve(config: Config, url: str) -> None:
    json_logs.configure(config.core.log_level, Masker(config.masking_key()))
    keys, core, measures = config.client_keys(), config.core, Measures()
    seal, hasher = Seal(config.notice_key()), Hasher(config.pepper())
    engine = Engine(core.engine_url, core.relay_client, config.relay_key())
    listening = bind(core.http_listen)
    pool = await database.open_pool(url, core.pool_max)
    try:
        async with pool.acquire() as connection:
            if missing := await pending(connection, read_migrations()):
                raise _Failure(f"the database lacks {len(missing)} migrations: run `billing-core migrate`")
        passwords = Cabinet(core.cabinet, hasher, seal, measures.password_ceiling.inc)
        operations = make_operations(passwords, core.inbox)
        app = make_app(pool, keys, operations, measures, clock_skew_seconds_max=core.clock_skew_seconds_max)
        relay = Relay(pool, url, engine, seal, measures, notices_max=core.relay_notices_max)
        logger = structlog.stdlib.get_logger("billing_core")
        host, port = listening.getsockname()[:2]
        logger.info("serving", listen=f"{host}:{port}", database=_where(url), clients=sorted(keys))
        async with running(relay):
            await make_server(app).serve(sockets=[listening])
        logger.info("ended")
    finally:
        listening.close()
        hasher.close()
        await _close(pool)


@contextlib.asynccontextmanager
async def running(relay: Relay) -> AsyncGenerator[None, None]:
    """Runs a relay beside what the block does. A mistake of ours that ends it ends the block as well."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run())
        try:
            yield
        finally:
            relay.stop()


def make_server(app: FastAPI) -> uvicorn.Server:
    """The HTTP server for the app, to be awaited inside a loop: `serve(sockets=[…])`."""
    return _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEPALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
        )
    )


async def _close(pool: database.Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), SHUTDOWN_SECONDS_MAX)
    except database.UNAVAILABLE:
        pool.terminate()


async def _migrate(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=database.CONNECT_SECONDS_MAX)
    try:
        applied = await migrate(connection, read_migrations())
    finally:
        await connection.close()
    print("\n".join(f"applied {name}" for name in applied) or "nothing to apply")


async def _seed(url: str, numbers: int) -> None:
    if not 1 <= numbers <= seed.KCELL_NUMBERS_MAX:
        raise _Failure(f"--numbers must be 1 to {seed.KCELL_NUMBERS_MAX}")
    async with _migrated(url) as connection:
        added = await seed.seed(connection, numbers, _show_progress)
    print(f"added {added} subscribers")


async def _top_up(url: str, msisdn: str, sum_minor: int, payment_id: uuid.UUID) -> None:
    async with _migrated(url) as connection:
        paid = await payments.top_up(connection, payment_id, msisdn, sum_minor, "cli")
    if isinstance(paid, Refused):
        raise _Failure(_REFUSED[paid.code])
    when = "came before" if paid.repeated else "came"
    balance = f"{_shown(paid.balance_minor)} {paid.currency} on the account of {msisdn} then"
    print(f"{_shown(paid.sum_minor)} {paid.currency} {when} under {payment_id}: {balance}")


async def _missed_call(url: str, msisdn: str, caller: str, times: int) -> None:
    async with _migrated(url) as connection:
        reported = await missed_calls.report(connection, str(uuid.uuid4()), msisdn, caller, times)
    if isinstance(reported, Refused):
        raise _Failure(_REFUSED[reported.code])
    print(f"{msisdn} will be told")


async def _identity_proven(url: str, msisdn: str) -> None:
    async with _migrated(url) as connection:
        if not await cabinet.prove_identity(connection, msisdn):
            raise _Failure("nobody has tried a password of this number's cabinet")
    print(f"wrong passwords for the cabinet of {msisdn} count from nothing again")


@contextlib.asynccontextmanager
async def _migrated(url: str) -> AsyncGenerator[database.Connection, None]:
    """A connection to a database that has the whole schema. Raises _Failure otherwise."""
    connection = await asyncpg.connect(url, timeout=database.CONNECT_SECONDS_MAX)
    try:
        if await pending(connection, read_migrations()):
            raise _Failure("the database has not the whole schema: run `billing-core migrate`")
        yield connection
    finally:
        await connection.close()


def _shown(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def _show_progress(done: int, total: int) -> None:
    print(f"seeding: {done} of {total} numbers", file=sys.stderr)


def bind(listen: Listen) -> socket.socket:
    """A socket that listens there. Raises the line an operator reads when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. Head and body of an answer are two writes, and the second would wait 40 ms for an ACK;
    # uvloop sets it by itself, asyncio's own loop does not for a socket that was bound before.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        bound.bind((listen.host, listen.port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise _Failure(f"cannot listen at {listen.host}:{listen.port}: {error.strerror or error}") from None
    return bound


def _where(url: str) -> str:
    """An address without user and password."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    return f"{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


if __name__ == "__main__":
    sys.exit(main())
