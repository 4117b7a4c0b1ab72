"""The engine's settings: section `engine:` of config.yaml, read strictly.

The record is the schema: a key that is not a field here is refused with its place. What the settings must have to do
with one another is checked in `_consistent`; nothing is checked later than at start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.contract import LANGUAGES
from smpp.limits import Limits
from smpp.states import Role
from strict_yaml import Mistake, Node, Place, Range, StrictYamlError, did_you_mean, into, laid_over, read_file

from . import msisdn, production
from .dialect import Dialect, overridden, read_dialects
from .peer_config import Address, ClientLink, LinkConfig, RawNode, RouteConfig, ServerLink

SYSTEM_ID_CHARACTERS_MAX = 15
"""SMPP 3.4 section 5.2.1, without the NUL."""
_ENGINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")
_LINK_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")


@dataclass(frozen=True)
class Network:
    """An operator's network: country, clock, and the language and currency of who has not chosen."""

    country: Literal["KZ", "KG"]
    time_zone: str
    language: str
    currency: Literal["KZT", "KGS"]


@dataclass(frozen=True)
class SmppTls:
    """Where peers bind to us over TLS, and with which certificates."""

    listen: Address
    certificate_file: str
    key_file: str
    client_ca_file: str = ""
    """Who must have signed the certificate of a peer; "": none is asked for."""


@dataclass(frozen=True)
class SessionsConfig:
    """Where dialogues are kept, and for how long without input."""

    redis_url: str | None
    idle_seconds: Annotated[float, Range(10, 3600)] = 180.0


@dataclass(frozen=True)
class RecordsConfig:
    """Where records of dialogues and SMS (CDR) are written, and how often a new file begins."""

    folder: str
    rotate_seconds: Annotated[float, Range(1, 86_400)] = 3600.0


@dataclass(frozen=True)
class HistoryConfig:
    """How many dialogues of a number customer care can look at, and for how long; 0 of either: none."""

    dialogues_max: Annotated[int, Range(0, 100)] = 5
    hours: Annotated[float, Range(0, 24 * 90)] = 72.0


@dataclass(frozen=True)
class BillingConfig:
    """How the billing core is reached."""

    url: str
    client: str
    key_file: str
    connections_max: Annotated[int, Range(1, 1000)] = 64
    hello_seconds: Annotated[float, Range(0.05, 5)] = 0.5
    hello_cache_seconds: Annotated[float, Range(0, 3600)] = 60.0
    hello_cache_numbers_max: Annotated[int, Range(0, 10_000_000)] = 100_000
    breaker_failures: Annotated[int, Range(1, 1000)] = 5
    breaker_seconds: Annotated[float, Range(0.1, 600)] = 5.0


@dataclass(frozen=True)
class EngineConfig:
    """Section `engine:`."""

    http_listen: Address
    smpp_listen: Address
    networks: dict[str, Network]
    links: dict[str, LinkConfig]
    sessions: SessionsConfig
    billing: BillingConfig
    masking_key_file: str
    name: str = "engine"
    menus: str = "menus"
    menus_watch_seconds: Annotated[float, Range(0, 3600)] = 1.0
    menus_compiled: str | None = ".data/compiled"
    maintenance_file: str = ".data/maintenance.yaml"
    records: RecordsConfig | None = None
    history: HistoryConfig = field(default_factory=HistoryConfig)
    dialects: str = "dialects"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    turns_in_flight_max: Annotated[int, Range(1, 100_000)] = 2000
    routes: dict[str, RouteConfig] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=dict)
    operators: dict[str, str] = field(default_factory=dict)
    clock_skew_seconds_max: Annotated[float, Range(1, 600)] = 60.0
    smpp_tls: SmppTls | None = None
    limits: RawNode | None = None


@dataclass(frozen=True)
class Config:
    """The whole file as the engine sees it. Section `billing_core:` is another program's, and not looked into."""

    engine: EngineConfig
    production: bool = False
    data_folder: str = ".data"
    billing_core: RawNode | None = None


class Link(NamedTuple):
    """A link with its dialect, ready for use."""

    name: str
    config: ServerLink | ClientLink
    network: Network
    dialect: Dialect
    limits: Limits = Limits()

    @property
    def role(self) -> Role:
        """Which side of its connections we are."""
        return Role.SERVER if isinstance(self.config, ServerLink) else Role.CLIENT


class Settings(NamedTuple):
    """Everything the engine was told: the file, the folder it stands in, and the links with their dialects."""

    config: Config
    folder: Path
    links: dict[str, Link]
    limits: Limits = Limits()
    """Of peers that have not said who they are."""
    file: Path = Path("config.yaml")

    @property
    def engine(self) -> EngineConfig:
        return self.config.engine

    def path(self, name: str) -> Path:
        """A path of the file, which is relative to the file's folder."""
        return (self.folder / name).resolve()

    @property
    def redis_url(self) -> str:
        """Where dialogues are kept: the configured server, else the private one in the data folder."""
        configured = self.engine.sessions.redis_url
        return configured or f"unix://{self.path(self.config.data_folder) / 'run' / 'redis.sock'}"


def read_settings(path: Path) -> Settings:
    """Reads config.yaml and the dialects it names. Raises StrictYamlError with all mistakes, and OSError."""
    node = read_file(path)
    mistakes: list[Mistake] = []
    config = into(Config, node, mistakes)
    if config is None:
        raise StrictYamlError(mistakes)
    engine = node.items["engine"]
    mistakes += _consistent(config, engine)
    links = _links(config, engine, path.parent / config.engine.dialects, mistakes)
    limits = _limits(config, None, mistakes)
    if mistakes or limits is None:
        raise StrictYamlError(mistakes)
    return Settings(config, path.parent.resolve(), links, limits, path.resolve())


def _consistent(config: Config, node: Node) -> list[Mistake]:
    mistakes: list[Mistake] = []
    for name, network in config.engine.networks.items():
        place = node.items["networks"].items[name].place
        if network.language not in LANGUAGES:
            mistakes.append(Mistake(place, f"no language '{network.language}'", f"One of {', '.join(LANGUAGES)}."))
        try:
            ZoneInfo(network.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            mistakes.append(Mistake(place, f"no time zone '{network.time_zone}'", "Write for example Asia/Almaty."))
        assert network.country in msisdn.COUNTRIES  # noqa: S101 - the record's Literal says the same
    if not _ENGINE_NAME.match(config.engine.name):
        mistakes.append(
            Mistake(
                node.items["name"].place,
                f"'{config.engine.name}' is no name",
                "Write up to 32 letters, digits, - and _.",
            )
        )
    for client in config.engine.clients.keys() & config.engine.operators.keys():
        place = node.items["operators"].items[client].place
        mistakes.append(Mistake(place, f"'{client}' is a client and an operator", "Give each a key of its own."))
    if not _is_url(config.engine.billing.url, ("http", "https")):
        place = node.items["billing"].items["url"].place
        mistakes.append(Mistake(place, f"'{config.engine.billing.url}' is no base address", "Write http://host:port."))
    redis = config.engine.sessions.redis_url
    if redis is not None and not _is_url(redis, ("redis", "rediss", "unix")):
        place = node.items["sessions"].items["redis_url"].place
        mistakes.append(
            Mistake(place, f"'{redis}' is no address of Redis", "Write redis://host:port/0 or unix:///path.")
        )
    if config.production:
        mistakes += production.mistakes(config.engine, node)
    return mistakes + _secured(config, node)


def _secured(config: Config, node: Node) -> list[Mistake]:
    """A link that wants TLS or a certificate needs a listener that has them."""
    tls, mistakes = config.engine.smpp_tls, []
    for name, link in config.engine.links.items():
        if not isinstance(link.peer, ServerLink):
            continue
        place = node.items["links"].items[name].place
        if link.peer.tls and tls is None:
            mistakes.append(Mistake(place, f"link '{name}' wants TLS, and there is no listener", "Add `smpp_tls`."))
        if link.peer.client_certificate and (tls is None or not tls.client_ca_file):
            what = f"link '{name}' wants a certificate, and nobody is asked for one"
            mistakes.append(Mistake(place, what, "Add `smpp_tls` with `client_ca_file`."))
    return mistakes


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in schemes and (url.scheme == "unix" or bool(url.hostname)) and (url.port or 1) > 0
    except ValueError:  # a port that is none, an address cut in two
        return False


def _links(config: Config, engine: Node, folder: Path, mistakes: list[Mistake]) -> dict[str, Link]:
    try:
        dialects = read_dialects(folder)
    except StrictYamlError as error:
        mistakes += error.mistakes
        return {}
    found: dict[str, Link] = {}
    accounts: dict[str, str] = {}
    for name, each in config.engine.links.items():
        link, place = each.peer, engine.items["links"].items[name].place
        if not _LINK_NAME.match(name):
            mistakes.append(Mistake(place, f"'{name}' cannot be a link's name", "Write small letters, digits and -."))
        if not 1 <= len(link.system_id) <= SYSTEM_ID_CHARACTERS_MAX or not link.system_id.isascii():
            cure = f"Write 1 to {SYSTEM_ID_CHARACTERS_MAX} ASCII characters."
            mistakes.append(Mistake(place, f"system_id '{link.system_id}'", cure))
        network = config.engine.networks.get(link.network)
        if network is None:
            what = f"link '{name}': no network '{link.network}'"
            mistakes.append(Mistake(place, what, did_you_mean(link.network, config.engine.networks)))
        if isinstance(link, ServerLink):
            mistakes += _account(name, link, place, accounts)
        if link.dialect not in dialects:
            what = f"link '{name}': no dialect '{link.dialect}'"
            mistakes.append(Mistake(place, what, did_you_mean(link.dialect, dialects)))
            continue
        fields = link.dialect_fields.node if link.dialect_fields else None
        dialect = overridden(dialects[link.dialect][1], fields, mistakes)
        limits = _limits(config, link.limits, mistakes)
        if network is not None and dialect is not None and limits is not None:
            found[name] = Link(name, link, network, dialect, limits)
    mistakes += _routes(config, engine)
    return found


def _limits(config: Config, own: RawNode | None, mistakes: list[Mistake]) -> Limits | None:
    """A link's limits: its own, over those of all links, over the defaults."""
    common = config.engine.limits
    nodes = [each.node for each in (common, own) if each is not None]
    if not nodes:
        return Limits()
    node = nodes[0] if len(nodes) == 1 else laid_over(nodes[0], nodes[1])
    limits = into(Limits, node, mistakes)
    if limits is not None and limits.window_in_max < limits.window_in:
        what = f"window_in_max {limits.window_in_max} is less than window_in {limits.window_in}"
        mistakes.append(Mistake(node.place, what, "Write a larger window_in_max: beyond it requests are throttled."))
    return limits


def _account(name: str, link: ServerLink, place: Place, accounts: dict[str, str]) -> Iterator[Mistake]:
    if link.system_id in accounts:
        what = f"account '{link.system_id}' belongs to link '{accounts[link.system_id]}' too"
        yield Mistake(place, what, "Rename one.")
    accounts[link.system_id] = name
    if not link.password_hash.startswith("$argon2id$"):
        cure = "`ussd-engine hash-password` prints one."
        yield Mistake(place, f"link '{name}': no argon2id password hash", cure)


def _routes(config: Config, engine: Node) -> Iterator[Mistake]:
    for network, route in config.engine.routes.items():
        place = engine.items["routes"].items[network].place
        if network not in config.engine.networks:
            cure = did_you_mean(network, config.engine.networks)
            yield Mistake(place, f"a route to no network '{network}'", cure)
        if not route.links:
            yield Mistake(place, "a route over no link", "Name one under `links`.")
        for link in route.links:
            if link not in config.engine.links:
                yield Mistake(place, f"a route over no link '{link}'", did_you_mean(link, config.engine.links))
        for sender in (route.sender, *route.senders.values()):
            if not 1 <= len(sender) <= (20 if sender.isdigit() else 11) or not (
                sender.isascii() and sender.isprintable()
            ):
                yield Mistake(place, f"'{sender}' is no sender", "Write up to 20 digits, or up to 11 characters.")
