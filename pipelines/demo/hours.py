"""Time as the demo counts it: whole epoch seconds in UTC, and the desk's business hours.

Belongs here: conversions, the business calendar, nights and weekends. Does not belong here: who writes or
answers when.

Istanbul has been at UTC+3 the whole year round since 2016, so its local day is a fixed shift.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import holidays

DAY = 86400
HOUR = 3600
ISTANBUL_OFFSET = 3 * HOUR
OPENS, CLOSES = 9 * HOUR, 18 * HOUR
_EPOCH_DATE = date(1970, 1, 1)


def iso(at: int) -> str:
    """`2026-11-02T06:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def mail_date(at: int, zone: str) -> str:
    """The instant as a mail's Date header, in the zone's offset of that day."""
    return format_datetime(datetime.fromtimestamp(at, ZoneInfo(zone)))


def local(at: int, zone: str) -> datetime:
    """The instant as the clock on the wall there shows it."""
    return datetime.fromtimestamp(at, ZoneInfo(zone))


class BusinessHours:
    """Monday to Friday 09:00-18:00 in Istanbul, closed on Turkish public holidays."""

    def __init__(self, first: int, last: int) -> None:
        """Counts the seconds of every local day between two instants, with a month on either side."""
        start = (first + ISTANBUL_OFFSET) // DAY - 31
        end = (last + ISTANBUL_OFFSET) // DAY + 62
        years = range(
            (_EPOCH_DATE + timedelta(start)).year, (_EPOCH_DATE + timedelta(end)).year + 1
        )
        closed = holidays.country_holidays("TR", years=years)
        self._start = start
        self._open: list[bool] = []
        self._before = [0]
        for number in range(start, end):
            day = _EPOCH_DATE + timedelta(number)
            is_open = day.weekday() < 5 and day not in closed
            self._open.append(is_open)
            self._before.append(self._before[-1] + (CLOSES - OPENS if is_open else 0))

    def count(self, at: int) -> int:
        """Business seconds from the calendar's first day to the instant."""
        day, second = divmod(at + ISTANBUL_OFFSET, DAY)
        index = day - self._start
        inside = min(max(second - OPENS, 0), CLOSES - OPENS) if self._open[index] else 0
        return self._before[index] + inside

    def between(self, start: int, end: int) -> int:
        """Business seconds in [start, end)."""
        return max(0, self.count(end) - self.count(start))

    def add(self, start: int, seconds: int) -> int:
        """The earliest instant by which that many business seconds have passed."""
        if seconds <= 0:
            return start
        wanted = self.count(start) + seconds
        index = bisect_right(self._before, wanted - 1) - 1
        inside = wanted - self._before[index]
        return (self._start + index) * DAY - ISTANBUL_OFFSET + OPENS + inside

    def subtract(self, end: int, seconds: int) -> int:
        """The latest instant with that many business seconds between it and `end`."""
        if seconds <= 0:
            return end
        wanted = self.count(end) - seconds
        index = bisect_right(self._before, wanted) - 1
        while not self._open[index]:
            index += 1
        inside = wanted - self._before[index]
        return (self._start + index) * DAY - ISTANBUL_OFFSET + OPENS + inside

    def is_open(self, at: int) -> bool:
        """Whether the desk is open at the instant."""
        day, second = divmod(at + ISTANBUL_OFFSET, DAY)
        return self._open[day - self._start] and OPENS <= second < CLOSES


def elapsed(hours: BusinessHours, priority: str, start: int, end: int) -> int:
    """Seconds of the priority's own clock: around the clock for critical, else business hours."""
    return max(0, end - start) if priority == "critical" else hours.between(start, end)


def after(hours: BusinessHours, priority: str, start: int, seconds: int) -> int:
    """When that many seconds of the priority's own clock are over."""
    return start + seconds if priority == "critical" else hours.add(start, seconds)
