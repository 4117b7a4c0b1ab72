"""Vouchers: each is worth a top-up once, and who types too many wrong ones waits until tomorrow."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from itertools import count

import asyncpg
import pytest

from billing.calls import Done, Refused
from billing.contract import MONEY_MINOR_MOST
from billing_core.domains.vouchers import DIGITS, Vouchers
from billing_core.seeding.vouchers import digits_of

from .running_core import Core
from .stories import (
    HOUR,
    MIDNIGHT,
    NOON,
    SECOND,
    assert_the_ledger_holds,
    balance,
    everything_kept,
    instant,
    kcell,
    result,
    som,
    tenge,
    with_balance,
)

WRONG, USED = Refused("WRONG_VOUCHER", {}), Refused("USED", {})
CLOSED_TILL_MIDNIGHT = Refused("TOO_MANY", {"again_at": instant(MIDNIGHT)})
_wrong_ones = count(20000000000000)


@pytest.fixture(autouse=True)
def _it_is_noon(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


async def made(core: Core, whole: int = 100, currency: str = "KZT") -> str:
    """The digits of a new voucher."""
    [vouchers] = core.domains.by_name["vouchers"]
    assert isinstance(vouchers, Vouchers)
    async with core.pool.acquire() as connection:
        [digits] = await vouchers.make(connection, 1, whole * 100, currency)
    return digits


async def redeem(core: Core, number: str, digits: str, call_id: str | None = None) -> Done | Refused:
    return await core.do("vouchers.redeem", number, voucher=digits, call_id=call_id)


async def wrong_ones(core: Core, number: str, times: int) -> None:
    for _ in range(times):
        assert await redeem(core, number, str(next(_wrong_ones))) == WRONG


async def test_a_voucher_s_worth_comes_to_the_account_and_is_told_by_sms(core: Core) -> None:
    number = await with_balance(core, kcell(200), 50)
    assert await redeem(core, number, await made(core, 750)) == Done({"sum": tenge(750), "balance": tenge(800)})
    [*_, notice] = await core.notices(number, "account.topped_up")
    assert notice["arguments"] == {"sum": tenge(750), "balance": tenge(800)}
    await assert_the_ledger_holds(core)


async def test_the_seeded_vouchers_are_worth_1000_tenge_and_200_som(core: Core) -> None:
    assert result(await redeem(core, kcell(201), digits_of(0)))["sum"] == tenge(1000)
    assert result(await redeem(core, "996555000201", digits_of(10)))["sum"] == som(200)
    assert digits_of(0) == "10000000000000"


async def test_the_digits_are_taken_as_people_type_them(core: Core) -> None:
    digits = await made(core)
    typed = f"{digits[:4]} {digits[4:8]}-{digits[8:12]} {digits[12:]}"
    assert isinstance(await redeem(core, kcell(202), typed), Done)
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in await made(core))
    assert isinstance(await redeem(core, kcell(202), full_width), Done)


async def test_a_used_voucher_is_told_from_a_wrong_one_whoever_has_used_it(core: Core) -> None:
    digits = await made(core)
    assert isinstance(await redeem(core, kcell(203), digits), Done)
    assert await redeem(core, kcell(203), digits) == USED
    assert await redeem(core, kcell(204), digits) == USED
    assert await redeem(core, kcell(204), "2" * DIGITS) == WRONG


async def test_the_same_try_again_gets_the_same_answer_and_the_worth_once(core: Core) -> None:
    number, digits, call_id = await with_balance(core, kcell(205), 50), await made(core), str(uuid.uuid4())
    answers = [await redeem(core, number, digits, call_id) for _ in range(3)]
    assert answers == [Done({"sum": tenge(100), "balance": tenge(150)})] * 3
    assert await balance(core, number) == 150_00


async def test_five_wrong_ones_a_day_close_it_till_tomorrow_for_right_ones_too(core: Core) -> None:
    number, right = kcell(206), await made(core)
    await wrong_ones(core, number, 5)
    assert await redeem(core, number, str(next(_wrong_ones))) == CLOSED_TILL_MIDNIGHT
    assert await redeem(core, number, right) == CLOSED_TILL_MIDNIGHT
    core.now = MIDNIGHT - SECOND
    assert await redeem(core, number, right) == CLOSED_TILL_MIDNIGHT
    core.now = MIDNIGHT
    assert isinstance(await redeem(core, number, right), Done)


async def test_the_day_is_that_of_the_network_s_time_zone(core: Core) -> None:
    number = "996555000206"
    await wrong_ones(core, number, 5)
    midnight = MIDNIGHT - HOUR  # in Bishkek
    assert await redeem(core, number, digits_of(11)) == Refused("TOO_MANY", {"again_at": instant(midnight)})
    core.now = midnight
    assert isinstance(await redeem(core, number, digits_of(11)), Done)


async def test_after_four_wrong_ones_a_right_one_works_and_takes_none_of_them_back(core: Core) -> None:
    number = kcell(207)
    await wrong_ones(core, number, 4)
    assert isinstance(await redeem(core, number, await made(core)), Done)
    await wrong_ones(core, number, 1)
    assert await redeem(core, number, await made(core)) == CLOSED_TILL_MIDNIGHT


async def test_used_ones_and_what_comes_again_are_no_wrong_ones(core: Core) -> None:
    number, digits, call_id = kcell(208), await made(core), str(uuid.uuid4())
    assert isinstance(await redeem(core, number, digits), Done)
    for _ in range(6):
        assert await redeem(core, number, digits) == USED
        assert await redeem(core, number, "31415926535897", call_id) == WRONG
    await wrong_ones(core, number, 4)
    assert await redeem(core, number, str(next(_wrong_ones))) == CLOSED_TILL_MIDNIGHT


async def test_of_twenty_wrong_ones_at_once_five_are_looked_at(core: Core) -> None:
    tries = [redeem(core, kcell(209), str(next(_wrong_ones))) for _ in range(20)]
    outcomes = await asyncio.gather(*tries)
    assert (outcomes.count(WRONG), outcomes.count(CLOSED_TILL_MIDNIGHT)) == (5, 15)


async def test_a_voucher_of_another_currency_is_a_wrong_one_and_stays_whole(core: Core) -> None:
    number, digits = kcell(210), await made(core, 200, "KGS")
    for _ in range(5):
        assert await redeem(core, number, digits) == WRONG
    assert await redeem(core, number, digits) == CLOSED_TILL_MIDNIGHT
    assert result(await redeem(core, "996700000210", digits))["sum"] == som(200)


async def test_one_that_would_be_too_much_for_the_account_stays_whole(core: Core) -> None:
    number, digits = await with_balance(core, kcell(211), 1), await made(core)
    full = {"minor": MONEY_MINOR_MOST - 100, "currency": "KZT"}
    assert isinstance(await core.do("balances.top_up", number, sum=full, place="a-branch"), Done)
    assert await redeem(core, number, digits) == Refused("TOO_MUCH", {})
    assert isinstance(await redeem(core, kcell(212), digits), Done)


async def test_of_twenty_numbers_with_one_voucher_at_once_one_gets_its_worth(core: Core) -> None:
    digits = await made(core)
    numbers = [await with_balance(core, kcell(n), 50) for n in range(220, 240)]
    outcomes = await asyncio.gather(*(redeem(core, number, digits) for number in numbers))
    assert sorted(str(outcome) for outcome in outcomes) == sorted(
        [str(Done({"sum": tenge(100), "balance": tenge(150)})), *[str(USED)] * 19]
    )
    assert sum([await balance(core, number) for number in numbers]) == 20 * 50_00 + 100_00
    await assert_the_ledger_holds(core)


async def test_of_twenty_tries_of_one_number_at_once_one_gets_its_worth(core: Core) -> None:
    number, digits = await with_balance(core, kcell(240), 50), await made(core)
    outcomes = await asyncio.gather(*(redeem(core, number, digits) for _ in range(20)))
    assert (sum(isinstance(outcome, Done) for outcome in outcomes), outcomes.count(USED)) == (1, 19)
    assert await balance(core, number) == 150_00


async def test_it_is_a_top_up_and_pays_an_extra_balance_back(core: Core) -> None:
    number = await with_balance(core, kcell(241), 50)
    quote = result(await core.do("extra_balance.quote", number, offer="kcell-250"))
    told = {"intent": quote["intent"], "digits": quote["digits"]}
    assert isinstance(await core.do("extra_balance.confirm", number, **told), Done)
    assert await redeem(core, number, await made(core, 500)) == Done({"sum": tenge(500), "balance": tenge(525)})
    await assert_the_ledger_holds(core)


async def test_whoever_is_barred_for_debt_can_use_one_and_a_blocked_or_closed_number_cannot(core: Core) -> None:
    digits = await made(core)
    assert await redeem(core, kcell(295), digits) == Refused("BLOCKED", {})
    assert await redeem(core, kcell(297), digits) == Refused("CLOSED", {})
    assert await redeem(core, "77019999999", digits) == Refused("UNKNOWN_NUMBER", {})
    assert isinstance(await redeem(core, kcell(291), digits), Done)


async def test_of_the_digits_only_keyed_hashes_are_kept(core: Core, owner: asyncpg.Connection[asyncpg.Record]) -> None:
    used, unused = await made(core), await made(core)
    assert used.isdecimal()
    assert len(used) == DIGITS == 14
    await redeem(core, kcell(242), used)
    await redeem(core, kcell(242), "27182818284590")
    kept = await everything_kept(owner)
    assert kcell(242) in kept
    for digits in (used, unused, "27182818284590"):
        assert digits not in kept
