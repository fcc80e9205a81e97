"""Business time worked out by hand."""

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sla_rules import calendar as calendar_module
from sla_rules.calendar import Calendar, NoBusinessTimeError

HOUR = 3600


def berlin(*args: int) -> datetime:
    return datetime(*args, tzinfo=ZoneInfo("Europe/Berlin"))


def utc(*args: int) -> datetime:
    return datetime(*args, tzinfo=UTC)


def calendar(zone: str = "Europe/Berlin", hours: dict | None = None, **rest) -> Calendar:
    mapping = {"time_zone": zone, "hours": hours or {"mon-fri": [["09:00", "17:00"]]}, **rest}
    return Calendar.from_mapping(mapping)


OFFICE = calendar(holidays=["2026-12-25"])
"""Monday to Friday 09:00-17:00 in Berlin (UTC+1 in winter), shut on Friday 25 December 2026."""


def test_the_example_of_the_design_page_reads():
    found = Calendar.from_mapping(
        {
            "time_zone": "Europe/Berlin",
            "hours": {"mon": [["09:00", "17:00"]]},
            "shifts": {},
            "breaks": {},
            "holidays": ["2026-12-25"],
        }
    )
    # Monday 21 December 2026, half past nine to ten.
    assert found.between(berlin(2026, 12, 21, 9, 30), berlin(2026, 12, 21, 10)) == 1800


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # Within one day.
        (berlin(2026, 12, 21, 10), berlin(2026, 12, 21, 12), 2 * HOUR),
        # To the second.
        (berlin(2026, 12, 21, 10, 0, 7), berlin(2026, 12, 21, 10, 0, 9), 2),
        # From before opening to after closing: the whole day.
        (berlin(2026, 12, 21, 0), berlin(2026, 12, 22, 0), 8 * HOUR),
        # Over a weekend: Friday 18th from 16:00 one hour, Monday 21st to 10:00 one hour.
        (berlin(2026, 12, 18, 16), berlin(2026, 12, 21, 10), 2 * HOUR),
        # Over the holiday: Thursday 24th from 16:00 one hour, Monday 28th to 09:30 half an hour.
        (berlin(2026, 12, 24, 16), berlin(2026, 12, 28, 9, 30), 5400),
        # A span that ends before it starts is empty.
        (berlin(2026, 12, 22, 10), berlin(2026, 12, 21, 10), 0),
        (berlin(2026, 12, 21, 10), berlin(2026, 12, 21, 10), 0),
        # A whole year of 2026: 261 weekdays less one holiday.
        (berlin(2026, 1, 1), berlin(2027, 1, 1), 260 * 8 * HOUR),
        # Instants of other zones: 09:00 UTC is 10:00 in Berlin.
        (utc(2026, 12, 21, 9), utc(2026, 12, 21, 10), HOUR),
    ],
)
def test_between(start, end, expected):
    assert OFFICE.between(start, end) == expected


@pytest.mark.parametrize(
    ("start", "seconds", "expected"),
    [
        (berlin(2026, 12, 21, 10), HOUR, berlin(2026, 12, 21, 11)),
        # Exactly to closing: the closing instant, not Tuesday's opening.
        (berlin(2026, 12, 21, 9), 8 * HOUR, berlin(2026, 12, 21, 17)),
        (berlin(2026, 12, 21, 9), 8 * HOUR + 1, berlin(2026, 12, 22, 9, 0, 1)),
        # Started on a Saturday: Monday's opening plus an hour.
        (berlin(2026, 12, 19, 12), HOUR, berlin(2026, 12, 21, 10)),
        # Over the holiday and the weekend after it.
        (berlin(2026, 12, 24, 16), 2 * HOUR, berlin(2026, 12, 28, 10)),
        # Nothing to wait for: the start itself, though it is closed then.
        (berlin(2026, 12, 19, 12), 0, berlin(2026, 12, 19, 12)),
    ],
)
def test_add(start, seconds, expected):
    found = OFFICE.add(start, seconds)
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("end", "seconds", "expected"),
    [
        (berlin(2026, 12, 21, 11), HOUR, berlin(2026, 12, 21, 10)),
        # Exactly from the opening: the opening, not Friday's closing.
        (berlin(2026, 12, 21, 17), 8 * HOUR, berlin(2026, 12, 21, 9)),
        (berlin(2026, 12, 21, 17), 8 * HOUR + 1, berlin(2026, 12, 18, 16, 59, 59)),
        (berlin(2026, 12, 28, 10), 2 * HOUR, berlin(2026, 12, 24, 16)),
        (berlin(2026, 12, 19, 12), 0, berlin(2026, 12, 19, 12)),
    ],
)
def test_subtract(end, seconds, expected):
    assert OFFICE.subtract(end, seconds) == expected


def test_intervals_are_half_open():
    assert OFFICE.is_open(berlin(2026, 12, 21, 9))
    assert OFFICE.is_open(berlin(2026, 12, 21, 16, 59, 59))
    assert not OFFICE.is_open(berlin(2026, 12, 21, 17))
    assert OFFICE.next_open(berlin(2026, 12, 21, 17)) == berlin(2026, 12, 22, 9)
    assert OFFICE.next_open(berlin(2026, 12, 21, 12)) == berlin(2026, 12, 21, 12)
    assert OFFICE.next_open(berlin(2026, 12, 24, 18)) == berlin(2026, 12, 28, 9)


def test_periods_are_cut_to_the_span():
    assert OFFICE.periods(berlin(2026, 12, 18, 16), berlin(2026, 12, 22, 10)) == [
        (berlin(2026, 12, 18, 16), berlin(2026, 12, 18, 17)),
        (berlin(2026, 12, 21, 9), berlin(2026, 12, 21, 17)),
        (berlin(2026, 12, 22, 9), berlin(2026, 12, 22, 10)),
    ]
    assert OFFICE.periods(berlin(2026, 12, 22, 10), berlin(2026, 12, 21, 10)) == []


def test_several_intervals_shifts_breaks_and_holidays():
    found = calendar(
        hours={"mon-fri": [["09:00", "12:30"], ["13:30", "18:00"]]},
        shifts={
            "2026-12-24": [["09:00", "12:00"]],
            "2026-12-25": [["09:00", "12:00"]],
            "2026-12-26": [["10:00", "11:00"]],
        },
        breaks={"fri": [["15:00", "24:00"]], "2026-12-21": [["11:00", "14:00"]]},
        holidays=["2026-12-25"],
    )

    def on(day: int) -> int:
        return found.between(berlin(2026, 12, day), berlin(2026, 12, day) + timedelta(days=1))

    assert on(22) == 8 * HOUR  # 3.5 + 4.5
    assert on(21) == 6 * HOUR  # 09:00-11:00 and 14:00-18:00
    assert on(18) == 5 * HOUR  # Friday: 3.5 and 13:30-15:00
    assert on(24) == 3 * HOUR  # the shift replaces the hours
    assert on(25) == 0  # the holiday beats the shift
    assert on(26) == 1 * HOUR  # a Saturday with a shift
    assert found.longest_day_seconds == 8 * HOUR


def test_a_round_the_clock_week_has_no_seam_at_midnight():
    found = calendar(hours={"mon-sun": [["00:00", "24:00"]]})
    start, end = berlin(2026, 12, 21, 15), berlin(2026, 12, 23, 15)
    assert found.periods(start, end) == [(start, end)]
    assert found.longest_day_seconds == 24 * HOUR
    # The night the clocks go on has 23 hours, the one they go back 25.
    assert found.between(berlin(2026, 3, 29), berlin(2026, 3, 30)) == 23 * HOUR
    assert found.between(berlin(2026, 10, 25), berlin(2026, 10, 26)) == 25 * HOUR


def test_overlapping_intervals_count_once():
    found = calendar(hours={"mon": [["09:00", "12:00"], ["11:00", "13:00"], ["13:00", "14:00"]]})
    assert found.between(berlin(2026, 12, 21), berlin(2026, 12, 22)) == 5 * HOUR
    assert found.longest_day_seconds == 5 * HOUR


class TestClockChanges:
    """In Berlin 2026 clocks go on at 02:00 of 29 March and back at 03:00 of 25 October, both Sundays."""

    def test_a_time_that_happens_twice_means_the_first(self):
        found = calendar(hours={"sun": [["02:30", "04:00"]]})
        # First 02:30 is 00:30 UTC (summer time), 04:00 is 03:00 UTC: two and a half hours.
        assert found.periods(utc(2026, 10, 24), utc(2026, 10, 26)) == [
            (utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 3))
        ]

    def test_an_end_that_happens_twice_means_the_first(self):
        found = calendar(hours={"sun": [["01:00", "02:30"]]})
        assert found.between(utc(2026, 10, 24), utc(2026, 10, 26)) == 5400

    def test_a_time_that_never_happens_is_moved_on_by_the_gap(self):
        found = calendar(hours={"sun": [["02:30", "04:00"]]})
        # 02:30 does not exist; it becomes 03:30 summer time, 01:30 UTC. 04:00 is 02:00 UTC.
        assert found.periods(utc(2026, 3, 28), utc(2026, 3, 30)) == [
            (utc(2026, 3, 29, 1, 30), utc(2026, 3, 29, 2))
        ]

    def test_an_interval_that_comes_out_inverted_is_empty(self):
        found = calendar(hours={"sun": [["02:30", "03:15"]]})
        # 02:30 becomes 03:30, which is after 03:15.
        assert found.periods(utc(2026, 3, 28), utc(2026, 3, 30)) == []

    def test_lord_howe_moves_by_half_an_hour(self):
        found = calendar("Australia/Lord_Howe", hours={"sun": [["02:15", "04:00"]]})
        # 6 October 2024: 02:00 (+10:30) becomes 02:30 (+11). 02:15 becomes 02:45, 15:45 UTC; 04:00 is 17:00 UTC.
        assert found.periods(utc(2024, 10, 5), utc(2024, 10, 6)) == [
            (utc(2024, 10, 5, 15, 45), utc(2024, 10, 5, 17))
        ]

    def test_cairo_has_no_midnight_on_the_day_the_clocks_go_on(self):
        found = calendar("Africa/Cairo", hours={"fri": [["00:00", "08:00"]]})
        # 26 April 2024: 00:00 (+2) becomes 01:00 (+3): 22:00 UTC. 08:00 (+3) is 05:00 UTC: seven hours.
        assert found.periods(utc(2024, 4, 25), utc(2024, 4, 27)) == [
            (utc(2024, 4, 25, 22), utc(2024, 4, 26, 5))
        ]

    def test_apia_left_out_a_friday_which_falls_on_the_saturday(self):
        found = calendar("Pacific/Apia")
        # Friday 30 December 2011 never was; its 09:00 at the old -10:00 is 19:00 UTC, Saturday 09:00 at +14:00.
        week = found.periods(utc(2011, 12, 29, 12), utc(2012, 1, 2))
        assert week == [
            (utc(2011, 12, 29, 19), utc(2011, 12, 30, 3)),
            (utc(2011, 12, 30, 19), utc(2011, 12, 31, 3)),
            (utc(2012, 1, 1, 19), utc(2012, 1, 2)),
        ]

    def test_a_day_left_out_does_not_count_twice_where_the_next_is_open_too(self):
        found = calendar("Pacific/Apia", hours={"mon-sun": [["09:00", "17:00"]]})
        # Both the lost 30th and the 31st fall on the same eight hours.
        assert found.between(utc(2011, 12, 30, 10), utc(2011, 12, 31, 10)) == 8 * HOUR

    @pytest.mark.parametrize(
        ("hours", "breaks"),
        [
            # The hours of Sunday 1 January 1995, cut by a break of the lost Saturday that falls on it.
            ({"sun": [["09:00", "12:00"]]}, {"1994-12-31": [["10:00", "11:00"]]}),
            ({"sun": [["09:00", "12:00"]]}, {"sat": [["10:00", "11:00"]]}),
            # The lost Saturday's hours, which fall on Sunday, cut by a break of that Sunday.
            ({"sat": [["09:00", "12:00"]]}, {"1995-01-01": [["10:00", "11:00"]]}),
        ],
    )
    def test_kiritimati_left_out_the_last_day_of_a_year(self, hours, breaks):
        found = calendar("Pacific/Kiritimati", hours=hours, breaks=breaks)
        # 09:00 of 1 January at +14:00 is 19:00 UTC of 31 December.
        assert found.periods(utc(1994, 12, 31, 12), utc(1995, 1, 1, 12)) == [
            (utc(1994, 12, 31, 19), utc(1994, 12, 31, 20)),
            (utc(1994, 12, 31, 21), utc(1994, 12, 31, 22)),
        ]

    def test_istanbul_kept_summer_time_in_2016(self):
        found = calendar("Europe/Istanbul")
        # October 2016: still +3, so that Monday 31st opens at 06:00 UTC, not 07:00.
        assert found.next_open(utc(2016, 10, 30)) == utc(2016, 10, 31, 6)
        assert found.next_open(utc(2015, 11, 15)) == utc(2015, 11, 16, 7)

    def test_almaty_moved_its_offset_without_a_flag(self):
        found = calendar("Asia/Almaty")
        assert found.next_open(utc(2024, 2, 28, 20)) == utc(2024, 2, 29, 3)  # +6
        assert found.next_open(utc(2024, 2, 29, 20)) == utc(2024, 3, 1, 4)  # +5

    def test_dublins_autumn_hour_means_the_first(self):
        found = calendar("Europe/Dublin", hours={"sun": [["01:30", "03:00"]]})
        # 27 October 2024: the first 01:30 is 00:30 UTC.
        assert found.next_open(utc(2024, 10, 26)) == utc(2024, 10, 27, 0, 30)


class TestAbsoluteTime:
    always = Calendar.from_mapping("24x7")

    def test_it_is_plain_seconds(self):
        start, end = utc(2026, 3, 28, 12), utc(2026, 3, 30, 12)
        assert self.always.between(start, end) == 48 * HOUR
        assert self.always.between(end, start) == 0
        assert self.always.add(start, 48 * HOUR) == end
        assert self.always.subtract(end, 48 * HOUR) == start
        assert self.always.next_open(start) == start
        assert self.always.is_open(start)
        assert self.always.periods(start, end) == [(start, end)]
        assert self.always.longest_day_seconds == 24 * HOUR
        assert self.always.between_many([0, 10], [5, 3]).tolist() == [5, 0]
        assert self.always.add_many([0, 10], 5).tolist() == [5, 15]

    def test_it_may_be_written_as_hours(self):
        assert Calendar.from_mapping({"hours": "24x7"}).is_always_open


class TestNoHours:
    closed = calendar(hours={"mon": []})

    def test_nothing_passes_and_add_says_why(self):
        start = utc(2026, 12, 21)
        assert self.closed.between(start, utc(2027, 12, 21)) == 0
        assert self.closed.add(start, 0) == start
        with pytest.raises(NoBusinessTimeError, match="no opening hours at all"):
            self.closed.add(start, 1)
        with pytest.raises(NoBusinessTimeError, match="before"):
            self.closed.subtract(start, 1)
        with pytest.raises(NoBusinessTimeError):
            self.closed.add_many([0], [1])
        assert self.closed.add_many([7], [0]).tolist() == [7]
        assert self.closed.next_open(start) is None
        assert not self.closed.is_open(start)
        assert self.closed.longest_day_seconds == 0

    def test_shifts_alone_end_somewhere(self):
        found = calendar(hours={"mon": []}, shifts={"2027-06-01": [["09:00", "10:00"]]})
        assert found.add(utc(2020, 1, 1), HOUR) == berlin(2027, 6, 1, 10)
        assert found.subtract(utc(2035, 1, 1), HOUR) == berlin(2027, 6, 1, 9)
        with pytest.raises(NoBusinessTimeError, match="too little"):
            found.add(utc(2020, 1, 1), HOUR + 1)

    def test_a_calendar_whose_only_day_is_always_a_holiday_comes_to_an_end(self):
        every_sunday = (
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:a\n"
            "DTSTART;VALUE=DATE:20240107\nRRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n"
        )
        found = calendar(
            hours={"sun": [["09:00", "17:00"]]}, holidays=[{"icalendar": every_sunday}]
        )
        assert found.between(utc(2026, 1, 1), utc(2027, 1, 1)) == 0
        with pytest.raises(NoBusinessTimeError, match="too little"):
            found.add(utc(2026, 1, 1), 1)


def test_naive_times_are_refused():
    naive = datetime(2026, 12, 21, 9)  # noqa: DTZ001 - the point of the test
    aware = utc(2026, 12, 21, 9)
    for call in (
        lambda: OFFICE.between(naive, aware),
        lambda: OFFICE.between(aware, naive),
        lambda: OFFICE.add(naive, 0),
        lambda: OFFICE.subtract(naive, 0),
        lambda: OFFICE.next_open(naive),
        lambda: OFFICE.is_open(naive),
        lambda: OFFICE.periods(naive, aware),
        lambda: OFFICE.between_many([naive], [aware]),
    ):
        with pytest.raises(ValueError, match="zone"):
            call()


def test_negative_and_broken_amounts_are_refused():
    for amount in (-1, 1.5, True):
        with pytest.raises(ValueError, match="whole number"):
            OFFICE.add(utc(2026, 12, 21), amount)
    with pytest.raises(ValueError, match="0 or more"):
        OFFICE.add_many([0], [-1])
    with pytest.raises(ValueError, match="whole numbers"):
        OFFICE.add_many([0], [0.5])


def test_parts_of_seconds_are_floored():
    start = berlin(2026, 12, 21, 10).replace(microsecond=900_000)
    assert OFFICE.between(start, berlin(2026, 12, 21, 10, 0, 1)) == 1
    assert OFFICE.add(start, 0) == start
    assert OFFICE.add(start, 1) == berlin(2026, 12, 21, 10, 0, 1)


def test_many_at_once_in_the_shapes_people_have():
    starts = np.array(["2026-12-21T08:00:00", "2026-12-24T15:00:00"], dtype="datetime64[ns]")
    ends = np.array(["2026-12-21T09:00:00", "2026-12-28T08:30:00"], dtype="datetime64[ns]")
    assert OFFICE.between_many(starts, ends).tolist() == [HOUR, 5400]
    aware = [berlin(2026, 12, 21, 9), berlin(2026, 12, 24, 16)]
    assert OFFICE.between_many(aware, ends).tolist() == [HOUR, 5400]
    assert OFFICE.add_many(starts, HOUR).astype("datetime64[s]").tolist() == [
        datetime(2026, 12, 21, 9),  # noqa: DTZ001 - numpy gives naive ones
        datetime(2026, 12, 24, 16),  # noqa: DTZ001
    ]
    assert OFFICE.between_many([], []).tolist() == []
    with pytest.raises(ValueError, match="missing"):
        OFFICE.between_many(np.array(["NaT"], dtype="datetime64[s]"), ends)
    with pytest.raises(ValueError, match="float64"):
        OFFICE.between_many([1.5], [2.5])


def test_years_are_laid_out_once(monkeypatch):
    built = []
    real = calendar_module.year_periods

    def counting(spec, year):
        built.append(year)
        return real(spec, year)

    monkeypatch.setattr(calendar_module, "year_periods", counting)
    found = calendar()
    assert found.between(utc(2000, 6, 1), utc(2040, 6, 1)) > 0
    assert sorted(built) == sorted(set(built))
    before = len(built)
    for year in range(2001, 2040):
        found.between(utc(year, 1, 1), utc(year, 7, 1))
        found.add(utc(year, 1, 1), 10**5)
    assert len(built) <= before + 1


def test_threads_that_ask_at_once_agree():
    found = calendar()
    results = []

    def ask(year: int) -> None:
        results.append((year, found.between(utc(year, 1, 1), utc(year + 1, 1, 1))))

    threads = [threading.Thread(target=ask, args=(year,)) for year in range(1995, 2035)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [
        (year, calendar().between(utc(year, 1, 1), utc(year + 1, 1, 1)))
        for year in range(1995, 2035)
    ]


def test_absurd_years_are_refused_in_words():
    with pytest.raises(ValueError, match="1900 to 2200"):
        OFFICE.between(utc(1, 1, 2), utc(2026, 1, 1))
