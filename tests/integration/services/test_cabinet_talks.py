"""*245#: a temporary password by SMS, the first login with it, and the SMS that guards against fraud."""

from __future__ import annotations

import re

import pytest

from .telephone import Town

SENT = {
    "kk": "Кабинеттің уақытша құпиясөзі SMS-пен келеді. Ол 24 сағат жарамды.",
    "ru": "Временный пароль кабинета придёт по SMS. Он действует 24 часа.",
    "en": "A temporary password for your cabinet will come by SMS. It is valid for 24 hours.",
}
PASSWORD = {
    "kk": "Кабинетке кіретін уақытша құпиясөз: ([a-z0-9]{10})\\. Ол [0-9.]{10} [0-9:]{5} дейін жарамды",
    "ru": "Временный пароль кабинета: ([a-z0-9]{10})\\. Действует до [0-9.]{10} [0-9:]{5}, смените его при входе",
    "en": "Temporary password of your cabinet: ([a-z0-9]{10})\\. Valid until [0-9.]{10} [0-9:]{5}; change it",
}
CHANGED = {"kk": "Кабинет құпиясөзі", "ru": "Пароль кабинета изменён", "en": "The password of your cabinet was changed"}


def password_in(sms: str, language: str = "ru") -> str:
    found = re.match(PASSWORD[language], sms)
    assert found, sms
    return found[1]


@pytest.mark.parametrize("network", ["kcell", "beeline-kz"])
@pytest.mark.parametrize("language", ["kk", "ru", "en"])
async def test_the_password_comes_by_sms_and_never_on_the_screen(town: Town, network: str, language: str) -> None:
    phone = await town.somebody(network, language)
    assert await phone.dial("*245#") == SENT[language]
    assert phone.ended
    sender, sms = await phone.sms_from()
    assert sender == ("Kcell" if network == "kcell" else "111")
    assert password_in(sms, language) not in phone.shown


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
async def test_the_first_login_asks_for_a_password_of_ones_own_and_an_sms_tells_of_it(
    town: Town, language: str
) -> None:
    phone = await town.somebody("kcell", language)
    await phone.dial("*245#")
    sent = password_in(await phone.sms(), language)
    login = await town.operators.do("cabinet.login", phone.number, password=sent)
    assert login["must_change"] is True
    await town.operators.do("cabinet.change_password", phone.number, old=sent, new="a horse on the hill 7")
    assert CHANGED[language] in await phone.sms()
    login = await town.operators.do("cabinet.login", phone.number, password="a horse on the hill 7")
    assert login["must_change"] is False
    assert await town.operators.refused("cabinet.login", phone.number, password=sent) == "WRONG_PASSWORD"


async def test_a_second_one_within_a_minute_is_not_sent_and_the_screen_says_when_it_can_be(town: Town) -> None:
    phone = await town.somebody("kcell", "ru")
    await phone.dial("*245#")
    shown = await phone.dial("*245#")
    assert re.fullmatch(r"Пароль отправлен в ..:..\. Новый: с ..\...\..... ..:..", shown)
    await phone.sms("Временный пароль")
    await phone.write("111", "БАЛАНС")
    assert (await phone.sms()).startswith("Баланс: ")  # and no second password before it


async def test_the_same_password_is_had_from_the_menu_my_number(town: Town) -> None:
    phone = await town.somebody("kcell", "en")
    assert await phone.dial("*111*6#", "2") == SENT["en"]
    password_in(await phone.sms(), "en")


async def test_a_password_for_somebody_else_cannot_be_dialled(town: Town) -> None:
    phone = await town.somebody("kcell", "ru")
    other = await town.somebody("kcell", "ru")
    assert await phone.dial(f"*245*{other.local}#") == SENT["ru"]
    assert password_in(await phone.sms()) != ""


async def test_a_blocked_number_gets_none(town: Town) -> None:
    phone = await town.somebody("kcell", "ru")
    await town.operators.do("blocking.block", phone.number, last_digits=phone.number[-4:])
    assert await phone.dial("*245#") == "Номер заблокирован по просьбе владельца."
    assert phone.ended
