"""What the octets of an optional parameter mean, on demand: a number, a text, a name for logs.

Rules of this file:
- The codec keeps TLVs raw, in their order, with duplicates; nothing is read that nobody asks for.
- A peer may send any tag with any octets: what is unknown prints in hexadecimal, what does not fit is None, and nothing
  here raises.
- A number is read in the width that it came in: peers send one octet for two, and two for one.
- The first TLV with a tag counts, as for `pdu.find_tlv`.
Sections: 5.3.2 of SMPP 3.4; 4.8.4 of SMPP 5.0 for the tags below "5.0".
"""

from __future__ import annotations

from typing import Final

from smpp.pdu import Pdu, find_tlv

NUMBER_OCTETS_MAX: Final = 4

TLV_NAMES: Final[dict[int, str]] = {
    0x0005: "dest_addr_subunit",
    0x0006: "dest_network_type",
    0x0007: "dest_bearer_type",
    0x0008: "dest_telematics_id",
    0x000D: "source_addr_subunit",
    0x000E: "source_network_type",
    0x000F: "source_bearer_type",
    0x0010: "source_telematics_id",
    0x0017: "qos_time_to_live",
    0x0019: "payload_type",
    0x001D: "additional_status_info_text",
    0x001E: "receipted_message_id",
    0x0030: "ms_msg_wait_facilities",
    0x0201: "privacy_indicator",
    0x0202: "source_subaddress",
    0x0203: "dest_subaddress",
    0x0204: "user_message_reference",
    0x0205: "user_response_code",
    0x020A: "source_port",
    0x020B: "destination_port",
    0x020C: "sar_msg_ref_num",
    0x020D: "language_indicator",
    0x020E: "sar_total_segments",
    0x020F: "sar_segment_seqnum",
    0x0210: "sc_interface_version",
    0x0302: "callback_num_pres_ind",
    0x0303: "callback_num_atag",
    0x0304: "number_of_messages",
    0x0381: "callback_num",
    0x0420: "dpf_result",
    0x0421: "set_dpf",
    0x0422: "ms_availability_status",
    0x0423: "network_error_code",
    0x0424: "message_payload",
    0x0425: "delivery_failure_reason",
    0x0426: "more_messages_to_send",
    0x0427: "message_state",
    0x0501: "ussd_service_op",
    0x1201: "display_time",
    0x1203: "sms_signal",
    0x1204: "ms_validity",
    0x130C: "alert_on_message_delivery",
    0x1380: "its_reply_type",
    0x1383: "its_session_info",
    # 5.0
    0x0428: "congestion_state",
    0x0600: "broadcast_channel_indicator",
    0x0601: "broadcast_content_type",
    0x0602: "broadcast_content_type_info",
    0x0603: "broadcast_message_class",
    0x0604: "broadcast_rep_num",
    0x0605: "broadcast_frequency_interval",
    0x0606: "broadcast_area_identifier",
    0x0607: "broadcast_error_status",
    0x0608: "broadcast_area_success",
    0x0609: "broadcast_end_time",
    0x060A: "broadcast_service_group",
    0x060B: "billing_identification",
    0x060D: "source_network_id",
    0x060E: "dest_network_id",
    0x060F: "source_node_id",
    0x0610: "dest_node_id",
    0x0611: "dest_addr_np_resolution",
    0x0612: "dest_addr_np_information",
    0x0613: "dest_addr_np_country",
    # "SMPP+", a vendor's
    0x1501: "plus_session_id",
    0x1502: "plus_imsi",
}


def tlv_name(tag: int) -> str:
    """`ussd_service_op`, or `0x14FF` for a tag that stands in no table."""
    return TLV_NAMES.get(tag) or f"0x{tag:04X}"


def tlv_int(pdu: Pdu, tag: int) -> int | None:
    """The number in the first TLV with this tag, of one to four octets, the highest first.

    None when there is no such TLV, or it has no octets or more than four.
    """
    value = find_tlv(pdu, tag)
    return int.from_bytes(value, "big") if value and len(value) <= NUMBER_OCTETS_MAX else None


def tlv_text(pdu: Pdu, tag: int) -> str | None:
    """The text in the first TLV with this tag, in Latin-1 (each octet keeps its value), without NULs at its end.

    A C-octet string and an octet string are read alike, because peers send one for the other. None when there is none.
    """
    value = find_tlv(pdu, tag)
    return None if value is None else value.rstrip(b"\0").decode("latin-1")
