"""The outline of a service: what is pressed and what comes then."""

from __future__ import annotations

import pytest

from tests.menus_for_tests import service
from ussd_engine.language import outline
from ussd_engine.language.outline import page_with

REST = 'refused: {"*": bye}, unknown: bye, not_made: bye'
SHOP = f"""
screens:
  root:
    menu: {{ru: Лавка, en: Shop}}
    options:
      - {{id: buy, text: {{ru: Купить, en: Buy}}, do: {{call: shop.items, into: shop, done: which, {REST}}}}}
      - {{id: more, key: "8", text: {{ru: Ещё, en: More}}, go: more}}
      - {{id: end, key: "9", text: {{ru: Конец, en: End}}, go: bye}}
  which:
    list: {{ru: Что?, en: Which?}}
    items: shop.items
    item: {{ru: "${{item.name|cut:12}}", en: "${{item.name|cut:12}}"}}
    save: chosen
    empty: bye
    narrow: bye
    go: in_stock
  in_stock: {{route: [{{when: chosen.stock > 5, go: plenty}}, {{go: name}}]}}
  plenty: {{end: {{ru: "Много\\n${{chosen.name}}", en: "Plenty\\n${{chosen.name}}"}}}}
  name:
    ask: {{ru: Имя?, en: Name?}}
    save: name
    check: [{{text: {{min: 3, max: 20}}, else: {{ru: Короче., en: Shorter.}}}}]
    maintenance: {{ru: Нельзя., en: Not now.}}
    do: {{call: shop.join, with: {{name: name}}, done: bye, {REST}}}
  more:
    menu: {{ru: Ещё, en: More}}
    options:
      - {{id: name, text: {{ru: Клуб, en: Club}}, go: name}}
      - {{id: home, text: {{ru: Домой, en: Home}}, go: home}}
  bye: {{end: {{ru: Пока, en: Bye}}}}
"""
DRAWN = """*100#
  Shop
    1 Buy
      · shop.items
      … Which?: one of shop.items
      if chosen.stock > 5
        ■ Plenty / ‹chosen.name›
      else
        ? Name?  [name]
        · shop.join
        ■ Bye  [bye]
    8 More
      1 Club
        → [name]
      2 Home
        → home
    9 End
      → [bye]
"""


def test_options_stand_behind_their_keys_and_steps_below_one_another() -> None:
    assert outline.outline(service(SHOP), "en") == DRAWN


def test_a_language_that_it_lacks_gives_way_to_its_first() -> None:
    assert "1 Купить" in outline.outline(service(SHOP), "kk")


def test_a_route_that_only_shows_one_of_many_is_a_line() -> None:
    kinds = [f"{{when: chosen.stock == {n}, go: shown{n}}}" for n in range(5)]
    shown = "".join(f"  shown{n}: {{end: {{ru: Вот {n}, en: Here {n}}}}}\n" for n in range(5))
    menu = SHOP.replace("{when: chosen.stock > 5, go: plenty}, {go: name}", ", ".join([*kinds, "{go: plenty}"]))
    assert "      one of 6 screens, by chosen.stock\n    8 More" in outline.outline(service(menu + shown), "en")


def test_a_long_text_is_cut() -> None:
    menu = service(SHOP.replace("en: Bye", f"en: {'x' * 150}"))
    assert f"■ {'x' * 99}…" in outline.outline(menu, "en")


def test_the_facts_name_codes_operations_and_switches() -> None:
    facts = outline.facts(service(SHOP))
    assert "| codes | `*100#` |\n| networks | all |\n| languages | ru, en; " in facts
    assert "| operations | `shop.items`, `shop.join` |" in facts
    assert "| can be switched off | `test`, `test/name` |\n| in words of its own | `test/name` |" in facts


def test_a_page_gets_what_stands_between_its_marks() -> None:
    menu = service(SHOP)
    page = "Before\n<!-- outline test -->\nold\n<!-- end -->\nafter\n"
    written = page_with(page, {"test": menu}, "en")
    assert written.startswith("Before\n<!-- outline test -->\n| | |\n")
    assert written.endswith(f"```text\n{DRAWN}```\n<!-- end -->\nafter\n")
    assert page_with(written, {"test": menu}, "en") == written
    with pytest.raises(ValueError, match="no service 'test'"):
        page_with(page, {}, "en")
