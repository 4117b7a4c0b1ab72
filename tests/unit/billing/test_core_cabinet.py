"""When the next temporary password may be sent: 1 a minute, 3 an hour, 5 a day of the calendar."""

from __future__ import annotations

import datetime

import pytest

from billing_core.calendar import Limits, again_at
from billing_core.domains.cabinet import Fresh
from billing_core.who import Who

MIDNIGHT = datetime.datetime(2026, 3, 30, 19, tzinfo=datetime.UTC)  # in Almaty
HOLDER = Who(1, "77010000001", "kcell", "Kcell", "active", None, "KZ", "Asia/Almaty", "KZT", MIDNIGHT, MIDNIGHT)


def at(clock: str) -> datetime.datetime:
    hours, minutes, seconds = map(int, clock.split(":"))
    return MIDNIGHT + datetime.timedelta(hours=hours, minutes=minutes, seconds=seconds)


@pytest.mark.parametrize(
    ("issued", "now", "again"),
    [
        ("", "10:00:00", None),
        ("10:00:00", "10:00:59", "10:01:00"),
        ("10:00:00", "10:01:00", None),
        ("10:00:00 10:01:00 10:02:00", "10:02:30", "11:00:00"),
        ("10:00:00 10:01:00 10:02:00", "11:00:00", None),
        ("10:00:00 10:01:00 10:59:30", "10:59:40", "11:00:30"),  # the minute ends after the hour
        ("01:00:00 03:00:00 05:00:00 07:00:00 09:00:00", "12:00:00", "24:00:00"),
        ("-1:00:00 03:00:00 05:00:00 07:00:00 09:00:00", "12:00:00", None),  # one of them was yesterday
        ("10:00:00", "09:59:50", "10:01:00"),  # the clock was put back
    ],
)
def test_again_at(issued: str, now: str, again: str | None) -> None:
    newest_first = [at(clock) for clock in reversed(issued.split())]
    found = again_at(HOLDER._replace(now=at(now)), newest_first, Limits(1, 3, 5))
    assert found == (at(again) if again else None)


def test_a_password_that_was_just_made_does_not_show_when_it_is_printed() -> None:
    assert "k7wq29xnpa" not in f"{Fresh('k7wq29xnpa', '$argon2id$')!r}"
