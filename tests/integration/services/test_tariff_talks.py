"""*166#: what one has, what there is, and changing it with and without the money."""

from __future__ import annotations

import re

import pytest

from .telephone import Town

MENU = {
    "kk": "Тариф\n1 Ауыстыру\n2 Менің тарифім\n9 Русский/English",
    "ru": "Тариф\n1 Сменить\n2 Мой тариф\n9 Қазақша/English",
    "en": "Tariff\n1 Change it\n2 My tariff\n9 Қазақша/Русский",
}
OFFERED = {
    "kk": "Тарифтер\n1 Күндізгі шексіз\n2 11\n3 Күнделікті\n4 Молшылық\n0 Артқа",
    "ru": "Тарифы\n1 Дневной безлимит\n2 11\n3 На каждый день\n4 Изобилие\n0 Назад",
    "en": "Tariffs\n1 Daytime unlimited\n2 11\n3 Every day\n4 Plenty\n0 Back",
}
DAILY = {
    "kk": "Күнделікті\n99 тг/күн\n30 мин 1024 МБ 10 SMS\n1 Ауысу\n0 Артқа 00 Басы",
    "ru": "На каждый день\n99 тг/день\n30 мин 1024 МБ 10 SMS\n1 Взять\n0 Назад 00 Начало",
    "en": "Every day\n99 KZT a day\n30 min 1024 MB 10 SMS\n1 Take it\n0 Back 00 Home",
}
CONFIRM = {
    "kk": "Күнделікті: 99 тг\nИә: DD теріңіз\n0 Артқа",
    "ru": "На каждый день: 99 тг\nДа: наберите DD\n0 Назад",
    "en": "Every day: 99 KZT\nConfirm: DD\n0 Back",
}
CHANGED = {
    "kk": "Жаңа тариф: Күнделікті. Баланс: 5 901 тг",
    "ru": "Новый тариф: На каждый день. Баланс: 5 901 тг",
    "en": "Tariff now: Every day. Balance: 5,901 KZT",
}
CHANGED_SMS = {
    "kk": "Жаңа тариф: Күнделікті, 99 тг. Сіз болмасаңыз, операторға хабарлаңыз",
    "ru": "Новый тариф: На каждый день, 99 тг. Если это не вы, позвоните оператору",
    "en": "Your tariff is now Every day, fee 99 KZT. If it was not you, call the operator.",
}
CURRENT = {
    "kk": "Күнделікті\n99 тг/күн\nҚалды: 30 мин 1024 МБ 10 SMS",
    "ru": "На каждый день\n99 тг/день\nОстаток: 30 мин 1024 МБ 10 SMS",
    "en": "Every day\n99 KZT a day\nLeft: 30 min 1024 MB 10 SMS",
}
SHORT = {
    "kk": "Шотта 1 490 тг жетпейді. Толтыру: *111*2#",
    "ru": "На счёте не хватает 1 490 тг. Пополнить: *111*2#",
    "en": "Your account is 1,490 KZT short. Top up: *111*2#",
}

pytestmark = pytest.mark.parametrize("language", ["kk", "ru", "en"])


async def test_a_tariff_is_changed_by_the_two_digits_that_are_shown_and_an_sms_tells_of_it(
    town: Town, language: str
) -> None:
    phone = await town.with_balance(await town.somebody("kcell", language), 6000)
    assert await phone.dial("*166#") == MENU[language]
    assert await phone.send("1") == OFFERED[language]
    assert await phone.send("3") == DAILY[language]
    quoted = await phone.send("1")
    assert quoted == CONFIRM[language].replace("DD", phone.confirmation)
    assert await phone.confirm() == CHANGED[language]
    assert phone.ended
    assert await phone.sms() == CHANGED_SMS[language]
    assert await phone.dial("*166*2#") == CURRENT[language]
    assert phone.ended


async def test_without_the_money_it_is_said_how_much_is_missing_and_nothing_changes(town: Town, language: str) -> None:
    phone = await town.with_balance(await town.somebody("kcell", language), 0)
    before = await phone.dial("*166*2#")
    assert await phone.dial("*166#", "1", "1", "1") == SHORT[language]
    assert phone.ended
    assert await phone.dial("*166*2#") == before


async def test_other_digits_than_those_shown_change_nothing(town: Town, language: str) -> None:
    phone = await town.with_balance(await town.somebody("kcell", language), 6000)
    await phone.dial("*166#", "1", "3", "1")
    wrong = str(10 + (int(phone.confirmation) - 9) % 90)
    assert phone.confirmation in await phone.send(wrong)
    await phone.send(wrong, wrong)
    assert phone.ended
    balance = await phone.dial("*111*3#")
    assert re.match(r"(Баланс|Balance): 6.000 ", balance)


async def test_the_keys_of_a_change_dialled_in_advance_change_nothing(town: Town, language: str) -> None:
    phone = await town.with_balance(await town.somebody("kcell", language), 6000)
    shown = await phone.dial("*166*1*3*1*47#")
    assert not phone.ended
    assert shown.split("\n")[:4] == DAILY[language].split("\n")[:4]  # the conditions: nothing was quoted


async def test_the_same_stands_under_111(town: Town, language: str) -> None:
    phone = await town.somebody("kcell", language)
    current = await phone.dial("*166*2#")
    assert await phone.dial("*111*1#", "2") == current


async def test_beeline_has_its_own_tariffs(town: Town, language: str) -> None:
    phone = await town.somebody("beeline-kz", language)
    names = {"kk": ("Бастау", "Отбасы"), "ru": ("Старт", "Семья"), "en": ("Start", "Family")}[language]
    shown = await phone.dial("*166#", "1")
    assert [line[2:] for line in shown.split("\n")[1:3]] == list(names)


async def test_a_number_barred_for_debt_changes_no_tariff(town: Town, language: str) -> None:
    phone = await town.somebody("kcell", language)
    await town.operators.do("subscribers.set_status", phone.number, status="barred")
    said = {"kk": "шектелген", "ru": "ограничен из-за долга", "en": "restricted for debt"}[language]
    assert said in await phone.dial("*166#", "1")
    assert phone.ended
