"""One turn over a real Redis: what is kept before a call, what a repeat gets, what is said when a part is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from billing.calls import Call, Done, NotMade, Outcome, Refused, Unknown
from sessions.redis_store import RedisStore
from sessions.session import Session, Stamp
from tests.phone_for_tests import BALANCE, HELLO, LINK, NUMBER, Phone
from ussd_engine.core_calls import CoreCalls
from ussd_engine.dial_string import Dialled
from ussd_engine.taking import Taking
from ussd_engine.turn import Answer, Begin, Reply


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url, answer_seconds_max=0.5)
    yield store
    await store.close()


async def test_a_dialogue_begins_in_the_language_that_the_core_remembers(store: RedisStore) -> None:
    assert await Phone(store).dial("111") == Reply(
        "Меню\n1 Тарифы/услуги\n2 Пополнить\n3 Баланс\n4 История\n5 Просьбы\n6 Номер\n9 Қаз/Eng", False
    )


@pytest.mark.parametrize("hello", [Unknown("late"), NotMade("away")])
async def test_a_core_that_does_not_greet_leaves_the_networks_language(store: RedisStore, hello: Outcome) -> None:
    reply = await Phone(store, subscribers__hello=[hello]).dial("111")
    assert reply is not None
    assert reply.text.startswith("Мәзір\n1 ")


async def test_the_greeting_is_asked_once_a_minute(store: RedisStore) -> None:
    phone = Phone(store)
    await phone.dial("111")
    await phone.dial("111")
    assert phone.billing.times("subscribers.hello") == 1


async def test_a_number_that_the_core_does_not_know_is_not_served(store: RedisStore) -> None:
    reply = await Phone(store, subscribers__hello=[Refused("UNKNOWN_NUMBER", {})]).dial("111")
    assert reply == Reply("Бұл нөмірге қызмет көрсетілмейді.", True)


async def test_a_number_that_begins_too_often_is_told_so_and_costs_the_core_and_the_store_nothing(
    store: RedisStore,
) -> None:
    phone = Phone(store)
    phone.turns.ports = phone.turns.ports._replace(admits_start=lambda _msisdn, _link: False)
    assert await phone.dial("111") == Reply("Сұраныс тым көп. Кейінірек қайталаңыз.", True)
    assert phone.billing.asked == []
    assert await store.load(NUMBER) is None
    until = asyncio.get_running_loop().time() + 8
    begun_by_us = await Taking(phone.turns, Begin(NUMBER, LINK, Dialled(("111",)), "m", until, by_us=True)).reply()
    assert begun_by_us is not None
    assert begun_by_us.text.startswith("Меню")


async def test_the_session_is_kept_before_a_changing_call_is_made(store: RedisStore) -> None:
    phone = Phone(store, subscribers__set_language=[Done({"language": "en"})])
    await phone.dial("111", "9")
    reply = await phone.send("3")
    assert reply is not None
    assert reply.text.startswith("Menu\n1 ")
    kept = phone.billing.stored_then[-1]
    assert kept.pending.call_id == phone.billing.asked[-1].id
    assert phone.notes.calls == [("subscribers.set_language", "done")]


async def test_a_killed_engine_leaves_a_call_that_the_next_turn_asks_again_under_the_same_id(store: RedisStore) -> None:
    phone = Phone(store, subscribers__set_language=[Done({"language": "en"})])
    await phone.dial("111", "9")
    await phone.send("3", mark="c1/77-7")
    kept = phone.billing.stored_then[-1]  # what lay in Redis while the call was made: the engine dies here
    await store.begin(replace(kept, input_mark=""), 60)
    other = Phone(store, subscribers__set_language=[Done({"language": "en"})])
    reply = await other.send("3", mark="c2/1-1")
    assert reply is not None
    assert reply.text.startswith("Menu\n1 ")
    assert other.billing.asked[-1].id == phone.billing.asked[-1].id


async def test_an_unknown_outcome_is_asked_again_under_the_same_id(store: RedisStore) -> None:
    phone = Phone(store, subscribers__set_language=[Unknown("late"), Done({"language": "en"})])
    await phone.dial("111", "9")
    reply = await phone.send("3")
    assert reply is not None
    assert reply.text.startswith("Menu\n1 ")
    first, second = phone.billing.asked[-2:]
    assert first.id == second.id


async def test_what_was_sent_once_and_then_could_not_be_asked_is_still_unknown(store: RedisStore) -> None:
    phone = Phone(store, subscribers__set_language=[Unknown("late"), NotMade("breaker")])
    await phone.dial("111", "9")
    reply = await phone.send("3")
    assert reply == Reply("Ваш запрос проверяется. Наберите *111# чуть позже.", True)


async def test_a_changed_language_is_greeted_at_once(store: RedisStore) -> None:
    phone = Phone(store, subscribers__set_language=[Done({"language": "en"})])
    await phone.dial("111", "9")
    await phone.send("3")
    await phone.dial("111")
    assert phone.billing.times("subscribers.hello") == 2


async def test_a_reading_call_is_made_without_a_save_before_it(store: RedisStore) -> None:
    phone = Phone(store, balances__get=[BALANCE])
    assert await phone.dial("111", "3") == Reply("Баланс: 1 тг\nБонусы: 0 тг", True)
    assert phone.billing.stored_then[-1] is None


async def test_a_repeat_of_an_answer_gets_the_same_screen_and_is_walked_once(store: RedisStore) -> None:
    phone = Phone(store, balances__get=[BALANCE])
    await phone.dial("111")
    first = await phone.send("3", mark="c1/9-9")
    assert await phone.send("3", mark="c1/9-9") == first
    assert phone.billing.times("balances.get") == 1


async def test_a_repeat_in_the_middle_of_a_dialogue_goes_no_further(store: RedisStore) -> None:
    phone = Phone(store)
    await phone.dial("111")
    first = await phone.send("9", mark="c1/9-9")
    kept = await store.load(NUMBER)
    assert await phone.send("9", mark="c1/9-9") == first
    assert await store.load(NUMBER) == kept


async def test_a_repeat_of_a_begin_gets_the_same_screen(store: RedisStore) -> None:
    phone = Phone(store)
    first = await phone.dial("111", mark="c1/5-5")
    assert await phone.dial("111", mark="c1/5-5") == first
    session = await store.load(NUMBER)
    assert session is not None
    assert session.version == 1


async def test_of_two_answers_at_once_one_speaks(store: RedisStore) -> None:
    phone = Phone(store)
    await phone.dial("111", "9")
    replies = await asyncio.gather(phone.send("7"), phone.send("7"))
    assert sorted(reply is None for reply in replies) == [False, True]


class Forgetful:
    """A store out of which another engine process takes the dialogue just before it is kept again."""

    def __init__(self, store: RedisStore, saves_before: int = 0) -> None:
        self._store = store
        self._saves_before = saves_before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def save(self, session: Session, expected: Stamp, seconds: float) -> bool:
        if not self._saves_before:
            await self._store.forget(session.msisdn, session.id)
        self._saves_before -= 1
        return await self._store.save(session, expected, seconds)


async def test_an_answer_whose_dialogue_another_process_has_ended_meanwhile_is_told_so(store: RedisStore) -> None:
    phone = Phone(store)
    await phone.dial("111")
    phone.turns.ports = phone.turns.ports._replace(store=Forgetful(store))  # type: ignore[arg-type]
    reply = await phone.send("9")
    assert reply == Reply("Сеанс завершён. Наберите код заново.", True)


async def test_a_dialogue_that_is_ended_before_its_change_changes_nothing(store: RedisStore) -> None:
    phone = Phone(store, subscribers__set_language=[Done({"language": "en"})])
    await phone.dial("111", "9")
    phone.turns.ports = phone.turns.ports._replace(store=Forgetful(store))  # type: ignore[arg-type]
    reply = await phone.send("3")
    assert reply == Reply("Сеанс завершён. Наберите код заново.", True)
    assert not phone.billing.times("subscribers.set_language")


async def test_a_dialogue_that_is_ended_after_its_change_says_that_something_may_have_happened(
    store: RedisStore,
) -> None:
    phone = Phone(store, subscribers__set_language=[Done({"language": "en"})])
    await phone.dial("111", "9")
    phone.turns.ports = phone.turns.ports._replace(store=Forgetful(store, saves_before=1))  # type: ignore[arg-type]
    reply = await phone.send("3")
    assert phone.billing.times("subscribers.set_language") == 1
    assert reply is not None
    assert reply.text == phone.turns.own_words("being_checked", LINK, "ru").text


async def test_an_answer_after_the_end_is_told_to_dial_again(store: RedisStore) -> None:
    phone = Phone(store, balances__get=[BALANCE])
    await phone.dial("111", "3")
    assert await phone.send("1") == Reply("Сеанс завершён. Наберите код заново.", True)


async def test_no_time_left_means_that_nothing_is_sent(store: RedisStore) -> None:
    phone = Phone(store, balances__get=[BALANCE])
    await phone.dial("111")
    reply = await phone.send("3", seconds=0.3)
    assert reply == Reply("Сервис временно недоступен. Повторите позже.", True)
    assert phone.billing.times("balances.get") == 0


async def test_a_hang_up_forgets_the_dialogue(store: RedisStore) -> None:
    phone = Phone(store)
    await phone.dial("111")
    await phone.turns.hang_up(NUMBER, LINK)
    assert await store.load(NUMBER) is None
    assert phone.notes.ended_as == [("self_service", "user_abort")]


async def test_a_menu_that_has_changed_meanwhile_asks_to_dial_again(store: RedisStore) -> None:
    phone = Phone(store)
    await phone.dial("111")
    session = await store.load(NUMBER)
    assert session is not None
    await store.begin(replace(session, menu="another", input_mark=""), 60)
    assert await phone.send("3") == Reply("Сеанс завершён. Наберите код заново.", True)


async def test_a_dialogue_without_end_is_ended(store: RedisStore) -> None:
    phone = Phone(store)
    await phone.dial("111")
    for _ in range(200):
        reply = await phone.send("7")
        assert reply is not None
        if reply.ends:
            break
    assert reply == Reply("Сеанс завершён. Наберите код заново.", True)


async def test_redis_away_is_a_screen_and_nothing_worse() -> None:
    store = RedisStore("redis://127.0.0.1:1", answer_seconds_max=0.2)
    phone = Phone(store, balances__get=[BALANCE])
    phone.billing.perform = lambda call, seconds_max: asyncio.sleep(0, HELLO)  # type: ignore[method-assign]
    in_their_own = Reply("Сервис временно недоступен. Повторите чуть позже.", True)  # the core has said who it is
    assert await phone.dial("111") == in_their_own
    in_the_networks = Reply("Қызмет уақытша қолжетімсіз. Біраздан соң қайталаңыз.", True)
    assert await phone.send("1") == in_the_networks  # no dialogue could be read
    assert len(phone.notes.faults) == 2
    await store.close()


PASSWORD = Done({"valid_until": "2026-11-22T10:00:00Z"})


async def test_a_code_that_changes_something_is_kept_before_its_call(store: RedisStore) -> None:
    phone = Phone(store, cabinet__temporary_password=[PASSWORD])
    reply = await phone.dial("245")
    assert reply == Reply("Временный пароль кабинета придёт по SMS. Он действует 24 часа.", True)
    kept = phone.billing.stored_then[-1]
    assert kept.pending.operation == "cabinet.temporary_password"


async def test_what_was_dialled_and_is_not_walked_yet_is_not_kept(store: RedisStore) -> None:
    phone = Phone(store, cabinet__temporary_password=[PASSWORD])
    await phone.dial("245", "8305")  # somebody has typed a PIN behind a code
    assert phone.billing.stored_then[-1].pending.operation == "cabinet.temporary_password"
    assert phone.billing.stored_then[-1].parts == ()


async def test_a_repeat_of_such_a_code_changes_nothing_more(store: RedisStore) -> None:
    phone = Phone(store, cabinet__temporary_password=[PASSWORD])
    first = await phone.dial("245", mark="c1/5-5")
    assert await phone.dial("245", mark="c1/5-5") == first
    assert phone.billing.times("cabinet.temporary_password") == 1


async def test_an_engine_killed_in_such_a_call_asks_again_under_the_same_id_when_the_input_is_repeated(
    store: RedisStore,
) -> None:
    phone = Phone(store, cabinet__temporary_password=[PASSWORD])
    await phone.dial("245", mark="c1/5-5")
    await store.begin(replace(phone.billing.stored_then[-1], input_mark="x"), 60)
    await store.begin(phone.billing.stored_then[-1], 60)  # what lay there when the engine died
    other = Phone(store, cabinet__temporary_password=[PASSWORD])
    assert await other.dial("245", mark="c1/5-5") == Reply(
        "Временный пароль кабинета придёт по SMS. Он действует 24 часа.", True
    )
    asked = [call for call in (*phone.billing.asked, *other.billing.asked) if call.operation.startswith("cabinet")]
    assert len({call.id for call in asked}) == 1


async def test_a_fault_after_a_change_never_says_that_nothing_happened(store: RedisStore) -> None:
    phone = Phone(store, subscribers__set_language=[Done({"language": "en"})])
    await phone.dial("111", "9")
    until = asyncio.get_running_loop().time() + 8
    taking = Taking(phone.turns, Answer(NUMBER, LINK, "3", phone.mark(), until))
    await taking.reply()
    assert taking.apology().text == "Ваш запрос проверяется. Посмотрите результат чуть позже."


async def test_what_is_done_by_id_without_its_results_is_not_taken_for_known(store: RedisStore) -> None:
    phone = Phone(store, calls__status=[Done({"outcome": "done"})])
    until = asyncio.get_running_loop().time() + 8
    calls = CoreCalls(phone.turns.ports, until)
    known = await calls._status(Call("id", "cabinet.change_password", NUMBER, "ru", {}))
    unknown = await calls._status(Call("id", "cabinet.login", NUMBER, "ru", {}))
    assert known == Done({})
    assert isinstance(unknown, Unknown)


@pytest.mark.parametrize("told", [Done({"outcome": "refused", "refusal": "WRONG_CODE"}), Unknown("no answer")])
async def test_a_call_with_a_secret_whose_outcome_is_unknown_is_asked_about_and_not_made_again(
    store: RedisStore, told: Outcome
) -> None:
    phone = Phone(store, vouchers__redeem=[Unknown("no answer")], calls__status=[told])
    await phone.dial("111", "2", "1")
    await phone.send("90271846550318")
    assert phone.billing.times("vouchers.redeem") == 1
    [redeemed] = [call for call in phone.billing.asked if call.operation == "vouchers.redeem"]
    [asked] = [call for call in phone.billing.asked if call.operation == "calls.status"]
    assert asked.arguments == {"call": redeemed.id}
