"""What one connection may use, and for how long: every bound and timer of a link in one record.

A leaf of the package. Units stand last in the names.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and timers of one connection; each default is what the field has shown to be enough."""

    session_init_seconds: float = 5.0  # from the connection to the bind, whatever is sent meanwhile (7.2 of SMPP 3.4)
    bind_answer_seconds: float = 30.0  # we bind: the peer's answer; its account may be looked up elsewhere
    enquire_idle_seconds: float = 30.0  # nothing heard for so long: ask with enquire_link
    enquire_answer_seconds: float = 10.0  # the answer to it, or anything else, must come in this time
    enquire_misses_max: int = 2  # so many enquiries in a row unanswered end the connection
    response_seconds_max: float = 10.0  # our request is given up after this
    partial_pdu_seconds: float = 5.0  # a PDU that has begun must be whole by then
    unbind_answer_seconds: float = 5.0  # our unbind is answered by then; a closing connection is flushed by then
    pdu_octets_max: int = 8192  # a PDU, header included, once bound
    pdu_octets_max_unbound: int = 4096  # and before the bind
    pdu_octets_max_payload: int = 65536  # once bound, where message_payload is allowed
    message_payload_allowed: bool = False
    window_max: int = 1000  # our requests without an answer yet
    unsent_octets_max: int = 1_048_576  # a peer that does not read is closed at this

    def octets_max(self, *, bound: bool) -> int:
        """The longest PDU that is read in this state, in octets."""
        if not bound:
            return self.pdu_octets_max_unbound
        return self.pdu_octets_max_payload if self.message_payload_allowed else self.pdu_octets_max
