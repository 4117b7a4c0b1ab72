"""The tools that look at whole services: the crawler, the picture, the difference between two versions."""
# ruff: noqa: E501 - a menu in a line is read better than one in three

from __future__ import annotations

import re

import pytest

from tests.menus_for_tests import HEAD, LIMITS, NETWORKS, service
from ussd_engine.language import crawl, diff, graph
from ussd_engine.language.crawl import Crawled
from ussd_engine.language.menu import Service

REST = 'refused: {"*": bye}, unknown: bye, not_made: bye'
BYE = "  bye: {end: {ru: Пока, en: Bye}}\n"
SHOP = f"""
screens:
  root:
    menu: {{ru: Лавка, en: Shop}}
    options:
      - {{id: buy, text: {{ru: Купить, en: Buy}}, do: {{call: shop.items, into: shop, done: which, {REST}}}}}
      - {{id: join, text: {{ru: Клуб, en: Club}}, go: name}}
      - {{id: end, key: "9", text: {{ru: Конец, en: End}}, go: bye}}
  which:
    list: {{ru: Что?, en: Which?}}
    items: shop.items
    item: {{ru: "${{item.name|cut:12}} ${{item.price|money}}", en: "${{item.name|cut:12}} ${{item.price|money}}"}}
    save: chosen
    empty: nothing
    narrow: too_many
    go: in_stock
  in_stock: {{route: [{{when: chosen.stock > 5, go: plenty}}, {{when: chosen.stock == 0, go: nothing}}, {{go: few}}]}}
  plenty: {{end: {{ru: Много, en: Plenty}}}}
  few: {{end: {{ru: Мало, en: Few}}}}
  nothing: {{end: {{ru: Нет, en: None}}}}
  too_many: {{end: {{ru: Уточните, en: Be precise}}}}
  name:
    ask: {{ru: Имя?, en: Name?}}
    save: name
    check: [{{text: {{min: 3, max: 20}}, else: {{ru: Короче., en: Shorter.}}}}]
    tries: {{max: 3, then: bye}}
    do: {{call: shop.join, with: {{name: name}}, done: bye, {REST}}}
{BYE}"""


def crawled(menu: Service) -> Crawled:
    return crawl.crawl(menu, NETWORKS, LIMITS)


def test_the_crawler_meets_every_screen_option_and_case() -> None:
    found = crawled(service(SHOP))
    assert found.whole
    assert not found.mistakes
    assert {"plenty", "few", "nothing", "too_many", "name", "root/buy", "root/join", "root/end"} <= found.seen


def test_the_crawler_tells_of_a_screen_that_no_data_reaches() -> None:
    menu = service(
        SHOP.replace("chosen.stock == 0", "chosen.stock == 0 and chosen.stock > 5").replace("empty: nothing\n    ", "")
    )
    assert [each.what for each in crawled(menu).mistakes] == [
        "no walk reaches screen 'nothing': the conditions before it never hold"
    ]


def test_the_crawler_tells_of_an_item_that_does_not_fit_on_a_page() -> None:
    menu = service(
        SHOP.replace(
            '"${item.name|cut:12} ${item.price|money}"',
            '"${item.name} ${item.price|money} ${item.price|money} ${item.stock}"',
        )
    )
    found = crawled(menu).mistakes
    assert found
    assert "screen 'which' does not fit in 'ru' with data of kind" in found[0].what


def test_the_crawler_walks_each_status_network_trust_and_switch_that_is_looked_at() -> None:
    menu = service(
        "screens:\n"
        "  root: {route: [{when: subscriber.status == 'barred', go: barred}, {when: subscriber.network == 'o', go: other}, {go: menu}]}\n"
        "  menu: {menu: {ru: А, en: A}, requires: {trust: operator, else: untrusted}, maintenance: {ru: Ремонт, en: Works}, options: [{id: e, text: {ru: Б, en: B}, go: bye}]}\n"
        "  barred: {end: {ru: В, en: C}}\n  other: {end: {ru: Г, en: D}}\n  untrusted: {end: {ru: Д, en: E}}\n" + BYE
    )
    found = crawled(menu)
    assert not found.mistakes
    assert found.seen == {"menu", "menu/e", "barred", "other", "untrusted", "bye"}


# --- graph ----------------------------------------------------------------------------------------------------------


def test_the_picture_has_every_screen_option_call_and_outcome() -> None:
    drawn = graph.mermaid([service(SHOP)], "en")
    lines = [line.strip() for line in drawn.splitlines()]
    assert lines[0] == "flowchart LR"
    assert 'test_code0(("#42;100#")) --> test_root' in lines
    assert 'test_root["<b>root</b><br/>Shop"]' in lines
    assert 'test_which[["<b>which</b><br/>Which?"]]' in lines
    assert 'test_name("<b>name</b><br/>Name?")' in lines
    assert 'test_few(["<b>few</b><br/>Few"])' in lines
    assert 'test_root_buy_call{{"shop.items"}}' in lines
    assert 'test_root -->|"1 buy"| test_root_buy_call' in lines
    assert 'test_root_buy_call -->|"done"| test_which' in lines
    assert 'test_in_stock -->|"chosen.stock #gt; 5"| test_plenty' in lines
    assert 'test_which -->|"over 97"| test_too_many' in lines


def test_an_end_that_many_lead_to_is_drawn_beside_each() -> None:
    drawn = graph.mermaid([service(SHOP)], "en")
    leaves = re.findall(r'test_leaf\d+\(\["bye"\]\):::leaf', drawn)
    assert len(leaves) == 4
    assert "test_bye" not in drawn
    assert '"*, unknown, not_made"' in drawn


def test_services_stand_side_by_side_in_one_picture() -> None:
    other = service("screens:\n  root: {end: {ru: Пока, en: Bye}}\n", HEAD.replace("service: test", "service: other"))
    drawn = graph.mermaid([service(SHOP), other])
    assert drawn.count("subgraph") == 2


# --- diff -----------------------------------------------------------------------------------------------------------


def changes(old: str, new: str, new_head: str = HEAD) -> list[str]:
    found = diff.changes({"test": service(old)}, {"test": service(new, new_head)})
    return [f"{'!' if each.breaks else '-'} {each.what}" for each in found]


def test_nothing_is_told_of_a_menu_that_is_the_same() -> None:
    assert changes(SHOP, SHOP) == []


def test_a_comment_changes_nothing_that_anybody_meets() -> None:
    assert changes(SHOP, SHOP + "# a comment\n") == []


def test_an_option_that_moves_takes_its_key_along_and_breaks_what_is_dialled() -> None:
    moved = SHOP.replace("      - {id: join, text: {ru: Клуб, en: Club}, go: name}\n", "").replace(
        "    options:\n", "    options:\n      - {id: join, text: {ru: Клуб, en: Club}, go: name}\n", 1
    )
    assert changes(SHOP, moved) == [
        "! *100*1# leads to root/join, it led to root/buy",
        "! *100*1*{chosen}# leads nowhere, it led to which",
        "! *100*2# leads to root/buy, it led to root/join",
        "! option 'root/buy' has key 2, it had 1",
        "! option 'root/join' has key 1, it had 2",
    ]


def test_a_fixed_key_breaks_nothing_when_others_come() -> None:
    more = SHOP.replace(
        "      - {id: end,", "      - {id: new, text: {ru: Новое, en: New}, go: bye}\n      - {id: end,"
    )
    assert changes(SHOP, more) == ["- option 'root/new' is new"]


def test_what_is_gone_breaks_and_what_is_new_does_not() -> None:
    new = SHOP.replace("      - {id: join, text: {ru: Клуб, en: Club}, go: name}\n", "").replace(
        "  name:\n", "  naam:\n"
    )
    new = new[: new.index("  naam:")] + BYE
    told = changes(SHOP, new)
    assert "! screen 'name' is gone" in told
    assert "! option 'root/join' is gone" in told
    assert "! *100*2# leads nowhere, it led to root/join" in told


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (HEAD.replace("*100#", "*101#"), "! *100# leads nowhere, it led to test: root"),
        (HEAD + "open_to: {networks: [kcell]}\n", None),
    ],
)
def test_a_code_that_is_gone_breaks(head: str, what: str | None) -> None:
    told = changes(SHOP, SHOP, head)
    assert (what in told) if what else told == []


def test_a_service_that_is_gone_or_new() -> None:
    menu = service(SHOP)
    assert diff.changes({"test": menu}, {})[0].breaks
    assert not any(each.breaks for each in diff.changes({}, {"test": menu}))
