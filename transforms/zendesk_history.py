"""Zendesk's ticket events as comments and changes of the unified model.

Belongs here: what one ticket's events say, in order. Does not belong here: the ticket row itself.

An event of the incremental export is an audit with child events. A child is `Create`, `Change`, `Comment`,
… and carries the field under its own name (`{"status": "open", "previous_value": "new"}`); the audits
endpoint writes the same as `field_name` and `value`. Both are read.

Source: Zendesk developer documentation, "Incremental ticket event export", "Ticket audit events reference".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from inscriptis import get_text
from lxml.etree import LxmlError

from transforms.model import (
    ActorKind,
    RawRecord,
    SourceChange,
    SourceComment,
)
from transforms.payload import (
    UnreadableError,
    id_of,
    instant_of,
    object_of,
    required_id,
    text_of,
)
from transforms.zendesk_files import attachments_of, inline_images, recording_of
from transforms.zendesk_mails import message_id_of
from transforms.zendesk_words import (
    MARKER,
    SYSTEM_USER,
    Reading,
    channel_of,
    is_automation,
    relation_of,
)

FIELDS: Mapping[str, str] = {
    "status": "status",
    "priority": "priority",
    "assignee_id": "assignee",
    "group_id": "team",
    "custom_status_id": "custom_status",
    "type": "type",
    "ticket_type": "type",
    "requester_id": "requester",
    "organization_id": "organisation",
    "satisfaction_score": "satisfaction_score",
}
"""Zendesk's field → the name under which its changes are kept. Other fields make no change."""

_KIND_WORDS = frozenset(
    {
        "Create",
        "Change",
        "Comment",
        "VoiceComment",
        "CommentPrivacyChange",
        "CommentRedactionEvent",
        "AttachmentRedactionEvent",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One audit: everything that one update did to one ticket."""

    remote_id: str
    ticket_id: str
    occurred_at: datetime
    body: Mapping[str, Any]
    children: tuple[Mapping[str, Any], ...]

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Events of one instant come in the order of their ids."""
        return (self.occurred_at, len(self.remote_id), self.remote_id)


def read_events(reading: Reading, records: Iterable[RawRecord]) -> dict[str, list[Event]]:
    """Ticket id → its events, oldest first. What cannot be read is rejected, the rest of the ticket stays."""
    by_ticket: dict[str, list[Event]] = {}
    for record in records:
        try:
            event = _event(object_of(record))
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        by_ticket.setdefault(event.ticket_id, []).append(event)
    for events in by_ticket.values():
        events.sort(key=lambda event: event.order)
    return by_ticket


def comments_of(
    reading: Reading, ticket: Mapping[str, Any], events: Iterable[Event]
) -> list[SourceComment]:
    """The ticket's conversation, in the order of its events.

    A redacted comment's event is read again by the connector, so that its text is what Zendesk still shows; a
    redacted file is left out, whatever its event says.
    """
    events = list(events)
    requester = id_of(ticket, "requester_id")
    redacted = _redacted_files(events)
    comments: dict[str, SourceComment] = {}
    hidden: dict[str, bool] = {}
    for event in events:
        for index, child in enumerate(event.children):
            kind = kind_of(child)
            if kind == "CommentPrivacyChange":
                hidden[str(child.get("comment_id"))] = bool(child.get("public"))
            elif kind in ("Comment", "VoiceComment"):
                if not _has_body(child):
                    reading.warn(
                        event.ticket_id,
                        "comment without text",
                        f"event {event.remote_id}: the export was read without comment_events",
                    )
                    continue
                try:
                    comment = _comment(reading, event, index, child, requester, redacted)
                except UnreadableError as error:
                    reading.reject(_record_of(event), error)
                    continue
                comments[comment.remote_id] = comment
    for remote_id, is_public in hidden.items():
        known = comments.get(remote_id)
        if known is not None and known.is_public != is_public:
            comments[remote_id] = replace(known, is_public=is_public)
    return list(comments.values())


def changes_of(
    reading: Reading, events: Iterable[Event], created_at: datetime, merge: Event | None
) -> list[SourceChange]:
    """The ticket's field history, oldest first.

    The values that a `Create` event sets are changes from None at the ticket's creation. The status that
    the event `merge` sets is `merged`.
    """
    changes: list[SourceChange] = []
    last_at, position = None, 0
    for event in events:
        mapped = None if event is merge else _mapped_status(reading, event)
        for index, child in enumerate(event.children):
            kind = kind_of(child)
            if kind not in ("Create", "Change"):
                continue
            at = created_at if kind == "Create" else event.occurred_at
            for field, new_value, old_value in _changed(reading, event, child, mapped):
                position = position + 1 if at == last_at else 0
                last_at = at
                actor_kind, actor_id = actor_of(reading, event, child)
                if field == "status" and event is merge:
                    new_value = "merged"
                changes.append(
                    SourceChange(
                        remote_id=f"{id_of(child, 'id') or f'{event.remote_id}.{index}'}:{field}",
                        ticket_remote_id=event.ticket_id,
                        field=field,
                        old_value=None if kind == "Create" else old_value,
                        new_value=new_value,
                        occurred_at=at,
                        position=position,
                        actor_kind=actor_kind,
                        actor_remote_id=actor_id,
                        raw_stream="ticket_events",
                        raw_remote_id=event.remote_id,
                    )
                )
    return changes


def merge_of(events: Iterable[Event], is_merged: bool) -> Event | None:
    """The event by which a merged ticket was closed: one that says so, else the one that closed it."""
    if not is_merged:
        return None
    closing = None
    for event in events:
        if any(
            name == "status" and str(new).lower() in ("closed", "solved")
            for child in event.children
            if kind_of(child) == "Change"
            for name, new, _ in _fields(child)
        ):
            closing = event
            if relation_of(event.body.get("via")) == "merge":
                return event
    return closing


def actor_of(
    reading: Reading, event: Event, child: Mapping[str, Any]
) -> tuple[ActorKind, str | None]:
    """Who made a change: kind and user id (None for rules and the product itself)."""
    via = child.get("via") or event.body.get("via")
    user = id_of(event.body, "updater_id") or id_of(event.body, "author_id")
    if is_automation(via) or user is None or user == SYSTEM_USER:
        return "bot", None
    if is_bridge(reading, event, user, via):
        return "bridge", user
    role = reading.roles.get(user)
    return ("unknown" if role is None else "agent" if role else "customer"), user


def is_bridge(reading: Reading, event: Event, user: str | None, via: Any) -> bool:
    """Whether Deskbridge wrote this: by the marker in the audit's metadata, or by its own login over the API."""
    metadata = event.body.get("metadata")
    for place in (event.body.get("custom"), metadata):
        if isinstance(place, dict) and MARKER in place:
            return True
    custom = metadata.get("custom") if isinstance(metadata, dict) else None
    if isinstance(custom, dict) and MARKER in custom:
        return True
    return user in reading.bridge_user_ids and channel_of(via) == "api"


def kind_of(child: Mapping[str, Any]) -> str:
    """What a child event is; the export says `event_type`, audits say `type`."""
    kind = str(child.get("event_type") or "")
    if kind in _KIND_WORDS:
        return kind
    return str(child.get("type") or kind)


def _event(body: dict[str, Any]) -> Event:
    children = body.get("child_events")
    if children is None:
        children = body.get("events")
    if not isinstance(children, list):
        raise UnreadableError("missing child_events", f"child_events={children!r}")
    at = instant_of(body, "created_at") or _epoch(body.get("timestamp"))
    if at is None:
        raise UnreadableError("missing created_at", f"timestamp={body.get('timestamp')!r}")
    return Event(
        remote_id=required_id(body, "id"),
        ticket_id=required_id(body, "ticket_id"),
        occurred_at=at,
        body=body,
        children=tuple(child for child in children if isinstance(child, dict)),
    )


def _epoch(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        raise UnreadableError("unreadable timestamp", repr(value)) from None


def _record_of(event: Event) -> RawRecord:
    return RawRecord("ticket_events", event.remote_id, b"", ticket_remote_id=event.ticket_id)


def _fields(child: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    """(field, new value, old value) of the fields we keep."""
    name = child.get("field_name")
    if isinstance(name, str):
        if name in FIELDS:
            yield name, child.get("value"), child.get("previous_value")
        return
    for name in FIELDS:
        if name in child and not (name == "type" and str(child["type"]) in _KIND_WORDS):
            yield name, child[name], child.get("previous_value")


def _changed(
    reading: Reading,
    event: Event,
    child: Mapping[str, Any],
    mapped: tuple[str | None, str | None] | None,
) -> Iterable[tuple[str, str | None, str | None]]:
    """(field of ours, new value, old value). `mapped`: the event's status as its custom status says it."""
    for name, new, old in _fields(child):
        field = FIELDS[name]
        if field == "status" and mapped is not None:
            continue
        yield (
            field,
            _value(reading, field, new, event.ticket_id),
            _value(reading, field, old, event.ticket_id),
        )
        if field == "custom_status" and mapped is not None and mapped[0] != mapped[1]:
            yield "status", mapped[1], mapped[0]


def _mapped_status(reading: Reading, event: Event) -> tuple[str | None, str | None] | None:
    """(old, new) canonical status of an event, where the configuration gives a custom status a meaning of its own.

    Without such a word the vendor's own status, which changes with the custom status's category, says it all.
    """
    word = custom = None
    for child in event.children:
        if kind_of(child) in ("Create", "Change"):
            for name, new, old in _fields(child):
                if name == "status":
                    word = new
                elif name == "custom_status_id":
                    custom = (old, new)
    if custom is None:
        return None
    before, after = reading.names.status(custom[0]), reading.names.status(custom[1], word)
    if after is None or not (after.is_mapped or (before is not None and before.is_mapped)):
        return None
    return (None if before is None else before.canonical), after.canonical


def _redacted_files(events: Iterable[Event]) -> frozenset[str]:
    return frozenset(
        number
        for event in events
        for child in event.children
        if kind_of(child) == "AttachmentRedactionEvent"
        and (number := id_of(child, "attachment_id")) is not None
    )


def _value(reading: Reading, field: str, value: Any, ticket_id: str) -> str | None:
    if field == "status":
        return None if value is None or value == "" else reading.status(value, ticket_id)
    if field == "priority":
        return reading.priority(value, ticket_id)
    if value is None or value == "" or isinstance(value, dict | list):
        return None
    if field == "custom_status":
        known = reading.names.status(value)
        return str(value) if known is None else known.label
    return str(value)


def _has_body(child: Mapping[str, Any]) -> bool:
    return any(name in child for name in ("body", "html_body", "plain_body", "data"))


def _comment(
    reading: Reading,
    event: Event,
    index: int,
    child: Mapping[str, Any],
    requester: str | None,
    redacted: frozenset[str],
) -> SourceComment:
    at = instant_of(child, "created_at") or event.occurred_at
    author = id_of(child, "author_id") or id_of(event.body, "updater_id")
    via = child.get("via") or event.body.get("via")
    author_kind: ActorKind
    if is_bridge(reading, event, author, via):
        author_kind = "bridge"
    elif author is None or author == SYSTEM_USER or is_automation(via):
        author_kind = "bot"
    elif author == requester:
        author_kind = "customer"
    else:
        role = reading.roles.get(author)
        author_kind = "unknown" if role is None else "agent" if role else "customer"
        if role is None:
            reading.warn(event.ticket_id, "unknown author", f"user {author} was not pulled yet")
    remote_id = id_of(child, "id") or f"{event.remote_id}.{index}"
    html = text_of(child, "html_body")
    attached = attachments_of(
        reading, _record_of(event), child.get("attachments"), redacted=redacted
    )
    return SourceComment(
        remote_id=remote_id,
        ticket_remote_id=event.ticket_id,
        created_at=at,
        author_kind=author_kind,
        is_public=child.get("public") is not False,
        text=_text(child, html),
        author_remote_id=None if author == SYSTEM_USER else author,
        html=html,
        is_automatic=author_kind in ("bot", "bridge"),
        message_id=message_id_of(event.body),
        raw_stream="ticket_events",
        raw_remote_id=event.remote_id,
        attachments=(
            *attached,
            *inline_images(html, attached),
            *recording_of(remote_id, child),
        ),
    )


def readable(html: str) -> str:
    """HTML as text; as it stands where it cannot be read."""
    try:
        return str(get_text(html)).strip()
    except (LxmlError, ValueError):
        return html


def _text(child: Mapping[str, Any], html: str | None) -> str:
    """What was written; for a call also what was said, where the account has it written down."""
    written = text_of(child, "body") or text_of(child, "plain_body")
    if written is None and html is not None:
        written = readable(html)
    data = child.get("data")
    spoken = text_of(data, "transcription_text") if isinstance(data, dict) else None
    if spoken is None or (written is not None and spoken in written):
        return written or ""
    return f"{written}\n\n{spoken}" if written else spoken
