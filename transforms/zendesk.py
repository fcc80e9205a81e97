"""Zendesk's raw records in the unified model.

Belongs here: how a ticket row, its events and its ratings become one ticket with comments and changes. Does
not belong here: people (`zendesk_people`), single events (`zendesk_history`), words (`zendesk_words`), I/O.

Decisions:
- A ticket row whose events were not exported yet is kept, without comments and with a warning; its
  description is never turned into a comment, since the event brings that very comment a minute later.
- Events of a ticket whose row was not pulled yet give nothing but a warning; they are read again with the row.
- A deleted ticket without an event that says so gets an observed status change at the row's `updated_at`.
- What Deskbridge wrote comes back as `bridge`: known by `deskbridge` in the audit's custom metadata, which the
  write side sets, or by its own user id over the API (`bridge_user_ids`).
- A comment of the requester is a customer's, also where that person is an agent in the account.
- A ticket with a custom status shows that status's label as its source status; what it means is what the
  configuration says of the label, else of its category.
- A ticket that was deleted for good (`SCRUBBED`) keeps its history, without texts and files.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from transforms.model import (
    Batch,
    RawRecord,
    SourceChange,
    SourceComment,
    SourceSlaEvent,
    SourceTicket,
)
from transforms.payload import (
    UnreadableError,
    id_of,
    instant_of,
    object_of,
    required_id,
    required_instant,
    text_of,
    texts_of,
)
from transforms.zendesk_conversations import read_messages, read_side_conversations
from transforms.zendesk_history import (
    Event,
    changes_of,
    comments_of,
    kind_of,
    merge_of,
    read_events,
)
from transforms.zendesk_mails import references_of
from transforms.zendesk_names import fields_of, read_names
from transforms.zendesk_people import read_groups, read_organizations, read_users
from transforms.zendesk_ratings import rating_of_row, read_ratings, read_surveys
from transforms.zendesk_sla import read_metric_events, verdict_of
from transforms.zendesk_suspended import read_suspended
from transforms.zendesk_words import (
    PRIORITY_WORDS,
    STATUS_WORDS,
    Reading,
    channel_of,
    is_messaging,
    relation_of,
)

VERSION = "zendesk-2"

MERGED_TAG = "closed_by_merge"
"""The tag that Zendesk puts on a ticket it closed by merging it into another."""

SCRUBBED = "SCRUBBED"
"""What Zendesk writes over the texts of a ticket that was deleted for good."""

TICKET_STREAMS = (
    "tickets",
    "ticket_events",
    "satisfaction_ratings",
    "survey_responses",
    "side_conversations",
    "conversation_log",
    "ticket_metric_events",
    "suspended_tickets",
)
REFERENCE_STREAMS = (
    "users",
    "organizations",
    "groups",
    "group_memberships",
    "custom_statuses",
    "ticket_fields",
    "ticket_forms",
    "brands",
)

_MERGED_INTO = re.compile(r"merged into (?:request|ticket) #(\d+)", re.IGNORECASE)


def normalise(
    records: Mapping[str, Iterable[RawRecord]],
    *,
    status_map: Mapping[str, str] | None = None,
    priority_map: Mapping[str, str] | None = None,
    base_url: str = "",
    bridge_user_ids: Collection[str] = (),
    time_zones: Mapping[str, str] | None = None,
) -> Batch:
    """The unified records of some tickets.

    Args:
        records: stream → latest raw records: those of `TICKET_STREAMS` that belong to the tickets, and those of
            `REFERENCE_STREAMS` (at least the ones referenced); a stream that was not pulled may be missing.
        status_map: source status or custom status's label → canonical status; adds to and overrides
            the built-in words.
        priority_map: the same for priorities.
        base_url: the account's address, for links to the agent's view; may be empty.
        bridge_user_ids: user ids of Deskbridge's own login.
        time_zones: the vendor's names of zones → IANA's, for users whose record tells no IANA zone.

    Returns:
        A batch; records that could not be understood are in its `rejected`, the rest of their ticket stays.
    """
    own_words = _folded(status_map)
    reading = Reading(
        statuses={**STATUS_WORDS, **own_words},
        priorities={**PRIORITY_WORDS, **_folded(priority_map)},
        base_url=base_url.rstrip("/"),
        bridge_user_ids=frozenset(map(str, bridge_user_ids)),
        own_words=own_words,
        time_zones=time_zones or {},
    )
    read_names(reading, records)
    read_users(reading, records.get("users", ()))
    read_organizations(reading, records.get("organizations", ()))
    read_groups(reading, records.get("groups", ()), records.get("group_memberships", ()))
    events = read_events(reading, records.get("ticket_events", ()))
    surveyed = read_surveys(reading, records.get("survey_responses", ()))
    beside = _Beside(
        merged_into=_merge_targets(events),
        rated=surveyed | read_ratings(reading, records.get("satisfaction_ratings", ()), surveyed),
        sides=read_side_conversations(reading, records.get("side_conversations", ())),
        messages=read_messages(reading, records.get("conversation_log", ())),
        sla_events=read_metric_events(reading, records.get("ticket_metric_events", ())),
    )
    read_suspended(reading, records.get("suspended_tickets", ()))
    known: set[str] = set()
    for record in records.get("tickets", ()):
        try:
            body = object_of(record)
            ticket_id = required_id(body, "id")
            _read_ticket(reading, body, events.get(ticket_id, []), beside)
            known.add(ticket_id)
        except UnreadableError as error:
            reading.reject(record, error)
    for ticket_id in events.keys() - known:
        reading.warn(
            ticket_id, "history before ticket", "events came, the ticket's row did not yet"
        )
    return reading.batch


def _folded(words: Mapping[str, str] | None) -> dict[str, str]:
    """Configured words as they are looked up: people write labels as their helpdesk shows them."""
    return {word.strip().lower(): meaning for word, meaning in (words or {}).items()}


@dataclass(frozen=True, slots=True)
class _Beside:
    """What else was read of the tickets, by ticket id."""

    merged_into: Mapping[str, str]
    rated: set[str]
    sides: Mapping[str, Sequence[SourceComment]]
    messages: Mapping[str, Sequence[SourceComment]]
    sla_events: Mapping[str, Sequence[SourceSlaEvent]]


def _times(body: Mapping[str, Any], events: Sequence[Event]) -> tuple[datetime, datetime]:
    """Created and updated. A tombstone that was made of an id alone has neither: its history tells them."""
    if body.get("status") == "deleted" and body.get("created_at") is None and events:
        ended = instant_of(body, "deleted_at") or events[-1].occurred_at
        return events[0].occurred_at, ended
    return required_instant(body, "created_at"), required_instant(body, "updated_at")


def _read_ticket(
    reading: Reading, body: dict[str, Any], events: list[Event], beside: _Beside
) -> None:
    ticket_id = required_id(body, "id")
    created_at, updated_at = _times(body, events)
    status, source_status = _status(reading, body, ticket_id)
    tags = texts_of(body, "tags")
    is_merged = text_of(body, "status") == "closed" and MERGED_TAG in tags
    merge = merge_of(events, is_merged)
    if is_merged:
        status = "merged"
    target = beside.merged_into.get(ticket_id) or _told_target(ticket_id, merge)
    ticket = SourceTicket(
        remote_id=ticket_id,
        number=ticket_id,
        subject=text_of(body, "subject") or text_of(body, "raw_subject") or "",
        status=status,
        source_status=source_status,
        priority=reading.priority(body.get("priority"), ticket_id),
        source_priority=text_of(body, "priority"),
        created_at=created_at,
        updated_at=updated_at,
        channel=channel_of(body.get("via")),
        type=text_of(body, "type"),
        requester_remote_id=id_of(body, "requester_id"),
        organisation_remote_id=id_of(body, "organization_id"),
        assignee_remote_id=id_of(body, "assignee_id"),
        team_remote_id=id_of(body, "group_id"),
        merged_into_remote_id=target if status == "merged" else None,
        external_id=id_of(body, "external_id"),
        references=references_of(
            body, (part for event in events for part in (event.body, *event.children))
        ),
        url=f"{reading.base_url}/agent/tickets/{ticket_id}" if reading.base_url else None,
        tags=tags,
        fields=fields_of(reading.names, body),
        source_verdict=_verdict(body, beside.sla_events.get(ticket_id, ())),
    )
    comments = comments_of(reading, body, events)
    changes = changes_of(reading, events, created_at, merge)
    _end_deleted(ticket, changes)
    reading.batch.tickets.append(ticket)
    reading.batch.comments.extend(_conversation(body, comments, events, beside, ticket_id))
    reading.batch.changes.extend(changes)
    rating_of_row(reading, body, ticket, changes, beside.rated)
    _compare(reading, body, ticket, changes, len(comments), bool(events))


def _status(reading: Reading, body: Mapping[str, Any], ticket_id: str) -> tuple[str, str]:
    """(canonical, the source's own word): by the custom status where the ticket has one of its category."""
    word = text_of(body, "status") or ""
    own = reading.names.status(body.get("custom_status_id"), word)
    if own is None:
        return reading.status(word, ticket_id), word
    return own.canonical, word if own.is_default else own.label


def _conversation(
    body: Mapping[str, Any],
    comments: list[SourceComment],
    events: Iterable[Event],
    beside: _Beside,
    ticket_id: str,
) -> list[SourceComment]:
    """Comments, messages and side conversations together; without texts where the ticket was deleted for good."""
    messages = beside.messages.get(ticket_id, ())
    if messages:
        spoken = {event.remote_id for event in events if _is_spoken(event)}
        comments = [
            replace(one, is_automatic=True) if one.raw_remote_id in spoken else one
            for one in comments
        ]
    everything = [*comments, *messages, *beside.sides.get(ticket_id, ())]
    if text_of(body, "status") != "deleted" or text_of(body, "subject") != SCRUBBED:
        return everything
    return [
        replace(one, text=SCRUBBED, html=None, subject=None, participants=(), attachments=())
        for one in everything
    ]


def _is_spoken(event: Event) -> bool:
    """Whether an event came over a messaging channel: its comment is the transcript of messages."""
    return any(
        is_messaging(channel_of(child.get("via") or event.body.get("via")))
        for child in event.children
        if _is_comment(child)
    )


def _verdict(body: Mapping[str, Any], events: Sequence[SourceSlaEvent]) -> dict[str, Any]:
    """What the source itself says of its promises: its figures where the row carries them, its SLA in short."""
    told = {name: body[name] for name in ("metric_set", "slas") if isinstance(body.get(name), dict)}
    sla = verdict_of(events)
    return {**told, "sla": sla} if sla else told


def _end_deleted(ticket: SourceTicket, changes: list[SourceChange]) -> None:
    """A history that does not end in `deleted` would leave clocks running."""
    last = _last_values(changes).get("status")
    if ticket.status != "deleted" or last == "deleted":
        return
    changes.append(
        SourceChange(
            remote_id=f"{ticket.remote_id}:deleted",
            ticket_remote_id=ticket.remote_id,
            field="status",
            old_value=last,
            new_value="deleted",
            occurred_at=ticket.updated_at,
            position=sum(change.occurred_at == ticket.updated_at for change in changes),
            is_observed=True,
            raw_stream="tickets",
            raw_remote_id=ticket.remote_id,
        )
    )


def _compare(
    reading: Reading,
    body: Mapping[str, Any],
    ticket: SourceTicket,
    changes: list[SourceChange],
    comment_count: int,
    has_events: bool,
) -> None:
    """Warns where the row and its history disagree."""
    if not has_events:
        if ticket.status != "deleted":
            reading.warn(
                ticket.remote_id, "no history yet", "the export lags; comes with a later pull"
            )
        return
    told = body.get("comment_count")
    # Whether the count leaves out notes is documented nowhere: more here is no fault.
    if isinstance(told, int) and told > comment_count:
        reading.warn(
            ticket.remote_id,
            "comments missing",
            f"the row counts {told}, events gave {comment_count}",
        )
    last = _last_values(changes)
    for field, value in (
        ("status", ticket.status),
        ("priority", ticket.priority),
        ("assignee", ticket.assignee_remote_id),
        ("team", ticket.team_remote_id),
    ):
        if field in last and last[field] != value:
            reading.warn(
                ticket.remote_id,
                f"{field} differs from history",
                f"the row of {ticket.updated_at.isoformat()} says {value}, the last event {last[field]}",
            )


def _last_values(changes: Iterable[SourceChange]) -> dict[str, str | None]:
    return {change.field: change.new_value for change in changes}


def _merge_targets(events: Mapping[str, list[Event]]) -> dict[str, str]:
    """Merged ticket → the ticket whose merge comment names it."""
    targets: dict[str, str] = {}
    for ticket_id, history in events.items():
        for event in history:
            for via in (event.body.get("via"), *(child.get("via") for child in event.children)):
                for source_id in _merged_from(via):
                    if source_id != ticket_id:
                        targets[source_id] = ticket_id
    return targets


def _merged_from(via: Any) -> Iterable[str]:
    if relation_of(via) != "merge" or not isinstance(via, dict):
        return
    origin = via["source"].get("from")
    if not isinstance(origin, dict):
        return
    many = origin.get("ticket_ids") or origin.get("ids")
    for value in [origin.get("ticket_id"), *(many if isinstance(many, list) else ())]:
        if value is not None:
            yield str(value)


def _told_target(ticket_id: str, merge: Event | None) -> str | None:
    """Where a merged ticket went, as its own closing event tells (never a customer's text)."""
    if merge is None:
        return None
    reference = id_of(merge.body, "via_reference_id")
    if reference is not None and reference != ticket_id:
        return reference
    for child in merge.children:
        found = _MERGED_INTO.search(str(child.get("body") or "")) if _is_comment(child) else None
        if found and found.group(1) != ticket_id:
            return found.group(1)
    return None


def _is_comment(child: Mapping[str, Any]) -> bool:
    return kind_of(child) == "Comment"
