"""The command line of the billing core: `billing-core serve | migrate | seed`.

Rules of this file (the only wiring): every error that an operator can cause is one line on standard error, with exit
code 2 for the configuration and 1 for the rest; SIGTERM and SIGINT end `serve` with 0, its requests in flight answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import asyncpg
import structlog
import uvicorn
import uvloop

from billing_core import database, log, seed
from billing_core.app import make_app
from billing_core.config import Config, ConfigError, Listen, read_config
from billing_core.migrator import SchemaError, migrate, pending, read_migrations
from masking import Masker
from strict_yaml import StrictYamlError

if TYPE_CHECKING:
    from fastapi import FastAPI

KEEPALIVE_SECONDS = 75
"""Longer than clients keep an idle connection (`billing.http_client`), so that none is closed under a request."""
SHUTDOWN_SECONDS_MAX = 5
BACKLOG = 2048

_EXAMPLES = """examples:
  billing-core migrate                      bring the database of config.yaml up to the schema
  billing-core seed --numbers 100000        add subscribers for trying
  billing-core serve --config my.yaml       serve until SIGTERM
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
    commands = parser.add_subparsers(dest="command", required=True, metavar="serve | migrate | seed")
    commands.add_parser("serve", parents=[common], help="answer requests until SIGTERM")
    commands.add_parser("migrate", parents=[common], help="bring the database up to the schema")
    seeding = commands.add_parser("seed", parents=[common], help="add subscribers for trying; changes nothing twice")
    seeding.add_argument(
        *("--numbers", "-n"),
        type=int,
        default=seed.KCELL_NUMBERS,
        help=f"numbers of kcell (default {seed.KCELL_NUMBERS})",
    )
    return parser


async def _command(options: argparse.Namespace, config: Config) -> None:
    url = config.database_url()
    try:
        if options.command == "serve":
            await _serve(config, url)
        elif options.command == "migrate":
            await _migrate(url)
        else:
            await _seed(url, options.numbers)
    except (SchemaError, database.UnsafeDatabase) as error:
        raise _Failure(str(error)) from None
    except database.UNAVAILABLE as error:
        raise _Failure(f"the database at {_where(url)} does not serve: {error or type(error).__name__}") from None
    except asyncpg.PostgresError as error:
        raise _Failure(f"the database at {_where(url)} refuses: {error}") from None


async def _serve(config: Config, url: str) -> None:
    log.configure(config.core.log_level, Masker(config.masking_key()))
    keys = config.client_keys()
    listening = bind(config.core.http_listen)
    pool = await database.open_pool(url, config.core.pool_max)
    try:
        async with pool.acquire() as connection:
            if missing := await pending(connection, read_migrations()):
                raise _Failure(f"the database lacks {len(missing)} migrations: run `billing-core migrate`")
        app = make_app(pool, keys, clock_skew_seconds_max=config.core.clock_skew_seconds_max)
        logger = structlog.stdlib.get_logger("billing_core")
        host, port = listening.getsockname()[:2]
        logger.info("serving", listen=f"{host}:{port}", database=_where(url), clients=sorted(keys))
        await make_server(app).serve(sockets=[listening])
        logger.info("ended")
    finally:
        listening.close()
        await _close(pool)


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
    connection = await asyncpg.connect(url, timeout=database.CONNECT_SECONDS_MAX)
    try:
        if await pending(connection, read_migrations()):
            raise _Failure("the database has not the whole schema: run `billing-core migrate`")
        added = await seed.seed(connection, numbers, _show_progress)
    finally:
        await connection.close()
    print(f"added {added} subscribers")


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
