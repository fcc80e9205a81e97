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
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from transforms.model import Batch, RawRecord, SourceChange, SourceRating, SourceTicket
from transforms.payload import (
    UnreadableError,
    id_of,
    object_of,
    required_id,
    required_instant,
    text_of,
    texts_of,
)
from transforms.zendesk_history import (
    Event,
    changes_of,
    comments_of,
    kind_of,
    merge_of,
    read_events,
)
from transforms.zendesk_people import read_groups, read_organizations, read_users
from transforms.zendesk_words import (
    PRIORITY_WORDS,
    STATUS_WORDS,
    Reading,
    channel_of,
    relation_of,
)

VERSION = "zendesk-1"

MERGED_TAG = "closed_by_merge"
"""The tag that Zendesk puts on a ticket it closed by merging it into another."""

SCORES: Mapping[str, int] = {"good": 5, "bad": 1}
"""The legacy rating's verdicts on our scale; `offered` and `unoffered` are no verdicts."""

_MERGED_INTO = re.compile(r"merged into (?:request|ticket) #(\d+)", re.IGNORECASE)


def normalise(
    records: Mapping[str, Iterable[RawRecord]],
    *,
    status_map: Mapping[str, str] | None = None,
    priority_map: Mapping[str, str] | None = None,
    base_url: str = "",
    bridge_user_ids: Collection[str] = (),
) -> Batch:
    """The unified records of some tickets.

    Args:
        records: stream → latest raw records: `tickets`, all `ticket_events` and `satisfaction_ratings` of those
            tickets, and `users`, `organizations`, `groups` (at least those referenced).
        status_map: source status (lower case) → canonical status; adds to and overrides the built-in words.
        priority_map: the same for priorities.
        base_url: the account's address, for links to the agent's view; may be empty.
        bridge_user_ids: user ids of Deskbridge's own login.

    Returns:
        A batch; records that could not be understood are in its `rejected`, the rest of their ticket stays.
    """
    reading = Reading(
        statuses={**STATUS_WORDS, **(status_map or {})},
        priorities={**PRIORITY_WORDS, **(priority_map or {})},
        base_url=base_url.rstrip("/"),
        bridge_user_ids=frozenset(map(str, bridge_user_ids)),
    )
    read_users(reading, records.get("users", ()))
    read_organizations(reading, records.get("organizations", ()))
    read_groups(reading, records.get("groups", ()))
    events = read_events(reading, records.get("ticket_events", ()))
    rated = _read_ratings(reading, records.get("satisfaction_ratings", ()))
    merged_into = _merge_targets(events)
    known: set[str] = set()
    for record in records.get("tickets", ()):
        try:
            body = object_of(record)
            ticket_id = required_id(body, "id")
            _read_ticket(reading, body, events.get(ticket_id, []), merged_into, rated)
            known.add(ticket_id)
        except UnreadableError as error:
            reading.reject(record, error)
    for ticket_id in events.keys() - known:
        reading.warn(
            ticket_id, "history before ticket", "events came, the ticket's row did not yet"
        )
    return reading.batch


def _read_ticket(
    reading: Reading,
    body: dict[str, Any],
    events: list[Event],
    merged_into: Mapping[str, str],
    rated: set[str],
) -> None:
    ticket_id = required_id(body, "id")
    created_at = required_instant(body, "created_at")
    updated_at = required_instant(body, "updated_at")
    source_status = text_of(body, "status") or ""
    status = reading.status(source_status, ticket_id)
    tags = texts_of(body, "tags")
    merge = merge_of(events, status == "closed" and MERGED_TAG in tags)
    if status == "closed" and MERGED_TAG in tags:
        status = "merged"
    target = merged_into.get(ticket_id) or _told_target(ticket_id, merge)
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
        url=f"{reading.base_url}/agent/tickets/{ticket_id}" if reading.base_url else None,
        tags=tags,
        fields=_fields(body),
        source_verdict=_verdict(body),
    )
    comments = comments_of(reading, body, events)
    changes = changes_of(reading, events, created_at, merge)
    _end_deleted(ticket, changes)
    reading.batch.tickets.append(ticket)
    reading.batch.comments.extend(comments)
    reading.batch.changes.extend(changes)
    _rating_of_row(reading, body, ticket, changes, rated)
    _compare(reading, body, ticket, changes, len(comments), bool(events))


def _fields(body: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    values = body.get("custom_fields")
    for value in values if isinstance(values, list) else ():
        if isinstance(value, dict) and value.get("value") not in (None, "", []):
            fields[str(value.get("id"))] = value["value"]
    for name in ("custom_status_id", "brand_id", "ticket_form_id", "problem_id"):
        if body.get(name) is not None:
            fields[name] = body[name]
    return fields


def _verdict(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("metric_set", "slas") if isinstance(body.get(name), dict)}


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
    if isinstance(told, int) and told != comment_count:
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


def _read_ratings(reading: Reading, records: Iterable[RawRecord]) -> set[str]:
    """Adds the ratings; returns the tickets that have one."""
    rated: set[str] = set()
    for record in records:
        try:
            body = object_of(record)
            score = str(body.get("score") or "").lower()
            if score in ("offered", "unoffered"):
                continue
            if score not in SCORES:
                raise UnreadableError("unknown score", f"score={body.get('score')!r}")
            ticket_id = required_id(body, "ticket_id")
            moment = "updated_at" if body.get("updated_at") else "created_at"
            reading.batch.ratings.append(
                SourceRating(
                    remote_id=required_id(body, "id"),
                    ticket_remote_id=ticket_id,
                    kind="csat",
                    score=SCORES[score],
                    source_score=score,
                    rated_at=required_instant(body, moment),
                    comment=text_of(body, "comment"),
                )
            )
            rated.add(ticket_id)
        except UnreadableError as error:
            reading.reject(record, error)
    return rated


def _rating_of_row(
    reading: Reading,
    body: Mapping[str, Any],
    ticket: SourceTicket,
    changes: Iterable[SourceChange],
    rated: set[str],
) -> None:
    """The rating that only the ticket's row carries, where the list of ratings is not to be had."""
    told = body.get("satisfaction_rating")
    if ticket.remote_id in rated or not isinstance(told, dict):
        return
    score = str(told.get("score") or "").lower()
    if score not in SCORES:
        return
    moments: list[datetime] = [
        change.occurred_at
        for change in changes
        if change.field == "satisfaction_score" and change.new_value is not None
    ]
    if not moments:
        reading.warn(
            ticket.remote_id, "rating without its instant", "dated by the ticket's last update"
        )
    reading.batch.ratings.append(
        SourceRating(
            remote_id=id_of(told, "id") or f"{ticket.remote_id}:row",
            ticket_remote_id=ticket.remote_id,
            kind="csat",
            score=SCORES[score],
            source_score=score,
            rated_at=moments[-1] if moments else ticket.updated_at,
            comment=text_of(told, "comment"),
        )
    )


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
