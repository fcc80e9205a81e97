"""Months, weeks and the period before, in a zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfoNotFoundError

import pytest

from reports.period import Period, complete_weeks, month_period, week_period


def test_a_month_begins_at_local_midnight_and_has_its_true_length() -> None:
    march = month_period(2026, 3, "Europe/Berlin")
    assert march.start == datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
    assert march.end == datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
    assert (march.end - march.start).total_seconds() == (31 * 24 - 1) * 3_600


@pytest.mark.parametrize(
    ("period", "label", "before"),
    [
        (month_period(2026, 1, "UTC"), "January 2026", "December 2025"),
        (month_period(2026, 12, "Asia/Tokyo"), "December 2026", "November 2026"),
        (week_period(date(2027, 1, 2), "UTC"), "week 2026-W53", "week 2026-W52"),
        (
            Period(datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC), "UTC"),
            "5 March 2026 to 14 March 2026",
            "23 February 2026 to 4 March 2026",
        ),
    ],
)
def test_names_and_the_period_before(period: Period, label: str, before: str) -> None:
    assert period.label() == label
    assert period.previous().label() == before
    assert period.previous().end == period.start


def test_complete_weeks_leave_the_running_one_out() -> None:
    monday = datetime(2026, 10, 26, tzinfo=UTC)
    assert [w.first_day for w in complete_weeks(monday, "UTC", 2)] == [
        date(2026, 10, 12),
        date(2026, 10, 19),
    ]
    # In Istanbul it is already Monday when it is Sunday 21:00 in UTC.
    sunday = datetime(2026, 10, 25, 21, 0, tzinfo=UTC)
    assert complete_weeks(sunday, "Europe/Istanbul", 1)[0].first_day == date(2026, 10, 19)
    assert complete_weeks(sunday, "UTC", 1)[0].first_day == date(2026, 10, 12)


def test_wrong_periods_are_refused() -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="must end after it starts"):
        Period(day, day, "UTC")
    with pytest.raises(ValueError, match="without a zone"):
        Period(datetime(2026, 1, 1), day, "UTC")  # noqa: DTZ001
    with pytest.raises(ZoneInfoNotFoundError):
        month_period(2026, 1, "Mars/Base")
