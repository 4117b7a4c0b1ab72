"""`kill -9` of the core in the middle of payments: nothing that was acknowledged is lost, and nothing happens twice.

CORE_KILLS=50 in the environment kills it as often (`make kills`); the tests do it five times.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from billing.calls import Call, Done, NotMade, Outcome, Refused, Unknown
from billing.http_client import HttpBilling
from billing_core.codes import Codes
from billing_core.migrator import migrate, read_migrations
from billing_core.passwords import Hasher
from billing_core.roles import grant
from billing_core.sealer import seal_key, verify
from billing_core.seeding import seed
from billing_core.seeding.wallets import pin_of
from stack import places
from tests.integration.billing_core.running_core import CHEAP, KEY, PEPPER
from tests.integration.billing_core.test_core_cli import configured, started

KILLS = int(os.environ.get("CORE_KILLS", "5"))
A_SECOND = 100
SETTLED_SECONDS_MAX = 30
SEED = 20261125
ACCEPTS, REFUSES = "01234567890100", "01234567890190"
PAYERS = [f"996555{n:06}" for n in range(10)] + [f"996777{n:06}" for n in range(10)]
_TOTALS = """
SELECT (SELECT sum(balance_minor) FROM accounts WHERE currency = 'KGS'),
       (SELECT sum(balance_minor) FROM accounts WHERE kind = 'held')
"""


class Payment(NamedTuple):
    """A confirmation that was sent, and what was said of it."""

    call_id: str
    payer: str
    intent: str
    outcome: Outcome


class Process:
    """A core as a process of its own, which can be killed and comes back at the same port."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.listen = ""

    async def start(self) -> None:
        self._process = await started("serve", "--config", str(self._config))
        assert self._process.stderr is not None
        while (said := json.loads(await asyncio.wait_for(self._process.stderr.readline(), 30)))["event"] != "serving":
            pass
        self.listen = said["listen"]
        self._reading = asyncio.create_task(_drained(self._process.stderr))

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass


@pytest.fixture
async def owner(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url)
    await migrate(connection, read_migrations())
    await grant(connection, places.SERVING_USER)
    hasher = Hasher(PEPPER, **CHEAP)
    await seed(connection, Codes(PEPPER), hasher, 10, free_numbers=10)
    hasher.close()
    yield connection
    await connection.close()


async def pay(billing: HttpBilling, chance: random.Random) -> Payment | None:
    """One payment of a random kind, from its quote to what is said of it. None when nothing was quoted."""
    payer, to = chance.sample(PAYERS, 2)
    if chance.random() < 0.7:
        what, arguments = "wallet.quote_transfer", {"to": to, "sum": chance.randint(10, 20)}
    else:
        account = ACCEPTS if chance.random() < 0.7 else REFUSES
        what, arguments = "wallet.quote_payment", {"service": "dostek", "account": account, "sum": 10}
    quoted = await billing.perform(Call(str(uuid.uuid4()), what, payer, "ru", arguments), 2.0)
    if not isinstance(quoted, Done):
        return None
    intent, call_id = str(quoted.result["intent"]), str(uuid.uuid4())
    pin = pin_of(int(payer[-1]))
    call = Call(call_id, "wallet.confirm", payer, "ru", {"intent": intent, "pin": pin})
    return Payment(call_id, payer, intent, await billing.perform(call, 2.0))


async def load(billing: HttpBilling, until: asyncio.Event, chance: random.Random) -> list[Payment]:
    """So many payments a second, whatever becomes of them."""
    paying: list[asyncio.Task[Payment | None]] = []
    began = time.monotonic()
    while not until.is_set():
        while len(paying) < (time.monotonic() - began) * A_SECOND:
            paying.append(asyncio.create_task(pay(billing, random.Random(chance.random()))))
        await asyncio.sleep(0.01)
    return [payment for payment in await asyncio.gather(*paying) if payment is not None]


async def test_killed_in_the_middle_of_payments_it_loses_none_and_doubles_none(
    owner: asyncpg.Connection, serving_url: str, postgres_url: str, tmp_path: Path, free_port: object
) -> None:
    chance = random.Random(SEED)
    listen = f"127.0.0.1:{free_port()}"  # type: ignore[operator]
    config = configured(tmp_path, serving_url, postgres_url, listen)
    cheap = f"  hashing: {{memory_kib: {CHEAP['memory_kib']}, passes: {CHEAP['passes']}}}\n"
    config.write_text(config.read_text() + cheap)
    before = await owner.fetchrow(_TOTALS)
    core, over = Process(config), asyncio.Event()
    await core.start()
    billing = HttpBilling(f"http://{listen}", "engine", KEY, breaker_failures=1_000_000)
    await billing.start()
    loading = asyncio.create_task(load(billing, over, random.Random(chance.random())))
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.3, 1.2))
        await core.kill()
        await core.start()
    await asyncio.sleep(0.5)
    over.set()
    payments = await loading
    restarted = time.monotonic()

    open_ones = [each for each in payments if isinstance(each.outcome, Unknown | NotMade)]
    outcomes = await asyncio.gather(*(outcome_of(billing, each, restarted) for each in open_ones))
    ended = {each.intent: done for each, done in zip(open_ones, outcomes, strict=True)}
    acknowledged = [
        each for each in payments if isinstance(each.outcome, Done) and each.outcome.result["state"] == "paid"
    ]
    refused = [each for each in payments if isinstance(each.outcome, Refused)]
    paid = [each.intent for each in acknowledged] + [intent for intent, done in ended.items() if done]
    unpaid = [each.intent for each in refused] + [intent for intent, done in ended.items() if not done]
    assert len(acknowledged) > KILLS * 10
    assert await posted(owner, paid) == dict.fromkeys(paid, 1)
    assert await posted(owner, unpaid) == {}
    assert await owner.fetchval("SELECT count(*) FROM intents WHERE state = 'reserved'") == 0
    after = await owner.fetchrow(_TOTALS)
    assert before is not None
    assert after is not None
    assert (after[0], after[1]) == (before[0], 0)
    assert await verify(owner, seal_key(PEPPER)) == []
    await billing.close()
    await core.kill()


async def outcome_of(billing: HttpBilling, payment: Payment, restarted: float) -> bool:
    """Asks by id until it is final, in half a minute from the restart at most; whether it was paid."""
    arguments = {"call": payment.call_id, "intent": payment.intent}
    while True:
        asked = Call(str(uuid.uuid4()), "wallet.outcome", payment.payer, "ru", arguments)
        told = await billing.perform(asked, 2.0)
        if isinstance(told, Done) and told.result["outcome"] != "pending":
            return told.result["outcome"] == "done"
        assert time.monotonic() - restarted < SETTLED_SECONDS_MAX, (payment, told)
        await asyncio.sleep(0.2)


async def posted(owner: asyncpg.Connection, intents: list[str]) -> dict[str, int]:
    """How often each of these was paid, by the ledger."""
    rows = await owner.fetch(
        "SELECT cause, count(*) FROM postings WHERE cause = ANY ($1) AND kind IN ('wallet.transfer', 'wallet.paid')"
        " GROUP BY cause",
        [uuid.UUID(intent) for intent in intents],
    )
    return {str(row[0]): row[1] for row in rows}
