"""What `production: true` refuses of the engine: one table, which docs/operations.md repeats for operators.

Rules of this file: what the configuration says is refused where it is read, with its place; what lies in files, when
the engine begins to serve, for authors of menus may not read keys.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

import hardening
from billing.signing import keys_from_file
from strict_yaml import Mistake, Node

from .peer_config import AddressRange, ClientLink, ServerLink

if TYPE_CHECKING:
    from .config import EngineConfig, Settings

HASH_MEMORY_KIB_MIN, HASH_PASSES_MIN = 19 * 1024, 2
RANGE_BITS_MIN: Final = {4: 16, 6: 32}
"""Of the addresses of one peer: a wider range is everybody."""
_DEMO_PASSWORD: Final = "secret"  # noqa: S105 - of the demo accounts, in the README # nosec B105

Found: TypeAlias = "Iterator[tuple[tuple[str, ...], str, str]]"
"""Keys down from the section, what is wrong, and the cure."""


class Rule(NamedTuple):
    """One thing that is refused: the setting, what of it, and how it is found."""

    key: str
    refused: str
    found: Callable[[EngineConfig], Found]


class FileRule(NamedTuple):
    """One thing that is refused of files when the engine begins to serve; what is found is a line each."""

    key: str
    refused: str
    found: Callable[[Settings], Iterator[str]]


def mistakes(engine: EngineConfig, node: Node) -> list[Mistake]:
    """What `production: true` refuses of the section, with its place."""
    return [Mistake(_at(node, keys).place, what, cure) for rule in RULES for keys, what, cure in rule.found(engine)]


def unsafe_files(settings: Settings) -> list[str]:
    """What it refuses of files, a line each."""
    return [line for rule in FILE_RULES for line in rule.found(settings)]


def _at(node: Node, keys: Sequence[str]) -> Node:
    for key in keys:
        if key not in node.items:
            break
        node = node.items[key]
    return node


def _links(engine: EngineConfig) -> Iterator[tuple[str, ServerLink | ClientLink]]:
    yield from ((name, each.peer) for name, each in engine.links.items())


def _ranges(link: ServerLink | ClientLink) -> tuple[AddressRange, ...]:
    if isinstance(link, ServerLink):
        return link.allowed_from
    return link.outbind.allowed_from if link.outbind else ()


def _demo_accounts(engine: EngineConfig) -> Found:
    for name, link in _links(engine):
        if isinstance(link, ServerLink) and link.demo:
            yield ("links", name), f"link '{name}' is a demo account", "Remove it, or set its own password."


def _demo_passwords(engine: EngineConfig) -> Found:
    for name, link in _links(engine):
        if isinstance(link, ServerLink) and not link.demo and _is_demo_password(link.password_hash):
            yield ("links", name), f"link '{name}' has the password of the demo accounts", "Set its own."


def _is_demo_password(stored: str) -> bool:
    try:
        return PasswordHasher().verify(stored, _DEMO_PASSWORD)
    except (Argon2Error, InvalidHashError):
        return False


def _cheap_hashes(engine: EngineConfig) -> Found:
    for name, link in _links(engine):
        if isinstance(link, ServerLink) and not _is_dear(link.password_hash):
            cure = "`ussd-engine hash-password` prints one that is not."
            yield ("links", name, "password_hash"), f"link '{name}': its password would be tried out too cheaply", cure


def _is_dear(stored: str) -> bool:
    try:
        made = extract_parameters(stored)
    except InvalidHashError:
        return False
    return made.memory_cost >= HASH_MEMORY_KIB_MIN and made.time_cost >= HASH_PASSES_MIN


def _everybody(engine: EngineConfig) -> Found:
    for name, link in _links(engine):
        wide = [each.network for each in _ranges(link) if each.network.prefixlen < RANGE_BITS_MIN[each.network.version]]
        if wide:
            yield ("links", name), f"link '{name}': {wide[0]} are the addresses of everybody", "Write the peer's own."


def _links_in_clear(engine: EngineConfig) -> Found:
    for name, link in _links(engine):
        if link.plain or link.tls:
            continue
        hosts = [str(each.network.network_address) for each in _ranges(link)]
        hosts += [link.address.host] if isinstance(link, ClientLink) else []
        if not all(map(_is_private, hosts)):
            cure = "Write `tls`, or `plain: true` when a tunnel carries it."
            yield ("links", name), f"link '{name}' would be spoken in clear over public addresses", cure


def _is_private(host: str) -> bool:
    """Whether an address is of a private network; of a name nobody knows."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _private_redis(engine: EngineConfig) -> Found:
    if engine.sessions.redis_url is None:
        cure = "Write the address of a Redis that is looked after."
        yield ("sessions",), "the private Redis is for trying", cure


def _redis_in_clear(engine: EngineConfig) -> Found:
    url = urlsplit(engine.sessions.redis_url or "unix:")
    if url.scheme == "unix" or hardening.is_this_machine(url.hostname or ""):
        return
    if url.scheme != "rediss" or not url.password:
        cure = "Write rediss://user:password@host."
        yield ("sessions", "redis_url"), "dialogues would lie in clear, or open to anybody", cure


def _core_in_clear(engine: EngineConfig) -> Found:
    url = urlsplit(engine.billing.url)
    if url.scheme == "http" and not hardening.is_this_machine(url.hostname or ""):
        yield ("billing", "url"), "PINs would travel in clear", "Write https://…"


def _listens_to_others(engine: EngineConfig) -> Found:
    if not hardening.is_this_machine(engine.http_listen.host):
        cure = "Listen on 127.0.0.1, behind a proxy that speaks TLS."
        yield ("http_listen",), "passwords would come in over plain HTTP", cure


def _tells_too_much(engine: EngineConfig) -> Found:
    if engine.log_level == "debug":
        yield ("log_level",), "libraries log what is none of their business", "Write info, warning or error."


RULES: Final[Sequence[Rule]] = (
    Rule("engine.links", "a demo account", _demo_accounts),
    Rule("engine.links", "the password of the demo accounts, whoever has it", _demo_passwords),
    Rule("engine.links", "a `password_hash` of less than 19456 KiB or two passes", _cheap_hashes),
    Rule("engine.links", "a range of addresses wider than /16 (IPv6: /32)", _everybody),
    Rule("engine.links", "public addresses or names without `tls`, unless `plain: true` says so", _links_in_clear),
    Rule("engine.sessions.redis_url", "the private server of `make run`", _private_redis),
    Rule("engine.sessions.redis_url", "another host without `rediss://` and a password", _redis_in_clear),
    Rule("engine.billing.url", "`http://` to another host", _core_in_clear),
    Rule("engine.http_listen", "an address that is not this machine's own (127.0.0.1, ::1)", _listens_to_others),
    Rule("engine.log_level", "`debug`", _tells_too_much),
)


# --- files ---


def _faulty_keys(settings: Settings) -> Iterator[str]:
    engine = settings.engine
    named = [engine.masking_key_file, engine.billing.key_file, *engine.clients.values(), *engine.operators.values()]
    for name in dict.fromkeys(named):
        yield from hardening.secret_file_faults(settings.path(name), hardening.PRODUCTION_KEY_OCTETS_MIN)


def _faulty_secrets(settings: Settings) -> Iterator[str]:
    for path in _secrets(settings):
        yield from hardening.secret_file_faults(path)


def _secrets(settings: Settings) -> Iterator[Path]:
    """Files that are no keys of ours, and secret all the same."""
    if settings.engine.smpp_tls is not None:
        yield settings.path(settings.engine.smpp_tls.key_file)
    for _name, link in _links(settings.engine):
        if isinstance(link, ClientLink):
            yield settings.path(link.password_file)
            if link.tls is not None and link.tls.key_file:
                yield settings.path(link.tls.key_file)


def _shared_keys(settings: Settings) -> Iterator[str]:
    engine = settings.engine
    files = {**engine.clients, **engine.operators, engine.billing.client: engine.billing.key_file}
    keys = {name: set(keys_from_file(settings.path(file).read_bytes())) for name, file in sorted(files.items())}
    for (one, its), (other, others) in combinations(keys.items(), 2):
        if its & others:
            yield f"{one} and {other} have the same key: give each its own"


def _open_configuration(settings: Settings) -> Iterator[str]:
    if urlsplit(settings.engine.sessions.redis_url or "").password:
        yield from hardening.secret_file_faults(settings.file)


FILE_RULES: Final[Sequence[FileRule]] = (
    FileRule("engine: key files", "one that is missing, open to others, or of fewer than 32 octets", _faulty_keys),
    FileRule("engine: passwords of links, keys of TLS", "a file that is missing, or open to others", _faulty_secrets),
    FileRule("engine.clients, engine.operators", "two names with one key", _shared_keys),
    FileRule("engine: config.yaml", "open to others, when an address in it has a password", _open_configuration),
)
