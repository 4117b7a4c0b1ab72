"""One turn of a dialogue: load, walk, make the calls that the walk returns, keep, reply.

Rules of this file (async over ports only: store, billing, clock, ids):
- A session that remembers a changing call is kept before the call is made; a turn that comes back to it, after a crash
  or a repeat, asks under the same id. A call with a secret is never made again: its outcome is asked for.
- Whatever happens, the subscriber gets a screen: errors of ours become the engine's own words here, and nowhere else.
- A turn that finds another one has been faster says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from billing.calls import Billing, Call, Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS
from sessions.session import Session, SessionTooLarge, UnreadableSession, stamp_of
from sessions.store import Store, StoreAway

from . import check, menu, walk
from .catalog import Catalog
from .config import Link
from .dial_string import Dialled
from .greeting import Greetings
from .menu import Service
from .walk import Make, MenuLoop, Show, Step, Terms
from .wording import cut

ENDED_SECONDS = 60.0
"""How long an ended dialogue is remembered, so that a repeat of its last input gets the same screen."""
REPLY_MARGIN_SECONDS = 0.5
"""Left of a turn's budget for keeping the session and sending the screen."""
ASK_AGAIN_SECONDS_MAX = 1.0
"""How long the outcome of a call is asked for, once it is unknown."""


class Begin(NamedTuple):
    """A code was dialled. `dialled` None: something that is none of ours. `until`: the turn's deadline on the clock."""

    msisdn: str
    link: Link
    dialled: Dialled | None
    mark: str
    until: float


class Answer(NamedTuple):
    """Something was typed on the screen that the subscriber sees.

    `dialled`: what it would begin if there is no dialogue, where the peer does not say what it is.
    """

    msisdn: str
    link: Link
    text: str
    mark: str
    until: float
    dialled: Dialled | None = None


class Reply(NamedTuple):
    """A screen to send; `ends` closes the dialogue."""

    text: str
    ends: bool


class Witness(Protocol):
    """Who is told what happened, to count and to write it down."""

    def call_made(self, operation: str, outcome: str) -> None:
        """A call ended: done, refused, unknown or not_made."""

    def dialogue_ended(self, service: str, cause: str) -> None:
        """A dialogue got its last screen."""

    def failed(self, what: str, msisdn: str) -> None:
        """A fault of ours that a subscriber has seen as `try again`."""


class Ports(NamedTuple):
    """What a turn reaches the world through. `now`: monotonic seconds; `wall_clock`: seconds since 1970."""

    catalog: Catalog
    store: Store
    billing: Billing
    greetings: Greetings
    witness: Witness
    now: Callable[[], float]
    wall_clock: Callable[[], float]
    new_id: Callable[[], str]
    idle_seconds: float


class Turns:
    """Takes turns. One object a process; it keeps nothing between two turns but what the ports keep."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self._terms: dict[str, Terms] = {}

    async def take(self, request: Begin | Answer) -> Reply | None:
        """The reply to a message of a dialogue; None when there is nothing to say."""
        return await Taking(self, request).reply()

    async def hang_up(self, msisdn: str, link: Link) -> None:
        """The dialogue is over without a screen: the subscriber or the network ended it, on its own link."""
        try:
            session = await self.ports.store.load(msisdn)
            if session is not None and session.link == link.name:
                await self.ports.store.forget(msisdn, session.id)
                if not session.ended:
                    self.ports.witness.dialogue_ended(session.service, "abort")
        except (StoreAway, UnreadableSession) as error:
            self.ports.witness.failed(f"{type(error).__name__}: {error}", msisdn)

    def own_words(self, screen: str, link: Link, language: str = "") -> Reply:
        """A closing screen of the engine's own."""
        text = self.ports.catalog.words(screen, language or link.network.language)
        return Reply(cut(text, link.dialect.screen), True)

    def terms(self, link: Link) -> Terms:
        """Under what screens are made on this link."""
        if link.name not in self._terms:
            network = link.network
            zone = ZoneInfo(network.time_zone)
            self._terms[link.name] = Terms(link.dialect.screen, network.country, network.currency, zone)
        return self._terms[link.name]


class _Repeated(Exception):
    """A begin that the store knows already: `session` is the dialogue that it began."""

    def __init__(self, session: Session) -> None:
        self.session = session
        super().__init__(session.id)


class Taking:
    """One turn on its way. `changed`: a call that may have changed something has been made."""

    __slots__ = ("_calls", "_link", "_mark", "_ports", "_request", "_turns", "_until", "changed")

    def __init__(self, turns: Turns, request: Begin | Answer) -> None:
        self._request = request
        self._calls = 0
        self._turns = turns
        self._ports = turns.ports
        self._link = request.link
        self._mark = request.mark
        self._until = request.until
        self.changed = False

    async def reply(self) -> Reply | None:
        """The turn's screen; None when there is nothing to say."""
        request = self._request
        try:
            return await (self.begin(request) if isinstance(request, Begin) else self.answer(request))
        except (StoreAway, SessionTooLarge, UnreadableSession, MenuLoop) as error:
            self._ports.witness.failed(f"{type(error).__name__}: {error}", request.msisdn)
            return self.apology()

    def apology(self) -> Reply:
        """What is said when the turn cannot be ended: never that nothing happened, when something may have."""
        return self._turns.own_words("being_checked" if self.changed else "try_again", self._link)

    async def begin(self, request: Begin) -> Reply | None:
        turns, ports, link = self._turns, self._ports, self._link
        subscriber = await ports.greetings.ask(request.msisdn, link.network.language)
        if subscriber is None:
            return turns.own_words("not_served", link)
        session = Session(
            id=ports.new_id(), msisdn=request.msisdn, link=link.name, reference="", network=link.config.network,
            brand=subscriber.brand, status=subscriber.status, language=subscriber.language, service=check.ENGINE,
            menu="", started_at=ports.wall_clock(),
        )  # fmt: skip
        dialled = request.dialled
        found = ports.catalog.find(session.network, dialled.parts) if dialled else None
        if found is None:
            reply = turns.own_words("unknown_code", link, subscriber.language)
            return await self._keep_new(replace(session, shown=reply.text, ended=True))
        service = found.service
        language = spoken_language(session.language, link.network.language, service)
        session = replace(session, service=service.id, menu=service.version, language=language)
        try:
            shown = await self._walk(service, walk.begin(service, session, found.rest, turns.terms(link)))
        except _Repeated as repeated:
            return await self._again(repeated.session)
        if shown is None:
            return None
        return await (self._keep(shown.session) if shown.session.version else self._keep_new(shown.session))

    async def _again(self, session: Session) -> Reply | None:
        """This input has been taken already: the same screen, or what became of the call that it was about to make."""
        if session.pending is None:
            return Reply(session.shown, session.ended)
        return await self._settle(session)

    async def _keep_new(self, session: Session) -> Reply:
        ports = self._ports
        session = replace(session, version=1, input_mark=self._mark)
        before = await ports.store.begin(session, self._seconds(session))
        if before is not None:
            return Reply(before.shown, before.ended)
        if session.ended:
            ports.witness.dialogue_ended(session.service, "ended")
        return Reply(session.shown, session.ended)

    async def answer(self, request: Answer) -> Reply | None:
        turns, ports = self._turns, self._ports
        session = await ports.store.load(request.msisdn)
        over = session is None or session.ended
        if over and request.dialled is not None and (session is None or session.input_mark != self._mark):
            return await self.begin(Begin(request.msisdn, request.link, request.dialled, self._mark, self._until))
        if session is None or session.link != self._link.name:  # a dialogue is walked on the link where it began
            return turns.own_words("dial_again", self._link)
        if session.pending is None and session.input_mark == self._mark:
            return Reply(session.shown, session.ended)
        if session.pending is not None:
            return await self._settle(session)
        service = self._service(session)
        if session.ended or service is None or session.turn >= menu.TURNS_MAX:
            return turns.own_words("dial_again", self._link, session.language)
        shown = await self._walk(service, walk.answer(service, session, request.text, turns.terms(self._link)))
        return None if shown is None else await self._keep(shown.session)

    def _service(self, session: Session) -> Service | None:
        """The menu that the session walks, in the version it began with."""
        service = self._ports.catalog.services.get(session.service)
        return service if service is not None and service.version == session.menu else None

    async def _settle(self, session: Session) -> Reply | None:
        """A turn was broken off at a call: its outcome is asked for, and the walk goes on from there."""
        self.changed = True
        service = self._service(session)
        outcome = await self._ask_again(session)
        if service is None:
            return self._turns.own_words("being_checked", self._link, session.language)
        shown = await self._walk(service, walk.resume(service, session, outcome, self._turns.terms(self._link)))
        return None if shown is None else await self._keep(shown.session)

    async def _keep(self, session: Session) -> Reply | None:
        ports = self._ports
        kept = replace(session, version=session.version + 1, input_mark=self._mark)
        if not await ports.store.save(kept, stamp_of(session), self._seconds(kept)):
            return None
        if kept.ended:
            ports.witness.dialogue_ended(kept.service, "ended")
        return Reply(kept.shown, kept.ended)

    def _seconds(self, session: Session) -> float:
        return ENDED_SECONDS if session.ended else self._ports.idle_seconds

    # --- calls ----------------------------------------------------------------------------------------------------

    async def _walk(self, service: Service, step: Step) -> Show | None:
        """Makes calls until there is a screen; None when another turn has been faster."""
        terms = self._turns.terms(self._link)
        while not isinstance(step, Show):
            self._calls += 1
            if self._calls > menu.CALLS_MAX:
                raise MenuLoop(f"service {service.id}: over {menu.CALLS_MAX} calls in one turn")
            session = step.session
            if step.changes:
                kept = await self._keep_before_call(session)
                if kept is None:
                    return None
                session = kept
            step = walk.resume(service, session, await self._perform(step), terms)
        return step

    async def _keep_before_call(self, session: Session) -> Session | None:
        kept = replace(session, version=session.version + 1, input_mark=self._mark)
        if session.version:
            saved = await self._ports.store.save(kept, stamp_of(session), self._ports.idle_seconds)
            return kept if saved else None
        before = await self._ports.store.begin(kept, self._ports.idle_seconds)
        if before is not None:
            raise _Repeated(before)
        return kept

    async def _perform(self, make: Make) -> Outcome:
        ports, call = self._ports, make.call
        seconds = self._seconds_left(OPERATIONS[call.operation].seconds_max)
        if seconds <= 0:
            outcome: Outcome = NotMade("no time left in this turn")
        else:
            self.changed = self.changed or make.changes
            outcome = await ports.billing.perform(call, seconds)
            if make.changes and isinstance(outcome, Unknown):
                outcome = await self._status(call) if make.has_secret else await self._repeat(call)
        ports.witness.call_made(call.operation, OUTCOME_WORDS[type(outcome)])
        if make.changes:
            ports.greetings.forget(call.msisdn)
        return outcome

    async def _ask_again(self, session: Session) -> Outcome:
        """The outcome of the call that a broken-off turn had made, or was about to make."""
        pending = session.pending
        assert pending is not None  # noqa: S101 - asked by who has looked
        call = Call(pending.call_id, pending.operation, session.msisdn, session.language, pending.arguments)
        has_secret = OPERATIONS[pending.operation].takes_secret
        outcome = await self._status(call) if has_secret else await self._repeat(call)
        self._ports.witness.call_made(call.operation, OUTCOME_WORDS[type(outcome)])
        self._ports.greetings.forget(call.msisdn)
        return outcome

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
        if status is None or seconds <= 0:
            return Unknown("no time left to ask")
        question = Call(self._ports.new_id(), status, call.msisdn, call.language, {"call": call.id})
        answer = await self._ports.billing.perform(question, seconds)
        state = answer.result.get("state") if isinstance(answer, Done) else None
        if state == "done" and not OPERATIONS[call.operation].results:
            return Done({})
        if state == "refused" and isinstance(answer, Done):
            return Refused(str(answer.result.get("code", "")), {})
        return Unknown("asked by id, and still not known")

    def _seconds_left(self, seconds_max: float) -> float:
        return min(seconds_max, self._until - self._ports.now() - REPLY_MARGIN_SECONDS)


OUTCOME_WORDS: Mapping[type, str] = {Done: "done", Refused: "refused", Unknown: "unknown", NotMade: "not_made"}


def spoken_language(chosen: str, network: str, service: Service) -> str:
    """The subscriber's language where the service has it, else the network's, else the service's first."""
    for language in (chosen, network):
        if language in service.languages:
            return language
    return next(iter(service.languages))
