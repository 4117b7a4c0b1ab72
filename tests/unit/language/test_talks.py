"""Talks: what a test can say, what it must not leave out, and how it is brought up to date."""
# ruff: noqa: E501 - a menu in a line is read better than one in three

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.menus_for_tests import HEAD, LIMITS, NETWORKS
from ussd_engine.language import talk_files
from ussd_engine.language.coverage import coverage
from ussd_engine.language.examine import MenuFolder, Terms, all_talks, examine
from ussd_engine.language.talk import Played, play_all

ENGINE = (Path(__file__).resolve().parents[3] / "menus/engine.yaml").read_bytes()
MENU = (
    HEAD
    + """resume: {seconds: 60}
screens:
  root:
    menu: {ru: Меню, en: Menu}
    options:
      - {id: shop, text: {ru: Лавка, en: Shop}, do: {call: shop.items, into: shop, done: which, refused: {CLOSED: closed, "*": sorry}, unknown: sorry, not_made: sorry}}
      - {id: bye, text: {ru: Конец, en: End}, go: bye}
  which: {list: {ru: Что?, en: Which?}, items: shop.items, item: {ru: "${item.name}", en: "${item.name}"}, save: chosen, narrow: bye, go: bye}
  closed: {end: {ru: Закрыто, en: Closed}}
  sorry: {end: {ru: Увы, en: Sorry}}
  bye: {end: {ru: Пока, en: Bye}}
"""
)
ONE = "{id: i1, name: Tea, price: {minor: 100, currency: KZT}, stock: 1}"
TEA = f"shop.items: {{done: {{items: [{ONE}]}}}}"


def played(tests: str, talks: dict[str, str] | None = None) -> list[Played]:
    menus = {"engine.yaml": ENGINE, "test.yaml": (MENU + tests).encode()}
    folder = MenuFolder("menus", menus, {f"{name}.yaml": text.encode() for name, text in (talks or {}).items()})
    verdict = examine(folder, Terms(NETWORKS, LIMITS))
    found, mistakes = all_talks(folder, verdict.checked)
    assert not mistakes, mistakes
    return play_all(verdict.checked.catalog, found, NETWORKS)


def told(tests: str, talks: dict[str, str] | None = None) -> list[str]:
    return [
        mistake.what.removeprefix(f"test '{each.talk.name}': ")
        for each in played(tests, talks) for mistake in each.mistakes
    ]  # fmt: skip


def one(*steps: str, calls: str = "", more: str = "") -> str:
    answers = f", calls: {{{calls}}}" if calls else ""
    return f"tests:\n  - {{name: x, language: en{answers}{more}, talk: [{', '.join(steps)}]}}\n"


def test_a_talk_that_goes_as_it_says_is_silent() -> None:
    assert not told(
        one(
            '{dial: "*100#", screen: "Menu\\n1 Shop\\n2 End"}',
            '{send: "1", sees: 1 Tea}',
            '{send: "1", screen: Bye, ends: true}',
            calls=TEA,
        )
    )


def test_a_call_without_an_answer_and_an_answer_without_a_call_fail() -> None:
    assert told(one('{dial: "*100#"}', '{send: "1"}')) == ["'shop.items' is called here"]
    assert told(one('{dial: "*100#"}', calls=TEA)) == ["'shop.items' was never called"]


def test_answers_in_turn_have_to_be_used_up() -> None:
    calls = "shop.items: [unknown, not_made, {refused: CLOSED}]"
    steps = ('{dial: "*100*1#", screen: Sorry, ends: true}', '{dial: "*100*1#", screen: Sorry, ends: true}')
    assert told(one(*steps, calls=calls)) == ["'shop.items' was called 2 of 3 times"]
    assert not told(one(*steps, '{dial: "*100*1#", screen: Closed, ends: true}', calls=calls))


def test_a_talk_can_be_cut_and_resumed() -> None:
    question = "Go on where you were cut off?\\n1 Yes\\n2 Begin anew"
    steps = ('{dial: "*100#"}', '{send: "1"}', "{cut: true}", f'{{dial: "*100#", screen: "{question}"}}')
    again = f'{{send: "7", screen: "No such option\\n{question}"}}'
    assert not told(one(*steps, again, '{send: "1", sees: 1 Tea}', calls=TEA))
    assert not told(one(*steps, '{send: "2", sees: 1 Shop}', calls=TEA))


def test_what_is_dialled_through_begins_anew_without_a_question() -> None:
    assert not told(one('{dial: "*100#"}', "{cut: true}", '{dial: "*100*2#", screen: Bye, ends: true}'))


def test_a_talk_names_network_status_trust_and_what_is_off() -> None:
    assert not told(one('{dial: "*100#"}', more=", network: megacom, status: barred, trust: none, off: [test]"))
    assert told(one('{dial: "*100#"}', more=", network: kcel, status: bared, trust: full")) == [
        "there is no network 'kcel'", "there is no status 'bared'", "there is no trust 'full'"
    ]  # fmt: skip


TALKS = """talks: 1
service: test
tests:
  - {name: apart, language: en, talk: [{dial: "*100*2#", screen: Bye, ends: true}]}
"""


def test_talks_stand_in_files_of_their_own_too() -> None:
    assert [each.talk.name for each in played("", {"more": TALKS})] == ["apart"]
    assert told("", {"more": TALKS.replace("Bye", "Buy")}) == ["the screen is 'Bye', not 'Buy'"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (TALKS.replace("service: test\n", ""), "'service' is missing"),
        (TALKS.replace("service: test", "service: tset"), "there is no service 'tset'"),
        (TALKS + "more: 1\n", "unknown key 'more'"),
        ("talks: [", "not YAML"),
    ],
)
def test_a_file_of_talks_that_cannot_be_read_is_a_mistake(text: str, what: str) -> None:
    folder = MenuFolder("menus", {"engine.yaml": ENGINE, "test.yaml": MENU.encode()}, {"more.yaml": text.encode()})
    verdict = examine(folder, Terms(NETWORKS, LIMITS))
    assert any(what in mistake.what for mistake in verdict.mistakes)
    assert verdict.mistakes[0].place.file == "menus/talks/more.yaml"


def test_what_no_talk_has_been_through_is_told() -> None:
    found = played(one('{dial: "*100#"}', '{send: "1"}', calls="shop.items: {refused: CLOSED}"))
    menus = {"engine.yaml": ENGINE, "test.yaml": MENU.encode()}
    service = examine(MenuFolder("menus", menus, {}), Terms(NETWORKS, LIMITS)).checked.catalog.services["test"]
    covered = coverage(service, [each for one_of in found for each in one_of.seen])
    assert str(covered) == "test: 2 of 5 screens, 1 of 2 options, 1 of 5 outcomes"
    assert covered.missed == (
        "which", "sorry", "bye", "root/bye",
        "root/shop shop.items done", "root/shop shop.items unknown", "root/shop shop.items not_made", "root/shop shop.items *",
    )  # fmt: skip


def test_update_writes_what_screens_are_now_and_leaves_the_rest_alone() -> None:
    tests = """tests:
  - name: x                              # a comment
    language: en
    talk:
      - {dial: "*100#", screen: "Menu"}  # another
      - send: "2"
        screen: >-
          Fare
          well
        ends: true
      - {dial: "*100*2#", sees: Good, ends: true}
"""
    source = (MENU + tests).encode()
    differences = [each for one_of in played(tests) for each in one_of.differences]
    after = talk_files.updated(source, differences)
    assert (
        after.decode().partition("tests:\n")[2]
        == """  - name: x                              # a comment
    language: en
    talk:
      - {dial: "*100#", screen: "Menu\\n1 Shop\\n2 End"}  # another
      - send: "2"
        screen: "Bye"
        ends: true
      - {dial: "*100*2#", sees: "Bye", ends: true}
"""
    )
    assert not told(after.decode().partition("bye: {end: {ru: Пока, en: Bye}}\n")[2])
    shown = talk_files.difference(source, after, "test.yaml")
    assert '-      - {dial: "*100#", screen: "Menu"}  # another' in shown
    assert '+        screen: "Bye"' in shown


def test_a_written_talk_reads_back() -> None:
    steps: list[dict[str, Any]] = [
        {"dial": "*100#", "screen": "Menu\n1 Shop\n2 End"},
        {"send": "2", "screen": "Bye", "ends": True},
    ]
    text = talk_files.written("test", [{"name": "a conversation", "language": "en", "talk": steps}])
    assert not told("", {"more": text})
