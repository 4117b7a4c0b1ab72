"""SMS to 111: one word in any language and spelling, one answer in the subscriber's language."""

from __future__ import annotations

import re

import pytest

from .telephone import Telephone, Town

LANGUAGES = ("kk", "ru", "en")
BALANCE = {
    "kk": r"Баланс: [0-9\s]+(,[0-9]{2})?\sтг\. Бонус: [0-9\s]+(,[0-9]{2})?\sтг",
    "ru": r"Баланс: [0-9\s]+(,[0-9]{2})?\sтг\. Бонусы: [0-9\s]+(,[0-9]{2})?\sтг",
    "en": r"Balance: [0-9,]+(\.[0-9]{2})? KZT\. Bonuses: [0-9,]+(\.[0-9]{2})? KZT",
}
TARIFF = {
    "kk": r"Тариф «.+», ақысы .+\. Қалды: [0-9]+ мин, [0-9]+ МБ, [0-9]+ SMS",
    "ru": r"Тариф «.+», плата .+\. Остаток: [0-9]+ мин, [0-9]+ МБ, [0-9]+ SMS",
    "en": r"Tariff .+, fee .+\. Left: [0-9]+ min, [0-9]+ MB, [0-9]+ SMS",
}
HELP = {
    "kk": "111 нөміріне жіберіңіз: БАЛАНС, ТАРИФ, ҚҰПИЯСӨЗ, ТІЛ KZ/RU/EN. Тегін. Мәзір: *111#",
    "ru": "Отправьте на 111: БАЛАНС, ТАРИФ, ПАРОЛЬ, ЯЗЫК KZ/RU/EN. Бесплатно. Меню: *111#",
    "en": "Send to 111: BAL, TARIFF, PASS, LANG KZ/RU/EN. Free of charge. Menu: *111#",
}
PASSWORD = {"kk": "Кабинетке кіретін уақытша құпиясөз", "ru": "Временный пароль кабинета", "en": "Temporary password"}


async def answer(phone: Telephone, text: str, to: str = "111") -> str:
    await phone.write(to, text)
    return await phone.sms()


@pytest.mark.parametrize("network", ["kcell", "beeline-kz"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("word", ["BAL", "БАЛАНС", "ТЕҢГЕРІМ"])
async def test_the_balance(town: Town, network: str, language: str, word: str) -> None:
    phone = await town.somebody(network, language)
    assert re.fullmatch(BALANCE[language], await answer(phone, word))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("word", ["TARIFF", "ТАРИФ"])
async def test_the_tariff(town: Town, language: str, word: str) -> None:
    phone = await town.somebody("kcell", language)
    assert re.fullmatch(TARIFF[language], await answer(phone, word))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("word", ["PASS", "ПАРОЛЬ", "ҚҰПИЯСӨЗ"])
async def test_the_password_is_the_one_answer(town: Town, language: str, word: str) -> None:
    phone = await town.somebody("kcell", language)
    assert (await answer(phone, word)).startswith(PASSWORD[language])
    assert re.fullmatch(BALANCE[language], await answer(phone, "BAL"))  # nothing came in between


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("word", ["HELP", "ПОМОЩЬ", "КӨМЕК", "что ты умеешь?", "LANG DE", "?"])
async def test_help_and_all_that_is_not_known(town: Town, language: str, word: str) -> None:
    phone = await town.somebody("kcell", language)
    assert await answer(phone, word) == HELP[language]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *(("LANG KZ", "kk"), ("LANG RU", "ru"), ("LANG EN", "en"), ("ЯЗЫК РУС", "ru"), ("язык англ", "en")),
        *(("ТІЛ ҚАЗ", "kk"), ("тіл орыс", "ru"), ("ТІЛ АҒЫЛ", "en"), (" lang   en ", "en")),
    ],
)
async def test_the_language_is_changed_and_the_answer_is_in_it(town: Town, text: str, language: str) -> None:
    phone = await town.somebody("kcell", "ru" if language != "ru" else "en")
    await phone.write("111", text)
    await phone.sms()
    assert re.fullmatch(BALANCE[language], await answer(phone, "BAL"))
    menu = {"kk": "Мәзір", "ru": "Меню", "en": "Menu"}[language]
    assert (await phone.dial("*111#")).startswith(menu)


@pytest.mark.parametrize(
    "text",
    [
        *("bal", "Bal", "  BAL  ", "\tbal\n", "ＢＡＬ", "ｂａｌ"),
        *("баланс", "Баланс", " баланс ", "БAЛAНC", "бaлaнc"),  # the last two with Latin letters among the Cyrillic
        *("теңгерім", "TEҢГЕPIM", "ВАL"),  # look-alikes of the other script, both ways
    ],
)
async def test_spaces_case_width_and_look_alikes_do_not_matter(town: Town, text: str) -> None:
    phone = await town.somebody("kcell", "ru")
    assert re.fullmatch(BALANCE["ru"], await answer(phone, text))


async def test_the_same_sms_delivered_twice_is_answered_once(town: Town) -> None:
    phone = await town.somebody("kcell", "ru")
    for _ in range(2):
        await phone.write("111", "ТАРИФ")
    assert re.fullmatch(TARIFF["ru"], await phone.sms())
    assert re.fullmatch(BALANCE["ru"], await answer(phone, "БАЛАНС"))


async def test_after_twenty_answers_an_hour_nothing_is_answered(town: Town) -> None:
    phone = await town.somebody("kcell", "ru")
    for n in range(20):
        assert await answer(phone, f"вопрос {n}") == HELP["ru"]
    await phone.write("111", "БАЛАНС")
    assert await phone.silence()


@pytest.mark.parametrize(
    ("status", "word", "said"),
    [
        ("barred", "BAL", "Баланс: "),
        ("barred", "TARIFF", "Номер ограничен из-за долга. Пополните баланс."),
        ("barred", "PASS", "Номер ограничен из-за долга. Пополните баланс."),
        ("closed", "BAL", "Номер закрыт."),
        ("closed", "HELP", "Отправьте на 111"),
    ],
)
async def test_a_number_that_may_not_is_told_why(town: Town, status: str, word: str, said: str) -> None:
    phone = await town.somebody("kcell", "ru")
    await town.operators.do("subscribers.set_status", phone.number, status=status)
    assert (await answer(phone, word)).startswith(said)


async def test_the_answer_comes_from_the_number_that_was_written_to(town: Town) -> None:
    phone = await town.somebody("kcell", "ru")
    await phone.write("111", "HELP")
    assert (await phone.sms_from())[0] == "111"
    await phone.write("4259", "привет")
    sender, text = await phone.sms_from()
    assert sender == "4259"
    assert text == "Отправьте на 4259 код из 8 цифр или СТОП и номер. Меню: *4259#"
