"""Between PDUs and the turn: what a peer's message means in its dialect, and a screen as its PDU (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from masking import Masker
from smpp import constants
from smpp.pdu import DataSm, DeliverSm, Pdu, SubmitSm, Tlv, find_tlv
from smpp.states import MAY_SEND, Role, State
from smpp.text import decode_text, encode_gsm, encode_ucs2, septets

from . import dial_string, envelope, msisdn
from .dial_string import Dialled, joined
from .dialect import Dialect, Kind, SessionKey, is_op_of_letters
from .dialect_values import Value

CODE_CHARACTERS_MAX = 20
"""An address in submit_sm and deliver_sm (SMPP 3.4 section 4.4.1), which the code becomes in our screens."""
SHORT_MESSAGE_OCTETS_MAX = 254
"""SMPP 3.4 section 5.2.22; what is longer travels in message_payload."""
REFERENCE_OCTETS_MAX = 64
"""A longer session number is none."""
_END_OF_SESSION = 0x01
_SEQUENCES = 0x80
CARRIER: Mapping[Role, type[DeliverSm | SubmitSm]] = {Role.SERVER: DeliverSm, Role.CLIENT: SubmitSm}
"""What carries our words to subscribers: deliver_sm to who has bound to us, submit_sm to whom we have bound."""
Carried: TypeAlias = DeliverSm | SubmitSm | DataSm


class Thread(NamedTuple):
    """What ties our screen to the peer's session."""

    reference: str = ""
    """The octets of its session number in hex; "" where there is none."""
    sequence: int = 0
    """Of what was said last, where the dialect counts."""
    echoed: tuple[Tlv, ...] = ()


UNTIED = Thread()


class Message(NamedTuple):
    """A message from a peer, read: who, what, and the service's address to answer from."""

    kind: Kind
    msisdn: str | None
    """E.164 digits, or None when the source address is no number of the link's country."""
    code: str
    """The service code as the peer addressed it, echoed as our source address."""
    text: str
    op: Value | None
    """The operation, where there was one."""
    mark: str
    """Tells a repeat from a new input: sequence number and keyed hash; the connection is added by who knows it. It is
    stored, and what was typed may be a PIN: nobody without the key can try that out."""
    thread: Thread = UNTIED
    counted: bool = False
    """The mark is the peer's own count: it is true on every connection."""


def read_message(pdu: SubmitSm | DeliverSm | DataSm, dialect: Dialect, country: str, masker: Masker) -> Message:
    """What the peer said. The E bit of its_session_info (end of session) makes it an abort, whatever the op."""
    tlvs = dict(reversed(pdu.tlvs))  # of two alike the first counts, as in `find_tlv`
    octets = b"" if isinstance(pdu, DataSm) else pdu.short_message
    octets = octets or tlvs.get(constants.TAG_MESSAGE_PAYLOAD, b"")
    if dialect.envelope is not None and (opened := envelope.opened(octets, dialect.envelope)) is not None:
        return _from_envelope(opened, pdu, dialect, country, masker)
    op: Value | None = None
    if dialect.op_in == "ussd_service_op":
        value = tlvs.get(constants.TAG_USSD_SERVICE_OP)
        op = value[-1] if value else None
    elif dialect.op_in == "service_type" and is_op_of_letters(pdu.service_type):
        op = pdu.service_type
    kind = Kind.SMS if op is None else dialect.kinds.get(op, Kind.UNKNOWN)
    info = tlvs.get(constants.TAG_ITS_SESSION_INFO)
    if info and info[-1] & _END_OF_SESSION and op is not None:
        kind = Kind.ABORT
    coding, alphabet = dialect.codings.get(pdu.data_coding) or (pdu.data_coding, dialect.default_alphabet)
    text = decode_text(octets, coding, alphabet)
    number = msisdn.from_address(pdu.source_addr, pdu.source_addr_ton, country)
    code = pdu.destination_addr
    check = masker.text(code.encode() + b"\0" + octets)
    mark = f"{pdu.sequence_number:x}-{check}"
    if dialect.session is None and not dialect.echoed_tags:
        return Message(kind, number, code, text, op, mark)
    thread = _thread(tlvs, dialect)
    counts = dialect.session is not None and dialect.session.form == "counted" and bool(thread.reference)
    if not counts or kind not in (Kind.BEGIN, Kind.REPLY):  # an end does not count: an answer that it crosses does
        return Message(kind, number, code, text, op, mark, thread)
    mark = counted(thread.reference) + f"{thread.sequence:x}"
    if kind is Kind.BEGIN:  # a number of 8 bits comes again: what is dialled tells two begins
        mark = f"={thread.reference}/{thread.sequence:x}-{check}"
    return Message(kind, number, code, text, op, mark, thread, True)


def counted(reference: str) -> str:
    """How the marks begin of what follows a begin, where the peer counts."""
    return f"={reference}-"


def _thread(tlvs: Mapping[int, bytes], dialect: Dialect) -> Thread:
    echoed = tuple(Tlv(tag, value) for tag, value in tlvs.items() if tag in dialect.echoed_tags)
    key = dialect.session
    value = tlvs.get(key.tlv.number) if key is not None else None
    if key is None or not value or len(value) > REFERENCE_OCTETS_MAX:
        return Thread(echoed=echoed)
    return Thread(reference_of(value, key), value[-1] >> 1 if key.form == "counted" and len(value) > 1 else 0, echoed)


def reference_of(value: bytes, key: SessionKey) -> str:
    """The session number in the octets of its TLV, in hex, without the bits that say something else."""
    if key.form == "counted":
        return value[:1].hex()
    if key.form == "end_bit":
        return (value[:-1] + bytes((value[-1] & ~_END_OF_SESSION,))).hex()
    return value.hex()


def allotted(response: Pdu, dialect: Dialect) -> str:
    """The session number that a peer gives to a dialogue of ours, in the response to its first screen; "" for none."""
    key = dialect.session
    value = find_tlv(response, key.tlv.number) if key is not None else None
    if key is None or not value or len(value) > REFERENCE_OCTETS_MAX:
        return ""
    return reference_of(value, key)


def _from_envelope(
    opened: envelope.Opened, pdu: SubmitSm | DeliverSm | DataSm, dialect: Dialect, country: str, masker: Masker
) -> Message:
    """A message whose number, operation, session and text are fields of an envelope."""
    ton = msisdn.TON_UNKNOWN if opened.msisdn else pdu.source_addr_ton
    session = opened.session.encode()
    check = masker.text(f"{pdu.destination_addr}\0{opened!r}".encode())
    return Message(
        dialect.kinds.get(opened.op, Kind.UNKNOWN),
        msisdn.from_address(opened.msisdn or pdu.source_addr, ton, country),
        pdu.destination_addr,
        opened.text,
        opened.op,
        f"{pdu.sequence_number:x}-{check}",
        Thread(session.hex() if len(session) <= REFERENCE_OCTETS_MAX else ""),
    )


def dialled(message: Message, dialect: Dialect) -> Dialled | None:
    """What was dialled, from where the dialect has it; None when it is none of ours."""
    if dialect.code_in == "either":
        return joined(message.code, message.text)
    return dial_string.parse(message.text if dialect.code_in == "text" else message.code)


def screen_pdu(
    text: str,
    ends: bool,
    number: str,
    code: str,
    dialect: Dialect,
    role: Role,
    thread: Thread = UNTIED,
    pushes: bool = False,
) -> Carried:
    """A screen as its PDU: deliver_sm to who has bound to us, submit_sm to whom we have bound, or data_sm.

    `pushes`: it begins a dialogue; then `ends` says that it is only to be seen. Raises ValueError where the peer has
    no push of that kind.
    """
    spoken = dialect.spoken[ends + 2 * pushes]
    if spoken is None:
        raise ValueError(f"dialect '{dialect.dialect}' has no push of this kind")
    octets, coding = _written(text, dialect)
    tlvs = spoken.tlvs
    if dialect.envelope is not None:
        session = bytes.fromhex(thread.reference).decode()
        octets, coding = (
            envelope.answer(text, str(spoken.op), number, session, dialect.envelope),
            dialect.data_coding.gsm,
        )
    elif thread is not UNTIED:
        tlvs += _thread_tlvs(thread, ends and not pushes, dialect)
    in_payload = dialect.in_payload or len(octets) > SHORT_MESSAGE_OCTETS_MAX
    if in_payload:
        tlvs += (Tlv(constants.TAG_MESSAGE_PAYLOAD, octets),)
    if dialect.pdu == "data_sm":
        return DataSm(
            spoken.service_type, dialect.source.ton, dialect.source.npi, code, dialect.destination.ton,
            dialect.destination.npi, number, data_coding=coding, tlvs=tlvs,
        )  # fmt: skip
    return CARRIER[role](
        spoken.service_type, dialect.source.ton, dialect.source.npi, code, dialect.destination.ton,
        dialect.destination.npi, number, data_coding=coding, short_message=b"" if in_payload else octets, tlvs=tlvs,
    )  # fmt: skip


def _thread_tlvs(thread: Thread, ends: bool, dialect: Dialect) -> tuple[Tlv, ...]:
    """The peer's session number as our screen bears it, and what is echoed."""
    key = dialect.session
    if key is None or not thread.reference:
        return thread.echoed
    value = bytes.fromhex(thread.reference)
    bit = _END_OF_SESSION if ends and key.closes else 0
    if key.form == "counted":
        value += bytes(((thread.sequence + 1) % _SEQUENCES << 1 | bit,))
    elif bit:
        value = value[:-1] + bytes((value[-1] | bit,))
    return (Tlv(key.tlv.number, value), *thread.echoed)


def _written(text: str, dialect: Dialect) -> tuple[bytes, int]:
    """The octets of a text and their data_coding. A text with a place in GSM 03.38 is measured as such, so it travels
    whole in the link's own alphabet; a character that this lacks becomes `?`."""
    data_coding = dialect.data_coding
    if data_coding.sent == "utf8":
        return encode_ucs2(text).decode("utf-16-be").encode(), data_coding.gsm  # above U+FFFF: `?`, whole
    if septets(text) is None:
        return encode_ucs2(text), data_coding.ucs2
    if data_coding.sent == "gsm":
        return encode_gsm(text), data_coding.gsm
    return text.encode("ascii" if data_coding.sent == "ascii" else "latin-1", "replace"), data_coding.gsm


def carries(role: Role, state: State) -> bool:
    """Whether a bind in this state takes what we send to subscribers."""
    return CARRIER[role].command_id in MAY_SEND[role, state]  # and data_sm, which may be sent in the same states
