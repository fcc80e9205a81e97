"""What a calendar may be written as, and what a person is told when it is wrong."""

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_rules.calendar import Calendar, CalendarError
from sla_rules.holiday_sources import read_icalendar

GOOD = {"time_zone": "Europe/Berlin", "hours": {"mon": [["09:00", "17:00"]]}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"time_zone": None},
            r"^time_zone: expected the name of an IANA time zone .* found nothing",
        ),
        (
            {"time_zone": "Europe/Istanbull"},
            r"^time_zone: 'Europe/Istanbull' is not .* did you mean Europe/Istanbul\?",
        ),
        ({"time_zone": "../etc/passwd"}, "is not an IANA time zone"),
        ({"hour": {}}, r"^hour: unknown key; did you mean hours\?"),
        ({"hours": None}, "^hours: expected weekdays"),
        ({"hours": {"mnoday": []}}, r"^hours\.mnoday: expected a weekday"),
        ({"hours": {"mon-fri": [], "tue": []}}, r"^hours\.tue: tue is given twice"),
        ({"hours": {"mon": "09:00-17:00"}}, r"^hours\.mon: expected a list of intervals"),
        ({"hours": {"mon": ["09:00", "17:00"]}}, r"^hours\.mon\.0: expected a pair"),
        ({"hours": {"mon": [["09:00"]]}}, r"^hours\.mon\.0: expected a pair"),
        (
            {"hours": {"mon": [["17:00", "09:00"]]}},
            "does not end after it starts; one that crosses midnight",
        ),
        ({"hours": {"mon": [["09:00", "09:00"]]}}, "does not end after it starts"),
        (
            {"hours": {"mon": [["09:00", "24:01"]]}},
            "'24:01' is not a time of day; the last one is 24:00",
        ),
        ({"hours": {"mon": [["09:60", "17:00"]]}}, "'09:60' is not a time of day"),
        ({"hours": {"mon": [["9", "17:00"]]}}, "expected a time of day such as 09:00"),
        ({"hours": {"mon": [[540, 1020]]}}, "expected a time of day such as 09:00 .* found 540"),
        (
            {"shifts": {"25.12.2026": []}},
            r"^shifts\.25\.12\.2026: expected a date such as 2026-12-25",
        ),
        ({"shifts": ["2026-12-25"]}, "^shifts: expected dates with their intervals"),
        ({"breaks": ["12:00"]}, "^breaks: expected weekdays or dates"),
        (
            {"holidays": ["2026-02-30"]},
            r"^holidays\.0: expected a date such as 2026-12-25, found '2026-02-30'",
        ),
        ({"holidays": "2026-12-25"}, "^holidays: expected dates"),
        ({"holidays": {"country": "TX9"}}, "^holidays: country: no holidays are known for 'TX9'"),
        (
            {"holidays": [{"country": "DE", "subdivision": "XX"}]},
            r"^holidays\.0: subdivision: DE has no 'XX'; known are BB",
        ),
        ({"holidays": [{"subdivision": "BY"}]}, "name the country"),
        ({"holidays": [{"land": "DE"}]}, "unknown key land"),
        ({"holidays": [{"icalendar": "not one"}]}, "icalendar: the text cannot be read"),
        (
            {"holidays": [{"icalendar": 5}]},
            "icalendar: expected the text of an iCalendar file, found int",
        ),
        ({"holidays": {"dates": "2026-12-25"}}, "expected a list of dates"),
        ({"holidays": {"country": "DE", "observed": "yes"}}, "observed: expected true or false"),
        ({"hours": "24x7"}, "^time_zone: 24x7 is absolute time"),
    ],
)
def test_a_wrong_calendar_says_which_key_and_what_is_expected(change, message):
    with pytest.raises(CalendarError, match=message):
        Calendar.from_mapping({**GOOD, **change})


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(["09:00", "2026-12-25", "mon"])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
)


@given(
    st.dictionaries(
        st.sampled_from(["time_zone", "hours", "shifts", "breaks", "holidays"]), anything
    )
    | anything
)
def test_whatever_is_written_gives_a_calendar_or_an_error_in_words(mapping):
    for wrong in (mapping, {**GOOD, **mapping} if isinstance(mapping, dict) else mapping):
        try:
            Calendar.from_mapping(wrong)
        except CalendarError as error:
            assert str(error)


def test_it_must_be_a_mapping():
    with pytest.raises(CalendarError, match="expected a mapping with time_zone"):
        Calendar.from_mapping(["mon"])


def test_ways_to_write_the_same_are_the_same():
    one = Calendar.from_mapping(
        {
            "time_zone": "Europe/Berlin",
            "hours": {"mon-wed": [["09:00", "12:00"], ["12:00", "17:00"]]},
        }
    )
    two = Calendar.from_mapping(
        {
            "time_zone": "Europe/Berlin",
            "hours": {day: ["09:00-17:00"] for day in ("monday", "Tue", "wed")} | {"sun": None},
            "holidays": [],
        }
    )
    three = Calendar.from_mapping(
        {"time_zone": "Europe/Berlin", "hours": {"mon-wed": [[time(9), time(17)]]}, "breaks": None}
    )
    assert one.canonical() == two.canonical() == three.canonical()


def test_a_range_of_weekdays_may_go_round_the_week():
    found = Calendar.from_mapping({"time_zone": "UTC", "hours": {"sat-mon": [["00:00", "01:00"]]}})
    week = found.periods(datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC))
    assert [start.day for start, _ in week] == [23, 28, 29]


def test_a_countrys_holidays_and_a_subdivisions():
    week = {"mon-sun": [["09:00", "10:00"]]}
    bavaria = Calendar.from_mapping(
        {
            "time_zone": "Europe/Berlin",
            "hours": week,
            "holidays": {"country": "DE", "subdivision": "BY"},
        }
    )
    germany = Calendar.from_mapping(
        {"time_zone": "Europe/Berlin", "hours": week, "holidays": [{"country": "DE"}, "2026-12-24"]}
    )
    epiphany = datetime(2026, 1, 6, 8, 30, tzinfo=UTC)
    assert not bavaria.is_open(epiphany)
    assert germany.is_open(epiphany)
    christmas_eve = datetime(2026, 12, 24, 8, 30, tzinfo=UTC)
    assert bavaria.is_open(christmas_eve)
    assert not germany.is_open(christmas_eve)
    assert not bavaria.is_open(datetime(2026, 12, 25, 8, 30, tzinfo=UTC))


def test_turkish_republic_day_is_shut():
    found = Calendar.from_mapping(
        {
            "time_zone": "Europe/Istanbul",
            "hours": {"mon-fri": [["09:00", "18:00"]]},
            "holidays": {"country": "TR"},
        }
    )
    # Thursday 29 October 2026.
    assert found.next_open(datetime(2026, 10, 28, 20, tzinfo=UTC)) == datetime(
        2026, 10, 30, 6, tzinfo=UTC
    )


def test_a_country_without_data_for_a_year_has_no_holidays_and_no_warning():
    found = Calendar.from_mapping(
        {
            "time_zone": "Asia/Kolkata",
            "hours": {"mon-sun": [["09:00", "10:00"]]},
            "holidays": {"country": "IN"},
        }
    )
    assert found.between(datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)) > 0


ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
BEGIN:VEVENT
UID:new-year@example.com
SUMMARY:New Year
DTSTART;VALUE=DATE:20240101
DTEND;VALUE=DATE:20240102
RRULE:FREQ=YEARLY;UNTIL=20270101T000000Z
EXDATE;VALUE=DATE:20260101
END:VEVENT
BEGIN:VEVENT
UID:break@example.com
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20261227
END:VEVENT
BEGIN:VEVENT
UID:long@example.com
DTSTART;VALUE=DATE:20261230
DURATION:P5D
END:VEVENT
BEGIN:VEVENT
UID:cancelled@example.com
STATUS:CANCELLED
DTSTART;VALUE=DATE:20260601
END:VEVENT
BEGIN:VEVENT
UID:evening@example.com
DTSTART:20260701T220000Z
DTEND:20260701T230000Z
END:VEVENT
BEGIN:VEVENT
UID:moving@example.com
DTSTART;VALUE=DATE:20260401
RRULE:FREQ=MONTHLY;COUNT=3
RDATE;VALUE=DATE:20260415
END:VEVENT
BEGIN:VEVENT
UID:moving@example.com
RECURRENCE-ID;VALUE=DATE:20260501
DTSTART;VALUE=DATE:20260504
END:VEVENT
END:VCALENDAR
"""


def test_an_icalendar_file_gives_whole_local_dates():
    from zoneinfo import ZoneInfo

    source = read_icalendar(ICS, ZoneInfo("Europe/Istanbul"))
    assert source.in_year(2024) == {date(2024, 1, 1)}
    assert source.in_year(2025) == {date(2025, 1, 1)}
    assert source.in_year(2026) == {
        # No 1 January: an exception. No 1 June of the cancelled event, but the third of the repeated one.
        date(2026, 12, 24),
        date(2026, 12, 25),
        date(2026, 12, 26),
        date(2026, 12, 30),
        date(2026, 12, 31),
        date(2026, 7, 2),  # 22:00 UTC is 01:00 of the next day in Istanbul
        date(2026, 4, 1),
        date(2026, 4, 15),
        date(2026, 5, 4),  # moved from 1 May
        date(2026, 6, 1),
    }
    # The five days over the turn of the year go on; New Year ended with the UNTIL of 2027.
    assert source.in_year(2027) == {date(2027, 1, 1), date(2027, 1, 2), date(2027, 1, 3)}
    assert source.in_year(2028) == set()


def test_an_icalendar_in_a_calendar_shuts_its_days():
    found = Calendar.from_mapping(
        {
            "time_zone": "Europe/Istanbul",
            "hours": {"mon-sun": [["09:00", "10:00"]]},
            "holidays": [{"icalendar": ICS}],
        }
    )
    december = found.periods(datetime(2026, 12, 23, tzinfo=UTC), datetime(2026, 12, 28, tzinfo=UTC))
    assert [start.day for start, _ in december] == [23, 27]


@pytest.mark.parametrize(
    "event",
    [
        "UID:a\nSUMMARY:no start",
        "UID:a\nDTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20300101",
        "UID:a\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=SOMETIMES",
        "UID:a\nDTSTART:tomorrow",
        "UID:a\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=SECONDLY",
    ],
)
def test_an_event_that_cannot_be_read_is_refused(event):
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    with pytest.raises(CalendarError, match="icalendar"):
        Calendar.from_mapping({**GOOD, "holidays": [{"icalendar": text}]})
