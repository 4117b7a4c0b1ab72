"""The relay: every notice reaches the engine at least once, in order, none too late, and its secrets then are gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from aiohttp import web

from billing.calls import Done
from billing.notices import Notice
from billing_core import relay as relay_module
from billing_core.measures import Measures
from billing_core.relay import Accepted, Engine, Later, Relay, read_answer
from billing_core.sealing import Seal
from billing_core.serving import running

from .running_core import NOTICE_KEY, Core
from .stand_in_engine import RELAY_KEY, StandInEngine, accept, hold, later, problem

ONE, OTHER = "77010000001", "77010000002"


@pytest.fixture
async def engine() -> AsyncIterator[StandInEngine]:
    engine = StandInEngine()
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture(autouse=True)
async def _no_notices_yet(owner: asyncpg.Connection) -> None:
    await owner.execute("TRUNCATE notices")


@pytest.fixture
def make_relay(core: Core, database: str, engine: StandInEngine) -> Callable[..., Relay]:
    """A relay to the stand-in; arguments as for `Relay`."""

    def make(measures: Measures | None = None, key: bytes = RELAY_KEY, **settings: float) -> Relay:
        where = Engine(engine.url, "billing-core", key)
        return Relay(core.pool, database, where, Seal(NOTICE_KEY), measures or Measures(), **settings)  # type: ignore[arg-type]

    return make


async def until(true: Callable[[], Awaitable[object]], seconds: float = 8.0) -> None:
    """Waits until it is true; fails when it takes too long."""
    deadline = time.monotonic() + seconds
    while not await true():
        assert time.monotonic() < deadline, "it never came to be"
        await asyncio.sleep(0.01)


async def missed(core: Core, number: str, times: int) -> None:
    assert await core.do("missed_calls.report", number, caller=OTHER, times=times) == Done({})


async def states(core: Core) -> list[str]:
    return [row[0] for row in await core.pool.fetch("SELECT state FROM notices ORDER BY position")]


def all_are(core: Core, *expected: str) -> Callable[[], Awaitable[bool]]:
    async def are() -> bool:
        return await states(core) == list(expected)

    return are


async def only_row(core: Core) -> asyncpg.Record:
    [row] = await core.pool.fetch("SELECT * FROM notices")
    return row


async def at_once(core: Core) -> None:
    """What was put off is due now."""
    await core.pool.execute("UPDATE notices SET try_at = now(); NOTIFY notices")


def counted(measures: Measures, event: str, outcome: str) -> float:
    found = measures.registry.get_sample_value("billing_core_notices_total", {"event": event, "outcome": outcome})
    assert found is not None
    return found


async def test_a_password_is_handed_over_signed_and_nothing_of_it_stays(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    number, measures = "77010000050", Measures()
    assert isinstance(await core.ask("cabinet.temporary_password", number), Done)
    assert (await only_row(core))["sealed"] is not None
    async with running(make_relay(measures)):
        await until(all_are(core, "accepted"))
    [notice] = engine.taken
    row = await only_row(core)
    assert (notice.id, notice.msisdn, notice.network) == (str(row["notice_id"]), number, "kcell")
    assert await core.ask("cabinet.login", number, {"password": notice.arguments["password"]}) == Done(
        {"must_change": True}
    )
    assert (row["sealed"], row["message_id"], row["leased_until"]) == (None, f"smsc-{notice.id[:8]}", None)
    assert counted(measures, "cabinet.temporary_password", "accepted") == 1


async def test_a_row_that_is_committed_wakes_it(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 60.0)
    async with running(make_relay()):
        for n in range(1, 4):
            await missed(core, ONE, n)
            await until(all_are(core, *["accepted"] * n))
    assert [notice.arguments["count"] for notice in engine.taken] == [1, 2, 3]


async def test_later_is_after_one_second_two_four_and_so_on_up_to_thirty(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    engine.answering, measures, waits = later, Measures(), []
    await missed(core, ONE, 1)
    async with running(make_relay(measures)):
        for tries in range(1, 8):
            await until(lambda tries=tries: core.pool.fetchval("SELECT put_off = $1 FROM notices", tries))
            waits.append(await core.pool.fetchval("SELECT extract(epoch FROM try_at - clock_timestamp()) FROM notices"))
            engine.answering = accept if tries == 7 else later
            await at_once(core)
        await until(all_are(core, "accepted"))
    assert [round(float(wait) + 0.3) for wait in waits] == [1, 2, 4, 8, 16, 30, 30]
    assert counted(measures, "calls.missed", "later") == 7


async def test_a_number_gets_its_notices_in_order_one_at_a_time_and_others_do_not_wait(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    go_on = asyncio.Event()
    engine.answering = hold(go_on)
    for n in range(1, 4):
        await missed(core, ONE, n)
    await missed(core, OTHER, 9)
    async with running(make_relay()):
        await until(lambda: asyncio.sleep(0, len(engine.taken) == 2))
        await asyncio.sleep(0.1)
        assert sorted((notice.msisdn, notice.arguments["count"]) for notice in engine.taken) == [(ONE, 1), (OTHER, 9)]
        go_on.set()
        await until(all_are(core, *["accepted"] * 4))
    assert [notice.arguments["count"] for notice in engine.taken if notice.msisdn == ONE] == [1, 2, 3]


async def test_one_that_waits_for_the_morning_holds_back_nothing(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    await missed(core, ONE, 1)
    await core.pool.execute("UPDATE notices SET try_at = now() + interval '8 hours'")
    await missed(core, ONE, 2)
    async with running(make_relay()):
        await until(lambda: asyncio.sleep(0, len(engine.taken) == 1))
    assert [notice.arguments["count"] for notice in engine.taken] == [2]


async def test_one_that_is_put_off_holds_back_those_behind_it(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    engine.answering = later
    await missed(core, ONE, 1)
    async with running(make_relay()):
        await until(lambda: core.pool.fetchval("SELECT put_off = 1 FROM notices"))
        await missed(core, ONE, 2)
        await asyncio.sleep(0.1)
        engine.answering = accept
        await at_once(core)
        await until(all_are(core, "accepted", "accepted"))
    assert [notice.arguments["count"] for notice in engine.taken] == [1, 1, 2]


async def test_no_more_are_in_flight_than_the_setting_says(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    go_on = asyncio.Event()
    engine.answering = hold(go_on)
    for n in range(10):
        await missed(core, f"7701000001{n}", 1)
    async with running(make_relay(notices_max=4)):
        await until(lambda: asyncio.sleep(0, engine.in_flight == 4))
        await asyncio.sleep(0.1)
        go_on.set()
        await until(all_are(core, *["accepted"] * 10))
    assert engine.in_flight_most == 4


async def test_several_relays_hand_each_notice_over_once(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    for n in range(60):
        await missed(core, f"770100004{n % 20:02}", n + 1)
    async with running(make_relay()), running(make_relay()), running(make_relay()):
        await until(all_are(core, *["accepted"] * 60))
    assert len(engine.taken) == len({notice.id for notice in engine.taken}) == 60
    for n in range(20):
        got = [notice.arguments["count"] for notice in engine.taken if notice.msisdn == f"770100004{n:02}"]
        assert got == [n + 1, n + 21, n + 41]


@pytest.mark.parametrize("status", [400, 401, 422])
async def test_what_can_never_be_sent_rings_is_kept_for_people_and_goes_behind_the_others(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay], status: int
) -> None:
    async def pick(notice: Notice) -> web.StreamResponse:
        return problem(status, "Never") if notice.arguments["count"] == 1 else await accept(notice)

    engine.answering, measures = pick, Measures()
    await missed(core, ONE, 1)
    await missed(core, ONE, 2)
    async with running(make_relay(measures)):
        await until(all_are(core, "waiting", "accepted"))
        await until(lambda: asyncio.sleep(0, measures.registry.get_sample_value("billing_core_notices_rejected") == 1))
        await core.pool.execute("UPDATE notices SET not_after = now() WHERE state = 'waiting'")
        await until(all_are(core, "expired", "accepted"))
    row = await core.pool.fetchrow("SELECT * FROM notices ORDER BY position LIMIT 1")
    assert row is not None
    assert (row["rejected"], row["problem"]) == (True, f"{status}: Never")
    assert counted(measures, "calls.missed", "rejected") >= 1
    assert counted(measures, "calls.missed", "expired") == 1


async def test_a_relay_with_the_wrong_key_is_told_so_by_the_engine(
    core: Core, make_relay: Callable[..., Relay], engine: StandInEngine
) -> None:
    await missed(core, ONE, 1)
    async with running(make_relay(key=b"a key that the engine does not have")):
        await until(lambda: core.pool.fetchval("SELECT rejected FROM notices"))
    assert (await only_row(core))["problem"].startswith("401: ")
    assert engine.taken == []


async def test_secrets_sealed_under_another_key_are_never_sent_and_ring(
    core: Core, database: str, engine: StandInEngine
) -> None:
    measures = Measures()
    await core.ask("cabinet.temporary_password", "77010000051")
    where = Engine(engine.url, "billing-core", RELAY_KEY)
    async with running(Relay(core.pool, database, where, Seal(b"another key than then"), measures)):
        await until(lambda: core.pool.fetchval("SELECT rejected FROM notices"))
    assert engine.taken == []
    assert counted(measures, "cabinet.temporary_password", "rejected") == 1


async def test_silence_is_waited_for_so_long_and_then_it_is_tried_again(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    engine.answering = hold(asyncio.Event())
    await missed(core, ONE, 1)
    async with running(make_relay(answer_seconds_max=0.2)):
        await until(lambda: core.pool.fetchval("SELECT put_off = 1 FROM notices"))
        assert (await only_row(core))["problem"] == "no answer within 0.2 s"
        engine.answering = accept
        await at_once(core)
        await until(all_are(core, "accepted"))
    assert [notice.id for notice in engine.taken] == [engine.taken[0].id] * 2


async def test_an_engine_that_dies_with_a_notice_in_flight_gets_it_again_when_it_is_back(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    engine.answering = hold(asyncio.Event())
    await missed(core, ONE, 1)
    async with running(make_relay()):
        await until(lambda: asyncio.sleep(0, engine.in_flight == 1))
        await engine.stop()
        await until(lambda: core.pool.fetchval("SELECT leased_until IS NULL FROM notices"))
        engine.answering = accept
        await engine.start()
        await until(all_are(core, "accepted"))
    assert len(engine.taken) == 2


async def test_an_engine_that_is_away_costs_no_notice_its_turn_and_gets_all_soon_after_it_is_back(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    await engine.stop()
    for n in range(1, 6):
        await missed(core, ONE, n)
        await missed(core, OTHER, n)
    async with running(make_relay()):
        await until(lambda: core.pool.fetchval("SELECT max(tries) = 2 FROM notices"))
        assert await core.pool.fetchval("SELECT array[max(put_off), sum(tries)] FROM notices") == [0, 3]
        await engine.start()
        await until(all_are(core, *["accepted"] * 10))
    for number in (ONE, OTHER):
        assert [notice.arguments["count"] for notice in engine.taken if notice.msisdn == number] == [1, 2, 3, 4, 5]


async def test_what_is_too_old_is_not_sent_and_its_secrets_are_erased_even_while_the_engine_is_away(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    await engine.stop()
    measures = Measures()
    await core.ask("cabinet.temporary_password", "77010000052")
    async with running(make_relay(measures)):
        await until(lambda: core.pool.fetchval("SELECT tries > 0 FROM notices"))
        await core.pool.execute("UPDATE notices SET not_after = now()")
        await until(all_are(core, "expired"))
        assert (await only_row(core))["sealed"] is None
        await engine.start()
        await asyncio.sleep(0.2)
    assert engine.taken == []
    assert counted(measures, "cabinet.temporary_password", "expired") == 1


async def test_one_that_gets_too_old_in_flight_loses_its_secrets_at_once_and_is_accepted_all_the_same(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    go_on = asyncio.Event()
    engine.answering = hold(go_on)
    await core.ask("cabinet.temporary_password", "77010000053")
    async with running(make_relay()):
        await until(lambda: asyncio.sleep(0, engine.in_flight == 1))
        await core.pool.execute("UPDATE notices SET not_after = now()")
        await until(lambda: core.pool.fetchval("SELECT sealed IS NULL FROM notices"))
        assert await states(core) == ["waiting"]
        go_on.set()
        await until(all_are(core, "accepted"))


async def test_what_another_process_has_leased_is_left_to_it_until_the_lease_is_over(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    await missed(core, ONE, 1)
    await core.pool.execute("UPDATE notices SET leased_until = now() + interval '45 s', tries = 1")
    async with running(make_relay()):
        await missed(core, ONE, 2)
        await asyncio.sleep(0.3)
        assert engine.taken == []
        await core.pool.execute("UPDATE notices SET leased_until = now() WHERE tries = 1; NOTIFY notices")
        await until(all_are(core, "accepted", "accepted"))
    assert [notice.arguments["count"] for notice in engine.taken] == [1, 2]


async def test_a_lease_lasts_as_long_as_the_answer_takes_and_no_other_relay_sends_meanwhile(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 0.05)
    go_on = asyncio.Event()
    engine.answering = hold(go_on)
    await missed(core, ONE, 1)
    async with running(make_relay(lease_seconds=0.3)), running(make_relay(lease_seconds=0.3)):
        await asyncio.sleep(1.0)
        assert (len(engine.taken), engine.in_flight) == (1, 1)
        go_on.set()
        await until(all_are(core, "accepted"))
    assert len(engine.taken) == 1


async def test_who_has_lost_the_lease_puts_nothing_off(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay]
) -> None:
    go_on = asyncio.Event()

    async def late_and_later(notice: Notice) -> web.StreamResponse:
        await go_on.wait()
        return await later(notice)

    engine.answering = late_and_later
    await missed(core, ONE, 1)
    async with running(make_relay()):
        await until(lambda: asyncio.sleep(0, engine.in_flight == 1))
        await core.pool.execute("UPDATE notices SET tries = 2")
        go_on.set()
        await until(lambda: asyncio.sleep(0, engine.in_flight == 0))
        await asyncio.sleep(0.1)
        row = await only_row(core)
    assert (row["put_off"], row["problem"], row["leased_until"] is None) == (0, None, False)


async def test_accepted_is_remembered_although_the_database_was_gone_when_it_was_said(
    core: Core, engine: StandInEngine, make_relay: Callable[..., Relay], database: str
) -> None:
    async def cuts_the_database_off(notice: Notice) -> web.StreamResponse:
        surgeon = await asyncpg.connect(database)
        await surgeon.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
        await surgeon.close()
        return await accept(notice)

    engine.answering = cuts_the_database_off
    await missed(core, ONE, 1)
    async with running(make_relay()):
        await until(lambda: asyncio.sleep(0, len(engine.taken) == 1))
        engine.answering = accept
        await asyncio.sleep(0.5)
        for _ in range(8):  # connections of the pool that were cut say so once
            try:
                await core.pool.fetchval("SELECT 1")
            except asyncpg.PostgresConnectionError:
                continue
        await until(all_are(core, "accepted"))
        await missed(core, ONE, 2)
        await until(all_are(core, "accepted", "accepted"))
    assert [notice.arguments["count"] for notice in engine.taken] == [1, 2]


@pytest.mark.parametrize(
    ("status", "said", "rejected"),
    [
        (503, b'{"title": "No bind", "detail": "to kcell-smsc"}', False),
        (500, b"<html>", False),
        (302, b"", False),
        (200, b"{}", False),
        (200, b"[" * 10_000, False),
        (422, b'{"title": "No such event", "status": 422}', True),
        (404, b"", True),
    ],
)
def test_only_200_with_a_message_id_is_accepted(status: int, said: bytes, rejected: bool) -> None:
    answer = read_answer(status, said)
    assert isinstance(answer, Later)
    assert answer.rejected == rejected


def test_200_with_a_message_id_is_accepted() -> None:
    assert read_answer(200, b'{"message_id": "0042", "more": 1}') == Accepted("0042")


async def test_what_is_too_old_is_not_taken_up_though_nobody_has_swept_it_yet(
    core: Core, make_relay: Callable[..., Relay]
) -> None:
    relay = make_relay()
    await missed(core, ONE, 1)
    await core.pool.execute("UPDATE notices SET not_after = now()")
    assert await relay._lease(0.0) == []
    await core.pool.execute("UPDATE notices SET not_after = now() + interval '1 minute'")
    assert len(await relay._lease(0.0)) == 1
