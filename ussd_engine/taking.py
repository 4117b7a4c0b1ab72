"""One turn of a dialogue: load, walk, make the calls that the walk returns, keep, reply (async over ports only).

The rules are those of `turn`.
"""

from __future__ import annotations

from msgspec.structs import replace

from sessions.session import Session, SessionTooLarge, UnreadableSession, stamp_of
from sessions.store import StoreAway

from .core_calls import CoreCalls, asked_on
from .dial_string import Dialled
from .history import SECRET, WRONG
from .language import answers, check, menu, resumption, walk
from .language.catalog import Catalog, Found
from .language.compiled import UnreadableService
from .language.menu import AskScreen, Service
from .language.talk_answers import outcome_word
from .language.walk import ANSWERED, Make, Mark, MenuLoop, Show, Step
from .record import ENDED, OUR_FAULT, SLOW_BACK_END
from .repeats import Repeated, Repeats
from .turn import ENDED_SECONDS, GRACE_SECONDS, Answer, Begin, Reply, Turns, is_another, is_over, spoken_language


class _Lost(Exception):
    """The store has lost the dialogue in the middle of a turn."""


class Taking:
    """One turn on its way."""

    __slots__ = (
        "_calls", "_catalog", "_count", "_link", "_marks", "_ports", "_repeats", "_request", "_session", "_turns",
        "is_repeat", "overdue", "overtaken",
    )  # fmt: skip

    def __init__(self, turns: Turns, request: Begin | Answer) -> None:
        self._request = request
        self._count = 0
        self._turns = turns
        self._ports = turns.ports
        self._catalog: Catalog = turns.ports.versions.current
        self._calls = CoreCalls(turns.ports, request.until)
        self._link = request.link
        self._repeats = Repeats(turns.ports, request, isinstance(request, Begin), self._seconds)
        self.is_repeat = False
        """The input turned out to have been taken before, here or by another process."""
        self._marks: list[Mark] = []
        self._session: Session | None = None
        """The dialogue as far as this turn knows it: what is told of if the turn fails."""
        self.overdue = False
        """The subscriber has been told that it takes too long: whatever comes now is not seen."""
        self.overtaken = False
        """The number has dialled again, or hung up: nobody waits for a screen. A dialogue that is not kept yet is not
        begun any more: it would stand in the place of the one that came later."""

    @property
    def changed(self) -> bool:
        """A call that may have changed something has been made."""
        return self._calls.changed

    @property
    def reference(self) -> str:
        """The peer's session number, as far as this turn knows it; "" for none."""
        return self._session.reference if self._session is not None else ""

    @property
    def session_id(self) -> str:
        """Of the dialogue, as far as this turn knows it; "" for none."""
        return self._session.id if self._session is not None else ""

    @property
    def code(self) -> str:
        """The service code that the dialogue began with; "" when this turn knows none."""
        return self._session.code if self._session is not None else ""

    async def reply(self) -> Reply | None:
        """The turn's screen; None when there is nothing to say."""
        request = self._request
        try:
            return await self._taken(request)
        except (StoreAway, SessionTooLarge, UnreadableSession, UnreadableService, MenuLoop) as error:
            self._ports.witness.failed(f"{type(error).__name__}: {error}", request.msisdn)
            return self.broken()
        except _Lost:
            self._ports.witness.failed("the store has lost a dialogue", request.msisdn)
            self.overdue = True  # its end is told when it is looked for
            return self._own_words("being_checked" if self.changed else "dial_again")

    async def _taken(self, request: Begin | Answer) -> Reply | None:
        try:
            if request.sameness.again:
                await self._known(request)
            return await (self._begin(request) if isinstance(request, Begin) else self._answer(request))
        except Repeated as repeated:
            self.is_repeat = not request.sameness.again  # else it was known before
            session = repeated.session
            return None if session is None or session.hung_up else await self._again(session)

    def apology(self) -> Reply:
        """What is said when the turn cannot be ended: never that nothing happened, when something may have."""
        return self._own_words("being_checked" if self.changed else "try_again")

    def too_late(self) -> Reply:
        """What is said when the turn takes too long: its own screen will never be sent."""
        self.failed(SLOW_BACK_END)
        return self._own_words("being_checked")

    def _own_words(self, screen: str) -> Reply:
        """The engine's own words, in the language of the dialogue where there is one."""
        return self._turns.own_words(screen, self._link, self._session.language if self._session else "")

    def broken(self) -> Reply:
        """What is said after a fault of ours."""
        self.failed(OUR_FAULT)
        return self.apology()

    def failed(self, cause: str) -> None:
        """The turn gives the subscriber an apology in place of a screen: the dialogue is over."""
        if self._session is not None and not self.overdue:
            self._ports.witness.ended(self._session, cause)
        self.overdue = True

    # --- begin ----------------------------------------------------------------------------------------------------

    async def _begin(self, request: Begin) -> Reply | None:
        if request.sameness.sequence is not None:
            before = await self._ports.store.load(request.msisdn)
            if self._repeats.is_old(before):
                raise Repeated(None)
            if before is not None and self._repeats.is_last(before):
                await self._repeats.look(before)
        return await self._begin_anew(request)

    async def _begin_anew(self, request: Begin) -> Reply | None:
        turns, ports, link = self._turns, self._ports, self._link
        if not request.by_us and not ports.admits_start(request.msisdn, link):
            return turns.own_words("too_often", link)
        subscriber = await ports.greetings.ask(request.msisdn, link.network.language)
        if subscriber is None:
            return turns.own_words("not_served", link)
        dialled = request.dialled
        found = self._catalog.find(link.config.network, dialled.parts) if dialled else None
        session = self._session = Session(
            id=ports.new_id(), msisdn=request.msisdn, link=link.name, reference=request.reference,
            network=link.config.network, brand=subscriber.brand, status=subscriber.status, language=subscriber.language,
            service=check.ENGINE, menu="", started_at=ports.wall_clock(), code=_code(dialled, found),
            owner=ports.process, manages=subscriber.manages,
        )  # fmt: skip
        if found is None:
            return await self._last_words("unknown_code", session)
        service = found.service
        language = spoken_language(session.language, link.network.language, service)
        session = self._session = replace(session, service=service.id, menu=service.version, language=language)
        if service.id in turns.off and not (service.guard and service.guard.maintenance):
            return await self._last_words("switched_off", session)
        return await self._first_screen(found, session)

    async def _first_screen(self, found: Found, session: Session) -> Reply | None:
        service = found.service
        if service.resume_seconds and not found.rest and not self._ports.witness.records(session.msisdn):
            asked = await self._ask_to_resume(session)
            if asked is not None:
                return asked
        step = walk.begin(service, session, found.rest, self._turns.terms(self._link), found.go)
        shown = await self._walk(service, step)
        if shown is None:
            return None
        return await (self._keep if shown.session.version else self._keep_new)(shown, session.code)

    async def _ask_to_resume(self, begun: Session) -> Reply | None:
        """The question whether to go on, if the number has a dialogue of this service that was cut off in time."""
        before = await self._ports.store.load(begun.msisdn)
        if before is None or before.link != self._link.name:
            return None
        if before.pending is None and self._repeats.is_last(before):
            raise Repeated(before)
        service = await self._ports.versions.of(before.service, before.menu)
        if service is None or service.id != begun.service:
            return None
        if not resumption.is_offered(service, before, self._ports.wall_clock()):
            return None
        words = self._turns.own_words(resumption.RESUME, self._link, before.language).text
        return await self._keep_new(Show(resumption.question(before, begun, words), words, False), begun.code)

    async def _last_words(self, screen: str, session: Session) -> Reply | None:
        """Ends a dialogue that no menu has begun with the engine's own words."""
        text = self._turns.own_words(screen, self._link, session.language).text
        self._marks.append((walk.ENTERED, screen))
        return await self._keep_new(
            Show(replace(session, shown=text, screen=screen, ended=True), text, True), session.code
        )

    async def _known(self, request: Begin | Answer) -> None:
        """Raises Repeated: what was heard before is worked on or answered already, if it is still what the dialogue
        heard last."""
        session = await self._ports.store.load(request.msisdn)
        if session is None or session.link != self._link.name or not self._repeats.is_last(session):
            raise Repeated(None)
        await self._repeats.look(session)
        raise Repeated(session)

    async def _again(self, session: Session) -> Reply | None:
        """This input has been taken already: the same screen, or what became of the call that it was about to make."""
        self._session = session
        if session.pending is None:
            return Reply(session.shown, session.ended)
        return await self._settle(session)

    async def _keep_new(self, shown: Show, typed: str) -> Reply | None:
        if self.overtaken:
            return None
        session = replace(self._repeats.stamped(shown.session), version=1, travelled=False)
        await self._repeats.begin(session)
        self._tell(session, typed)
        return Reply(shown.text, shown.ends, shown.again)

    # --- answers --------------------------------------------------------------------------------------------------

    async def _answer(self, request: Answer) -> Reply | None:
        turns, ports = self._turns, self._ports
        session = await ports.store.load(request.msisdn)
        if self._repeats.is_old(session):
            raise Repeated(None)
        is_last = self._repeats.is_last(session)
        over = (
            session is None or is_over(session) or is_another(session, request.reference) or request.over.has(session)
        )
        if over and request.dialled is not None and not is_last:
            return await self._begin(request.as_begin(request.dialled))
        if session is None or session.link != self._link.name:  # a dialogue is walked on the link where it began
            return turns.own_words("dial_again", self._link)
        if session.hung_up or is_another(session, request.reference) or request.over.has(session):
            return turns.own_words("dial_again", self._link, session.language)
        await self._repeats.look(session)
        if request.reference and not session.reference:  # of a push, whose session number nobody knew
            session = replace(session, reference=request.reference)
        self._session = session
        if session.pending is not None:
            return await self._settle(session)
        service = await ports.versions.of(session.service, session.menu)
        if session.ended or service is None or session.turn >= menu.TURNS_MAX:
            return turns.own_words("dial_again", self._link, session.language)
        if session.asking:
            return await self._to_resume(service, session, request.text)
        step = walk.answer(service, session, request.text, turns.terms(self._link))
        shown = await self._walk(service, step)
        return None if shown is None else await self._keep(shown, self._typed(service, session, request.text))

    async def _to_resume(self, service: Service, session: Session, text: str) -> Reply | None:
        """What was said to the question whether to go on."""
        said, terms = answers.tidy(text), self._turns.terms(self._link)
        if said == resumption.GO_ON:
            step: Step = walk.show_again(service, resumption.goes_on(session), terms)
        elif said == resumption.ANEW and session.service in self._catalog.services:
            service = self._catalog.services[session.service]
            step = walk.begin(service, resumption.anew(session, service), (), terms)
        else:
            return await self._keep(resumption.asked_again(session), WRONG)
        shown = await self._walk(service, step)
        return None if shown is None else await self._keep(shown, said)

    async def _settle(self, session: Session) -> Reply | None:
        """A turn was broken off at a call: its outcome is asked for, and the walk goes on from there."""
        assert session.pending is not None  # noqa: S101 - asked by who has looked
        service = await self._ports.versions.of(session.service, session.menu)
        outcome = await self._calls.ask_again(session, session.pending)
        if service is None:
            return self._turns.own_words("being_checked", self._link, session.language)
        shown = await self._walk(service, walk.resume(service, session, outcome, self._turns.terms(self._link)))
        return None if shown is None else await self._keep(shown, WRONG)

    async def _keep(self, shown: Show, typed: str) -> Reply | None:
        ports, session = self._ports, shown.session
        kept = replace(self._repeats.stamped(session), version=session.version + 1)
        if not await ports.store.save(kept, stamp_of(session), self._seconds(kept)):
            await self._not_kept(session)
            return None
        self._tell(kept, typed)
        return Reply(shown.text, shown.ends, shown.again)

    async def _not_kept(self, session: Session) -> None:
        """The store has not this state of the dialogue any more. Another turn was faster, and there is nothing to say;
        or the store has lost it, and nobody else will say anything. Raises _Lost for the latter, and StoreAway."""
        if self.overtaken:
            return
        stored = await self._ports.store.load(session.msisdn)
        lost = stored is None or stored.started_at < session.started_at
        if lost or (stored is not None and stored.id == session.id and stored.version < session.version):
            raise _Lost

    def _seconds(self, session: Session) -> float:
        """How long the session is kept. An ended one that several processes have seen is kept until all know of it."""
        silent = self._ports.idle_seconds + GRACE_SECONDS
        return ENDED_SECONDS if session.ended and not session.travelled else silent

    def _tell(self, session: Session, typed: str) -> None:
        """The turn is kept: whoever wants to know is told."""
        witness = self._ports.witness
        if self._marks:
            witness.happened(session.service, tuple(self._marks))
        if self.overdue:
            return
        witness.turn_kept(session, typed, secret=typed == SECRET)
        if session.ended:
            witness.ended(session, ENDED)

    def _typed(self, service: Service, session: Session, text: str) -> str:
        """What was typed, as it may be told: a secret never, and what no screen took may have been one."""
        screen = service.screens[session.screen]
        if isinstance(screen, AskScreen) and screen.secret:
            return SECRET
        keys = service.keys
        taken = any(kind == ANSWERED for kind, _ in self._marks) or text in (keys.back, keys.home, keys.more)
        return text if taken else WRONG

    # --- calls ----------------------------------------------------------------------------------------------------

    async def _walk(self, service: Service, step: Step) -> Show | None:
        """Makes calls until there is a screen; None when another turn has been faster."""
        terms = self._turns.terms(self._link)
        while isinstance(step, Make):
            self._count += 1
            if self._count > menu.CALLS_MAX:
                raise MenuLoop(f"service {service.id}: over {menu.CALLS_MAX} calls in one turn")
            self._marks += step.marks
            session = step.session
            if step.changes:
                kept = await self._keep_before_call(session)
                if kept is None:
                    return None
                session = kept
            outcome = await self._calls.perform(step)
            self._marks.append((f"call {outcome_word(outcome)}", asked_on(step)))
            step = walk.resume(service, session, outcome, terms)
        self._marks += step.marks
        return step

    async def _keep_before_call(self, session: Session) -> Session | None:
        """What was dialled and is not walked yet lives in this turn alone: it may be anything, also a PIN."""
        ports = self._ports
        if self.overtaken and not session.version:
            return None
        kept = replace(self._repeats.stamped(session), version=session.version + 1)
        self._session, stored = kept, replace(kept, parts=())
        if session.version:
            if await ports.store.save(stored, stamp_of(session), self._seconds(kept)):
                return kept
            await self._not_kept(session)
            return None
        await self._repeats.begin(stored)
        return kept


def _code(dialled: Dialled | None, found: Found | None) -> str:
    """The code that was dialled, for records; what no service knows is not told: it may be anything."""
    if found is not None:
        return f"*{'*'.join(found.code)}#"
    return "" if dialled is None else "unknown"
