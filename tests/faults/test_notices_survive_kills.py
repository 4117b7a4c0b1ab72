"""Kill either side at any point: each notice is sent at least once, and at most once more per kill."""

from __future__ import annotations

import asyncio
import random
import re
import time
import uuid
from collections import Counter

import pytest

from smpp import constants
from smpp.fake_smsc import FakeSmsc, NotServed, Treatment

from .conftest import System

NOTICES = 24
KILLS = 3
NUMBER = "77010000021"
SEED = 20261121


def sums_seen(smsc: FakeSmsc) -> Counter[int]:
    """How often each top-up was told, by its sum: every top-up of a test has a sum of its own."""
    found: Counter[int] = Counter()
    for sms in smsc.sms:
        match = re.search(r"(\d[\d ,]*) (?:тг|KZT)", sms.text)
        if sms.destination == NUMBER and match:
            found[int(re.sub(r"\D", "", match[1]))] += 1
    return found


async def until_all_are_told(smsc: FakeSmsc, sums: set[int], seconds: float) -> Counter[int]:
    end = time.monotonic() + seconds
    while not sums <= set(sums_seen(smsc)) and time.monotonic() < end:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)  # what comes twice comes now
    return sums_seen(smsc)


@pytest.mark.parametrize("victim", ["ussd-engine", "billing-core"])
async def test_each_notice_is_sent_at_least_once_and_at_most_once_more_per_kill(
    system: System, smsc: FakeSmsc, victim: str
) -> None:
    chance = random.Random(f"{SEED} {victim}")
    smsc.sms.clear()
    base = 1000 if victim == "ussd-engine" else 2000
    sums = {base + number for number in range(NOTICES)}
    smsc.treatment = Treatment(delay_seconds=0.05)  # so that a kill meets SMS on their way

    async def top_up() -> None:
        for amount in sorted(sums):
            payment = str(uuid.uuid5(uuid.NAMESPACE_OID, str(amount)))
            await asyncio.to_thread(system.run, "topup", NUMBER, str(amount), "--id", payment)

    paying = asyncio.create_task(top_up())
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        await asyncio.to_thread(system.kill, victim)
        await asyncio.to_thread(system.start, victim)
    await paying
    seen = await until_all_are_told(smsc, sums, 60)
    smsc.treatment = Treatment()
    assert {amount for amount in sums if not seen[amount]} == set(), "never told"
    doubled = sum(count - 1 for count in seen.values() if count > 1)
    assert all(seen[amount] <= 1 + KILLS for amount in sums)
    assert doubled <= KILLS * 16, "more than what can be on its way at each kill"


async def test_an_sms_stays_with_the_smsc_while_the_core_is_away_and_has_one_effect_after(
    system: System, smsc: FakeSmsc
) -> None:
    await smsc.until_bound(2, 30)
    await smsc.send_sms("77010000022", "111", "BAL")
    await smsc.sms_to("77010000022")
    await asyncio.to_thread(system.kill, "billing-core")
    with pytest.raises(NotServed) as caught:
        await smsc.send_sms("77010000022", "111", "LANG EN")
    assert caught.value.status == constants.ESME_RX_T_APPN
    await asyncio.to_thread(system.start, "billing-core")
    for _ in range(40):  # as an SMSC does, until it is taken; the breaker opens and closes meanwhile
        try:
            await smsc.send_sms("77010000022", "111", "LANG EN")
            break
        except NotServed:
            await asyncio.sleep(0.5)
    assert (await smsc.sms_to("77010000022", 20)).text == "From now on we answer you in English."
    with pytest.raises(NotServed):
        await smsc.sms_to("77010000022", 1)


async def test_a_password_is_sent_even_when_the_engine_dies_before_the_smsc_has_it(
    system: System, smsc: FakeSmsc
) -> None:
    await smsc.until_bound(2, 30)
    smsc.treat_next_sms("77010000028", Treatment(status=constants.ESME_RSYSERR))
    screen = await smsc.handset("77010000028").dial("*245#")
    assert screen.ends
    await asyncio.to_thread(system.kill, "ussd-engine")
    await asyncio.to_thread(system.start, "ussd-engine")
    sms = await smsc.sms_to("77010000028", 60)
    assert re.search(r"[a-z0-9]{10}", sms.text)
    with pytest.raises(NotServed):
        await smsc.sms_to("77010000028", 1)
