"""Keys and the pepper are changed while everything goes on: what was made under the old one holds until it is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from billing.calls import Call, Done, NotMade, Refused
from billing.http_client import HttpBilling
from billing_core.codes import Codes
from billing_core.failure import Failure
from billing_core.key_use import PepperUse, key_use, refuse_missing_peppers
from billing_core.measures import Measures
from billing_core.passwords import pepper_id
from billing_core.relay import Engine, Relay
from billing_core.sealer import Wrong, seal_key, seal_what_waits, verify
from billing_core.sealing import Seal
from billing_core.serving import running

from .running_core import KEY, NOTICE_KEY, PEPPER, Core, running_core, sent_password
from .stand_in_engine import RELAY_KEY, StandInEngine
from .stories import NOON, change_pin, kcell, result, tenge
from .test_core_cli import configured, ran, started

NEW = b"pepper of the tests, the one that comes after it"
NEW_KEY = b"fedcba9876543210fedcba9876543210"
PIN, OTHER_PIN = "8305", "6174"


@asynccontextmanager
async def core_under(database: str, *peppers: bytes) -> AsyncIterator[Core]:
    async with running_core(database, peppers=peppers, connections=2, memory_kib=8, passes=1) as core:
        core.now = NOON
        yield core


async def opened(core: Core, number: str, inn: str) -> None:
    names = {"first_name": "Айбек", "last_name": "Асанов", "offer": "accepted"}
    assert await core.do("wallet.register", number, **names, inn=inn) == Done({})
    sent = await core.sent(number, "wallet.registered", "pin")
    assert sent == PIN or await change_pin(core, number, sent, PIN) == Done({})  # one in 10,000 is made as it is chosen


async def pepper_of_pin(owner: asyncpg.Connection, number: str) -> str:
    stored = await owner.fetchval(
        "SELECT pin_hash FROM wallets JOIN subscribers USING (subscriber_id) WHERE msisdn = $1", number
    )
    return str(stored.split("keyid=")[1].split("$")[0])


# --- the pepper ---


async def test_a_pin_of_the_old_pepper_is_right_and_then_is_one_of_the_new(
    database: str, owner: asyncpg.Connection
) -> None:
    number = "996555000701"
    async with core_under(database, PEPPER) as core:
        await opened(core, number, "22005199070001")
    async with core_under(database, NEW, PEPPER) as core:
        wrong = await core.do("wallet.begin_pin_change", number, old="7391")
        assert wrong == Refused("WRONG_PIN", {"tries_left": 2})
        assert await pepper_of_pin(owner, number) == pepper_id(PEPPER)
        assert isinstance(await core.do("wallet.begin_pin_change", number, old=PIN), Done)
        assert await pepper_of_pin(owner, number) == pepper_id(NEW)
    async with core_under(database, NEW) as core:
        assert await change_pin(core, number, PIN, OTHER_PIN) == Done({})
        assert isinstance(await core.do("wallet.begin_pin_change", number, old=OTHER_PIN), Done)


async def test_a_wrong_pin_of_the_old_pepper_takes_as_many_hashes_as_the_right_one(database: str) -> None:
    """Of guesses made at once all are hashed before the third one locks: their time must not tell which was right."""
    number = "996555000713"
    async with core_under(database, PEPPER) as core:
        await opened(core, number, "22005199070013")
    async with core_under(database, NEW, PEPPER) as core:
        made: list[int] = []
        hashing = core.tools.hasher._hashed
        core.tools.hasher._hashed = lambda *given: made.append(1) or hashing(*given)  # type: ignore[method-assign,func-returns-value]
        took = []
        for pin in ("7391", PIN, "7391"):
            made.clear()
            await core.do("wallet.begin_pin_change", number, old=pin)
            took.append(len(made))
    assert took == [2, 2, 1], "and one when it is of the new pepper"


async def test_what_is_left_of_a_pepper_that_has_leaked_is_locked_until_identity_is_proven(
    database: str, owner: asyncpg.Connection
) -> None:
    number = "996555000712"
    async with core_under(database, PEPPER) as core:
        await opened(core, number, "22005199070012")
    await owner.execute(f"UPDATE wallets SET wrong_in_all = 9 WHERE pin_hash LIKE '%keyid={pepper_id(PEPPER)}$%'")
    async with core_under(database, NEW, PEPPER) as core:
        assert await core.do("wallet.begin_pin_change", number, old=PIN) == Refused("LOCKED", {})
        assert await core.do("wallet.reset_pin", number, document="passport N1") == Done({})
        sent = await core.sent(number, "wallet.pin_reset", "pin")
        assert isinstance(await core.do("wallet.begin_pin_change", number, old=sent), Done)
        assert await pepper_of_pin(owner, number) == pepper_id(NEW)


async def test_a_password_of_the_old_pepper_is_right_and_then_is_one_of_the_new(database: str) -> None:
    number, chosen = kcell(702), "correct horse battery"
    async with core_under(database, PEPPER) as core:
        await core.do("cabinet.temporary_password", number)
        temporary = await sent_password(core, number)
    async with core_under(database, NEW, PEPPER) as core:
        assert await core.do("cabinet.login", number, password=temporary) == Done({"must_change": True})
    async with core_under(database, PEPPER) as core:
        assert await core.do("cabinet.change_password", number, old=temporary, new=chosen) == Done({})
    async with core_under(database, NEW, PEPPER) as core:
        assert await core.do("cabinet.login", number, password=chosen) == Done({"must_change": False})
    async with core_under(database, NEW) as core:
        assert await core.do("cabinet.login", number, password=chosen) == Done({"must_change": False})


async def test_two_at_once_with_a_pin_of_the_old_pepper_are_both_right(database: str) -> None:
    number = "996555000703"
    async with core_under(database, PEPPER) as core:
        await opened(core, number, "22005199070003")
    async with core_under(database, NEW, PEPPER) as core:
        both = await asyncio.gather(*(core.do("wallet.begin_pin_change", number, old=PIN) for _ in range(2)))
        assert [type(each) for each in both] == [Done, Done]


async def test_codes_that_were_sent_under_the_old_pepper_work_until_they_end(database: str) -> None:
    manager, managed = kcell(704), kcell(705)
    async with core_under(database, PEPPER) as core:
        assert isinstance(await core.do("delegation.request", manager, number=managed), Done)
        confirmation = await core.sent(managed, "delegation.asked", "code")
    async with core_under(database, NEW) as core:
        assert await core.do("delegation.confirm", managed, code=confirmation) == Refused(
            "WRONG_CODE", {"tries_left": 2}
        )
    async with core_under(database, NEW, PEPPER) as core:
        assert await core.do("delegation.confirm", managed, code=confirmation) == Done({})
        activation = await core.sent(managed, "delegation.activation", "code")
    async with core_under(database, b"the pepper after the next one", NEW) as core:
        activated = await core.do("delegation.activate", manager, number=managed, code=activation)
        assert activated == Done({"number": managed})


async def test_a_voucher_is_worth_its_money_as_long_as_its_pepper_is_there(
    database: str, owner: asyncpg.Connection
) -> None:
    digits = "12345678901234"
    await owner.execute(
        "INSERT INTO vouchers (mark, currency, sum_minor) VALUES ($1, 'KZT', 50000)",
        Codes(PEPPER).mark("voucher", digits),
    )
    async with core_under(database, NEW) as core:
        assert await core.do("vouchers.redeem", kcell(706), voucher=digits) == Refused("WRONG_VOUCHER", {})
    async with core_under(database, NEW, PEPPER) as core:
        assert result(await core.do("vouchers.redeem", kcell(706), voucher=digits))["sum"] == tenge(500)
        assert await core.do("vouchers.redeem", kcell(707), voucher=digits) == Refused("USED", {})


async def test_the_same_sms_is_known_across_the_change(database: str) -> None:
    sms = {"link": "kcell-smsc", "short_number": "111", "digest": "0" * 64}
    async with core_under(database, PEPPER) as core:
        first = result(await core.do("inbox.accept", kcell(708), **sms))
    async with core_under(database, NEW, PEPPER) as core:
        again = result(await core.do("inbox.accept", kcell(708), **sms))
    assert again == {"inbox_id": first["inbox_id"], "repeated": True}


async def test_it_is_told_what_needs_the_old_pepper_and_without_it_nothing_is_served(
    database: str, owner: asyncpg.Connection
) -> None:
    async with core_under(database, PEPPER) as core:
        await opened(core, "996555000709", "22005199070009")
    used = await key_use(owner, [NEW, PEPPER])
    assert used.ids == [pepper_id(NEW), pepper_id(PEPPER)]
    old = next(each for each in used.peppers if each.id == pepper_id(PEPPER))
    assert old.pins > 0
    assert used.vouchers > 0
    await refuse_missing_peppers(owner, [NEW, PEPPER])
    other = b"a pepper that has never been used here"
    with pytest.raises(Failure, match=f"{old.pins}|need a pepper .* has not .*put it back"):
        await refuse_missing_peppers(owner, [other])
    assert PepperUse(pepper_id(other), 0, 0) in (await key_use(owner, [other, NEW, PEPPER])).peppers


# --- the other keys ---


async def test_secrets_that_wait_under_the_old_key_are_sent(core: Core, database: str) -> None:
    await core.do("cabinet.temporary_password", kcell(710))
    engine = StandInEngine()
    await engine.start()
    where = Engine(engine.url, "billing-core", RELAY_KEY)
    try:
        async with running(Relay(core.pool, database, where, Seal(NEW_KEY, NOTICE_KEY), Measures())):
            async with asyncio.timeout(10):
                while not (told := [each for each in engine.taken if each.msisdn == kcell(710)]):
                    await asyncio.sleep(0.02)
    finally:
        await engine.stop()
    assert len(str(told[0].arguments["password"])) == 10


async def test_seals_of_the_old_key_verify_and_after_the_first_new_one_it_counts_no_more(
    database: str, owner: asyncpg.Connection
) -> None:
    old, new = seal_key(PEPPER), seal_key(NEW)
    wrong: list[list[Wrong]] = []
    async with core_under(database, PEPPER) as core:
        for key in (old, new, old):
            await core.do("balances.top_up", kcell(711), sum=tenge(5), place="t1")
            async with core.pool.acquire() as connection:
                while await seal_what_waits(connection, key):
                    pass
            wrong.append(await verify(owner, new, old))
    [(last,)] = await owner.fetch("SELECT max(seal_id) FROM seals")
    broken = Wrong("a seal that does not fit what it covers", (last,))
    assert wrong == [[], [], [broken]]
    assert broken in await verify(owner, new), "without the old key its seals cannot be verified"


async def test_a_client_signs_with_either_key_while_both_stand_in_the_file(
    postgres_url: str, serving_url: str, database: str, tmp_path: Path
) -> None:
    """As it is changed: the core knows both, the engine begins to sign with the new one, the old one goes."""
    config = configured(tmp_path, serving_url, postgres_url)
    (tmp_path / "pepper").write_bytes(PEPPER + b"\n" + NEW)
    passes: list[tuple[bool, bool]] = []
    for text in (KEY, KEY + b"\n" + NEW_KEY, NEW_KEY + b"\n" + KEY, NEW_KEY + b"\n"):
        (tmp_path / "engine").write_bytes(text)
        process = await started("serve", "--config", str(config))
        assert process.stderr is not None
        listen = json.loads(await asyncio.wait_for(process.stderr.readline(), 30))["listen"]
        passes.append((await _is_answered(listen, KEY), await _is_answered(listen, NEW_KEY)))
        process.terminate()
        await asyncio.wait_for(process.communicate(), 20)
    assert passes == [(True, False), (True, True), (True, True), (False, True)]


async def _is_answered(listen: str, key: bytes) -> bool:
    billing = HttpBilling(f"http://{listen}", "engine", key)
    await billing.start()
    call = Call("6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", "subscribers.hello", "77010000007", "kk", {})
    outcome = await billing.perform(call, 2.0)
    await billing.close()
    assert isinstance(outcome, Done | NotMade)
    return isinstance(outcome, Done)


async def test_billing_core_keys_tells_it_to_operators(
    postgres_url: str, serving_url: str, database: str, tmp_path: Path
) -> None:
    config = configured(tmp_path, serving_url, postgres_url)
    (tmp_path / "pepper").write_bytes(NEW + b"\n" + PEPPER)
    told = await ran("keys", "--config", str(config))
    assert told.code == 0
    assert told.out.splitlines()[0].startswith("line 1 of the pepper file: ")
    assert told.out.splitlines()[1].startswith("line 2 of the pepper file: ")
    assert json.loads((await ran("keys", "--json", "--config", str(config))).out)["vouchers"] > 0
    (tmp_path / "pepper").write_bytes(b"a pepper that has never been used here")
    refused = await ran("serve", "--config", str(config))
    assert (refused.code, "PINs and passwords need a pepper that" in refused.err) == (1, True)
