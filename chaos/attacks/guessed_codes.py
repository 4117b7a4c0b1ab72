"""Codes of SMS guessed from many numbers, and passwords asked for without end: nobody gets in, nobody is flooded."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
import uuid
from typing import Final, NamedTuple

from billing.calls import Call, Done
from billing.http_client import HttpBilling
from billing.signing import key_from_file
from chaos.attacks.siege import CEILING, PASSWORDS_FROM_ONE_NUMBER, Siege, number
from smpp.fake_smsc import NotServed

GUESSERS: Final = 30
"""Numbers that guess; more only repeat it."""
FIRST_GUESSER: Final = 50
FIRST_PAIR: Final = 40
WRONG_MAX: Final = 3
PAUSE_SECONDS: Final = 3600
TIMES_DIFFER_SECONDS_MAX: Final = 0.05
ASKED: Final = 10_000
AT_A_TIME: Final = 50
FLOODED: Final = 100
FIRST_OF_MANY: Final = 101
MANY: Final = 39
SMS_SECONDS_MAX: Final = 15.0
_CODE: Final = re.compile(r"\b([0-9]{8})\b")
_PASSWORDS: Final = "SELECT count(*) FROM temporary_passwords"
_AGE: Final = "UPDATE temporary_passwords SET issued_at = issued_at - interval '61 seconds'"


class Pair(NamedTuple):
    """Somebody who has asked to manage a number, and the code that the number was sent."""

    managed: str
    code: str


async def run(siege: Siege) -> None:
    """Both, one after the other."""
    await guessed(siege)
    await asked_without_end(siege)


# --- 4259 -------------------------------------------------------------------------------------------------------------


async def guessed(siege: Siege) -> None:
    """The code of one number, sent by many others; and by itself, after it has been wrong too often."""
    pair, locked = [await _asked(siege, FIRST_PAIR + at) for at in (0, 2)]
    guessers = [number("kcell", FIRST_GUESSER + at) for at in range(siege.terms.times(GUESSERS, 6))]
    took: dict[str, list[float]] = {"right for another": [], "right for nobody": []}
    told: dict[str, set[str]] = {kind: set() for kind in took}
    for turn in range(WRONG_MAX + 1):
        for at, guesser in enumerate(guessers):
            kind = ("right for another", "right for nobody")[at % 2]
            code = pair.code if at % 2 == 0 else f"{(int(pair.code) + 7 * at) % 10**8:08}"
            spelt = f"{code[:turn]} {code[turn:]}"  # else the core takes it for the same SMS, delivered again
            text, seconds = await _told(siege, guesser, spelt)
            told[kind].add(f"{turn}: {re.sub('[0-9.:]+', '#', text)}")
            took[kind].append(seconds)
    _, other = told.values()
    siege.check(len(told["right for another"]) <= len(other) + 2 * WRONG_MAX, f"{told}")
    differ = abs(statistics.median(took["right for another"]) - statistics.median(took["right for nobody"]))
    siege.check(differ <= TIMES_DIFFER_SECONDS_MAX, f"another's code is told by {1000 * differ:.0f} ms")
    siege.report.figures["another's code and none differ by, ms"] = round(1000 * differ, 1)
    siege.report.figures["codes guessed"] = len(guessers) * (WRONG_MAX + 1)
    await _look_at_guessers(siege, guessers)
    for turn in range(WRONG_MAX):
        await _told(siege, locked.managed, f"1111111{turn}")
    await _told(siege, locked.managed, locked.code)
    states = await _states(siege, [pair.managed, locked.managed])
    siege.check(states == {pair.managed: "asked", locked.managed: "asked"}, f"somebody has got in: {states}")
    await siege.stand.centres["kcell"].send_sms(pair.managed, "4259", pair.code)
    states = await _states(siege, [pair.managed])
    siege.check(states == {pair.managed: "agreed"}, f"whose code it is may not use it any more: {states}")


async def _asked(siege: Siege, at: int) -> Pair:
    """A asks to manage B's number: B is sent a code."""
    settings = siege.stand.settings()
    key = key_from_file((settings.data_folder / "keys" / "engine").read_bytes())
    billing = HttpBilling(f"http://{settings.core_http.reached_at}:{settings.core_http.port}", "engine", key)
    await billing.start()
    asker, managed = number("kcell", at), number("kcell", at + 1)
    call = Call(str(uuid.uuid4()), "delegation.request", asker, "ru", {"number": managed})
    outcome = await billing.perform(call, 5.0)
    await billing.close()
    if not isinstance(outcome, Done):
        raise RuntimeError(f"nobody was asked: {outcome}")
    sms = await siege.stand.centres["kcell"].sms_to(managed, SMS_SECONDS_MAX)
    found = _CODE.search(sms.text)
    if found is None:
        raise RuntimeError(f"no code in {sms.text!r}")
    return Pair(managed, found[1])


async def _told(siege: Siege, sender: str, text: str) -> tuple[str, float]:
    """The answer to an SMS to 4259, and how long it took."""
    centre, began = siege.stand.centres["kcell"], time.monotonic()
    await centre.send_sms(sender, "4259", text)
    sms = await centre.sms_to(sender, SMS_SECONDS_MAX)
    return sms.text, time.monotonic() - began


async def _look_at_guessers(siege: Siege, guessers: list[str]) -> None:
    owner = await siege.stand.owner()
    rows = await owner.fetch(
        "SELECT s.msisdn, extract(epoch FROM c.paused_until - now()) FROM code_senders c"
        " JOIN subscribers s USING (subscriber_id) WHERE s.msisdn = ANY ($1) AND c.paused_until IS NOT NULL",
        guessers,
    )
    await owner.close()
    siege.check(len(rows) == len(guessers), f"{len(rows)} of {len(guessers)} guessers are paused")
    waits = [float(row[1]) for row in rows]
    siege.check(all(PAUSE_SECONDS - 120 < wait <= PAUSE_SECONDS for wait in waits), f"paused for {waits[:3]} s")


async def _states(siege: Siege, managed: list[str]) -> dict[str, str]:
    owner = await siege.stand.owner()
    rows = await owner.fetch(
        "SELECT s.msisdn, d.state FROM delegations d JOIN subscribers s ON s.subscriber_id = d.managed_id"
        " WHERE s.msisdn = ANY ($1)",
        managed,
    )
    await owner.close()
    return {row[0]: row[1] for row in rows}


# --- *245# ------------------------------------------------------------------------------------------------------------


async def asked_without_end(siege: Siege) -> None:
    """One number asks thousands of times, an hour as short as this run; then many numbers ask at once."""
    total = siege.terms.times(ASKED)
    asking, began = number("kcell", FLOODED), time.monotonic()
    owner = await siege.stand.owner()
    await owner.execute("DELETE FROM temporary_passwords")
    minutes = PASSWORDS_FROM_ONE_NUMBER + 2
    for _ in range(minutes):
        await _dial(siege, asking, total // minutes)
        await owner.execute(_AGE)  # a minute has gone by
    sms = await _all_sms(siege, asking, PASSWORDS_FROM_ONE_NUMBER)
    siege.check(len(sms) == PASSWORDS_FROM_ONE_NUMBER, f"{len(sms)} SMS were sent to who asked {total} times an hour")
    siege.report.figures |= {
        "*245# dialled for one number": total, "SMS to it": len(sms),
        "a second": round(total / (time.monotonic() - began)),
    }  # fmt: skip
    rings = await siege.metric("billing_core_password_ceiling_total", core=True)
    before = await owner.fetchval(_PASSWORDS + " WHERE issued_at > now() - interval '1 minute'")
    many = [number("kcell", FIRST_OF_MANY + at) for at in range(MANY) if (FIRST_OF_MANY + at) % 100 not in (91, 92, 95)]
    await asyncio.gather(*(_once(siege, each) for each in many))
    issued = await owner.fetchval(_PASSWORDS + " WHERE issued_at > now() - interval '1 minute'")
    rung = await siege.metric("billing_core_password_ceiling_total", core=True) - rings
    await owner.close()
    siege.check(issued <= CEILING, f"{issued} passwords were made in a minute, and the ceiling is {CEILING}")
    siege.check(before + len(many) <= CEILING or rung > 0, "nobody hears of the ceiling")
    siege.report.figures |= {"passwords of all numbers in a minute": issued, "refused at the ceiling": rung}


async def _dial(siege: Siege, msisdn: str, times: int) -> None:
    """Dials so often, some at a time: a dialogue that begins ends the one before, and each asks the core."""
    centre = siege.stand.centres["kcell"]
    for begin in range(0, times, AT_A_TIME):
        handset = centre.handset(msisdn)
        for _ in range(min(AT_A_TIME, times - begin)):
            handset.begin("*245#")
        try:
            await handset.screen(10.0)
        except NotServed as error:
            siege.check(False, f"*245#: {error}")


async def _once(siege: Siege, msisdn: str) -> None:
    try:
        await siege.stand.centres["kcell"].handset(msisdn).dial("*245#", 10.0)
    except NotServed as error:
        siege.check(False, f"*245#: {error}")


async def _all_sms(siege: Siege, msisdn: str, expected: int) -> list[str]:
    """All that come, and a moment more for those that should not."""
    found: list[str] = []
    while True:
        seconds = SMS_SECONDS_MAX if len(found) < expected else 1.5
        try:
            found.append((await siege.stand.centres["kcell"].sms_to(msisdn, seconds)).text)
        except NotServed:
            return found
