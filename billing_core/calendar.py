"""Days and hours as subscribers live them, local to their network; and what is counted or waited for by them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from billing.calls import Refused
from billing_core.database import Connection
from billing_core.moments import as_instant
from billing_core.who import Who

_COUNT = "SELECT count(*) FROM tries WHERE subscriber_id = $1 AND kind = $2 AND at >= $3"
_NOTE = "INSERT INTO tries (subscriber_id, kind, at) VALUES ($1, $2, $3)"
_LATELY = "SELECT at FROM tries WHERE subscriber_id = $1 AND kind = $2 AND at >= $3 ORDER BY at DESC"


class Limits(NamedTuple):
    """How many of a thing a number is sent; a day is one of the network's calendar."""

    a_minute: int
    an_hour: int
    a_day: int


def local(who: Who) -> datetime.datetime:
    """Now, where the subscriber is."""
    return who.now.astimezone(ZoneInfo(who.time_zone))


def day_begins(who: Who) -> datetime.datetime:
    """When today began, where the subscriber is."""
    return local(who).replace(hour=0, minute=0, second=0, microsecond=0)


def tomorrow(who: Who) -> datetime.datetime:
    """When the next day begins there."""
    return day_begins(who) + datetime.timedelta(days=1)


def month_begins(who: Who) -> datetime.datetime:
    """When this month began there."""
    return day_begins(who).replace(day=1)


def awake(who: Who, from_hour: int, to_hour: int) -> datetime.datetime:
    """The first moment from now on that is not in the quiet hours, which begin at `from_hour` and end at `to_hour`."""
    here = local(who)
    quiet = (
        from_hour <= here.hour < to_hour if from_hour <= to_hour else (here.hour >= from_hour or here.hour < to_hour)
    )
    if not quiet:
        return who.now
    ends = here.replace(hour=to_hour, minute=0, second=0, microsecond=0)
    return ends if ends > here else ends + datetime.timedelta(days=1)


async def tried_today(connection: Connection, who: Who, kind: str) -> int:
    """How many tries of a kind the subscriber has made today; under the lock of their row."""
    count: int = await connection.fetchval(_COUNT, who.id, kind, day_begins(who))
    return count


async def note_try(connection: Connection, who: Who, kind: str) -> None:
    """One more try."""
    await connection.execute(_NOTE, who.id, kind, who.now)


async def sent_lately(connection: Connection, who: Who, kind: str) -> list[datetime.datetime]:
    """When the subscriber was sent a thing of a kind, newest first, as far back as any limit reaches."""
    since = min(day_begins(who), who.now - datetime.timedelta(hours=1))
    return [row[0] for row in await connection.fetch(_LATELY, who.id, kind, since)]


def again_at(who: Who, sent: Sequence[datetime.datetime], limits: Limits) -> datetime.datetime | None:
    """When one more may be sent, if not now; `sent`: when the last ones were, newest first."""
    windows = ((limits.a_minute, datetime.timedelta(minutes=1)), (limits.an_hour, datetime.timedelta(hours=1)))
    waits = [sent[most - 1] + window for most, window in windows if len(sent) >= most]
    if sum(at >= day_begins(who) for at in sent) >= limits.a_day:
        waits.append(tomorrow(who))
    return max((wait for wait in waits if wait > who.now), default=None)


def sim_too_new(who: Who, hours_min: int) -> Refused | None:
    """The refusal while this person has the number with this SIM card for less than so many hours."""
    ready = who.sim_since + datetime.timedelta(hours=hours_min)
    return Refused("SIM_TOO_NEW", {"again_at": as_instant(ready, up=True)}) if ready > who.now else None
