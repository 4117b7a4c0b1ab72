"""SMS that came in: each is taken once, however it is delivered, and not too many of one sender."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import uuid
from collections.abc import Iterator

import pytest

from billing.calls import Done, Refused
from billing.contract import Value

from .running_core import Core

NOON = datetime.datetime(2027, 3, 31, 7, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _time_goes_on(core: Core) -> Iterator[None]:
    yield
    core.now = None


def sms(text: str, smsc_id: str = "", link: str = "kcell-smsc", short_number: str = "111") -> dict[str, Value]:
    arguments: dict[str, Value] = {
        "link": link,
        "short_number": short_number,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
    }
    return {**arguments, "smsc_id": smsc_id} if smsc_id else arguments


async def take(core: Core, number: str, arguments: dict[str, Value], now: datetime.datetime) -> Done | Refused:
    core.now = now
    return await core.do("inbox.accept", number, **arguments)


def taken(outcome: object) -> tuple[str, bool]:
    assert isinstance(outcome, Done)
    return str(outcome.result["inbox_id"]), bool(outcome.result["repeated"])


async def test_an_sms_with_an_id_of_the_smsc_is_taken_once_whenever_it_comes_again(core: Core) -> None:
    number = "77010000200"
    first, repeated = taken(await take(core, number, sms("BAL", "a-1"), NOON))
    assert not repeated
    assert taken(await take(core, number, sms("BAL", "a-1"), NOON + 3600 * SECOND)) == (first, True)
    another, repeated = taken(await take(core, number, sms("BAL", "a-2"), NOON + SECOND))
    assert (another != first, repeated) == (True, False)


async def test_without_such_an_id_the_same_text_is_the_same_sms_for_ten_seconds_from_the_first(core: Core) -> None:
    number = "77010000201"
    first, _ = taken(await take(core, number, sms("BAL"), NOON))
    assert taken(await take(core, number, sms("BAL"), NOON + 6 * SECOND)) == (first, True)
    assert taken(await take(core, number, sms("BAL"), NOON + 9 * SECOND)) == (first, True)
    assert not taken(await take(core, number, sms("BAL"), NOON + 10 * SECOND))[1]


async def test_another_text_link_short_number_or_sender_is_another_sms(core: Core) -> None:
    number = "77010000202"
    await take(core, number, sms("BAL"), NOON)
    for other in (sms("TARIFF"), sms("BAL", link="second-smsc"), sms("BAL", short_number="4259"), sms("BAL", "a-1")):
        assert not taken(await take(core, number, other, NOON))[1]
    assert not taken(await take(core, "77010000203", sms("BAL", "a-1"), NOON))[1]


async def test_the_same_sms_by_ten_ways_at_once_is_taken_once(core: Core) -> None:
    for arguments in (sms("BAL", "a-1"), sms("BAL")):
        outcomes = await asyncio.gather(*(core.ask("inbox.accept", "77010000204", arguments) for _ in range(10)))
        assert len({taken(outcome)[0] for outcome in outcomes}) == 1
        assert sorted(taken(outcome)[1] for outcome in outcomes) == [False] + [True] * 9


async def test_more_than_twenty_an_hour_are_refused_and_what_comes_again_does_not_count(core: Core) -> None:
    number = "77010000205"
    for n in range(20):
        assert not taken(await take(core, number, sms("BAL", f"a-{n}"), NOON + n * SECOND))[1]
    assert await take(core, number, sms("BAL", "b"), NOON + 30 * SECOND) == Refused("TOO_MANY", {})
    assert taken(await take(core, number, sms("BAL", "a-0"), NOON + 30 * SECOND))[1]
    assert not taken(await take(core, number, sms("BAL", "c"), NOON + 3600 * SECOND))[1]


async def test_a_sender_that_is_no_subscriber_is_unknown(core: Core) -> None:
    assert await core.ask("inbox.accept", "77019999999", sms("BAL")) == Refused("UNKNOWN_NUMBER", {})


async def test_a_blocked_number_is_heard_as_well(core: Core) -> None:
    assert not taken(await core.ask("inbox.accept", "77010000295", sms("HELP")))[1]


async def test_what_follows_an_sms_is_done_once_under_an_id_made_from_the_inbox_s(core: Core) -> None:
    number, arguments = "77010000206", sms("LANG EN", "a-1")
    for _ in range(2):
        inbox_id, _ = taken(await core.ask("inbox.accept", number, arguments))
        following = str(uuid.uuid5(uuid.UUID(inbox_id), "subscribers.set_language"))
        language: dict[str, Value] = {"language": "en"}
        done = await core.ask("subscribers.set_language", number, language, call_id=following, by_sms=True)
        assert done == Done({"language": "en"})
    assert await core.pool.fetchval("SELECT count(*) FROM notices WHERE msisdn = $1", number) == 1
