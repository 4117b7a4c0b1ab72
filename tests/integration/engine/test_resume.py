"""Who is cut off and dials again in time is asked whether to go on; and what customer care, records and counts see of it."""
# ruff: noqa: E501 - a menu in a line is read better than one in three

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from billing.calls import Done, Unknown
from sessions.redis_store import RedisStore
from tests.menus_for_tests import catalog_in, versions_of
from tests.phone_for_tests import ROOT, Phone
from ussd_engine.turn import Reply
from ussd_engine.versions import Versions

MENU = """menu: 1
service: shop
languages: {kk: Қазақша, ru: Русский}
dial: ["*100#"]
resume: {seconds: 60}
start: root
screens:
  root:
    menu: {kk: Дүкен, ru: Лавка}
    options:
      - {id: buy, text: {kk: Алу, ru: Купить}, go: name}
      - {id: tongue, text: {kk: Тіл, ru: Язык}, do: {call: subscribers.set_language, with: {language: "'ru'"}, done: name, refused: {"*": bye}, unknown: bye, not_made: bye}}
      - {id: never, text: {kk: Жоқ, ru: Нет}, go: never}
  name:
    ask: {kk: Атыңыз?, ru: Имя?}
    save: name
    check: [{text: {min: 2, max: 20}, else: {kk: Қысқа., ru: Коротко.}}]
    go: town
  town:
    ask: {kk: "${name}, қала?", ru: "${name}, город?"}
    save: town
    check: [{text: {min: 2, max: 20}, else: {kk: Қысқа., ru: Коротко.}}]
    go: told
  never: {menu: {kk: Ә, ru: А}, resume: never, options: [{id: e, text: {kk: Б, ru: Б}, go: bye}]}
  told: {end: {kk: "${name}, ${town}", ru: "${name}, ${town}"}}
  bye: {end: {kk: Сау бол, ru: Пока}}
"""
QUESTION = Reply("Продолжить с места обрыва?\n1 Да\n2 Начать заново", False)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url, answer_seconds_max=0.5)
    yield store
    await store.close()


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    (tmp_path / "engine.yaml").write_bytes((ROOT / "menus/engine.yaml").read_bytes())
    (tmp_path / "shop.yaml").write_text(MENU)
    return versions_of(catalog_in(tmp_path))


@pytest.fixture
async def cut_off(store: RedisStore, versions: Versions) -> Phone:
    phone = Phone(store, versions)
    await phone.dial("100", "1")
    await phone.send("Айгуль")
    phone.clock = 30.0
    await phone.hang_up()
    return phone


async def test_going_on_leads_to_the_screen_of_the_cut_with_everything_typed(cut_off: Phone) -> None:
    cut_off.clock = 89.0
    assert await cut_off.dial("100") == QUESTION
    assert await cut_off.send("1") == Reply("Айгуль, город?\n0 Назад", False)
    assert await cut_off.send("Актау") == Reply("Айгуль, Актау", True)


async def test_beginning_anew_forgets_it(cut_off: Phone) -> None:
    await cut_off.dial("100")
    assert await cut_off.send("2") == Reply("Лавка\n1 Купить\n2 Язык\n3 Нет", False)
    assert await cut_off.send("1") == Reply("Имя?\n0 Назад", False)


async def test_another_answer_asks_once_more_with_the_reason(cut_off: Phone) -> None:
    await cut_off.dial("100")
    assert await cut_off.send("8") == QUESTION._replace(text=f"Нет такого пункта\n{QUESTION.text}")
    assert await cut_off.send("1") == Reply("Айгуль, город?\n0 Назад", False)


async def test_later_than_the_services_time_it_begins_anew(cut_off: Phone) -> None:
    cut_off.clock = 91.0
    assert await cut_off.dial("100") == Reply("Лавка\n1 Купить\n2 Язык\n3 Нет", False)


async def test_a_dial_through_begins_anew_without_a_question(cut_off: Phone) -> None:
    assert await cut_off.dial("100", "1") == Reply("Имя?\n0 Назад", False)


async def test_a_cut_that_nobody_told_of_is_resumed_too(store: RedisStore, versions: Versions) -> None:
    phone = Phone(store, versions)
    await phone.dial("100", "1")
    assert await phone.dial("100") == QUESTION


async def test_the_begin_that_is_repeated_on_the_wire_gets_the_question_again(cut_off: Phone) -> None:
    assert await cut_off.dial("100", mark="c1/9-9") == QUESTION
    assert await cut_off.dial("100", mark="c1/9-9") == QUESTION
    assert await cut_off.send("1") == Reply("Айгуль, город?\n0 Назад", False)


@pytest.mark.parametrize("outcome", [Done({"language": "ru"}), Unknown("late")])
async def test_never_past_a_call_that_may_have_changed_something(
    store: RedisStore, versions: Versions, outcome: Done | Unknown
) -> None:
    phone = Phone(store, versions, subscribers__set_language=[outcome])
    await phone.dial("100")
    await phone.send("2")
    await phone.hang_up()
    assert await phone.dial("100") == Reply("Лавка\n1 Купить\n2 Язык\n3 Нет", False)


async def test_never_at_a_screen_that_says_so_and_not_at_the_first(store: RedisStore, versions: Versions) -> None:
    phone = Phone(store, versions)
    for typed in ("3", None):
        await phone.dial("100")
        if typed:
            await phone.send(typed)
        await phone.hang_up()
        assert await phone.dial("100") == Reply("Лавка\n1 Купить\n2 Язык\n3 Нет", False)
        await phone.hang_up()


async def test_the_cut_dialogue_is_told_of_as_ended_and_the_resumed_one_names_it(cut_off: Phone) -> None:
    assert cut_off.notes.ended_as == [("shop", "user_abort")]
    await cut_off.dial("100")
    await cut_off.send("1")
    await cut_off.send("Актау")
    assert cut_off.notes.ended_as == [("shop", "user_abort"), ("shop", "ended")]
    last = await cut_off.store.load("77010000007")
    assert last is not None
    assert last.resumed
    assert last.resumed != last.id
    assert last.path == ("town",)


async def test_what_was_hung_up_is_only_gone_on_with_when_it_is_dialled(cut_off: Phone) -> None:
    assert await cut_off.send("Алматы") == Reply("Сеанс завершён. Наберите код заново.", True)
    told = list(cut_off.notes.ended_as)
    await cut_off.hang_up()
    assert cut_off.notes.ended_as == told  # once is enough
    assert await cut_off.dial("100") == QUESTION
    assert await cut_off.send("1") == Reply("Айгуль, город?\n0 Назад", False)
