"""Secrets rest nowhere: after a day of PINs, passwords and codes, none of them is in a row or in the log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from billing.calls import Call, Done
from billing.http_client import HttpBilling

from .running_core import KEY, Core, running_core
from .stories import change_pin
from .test_core_cli import configured, started

PIN, NEW_PIN, WRONG_PIN = "8305", "6174", "7391"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PASSWORD, WRONG_PASSWORD = "wolf-tree-seven-lamps", "moon-tree-seven-lamps"


async def a_day(core: Core) -> list[str]:
    """Everything that has to do with a secret, once; returns the secrets."""
    wallet, a, b = "996555000801", "77010000801", "77010000802"
    person = {"first_name": "A", "last_name": "B", "inn": "22005199077777", "offer": "accepted"}
    await core.do("wallet.register", wallet, **person)
    first_pin = await core.sent(wallet, "wallet.registered", "pin")
    await change_pin(core, wallet, first_pin, PIN)
    await core.do("wallet.top_up", wallet, sum={"minor": 100_000, "currency": "KGS"}, place="b1")
    for pin in (WRONG_PIN, PIN):
        quote = await core.do("wallet.quote_transfer", wallet, to="996555000001", sum=10)
        assert isinstance(quote, Done)
        await core.do("wallet.confirm", wallet, intent=quote.result["intent"], pin=pin)
    await change_pin(core, wallet, PIN, NEW_PIN, again=WRONG_PIN)
    await change_pin(core, wallet, WRONG_PIN, NEW_PIN)
    await core.do("wallet.reset_pin", wallet, document="ID1")
    reset_pin = await core.sent(wallet, "wallet.pin_reset", "pin")
    await core.do("cabinet.temporary_password", a)
    temporary = await core.sent(a, "cabinet.temporary_password", "password")
    await core.do("cabinet.login", a, password=WRONG_PASSWORD)
    await core.do("cabinet.change_password", a, old=temporary, new=PASSWORD)
    await core.do("delegation.request", a, number=b)
    confirmation = await core.sent(b, "delegation.asked", "code")
    await core.do("delegation.confirm", b, code="12345678")
    await core.do("delegation.confirm", b, code=confirmation)
    activation = await core.sent(b, "delegation.activation", "code")
    await core.do("delegation.activate", a, number=b, code=activation)
    voucher = "10000000000003"
    await core.do("vouchers.redeem", a, voucher=voucher)
    free = await core.pool.fetchval("SELECT msisdn FROM numbers WHERE sold_at IS NULL LIMIT 1")
    await core.do("balances.top_up", a, sum={"minor": 100_000, "currency": "KZT"}, place="t1")
    quote = await core.do("numbers.quote", a, number=free, city="almaty")
    assert isinstance(quote, Done)
    reserved = await core.do("numbers.reserve", a, intent=quote.result["intent"], digits=quote.result["digits"])
    assert isinstance(reserved, Done)
    pins = [first_pin, PIN, NEW_PIN, WRONG_PIN, reset_pin]
    passwords = [temporary, PASSWORD, WRONG_PASSWORD]
    return [*pins, *passwords, confirmation, activation, "12345678", voucher, str(reserved.result["code"])]


async def test_no_secret_rests_in_any_row(database: str, owner: asyncpg.Connection) -> None:
    async with running_core(database, memory_kib=8, passes=1) as core:
        secrets = await a_day(core)
    found = re.compile("|".join(rf"(?<![0-9a-z]){re.escape(secret)}(?![0-9a-z])" for secret in secrets))
    tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    looked_at = 0
    for [table] in tables:
        for [row] in await owner.fetch(f'SELECT row_to_json(t)::text FROM "{table}" AS t'):
            texts = _UUID.sub("", "\n".join(texts_in(json.loads(row))))
            assert not found.search(texts), f"{table}: {texts}"
            looked_at += 1
    assert looked_at > 10_000


def texts_in(value: Any) -> Iterator[str]:
    """All texts in a row; a number in it is a sum, a version or an id, whatever its digits."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


async def test_no_secret_is_written_to_the_log(serving_url: str, database: str, tmp_path: Path) -> None:
    config = configured(tmp_path, serving_url, log_level="debug")
    process = await started("serve", "--config", str(config))
    assert process.stderr is not None
    serving = json.loads(await process.stderr.readline())
    billing = HttpBilling(f"http://{serving['listen']}", "engine", KEY)
    await billing.start()
    wrong = {"old": WRONG_PASSWORD, "new": PASSWORD}
    for operation, arguments in (
        ("cabinet.change_password", wrong),
        ("cabinet.login", {"password": PASSWORD}),
        ("cabinet.login", {"password": [PASSWORD]}),
        ("wallet.confirm", {"intent": "x", "pin": WRONG_PIN * 20}),
    ):
        await billing.perform(
            Call("6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", operation, "77010000803", "ru", arguments), 5.0
        )  # type: ignore[arg-type]
    await billing.close()
    process.terminate()
    _, logged = await process.communicate()
    for secret in (PASSWORD, WRONG_PASSWORD, WRONG_PIN * 20, "77010000803"):
        assert secret not in logged.decode()
