"""*111#: the root of self-service and what stands under it, from the first screen to the SMS."""

from __future__ import annotations

import re

import pytest

from .telephone import Town, seeded

ROOT = {
    "kk": "Мәзір\n1 Тариф/қызмет\n2 Толтыру\n3 Баланс\n4 Тарих\n5 Өтініш/SMS\n6 Нөмірім\n9 Рус/Eng",
    "ru": "Меню\n1 Тарифы/услуги\n2 Пополнить\n3 Баланс\n4 История\n5 Просьбы\n6 Номер\n9 Қаз/Eng",
    "en": "Menu\n1 Tariff and services\n2 Top up\n3 Balance\n4 History\n5 Call me, pay for me, SMS\n6 My number\n"
    "9 Qazaqsha/Russkiy",
}
LANGUAGES = pytest.mark.parametrize("language", ["kk", "ru", "en"])
NETWORKS = pytest.mark.parametrize("network", ["kcell", "beeline-kz"])


# --- the root, and the balance ---


@NETWORKS
@LANGUAGES
async def test_the_root_is_one_page_in_every_language(town: Town, network: str, language: str) -> None:
    phone = await town.somebody(network, language)
    assert await phone.dial("*111#") == ROOT[language]


@LANGUAGES
async def test_the_language_option_changes_the_screens_and_is_remembered(town: Town, language: str) -> None:
    phone = await town.somebody("kcell", "en")
    key = {"kk": "1", "ru": "2", "en": "3"}[language]
    assert await phone.dial("*111#", "9") == "Language\n1 Қазақша\n2 Русский\n3 English\n0 Back"
    assert await phone.send(key) == ROOT[language]
    assert await phone.dial("*111#") == ROOT[language]


@NETWORKS
@LANGUAGES
async def test_the_balance_is_one_closing_screen_dialled_through_the_root(
    town: Town, network: str, language: str
) -> None:
    phone = await town.with_balance(await town.somebody(network, language), 1788)
    shown = await phone.dial("*111*3#")
    assert phone.ended
    said = {
        "kk": "Баланс: 1 788 тг\nБонус: ",
        "ru": "Баланс: 1 788 тг\nБонусы: ",
        "en": "Balance: 1,788 KZT\nBonuses: ",
    }
    assert shown.startswith(said[language])
    assert await phone.dial("*111#", "3") == shown


async def test_the_number_of_the_readme_has_the_same_balance_on_every_new_database(town: Town) -> None:
    phone = town.of("kcell", "77010000007")
    assert re.fullmatch(r"Баланс: 1 788,83 тг\nБонус: 258,39 тг", await phone.dial("*111*3#"))


# --- services ---


@LANGUAGES
async def test_a_service_is_connected_and_disconnected_and_sms_tell_of_both(town: Town, language: str) -> None:
    phone = await town.with_balance(await town.somebody("kcell", language), 2000)
    await phone.dial("*111#", "1", "4", "1", "1")
    assert "149" in phone.shown
    shown = await phone.confirm()
    assert (
        shown
        == {
            "kk": "Қосылды: Антиспам. Баланс: 1 851 тг",
            "ru": "Подключено: Антиспам. Баланс: 1 851 тг",
            "en": "Connected: Antispam. Balance: 1,851 KZT",
        }[language]
    )
    assert (await phone.sms()).startswith(shown.split(".")[0] + ", ")
    await phone.dial("*111#", "1", "3", "1", "1")
    shown = await phone.confirm()
    assert shown == {"kk": "Өшірілді: Антиспам", "ru": "Отключено: Антиспам", "en": "Disconnected: Antispam"}[language]
    assert (await phone.sms()).startswith(shown)


async def test_a_service_that_the_account_does_not_cover_is_not_connected(town: Town) -> None:
    phone = await town.with_balance(await town.somebody("kcell", "ru"), 100)
    assert await phone.dial("*111#", "1", "4", "1", "1") == "На счёте не хватает 49 тг. Пополнить: *111*2#"
    assert await phone.dial("*111*1#", "3") == "У вас нет подключённых услуг."


async def test_a_printed_number_of_a_list_works_from_any_page(town: Town) -> None:
    phone = await town.somebody("kcell", "ru")
    first = await phone.dial("*111#", "1", "4")
    assert "\n98 Ещё " in first
    assert "7 " not in first
    night = await phone.send("8")
    assert night.startswith("790 тг/мес. Безлимитный интернет")
    last = await phone.send("0", "98", "98", "98", "98")
    assert "1 Антиспам" not in last
    assert (await phone.send("1")).startswith("149 тг/мес. Предупреждает")


# --- topping up ---


@LANGUAGES
async def test_a_voucher_is_taken_once_and_an_sms_tells_of_it(town: Town, language: str) -> None:
    phone = await town.with_balance(await town.somebody("kcell", language), 500)
    digits = f"1000000000000{['kk', 'ru', 'en'].index(language)}"
    shown = await phone.dial("*111#", "2", "1", digits)
    assert (
        shown
        == {
            "kk": "Шотыңызға 1 000 тг түсті. Баланс: 1 500 тг",
            "ru": "Счёт пополнен на 1 000 тг. Баланс: 1 500 тг",
            "en": "1,000 KZT has come to your account. Balance: 1,500 KZT",
        }[language]
    )
    assert phone.ended
    assert {"kk": "1 500 тг", "ru": "1 500 тг", "en": "1,500 KZT"}[language] in await phone.sms()
    used = await phone.dial("*111#", "2", "1", digits)
    said = {"kk": "Бұл карта қолданылған", "ru": "Карта уже использована", "en": "This card has been used"}
    assert used.split("\n")[0] == said[language]


@LANGUAGES
async def test_five_wrong_vouchers_close_them_till_tomorrow(town: Town, language: str) -> None:
    phone = await town.somebody("kcell", language)
    shown = await phone.dial("*111#", "2", "1", "20000000000001")
    said = {"kk": "Мұндай карта жоқ", "ru": "Такой карты нет", "en": "There is no such card"}
    assert shown.split("\n")[0] == said[language]
    for n in range(2, 6):
        if phone.ended:
            await phone.dial("*111#", "2", "1")
        await phone.send(f"2000000000000{n}")
    if not phone.ended:
        await phone.send("10000000000003")
    closed = {"kk": "ертеңге дейін", "ru": "закрыт до завтра", "en": "until tomorrow"}
    assert closed[language] in phone.shown
    assert closed[language] in await phone.dial("*111#", "2", "1", "10000000000003")  # a right one as well


@pytest.mark.parametrize(("key", "whole", "fee"), [("1", 250, 25), ("2", 500, 50), ("3", 750, 75), ("4", 1000, 100)])
async def test_an_extra_balance_is_lent_and_repaid_from_the_next_top_up(
    town: Town, key: str, whole: int, fee: int
) -> None:
    phone = await town.with_balance(await town.somebody("kcell", "en"), 100)
    shown = await phone.dial("*111#", "2", "2", "1", key, "1")
    assert shown.startswith(f"{whole:,} KZT, fee {fee} KZT")
    assert await phone.confirm() == f"{whole:,} KZT was lent to you. Balance: {whole + 100:,} KZT"
    assert f"Extra balance: {whole:,} KZT, fee {fee} KZT" in await phone.sms()
    assert f"Extra balance to pay back: {whole + fee:,} KZT" in await phone.dial("*111*3#")
    assert f"{whole + fee:,} KZT" in await phone.dial("*111#", "2", "2")  # one at a time
    await town.operators.do("balances.top_up", phone.number, sum={"minor": 200_000, "currency": "KZT"}, place="x")
    assert await phone.sms("was taken for your extra balance")
    assert f"Balance: {2100 - fee:,} KZT\nBonuses" in await phone.dial("*111*3#")


@LANGUAGES
async def test_the_automatic_extra_balance_is_turned_on_and_off(town: Town, language: str) -> None:
    phone = await town.somebody("kcell", language)
    on = {"kk": "қосылды", "ru": "включён", "en": "From now on the extra balance is lent by itself."}[language]
    off = {"kk": "өшірілді", "ru": "выключен", "en": "From now on no extra balance is lent by itself."}[language]
    assert on in await phone.dial("*111#", "2", "2", "2", "1")
    assert off in await phone.dial("*111#", "2", "2", "2", "1")


async def test_the_automatic_extra_balance_comes_by_itself_when_money_runs_low(town: Town) -> None:
    phone = await town.with_balance(await town.somebody("kcell", "ru"), 500)
    await phone.dial("*111#", "2", "2", "2", "1")
    await town.operators.do("balances.charge", phone.number, sum={"minor": 48_000, "currency": "KZT"}, kind="call")
    assert (await phone.sms("Экстра баланс")).startswith("Экстра баланс: 250 тг, плата 25 тг")


# --- history ---


async def test_a_history_is_paged_and_a_printed_number_works_from_any_page(town: Town) -> None:
    phone = town.of("kcell", seeded("kcell", 1))
    await town.speaks(phone, "ru")
    first = await phone.dial("*111*4#", "2")
    entry = re.compile(r"^([0-9]+) ([0-9.]{10}) ", re.MULTILINE)
    assert first.startswith("Дата\n1 ")
    assert [number for number, _ in entry.findall(first)] == ["1", "2"]
    newest = entry.findall(first)[0][1]
    later = await phone.send("98")
    assert entry.findall(later)[0][0] == "3"
    shown = await phone.send("1")  # it stands on the page before
    assert shown.split("\n")[1].startswith(newest)
    back = await phone.send("0")
    assert entry.search(back)


@LANGUAGES
async def test_what_was_paid_and_taken_stands_in_the_history_and_no_number_of_others(town: Town, language: str) -> None:
    phone = await town.with_balance(await town.somebody("kcell", language), 9999)
    other = seeded("kcell", 4)
    await town.operators.do(
        "balances.charge", phone.number, sum={"minor": 1234, "currency": "KZT"}, kind="call", other=other
    )
    shown = await phone.dial("*111*4#", "2", "1")
    said = {"kk": "Қоңырау\n", "ru": "Звонок\n", "en": "Call\n"}
    assert shown.startswith(said[language])
    assert "12,34" in shown or "12.34" in shown
    assert other[1:] not in re.sub(r"\D", "", shown)


# --- requests ---


@LANGUAGES
@pytest.mark.parametrize("key", ["1", "2"])
async def test_call_me_and_pay_for_me_reach_the_other_in_the_others_language(
    town: Town, language: str, key: str
) -> None:
    phone, friend = await town.somebody("kcell", "ru"), await town.somebody("kcell", language)
    shown = await phone.dial("*111*5#", key, friend.local)
    assert shown == f"Просьба отправлена на {friend.printed}. Сегодня осталось: 9"
    said = {
        ("kk", "1"): "{} нөмірінің иесі қоңырау шалуыңызды сұрайды.",
        ("ru", "1"): "Абонент {} просит вас перезвонить.",
        ("en", "1"): "{} asks you to call back.",
        ("kk", "2"): "{} нөмірінің иесі балансын толтыруыңызды сұрайды.",
        ("ru", "2"): "Абонент {} просит вас пополнить его счёт.",
        ("en", "2"): "{} asks you to top up their account.",
    }[language, key]
    assert await friend.sms() == said.format(phone.printed)


@LANGUAGES
async def test_a_free_sms_carries_its_text_and_the_screen_counts(town: Town, language: str) -> None:
    phone, friend = await town.somebody("kcell", language), await town.somebody("kcell", language)
    await phone.dial("*111*5#", "3", friend.local)
    shown = await phone.send("Сәлем! Встречаемся в 7, at the gate")
    assert shown.endswith({"kk": "14 қалды.", "ru": "осталось: 14", "en": ": 14"}[language])
    told = await friend.sms()
    assert told.endswith(": Сәлем! Встречаемся в 7, at the gate")
    assert phone.printed in told
    left = await phone.dial("*111*5#")
    assert left.split("\n")[0].endswith("14")


async def test_after_fifteen_free_sms_a_day_there_is_none_left(town: Town) -> None:
    phone, friend = await town.somebody("kcell", "ru"), await town.somebody("kcell", "ru")
    for left in range(14, -1, -1):
        shown = await phone.dial("*111*5#", "3", friend.local, f"Письмо {left}")
        assert shown.endswith(f"Сегодня осталось: {left}")
    await phone.dial("*111*5#")
    assert phone.shown.split("\n")[0] == "Осталось: 10, SMS: 0"
    await phone.send("3", friend.local)
    if not phone.ended:
        await phone.send("Письмо")
    assert phone.ended
    assert "отправлено" not in phone.shown


async def test_no_more_than_three_requests_a_day_to_one_number(town: Town) -> None:
    phone, friend = await town.somebody("kcell", "ru"), await town.somebody("kcell", "ru")
    for _ in range(3):
        await phone.dial("*111*5#", "1", friend.local)
    assert "больше нельзя. Другим осталось: 7" in await phone.dial("*111*5#", "1", friend.local)


async def test_who_has_switched_requests_off_is_not_reached(town: Town) -> None:
    phone, friend = await town.somebody("kcell", "ru"), await town.somebody("kcell", "ru")
    assert await friend.dial("*111*6#", "1", "4", "1") == "Просьбы: SMS больше не придут."
    assert (await phone.dial("*111*5#", "1", friend.local)).startswith("Этому номеру нельзя")


# --- my number, and help ---


@LANGUAGES
async def test_a_number_is_blocked_by_its_last_four_digits_and_only_an_office_undoes_it(
    town: Town, language: str
) -> None:
    phone = await town.somebody("kcell", language)
    await phone.dial("*111*6#", "5", "1")
    assert not phone.ended
    wrong = await phone.send("0000" if phone.number[-4:] != "0000" else "1111")
    assert not phone.ended
    assert wrong.split("\n")[0] == {"kk": "Цифрлар қате", "ru": "Не те цифры", "en": "Wrong digits"}[language]
    shown = await phone.send(phone.number[-4:])
    assert {"kk": "кеңседе", "ru": "только в офисе", "en": "Only an office"}[language] in shown
    assert phone.ended
    assert {"kk": "бұғатталды", "ru": "Номер заблокирован", "en": "was blocked"}[language] in await phone.sms()
    said = {"kk": "бұғатталған", "ru": "заблокирован", "en": "blocked"}[language]
    assert said in await phone.dial("*111*3#")
    await town.operators.do("blocking.unblock", phone.number, document="ID 123456789")
    assert await town.operators.do("balances.get", phone.number)


@LANGUAGES
async def test_a_fault_report_gets_a_ticket_on_the_screen_and_by_sms(town: Town, language: str) -> None:
    phone = await town.somebody("kcell", language)
    shown = await phone.dial("*111*6#", "6", "1", "1")
    ticket = re.search(r"[0-9]{4,8}", shown)
    assert ticket, shown
    assert phone.ended
    assert ticket[0] in await phone.sms()


@LANGUAGES
async def test_the_address_of_a_service_point_is_sent_by_sms(town: Town, language: str) -> None:
    phone = await town.somebody("kcell", language)
    cities = await phone.dial("*111*6#", "6", "2")
    city = {"kk": "Алматы", "ru": "Алматы", "en": "Almaty"}[language]
    assert f"\n1 {city}" in cities
    point = await phone.send("1", "1")
    sends = next(line for line in point.split("\n") if "SMS" in line and line[0].isdigit())
    shown = await phone.send(sends[0])
    assert (
        shown
        == {
            "kk": "Мекенжай SMS-пен жіберілді.",
            "ru": "Адрес отправлен по SMS.",
            "en": "The address was sent by SMS.",
        }[language]
    )
    assert (await phone.sms()).startswith(f"{city}, ")


# --- numbers that may not ---


@LANGUAGES
async def test_a_number_barred_for_debt_has_balance_voucher_extra_balance_language_and_help(
    town: Town, language: str
) -> None:
    phone = await town.somebody("kcell", language)
    await town.operators.do("subscribers.set_status", phone.number, status="barred")
    assert await phone.dial("*111#") == ROOT[language]
    assert (await phone.send("3")).startswith(("Баланс", "Balance"))
    assert not (await phone.dial("*111#", "2", "1") and phone.ended)
    assert not (await phone.dial("*111#", "2", "2") and phone.ended)
    assert not (await phone.dial("*111*6#", "6") and phone.ended)
    for keys in (("1", "1"), ("4", "1"), ("5",)):
        shown = await phone.dial("*111#", *keys)
        assert phone.ended
        assert {"kk": "шектелген", "ru": "ограничен", "en": "restricted"}[language] in shown


@pytest.mark.parametrize(
    ("n", "shown"),
    [
        (95, "Номер заблокирован. Разблокируют только в офисе по удостоверению.\n1 Помощь"),
        (195, "Нөмір бұғатталған. Бұғат тек кеңседе, жеке куәлікпен ашылады.\n1 Көмек"),
        (395, "The number is blocked. Only an office can undo it, with an identity document.\n1 Help"),
        (97, "Нөмір жабылған.\n1 Көмек"),
        (697, "Номер закрыт.\n1 Помощь"),
        (297, "The number is closed.\n1 Help"),
    ],
)
async def test_a_blocked_or_closed_number_has_help_and_nothing_else(town: Town, n: int, shown: str) -> None:
    phone = town.of("kcell", seeded("kcell", n))
    assert await phone.dial("*111#") == shown
    assert "\n9 " in await phone.send("1")
    assert await phone.dial("*111*3#") == shown


async def test_a_number_that_is_nobodys_is_told_so(town: Town) -> None:
    phone = town.of("kcell", "77019999999")
    assert (await phone.dial("*111#")).startswith("Бұл нөмірге қызмет көрсетілмейді")
    assert phone.ended


@pytest.mark.parametrize("n", [195, 297])
@pytest.mark.parametrize("keys", [("*166#", "1"), ("*166#", "2"), ("*222#", "1"), ("*245#",), ("*4259#", "1", "2")])
async def test_a_blocked_or_closed_number_gets_nothing_by_other_codes_either(
    town: Town, n: int, keys: tuple[str, ...]
) -> None:
    phone = town.of("kcell", seeded("kcell", n))
    await phone.dial(*keys)
    assert phone.ended
    assert phone.shown in ("Нөмір иесінің өтінішімен бұғатталған.", "The number is closed.")


@pytest.mark.parametrize(("network", "language"), [("kcell", "Мұндай код жоқ"), ("megacom", "Мындай код жок")])
async def test_a_code_that_the_network_does_not_have_is_said_so(town: Town, network: str, language: str) -> None:
    phone = town.of(network, seeded(network, 203))
    assert (await phone.dial("*777#")).startswith((language, "Такого кода нет", "There is no such code"))
    assert phone.ended


# --- notices that nobody dialled for ---


@LANGUAGES
async def test_a_top_up_missed_calls_and_a_low_balance_are_told_by_sms(town: Town, language: str) -> None:
    phone = await town.with_balance(await town.somebody("kcell", language), 600)
    await town.operators.do("balances.top_up", phone.number, sum={"minor": 50_000, "currency": "KZT"}, place="kiosk")
    money = {"kk": ("500 тг", "1 100 тг"), "ru": ("500 тг", "1 100 тг"), "en": ("500 KZT", "1,100 KZT")}[language]
    told = await phone.sms()
    assert all(each in told for each in money)
    await town.operators.do("missed_calls.report", phone.number, caller=seeded("kcell", 8), times=3)
    told = await phone.sms()
    assert "8 701 000 0008" in told
    assert "3" in told
