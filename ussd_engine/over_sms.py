"""SMS as PDUs of a peer: which parts, under which address, for how long (pure)."""

from __future__ import annotations

from smpp.constants import CODING_UCS2
from smpp.pdu import DeliverSm, SubmitSm
from smpp.segments import split
from smpp.states import Role

from .dialect import Dialect
from .over_smpp import CARRIER

TON_ALPHANUMERIC = 5
SMS_PARTS_MAX = 10


def sms_pdus(
    text: str, sender: str, number: str, dialect: Dialect, role: Role, reference: int, valid_seconds: float | None
) -> tuple[DeliverSm | SubmitSm, ...]:
    """An SMS as its PDUs, one a part; `reference` joins the parts, `valid_seconds` says how long it is worth sending.

    The dialect says how a long text is split, and in which alphabet what is not UCS-2 is written.
    A name is an alphanumeric address (TON 5, 5.2.5). A submit_sm asks for a receipt. Raises TextTooLong.
    """
    ton, npi = (dialect.source.ton, dialect.source.npi) if sender.isdigit() else (TON_ALPHANUMERIC, 0)
    submits = role is Role.CLIENT
    codings = {CODING_UCS2: dialect.data_coding.ucs2}
    return tuple(
        CARRIER[role](
            source_addr_ton=ton,
            source_addr_npi=npi,
            source_addr=sender,
            dest_addr_ton=dialect.destination.ton,
            dest_addr_npi=dialect.destination.npi,
            destination_addr=number,
            esm_class=part.esm_class,
            validity_period=_relative(valid_seconds) if submits and valid_seconds is not None else "",
            registered_delivery=1 if submits else 0,
            data_coding=codings.get(part.data_coding, dialect.data_coding.gsm),
            short_message=part.short_message,
            tlvs=part.tlvs,
        )
        for part in split(text, reference, SMS_PARTS_MAX, dialect.sms.split, dialect.sms.alphabet)
    )


def _relative(seconds: float) -> str:
    """A relative time as SMPP writes it (7.1.1.2): from now, in days, hours, minutes and seconds."""
    minutes, second = divmod(max(1, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{min(day, 30):02}{hour:02}{minute:02}{second:02}000R"
