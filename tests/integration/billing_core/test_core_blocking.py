"""A number that is lost or closed, what its holder wants to be told, and who manages it for its holder."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any, TypeAlias

import asyncpg
import pytest

from billing.calls import Done, Refused
from billing.contract import OPERATIONS, Value
from billing_core.domains.vouchers import Vouchers
from billing_core.seeding.wallets import inn_of, pin_of

from .running_core import Core, sent_password
from .stories import (
    HOUR,
    NOON,
    assert_the_ledger_holds,
    balance,
    given_to_somebody_else,
    instant,
    kcell,
    manages,
    result,
    tenge,
    with_balance,
)

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
BLOCKED, CLOSED, NOT_MANAGED = Refused("BLOCKED", {}), Refused("CLOSED", {}), Refused("NOT_MANAGED", {})


@pytest.fixture(autouse=True)
def _it_is_noon(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


async def block(core: Core, number: str, digits: str = "", **more: Any) -> Done | Refused:
    return await core.do("blocking.block", number, last_digits=digits or number[-4:], **more)


async def unblock(core: Core, number: str) -> Done | Refused:
    return await core.do("blocking.unblock", number, document="passport N12345678")


async def set_status(core: Core, number: str, status: str) -> Done | Refused:
    return await core.do("subscribers.set_status", number, status=status)


async def hello(core: Core, number: str) -> Any:
    return result(await core.do("subscribers.hello", number))


async def orders(core: Core, number: str) -> list[str]:
    return [
        row[0]
        for row in await core.pool.fetch("SELECT what FROM provisioning WHERE msisdn = $1 ORDER BY order_id", number)
    ]


async def quoted(core: Core, holder: str, operation: str, /, **wanted: Value) -> dict[str, Any]:
    """What confirms a quote of this operation."""
    quote = result(await core.do(operation, holder, **wanted))
    return {"intent": quote["intent"], "digits": quote["digits"]}


# --- blocking -------------------------------------------------------------------------------------------------------


async def test_the_last_four_digits_block_a_number_the_network_is_told_and_an_sms_is_sent(core: Core) -> None:
    number = kcell(200)
    assert await block(core, number) == Done({})
    assert (await hello(core, number))["status"] == "blocked"
    assert await orders(core, number) == ["block"]
    [notice] = await core.notices(number)
    assert (notice["event"], notice["arguments"]) == ("number.blocked", {"at": instant(NOON)})


async def test_other_digits_block_nothing(core: Core) -> None:
    number = kcell(201)
    for digits in ("0200", "1020", "0000"):
        assert await block(core, number, digits) == Refused("WRONG_DIGITS", {})
    assert (await hello(core, number))["status"] == "active"
    assert await orders(core, number) == []


async def test_a_blocked_number_has_help_and_nothing_else(core: Core) -> None:
    number = kcell(202)
    await block(core, number)
    asked: tuple[tuple[str, dict[str, Value]], ...] = (
        ("balances.get", {}),
        ("vouchers.redeem", {"voucher": "10000000000000"}),
        ("extra_balance.offers", {}),
        ("history.payments", {}),
        ("tariffs.current", {}),
        ("services.offered", {}),
        ("notices.settings", {}),
        ("requests.left", {}),
        ("numbers.reservations", {}),
        ("delegation.managed", {}),
        ("cabinet.temporary_password", {}),
        ("blocking.block", {"last_digits": number[-4:]}),
    )
    for operation, arguments in asked:
        assert await core.do(operation, number, **arguments) == BLOCKED, operation
    assert isinstance(await core.do("faults.report", number, kind="network"), Done)
    assert isinstance(await core.do("service_points.cities", number), Done)


async def test_a_number_that_owed_before_or_since_owes_when_it_is_opened_again(core: Core) -> None:
    before, since = kcell(661), kcell(662)
    await set_status(core, before, "barred")
    await block(core, before)
    await block(core, since)
    await set_status(core, since, "barred")
    for number in (before, since):
        assert await unblock(core, number) == Done({})
        assert (await hello(core, number))["status"] == "barred"


async def test_only_an_office_undoes_it_with_a_document_that_is_noted(core: Core, owner: Owner) -> None:
    number = kcell(204)
    await block(core, number)
    for status in ("barred", "active"):
        assert await set_status(core, number, status) == Done({"status": "blocked"})
    assert {name for name in OPERATIONS if name.startswith("blocking.")} == {"blocking.block", "blocking.unblock"}
    assert (OPERATIONS["blocking.unblock"].asked_by, OPERATIONS["subscribers.set_status"].asked_by) == ("office",) * 2
    assert not OPERATIONS["blocking.unblock"].by_manager
    assert await unblock(core, number) == Done({})
    assert (await hello(core, number))["status"] == "active"
    assert await orders(core, number) == ["block", "unblock"]
    noted = await owner.fetchrow(
        "SELECT why, document, at FROM documents_shown JOIN subscribers USING (subscriber_id) WHERE msisdn = $1", number
    )
    assert noted == ("blocking.unblock", "passport N12345678", NOON)


async def test_the_network_is_told_in_the_order_in_which_it_was_wanted(core: Core) -> None:
    number = kcell(205)
    for _ in range(2):
        await block(core, number)
        await unblock(core, number)
    for _ in range(4):
        await core.sweeper.sweep()
    rows = await core.pool.fetch("SELECT what, done_at FROM provisioning WHERE msisdn = $1 ORDER BY order_id", number)
    assert [row["what"] for row in rows] == ["block", "unblock"] * 2
    assert all(row["done_at"] is not None for row in rows)


async def test_a_number_that_is_not_blocked_is_not_unblocked(core: Core) -> None:
    assert await unblock(core, kcell(206)) == Refused("NOT_BLOCKED", {})
    assert await unblock(core, kcell(291)) == Refused("NOT_BLOCKED", {})
    assert await unblock(core, kcell(297)) == CLOSED


async def test_blocked_twice_at_once_it_is_blocked_once(core: Core) -> None:
    number = kcell(207)
    outcomes = await asyncio.gather(*(block(core, number) for _ in range(10)))
    assert (outcomes.count(Done({})), outcomes.count(BLOCKED)) == (1, 9)
    assert await orders(core, number) == ["block"]


async def test_a_number_barred_for_debt_can_be_blocked(core: Core) -> None:
    assert await block(core, kcell(292)) == Done({})


async def test_blocking_ends_what_the_number_manages_and_who_manages_it_and_each_is_told_once(
    core: Core, owner: Owner
) -> None:
    number, manager, managed, mutual = (kcell(n) for n in (208, 209, 210, 211))
    for pair in ((manager, number), (number, managed), (mutual, number), (number, mutual)):
        await manages(owner, *pair)
    assert await core.do("delegation.request", kcell(212), number=number) != NOT_MANAGED
    assert await block(core, number) == Done({})
    for other in (manager, managed, mutual):
        assert [n["arguments"] for n in await core.notices(other, "delegation.ended")] == [{"number": number}]
    assert await core.notices(kcell(212)) == []
    states = await owner.fetch(
        "SELECT DISTINCT state, mark FROM delegations d"
        " JOIN subscribers s ON s.subscriber_id IN (manager_id, managed_id) WHERE s.msisdn = $1 ORDER BY state",
        number,
    )
    assert [tuple(row) for row in states] == [("ended", None), ("expired", None)]
    await unblock(core, number)
    assert await core.do("balances.get", number, by=manager) == NOT_MANAGED


# --- closing a number -----------------------------------------------------------------------------------------------


async def closed_and_given_away(core: Core, owner: Owner, number: str) -> None:
    assert await set_status(core, number, "closed") == Done({"status": "closed"})
    await given_to_somebody_else(owner, number)


async def test_closing_tells_the_network_and_leaves_help_alone(core: Core) -> None:
    number = kcell(216)
    assert await set_status(core, number, "closed") == Done({"status": "closed"})
    assert (await hello(core, number))["status"] == "closed"
    assert await orders(core, number) == ["close"]
    assert await core.do("balances.get", number) == CLOSED
    assert isinstance(await core.do("service_points.cities", number), Done)


async def test_a_blocked_number_can_be_closed(core: Core) -> None:
    await block(core, kcell(217))
    assert await set_status(core, kcell(217), "closed") == Done({"status": "closed"})


async def test_the_next_holder_finds_no_wallet_and_the_person_can_open_another(core: Core, owner: Owner) -> None:
    number, other = "996555000005", "996555000250"
    assert isinstance(await core.do("wallet.balance", number), Done)
    await closed_and_given_away(core, owner, number)
    assert result(await core.do("wallet.state", number))["registered"] is False
    assert await core.do("wallet.balance", number) == Refused("NO_WALLET", {})
    names = {"first_name": "Айгуль", "last_name": "Токтогулова", "offer": "accepted"}
    assert await core.do("wallet.register", other, inn=inn_of("megacom", 5), **names) == Done({})
    assert result(await core.do("wallet.balance", other))["balance"]["minor"] == 0
    await assert_the_ledger_holds(core)


async def test_a_payment_that_was_quoted_is_not_confirmed_any_more(core: Core, owner: Owner) -> None:
    number = "996777000005"
    quote = result(await core.do("wallet.quote_transfer", number, to="996555000006", sum=100))
    await set_status(core, number, "closed")
    assert await core.do("wallet.confirm", number, intent=quote["intent"], pin=pin_of(5)) == CLOSED
    await given_to_somebody_else(owner, number)
    confirmed = await core.do("wallet.confirm", number, intent=quote["intent"], pin=pin_of(5))
    assert confirmed == Refused("NO_WALLET", {})
    state = await core.pool.fetchval("SELECT state FROM intents WHERE intent_id = $1", quote["intent"])
    assert state == "expired"


async def test_the_next_holder_confirms_no_quote_of_the_one_before(core: Core, owner: Owner) -> None:
    number = await with_balance(core, kcell(218), 5000)
    tariff = await quoted(core, number, "tariffs.quote", tariff="kcell-plus")
    service = await quoted(core, number, "services.quote", service="kcell-melody", connect=True)
    await closed_and_given_away(core, owner, number)
    await with_balance(core, number, 5000)
    no_such_quote = Refused("NO_SUCH_QUOTE", {})
    assert await core.do("tariffs.confirm", number, **tariff) == no_such_quote
    assert await core.do("services.confirm", number, **service) == no_such_quote
    states = await core.pool.fetch(
        "SELECT state FROM intents WHERE intent_id = ANY ($1)",
        [uuid.UUID(each["intent"]) for each in (tariff, service)],
    )
    assert [row[0] for row in states] == ["expired"] * 2


async def test_a_temporary_password_and_the_cabinet_s_own_are_void(core: Core, owner: Owner) -> None:
    number = kcell(219)
    await core.do("cabinet.temporary_password", number)
    temporary = await sent_password(core, number)
    assert isinstance(await core.do("cabinet.change_password", number, old=temporary, new="wolf-tree-seven"), Done)
    core.now = NOON + HOUR
    await core.do("cabinet.temporary_password", number)
    temporary = await sent_password(core, number)
    await closed_and_given_away(core, owner, number)
    for table in ("cabinets", "temporary_passwords"):
        hashes = await core.pool.fetch(
            f"SELECT password_hash FROM {table} JOIN subscribers USING (subscriber_id) WHERE msisdn = $1", number
        )
        assert {row[0] for row in hashes} == {None}
    for password in (temporary, "wolf-tree-seven"):
        refused = await core.do("cabinet.login", number, password=password)
        assert isinstance(refused, Refused)
        assert refused.code == "WRONG_PASSWORD"


async def test_a_statement_s_code_is_void(core: Core, owner: Owner) -> None:
    number = kcell(220)
    await owner.execute(
        "INSERT INTO identities SELECT subscriber_id, 'Ким', 'Ольга', '850412400123' FROM subscribers"
        " WHERE msisdn = $1",
        number,
    )
    person = {"surname": "Ким", "name": "Ольга", "person_id": "850412400123"}
    assert isinstance(await core.do("statements.request", number, **person), Done)
    code = await core.sent(number, "statements.code", "code")
    await closed_and_given_away(core, owner, number)
    [mark] = await core.pool.fetch(
        "SELECT mark FROM statement_codes JOIN subscribers USING (subscriber_id) WHERE msisdn = $1", number
    )
    assert mark[0] is None
    assert await core.do("statements.get", number, code=code) == Refused("WRONG_CODE", {})
    assert await core.do("statements.request", number, **person) == Refused("NOT_THE_HOLDER", {})


async def test_delegations_both_ways_end_and_requests_too(core: Core, owner: Owner) -> None:
    number, manager, asking = kcell(221), kcell(222), kcell(224)
    await manages(owner, manager, number)
    assert isinstance(await core.do("delegation.request", asking, number=number), Done)
    code = await core.sent(number, "delegation.asked", "code")
    await closed_and_given_away(core, owner, number)
    assert [n["arguments"] for n in await core.notices(manager, "delegation.ended")] == [{"number": number}]
    assert await core.do("balances.get", number, by=manager) == NOT_MANAGED
    assert result(await core.do("delegation.managed", manager)) == {"managed": [], "agreed": []}
    core.now = NOON + 73 * HOUR
    refused = await core.do("delegation.confirm", number, code=code)
    assert isinstance(refused, Refused)
    assert refused.code == "WRONG_CODE"


async def test_what_was_reserved_is_free_again_and_the_fee_is_not_given_back(core: Core, owner: Owner) -> None:
    number, other = await with_balance(core, kcell(225), 1000), await with_balance(core, kcell(226), 1000)
    free = result(await core.do("numbers.search", number, brand="activ", prefix="775"))["numbers"][0]["number"]
    told = await quoted(core, number, "numbers.quote", number=free, city="almaty")
    assert isinstance(await core.do("numbers.reserve", number, **told), Done)
    assert await core.do("numbers.quote", other, number=free, city="almaty") == Refused("TAKEN", {})
    await closed_and_given_away(core, owner, number)
    assert result(await core.do("numbers.reservations", number))["reservations"] == []
    told = await quoted(core, other, "numbers.quote", number=free, city="almaty")
    assert isinstance(await core.do("numbers.reserve", other, **told), Done)
    left = await core.pool.fetch(
        "SELECT balance_minor FROM accounts JOIN subscribers USING (subscriber_id)"
        " WHERE msisdn = $1 AND kind = 'prepaid' ORDER BY subscriber_id",
        number,
    )
    assert [row[0] for row in left] == [500_00, 0]


async def test_the_next_holder_has_neither_money_debt_services_settings_nor_language_of_the_one_before(
    core: Core, owner: Owner
) -> None:
    number = await with_balance(core, kcell(227), 500)
    told = await quoted(core, number, "extra_balance.quote", offer="kcell-250")
    assert isinstance(await core.do("extra_balance.confirm", number, **told), Done)
    told = await quoted(core, number, "services.quote", service="kcell-melody", connect=True)
    assert isinstance(await core.do("services.confirm", number, **told), Done)
    await core.do("extra_balance.set_auto", number, auto=True)
    await core.do("notices.set", number, kind="requests", on=False)
    await core.ask("subscribers.set_language", number, {"language": "en"})
    await closed_and_given_away(core, owner, number)
    assert await core.do("balances.get", number) == Done({"balance": tenge(0), "bonuses": tenge(0)})
    assert result(await core.do("services.connected", number))["services"] == []
    offers = result(await core.do("extra_balance.offers", number))
    assert (offers["auto"], "owed" in offers) == (False, False)
    assert result(await core.do("notices.settings", number))["requests"] is True
    assert "language" not in await hello(core, number)
    assert await core.do("balances.top_up", number, sum=tenge(100), place="a-branch") == Done({"balance": tenge(100)})


# --- what its holder wants to be told ---------------------------------------------------------------------------------


async def test_all_notices_are_wanted_until_one_is_switched_off_and_the_others_stay(core: Core) -> None:
    number = kcell(231)
    every = {"low_balance": True, "topped_up": True, "missed_calls": True, "requests": True}
    assert result(await core.do("notices.settings", number)) == {**every, "below": tenge(100)}
    for kind in every:
        assert await core.do("notices.set", number, kind=kind, on=False) == Done({"on": False})
        assert result(await core.do("notices.settings", number)) == {**every, kind: False, "below": tenge(100)}
        assert await core.do("notices.set", number, kind=kind, on=True) == Done({"on": True})
    assert await core.do("notices.set_low_balance", number, below=tenge(250)) == Done({"below": tenge(250)})
    await core.do("notices.set", number, kind="topped_up", on=False)
    assert result(await core.do("notices.settings", number)) == {**every, "topped_up": False, "below": tenge(250)}


# --- who manages the number -----------------------------------------------------------------------------------------


async def managed_pair(core: Core, owner: Owner, n: int, whole: int = 9000) -> tuple[str, str]:
    """A number with money, and who manages it."""
    number = await with_balance(core, kcell(n), whole)
    await manages(owner, kcell(n + 1), number)
    return number, kcell(n + 1)


BY_MANAGER = sorted(name for name, operation in OPERATIONS.items() if operation.by_manager)
ARGUMENTS: dict[str, dict[str, Value]] = {
    "tariffs.quote": {"tariff": "kcell-plus"},
    "tariffs.confirm": {"intent": str(uuid.UUID(int=1)), "digits": "11"},
    "services.quote": {"service": "kcell-melody", "connect": True},
    "services.confirm": {"intent": str(uuid.UUID(int=1)), "digits": "11"},
    "extra_balance.quote": {"offer": "kcell-250"},
    "extra_balance.confirm": {"intent": str(uuid.UUID(int=1)), "digits": "11"},
    "extra_balance.set_auto": {"auto": True},
    "vouchers.redeem": {"voucher": "10000000000005"},
    "notices.set": {"kind": "topped_up", "on": False},
    "notices.set_low_balance": {"below": tenge(5)},
    "blocking.block": {"last_digits": "0250"},
}


@pytest.mark.parametrize("operation", BY_MANAGER)
async def test_whoever_does_not_manage_a_number_is_told_nothing_of_it_and_changes_nothing(
    core: Core, owner: Owner, operation: str
) -> None:
    number, arguments = kcell(250), ARGUMENTS.get(operation, {})
    before = await balance(core, number)
    assert await core.do(operation, number, by=kcell(251), **arguments) == NOT_MANAGED
    assert await core.do(operation, number, by="77019999999", **arguments) == NOT_MANAGED
    assert await core.do(operation, kcell(291), by=kcell(251), **arguments) == NOT_MANAGED
    assert (await balance(core, number), await core.notices(number)) == (before, [])


async def test_a_manager_sees_the_balance_and_history_of_the_number_and_who_holds_it_is_not_told(
    core: Core, owner: Owner
) -> None:
    number, manager = await managed_pair(core, owner, 252)
    before = len(await core.notices(number))
    assert result(await core.do("balances.get", number, by=manager))["balance"] == tenge(9000)
    assert result(await core.do("subscribers.hello", number, by=manager))["status"] == "active"
    for operation in BY_MANAGER:
        if not OPERATIONS[operation].changes:
            assert isinstance(await core.do(operation, number, by=manager), Done), operation
    assert len(await core.notices(number)) == before


async def test_each_change_by_a_manager_is_told_to_the_holder_with_who_and_what(core: Core, owner: Owner) -> None:
    number, manager = await managed_pair(core, owner, 254)
    [vouchers] = core.domains.by_name["vouchers"]
    assert isinstance(vouchers, Vouchers)
    async with core.pool.acquire() as connection:
        [voucher] = await vouchers.make(connection, 1, 100_00, "KZT")
    asked: tuple[tuple[str, dict[str, Value], str], ...] = (
        ("tariffs", {"tariff": "kcell-plus"}, "tariff"),
        ("services", {"service": "kcell-melody", "connect": True}, "service"),
        ("extra_balance", {"offer": "kcell-250"}, "extra_balance"),
    )
    for domain, wanted, _what in asked:
        quote = result(await core.do(f"{domain}.quote", number, by=manager, **wanted))
        told = {"intent": quote["intent"], "digits": quote["digits"]}
        assert isinstance(await core.do(f"{domain}.confirm", number, by=manager, **told), Done)
    assert isinstance(await core.do("vouchers.redeem", number, by=manager, voucher=voucher), Done)
    assert isinstance(await core.do("notices.set", number, by=manager, kind="topped_up", on=False), Done)
    assert isinstance(await block(core, number, by=manager), Done)
    told_of = [notice["arguments"] for notice in await core.notices(number, "delegation.changed")]
    whats = [*(what for _domain, _wanted, what in asked), "voucher", "notices", "blocking"]
    assert told_of == [{"caller": manager, "what": what} for what in whats]
    await assert_the_ledger_holds(core)


async def test_what_a_manager_was_refused_or_has_only_quoted_is_not_told(core: Core, owner: Owner) -> None:
    number, manager = await managed_pair(core, owner, 256, 10)
    assert isinstance(await core.do("extra_balance.quote", number, by=manager, offer="kcell-250"), Done)
    refused = await core.do("tariffs.quote", number, by=manager, tariff="kcell-11")
    assert isinstance(refused, Refused)
    assert await core.do("vouchers.redeem", number, by=manager, voucher="31415926535897") == Refused(
        "WRONG_VOUCHER", {}
    )
    assert await core.notices(number, "delegation.changed") == []


async def test_it_is_the_managed_number_s_money_that_a_manager_spends(core: Core, owner: Owner) -> None:
    number, manager = await managed_pair(core, owner, 258, 5000)
    await with_balance(core, manager, 10)
    quote = result(await core.do("services.quote", number, by=manager, service="kcell-melody", connect=True))
    told = {"intent": quote["intent"], "digits": quote["digits"]}
    assert await core.do("services.confirm", manager, **told) == Refused("NO_SUCH_QUOTE", {})
    assert isinstance(await core.do("services.confirm", number, by=manager, **told), Done)
    assert (await balance(core, number), await balance(core, manager)) == (5000_00 - 199_00, 10_00)


async def test_managing_is_suspended_while_the_managed_number_is_in_debt(core: Core, owner: Owner) -> None:
    number, manager = await managed_pair(core, owner, 260)
    await set_status(core, number, "barred")
    assert await core.do("balances.get", number, by=manager) == NOT_MANAGED
    assert await core.do("vouchers.redeem", number, by=manager, voucher="31415926535897") == NOT_MANAGED
    assert "manages" not in await hello(core, manager)
    await set_status(core, number, "active")
    assert isinstance(await core.do("balances.get", number, by=manager), Done)
    assert (await hello(core, manager))["manages"] == 1


async def test_a_managed_number_manages_not_its_manager_s_others(core: Core, owner: Owner) -> None:
    number, manager = await managed_pair(core, owner, 262)
    await manages(owner, kcell(264), manager)
    assert await core.do("balances.get", number, by=kcell(264)) == NOT_MANAGED
    assert await core.do("balances.get", manager, by=number) == NOT_MANAGED


async def test_a_manager_that_is_blocked_or_closed_manages_no_more(core: Core, owner: Owner) -> None:
    for n, end in ((265, "blocked"), (267, "closed")):
        number, manager = await managed_pair(core, owner, n)
        await (block(core, manager) if end == "blocked" else set_status(core, manager, "closed"))
        assert await core.do("balances.get", number, by=manager) == NOT_MANAGED
        assert [each["arguments"] for each in await core.notices(number, "delegation.ended")] == [{"number": manager}]


def test_only_what_a_manager_may_do_is_open_to_a_manager() -> None:
    assert {name.partition(".")[0] for name in BY_MANAGER} == {
        *("subscribers", "balances", "history", "tariffs", "services", "extra_balance", "vouchers", "notices"),
        "blocking",
    }
    for name in ("statements.request", "blocking.unblock", "subscribers.set_language", "requests.call_me"):
        assert not OPERATIONS[name].by_manager


async def test_what_waits_to_be_sent_to_a_closed_number_is_not_sent_to_its_next_holder(core: Core) -> None:
    number = kcell(663)
    await core.do("faults.report", number, kind="network")
    assert await set_status(core, number, "closed") == Done({"status": "closed"})
    waiting = "SELECT count(*) FROM notices WHERE msisdn = $1 AND state = 'waiting' AND not_after > moment()"
    assert await core.pool.fetchval(waiting, number) == 0
