"""How dialogues end, over a real store: one record each, whoever took the last turn, and a history without secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from billing.calls import Call, Done, Outcome
from sessions.redis_log import RedisLog
from sessions.redis_store import RedisStore
from sessions.store import StoreAway
from tests.menus_for_tests import Cupboard, versions_of
from tests.phone_for_tests import BALANCE, CATALOG, LINK, NUMBER, Phone
from ussd_engine import history
from ussd_engine.chronicle import Chronicle
from ussd_engine.metrics import Metrics
from ussd_engine.record import DialogueRecord, Record
from ussd_engine.recordings import Recordings
from ussd_engine.taking import Taking
from ussd_engine.turn import Answer
from ussd_engine.witness import EngineWitness

LANGUAGE = Done({"language": "ru"})


class Tape:
    """Takes records in the place of files."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, record: Callable[[int], Record]) -> bool:
        self.records.append(record(len(self.records) + 1))
        return True

    def flush(self) -> None: ...

    def close(self) -> None: ...

    @property
    def causes(self) -> list[str]:
        return [record.cause for record in self.records if isinstance(record, DialogueRecord)]


class Process:
    """An engine process as far as it concerns dialogues: turns, chronicle, counters."""

    def __init__(self, store: RedisStore, log: RedisLog, shelf: Cupboard, name: str, **script: Any) -> None:
        self.tape = Tape()
        self.set_on = 0.0
        """So many seconds the wall clock has been set on."""
        self.metrics = Metrics()
        self.chronicle = Chronicle(
            self.tape,  # type: ignore[arg-type]
            log, store, self.metrics, lambda: self.phone.clock, lambda: self.phone.clock + self.set_on, 180.0,
        )  # fmt: skip
        witness = EngineWitness(self.metrics, self.chronicle, Recordings(lambda: 0.0))
        self.phone = Phone(store, versions_of(CATALOG, shelf), witness, name, **script)

    async def at(self, seconds: float) -> None:
        """The clock goes on, and silent dialogues are looked for."""
        self.phone.clock = seconds
        await self.chronicle.sweep()


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url, answer_seconds_max=0.5)
    yield store
    await store.close()


@pytest.fixture
async def log(redis_url: str) -> AsyncIterator[RedisLog]:
    log = RedisLog(redis_url, "history:", 3, 3600)
    yield log
    await log.close()


@pytest.fixture
async def process(store: RedisStore, log: RedisLog) -> Process:
    return Process(store, log, Cupboard(), "p1", balances__get=[BALANCE], subscribers__set_language=[LANGUAGE])


async def test_a_dialogue_that_the_service_ends(process: Process) -> None:
    await process.phone.dial("111")
    await process.phone.send("3")
    (record,) = process.tape.records
    assert isinstance(record, DialogueRecord)
    assert (record.cause, record.path, record.turns, record.code) == ("ended", ("root/balance", "balance"), 2, "*111#")


async def test_the_subscriber_or_the_network_hangs_up(process: Process) -> None:
    await process.phone.dial("111")
    await process.phone.hang_up()
    await process.phone.dial("111")
    await process.phone.turns.hang_up(NUMBER, LINK, "network_abort")
    assert process.tape.causes == ["user_abort", "network_abort"]
    assert process.metrics.screens.count("self_service", "root", "left user_abort") == 1


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
async def test_a_clock_that_is_set_an_hour_on_or_back_ends_no_dialogue(process: Process, seconds: float) -> None:
    await process.phone.dial("111")
    process.set_on = seconds
    await process.at(6.0)
    assert process.tape.causes == []
    await process.phone.send("9")
    await process.at(187.0)
    assert process.tape.causes == ["idle"]


async def test_a_dialogue_that_goes_silent_is_idle_once(process: Process) -> None:
    await process.phone.dial("111")
    await process.at(179.0)
    assert process.tape.causes == []
    await process.at(181.0)
    await process.at(400.0)
    assert process.tape.causes == ["idle"]


async def test_dialling_anew_ends_the_dialogue_before(process: Process) -> None:
    await process.phone.dial("111")
    await process.phone.dial("166")
    assert process.tape.causes == ["redialled"]


async def test_a_changing_call_is_the_charge_of_its_dialogue(process: Process) -> None:
    await process.phone.dial("111", "9")
    await process.phone.send("2")
    await process.phone.hang_up()
    (record,) = process.tape.records
    assert isinstance(record, DialogueRecord)
    assert record.charges[0].call == "subscribers.set_language"
    assert record.charges[0].id == next(
        call.id for call in process.phone.billing.asked if call.operation == "subscribers.set_language"
    )


async def test_trouble_of_ours_and_of_the_link_is_told_when_nothing_more_is_heard(process: Process) -> None:
    await process.phone.dial("111")
    process.chronicle.troubled(NUMBER, "overload")
    await process.at(181.0)
    await process.phone.dial("111")
    process.chronicle.link_lost(LINK.name)
    await process.at(400.0)
    await process.phone.dial("111")
    process.chronicle.link_lost(LINK.name)
    await process.phone.send("3")  # it was bound again, and went on
    assert process.tape.causes == ["overload", "link_lost", "ended"]


async def test_a_fault_of_ours(process: Process, store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await process.phone.dial("111")

    async def away(*_arguments: object) -> bool:
        raise StoreAway("Redis: gone")

    monkeypatch.setattr(store, "save", away)
    reply = await process.phone.send("3")
    assert reply is not None
    assert reply.ends
    assert process.tape.causes == ["our_fault"]


async def test_a_turn_that_takes_too_long_is_told_once(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    await process.phone.dial("111")
    answered = asyncio.Event()

    async def slow(call: Call, seconds_max: float) -> Outcome:
        await answered.wait()
        return BALANCE

    monkeypatch.setattr(process.phone.billing, "perform", slow)
    until = asyncio.get_running_loop().time() + 8
    taking = Taking(process.phone.turns, Answer(NUMBER, LINK, "3", process.phone.mark(), until))
    reply = asyncio.create_task(taking.reply())
    await asyncio.sleep(0.05)
    assert taking.too_late().ends
    answered.set()
    await reply
    await process.at(500.0)
    assert process.tape.causes == ["slow_back_end"]


async def test_a_dialogue_that_moves_to_another_process_has_one_record(store: RedisStore, log: RedisLog) -> None:
    shelf = Cupboard()
    one, two = (Process(store, log, shelf, name, balances__get=[BALANCE]) for name in ("p1", "p2"))
    await one.phone.dial("111")
    two.phone.clock = 10.0
    await two.phone.send("9")
    await one.at(300.0)  # it has gone on elsewhere
    assert one.tape.causes == []
    await two.at(300.0)
    assert two.tape.causes == ["idle"]


async def test_a_dialogue_that_another_process_ends_or_replaces_has_one_record(
    store: RedisStore, log: RedisLog
) -> None:
    shelf = Cupboard()
    one, two = (Process(store, log, shelf, name, balances__get=[BALANCE]) for name in ("p1", "p2"))
    await one.phone.dial("111")
    await two.phone.send("3")
    await one.at(190.0)
    assert (one.tape.causes, two.tape.causes) == ([], ["ended"])
    await one.phone.dial("111")
    await two.phone.dial("166")
    await one.at(400.0)
    assert one.tape.causes == ["redialled"]


async def test_a_store_that_was_emptied_is_our_fault(process: Process, store: RedisStore) -> None:
    await process.phone.dial("111")
    await store._redis.flushall()
    await process.at(181.0)
    assert process.tape.causes == ["our_fault"]


async def test_customer_care_sees_the_screens_and_what_was_typed_but_no_secret(process: Process, log: RedisLog) -> None:
    await process.phone.dial("111", "0123456")
    await process.phone.send("4711")  # a PIN that was typed on the wrong screen
    await process.phone.send("9")
    await process.phone.send("0")
    await process.phone.send("3")
    await process.chronicle.flush()
    (dialogue,) = [history.from_octets(each) for each in await log.last(NUMBER)]
    assert dialogue is not None
    assert [turn.typed for turn in dialogue.turns] == ["*111#", "(?)", "9", "0", "3"]
    assert (
        dialogue.turns[0].shown
        == "Меню\n1 Тарифы/услуги\n2 Пополнить\n3 Баланс\n4 История\n5 Просьбы\n6 Номер\n9 Қаз/Eng"
    )
    assert dialogue.turns[-1].shown == "Баланс: 1 тг\nБонусы: 0 тг"
    assert dialogue.cause == "ended"
    assert all(secret not in repr(dialogue) for secret in ("4711", "0123456"))


async def test_only_the_last_dialogues_are_kept_and_not_for_ever(process: Process, log: RedisLog) -> None:
    for _ in range(5):
        await process.phone.dial("111", "3")
        await process.chronicle.flush()
    assert len(await log.last(NUMBER)) == 3
    assert 0 < await log._redis.pttl(f"history:{NUMBER}") <= 3_600_000


async def test_a_dialogue_that_two_processes_have_seen_is_told_as_one(store: RedisStore, log: RedisLog) -> None:
    shelf = Cupboard()
    one, two = (Process(store, log, shelf, name, balances__get=[BALANCE]) for name in ("p1", "p2"))
    await one.phone.dial("111")
    two.phone.clock = 5.0
    await two.phone.send("3")
    one.chronicle._end(one.chronicle._open.pop(NUMBER), "idle", 6.0)  # as if it had told of its part
    for each in (one, two):
        await each.chronicle.flush()
    found = [history.from_octets(each) for each in await log.last(NUMBER)]
    (whole,) = history.together(each for each in found if each is not None)
    assert [turn.typed for turn in whole.turns] == ["*111#", "3"]


async def test_every_screen_answer_mistake_and_call_is_counted(process: Process) -> None:
    await process.phone.dial("111")
    await process.phone.send("7")
    await process.phone.send("3")
    counted = process.metrics.screens
    assert counted.count("self_service", "root", "entered") == 2
    assert counted.count("self_service", "root", "wrong") == 1
    assert counted.count("self_service", "root/balance", "answered") == 1
    assert counted.count("self_service", "root/balance", "call done") == 1
    assert counted.count("self_service", "balance", "entered") == 1
