"""The eighteen properties that the menu language keeps, one story or more each; `docs/menu-language.md` tells of them."""
# ruff: noqa: E501 - a menu in a line is read better than one in three

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from billing.calls import Done, NotMade, Refused, Unknown
from smpp.text import septets
from strict_yaml import OCTETS_MAX
from tests.menus_for_tests import HEAD, LIMITS, NETWORKS, TERMS, Dialogue, mistakes_of, service
from ussd_engine.language import check, check_codes, compiled, fit, resumption, walk
from ussd_engine.language.catalog import catalog_of
from ussd_engine.language.examine import MenuFolder, Terms, examine
from ussd_engine.language.menu import OPTIONS_MAX, STEPS_MAX, TURNS_MAX
from ussd_engine.language.pages import Limits, fits
from ussd_engine.language.walk import MenuLoop

ROOT = Path(__file__).resolve().parents[3]
ENGINE = (ROOT / "menus/engine.yaml").read_bytes()
BYE = "  bye: {end: {ru: Пока, en: Bye}}\n"
REST = 'refused: {"*": bye}, unknown: bye, not_made: bye'
ITEMS = f"""
screens:
  root:
    route:
    do: {{call: shop.items, into: shop, done: which, {REST}}}
  which:
    list: {{ru: Что?, en: Which?}}
    items: shop.items
    item: {{ru: "${{item.name}}", en: "${{item.name}}"}}
    save: chosen
    narrow: bye
    go: told
  told: {{end: {{ru: "${{chosen.name}} ${{chosen.price|money}}", en: "${{chosen.name}} ${{chosen.price|money}}"}}}}
{BYE}"""


def shop_of(count: int) -> Done:
    return Done({"items": [
        {"id": f"i{n}", "name": f"Thing {n}", "price": {"minor": n * 100, "currency": "KZT"}, "stock": 1}
        for n in range(1, count + 1)
    ]})  # fmt: skip


def examined(menu: str, **more: str) -> Any:
    files = {"engine.yaml": ENGINE, "test.yaml": menu.encode(), **{f"{k}.yaml": v.encode() for k, v in more.items()}}
    return examine(MenuFolder("menus", files, {}), Terms(NETWORKS, LIMITS))


# --- 1. ids, never positions ----------------------------------------------------------------------------------------


def test_property_01_a_dialogue_survives_options_that_change_places() -> None:
    def menu(*names: str) -> str:
        options = ", ".join(f"{{id: {name}, text: {{ru: {name}, en: {name}}}, go: {name}}}" for name in names)
        ends = "".join(f"  {name}: {{end: {{ru: {name}, en: {name}}}}}\n" for name in names)
        return f"screens:\n  root: {{menu: {{ru: Меню, en: Menu}}, options: [{options}]}}\n{ends}"

    talk = Dialogue(service(menu("one", "two")))
    assert talk.dial() == "Menu\n1 one\n2 two"
    talk.menu = service(menu("two", "one"))  # somebody has edited the file meanwhile
    assert talk.send("9") == "No such option\nMenu\n1 two\n2 one"
    assert talk.send("1") == "two"


def test_property_01_numbers_run_on_over_pages_and_count_from_any_page() -> None:
    talk = Dialogue(service(ITEMS), {"shop.items": shop_of(40)})
    first = talk.dial()
    assert "1 Thing 1\n" in first
    second = talk.send("98")
    assert "1 Thing 1\n" not in second
    assert talk.send("3") == "Thing 3 3 KZT"


def test_property_01_a_list_of_97_is_shown_and_a_longer_one_asks_to_narrow_the_search() -> None:
    assert Dialogue(service(ITEMS), {"shop.items": shop_of(OPTIONS_MAX)}).dial().startswith("Which?")
    assert Dialogue(service(ITEMS), {"shop.items": shop_of(OPTIONS_MAX + 1)}).dial() == "Bye"


# --- 2. dialling through --------------------------------------------------------------------------------------------

WALLET = f"""
screens:
  root: {{menu: {{ru: Меню, en: Menu}}, options: [{{id: pay, key: "3", text: {{ru: Платёж, en: Pay}}, go: sum}}]}}
  sum:
    ask: {{ru: Сумма?, en: Sum?}}
    save: sum
    check: [{{count: {{min: 1, max: 5000}}, else: {{ru: Не сумма., en: Not a sum.}}}}]
    go: thing
  thing: {{ask: {{ru: Что?, en: What?}}, save: thing, check: [{{digits: {{max: 8}}, else: {{ru: Нет., en: Bad.}}}}], go: pin}}
  pin:
    ask: {{ru: "${{sum}} PIN?", en: "${{sum}} PIN?"}}
    secret: pin
    do: {{call: shop.buy, with: {{item: thing, pin: pin}}, into: bought, done: bye, {REST}}}
{BYE}"""


def test_property_02_each_part_passes_the_check_of_its_own_screen() -> None:
    assert Dialogue(service(WALLET)).dial("3", "500", "14") == "500 PIN?"
    assert Dialogue(service(WALLET)).dial("3", "9000", "14") == "Sum?\n0 Back"
    assert Dialogue(service(WALLET)).dial("3", "", "14") == "Sum?\n0 Back"


def test_property_02_it_stops_at_a_secret_and_never_takes_it_from_what_was_dialled() -> None:
    talk = Dialogue(service(WALLET))
    assert talk.dial("3", "500", "14", "1234").startswith("500 PIN?")
    assert not talk.calls
    assert "1234" not in str(talk.sessions[-1])


def test_property_02_it_stops_at_a_screen_whose_answer_changes_something() -> None:
    menu = service(f"""
screens:
  root:
    menu: {{ru: Меню, en: Menu}}
    options:
      - id: ru
        text: {{ru: Русский, en: Russian}}
        do: {{call: subscribers.set_language, with: {{language: "'ru'"}}, done: bye, {REST}}}
{BYE}""")
    talk = Dialogue(menu, {"subscribers.set_language": Done({"language": "ru"})})
    assert talk.dial("1") == "Menu\n1 Russian"
    assert not talk.calls
    assert talk.send("1") == "Bye"


def test_property_02_the_longest_code_of_the_network_that_fits_is_meant() -> None:
    one = service("screens:\n  root: {end: {ru: Раз, en: One}}\n", HEAD.replace("service: test", "service: one"))
    two = service(
        "screens:\n  root: {end: {ru: Два, en: Two}}\n",
        HEAD.replace("service: test", "service: two").replace("*100#", "*100*5#"),
    )
    catalog = catalog_of([one, two])
    found = [catalog.find("kcell", parts) for parts in (("100",), ("100", "5"), ("100", "7"), ("1005",))]
    assert [each and each.service.id for each in found] == ["one", "two", "one", None]


# --- 3. back, home, more --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "keys"), [("kk", "98 Әрі 0 Артқа"), ("ky", "98 Ары 0 Артка"), ("ru", "98 Ещё 0 Назад"), ("en", "98 More 0 Back")]
)  # fmt: skip
def test_property_03_the_engines_keys_are_labelled_in_every_language(language: str, keys: str) -> None:
    options = "\n".join(
        f"      - {{id: o{n}, text: {{kk: Үлкен нәрсе, ky: Чоң нерсе, ru: Большая вещь, en: {'A big thing' * 2}}}, go: bye}}"
        for n in range(30)
    )
    head = HEAD.replace("{ru: Русский, en: English}", "{kk: Қазақша, ky: Кыргызча, ru: Русский, en: English}")
    words = "{kk: А, ky: А, ru: А, en: A}"
    menu = service(
        f"screens:\n  root: {{menu: {words}, options: [{{id: on, text: {words}, go: sub}}]}}\n"
        f"  sub:\n    menu: {words}\n    options:\n{options}\n  bye: {{end: {words}}}\n", head,
    )  # fmt: skip
    talk = Dialogue(menu)
    talk.dial(language=language)
    assert talk.send("1").endswith(keys)


def test_property_03_back_turns_the_page_first_and_then_goes_back() -> None:
    options = "\n".join(f"      - {{id: o{n}, text: {{ru: Вещь номер {n}, en: x}}, go: bye}}" for n in range(20))
    menu = service(
        "screens:\n  root: {menu: {ru: Корень, en: Root}, options: [{id: on, text: {ru: Дальше, en: On}, go: sub}]}\n"
        f"  sub:\n    menu: {{ru: Вещи, en: Things}}\n    options:\n{options}\n{BYE}"
    )
    talk = Dialogue(menu)
    talk.dial(language="ru")
    first = talk.send("1")
    second = talk.send("98")
    assert second != first
    assert talk.send("0") == first
    assert talk.send("0") == "Корень\n1 Дальше"


def test_property_03_a_key_that_could_be_an_answer_is_off_there_and_the_linter_says_so() -> None:
    menu = service(f"screens:\n  root: {{ask: {{ru: Сколько?, en: How many?}}, save: n, go: bye}}\n{BYE}")
    assert str(check.notes(menu).__next__()) == (
        "test.yaml:7:10: note: an answer to 'root' could be '0' and '00': off as a key there"
    )
    talk = Dialogue(menu)
    assert talk.dial() == "How many?"
    assert talk.send("0") == "Bye"


def test_property_03_a_service_may_have_other_keys() -> None:
    menu = service(
        "screens:\n  root: {menu: {ru: А, en: A}, options: [{id: on, text: {ru: Б, en: B}, go: sub}]}\n"
        f"  sub: {{menu: {{ru: В, en: C}}, options: [{{id: end, text: {{ru: Г, en: D}}, go: bye}}]}}\n{BYE}",
        HEAD + 'keys: {back: "*", home: "#"}\n',
    )
    talk = Dialogue(menu)
    talk.dial()
    assert talk.send("1") == "C\n1 D\n* Back"
    assert talk.send("*") == "A\n1 B"


# --- 4. length is octets on the air ---------------------------------------------------------------------------------


def test_property_04_one_letter_outside_gsm_makes_the_page_ucs2_and_an_extension_counts_twice() -> None:
    assert fits("a" * 182, Limits())
    assert not fits("a" * 183, Limits())
    assert not fits("a" * 80 + "қ", Limits())
    assert fits("€" * 91, Limits())
    assert not fits("€" * 92, Limits())


def test_property_04_pages_are_computed_for_the_dialect() -> None:
    talk = Dialogue(service(ITEMS), {"shop.items": shop_of(60)}, TERMS._replace(limits=Limits(60, 30)))
    screen = talk.dial()
    for _ in range(10):
        count = septets(screen)
        assert count is not None
        assert count <= 60
        screen = talk.send("98")


# --- 5. proof of fit ------------------------------------------------------------------------------------------------


def test_property_05_a_screen_that_can_be_cut_fails_with_what_makes_it_ucs2_and_what_would_save_it() -> None:
    menu = service(f"screens:\n  root: {{end: {{ru: Пока, en: '{'word ' * 17}№ 5'}}}}\n")
    assert [str(each) for each in fit.mistakes([menu], LIMITS)] == [
        "test.yaml:7:10: screen 'root' can have 88 UCS-2 units in 'en', a page of dialect 'standard' holds 80. "
        "Only '№' makes it UCS-2, and without that it fits; or shorten it by 8."
    ]


def test_property_05_the_length_of_what_is_filled_in_is_its_declared_one() -> None:
    text = "${chosen.name}, " + "a" * 61
    menu = service(ITEMS.replace('ru: "${chosen.name} ${chosen.price|money}", en: "${chosen.name} ${chosen.price|money}"',
                                 f'ru: "Б ${{chosen.name}}", en: "{text}"'))  # fmt: skip
    assert [each.what for each in fit.mistakes([menu], LIMITS)] == [
        "screen 'told' can have 83 UCS-2 units in 'en', a page of dialect 'standard' holds 80"
    ]


# --- 6. the billing contract ----------------------------------------------------------------------------------------


def test_property_06_a_call_keeps_the_contract_and_every_outcome_has_a_place() -> None:
    told = mistakes_of(f"""
screens:
  root:
    menu: {{ru: Меню, en: Menu}}
    options:
      - {{id: a, text: {{ru: А, en: A}}, do: {{call: shop.buyy, done: bye, {REST}}}}}
      - {{id: b, text: {{ru: Б, en: B}}, do: {{call: shop.join, with: {{name: 5}}, done: bye, {REST}}}}}
      - {{id: c, text: {{ru: В, en: C}}, do: {{call: shop.visit, into: v, done: bye, refused: {{"*": bye}}, not_made: bye}}}}
{BYE}""").splitlines()
    assert [line.partition(": ")[2] for line in told] == [
        "the billing contract has no call 'shop.buyy'. Did you mean 'shop.buy'?",
        "'name' must be text. Write another value.",
        "'unknown' is missing. Add `unknown:` here.",
    ]


OUTCOMES = """
screens:
  root:
    menu: {ru: Меню, en: Menu}
    options:
      - id: join
        text: {ru: Вступить, en: Join}
        do: {call: shop.items, into: r, done: done, refused: {CLOSED: closed, "*": other}, unknown: unknown, not_made: not_made}
  done: {end: {ru: а, en: Done}}
  closed: {end: {ru: б, en: Closed}}
  other: {end: {ru: в, en: Other}}
  unknown: {end: {ru: г, en: Unknown}}
  not_made: {end: {ru: д, en: Not made}}
"""


@pytest.mark.parametrize(
    ("outcome", "screen"),
    [(shop_of(1), "Done"), (Refused("CLOSED", {}), "Closed"), (Refused("NEW", {}), "Other"), (Unknown("x"), "Unknown"),
     (NotMade("x"), "Not made")],
)  # fmt: skip
def test_property_06_one_vocabulary_of_outcomes(outcome: Any, screen: str) -> None:
    talk = Dialogue(service(OUTCOMES), {"shop.items": outcome})
    talk.dial()
    assert talk.send("1") == screen


# --- 7. wrong input -------------------------------------------------------------------------------------------------


def test_property_07_wrong_input_repeats_the_question_with_the_reason_above_and_tries_end() -> None:
    menu = service(f"""
screens:
  root:
    ask: {{ru: Сколько?, en: How many?}}
    save: n
    check: [{{count: {{max: 5}}, else: {{ru: Не больше 5., en: At most 5.}}}}]
    tries: {{max: 3, then: bye}}
    go: bye
{BYE}""")
    talk = Dialogue(menu)
    talk.dial()
    assert talk.send("7") == "At most 5.\nHow many?"
    assert talk.send("") == "Type an answer\nHow many?"
    assert talk.send("x") == "Bye"


def test_property_07_again_repeats_with_its_reason_and_counts() -> None:
    menu = service(f"""
screens:
  root:
    ask: {{ru: PIN?, en: PIN?}}
    secret: pin
    tries: {{max: 2, then: bye}}
    do:
      call: shop.buy
      with: {{item: "'i1'", pin: pin}}
      into: r
      done: bye
      refused: {{WRONG_PIN: {{again: {{ru: Неверный PIN., en: Wrong PIN.}}}}, "*": bye}}
      unknown: bye
      not_made: bye
{BYE}""")
    talk = Dialogue(menu, {"shop.buy": Refused("WRONG_PIN", {})})
    talk.dial()
    assert talk.send("1111") == "Wrong PIN.\nPIN?"
    assert talk.send("2222") == "Bye"


# --- 8. secrets and codes -------------------------------------------------------------------------------------------

CODE = f"""
screens:
  root:
    ask: {{ru: PIN?, en: PIN?}}
    secret: pin
    do: {{call: shop.buy, with: {{item: "'i1'", pin: pin}}, into: bought, done: told, {REST}}}
  told:
    show: {{ru: "Код ${{bought.code}}, осталось ${{bought.left}}", en: "Code ${{bought.code}}, left ${{bought.left}}"}}
    confidential: {{again: {{ru: Код придёт по SMS., en: The code comes by SMS.}}}}
    options: [{{id: on, text: {{ru: Дальше, en: "On"}}, go: next}}]
  next: {{menu: {{ru: Ещё, en: More}}, options: [{{id: end, text: {{ru: Конец, en: End}}, go: bye}}]}}
{BYE}"""


def test_property_08_a_secret_goes_into_its_argument_and_nowhere_else() -> None:
    talk = Dialogue(service(CODE), {"shop.buy": Done({"code": "K7", "left": 3})})
    talk.dial()
    talk.send("4711")
    assert talk.calls[0].arguments["pin"] == "4711"
    assert talk.makes[0].has_secret
    assert all("4711" not in str(session) for session in talk.sessions)
    assert "a secret can only go into a secret argument" in mistakes_of(CODE.replace("item: \"'i1'\"", "item: pin"))


def test_property_08_a_confidential_screen_is_shown_once_and_never_stored() -> None:
    talk = Dialogue(service(CODE), {"shop.buy": Done({"code": "K7-code", "left": 3})})
    talk.dial()
    assert talk.send("4711") == "Code K7-code, left 3\n1 On\n0 Back"
    assert all("K7-code" not in str(session) for session in talk.sessions)
    assert talk.sessions[-1].shown == "The code comes by SMS."
    assert talk.send("9") == "No such option\nThe code comes by SMS.\n1 On\n0 Back"
    talk.send("1")
    assert talk.send("0") == "The code comes by SMS.\n1 On\n0 Back"


# --- 9, 10. no code, strict YAML ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inside", ["x.y()", "x[0]", "1 + 1", "__class__", "x.__class__", "os.environ", "{{x}}", "x|e()"]
)
def test_property_09_a_text_can_only_look_a_name_up(inside: str) -> None:
    told = mistakes_of(f"screens:\n  root: {{end: {{ru: '${{{inside}}}', en: '${{{inside}}}'}}}}\n")
    assert told


@pytest.mark.parametrize("condition", ["x()", "a.b + 1 == 2", "lambda: 1", "[x for x in y]", "a.b; c", "`x`", "a = 1"])
def test_property_09_a_condition_can_only_compare(condition: str) -> None:
    assert "test.yaml:7" in mistakes_of(
        f'screens:\n  root: {{route: [{{when: "{condition}", go: bye}}, {{go: bye}}]}}\n{BYE}'
    )


def test_property_10_only_true_false_null_and_decimal_numbers_are_special() -> None:
    told = mistakes_of("screens:\n  root: {end: {ru: no, en: 'yes'}}\n", HEAD.replace("English", "yes"))
    assert not told
    for text, what in (
        ("0123", "octal"),
        ("!!str a", "a tag"),
        ("&a b", "an anchor"),
        ("0x1F", "only in some readers"),
    ):
        assert what in mistakes_of(f"screens:\n  root: {{end: {{ru: {text}, en: A}}}}\n")


# --- 11. every mistake has a place and a cure -----------------------------------------------------------------------


def test_property_11_all_mistakes_of_a_file_come_at_once_and_each_has_place_and_cure() -> None:
    told = mistakes_of(f"""
screens:
  root: {{menu: {{ru: Меню}}, options: [{{id: A, text: {{ru: А, en: A}}, go: by}}]}}
  ask: {{ask: {{ru: "${{nobody.x|shout}}", en: x}}, save: n, check: [{{count: {{max: 0x5}}, else: {{ru: Н, en: N}}}}], go: bye}}
  no_calls: {{route: , do: {{call: nothing.there, done: bye, {REST}}}}}
  no_calls: {{end: {{ru: А, en: A}}}}
{BYE}""").splitlines()
    assert len(told) >= 7
    assert all(line.startswith("test.yaml:") and line.count(". ") >= 1 for line in told)


# --- 12. versions ---------------------------------------------------------------------------------------------------


def test_property_12_a_compiled_version_is_octets_and_walks_as_before() -> None:
    menu = service(ITEMS)
    copy = compiled.from_octets(compiled.to_octets(menu))
    assert copy == menu
    assert copy.version == menu.version
    assert Dialogue(copy, {"shop.items": shop_of(2)}).dial() == Dialogue(menu, {"shop.items": shop_of(2)}).dial()


def test_property_12_whatever_a_service_is_made_of_makes_its_version() -> None:
    part = "menu: 1\npart: common\nlanguages: {ru: Русский, en: English}\nscreens:\n  bye: {end: {ru: Пока, en: Bye}}\n"
    head = HEAD + "use: {file: common.yaml, as: common}\n"
    screens = "screens:\n  root: {menu: {ru: А, en: A}, options: [{id: b, text: {ru: Б, en: B}, go: common.bye}]}\n"
    one, same = service(screens, head, common=part), service(screens, head, common=part)
    other = service(screens, head, common=part.replace("Bye", "Farewell"))
    assert one.version == same.version != other.version


# --- 13. resume -----------------------------------------------------------------------------------------------------


def test_property_13_a_cut_is_resumed_in_time_and_never_past_a_change_or_at_a_secret() -> None:
    menu = service(WALLET, HEAD + "resume: {seconds: 60}\n")
    talk = Dialogue(menu)
    talk.dial("3")
    cut_off = talk.sessions[-1]
    assert resumption.is_offered(menu, cut_off, now=59.0)
    assert not resumption.is_offered(menu, cut_off, now=61.0)
    talk.send("500")
    talk.send("14")
    assert not resumption.is_offered(menu, talk.sessions[-1], now=1.0)  # it stands at the PIN
    talk = Dialogue(menu, {"shop.buy": Unknown("x")})
    talk.dial("3", "500", "14")
    talk.send("1234")
    assert not resumption.is_offered(menu, talk.sessions[-2], now=1.0)  # a call has been made


# --- 14. tests and crawler ------------------------------------------------------------------------------------------


def test_property_14_a_menu_whose_tests_fail_is_not_served() -> None:
    menu = (
        HEAD
        + "screens:\n  root: {end: {ru: Пока, en: Bye}}\ntests: [{name: x, talk: [{dial: '*100#', screen: Да, ends: true}]}]\n"
    )
    verdict = examined(menu)
    assert [each.what for each in verdict.mistakes] == ["test 'x': the screen is 'Пока', not 'Да'"]
    assert verdict.catalog is None


def test_property_14_a_screen_that_no_walk_reaches_is_not_served() -> None:
    screens = f"""screens:
  root: {{route: [{{when: subscriber.status == 'opened', go: never}}, {{go: bye}}]}}
  never: {{end: {{ru: Никогда, en: Never}}}}
{BYE}"""
    assert [each.what for each in examined(HEAD + screens).mistakes] == [
        "no walk reaches screen 'never': the conditions before it never hold"
    ]


# --- 15. reuse ------------------------------------------------------------------------------------------------------


def test_property_15_screens_of_another_file_are_led_to_and_come_back() -> None:
    part = """menu: 1
part: help
languages: {ru: Русский, en: English, kk: Қазақша}
lists:
  topic: [{id: sim, ru: SIM, en: SIM, kk: SIM}]
screens:
  start: {list: {ru: О чём?, en: About?, kk: Не?}, items: lists.topic, save: topic, go: told}
  told: {show: {ru: "Помощь: ${topic.text}", en: "Help: ${topic.text}", kk: "Көмек: ${topic.text}"}}
"""
    screens = f"""screens:
  root:
    menu: {{ru: Меню, en: Menu}}
    options: [{{id: help, text: {{ru: Помощь, en: Help}}, go: common.start}}, {{id: end, text: {{ru: Конец, en: End}}, go: bye}}]
{BYE}"""
    talk = Dialogue(service(screens, HEAD + "use: {file: help.yaml, as: common}\n", help=part))
    talk.dial()
    assert talk.send("1") == "About?\n1 SIM\n0 Back"
    assert talk.send("1") == "Help: SIM\n0 Back 00 Home"
    assert talk.send("00") == "Menu\n1 Help\n2 End"


# --- 16. time: `tests/integration/engine/test_turn.py` has the turn's side of it -----------------------------------------


def test_property_16_a_call_that_outlasts_the_network_goes_the_unknown_way() -> None:
    talk = Dialogue(service(OUTCOMES), {"shop.items": Unknown("no answer in time")})
    talk.dial()
    assert talk.send("1") == "Unknown"
    assert talk.ended


# --- 17. limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("screens: {" + ", ".join(f"s{n}: {{end: {{ru: А, en: A}}}}" for n in range(501)) + "}\n", "501 screens"),
        ("#" * OCTETS_MAX + "\nscreens:\n  root: {end: {ru: А, en: A}}\n", f"At most {OCTETS_MAX}"),
        ("lists: " + "[" * 30 + "]" * 30 + "\nscreens:\n  root: {end: {ru: А, en: A}}\n", "more than 20 levels deep"),
    ],
    ids=["screens", "octets", "depth"],
)
def test_property_17_everything_has_a_limit_and_a_clear_error(text: str, what: str) -> None:
    assert what in mistakes_of(text)


def test_property_17_a_turn_that_never_comes_to_a_screen_is_stopped() -> None:
    menu = service(
        "screens:\n  root: {menu: {ru: А, en: A}, options: [{id: a, text: {ru: Б, en: B}, go: one}]}\n"
        "  one: {route: [{when: subscriber.status == 'closed', go: bye}, {go: two}]}\n  two: {route: [{go: one}]}\n"
        + BYE
    )
    talk = Dialogue(menu)
    talk.dial()
    with pytest.raises(MenuLoop, match=f"over {STEPS_MAX} screens in one turn"):
        talk.send("1")
    assert TURNS_MAX == 100


# --- 18. one walk for all -------------------------------------------------------------------------------------------


def test_property_18_the_walk_is_pure_and_leaves_its_session_as_it_was() -> None:
    menu = service(ITEMS)
    talk = Dialogue(menu, {"shop.items": shop_of(3)})
    talk.dial()
    before = talk.sessions[-1]
    copy = repr(before)
    one = walk.answer(menu, before, "2", TERMS)
    two = walk.answer(menu, before, "2", TERMS)
    assert repr(before) == copy
    assert one == two


def test_property_18_production_tests_crawler_and_terminal_import_the_same_walk() -> None:
    users = {
        "ussd_engine/taking.py",
        "ussd_engine/sms_turn.py",
        "ussd_engine/language/talk.py",
        "ussd_engine/language/crawl.py",
    }
    for name in users:
        imported = [
            alias.name for node in ast.walk(ast.parse((ROOT / name).read_text())) if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]  # fmt: skip
        assert "walk" in imported, name
    assert check_codes.follow(service(WALLET), "root", ("3", "{sum}", "{thing}")) is None
