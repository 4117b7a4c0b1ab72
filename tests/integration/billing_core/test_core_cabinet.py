"""The password of the cabinet: sent to the number alone, not too often, changed at first use, locked when guessed at.

Each story has a number and a time of its own.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from billing.calls import Call, Done, Refused
from billing_core import operations
from billing_core.database import Connection
from billing_core.passwords import Busy
from billing_core.rules import CabinetRules, Rules
from billing_core.who import Who, who_calls

from .running_core import CHEAP, Core, running_core, sent_password

NOON = datetime.datetime(2027, 3, 31, 7, tzinfo=datetime.UTC)  # in Almaty
SECOND, MINUTE, HOUR = (datetime.timedelta(seconds=seconds) for seconds in (1, 60, 3600))
NEW, OTHER = "wolf-tree-seven", "moon-tree-seven"


@pytest.fixture(scope="module")
async def core(database: str) -> AsyncIterator[Core]:
    """A core that spends little on a hash."""
    async with running_core(database, **CHEAP) as core:
        yield core


@pytest.fixture(autouse=True)
def _time_goes_on(core: Core) -> Iterator[None]:
    yield
    core.now = None


def new_id() -> str:
    return str(uuid.uuid4())


async def ask(core: Core, number: str, now: datetime.datetime) -> Done | Refused:
    core.now = now
    return await core.do("cabinet.temporary_password", number)


async def log_in(core: Core, number: str, password: str, now: datetime.datetime, call_id: str = "") -> Done | Refused:
    core.now = now
    return await core.do("cabinet.login", number, call_id=call_id or None, password=password)


async def change(core: Core, number: str, old: str, new: str, now: datetime.datetime) -> Done | Refused:
    core.now = now
    return await core.do("cabinet.change_password", number, old=old, new=new)


async def with_password(core: Core, number: str, password: str = NEW) -> None:
    """Gives the number's cabinet this password, the day before."""
    yesterday = NOON - 24 * HOUR
    assert isinstance(await ask(core, number, yesterday), Done)
    assert await change(core, number, await sent_password(core, number), password, yesterday) == Done({})


# --- a temporary password -------------------------------------------------------------------------------------------


async def test_a_temporary_password_comes_as_a_notice_to_the_number_and_holds_for_a_day(core: Core) -> None:
    number = "77010000100"
    outcome = await ask(core, number, NOON)
    assert outcome == Done({"valid_until": "2027-04-01T07:00:00Z"})
    [row] = await core.pool.fetch("SELECT * FROM notices WHERE msisdn = $1", number)
    assert (row["event"], row["network"], row["language"]) == ("cabinet.temporary_password", "kcell", "kk")
    assert json.loads(row["arguments"]) == {"valid_until": "2027-04-01T07:00:00Z"}
    assert row["not_after"] == NOON + 10 * MINUTE
    password = await sent_password(core, number)
    assert len(password) == 10
    assert await log_in(core, number, password, NOON + 24 * HOUR - SECOND) == Done({"must_change": True})
    too_late = await log_in(core, number, password, NOON + 24 * HOUR)
    assert too_late == Refused("WRONG_PASSWORD", {"tries_left": 2})


async def test_it_voids_an_earlier_temporary_one_and_not_the_current_password(core: Core) -> None:
    number = "77010000101"
    await with_password(core, number)
    await ask(core, number, NOON)
    first = await sent_password(core, number)
    await ask(core, number, NOON + MINUTE)
    second = await sent_password(core, number)
    later = NOON + 2 * MINUTE
    assert await log_in(core, number, NEW, later) == Done({"must_change": False})
    assert isinstance(await log_in(core, number, first, later), Refused)
    assert await log_in(core, number, second, later) == Done({"must_change": True})


async def test_one_a_minute_three_an_hour_and_when_again(core: Core) -> None:
    number = "77010000102"
    assert isinstance(await ask(core, number, NOON), Done)
    assert await ask(core, number, NOON + 59 * SECOND) == Refused(
        "TOO_OFTEN", {"sent_at": "2027-03-31T07:00:00Z", "again_at": "2027-03-31T07:01:00Z"}
    )
    assert isinstance(await ask(core, number, NOON + MINUTE), Done)
    assert isinstance(await ask(core, number, NOON + 2 * MINUTE), Done)
    assert await ask(core, number, NOON + 4 * MINUTE) == Refused(
        "TOO_OFTEN", {"sent_at": "2027-03-31T07:02:00Z", "again_at": "2027-03-31T08:00:00Z"}
    )
    assert isinstance(await ask(core, number, NOON + HOUR), Done)


async def test_five_a_day_until_midnight_of_the_network(core: Core) -> None:
    number = "996555000102"  # Bishkek: midnight is at 18:00 UTC
    morning = datetime.datetime(2027, 3, 31, 1, tzinfo=datetime.UTC)
    for hours in (0, 2, 4, 6, 8):
        assert isinstance(await ask(core, number, morning + hours * HOUR), Done)
    refused = await ask(core, number, morning + 12 * HOUR)
    assert refused == Refused("TOO_OFTEN", {"sent_at": "2027-03-31T09:00:00Z", "again_at": "2027-03-31T18:00:00Z"})
    assert isinstance(await ask(core, number, morning + 17 * HOUR), Done)


async def test_twenty_asked_for_at_once_are_one_password(core: Core) -> None:
    number = "77010000103"
    outcomes = await asyncio.gather(*(core.ask("cabinet.temporary_password", number) for _ in range(20)))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Done"] + ["Refused"] * 19
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Refused)} == {"TOO_OFTEN"}
    assert await core.pool.fetchval("SELECT count(*) FROM notices WHERE msisdn = $1", number) == 1


async def test_the_same_call_twice_is_one_password_and_one_answer(core: Core) -> None:
    number, call_id = "77010000104", new_id()
    first = await core.ask("cabinet.temporary_password", number, call_id=call_id)
    assert isinstance(first, Done)
    assert await core.ask("cabinet.temporary_password", number, call_id=call_id) == first
    assert await core.pool.fetchval("SELECT count(*) FROM notices WHERE msisdn = $1", number) == 1


async def test_asked_for_by_sms_its_notice_is_the_only_answer(core: Core) -> None:
    number = "77010000106"
    assert isinstance(await core.ask("cabinet.temporary_password", number, by_sms=True), Done)
    assert await core.pool.fetchval("SELECT count(*) FROM notices WHERE msisdn = $1", number) == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("77010000191", "BARRED"),
        ("77010000195", "BLOCKED"),
        ("77010000197", "CLOSED"),
        ("77019999999", "UNKNOWN_NUMBER"),
    ],
)
async def test_a_number_that_may_not_use_the_cabinet_is_refused_everything(core: Core, number: str, code: str) -> None:
    for operation, arguments in (
        ("cabinet.temporary_password", {}),
        ("cabinet.login", {"password": NEW}),
        ("cabinet.change_password", {"old": NEW, "new": OTHER}),
        ("cabinet.change_password", {"old": NEW, "new": "weak"}),
    ):
        assert await core.ask(operation, number, arguments) == Refused(code, {})


async def test_a_sim_card_or_a_holder_of_less_than_72_hours_gets_none(core: Core) -> None:
    number = "77010000107"
    set_since = "UPDATE subscribers SET sim_since = $2 WHERE msisdn = $1"
    await core.pool.execute(set_since, number, NOON - 71 * HOUR)
    assert await ask(core, number, NOON) == Refused("SIM_TOO_NEW", {"again_at": "2027-03-31T08:00:00Z"})
    assert isinstance(await ask(core, number, NOON + HOUR), Done)
    await core.pool.execute("UPDATE subscribers SET held_since = $2 WHERE msisdn = $1", number, NOON)
    assert await ask(core, number, NOON + 2 * HOUR) == Refused("SIM_TOO_NEW", {"again_at": "2027-04-03T07:00:00Z"})


async def test_all_numbers_together_have_a_ceiling_and_it_rings_once_for_each_refused(database: str) -> None:
    day = NOON + 240 * HOUR
    rules = Rules(cabinet=CabinetRules(temporary_of_all_a_minute_max=2))
    async with running_core(database, rules, connections=2, **CHEAP) as crowd:
        for number in ("77010000110", "77010000111"):
            assert isinstance(await ask(crowd, number, day), Done)
        assert await ask(crowd, "77010000112", day) == Refused("TOO_OFTEN", {"again_at": "2027-04-10T07:01:00Z"})
        assert crowd.measures.registry.get_sample_value("billing_core_password_ceiling_total") == 1
        assert isinstance(await ask(crowd, "77010000112", day + MINUTE), Done)


async def test_the_ceiling_holds_when_many_numbers_ask_in_one_moment(database: str) -> None:
    day = NOON + 250 * HOUR
    async with running_core(database, Rules(cabinet=CabinetRules(temporary_of_all_a_minute_max=2)), **CHEAP) as crowd:
        asked = await asyncio.gather(*(ask(crowd, f"770100001{n}", day) for n in range(40, 60)))
    assert sum(isinstance(outcome, Done) for outcome in asked) == 2


async def test_a_number_that_is_freed_while_its_password_is_prepared_gets_one(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = "77010000113"
    await core.pool.execute("UPDATE subscribers SET status = 'blocked' WHERE msisdn = $1", number)
    times = 0

    async def overtaken(connection: Connection, call: Call, *, lock: bool) -> Who | Refused:
        nonlocal times
        who = await who_calls(connection, call, lock=lock)
        if not lock:
            times += 1
            await core.pool.execute("UPDATE subscribers SET status = 'active' WHERE msisdn = $1", number)
        return who

    monkeypatch.setattr(operations, "who_calls", overtaken)
    assert isinstance(await ask(core, number, NOON), Done)
    assert (times, len(await sent_password(core, number))) == (2, 10)


# --- the password itself --------------------------------------------------------------------------------------------


async def test_a_change_voids_the_temporary_one_and_is_told_by_a_notice(core: Core) -> None:
    number = "77010000120"
    await ask(core, number, NOON)
    temporary = await sent_password(core, number)
    assert await change(core, number, temporary, NEW, NOON + MINUTE) == Done({})
    [row] = await core.pool.fetch("SELECT * FROM notices WHERE msisdn = $1 ORDER BY position DESC LIMIT 1", number)
    assert row["event"] == "cabinet.password_changed"
    assert (json.loads(row["arguments"]), row["sealed"]) == ({"at": "2027-03-31T07:01:00Z"}, None)
    assert isinstance(await log_in(core, number, temporary, NOON + 2 * MINUTE), Refused)
    assert await log_in(core, number, NEW, NOON + 2 * MINUTE) == Done({"must_change": False})
    assert await change(core, number, NEW, OTHER, NOON + 3 * MINUTE) == Done({})
    assert isinstance(await log_in(core, number, NEW, NOON + 4 * MINUTE), Refused)
    assert await log_in(core, number, OTHER, NOON + 4 * MINUTE) == Done({"must_change": False})


async def test_a_weak_new_password_is_refused_and_uses_no_try(core: Core) -> None:
    number = "77010000121"
    await with_password(core, number)
    for weak in ("short", "77010000121-me", NEW, "aaaaaaaaaaaa"):
        assert await change(core, number, NEW, weak, NOON) == Refused("WEAK_PASSWORD", {})
    assert await log_in(core, number, "wrong", NOON) == Refused("WRONG_PASSWORD", {"tries_left": 2})


async def test_three_wrong_in_a_row_lock_for_half_an_hour_even_for_the_right_one(core: Core) -> None:
    number = "77010000122"
    await with_password(core, number)
    outcomes = [await log_in(core, number, "wrong", NOON) for _ in range(3)]
    locked = Refused("LOCKED", {"until": "2027-03-31T07:30:00Z"})
    assert outcomes == [
        Refused("WRONG_PASSWORD", {"tries_left": 2}),
        Refused("WRONG_PASSWORD", {"tries_left": 1}),
        locked,
    ]
    assert await log_in(core, number, NEW, NOON + 30 * MINUTE - SECOND) == locked
    assert await change(core, number, NEW, OTHER, NOON + MINUTE) == locked
    assert await log_in(core, number, NEW, NOON + 30 * MINUTE) == Done({"must_change": False})


async def test_a_right_one_begins_the_row_anew_and_a_change_counts_as_a_login_does(core: Core) -> None:
    number = "77010000123"
    await with_password(core, number)
    for _ in range(2):
        await log_in(core, number, "wrong", NOON)
        assert await change(core, number, "wrong", OTHER, NOON) == Refused("WRONG_PASSWORD", {"tries_left": 1})
        assert await log_in(core, number, NEW, NOON) == Done({"must_change": False})


async def test_nine_wrong_in_all_lock_until_identity_is_proven(core: Core) -> None:
    number, now = "77010000124", NOON
    await with_password(core, number)
    for wrong in range(1, 9):
        outcome = await log_in(core, number, "wrong", now)
        assert isinstance(outcome, Refused)
        if wrong in (3, 6):
            now += HOUR
            assert await log_in(core, number, NEW, now) == Done({"must_change": False})
    assert await log_in(core, number, "wrong", now) == Refused("LOCKED", {})
    assert await log_in(core, number, NEW, now + 1000 * HOUR) == Refused("LOCKED", {})
    assert await core.do("cabinet.prove_identity", number, document="identity card 012345678") == Done({})
    assert await log_in(core, number, NEW, now) == Done({"must_change": False})


async def test_a_document_is_noted_whoever_had_a_cabinet_and_no_closed_number_proves_anything(core: Core) -> None:
    core.now = NOON
    document = "identity card 012345678"
    assert await core.do("cabinet.prove_identity", "77010000198", document=document) == Done({})
    shown = "SELECT why, document, at FROM documents_shown JOIN subscribers USING (subscriber_id) WHERE msisdn = $1"
    [row] = await core.pool.fetch(shown, "77010000198")
    assert tuple(row) == ("cabinet.prove_identity", document, NOON)
    for number, code in (("77010000197", "CLOSED"), ("77019999999", "UNKNOWN_NUMBER")):
        assert await core.do("cabinet.prove_identity", number, document=document) == Refused(code, {})


async def test_the_same_wrong_try_delivered_twice_counts_once(core: Core) -> None:
    number, call_id = "77010000125", new_id()
    wrong = Refused("WRONG_PASSWORD", {"tries_left": 2})
    outcomes = await asyncio.gather(*(log_in(core, number, "wrong", NOON, call_id) for _ in range(5)))
    assert outcomes == [wrong] * 5
    assert await log_in(core, number, "wrong", NOON) == Refused("WRONG_PASSWORD", {"tries_left": 1})


async def test_of_guesses_made_at_once_only_three_are_looked_at(core: Core) -> None:
    number = "77010000126"
    await with_password(core, number)
    guesses = ["wrong"] * 10
    outcomes = await asyncio.gather(*(log_in(core, number, guess, NOON) for guess in guesses))
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, Refused)]
    assert (codes.count("WRONG_PASSWORD"), codes.count("LOCKED")) == (2, 8)
    [counted] = await core.pool.fetch(
        "SELECT wrong_in_all FROM cabinets JOIN subscribers USING (subscriber_id) WHERE msisdn = $1", number
    )
    assert counted["wrong_in_all"] == 3


async def test_a_password_that_changes_while_a_login_is_hashed_is_looked_at_anew(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, hash_like, times = "77010000127", core.tools.hasher.like, 0
    await with_password(core, number)

    async def overtaken(stored: str, password: str) -> str:
        nonlocal times
        hashed = await hash_like(stored, password)
        if password == OTHER and (times := times + 1) == 1:
            assert await change(core, number, NEW, OTHER, NOON) == Done({})
        return hashed

    monkeypatch.setattr(core.tools.hasher, "like", overtaken)
    assert await log_in(core, number, OTHER, NOON) == Done({"must_change": False})
    assert times == 2


async def test_the_next_holder_of_a_number_has_neither_password_nor_lock(core: Core) -> None:
    number = "77010000128"
    await with_password(core, number)
    for _ in range(3):
        await log_in(core, number, "wrong", NOON)
    await core.pool.execute("UPDATE subscribers SET held_until = $2 WHERE msisdn = $1", number, NOON)
    await core.pool.execute(
        "INSERT INTO subscribers (msisdn, network, brand, status, held_since)"
        " VALUES ($1, 'kcell', 'Kcell', 'active', $2)",
        *(number, NOON),
    )
    assert await log_in(core, number, NEW, NOON) == Refused("WRONG_PASSWORD", {"tries_left": 2})


async def test_through_the_door_a_login_is_asked_about_by_its_id(core: Core) -> None:
    number, call_id = "77010000129", new_id()
    assert isinstance(await core.ask("cabinet.temporary_password", number), Done)
    password = await sent_password(core, number)
    done = await core.ask("cabinet.login", number, {"password": password}, call_id=call_id)
    assert done == Done({"must_change": True})
    assert await core.ask("calls.status", number, {"call": call_id}) == Done({"outcome": "done"})


async def test_more_hashes_than_may_wait_are_turned_away_without_a_trace(database: str) -> None:
    number = "77010000130"
    async with running_core(database, connections=2, waiting_max=0) as full:
        with pytest.raises(Busy):
            await ask(full, number, NOON)
        assert await full.pool.fetchval("SELECT count(*) FROM calls WHERE msisdn = $1", number) == 0


async def test_no_password_lies_in_clear_in_any_table(core: Core) -> None:
    number = "77010000131"
    await ask(core, number, NOON)
    temporary = await sent_password(core, number)
    await log_in(core, number, temporary, NOON)
    assert await change(core, number, temporary, NEW, NOON) == Done({})
    await log_in(core, number, "an-unusual-guess", NOON)
    tables = await core.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    dump = ""
    for (table,) in tables:
        rows = await core.pool.fetch(f'SELECT t::text FROM "{table}" t')
        dump += "\n".join(row[0] for row in rows)
    assert number in dump
    for secret in (temporary, NEW, "an-unusual-guess"):
        for form in (secret, secret.encode().hex()):
            assert form not in dump
