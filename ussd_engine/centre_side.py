"""The other side of `over_smpp`: what a centre says for a handset in its dialect, and what it hears us say (pure).

For handsets of ours: `ussd-engine dial`, the demo, tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from smpp import constants
from smpp.pdu import DataSm, SubmitSm, Tlv, find_tlv
from smpp.segments import Segment, message_octets
from smpp.states import Role
from smpp.text import decode_text, encode_gsm, encode_ucs2, septets

from . import envelope
from .dialect import Dialect, Kind, SessionKey, is_op_of_letters
from .dialect_values import Op, Value
from .msisdn import TON_INTERNATIONAL
from .over_smpp import CARRIER, Carried

NPI_E164 = 1
_END_OF_SESSION = 0x01
_CONTINUES = "0"
_OPENS = "1"


class Shown(NamedTuple):
    """A screen as the centre hears it. `session`: the octets under which the handset answers."""

    number: str
    text: str
    ends: bool
    session: bytes


def new_session(number: int, dialect: Dialect) -> bytes:
    """The session number of the centre's n-th dialogue; empty where the dialect has none."""
    if dialect.envelope is not None:
        return b"%d" % number
    key = dialect.session
    if key is None:
        return b""
    if key.form == "counted":
        return bytes((number % 256, 0))
    shifted = number * 2 if key.form == "end_bit" else number
    return (shifted % (1 << 8 * key.octets)).to_bytes(key.octets, "big")


def said(
    kind: Kind, msisdn: str, code: str, text: str, dialect: Dialect, session: bytes = b"", role: Role = Role.CLIENT
) -> Carried | None:
    """What a centre says for a handset; `role`: which side of the connection the centre is. None where the dialect has
    no word for it: then nothing is said."""
    key = dialect.session
    by_meaning: Mapping[Kind, tuple[Op, ...]] = dict(dialect.ops.by_meaning())
    ops = by_meaning[kind]
    if not ops:
        if kind not in (Kind.ABORT, Kind.NETWORK_ABORT) or key is None or key.form == "whole" or not session:
            return None
        ops, session = dialect.ops.reply, session[:-1] + bytes((session[-1] | _END_OF_SESSION,))
    if dialect.envelope is not None:
        octets, coding = _sealed(str(ops[0].value), msisdn, text, session, dialect.envelope), dialect.data_coding.gsm
        return _carried(msisdn, code, octets, coding, dialect.service_type, (), dialect, role)
    gsm = septets(text) is not None
    part = encode_gsm(text) if gsm else encode_ucs2(text)
    coding = dialect.data_coding.gsm if gsm else dialect.data_coding.ucs2
    op = ops[0].value
    tlvs: tuple[Tlv, ...] = ()
    if isinstance(op, int):
        tlvs = (Tlv(constants.TAG_USSD_SERVICE_OP, bytes((op,))),)
    if key is not None and session:
        tlvs += (Tlv(key.tlv.number, session),)
    return _carried(
        msisdn, code, part, coding, op if isinstance(op, str) else dialect.service_type, tlvs, dialect, role
    )


def _carried(
    msisdn: str,
    code: str,
    octets: bytes,
    coding: int,
    service_type: str,
    tlvs: tuple[Tlv, ...],
    dialect: Dialect,
    role: Role,
) -> Carried:
    if dialect.pdu == "data_sm":
        return DataSm(
            service_type, TON_INTERNATIONAL, NPI_E164, msisdn, 0, 0, code, data_coding=coding,
            tlvs=(*tlvs, Tlv(constants.TAG_MESSAGE_PAYLOAD, octets)),
        )  # fmt: skip
    return CARRIER[role](
        service_type, TON_INTERNATIONAL, NPI_E164, msisdn, 0, 0, code[:20], data_coding=coding, short_message=octets,
        tlvs=tlvs,
    )  # fmt: skip


def _sealed(op: str, msisdn: str, text: str, session: bytes, ids: envelope.Envelope) -> bytes:
    new = _OPENS if op.endswith(envelope.NEW) else _CONTINUES
    fields = {ids.msisdn: msisdn, ids.input: text, ids.session: session.decode(), ids.new: new}
    return envelope.sealed(op.removesuffix(envelope.NEW), fields)


def sms(msisdn: str, short_number: str, part: Segment, dialect: Dialect) -> SubmitSm:
    """A part of an SMS that a handset sends."""
    return SubmitSm(
        source_addr_ton=TON_INTERNATIONAL,
        source_addr_npi=NPI_E164,
        source_addr=msisdn,
        destination_addr=short_number[:20],
        esm_class=part.esm_class,
        data_coding=dialect.data_coding.ucs2 if part.data_coding else dialect.data_coding.gsm,
        short_message=part.short_message,
    )


def heard(pdu: Carried, dialect: Dialect) -> Shown | None:
    """The screen that we say to a handset; None when it is none: an SMS."""
    octets = message_octets(pdu)
    if dialect.envelope is not None and (read := envelope.fields_of(octets)) is not None:
        fields, ids = read[1], dialect.envelope
        ends = fields.get(ids.flow) == dialect.ops.end.value
        return Shown(fields.get(ids.msisdn, ""), fields.get(ids.answer, ""), ends, fields.get(ids.session, "").encode())
    op = _op(pdu, dialect)
    if op is None:
        return None
    session, closed = _session(pdu, dialect.session)
    ops = dialect.ops
    last = {each.value for each in (ops.end, ops.notify) if each is not None} - {ops.ask.value}
    return Shown(pdu.destination_addr, _text(octets, pdu.data_coding, dialect), closed or op in last, session)


def _op(pdu: Carried, dialect: Dialect) -> Value | None:
    if dialect.op_in == "service_type":
        return pdu.service_type if is_op_of_letters(pdu.service_type) else None
    value = find_tlv(pdu, constants.TAG_USSD_SERVICE_OP)
    return value[-1] if value else None


def _session(pdu: Carried, key: SessionKey | None) -> tuple[bytes, bool]:
    """The octets under which the dialogue goes on, and whether they say that it does not."""
    value = find_tlv(pdu, key.tlv.number) if key is not None else None
    if key is None or not value:
        return b"", False
    if key.form == "whole":
        return value, False
    return value[:-1] + bytes((value[-1] & ~_END_OF_SESSION,)), bool(value[-1] & _END_OF_SESSION)


def _text(octets: bytes, coding: int, dialect: Dialect) -> str:
    if coding == dialect.data_coding.gsm:
        return decode_text(octets, constants.CODING_DEFAULT, dialect.data_coding.sent)
    if coding == dialect.data_coding.ucs2:
        coding = constants.CODING_UCS2
    return decode_text(octets, coding, dialect.default_alphabet)
