"""What an author of SMS services and notices can get wrong, and is told."""
# ruff: noqa: E501 - a menu in a line is read better than one in three

from __future__ import annotations

import pytest

from tests.menus_for_tests import HEAD, mistakes_of

SMS_HEAD = HEAD.replace('dial: ["*100#"]\nstart: root', 'sms: {to: ["111"], else: help}')
HELP = "  help: {end: {ru: Помощь, en: Help}}\n"
PATTERNS = "patterns: [{words: [BAL], go: help}]\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PATTERNS + "screens:\n" + HELP + "  root: {end: {ru: А, en: A}}\n", "nothing leads to screen 'root'"),
        (PATTERNS.replace("help", "halp") + "screens:\n" + HELP, "there is no screen 'halp'. Did you mean 'help'?"),
        ("screens:\n" + HELP, "'patterns' is missing"),
        ("patterns: [{words: [BAL], go: help}, {words: [bal], go: help}]\nscreens:\n" + HELP, "word 'BAL' stands twice"),
        ("patterns: [{words: [BAL], go: ask}]\nscreens:\n" + HELP + "  ask: {ask: {ru: А, en: A}, save: x, go: help}\n",
         "screen 'ask' waits for an answer"),
        ("patterns: [{word: [BAL], go: help}]\nscreens:\n" + HELP, "unknown key 'word'. Did you mean 'words'?"),
        (PATTERNS + "screens:\n" + HELP.replace("Помощь", "'${x}'").replace("Help", "'${x}'"), "nothing sets 'x'"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_sms_service_is_told(text: str, line: str) -> None:
    assert line in mistakes_of(text, SMS_HEAD)


@pytest.mark.parametrize(
    ("notices", "line"),
    [
        ("{account.toped_up: {ru: А, en: A}}", "unknown key 'account.toped_up'. Did you mean 'account.topped_up'?"),
        ("{account.topped_up: {ru: '${amount}', en: '${amount}'}}", "nothing sets 'amount'"),
        ("{account.topped_up: {ru: А}}", "'en' is missing"),
    ],
)
def test_a_mistake_in_a_notice_is_told(notices: str, line: str) -> None:
    head = "menu: 1\nservice: test\nlanguages: {ru: Русский, en: English}\n"
    assert line in mistakes_of(f"notices: {notices}\n", head)


def test_a_notice_answers_an_sms_and_never_a_dialogue() -> None:
    screens = "screens:\n  root: {menu: {ru: А, en: A}, options: [{id: a, text: {ru: Б, en: B}, go: notice}]}\n"
    assert "a notice can answer an SMS only" in mistakes_of(screens)


def test_patterns_without_sms_are_refused() -> None:
    assert "patterns without `sms`" in mistakes_of(PATTERNS + "screens:\n  root: {end: {ru: А, en: A}}\n")
