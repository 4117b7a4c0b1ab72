"""The one place where the parts are wired together: what the engine is made of, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
import signal
import time
import uuid
from contextlib import AsyncExitStack

import structlog
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

import json_logs
from billing.http_client import HttpBilling
from billing.signing import key_from_file
from masking import Masker
from sessions.redis_store import RedisStore
from sessions.store import StoreAway
from smpp.limits import Limits
from smpp.listen import Listener, listen
from smpp.pdu import BindPdu
from smpp.reactor import reactor_on
from smpp.upstream import BIND_OF_MODE, Upstream
from strict_yaml import StrictYamlError

from . import talk
from .accounts import Accounts
from .announce import Announcer
from .binds import Binds
from .catalog import Catalog, read_catalog
from .config import ClientLink, Settings
from .dialogues import Dialogues
from .greeting import Greetings
from .http import ClientKeys, HttpSide, Probe
from .metrics import Metrics
from .outbox import Outbox
from .reception import Reception
from .sms_turn import SmsTurns
from .turn import Ports, Turns
from .work import Work

PASSWORD_CHARACTERS_MAX = 8
"""Of an ESME to its centre: SMPP 3.4 section 5.2.2, without the NUL."""
DRAIN_SECONDS_MAX = 10.0
"""How long a stopping engine waits for turns that are being worked on."""


class StartError(Exception):
    """The engine cannot start; the text is one clear line."""


def load_catalog(settings: Settings) -> Catalog:
    """Reads all menus and plays the tests beside them. Raises StrictYamlError with every mistake."""
    catalog = read_catalog(settings.path(settings.engine.menus), settings.engine.networks)
    failures = talk.play_all(catalog)
    if failures:
        raise StrictYamlError(failure.mistake for failure in failures)
    return catalog


async def serve(settings: Settings) -> None:
    """Runs the engine until SIGTERM or SIGINT. Raises StartError, StrictYamlError."""
    catalog = load_catalog(settings)
    json_logs.configure(settings.engine.log_level, Masker(_key(settings, settings.engine.masking_key_file)))
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with AsyncExitStack() as closing:
        work = await _open(settings, catalog, closing)
        _calm_garbage_collector()
        await stop.wait()
        await work.drain(DRAIN_SECONDS_MAX)


async def _open(settings: Settings, catalog: Catalog, closing: AsyncExitStack) -> Work:
    """Makes and opens all parts; `closing` closes them in the opposite order."""
    engine, loop = settings.engine, asyncio.get_running_loop()
    metrics = Metrics()
    store = RedisStore(settings.redis_url)
    closing.push_async_callback(store.close)
    billing = _billing(settings)
    await billing.start()
    closing.push_async_callback(billing.close)
    accounts = Accounts(settings.links, loop.time)
    closing.callback(accounts.close)
    binds = Binds()
    outbox = Outbox(binds, engine.routes, metrics, loop.time)
    ports = _ports(settings, catalog, store, billing, metrics)
    turns, work = Turns(ports), Work(metrics, engine.turns_in_flight_max)
    dialogues = Dialogues(turns, binds, work, metrics)
    closing.callback(loop.create_task(dialogues.sweep()).cancel)
    reception = Reception(
        dialogues, SmsTurns(ports, turns), outbox, binds, settings.links, catalog, accounts, work, metrics,
        secrets.token_hex(3),
    )  # fmt: skip
    reactor = reactor_on(loop)
    for upstream in _upstreams(reactor, settings, reception):
        closing.push_async_callback(upstream.close)
        upstream.start()
    listener = await _listen(reactor, settings, reception)
    closing.push_async_callback(listener.close)
    probes: dict[str, Probe] = {"sessions": lambda: _sessions_probe(store), "billing": lambda: billing.ready(1.0)}
    announcer = Announcer(catalog, engine.networks, outbox, time.time)
    await _serve_http(settings, HttpSide(metrics, probes, announcer, _client_keys(settings), loop.time), closing)
    structlog.get_logger().info("serving", smpp=str(engine.smpp_listen), http=str(engine.http_listen))
    return work


def _client_keys(settings: Settings) -> ClientKeys:
    engine = settings.engine
    return ClientKeys(
        {name: _key(settings, file) for name, file in engine.clients.items()}, engine.clock_skew_seconds_max
    )


async def _serve_http(settings: Settings, http: HttpSide, closing: AsyncExitStack) -> None:
    address = settings.engine.http_listen
    closing.push_async_callback(http.close)
    try:
        await http.start(address)
    except OSError as error:
        raise StartError(f"engine.http_listen: cannot listen on {address}: {error.strerror}") from None


def _calm_garbage_collector() -> None:
    """A turn makes hundreds of small objects and no cycles: looking through all of them every 700 costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _limits(settings: Settings) -> Limits:
    return Limits(response_seconds_max=settings.engine.sms_response_seconds_max)


async def _listen(reactor: AsyncioSelectorReactor, settings: Settings, reception: Reception) -> Listener:
    address = settings.engine.smpp_listen
    try:
        return await listen(reactor, address.host, address.port, reception, _limits(settings))
    except OSError as error:
        raise StartError(f"engine.smpp_listen: cannot listen on {address}: {error}") from None


def _upstreams(reactor: AsyncioSelectorReactor, settings: Settings, reception: Reception) -> list[Upstream]:
    """One for each link that we bind to ourselves."""
    return [
        Upstream(
            reactor, name, link.config.address.host, link.config.address.port, bind_pdu(settings, link.config),
            reception, _limits(settings), binds=link.config.binds, random=random.random, clock=time.time,
        )
        for name, link in settings.links.items()
        if isinstance(link.config, ClientLink)
    ]  # fmt: skip


def bind_pdu(settings: Settings, link: ClientLink) -> BindPdu:
    """How we bind to this peer. Raises StartError when the password's file cannot be read."""
    path = settings.path(link.password_file)
    try:
        password = path.read_text().rstrip("\r\n")
    except OSError as error:
        raise StartError(f"the password file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StartError(f"the password file {path} is not text") from None
    if not 1 <= len(password) <= PASSWORD_CHARACTERS_MAX or not password.isascii():
        raise StartError(f"the password in {path} must have 1 to {PASSWORD_CHARACTERS_MAX} ASCII characters")
    return BIND_OF_MODE[link.bind](
        system_id=link.system_id, password=password, system_type=link.system_type, interface_version=0x34
    )


def _billing(settings: Settings) -> HttpBilling:
    billing = settings.engine.billing
    return HttpBilling(
        billing.url,
        billing.client,
        _key(settings, billing.key_file),
        connections_max=billing.connections_max,
        breaker_failures=billing.breaker_failures,
        breaker_seconds=billing.breaker_seconds,
    )


def _ports(settings: Settings, catalog: Catalog, store: RedisStore, billing: HttpBilling, metrics: Metrics) -> Ports:
    engine = settings.engine
    now = asyncio.get_running_loop().time
    greetings = Greetings(
        billing,
        now,
        new_id,
        engine.billing.hello_seconds,
        engine.billing.hello_cache_seconds,
        engine.billing.hello_cache_numbers_max,
    )
    return Ports(catalog, store, billing, greetings, metrics, now, time.time, new_id, engine.sessions.idle_seconds)


def new_id() -> str:
    """A new UUID (version 4) in text."""
    return str(uuid.uuid4())


async def _sessions_probe(store: RedisStore) -> str | None:
    try:
        await store.ready()
    except StoreAway as error:
        return str(error)
    return None


def _key(settings: Settings, name: str) -> bytes:
    path = settings.path(name)
    try:
        return key_from_file(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StartError(f"the key file {path} cannot be used: {reason} (`make run` makes it)") from None
