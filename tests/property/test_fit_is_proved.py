"""What the linter has proved: no walk with data that the contract allows shows a screen that is cut or too long."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessions.session import Session
from tests.menus_for_tests import NETWORKS, catalog_in
from tests.random_walks import Chance, walks
from ussd_engine.language import walk
from ussd_engine.language.menu import Service
from ussd_engine.language.pages import SMS_LIMITS, Limits, fits
from ussd_engine.language.walk import Terms
from ussd_engine.language.wording import notice_text

DATA_SETS = 10_000
CATALOG = catalog_in(Path(__file__).resolve().parents[2] / "menus")
DIALLED = [service for service in CATALOG.services.values() if service.dial]
SEEDS_EACH = -(-DATA_SETS // sum(len(service.languages) for service in DIALLED))


def session_of(service: Service, language: str, network: str) -> Session:
    return Session(
        id="s", msisdn="77010000007", link="l", reference="", network=network, brand="Kcell", status="active",
        language=language, service=service.id, menu=service.version, started_at=1_764_000_000.0,
    )  # fmt: skip


@pytest.mark.parametrize("service", DIALLED, ids=lambda service: service.id)
def test_no_walk_shows_a_screen_that_is_cut_or_too_long(service: Service) -> None:
    network = next(iter(service.open_to.networks), "kcell")
    terms = Terms(Limits(), *NETWORKS[network])
    for language in service.languages:
        for seed in range(SEEDS_EACH):
            for shown in walks(service, session_of(service, language, network), terms, Chance(seed)):
                assert fits(shown.text, terms.limits), (language, seed, shown.text)
                assert not any(kind == walk.CUT for kind, _ in shown.marks), (language, seed, shown.text)


def test_no_notice_is_longer_than_its_sms() -> None:
    for service in CATALOG.services.values():
        for event in service.notices:
            for language in service.languages:
                for seed in range(200):
                    arguments = Chance(seed).notice(event)
                    text = notice_text(service, event, arguments, language, NETWORKS["kcell"].time_zone)
                    assert fits(text, SMS_LIMITS)
                    assert not text.endswith("..")
