"""From a batch of the unified model to the warehouse's rows: keys filled in, dates derived.

Belongs here: the last pure step before rows are written. Does not belong here: how keys are given, reading
or writing them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from transforms.model import (
    Batch,
    SourceChange,
    SourceComment,
    SourceRating,
    SourceSlaEvent,
    SourceTicket,
    key_of,
    utc,
)
from transforms.reply.view import reply_text
from transforms.ticket_names import names_of

Row = dict[str, Any]

LONGEST_TEXT = 1_000_000
"""Characters of a comment's text that are kept in the derived row; the raw record always has all of it."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Our keys by the source's ids. `person` holds contacts and agents alike."""

    ticket: Mapping[str, str]
    person: Mapping[str, str] = field(default_factory=dict)
    organisation: Mapping[str, str] = field(default_factory=dict)
    team: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose rows these are, which transform made them and when we learned of them (aware UTC).

    `revision` grows with every transaction that writes tickets: it marks that their history may have moved.
    """

    client_key: str
    source_key: str
    transform_version: str
    recorded_at: datetime
    revision: int = 0


@dataclass(slots=True)
class TicketRows:
    """Rows by table, all belonging to `ticket_keys`."""

    ticket_keys: list[str]
    ticket: list[Row]
    comment: list[Row]
    ticket_change: list[Row]
    attachment: list[Row]
    satisfaction_rating: list[Row]
    ticket_link: list[Row]
    source_sla_event: list[Row] = field(default_factory=list)
    ticket_name: list[Row] = field(default_factory=list)


def ticket_rows(batch: Batch, keys: Keys, origin: Origin) -> TicketRows:
    """The rows of a batch's tickets and of all that hangs on them.

    Comments, changes and ratings of tickets that are not in the batch are left out: the caller asked for
    whole tickets.
    """
    changes = _by_ticket(batch.changes)
    tickets = [ticket for ticket in batch.tickets if ticket.remote_id in keys.ticket]
    own = {ticket.remote_id for ticket in tickets}
    comments = [comment for comment in batch.comments if comment.ticket_remote_id in own]
    return TicketRows(
        ticket_keys=list(dict.fromkeys(keys.ticket[ticket.remote_id] for ticket in tickets)),
        ticket=[
            _ticket_row(ticket, changes.get(ticket.remote_id, []), keys, origin)
            for ticket in tickets
        ],
        comment=list(_comment_rows(comments, keys, origin)),
        ticket_change=[
            _change_row(change, keys, origin)
            for change in batch.changes
            if change.ticket_remote_id in own
        ],
        attachment=list(_attachment_rows(comments, keys, origin)),
        satisfaction_rating=[
            _rating_row(rating, keys, origin)
            for rating in batch.ratings
            if rating.ticket_remote_id in own
        ],
        ticket_link=[
            _merge_row(ticket, keys, origin)
            for ticket in tickets
            if ticket.merged_into_remote_id in keys.ticket
        ],
        source_sla_event=[
            _sla_event_row(event, keys, origin)
            for event in batch.sla_events
            if event.ticket_remote_id in own
        ],
        ticket_name=[*_own_names(tickets, keys, origin), *_named(comments, keys, origin)],
    )


def _own_names(tickets: Iterable[SourceTicket], keys: Keys, origin: Origin) -> Iterable[Row]:
    for ticket in tickets:
        for reference in ticket.references:
            yield {
                "client_key": origin.client_key,
                "ticket_key": keys.ticket[ticket.remote_id],
                "comment_key": "",
                "kind": "own reference",
                "value": reference,
            }


def _named(comments: Iterable[SourceComment], keys: Keys, origin: Origin) -> Iterable[Row]:
    by_ticket: dict[str, list[SourceComment]] = {}
    for comment in comments:
        by_ticket.setdefault(comment.ticket_remote_id, []).append(comment)
    for remote_id, of_ticket in by_ticket.items():
        for comment, name in names_of(of_ticket):
            yield {
                "client_key": origin.client_key,
                "ticket_key": keys.ticket[remote_id],
                "comment_key": comment_key(origin, comment.remote_id),
                "kind": name.kind,
                "value": name.value,
            }


def comment_key(origin: Origin, remote_id: str) -> str:
    """Our key of a comment; it stays when the comment's thread is joined to another."""
    return key_of("comment", origin.client_key, origin.source_key, remote_id)


def _by_ticket(changes: Iterable[SourceChange]) -> dict[str, list[SourceChange]]:
    found: dict[str, list[SourceChange]] = {}
    for change in sorted(changes, key=lambda c: (c.occurred_at, c.position)):
        found.setdefault(change.ticket_remote_id, []).append(change)
    return found


def _ticket_row(
    ticket: SourceTicket, changes: list[SourceChange], keys: Keys, origin: Origin
) -> Row:
    solved_at, closed_at = _ends(ticket, changes)
    return {
        "ticket_key": keys.ticket[ticket.remote_id],
        "client_key": origin.client_key,
        "source_key": origin.source_key,
        "remote_id": ticket.remote_id,
        "number": ticket.number or ticket.remote_id,
        "external_id": ticket.external_id,
        "subject": ticket.subject,
        "status": ticket.status,
        "source_status": ticket.source_status,
        "priority": ticket.priority,
        "source_priority": ticket.source_priority,
        "type": ticket.type,
        "category": ticket.category,
        "channel": ticket.channel,
        "requester_key": keys.person.get(ticket.requester_remote_id or ""),
        "organisation_key": keys.organisation.get(ticket.organisation_remote_id or ""),
        "assignee_key": keys.person.get(ticket.assignee_remote_id or ""),
        "team_key": keys.team.get(ticket.team_remote_id or ""),
        "url": ticket.url,
        "language": ticket.language,
        "is_automatic": ticket.is_automatic,
        "tags": list(ticket.tags),
        "fields": dict(ticket.fields),
        "source_verdict": dict(ticket.source_verdict),
        "created_at": utc(ticket.created_at),
        "updated_at": utc(ticket.updated_at),
        "solved_at": solved_at,
        "closed_at": closed_at,
        "transform_version": origin.transform_version,
        "history_revision": origin.revision,
    }


def _ends(
    ticket: SourceTicket, changes: list[SourceChange]
) -> tuple[datetime | None, datetime | None]:
    """When the ticket was last solved and closed, where it still is."""
    solved_at = closed_at = None
    for change in changes:
        if change.field != "status":
            continue
        if change.new_value == "solved":
            solved_at, closed_at = change.occurred_at, None
        elif change.new_value == "closed":
            solved_at, closed_at = solved_at or change.occurred_at, change.occurred_at
        else:
            solved_at = closed_at = None
    if ticket.status not in ("solved", "closed"):
        return None, None
    return solved_at, closed_at if ticket.status == "closed" else None


def _comment_rows(comments: list[SourceComment], keys: Keys, origin: Origin) -> Iterable[Row]:
    positions: dict[str, int] = {}
    for comment in sorted(comments, key=lambda c: c.created_at):
        ticket_key = keys.ticket[comment.ticket_remote_id]
        position = positions.get(ticket_key, 0)
        positions[ticket_key] = position + 1
        copy_of = comment.copy_of_remote_id
        yield {
            "comment_key": comment_key(origin, comment.remote_id),
            "client_key": origin.client_key,
            "ticket_key": ticket_key,
            "source_key": origin.source_key,
            "remote_id": comment.remote_id,
            "position": position,
            "created_at": utc(comment.created_at),
            "author_kind": comment.author_kind,
            "author_key": keys.person.get(comment.author_remote_id or ""),
            "is_public": comment.is_public,
            "is_automatic": comment.is_automatic,
            "subject": comment.subject,
            "body_text": comment.text[:LONGEST_TEXT],
            "body_html": comment.html[:LONGEST_TEXT] if comment.html else None,
            "reply_text": _reply_text(comment),
            "message_id": comment.message_id,
            "in_reply_to": list(comment.in_reply_to),
            "reference_ids": list(comment.reference_ids),
            "bounced_ids": list(comment.bounced_ids),
            "participants": list(comment.participants),
            "thread_reason": comment.thread_reason,
            "thread_marks": dict(comment.thread_marks) or None,
            "thread_doubt": dict(comment.thread_doubt) if comment.thread_doubt else None,
            "copy_of_key": comment_key(origin, copy_of) if copy_of else None,
            "raw_stream": comment.raw_stream,
            "raw_remote_id": comment.raw_remote_id,
        }


def _reply_text(comment: SourceComment) -> str | None:
    """What the author wrote, None where that is the whole text; `coalesce(reply_text, body_text)` reads it."""
    reply = reply_text(comment.text, comment.html)
    return None if reply is None else reply[:LONGEST_TEXT]


def _change_row(change: SourceChange, keys: Keys, origin: Origin) -> Row:
    return {
        "change_key": key_of(
            "change",
            origin.client_key,
            origin.source_key,
            f"{change.ticket_remote_id}\x1f{change.remote_id}",
        ),
        "client_key": origin.client_key,
        "ticket_key": keys.ticket[change.ticket_remote_id],
        "source_key": origin.source_key,
        "field": change.field,
        "old_value": _value(change.field, change.old_value, keys),
        "new_value": _value(change.field, change.new_value, keys),
        "occurred_at": utc(change.occurred_at),
        "recorded_at": origin.recorded_at,
        "position": change.position,
        "actor_kind": change.actor_kind,
        "actor_key": keys.person.get(change.actor_remote_id or ""),
        "is_observed": change.is_observed,
        "raw_stream": change.raw_stream,
        "raw_remote_id": change.raw_remote_id,
    }


def _value(field_name: str, value: str | None, keys: Keys) -> str | None:
    """People and teams by our key where we have one, else by the source's id."""
    if value is None:
        return None
    if field_name in ("assignee", "requester"):
        return keys.person.get(value, value)
    if field_name == "team":
        return keys.team.get(value, value)
    return value


def _attachment_rows(comments: list[SourceComment], keys: Keys, origin: Origin) -> Iterable[Row]:
    for comment in comments:
        for attachment in comment.attachments:
            identity = f"{comment.remote_id}\x1f{attachment.remote_id}"
            yield {
                "attachment_key": key_of(
                    "attachment", origin.client_key, origin.source_key, identity
                ),
                "client_key": origin.client_key,
                "ticket_key": keys.ticket[comment.ticket_remote_id],
                "comment_key": comment_key(origin, comment.remote_id),
                "file_name": attachment.file_name,
                "media_type": attachment.media_type,
                "size_bytes": attachment.size_bytes,
                "sha256": attachment.sha256,
                "content_id": attachment.content_id,
                "is_inline": attachment.is_inline,
                "remote_url": attachment.remote_url,
            }


def _rating_row(rating: SourceRating, keys: Keys, origin: Origin) -> Row:
    return {
        "rating_key": key_of("rating", origin.client_key, origin.source_key, rating.remote_id),
        "client_key": origin.client_key,
        "ticket_key": keys.ticket[rating.ticket_remote_id],
        "kind": rating.kind,
        "score": rating.score,
        "source_score": rating.source_score,
        "comment": rating.comment,
        "rated_at": utc(rating.rated_at),
    }


def _sla_event_row(event: SourceSlaEvent, keys: Keys, origin: Origin) -> Row:
    return {
        "event_key": key_of("sla-event", origin.client_key, origin.source_key, event.remote_id),
        "client_key": origin.client_key,
        "ticket_key": keys.ticket[event.ticket_remote_id],
        "source_key": origin.source_key,
        "remote_id": event.remote_id,
        "metric": event.metric,
        "instance": event.instance,
        "type": event.type,
        "occurred_at": utc(event.occurred_at),
        "detail": dict(event.detail),
    }


def _merge_row(ticket: SourceTicket, keys: Keys, origin: Origin) -> Row:
    return {
        "client_key": origin.client_key,
        "ticket_key": keys.ticket[ticket.remote_id],
        "other_key": keys.ticket[ticket.merged_into_remote_id or ""],
        "kind": "merged_into",
        "reason": f"the source says it was merged into {ticket.merged_into_remote_id}",
    }
