"""Freshdesk's raw records in the unified model.

Belongs here: how a ticket's versions, its conversations and its ratings become one ticket. Does not belong
here: people (`freshdesk_people`), comments (`freshdesk_conversation`), changes (`freshdesk_history`), codes
(`freshdesk_words`), I/O.

Decisions:
- A ticket's record carries its conversations under `conversations`. What the newest version came without
  (conversations of spam, `stats` of the archive, everything of a ticket deleted for good) stays as the newest
  version that has it told it.
- `new` is an open ticket that never had an agent nor an agent's reply; Freshdesk itself has no such status.
- What Freshdesk says of its own targets (`fr_escalated`, `is_escalated`, `due_by`, `fr_due_by`, `stats`) is kept
  as the source's verdict, under Freshdesk's names.
- Merges are told by nothing but the note that Freshdesk writes when it closes the secondary ticket ("This ticket is
  closed and merged into ticket 7"; see `freshdesk_merge`). A ticket merged with a note of another wording is closed.
- Time spent (`time_entries`) is a field of the ticket, `time_spent_minutes`; a product is one by its name.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from transforms.freshdesk_conversation import comments_of, is_agent_reply
from transforms.freshdesk_history import Snapshot, changes_of, snapshot_of
from transforms.freshdesk_merge import Merge, merge_of, merged
from transforms.freshdesk_people import (
    read_agents,
    read_companies,
    read_contacts,
    read_groups,
    read_requester,
)
from transforms.freshdesk_words import (
    CLASSIC_SCORES,
    OUTBOUND_SOURCE,
    RATING_SCORES,
    Reading,
    read_words,
)
from transforms.model import Batch, RawRecord, SourceComment, SourceRating, SourceTicket
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

VERSION = "freshdesk-3"

_VERDICT = ("fr_escalated", "is_escalated", "due_by", "fr_due_by", "stats")


def normalise(
    records: Mapping[str, Iterable[RawRecord]],
    *,
    status_map: Mapping[str, str] | None = None,
    priority_map: Mapping[str, str] | None = None,
    base_url: str = "",
    bot_user_ids: Collection[str] = (),
    bridge_user_ids: Collection[str] = (),
) -> Batch:
    """The unified records of some tickets.

    Args:
        records: stream → raw records. `tickets`: every version of each ticket, a ticket's versions in the order
            in which they were stored (its latest version alone gives the ticket without what was observed);
            `satisfaction_ratings` of those tickets; `ticket_fields`, `agents`, `groups`, `companies`, `contacts`
            whole; so `products`. `time_entries` of those tickets.
        status_map: status code or name (lower case) → canonical status; wins over all that is built in.
        priority_map: priority code → canonical priority; wins likewise.
        base_url: the account's address, for links to the agent's view; may be empty.
        bot_user_ids: users that are integrations, not people.
        bridge_user_ids: user ids of Deskbridge's own key, where no person uses it.

    Returns:
        A batch; records that could not be understood are in its `rejected`.
    """
    reading = Reading(
        words=read_words(records.get("ticket_fields", ()), records.get("products", ())),
        statuses={key.strip().lower(): value for key, value in (status_map or {}).items()},
        priorities={key.strip().lower(): value for key, value in (priority_map or {}).items()},
        base_url=base_url.rstrip("/"),
        bot_user_ids=frozenset(map(str, bot_user_ids)),
        bridge_user_ids=frozenset(map(str, bridge_user_ids)),
    )
    read_agents(reading, records.get("agents", ()))
    read_groups(reading, records.get("groups", ()))
    read_companies(reading, records.get("companies", ()))
    read_contacts(reading, records.get("contacts", ()))
    minutes = _minutes(reading, records.get("time_entries", ()))
    versions: dict[str, list[RawRecord]] = {}
    for record in records.get("tickets", ()):
        versions.setdefault(record.remote_id, []).append(record)
    for history in versions.values():
        try:
            _read_ticket(reading, history, minutes)
        except UnreadableError as error:
            reading.reject(history[-1].stream, history[-1].remote_id, error)
    for record in records.get("satisfaction_ratings", ()):
        try:
            reading.batch.ratings.append(_rating(object_of(record)))
        except UnreadableError as error:
            reading.reject(record.stream, record.remote_id, error)
    return reading.batch


def _read_ticket(reading: Reading, history: list[RawRecord], minutes: Mapping[str, int]) -> None:
    """Adds one ticket from its versions; the last one is what it is now."""
    bodies = [(object_of(history[-1]), history[-1].is_tombstone)]
    for record in reversed(history[:-1]):
        try:
            bodies.insert(0, (object_of(record), record.is_tombstone))
        except UnreadableError as error:
            reading.warn(record.remote_id, "unreadable version", str(error))
    bodies = _filled(bodies)
    body = bodies[-1][0]
    ticket_id = required_id(body, "id")
    if body.get("is_gone") and "created_at" not in body:
        reading.warn(
            ticket_id, "gone before it was read", "it was deleted for good; nothing is known of it"
        )
        return
    created_at = required_instant(body, "created_at")
    read_requester(reading, body)
    comments = comments_of(reading, body, _conversations(reading, ticket_id, bodies))
    merge = merge_of(body)
    snapshots = _snapshots(reading, bodies, comments, merge)
    ticket = _ticket(reading, body, snapshots[-1], minutes.get(ticket_id))
    if merge is not None and ticket.status == "merged":
        ticket = replace(ticket, merged_into_remote_id=merge.into)
    changes = changes_of(reading, ticket_id, created_at, snapshots)
    reading.batch.tickets.append(ticket)
    reading.batch.comments.extend(comments)
    reading.batch.changes.extend(changes)


def _filled(bodies: list[tuple[dict[str, Any], bool]]) -> list[tuple[dict[str, Any], bool]]:
    """The versions, oldest first; one of the archive or of what is gone has what versions before it told.

    Conversations are left out of this: whether a version has them is told apart (`_conversations`).
    """
    filled: list[tuple[dict[str, Any], bool]] = []
    for body, is_tombstone in bodies:
        if filled and (body.get("archived") or body.get("is_gone")):
            before = {k: v for k, v in filled[-1][0].items() if k != "conversations"}
            body = {**before, **body}
        filled.append((body, is_tombstone))
    return filled


def _minutes(reading: Reading, records: Iterable[RawRecord]) -> dict[str, int]:
    """Ticket's id → minutes of all its time entries (`time_spent` is hh:mm)."""
    found: dict[str, int] = {}
    for record in records:
        try:
            body = object_of(record)
            ticket_id = required_id(body, "ticket_id")
            hours, _, minutes = (text_of(body, "time_spent") or "00:00").partition(":")
            spent = int(hours) * 60 + int(minutes or 0)
        except (UnreadableError, ValueError) as error:
            reading.reject(
                record.stream,
                record.remote_id,
                UnreadableError("unreadable time entry", str(error)),
            )
            continue
        found[ticket_id] = found.get(ticket_id, 0) + spent
    return found


def _conversations(
    reading: Reading, ticket_id: str, bodies: list[tuple[dict[str, Any], bool]]
) -> list[Any] | None:
    """The conversations of the newest version that has them; None where none has."""
    for index, (body, _) in enumerate(reversed(bodies)):
        told = body.get("conversations")
        if isinstance(told, list):
            if index:
                reading.warn(
                    ticket_id,
                    "conversations kept",
                    "the newest version came without its conversations; those known before stay",
                )
            return told
    reading.warn(ticket_id, "conversations unknown", "they could not be read with the ticket")
    return None


def _snapshots(
    reading: Reading,
    bodies: list[tuple[dict[str, Any], bool]],
    comments: list[SourceComment],
    merge: Merge | None,
) -> list[Snapshot]:
    """The versions, oldest first; one of the past that says too little is left out."""
    snapshots: list[Snapshot] = []
    replies = [comment.created_at for comment in comments if is_agent_reply(comment)]
    was_touched = False
    for index, (body, is_tombstone) in enumerate(bodies):
        try:
            snapshot = snapshot_of(reading, body, was_touched=True, is_tombstone=is_tombstone)
            was_touched = (
                was_touched
                or snapshot.assignee is not None
                or str(body.get("source")) == OUTBOUND_SOURCE
                or any(at <= snapshot.at for at in replies)
            )
            if not was_touched:
                snapshot = snapshot_of(reading, body, was_touched=False, is_tombstone=is_tombstone)
            snapshots.append(merged(snapshot, merge))
        except UnreadableError as error:
            if index == len(bodies) - 1:
                raise
            reading.warn(id_of(body, "id"), "unreadable version", str(error))
    return snapshots


def _ticket(
    reading: Reading, body: Mapping[str, Any], now: Snapshot, minutes: int | None
) -> SourceTicket:
    ticket_id = required_id(body, "id")
    custom = body.get("custom_fields")
    added = {
        "product": reading.words.products.get(id_of(body, "product_id") or ""),
        "time_spent_minutes": minutes,
    }
    return SourceTicket(
        remote_id=ticket_id,
        number=ticket_id,
        subject=text_of(body, "subject") or "",
        status=now.status,
        source_status=reading.words.status_label(now.code),
        priority=now.priority,
        source_priority=id_of(body, "priority"),
        created_at=required_instant(body, "created_at"),
        updated_at=instant_of(body, "updated_at") or required_instant(body, "created_at"),
        channel=reading.channel(body.get("source")),
        type=text_of(body, "type"),
        requester_remote_id=id_of(body, "requester_id"),
        organisation_remote_id=id_of(body, "company_id"),
        assignee_remote_id=now.assignee,
        team_remote_id=now.team,
        url=f"{reading.base_url}/a/tickets/{ticket_id}" if reading.base_url else None,
        tags=texts_of(body, "tags"),
        fields={
            str(name): value
            for name, value in (custom.items() if isinstance(custom, dict) else ())
            if value not in (None, "", [])
        }
        | {name: value for name, value in added.items() if value is not None},
        source_verdict={name: body[name] for name in _VERDICT if body.get(name) is not None},
    )


def _rating(body: Mapping[str, Any]) -> SourceRating:
    """One answer to the survey's default question; accounts may ask more, which are not verdicts."""
    ratings = body.get("ratings")
    value = ratings.get("default_question") if isinstance(ratings, dict) else None
    scores = {**RATING_SCORES, **CLASSIC_SCORES}
    if isinstance(value, bool) or not isinstance(value, int) or value not in scores:
        raise UnreadableError("unknown rating", f"ratings.default_question={value!r}")
    return SourceRating(
        remote_id=required_id(body, "id"),
        ticket_remote_id=required_id(body, "ticket_id"),
        kind="csat",
        score=scores[value],
        source_score=str(value),
        rated_at=required_instant(body, "created_at"),
        comment=text_of(body, "feedback"),
    )
