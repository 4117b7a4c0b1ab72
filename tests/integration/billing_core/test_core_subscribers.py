"""Who holds a number: what it may use, in which language it is answered, since when it has its SIM card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import asyncpg
import pytest

from billing.calls import Done, Refused
from billing.contract import Value

from .running_core import Core
from .stories import HOUR, NOON, instant, kcell, manages, result, tenge

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
CLOSED = Refused("CLOSED", {})


@pytest.fixture(autouse=True)
def _it_is_noon(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


async def set_status(core: Core, number: str, status: str) -> Done | Refused:
    return await core.do("subscribers.set_status", number, status=status)


async def set_language(core: Core, number: str, language: str, **more: Any) -> Done | Refused:
    outcome = await core.ask("subscribers.set_language", number, {"language": language}, **more)
    assert isinstance(outcome, Done | Refused)
    return outcome


async def hello(core: Core, number: str) -> Any:
    return result(await core.do("subscribers.hello", number))


# --- who is calling -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (kcell(200), {"network": "kcell", "brand": "Kcell", "status": "active"}),
        (kcell(203), {"network": "kcell", "brand": "activ", "status": "active"}),
        (kcell(291), {"network": "kcell", "brand": "Kcell", "status": "barred"}),
        (kcell(295), {"network": "kcell", "brand": "Kcell", "status": "blocked"}),
        (kcell(297), {"network": "kcell", "brand": "Kcell", "status": "closed"}),
        ("77770000200", {"network": "beeline-kz", "brand": "Beeline", "status": "active"}),
        ("996555000200", {"network": "megacom", "brand": "MegaCom", "status": "active"}),
        ("996777000200", {"network": "beeline-kg", "brand": "Beeline", "status": "active"}),
        ("996700000200", {"network": "o", "brand": "O!", "status": "active"}),
    ],
)
async def test_network_brand_and_status_are_told_whatever_the_status(
    core: Core, number: str, told: dict[str, str]
) -> None:
    greeted = dict(await hello(core, number))
    greeted.pop("language", None)
    assert greeted == told


async def test_a_number_of_nobody_is_unknown(core: Core) -> None:
    assert await core.do("subscribers.hello", "77019999999") == Refused("UNKNOWN_NUMBER", {})


async def test_a_ported_number_is_of_the_network_that_its_record_says(core: Core, owner: Owner) -> None:
    number = "77770000201"
    await owner.execute("UPDATE subscribers SET network = 'kcell', brand = 'Kcell' WHERE msisdn = $1", number)
    assert (await hello(core, number))["network"] == "kcell"
    assert (await core.do("requests.call_me", number, to=kcell(1))) == Done({"left": 9})
    assert result(await core.do("tariffs.offered", number))["tariffs"][0]["id"] == "activ-daytime"


async def test_how_many_numbers_it_manages_is_told_when_there_are_some(core: Core, owner: Owner) -> None:
    assert "manages" not in await hello(core, kcell(201))
    for n in (202, 204):
        await manages(owner, kcell(201), kcell(n))
    assert (await hello(core, kcell(201)))["manages"] == 2


# --- status and SIM card --------------------------------------------------------------------------------------------


async def test_an_office_bars_a_number_for_debt_and_lifts_that(core: Core) -> None:
    number = kcell(213)
    assert await set_status(core, number, "barred") == Done({"status": "barred"})
    assert (await hello(core, number))["status"] == "barred"
    assert await core.do("tariffs.current", number) == Refused("BARRED", {})
    assert await set_status(core, number, "active") == Done({"status": "active"})
    assert isinstance(await core.do("tariffs.current", number), Done)


async def test_while_barred_for_debt_balance_voucher_extra_balance_language_and_help_work(core: Core) -> None:
    number = kcell(392)
    assert isinstance(await core.do("balances.get", number), Done)
    assert await core.do("vouchers.redeem", number, voucher="31415926535897") == Refused("WRONG_VOUCHER", {})
    quote = result(await core.do("extra_balance.quote", number, offer="kcell-250"))
    told = {"intent": quote["intent"], "digits": quote["digits"]}
    assert isinstance(await core.do("extra_balance.confirm", number, **told), Done)
    assert await set_language(core, number, "kk") == Done({"language": "kk"})
    assert isinstance(await core.do("faults.report", number, kind="payment"), Done)
    assert isinstance(await core.do("service_points.cities", number), Done)


async def test_while_barred_for_debt_nothing_else_that_is_for_sale_free_or_secret_works(core: Core) -> None:
    asked: tuple[tuple[str, dict[str, Value]], ...] = (
        ("tariffs.offered", {}),
        ("tariffs.quote", {"tariff": "kcell-plus"}),
        ("services.offered", {}),
        ("services.quote", {"service": "kcell-melody", "connect": True}),
        ("history.payments", {}),
        ("history.charges", {}),
        ("statements.get", {"code": "12345678"}),
        ("requests.call_me", {"to": kcell(1)}),
        ("requests.pay_for_me", {"to": kcell(1)}),
        ("requests.free_sms", {"to": kcell(1), "text": "Салем"}),
        ("numbers.prefixes", {"brand": "activ"}),
        ("numbers.quote", {"number": "77750000000", "city": "almaty"}),
        ("cabinet.temporary_password", {}),
        ("delegation.request", {"number": kcell(1)}),
        ("wallet.state", {}),
    )
    for operation, arguments in asked:
        assert await core.do(operation, kcell(491), **arguments) == Refused("BARRED", {}), operation


async def test_a_closed_number_stays_closed(core: Core) -> None:
    for status in ("active", "barred", "closed"):
        assert await set_status(core, kcell(297), status) == CLOSED
    assert await core.do("subscribers.report_sim_change", kcell(297)) == CLOSED


async def test_a_new_sim_card_keeps_passwords_and_delegations_away_for_72_hours(core: Core) -> None:
    number = kcell(214)
    assert await core.do("subscribers.report_sim_change", number) == Done({})
    core.now = NOON + 71 * HOUR
    refused = Refused("SIM_TOO_NEW", {"again_at": instant(NOON + 72 * HOUR)})
    assert await core.do("cabinet.temporary_password", number) == refused
    assert await core.do("delegation.request", number, number=kcell(215)) == refused
    assert isinstance(await core.do("tariffs.current", number), Done)
    core.now = NOON + 72 * HOUR
    assert isinstance(await core.do("cabinet.temporary_password", number), Done)


# --- language -----------------------------------------------------------------------------------------------------


async def test_a_language_of_the_country_is_remembered_and_notices_are_in_it(core: Core) -> None:
    number = kcell(228)
    for language in ("kk", "ru", "en"):
        assert await set_language(core, number, language) == Done({"language": language})
        assert (await hello(core, number))["language"] == language
        await core.do("balances.top_up", number, sum=tenge(1), place="a-branch")
    assert [notice["language"] for notice in await core.notices(number)] == ["kk", "ru", "en"]


async def test_a_language_of_the_other_country_is_refused(core: Core) -> None:
    assert await set_language(core, kcell(229), "ky") == Refused("LANGUAGE_NOT_OFFERED", {})
    assert await set_language(core, "996555000229", "kk") == Refused("LANGUAGE_NOT_OFFERED", {})
    assert await set_language(core, "996555000229", "ky") == Done({"language": "ky"})


async def test_chosen_by_sms_it_is_answered_by_sms_in_the_new_language(core: Core) -> None:
    number = kcell(230)
    await set_language(core, number, "en", by_sms=True)
    [notice] = await core.notices(number)
    assert (notice["event"], notice["language"]) == ("subscribers.language_set", "en")
    await set_language(core, number, "kk")
    assert len(await core.notices(number)) == 1


async def test_whoever_is_barred_for_debt_chooses_a_language_and_a_blocked_number_does_not(core: Core) -> None:
    assert await set_language(core, kcell(391), "kk") == Done({"language": "kk"})
    assert await set_language(core, kcell(395), "kk") == Refused("BLOCKED", {})
    assert await set_language(core, kcell(397), "kk") == CLOSED
