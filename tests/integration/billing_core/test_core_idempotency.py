"""One id, one effect: in parallel, after a refusal, after a broken commit."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from billing.calls import Call, Done, NotMade, Refused, Unknown
from billing.contract import OPERATIONS, Field, Secret, Value
from billing_core import idempotency
from billing_core.database import Connection
from billing_core.idempotency import (
    Change,
    Counted,
    Once,
    OtherArguments,
    OutcomeUnknown,
    fingerprint,
    perform_once,
)
from stack import places

from .running_core import Core

NUMBER, OTHER_NUMBER, BLOCKED = "77010000001", "77010000002", "77010000095"
SET_LANGUAGE = "subscribers.set_language"


@pytest.fixture(autouse=True)
async def _effects(owner: asyncpg.Connection) -> None:
    """A table for a change to have an effect on."""
    await owner.execute("CREATE TABLE IF NOT EXISTS effects AS SELECT 0 AS version")
    await owner.execute(f"GRANT SELECT, UPDATE ON effects TO {places.SERVING_USER}")


def new_id() -> str:
    return str(uuid.uuid4())


def change(call_id: str, language: str = "ru") -> Call:
    return Call(call_id, SET_LANGUAGE, NUMBER, "ru", {"language": language})


async def adds_one(connection: Connection, _call: Call) -> Done | Refused:
    """A change whose effects can be counted."""
    version = await connection.fetchval("UPDATE effects SET version = version + 1 RETURNING version")
    await asyncio.sleep(0.01)
    return Done({"language": "ru", "version": version})


async def version(core: Core) -> int:
    counted = await core.pool.fetchval("SELECT version FROM effects")
    assert isinstance(counted, int)
    return counted


async def perform(core: Core, call: Call, performing: Change = adds_one) -> Done | Refused:
    async with core.pool.acquire() as connection:
        return await perform_once(connection, call, performing)


async def test_the_same_id_many_times_in_parallel_has_one_effect_and_one_answer(core: Core) -> None:
    before, call = await version(core), change(new_id())
    outcomes = await asyncio.gather(*(perform(core, call) for _ in range(20)))
    assert await version(core) == before + 1
    assert outcomes == [Done({"language": "ru", "version": before + 1})] * 20


async def test_other_ids_in_parallel_have_an_effect_each(core: Core) -> None:
    before = await version(core)
    await asyncio.gather(*(perform(core, change(new_id())) for _ in range(20)))
    assert await version(core) == before + 20


async def test_the_engine_s_client_gets_the_stored_answer_when_it_asks_again(core: Core) -> None:
    call_id = new_id()
    for _ in range(2):
        outcome = await core.ask(SET_LANGUAGE, NUMBER, {"language": "en"}, call_id=call_id)
        assert outcome == Done({"language": "en"})
    assert await core.pool.fetchval("SELECT count(*) FROM calls WHERE call_id = $1", uuid.UUID(call_id)) == 1


async def test_an_old_call_that_arrives_again_does_not_undo_a_newer_one(core: Core) -> None:
    old = new_id()
    await core.ask(SET_LANGUAGE, NUMBER, {"language": "kk"}, call_id=old)
    await core.ask(SET_LANGUAGE, NUMBER, {"language": "ru"})
    assert await core.ask(SET_LANGUAGE, NUMBER, {"language": "kk"}, call_id=old) == Done({"language": "kk"})
    hello = await core.ask("subscribers.hello", NUMBER)
    assert isinstance(hello, Done)
    assert hello.result["language"] == "ru"


async def test_the_same_id_with_other_arguments_or_another_number_is_turned_away(core: Core) -> None:
    call_id = new_id()
    await core.ask(SET_LANGUAGE, NUMBER, {"language": "ru"}, call_id=call_id)
    for number, language in ((NUMBER, "kk"), (OTHER_NUMBER, "ru")):
        outcome = await core.ask(SET_LANGUAGE, number, {"language": language}, call_id=call_id)
        assert isinstance(outcome, NotMade)
        assert "409" in outcome.why


async def test_the_language_of_the_answer_is_no_part_of_the_intent(core: Core) -> None:
    call_id = new_id()
    for language in ("ru", "kk"):
        outcome = await core.ask(SET_LANGUAGE, NUMBER, {"language": "ru"}, language=language, call_id=call_id)
        assert outcome == Done({"language": "ru"})


async def test_a_refusal_stays_when_its_reason_is_gone(core: Core) -> None:
    call_id = new_id()
    assert await core.ask(SET_LANGUAGE, BLOCKED, {"language": "ru"}, call_id=call_id) == Refused("BLOCKED", {})
    await core.pool.execute("UPDATE subscribers SET status = 'active' WHERE msisdn = $1", BLOCKED)
    assert await core.ask(SET_LANGUAGE, BLOCKED, {"language": "ru"}, call_id=call_id) == Refused("BLOCKED", {})
    assert await core.ask(SET_LANGUAGE, BLOCKED, {"language": "ru"}) == Done({"language": "ru"})


async def test_what_a_refused_change_has_written_is_rolled_back_and_the_refusal_is_stored(core: Core) -> None:
    async def writes_then_refuses(connection: Connection, call: Call) -> Done | Refused:
        await adds_one(connection, call)
        return Refused("NO_FUNDS", {"missing": {"minor": 5, "currency": "KZT"}})

    before, call = await version(core), change(new_id())
    first = await perform(core, call, writes_then_refuses)
    again = await perform(core, call, adds_one)
    assert first == again == Refused("NO_FUNDS", {"missing": {"minor": 5, "currency": "KZT"}})
    assert await version(core) == before


async def test_a_change_that_fails_leaves_nothing_and_may_be_made_anew_under_its_id(core: Core) -> None:
    async def fails(connection: Connection, call: Call) -> Done | Refused:
        await adds_one(connection, call)
        raise asyncpg.PostgresConnectionError("gone")

    before, call = await version(core), change(new_id())
    with pytest.raises(asyncpg.PostgresConnectionError):
        await perform(core, call, fails)
    assert await version(core) == before
    assert await perform(core, call) == Done({"language": "ru", "version": before + 1})


async def test_a_change_ended_in_favour_of_another_is_made_again(core: Core) -> None:
    tries = 0

    async def deadlocks_once(connection: Connection, call: Call) -> Done | Refused:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        return await adds_one(connection, call)

    before = await version(core)
    await perform(core, change(new_id()), deadlocks_once)
    assert (tries, await version(core)) == (2, before + 1)


@pytest.fixture
async def deadly_commit(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """While it lasts, a transaction that has an effect loses its connection in the middle of its commit."""
    await owner.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER dies AFTER UPDATE ON effects DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION die()"
    )
    yield
    await owner.execute("DROP TRIGGER dies ON effects; DROP FUNCTION die()")


@pytest.mark.usefixtures("deadly_commit")
async def test_a_connection_lost_while_committing_is_not_called_undone(core: Core) -> None:
    with pytest.raises(OutcomeUnknown):
        await perform(core, change(new_id()))


async def test_a_second_arrival_that_gives_up_waiting_for_the_first_does_not_call_it_undone(core: Core) -> None:
    claimed, go_on = asyncio.Event(), asyncio.Event()

    async def takes_its_time(connection: Connection, call: Call) -> Done | Refused:
        claimed.set()
        await go_on.wait()
        return await adds_one(connection, call)

    call = change(new_id(), "kk")
    first = asyncio.create_task(perform(core, call, takes_its_time))
    await claimed.wait()
    second = await core.ask(SET_LANGUAGE, NUMBER, {"language": "kk"}, call_id=call.id)
    assert isinstance(second, Unknown)
    go_on.set()
    assert isinstance(await first, Done)


async def test_a_claim_of_another_intent_is_refused_before_anything_is_done(core: Core) -> None:
    call = change(new_id())
    await perform(core, call)
    before = await version(core)
    with pytest.raises(OtherArguments):
        await perform(core, call._replace(arguments={"language": "kk"}))
    assert await version(core) == before


async def test_an_answered_call_can_be_neither_changed_nor_removed(core: Core, owner: asyncpg.Connection) -> None:
    call = change(new_id())
    await perform(core, call)
    for statement in ("UPDATE calls SET state = 'refused' WHERE call_id = $1", "DELETE FROM calls WHERE call_id = $1"):
        with pytest.raises(asyncpg.RaiseError, match="neither changed nor removed"):
            await owner.execute(statement, uuid.UUID(call.id))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await core.pool.execute("DELETE FROM calls WHERE call_id = $1", uuid.UUID(call.id))


async def test_a_refusal_that_counts_keeps_what_it_has_written(core: Core) -> None:
    async def counts_then_refuses(connection: Connection, call: Call) -> Counted:
        await adds_one(connection, call)
        return Counted(Refused("LANGUAGE_NOT_OFFERED", {}))

    before, call = await version(core), change(new_id())
    for _ in range(2):
        assert await perform(core, call, counts_then_refuses) == Refused("LANGUAGE_NOT_OFFERED", {})
    assert await version(core) == before + 1


async def test_what_is_told_once_is_in_the_first_answer_alone_and_is_kept_nowhere(core: Core) -> None:
    async def tells_once(_connection: Connection, _call: Call) -> Once:
        return Once(Done({"language": "ru"}), {"code": "31415926"})

    call = change(new_id())
    assert await perform(core, call, tells_once) == Done({"language": "ru", "code": "31415926"})
    assert await perform(core, call, tells_once) == Done({"language": "ru"})
    kept = await core.pool.fetchval("SELECT c::text FROM calls c WHERE call_id = $1", uuid.UUID(call.id))
    assert "31415926" not in kept


def test_the_text_of_an_sms_which_may_be_a_code_leaves_no_trace_in_the_fingerprint() -> None:
    told: dict[str, Value] = {"link": "kcell", "short_number": "4259", "digest": "a" * 64}
    call = Call(str(uuid.uuid4()), "inbox.accept", "77010000001", "ru", told)
    assert fingerprint(call) == fingerprint(call._replace(arguments={**told, "digest": "b" * 64}))
    assert fingerprint(call) != fingerprint(call._replace(arguments={**told, "link": "other"}))


def test_a_secret_leaves_no_trace_in_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = dataclasses.replace(OPERATIONS[SET_LANGUAGE], arguments={"pin": Field(Secret(4), "")})
    monkeypatch.setattr(idempotency, "OPERATIONS", {SET_LANGUAGE: asking})
    call = change(new_id())
    assert fingerprint(call._replace(arguments={"pin": "0000"})) == fingerprint(
        call._replace(arguments={"pin": "4711"})
    )


# --- calls.status ---------------------------------------------------------------------------------------------------


async def status(core: Core, call_id: str, number: str = NUMBER) -> object:
    outcome = await core.ask("calls.status", number, {"call": call_id})
    assert isinstance(outcome, Done)
    return dict(outcome.result)


async def test_the_status_of_a_call_is_done_or_refused_with_its_code(core: Core) -> None:
    done, refused = new_id(), new_id()
    await core.ask(SET_LANGUAGE, NUMBER, {"language": "ru"}, call_id=done)
    await core.ask(SET_LANGUAGE, NUMBER, {"language": "ky"}, call_id=refused)
    assert await status(core, done) == {"outcome": "done"}
    assert await status(core, refused) == {"outcome": "refused", "refusal": "LANGUAGE_NOT_OFFERED"}


@pytest.mark.parametrize("call_id", ["6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", "not-a-uuid"])
async def test_the_status_of_a_call_never_made_is_unknown_and_asking_leaves_nothing(core: Core, call_id: str) -> None:
    before = await core.pool.fetchval("SELECT count(*) FROM calls")
    assert await status(core, call_id) == {"outcome": "unknown_call"}
    assert await core.pool.fetchval("SELECT count(*) FROM calls") == before


async def test_the_call_of_another_number_is_as_unknown_as_one_never_made(core: Core) -> None:
    done = new_id()
    await core.ask(SET_LANGUAGE, NUMBER, {"language": "ru"}, call_id=done)
    assert await status(core, done, OTHER_NUMBER) == {"outcome": "unknown_call"}


async def test_the_status_of_a_call_that_is_being_worked_on_waits_for_its_end(core: Core) -> None:
    claimed, go_on = asyncio.Event(), asyncio.Event()

    async def takes_its_time(_connection: Connection, _call: Call) -> Done | Refused:
        claimed.set()
        await go_on.wait()
        return Done({"language": "ru"})

    call = change(new_id())
    working = asyncio.create_task(perform(core, call, takes_its_time))
    await claimed.wait()
    asking = asyncio.create_task(status(core, call.id))
    await asyncio.sleep(0.1)
    assert not asking.done()
    go_on.set()
    assert await asking == {"outcome": "done"}
    await working
