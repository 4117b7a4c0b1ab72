"""Who may send what, and when: the one table of legal moves (SMPP 3.4, section 2.2 and table 2-1).

Rules of this file: responses do not stand in the table, because an answer is legal whenever its request was.
enquire_link is answered in every open state, also before the bind (SMPP 5.0 says so; it does not postpone the end
of an unbound connection).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from smpp import constants as c


class Role(Enum):
    """Which side of the connection we are."""

    CLIENT = "client"  # an ESME: we bind to a message or USSD centre
    SERVER = "server"  # a centre: others bind to us

    @property
    def peer(self) -> Role:
        """The other side."""
        return Role.SERVER if self is Role.CLIENT else Role.CLIENT


class State(Enum):
    """Where a connection is in its life (2.2); CLOSED ends it, and UNBOUND waits for nothing but that."""

    OPEN = "open"
    OUTBOUND = "outbound"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBOUND = "unbound"
    CLOSED = "closed"


BOUND: Final = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})

STATE_AFTER_BIND: Final = {
    c.BIND_TRANSMITTER: State.BOUND_TX,
    c.BIND_RECEIVER: State.BOUND_RX,
    c.BIND_TRANSCEIVER: State.BOUND_TRX,
}

_NEVER: Final[frozenset[State]] = frozenset()
_UNBOUND_YET: Final = frozenset({State.OPEN, State.OUTBOUND})
_ANY: Final = _UNBOUND_YET | BOUND
_TO_CENTRE: Final = frozenset({State.BOUND_TX, State.BOUND_TRX})
_TO_ESME: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})

# request: in which states the client (ESME) may send it, and in which the server (centre)
_MOVES: Final[dict[int, tuple[frozenset[State], frozenset[State]]]] = {
    c.BIND_TRANSMITTER: (_UNBOUND_YET, _NEVER),
    c.BIND_RECEIVER: (_UNBOUND_YET, _NEVER),
    c.BIND_TRANSCEIVER: (_UNBOUND_YET, _NEVER),
    c.OUTBIND: (_NEVER, frozenset({State.OPEN})),
    c.UNBIND: (BOUND, BOUND),
    c.ENQUIRE_LINK: (_ANY, _ANY),
    c.SUBMIT_SM: (_TO_CENTRE, _NEVER),
    c.SUBMIT_MULTI: (_TO_CENTRE, _NEVER),
    c.QUERY_SM: (_TO_CENTRE, _NEVER),
    c.CANCEL_SM: (_TO_CENTRE, _NEVER),
    c.REPLACE_SM: (_TO_CENTRE, _NEVER),
    c.DATA_SM: (_TO_CENTRE, _TO_ESME),
    c.DELIVER_SM: (_NEVER, _TO_ESME),
    c.ALERT_NOTIFICATION: (_NEVER, _TO_ESME),
}

# (sender, state) -> the requests it may send
MAY_SEND: Final[dict[tuple[Role, State], frozenset[int]]] = {
    (role, state): frozenset(command for command, states in _MOVES.items() if state in states[column])
    for column, role in enumerate((Role.CLIENT, Role.SERVER))
    for state in State
}
