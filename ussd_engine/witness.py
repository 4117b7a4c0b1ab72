"""What turns tell, handed on to everybody who wants to know: counters, chronicle, recordings."""

from __future__ import annotations

from billing.calls import Call, Outcome
from sessions.session import Session

from .chronicle import Chronicle
from .language.walk import Mark
from .metrics import Metrics
from .recordings import Recordings


class EngineWitness:
    """The `Witness` of an engine process."""

    def __init__(self, metrics: Metrics, chronicle: Chronicle, recordings: Recordings) -> None:
        self._metrics = metrics
        self._chronicle = chronicle
        self._recordings = recordings

    def records(self, msisdn: str) -> bool:
        return bool(self._recordings) and msisdn in self._recordings

    def call_made(self, call: Call, outcome: Outcome, seconds: float) -> None:
        self._metrics.call_made(call.operation, outcome, seconds)
        if self._recordings:
            self._recordings.call(call, outcome)

    def happened(self, service: str, marks: tuple[Mark, ...]) -> None:
        self._metrics.screens.note(service, marks)

    def turn_kept(self, session: Session, typed: str, *, secret: bool) -> None:
        self._chronicle.turn(session, typed, session.shown)
        if self._recordings:
            self._recordings.turn(session.msisdn, session.language, secret=secret)

    def ended(self, session: Session, cause: str) -> None:
        self._chronicle.ended(session, cause)

    def failed(self, what: str, msisdn: str) -> None:
        self._metrics.failed(what, msisdn)
