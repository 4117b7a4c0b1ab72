"""The wallet: opened by its holder, guarded by a PIN. Each story has a number of its own."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from billing.calls import Done, Refused
from billing_core.passwords import Busy
from billing_core.pins import is_personal_inn, is_trivial, make_pin

from .running_core import Core, running_core
from .stories import change_pin

NOON = datetime.datetime(2027, 3, 31, 6, tzinfo=datetime.UTC)  # in Bishkek
MINUTE = datetime.timedelta(minutes=1)
PIN, OTHER_PIN, WRONG = "8305", "6174", "7391"
KGS = "KGS"


@pytest.fixture(scope="module")
async def core(database: str) -> AsyncIterator[Core]:
    """A core with hashes that cost little."""
    async with running_core(database, memory_kib=8, passes=1) as core:
        yield core


@pytest.fixture(autouse=True)
def _the_time_is_the_databases(core: Core) -> Iterator[None]:
    core.now = NOON
    yield
    core.now = None


_persons = itertools.count(10_000)


async def opened(core: Core, number: str, pin: str = PIN, som: int = 1000) -> None:
    """Opens a wallet with this PIN and so many som."""
    names = {"first_name": "Айбек", "last_name": "Асанов", "offer": "accepted"}
    inn = f"220051990{next(_persons):05}"
    assert await core.do("wallet.register", number, **names, inn=inn) == Done({})
    sent = await core.sent(number, "wallet.registered", "pin")
    assert sent == pin or await change_pin(core, number, sent, pin) == Done({})  # one in 10,000 is made as it is chosen
    if som:
        topped_up = await core.do("wallet.top_up", number, sum={"minor": som * 100, "currency": KGS}, place="b1")
        assert topped_up == Done({"balance": {"minor": som * 100, "currency": KGS}})


# --- registration ---


async def test_a_wallet_is_opened_and_its_pin_comes_by_sms(core: Core) -> None:
    number = "996555000101"
    assert (await core.do("wallet.state", number)) == Done({"registered": False, "open": False})
    names = {"first_name": " Aibek ", "last_name": "Assanov-Uulu", "offer": "accepted"}
    assert await core.do("wallet.register", number, **names, inn="22005199000001") == Done({})
    assert (await core.do("wallet.state", number)) == Done({"registered": True, "open": False})
    assert await core.do("wallet.balance", number) == Done({"balance": {"minor": 0, "currency": KGS}})
    [notice] = await core.notices(number, "wallet.registered")
    assert len(notice["arguments"]["pin"]) == 4
    assert not is_trivial(notice["arguments"]["pin"], number, NOON.date())


@pytest.mark.parametrize(
    ("number", "change", "code"),
    [
        ("996555000111", {"inn": "32005199000002"}, "WRONG_INN"),
        ("996555000112", {"inn": "23102199000002"}, "WRONG_INN"),
        ("996555000113", {"inn": "23103202700002"}, "WRONG_INN"),  # today
        ("996555000114", {"inn": "23003202700002"}, ""),  # yesterday
        ("996555000115", {"first_name": "R2D2"}, "WRONG_NAME"),
        ("996555000116", {"last_name": " - "}, "WRONG_NAME"),
        ("996555000117", {"inn": "22005199000001"}, "INN_HAS_WALLET"),
    ],
)
async def test_registration_refuses_what_is_no_person_or_has_a_wallet(
    core: Core, number: str, change: dict[str, str], code: str
) -> None:
    given = {"first_name": "Айгүл", "last_name": "Бекова", "inn": "22005199000003", "offer": "accepted", **change}
    outcome = await core.do("wallet.register", number, **given)
    assert outcome == (Refused(code, {}) if code else Done({}))


async def test_a_number_has_one_wallet_and_one_network_has_none(core: Core) -> None:
    number = "996555000102"
    await opened(core, number, som=0)
    given = {"first_name": "A", "last_name": "B", "inn": "22005199099999", "offer": "accepted"}
    assert await core.do("wallet.register", number, **given) == Refused("HAS_WALLET", {})
    assert await core.do("wallet.register", "996700000001", **given) == Refused("NOT_OFFERED", {})
    assert await core.do("wallet.register", "77010000007", **given) == Refused("NOT_OFFERED", {})


async def test_of_twenty_registrations_of_one_person_at_once_one_wallet_comes(core: Core) -> None:
    given = {"first_name": "A", "last_name": "B", "inn": "22005199088888", "offer": "accepted"}
    numbers = [f"9965550002{n:02}" for n in range(20)]
    outcomes = await asyncio.gather(*(core.do("wallet.register", number, **given) for number in numbers))
    assert outcomes.count(Done({})) == 1
    assert outcomes.count(Refused("INN_HAS_WALLET", {})) == 19


def test_an_inn_is_that_of_a_person_when_its_date_is_real_and_past() -> None:
    today = datetime.date(2026, 11, 25)
    assert is_personal_inn("12911200012345", today)
    assert is_personal_inn("22402199600000", today)
    for wrong in ("02911200012345", "13011202612345", "22902190112345", "1291120001234", "129112000123456"):
        assert not is_personal_inn(wrong, today), wrong


# --- the PIN ---


@pytest.mark.parametrize("pin", ["0000", "1234", "4321", "0123", "7890", "9876", "1990", "2020", "0103", "12a4", "٣٤"])
def test_a_pin_that_is_tried_first_is_trivial(pin: str) -> None:
    assert is_trivial(pin, "996555000103", datetime.date(2026, 11, 25))


def test_pins_that_are_made_are_never_trivial() -> None:
    today = datetime.date(2026, 11, 25)
    assert not any(is_trivial(make_pin("996555000103", today), "996555000103", today) for _ in range(500))
    assert not is_trivial("2027", "996555000103", today)


async def test_a_pin_is_changed_by_the_old_one_and_the_new_one_twice(core: Core) -> None:
    number = "996555000104"
    await opened(core, number, som=0)
    assert await change_pin(core, number, PIN, OTHER_PIN) == Done({})
    assert [n["event"] for n in await core.notices(number)][-1] == "wallet.pin_changed"
    assert await change_pin(core, number, PIN, "5820") == Refused("WRONG_PIN", {"tries_left": 2})


async def test_a_new_pin_that_will_not_do_is_refused_and_another_may_be_chosen(core: Core) -> None:
    number = "996555000105"
    await opened(core, number, som=0)
    begun = await core.do("wallet.begin_pin_change", number, old=PIN)
    assert isinstance(begun, Done)
    change = begun.result["change"]
    for new in ("0105", "1990", "1111", "9876", PIN):
        assert await core.do("wallet.choose_pin", number, change=change, new=new) == Refused("TRIVIAL_PIN", {})
    assert await core.do("wallet.choose_pin", number, change=change, new=OTHER_PIN) == Done({})
    assert await core.do("wallet.confirm_pin", number, change=change, again=OTHER_PIN) == Done({})


async def test_a_new_pin_that_is_not_typed_twice_alike_has_to_be_chosen_anew(core: Core) -> None:
    number = "996555000180"
    await opened(core, number, som=0)
    begun = await core.do("wallet.begin_pin_change", number, old=PIN)
    assert isinstance(begun, Done)
    change = begun.result["change"]
    assert await core.do("wallet.confirm_pin", number, change=change, again=OTHER_PIN) == Refused("EXPIRED", {})
    assert await core.do("wallet.choose_pin", number, change=change, new=OTHER_PIN) == Done({})
    assert await core.do("wallet.confirm_pin", number, change=change, again="6175") == Refused("PINS_DIFFER", {})
    assert await core.do("wallet.confirm_pin", number, change=change, again=OTHER_PIN) == Refused("EXPIRED", {})
    assert await core.do("wallet.begin_pin_change", number, old=OTHER_PIN) == Refused("WRONG_PIN", {"tries_left": 2})


async def test_a_change_of_the_pin_stands_for_five_minutes_and_for_its_own_number_alone(core: Core) -> None:
    number, other = "996555000181", "996555000182"
    await opened(core, number, som=0)
    await opened(core, other, som=0)
    begun = await core.do("wallet.begin_pin_change", number, old=PIN)
    assert isinstance(begun, Done)
    change = begun.result["change"]
    assert await core.do("wallet.choose_pin", other, change=change, new=OTHER_PIN) == Refused("EXPIRED", {})
    core.now = NOON + 5 * MINUTE
    assert await core.do("wallet.choose_pin", number, change=change, new=OTHER_PIN) == Refused("EXPIRED", {})


async def test_a_change_of_the_pin_that_was_begun_ends_when_the_office_gives_another_pin(core: Core) -> None:
    number = "996555000183"
    await opened(core, number, som=0)
    begun = await core.do("wallet.begin_pin_change", number, old=PIN)
    assert isinstance(begun, Done)
    change = begun.result["change"]
    assert await core.do("wallet.choose_pin", number, change=change, new=OTHER_PIN) == Done({})
    assert await core.do("wallet.reset_pin", number, document="ID1234567") == Done({})
    assert await core.do("wallet.confirm_pin", number, change=change, again=OTHER_PIN) == Refused("EXPIRED", {})


async def wrong_pin(core: Core, number: str, call_id: str | None = None, pin: str = WRONG) -> Done | Refused:
    return await change_pin(core, number, pin, "5820", call_id=call_id)


async def test_three_wrong_pins_in_a_row_lock_the_wallet_for_half_an_hour_and_an_sms_says_so(core: Core) -> None:
    number = "996555000106"
    await opened(core, number, som=0)
    assert await wrong_pin(core, number) == Refused("WRONG_PIN", {"tries_left": 2})
    assert await wrong_pin(core, number) == Refused("WRONG_PIN", {"tries_left": 1})
    until = "2027-03-31T06:30:00Z"
    assert await wrong_pin(core, number) == Refused("LOCKED", {"until": until})
    assert await core.sent(number, "wallet.locked", "until") == until
    core.now = NOON + 30 * MINUTE - datetime.timedelta(seconds=1)
    assert await wrong_pin(core, number, pin=PIN) == Refused("LOCKED", {"until": until})
    core.now = NOON + 30 * MINUTE
    assert await wrong_pin(core, number, pin=PIN) == Done({})


async def test_a_right_pin_begins_the_row_anew_and_nine_wrong_ones_in_all_lock_until_identity_is_proven(
    core: Core,
) -> None:
    number = "996555000107"
    await opened(core, number, som=0)
    now, pin = NOON, PIN
    for turn in range(4):
        await wrong_pin(core, number)
        await wrong_pin(core, number)
        new = f"582{turn}"
        assert await change_pin(core, number, pin, new) == Done({})
        pin = new
    assert await wrong_pin(core, number) == Refused("LOCKED", {})
    assert len(await core.notices(number, "wallet.shut")) == 1
    core.now = now + datetime.timedelta(days=30)
    assert await wrong_pin(core, number, pin=pin) == Refused("LOCKED", {})
    assert await core.do("wallet.reset_pin", number, document="ID1234567") == Done({})
    sent = await core.sent(number, "wallet.pin_reset", "pin")
    assert await wrong_pin(core, number) == Refused("WRONG_PIN", {"tries_left": 2})
    assert await wrong_pin(core, number, pin=sent) == Done({})


async def test_a_wrong_pin_that_arrives_again_counts_once(core: Core) -> None:
    number, call_id = "996555000108", str(uuid.uuid4())
    await opened(core, number, som=0)
    for _ in range(5):
        assert await wrong_pin(core, number, call_id) == Refused("WRONG_PIN", {"tries_left": 2})


async def test_of_two_hundred_wrong_pins_at_once_three_are_evaluated(core: Core) -> None:
    number = "996555000109"
    await opened(core, number, som=0)

    async def one(at: int) -> str:
        for _ in range(1000):
            try:
                outcome = await wrong_pin(core, number, pin=f"{7000 + at}")
            except Busy:
                await asyncio.sleep(0.002)
                continue
            assert isinstance(outcome, Refused)
            return outcome.code
        raise AssertionError("it was never served")

    outcomes = await asyncio.gather(*(one(at) for at in range(200)))
    assert outcomes.count("WRONG_PIN") == 2
    assert outcomes.count("LOCKED") == 198
    counted = "SELECT wrong_in_all FROM wallets JOIN subscribers USING (subscriber_id) WHERE msisdn = $1"
    assert await core.pool.fetchval(counted, number) == 3


async def test_a_new_sim_card_gets_no_new_pin_for_three_days(core: Core) -> None:
    number = "996555000110"
    await opened(core, number, som=0)
    assert await core.do("subscribers.report_sim_change", number) == Done({})
    core.now = NOON + datetime.timedelta(hours=71)
    refused = await core.do("wallet.reset_pin", number, document="ID1")
    assert refused == Refused("SIM_TOO_NEW", {"again_at": "2027-04-03T06:00:00Z"})
    core.now = NOON + datetime.timedelta(hours=72)
    assert await core.do("wallet.reset_pin", number, document="ID1") == Done({})


# --- money that comes ---


async def test_a_top_up_happens_once_under_one_id_and_an_sms_tells_of_it(core: Core) -> None:
    number, call_id = "996555000130", str(uuid.uuid4())
    await opened(core, number, som=0)
    for _ in range(3):
        sum_ = {"minor": 12345, "currency": KGS}
        done = await core.do("wallet.top_up", number, call_id=call_id, sum=sum_, place="kicb-1")
        assert done == Done({"balance": {"minor": 12345, "currency": KGS}})
    assert len(await core.notices(number, "wallet.topped_up")) == 1


async def test_other_money_more_than_can_be_held_and_a_number_without_wallet_are_refused(core: Core) -> None:
    number = "996555000131"
    await opened(core, number)
    tenge = await core.do("wallet.top_up", number, sum={"minor": 100, "currency": "KZT"}, place="x")
    assert tenge == Refused("OTHER_CURRENCY", {})
    much = await core.do("wallet.top_up", number, sum={"minor": 99_999_999_999, "currency": KGS}, place="x")
    assert much == Refused("TOO_MUCH", {})
    nobody = await core.do("wallet.top_up", "996555000132", sum={"minor": 100, "currency": KGS}, place="x")
    assert nobody == Refused("NO_WALLET", {})
