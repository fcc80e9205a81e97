"""Business time against an independent minute-by-minute oracle, over zones that do odd things."""

import importlib.util
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import available_timezones

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sla_rules.calendar import Calendar

_SPEC = importlib.util.spec_from_file_location(
    "calendar_oracle", Path(__file__).with_name("calendar_oracle.py")
)
assert _SPEC is not None
assert _SPEC.loader is not None
calendar_oracle = importlib.util.module_from_spec(_SPEC)
sys.modules["calendar_oracle"] = calendar_oracle
_SPEC.loader.exec_module(calendar_oracle)
Oracle = calendar_oracle.Oracle

ODD_DAYS = [
    ("Australia/Lord_Howe", date(2024, 10, 6)),  # on by 30 minutes
    ("Australia/Lord_Howe", date(2024, 4, 7)),  # back by 30 minutes
    ("Pacific/Chatham", date(2024, 9, 29)),  # +12:45
    ("America/St_Johns", date(2006, 10, 29)),  # back at 00:01
    ("America/St_Johns", date(2006, 4, 2)),  # on at 00:01
    ("Asia/Kathmandu", date(2024, 1, 1)),  # +05:45
    ("Pacific/Apia", date(2011, 12, 30)),  # a date that never was
    ("Pacific/Kwajalein", date(1993, 8, 21)),  # another one
    ("Europe/Istanbul", date(2016, 9, 7)),  # daylight time made permanent
    ("Europe/Istanbul", date(2016, 3, 27)),
    ("Europe/Dublin", date(2024, 10, 27)),  # negative daylight saving
    ("Europe/Dublin", date(2024, 3, 31)),
    ("Africa/Casablanca", date(2024, 3, 10)),  # Ramadan
    ("Africa/Casablanca", date(2024, 4, 14)),
    ("Africa/El_Aaiun", date(2030, 1, 6)),
    ("Asia/Almaty", date(2024, 3, 1)),  # new offset, no daylight flag
    ("Africa/Cairo", date(2024, 4, 26)),  # midnight never comes
    ("Africa/Cairo", date(2024, 10, 31)),  # 24:00 becomes 23:00
    ("America/Havana", date(2024, 11, 3)),  # 01:00 becomes 00:00
    ("America/Havana", date(2024, 3, 10)),
    ("Asia/Beirut", date(2024, 3, 31)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Santiago", date(2024, 9, 8)),
    ("America/Asuncion", date(2024, 10, 6)),
    ("Asia/Tehran", date(2022, 3, 22)),
    ("Asia/Gaza", date(2024, 4, 20)),
    ("Asia/Pyongyang", date(2018, 5, 5)),  # on by 30 minutes at 23:30
    ("America/Caracas", date(2016, 5, 1)),
    ("Antarctica/Troll", date(2024, 3, 31)),  # by two hours
    ("America/Nuuk", date(2024, 3, 31)),
    ("Europe/Chisinau", date(2024, 3, 31)),
    ("Pacific/Norfolk", date(2019, 10, 6)),
    ("Asia/Colombo", date(2006, 4, 15)),
    ("Europe/London", date(2024, 10, 27)),
    ("Europe/Berlin", date(2099, 3, 29)),
    ("America/New_York", date(2024, 11, 3)),
    ("Asia/Kolkata", date(2024, 6, 1)),
    ("Pacific/Kiritimati", date(1994, 12, 31)),
    ("UTC", date(2024, 2, 29)),
    ("Etc/GMT+12", date(2024, 12, 31)),
]
ZONES = sorted({zone for zone, _ in ODD_DAYS})
DAYS = 5


@st.composite
def spans(draw):
    count = draw(st.integers(0, 3))
    found = []
    for _ in range(count):
        start, end = sorted(draw(st.tuples(st.integers(0, 96), st.integers(0, 96))))
        if start < end:
            found.append([f"{q // 4:02}:{q % 4 * 15:02}" for q in (start, end)])
    return found


@st.composite
def cases(draw):
    zone, day = draw(st.sampled_from(ODD_DAYS))
    if draw(st.integers(0, 3)) == 0:
        day = draw(st.dates(date(1990, 1, 5), date(2099, 12, 25)))
    near = st.integers(-3, DAYS + 1).map(lambda offset: (day + timedelta(days=offset)).isoformat())
    week = {name: draw(spans()) for name in calendar_oracle.WEEK}
    mapping = {
        "time_zone": zone,
        "hours": week,
        "shifts": draw(st.dictionaries(near, spans(), max_size=2)),
        "breaks": draw(st.dictionaries(near, spans(), max_size=2)),
        "holidays": draw(st.lists(near, max_size=2)),
    }
    return mapping, day


minutes_in_window = st.integers(-1440, (DAYS + 1) * 1440)


def instant(day: date, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)


def test_there_are_enough_odd_zones():
    assert len(ZONES) >= 30


@settings(max_examples=150, deadline=None)
@given(cases(), minutes_in_window, minutes_in_window, st.integers(1, 4000))
def test_between_add_subtract_and_is_open_agree_with_the_oracle(case, one, two, amount):
    mapping, day = case
    calendar, oracle = Calendar.from_mapping(mapping), Oracle(mapping, day, DAYS)
    start, end = instant(day, min(one, two)), instant(day, max(one, two))
    assert calendar.between(start, end) == oracle.between(start, end)
    assert calendar.is_open(start) == oracle.is_open(start)
    expected = oracle.add(start, amount)
    # The last two days of the oracle's window lack the hours of the days after it.
    if expected is not None and expected <= instant(day, (DAYS + 1) * 1440):
        assert calendar.add(start, amount * 60) == expected
    inside = calendar.between(start, end)
    if inside:
        back = calendar.subtract(end, inside)
        assert back >= start
        assert oracle.between(back, end) == inside
        assert oracle.is_open(back)


@settings(max_examples=100, deadline=None)
@given(cases(), minutes_in_window, minutes_in_window)
def test_periods_are_the_open_stretches_of_the_oracle(case, one, two):
    mapping, day = case
    calendar, oracle = Calendar.from_mapping(mapping), Oracle(mapping, day, DAYS)
    start, end = instant(day, min(one, two)), instant(day, max(one, two))
    periods = calendar.periods(start, end)
    minutes = {
        oracle.minute(opens) + step
        for opens, closes in periods
        for step in range(oracle.minute(closes) - oracle.minute(opens))
    }
    expected = {
        step for step in range(oracle.minute(start), oracle.minute(end)) if oracle.opened[step]
    }
    assert minutes == expected
    assert all(a[1] < b[0] for a, b in pairwise(periods))
    following = calendar.next_open(start)
    if following is not None and following < end:
        assert oracle.is_open(following)
        assert oracle.between(start, following) == 0


ANY_SECONDS = st.integers(631_152_000, 4_102_444_800)  # 1990 to 2100
YEAR = 31_556_952
NEAR_SECONDS = st.integers(0, 2 * YEAR)
"""To be added to one of the former: laying out a hundred years takes half a second for each calendar."""


@st.composite
def any_calendar(draw):
    mapping, _ = draw(cases())
    assume(any(mapping["hours"].values()))
    return Calendar.from_mapping(mapping)


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@settings(max_examples=100, deadline=None)
@given(any_calendar(), ANY_SECONDS, st.lists(NEAR_SECONDS, min_size=3, max_size=3))
def test_parts_of_a_span_add_up_to_the_whole(calendar, base, seconds):
    a, b, c = (at(base + second) for second in sorted(seconds))
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)


@settings(max_examples=5, deadline=None)
@given(any_calendar(), ANY_SECONDS)
def test_parts_of_a_century_add_up_to_the_whole(calendar, second):
    a, b, c = at(631_152_000), at(second), at(4_102_444_800)
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)


@settings(max_examples=100, deadline=None)
@given(any_calendar(), ANY_SECONDS, st.integers(0, 400_000), st.integers(0, 400_000))
def test_add_is_the_inverse_of_between_and_monotone(calendar, start, one, two):
    begin = at(start)
    low, high = sorted((one, two))
    assert calendar.between(begin, calendar.add(begin, low)) == low
    assert calendar.add(begin, low) <= calendar.add(begin, high)
    assert calendar.add(begin, high) <= calendar.add(calendar.add(begin, 1), high)
    found = calendar.add(begin, high)
    if high:
        assert calendar.between(begin, found - timedelta(seconds=1)) == high - 1
        assert calendar.between(calendar.subtract(found, high), found) == high


@settings(max_examples=60, deadline=None)
@given(
    any_calendar(),
    ANY_SECONDS,
    st.lists(st.tuples(NEAR_SECONDS, NEAR_SECONDS, st.integers(0, 10**6)), min_size=1, max_size=20),
)
def test_many_at_once_give_what_each_alone_gives(calendar, base, rows):
    starts, ends, amounts = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    starts, ends = starts + base, ends + base
    between = calendar.between_many(starts.astype("datetime64[s]"), ends)
    assert between.dtype == np.int64
    pairs = list(zip(starts.tolist(), ends.tolist(), amounts.tolist(), strict=True))
    assert between.tolist() == [calendar.between(at(s), at(e)) for s, e, _ in pairs]
    added = calendar.add_many(starts, amounts)
    assert added.tolist() == [round(calendar.add(at(s), n).timestamp()) for s, _, n in pairs]


@pytest.mark.parametrize("year", [1990, 2011, 2024, 2037, 2070, 2100])
def test_no_zone_raises_and_a_years_days_have_their_hours(year):
    start, end = datetime(year, 1, 10, tzinfo=UTC), datetime(year, 12, 20, tzinfo=UTC)
    days = (end - start).days
    for zone in sorted(available_timezones()):
        mapping = {
            "time_zone": zone,
            "hours": {"mon-sun": [["23:30", "24:00"], ["00:00", "02:30"]]},
        }
        passed = Calendar.from_mapping(mapping).between(start, end)
        # Three hours a day; the ends cut into a day, and a jump of the clocks takes or gives its length.
        assert abs(passed - days * 3 * 3600) <= 12 * 3600, zone
