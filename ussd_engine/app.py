"""The one place where the parts are wired together: what the engine is made of, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
import time
import uuid

import structlog

from billing.http_client import HttpBilling
from billing.signing import key_from_file
from masking import Masker
from sessions.redis_store import RedisStore
from sessions.store import StoreAway
from smpp.limits import Limits
from smpp.listen import Listener, listen
from smpp.reactor import reactor_on
from strict_yaml import StrictYamlError

from . import logs, talk
from .accounts import Accounts
from .catalog import Catalog, read_catalog
from .config import Settings
from .greeting import Greetings
from .http import HttpSide
from .metrics import Metrics
from .reception import Reception
from .turn import Ports, Turns

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
    engine = settings.engine
    logs.set_up(engine.log_level, Masker(_key(settings, engine.masking_key_file)))
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    metrics = Metrics()
    store = RedisStore(settings.redis_url)
    billing = _billing(settings)
    await billing.start()
    accounts = Accounts(settings.links, loop.time)
    reception = _reception(settings, catalog, store, billing, accounts, metrics)
    http = HttpSide(metrics, {"sessions": lambda: _sessions_probe(store), "billing": lambda: billing.ready(1.0)})
    sweeper = loop.create_task(reception.sweep())
    listener: Listener | None = None
    try:
        listener = await _listen(settings, reception)
        try:
            await http.start(engine.http_listen)
        except OSError as error:
            raise StartError(f"engine.http_listen: cannot listen on {engine.http_listen}: {error.strerror}") from None
        _calm_garbage_collector()
        structlog.get_logger().info("serving", smpp=str(engine.smpp_listen), http=str(engine.http_listen))
        await stop.wait()
        await reception.drain(DRAIN_SECONDS_MAX)
    finally:
        sweeper.cancel()
        if listener is not None:
            await listener.close()
        await http.close()
        await billing.close()
        await store.close()
        accounts.close()


def _calm_garbage_collector() -> None:
    """A turn makes hundreds of small objects and no cycles: looking through all of them every 700 costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _listen(settings: Settings, reception: Reception) -> Listener:
    address = settings.engine.smpp_listen
    reactor = reactor_on(asyncio.get_running_loop())
    try:
        return await listen(reactor, address.host, address.port, reception, Limits())
    except OSError as error:
        raise StartError(f"engine.smpp_listen: cannot listen on {address}: {error}") from None


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


def _reception(
    settings: Settings,
    catalog: Catalog,
    store: RedisStore,
    billing: HttpBilling,
    accounts: Accounts,
    metrics: Metrics,
) -> Reception:
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
    ports = Ports(catalog, store, billing, greetings, metrics, now, time.time, new_id, engine.sessions.idle_seconds)
    return Reception(Turns(ports), accounts, metrics, now, engine.turns_in_flight_max, secrets.token_hex(3))


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
