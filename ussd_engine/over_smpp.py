"""Between PDUs and the turn: what a peer's message means in its dialect, and a screen as its PDU (pure)."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from smpp import constants
from smpp.pdu import DataSm, DeliverSm, SubmitSm, Tlv, find_tlv
from smpp.states import MAY_SEND, Role, State
from smpp.text import decode_text, encode_gsm, encode_ucs2, septets

from . import msisdn
from .dial_string import Dialled, joined
from .dialect import Dialect

CODE_CHARACTERS_MAX = 20
"""An address in submit_sm and deliver_sm (SMPP 3.4 section 4.4.1), which the code becomes in our screens."""
_END_OF_SESSION = 0x01
CARRIER: Mapping[Role, type[DeliverSm | SubmitSm]] = {Role.SERVER: DeliverSm, Role.CLIENT: SubmitSm}
"""What carries our words to subscribers: deliver_sm to who has bound to us, submit_sm to whom we have bound."""


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
    SMS = "sms"
    """No ussd_service_op: not of a dialogue at all."""


class Message(NamedTuple):
    """A message from a peer, read: who, what, and the service's address to answer from."""

    kind: Kind
    msisdn: str | None
    """E.164 digits, or None when the source address is no number of the link's country."""
    code: str
    """The service code as the peer addressed it, echoed as our source address."""
    text: str
    op: int | None
    """ussd_service_op, where there was one."""
    mark: str
    """Tells a repeat from a new input: sequence number and checksum; the connection is added by who knows it."""


def read_message(pdu: SubmitSm | DeliverSm | DataSm, dialect: Dialect, country: str) -> Message:
    """What the peer said. The E bit of its_session_info (end of session) makes it an abort, whatever the op."""
    op = find_tlv(pdu, constants.TAG_USSD_SERVICE_OP)
    payload = find_tlv(pdu, constants.TAG_MESSAGE_PAYLOAD)
    octets = b"" if isinstance(pdu, DataSm) else pdu.short_message
    octets = octets or payload or b""
    text = decode_text(octets, pdu.data_coding, dialect.default_alphabet)
    kind = Kind.SMS if not op else _kind(op[0], dialect)
    session_info = find_tlv(pdu, constants.TAG_ITS_SESSION_INFO)
    if kind is not Kind.SMS and session_info and session_info[-1] & _END_OF_SESSION:
        kind = Kind.ABORT
    number = msisdn.from_address(pdu.source_addr, pdu.source_addr_ton, country)
    check = zlib.crc32(octets, zlib.crc32(pdu.destination_addr.encode()))
    return Message(
        kind, number, pdu.destination_addr, text, op[0] if op else None, f"{pdu.sequence_number:x}-{check:x}"
    )


def _kind(op: int, dialect: Dialect) -> Kind:
    if op in dialect.ops.begin:
        return Kind.BEGIN
    if op in dialect.ops.abort:
        return Kind.ABORT
    if op in dialect.ops.network_abort:
        return Kind.NETWORK_ABORT
    return Kind.REPLY if op in dialect.ops.reply else Kind.UNKNOWN


def dialled(message: Message) -> Dialled | None:
    """What was dialled, from the text and the address; None when it is none of ours."""
    return joined(message.code, message.text)


def screen_pdu(text: str, ends: bool, number: str, code: str, dialect: Dialect, role: Role) -> DeliverSm | SubmitSm:
    """A screen as its PDU: deliver_sm to who has bound to us, submit_sm to whom we have bound."""
    gsm = septets(text) is not None
    return CARRIER[role](
        service_type=dialect.service_type,
        source_addr_ton=dialect.source.ton,
        source_addr_npi=dialect.source.npi,
        source_addr=code,
        dest_addr_ton=dialect.destination.ton,
        dest_addr_npi=dialect.destination.npi,
        destination_addr=number,
        data_coding=dialect.data_coding.gsm if gsm else dialect.data_coding.ucs2,
        short_message=encode_gsm(text) if gsm else encode_ucs2(text),
        tlvs=_op_tlvs(dialect.ops.end if ends else dialect.ops.ask),
    )


def carries(role: Role, state: State) -> bool:
    """Whether a bind in this state takes what we send to subscribers."""
    return CARRIER[role].command_id in MAY_SEND[role, state]


@functools.cache
def _op_tlvs(op: int) -> tuple[Tlv, ...]:
    return (Tlv(constants.TAG_USSD_SERVICE_OP, bytes((op,))),)
