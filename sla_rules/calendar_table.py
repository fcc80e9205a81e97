"""A calendar laid out on the time line: open periods of some years, with prefix sums to search in.

Belongs here: turning a checked calendar into instants, and the searches over them in whole epoch seconds.
Does not belong here: datetimes and zones of callers (`calendar.py`), reading mappings
(`calendar_mapping.py`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from sla_rules.calendar_mapping import DAY_SECONDS, CalendarSpec, Spans, united, without

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where epoch seconds start."""

MARGIN_SECONDS = 2 * DAY_SECONDS
"""A table is trusted this far inside its outermost local dates: no zone is more than 26 h from UTC."""

Epochs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Open periods, sorted and apart, of the local dates of `first_year` to `last_year`.

    `before[i]` is the business time, in seconds, of all periods before the i-th one.
    """

    first_year: int
    last_year: int
    opens: list[int]
    closes: list[int]
    before: list[int]

    @property
    def total(self) -> int:
        """Business seconds of all periods."""
        if not self.opens:
            return 0
        return self.before[-1] + self.closes[-1] - self.opens[-1]

    @cached_property
    def covers_from(self) -> int:
        """First epoch second whose answers are complete."""
        return epoch_of_date(self.first_year, 1, 1) + MARGIN_SECONDS

    @cached_property
    def covers_to(self) -> int:
        """Last epoch second whose answers are complete."""
        return epoch_of_date(self.last_year, 12, 31) - MARGIN_SECONDS

    @cached_property
    def arrays(self) -> tuple[Epochs, Epochs, Epochs]:
        """`opens`, `closes` and `before` for searches of many instants at once."""
        columns = (self.opens, self.closes, self.before)
        opens, closes, before = (np.array(column, dtype=np.int64) for column in columns)
        return opens, closes, before

    def business_before(self, instant: int) -> int:
        """Business seconds of the table before an epoch second."""
        index = bisect_right(self.opens, instant) - 1
        if index < 0:
            return 0
        start = self.opens[index]
        return self.before[index] + min(instant, self.closes[index]) - start

    def earliest_at(self, business: int) -> int | None:
        """First epoch second by which `business` (> 0) seconds have passed; None beyond the table."""
        if business > self.total:
            return None
        index = bisect_left(self.before, business) - 1
        return self.opens[index] + business - self.before[index]

    def latest_at(self, business: int) -> int | None:
        """Last epoch second before which only `business` seconds have passed; None before the table."""
        if business < 0 or not self.opens:
            return None
        index = bisect_right(self.before, business) - 1
        return self.opens[index] + business - self.before[index]

    def period_at_or_after(self, instant: int) -> int | None:
        """Index of the period that holds the instant, else of the next one; None beyond the table."""
        index = bisect_right(self.closes, instant)
        return index if index < len(self.closes) else None


def epoch_of_date(year: int, month: int, day: int) -> int:
    """Epoch seconds of a date's midnight in UTC."""
    return (date(year, month, day).toordinal() - EPOCH.toordinal()) * DAY_SECONDS


def year_periods(spec: CalendarSpec, year: int) -> list[tuple[int, int]]:
    """Open periods, in epoch seconds, that the local dates of one year bring; united, sorted.

    Endpoints are instants: a local time that happens twice means the first, one that never happens is
    moved on by the gap, and an interval that comes out inverted is empty.

    Source: PEP 495, fold 0.
    """
    zone = spec.zone
    assert zone is not None, "absolute time has no table"
    shut = frozenset[date]().union(*(source.in_year(year) for source in spec.holidays))
    opened: list[tuple[int, int]] = []
    for day in _days(date(year, 1, 1), date(year, 12, 31)):
        hours = spec.shifts.get(day, spec.hours[day.weekday()])
        if hours and day not in shut:
            opened.extend(_instants(day, hours, zone))
    cuts = _cuts(spec, year, zone)
    return without(opened, cuts) if cuts else united(opened)


def _cuts(spec: CalendarSpec, year: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Breaks that may fall into a year's hours.

    A date that a zone left out falls on the next one (Kiritimati, 31 December 1994), so that the days on
    both sides of the year count too.
    """
    first, last = date(year, 1, 1) - timedelta(days=2), date(year, 12, 31) + timedelta(days=2)
    cuts: list[tuple[int, int]] = []
    if any(spec.weekly_breaks):
        for day in _days(first, last):
            cuts.extend(_instants(day, spec.weekly_breaks[day.weekday()], zone))
    for day, spans in spec.breaks.items():
        if first <= day <= last:
            cuts.extend(_instants(day, spans, zone))
    return cuts


def _days(first: date, last: date) -> Iterator[date]:
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        yield date.fromordinal(ordinal)


def _instants(day: date, spans: Spans, zone: ZoneInfo) -> list[tuple[int, int]]:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock, zoned below
    found = []
    for start, end in spans:
        opens = (midnight + timedelta(seconds=start)).replace(tzinfo=zone)
        closes = (midnight + timedelta(seconds=end)).replace(tzinfo=zone)
        found.append((round(opens.timestamp()), round(closes.timestamp())))
    return found


def make_table(first_year: int, last_year: int, periods: Iterable[tuple[int, int]]) -> Table:
    """A table of the periods of those years."""
    opens: list[int] = []
    closes: list[int] = []
    before: list[int] = []
    total = 0
    for start, end in united(list(periods)):
        opens.append(start)
        closes.append(end)
        before.append(total)
        total += end - start
    return Table(first_year, last_year, opens, closes, before)
