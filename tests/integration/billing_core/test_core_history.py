"""History: what was paid and used, with nobody's number; and the statement with numbers, for who proves to be the
holder."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from billing.calls import Done, Refused
from billing.contract import Value
from billing_core.seeding.wallets import pin_of

from .running_core import Core
from .stories import (
    DAY,
    HOUR,
    MIDNIGHT,
    MINUTE,
    NOON,
    SECOND,
    everything_kept,
    given_to_somebody_else,
    instant,
    kcell,
    result,
    tenge,
)
from .test_core_vouchers import made

NOT_THE_HOLDER, WRONG_CODE = Refused("NOT_THE_HOLDER", {}), Refused("WRONG_CODE", {})


@pytest.fixture(autouse=True)
def _it_is_noon(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


async def payments(core: Core, number: str) -> list[Any]:
    listed: list[Any] = result(await core.do("history.payments", number))["payments"]
    return listed


async def charges(core: Core, number: str) -> list[Any]:
    listed: list[Any] = result(await core.do("history.charges", number))["charges"]
    return listed


async def pay(core: Core, number: str, whole: int, at: datetime.datetime = NOON) -> None:
    core.now = at
    assert isinstance(await core.do("balances.top_up", number, sum=tenge(whole), place="a-branch"), Done)


async def use(
    core: Core, number: str, whole: int, at: datetime.datetime = NOON, kind: str = "call", **more: Value
) -> None:
    core.now = at
    assert result(await core.do("balances.charge", number, sum=tenge(whole), kind=kind, **more))["charged"] == tenge(
        whole
    )


async def confirmed(core: Core, number: str, domain: str, **wanted: Value) -> None:
    quoted = result(await core.do(f"{domain}.quote", number, **wanted))
    told = {"intent": quoted["intent"], "digits": quoted["digits"]}
    assert isinstance(await core.do(f"{domain}.confirm", number, **told), Done)


# --- history --------------------------------------------------------------------------------------------------------


async def test_payments_are_told_newest_first_with_how_they_came(core: Core) -> None:
    number = kcell(300)
    await pay(core, number, 100)
    core.now = NOON + HOUR
    assert isinstance(await core.do("vouchers.redeem", number, voucher=await made(core, 500)), Done)
    core.now = NOON + 2 * HOUR
    await confirmed(core, number, "extra_balance", offer="kcell-250")
    assert await payments(core, number) == [
        {"at": instant(NOON + 2 * HOUR), "kind": "extra_balance", "sum": tenge(250)},
        {"at": instant(NOON + HOUR), "kind": "voucher", "sum": tenge(500)},
        {"at": instant(NOON), "kind": "terminal", "sum": tenge(100)},
    ]


async def test_a_top_up_from_a_wallet_is_a_payment_of_the_wallet(core: Core) -> None:
    quoted = result(await core.do("wallet.quote_mobile", "996555000004", to="996555000300", sum=50))
    done = await core.do("wallet.confirm", "996555000004", intent=quoted["intent"], pin=pin_of(4))
    assert isinstance(done, Done)
    assert [each["kind"] for each in await payments(core, "996555000300")] == ["wallet"]


async def test_charges_are_told_newest_first_with_what_for(core: Core) -> None:
    number = kcell(327)
    await pay(core, number, 9000)
    for hours, kind in enumerate(("call", "sms", "internet", "roaming", "content")):
        await use(core, number, hours + 1, NOON + hours * HOUR, kind)
    core.now = NOON + 6 * HOUR
    await confirmed(core, number, "services", service="kcell-melody", connect=True)
    core.now = NOON + 7 * HOUR
    await confirmed(core, number, "tariffs", tariff="kcell-plus")
    core.now = NOON + 8 * HOUR
    await confirmed(core, number, "extra_balance", offer="kcell-250")
    await pay(core, number, 300, NOON + 9 * HOUR)
    told = [(each["kind"], each["sum"]) for each in await charges(core, number)]
    assert told == [
        *(("extra_balance", tenge(275)), ("tariff", tenge(3990)), ("service", tenge(199))),
        *(("content", tenge(5)), ("roaming", tenge(4)), ("internet", tenge(3)), ("sms", tenge(2)), ("call", tenge(1))),
    ]
    assert (await charges(core, number))[-1]["at"] == instant(NOON)


async def test_a_fee_for_a_reserved_number_is_told_as_that(core: Core) -> None:
    number = kcell(302)
    await pay(core, number, 1000)
    free = result(await core.do("numbers.search", number, brand="activ", prefix="775"))["numbers"][0]["number"]
    quoted = result(await core.do("numbers.quote", number, number=free, city="almaty"))
    told = {"intent": quoted["intent"], "digits": quoted["digits"]}
    assert isinstance(await core.do("numbers.reserve", number, **told), Done)
    assert [(each["kind"], each["sum"]) for each in await charges(core, number)] == [("reservation", tenge(500))]


async def test_a_number_that_was_called_is_never_told(core: Core) -> None:
    number, other = kcell(304), kcell(1)
    await pay(core, number, 100)
    await use(core, number, 10, other=other)
    assert [set(each) for each in await charges(core, number)] == [{"at", "kind", "sum"}]
    assert other not in str(await charges(core, number))


async def test_both_reach_back_90_days_and_no_further(core: Core) -> None:
    number = kcell(305)
    await pay(core, number, 500, NOON - 90 * DAY - SECOND)
    await use(core, number, 1, NOON - 90 * DAY - SECOND)
    await pay(core, number, 600, NOON - 90 * DAY)
    await use(core, number, 2, NOON - 90 * DAY)
    core.now = NOON
    assert [each["sum"] for each in await payments(core, number)] == [tenge(600)]
    assert [each["sum"] for each in await charges(core, number)] == [tenge(2)]
    core.now = NOON + SECOND
    assert (await payments(core, number), await charges(core, number)) == ([], [])


async def test_at_most_the_last_fifty_are_told(core: Core) -> None:
    number = kcell(306)
    await pay(core, number, 9000)
    for n in range(1, 53):
        await use(core, number, n, NOON + n * SECOND)
    assert [each["sum"] for each in await charges(core, number)] == [tenge(n) for n in range(52, 2, -1)]


async def test_a_charge_that_an_empty_account_could_not_pay_is_none(core: Core) -> None:
    number = kcell(191)
    assert result(await core.do("balances.charge", number, sum=tenge(10), kind="call"))["charged"] == tenge(0)
    await core.do("subscribers.set_status", number, status="active")
    assert await charges(core, number) == []


async def test_what_somebody_else_has_paid_and_used_is_not_told(core: Core) -> None:
    await pay(core, kcell(307), 100)
    await use(core, kcell(307), 10)
    assert (await payments(core, kcell(308)), await charges(core, kcell(308))) == ([], [])


async def test_the_next_holder_of_a_number_finds_no_history(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = kcell(309)
    await pay(core, number, 100)
    await use(core, number, 10)
    await core.do("subscribers.set_status", number, status="closed")
    await given_to_somebody_else(owner, number)
    assert (await payments(core, number), await charges(core, number)) == ([], [])


async def test_the_first_numbers_begin_with_a_history(core: Core) -> None:
    core.now = None
    paid, charged = await payments(core, kcell(7)), await charges(core, kcell(7))
    assert [each["kind"] for each in paid] == ["terminal"] * 3
    assert [each["kind"] for each in charged].count("tariff") == 2
    assert len(charged) == 6
    for listed in (paid, charged):
        assert listed == sorted(listed, key=lambda each: str(each["at"]), reverse=True)


async def test_whoever_is_barred_blocked_or_closed_has_no_history_told(core: Core) -> None:
    for n, code in ((391, "BARRED"), (395, "BLOCKED"), (397, "CLOSED")):
        assert await core.do("history.payments", kcell(n)) == Refused(code, {})
        assert await core.do("history.charges", kcell(n)) == Refused(code, {})
        assert await ask(core, kcell(n)) == Refused(code, {})
        assert await core.do("statements.get", kcell(n), code="12345678") == Refused(code, {})


# --- the statement --------------------------------------------------------------------------------------------------


HOLDER = {"surname": "Сейтқали", "name": "Гүлнар", "person_id": "850412400123"}


async def ask(core: Core, number: str, call_id: str | None = None, **other: str) -> Done | Refused:
    return await core.do("statements.request", number, call_id=call_id, **{**HOLDER, **other})


async def get(core: Core, number: str, code: str, call_id: str | None = None) -> Done | Refused:
    return await core.do("statements.get", number, code=code, call_id=call_id)


async def held(owner: asyncpg.Connection[asyncpg.Record], n: int) -> str:
    """A number of which it is known who holds it."""
    await owner.execute(
        "INSERT INTO identities SELECT subscriber_id, $2, $3, $4 FROM subscribers WHERE msisdn = $1",
        *(kcell(n), *HOLDER.values()),
    )
    return kcell(n)


async def sent(core: Core, number: str) -> str:
    assert isinstance(await ask(core, number), Done)
    return await core.sent(number, "statements.code", "code")


def not_it(code: str, nth: int = 1) -> str:
    return f"{(int(code) + nth) % 10**8:08}"


async def test_who_knows_the_holder_s_data_is_sent_a_code_that_opens_the_statement(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = await held(owner, 310)
    await pay(core, number, 100, NOON - DAY)
    await use(core, number, 10, NOON - 3 * HOUR, other=kcell(1))
    await use(core, number, 5, NOON - 2 * HOUR, kind="internet")
    core.now = NOON
    assert await ask(core, number) == Done({"valid_until": instant(NOON + 10 * MINUTE)})
    [notice] = await core.notices(number, "statements.code")
    code = notice["arguments"]["code"]
    assert (len(code), code.isdecimal(), notice["not_after"]) == (8, True, NOON + 10 * MINUTE)
    assert await get(core, number, code) == Done(
        {
            "items": [
                {"at": instant(NOON - 2 * HOUR), "kind": "internet", "sum": tenge(5)},
                {"at": instant(NOON - 3 * HOUR), "kind": "call", "sum": tenge(10), "other": kcell(1)},
            ]
        }
    )


async def test_fees_and_payments_are_no_items_nor_is_what_is_older_than_90_days(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = await held(owner, 311)
    await pay(core, number, 900, NOON - 91 * DAY)
    await use(core, number, 10, NOON - 90 * DAY - SECOND, other=kcell(1))
    await use(core, number, 11, NOON - 90 * DAY, other=kcell(1))
    core.now = NOON
    await confirmed(core, number, "services", service="kcell-melody", connect=True)
    assert [item["sum"] for item in result(await get(core, number, await sent(core, number)))["items"]] == [tenge(11)]


async def test_one_wrong_datum_is_enough_to_be_refused_and_no_code_is_sent(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = await held(owner, 312)
    for other in ({"surname": "Сейтқалиева"}, {"name": "Гульнар"}, {"person_id": "850412400124"}):
        assert await ask(core, number, **other) == NOT_THE_HOLDER
    assert await core.notices(number) == []


async def test_of_whom_nothing_is_known_nobody_proves_to_be_the_holder(core: Core) -> None:
    assert await ask(core, kcell(313)) == NOT_THE_HOLDER


async def test_case_spaces_around_and_full_width_forms_do_not_matter(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = await held(owner, 314)
    assert isinstance(await ask(core, number, surname=" сЕЙТҚАЛИ ", name="ГҮЛНАР"), Done)


async def test_three_tries_a_day_are_looked_at_whatever_they_come_to(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = await held(owner, 315)
    assert await ask(core, number, name="Айгүл") == NOT_THE_HOLDER
    assert isinstance(await ask(core, number), Done)
    assert await ask(core, number, name="Айгүл") == NOT_THE_HOLDER
    too_often = Refused("TOO_OFTEN", {"again_at": instant(MIDNIGHT)})
    assert await ask(core, number) == too_often
    core.now = MIDNIGHT - SECOND
    assert await ask(core, number) == too_often
    core.now = MIDNIGHT
    assert isinstance(await ask(core, number), Done)


async def test_of_twenty_tries_at_once_three_are_looked_at_and_one_that_comes_again_is_one(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number, call_id = await held(owner, 316), str(uuid.uuid4())
    for _ in range(5):
        assert await ask(core, number, call_id, name="Айгүл") == NOT_THE_HOLDER
    outcomes = await asyncio.gather(*(ask(core, number, name=f"Айгүл{n}") for n in range(20)))
    assert outcomes.count(NOT_THE_HOLDER) == 2


async def test_a_code_opens_the_statement_once(core: Core, owner: asyncpg.Connection[asyncpg.Record]) -> None:
    number = await held(owner, 317)
    code = await sent(core, number)
    outcomes = await asyncio.gather(*(get(core, number, code) for _ in range(10)))
    assert (outcomes.count(Done({"items": []})), outcomes.count(WRONG_CODE)) == (1, 9)
    assert await get(core, number, code) == WRONG_CODE


async def test_three_wrong_codes_void_the_right_one(core: Core, owner: asyncpg.Connection[asyncpg.Record]) -> None:
    number = await held(owner, 318)
    code = await sent(core, number)
    for nth in (1, 2, 3):
        assert await get(core, number, not_it(code, nth)) == WRONG_CODE
    assert await get(core, number, code) == WRONG_CODE


async def test_after_two_wrong_codes_the_right_one_still_opens_it(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number, call_id = await held(owner, 319), str(uuid.uuid4())
    code = await sent(core, number)
    for _ in range(5):
        assert await get(core, number, not_it(code, 1), call_id) == WRONG_CODE
    assert await get(core, number, not_it(code, 2)) == WRONG_CODE
    assert isinstance(await get(core, number, code), Done)


async def test_of_many_guesses_at_once_three_are_looked_at(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = await held(owner, 320)
    code = await sent(core, number)
    await asyncio.gather(*(get(core, number, not_it(code, nth)) for nth in range(1, 21)))
    assert (
        await core.pool.fetchval(
            "SELECT wrong FROM statement_codes JOIN subscribers USING (subscriber_id) WHERE msisdn = $1", number
        )
        == 3
    )
    assert await get(core, number, code) == WRONG_CODE


async def test_a_code_holds_for_ten_minutes(core: Core, owner: asyncpg.Connection[asyncpg.Record]) -> None:
    number = await held(owner, 321)
    code = await sent(core, number)
    core.now = NOON + 10 * MINUTE
    assert await get(core, number, code) == WRONG_CODE
    core.now = NOON
    code = await sent(core, number)
    core.now = NOON + 10 * MINUTE - SECOND
    assert isinstance(await get(core, number, code), Done)


async def test_a_new_code_voids_the_one_before_and_begins_its_own_tries(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number = await held(owner, 322)
    first = await sent(core, number)
    for nth in (1, 2, 3):
        assert await get(core, number, not_it(first, nth)) == WRONG_CODE
    second = await sent(core, number)
    assert await get(core, number, first) == WRONG_CODE
    assert isinstance(await get(core, number, second), Done)


async def test_a_code_of_another_number_opens_nothing(core: Core, owner: asyncpg.Connection[asyncpg.Record]) -> None:
    mine, theirs = await held(owner, 323), await held(owner, 324)
    await sent(core, mine)
    assert await get(core, mine, await sent(core, theirs)) == WRONG_CODE
    assert await get(core, kcell(325), "12345678") == WRONG_CODE


async def test_neither_the_code_nor_the_statement_is_kept_in_an_answer(
    core: Core, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    number, call_id = await held(owner, 326), str(uuid.uuid4())
    await pay(core, number, 100)
    await use(core, number, 10, other="77015550000")
    code = await sent(core, number)
    assert result(await get(core, number, code, call_id))["items"][0]["other"] == "77015550000"
    assert await get(core, number, code, call_id) == Done({"items": []})
    answers = await owner.fetch("SELECT answer::text FROM calls")
    assert "77015550000" not in "".join(row[0] for row in answers)
    kept = await everything_kept(owner)
    assert number in kept
    assert code not in kept
    assert code.encode().hex() not in kept
