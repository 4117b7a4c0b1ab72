"""When a tariff's next period begins."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domains.tariffs import next_renewal


@pytest.mark.parametrize(
    ("today", "period", "day", "expected"),
    [
        ("2026-03-31", "day", 8, "2026-04-01"),
        ("2026-03-07", "month", 8, "2026-03-08"),
        ("2026-03-08", "month", 8, "2026-04-08"),
        ("2026-12-31", "month", 1, "2027-01-01"),
        ("2028-01-31", "month", 28, "2028-02-28"),
    ],
)
def test_the_next_period_begins_on(today: str, period: str, day: int, expected: str) -> None:
    assert next_renewal(datetime.date.fromisoformat(today), period, day).isoformat() == expected


@given(st.dates(max_value=datetime.date(9000, 1, 1)), st.integers(1, 28))
def test_a_month_s_renewal_is_always_ahead_and_at_most_31_days_away(today: datetime.date, day: int) -> None:
    renewal = next_renewal(today, "month", day)
    assert renewal.day == day
    assert 1 <= (renewal - today).days <= 31
