"""*900#: the wallet, from registration over every kind of payment to the lock after three wrong PINs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from itertools import count
from typing import NamedTuple

import pytest
import pytest_asyncio

from .telephone import Telephone, Town, seeded

LANGUAGES = pytest.mark.parametrize("language", ["ky", "ru", "en"])
NETWORKS = pytest.mark.parametrize("network", ["megacom", "beeline-kg"])
KEY = {"ky": "1", "ru": "2", "en": "3"}
REGISTERED = {
    "ky": ("Капчык ачылды. PIN SMS менен келет, аны алмаштырыңыз: *900#, 8, 3", r"Капчык ачылды, PIN: ([0-9]{4})\."),
    "ru": ("Кошелёк открыт. PIN придёт по SMS, смените его: *900#, 8, 3", r"Кошелёк открыт, PIN: ([0-9]{4})\."),
    "en": (
        "Your wallet is open. The PIN comes by SMS; please change it: *900#, 8, 3",
        r"Your ELSOM wallet is open\. PIN: ([0-9]{4})\.",
    ),
}
DOSTEK = ("3", "3", "14", "14")
PAYER = "01234567890123"
HOME = {"ky": "ELSOM\n1 Которуу\n", "ru": "ELSOM\n1 Перевод\n", "en": "ELSOM\n1 Transfer\n"}
_SERIALS = count(10_001)


class Wallet(NamedTuple):
    """Somebody with a wallet."""

    phone: Telephone
    pin: str


def new_inn() -> str:
    return f"215031985{next(_SERIALS)}"


async def opened(town: Town, network: str = "megacom", language: str = "ru", whole: int = 1000) -> Wallet:
    """A new wallet, with so much in it."""
    phone = await town.somebody(network)
    await phone.dial("*900#", KEY[language], "1", "Айгуль", "Асанова", new_inn(), "1", "1")
    closing, sms = phone.shown, await phone.sms()
    found = re.match(REGISTERED[language][1], sms)
    assert found, (closing, sms)
    if whole:
        await town.operators.do("wallet.top_up", phone.number, sum={"minor": whole * 100, "currency": "KGS"}, place="x")
        await phone.sms()
    return Wallet(phone, found[1])


def said(text: str) -> str:
    return text.replace("\xa0", " ")


def wrong(pin: str, nth: int = 1) -> str:
    return str((int(pin) + nth) % 10_000).zfill(4)


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def late(town: Town) -> AsyncIterator[tuple[Wallet, Wallet]]:
    """Two payments whose biller is silent for twenty seconds: the first will have been paid, the second refused.

    They are made before all other talks, so that the last one waits less.
    """
    paid, refused = await opened(town), await opened(town, "beeline-kg", "en")
    for wallet, account in ((paid, "01234567890192"), (refused, "01234567890193")):
        await wallet.phone.dial("*900#", *DOSTEK, account, "100", wallet.pin)
    yield paid, refused


# --- registration ---


@NETWORKS
@LANGUAGES
async def test_the_first_dial_registers_and_the_pin_comes_by_sms(town: Town, network: str, language: str) -> None:
    phone = await town.somebody(network)
    inn = new_inn()
    assert await phone.dial("*900#") == "Тил / Язык / Language\n1 Кыргызча\n2 Русский\n3 English"
    await phone.send(KEY[language], "1", "Нургүл", "Сыдыкова")
    once_more = await phone.send(inn)
    assert once_more.startswith(f"Сыдыкова Нургүл\n{'INN' if language == 'en' else 'ИНН'} {inn}\n1 ")
    assert "elsom.kg" in await phone.send("1")
    assert await phone.send("1") == REGISTERED[language][0]
    assert phone.ended
    sender, sms = await phone.sms_from()
    assert sender == "ELSOM"
    assert re.match(REGISTERED[language][1], sms)
    assert (await phone.dial("*900#")).startswith(HOME[language])


@pytest.mark.parametrize(
    ("inn", "why"),
    [
        ("1234567890", "ИНН: ровно 14 цифр."),
        ("32503198510101", "ИНН неверен"),  # neither 1 nor 2
        ("23102198510101", "ИНН неверен"),  # 31 February
        ("21503209910101", "ИНН неверен"),  # born in the future
    ],
)
async def test_an_inn_that_is_no_persons_is_refused_with_the_reason(town: Town, inn: str, why: str) -> None:
    phone = await town.somebody("megacom")
    await phone.dial("*900#", "2", "1", "Айгуль", "Асанова", inn)
    assert phone.shown.startswith(why)
    assert not phone.ended


async def test_what_was_typed_wrong_is_corrected_before_anything_is_opened(town: Town) -> None:
    phone = await town.somebody("megacom")
    await phone.dial("*900#", "2", "1", "Айгул", "Асанова", new_inn(), "2")
    assert phone.shown.startswith("Имя, как в паспорте?")


async def test_there_is_one_wallet_for_an_inn(town: Town) -> None:
    inn = new_inn()
    for _ in range(2):
        phone = await town.somebody("megacom")
        await phone.dial("*900#", "2", "1", "Айгуль", "Асанова", inn, "1", "1")
    assert phone.shown.startswith("По этому ИНН есть кошелёк.")


@LANGUAGES
async def test_subscribers_of_o_are_sent_to_the_site_and_the_app(town: Town, language: str) -> None:
    phone = await town.somebody("o", language)
    assert (
        await phone.dial("*900#")
        == {
            "ky": "Сиздин тармакта ELSOM капчыгы elsom.kg сайтында же тиркемеде ачылат.",
            "ru": "В вашей сети кошелёк ELSOM доступен на elsom.kg или в приложении.",
            "en": "On your network the ELSOM wallet is at elsom.kg or in the app.",
        }[language]
    )
    assert phone.ended


# --- paying ---


@NETWORKS
@LANGUAGES
async def test_dostek_is_paid_by_the_printed_digits_and_the_code_comes_by_sms(
    town: Town, network: str, language: str
) -> None:
    phone, pin = await opened(town, network, language)
    await phone.dial("*900#", "3", "3")
    assert "\n14 " not in phone.shown  # the category stands on a page further on
    await phone.send("14", "14")
    assert phone.shown.startswith("DosTek")
    assert (await phone.send(PAYER)).startswith(f"{PAYER}\n")
    confirmation = await phone.send("100")
    assert confirmation.startswith(f"{PAYER}\n100")
    assert "PIN" in confirmation
    closing = await phone.send(pin)
    assert phone.ended
    code = re.search(r"[0-9]{10}", closing)
    assert code, closing
    sms = said(await phone.sms())
    assert all(each in sms for each in (f"{code[0]}.", "DosTek", PAYER, "100 ", "900 "))
    assert pin not in (closing + sms).replace(code[0], "").replace(PAYER, "")


async def test_the_payers_inn_begins_with_0_1_or_2(town: Town) -> None:
    phone, _ = await opened(town)
    assert (await phone.dial("*900#", *DOSTEK, "31234567890123")).startswith("ИНН неверен. Начало 0, 1 или 2")


@pytest.mark.parametrize("sum_", ["9", "50001", "10.5", "0"])
async def test_a_sum_is_whole_som_within_the_services_limits(town: Town, sum_: str) -> None:
    phone, _ = await opened(town, whole=100)
    shown = await phone.dial("*900#", *DOSTEK, PAYER, sum_)
    assert not phone.ended
    assert "PIN" not in shown


@LANGUAGES
async def test_not_enough_money_is_said_before_the_pin_is_asked_for(town: Town, language: str) -> None:
    phone, _ = await opened(town, language=language, whole=50)
    shown = await phone.dial("*900#", *DOSTEK, PAYER, "100")
    assert phone.ended
    assert "PIN" not in shown
    assert "50" in shown


async def test_a_biller_that_refuses_leaves_the_money_in_the_wallet(town: Town) -> None:
    phone, pin = await opened(town)
    assert await phone.dial("*900#", *DOSTEK, "01234567890190", "100", pin) == (
        "Получатель не принял платёж. Деньги остались в кошельке."
    )
    assert said(await phone.dial("*900#", "8", "1")) == "В кошельке: 1 000 сом"


async def test_a_biller_that_says_yes_twice_is_paid_once(town: Town) -> None:
    phone, pin = await opened(town)
    await phone.dial("*900#", *DOSTEK, "01234567890194", "100", pin)
    assert "01234567890194" in await phone.sms()
    assert said(await phone.dial("*900#", "8", "1")) == "В кошельке: 900 сом"
    assert await phone.silence()


@LANGUAGES
async def test_a_biller_that_never_answers_is_told_as_not_known_and_nothing_can_be_paid_twice(
    town: Town, language: str
) -> None:
    phone, pin = await opened(town, language=language)
    assert (
        await phone.dial("*900#", *DOSTEK, "01234567890191", "100", pin)
        == {
            "ky": "Төлөм текшерилүүдө. Жыйынтыгы SMS менен келет. Кайра төлөбөңүз.",
            "ru": "Платёж проверяется. Результат придёт по SMS. Не платите повторно.",
            "en": "The payment is being checked. The outcome comes by SMS. Do not pay again.",
        }[language]
    )
    shown = await phone.dial("*900#")
    assert shown.startswith("DosTek 100")
    said_so = {"ky": "кайра төлөбөңүз", "ru": "не платите снова", "en": "do not pay again"}
    assert said_so[language] in shown
    assert said(await phone.send("8", "1")).endswith({"en": "900 KGS"}.get(language, "900 сом"))


async def test_the_same_payment_some_minutes_later_is_asked_about(town: Town) -> None:
    phone, pin = await opened(town)
    await phone.dial("*900#", *DOSTEK, PAYER, "100", pin)
    shown = await phone.dial("*900#", *DOSTEK, PAYER, "100")
    assert shown.startswith("Такой платёж уже был. Ещё раз?\n1 Да\n2 Нет")
    assert "PIN" in await phone.send("1")
    await phone.send(pin)
    assert said(await phone.dial("*900#", "8", "1")) == "В кошельке: 800 сом"


@LANGUAGES
async def test_utilities_are_reached_by_an_entry_of_their_own(town: Town, language: str) -> None:
    phone, pin = await opened(town, language=language)
    await phone.dial("*900#", "3", "1", "1", "1234567", "50", pin)
    assert phone.ended
    name = {"ky": "Электр энергиясы", "ru": "Электроэнергия", "en": "Electricity"}[language]
    assert name in await phone.sms()


# --- transfers, mobile top-ups, repeats ---


@LANGUAGES
async def test_a_transfer_names_the_receiver_and_both_get_an_sms(town: Town, language: str) -> None:
    phone, pin = await opened(town, language=language)
    other = await opened(town, "beeline-kg", "ru", whole=0)
    confirmation = await phone.dial("*900#", "1", other.phone.local, "250")
    assert confirmation.startswith("Айгуль А.\n250")
    await phone.send(pin)
    assert phone.ended
    assert other.phone.printed in await phone.sms()
    told = said(await other.phone.sms())
    assert told == f"В кошелёк пришло 250 сом от {phone.printed}. Баланс: 250 сом"


async def test_a_transfer_to_who_has_no_wallet_and_to_oneself_is_refused(town: Town) -> None:
    phone, _ = await opened(town)
    nobody = await town.somebody("megacom")
    shown = await phone.dial("*900#", "1", nobody.local, "100")
    assert shown.startswith(f"{nobody.printed}: у этого номера нет кошелька.")
    assert (await phone.send("1", phone.local, "100")).startswith("Это ваш собственный кошелёк.")


@NETWORKS
async def test_ones_own_phone_is_topped_up(town: Town, network: str) -> None:
    phone, pin = await opened(town, network)
    assert (await phone.dial("*900#", "4", "1", "100")).startswith(f"{phone.printed}\n100")
    await phone.send(pin)
    messages = {said(await phone.sms()), said(await phone.sms())}
    assert any(each.startswith("Ваш счёт пополнен на 100 сом.") for each in messages)
    assert any(each.startswith(f"На {phone.printed} отправлено 100 сом") for each in messages)


async def test_another_phone_is_topped_up_in_its_own_network(town: Town) -> None:
    phone, pin = await opened(town)
    friend = await town.somebody("beeline-kg", "en")
    await phone.dial("*900#", "4", "2", friend.local, "50", pin)
    assert (await friend.sms()).startswith("50 KGS has come to your account.")


@LANGUAGES
async def test_a_payment_is_repeated_from_the_list_of_the_last_ones(town: Town, language: str) -> None:
    phone, pin = await opened(town, language=language)
    await phone.dial("*900#", *DOSTEK, PAYER, "100", pin)
    shown = await phone.dial("*900#", "5")
    assert "1 DosTek 100" in shown
    await phone.send("1")  # the same was paid some minutes ago
    assert PAYER in await phone.send("1")
    await phone.send(pin)
    assert said(await phone.dial("*900#", "8", "1")).endswith({"en": "800 KGS"}.get(language, "800 сом"))


@LANGUAGES
async def test_balance_history_and_statement_tell_the_same(town: Town, language: str) -> None:
    phone, pin = await opened(town, language=language)
    await phone.dial("*900#", *DOSTEK, PAYER, "100", pin)
    await phone.sms()
    money = {"ky": "сом", "ru": "сом", "en": "KGS"}[language]
    assert said(await phone.dial("*900#", "8", "1")).endswith(f": 900 {money}")
    await phone.dial("*900#", "8", "4")
    statement = said(await phone.sms())
    assert f"900 {money}\n" in statement
    assert "-100 DosTek" in statement
    assert "+1000" in statement
    assert f"100 {money}" in said(await phone.dial("*900#", "6"))
    assert "DosTek" in await phone.send("1")


async def test_a_dialogue_that_was_cut_off_is_gone_on_with_or_begun_anew(town: Town) -> None:
    phone, _ = await opened(town)
    await phone.dial("*900#", *DOSTEK, PAYER)
    assert await phone.dial("*900#") == "Продолжить с места обрыва?\n1 Да\n2 Начать заново"
    assert (await phone.send("1")).startswith(f"{PAYER}\nСумма, 10-50000 сом?")
    await phone.dial("*900#")
    assert (await phone.send("2")).startswith("ELSOM\n1 Перевод")


@LANGUAGES
async def test_help_has_the_telephones_of_elsom_and_dostek(town: Town, language: str) -> None:
    phone, _ = await opened(town, language=language, whole=0)
    assert (await phone.dial("*900#", "7")).startswith("ELSOM: 0312 986 000\nDosTek: 0312 960 888\n9 ")


@LANGUAGES
async def test_the_language_is_an_option_of_the_home_and_of_the_settings(town: Town, language: str) -> None:
    phone, _ = await opened(town, language="en" if language != "en" else "ru", whole=0)
    assert (await phone.dial("*900#", "9", KEY[language])).startswith(HOME[language])
    assert (await phone.send("8", "2", KEY[language])).startswith(HOME[language])


# --- the PIN ---


@LANGUAGES
async def test_three_wrong_pins_in_a_row_lock_the_wallet_and_an_sms_says_so(town: Town, language: str) -> None:
    phone, pin = await opened(town, language=language)
    await phone.dial("*900#", *DOSTEK, PAYER, "100", wrong(pin))
    left = {"ky": "Калган аракет: {}", "ru": "Осталось попыток: {}", "en": "Tries left: {}"}[language]
    assert left.format(2) in phone.shown
    assert left.format(1) in await phone.send(wrong(pin, 2))
    locked = await phone.send(wrong(pin, 3))
    assert phone.ended
    until = re.search(r"[0-9]{2}:[0-9]{2}", locked)
    assert until, locked
    sms = await phone.sms()
    assert until[0] in sms
    assert "0312 986 000" in sms
    await phone.dial("*900#", *DOSTEK, PAYER, "100")
    assert phone.ended  # the PIN is not even asked for
    assert until[0] in phone.shown


async def test_a_right_pin_between_wrong_ones_begins_the_count_anew(town: Town) -> None:
    phone, pin = await opened(town)
    for n in (1, 2):
        await phone.dial("*900#", *DOSTEK, PAYER, str(100 + n), wrong(pin), wrong(pin, 2), pin)
        assert phone.shown.startswith(f"Готово: {100 + n}")


async def test_a_branch_gives_a_new_pin_and_ends_the_lock(town: Town) -> None:
    phone, pin = await opened(town)
    await phone.dial("*900#", *DOSTEK, PAYER, "100", wrong(pin), wrong(pin, 2), wrong(pin, 3))
    await phone.sms("закрыт")
    await town.operators.do("wallet.reset_pin", phone.number, document="ID 01234567")
    found = re.match(r"Новый PIN кошелька: ([0-9]{4})\.", await phone.sms())
    assert found
    assert (await phone.dial("*900#", *DOSTEK, PAYER, "100", found[1])).startswith("Готово: 100")


@NETWORKS
@LANGUAGES
async def test_the_pin_is_changed_under_8_3_and_an_sms_tells_of_it(town: Town, network: str, language: str) -> None:
    phone, pin = await opened(town, network, language)
    new = "7391" if pin != "7391" else "7392"
    await phone.dial("*900#", "8", "3", pin, new, new)
    assert (
        phone.shown
        == {
            "ky": "PIN алмашты. Аны эч кимге айтпаңыз.",
            "ru": "PIN изменён. Никому его не говорите.",
            "en": "Your PIN was changed. Tell it to nobody.",
        }[language]
    )
    assert phone.ended
    sms = await phone.sms()
    assert "PIN" in sms
    assert "0312 986 000" in sms
    assert new not in sms.replace("0312 986 000", "")
    await phone.dial("*900#", *DOSTEK, PAYER, "100", pin)
    assert not phone.ended  # the old one is none any more
    await phone.send(new)
    assert "100" in phone.shown
    assert phone.ended


@pytest.mark.parametrize("trivial", ["0000", "1234", "4321", "1985", "the end of the number"])
async def test_a_trivial_pin_is_refused_and_another_can_be_chosen(town: Town, trivial: str) -> None:
    phone, pin = await opened(town, whole=0)
    trivial = phone.number[-4:] if trivial == "the end of the number" else trivial
    assert (await phone.dial("*900#", "8", "3", pin, trivial)).startswith("Слишком простой PIN")
    assert await phone.send("7391", "7391") == "PIN изменён. Никому его не говорите."


async def test_two_new_pins_that_differ_change_nothing_until_they_agree(town: Town) -> None:
    phone, pin = await opened(town, whole=0)
    assert (await phone.dial("*900#", "8", "3", pin, "7391", "7392")).startswith("PIN не совпал. Новый PIN:")
    assert await phone.send("7392", "7392") == "PIN изменён. Никому его не говорите."


async def test_a_wrong_old_pin_is_a_try_that_counts(town: Town) -> None:
    phone, pin = await opened(town)
    await phone.dial("*900#", "8", "3", wrong(pin), wrong(pin, 2), wrong(pin, 3))
    assert phone.ended
    assert "закрыт" in await phone.sms()


# --- dialled in advance ---


async def test_the_change_of_the_pin_is_reached_by_dialling(town: Town) -> None:
    phone, _ = await opened(town, whole=0)
    assert (await phone.dial("*900*8*3#")).startswith("Текущий PIN:")


async def test_a_payment_is_dialled_up_to_its_pin(town: Town) -> None:
    phone, pin = await opened(town)
    shown = await phone.dial(f"*900*3*3*14*14*{PAYER}*100#")
    assert shown.startswith(f"{PAYER}\n100")
    assert "PIN" in shown
    assert (await phone.send(pin)).startswith("Готово: 100")


async def test_nothing_is_paid_by_dialling_alone(town: Town) -> None:
    phone, pin = await opened(town)
    await phone.dial(f"*900*3*3*14*14*{PAYER}*100*{pin}#")
    assert await phone.silence()
    result = await town.operators.do("wallet.balance", phone.number)
    assert result["balance"]["minor"] == 100_000


# --- who may not, and what was promised ---


@pytest.mark.parametrize(
    ("status", "shown"),
    [("barred", "Номер ограничен из-за долга. Пополните баланс.\n7 Помощь"), ("closed", "Номер закрыт.\n7 Помощь")],
)
async def test_a_number_barred_or_closed_has_help(town: Town, status: str, shown: str) -> None:
    phone = await town.somebody("megacom", "ru")
    await town.operators.do("subscribers.set_status", phone.number, status=status)
    assert (await phone.dial("*900#")).startswith(shown)
    assert (await phone.send("7")).startswith("ELSOM: 0312 986 000")


async def test_the_wallets_to_try_with_have_their_money(town: Town) -> None:
    phone = town.of("megacom", seeded("megacom", 9))
    assert re.search(r"5.?000 (сом|KGS)", said(await phone.dial("*900#", "8", "1")))


async def test_what_a_silent_biller_did_in_the_end_comes_by_sms(town: Town, late: tuple[Wallet, Wallet]) -> None:
    paid, refused = late
    assert "01234567890192" in await paid.phone.sms(seconds=30)
    assert (await refused.phone.sms(seconds=30)).startswith("The payment was not made: DosTek, 100 KGS.")
    assert said(await paid.phone.dial("*900#", "8", "1")) == "В кошельке: 900 сом"
    assert said(await refused.phone.dial("*900#", "8", "1")) == "In your wallet: 1,000 KGS"
