"""The calls of one turn: made within its time, asked about when their outcome is unknown (async over ports only)."""

from __future__ import annotations

from billing.calls import Call, Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS, Operation, check_values, only_known
from sessions.session import Pending, Session

from .language.walk import Make, call_of
from .turn import Ports

REPLY_MARGIN_SECONDS = 0.5
"""Left of a turn's budget for keeping the session and sending the screen."""
ASK_AGAIN_SECONDS_MAX = 1.0
"""How long the outcome of a call is asked for, once it is unknown."""


class CoreCalls:
    """The calls of one turn. `changed`: one that may have changed something has been made."""

    __slots__ = ("_ports", "_until", "changed")

    def __init__(self, ports: Ports, until: float) -> None:
        """`until`: the turn's deadline on the ports' clock."""
        self._ports = ports
        self._until = until
        self.changed = False

    async def perform(self, make: Make) -> Outcome:
        """Makes the call. What stays unknown of a change is asked for once."""
        ports, call = self._ports, make.call
        began = ports.now()
        seconds = self._seconds_left(OPERATIONS[call.operation].seconds_max)
        if seconds <= 0:
            outcome: Outcome = NotMade("no time left in this turn")
        else:
            self.changed = self.changed or make.changes
            outcome = await ports.billing.perform(call, seconds)
            if make.changes and isinstance(outcome, Unknown):
                outcome = await self._status(call) if make.has_secret else await self._repeat(call)
        self._told(call, outcome, began)
        if make.changes:
            ports.greetings.forget(call.msisdn)
        return outcome

    async def ask_again(self, session: Session, pending: Pending) -> Outcome:
        """The outcome of the call that a broken-off turn had made, or was about to make."""
        self.changed = True
        began = self._ports.now()
        call = call_of(session, pending.call_id, pending.operation, session.language, pending.arguments)
        has_secret = OPERATIONS[pending.operation].takes_secret
        outcome = await self._status(call) if has_secret else await self._repeat(call)
        self._told(call, outcome, began)
        self._ports.greetings.forget(call.msisdn)
        return outcome

    def _told(self, call: Call, outcome: Outcome, began: float) -> None:
        self._ports.witness.call_made(call, outcome, self._ports.now() - began)

    async def _repeat(self, call: Call) -> Outcome:
        """The same call under the same id: the core answers what it answered, or does it now, once."""
        seconds = self._seconds_left(OPERATIONS[call.operation].seconds_max)
        outcome = await self._ports.billing.perform(call, seconds) if seconds > 0 else NotMade("")
        # It had been sent before: that nothing was sent this time says nothing about the first.
        return Unknown(outcome.why) if isinstance(outcome, NotMade) else outcome

    async def _status(self, call: Call) -> Outcome:
        """What became of a call that may not be made again."""
        status = OPERATIONS[call.operation].status
        seconds = self._seconds_left(ASK_AGAIN_SECONDS_MAX)
        if status is None:
            return Unknown("nobody can tell")
        named = {name: call.arguments[name] for name in OPERATIONS[status].arguments if name in call.arguments}
        arguments = {**named, "call": call.id}
        question = Call(self._ports.new_id(), status, call.msisdn, call.language, arguments)
        if seconds <= 0:
            self._ports.ask_on(_promised(question))
            return Unknown("no time left to ask")
        answer = await self._ports.billing.perform(question, seconds)
        if not isinstance(answer, Done | Refused):
            self._ports.ask_on(_promised(question))
        return _told_by(answer, OPERATIONS[call.operation])

    def _seconds_left(self, seconds_max: float) -> float:
        return min(seconds_max, self._until - self._ports.now() - REPLY_MARGIN_SECONDS)


def _promised(question: Call) -> Call:
    """The same question, for when the subscriber has been told that an SMS will come: a refusal needs one, too."""
    if "told" not in OPERATIONS[question.operation].arguments:
        return question
    return question._replace(arguments={**question.arguments, "told": True})


def _told_by(answer: Outcome, operation: Operation) -> Outcome:
    """The outcome of a call of `operation`, as its status operation tells it: what was done is known only when its
    results are told as well."""
    told = answer.result if isinstance(answer, Done) else {}
    if told.get("outcome") == "refused":
        return Refused(str(told.get("refusal", "")), {})
    results = only_known(told, operation.results)
    if told.get("outcome") == "done" and not check_values(results, operation.results, "done"):
        return Done(results)
    return Unknown("asked by id, and still not known")


def asked_on(make: Make) -> str:
    """Where a call was made: the screen, or the option."""
    pending = make.session.pending
    assert pending is not None  # noqa: S101 - a Make has one
    return f"{pending.screen}/{pending.option}" if pending.option else pending.screen
