"""Every PDU of SMPP 3.4 as an immutable tuple. The classes are the field tables.

Rules of this file:
- A table (`_Message`, `_Bind`, …) lists fields in wire order, by their names in the specification; the annotation is
  the wire type. The codec is compiled from these tables: nothing about the layout of a PDU stands anywhere else.
- Commands with one layout share one table; the command is the class: `SubmitSm` and `DeliverSm` are both `_Message`.
- C-octet strings are `str` in Latin-1 (each octet keeps its value); a length octet is implied by what it counts.
- Every PDU ends with `tlvs`, `sequence_number`, `command_status`, and every field has a default.
- Sizes count the closing NUL, as the specification does. They bind what we encode; a peer's longer field is read.
"""
# long because: it is one table, a line a field, of all 27 commands

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple, TypeAlias, cast

from smpp import constants as c

if TYPE_CHECKING:
    from typing import Self

# --- wire types -------------------------------------------------------------------------------------------------


class Octet(NamedTuple):
    """An unsigned number of one octet."""


class CString(NamedTuple):
    """A C-octet string of at most `octets_max` octets with its NUL."""

    octets_max: int


class Counted(NamedTuple):
    """Octets after one octet that counts them (`sm_length`); at most `octets_max`."""

    octets_max: int


class Listed(NamedTuple):
    """Entries after one octet that counts them; `of` says which."""

    of: str


U8: TypeAlias = Annotated[int, Octet()]
CString6: TypeAlias = Annotated[str, CString(6)]
CString9: TypeAlias = Annotated[str, CString(9)]
CString13: TypeAlias = Annotated[str, CString(13)]
CString16: TypeAlias = Annotated[str, CString(16)]
CString17: TypeAlias = Annotated[str, CString(17)]
CString21: TypeAlias = Annotated[str, CString(21)]
CString41: TypeAlias = Annotated[str, CString(41)]
CString65: TypeAlias = Annotated[str, CString(65)]
ShortMessage: TypeAlias = Annotated[bytes, Counted(254)]


class Tlv(NamedTuple):
    """An optional parameter (5.3): its tag and its raw octets. Order and duplicates are kept as they came."""

    tag: int
    value: bytes


class SmeAddress(NamedTuple):
    """One destination of submit_multi that is an address (4.5.1.1, dest_flag 1)."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""


class DistributionList(NamedTuple):
    """One destination of submit_multi that is a list kept by the peer (4.5.1.1, dest_flag 2)."""

    dl_name: str = ""


class UnsuccessSme(NamedTuple):
    """One destination that submit_multi did not reach, and why (4.5.2.1)."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    error_status_code: int = 0


DestAddresses: TypeAlias = Annotated[tuple[SmeAddress | DistributionList, ...], Listed("dest_address")]
UnsuccessSmes: TypeAlias = Annotated[tuple[UnsuccessSme, ...], Listed("unsuccess_sme")]


_new: Any = tuple.__new__


class Pdu:
    """What all PDUs have in common. Equal means: the same command, and the same fields."""

    __slots__ = ()
    command_id: ClassVar[int]

    if TYPE_CHECKING:  # the tables bring these

        @property
        def tlvs(self) -> tuple[Tlv, ...]: ...
        @property
        def sequence_number(self) -> int: ...
        @property
        def command_status(self) -> int: ...

    def numbered(self, sequence_number: int) -> Self:
        """The same PDU under another sequence number; some ten times faster than `_replace`."""
        fields: Any = self
        made: Self = _new(type(self), (*fields[:-2], sequence_number, fields[-1]))
        return made

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and tuple.__eq__(cast("tuple[Any, ...]", self), other)

    def __ne__(self, other: object) -> bool:  # or the tuple's own would be found
        return not self == other

    def __hash__(self) -> int:
        return hash((self.command_id, *cast("tuple[Any, ...]", self)))


# --- field tables -----------------------------------------------------------------------------------------------


class _Bare(NamedTuple):
    """Header only: enquire_link (4.11), unbind (4.2), generic_nack (4.3), the responses to cancel and replace."""

    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _Bind(NamedTuple):
    """4.1.1, 4.1.3, 4.1.5"""

    system_id: CString16 = ""
    password: CString9 = ""
    system_type: CString13 = ""
    interface_version: U8 = c.VERSION_3_4
    addr_ton: U8 = 0
    addr_npi: U8 = 0
    address_range: CString41 = ""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _BindResp(NamedTuple):
    """4.1.2, 4.1.4, 4.1.6"""

    system_id: CString16 = ""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _Outbind(NamedTuple):
    """4.1.7.1"""

    system_id: CString16 = ""
    password: CString9 = ""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _Message(NamedTuple):
    """4.4.1, 4.6.1"""

    service_type: CString6 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: CString21 = ""
    dest_addr_ton: U8 = 0
    dest_addr_npi: U8 = 0
    destination_addr: CString21 = ""
    esm_class: U8 = 0
    protocol_id: U8 = 0
    priority_flag: U8 = 0
    schedule_delivery_time: CString17 = ""
    validity_period: CString17 = ""
    registered_delivery: U8 = 0
    replace_if_present_flag: U8 = 0
    data_coding: U8 = 0
    sm_default_msg_id: U8 = 0
    short_message: ShortMessage = b""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _MessageId(NamedTuple):
    """4.4.2, 4.6.2, 4.7.2"""

    message_id: CString65 = ""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _SubmitMulti(NamedTuple):
    """4.5.1"""

    service_type: CString6 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: CString21 = ""
    dest_address: DestAddresses = ()
    esm_class: U8 = 0
    protocol_id: U8 = 0
    priority_flag: U8 = 0
    schedule_delivery_time: CString17 = ""
    validity_period: CString17 = ""
    registered_delivery: U8 = 0
    replace_if_present_flag: U8 = 0
    data_coding: U8 = 0
    sm_default_msg_id: U8 = 0
    short_message: ShortMessage = b""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _SubmitMultiResp(NamedTuple):
    """4.5.2"""

    message_id: CString65 = ""
    unsuccess_sme: UnsuccessSmes = ()
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _DataSm(NamedTuple):
    """4.7.1"""

    service_type: CString6 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: CString65 = ""
    dest_addr_ton: U8 = 0
    dest_addr_npi: U8 = 0
    destination_addr: CString65 = ""
    esm_class: U8 = 0
    registered_delivery: U8 = 0
    data_coding: U8 = 0
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _QuerySm(NamedTuple):
    """4.8.1"""

    message_id: CString65 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: CString21 = ""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _QuerySmResp(NamedTuple):
    """4.8.2"""

    message_id: CString65 = ""
    final_date: CString17 = ""
    message_state: U8 = 0
    error_code: U8 = 0
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _CancelSm(NamedTuple):
    """4.9.1"""

    service_type: CString6 = ""
    message_id: CString65 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: CString21 = ""
    dest_addr_ton: U8 = 0
    dest_addr_npi: U8 = 0
    destination_addr: CString21 = ""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _ReplaceSm(NamedTuple):
    """4.10.1"""

    message_id: CString65 = ""
    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: CString21 = ""
    schedule_delivery_time: CString17 = ""
    validity_period: CString17 = ""
    registered_delivery: U8 = 0
    sm_default_msg_id: U8 = 0
    short_message: ShortMessage = b""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


class _AlertNotification(NamedTuple):
    """4.12.1"""

    source_addr_ton: U8 = 0
    source_addr_npi: U8 = 0
    source_addr: CString65 = ""
    esme_addr_ton: U8 = 0
    esme_addr_npi: U8 = 0
    esme_addr: CString65 = ""
    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0


# --- the PDUs ---------------------------------------------------------------------------------------------------


class GenericNack(Pdu, _Bare):
    __slots__ = ()
    command_id = c.GENERIC_NACK


class BindReceiver(Pdu, _Bind):
    __slots__ = ()
    command_id = c.BIND_RECEIVER


class BindReceiverResp(Pdu, _BindResp):
    __slots__ = ()
    command_id = c.BIND_RECEIVER_RESP


class BindTransmitter(Pdu, _Bind):
    __slots__ = ()
    command_id = c.BIND_TRANSMITTER


class BindTransmitterResp(Pdu, _BindResp):
    __slots__ = ()
    command_id = c.BIND_TRANSMITTER_RESP


class BindTransceiver(Pdu, _Bind):
    __slots__ = ()
    command_id = c.BIND_TRANSCEIVER


class BindTransceiverResp(Pdu, _BindResp):
    __slots__ = ()
    command_id = c.BIND_TRANSCEIVER_RESP


class Outbind(Pdu, _Outbind):
    __slots__ = ()
    command_id = c.OUTBIND


class Unbind(Pdu, _Bare):
    __slots__ = ()
    command_id = c.UNBIND


class UnbindResp(Pdu, _Bare):
    __slots__ = ()
    command_id = c.UNBIND_RESP


class EnquireLink(Pdu, _Bare):
    __slots__ = ()
    command_id = c.ENQUIRE_LINK


class EnquireLinkResp(Pdu, _Bare):
    __slots__ = ()
    command_id = c.ENQUIRE_LINK_RESP


class SubmitSm(Pdu, _Message):
    __slots__ = ()
    command_id = c.SUBMIT_SM


class SubmitSmResp(Pdu, _MessageId):
    __slots__ = ()
    command_id = c.SUBMIT_SM_RESP


class DeliverSm(Pdu, _Message):
    __slots__ = ()
    command_id = c.DELIVER_SM


class DeliverSmResp(Pdu, _MessageId):
    __slots__ = ()
    command_id = c.DELIVER_SM_RESP


class DataSm(Pdu, _DataSm):
    __slots__ = ()
    command_id = c.DATA_SM


class DataSmResp(Pdu, _MessageId):
    __slots__ = ()
    command_id = c.DATA_SM_RESP


class SubmitMulti(Pdu, _SubmitMulti):
    __slots__ = ()
    command_id = c.SUBMIT_MULTI


class SubmitMultiResp(Pdu, _SubmitMultiResp):
    __slots__ = ()
    command_id = c.SUBMIT_MULTI_RESP


class QuerySm(Pdu, _QuerySm):
    __slots__ = ()
    command_id = c.QUERY_SM


class QuerySmResp(Pdu, _QuerySmResp):
    __slots__ = ()
    command_id = c.QUERY_SM_RESP


class CancelSm(Pdu, _CancelSm):
    __slots__ = ()
    command_id = c.CANCEL_SM


class CancelSmResp(Pdu, _Bare):
    __slots__ = ()
    command_id = c.CANCEL_SM_RESP


class ReplaceSm(Pdu, _ReplaceSm):
    __slots__ = ()
    command_id = c.REPLACE_SM


class ReplaceSmResp(Pdu, _Bare):
    __slots__ = ()
    command_id = c.REPLACE_SM_RESP


class AlertNotification(Pdu, _AlertNotification):
    __slots__ = ()
    command_id = c.ALERT_NOTIFICATION


BindPdu: TypeAlias = BindReceiver | BindTransmitter | BindTransceiver
MessagePdu: TypeAlias = SubmitSm | DeliverSm

BY_COMMAND_ID: Final[dict[int, type[Pdu]]] = {cls.command_id: cls for cls in Pdu.__subclasses__()}


def answer(request: Pdu, command_status: int = c.ESME_ROK) -> Pdu | None:
    """The response that belongs to `request`, under its sequence number, with default fields.

    None for outbind, alert_notification and responses, which are never answered.
    """
    if request.command_id & c.RESPONSE:
        return None
    made = BY_COMMAND_ID.get(request.command_id | c.RESPONSE)
    if made is None:
        return None
    return cast("Pdu", cast(Any, made)(sequence_number=request.sequence_number, command_status=command_status))


def find_tlv(pdu: Pdu, tag: int) -> bytes | None:
    """The octets of the first optional parameter with this tag, or None.

    The first, because a gateway on the way that adds its own appends it: the sender's stands before it.
    """
    for found, value in pdu.tlvs:
        if found == tag:
            return value
    return None
