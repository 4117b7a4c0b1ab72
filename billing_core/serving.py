"""`billing-core serve`: the wiring of a running core, from the configuration to the last request.

Rules of this file: SIGTERM and SIGINT end it with its requests in flight answered; a mistake of ours in one of the
tasks beside the server ends the whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Protocol

import structlog
import uvicorn

import hardening
import json_logs
from billing_core import database, key_use, production, roles
from billing_core.app import make_app
from billing_core.billers import NoBillers
from billing_core.codes import Codes
from billing_core.config import Config, Listen
from billing_core.failure import Failure, where
from billing_core.measures import Measures
from billing_core.migrator import pending, read_migrations
from billing_core.operations import Domains, make_operations
from billing_core.passwords import Hasher
from billing_core.provisioning import NoNetwork, SimulatedNetwork
from billing_core.relay import Engine, Relay
from billing_core.sealer import Sealer
from billing_core.sealing import Seal
from billing_core.simulated_biller import SimulatedBiller
from billing_core.sweeper import Sweeper
from billing_core.tools import Tools
from masking import Masker

if TYPE_CHECKING:
    from fastapi import FastAPI

KEEPALIVE_SECONDS = 75
"""Longer than clients keep an idle connection (`billing.http_client`), so that none is closed under a request."""
SHUTDOWN_SECONDS_MAX = 5
BACKLOG = 2048


class Beside(Protocol):
    """What runs beside the server until it is stopped."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...


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


def make_hasher(config: Config) -> Hasher:
    """The hasher, as the configuration has it. Raises ConfigError."""
    cost, (pepper, *older) = config.core.hashing, config.peppers()
    return Hasher(
        pepper, cost.waiting_max, threads=cost.threads, memory_kib=cost.memory_kib, passes=cost.passes, older=older
    )


@contextlib.asynccontextmanager
async def tools_over(
    config: Config, pool: database.Pool, measures: Measures
) -> AsyncGenerator[tuple[Tools, SimulatedBiller], None]:
    """What the domains work with, closed at the end. Raises ConfigError."""
    hasher, biller = make_hasher(config), SimulatedBiller(pool)
    try:
        seal, codes = Seal(*config.notice_keys()), Codes(*config.peppers())
        billers = biller if config.core.simulated else NoBillers()
        yield Tools(config.core, hasher, seal, codes, billers, measures), biller
    finally:
        await biller.close()
        hasher.close()


async def serve(config: Config) -> None:
    """Serves until it is told to end. Raises Failure and ConfigError, and what `database.UNAVAILABLE` lists."""
    hardening.keep_memory_private()
    refuse_unsafe_files(config)
    json_logs.configure(config.core.log_level, Masker(config.masking_key()))
    clients, core, measures, url = config.clients(), config.core, Measures(), config.database_url()
    engine = Engine(core.engine_url, core.relay_client, config.relay_key())
    listening = bind(core.http_listen)
    pool = await database.open_pool(url, core.pool_max)
    try:
        async with pool.acquire() as connection:
            await refuse_unready(connection)
            await key_use.refuse_missing_peppers(connection, config.peppers())
        async with tools_over(config, pool, measures) as (tools, biller):
            domains = Domains(tools)
            biller.tell = lambda payment, answer: domains.payments.settle(pool, payment, answer)
            skew = core.clock_skew_seconds_max
            app = make_app(pool, clients, make_operations(domains), measures, clock_skew_seconds_max=skew)
            network = SimulatedNetwork() if core.simulated else NoNetwork()
            beside: list[Beside] = [
                Relay(pool, url, engine, tools.seal, measures, notices_max=core.relay_notices_max),
                Sweeper(pool, domains.payments, network, measures, core.wallet.people_after_minutes),
                Sealer(pool, config.seal_keys()[0]),
            ]
            logger = structlog.stdlib.get_logger("billing_core")
            host, port = listening.getsockname()[:2]
            logger.info("serving", listen=f"{host}:{port}", database=where(url), clients=sorted(clients))
            async with running(*beside):
                await make_server(app).serve(sockets=[listening])
            logger.info("ended")
    finally:
        listening.close()
        await close(pool)


def refuse_unsafe_files(config: Config) -> None:
    """Raises Failure for what `production: true` refuses of files."""
    if config.production and (unsafe := production.unsafe_files(config)):
        more = f" (and {len(unsafe) - 1} more)" if len(unsafe) > 1 else ""
        raise Failure(f"`production: true` refuses: {unsafe[0]}{more}")


async def refuse_unready(connection: database.Connection) -> None:
    """Raises Failure for a database that lacks migrations, or a role that may change what the ledger has."""
    if missing := await pending(connection, read_migrations()):
        raise Failure(f"the database lacks {len(missing)} migrations: run `billing-core migrate`")
    if await roles.may_change_ledger(connection):
        raise Failure(
            "the role of billing_core.database_url could change the ledger: serve as another one than the owner, whom "
            "`billing-core migrate` gives its rights"
        )


@contextlib.asynccontextmanager
async def running(*beside: Beside) -> AsyncGenerator[None, None]:
    """Runs tasks beside what the block does. A mistake of ours that ends one ends the block as well."""
    async with asyncio.TaskGroup() as tasks:
        for each in beside:
            tasks.create_task(each.run())
        try:
            yield
        finally:
            for each in beside:
                each.stop()


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


async def close(pool: database.Pool) -> None:
    """Closes it, by force when its connections are still at work."""
    try:
        await asyncio.wait_for(pool.close(), SHUTDOWN_SECONDS_MAX)
    except database.UNAVAILABLE:
        pool.terminate()


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
        raise Failure(f"cannot listen at {listen.host}:{listen.port}: {error.strerror or error}") from None
    return bound
