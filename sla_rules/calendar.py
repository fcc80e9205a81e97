"""Business time: how much of it lies between two instants, and when a given amount of it has passed.

Belongs here: the `Calendar` that policies, reports and people's notebooks compute with.
Does not belong here: what a calendar's mapping looks like (`calendar_mapping.py`), how its days become
instants (`calendar_table.py`), where holidays come from (`holiday_sources.py`).
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from sla_rules.calendar_mapping import CalendarError, CalendarSpec, read_calendar
from sla_rules.calendar_table import Epochs, Table, make_table, year_periods

__all__ = [
    "MAX_YEAR",
    "MIN_YEAR",
    "Calendar",
    "CalendarError",
    "NoBusinessTimeError",
    "epoch_seconds",
]

MIN_YEAR = 1900
"""First year a calendar answers for."""

MAX_YEAR = 2200
"""Last year a calendar answers for; an amount of business time that reaches beyond it is refused."""

YEAR_SECONDS = 31_556_952
"""Mean Gregorian year, to guess a year from an epoch second; the guess is off by two days at most."""

GUESS_SECONDS = 5 * 86_400
"""How far beyond an instant the guessed years must reach so that the table surely covers it."""


class NoBusinessTimeError(ValueError):
    """The calendar never gives as much business time as was asked for."""


class Calendar:
    """Business hours of one place; or `24x7`, which is absolute time.

    Instants are aware datetimes of any zone and are floored to whole seconds; results are in UTC. Business
    time is whole seconds. The time line is laid out a few years at a time, when first asked for, and then
    searched: the cost of a call does not grow with the length of the span.
    """

    def __init__(self, spec: CalendarSpec) -> None:
        """Wrap a checked calendar; most callers want `from_mapping`."""
        self.spec = spec
        self._years: dict[int, list[tuple[int, int]]] = {}
        self._table: Table | None = None

    @classmethod
    def from_mapping(cls, mapping: Any) -> "Calendar":
        """A calendar from plain data.

        Args:
            mapping: `time_zone` (IANA name); `hours` (weekday or range such as `mon-fri` → list of
                `[from, to)` pairs of local times, up to 24:00); `shifts` (date → such a list, replaces the
                date's hours); `breaks` (weekday or date → such a list, cut out); `holidays` (dates,
                `{country: TR, subdivision: …}`, `{icalendar: text}`), whole local dates that are shut and
                beat shifts. The word `24x7` alone, or as `hours`, is absolute time.

        Raises:
            CalendarError: a ValueError that says which key, what was found and what is expected.
        """
        return cls(read_calendar(mapping))

    @classmethod
    def always_open(cls) -> "Calendar":
        """Absolute time, every second of it."""
        return cls(CalendarSpec(zone=None))

    def __repr__(self) -> str:
        """Short, for a debugger."""
        return f"Calendar({'24x7' if self.spec.zone is None else self.spec.zone.key})"

    @property
    def is_always_open(self) -> bool:
        """Whether this is absolute time."""
        return self.spec.zone is None

    @property
    def longest_day_seconds(self) -> int:
        """Seconds of the longest weekly working day: what *one business day* means as a target."""
        return self.spec.longest_day_seconds()

    def canonical(self) -> dict[str, Any]:
        """The calendar as JSON-ready data; equal for two mappings that mean the same."""
        return self.spec.canonical()

    def between(self, start: datetime, end: datetime) -> int:
        """Business seconds in [start, end); 0 when `end` is not after `start`.

        Raises:
            ValueError: a naive datetime, or a year outside 1900 to 2200.
        """
        return self.between_epoch(epoch_seconds(start), epoch_seconds(end))

    def add(self, start: datetime, seconds: int) -> datetime:
        """Earliest instant by which `seconds` of business time have passed since `start`, in UTC.

        It is the closing instant, not the next opening, where time runs out exactly there; `start` itself
        for 0.

        Raises:
            ValueError: a naive datetime or negative seconds.
            NoBusinessTimeError: the calendar never gives that much, for instance because it has no hours.
        """
        found = self.add_epoch(epoch_seconds(start), _whole(seconds))
        if found is None:
            raise self._exhausted("after", start, seconds)
        return start.astimezone(UTC) if seconds == 0 else _instant(found)

    def subtract(self, end: datetime, seconds: int) -> datetime:
        """Latest instant that has `seconds` of business time between itself and `end`, in UTC.

        It is an opening instant where time runs out exactly there; `end` itself for 0.

        Raises:
            ValueError: a naive datetime or negative seconds.
            NoBusinessTimeError: there never was that much before `end`.
        """
        wanted, last = _whole(seconds), epoch_seconds(end)
        if wanted == 0:
            return end.astimezone(UTC)
        if self.is_always_open:
            return _instant(last - wanted)
        table = self._covering(last, last)
        while (found := table.latest_at(table.business_before(last) - wanted)) is None:
            if table.first_year <= MIN_YEAR or not self._may_open_before(table.first_year):
                raise self._exhausted("before", end, seconds)
            years = table.last_year - table.first_year + 1
            table = self._extended(max(MIN_YEAR, table.first_year - years), table.last_year)
        return _instant(found)

    def next_open(self, instant: datetime) -> datetime | None:
        """The instant itself if the calendar is open then, else the next opening, in UTC; None if never."""
        found = self.next_open_epoch(epoch_seconds(instant))
        if found is None:
            return None
        return instant.astimezone(UTC) if found <= instant.timestamp() else _instant(found)

    def is_open(self, instant: datetime) -> bool:
        """Whether the instant lies in an open period; a closing instant does not."""
        second = epoch_seconds(instant)
        return self.next_open_epoch(second) == second

    def periods(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Open periods within [start, end), cut to it, in order, in UTC; those that touch are one."""
        first, last = epoch_seconds(start), epoch_seconds(end)
        if last <= first:
            return []
        if self.is_always_open:
            return [(_instant(first), _instant(last))]
        table = self._covering(first, last)
        found = []
        index = table.period_at_or_after(first)
        while index is not None and index < len(table.opens) and table.opens[index] < last:
            opens, closes = max(table.opens[index], first), min(table.closes[index], last)
            found.append((_instant(opens), _instant(closes)))
            index += 1
        return found

    def between_many(self, starts: Any, ends: Any) -> Epochs:
        """Business seconds of many spans at once.

        Args:
            starts: numpy datetime64 (UTC) or int64 epoch seconds; a sequence of aware datetimes serves too.
            ends: The same, of the same shape or one that broadcasts.

        Returns:
            int64 seconds, 0 where an end is not after its start.

        Raises:
            ValueError: naive datetimes, missing times, or a year outside 1900 to 2200.
        """
        first, last = np.broadcast_arrays(_epochs(starts), _epochs(ends))
        if first.size == 0:
            return np.zeros(first.shape, dtype=np.int64)
        if self.is_always_open:
            return np.asarray(np.maximum(last - first, 0), dtype=np.int64)
        low, high = min(int(first.min()), int(last.min())), max(int(first.max()), int(last.max()))
        table = self._covering(low, high)
        passed = _many_before(table, last) - _many_before(table, first)
        return np.asarray(np.maximum(passed, 0), dtype=np.int64)

    def add_many(self, starts: Any, seconds: Any) -> Epochs:
        """For many starts the earliest instants by which their `seconds` of business time have passed.

        Args:
            starts: As for `between_many`.
            seconds: int64 business seconds, >= 0, of the same shape or one that broadcasts.

        Returns:
            int64 epoch seconds (`.astype("datetime64[s]")` makes times of them).

        Raises:
            ValueError: as `between_many`; negative seconds.
            NoBusinessTimeError: the calendar never gives that much.
        """
        wanted = np.asarray(seconds)
        if wanted.size and wanted.dtype.kind not in "iu":
            raise ValueError(f"seconds: expected whole numbers, found {wanted.dtype}")
        first, amounts = np.broadcast_arrays(_epochs(starts), wanted.astype(np.int64))
        if first.size == 0:
            return np.zeros(first.shape, dtype=np.int64)
        if int(amounts.min()) < 0:
            raise ValueError(f"seconds: expected 0 or more, found {int(amounts.min())}")
        if self.is_always_open:
            return np.asarray(first + amounts, dtype=np.int64)
        table = self._covering(int(first.min()), int(first.max()))
        goals = _many_before(table, first) + amounts
        while bool(np.any((goals > table.total) & (amounts > 0))):
            grown = self._grown_right(table)
            if grown is None:
                raise self._exhausted("after", _instant(int(first.max())), int(amounts.max()))
            table = grown
            goals = _many_before(table, first) + amounts
        if not table.opens:
            return first.copy()
        opens, _, before = table.arrays
        index = np.maximum(np.searchsorted(before, goals, side="left") - 1, 0)
        return np.where(amounts == 0, first, opens[index] + goals - before[index])

    def between_epoch(self, start: int, end: int) -> int:
        """`between` for epoch seconds."""
        if end <= start:
            return 0
        if self.spec.zone is None:
            return end - start
        table = self._covering(start, end)
        return table.business_before(end) - table.business_before(start)

    def add_epoch(self, start: int, seconds: int) -> int | None:
        """`add` for epoch seconds; None where the calendar never gives that much."""
        if self.spec.zone is None or seconds == 0:
            return start + seconds
        table = self._covering(start, start)
        while True:
            found = table.earliest_at(table.business_before(start) + seconds)
            if found is not None:
                return found
            grown = self._grown_right(table)
            if grown is None:
                return None
            table = grown

    def next_open_epoch(self, instant: int) -> int | None:
        """`next_open` for an epoch second."""
        if self.spec.zone is None:
            return instant
        table = self._covering(instant, instant)
        while (index := table.period_at_or_after(instant)) is None:
            grown = self._grown_right(table)
            if grown is None:
                return None
            table = grown
        return max(instant, table.opens[index])

    def _covering(self, low: int, high: int) -> Table:
        """A table that answers for all epoch seconds in [low, high]."""
        table = self._table
        if table is not None and table.covers_from <= low and high <= table.covers_to:
            return table
        first = 1970 + (low - GUESS_SECONDS) // YEAR_SECONDS
        last = 1970 + (high + GUESS_SECONDS) // YEAR_SECONDS
        if first < MIN_YEAR or last > MAX_YEAR:
            raise ValueError(
                f"a calendar answers for the years {MIN_YEAR} to {MAX_YEAR}, asked for {first} to {last}"
            )
        if table is not None:
            first, last = min(first, table.first_year), max(last, table.last_year)
        return self._extended(first, last)

    def _grown_right(self, table: Table) -> Table | None:
        """A table twice as long, or None where no later year can bring an opening."""
        if table.last_year >= MAX_YEAR or not self._may_open_after(table.last_year):
            return None
        years = table.last_year - table.first_year + 1
        return self._extended(table.first_year, min(MAX_YEAR, table.last_year + years))

    def _extended(self, first: int, last: int) -> Table:
        for year in range(first, last + 1):
            if year not in self._years:
                self._years[year] = year_periods(self.spec, year)
        periods = (period for year in range(first, last + 1) for period in self._years[year])
        table = make_table(first, last, periods)
        # One assignment of a finished table: a second thread may build the same again, never see half of it.
        self._table = table
        return table

    def _may_open_after(self, year: int) -> bool:
        return any(self.spec.hours) or any(day.year > year for day in self.spec.shifts)

    def _may_open_before(self, year: int) -> bool:
        return any(self.spec.hours) or any(day.year < year for day in self.spec.shifts)

    def _exhausted(self, side: str, instant: datetime, seconds: int) -> NoBusinessTimeError:
        if not any(self.spec.hours) and not any(self.spec.shifts.values()):
            why = "it has no opening hours at all; give it hours or shifts"
        else:
            why = f"its hours, shifts and holidays leave too little of it from {MIN_YEAR} to {MAX_YEAR}"
        return NoBusinessTimeError(
            f"the calendar ({self!r}) never has {seconds} seconds of business time {side} "
            f"{instant.isoformat()}: {why}"
        )


def epoch_seconds(instant: datetime) -> int:
    """Whole seconds since 1970-01-01 00:00 UTC, floored.

    Raises:
        ValueError: a naive datetime; its zone is never guessed.
    """
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise ValueError(f"expected a time with its zone, found the naive {instant.isoformat()}")
    return math.floor(instant.timestamp())


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _whole(seconds: int) -> int:
    if isinstance(seconds, bool) or seconds != int(seconds) or seconds < 0:
        raise ValueError(f"seconds: expected a whole number, 0 or more, found {seconds!r}")
    return int(seconds)


def _epochs(values: Any) -> Epochs:
    array: npt.NDArray[Any] = np.asarray(values)
    if array.dtype.kind == "M":
        if bool(np.isnat(array).any()):
            raise ValueError("expected times, found a missing one (NaT)")
        return _floored(array)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.size == 0:
        return np.zeros(array.shape, dtype=np.int64)
    if array.dtype.kind == "O" and all(isinstance(item, datetime) for item in array.flat):
        convert: Callable[[Any], Any] = np.vectorize(epoch_seconds, otypes=[np.int64])
        return np.asarray(convert(array), dtype=np.int64)
    raise ValueError(f"expected datetime64, epoch seconds or aware datetimes, found {array.dtype}")


def _floored(array: npt.NDArray[Any]) -> Epochs:
    """Epoch seconds of datetime64 values, rounded down also before 1970 (numpy's cast does the same)."""
    return array.astype("datetime64[s]").astype(np.int64)


def _many_before(table: Table, instants: Epochs) -> Epochs:
    if not table.opens:
        return np.zeros(instants.shape, dtype=np.int64)
    opens, closes, before = table.arrays
    index = np.searchsorted(opens, instants, side="right") - 1
    inside = np.maximum(index, 0)
    passed = before[inside] + np.minimum(instants, closes[inside]) - opens[inside]
    return np.where(index < 0, 0, passed)
