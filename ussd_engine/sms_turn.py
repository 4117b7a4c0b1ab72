"""An SMS to a short number: one message, one answer, accepted only when the core has committed (async over ports only).

- The core first notes the SMS in its inbox: a message that the SMSC sends again gets the same inbox id, and so the
  calls of its walk the same ids; it has one effect.
- What the core cannot say yet leaves the message with the SMSC: a temporary error, and it comes again.
- A change is answered by the core's own notice; the rest is answered from here, once, by whichever engine process is
  the first to say so in the store. While that is away, each answers once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import NamedTuple

from billing.calls import Call, Done, NotMade, Outcome, Unknown
from billing.contract import OPERATIONS
from sessions.session import Session
from sessions.store import StoreAway

from .config import Link
from .language import walk
from .language.menu import CALLS_MAX, Service
from .language.pages import SMS_LIMITS
from .language.walk import Mark, MenuLoop, Show
from .outbox import Sms
from .turn import Ports, Turns, spoken_language

ANSWERED_MAX = 10_000
"""Messages whose answer is remembered as given, so that a repeat is not answered twice."""
ANSWERED_SECONDS = 600.0
"""So long the store remembers it for all processes: longer than an SMSC waits before it sends a message again."""


class Incoming(NamedTuple):
    """An SMS as it came: `until` is the deadline for its acceptance, on the clock of the turns."""

    msisdn: str
    link: Link
    short_number: str
    text: str
    until: float


class Verdict(NamedTuple):
    """What the SMSC is told, and what the subscriber: `answer` None is nothing. `inbox_id`: how the core calls it."""

    accepted: bool
    answer: Sms | None = None
    inbox_id: str = ""


ACCEPTED = Verdict(True)
LATER = Verdict(False)


def _may_be_done_later(outcome: Outcome) -> bool:
    """Whether the message should come again: what is a mistake now will be one then."""
    return isinstance(outcome, Unknown) or (isinstance(outcome, NotMade) and not outcome.for_ever)


class _Later(Exception):
    """It is not known whether the core did it: the message stays with the SMSC."""


class SmsTurns:
    """Takes SMS. It keeps nothing that must survive."""

    def __init__(self, ports: Ports, turns: Turns) -> None:
        self.ports = ports
        self._turns = turns
        self._answered: OrderedDict[str, None] = OrderedDict()

    async def take(self, service: Service, sms: Incoming) -> Verdict:
        """Walks the service's patterns and answers by SMS. LATER: the core has not said that it is done."""
        subscriber = await self.ports.greetings.ask(sms.msisdn, sms.link.network.language)
        if subscriber is None:
            return ACCEPTED  # nobody of ours: nothing to do, nothing to say
        inbox_id = await self._accept(sms)
        if inbox_id is None:
            return ACCEPTED
        if not inbox_id:
            return LATER
        session = Session(
            id=inbox_id, msisdn=sms.msisdn, link=sms.link.name, reference="", network=sms.link.config.network,
            brand=subscriber.brand, status=subscriber.status, service=service.id, menu=service.version, started_at=0.0,
            language=spoken_language(subscriber.language, sms.link.network.language, service),
        )  # fmt: skip
        if service.id in self._turns.off and not (service.guard and service.guard.maintenance):
            words = self._turns.own_words("switched_off", sms.link, session.language).text
            return await self._answer(sms, service, words, inbox_id)
        try:
            shown = await self._walk(service, session, sms)
        except _Later:
            return LATER
        except MenuLoop as error:
            self.ports.witness.failed(str(error), sms.msisdn)
            return ACCEPTED
        return await self._answer(sms, service, shown.text, inbox_id)

    async def _answer(self, sms: Incoming, service: Service, text: str, inbox_id: str) -> Verdict:
        """What is said to the message; nothing when it was said before."""
        if not text or inbox_id in self._answered:
            return Verdict(True, None, inbox_id)
        self._note_answered(inbox_id)
        try:
            is_first = await self.ports.store.is_first(f"answer:{inbox_id}", ANSWERED_SECONDS)
        except StoreAway:
            is_first = True
        answer = Sms(sms.msisdn, sms.link.config.network, service.id, text) if is_first else None
        return Verdict(True, answer, inbox_id)

    async def _accept(self, sms: Incoming) -> str | None:
        """The id under which the core has noted the message; None when it is not to be answered, "" when not known."""
        arguments = {
            "link": sms.link.name,
            "short_number": sms.short_number,
            "digest": hashlib.sha256(sms.text.encode("utf-8", "surrogatepass")).hexdigest(),
        }
        call = Call(self.ports.new_id(), "inbox.accept", sms.msisdn, sms.link.network.language, arguments)
        outcome = await self._perform(call, sms.until)
        if isinstance(outcome, Done):
            return str(outcome.result["inbox_id"])
        return "" if _may_be_done_later(outcome) else None

    async def _walk(self, service: Service, session: Session, sms: Incoming) -> Show:
        terms = self._turns.terms(sms.link)._replace(limits=SMS_LIMITS)
        step = walk.take_sms(service, session, sms.text, terms)
        marks: list[Mark] = []
        calls = 0
        while not isinstance(step, Show):
            calls += 1
            if calls > CALLS_MAX:
                raise MenuLoop(f"service {service.id}: over {CALLS_MAX} calls for one SMS")
            marks += step.marks
            outcome = await self._perform(step.call, sms.until)
            if step.changes and _may_be_done_later(outcome):
                raise _Later
            if step.changes:
                self.ports.greetings.forget(sms.msisdn)
            step = walk.resume(service, step.session, outcome, terms)
        self.ports.witness.happened(service.id, (*marks, *step.marks))
        return step

    async def _perform(self, call: Call, until: float) -> Outcome:
        began = self.ports.now()
        seconds = min(OPERATIONS[call.operation].seconds_max, until - began)
        outcome = await self.ports.billing.perform(call, seconds) if seconds > 0 else NotMade("no time left")
        self.ports.witness.call_made(call, outcome, self.ports.now() - began)
        return outcome

    def _note_answered(self, inbox_id: str) -> None:
        self._answered[inbox_id] = None
        if len(self._answered) > ANSWERED_MAX:
            self._answered.popitem(last=False)
