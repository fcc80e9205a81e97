"""From warehouse rows to what the SLA engine and the escalation ladder are told about a ticket.

Belongs here: the shape only. Does not belong here: reading rows (`connectors.warehouse.history`), rules.
"""

from typing import Any

from connectors.warehouse.history import Histories
from sla_rules.history import Event, TicketFacts, opening_value
from transforms.model import END_STATUSES

Row = dict[str, Any]


def facts_of(row: Row, events: list[Event]) -> TicketFacts:
    """A ticket as it was created: its first status and priority come from its history."""
    changes = [event for event in events if event.field in ("status", "priority")]
    return TicketFacts(
        ticket_key=row["ticket_key"],
        created_at=row["created_at"],
        source_key=row["source_key"],
        channel=row["channel"],
        organisation_key=row["organisation_key"],
        requester_key=row["requester_key"],
        tags=tuple(row["tags"] or ()),
        category=row["category"],
        priority=_opening("priority", row, changes),
        status=_opening("status", row, changes) or "new",
    )


def _opening(field: str, row: Row, changes: list[Event]) -> str | None:
    """The value at creation. A change without an old value at that very instant is the first value itself."""
    first = next((change for change in changes if change.field == field), None)
    if first is not None and first.old_value is None and first.occurred_at <= row["created_at"]:
        return first.new_value
    return opening_value(field, changes, row[field])


def events_of(row: Row, comments: list[Row], changes: list[Row]) -> list[Event]:
    """A ticket's events in order; an automatic message counts as a bot's, whoever's name it carries."""
    events = [
        Event(
            ticket_key=row["ticket_key"],
            occurred_at=change["occurred_at"],
            field=change["field"],
            old_value=change["old_value"],
            new_value=change["new_value"],
            actor_kind=change["actor_kind"],
            position=change["position"],
            recorded_at=change["recorded_at"],
        )
        for change in changes
    ]
    events.extend(
        Event(
            ticket_key=row["ticket_key"],
            occurred_at=comment["created_at"],
            field="comment",
            actor_kind="bot" if comment["is_automatic"] else comment["author_kind"],
            is_public=comment["is_public"],
            position=comment["position"],
        )
        for comment in comments
    )
    if row["status"] in END_STATUSES and not any(e.new_value == row["status"] for e in events):
        events.append(
            Event(row["ticket_key"], row["updated_at"], "status", new_value=row["status"])
        )
    events.sort(key=lambda event: (event.occurred_at, event.position))
    return events


def told(histories: Histories) -> tuple[list[TicketFacts], dict[str, list[Event]]]:
    """Facts and events of every ticket that was read."""
    events: dict[str, list[Event]] = {}
    facts = []
    for row in histories.tickets:
        key = row["ticket_key"]
        events[key] = events_of(
            row, histories.comments.get(key, []), histories.changes.get(key, [])
        )
        facts.append(facts_of(row, events[key]))
    return facts, events
