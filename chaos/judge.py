"""What must hold after a campaign, whatever was killed: asked of the database and of the centres, not of what was said.

Rules of this file:
- Time to settle is part of it: intents are final within `SETTLED_SECONDS_MAX` of the last start of a part.
- Each failure names its number and its sum: a run can be looked into.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import asyncpg

from chaos.load import PAYERS, RESERVERS, Attempt, Load
from chaos.people import add_people
from chaos.report import Report, Terms
from chaos.stand import Stand

SETTLED_SECONDS_MAX: Final = 30.0
TOLD_SECONDS_MAX: Final = 90.0
"""How long the last SMS may take, once all is settled; the relay's own pauses lie in it."""
ON_THEIR_WAY_MAX: Final = 16
"""SMS that are being handed over at a time (`relay_notices_max`)."""

_OPEN: Final = "SELECT count(*) FROM intents WHERE state = 'reserved' OR (state = 'quoted' AND asked_at IS NOT NULL)"
_WAITING: Final = """
SELECT count(*) FROM notices WHERE state = 'waiting' AND NOT rejected AND try_at < now() + interval '1 hour'
"""
_INTENTS: Final = """
SELECT s.msisdn, i.kind, i.sum_minor, i.state, i.terms, i.asked_at,
       (SELECT count(*) FROM postings p WHERE p.cause = i.intent_id
          AND p.kind IN ('wallet.paid', 'wallet.transfer', 'reservation')) AS posted,
       (SELECT count(*) FROM reservations r WHERE r.reservation_id = i.intent_id) AS held
FROM intents i JOIN subscribers s USING (subscriber_id)
WHERE i.kind IN ('payment', 'transfer', 'reservation')
"""
_ORPHANS: Final = """
SELECT (SELECT count(*) FROM postings p WHERE p.kind = 'reservation'
          AND NOT EXISTS (SELECT FROM reservations r WHERE r.reservation_id = p.cause)) AS fees_without_a_number,
       (SELECT count(*) FROM reservations r
          WHERE NOT EXISTS (SELECT FROM postings p WHERE p.kind = 'reservation' AND p.cause = r.reservation_id)
          ) AS numbers_without_a_fee
"""
_NOTICES: Final = "SELECT msisdn, event, state, rejected, arguments FROM notices"


class Settled(NamedTuple):
    """How long it took until nothing was open, and until every SMS had been handed over; in seconds."""

    intents: float
    notices: float


async def settled(owner: asyncpg.Connection[Any], report: Report) -> Settled:
    """Waits until no intent is open and no SMS waits."""
    intents = await _until_none(owner, _OPEN, SETTLED_SECONDS_MAX)
    report.check(intents <= SETTLED_SECONDS_MAX, f"intents are open {SETTLED_SECONDS_MAX:g} s after the last start")
    notices = await _until_none(owner, _WAITING, TOLD_SECONDS_MAX)
    report.check(notices <= TOLD_SECONDS_MAX, f"SMS wait {TOLD_SECONDS_MAX:g} s after all is settled")
    return Settled(intents, notices)


async def _until_none(owner: asyncpg.Connection[Any], question: str, seconds_max: float) -> float:
    began = time.monotonic()
    while await owner.fetchval(question) and time.monotonic() - began <= seconds_max:  # noqa: ASYNC110 - SQL is asked
        await asyncio.sleep(0.1)
    return time.monotonic() - began


@asynccontextmanager
async def people_at_it(stand: Stand, terms: Terms, report: Report) -> AsyncIterator[Load]:
    """People pay and reserve from the beginning of the block to its end; then everything is judged."""
    await add_people(stand, PAYERS, RESERVERS)
    load = Load(stand, terms.chance("load"))
    load.begin()
    yield load
    await load.end()
    await judge(stand, load, report)


async def judge(stand: Stand, load: Load, report: Report) -> None:
    """Everything: intents and their ends, the ledger, reservations, what was said, and the SMS."""
    owner = await stand.owner()
    waited = await settled(owner, report)
    await asyncio.sleep(1.0)  # what comes twice comes now
    load.hear_late_screens()
    rows = await owner.fetch(_INTENTS)
    _intents(rows, load.attempts, report)
    orphans = await owner.fetchrow(_ORPHANS)
    for what, count in dict(orphans or {}).items():
        report.check(count == 0, f"{what.replace('_', ' ')}: {count}")
    _sms(await owner.fetch(_NOTICES), stand, report)
    await owner.close()
    try:
        await stand.core_command("verify")
    except RuntimeError as error:
        report.failures.append(str(error))
    said = Counter(f"{attempt.kind} {attempt.said}" for attempt in load.attempts)
    report.figures |= {f"attempts: {name}": count for name, count in sorted(said.items())}
    report.figures |= {"screens that nobody could read": dict(load.unasked.most_common(5))} if load.unasked else {}
    report.figures |= {"seconds until settled": round(waited.intents, 1), "until told": round(waited.notices, 1)}
    report.figures |= {f"kills of {name}": count for name, count in sorted(stand.kills.items())}


def _intents(rows: Sequence[Any], attempts: Sequence[Attempt], report: Report) -> None:
    """Each attempt against the ledger."""
    posted: Counter[tuple[str, str, str]] = Counter()
    confirmed = {_key(each) for each in attempts if each.confirmed}
    for row in rows:
        key = _key_of(row)
        posted[key] += row["posted"]
        report.check(row["posted"] <= 1, f"{key} was posted {row['posted']} times by one intent")
        ended = (row["state"] == "done") == (row["posted"] == 1)
        report.check(ended, f"{key} is {row['state']}, posted {row['posted']}")
        report.check(row["kind"] != "reservation" or row["held"] == row["posted"], f"{key}: {row['held']} numbers")
        report.check(not row["posted"] or key in confirmed or not _is_of_the_load(key), f"{key}: nobody confirmed it")
    for key, times in posted.items():
        report.check(times <= 1, f"{key} was charged {times} times")
    for attempt in attempts:
        times = posted[_key(attempt)]
        readable = attempt.said != "nothing" or not attempt.confirmed or "PIN" in attempt.screen
        report.check(readable or "Наберите" in attempt.screen, f"nobody can read '{attempt.screen}'")
        told = f"{_key(attempt)} was told '{attempt.screen}', and is posted {times} times"
        report.check(times == {"done": 1, "not_done": 0, "refused": 0}.get(attempt.said, times), told)
    report.figures["charged once"] = sum(times == 1 for times in posted.values())


def _key(attempt: Attempt) -> tuple[str, str, str]:
    return attempt.kind, attempt.number, attempt.key


def _key_of(row: Any) -> tuple[str, str, str]:
    kind = row["kind"]
    key = str(json.loads(row["terms"])["number"]) if kind == "reservation" else str(row["sum_minor"] // 100)
    return kind, row["msisdn"], key


def _is_of_the_load(key: tuple[str, str, str]) -> bool:
    return key[1].startswith(("9965559", "770109"))


def _sms(rows: Sequence[Any], stand: Stand, report: Report) -> None:
    """Each promised SMS came, and came once, or once more for each kill that it can have met."""
    kills = sum(stand.kills.values())
    promised: dict[str, set[tuple[str, str]]] = defaultdict(set)  # the same twice is the same text
    for row in rows:
        if row["state"] == "accepted":
            promised[row["msisdn"]].add((row["event"], row["arguments"]))
        report.check(row["state"] != "expired", f"an SMS of {row['event']} to {row['msisdn']} grew too old")
        report.check(not row["rejected"], f"an SMS of {row['event']} to {row['msisdn']} can never be sent")
    came: dict[str, Counter[str]] = defaultdict(Counter)
    for centre in stand.centres.values():
        for sms in centre.sms:
            came[sms.destination][sms.text] += 1
    doubled = 0
    for number, told in promised.items():
        texts = came[number]
        report.check(len(texts) >= len(told), f"{number}: {len(told)} SMS were promised, {len(texts)} came")
        doubled += sum(texts.values()) - len(texts)
        most = max(texts.values(), default=0)
        report.check(most <= 1 + kills, f"{number}: an SMS came {most} times, with {kills} kills")
    report.check(doubled <= kills * ON_THEIR_WAY_MAX, f"{doubled} SMS came twice, with {kills} kills")
    report.figures |= {"SMS promised": sum(map(len, promised.values())), "SMS doubled": doubled}
