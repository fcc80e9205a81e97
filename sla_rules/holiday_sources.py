"""Where a calendar's holidays come from: a list of dates, a country, or the text of an iCalendar file.

Belongs here: turning one source into the local dates of a year on which everything is shut.
Does not belong here: reading files (the text is passed in), hours, time arithmetic.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import holidays
import icalendar
from dateutil import rrule

SOURCE_KEYS = ("country", "subdivision", "observed", "icalendar")
"""Keys of a holiday source beside `dates`."""

MAX_EVENT_DAYS = 400
"""Longest iCalendar event that is read as a holiday, in days; a longer one is a mistake in the file."""


class HolidaySource(Protocol):
    """Anything that knows which local dates of a year are holidays."""

    def in_year(self, year: int) -> frozenset[date]:
        """The holidays whose local date lies in `year`."""
        ...

    def canonical(self) -> dict[str, Any]:
        """The source as JSON-ready data, for a policy's version."""
        ...


@dataclass(frozen=True, slots=True)
class FixedDates:
    """Holidays written down one by one."""

    dates: frozenset[date]

    def in_year(self, year: int) -> frozenset[date]:
        """The dates of that year."""
        return frozenset(day for day in self.dates if day.year == year)

    def canonical(self) -> dict[str, Any]:
        """The dates in order."""
        return {"dates": sorted(day.isoformat() for day in self.dates)}


@dataclass(frozen=True, slots=True)
class CountryHolidays:
    """Public holidays of a country or one of its subdivisions, as the `holidays` library knows them."""

    country: str
    subdivision: str | None = None
    observed: bool = True

    def in_year(self, year: int) -> frozenset[date]:
        """The public holidays of that year; none where the library does not reach."""
        return _country_year(self.country, self.subdivision, self.observed, year)

    def canonical(self) -> dict[str, Any]:
        """Country, subdivision and whether substitute days count; not the expanded dates."""
        return {
            "country": self.country,
            "subdivision": self.subdivision,
            "observed": self.observed,
        }


@lru_cache(maxsize=4096)
def _country_year(
    country: str, subdivision: str | None, observed: bool, year: int
) -> frozenset[date]:
    with warnings.catch_warnings():
        # The library warns for years it has no data for (India before 2001); such a year has no holidays.
        warnings.simplefilter("ignore")
        found = holidays.country_holidays(
            country, subdiv=subdivision, years=year, observed=observed
        )
    return frozenset(day for day in found if day.year == year)


@dataclass(frozen=True, slots=True)
class _Event:
    """One iCalendar event: its first local date, how many dates it covers, and its repetition."""

    first: date
    days: int
    rule: str | None = None
    extra: frozenset[date] = frozenset()
    left_out: frozenset[date] = frozenset()

    def starts(self, since: date, until: date) -> set[date]:
        """First dates of the event's occurrences in [since, until]."""
        found = {day for day in {self.first, *self.extra} if since <= day <= until}
        if self.rule is not None:
            start = datetime.combine(self.first, datetime.min.time())
            repeated = rrule.rrulestr(self.rule, dtstart=start).between(
                datetime.combine(since, datetime.min.time()),
                datetime.combine(until, datetime.min.time()),
                inc=True,
            )
            found |= {moment.date() for moment in repeated}
        return found - self.left_out


@dataclass(frozen=True, slots=True)
class ICalendarHolidays:
    """Holidays read from the text of an iCalendar file.

    Every local date an event touches is a holiday, also where the event has times: the file was named as
    the list of holidays. Cancelled events are left out; repetitions, exceptions and additions are followed.

    Source: RFC 5545 §3.6.1 (an all-day event ends before its DTEND), §3.8.5.
    """

    events: tuple[_Event, ...]
    digest: str

    def in_year(self, year: int) -> frozenset[date]:
        """The dates of that year that an occurrence covers."""
        since, until = date(year, 1, 1), date(year, 12, 31)
        days: set[date] = set()
        for event in self.events:
            for start in event.starts(since - timedelta(days=event.days), until):
                days.update(start + timedelta(days=offset) for offset in range(event.days))
        return frozenset(day for day in days if day.year == year)

    def canonical(self) -> dict[str, Any]:
        """A digest of the text."""
        return {"icalendar": self.digest}


def fixed_dates(dates: Iterable[date]) -> FixedDates:
    """A source of exactly these local dates."""
    return FixedDates(frozenset(dates))


def read_holidays(item: Mapping[Any, Any], zone: ZoneInfo) -> tuple[HolidaySource, ...]:
    """The sources that one mapping names: a country, an iCalendar text, or both.

    Args:
        item: `country` (ISO 3166 code), `subdivision`, `observed`; `icalendar` (text of a file).
        zone: The calendar's zone, in which an event with times falls on its local dates.

    Raises:
        ValueError: an unknown key, country or subdivision, or a text that is no iCalendar.
    """
    unknown = [str(key) for key in item if key not in SOURCE_KEYS]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]}; expected dates, {', '.join(SOURCE_KEYS)}")
    sources: list[HolidaySource] = []
    if "country" in item:
        sources.append(_read_country(item))
    elif "subdivision" in item or "observed" in item:
        raise ValueError("subdivision and observed belong to a country; name the country")
    if "icalendar" in item:
        sources.append(read_icalendar(item["icalendar"], zone))
    return tuple(sources)


def _read_country(item: Mapping[Any, Any]) -> CountryHolidays:
    country, subdivision, observed = (
        item["country"],
        item.get("subdivision"),
        item.get("observed", True),
    )
    if not isinstance(country, str):
        raise ValueError(f"country: expected a code such as TR, found {country!r}")
    if not isinstance(observed, bool):
        raise ValueError(f"observed: expected true or false, found {observed!r}")
    known = holidays.list_supported_countries()
    code = country.strip().upper()
    if code not in known:
        raise ValueError(
            f"country: no holidays are known for {country!r}; expected a code such as TR"
        )
    if subdivision is None:
        return CountryHolidays(code, None, observed)
    if str(subdivision) not in known[code]:
        listed = ", ".join(known[code]) or "none"
        raise ValueError(f"subdivision: {code} has no {subdivision!r}; known are {listed}")
    return CountryHolidays(code, str(subdivision), observed)


def read_icalendar(text: Any, zone: ZoneInfo) -> ICalendarHolidays:
    """Holidays from the text of an iCalendar file.

    Raises:
        ValueError: the text is no iCalendar, or one of its events cannot be read.
    """
    if not isinstance(text, str):
        raise ValueError(
            f"icalendar: expected the text of an iCalendar file, found {type(text).__name__}"
        )
    try:
        parsed = icalendar.Calendar.from_ical(text)
        components = [part for part in parsed.walk("VEVENT") if part.get("STATUS") != "CANCELLED"]
        replaced = _replaced_dates(components, zone)
        events = tuple(_read_event(part, zone, replaced) for part in components)
        for event in events:
            event.starts(event.first, event.first)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"icalendar: the text cannot be read as an iCalendar file: {error}"
        ) from None
    return ICalendarHolidays(events, sha256(text.encode("utf-8", "replace")).hexdigest()[:12])


def _replaced_dates(components: list[Any], zone: ZoneInfo) -> dict[str, set[date]]:
    """Per UID the occurrences that an event of their own replaces (RECURRENCE-ID)."""
    replaced: dict[str, set[date]] = {}
    for part in components:
        if "RECURRENCE-ID" in part:
            day = _local_date(part["RECURRENCE-ID"].dt, zone)
            replaced.setdefault(str(part.get("UID")), set()).add(day)
    return replaced


def _read_event(part: Any, zone: ZoneInfo, replaced: Mapping[str, set[date]]) -> _Event:
    if "DTSTART" not in part:
        raise ValueError(f"the event {str(part.get('SUMMARY', ''))!r} has no DTSTART")
    start = part["DTSTART"].dt
    first = _local_date(start, zone)
    last = _last_date(part, start, first, zone)
    days = (last - first).days + 1
    if not 1 <= days <= MAX_EVENT_DAYS:
        raise ValueError(f"the event {str(part.get('SUMMARY', ''))!r} covers {days} days")
    left_out = frozenset(_dates_of(part.get("EXDATE"), zone))
    if "RECURRENCE-ID" in part:
        return _Event(first, days)
    rule = part.get("RRULE")
    return _Event(
        first=first,
        days=days,
        rule=None if rule is None else _naive_rule(rule, zone),
        extra=frozenset(_dates_of(part.get("RDATE"), zone)),
        left_out=left_out | replaced.get(str(part.get("UID")), set()),
    )


def _last_date(part: Any, start: date | datetime, first: date, zone: ZoneInfo) -> date:
    """The last local date an event touches; its end itself is outside (RFC 5545 §3.6.1)."""
    end = part["DTEND"].dt if "DTEND" in part else None
    if end is None and "DURATION" in part:
        end = start + part["DURATION"].dt
    if end is None:
        return first
    if isinstance(end, datetime):
        end = end - timedelta(microseconds=1)
        return max(first, _local_date(end, zone))
    return max(first, _local_date(end, zone) - timedelta(days=1))


def _dates_of(value: Any, zone: ZoneInfo) -> set[date]:
    lists = [] if value is None else value if isinstance(value, list) else [value]
    return {_local_date(item.dt, zone) for dates in lists for item in dates.dts}


def _naive_rule(rule: Any, zone: ZoneInfo) -> str:
    """The rule with its UNTIL as a local date: days are repeated, not instants."""
    if set(rule.get("FREQ", [])) & {"SECONDLY", "MINUTELY", "HOURLY"}:
        raise ValueError(f"a holiday cannot repeat {rule['FREQ'][0]}")
    plain = {key: value for key, value in rule.items() if key != "UNTIL"}
    recurrence: Any = icalendar.vRecur(plain)
    text = str(recurrence.to_ical().decode())
    for until in rule.get("UNTIL", []):
        text += f";UNTIL={_local_date(until, zone):%Y%m%d}T000000"
    return text


def _local_date(moment: Any, zone: ZoneInfo) -> date:
    if isinstance(moment, datetime):
        local: datetime = moment if moment.tzinfo is None else moment.astimezone(zone)
        return local.date()
    if isinstance(moment, date):
        day: date = moment
        return day
    raise ValueError(f"expected a date, found {moment!r}")
