"""What can be wrong with what a peer sent: three sorts, by what has to be done about it.

- `FramingError`: the stream can no longer be cut into PDUs. It is told so (generic_nack), and the connection ends.
- `PduError`: one PDU cannot be taken. It is refused with its matching response; the session goes on.
- A quirk: wrong, but known what was meant. It is taken and counted under one of the words below, never raised.

The rest are mistakes or bad luck of our own side: `WrongState`, `WindowFull`, `NoConnection`, `BindRefused`.
"""

from __future__ import annotations

from typing import Final

from smpp.constants import command_name, status_name

# Quirks are words, because they become labels of a counter: their number is fixed here.
QUIRK_NO_BODY: Final = "no_body"  # a positive response without its body
QUIRK_BODY_ON_ERROR: Final = "body_on_error"  # an error response with one
QUIRK_UNTERMINATED: Final = "unterminated"  # the only C-octet string of a response lacks its NUL
QUIRK_UNREADABLE_BODY: Final = "unreadable_body"  # a response whose body does not parse: its fields are defaults
QUIRK_TRAILING_OCTETS: Final = "trailing_octets"  # one to three octets after the last field
QUIRK_TLV_OVERRUN: Final = "tlv_overrun"  # a last TLV longer than the PDU, dropped
QUIRK_VERSION_IN_DECIMAL: Final = "version_in_decimal"  # interface_version 34 where 0x34 is meant
QUIRK_REFUSED_PDU: Final = "refused_pdu"  # a request was refused for its form
QUIRK_UNKNOWN_COMMAND: Final = "unknown_command"  # a request that SMPP 3.4 does not know: nacked
QUIRK_UNKNOWN_RESPONSE: Final = "unknown_response"  # a response that SMPP 3.4 does not know: consumed
QUIRK_UNEXPECTED_RESPONSE: Final = "unexpected_response"  # it answers nothing that is pending, or it comes too late
QUIRK_WRONG_RESPONSE: Final = "wrong_response"  # its sequence number is pending, for another command
QUIRK_LATE_RESPONSE: Final = "late_response"  # it answers what we have given up waiting for
QUIRK_WINDOW_EXCEEDED: Final = "window_exceeded"  # a request beyond the hard limit of the window: throttled
QUIRK_WRONG_STATE: Final = "wrong_state"  # a request that may not be sent in this state
QUIRKS: Final = frozenset(value for name, value in list(globals().items()) if name.startswith("QUIRK_"))


class FramingError(Exception):
    """`command_length` cannot be believed, so nothing after it can be read. `command_length` is the number sent."""

    def __init__(self, command_length: int) -> None:
        self.command_length = command_length
        super().__init__(f"command_length {command_length}")


class PduError(Exception):
    """One PDU is to be refused: with its matching response carrying `command_status`, or with a generic_nack."""

    def __init__(self, command_id: int, sequence_number: int, command_status: int, what: str) -> None:
        self.command_id = command_id
        self.sequence_number = sequence_number
        self.command_status = command_status
        self.what = what
        super().__init__(f"{command_name(command_id)}: {what} ({status_name(command_status)})")


class WrongState(Exception):
    """We tried to send what this connection may not send in its state; nothing was sent."""


class WindowFull(Exception):
    """As many requests are unanswered as the limits allow; nothing was sent. Try later, or refuse upstream."""


class TooFast(WindowFull):
    """The link's rate has no room for a message just now; nothing was sent. `wait_seconds`: until it has."""

    def __init__(self, wait_seconds: float) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(f"the link's rate has no room for {wait_seconds:.3f} s")


class NoConnection(ConnectionError):
    """Nobody listens there, or nobody answered in time: the peer has heard nothing of us."""


class BindRefused(ConnectionError):
    """The peer answered our bind with an error; `status` is its ESME status."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"bind refused: {status_name(status)}")
