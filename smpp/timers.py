"""The timers of one connection, without a clock: it is told what happened and when, and asked what is due.

Rules of this file: times are seconds of one monotonic clock, given by the caller. Nothing fires by itself: `tick(now)`
names what is due by `now`, each thing once; whoever asks late gets it late and no more often. Requests of ours
expire in the `Window`, which knows them; here are the timers of the session itself (SMPP 3.4, section 7.2).
"""

from __future__ import annotations

from enum import Enum

from smpp.limits import Limits


class Due(Enum):
    """What `tick` finds due; all but `ENQUIRE` and `UNBIND` end the connection, and their values are the reasons."""

    ENQUIRE = "enquire"
    UNBIND = "inactive"
    NOT_SECURED = "tls_not_agreed_in_time"
    NOT_BOUND = "not_bound_in_time"
    BIND_UNANSWERED = "bind_unanswered"
    PEER_SILENT = "enquire_link_unanswered"
    PARTIAL_PDU = "partial_pdu"
    UNBIND_UNANSWERED = "unbind_unanswered"


class Timers:
    """When things last happened on one connection. The fields may be read; the methods say what happened."""

    __slots__ = (
        "_limits",
        "active_at",
        "bind_sent_at",
        "bound",
        "enquired_at",
        "heard_at",
        "misses",
        "opened_at",
        "partial_at",
        "secured",
        "unbind_sent_at",
    )

    def __init__(self, limits: Limits, now: float, *, secured: bool = True) -> None:
        """`secured` False: TLS is being agreed on, and `secure` will say when it is."""
        self._limits = limits
        self.opened_at = now
        self.heard_at = now
        self.active_at = now
        self.secured = secured
        self.bound = False
        self.bind_sent_at: float | None = None
        self.enquired_at: float | None = None
        self.misses = 0
        self.partial_at: float | None = None
        self.unbind_sent_at: float | None = None

    def serve(self, limits: Limits) -> None:
        """From now on these limits hold: the peer has said who it is."""
        self._limits = limits

    def open(self, now: float) -> None:
        """The socket is connected."""
        self.opened_at = self.heard_at = self.active_at = now

    def secure(self, now: float) -> None:
        """TLS is agreed on: the session begins to be initiated."""
        self.secured = True
        self.opened_at = now

    def heard(self, now: float) -> None:
        """A whole PDU came, any PDU: the peer lives."""
        self.heard_at = now
        self.enquired_at = None
        self.misses = 0

    def held(self, now: float) -> None:
        """We do not read just now: the peer's silence is of our making."""
        self.heard(now)
        if self.partial_at is not None:
            self.partial_at = now

    def tick(self, now: float) -> Due | None:
        """What is due. An end comes once, because the connection ends with it; so do each `ENQUIRE` and `UNBIND`."""
        limits = self._limits
        if not self.secured:
            return Due.NOT_SECURED if now - self.opened_at >= limits.tls_seconds else None
        if self.partial_at is not None and now - self.partial_at >= limits.partial_pdu_seconds:
            return Due.PARTIAL_PDU
        if self.unbind_sent_at is not None:
            return Due.UNBIND_UNANSWERED if now - self.unbind_sent_at >= limits.unbind_answer_seconds else None
        if self.bound:
            if limits.inactivity_seconds and now - self.active_at >= limits.inactivity_seconds:
                return Due.UNBIND
            return self._silence(now)
        if self.bind_sent_at is not None:
            return Due.BIND_UNANSWERED if now - self.bind_sent_at >= limits.bind_answer_seconds else None
        return Due.NOT_BOUND if now - self.opened_at >= limits.session_init_seconds else None

    def _silence(self, now: float) -> Due | None:
        if self.enquired_at is None:
            if now - self.heard_at < self._limits.enquire_idle_seconds:
                return None
        elif now - self.enquired_at < self._limits.enquire_answer_seconds:
            return None
        else:
            self.misses += 1
            if self.misses >= self._limits.enquire_misses_max:
                return Due.PEER_SILENT
        self.enquired_at = now
        return Due.ENQUIRE
