"""`billing-core` beside serving: what people at a terminal do with a core, and what its owner does."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from billing_core.seeding.wallets import pin_of

from .test_core_cli import Ended, configured, ran


@pytest.fixture
def config(database: str, postgres_url: str, tmp_path: Path) -> tuple[str, ...]:
    """The options of a core whose database has a schema and some numbers."""
    return ("--config", str(configured(tmp_path, database, postgres_url)))


async def test_any_operation_is_a_command_and_under_one_id_it_is_done_once(
    config: tuple[str, ...], owner: asyncpg.Connection
) -> None:
    call_id = "6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0009"
    topup = ("perform", "wallet.top_up", "996555000007", "sum=10.50", "place=b1", "--id", call_id, *config)
    first = await ran(*topup)
    assert (first.code, first.err) == (0, "")
    assert json.loads(first.out) == {"balance": {"minor": 501_050, "currency": "KGS"}}
    assert await ran(*topup) == first
    other = await ran("perform", "wallet.top_up", "996555000007", "sum=11", "place=b1", "--id", call_id, *config)
    assert other == Ended(1, "", "billing-core: another call was made under this id\n")


async def test_vouchers_are_made_and_each_is_worth_its_sum_once(
    config: tuple[str, ...], owner: asyncpg.Connection
) -> None:
    made = await ran("vouchers", "--count", "3", "--sum", "250", "--currency", "KZT", *config)
    digits = made.out.split()
    assert [len(each) for each in digits] == [14, 14, 14]
    assert len(set(digits)) == 3
    redeem = ("perform", "vouchers.redeem", "77010000008", f"voucher={digits[0]}", *config)
    assert json.loads((await ran(*redeem)).out)["sum"] == {"minor": 25_000, "currency": "KZT"}
    assert (await ran(*redeem)).err == "billing-core: USED: it was used before\n"


async def test_a_ledger_that_holds_is_verified_and_one_that_does_not_is_told(
    config: tuple[str, ...], owner: asyncpg.Connection
) -> None:
    verified = await ran("verify", "--json", *config)
    assert verified.code == 0
    told = json.loads(verified.out)
    assert (told["wrong"], told["postings"] > 0) == ([], True)
    noted = f"7:{'0' * 64}"
    cut = await ran("verify", "--expect", noted, *config)
    assert (cut.code, "a seal that was noted is not there: 7" in cut.out) == (1, True)
    await owner.execute("UPDATE accounts SET balance_minor = balance_minor + 1 WHERE kind = 'prepaid'")
    broken = await ran("verify", *config)
    await owner.execute("UPDATE accounts SET balance_minor = balance_minor - 1 WHERE kind = 'prepaid'")
    assert broken.code == 1
    assert broken.out.startswith("an account whose balance is not that of its last entry: ")
    assert "billing-core: the ledger does not hold" in broken.err


async def test_a_payment_that_waits_for_people_is_listed_and_ended_as_they_have_found_out(
    config: tuple[str, ...], owner: asyncpg.Connection
) -> None:
    nothing = await ran("reconcile", *config)
    assert nothing.out == "0 payments have been open for 15 minutes or longer\n"
    number, pin = "996555000009", pin_of(9)
    quote = ("perform", "wallet.quote_payment", number, "service=dostek", "account=01234567890191", "sum=100", *config)
    intent = json.loads((await ran(*quote)).out)["intent"]
    confirmed = json.loads(
        (await ran("perform", "wallet.confirm", number, f"intent={intent}", f"pin={pin}", *config)).out
    )
    assert confirmed["state"] == "checking"
    await owner.execute("UPDATE intents SET claimed_at = now() - interval '16 minutes' WHERE state = 'reserved'")
    [listed] = json.loads((await ran("reconcile", "--json", *config)).out)
    assert (listed["intent"], listed["payer"], listed["sum"]) == (intent, number, "100.00 KGS")
    half = await ran("reconcile", intent, *config)
    assert half == Ended(1, "", "billing-core: to decide a payment, write its id and --paid or --not-paid\n")
    assert (await ran("reconcile", intent, "--paid", *config)).out == f"{intent} is settled: paid\n"
    again = await ran("reconcile", intent, "--not-paid", *config)
    assert again.err == f"billing-core: {intent} is done: nothing to decide\n"


async def test_what_is_too_old_is_forgotten(config: tuple[str, ...], owner: asyncpg.Connection) -> None:
    assert (await ran("purge", *config)).out == "nothing is too old\n"
    await owner.execute("UPDATE notices SET state = 'expired', sealed = NULL, settled_at = now() - interval '31 days'")
    assert "SMS that were sent" in (await ran("purge", *config)).out


async def test_a_role_that_could_change_the_ledger_is_not_served_as(postgres_url: str, tmp_path: Path) -> None:
    config = str(configured(tmp_path, postgres_url))
    ended = await ran("serve", "--config", config)
    assert ended.code == 1
    assert "could change the ledger" in ended.err
