"""How a peer speaks USSD over SMPP: a record that a link names and an operator changes without code (pure).

A dialect is `dialects/NAME.yaml`; a link may override any of its fields under `dialect_fields`. What a message costs is
kept low by what the record computes once, when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

from smpp import constants
from smpp.pdu import Tlv
from smpp.text import Alphabet
from strict_yaml import Mistake, Node, Place, Range, StrictYamlError, into, laid_over, read_file

from .dialect_values import Added, Op, Tag, Value
from .envelope import Envelope
from .language.pages import Limits
from .sms_dialect import SmsDialect

SERVICE_TYPE_CHARACTERS_MAX = 5
"""SMPP 3.4 section 5.2.11."""
OP_LETTERS = 2
"""Of an operation in service_type."""
Octet = Annotated[int, Range(0, 255)]
SentAlphabet: TypeAlias = Literal["gsm", "ascii", "latin1", "utf8"]


class Kind(Enum):
    """What a message of a dialogue is."""

    BEGIN = "begin"
    REPLY = "reply"
    UNKNOWN = "unknown"
    """An op that the dialect does not know: a reply where a dialogue is open, else a begin."""
    ABORT = "abort"
    """The subscriber has ended the dialogue."""
    NETWORK_ABORT = "network_abort"
    """The network has."""
    NOTIFIED = "notified"
    """A notification of ours was seen: the dialogue that it was is over, and wants no screen."""
    SMS = "sms"
    """No operation: not of a dialogue at all."""


@dataclass(frozen=True)
class Ops:
    """Operations by what they mean: values of ussd_service_op (SMPP 3.4 section 5.3.2.44), letters of service_type, or
    words of an envelope. `push` and `notify` begin a dialogue from our side; without them the peer has no push."""

    begin: tuple[Op, ...]
    reply: tuple[Op, ...]
    ask: Op
    end: Op
    abort: tuple[Op, ...] = ()
    network_abort: tuple[Op, ...] = ()
    push: Op | None = None
    notify: Op | None = None
    notified: tuple[Op, ...] = ()

    def by_meaning(self) -> Iterator[tuple[Kind, tuple[Op, ...]]]:
        """What is received, by its kind."""
        yield Kind.BEGIN, self.begin
        yield Kind.REPLY, self.reply
        yield Kind.ABORT, self.abort
        yield Kind.NETWORK_ABORT, self.network_abort
        yield Kind.NOTIFIED, self.notified

    def sent(self, *, ends: bool, pushes: bool) -> Op | None:
        """The operation of a screen of ours; None where the peer has no push of this kind."""
        if pushes:
            return self.notify if ends else self.push
        return self.end if ends else self.ask


@dataclass(frozen=True)
class SessionKey:
    """Where the peer's session number is, and what is in it.

    `whole`: all of it is the number. `end_bit`: bit 0 says that the session ends. `counted` (its_session_info as
    SMPP 3.4 section 5.3.2.43 has it): octet 1 is the number; of octet 2, bits 7-1 are a sequence that we count, bit 0
    says that the session ends.
    """

    tlv: Tag
    form: Literal["whole", "end_bit", "counted"] = "whole"
    closes: bool = False
    """Our last screen sets bit 0."""
    octets: Annotated[int, Range(1, 4)] = 2
    """How many a number has that a handset of ours gives itself; a peer's is echoed as it came."""


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
    """The data_coding values of what we send, and what some values mean here in what we receive."""

    gsm: Octet = constants.CODING_DEFAULT
    ucs2: Octet = constants.CODING_UCS2
    sent: SentAlphabet = "gsm"
    """In which octets a text travels that has a place in GSM 03.38."""
    reads: dict[str, Literal["gsm", "ascii", "latin1", "utf8", "ucs2"]] = field(default_factory=dict, hash=False)
    """data_coding → alphabet, where it is not what SMPP and 3GPP TS 23.038 say."""


class Spoken(NamedTuple):
    """How one of the four kinds of screens is said: its operation's service_type and TLVs."""

    service_type: str
    tlvs: tuple[Tlv, ...]
    op: Value


@dataclass(frozen=True)
class Dialect:
    """One way of speaking. `application_seconds` less a margin is the deadline of a turn."""

    dialect: str
    ops: Ops
    limits: ScreenLimits = ScreenLimits(182, 80)
    waits: Waits = Waits(10, 60, 180)
    op_in: Literal["ussd_service_op", "service_type", "envelope"] = "ussd_service_op"
    session: SessionKey | None = None
    """None: the number alone says which dialogue it is."""
    code_in: Literal["either", "destination", "text"] = "either"
    """Where a begin has the service code: `either` reads the whole in the text, or the rest of it after an address."""
    pdu: Literal["submit_sm", "data_sm"] = "submit_sm"
    """In what screens go out: submit_sm (to who has bound to us, deliver_sm), or data_sm."""
    text_in: Literal["short_message", "message_payload"] = "short_message"
    when_busy: Literal["status", "screen"] = "status"
    """How a begin is refused that is too much: with ESME_RTHROTTLED, or accepted and answered with a closing screen."""
    echoes: tuple[Tag, ...] = ()
    """TLVs that go back with a screen as they came."""
    adds: tuple[Added, ...] = ()
    """TLVs that every screen has."""
    envelope: Envelope | None = None
    service_type: str = "USSD"
    source: AddressKind = AddressKind(0, 1)
    destination: AddressKind = AddressKind(1, 1)
    data_coding: DataCoding = field(default_factory=DataCoding)
    default_alphabet: Alphabet = "gsm"
    sms: SmsDialect = field(default_factory=SmsDialect)
    screen: Limits = field(init=False)
    kinds: Mapping[Value, Kind] = field(init=False, compare=False, repr=False)
    """What is received → what it means."""
    spoken: tuple[Spoken | None, ...] = field(init=False, compare=False, repr=False)
    """How a screen is said, at `ends + 2 * pushes`."""
    codings: Mapping[int, tuple[int, Alphabet]] = field(init=False, compare=False, repr=False)
    """data_coding as it came → how `decode_text` is asked; what is missing means itself."""
    echoed_tags: frozenset[int] = field(init=False, compare=False, repr=False)
    in_payload: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("screen", Limits(self.limits.septets, self.limits.ucs2_units))
        put("kinds", {op.value: kind for kind, ops in self.ops.by_meaning() for op in ops})
        put("spoken", tuple(self._spoken(ends, pushes) for pushes in (False, True) for ends in (False, True)))
        put("codings", {int(coding): _asked(name) for coding, name in self.data_coding.reads.items()})
        put("in_payload", self.pdu == "data_sm" or self.text_in == "message_payload")
        put("echoed_tags", frozenset(tag.number for tag in self.echoes))

    def _spoken(self, ends: bool, pushes: bool) -> Spoken | None:
        op = self.ops.sent(ends=ends, pushes=pushes)
        if op is None:
            return None
        tlvs = tuple(Tlv(added.tag.number, added.octets) for added in self.adds)
        if isinstance(op.value, int):
            tlvs = (Tlv(constants.TAG_USSD_SERVICE_OP, bytes((op.value,))), *tlvs)
        named = isinstance(op.value, str) and self.op_in == "service_type"
        return Spoken(str(op.value) if named else self.service_type, tlvs, op.value)


def _asked(alphabet: Literal["gsm", "ascii", "latin1", "utf8", "ucs2"]) -> tuple[int, Alphabet]:
    if alphabet == "ucs2":
        return constants.CODING_UCS2, "gsm"
    return constants.CODING_DEFAULT, alphabet


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
    return _read(laid_over(node, fields) if fields else node, mistakes)


def _read(node: Node, mistakes: list[Mistake]) -> Dialect | None:
    """The dialect in this tree, when what it says can be sent and told apart."""
    unreadable = list(_unreadable_codings(node))
    mistakes += unreadable
    dialect = into(Dialect, node, mistakes) if not unreadable else None
    if dialect is None:
        return None
    place = node.place
    if len(dialect.service_type) > SERVICE_TYPE_CHARACTERS_MAX or not dialect.service_type.isascii():
        what = f"service_type '{dialect.service_type}'"
        cure = f"At most {SERVICE_TYPE_CHARACTERS_MAX} ASCII characters."
        mistakes.append(Mistake(_place(node, "service_type"), what, cure))
    mistakes += _ops_mistakes(dialect, node)
    if (dialect.op_in == "envelope") != (dialect.envelope is not None):
        mistakes.append(Mistake(place, "`op_in: envelope` and `envelope:` go together", "Write both, or neither."))
    session = dialect.session
    if session is not None and dialect.envelope is not None:
        mistakes.append(Mistake(_place(node, "session"), "an envelope has its own session", "Remove `session:`."))
    if session is not None and session.closes and session.form == "whole":
        cure = "Write `form: end_bit` or `form: counted`, or remove `closes`."
        mistakes.append(Mistake(_place(node, "session"), "`closes` needs a bit for it", cure))
    return dialect


def _ops_mistakes(dialect: Dialect, node: Node) -> Iterator[Mistake]:
    ops, place = dialect.ops, _place(node, "ops")
    if not ops.begin or not ops.reply:
        yield Mistake(place, "`ops` without a begin or a reply", "Name at least one value of each.")
    told_apart = [op.value for _, each in ops.by_meaning() for op in each]
    for op in {op for op in told_apart if told_apart.count(op) > 1}:
        yield Mistake(place, f"op {op} has two meanings", "Give it one.")
    if ops.notify is None and ops.notified:
        yield Mistake(place, "`notified` without `notify`", "Name the operation of a notification too.")
    numbers = dialect.op_in == "ussd_service_op"
    sent = [each for each in (ops.ask, ops.end, ops.push, ops.notify) if each is not None]
    for each in {*told_apart, *(op.value for op in sent)}:
        if isinstance(each, int) != numbers:
            cure = "Write decimal numbers of ussd_service_op." if numbers else "Write it as text, in quotes."
            yield Mistake(place, f"op '{each}' cannot stand in {dialect.op_in}", cure)
        elif dialect.op_in == "service_type" and not is_op_of_letters(str(each)):
            yield Mistake(place, f"op '{each}' cannot stand in service_type", "Write two capital letters.")


def is_op_of_letters(service_type: str) -> bool:
    """Whether a service_type is an operation, in dialects that have it there."""
    return len(service_type) == OP_LETTERS and service_type.isupper() and service_type.isalpha()


def _unreadable_codings(node: Node) -> Iterator[Mistake]:
    """Keys of `data_coding: {reads: …}` that are no data_coding."""
    data_coding = node.items.get("data_coding")
    reads = data_coding.items.get("reads") if data_coding is not None else None
    for key in reads.items if reads is not None else ():
        if not (key.isascii() and key.isdigit() and int(key) <= 255) and reads is not None:
            yield Mistake(reads.key_places[key], f"'{key}' is no data_coding", "Write 0 to 255, in decimal.")


def _place(node: Node, key: str) -> Place:
    return node.items[key].place if key in node.items else node.place
