"""On-call: exactly one rotation at every instant, overrides with an end, errors that name the instants."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sla_rules.on_call as module
from sla_rules.on_call import OnCallPlan, check_cover, hand_overs, load_on_call, who
from transforms.yaml_document import DocumentError

SHIPPED = (Path(module.__file__).parent / "policies" / "follow_the_sun.yaml").read_text()
START = date(2026, 11, 24)

SMALL = """
name: small
time_zone: Europe/Berlin
fallback: cora
people:
  ann:  {name: Ann, contacts: {slack: U1, email: ann@example.com}}
  bob:  {name: Bob, contacts: {slack: U2, email: bob@example.com}}
  cora: {name: Cora, contacts: {slack: U3, phone: "+1 202 555 0100"}}
shifts:
  night: {from: "20:00", to: "08:00"}
  day:   {from: "08:00", to: "20:00"}
rotations:
  - {level: L2, starts_on: 2026-01-05, primary: [ann, bob], secondary: [bob, ann]}
overrides:
  - {level: L2, person: cora, from: 2026-12-24T00:00:00+01:00, to: 2026-12-26T00:00:00+01:00, author: Ann, reason: holiday}
"""


def plan(text: str = SMALL) -> OnCallPlan:
    return load_on_call(text, "small.yaml", START)


def primary(loaded: OnCallPlan, level: str, instant: datetime) -> str | None:
    found = who(loaded, level, instant).primary
    return found.key if found else None


@pytest.mark.parametrize("zone", ["Europe/Istanbul", "Europe/Berlin", "UTC", "America/New_York"])
def test_four_hundred_days_have_exactly_one_shift_at_every_instant(zone: str) -> None:
    loaded = load_on_call(
        SHIPPED.replace("time_zone: Europe/Istanbul", f"time_zone: {zone}"), "sun.yaml", START
    )
    local = ZoneInfo(zone)
    expected = {0: "asia", 1: "istanbul", 2: "berlin"}
    instant = datetime(2026, 11, 24, tzinfo=UTC)
    step = timedelta(
        minutes=89
    )  # coprime with the shifts, so that every minute of the day comes up
    while instant < datetime(2027, 12, 29, tzinfo=UTC):
        found = who(loaded, "L3", instant)
        assert found.shift == expected[instant.astimezone(local).hour // 8], instant
        assert found.primary is not None
        assert found.secondary is not None
        assert found.primary != found.secondary
        instant += step


def test_shift_lengths_on_the_days_the_clocks_change() -> None:
    loaded = load_on_call(
        SHIPPED.replace("time_zone: Europe/Istanbul", "time_zone: Europe/Berlin"), "s", START
    )
    lengths = []
    for day in (date(2027, 3, 28), date(2027, 10, 31)):
        begin = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Berlin"))
        rota = hand_overs(
            loaded, "L2", begin.astimezone(UTC), begin.astimezone(UTC) + timedelta(hours=10)
        )
        lengths.append(rota[1].instant - rota[0].instant)
    assert lengths == [timedelta(hours=7), timedelta(hours=9)]


def test_the_week_turns_at_the_shift_and_a_night_belongs_to_the_day_it_begins() -> None:
    loaded = plan()
    # Monday 2026-11-23 is day 322 after 2026-01-05: week 46, an even one, so Ann is primary.
    assert primary(loaded, "L2", datetime(2026, 11, 29, 23, tzinfo=UTC)) == "ann"
    assert primary(loaded, "L2", datetime(2026, 11, 30, 6, 59, 59, tzinfo=UTC)) == "ann"
    assert primary(loaded, "L2", datetime(2026, 11, 30, 7, 0, tzinfo=UTC)) == "bob"


def test_an_override_begins_and_ends_and_says_who_made_it() -> None:
    loaded = plan()
    begin = datetime(2026, 12, 23, 23, tzinfo=UTC)
    assert primary(loaded, "L2", begin - timedelta(seconds=1)) != "cora"
    during = who(loaded, "L2", begin)
    assert during.primary is not None
    assert during.primary.contacts == {"slack": "U3", "phone": "+1 202 555 0100"}
    assert "overridden by Ann until 2026-12-26T00:00+01:00 (holiday)" in during.why
    assert primary(loaded, "L2", begin + timedelta(days=2)) != "cora"


def test_an_empty_primary_is_taken_by_the_secondary_and_an_unknown_level_is_empty() -> None:
    nobody = SMALL.replace("person: cora", "person: nobody")
    found = who(plan(nobody), "L2", datetime(2026, 12, 24, 12, tzinfo=UTC))
    scheduled = who(plan(nobody), "L2", datetime(2026, 12, 23, 12, tzinfo=UTC))
    assert found.primary == scheduled.secondary
    assert found.secondary is None
    both = nobody + nobody.split("overrides:\n")[1].replace("person", "role: secondary, person")
    assert who(plan(both), "L2", datetime(2026, 12, 24, 12, tzinfo=UTC)).is_empty
    other = who(plan(), "L9", datetime(2026, 12, 24, 12, tzinfo=UTC))
    assert other.is_empty
    assert "has no rotation for level L9" in other.why


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        who(plan(), "L2", datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("change", "line", "expected"),
    [
        (
            ('to: "20:00"', 'to: "19:00"'),
            13,
            "nobody from 2026-11-24T19:00+01:00 to 2026-11-24T20:00+01:00",
        ),
        (
            ('from: "08:00"', 'from: "07:30"'),
            13,
            "overlap from 2026-11-24T07:30+01:00 to 2026-11-24T08:00+01:00",
        ),
        (
            ('to: "20:00"}', 'to: "20:00", days: [mon, tue, wed, thu, fri]}'),
            13,
            "nobody from 2026-11-28T08:00+01:00",
        ),
        (
            ("time_zone: Europe/Berlin", "time_zone: Berlin"),
            3,
            "found 'Berlin', expected an IANA time zone",
        ),
        (('from: "20:00"', "from: 20:00"), 10, "found 1200, expected a local time in quotes"),
        (("fallback: cora", "fallback: dora"), 4, "found 'dora', expected one of ann, bob, cora"),
        (("primary: [ann, bob]", "primary: [ann, zed]"), 13, "found 'zed'"),
        (("secondary: [bob, ann]", "secondary: [ann, bob]"), 13, "primary and secondary in week 0"),
        (("slack: U2, ", ""), 7, "expected two channels at least"),
        (
            ("2026-12-26T00:00:00+01:00", "2026-12-20T00:00:00+01:00"),
            15,
            "ends at or before it begins",
        ),
        (("2026-12-26T00:00:00+01:00", "2026-12-26"), 15, "expected an instant with its zone"),
        ((", author: Ann", ""), 15, "'author' is missing"),
        (("shifts:\n", "shift:\n"), 9, "unknown key"),
    ],
)
def test_a_wrong_file_says_file_line_found_and_expected(
    change: tuple[str, str], line: int, expected: str
) -> None:
    assert change[0] in SMALL
    with pytest.raises(DocumentError) as caught:
        plan(SMALL.replace(change[0], change[1], 1))
    assert f"small.yaml:{line}:" in str(caught.value)
    assert expected in str(caught.value)


def test_two_overrides_of_one_place_are_refused_with_the_instants() -> None:
    second = "  - {level: L2, person: bob, from: 2026-12-25T00:00:00+01:00, to: 2026-12-27T00:00:00+01:00, author: Bob}\n"
    with pytest.raises(
        DocumentError, match=r"from 2026-12-25T00:00\+01:00 to 2026-12-26T00:00\+01:00"
    ):
        plan(SMALL + second)


def test_cover_can_be_checked_again_later() -> None:
    loaded = load_on_call(SMALL.replace('to: "20:00"', 'to: "19:00"'), "small.yaml")
    with pytest.raises(DocumentError, match=r"nobody from 2030-01-01T19:00\+01:00"):
        check_cover(loaded, date(2030, 1, 1))


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 5_000),
    length=st.integers(1, 5_000),
    probe=st.integers(-10, 10_100),
)
def test_an_override_changes_its_own_time_and_nothing_else(
    start: int, length: int, probe: int
) -> None:
    base = load_on_call(SMALL.split("overrides:")[0], "small.yaml")
    origin = datetime(2026, 10, 20, tzinfo=UTC)
    begin, end = origin + timedelta(minutes=start), origin + timedelta(minutes=start + length)
    changed = load_on_call(
        SMALL.split("overrides:")[0]
        + f"overrides: [{{level: L2, person: cora, from: '{begin.isoformat()}', to: '{end.isoformat()}', author: A}}]",
        "small.yaml",
    )
    instant = origin + timedelta(minutes=probe)
    before, after = who(base, "L2", instant), who(changed, "L2", instant)
    if begin <= instant < end:
        assert after.primary is not None
        assert after.primary.key == "cora"
        assert after.secondary == before.secondary
    else:
        assert (after.primary, after.secondary) == (before.primary, before.secondary)
