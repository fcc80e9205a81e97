"""The on-call plan as a file: people, shifts in one zone, weekly rotations, overrides; and its checks.

Belongs here: the file's shape, where it is wrong, which stretches of time each rotation covers. Does not belong
here: who is on call at an instant (`on_call`).

Shifts are windows of local time in one named zone, `[from, to)`. Read each in its own site's zone instead,
"00-08 Asia, 08-16 Istanbul, 16-24 Berlin" leaves six to seven hours a day without anybody.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import combinations, pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from transforms.yaml_document import Document, DocumentError

COVER_DAYS = 400
"""How far ahead gaps and overlaps are looked for: a year and both changes of the clocks."""

NOBODY = "nobody"
"""Stands where a person's id would: this place is empty on purpose."""

Role = Literal["primary", "secondary"]
ROLES: tuple[Role, ...] = ("primary", "secondary")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60


def _minutes(value: Any) -> int:
    """Local time `HH:MM` (24:00 allowed) as minutes after midnight."""
    text = value if isinstance(value, str) else ""
    hours, _, minutes = text.partition(":")
    if len(hours) == 2 and len(minutes) == 2 and (hours + minutes).isdecimal():
        total = int(hours) * 60 + int(minutes)
        if int(minutes) < 60 and total <= _DAY_MINUTES:
            return total
    raise ValueError(
        f'found {value!r}, expected a local time in quotes, such as "08:00" or "24:00" '
        "(YAML reads a bare 16:00 as the number 960)"
    )


def _zone(value: Any) -> str:
    if isinstance(value, str) and value in available_timezones():
        return value
    raise ValueError(f"found {value!r}, expected an IANA time zone, such as Europe/Istanbul")


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"found {value!r}, expected a date, such as 2026-01-05") from None


def _instant(value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(str(value))
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"found {value!r}, expected an instant with its zone, such as 2026-12-24T08:00:00+03:00"
    )


Minutes = Annotated[int, BeforeValidator(_minutes)]
Zone = Annotated[str, BeforeValidator(_zone)]
LocalDate = Annotated[date, BeforeValidator(_date)]
Instant = Annotated[datetime, BeforeValidator(_instant)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Contacts(_Part):
    """How a person is reached: one field per channel, the channel's own id of the person."""

    pagerduty: str | None = None
    slack: str | None = None
    email: str | None = None
    phone: str | None = None

    @model_validator(mode="after")
    def _two_ways(self) -> "Contacts":
        if len(self.by_channel()) < 2:
            raise ValueError(
                "expected two channels at least (pagerduty, slack, email, phone): one of them fails one day"
            )
        return self

    def by_channel(self) -> dict[str, str]:
        """Channel → the person's id there, only those that are set."""
        return {name: value for name, value in self.model_dump().items() if value}


class Person(_Part):
    """Somebody who can be on call."""

    name: str
    contacts: Contacts


class Shift(_Part):
    """A window of local time; `to` before or at `from` means the next day."""

    start: Minutes = Field(alias="from")
    end: Minutes = Field(alias="to")
    days: tuple[Weekday, ...] = WEEKDAYS


class Rotation(_Part):
    """Who takes a level in some shifts, a week each in turn; week 0 begins on `starts_on`."""

    level: str
    starts_on: LocalDate
    primary: Annotated[tuple[str, ...], Field(min_length=1)]
    secondary: tuple[str, ...] = ()
    shifts: tuple[str, ...] = ()
    """Names of shifts; none means all of them."""


class Override(_Part):
    """Somebody else for a while. It has an end and an author, always."""

    level: str
    role: Role = "primary"
    person: str
    start: Instant = Field(alias="from")
    end: Instant = Field(alias="to")
    author: str
    reason: str = ""


class OnCallPlan(_Part):
    """A validated plan; made by `load_on_call`."""

    name: str
    time_zone: Zone
    people: dict[str, Person]
    fallback: str | None = None
    shifts: Annotated[dict[str, Shift], Field(min_length=1)]
    rotations: Annotated[tuple[Rotation, ...], Field(min_length=1)]
    overrides: tuple[Override, ...] = ()

    def levels(self) -> tuple[str, ...]:
        """Levels that have a rotation, in the file's order."""
        return tuple(dict.fromkeys(rotation.level for rotation in self.rotations))


@dataclass(frozen=True, slots=True)
class Cover:
    """A stretch of time that one shift of one rotation covers."""

    start: datetime
    end: datetime
    rotation: Rotation
    shift: str
    first_day: date


def load_on_call(text: str, name: str, from_date: date | None = None) -> OnCallPlan:
    """A plan from YAML.

    Args:
        text: the file's content.
        name: how errors name the file.
        from_date: local date from which the next 400 days are checked for gaps and overlaps; None leaves
            that to `check_cover`.

    Raises:
        DocumentError: every fault with file, line, what was found and what is expected; for a gap or an
            overlap the level and the instants.
    """
    document = Document(text, name)
    plan = document.validate(OnCallPlan)
    faults = [document.fault(path, message) for path, message in _reference_faults(plan)]
    if faults:
        raise DocumentError(faults)
    if from_date is not None:
        check_cover(plan, from_date, document=document)
    return plan


def check_cover(
    plan: OnCallPlan,
    from_date: date,
    days: int = COVER_DAYS,
    document: Document | None = None,
) -> None:
    """Refuses a plan in which some level has nobody, or two rotations at once, in the days ahead.

    Raises:
        DocumentError: the first gap or overlap of each level, with its instants.
    """
    faults = []
    for level in plan.levels():
        message = _cover_fault(plan, level, from_date, days)
        if message is None:
            continue
        number = next(n for n, rotation in enumerate(plan.rotations) if rotation.level == level)
        path = ("rotations", number)
        faults.append(document.fault(path, message) if document else f"{plan.name}: {message}")
    if faults:
        raise DocumentError(faults)


def in_turn(people: Sequence[str], week: int) -> str:
    """Whose turn it is in a week of the rotation; `nobody` where the list is empty."""
    return people[week % len(people)] if people else NOBODY


def shown(instant: datetime, plan: OnCallPlan) -> str:
    """An instant for people, in the plan's zone."""
    return instant.astimezone(ZoneInfo(plan.time_zone)).isoformat(timespec="minutes")


def covers(plan: OnCallPlan, level: str, first: date, days: int) -> Iterator[Cover]:
    """Every cover of a level that begins on the day before `first` or on one of `days` days from it."""
    zone = plan.time_zone
    for offset in range(-1, days):
        day = first + timedelta(days=offset)
        for rotation in plan.rotations:
            if rotation.level != level:
                continue
            for name in rotation.shifts or plan.shifts:
                shift = plan.shifts[name]
                if WEEKDAYS[day.weekday()] not in shift.days:
                    continue
                end = shift.end if shift.end > shift.start else shift.end + _DAY_MINUTES
                start_at, end_at = _at(zone, day, shift.start), _at(zone, day, end)
                if start_at < end_at:
                    yield Cover(start_at, end_at, rotation, name, day)


@cache
def _zone_info(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _at(zone: str, day: date, minutes: int) -> datetime:
    """The instant of a local time. One that happens twice is the first; one that never does moves on.

    Source: PEP 495, fold 0.
    """
    local = datetime.combine(day, time(), tzinfo=None) + timedelta(minutes=minutes)
    return local.replace(tzinfo=_zone_info(zone), fold=0).astimezone(UTC)


def _cover_fault(plan: OnCallPlan, level: str, from_date: date, days: int) -> str | None:
    start = _at(plan.time_zone, from_date, 0)
    end = _at(plan.time_zone, from_date + timedelta(days=days), 0)
    found = sorted(
        (c for c in covers(plan, level, from_date, days) if c.end > start and c.start < end),
        key=lambda c: (c.start, c.end),
    )
    reached = start
    for before, cover in pairwise([None, *found]):
        assert cover is not None, "only the first of the list is empty"
        if cover.start > reached:
            return _gap(plan, level, reached, cover.start)
        if cover.start < reached and before is not None:
            until = min(reached, cover.end)
            return (
                f"level {level}: shifts {before.shift} and {cover.shift} overlap from "
                f"{shown(cover.start, plan)} to {shown(until, plan)}; expected exactly one at a time"
            )
        reached = cover.end
    return _gap(plan, level, reached, end) if reached < end else None


def _gap(plan: OnCallPlan, level: str, start: datetime, end: datetime) -> str:
    return (
        f"level {level}: nobody from {shown(start, plan)} to {shown(end, plan)}; expected somebody at "
        "every instant"
    )


def _reference_faults(plan: OnCallPlan) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Names that lead nowhere, shifts without length, people twice in a place, overrides that clash."""
    known = f"expected one of {', '.join(plan.people)}"
    if plan.fallback is not None and plan.fallback not in plan.people:
        yield ("fallback",), f"found '{plan.fallback}', {known}"
    if NOBODY in plan.people:
        yield ("people", NOBODY), f"'{NOBODY}' is the word for an empty place, not a person's id"
    for name, shift in plan.shifts.items():
        if shift.start == shift.end or shift.start == _DAY_MINUTES:
            yield ("shifts", name), 'the shift has no length; a whole day is "00:00" to "24:00"'
        if len(set(shift.days)) != len(shift.days) or not shift.days:
            yield ("shifts", name, "days"), "expected each weekday once, one at least"
    for number, rotation in enumerate(plan.rotations):
        yield from _rotation_faults(plan, number, rotation, known)
    for number, override in enumerate(plan.overrides):
        path = ("overrides", number)
        if override.person not in plan.people and override.person != NOBODY:
            yield (*path, "person"), f"found '{override.person}', {known} or {NOBODY}"
        if override.level not in plan.levels():
            levels = ", ".join(plan.levels())
            yield (*path, "level"), f"found '{override.level}', expected one of {levels}"
        if override.end <= override.start:
            yield (*path, "to"), f"the override ends at or before it begins ({override.start})"
        if not override.author.strip():
            yield (*path, "author"), "expected who made the override"
    for (_, one), (number, other) in combinations(enumerate(plan.overrides), 2):
        start, end = max(one.start, other.start), min(one.end, other.end)
        if (one.level, one.role) == (other.level, other.role) and start < end:
            yield (
                ("overrides", number),
                f"a second override of the {one.role} of level {one.level} from "
                f"{shown(start, plan)} to {shown(end, plan)}; expected one at a time",
            )


def _rotation_faults(
    plan: OnCallPlan, number: int, rotation: Rotation, known: str
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    path = ("rotations", number)
    for name in rotation.shifts:
        if name not in plan.shifts:
            yield (*path, "shifts"), f"found '{name}', expected one of {', '.join(plan.shifts)}"
    for key in rotation.primary:
        if key not in plan.people:
            yield (*path, "primary"), f"found '{key}', {known}"
    for key in rotation.secondary:
        if key not in plan.people and key != NOBODY:
            yield (*path, "secondary"), f"found '{key}', {known} or {NOBODY}"
    weeks = len(rotation.primary) * max(1, len(rotation.secondary))
    for week in range(weeks):
        first = in_turn(rotation.primary, week)
        if rotation.secondary and first == in_turn(rotation.secondary, week):
            yield (
                (*path, "secondary"),
                f"'{first}' is primary and secondary in week {week} of the rotation; expected two people",
            )
            return
