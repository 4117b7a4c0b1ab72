"""Notices as rows: written with the fact or not at all, in the subscriber's language, without a secret in clear."""

from __future__ import annotations

import json
import uuid

import asyncpg
import pytest

from billing.calls import Call, Done, Refused
from billing_core.database import Connection
from billing_core.domains.subscribers import set_language
from billing_core.idempotency import OtherArguments, perform_once
from billing_core.notices import write_notice
from billing_core.who import find

from .running_core import Core

PASSWORD = {"password": "k7wq29xnpa", "valid_until": "2026-03-31T09:30:00Z"}


async def rows(core: Core, number: str) -> list[asyncpg.Record]:
    return await core.pool.fetch("SELECT * FROM notices WHERE msisdn = $1 ORDER BY position", number)


async def holder(core: Core, number: str) -> int:
    held = await core.pool.fetchval("SELECT subscriber_id FROM subscribers WHERE msisdn = $1", number)
    assert isinstance(held, int)
    return held


async def test_a_language_set_by_sms_is_answered_in_it_and_one_set_otherwise_is_not(core: Core) -> None:
    number = "77010000300"
    await core.ask("subscribers.set_language", number, {"language": "ru"})
    assert await rows(core, number) == []
    outcome = await core.ask("subscribers.set_language", number, {"language": "en"}, by_sms=True)
    assert outcome == Done({"language": "en"})
    [row] = await rows(core, number)
    assert (row["event"], row["language"], row["state"]) == ("subscribers.language_set", "en", "waiting")
    assert json.loads(row["arguments"]) == {"language": "en"}


async def test_a_refusal_writes_none_and_the_same_call_again_no_second_one(core: Core) -> None:
    number, call_id = "77010000301", str(uuid.uuid4())
    refused = await core.ask("subscribers.set_language", number, {"language": "ky"}, by_sms=True)
    assert refused == Refused("LANGUAGE_NOT_OFFERED", {})
    for _ in range(2):
        await core.ask("subscribers.set_language", number, {"language": "kk"}, call_id=call_id, by_sms=True)
    assert len(await rows(core, number)) == 1


async def test_a_change_that_is_rolled_back_takes_its_notice_along(core: Core) -> None:
    number = "77010000302"

    async def fails_at_the_end(connection: Connection, call: Call) -> Done | Refused:
        who = await find(connection, number, lock=True)
        assert who is not None
        assert isinstance(await set_language(connection, call, who), Done)
        assert len(await connection.fetch("SELECT FROM notices WHERE msisdn = $1", number)) == 1
        raise ConnectionResetError

    call = Call(str(uuid.uuid4()), "subscribers.set_language", number, "kk", {"language": "en"}, by_sms=True)
    async with core.pool.acquire() as connection:
        with pytest.raises(ConnectionResetError):
            await perform_once(connection, call, fails_at_the_end)
    assert await rows(core, number) == []


async def test_who_has_chosen_no_language_gets_none(core: Core) -> None:
    assert await core.do("missed_calls.report", "77010000007", caller="77010000008", times=2) == Done({})
    [row] = await rows(core, "77010000007")
    assert (row["event"], row["language"]) == ("calls.missed", None)
    assert json.loads(row["arguments"])["count"] == 2


async def test_a_secret_needs_a_seal_and_arguments_must_be_the_event_s(core: Core) -> None:
    number = "77010000303"
    held = await holder(core, number)
    async with core.pool.acquire() as connection:
        with pytest.raises(ValueError, match="nothing to seal them with"):
            await write_notice(connection, held, "a", "cabinet.temporary_password", PASSWORD)
        with pytest.raises(ValueError, match=r"arguments\.at is missing"):
            await write_notice(connection, held, "a", "cabinet.password_changed", {})
    assert await rows(core, number) == []


async def test_a_secret_that_nobody_needs_any_more_cannot_stay(core: Core) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await core.pool.execute(
            "INSERT INTO notices (notice_id, msisdn, network, event, arguments, sealed, not_after, state, settled_at)"
            " VALUES (gen_random_uuid(), '77010000304', 'kcell', 'x', '{}', 'secret', now(), 'accepted', now())"
        )


# --- payments -------------------------------------------------------------------------------------------------------


def tenge(minor: int) -> dict[str, object]:
    return {"minor": minor, "currency": "KZT"}


async def test_a_payment_is_on_the_account_once_with_its_entries_and_its_notice(core: Core) -> None:
    number, call_id = "77010000310", str(uuid.uuid4())
    before = await core.ask("balances.get", number)
    assert isinstance(before, Done)
    minor = before.result["balance"]["minor"]  # type: ignore[index,call-overload]
    for _ in range(2):
        paid = await core.do("balances.top_up", number, call_id=call_id, sum=tenge(50_050), place="test")
        assert paid == Done({"balance": tenge(minor + 50_050)})
    [row] = await rows(core, number)
    assert row["event"] == "account.topped_up"
    assert json.loads(row["arguments"]) == {"sum": tenge(50_050), "balance": tenge(minor + 50_050)}
    entries = await core.pool.fetch(
        "SELECT e.*, a.kind FROM postings p JOIN entries e USING (posting_id) JOIN accounts a USING (account_id)"
        " WHERE p.cause = $1 AND p.kind = 'top_up' ORDER BY a.subscriber_id NULLS LAST",
        uuid.UUID(call_id),
    )
    assert [(each["kind"], each["amount_minor"]) for each in entries] == [("prepaid", 50_050), ("cash", -50_050)]
    assert (entries[0]["before_minor"], entries[0]["after_minor"]) == (minor, minor + 50_050)
    assert entries[0]["version"] == 2


async def test_what_cannot_be_paid_in_is_refused_and_leaves_nothing(core: Core) -> None:
    call_id = str(uuid.uuid4())
    await core.do("balances.top_up", "77010000311", call_id=call_id, sum=tenge(100), place="test")
    before = await core.pool.fetchval("SELECT count(*) FROM postings")
    for number, minor, code in (
        ("77019999999", 100, "UNKNOWN_NUMBER"),
        ("77010000397", 100, "CLOSED"),
        ("77010000312", 99_999_999_999, "TOO_MUCH"),
    ):
        assert await core.do("balances.top_up", number, sum=tenge(minor), place="test") == Refused(code, {})
        assert await rows(core, number) == []
    for number, minor in (("77010000311", 200), ("77010000312", 100)):
        with pytest.raises(OtherArguments):
            await core.do("balances.top_up", number, call_id=call_id, sum=tenge(minor), place="test")
    assert await core.pool.fetchval("SELECT count(*) FROM postings") == before


async def test_a_payment_is_neither_changed_nor_removed_by_whom_it_may_be(
    core: Core, owner: asyncpg.Connection
) -> None:
    await core.do("balances.top_up", "77010000313", sum=tenge(100), place="test")
    for statement in (
        *("UPDATE postings SET kind = 'top_up'", "DELETE FROM postings", "TRUNCATE postings CASCADE"),
        *("UPDATE entries SET amount_minor = 1", "DELETE FROM entries", "TRUNCATE entries"),
    ):
        with pytest.raises(asyncpg.RaiseError, match="only added to"):
            await owner.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await core.pool.execute(statement)
