"""A second, slow way to know when a calendar is open: look at the wall clock of every minute.

Shares no code with the product: it never asks Python to turn a local time into an instant, only the other
way round, and counts minutes one by one.
"""

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@lru_cache(maxsize=64)
def walls(zone: str, first: datetime, minutes: int) -> list[datetime]:
    """What the wall clock shows at each of the minutes, without its zone."""
    known = ZoneInfo(zone)
    return [
        (first + step * MINUTE).astimezone(known).replace(tzinfo=None) for step in range(minutes)
    ]


class Oracle:
    """Open minutes of a calendar's mapping around some days; all times in it are whole minutes."""

    def __init__(self, mapping: dict, first_day: date, days: int) -> None:
        self.first = datetime(
            first_day.year, first_day.month, first_day.day, tzinfo=UTC
        ) - timedelta(days=3)
        self.minutes = (days + 6) * 1440
        self.walls = walls(mapping["time_zone"], self.first, self.minutes)
        self.places: dict[datetime, int] = {}
        for step, wall in enumerate(self.walls):
            self.places.setdefault(wall, step)
        opened = bytearray(self.minutes)
        cuts = []
        for offset in range(-2, days + 2):
            day = first_day + timedelta(days=offset)
            key = day.isoformat()
            cuts += self._ranges(day, mapping["breaks"].get(key, []))
            if key in mapping["holidays"]:
                continue
            spans = mapping["shifts"].get(key, mapping["hours"].get(WEEK[day.weekday()], []))
            for start, end in self._ranges(day, spans):
                opened[start:end] = b"\x01" * max(0, end - start)
        for start, end in cuts:
            opened[start:end] = b"\x00" * max(0, end - start)
        self.opened = opened
        self.sums = [0]
        for flag in opened:
            self.sums.append(self.sums[-1] + flag)

    def _ranges(self, day: date, spans: list) -> list[tuple[int, int]]:
        return [(self._place(day, start), self._place(day, end)) for start, end in spans]

    def _place(self, day: date, time: str) -> int:
        hours, minutes = (int(part) for part in time.split(":"))
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock
        wall = midnight + timedelta(hours=hours, minutes=minutes)
        if wall in self.places:
            return self.places[wall]
        for step in range(1, self.minutes):
            if self.walls[step - 1] < wall < self.walls[step]:
                # The clock jumped over it: go on from the last minute before the jump as if it had not.
                return step - 1 + round((wall - self.walls[step - 1]) / MINUTE)
        raise AssertionError(f"{wall} is not in the window")

    def minute(self, instant: datetime) -> int:
        return round((instant - self.first) / MINUTE)

    def between(self, start: datetime, end: datetime) -> int:
        first, last = self.minute(start), self.minute(end)
        return 60 * (self.sums[last] - self.sums[first]) if last > first else 0

    def add(self, start: datetime, minutes: int) -> datetime | None:
        goal = self.sums[self.minute(start)] + minutes
        found = bisect_left(self.sums, goal, lo=self.minute(start))
        return None if found >= len(self.sums) else self.first + found * MINUTE

    def is_open(self, instant: datetime) -> bool:
        return bool(self.opened[self.minute(instant)])
