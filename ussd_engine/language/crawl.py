"""Walking everything: each screen, option, item and outcome, in each language, with data of every kind (pure).

Rules of this file:
- It is the walk of production that is walked; the core is made up (`sample`), the subscriber presses everything.
- A state is a screen with what conditions look at; it is pressed on once. Screens are bounded in number, states by
  `STATES_MAX`: a service that has more is told so, and what was not met is then not called unreached.
- Found are: screens that do not fit or were cut, turns that never come to a screen, and screens that nothing reaches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from billing.calls import Call, Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS, STATUSES
from sessions.session import Session, SessionTooLarge, to_octets
from strict_yaml import Mistake, Place

from . import crawl_inputs, leads, liveness, menu, sample, walk
from .check_names import OWN_NAMES
from .leads import calls_of, guards_of
from .menu import (
    WITH_CODES,
    WITH_OPTIONS,
    AskScreen,
    EndScreen,
    Expression,
    Fill,
    ListScreen,
    Path,
    RouteScreen,
    Screen,
    Service,
)
from .pages import SMS_LIMITS, Limits, fits
from .sample import Profile
from .talk import Networks
from .walk import MenuLoop, Show, Step, Terms

STATES_MAX = 4000
"""States of one service, language and profile."""
_NOW = 1_764_000_000.0
_MSISDN = "77010000007"


class Crawled(NamedTuple):
    """What was met: screens and options, and what is wrong with them. `whole`: nothing was left out."""

    seen: frozenset[str]
    mistakes: tuple[Mistake, ...]
    whole: bool
    walks: int


def crawl(service: Service, networks: Networks, dialects: Mapping[str, Limits]) -> Crawled:
    """Walks a compiled service, on screens that hold no more than any of the dialects allows."""
    operations = [OPERATIONS[do.call] for screen in service.screens.values() for do in calls_of(screen)]
    narrowed = any(isinstance(screen, ListScreen) and screen.narrow for screen in service.screens.values())
    profiles = sample.profiles_for(operations, narrowed=narrowed)
    limits = SMS_LIMITS if service.sms else _narrowest(dialects)
    crawler = _Crawler(service, networks, limits)
    for language in service.languages:
        for profile in profiles:
            crawler.walk_all(language, profile)
    mistakes = list(crawler.found.values())
    if crawler.whole:
        for name, screen in service.screens.items():
            if name not in crawler.seen and not isinstance(screen, RouteScreen):
                what = f"no walk reaches screen '{name}': the conditions before it never hold"
                mistakes.append(Mistake(screen.place, what, "Correct the condition, or remove the screen."))
    return Crawled(frozenset(crawler.seen), tuple(mistakes), crawler.whole, crawler.walks)


def _narrowest(dialects: Mapping[str, Limits]) -> Limits:
    """What every dialect can show."""
    if not dialects:
        return Limits()
    return Limits(min(each.septets for each in dialects.values()), min(each.ucs2_units for each in dialects.values()))


class _Crawler:
    def __init__(self, service: Service, networks: Networks, limits: Limits) -> None:
        self._service = service
        self._networks = networks
        self._limits = limits
        self._conditions = list(_conditions(service))
        self._looked_at = _looked_at(service, self._conditions)
        self._constants = list(dict.fromkeys(each for one in self._conditions for each in one.constants))
        self._shown_names = {name: _names_shown(screen) for name, screen in service.screens.items()}
        self._decides = liveness.live(service, _decided_on(service))
        self._outcomes: dict[tuple[str, str], list[Outcome]] = {}
        self._towards: dict[Terms, frozenset[str]] = {}
        self._fitting: set[str] = set()
        self.seen: set[str] = set()
        self.found: dict[tuple[Place, str], Mistake] = {}
        self.whole = True
        self.walks = 0

    def walk_all(self, language: str, profile: Profile) -> None:
        """Walks everything in one language with one kind of data."""
        self._profile = profile
        known: set[object] = set()
        ahead: deque[tuple[Session, Terms]] = deque()
        for step, terms in self._begins(language):
            for shown in self._shown(step, terms):
                self._put(shown, terms, known, ahead)
        while ahead:
            session, terms = ahead.popleft()
            for text in self._inputs(session):
                self.walks += 1
                for shown in self._shown_safely(session, text, terms):
                    self._put(shown, terms, known, ahead)
            if len(known) >= STATES_MAX:
                self.whole = False
                return

    def _put(self, shown: Show, terms: Terms, known: set[object], ahead: deque[tuple[Session, Terms]]) -> None:
        """Looks at a screen, and remembers to press on it if this is the first time that it is met like this."""
        session = shown.session
        self._look(shown)
        if shown.ends:
            return
        state = (
            session.screen,
            session.first,
            min(len(session.history), 2),
            session.wanted,
            terms,
            session.tries if self._counts_tries(session.screen) else 0,
            session.acting_for,
            self._held(session),
        )
        if state not in known:
            known.add(state)
            plain = not terms.off and terms.trust == "operator"
            if plain or session.screen in self._on_the_way(terms):
                ahead.append((session, terms))
            self._weigh(session)

    def _on_the_way(self, terms: Terms) -> frozenset[str]:
        """The screens that lead to a guard that does not let everybody through: the others are as on any link."""
        if terms not in self._towards:
            stops = {name.split("/")[1] for name in terms.off if "/" in name}
            if terms.trust != "operator":
                screens = self._service.screens
                stops |= {name for name in screens if any(_wants_trust(guard) for guard in guards_of(screens[name]))}
            self._towards[terms] = liveness.leading_to(self._service, stops)
        return self._towards[terms]

    def _counts_tries(self, name: str) -> bool:
        screen = self._service.screens[name]
        return not isinstance(screen, menu.UNSEEN_OR_LAST) and screen.tries is not None

    def _weigh(self, session: Session) -> None:
        try:
            to_octets(session)
        except SessionTooLarge as error:
            place = self._service.screens[session.screen].place
            self._tell(place, f"on '{session.screen}', {error}", "Let the call return less, or name less of it.")

    def _held(self, session: Session) -> tuple[str, ...]:
        """What the session holds of what is decided by from here on, and how long the list is that it shows."""
        decides = self._decides[session.screen]
        held = tuple(repr(menu.value_at(session.values, path)) for path in self._looked_at if path in decides)
        screen = self._service.screens[session.screen]
        items = menu.value_at(session.values, screen.items) if isinstance(screen, ListScreen) else None
        return (*held, str(len(items)) if isinstance(items, list) else "")

    # --- how it begins --------------------------------------------------------------------------------------------

    def _begins(self, language: str) -> Iterator[tuple[Step, Terms]]:
        """Every way into the service: by each code, of each kind of subscriber, with each thing switched off."""
        service = self._service
        for network, status, terms in self._circumstances(language):
            for brand in ("Kcell", *(each for each in self._constants if isinstance(each, str))):
                if brand != "Kcell" and not self._looks_at("brand"):
                    break
                session = Session(
                    id="00000000-0000-4000-8000-000000000000", msisdn=_MSISDN, link="crawl", reference="",
                    network=network, brand=brand, status=status, language=language, service=service.id,
                    menu=service.version, started_at=_NOW, at=_NOW,
                )  # fmt: skip
                yield from self._first_steps(session, terms)
                if terms.trust == "operator" and self._looks_at("manages") and self._profile in sample.FITTING:
                    yield from self._first_steps(replace(session, manages=1), terms)

    def _first_steps(self, session: Session, terms: Terms) -> Iterator[tuple[Step, Terms]]:
        service = self._service
        try:
            if service.sms:
                texts = ["?", *(word for pattern in service.sms.patterns for word in crawl_inputs.texts_of(pattern))]
                yield from ((walk.take_sms(service, session, text, terms), terms) for text in texts)
                return
            begins = dict.fromkeys(code.go for code in service.dial if not code.is_promise) or {"": None}
            for go in begins if service.start else ():
                yield walk.begin(service, session, (), terms, go), terms
        except MenuLoop as error:
            self._tell(service.place, str(error), "Let something on the way be a screen.")

    def _circumstances(self, language: str) -> Iterator[tuple[str, str, Terms]]:
        service = self._service
        networks = [name for name in self._networks if menu.serves(service, name)]
        others = [name for name in self._networks if not menu.serves(service, name)]
        first = networks[0] if networks else next(iter(self._networks))
        plain = Terms(self._limits, *self._networks[first])
        yield first, "active", plain
        yield from (
            (name, "active", Terms(self._limits, *self._networks[name]))
            for name in networks[1:]
            if self._looks_at("network")
        )
        if service.open_to.otherwise and others:
            yield others[0], "active", Terms(self._limits, *self._networks[others[0]])
        guards = [guard for screen in service.screens.values() for guard in guards_of(screen)]
        guards += [service.guard] if service.guard else []
        if self._looks_at("status") or any(guard.requires and guard.requires.statuses for guard in guards):
            yield from ((first, status, plain) for status in STATUSES if status != "active")
        if self._profile is not sample.PROFILES[0] or language != next(iter(service.languages)):
            return  # whom a guard lets through depends on no data and no language; its texts are proved to fit by `fit`
        if any(_wants_trust(guard) for guard in guards):
            yield first, "active", plain._replace(trust="none")
        yield from ((first, "active", plain._replace(off=frozenset([name]))) for name in leads.switches(service))

    def _looks_at(self, name: str) -> bool:
        return any(path == ("subscriber", name) for one in self._conditions for path in one.names)

    # --- pressing -------------------------------------------------------------------------------------------------

    def _shown_safely(self, session: Session, text: str, terms: Terms) -> Iterator[Show]:
        try:
            yield from self._shown(walk.answer(self._service, session, text, terms), terms)
        except MenuLoop as error:
            screen = self._service.screens[session.screen]
            cure = "Let something on the way be a screen."
            self._tell(screen.place, f"after '{text}' on '{screen.id}': {error}", cure)

    def _shown(self, step: Step, terms: Terms) -> Iterator[Show]:
        """The screens that a step leads to, by every outcome of every call on its way."""
        ahead = [(step, 0)]
        while ahead:
            each, calls = ahead.pop()
            if isinstance(each, Show):
                yield each
                continue
            self._note(each)
            if calls >= menu.CALLS_MAX:
                raise MenuLoop(f"service {self._service.id}: over {menu.CALLS_MAX} calls in one turn")
            for outcome in self._outcomes_of(each.call):
                following = walk.resume(self._service, each.session, outcome, terms)
                ahead.append((following, calls + 1))

    def _outcomes_of(self, call: Call) -> list[Outcome]:
        key = (call.operation, self._profile.name)
        if key not in self._outcomes:
            operation = OPERATIONS[call.operation]
            names = {name for path in self._looked_at for name in path}
            made_up = sample.Sample(self._profile, names, self._constants)
            results = made_up.variants(operation.results)
            found: list[Outcome] = [Done(each) for each in results]
            for code in operation.refusals:
                found += [Refused(code, each) for each in made_up.variants(operation.details)]
            self._outcomes[key] = [*found, Unknown("crawl"), NotMade("crawl")]
        return self._outcomes[key]

    def _inputs(self, session: Session) -> Iterator[str]:
        """Everything worth pressing on the screen that the session stands on."""
        screen = self._service.screens[session.screen]
        keys = self._service.keys
        yield keys.more
        yield keys.back
        if session.first:
            return  # what is chosen on a further page is what would have been chosen on the first
        yield "?"
        if session.tries:
            yield from ("", "W" * 160)
            return  # what is answered rightly after a wrong answer leads where it would have led at once
        yield keys.home
        if isinstance(screen, WITH_OPTIONS):
            yield from (option.key for option in screen.options)
        elif isinstance(screen, ListScreen):
            decides = any(path[0] == screen.save for path in self._looked_at)
            different = sample.ITEM_VARIANTS_MAX if decides else 2
            yield from (str(number) for number in (*range(1, different + 1), 97, 98))
        elif isinstance(screen, AskScreen):
            yield from self._answers(screen)

    def _answers(self, screen: AskScreen) -> Iterator[str]:
        yield ""
        yield from crawl_inputs.typed(screen.checks)
        yield from (str(each) for each in self._constants)
        if screen.tries:
            yield "?"

    # --- looking --------------------------------------------------------------------------------------------------

    def _look(self, shown: Show) -> None:
        self._note(shown)
        screen = self._service.screens.get(shown.session.screen)
        for name in (name for kind, name in shown.marks if kind == walk.NOT_MANAGED):
            what = f"screen '{name}' makes a call that is not for who manages a number, and is led to when one does"
            self._tell(self._service.screens[name].place, what, "Lead elsewhere where `subscriber.acting_for` is set.")
        if screen is not None and (walk.ENTERED, screen.id) in shown.marks:
            self._look_for_gaps(screen, shown.session)
        cut = any(kind == walk.CUT for kind, _ in shown.marks)
        if screen is not None and (cut or not self._fits(shown.text)):
            kind = f"with data of kind '{self._profile.name}'"
            what = f"screen '{screen.id}' does not fit in '{shown.session.language}' {kind}"
            self._tell(screen.place, what, "Shorten its texts, or cut its values.")

    def _fits(self, text: str) -> bool:
        """Whether it fits; the same screens are met again and again."""
        if text not in self._fitting and fits(text, self._limits):
            self._fitting.add(text)
        return text in self._fitting

    def _look_for_gaps(self, screen: Screen, session: Session) -> None:
        """A name that is shown has been set on the way that has led here."""
        for name in self._shown_names[screen.id]:
            if name not in session.values:
                what = f"screen '{screen.id}' shows '{name}', and there is a way to it on which nothing sets that"
                self._tell(screen.place, what, f"Set '{name}' on every way, or say it under `needs:`.")

    def _note(self, step: Step) -> None:
        self.seen.update(name for kind, name in step.marks if kind in (walk.ENTERED, walk.ANSWERED))

    def _tell(self, place: Place, what: str, cure: str) -> None:
        self.found.setdefault((place, what), Mistake(place, what, cure))


def _wants_trust(guard: menu.Guard) -> bool:
    return guard.requires is not None and bool(guard.requires.trust)


# --- what a service decides by --------------------------------------------------------------------------------------


def _conditions(service: Service) -> Iterator[Expression]:
    yield from (need.when for need in service.needs.values())
    for screen in service.screens.values():
        if isinstance(screen, RouteScreen):
            yield from (case.when for case in screen.cases if case.when)


def _looked_at(service: Service, conditions: list[Expression]) -> tuple[Path, ...]:
    """The names by which something is decided: in conditions, and as bounds of answers."""
    found = {path: None for one in conditions for path in one.names if path[0] != "subscriber"}
    return tuple(found)


def _decided_on(service: Service) -> dict[str, frozenset[Path]]:
    """By screen, the names that its own conditions look at."""
    found: dict[str, frozenset[Path]] = {}
    for name, screen in service.screens.items():
        cases = [case.when for case in screen.cases if case.when] if isinstance(screen, RouteScreen) else []
        needs = () if isinstance(screen, EndScreen) or screen.guard is None else screen.guard.needs
        conditions = [*cases, *(service.needs[each].when for each in needs)]
        found[name] = frozenset(path for one in conditions for path in one.names if path[0] != "subscriber")
    return found


def _names_shown(screen: Screen) -> tuple[str, ...]:
    """The names in the text of a screen; those of a confidential one live outside the session."""
    if isinstance(screen, RouteScreen) or (isinstance(screen, WITH_CODES) and screen.again is not None):
        return ()
    options = [option.text for option in screen.options] if isinstance(screen, WITH_OPTIONS) else []
    fills = (
        part for words in (screen.text, *options) for template in words.by_language.values() for part in template
        if isinstance(part, Fill)
    )  # fmt: skip
    return tuple(dict.fromkeys(fill.path[0] for fill in fills if fill.path[0] not in OWN_NAMES))
