"""The operations, asked through the engine's own client, which checks every result against the contract."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from billing.calls import Done, Refused
from billing.contract import OPERATIONS
from billing_core.operations import DIRECT, PREPARED, WHOLE

from .running_core import Core

ACTIVE, BARRED, BLOCKED, CLOSED, STRANGER = "77010000007", "77010000091", "77010000095", "77010000097", "77019999999"
NEVER_MADE = "6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001"


async def test_every_operation_of_the_contract_is_performed_and_no_other(core: Core) -> None:
    assert set(core.operations) == set(OPERATIONS)


def test_only_a_change_is_prepared_or_done_in_steps() -> None:
    assert {*DIRECT, *PREPARED, *WHOLE} <= set(OPERATIONS)
    assert all(OPERATIONS[name].changes for name in (*PREPARED, *WHOLE))


async def test_what_only_reads_leaves_no_trace_and_a_change_is_kept_under_its_id(core: Core) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "calls.status": {"call": NEVER_MADE},
        "numbers.prefixes": {"brand": "Kcell"},
        "numbers.search": {"brand": "Kcell", "prefix": "701"},
        "service_points.of_city": {"city": "almaty"},
        "wallet.outcome": dict.fromkeys(("call", "intent"), NEVER_MADE),
        "wallet.services": {"category": "other"},
    }
    kept = "SELECT count(*) FROM calls WHERE msisdn = $1"
    for name in (name for name, operation in OPERATIONS.items() if not operation.changes):
        assert isinstance(await core.do(name, "77010000023", **arguments.get(name, {})), Done | Refused)
    assert await core.pool.fetchval(kept, "77010000023") == 0
    await core.ask("subscribers.set_language", "77010000023", {"language": "kk"})
    assert await core.pool.fetchval(kept, "77010000023") == 1


async def test_hello_tells_network_brand_and_status_and_no_language_before_one_was_chosen(core: Core) -> None:
    outcome = await core.ask("subscribers.hello", ACTIVE)
    assert outcome == Done({"network": "kcell", "brand": "Kcell", "status": "active"})


async def test_hello_tells_the_language_once_it_was_chosen(core: Core) -> None:
    assert await core.ask("subscribers.set_language", "77010000014", {"language": "kk"}) == Done({"language": "kk"})
    outcome = await core.ask("subscribers.hello", "77010000014")
    assert isinstance(outcome, Done)
    assert outcome.result["language"] == "kk"


@pytest.mark.parametrize(
    ("msisdn", "network", "brand", "status"),
    [
        ("77010000003", "kcell", "activ", "active"),
        (BARRED, "kcell", "Kcell", "barred"),
        (BLOCKED, "kcell", "Kcell", "blocked"),
        (CLOSED, "kcell", "Kcell", "closed"),
        ("77770000001", "beeline-kz", "Beeline", "active"),
        ("996555000001", "megacom", "MegaCom", "active"),
        ("996777000001", "beeline-kg", "Beeline", "active"),
        ("996700000001", "o", "O!", "active"),
    ],
)
async def test_hello_is_answered_whatever_network_and_status(
    core: Core, msisdn: str, network: str, brand: str, status: str
) -> None:
    outcome = await core.ask("subscribers.hello", msisdn)
    assert isinstance(outcome, Done)
    assert [outcome.result[name] for name in ("network", "brand", "status")] == [network, brand, status]


async def test_the_balance_of_the_number_in_the_readme_is_always_the_same(core: Core) -> None:
    assert await core.ask("balances.get", ACTIVE) == Done(
        {"balance": {"minor": 178883, "currency": "KZT"}, "bonuses": {"minor": 25839, "currency": "KZT"}}
    )


async def test_money_of_kyrgyzstan_is_in_som(core: Core) -> None:
    outcome = await core.ask("balances.get", "996555000001")
    assert isinstance(outcome, Done)
    assert [outcome.result[name]["currency"] for name in ("balance", "bonuses")] == ["KGS", "KGS"]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("msisdn", "language", "name"),
    [
        (ACTIVE, "kk", "Молшылық"),
        (ACTIVE, "ru", "Изобилие"),
        (ACTIVE, "en", "Plenty"),
        (ACTIVE, "ky", "Изобилие"),
        ("77010000003", "en", "Daytime unlimited"),
        ("996555000001", "ky", "Көбүрөөк"),
        ("996555000001", "kk", "Больше"),
    ],
)
async def test_the_tariff_is_named_in_the_language_of_the_call_or_in_russian(
    core: Core, msisdn: str, language: str, name: str
) -> None:
    outcome = await core.ask("tariffs.current", msisdn, language=language)
    assert isinstance(outcome, Done)
    assert outcome.result["name"] == name


async def test_the_tariffs_of_the_network_are_offered_the_cheapest_first(core: Core) -> None:
    outcome = await core.ask("tariffs.offered", ACTIVE, language="en")
    assert isinstance(outcome, Done)
    tariffs = outcome.result["tariffs"]
    assert isinstance(tariffs, list)
    assert [tariff["name"] for tariff in tariffs] == ["Daytime unlimited", "11", "Every day", "Plenty"]
    assert [tariff["name"] for tariff in tariffs if tariff["is_current"]] == ["Plenty"]
    assert tariffs[0]["fee"] == {"minor": 149000, "currency": "KZT"}


async def test_a_monthly_tariff_renews_on_its_day_and_a_daily_one_tomorrow(core: Core) -> None:
    monthly = await core.ask("tariffs.current", ACTIVE)
    daily = await core.ask("tariffs.current", "77010000008")
    assert isinstance(monthly, Done)
    assert isinstance(daily, Done)
    today = datetime.datetime.now(ZoneInfo("Asia/Almaty")).date()
    assert (monthly.result["fee_period"], daily.result["fee_period"]) == ("month", "day")
    assert str(monthly.result["renews_on"]).endswith("-08")
    assert str(monthly.result["renews_on"]) > today.isoformat()
    assert daily.result["renews_on"] == (today + datetime.timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("msisdn", "balances", "tariff", "language"),
    [
        (ACTIVE, None, None, None),
        (BARRED, None, "BARRED", None),
        (BLOCKED, "BLOCKED", "BLOCKED", "BLOCKED"),
        (CLOSED, "CLOSED", "CLOSED", "CLOSED"),
        (STRANGER, "UNKNOWN_NUMBER", "UNKNOWN_NUMBER", "UNKNOWN_NUMBER"),
    ],
)
async def test_the_status_decides_in_every_operation(
    core: Core, msisdn: str, balances: str | None, tariff: str | None, language: str | None
) -> None:
    outcomes = [
        await core.ask("balances.get", msisdn),
        await core.ask("tariffs.current", msisdn),
        await core.ask("subscribers.set_language", msisdn, {"language": "ru"}),
    ]
    codes = [outcome.code if isinstance(outcome, Refused) else None for outcome in outcomes]
    assert codes == [balances, tariff, language]


async def test_a_number_nobody_has_is_unknown_at_hello(core: Core) -> None:
    assert await core.ask("subscribers.hello", STRANGER) == Refused("UNKNOWN_NUMBER", {})


async def test_a_language_that_the_country_does_not_offer_is_refused_and_not_remembered(core: Core) -> None:
    before = await core.ask("subscribers.hello", "77010000022")
    assert await core.ask("subscribers.set_language", "77010000022", {"language": "ky"}) == Refused(
        "LANGUAGE_NOT_OFFERED", {}
    )
    assert await core.ask("subscribers.hello", "77010000022") == before


async def test_every_seeded_number_is_answered_by_the_contract(core: Core) -> None:
    for first in (77010000000, 77770000000, 996555000000, 996777000000, 996700000000):
        for n in range(0, 1000, 37):
            for operation in ("subscribers.hello", "balances.get", "tariffs.current", "tariffs.offered"):
                assert isinstance(await core.ask(operation, str(first + n)), Done | Refused)


async def test_the_next_holder_of_a_number_gets_nothing_of_the_one_before(core: Core) -> None:
    async with core.pool.acquire() as connection:
        await connection.execute("UPDATE subscribers SET held_until = now() WHERE msisdn = '77010000500'")
        holder = await connection.fetchval(
            "INSERT INTO subscribers (msisdn, network, brand, status)"
            " VALUES ('77010000500', 'kcell', 'activ', 'active') RETURNING subscriber_id"
        )
        await connection.execute(
            "INSERT INTO accounts (subscriber_id, kind, currency) VALUES ($1, 'prepaid', 'KZT')", holder
        )
    nothing = {"minor": 0, "currency": "KZT"}
    assert await core.ask("balances.get", "77010000500") == Done({"balance": nothing, "bonuses": nothing})


async def test_a_number_has_one_holder_and_an_account_never_goes_below_zero(owner: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(
            "INSERT INTO subscribers (msisdn, network, brand, status)"
            " VALUES ('77010000001', 'kcell', 'Kcell', 'active')"
        )
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute("UPDATE accounts SET balance_minor = -1 WHERE kind = 'prepaid'")


async def test_who_serves_changes_no_account_but_by_a_posting(core: Core) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await core.pool.execute("UPDATE accounts SET balance_minor = 1 WHERE kind = 'prepaid'")
