"""How a peer speaks USSD over SMPP: a record that a link names and an operator changes without code (pure).

A dialect is `dialects/NAME.yaml`; a link may override any of its fields under `dialect_fields`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from strict_yaml import Mistake, Node, Range, StrictYamlError, into, read_file

from .language.pages import Limits
from .sms_dialect import SmsDialect

SERVICE_TYPE_CHARACTERS_MAX = 5
"""SMPP 3.4 section 5.2.11."""
Octet = Annotated[int, Range(0, 255)]


@dataclass(frozen=True)
class Ops:
    """Values of ussd_service_op (SMPP 3.4 section 5.3.2.44), by what they mean."""

    begin: tuple[Octet, ...]
    reply: tuple[Octet, ...]
    abort: tuple[Octet, ...]
    ask: Octet
    end: Octet
    network_abort: tuple[Octet, ...] = ()


@dataclass(frozen=True)
class ScreenLimits:
    """What one screen may hold; the network's own limits are 182 septets and 80 UCS-2 units (3GPP TS 23.038)."""

    septets: Annotated[int, Range(20, 182)]
    ucs2_units: Annotated[int, Range(10, 91)]


@dataclass(frozen=True)
class Waits:
    """How long the network waits: for the application, for its user, and for a whole session; seconds."""

    application_seconds: Annotated[float, Range(1, 120)]
    user_seconds: Annotated[float, Range(1, 600)]
    session_seconds: Annotated[float, Range(1, 3600)]


@dataclass(frozen=True)
class AddressKind:
    """Type of number and numbering plan (SMPP 3.4 sections 5.2.5, 5.2.6)."""

    ton: Octet
    npi: Octet


@dataclass(frozen=True)
class DataCoding:
    """The data_coding values of what we send."""

    gsm: Octet
    ucs2: Octet


@dataclass(frozen=True)
class Dialect:
    """One way of speaking. `application_seconds` less a margin is the deadline of a turn."""

    dialect: str
    ops: Ops
    limits: ScreenLimits
    waits: Waits
    service_type: str
    source: AddressKind
    destination: AddressKind
    data_coding: DataCoding
    default_alphabet: Literal["gsm", "ascii", "latin1", "utf8"]
    sms: SmsDialect = field(default_factory=SmsDialect)
    screen: Limits = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "screen", Limits(self.limits.septets, self.limits.ucs2_units))


def read_dialects(folder: Path) -> dict[str, tuple[Dialect, Node]]:
    """Every `*.yaml` of the folder by its name, with its tree. Raises StrictYamlError with all mistakes."""
    mistakes: list[Mistake] = []
    found: dict[str, tuple[Dialect, Node]] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            node = read_file(path)
        except StrictYamlError as error:
            mistakes += error.mistakes
            continue
        dialect = _read(node, mistakes)
        if dialect is not None and dialect.dialect != path.stem:
            mistakes.append(Mistake(node.place, f"dialect '{dialect.dialect}' in {path.name}", "Name both alike."))
        if dialect is not None:
            found[path.stem] = (dialect, node)
    if mistakes:
        raise StrictYamlError(mistakes)
    return found


def overridden(node: Node, fields: Node | None, mistakes: list[Mistake]) -> Dialect | None:
    """The dialect of `node` with a link's own `dialect_fields` laid over it, part by part."""
    return _read(_laid_over(node, fields) if fields else node, mistakes)


def _read(node: Node, mistakes: list[Mistake]) -> Dialect | None:
    """The dialect in this tree, when what it says can be sent and told apart."""
    dialect = into(Dialect, node, mistakes)
    if dialect is None:
        return None
    ops, place = dialect.ops, node.place
    if len(dialect.service_type) > SERVICE_TYPE_CHARACTERS_MAX or not dialect.service_type.isascii():
        what = f"service_type '{dialect.service_type}'"
        mistakes.append(Mistake(place, what, f"At most {SERVICE_TYPE_CHARACTERS_MAX} ASCII characters."))
    if not ops.begin or not ops.reply:
        mistakes.append(Mistake(place, "`ops` without a begin or a reply", "Name at least one value of each."))
    told_apart = (*ops.begin, *ops.reply, *ops.abort, *ops.network_abort)
    for op in {op for op in told_apart if told_apart.count(op) > 1}:
        mistakes.append(Mistake(place, f"op {op} has two meanings", "Give it one."))
    return dialect


def _laid_over(below: Node, above: Node) -> Node:
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = _laid_over(merged[key], node) if key in merged else node
    result = Node(above.place, merged)
    result.key_places = {**below.key_places, **above.key_places}
    return result
