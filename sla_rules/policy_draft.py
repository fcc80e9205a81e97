"""A policy file in the making: what was taken over from elsewhere, written as YAML that a person goes on editing.

Belongs here: the draft's shape and its text, comments included. Does not belong here: any vendor's rules
(`import_zendesk.py`, `import_freshdesk.py`), writing files.

Names and titles are somebody else's text: they are quoted, and cut to one line where they stand in a comment.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sla_rules.calendar_mapping import WEEKDAYS
from sla_rules.durations import shown_duration
from sla_rules.metrics import METRICS
from sla_rules.policy import ALWAYS
from sla_rules.policy_reading import NO_TARGET
from transforms.model import PRIORITIES

DAY_MINUTES = 24 * 60
COMMENT_WIDTH = 96
LONGEST_NOTE = 4_000
"""Characters of a note; a condition may name many ids."""

Spans = tuple[tuple[int, int], ...]
"""Half-open intervals of one weekday, in minutes since its midnight."""

_NOT_PRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person has to know before the file is used: where, and what could not be carried over."""

    place: str
    detail: str


@dataclass(frozen=True, slots=True)
class DraftCalendar:
    """Weekly hours in a zone; `hours` has seven entries, Monday first. `zone` None is absolute time."""

    name: str
    zone: str | None
    hours: tuple[Spans, ...] = ()
    holidays: tuple[tuple[date, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftCell:
    """A target in seconds of the named calendar."""

    seconds: int
    calendar: str


@dataclass(frozen=True, slots=True)
class DraftPolicy:
    """One policy: its conditions (all must hold, each by any of its words) and promises by priority and metric."""

    name: str
    business_hours: str
    cells: Mapping[str, Mapping[str, DraftCell]]
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """A whole file. `left_out` are paragraphs on what has no place in it; they become comments at its end."""

    heading: list[str] = field(default_factory=list)
    calendars: list[DraftCalendar] = field(default_factory=list)
    policies: list[DraftPolicy] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def find(self, place: str, detail: str) -> None:
        """Notes something once."""
        finding = Finding(one_line(place), one_line(detail, LONGEST_NOTE))
        if finding not in self.findings:
            self.findings.append(finding)


def one_line(text: str, longest: int = 300) -> str:
    """Text without line ends and control characters, white space collapsed, cut to `longest` characters."""
    plain = " ".join(_NOT_PRINTED.sub(" ", text).split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def unused_name(wanted: str, taken: Iterable[str], otherwise: str) -> str:
    """A name that is not taken yet: the one wanted, else with ` (otherwise)` behind it, else numbered.

    `otherwise` also stands in for an empty name.
    """
    name, taken = one_line(wanted) or otherwise, set(taken)
    if name in taken:
        name = f"{name} ({otherwise})"
    base, number = name, 2
    while name in taken:
        name, number = f"{base} {number}", number + 1
    return name


def week_of(spans: Iterable[tuple[int, int]]) -> tuple[Spans, ...]:
    """Seven days, Monday first, from intervals in minutes since Monday's midnight.

    Intervals are cut at midnight, go round at the end of the week, and are one where they overlap or touch.
    """
    days: list[list[tuple[int, int]]] = [[] for _ in WEEKDAYS]
    for start, end in spans:
        while start < end:
            midnight = (start // DAY_MINUTES + 1) * DAY_MINUTES
            until = min(end, midnight)
            day = start // DAY_MINUTES
            days[day % 7].append((start - day * DAY_MINUTES, until - day * DAY_MINUTES))
            start = until
    return tuple(_united(day) for day in days)


def is_always_open(hours: Sequence[Spans]) -> bool:
    """Whether a week has no closed minute."""
    return all(day == ((0, DAY_MINUTES),) for day in hours)


def draft_text(draft: Draft) -> str:
    """The draft as the text of a policy file, with its notes as comments."""
    lines = [*_comment(draft.heading), ""]
    if draft.calendars:
        lines.append("calendars:")
        for calendar in draft.calendars:
            lines += [f"  {line}" for line in _calendar(calendar)]
        lines.append("")
    lines.append("policies:")
    for policy in draft.policies:
        lines += [*(f"  {line}" for line in _policy(policy)), ""]
    if draft.left_out:
        lines += [*_comment(["Not carried over:", *draft.left_out]), ""]
    if draft.findings:
        told = (f"- {one.place}: {one.detail}" for one in draft.findings)
        lines += _comment(["Said when it was taken over:", *told])
    return "\n".join(lines).rstrip("\n") + "\n"


def _calendar(calendar: DraftCalendar) -> Iterator[str]:
    yield from _comment(calendar.notes)
    yield f"{_quoted(calendar.name)}:"
    if calendar.zone is None:
        yield f"  hours: {ALWAYS}"
        return
    yield f"  time_zone: {_quoted(calendar.zone)}"
    days = list(_grouped(calendar.hours))
    yield "  hours:" if days else "  hours: {}"
    for days_text, spans in days:
        shown = ", ".join(f'["{_clock(start)}", "{_clock(end)}"]' for start, end in spans)
        yield f"    {days_text}: [{shown}]"
    if calendar.holidays:
        yield "  holidays:"
        for day, label in sorted(calendar.holidays):
            remark = one_line(label)
            yield f"    - {day.isoformat()}" + (f"  # {remark}" if remark else "")


def _policy(policy: DraftPolicy) -> Iterator[str]:
    yield from _comment(policy.notes)
    yield f"- name: {_quoted(policy.name)}"
    yield f"  business_hours: {_quoted(policy.business_hours)}"
    if policy.match:
        yield "  match:"
        for key, words in policy.match.items():
            yield f"    {key}: [{', '.join(_quoted(word) for word in words)}]"
    yield "  matrix:"
    named = [metric for metric in METRICS if any(metric in row for row in policy.cells.values())]
    for priority in PRIORITIES:
        row = policy.cells.get(priority, {})
        yield f"    {priority}: {{{', '.join(_cells(row, named, policy.business_hours))}}}"
    if policy.rules:
        yield "  rules:"
        for rule, word in policy.rules.items():
            yield f"    {rule}: {word}"


def _cells(row: Mapping[str, DraftCell], named: Sequence[str], usual: str) -> Iterator[str]:
    """A row's entries; the calendar is named once where all of its promises share it."""
    calendars = {cell.calendar for cell in row.values()}
    shared = calendars.pop() if len(calendars) == 1 else None
    for metric in named:
        cell = row.get(metric)
        if cell is None:
            yield f"{metric}: {NO_TARGET}"
        elif shared is not None or cell.calendar == usual:
            yield f"{metric}: {shown_duration(cell.seconds)}"
        else:
            target = f"target: {shown_duration(cell.seconds)}, calendar: {_quoted(cell.calendar)}"
            yield f"{metric}: {{{target}}}"
    if shared is not None:
        yield f"calendar: {_quoted(shared)}"


def _grouped(hours: Sequence[Spans]) -> Iterator[tuple[str, Spans]]:
    """(`mon-fri`, intervals) of days in a row that are alike; closed days are left out."""
    first = 0
    while first < len(hours):
        last = first
        while last + 1 < len(hours) and hours[last + 1] == hours[first]:
            last += 1
        if hours[first]:
            name = WEEKDAYS[first] if first == last else f"{WEEKDAYS[first]}-{WEEKDAYS[last]}"
            yield name, hours[first]
        first = last + 1


def _united(spans: list[tuple[int, int]]) -> Spans:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _comment(paragraphs: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs:
        wrapped = textwrap.wrap(
            one_line(paragraph, LONGEST_NOTE),
            COMMENT_WIDTH,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [f"# {line}" for line in wrapped]
    return lines


def _quoted(text: str) -> str:
    """Text in double quotes; JSON's escapes mean the same in YAML. What YAML does not take becomes U+FFFD."""
    text = _NOT_PRINTED.sub("\ufffd", text)
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_/]*", text) or text == ALWAYS
    return text if plain and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that are no text in YAML, or in some readers' YAML."""
