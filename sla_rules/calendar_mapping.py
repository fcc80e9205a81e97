"""Reading a calendar from plain data: what was written, checked, in a form that can be computed with.

Belongs here: the shape of a calendar's mapping and the words that tell a person what is wrong with it.
Does not belong here: time arithmetic (`calendar.py`), laying days out on the time line
(`calendar_table.py`), where holidays come from (`holiday_sources.py`).
"""

import difflib
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sla_rules.holiday_sources import HolidaySource, fixed_dates, read_holidays

DAY_SECONDS = 86_400
"""Seconds of a day on the clock on the wall; `24:00` is this many."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Names of the local weekdays, Monday first, as `datetime.date.weekday` counts them."""

KEYS = ("time_zone", "hours", "shifts", "breaks", "holidays")
"""What a calendar's mapping may hold."""

Spans = tuple[tuple[int, int], ...]
"""Half-open intervals [from, to) of one local date, in wall-clock seconds since its midnight."""

_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_LONG_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class CalendarError(ValueError):
    """A calendar that cannot be used as written; the message says where, what was found, what is expected.

    `path` holds the keys that lead to the fault, so that a reader of a file can name the line.
    """

    def __init__(self, path: Sequence[str | int], message: str) -> None:
        """Keep the place of the fault beside the words for a person."""
        self.path = tuple(path)
        self.reason = message
        where = ".".join(str(key) for key in self.path)
        super().__init__(f"{where}: {message}" if where else message)


@dataclass(frozen=True, slots=True)
class CalendarSpec:
    """A calendar as written, checked. `zone` is None for absolute time, which is always open."""

    zone: zoneinfo.ZoneInfo | None
    hours: tuple[Spans, ...] = ()
    shifts: Mapping[date, Spans] = field(default_factory=dict)
    weekly_breaks: tuple[Spans, ...] = ()
    breaks: Mapping[date, Spans] = field(default_factory=dict)
    holidays: tuple[HolidaySource, ...] = ()

    def canonical(self) -> dict[str, Any]:
        """The same calendar as JSON-ready data; equal for two texts that mean the same."""
        if self.zone is None:
            return {"hours": "24x7"}
        return {
            "time_zone": self.zone.key,
            "hours": [united(spans) for spans in self.hours],
            "shifts": {
                day.isoformat(): united(spans) for day, spans in sorted(self.shifts.items())
            },
            "weekly_breaks": [united(spans) for spans in self.weekly_breaks],
            "breaks": {
                day.isoformat(): united(spans) for day, spans in sorted(self.breaks.items())
            },
            "holidays": [source.canonical() for source in self.holidays],
        }

    def longest_day_seconds(self) -> int:
        """Wall-clock seconds of the longest weekly working day, breaks of the week taken off."""
        if self.zone is None:
            return DAY_SECONDS
        pairs = zip(self.hours, self.weekly_breaks, strict=True)
        return max(sum(to - start for start, to in without(hours, cuts)) for hours, cuts in pairs)


def united(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted intervals in which those that overlap or touch have become one; empty ones are gone."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def without(
    spans: Sequence[tuple[int, int]], cuts: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """What is left of the united `spans` once `cuts` are taken out of them."""
    rest = united(spans)
    for cut_start, cut_end in united(cuts):
        left: list[tuple[int, int]] = []
        for start, end in rest:
            left.append((start, min(end, cut_start)))
            left.append((max(start, cut_end), end))
        rest = [(start, end) for start, end in left if start < end]
    return rest


def read_calendar(mapping: Any) -> CalendarSpec:
    """A checked calendar from its mapping, or from the word `24x7`.

    Raises:
        CalendarError: anything that is not as expected.
    """
    if mapping == "24x7":
        return CalendarSpec(zone=None)
    if not isinstance(mapping, Mapping):
        raise CalendarError(
            (), f"expected a mapping with {_listed(KEYS)} or 24x7, found {shown(mapping)}"
        )
    for key in mapping:
        if key not in KEYS:
            raise CalendarError((str(key),), f"unknown key; {suggest(str(key), KEYS)}")
    if mapping.get("hours") == "24x7":
        others = [key for key in KEYS if key != "hours" and mapping.get(key)]
        if others:
            message = "24x7 is absolute time and takes neither zone nor days; leave this key out"
            raise CalendarError((others[0],), message)
        return CalendarSpec(zone=None)
    zone = _read_zone(mapping.get("time_zone"))
    weekly_breaks, breaks = _read_breaks(mapping.get("breaks"))
    return CalendarSpec(
        zone=zone,
        hours=_read_week(mapping.get("hours"), ("hours",)),
        shifts=_read_dates(mapping.get("shifts"), ("shifts",)),
        weekly_breaks=weekly_breaks,
        breaks=breaks,
        holidays=_read_holiday_list(mapping.get("holidays"), zone),
    )


def shown(value: Any) -> str:
    """A value as a person may read it in an error: short, quoted, one line."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def suggest(word: str, known: Sequence[str]) -> str:
    """`did you mean …?` where a known word is near, else the list of known words."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"expected one of {_listed(known)}"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)


def _read_zone(value: Any) -> zoneinfo.ZoneInfo:
    if not isinstance(value, str) or not value:
        message = (
            f"expected the name of an IANA time zone such as Europe/Istanbul, found {shown(value)}"
        )
        raise CalendarError(("time_zone",), message)
    try:
        return zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zoneinfo.available_timezones())
        near = difflib.get_close_matches(value, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "expected a name such as Europe/Istanbul"
        message = f"{shown(value)} is not an IANA time zone; {hint}"
        raise CalendarError(("time_zone",), message) from None


def _read_week(value: Any, path: tuple[str, ...]) -> tuple[Spans, ...]:
    """Seven tuples of intervals, Monday first; a day that is not named is closed."""
    if not isinstance(value, Mapping):
        message = f"expected weekdays with their intervals, such as mon: [[09:00, 17:00]], found {shown(value)}"
        raise CalendarError(path, message)
    week: list[Spans | None] = [None] * 7
    for name, spans in value.items():
        for day in _weekdays_of(name, path):
            if week[day] is not None:
                raise CalendarError((*path, str(name)), f"{WEEKDAYS[day]} is given twice")
            week[day] = _read_spans(spans, (*path, str(name)))
    return tuple(spans or () for spans in week)


def _weekdays_of(name: Any, path: tuple[str, ...]) -> list[int]:
    """Weekday numbers meant by `mon`, `monday` or a range such as `mon-fri` (which may go round)."""
    ends = [part.strip().lower() for part in str(name).split("-")]
    numbers: list[int] = []
    for end in ends:
        if end in WEEKDAYS:
            numbers.append(WEEKDAYS.index(end))
        elif end in _LONG_NAMES:
            numbers.append(_LONG_NAMES.index(end))
    if len(numbers) != len(ends) or len(ends) > 2:
        message = f"expected a weekday ({_listed(WEEKDAYS)}) or a range such as mon-fri"
        raise CalendarError((*path, str(name)), message)
    first, last = numbers[0], numbers[-1]
    return [(first + step) % 7 for step in range((last - first) % 7 + 1)]


def _read_spans(value: Any, path: tuple[str | int, ...]) -> Spans:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        message = f"expected a list of intervals such as [[09:00, 12:30], [13:30, 18:00]], found {shown(value)}"
        raise CalendarError(path, message)
    return tuple(_read_span(item, (*path, index)) for index, item in enumerate(value))


def _read_span(value: Any, path: tuple[str | int, ...]) -> tuple[int, int]:
    parts: Any = value.split("-") if isinstance(value, str) else value
    if isinstance(parts, str) or not isinstance(parts, Sequence) or len(parts) != 2:
        raise CalendarError(path, f"expected a pair such as [09:00, 17:00], found {shown(value)}")
    start, end = _read_time(parts[0], path), _read_time(parts[1], path)
    if start >= end:
        message = (
            f"the interval {shown(value)} does not end after it starts; "
            "one that crosses midnight is written as two, up to 24:00 and from 00:00 of the next day"
        )
        raise CalendarError(path, message)
    return start, end


def _read_time(value: Any, path: tuple[str | int, ...]) -> int:
    if isinstance(value, time):
        return value.hour * 3600 + value.minute * 60 + value.second
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        message = f"expected a time of day such as 09:00 (in quotes where YAML is picky), found {shown(value)}"
        raise CalendarError(path, message)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or total > DAY_SECONDS:
        raise CalendarError(path, f"{shown(value)} is not a time of day; the last one is 24:00")
    return total


def read_date(value: Any, path: Sequence[str | int]) -> date:
    """A date from a date, or from text such as 2026-12-25.

    Raises:
        CalendarError: it is neither.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        message = f"expected a date such as 2026-12-25, found {shown(value)}"
        raise CalendarError(path, message) from None


def _read_dates(value: Any, path: tuple[str, ...]) -> dict[date, Spans]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        message = f"expected dates with their intervals, such as 2026-12-24: [[09:00, 13:00]], found {shown(value)}"
        raise CalendarError(path, message)
    return {
        read_date(day, (*path, str(day))): _read_spans(spans, (*path, str(day)))
        for day, spans in value.items()
    }


def _read_breaks(value: Any) -> tuple[tuple[Spans, ...], dict[date, Spans]]:
    """Breaks of every week and breaks of one date; both may stand in the same mapping."""
    if value is not None and not isinstance(value, Mapping):
        message = f"expected weekdays or dates with their intervals, found {shown(value)}"
        raise CalendarError(("breaks",), message)
    weekly: dict[Any, Any] = {}
    dated: dict[Any, Any] = {}
    for key, spans in (value or {}).items():
        is_date = isinstance(key, date) or str(key)[:1].isdigit()
        (dated if is_date else weekly)[key] = spans
    return _read_week(weekly, ("breaks",)), _read_dates(dated, ("breaks",))


def _read_holiday_list(value: Any, zone: zoneinfo.ZoneInfo) -> tuple[HolidaySource, ...]:
    """Sources of holidays from a list of dates and sources, or from one mapping."""
    if value is None:
        return ()
    path: tuple[str | int, ...] = ("holidays",)
    if isinstance(value, Mapping):
        return _read_holiday_source(value, path, zone)
    if isinstance(value, str) or not isinstance(value, Sequence):
        message = f"expected dates, {{country: TR}} or {{icalendar: text}}, found {shown(value)}"
        raise CalendarError(path, message)
    dates: set[date] = set()
    sources: list[HolidaySource] = []
    for index, item in enumerate(value):
        if isinstance(item, Mapping):
            sources.extend(_read_holiday_source(item, (*path, index), zone))
        else:
            dates.add(read_date(item, (*path, index)))
    return ((fixed_dates(dates),) if dates else ()) + tuple(sources)


def _read_holiday_source(
    item: Mapping[Any, Any], path: tuple[str | int, ...], zone: zoneinfo.ZoneInfo
) -> tuple[HolidaySource, ...]:
    item = dict(item)
    dates = item.pop("dates", None) or []
    if isinstance(dates, str) or not isinstance(dates, Sequence):
        raise CalendarError((*path, "dates"), f"expected a list of dates, found {shown(dates)}")
    days = {read_date(day, (*path, "dates", index)) for index, day in enumerate(dates)}
    fixed = (fixed_dates(days),) if days else ()
    if not item:
        return fixed
    try:
        return fixed + read_holidays(item, zone)
    except ValueError as error:
        raise CalendarError(path, str(error)) from None
