"""Whatever is dialled into whatever: a call that changes something is made only after a screen was answered by hand.

The one exception is a code that the contract allows to be dialled (`by_dialling`): its call does no harm when a link on
a web page makes a phone dial it.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from billing.contract import OPERATIONS
from sessions.session import Session
from tests.menus_for_tests import NETWORKS, catalog_in
from tests.random_walks import Chance
from ussd_engine.language import walk
from ussd_engine.language.catalog import Catalog
from ussd_engine.language.menu import STEPS_MAX, AskScreen, ListScreen, MenuScreen, Service, ShowScreen
from ussd_engine.language.pages import Limits
from ussd_engine.language.walk import Make, Step, Terms

OURS = catalog_in(Path(__file__).resolve().parents[3] / "menus")
LENGTH = 3


def words_of(service: Service) -> set[str]:
    """Everything that any screen of the service takes, and some things that none does."""
    words = {"", "1", "2", "97", "0", "00", "98", "7010000008", "500", "1234", "22812199000123"}
    for screen in service.screens.values():
        if isinstance(screen, MenuScreen | ShowScreen):
            words |= {option.key for option in screen.options}
        elif isinstance(screen, AskScreen):
            words |= {word for check in screen.checks for word in check.words}
        elif isinstance(screen, ListScreen):
            words |= {"3", "14"}
    return words


def dialled(catalog: Catalog, service: Service, head: tuple[str, ...], parts: tuple[str, ...], seed: int) -> list[str]:
    """The changing calls that dialling this makes, whatever the core says to the others."""
    network = next(iter(service.open_to.networks), "kcell")
    found = catalog.find(network, (*head, *parts))
    assert found is not None
    session = Session(
        id="s", msisdn="77010000007", link="l", reference="", network=network, brand="Kcell", status="active",
        language=next(iter(found.service.languages)), service=found.service.id, menu=found.service.version,
        started_at=1_764_000_000.0,
    )  # fmt: skip
    chance, made = Chance(seed), []
    terms = Terms(Limits(), *NETWORKS[network])
    step: Step = walk.begin(found.service, session, found.rest, terms, found.go)
    for _ in range(STEPS_MAX):
        if not isinstance(step, Make):
            break
        if step.changes:
            made.append(step.call.operation)
        step = walk.resume(found.service, step.session, chance.outcome(step.call.operation), terms)
    return made


@pytest.mark.parametrize("service", [each for each in OURS.services.values() if each.dial], ids=lambda each: each.id)
def test_no_dialled_string_makes_a_changing_call_without_a_screen_answered_by_hand(service: Service) -> None:
    words = sorted(words_of(service))
    for code in service.dial:
        for length in range(LENGTH + 1):
            for seed, parts in enumerate(itertools.product(words, repeat=length)):
                made = dialled(OURS, service, code.head, parts, seed)
                assert all(OPERATIONS[name].by_dialling for name in made), (code.head, parts, made)
