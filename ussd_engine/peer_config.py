"""What `config.yaml` says of peers: links in both roles, and the routes of SMS over them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from strict_yaml import Mistake, Node, Range, into


@dataclass(frozen=True)
class RawNode:
    """A part of the file that is read later, with what it belongs to."""

    node: Node

    @classmethod
    def from_yaml(cls, node: Node, _mistakes: list[Mistake]) -> RawNode:
        return cls(node)


@dataclass(frozen=True)
class Address:
    """A host and a port to listen on or connect to, written `host:port`."""

    host: str
    port: int

    @classmethod
    def from_yaml(cls, node: Node, mistakes: list[Mistake]) -> Address | None:
        host, _, port = str(node.value).rpartition(":")
        if isinstance(node.value, str) and host and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 65536:
            return cls(host.strip("[]"), int(port))
        mistakes.append(Mistake(node.place, f"'{node.value}' is no address", "Write host:port, as 127.0.0.1:2775."))
        return None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class AddressRange:
    """Addresses that may bind, as `10.1.2.0/24`."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    @classmethod
    def from_yaml(cls, node: Node, mistakes: list[Mistake]) -> AddressRange | None:
        try:
            return cls(ipaddress.ip_network(str(node.value)))
        except ValueError:
            mistakes.append(
                Mistake(node.place, f"'{node.value}' is no address range", "Write 10.1.2.0/24 or 10.1.2.3/32.")
            )
            return None


@dataclass(frozen=True)
class FloodLimits:
    """How much of a peer is too much; 0 is no bound."""

    starts_a_minute_max: Annotated[int, Range(0, 10_000)] = 10
    """Dialogues that one number begins; past this it is asked to try later."""
    starts_an_hour_max: Annotated[int, Range(0, 100_000)] = 60
    per_second: Annotated[float, Range(0, 100_000)] = 0.0
    """Dialogues and SMS that all numbers of the link begin; past this they are refused as `when_busy` of the dialect
    says."""
    turns_max: Annotated[int, Range(1, 100_000)] = 600
    """Turns of the link that are worked on at a time: no link takes the engine from the others. Begins past this are
    refused; answers past twice as many."""


@dataclass(frozen=True)
class PeerFields:
    """What every link says of its peer."""

    network: str
    dialect: str
    trust: Literal["operator", "partner", "none"]
    system_id: str


@dataclass(frozen=True)
class ServerLink(PeerFields):
    """They bind to us: a USSD centre or a partner with an account here."""

    role: Literal["server"]
    password_hash: str
    allowed_from: tuple[AddressRange, ...]
    demo: bool = False
    binds_max: Annotated[int, Range(1, 1000)] = 4
    tls: bool = False
    """Binds that did not come over TLS are refused."""
    client_certificate: str = ""
    """The common name that the peer's certificate must bear; "" is any, or none."""
    plain: bool = False
    """In production: without TLS over public addresses, because a tunnel carries it."""
    limits: RawNode | None = None
    floods: FloodLimits = FloodLimits()
    dialect_fields: RawNode | None = None


@dataclass(frozen=True)
class ClientTls:
    """TLS to a peer that we bind to: who vouches for it, and what we show of ourselves."""

    ca_file: str
    name: str = ""
    """What its certificate must be for; "" is the host of `address`."""
    certificate_file: str = ""
    key_file: str = ""


@dataclass(frozen=True)
class OutbindConfig:
    """A centre that calls us and asks by outbind to be bound to (SMPP 3.4, section 2.2.1)."""

    allowed_from: tuple[AddressRange, ...]
    system_id: str = ""
    """As which it must introduce itself; "" is any."""


@dataclass(frozen=True)
class ClientLink(PeerFields):
    """We bind to them: a USSD centre or an SMSC that has an account for us."""

    role: Literal["client"]
    address: Address
    password_file: str
    bind: Literal["transceiver", "transmitter", "receiver"] = "transceiver"
    binds: Annotated[int, Range(1, 100)] = 1
    system_type: str = ""
    interface_version: Literal["3.3", "3.4", "5.0"] = "3.4"
    tls: ClientTls | None = None
    plain: bool = False
    """As for those that bind to us."""
    outbind: OutbindConfig | None = None
    limits: RawNode | None = None
    floods: FloodLimits = FloodLimits()
    dialect_fields: RawNode | None = None


@dataclass(frozen=True)
class LinkConfig:
    """One peer, of either role."""

    peer: ServerLink | ClientLink

    @classmethod
    def from_yaml(cls, node: Node, mistakes: list[Mistake]) -> LinkConfig | None:
        role = node.items.get("role")
        if role is None or role.value not in ("server", "client"):
            what = "a link needs its role"
            mistakes.append(
                Mistake(role.place if role else node.place, what, "Write `role: server` or `role: client`.")
            )
            return None
        kind: type[ServerLink | ClientLink] = ServerLink if role.value == "server" else ClientLink
        peer = into(kind, node, mistakes)
        return None if peer is None else cls(peer)


@dataclass(frozen=True)
class RouteConfig:
    """How SMS leave to a network: over which links, in this order, and under which address."""

    links: tuple[str, ...]
    sender: str
    senders: dict[str, str] = field(default_factory=dict)
    """Service → its own sender, where it has one."""
