"""The one place where the parts are wired together: what the engine is made of, how it starts and how it stops."""
# long because: it is the one place, and whatever the parts are made from stands beside them

from __future__ import annotations

import asyncio
import gc
import os
import random
import secrets
import signal
import time
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

import failpoints
import hardening
import json_logs
from billing.http_client import HttpBilling
from billing.signing import keys_from_file
from masking import Masker
from sessions.redis_log import RedisLog
from sessions.redis_neighbours import RedisNeighbours
from sessions.redis_shelf import RedisShelf
from sessions.redis_store import RedisStore
from sessions.store import StoreAway
from smpp.listen import Listener, listen
from smpp.pdu import BindPdu
from smpp.reactor import reactor_on
from smpp.tls import ClientTls, ServerTls, TlsError, client_options, server_options
from smpp.upstream import BIND_OF_MODE, Upstream
from strict_yaml import StrictYamlError

from . import compiler, menu_folder, production
from .accounts import Accounts
from .announce import Announcer
from .asking_on import AskingOn
from .binds import Binds
from .chronicle import Chronicle
from .compiler import CompilerFailed
from .config import Settings, SmppTls
from .dialogues import Dialogues
from .greeting import Greetings
from .http import HttpSide, Probe
from .language import menu_file
from .language.catalog import Catalog
from .link_metrics import LinkMetrics
from .link_states import LinkStates
from .menu_watch import MenuWatch
from .metrics import Metrics
from .operator_side import OperatorSide
from .outbox import Outbox
from .peer_config import Address, ClientLink
from .push import Pushes, PushSide
from .queues import Queues
from .reception import Reception
from .record import moment
from .record_files import RecordFiles, RecordsBusy
from .recordings import Recordings
from .signed import ClientKeys
from .sms_turn import SmsTurns
from .starts import Starts
from .trace import Traces
from .turn import Ports, Turns
from .versions import Versions
from .witness import EngineWitness
from .work import Work

PASSWORD_CHARACTERS_MAX = 8
"""Of an ESME to its centre: SMPP 3.4 section 5.2.2, without the NUL."""
DRAIN_SECONDS_MAX = 10.0
"""How long a stopping engine waits for turns that are being worked on."""
METRICS_SECONDS = 1.0
VERSIONS = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50}
EXIT_AT_ONCE = 3
"""The exit code of an engine that was asked to stop a second time."""


class StartError(Exception):
    """The engine cannot start; the text is one clear line."""


async def serve(settings: Settings) -> None:
    """Runs the engine until SIGTERM or SIGINT. Raises StartError, StrictYamlError."""
    if why := failpoints.refusal(os.environ, production=settings.config.production):
        raise StartError(why)
    hardening.keep_memory_private()
    refuse_unsafe_files(settings)
    read = menu_folder.fingerprint(settings.path(settings.engine.menus))
    json_logs.configure(settings.engine.log_level, _masker(settings))
    catalog = await _first_catalog(settings)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, _asked_to_stop, stop)
    async with AsyncExitStack() as closing:
        engine = _Engine(settings, catalog, closing)
        await engine.open()
        engine.watch.begin_with(read)
        loop.add_signal_handler(signal.SIGHUP, lambda: engine.work.begin(_reload(engine.watch)))
        _calm_garbage_collector()
        await stop.wait()
        await engine.stop()


def refuse_unsafe_files(settings: Settings) -> None:
    """Raises StartError for what `production: true` refuses of files."""
    if settings.config.production and (unsafe := production.unsafe_files(settings)):
        more = f" (and {len(unsafe) - 1} more)" if len(unsafe) > 1 else ""
        raise StartError(f"`production: true` refuses: {unsafe[0]}{more}")


def _asked_to_stop(stop: asyncio.Event) -> None:
    """Once: what is being worked on is ended first. Twice: at once."""
    if stop.is_set():
        os._exit(EXIT_AT_ONCE)
    stop.set()


async def _first_catalog(settings: Settings) -> Catalog:
    try:
        kept = compiler.folder_of(settings, structlog.get_logger().warning)
        result = await compiler.compile_once(compiler.job_of(settings), kept)
    except CompilerFailed as error:
        raise StartError(str(error)) from None
    if result.mistakes:
        raise StrictYamlError(result.mistakes)
    return await compiler.catalog_from(result, {})


async def _reload(watch: MenuWatch) -> None:
    watch.look_at_switches()
    await watch.reload()


class _Engine:
    """The parts of one engine process, and what they are to one another. `closing` closes them, the last first."""

    def __init__(self, settings: Settings, catalog: Catalog, closing: AsyncExitStack) -> None:
        self.settings = settings
        self._closing = closing
        self._loop = asyncio.get_running_loop()
        self._process = secrets.token_hex(3)
        self._metrics = Metrics()
        self._store = RedisStore(settings.redis_url)
        self._shelf = RedisShelf(settings.redis_url, f"menu:{menu_file.FORMAT}:")
        self._billing = _billing(settings)
        idle_seconds = settings.engine.sessions.idle_seconds
        self._versions = Versions(catalog, self._shelf, self._loop.time, idle_seconds)
        self._recordings = Recordings(self._loop.time)
        self._log = self._history_log()
        self._chronicle = Chronicle(
            self._record_files(), self._log, self._store, self._metrics, self._loop.time, time.time, idle_seconds
        )
        self._binds = Binds()
        self._queues = Queues()
        self._states = LinkStates(settings.links, self._loop.time, time.time)
        self._metrics.registry.register(LinkMetrics(self._states, self._binds.in_flight))
        self._traces = Traces(self._binds, self._loop.time, self._addresses)
        self._listeners: list[Listener] = []
        self._upstreams: list[Upstream] = []
        self._http: HttpSide | None = None
        self._outbox = Outbox(
            self._binds, self._queues, settings.engine.routes, self._metrics, self._loop.time, time.time,
            random.random, self._chronicle.sms,
        )  # fmt: skip
        self.work = Work(self._metrics, settings.engine.turns_in_flight_max)
        self._asking_on = AskingOn(self._billing, self.work)
        self._neighbours = RedisNeighbours(settings.redis_url, self._process)
        self._ports = self._make_ports()
        self._turns = Turns(self._ports)
        self._dialogues = Dialogues(self._turns, self._binds, self._queues, self.work, self._metrics)
        self.watch = MenuWatch(settings, self._versions, self._turns.switch_off, time.time)

    async def open(self) -> None:
        """Opens all parts, those that serve the others first. Raises StartError."""
        closing = self._closing
        for close in (self._store.close, self._shelf.close, self._close_log, self._chronicle.close):
            closing.push_async_callback(close)
        self._neighbours.open(self._dialogues.standing)
        closing.push_async_callback(self._neighbours.close)
        await self._billing.start()
        closing.push_async_callback(self._billing.close)
        closing.callback(self._asking_on.stop)
        accounts = Accounts(self.settings.links, self._loop.time, self._metrics.passwords_evaluated.inc)
        closing.callback(accounts.close)
        self.watch.look_at_switches()
        await self._versions.keep()
        for work in (
            self._dialogues.sweep(), self._chronicle.keep_on(), self._versions.keep_on(), self.watch.watch(),
            self._show_menus(), self.work.watch_lag(self._loop),
        ):  # fmt: skip
            closing.callback(self._loop.create_task(work).cancel)
        await self._open_smpp(accounts)
        await self._open_http()
        engine = self.settings.engine
        structlog.get_logger().info("serving", smpp=str(engine.smpp_listen), http=str(engine.http_listen))

    async def stop(self) -> None:
        """Accepts nobody, ends what is being worked on, unbinds; `DRAIN_SECONDS_MAX` and an unbind's time at most."""
        structlog.get_logger().info("stopping")
        for listener in self._listeners:
            await listener.stop_listening()
        http = self._http
        if http is not None:
            http.takes_notices = False
        await self.work.drain(
            DRAIN_SECONDS_MAX, lambda: self._dialogues.has_work or (http is not None and http.is_busy)
        )
        closing = [each.close() for each in self._listeners] + [each.close() for each in self._upstreams]
        await asyncio.gather(*closing)

    async def _open_smpp(self, accounts: Accounts) -> None:
        settings = self.settings
        bind_pdus = {
            name: bind_pdu(settings, link.config)
            for name, link in settings.links.items()
            if isinstance(link.config, ClientLink)
        }
        reception = Reception(
            self._dialogues, SmsTurns(self._ports, self._turns), self._outbox, self._binds, settings.links,
            self._chronicle, accounts, self.work, self._metrics, self._states, self._traces, bind_pdus, self._process,
            _masker(settings),
        )  # fmt: skip
        reactor = reactor_on(self._loop)
        self._metrics.shows(
            self._billing.breakers,
            lambda: float(len(asyncio.all_tasks(self._loop))),
            lambda: float(len(reactor.getDelayedCalls())),
        )
        for upstream in _upstreams(reactor, settings, reception, bind_pdus):
            self._closing.push_async_callback(upstream.close)
            self._upstreams.append(upstream)
            upstream.start()
        for listener in await _listen(reactor, settings, reception):
            self._closing.push_async_callback(listener.close)
            self._listeners.append(listener)

    async def _open_http(self) -> None:
        settings, engine = self.settings, self.settings.engine
        store, billing = self._store, self._billing
        probes: dict[str, Probe] = {"sessions": lambda: _sessions_probe(store), "billing": lambda: billing.ready(1.0)}
        announcer = Announcer(self._versions, engine.networks, self._outbox, time.time)
        operators = OperatorSide(
            self.watch, self._log.last if self._log else None, self._recordings, _keys(settings, engine.operators),
            self._states, self._binds, self._traces,
        )  # fmt: skip
        clients = _keys(settings, engine.clients)
        pushes = Pushes(
            self._dialogues, self._turns, self._binds, settings.links, engine.routes, engine.networks, self.work
        )
        push_side = PushSide(pushes, clients, self._metrics, self._loop.time)
        http = HttpSide(
            self._metrics, probes, announcer, clients, self._loop.time, self._health,
            [*operators.routes, *push_side.routes],
        )  # fmt: skip
        self._http = http
        self._closing.push_async_callback(http.close)
        try:
            await http.start(engine.http_listen)
        except OSError as error:
            raise StartError(f"engine.http_listen: cannot listen on {engine.http_listen}: {error.strerror}") from None

    def _health(self) -> dict[str, Any]:
        """What `/health` tells of menus."""
        state = self.watch.state
        refused = None
        if state.refused_at is not None:
            refused = {"at": moment(state.refused_at), "mistakes": list(state.refused)}
        menus = {"version": state.version, "since": moment(state.since), "refused": refused}
        return {"menus": menus, "switched_off": sorted(self._turns.off)}

    async def _show_menus(self) -> None:
        while True:
            watch = self.watch
            refused = watch.state.refused_at is not None
            self._metrics.menus(self._versions.count, watch.swaps, watch.refusals, refused=refused)
            await asyncio.sleep(METRICS_SECONDS)

    def _addresses(self) -> frozenset[str]:
        """The codes, short numbers and names that are ours."""
        routes = self.settings.engine.routes.values()
        senders = {sender for route in routes for sender in (route.sender, *route.senders.values())}
        return self._versions.current.addresses | senders

    def _record_files(self) -> RecordFiles | None:
        records = self.settings.engine.records
        if records is None:
            return None
        folder = self.settings.path(records.folder)
        try:
            return RecordFiles(folder, self.settings.engine.name, records.rotate_seconds, time.time)
        except RecordsBusy as error:
            raise StartError(str(error)) from None
        except OSError as error:
            raise StartError(f"engine.records: {folder} cannot be written: {error.strerror}") from None

    def _history_log(self) -> RedisLog | None:
        kept = self.settings.engine.history
        if not kept.dialogues_max or not kept.hours:
            return None
        return RedisLog(self.settings.redis_url, "history:", kept.dialogues_max, kept.hours * 3600)

    async def _close_log(self) -> None:
        if self._log is not None:
            await self._log.close()

    def _make_ports(self) -> Ports:
        billing = self.settings.engine.billing
        greetings = Greetings(
            self._billing, self._loop.time, new_id, billing.hello_seconds, billing.hello_cache_seconds,
            billing.hello_cache_numbers_max, self._metrics.call_made,
        )  # fmt: skip
        witness = EngineWitness(self._metrics, self._chronicle, self._recordings)
        return Ports(
            self._versions, self._store, self._billing, greetings, witness, self._loop.time, time.time, new_id,
            self.settings.engine.sessions.idle_seconds, self._process,
            Starts(self._loop.time, self._metrics.too_often.inc).admits, self._asking_on.ask, self._neighbours,
        )  # fmt: skip


def _masker(settings: Settings) -> Masker:
    return Masker(key_of(settings, settings.engine.masking_key_file))


def _keys(settings: Settings, files: Mapping[str, str]) -> ClientKeys:
    keys = {name: keys_of(settings, file) for name, file in files.items()}
    return ClientKeys(keys, settings.engine.clock_skew_seconds_max)


def _calm_garbage_collector() -> None:
    """A turn makes hundreds of small objects and no cycles: looking through all of them every 700 costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _listen(reactor: AsyncioSelectorReactor, settings: Settings, reception: Reception) -> list[Listener]:
    engine = settings.engine
    wanted: list[tuple[str, Address, ServerTls | None]] = [("smpp_listen", engine.smpp_listen, None)]
    if engine.smpp_tls is not None:
        wanted.append(("smpp_tls.listen", engine.smpp_tls.listen, _server_tls(settings, engine.smpp_tls)))
    listeners = []
    for key, address, tls in wanted:
        try:
            listeners.append(await listen(reactor, address.host, address.port, reception, settings.limits, tls=tls))
        except OSError as error:
            raise StartError(f"engine.{key}: cannot listen on {address}: {error}") from None
    return listeners


def _server_tls(settings: Settings, tls: SmppTls) -> ServerTls:
    client_ca = settings.path(tls.client_ca_file) if tls.client_ca_file else None
    try:
        return server_options(settings.path(tls.certificate_file), settings.path(tls.key_file), client_ca)
    except TlsError as error:
        raise StartError(f"engine.smpp_tls: {error}") from None


def client_tls(settings: Settings, name: str, link: ClientLink) -> ClientTls | None:
    """How we speak TLS to this peer; None: not at all. Raises StartError."""
    tls = link.tls
    if tls is None:
        return None
    certificate = settings.path(tls.certificate_file) if tls.certificate_file else None
    key = settings.path(tls.key_file) if tls.key_file else certificate
    try:
        return client_options(tls.name or link.address.host, settings.path(tls.ca_file), certificate, key)
    except TlsError as error:
        raise StartError(f"engine.links.{name}.tls: {error}") from None


def _upstreams(
    reactor: AsyncioSelectorReactor, settings: Settings, reception: Reception, bind_pdus: Mapping[str, BindPdu]
) -> list[Upstream]:
    """One for each link that we bind to ourselves."""
    return [
        Upstream(
            reactor, name, link.config.address.host, link.config.address.port, bind_pdus[name],
            reception, link.limits, binds=link.config.binds, random=random.random, clock=time.time,
            tls=client_tls(settings, name, link.config),
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
        system_id=link.system_id,
        password=password,
        system_type=link.system_type,
        interface_version=VERSIONS[link.interface_version],
    )


def _billing(settings: Settings) -> HttpBilling:
    billing = settings.engine.billing
    return HttpBilling(
        billing.url,
        billing.client,
        key_of(settings, billing.key_file),
        connections_max=billing.connections_max,
        breaker_failures=billing.breaker_failures,
        breaker_seconds=billing.breaker_seconds,
    )


def new_id() -> str:
    """A new UUID (version 4) in text."""
    return str(uuid.uuid4())


async def _sessions_probe(store: RedisStore) -> str | None:
    try:
        await store.ready()
    except StoreAway as error:
        return str(error)
    return None


def key_of(settings: Settings, name: str) -> bytes:
    """The key in use in a file that the configuration names. Raises StartError."""
    return keys_of(settings, name)[0]


def keys_of(settings: Settings, name: str) -> tuple[bytes, ...]:
    """All keys in such a file, the one in use first. Raises StartError."""
    path = settings.path(name)
    try:
        return keys_from_file(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StartError(f"the key file {path} cannot be used: {reason} (`make run` makes it)") from None
