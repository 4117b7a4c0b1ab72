"""*222#: a new number from the brand to the code, on the screen and by SMS, and what an office does with it."""

from __future__ import annotations

import re

import pytest

from .telephone import Telephone, Town

LANGUAGES = pytest.mark.parametrize("language", ["kk", "ru", "en"])
ROOT = {
    "kk": "Жаңа нөмір\n1 Kcell\n2 activ\n3 Брондарым\n9 Русский/English",
    "ru": "Новый номер\n1 Kcell\n2 activ\n3 Мои брони\n9 Қазақша/English",
    "en": "New number\n1 Kcell\n2 activ\n3 My reservations\n9 Қазақша/Русский",
}
PLAIN = ("1", "1", "2", "1")  # Kcell, 701, by category, plain
NUMBER = re.compile(r"8 7[0-9]{2} [0-9]{3} [0-9]{4}")
CODE = re.compile(r"(?:Код|Code) ([0-9]{8})\n(8 7[0-9]{2} [0-9]{3} [0-9]{4})")


async def buyer(town: Town, language: str = "ru", whole: int = 1000) -> Telephone:
    return await town.with_balance(await town.somebody("kcell", language), whole)


async def chosen(phone: Telephone, *keys: str) -> str:
    """Dials, searches with these keys, and takes the first number that is shown; returns it."""
    found = NUMBER.search(await phone.dial("*222#", *keys))
    assert found, phone.shown
    await phone.send("1", "1")
    return found[0]


async def conditions(phone: Telephone) -> str:
    """Takes the first city, and reads all that is said before the confirmation."""
    shown = await phone.send("1")
    if "!" in shown:  # no office of the city opens in time
        shown = await phone.send("1")
    said = [shown]
    while "98 " in phone.shown:
        said.append(await phone.send("98"))
    return "\n".join(said)


async def reserved(phone: Telephone) -> tuple[str, str]:
    """Reserves a plain number; returns the code and the number as it is printed."""
    await chosen(phone, *PLAIN)
    await conditions(phone)
    await phone.send("1")
    found = CODE.search(await phone.confirm())
    assert found, phone.shown
    return found[1], found[2]


def digits(printed: str) -> str:
    return "7" + re.sub(r"\D", "", printed)[1:]


@LANGUAGES
@pytest.mark.parametrize(("brand", "tariff"), [("Kcell", "11"), ("activ", "Daytime unlimited")])
async def test_from_the_brand_to_the_code_on_the_screen_and_by_sms(
    town: Town, language: str, brand: str, tariff: str
) -> None:
    phone = await buyer(town, language)
    assert await phone.dial("*222#") == ROOT[language]
    number = await chosen(phone, "1" if brand == "Kcell" else "2", "1", "2", "1")
    said = await conditions(phone)
    fee = {"kk": "500 тг қазір ұсталады", "ru": "Сейчас 500 тг", "en": "Now: 500 KZT"}[language]
    assert fee in said
    advance = {"Kcell": "2,000" if language == "en" else "2 000", "activ": "0"}[brand]
    assert re.search(rf"(?:аванс|and) {advance} (?:тг|KZT)", said.replace("\xa0", " "))
    if language == "en":
        assert f"Tariff: {tariff}." in said
    confirmation = await phone.send("1")
    assert number in confirmation
    code = CODE.match(await phone.confirm())
    assert code, phone.shown
    assert phone.ended
    assert code[2] == number
    sms = await phone.sms()
    assert code[1] in sms
    assert number in sms
    assert re.match(r"(Баланс|Balance): 500 ", (await phone.dial("*111*3#")).replace("\xa0", " "))


@LANGUAGES
async def test_without_the_fee_nothing_is_held(town: Town, language: str) -> None:
    phone = await buyer(town, language, 100)
    await chosen(phone, *PLAIN)
    shown = await phone.send("1")
    said = {
        "kk": "Балансыңызда ақша жетпейді: 400 тг. Нөмір брондалмады.",
        "ru": "На балансе не хватает денег: 400 тг. Номер не забронирован.",
        "en": "Your balance is short by 400 KZT. Nothing is reserved. Please top up and try again.",
    }
    assert shown == said[language]
    none = {"kk": "брондалған нөмір жоқ", "ru": "Забронированных номеров нет", "en": "You have reserved no number"}
    assert none[language] in await phone.dial("*222*3#")


@pytest.mark.parametrize("wanted", ["777", "123", "90"])
async def test_a_number_is_found_by_the_digits_that_it_must_contain(town: Town, wanted: str) -> None:
    phone = await buyer(town)
    shown = await phone.dial("*222#", "1", "1", "3", wanted)
    found = NUMBER.findall(shown + await phone.send("98"))
    assert len(found) >= 3
    assert all(wanted in digits(number)[1:] for number in found)


async def test_digits_that_no_free_number_has_are_said_to_be_none(town: Town) -> None:
    phone = await buyer(town)
    assert (await phone.dial("*222#", "1", "1", "3", "0000000")).startswith("Таких свободных номеров нет.")


@pytest.mark.parametrize(("key", "price"), [("1", "0 тг"), ("2", "5 000 тг"), ("3", "15 000 тг"), ("4", "50 000 тг")])
async def test_each_category_has_its_price_at_the_office(town: Town, key: str, price: str) -> None:
    phone = await buyer(town)
    shown = await phone.dial("*222#", "1", "2", "2", key, "1")
    assert f": {price} в офисе" in shown.replace("\xa0", " ")


async def test_other_digits_than_those_shown_reserve_nothing(town: Town) -> None:
    phone = await buyer(town)
    await chosen(phone, *PLAIN)
    await conditions(phone)
    await phone.send("1")
    wrong = str(10 + (int(phone.confirmation) - 9) % 90)
    await phone.send(wrong, wrong, wrong)
    assert phone.shown == "Бронь не завершена, деньги не списаны. Наберите *222# снова."
    assert (await phone.dial("*111*3#")).startswith("Баланс: 1 000 тг")


async def test_two_takers_at_once_one_gets_it_and_the_other_pays_nothing(town: Town) -> None:
    one, other = await buyer(town), await buyer(town)
    assert await chosen(one, *PLAIN) == await chosen(other, *PLAIN)
    for phone in (one, other):
        await conditions(phone)
        await phone.send("1")
    assert CODE.match(await one.confirm())
    assert (await other.confirm()).startswith("Номер уже заняли. Деньги не списаны.")
    assert (await other.dial("*111*3#")).startswith("Баланс: 1 000 тг")


@LANGUAGES
async def test_what_is_reserved_is_shown_and_cancelled_by_its_last_four_digits_without_refund(
    town: Town, language: str
) -> None:
    phone = await buyer(town, language)
    _, number = await reserved(phone)
    assert number in await phone.dial("*222*3#")
    shown = await phone.send("1")
    assert shown.startswith(number)
    await phone.send("1", digits(number)[-4:])
    said = {
        "kk": f"{number} нөмірінің броны жойылды. Ақысы қайтарылмайды.",
        "ru": f"Бронь номера {number} отменена. Плата не возвращается.",
        "en": f"The reservation of {number} is cancelled. The fee is not refunded.",
    }
    assert phone.shown == said[language]
    assert number not in await phone.dial("*222*3#")
    assert re.match(r"(Баланс|Balance): 500 ", (await phone.dial("*111*3#")).replace("\xa0", " "))


async def test_at_the_office_a_wrong_code_and_a_wrong_city_are_refused_and_the_right_ones_register(town: Town) -> None:
    phone = await buyer(town)
    code, number = await reserved(phone)
    cities = (await town.operators.do("service_points.cities", phone.number))["cities"]
    wrong = str((int(code) + 1) % 10**8).zfill(8)
    said = {"number": digits(number), "document": "ID 012345678"}
    refused = town.operators.refused
    assert await refused("numbers.register", phone.number, code=wrong, city=cities[0]["id"], **said) == "WRONG_CODE"
    assert await refused("numbers.register", phone.number, code=code, city=cities[1]["id"], **said) == "WRONG_CODE"
    done = await town.operators.do("numbers.register", phone.number, code=code, city=cities[0]["id"], **said)
    assert done["number"] == digits(number)
    assert await phone.sms("оформлен") == f"Номер {number} из вашей брони оформлен в офисе. Спасибо!"
    assert "Забронированных номеров нет" in await phone.dial("*222*3#")


async def test_a_misusers_reservation_is_annulled_and_an_sms_tells_of_it(town: Town) -> None:
    phone = await buyer(town)
    _, number = await reserved(phone)
    await town.operators.do("numbers.annul", phone.number, number=digits(number), why="resold")
    assert await phone.sms("аннулирована") == f"Бронь номера {number} аннулирована. Плата не возвращается."


async def test_beeline_sells_no_numbers_here(town: Town) -> None:
    phone = await town.somebody("beeline-kz", "ru")
    assert await phone.dial("*222#") == "Такого кода нет. Проверьте и наберите снова."
