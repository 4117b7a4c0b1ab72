"""Between PDUs and turns: what a peer says, and how we say screens and SMS, in both roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from masking import Masker
from smpp.pdu import DataSm, DeliverSm, SubmitSm, Tlv
from smpp.states import Role, State
from smpp.text import decode_text
from ussd_engine import over_smpp, over_sms
from ussd_engine.config import read_settings
from ussd_engine.dialect import Kind

DIALECT = read_settings(Path(__file__).resolve().parents[3] / "config.yaml").links["kcell-ussdc"].dialect
NUMBER = "77010000007"
MASKER = Masker(b"k" * 32)


def op(value: int) -> tuple[Tlv, ...]:
    return (Tlv(0x0501, bytes((value,))),)


@pytest.mark.parametrize(
    ("tlvs", "kind"),
    [
        (op(1), Kind.BEGIN), (op(18), Kind.REPLY), (op(129), Kind.ABORT), (op(65), Kind.ABORT), (op(77), Kind.UNKNOWN),
        ((), Kind.SMS), ((Tlv(0x0501, b""),), Kind.SMS), ((*op(18), Tlv(0x1383, b"\x05\x03")), Kind.ABORT),
        ((*op(18), Tlv(0x1383, b"\x05\x02")), Kind.REPLY),
    ],
)  # fmt: skip
@pytest.mark.parametrize("carrier", [SubmitSm, DeliverSm])
def test_the_op_says_what_a_message_is(carrier: type[SubmitSm | DeliverSm], tlvs: tuple[Tlv, ...], kind: Kind) -> None:
    pdu = carrier(source_addr_ton=1, source_addr=NUMBER, destination_addr="*111#", short_message=b"3", tlvs=tlvs)
    message = over_smpp.read_message(pdu, DIALECT, "KZ", MASKER)
    assert (message.kind, message.msisdn, message.text) == (kind, NUMBER, "3")


def test_the_text_may_be_in_message_payload() -> None:
    pdu = DataSm(source_addr_ton=1, source_addr=NUMBER, tlvs=(*op(1), Tlv(0x0424, b"*111#")))
    assert over_smpp.read_message(pdu, DIALECT, "KZ", MASKER).text == "*111#"


def test_two_messages_alike_but_for_their_text_have_two_marks() -> None:
    def mark(text: bytes, sequence: int) -> str:
        pdu = SubmitSm(source_addr=NUMBER, short_message=text, tlvs=op(18), sequence_number=sequence)
        return over_smpp.read_message(pdu, DIALECT, "KZ", MASKER).mark

    assert mark(b"1", 5) == mark(b"1", 5)
    assert len({mark(b"1", 5), mark(b"2", 5), mark(b"1", 6)}) == 3


@pytest.mark.parametrize(("role", "carrier"), [(Role.SERVER, DeliverSm), (Role.CLIENT, SubmitSm)])
@pytest.mark.parametrize(("text", "coding"), [("Balance {5}", 0), ("Баланс", 8)])
def test_a_screen_goes_out_as_the_role_has_it(
    role: Role, carrier: type[SubmitSm | DeliverSm], text: str, coding: int
) -> None:
    pdu = over_smpp.screen_pdu(text, True, NUMBER, "*111#", DIALECT, role)
    assert isinstance(pdu, carrier)
    assert pdu.data_coding == coding
    assert decode_text(pdu.short_message, coding, "gsm") == text
    assert pdu.tlvs == op(17)
    assert (pdu.source_addr, pdu.destination_addr) == ("*111#", NUMBER)


def test_an_sms_of_a_name_is_alphanumeric_and_a_long_one_has_parts() -> None:
    parts = over_sms.sms_pdus("ғ" * 100, "Kcell", NUMBER, DIALECT, Role.CLIENT, 7, 3661.0)
    assert [(part.source_addr_ton, part.source_addr_npi, part.esm_class) for part in parts] == [(5, 0, 0x40)] * 2
    assert {part.validity_period for part in parts} == {"000000010101000R"}
    assert {part.registered_delivery for part in parts} == {1}


def test_an_sms_to_who_has_bound_to_us_has_no_validity_and_asks_for_no_receipt() -> None:
    (part,) = over_sms.sms_pdus("Hello", "111", NUMBER, DIALECT, Role.SERVER, 7, 60.0)
    assert isinstance(part, DeliverSm)
    assert (part.validity_period, part.registered_delivery) == ("", 0)
    assert part.source_addr_ton == DIALECT.source.ton


@pytest.mark.parametrize(
    ("role", "state", "carries"),
    [
        (Role.SERVER, State.BOUND_RX, True), (Role.SERVER, State.BOUND_TX, False), (Role.SERVER, State.BOUND_TRX, True),
        (Role.CLIENT, State.BOUND_TX, True), (Role.CLIENT, State.BOUND_RX, False), (Role.CLIENT, State.OPEN, False),
    ],
)  # fmt: skip
def test_which_binds_carry_screens(role: Role, state: State, carries: bool) -> None:
    assert over_smpp.carries(role, state) is carries
