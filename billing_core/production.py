"""What `production: true` refuses of the billing core: one table, which docs/operations.md repeats for operators.

Rules of this file: what the configuration says is refused where it is read, with its place; what lies in files, when
the core begins to serve, for who only looks may not read keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

import hardening
from billing_core.passwords import MEMORY_KIB, PASSES
from strict_yaml import Mistake, Node, Place

if TYPE_CHECKING:
    from billing_core.config import Config, CoreSection

Found: TypeAlias = "Iterator[tuple[str, str, str]]"
"""Key within the section, what is wrong, and the cure."""


class Rule(NamedTuple):
    """One thing that is refused: the setting, what of it, and how it is found."""

    key: str
    refused: str
    found: Callable[[CoreSection], Found]


class FileRule(NamedTuple):
    """One thing that is refused of files when the core begins to serve; what is found is a line each."""

    key: str
    refused: str
    found: Callable[[Config], Iterator[str]]


def mistakes(core: CoreSection, node: Node) -> list[Mistake]:
    """What `production: true` refuses of the section, with its place."""
    return [Mistake(_place(node, key), what, cure) for rule in RULES for key, what, cure in rule.found(core)]


def unsafe_files(config: Config) -> list[str]:
    """What it refuses of files, a line each."""
    return [line for rule in FILE_RULES for line in rule.found(config)]


def _place(node: Node, key: str) -> Place:
    return node.items[key].place if key in node.items else node.place


def _private_server(core: CoreSection) -> Found:
    if core.database_url is None:
        yield "database_url", "the private server is not for production", "Write `database_url: postgresql://…`."


def _database_in_clear(core: CoreSection) -> Found:
    for key in ("database_url", "owner_database_url"):
        url = urlsplit(getattr(core, key) or "")
        asked = parse_qs(url.query)
        hosts = [url.hostname or "", *asked.get("host", ())]
        if all(not host or hardening.is_this_machine(host) for host in hosts):
            continue
        if asked.get("sslmode") != ["verify-full"]:
            yield key, "the database would be spoken to in clear, or with anybody", "Write `?sslmode=verify-full`."


def _one_role(core: CoreSection) -> Found:
    urls = (core.database_url, core.owner_database_url)
    users = {urlsplit(each).username for each in urls if each is not None}
    if len(urls) - urls.count(None) == 2 and len(users) == 1:
        yield "owner_database_url", "the role that serves owns the schema", "Write another role's address."


def _simulated(core: CoreSection) -> Found:
    if core.simulated:
        cure = "Write `simulated: false`, and connect billers and network by their ports."
        yield "simulated", "payments and blocking would only be simulated", cure


def _cheap_hashing(core: CoreSection) -> Found:
    if core.hashing.memory_kib < MEMORY_KIB or core.hashing.passes < PASSES:
        least = f"Write at least memory_kib: {MEMORY_KIB}, passes: {PASSES}."
        yield "hashing", "PINs would be tried out too cheaply", least


def _engine_in_clear(core: CoreSection) -> Found:
    url = urlsplit(core.engine_url)
    if url.scheme == "http" and not hardening.is_this_machine(url.hostname or ""):
        yield "engine_url", "passwords would travel in clear", "Write https://…"


def _listens_to_others(core: CoreSection) -> Found:
    if not hardening.is_this_machine(core.http_listen.host):
        cure = "Listen on 127.0.0.1, behind a proxy that speaks TLS."
        yield "http_listen", "PINs would come in over plain HTTP", cure


def _tells_too_much(core: CoreSection) -> Found:
    if core.log_level == "debug":
        yield "log_level", "libraries log what is none of their business", "Write info, warning or error."


RULES: Final[Sequence[Rule]] = (
    Rule("billing_core.database_url", "the private server of `make run`", _private_server),
    Rule("billing_core.database_url", "another host without `sslmode=verify-full`", _database_in_clear),
    Rule("billing_core.owner_database_url", "the role that serves", _one_role),
    Rule("billing_core.simulated", "`true`", _simulated),
    Rule("billing_core.hashing", "less than 19456 KiB or two passes", _cheap_hashing),
    Rule("billing_core.engine_url", "`http://` to another host", _engine_in_clear),
    Rule("billing_core.http_listen", "an address that is not this machine's own (127.0.0.1, ::1)", _listens_to_others),
    Rule("billing_core.log_level", "`debug`", _tells_too_much),
)


# --- files ---


def _keys(config: Config) -> Iterator[Path]:
    core = config.core
    names = [each.key_file for each in (core.clients or {}).values()]
    names += [core.pepper_file, core.seal_key_file, core.notice_key_file, core.relay_key_file]
    yield from (config.folder / name for name in dict.fromkeys(names))


def _faulty_keys(config: Config) -> Iterator[str]:
    for path in _keys(config):
        yield from hardening.secret_file_faults(path, hardening.PRODUCTION_KEY_OCTETS_MIN)


def _shared_keys(config: Config) -> Iterator[str]:
    for (one, its), (other, others) in combinations(sorted(config.clients().items()), 2):
        if set(its.keys) & set(others.keys):
            yield f"the clients {one} and {other} have the same key: give each its own"


def _open_configuration(config: Config) -> Iterator[str]:
    urls = (config.core.database_url, config.core.owner_database_url)
    if any(each and urlsplit(each).password for each in urls):
        yield from hardening.secret_file_faults(config.file)


FILE_RULES: Final[Sequence[FileRule]] = (
    FileRule(
        "billing_core: key files", "one that is missing, that others may read, or of fewer than 32 octets", _faulty_keys
    ),
    FileRule("billing_core.clients", "two clients with one key", _shared_keys),
    FileRule(
        "billing_core: config.yaml", "one that others may read, when an address has a password", _open_configuration
    ),
)
