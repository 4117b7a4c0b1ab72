"""What the billing core reads of `config.yaml`, and the key files that it names.

Rules of this file: paths are relative to the configuration file; an unknown key is a mistake with its place; the
engine's section is left to the engine.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from billing.signing import keys_from_file
from billing_core import production
from billing_core.passwords import MEMORY_KIB, PASSES, THREADS, WAITING_MAX
from billing_core.rules import Rules
from billing_core.sealer import seal_key
from strict_yaml import Mistake, Node, Range, StrictYamlError, into, read_file

SOCKET_PATH_OCTETS_MAX = 107
"""What fits into sockaddr_un with its closing zero; a longer path is cut without a word (unix(7))."""

PRIVATE_OWNER, PRIVATE_SERVING, PRIVATE_DATABASE, PRIVATE_PORT = "ussd", "ussd_serving", "billing", 5432


class ConfigError(Exception):
    """Something an operator must put right before the core can start; the text is one line for them."""


class Listen(NamedTuple):
    """Where to listen, written `host:port`; IPv6 as `[::1]:8081`. Port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def from_yaml(cls, node: Node, mistakes: list[Mistake]) -> Listen | None:
        host, colon, port = str(node.value).rpartition(":")
        if isinstance(node.value, str) and host and colon and port.isdecimal() and int(port) < 65536:
            return cls(host.strip("[]"), int(port))
        mistakes.append(Mistake(node.place, "not an address to listen at", "Write it as 127.0.0.1:8081."))
        return None


_LISTEN = Listen("127.0.0.1", 8081)


class _Unread:
    """A section that belongs to another program."""

    @classmethod
    def from_yaml(cls, _node: Node, _mistakes: list[Mistake]) -> _Unread:
        return cls()


class Client(NamedTuple):
    """Who may call: its HMAC keys, and as whom it asks (`billing.operation.ASKERS`)."""

    keys: tuple[bytes, ...]
    may: frozenset[str]


@dataclass(frozen=True)
class ClientSection:
    """Who may call: `key_file` has its HMAC keys, `may` tells as whom it asks (`billing.operation.ASKERS`)."""

    key_file: str
    may: tuple[Literal["subscriber", "office", "payments", "network"], ...]


@dataclass(frozen=True)
class HashingSection:
    """The section `hashing:`: what a PIN or password costs to hash, and how many may wait for it."""

    memory_kib: Annotated[int, Range(8, 1_048_576)] = MEMORY_KIB
    passes: Annotated[int, Range(1, 100)] = PASSES
    threads: Annotated[int, Range(1, 64)] = THREADS
    waiting_max: Annotated[int, Range(1, 10_000)] = WAITING_MAX


@dataclass(frozen=True)
class CoreSection(Rules):
    """The section `billing_core:`; each line of it is explained in `config.yaml`."""

    http_listen: Listen = _LISTEN
    database_url: str | None = None
    owner_database_url: str | None = None
    pool_max: Annotated[int, Range(1, 200)] = 8
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    clients: dict[str, ClientSection] | None = None
    hashing: HashingSection = field(default_factory=HashingSection)
    clock_skew_seconds_max: Annotated[int, Range(1, 600)] = 60
    pepper_file: str = ".data/keys/pepper"
    seal_key_file: str = ".data/keys/seals"
    notice_key_file: str = ".data/keys/notices"
    engine_url: str = "http://127.0.0.1:8080"
    relay_client: str = "billing-core"
    relay_key_file: str = ".data/keys/billing-core"
    relay_notices_max: Annotated[int, Range(1, 1000)] = 16
    simulated: bool = True


@dataclass(frozen=True)
class _File:
    billing_core: CoreSection
    production: bool = False
    data_folder: str = ".data"
    engine: _Unread | None = None


@dataclass(frozen=True)
class Config:
    """The configuration with paths made whole. Key files are read when they are asked for."""

    core: CoreSection
    file: Path
    data_folder: Path
    production: bool = False

    @property
    def folder(self) -> Path:
        """Where the file stands: paths in it are relative to that."""
        return self.file.parent

    def database_url(self) -> str:
        """The address of the database, for who serves; without one in the file, that of the private server in the data
        folder.

        Raises ConfigError when the private server has no password yet or its socket's path is too long.
        """
        return self.core.database_url or self._private_url(PRIVATE_SERVING, "postgres-serving")

    def owner_database_url(self) -> str:
        """The same, for who owns the schema: migrations, seeding, forgetting. Raises ConfigError likewise."""
        if self.core.owner_database_url is not None:
            return self.core.owner_database_url
        if self.core.database_url is not None:
            raise ConfigError("billing_core.owner_database_url is missing: the role that owns the schema")
        return self._private_url(PRIVATE_OWNER, "postgres")

    def serving_role(self) -> str:
        """The name of the role that serves. Raises ConfigError when its address names none."""
        user = urlsplit(self.database_url()).username
        if not user:
            raise ConfigError("billing_core.database_url names no user: the role that serves")
        return unquote(user)

    def _private_url(self, user: str, key: str) -> str:
        run = self.data_folder / "run"
        if len(os.fsencode(run / f".s.PGSQL.{PRIVATE_PORT}")) > SOCKET_PATH_OCTETS_MAX:
            raise ConfigError(
                f"the socket path in {run} is longer than {SOCKET_PATH_OCTETS_MAX} octets: set data_folder"
            )
        password = _keys(self.data_folder / "keys" / key)[0].decode()
        where = f"host={quote(str(run), safe='')}&port={PRIVATE_PORT}"
        return f"postgresql://{user}:{quote(password)}@/{PRIVATE_DATABASE}?{where}"

    def clients(self) -> dict[str, Client]:
        """Who may call, and as whom. Raises ConfigError for a key file that is not there or too short."""
        return {
            name: Client(_keys(self.folder / section.key_file), frozenset(section.may))
            for name, section in (self.core.clients or {}).items()
        }

    def masking_key(self) -> bytes:
        """The key under which numbers in logs are hashed: made from the pepper, and of no use to find it. Raises
        ConfigError as `clients` does."""
        return hmac.digest(self.peppers()[0], b"billing core: numbers in logs", hashlib.sha256)

    def peppers(self) -> tuple[bytes, ...]:
        """What hashes of passwords and codes need beside the database: the one in use, and those before it. Raises
        ConfigError as `clients` does."""
        return _keys(self.folder / self.core.pepper_file)

    def seal_keys(self) -> tuple[bytes, ...]:
        """The keys of the ledger's seals, likewise."""
        return tuple(seal_key(each) for each in _keys(self.folder / self.core.seal_key_file))

    def notice_keys(self) -> tuple[bytes, ...]:
        """The keys under which secret arguments of notices lie in the database, likewise."""
        return _keys(self.folder / self.core.notice_key_file)

    def relay_key(self) -> bytes:
        """The key under which notices to the engine are signed. Raises ConfigError likewise."""
        return _keys(self.folder / self.core.relay_key_file)[0]


def read_config(path: Path) -> Config:
    """Reads the file. Raises StrictYamlError with every mistake and its place, and ConfigError when it is not there."""
    try:
        node = read_file(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    mistakes: list[Mistake] = []
    file = into(_File, node, mistakes)
    if file is not None:
        mistakes += _beyond_types(file, node)
    if file is None or mistakes:
        raise StrictYamlError(mistakes)
    whole = path.resolve()
    return Config(file.billing_core, whole, whole.parent / file.data_folder, file.production)


def _beyond_types(file: _File, node: Node) -> list[Mistake]:
    core = node.items["billing_core"]
    mistakes = []
    if not file.billing_core.clients:
        place = core.items.get("clients", core).place
        mistakes.append(Mistake(place, "nobody may call", "Add `clients: {engine: {key_file: …, may: [subscriber]}}`."))
    for key in ("database_url", "owner_database_url"):
        url = getattr(file.billing_core, key)
        if url is not None and not url.startswith(("postgresql://", "postgres://")):
            mistakes.append(Mistake(core.items[key].place, "not an address of PostgreSQL", "Write postgresql://…"))
    if file.production:
        mistakes += production.mistakes(file.billing_core, core)
    engine = urlsplit(file.billing_core.engine_url)
    place = core.items.get("engine_url", core).place
    if engine.scheme not in ("http", "https") or not engine.hostname:
        mistakes.append(Mistake(place, "not an address of an engine", "Write it as http://127.0.0.1:8080."))
    return mistakes


def _keys(path: Path) -> tuple[bytes, ...]:
    try:
        return keys_from_file(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"key file {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"key file {path}: {error}") from None
