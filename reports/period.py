"""The stretch of time that a report is about: half-open, in the report's own time zone.

Belongs here: months, ISO weeks, the period before, and how a period is called. Does not belong here: any
figure. Boundaries are local midnights made into instants, so a month with a clock change has its true length.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

from transforms.model import utc

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
"""English month names, whatever the locale of the process."""

COMPLETE_WEEKS = 12
"""How many complete ISO weeks a trend shows."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to, not including, `end`: aware instants, shown in `time_zone` (an IANA name)."""

    start: datetime
    end: datetime
    time_zone: str

    def __post_init__(self) -> None:
        """Keeps both instants in UTC.

        Raises:
            ValueError: a naive instant, or an end that is not after the start.
            zoneinfo.ZoneInfoNotFoundError: an unknown time zone.
        """
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))
        if self.end <= self.start:
            raise ValueError(
                f"a report period must end after it starts: {self.start.isoformat()} "
                f"to {self.end.isoformat()}"
            )
        ZoneInfo(self.time_zone)

    @property
    def zone(self) -> ZoneInfo:
        """The report's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def first_day(self) -> date:
        """The local date of the start."""
        return self.start.astimezone(self.zone).date()

    @property
    def day_after(self) -> date:
        """The local date of the end, which no longer belongs to the period when the end is a midnight."""
        return self.end.astimezone(self.zone).date()

    @property
    def is_month(self) -> bool:
        """Whether it is exactly one calendar month of its zone."""
        return self == month_period(self.first_day.year, self.first_day.month, self.time_zone)

    def previous(self) -> "Period":
        """The month before a month; otherwise as many local days before the start."""
        if self.is_month:
            last_day = self.first_day - timedelta(days=1)
            return month_period(last_day.year, last_day.month, self.time_zone)
        days = max((self.day_after - self.first_day).days, 1)
        return Period(
            midnight(self.first_day - timedelta(days=days), self.zone), self.start, self.time_zone
        )

    def label(self) -> str:
        """`October 2026`, `week 2026-W42`, or `1 October 2026 to 14 November 2026` (both days included)."""
        if self.is_month:
            return f"{MONTHS[self.first_day.month - 1]} {self.first_day.year}"
        if self == week_period(self.first_day, self.time_zone):
            return f"week {week_name(self.first_day)}"
        last = (self.end - timedelta(microseconds=1)).astimezone(self.zone).date()
        return f"{day_name(self.first_day)} to {day_name(last)}"

    def starts_at_text(self) -> str:
        """The start in the report's time zone, to the minute."""
        return self.start.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")

    def ends_at_text(self) -> str:
        """The end in the report's time zone, to the minute."""
        return self.end.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a local date begins; where midnight does not exist, the first instant after the gap."""
    return utc(datetime.combine(day, clock_time(), zone))


def month_period(year: int, month: int, time_zone: str) -> Period:
    """One calendar month of a time zone."""
    zone = ZoneInfo(time_zone)
    following = date(year + month // 12, month % 12 + 1, 1)
    return Period(midnight(date(year, month, 1), zone), midnight(following, zone), time_zone)


def week_period(day: date, time_zone: str) -> Period:
    """The ISO week (Monday to Sunday, local) that holds a date."""
    zone = ZoneInfo(time_zone)
    monday = day - timedelta(days=day.weekday())
    return Period(midnight(monday, zone), midnight(monday + timedelta(days=7), zone), time_zone)


def complete_weeks(before: datetime, time_zone: str, count: int = COMPLETE_WEEKS) -> list[Period]:
    """The last `count` ISO weeks that were over at the instant `before`, oldest first."""
    running = week_period(utc(before).astimezone(ZoneInfo(time_zone)).date(), time_zone)
    return [
        week_period(running.first_day - timedelta(weeks=back), time_zone)
        for back in range(count, 0, -1)
    ]


def week_name(day: date) -> str:
    """`2026-W42`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def day_name(day: date) -> str:
    """`1 October 2026`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
