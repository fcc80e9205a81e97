"""The columns that tables are made of, by what they hold.

Belongs here: one short maker per kind of column. Does not belong here: which columns a sheet has.
"""

from collections.abc import Callable
from typing import Any

from reports.figure import judge
from reports.sheet_writer import Column, Record
from reports.styles import TONES, Kind

Read = str | Callable[[Record], Any]
"""The name of a column of the record, or how to work the value out."""


def _reader(read: Read) -> Callable[[Record], Any]:
    return (lambda record: record[read]) if isinstance(read, str) else read


def foreign(title: str, read: Read, kind: Kind = "text") -> Column:
    """Text from outside."""
    value = _reader(read)
    return Column(
        title,
        kind,
        lambda cells, record, tone: cells.foreign(value(record), tone, kind=kind),
    )


def own(title: str, read: Read, kind: Kind = "text") -> Column:
    """Text of ours."""
    value = _reader(read)
    return Column(
        title,
        kind,
        lambda cells, record, tone: cells.own(str(value(record) or ""), kind, tone),
    )


def ticket(title: str = "Ticket") -> Column:
    """The ticket's number, linked to the ticket in its helpdesk."""
    return Column(
        title,
        "text",
        lambda cells, record, tone: cells.foreign(record["number"], tone, url=record["url"]),
    )


def customer(title: str = "Customer") -> Column:
    """The organisation, or the person where there is none."""
    return foreign(title, lambda r: r["organisation_name"] or r.get("requester_name"))


def count(title: str, read: Read) -> Column:
    """A whole number."""
    value = _reader(read)
    return Column(
        title, "count", lambda cells, record, tone: cells.number(value(record), tone=tone)
    )


def share(
    title: str, numerator: Read, n: Read, goal: float | None = None, small_n: int = 10
) -> Column:
    """Numerator / n; with a goal in its colour, grey where n is too small to say."""
    top, bottom = _reader(numerator), _reader(n)

    def cell(cells: Any, record: Record, tone: Any) -> Any:
        total = bottom(record)
        if not total:
            return cells.empty("share", tone)
        value = top(record) / total
        if total < small_n:
            return cells.number(value, "share", "muted")
        if goal is None:
            return cells.number(value, "share", tone)
        return cells.number(value, "share", TONES[judge(value, goal, True, "share")])

    return Column(title, "share", cell)


def duration(title: str, read: Read) -> Column:
    """Seconds as `[h]:mm`."""
    value = _reader(read)
    return Column(
        title, "duration", lambda cells, record, tone: cells.duration(value(record), tone)
    )


def delay(title: str, read: Read) -> Column:
    """Seconds as `[h]:mm:ss`, where seconds matter."""
    value = _reader(read)
    return Column(
        title, "delay", lambda cells, record, tone: cells.duration(value(record), tone, "delay")
    )


def instant(title: str, read: Read) -> Column:
    """An instant in the report's zone."""
    value = _reader(read)
    return Column(title, "instant", lambda cells, record, tone: cells.instant(value(record), tone))


def day(title: str, read: Read) -> Column:
    """A date."""
    value = _reader(read)
    return Column(title, "day", lambda cells, record, tone: cells.day(value(record), tone))
