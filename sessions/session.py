"""A dialogue as it lies in the store: one immutable record, its octets, and the header that guards them.

Rules of this file (pure):
- A session names screens and options by id, never by position, so that menus can be edited under it.
- Its octets are a header line `format id version mark` and a body; the header alone is enough for compare-and-set.
- A field that is added stands at the end and has a default: engines of two versions can take turns in one dialogue.
- At most 8 KiB, a large one compressed: a list of 97 items has every field's name 97 times.
- Never a secret: what the menu calls secret lives for one turn in the walk, and is not a field here.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import msgspec

FORMAT = 1
OCTETS_MAX = 8 * 1024
COMPRESSED_FROM_OCTETS = 2048
"""A smaller body costs less to carry than to compress."""
PLAIN_OCTETS_MAX = 128 * 1024
"""What a compressed body may hold."""
_ZLIB = 0x78
"""The first octet of a zlib stream (RFC 1950); msgpack's of an array is another."""


class Pending(msgspec.Struct, frozen=True, array_like=True):
    """A call that was going to be made when the session was saved: asked again under the same id."""

    screen: str
    option: str
    call_id: str
    operation: str
    arguments: dict[str, Any]


class Session(msgspec.Struct, frozen=True, array_like=True):
    """One dialogue of one number. `version` rises with every save, `turn` with every input of the subscriber."""

    id: str
    msisdn: str
    link: str
    reference: str
    network: str
    brand: str
    status: str
    language: str
    service: str
    menu: str
    started_at: float
    turn: int = 0
    version: int = 0
    screen: str = ""
    first: int = 0
    """Index of the first option (of a `show`: the first character) on the page shown."""
    history: tuple[tuple[str, int], ...] = ()
    values: dict[str, Any] = {}
    tries: int = 0
    parts: tuple[str, ...] = ()
    """What was dialled after the code and is not walked yet: for the turn that walks it, and never stored."""
    dialled_at: str = ""
    """The screen that a dialled part has answered last, in the first turn; "" when none has."""
    pending: Pending | None = None
    shown: str = ""
    """The screen last sent, for a repeat of the same input."""
    ended: bool = False
    input_mark: str = ""
    """What tells a repeated input from a new one: connection, sequence number, keyed hash."""
    at: float = 0.0
    """When its last turn was kept, seconds since 1970."""
    code: str = ""
    """The service code that was dialled, without what followed it."""
    path: tuple[str, ...] = ()
    """The steps taken: `screen/option`, or the screen that was answered."""
    wanted: str = ""
    """The screen that is led on to once what it needs is settled."""
    changed: bool = False
    """A call that may have changed something has been made."""
    charges: tuple[tuple[str, str], ...] = ()
    """The changing calls that were made: operation and call id."""
    asking: str = ""
    """A question of the engine's own that stands on the screen: `resume`."""
    resumed: str = ""
    """The dialogue that this one goes on with."""
    owner: str = ""
    """The engine process that took the last turn."""
    travelled: bool = False
    """More than one engine process has taken turns."""
    manages: int = 0
    """How many other numbers this one manages."""
    acting_for: str = ""
    """The managed number that is spoken for, and that calls are about; "" when it is one's own."""
    hung_up: bool = False
    """It is over, and only kept to be gone on with when its service is dialled again."""
    counts: bytes = b""
    """Where the peer counts: the sequences of the answers that were taken, an octet each."""
    begun_by: str = ""
    """Where the peer counts: the mark of the begin."""


class Stamp(NamedTuple):
    """Which state of which dialogue a save expects to find."""

    session_id: str
    version: int

    def prefix(self) -> bytes:
        """The octets with which a stored session of this stamp begins."""
        return b"%d %s %d " % (FORMAT, self.session_id.encode(), self.version)


def dialogue_prefix(session_id: str) -> bytes:
    """The octets with which every state of this dialogue begins."""
    return b"%d %s " % (FORMAT, session_id.encode())


class SessionTooLarge(Exception):
    """A session over 8 KiB: the menu saves more than it should."""


class UnreadableSession(Exception):
    """Octets that are no session of this format: of a newer engine, or not ours."""


_body = msgspec.msgpack.Encoder()
_read = msgspec.msgpack.Decoder(Session)


def stamp_of(session: Session) -> Stamp:
    """The stamp under which this state of the session is stored."""
    return Stamp(session.id, session.version)


def to_octets(session: Session) -> bytes:
    """The session's octets. Raises SessionTooLarge over 8 KiB."""
    body = _body.encode(session)
    if len(body) > COMPRESSED_FROM_OCTETS:
        body = zlib.compress(body, 1)
    octets = b"%s%s\n%s" % (stamp_of(session).prefix(), session.input_mark.encode(), body)
    if len(octets) > OCTETS_MAX:
        raise SessionTooLarge(f"the session of service {session.service} has {len(octets)} octets of {OCTETS_MAX}")
    return octets


def from_octets(octets: bytes) -> Session:
    """The session in these octets. Raises UnreadableSession for another format or damage."""
    header, _, body = octets.partition(b"\n")
    if not header.startswith(b"%d " % FORMAT):
        raise UnreadableSession(f"format {header[:16]!r}, this engine reads {FORMAT}")
    try:
        if body and body[0] == _ZLIB:
            body = zlib.decompressobj().decompress(body, PLAIN_OCTETS_MAX)
        return _read.decode(body)
    except (msgspec.MsgspecError, zlib.error) as error:
        raise UnreadableSession(str(error)) from error
