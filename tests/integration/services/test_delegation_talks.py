"""4259: A asks to manage B's number, B agrees by SMS or by USSD, A enters the code, and either ends it."""

from __future__ import annotations

import re

import pytest

from .telephone import Telephone, Town

LANGUAGES = pytest.mark.parametrize("language", ["kk", "ru", "en"])
ASKED = {
    "kk": r"{} нөміріңізді толық басқармақ: тариф, қызметтер, бұғаттау\. Иә: 4259-ға ([0-9]{{8}}), ",
    "ru": r"{} хочет полный доступ к вашему номеру: тариф, услуги, блокировка\. Да: ([0-9]{{8}}) на 4259 до ",
    "en": r"{} asks to manage your number in full: tariff, services, blocking\. To agree, send ([0-9]{{8}}) to 4259",
}
ACTIVATION = {
    "kk": r"Басқаруды бастау коды: ([0-9]{8}), ",
    "ru": r"Код для начала управления: ([0-9]{8}), до ",
    "en": r"Code to begin managing your number: ([0-9]{8}), valid until ",
}
BEGUN = {
    "kk": "Нөміріңізді енді {} басқарады",
    "ru": "Вашим номером теперь управляет {}",
    "en": "Your number is now managed by {}",
}


async def asked(a: Telephone, b: Telephone, language: str = "ru") -> str:
    """A asks for B's number; the confirmation code that comes to B."""
    await a.dial("*4259#", "1", "1", b.local)
    assert a.ended, a.shown
    return found(ASKED[language].format(re.escape(a.printed)), await b.sms())


async def agreed(a: Telephone, b: Telephone, language: str = "ru") -> str:
    """B agrees by SMS; the activation code that comes to B."""
    await b.write("4259", await asked(a, b, language))
    return found(ACTIVATION[language], await b.sms())


async def managed(town: Town, language: str = "ru") -> tuple[Telephone, Telephone]:
    """A manages B's number."""
    a, b = await pair(town, language)
    await a.dial("*4259*1*2#", "1", await agreed(a, b, language))
    assert BEGUN[language].format(a.printed) in await b.sms()
    return a, b


async def pair(town: Town, language: str = "ru", network: str = "kcell") -> tuple[Telephone, Telephone]:
    return await town.somebody(network, language), await town.somebody(network, language)


def found(pattern: str, text: str) -> str:
    match = re.match(pattern, text)
    assert match, text
    return match[1]


def wrong(code: str, nth: int = 1) -> str:
    return str((int(code) + nth) % 10**8).zfill(8)


@LANGUAGES
@pytest.mark.parametrize("network", ["kcell", "beeline-kz"])
async def test_from_the_request_to_the_number_that_is_handed_over(town: Town, language: str, network: str) -> None:
    a, b = await pair(town, language, network)
    shown = await a.dial("*4259#", "1", "1", b.local)
    said = {
        "kk": f"{b.printed} иесінен келісім сұралды. Код берсе: *4259*1*2#",
        "ru": f"Запрос отправлен: {b.printed}. Получив код от владельца: *4259*1*2#",
        "en": f"We have asked the holder of {b.printed}. When they give you a code, dial *4259*1*2#",
    }
    assert shown == said[language]
    code = found(ASKED[language].format(re.escape(a.printed)), await b.sms())
    await b.write("4259", code)
    activation = found(ACTIVATION[language], await b.sms())
    assert activation != code
    assert b.printed in await a.dial("*4259*1*2#")
    assert (
        await a.send("1", activation)
        == {
            "kk": f"Енді {b.printed} нөмірін сіз басқарасыз. Мәзір: *111#",
            "ru": f"Теперь вы управляете номером {b.printed}. Меню: *111#",
            "en": f"You manage {b.printed} from now on. Menu: *111#",
        }[language]
    )
    assert BEGUN[language].format(a.printed) in await b.sms()
    assert b.printed in await a.dial("*4259*1*3#")
    assert a.printed in await b.dial("*4259*2*2#")


@LANGUAGES
async def test_b_finds_the_request_by_ussd_and_agrees_there(town: Town, language: str) -> None:
    a, b = await pair(town, language)
    await asked(a, b, language)
    assert a.printed in await b.dial("*4259*2*1#")
    assert (
        await b.send("1", "11")
        == {
            "kk": f"Сізге SMS-пен код келеді. Оны тек {a.printed} иесіне беріңіз.",
            "ru": f"Вам придёт код по SMS. Передайте его только владельцу {a.printed}.",
            "en": f"A code will come to you by SMS. Give it only to the holder of {a.printed}.",
        }[language]
    )
    activation = found(ACTIVATION[language], await b.sms())
    await a.dial("*4259*1*2#", "1", activation)
    assert BEGUN[language].format(a.printed) in await b.sms()


async def test_b_refuses_by_ussd_and_the_code_does_nothing_any_more(town: Town) -> None:
    a, b = await pair(town)
    code = await asked(a, b)
    await b.dial("*4259*2*1#", "1", "12")
    assert b.shown == f"Вы отказали {a.printed}. Доступа к вашему номеру он не получит."
    await b.write("4259", code)
    assert (await b.sms()).startswith("Код неверен.")
    assert (await a.dial("*4259*1*2#")).startswith("На ваши запросы пока никто не согласился.")


@pytest.mark.parametrize("spelt", ["{} ", " {}\n", "{:.4} {:.4}", "{:.4}-{:.4}", "full width"])
async def test_the_code_is_read_with_spaces_dashes_and_full_width_digits(town: Town, spelt: str) -> None:
    a, b = await pair(town)
    code = await asked(a, b)
    if spelt == "full width":
        text = code.translate({ord("0") + n: chr(0xFF10 + n) for n in range(10)})
    else:
        text = spelt.format(code) if spelt.count("{") == 1 else spelt.format(code[:4], code[4:])
    await b.write("4259", text)
    assert found(ACTIVATION["ru"], await b.sms())


@LANGUAGES
async def test_three_wrong_codes_in_a_row_and_the_sender_is_not_heard_for_an_hour(town: Town, language: str) -> None:
    a, b = await pair(town, language)
    code = await asked(a, b, language)
    left = {"kk": "Код қате. Қалған әрекет: {}.", "ru": "Код неверен. Осталось попыток: {}.", "en": "left: {}."}
    for nth, tries in ((1, 2), (2, 1)):
        await b.write("4259", wrong(code, nth))
        assert left[language].format(tries) in await b.sms()
    await b.write("4259", wrong(code, 3))
    paused = {"kk": "Қате код көп болды.", "ru": "Слишком много неверных кодов.", "en": "too many wrong codes"}[
        language
    ]
    assert paused in await b.sms()
    await b.write("4259", code)
    assert paused in await b.sms()  # the right one as well


async def test_the_same_wrong_code_delivered_twice_costs_one_try(town: Town) -> None:
    a, b = await pair(town)
    code = await asked(a, b)
    for _ in range(2):
        await b.write("4259", wrong(code))
    assert "Осталось попыток: 2." in await b.sms()
    await b.write("4259", wrong(code, 2))
    assert "Осталось попыток: 1." in await b.sms()


async def test_the_code_from_anybody_but_b_does_nothing_and_tells_nothing(town: Town) -> None:
    a, b = await pair(town)
    code = await asked(a, b)
    stranger = await town.somebody("kcell", "ru")
    await stranger.write("4259", code)
    of_right = await stranger.sms()
    other = await town.somebody("kcell", "ru")
    await other.write("4259", wrong(code))
    assert await other.sms() == of_right
    assert (await a.dial("*4259*1*2#")).startswith("На ваши запросы пока никто не согласился.")
    await b.write("4259", code)
    assert found(ACTIVATION["ru"], await b.sms())


@LANGUAGES
async def test_three_wrong_activation_codes_void_that_request(town: Town, language: str) -> None:
    a, b = await pair(town, language)
    activation = await agreed(a, b, language)
    await a.dial("*4259*1*2#", "1", wrong(activation))
    assert {"kk": "Қалған әрекет: 2.", "ru": "Ещё попыток: 2.", "en": "tries left: 2."}[language] in a.shown
    await a.send(wrong(activation, 2))
    assert not a.ended
    await a.send(wrong(activation, 3))
    assert (
        a.shown
        == {
            "kk": "Код күшін жойды, 3 рет қате енгізілді. Қайта сұраңыз.",
            "ru": "Код больше не действует: 3 неверных ввода. Запросите заново.",
            "en": "The code is void: 3 wrong ones were entered. Please ask for the number anew.",
        }[language]
    )
    none = {"kk": "әлі ешкім келіскен жоқ", "ru": "пока никто не согласился", "en": "Nobody has agreed"}
    assert none[language] in await a.dial("*4259*1*2#")


@LANGUAGES
@pytest.mark.parametrize("word", ["STOP", "СТОП", "ТОҚТАТ", "stop", "cтoп"])
async def test_b_ends_it_by_sms_and_both_are_told(town: Town, language: str, word: str) -> None:
    a, b = await managed(town, language)
    await b.write("4259", f"{word} {a.number}")
    said = {
        "kk": "Сіздің нөміріңіз бен {} арасындағы басқару тоқтатылды.",
        "ru": "Управление между вашим номером и {} прекращено.",
        "en": "Your number and {}: neither manages the other any more.",
    }[language]
    assert await b.sms() == said.format(a.printed)
    assert await a.sms() == said.format(b.printed)
    none = {"kk": "Басқа нөмірді басқармайсыз", "ru": "Вы не управляете", "en": "You manage no other"}[language]
    assert none in await a.dial("*4259*1*3#")


async def test_b_ends_it_by_ussd(town: Town) -> None:
    a, b = await managed(town)
    assert (
        await b.dial("*4259*2*2#", "1", "1", a.number[-4:])
        == f"Управление между вашим номером и {a.printed} прекращено."
    )
    assert await a.sms() == f"Управление между вашим номером и {b.printed} прекращено."


async def test_a_ends_it_by_the_last_four_digits(town: Town) -> None:
    a, b = await managed(town)
    await a.dial("*4259*1*3#", "1", "1")
    assert (await a.send("0000" if "0000" not in b.number else "9999")).startswith("Не те цифры")
    assert await a.send(b.number[-4:]) == f"Управление между вашим номером и {b.printed} прекращено."
    assert await b.sms() == f"Управление между вашим номером и {a.printed} прекращено."


async def test_stop_of_what_is_not_says_so(town: Town) -> None:
    a, b = await pair(town)
    await b.write("4259", f"СТОП {a.number}")
    assert await b.sms() == f"Между вашим номером и {a.printed} управления нет."


async def test_several_requests_have_each_its_own_code(town: Town) -> None:
    a, b = await pair(town)
    other = await town.somebody("kcell", "ru")
    code = await asked(a, b)
    await other.dial("*4259#", "1", "1", b.local)
    await b.write("4259", code)
    activation = found(ACTIVATION["ru"], await b.sms("Код для начала управления"))
    await a.dial("*4259*1*2#", "1", activation)
    assert b.printed in await a.dial("*4259*1*3#")
    assert "Вы не управляете" in await other.dial("*4259*1*3#")


async def test_a_number_of_another_operator_and_ones_own_cannot_be_asked_for(town: Town) -> None:
    a = await town.somebody("kcell", "ru")
    b = await town.somebody("beeline-kz", "ru")
    assert (await a.dial("*4259#", "1", "1", b.local)).startswith("В этой сети такого номера нет")
    assert (await a.send(a.local)).startswith("Это ваш номер")


async def test_a_number_that_is_closed_ends_what_there_was(town: Town) -> None:
    a, b = await managed(town)
    await town.operators.do("subscribers.set_status", b.number, status="closed")
    assert "Вы не управляете" in await a.dial("*4259*1*3#")


async def test_the_codes_stand_on_no_screen(town: Town) -> None:
    a, b = await pair(town)
    code = await asked(a, b)
    seen = [a.shown, await b.dial("*4259*2*1#"), await b.send("1")]
    await b.write("4259", code)
    activation = found(ACTIVATION["ru"], await b.sms())
    seen += [await a.dial("*4259*1*2#"), await a.send("1"), await a.send(activation)]
    assert not any(code in each or activation in each for each in seen)


# --- acting for the number that is managed ---

ACT = {"kk": "8 Басқа нөмір үшін", "ru": "8 За другой номер", "en": "8 Act for another number"}
THEIRS = {  # nothing of delegation: A cannot let others manage what A manages
    "kk": "1 Тариф/қызмет\n2 Толтыру\n3 Баланс\n4 Тарих\n5 SMS-хабар\n98 Әрі",
    "ru": "1 Тарифы/услуги\n2 Пополнить\n3 Баланс\n4 История\n5 SMS\n6 Блок\n8 Свой",
    "en": "1 Tariff and services\n2 Top up\n3 Balance\n4 History\n5 Notices by SMS\n6 Block it\n8 Back to my own",
}


async def acting(a: Telephone) -> str:
    """A takes the option of the root: the root of the managed number."""
    return await a.dial("*111#", "8", "1")


@LANGUAGES
async def test_acting_for_is_an_option_of_the_root_of_who_manages_and_of_nobody_else(town: Town, language: str) -> None:
    a, b = await managed(town, language)
    own = await a.dial("*111#")
    if ACT[language] not in own:
        own = await a.send("98")
    assert ACT[language] in own
    theirs = await a.send("8", "1")
    assert theirs == f"8{b.local}\n{THEIRS[language]}"
    assert ACT[language] not in await b.dial("*111#")


@LANGUAGES
async def test_the_managers_own_balance_stays_what_is_dialled(town: Town, language: str) -> None:
    a, b = await managed(town, language)
    await town.with_balance(a, 321)
    await town.with_balance(b, 654)
    assert "321" in await a.dial("*111*3#")
    await acting(a)
    shown = await a.send("3")
    assert shown.startswith(f"8{b.local}\n")
    assert "654" in shown


async def test_b_gets_an_sms_of_each_change_that_a_makes(town: Town) -> None:
    a, b = await managed(town)
    await town.with_balance(b, 2000)
    await acting(a)
    for key in ("1", "4", "1", "1"):
        assert (await a.send(key)).startswith(f"8{b.local}\n")
    shown = await a.confirm()
    assert "Подключено: Антиспам" in shown
    told = [await b.sms(), await b.sms()]
    assert any(each.startswith("Подключено: Антиспам") for each in told)
    assert any(each.startswith(f"{a.printed} внёс изменения по вашему номеру.") for each in told)


@pytest.mark.parametrize("why", ["ended", "in debt"])
async def test_when_b_has_ended_it_or_owes_nothing_can_be_done_any_more(town: Town, why: str) -> None:
    a, b = await managed(town)
    await acting(a)
    if why == "ended":
        await b.write("4259", f"СТОП {a.number}")
        await b.sms("прекращено")
    else:
        await town.operators.do("subscribers.set_status", b.number, status="barred")
    assert "Баланс: " not in await a.send("3")
