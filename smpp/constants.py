"""The numbers of SMPP: commands, statuses, TLV tags, operations, data codings, with names for logs.

Rules of this file: plain `int`s, because they are compared some 100,000 times a second; a section number is that of
"Short Message Peer to Peer Protocol Specification v3.4, issue 1.2" unless another document is named.
A peer may send any number: what is unknown here prints in hexadecimal and is never an error.
"""

from __future__ import annotations

from typing import Final

# --- commands (5.1.2.1) -----------------------------------------------------------------------------------------

RESPONSE: Final = 0x80000000  # this bit makes a command the response to the command without it (3.2)

GENERIC_NACK: Final = 0x80000000
BIND_RECEIVER: Final = 0x00000001
BIND_RECEIVER_RESP: Final = 0x80000001
BIND_TRANSMITTER: Final = 0x00000002
BIND_TRANSMITTER_RESP: Final = 0x80000002
QUERY_SM: Final = 0x00000003
QUERY_SM_RESP: Final = 0x80000003
SUBMIT_SM: Final = 0x00000004
SUBMIT_SM_RESP: Final = 0x80000004
DELIVER_SM: Final = 0x00000005
DELIVER_SM_RESP: Final = 0x80000005
UNBIND: Final = 0x00000006
UNBIND_RESP: Final = 0x80000006
REPLACE_SM: Final = 0x00000007
REPLACE_SM_RESP: Final = 0x80000007
CANCEL_SM: Final = 0x00000008
CANCEL_SM_RESP: Final = 0x80000008
BIND_TRANSCEIVER: Final = 0x00000009
BIND_TRANSCEIVER_RESP: Final = 0x80000009
OUTBIND: Final = 0x0000000B
ENQUIRE_LINK: Final = 0x00000015
ENQUIRE_LINK_RESP: Final = 0x80000015
SUBMIT_MULTI: Final = 0x00000021
SUBMIT_MULTI_RESP: Final = 0x80000021
ALERT_NOTIFICATION: Final = 0x00000102
DATA_SM: Final = 0x00000103
DATA_SM_RESP: Final = 0x80000103

# SMPP 5.0 (4.4 and 4.6.2 of it): nacked as unknown, and named in logs
BROADCAST_SM: Final = 0x00000111
BROADCAST_SM_RESP: Final = 0x80000111
QUERY_BROADCAST_SM: Final = 0x00000112
QUERY_BROADCAST_SM_RESP: Final = 0x80000112
CANCEL_BROADCAST_SM: Final = 0x00000113
CANCEL_BROADCAST_SM_RESP: Final = 0x80000113

BINDS: Final = frozenset({BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER})

# --- interface versions (5.2.4) ---------------------------------------------------------------------------------

VERSION_3_3: Final = 0x33  # and every lower value
VERSION_3_4: Final = 0x34
VERSION_5_0: Final = 0x50  # 4.7.13 of 5.0
VERSION_3_4_IN_DECIMAL: Final = 34  # sent by peers whose author read 34 as a decimal number

# --- statuses (5.1.3) -------------------------------------------------------------------------------------------

ESME_ROK: Final = 0x00000000
ESME_RINVMSGLEN: Final = 0x00000001
ESME_RINVCMDLEN: Final = 0x00000002
ESME_RINVCMDID: Final = 0x00000003
ESME_RINVBNDSTS: Final = 0x00000004
ESME_RALYBND: Final = 0x00000005
ESME_RINVPRTFLG: Final = 0x00000006
ESME_RINVREGDLVFLG: Final = 0x00000007
ESME_RSYSERR: Final = 0x00000008
ESME_RINVSRCADR: Final = 0x0000000A
ESME_RINVDSTADR: Final = 0x0000000B
ESME_RINVMSGID: Final = 0x0000000C
ESME_RBINDFAIL: Final = 0x0000000D
ESME_RINVPASWD: Final = 0x0000000E
ESME_RINVSYSID: Final = 0x0000000F
ESME_RCANCELFAIL: Final = 0x00000011
ESME_RREPLACEFAIL: Final = 0x00000013
ESME_RMSGQFUL: Final = 0x00000014
ESME_RINVSERTYP: Final = 0x00000015
ESME_RINVNUMDESTS: Final = 0x00000033
ESME_RINVDLNAME: Final = 0x00000034
ESME_RINVDESTFLAG: Final = 0x00000040
ESME_RINVSUBREP: Final = 0x00000042
ESME_RINVESMCLASS: Final = 0x00000043
ESME_RCNTSUBDL: Final = 0x00000044
ESME_RSUBMITFAIL: Final = 0x00000045
ESME_RINVSRCTON: Final = 0x00000048
ESME_RINVSRCNPI: Final = 0x00000049
ESME_RINVDSTTON: Final = 0x00000050
ESME_RINVDSTNPI: Final = 0x00000051
ESME_RINVSYSTYP: Final = 0x00000053
ESME_RINVREPFLAG: Final = 0x00000054
ESME_RINVNUMMSGS: Final = 0x00000055
ESME_RTHROTTLED: Final = 0x00000058
ESME_RINVSCHED: Final = 0x00000061
ESME_RINVEXPIRY: Final = 0x00000062
ESME_RINVDFTMSGID: Final = 0x00000063
ESME_RX_T_APPN: Final = 0x00000064
ESME_RX_P_APPN: Final = 0x00000065
ESME_RX_R_APPN: Final = 0x00000066
ESME_RQUERYFAIL: Final = 0x00000067
ESME_RINVOPTPARSTREAM: Final = 0x000000C0
ESME_ROPTPARNOTALLWD: Final = 0x000000C1
ESME_RINVPARLEN: Final = 0x000000C2
ESME_RMISSINGOPTPARAM: Final = 0x000000C3
ESME_RINVOPTPARAMVAL: Final = 0x000000C4
ESME_RDELIVERYFAILURE: Final = 0x000000FE
ESME_RUNKNOWNERR: Final = 0x000000FF

# --- tags of optional parameters (5.3.2) ------------------------------------------------------------------------

TAG_DEST_ADDR_SUBUNIT: Final = 0x0005
TAG_DEST_BEARER_TYPE: Final = 0x0007
TAG_SOURCE_BEARER_TYPE: Final = 0x000F
TAG_RECEIPTED_MESSAGE_ID: Final = 0x001E
TAG_USER_MESSAGE_REFERENCE: Final = 0x0204
TAG_SOURCE_PORT: Final = 0x020A
TAG_DESTINATION_PORT: Final = 0x020B
TAG_SAR_MSG_REF_NUM: Final = 0x020C
TAG_LANGUAGE_INDICATOR: Final = 0x020D
TAG_SAR_TOTAL_SEGMENTS: Final = 0x020E
TAG_SAR_SEGMENT_SEQNUM: Final = 0x020F
TAG_SC_INTERFACE_VERSION: Final = 0x0210
TAG_MS_AVAILABILITY_STATUS: Final = 0x0422
TAG_NETWORK_ERROR_CODE: Final = 0x0423
TAG_MESSAGE_PAYLOAD: Final = 0x0424
TAG_DELIVERY_FAILURE_REASON: Final = 0x0425
TAG_MORE_MESSAGES_TO_SEND: Final = 0x0426
TAG_MESSAGE_STATE: Final = 0x0427
TAG_CONGESTION_STATE: Final = 0x0428  # SMPP 5.0, met on 3.4 binds
TAG_USSD_SERVICE_OP: Final = 0x0501
TAG_ITS_REPLY_TYPE: Final = 0x1380
TAG_ITS_SESSION_INFO: Final = 0x1383
TAG_PLUS_SESSION_ID: Final = 0x1501  # "SMPP+", a vendor's: session number of four octets
TAG_PLUS_IMSI: Final = 0x1502  # "SMPP+"

# --- ussd_service_op (5.3.2.44) ---------------------------------------------------------------------------------

USSD_PSSD_INDICATION: Final = 0
USSD_PSSR_INDICATION: Final = 1
USSD_USSR_REQUEST: Final = 2
USSD_USSN_REQUEST: Final = 3
USSD_PSSD_RESPONSE: Final = 16
USSD_PSSR_RESPONSE: Final = 17
USSD_USSR_CONFIRM: Final = 18
USSD_USSN_CONFIRM: Final = 19

BEARER_USSD: Final = 4  # source_bearer_type, dest_bearer_type (5.3.2.5)

# --- data_coding (5.2.19; 0x0F to 0x48 are cell-broadcast values, 3GPP TS 23.038 section 5) ---------------------

CODING_DEFAULT: Final = 0x00
CODING_ASCII: Final = 0x01
CODING_LATIN1: Final = 0x03
CODING_OCTETS: Final = 0x04
CODING_CYRILLIC: Final = 0x06
CODING_UCS2: Final = 0x08
CODING_CBS_DEFAULT: Final = 0x0F
CODING_CBS_DEFAULT_WITH_LANGUAGE: Final = 0x10
CODING_CBS_UCS2_WITH_LANGUAGE: Final = 0x11
CODING_CBS_OCTETS: Final = 0x44
CODING_CBS_UCS2: Final = 0x48

# --- names for logs ---------------------------------------------------------------------------------------------

_NOT_COMMANDS = ("ESME_", "TAG_", "USSD_", "CODING_", "VERSION_", "BEARER_", "RESPONSE", "BINDS", "_")

STATUS_NAMES: Final[dict[int, str]] = {v: k for k, v in list(globals().items()) if k.startswith("ESME_")}
COMMAND_NAMES: Final[dict[int, str]] = {
    v: k.lower()
    for k, v in list(globals().items())
    if k.isupper() and isinstance(v, int) and not k.startswith(_NOT_COMMANDS)
}


def status_name(status: int) -> str:
    """`ESME_RTHROTTLED`, or `0x00000408` for a status that stands in no table."""
    return STATUS_NAMES.get(status) or f"0x{status:08X}"


def command_name(command_id: int) -> str:
    """`submit_sm_resp`, or `0x00000110` for a command that neither SMPP 3.4 nor 5.0 knows."""
    return COMMAND_NAMES.get(command_id) or f"0x{command_id:08X}"
