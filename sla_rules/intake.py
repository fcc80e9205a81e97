"""Taking tickets and events from callers: our own records, plain mappings, or pandas tables.

Belongs here: that conversion, once, at the edge. Does not belong here: what the engine makes of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import date, datetime
from math import isnan
from typing import Any

from sla_rules.history import Event, TicketFacts

_TICKET_FIELDS = tuple(item.name for item in fields(TicketFacts))
_EVENT_FIELDS = tuple(item.name for item in fields(Event))


def tickets_from(tickets: Any) -> Iterator[TicketFacts]:
    """Tickets from an iterable of records or mappings, or from a table with the same column names.

    Columns and keys that are not known are passed over; empty cells (None, NaN, NaT) mean the default.

    Raises:
        ValueError: a ticket without its key or its creation time.
    """
    for item in _records(tickets):
        yield item if isinstance(item, TicketFacts) else _ticket(item)


def events_from(events: Any) -> Iterator[Event]:
    """Events from an iterable of records or mappings, or from a table with the same column names.

    Raises:
        ValueError: an event without its ticket, its time or its field.
    """
    for item in _records(events):
        yield item if isinstance(item, Event) else _event(item)


def ticket_from(ticket: Any) -> TicketFacts:
    """One ticket from a record or a mapping.

    Raises:
        ValueError: it lacks its key or its creation time.
    """
    return ticket if isinstance(ticket, TicketFacts) else _ticket(ticket)


def _records(source: Any) -> Iterable[Any]:
    """The items of an iterable, or the rows of a pandas table as mappings; pandas itself is not needed."""
    if hasattr(source, "itertuples") and hasattr(source, "columns"):
        names = [str(name) for name in source.columns]
        rows = source.itertuples(index=False, name=None)
        return (dict(zip(names, row, strict=True)) for row in rows)
    if isinstance(source, Mapping):
        return source.values()
    items: Iterable[Any] = source
    return items


def _ticket(item: Mapping[str, Any]) -> TicketFacts:
    given = _given(item, _TICKET_FIELDS)
    _require(given, ("ticket_key", "created_at"), "ticket")
    if "tags" in given:
        tags = given["tags"]
        given["tags"] = (tags,) if isinstance(tags, str) else tuple(str(tag) for tag in tags)
    _instants(given, ("created_at", "recorded_at"), "ticket")
    return TicketFacts(**given)


def _event(item: Mapping[str, Any]) -> Event:
    given = _given(item, _EVENT_FIELDS)
    _require(given, ("ticket_key", "occurred_at", "field"), "event")
    _instants(given, ("occurred_at", "recorded_at"), "event")
    if "position" in given:
        given["position"] = int(given["position"])
    if "is_public" in given:
        given["is_public"] = bool(given["is_public"])
    return Event(**given)


def _given(item: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: item[name] for name in names if name in item and not _is_missing(item[name])}


def _is_missing(value: Any) -> bool:
    """Whether a cell is empty: None, or one of the marks that tables use (NaN, NaT, NA)."""
    if value is None or type(value).__name__ in ("NaTType", "NAType"):
        return True
    return isinstance(value, float) and isnan(value)


def _require(given: Mapping[str, Any], names: tuple[str, ...], kind: str) -> None:
    for name in names:
        if name not in given:
            key = given.get("ticket_key", "unknown")
            raise ValueError(f"an SLA {kind} of ticket {key} has no {name}")


def _instants(given: dict[str, Any], names: tuple[str, ...], kind: str) -> None:
    for name in names:
        value = given.get(name)
        if value is None:
            continue
        if hasattr(value, "to_pydatetime"):
            # A pandas time may hold nanoseconds, which Python's has no place for.
            value = value.floor("us").to_pydatetime()
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if not isinstance(value, date) or not isinstance(value, datetime):
            raise ValueError(
                f"an SLA {kind} of ticket {given['ticket_key']}: {name} is no time: {value!r}"
            )
        if value.tzinfo is None:
            raise ValueError(
                f"an SLA {kind} of ticket {given['ticket_key']}: {name} has no zone: {value.isoformat()}"
            )
        given[name] = value
