"""What one connection may use, and for how long: every bound and timer of a link in one record.

A leaf of the package. Units stand last in the names. An operator sets them under `limits:` in the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from strict_yaml import Range

Seconds: TypeAlias = Annotated[float, Range(0.05, 3600)]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and timers of one connection; each default is what the field has shown to be enough."""

    connect_seconds: Seconds = 10.0  # we dial: until the socket is connected
    tls_seconds: Seconds = 10.0  # from there until TLS is agreed on
    session_init_seconds: Seconds = 5.0  # from there to the bind, whatever is sent meanwhile (7.2 of SMPP 3.4)
    bind_answer_seconds: Seconds = 30.0  # we bind: the peer's answer; its account may be looked up elsewhere
    enquire_idle_seconds: Seconds = 30.0  # nothing heard for so long: ask with enquire_link
    enquire_answer_seconds: Seconds = 10.0  # the answer to it, or anything else, must come in this time
    enquire_misses_max: Annotated[int, Range(1, 100)] = 2  # so many enquiries in a row unanswered end the connection
    ussd_response_seconds: Seconds = 10.0  # a request of ours is given up after this: the network has, too …
    sms_response_seconds: Seconds = 30.0  # … and so is one that carries an SMS
    partial_pdu_seconds: Seconds = 5.0  # a PDU that has begun must be whole by then
    inactivity_seconds: Annotated[float, Range(0, 86_400)] = 0.0  # no message either way for so long: unbind; 0: never
    unbind_answer_seconds: Seconds = 5.0  # our unbind is answered by then; a closing connection is flushed by then
    late_seconds: Annotated[float, Range(0, 3600)] = 60.0  # so long a number that expired is known, and not used again
    window_out: Annotated[int, Range(1, 100_000)] = 10  # our requests without an answer yet
    window_in: Annotated[int, Range(1, 100_000)] = 100  # the peer's; at so many no more is read …
    window_in_max: Annotated[int, Range(1, 100_000)] = 200  # … and what was read beyond this gets ESME_RTHROTTLED
    per_second: Annotated[float, Range(0, 100_000)] = 0.0  # messages of ours, over all binds of a link; 0: no bound
    pdu_octets_max: Annotated[int, Range(16, 65_536)] = 8192  # a PDU, header included, once bound
    pdu_octets_max_unbound: Annotated[int, Range(16, 65_536)] = 4096  # and before the bind
    pdu_octets_max_payload: Annotated[int, Range(16, 131_072)] = 65536  # once bound, where message_payload is allowed
    message_payload_allowed: bool = False
    unsent_octets_max: Annotated[int, Range(16_384, 1_073_741_824)] = 1_048_576  # a peer that does not read is closed

    def octets_max(self, *, bound: bool) -> int:
        """The longest PDU that is read in this state, in octets."""
        if not bound:
            return self.pdu_octets_max_unbound
        return self.pdu_octets_max_payload if self.message_payload_allowed else self.pdu_octets_max
