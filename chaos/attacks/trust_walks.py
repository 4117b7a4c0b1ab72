"""The proof that menus ask for nothing that needs trust over a link without it: every service is walked as over such.

It is the walk of production that is walked, on the compiled menus, in a process of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from billing.calls import Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS
from sessions.session import Session
from ussd_engine.compiler import job_of, terms_of
from ussd_engine.config import read_settings
from ussd_engine.language import check_trust, crawl_inputs, sample, walk
from ussd_engine.language.catalog import Catalog, check_files
from ussd_engine.language.examine import Terms as MenuTerms
from ussd_engine.language.leads import calls_of
from ussd_engine.language.menu import CALLS_MAX, WITH_OPTIONS, AskScreen, Expression, RouteScreen, Service, serves
from ussd_engine.language.menu_parts import TRUSTS
from ussd_engine.language.pages import SMS_LIMITS, Limits
from ussd_engine.language.walk import Make, Show, Step, Terms
from ussd_engine.menu_folder import read_folder

STATES_MAX = 3_000
MET_MIN = 25
"""Operations that these walks meet over a trusted link: else they would prove nothing of others."""


def proved(config: str, menus: str, *, whole: bool) -> tuple[dict[str, Any], list[str]]:
    """Figures and failures. `whole`: in every network, and over a trusted link, too: these walks meet what there is."""
    terms, folder = terms_of(job_of(read_settings(Path(config)))), read_folder(Path(menus))
    checked = check_files(folder.menus, folder.name, terms.networks, terms.dialects)
    failures = [str(mistake) for mistake in checked.mistakes]
    failures += [str(each) for service in checked.services.values() for each in check_trust.untrusted_calls(service)]
    figures: dict[str, Any] = {
        "steps that change something or take a secret": sum(
            OPERATIONS[do.call].needs_trust
            for service in checked.services.values()
            for screen in service.screens.values()
            for do in calls_of(screen)
        )
    }
    catalog = checked.catalog
    for trust in TRUSTS if whole else TRUSTS[-2:-1]:  # who is trusted less passes no guard that stops this one
        found = {name for name in _made(catalog, trust, terms, whole=whole) if OPERATIONS[name].needs_trust}
        figures[f"such operations walked to over a link of trust {trust}"] = len(found)
        if trust != TRUSTS[-1] and found:
            failures.append(f"over a link of trust {trust}: {sorted(found)}")
        if trust == TRUSTS[-1] and len(found) < MET_MIN:
            failures.append(f"these walks meet only {sorted(found)}")
    return figures, failures


def _made(catalog: Catalog, trust: str, terms: MenuTerms, *, whole: bool) -> set[str]:
    found: set[str] = set()
    for service in catalog.services.values():
        networks = [each for each in terms.networks if serves(service, each)]
        looked_at = any(("subscriber", "network") in one.names for one in _conditions(service))
        for network in networks if whole and looked_at else networks[:1]:
            found |= _Walks(service, network, trust, terms).made()
    return found


def _conditions(service: Service) -> list[Expression]:
    found = [need.when for need in service.needs.values()]
    for screen in service.screens.values():
        found += [case.when for case in screen.cases if case.when] if isinstance(screen, RouteScreen) else []
    return found


class _Walks:
    """Everything that can be pressed in a service, over one link; a state is a screen and what the session knows."""

    def __init__(self, service: Service, network: str, trust: str, terms: MenuTerms) -> None:
        self._service = service
        self._network = network
        limits = SMS_LIMITS if service.sms else Limits()
        self._terms = Terms(limits, *terms.networks[network], trust=trust)
        self._made: set[str] = set()
        self._known: set[object] = set()
        self._ahead: deque[Session] = deque()
        conditions = _conditions(service)
        names = {name for one in conditions for path in one.names for name in path}
        constants = {each for one in conditions for each in one.constants}
        self._samples = [sample.Sample(profile, names, constants) for profile in sample.PROFILES[:2]]

    def made(self) -> set[str]:
        """The operations that were asked for."""
        service = self._service
        language = next(iter(service.languages))
        session = Session(
            id="00000000-0000-4000-8000-000000000000", msisdn="77010000007", link="", reference="", status="active",
            network=self._network, brand="Kcell", language=language, service=service.id, menu=service.version,
            started_at=1_764_000_000.0, at=1_764_000_000.0,
        )  # fmt: skip
        for step in self._begins(session):
            self._follow(step)
        while self._ahead and len(self._known) < STATES_MAX:
            at = self._ahead.popleft()
            for text in self._inputs(at):
                self._follow(walk.answer(service, at, text, self._terms))
        return self._made

    def _begins(self, session: Session) -> Iterator[Step]:
        service = self._service
        if service.sms:
            texts = ["?", *(text for pattern in service.sms.patterns for text in crawl_inputs.texts_of(pattern))]
            yield from (walk.take_sms(service, session, text, self._terms) for text in texts)
        elif service.start:
            for go in dict.fromkeys(code.go for code in service.dial if not code.is_promise):
                yield walk.begin(service, session, (), self._terms, go)

    def _follow(self, step: Step) -> None:
        """Every outcome of every call on the way, down to screens."""
        ahead = [(step, 0)]
        while ahead:
            each, calls = ahead.pop()
            if isinstance(each, Make):
                self._made.add(each.call.operation)
                if calls < CALLS_MAX:
                    following = partial(walk.resume, self._service, each.session)
                    ahead += [(following(outcome, self._terms), calls + 1) for outcome in self._outcomes(each)]
            elif not each.ends:
                self._put(each)

    def _put(self, shown: Show) -> None:
        session = shown.session
        state = (session.screen, session.first, session.acting_for, frozenset(session.values))
        if state not in self._known:
            self._known.add(state)
            self._ahead.append(session)

    def _outcomes(self, make: Make) -> Iterator[Outcome]:
        operation = OPERATIONS[make.call.operation]
        for made_up in self._samples:
            yield from (Done(each) for each in made_up.variants(operation.results))
        yield from (Refused(code, {}) for code in operation.refusals)
        yield from (Unknown(""), NotMade(""))

    def _inputs(self, session: Session) -> Iterator[str]:
        screen, keys = self._service.screens[session.screen], self._service.keys
        yield from (keys.back, keys.home, keys.more)
        if isinstance(screen, WITH_OPTIONS):
            yield from (option.key for option in screen.options)
        elif isinstance(screen, AskScreen):
            yield from crawl_inputs.typed(screen.checks)
        else:
            yield from ("1", "2", "8")
