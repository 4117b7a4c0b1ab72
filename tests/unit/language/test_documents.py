"""`docs/menu-language.md`: every example is a whole file that passes the check; its picture and its table are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.menus_for_tests import LIMITS, NETWORKS, catalog_in
from ussd_engine.language import graph, schema
from ussd_engine.language.examine import MenuFolder, Terms, examine

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/menu-language.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
PARTS = {each.split("\n")[0].removeprefix("# "): each for each in EXAMPLES if "\npart:" in each}
SERVICES = {re.findall(r"^service: (\w+)", each, re.MULTILINE)[0]: each for each in EXAMPLES if "\nservice:" in each}


@pytest.fixture
def shop() -> None:
    """Here the contract is as it is."""


@pytest.mark.parametrize("name", SERVICES)
def test_an_example_passes_the_check_and_has_a_test(name: str) -> None:
    text = SERVICES[name]
    files = {"engine.yaml": (ROOT / "menus/engine.yaml").read_bytes(), f"{name}.yaml": text.encode()}
    files |= {part: content.encode() for part, content in PARTS.items() if f"file: {part}" in text}
    verdict = examine(MenuFolder("docs", files, {}), Terms(NETWORKS, LIMITS))
    assert [str(mistake) for mistake in verdict.mistakes] == []
    assert verdict.counts["tests"] > 0


def test_there_is_an_example_for_each_feature() -> None:
    assert len(SERVICES) + len(PARTS) == len(EXAMPLES)
    for feature in (
        "menu:", "list:", "ask:", "show:", "end:", "route:", "do:", "secret:", "confidential:", "again:",
        "tries:", "check:", "requires:", "needs:", "maintenance:", "resume:", "use:", "part:", "keys:",
        "open_to:", "lists:", "sms:", "patterns:", "choices:", "notices:", "set:", "items:", "item:", "empty:",
        "never_stored:", "off:", "trust:", "status:", "cut:", "go: wanted", "code:", "{sum}", "into:", "with:",
        "when:", "key:", "narrow:",
    ):  # fmt: skip
        assert any(feature in example for example in EXAMPLES), feature


def test_the_table_of_keys_is_the_grammars() -> None:
    assert TEXT.endswith(schema.key_table()), "ussd-engine schema --keys"


def test_the_picture_is_the_one_that_is_drawn() -> None:
    catalog = catalog_in(ROOT / "menus")
    drawn = graph.mermaid([catalog.services["cabinet"]], "en")
    assert f"```mermaid\n{drawn}```" in TEXT, "ussd-engine graph --service cabinet --language en"
