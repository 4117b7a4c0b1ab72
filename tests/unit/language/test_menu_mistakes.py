"""Every mistake of an author is told: where it is, what is wrong, what to write."""
# ruff: noqa: E501 - a menu in a line is read better than one in three

from __future__ import annotations

import pytest

from tests.menus_for_tests import HEAD, mistakes_of
from ussd_engine.language.menu_parts import MISTAKES_MAX

END = "  bye: {end: {ru: Пока, en: Bye}}\n"
DO = 'into: r, done: bye, refused: {"*": bye}, unknown: bye, not_made: bye'


@pytest.mark.parametrize(
    ("screens", "line"),
    [
        ("screens:\n  root: {menu: {ru: А, en: A}, options: [{id: a, text: {ru: Б, en: B}, go: by}]}\n" + END,
         "test.yaml:7:76: there is no screen 'by'. Did you mean 'bye'?"),
        ("screens:\n  root: {end: {ru: А, en: A}}\n" + END,
         "test.yaml:8:9: nothing leads to screen 'bye'. Lead to it, or remove it."),
        ("screens:\n  root: {end: {ru: А}}\n", "test.yaml:7:15: 'en' is missing. Add `en:` here."),
        ("screens:\n  root: {end: {ru: А, en: A, kk: Ә}}\n", "unknown key 'kk'"),
        ("screens:\n  root: {end: {ru: '${x} А', en: A}}\n", "'en' lacks ${x}, other languages have it"),
        ("screens:\n  root: {end: {ru: '${x}', en: '${x}'}}\n", "nothing sets 'x'"),
        ("screens:\n  root: {end: {ru: '${subscriber.pin}', en: '${subscriber.pin}'}}\n", "'subscriber' has no 'pin'"),
        ("screens:\n  root: {end: {ru: '${x', en: A}}\n", "a '${' without its '}'"),
        ("screens:\n  root: {end: {ru: '${x|shout}', en: A}}\n", "there is no filter 'shout'"),
        ("screens:\n  root: {end: {ru: '${x()}', en: A}}\n", "'${x()}' does not name a value"),
        ("screens:\n  root: {end: 5}\n", "a number where a mapping is expected"),
        ("screens:\n  root: {fin: {ru: А, en: A}}\n", "screen 'root' has no kind"),
        ("screens:\n  root: {end: {ru: А, en: A}, show: {ru: А, en: A}}\n", "two kinds"),
        ("screens:\n  root: {end: {ru: А, en: A}, otions: []}\n", "unknown key 'otions'"),
        ("screens:\n  root: {menu: {ru: А, en: A}}\n", "'options' is missing. Add `options:` here."),
        ("screens:\n  root: {menu: {ru: А, en: A}, options: [{id: a, text: {ru: Б, en: B}}]}\n",
         "neither `go` nor `do`"),
        ("screens:\n  root: {menu: {ru: А, en: A}, options: [{id: a, text: {ru: Б, en: B}, go: bye}, "
         "{id: a, text: {ru: Б, en: B}, go: bye}]}\n" + END, "option 'a' stands twice"),
        ('screens:\n  root: {menu: {ru: А, en: A}, options: [{id: a, key: "1", text: {ru: Б, en: B}, go: bye}, '
         '{id: b, key: "1", text: {ru: Б, en: B}, go: bye}]}\n' + END, "key '1' stands twice"),
        ('screens:\n  root: {menu: {ru: А, en: A}, options: [{id: a, key: "98", text: {ru: Б, en: B}, go: bye}]}\n' + END,
         "key '98' is taken by the engine"),
        ("screens:\n  root: {menu: {ru: А, en: A}, options: [{id: a, key: 1, text: {ru: Б, en: B}, go: bye}]}\n" + END,
         "a number where a key in quotes is expected"),
        ("screens:\n  root: {menu: {ru: А, en: A}, options: [{id: A b, text: {ru: Б, en: B}, go: bye}]}\n" + END,
         "'A b' is no name"),
        ("screens:\n  root: {ask: {ru: А, en: A}, go: bye}\n" + END, "needs one of `save` and `secret`"),
        ("screens:\n  root: {ask: {ru: А, en: A}, save: x, check: [{zip: , else: {ru: Н, en: N}}], go: bye}\n" + END,
         "unknown key 'zip'"),
        ("screens:\n  root: {ask: {ru: А, en: A}, save: x, check: [{count: {most: 5}, else: {ru: Н, en: N}}], go: bye}\n"
         + END, "unknown key 'most'"),
        ("screens:\n  root: {list: {ru: А, en: A}, items: lists.x, go: bye}\n" + END, "there is no list 'lists.x'"),
        ("screens:\n  root: {list: {ru: А, en: A}, items: nowhere, go: bye}\n" + END, "nothing sets 'nowhere'"),
        ("screens:\n  root: {route: [{when: subscriber.status == 'active', go: bye}]}\n" + END, "can end nowhere"),
        ("screens:\n  root: {route: [{when: subscriber.status = 1, go: bye}, {go: bye}]}\n" + END, "is not understood"),
        ("screens:\n  root: {route: [{when: nobody.x == 1, go: bye}, {go: bye}]}\n" + END, "nothing sets 'nobody'"),
        ("screens:\n  root: {route: , do: {call: balance.get, " + DO + "}}\n" + END,
         "the billing contract has no call 'balance.get'. Did you mean 'balances.get'?"),
        ("screens:\n  root: {route: , do: {call: balances.get, with: {x: subscriber.msisdn}, " + DO + "}}\n" + END,
         "'balances.get' has no argument 'x'"),
        ("screens:\n  root: {route: , do: {call: subscribers.set_language, " + DO + "}}\n" + END,
         "'subscribers.set_language' needs the argument 'language'"),
        ("screens:\n  root: {route: , do: {call: subscribers.set_language, with: {language: \"'xx'\"}, " + DO + "}}\n"
         + END, "'language' must be one of"),
        ("screens:\n  root: {route: , do: {call: balances.get, into: r, done: bye, refused: {BLOCKED: bye}, "
         "unknown: bye, not_made: bye}}\n" + END, 'a refusal with another code has no place to go. Add `"*": screen`.'),
        ("screens:\n  root: {route: , do: {call: balances.get, into: r, done: bye, refused: {NOPE: bye, '*': bye}, "
         "unknown: bye, not_made: bye}}\n" + END, "'balances.get' is never refused with 'NOPE'"),
        ("screens:\n  root: {route: , do: {call: balances.get, done: bye, refused: {'*': bye}, not_made: bye}}\n" + END,
         "'unknown' is missing"),
        ("screens:\n  root: {route: , do: {call: balances.get, into: r, done: told, refused: {'*': told}, unknown: told, "
         "not_made: told}}\n  told: {end: {ru: '${r.balans}', en: '${r.balans}'}}\n", "'r' has no 'balans'"),
        ("screens:\n  root: {ask: {ru: А, en: A}, secret: pin, do: {call: subscribers.set_language, "
         "with: {language: pin}, " + DO + "}}\n" + END, "a secret can only go into a secret argument"),
        ("screens:\n  root: {ask: {ru: А, en: A}, secret: pin, go: told}\n  told: {end: {ru: '${pin}', en: '${pin}'}}\n",
         "'pin' is a secret: it is shown, kept and compared nowhere."),
        ("screens:\n  back: {end: {ru: А, en: A}}\n  root: {end: {ru: А, en: A}}\n", "'back' cannot be a screen's name"),
        ("screens:\n  root: {end: {ru: А, en: A}}\n  root: {end: {ru: А, en: A}}\n", "'root' stands twice"),
        ("screens:\n  root: {end: {ru: А, en: no}}\n  x: 0123\n", "0123 begins with 0"),
        ("screens:\n  root: {menu: {ru: А, en: A}, tries: {max: 0, then: bye}, options: [{id: a, text: {ru: Б, en: B}, "
         "go: bye}]}\n" + END, "Write 1 to 20."),
        ("screens:\n  root: {menu: {ru: А, en: A}, tries: {max: 3, then: by}, options: [{id: a, text: {ru: Б, en: B}, "
         "go: bye}]}\n" + END, "there is no screen 'by'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_cure(screens: str, line: str) -> None:
    told = mistakes_of(screens)
    assert line in told
    assert told.startswith("test.yaml:")


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (HEAD.replace("menu: 1", "menu: 2"), "another version of the menu language. Write `menu: 1`."),
        (HEAD.replace("*100#", "*100"), "'*100' is no service code. Write it as dialled: \"*111#\"."),
        (HEAD.replace("ru: Русский, en: English", "no: Norsk"), "unknown key 'no'. Known here: en, kk, ky, ru."),
        (HEAD.replace("start: root", "start: roof"), "there is no screen 'roof'. Did you mean 'root'?"),
        (HEAD.replace("service: test\n", ""), "'service' is missing"),
        (HEAD + "open_to: {network: kcell}\n", "unknown key 'network'. Did you mean 'networks'?"),
        (HEAD + "open_to: {networks: [kcell], else: nowhere}\n", "there is no screen 'nowhere'"),
        (HEAD + "keys: {up: '5'}\n", "unknown key 'up'"),
        (HEAD + "lists: {a: [{id: x, ru: А}]}\n", "'en' is missing"),
    ],
)
def test_a_mistake_in_the_head_is_told(head: str, line: str) -> None:
    assert line in mistakes_of("screens:\n  root: {end: {ru: А, en: A}}\n", head)


def test_all_mistakes_of_a_file_come_at_once() -> None:
    screens = """
screens:
  root:
    menu: {ru: А}
    options:
      - {id: a, text: {en: B}, go: nowhere}
      - {id: B, text: {ru: Б, en: B}}
  lost: {fin: {}}
"""
    assert mistakes_of(screens).splitlines() == [
        "test.yaml:9:11: 'en' is missing. Add `en:` here.",
        "test.yaml:11:23: 'ru' is missing. Add `ru:` here.",
        "test.yaml:11:36: there is no screen 'nowhere'. Known here: root.",
        "test.yaml:12:9: neither `go` nor `do`. Write one: `go: screen`, or `do: {call: …}`.",
        "test.yaml:12:14: 'B' is no name. Write small letters, digits and _, a letter first.",
        "test.yaml:13:9: screen 'lost' has no kind. Write one of menu, list, ask, show, end, route as its first key.",
    ]


def test_a_menu_without_a_mistake_is_silent() -> None:
    assert not mistakes_of("screens:\n  root: {end: {ru: А, en: A}}\n")


def test_a_menu_with_two_hundred_mistakes_is_read_no_further_also_in_a_file_that_it_uses() -> None:
    wrong = "".join(f"wrong{n}: 1\n" for n in range(1_000))
    assert len(mistakes_of("screens: {root: {end: {ru: x, en: x}}}\n" + wrong).splitlines()) == MISTAKES_MAX
    used = "menu: 1\npart: p\nlanguages: {ru: Р, en: E}\nscreens: {a: {end: {ru: x, en: x}}}\n" + wrong
    told = mistakes_of("use: {file: p.yaml, as: p}\nscreens: {root: {route: [{go: p.a}]}}\n", p=used)
    assert len(told.splitlines()) == MISTAKES_MAX
