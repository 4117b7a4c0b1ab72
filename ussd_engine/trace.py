"""The trace of a link: each of its PDUs in the log, switched on while the engine runs, with everything secret masked.

Rules of this file:
- What subscribers type and what we tell them may be a PIN, a code, a password: of every text only its length and its
  alphabet are shown, never an octet of it, in whatever parameter it comes. Passwords of binds likewise.
- An address of a subscriber's length leaves masked, like every number in the log. Codes and short numbers of services
  are shown, of a dialled string the code; what no service knows may be a PIN that was dialled, and is not.
- A trace ends by itself, so that none is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING, Any, Final

import structlog

from smpp import constants as c
from smpp.codec import decode
from smpp.errors import FramingError, PduError
from smpp.pdu import Pdu

from .binds import Binds

if TYPE_CHECKING:
    from smpp.link import Link as Bind

SECONDS_MAX: Final = 3600.0
_TEXTS: Final = frozenset({"short_message", "password"})
_NUMBERS: Final = {"source_addr", "destination_addr", "esme_addr"}
_TEXT_TAGS: Final = frozenset({c.TAG_MESSAGE_PAYLOAD})
_TAGS_SHOWN: Final = {getattr(c, name) for name in vars(c) if name.startswith("TAG_")} - _TEXT_TAGS - {c.TAG_PLUS_IMSI}
_CODE: Final = re.compile(r"\*?([^*#]*)")
"""The service code of a dialled string: what is dialled behind it may be anything."""
_PLAIN_NUMBER_DIGITS: Final = 8
"""An address of fewer digits is a short number or a code, and nobody's."""


class Traces:
    """Which links are traced, and until when."""

    def __init__(self, binds: Binds, now: Callable[[], float], addresses: Callable[[], Container[str]]) -> None:
        """`now`: monotonic seconds. `addresses`: the codes, short numbers and names that are ours."""
        self._addresses = addresses
        self._binds = binds
        self._now = now
        self._until: dict[str, float] = {}
        self._log = structlog.get_logger()

    def begin(self, link: str, seconds: float) -> None:
        """Traces every bind of the link from now on, for so long."""
        self._until[link] = self._now() + min(seconds, SECONDS_MAX)
        for bind in self._binds.of(link):
            self.attend(bind, link)

    def end(self, link: str) -> None:
        """Traces it no more."""
        self._until.pop(link, None)
        for bind in self._binds.of(link):
            bind.trace(None)

    def is_on(self, link: str) -> bool:
        """Whether the link is traced now."""
        return self._until.get(link, 0.0) > self._now()

    def attend(self, bind: Bind, link: str) -> None:
        """A bind of this link is open: it is traced if the link is."""
        if not self.is_on(link):
            return

        def shown(received: bool, octets: bytes) -> None:
            if self.is_on(link):
                way = "in" if received else "out"
                self._log.info("pdu", link=link, bind=bind.name, direction=way, **described(octets, self._addresses()))
            else:
                bind.trace(None)

        bind.trace(shown)


def described(octets: bytes, addresses: Container[str] = ()) -> Mapping[str, Any]:
    """A PDU as a log may show it. Never raises for what a peer sent. `addresses`: those that are ours."""
    header = {"octets": len(octets)}
    if len(octets) >= 16:
        command, status, sequence = (int.from_bytes(octets[at : at + 4], "big") for at in (4, 8, 12))
        header |= {"sequence": sequence}
        named = {"command": c.command_name(command), "status": c.status_name(status)}
    else:
        named = {"command": "none"}
    try:
        pdu = decode(octets)
    except (PduError, FramingError) as error:
        return {**named, **header, "unreadable": type(error).__name__}
    return {**named, **header, **_fields(pdu, addresses), **_tlvs(pdu)}


def _fields(pdu: Pdu, addresses: Container[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in pdu._asdict().items():  # type: ignore[attr-defined]
        if name in ("tlvs", "sequence_number", "command_status") or value in ("", 0, b"", ()):
            continue
        if name in _TEXTS:
            shown[name] = f"<{len(value)} octets>"
        elif name in _NUMBERS:
            shown[name] = _address(value, addresses)
        elif name == "service_type" and not value.isalpha():
            shown[name] = f"<{len(value)} characters>"
        elif isinstance(value, tuple):
            shown[name] = f"<{len(value)} entries>"
        else:
            shown[name] = value
    return shown


def _address(value: str, addresses: Container[str]) -> str:
    code = _CODE.match(value)
    if code is not None and code[1] in addresses:
        return f"*{code[1]}…" if value.startswith("*") else value if value == code[1] else f"{code[1]}…"
    if "*" not in value and sum(map(str.isdigit, value)) >= _PLAIN_NUMBER_DIGITS:
        return f"…{value[-4:]}"
    return f"<{len(value)} characters>"


def _tlvs(pdu: Pdu) -> dict[str, Any]:
    if not pdu.tlvs:
        return {}
    return {
        "tlvs": [
            f"{tag:#06x}={value.hex()}" if tag in _TAGS_SHOWN else f"{tag:#06x}=<{len(value)} octets>"
            for tag, value in pdu.tlvs
        ]
    }
