"""The JSON Schema of menus: checked in as it is written, true to the reader, and named in each menu's first line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from strict_yaml import read_file
from ussd_engine.language import grammar, schema

ROOT = Path(__file__).resolve().parents[3]
CHECKED_IN = ROOT / "docs/menu.schema.json"
MENUS = sorted((ROOT / "menus").glob("*.yaml"))
BROKEN = ROOT / "tests/broken_menus"
FIRST_LINE = "# yaml-language-server: $schema=../docs/menu.schema.json"


@pytest.fixture
def shop() -> None:
    """Here the contract is as it is: the schema that is checked in knows no shop."""


def mistakes(path: Path) -> list[str]:
    validator = Draft7Validator(json.loads(CHECKED_IN.read_text()))
    return [error.message for error in validator.iter_errors(read_file(path).plain())]


def test_the_schema_that_is_checked_in_is_the_one_that_is_written() -> None:
    assert json.loads(CHECKED_IN.read_text()) == schema.schema(), "run `ussd-engine schema`"


def test_the_schema_is_a_schema() -> None:
    Draft7Validator.check_schema(schema.schema())


@pytest.mark.parametrize("path", MENUS, ids=lambda path: path.stem)
def test_every_menu_of_ours_names_the_schema_and_keeps_it(path: Path) -> None:
    assert path.read_text().splitlines()[0] == FIRST_LINE
    assert mistakes(path) == []


@pytest.mark.parametrize(
    "name",
    [
        "unknown_head_key", "no_service_name", "no_languages", "screen_with_two_kinds", "screen_unknown_key",
        "option_key_not_quoted", "option_key_too_large", "check_unknown", "check_without_reason",
        "check_unknown_bound", "tries_none", "tries_without_then", "requires_unknown_trust",
        "requires_unknown_status", "requires_without_else", "call_unknown", "call_missing",
        "call_outcome_missing", "call_argument_missing", "call_argument_unknown", "call_other_refusals_missing",
        "call_refusal_unknown", "notice_of_an_unknown_event", "test_unknown_step", "resume_of_a_screen",
        "confidential_without_again", "list_item_without_id", "language_no", "screen_bad_name",
    ],
)  # fmt: skip
def test_an_editor_marks_what_the_reader_refuses(name: str) -> None:
    assert mistakes(BROKEN / f"{name}.yaml")


def test_every_key_of_the_grammar_is_in_the_schema_with_its_meaning() -> None:
    text = json.dumps(schema.schema(), ensure_ascii=False)
    parts = [
        value
        for name, value in vars(grammar).items()
        if name.isupper() and isinstance(value, dict) and name != "SCREENS"
    ]
    for part in (*parts, *grammar.SCREENS.values()):
        for name, key in part.items():
            assert json.dumps(key.means, ensure_ascii=False) in text, name


def test_every_shape_that_the_grammar_names_is_defined() -> None:
    defined = schema.schema()["definitions"]
    named = {
        line.split("/")[-1].rstrip('"')
        for line in json.dumps(schema.schema()).replace(",", "\n").replace("}", "\n").splitlines()
        if "#/definitions/" in line
    }
    assert named <= defined.keys()
