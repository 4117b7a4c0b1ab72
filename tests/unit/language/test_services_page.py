"""`docs/services.md`: its outlines are today's, its numbers are the defaults, its commands name switches."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from billing.contract import OPERATIONS
from billing.events import EVENTS
from billing_core.rules import Rules
from tests.menus_for_tests import catalog_in
from ussd_engine import switches
from ussd_engine.language import outline

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/services.md").read_text()
RULES = re.findall(r"^\| [^|]+ \| (\d+)[^|]* \| `(\w+)\.(\w+)` \|$", TEXT, re.MULTILINE)


@pytest.fixture
def shop() -> None:
    """Here the contract is as it is."""


def test_the_outlines_are_those_that_are_drawn() -> None:
    services = catalog_in(ROOT / "menus").services
    again = "run: ussd-engine outline --page docs/services.md"
    assert outline.page_with(TEXT, services, "en") == TEXT, again
    begun = {name for name, service in services.items() if service.dial or service.sms}
    assert set(re.findall(r"^<!-- outline (\w+) -->$", TEXT, re.MULTILINE)) == begun


def test_every_rule_has_its_default() -> None:
    settings = asdict(Rules())
    assert RULES
    for number, section, key in RULES:
        assert settings[section][key] == int(number), f"{section}.{key}"
    told = {section for _, section, _ in RULES}
    assert {(section, key) for section in told for key in settings[section]} <= {rule[1:] for rule in RULES}


def test_every_event_is_told_of_and_every_name_of_the_core_is_one() -> None:
    known = OPERATIONS.keys() | EVENTS.keys() | {f"{section}.{key}" for _, section, key in RULES}
    for paragraph in re.findall(r"^\*\*Notices\*\*.*?\n\n", TEXT, re.MULTILINE | re.DOTALL):
        assert set(re.findall(r"`(\w+\.\w+)`", paragraph)) <= EVENTS.keys()
    assert set(re.findall(r"`([a-z_]+\.[a-z_]+)`", TEXT)) <= known | {"config.yaml"}
    assert [event for event in EVENTS if f"`{event}`" not in TEXT] == []


def test_what_is_switched_off_can_be() -> None:
    services = catalog_in(ROOT / "menus").services
    commands = re.findall(r"^    \S+ maintenance off (.+)$", TEXT, re.MULTILINE)
    assert commands
    for command in commands:
        names = frozenset(re.split(r"\s{2,}", command)[0].split())
        assert switches.unknown(names, services) == []
