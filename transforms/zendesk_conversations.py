"""What is said on a Zendesk ticket besides its comments: side conversations, messages of messaging channels.

Belongs here: both as comments of the unified model. Does not belong here: the comments of events
(`zendesk_history`), which tickets have them (`connectors.zendesk.companions`).

Decisions:
- A side conversation is private, whoever takes part in it: the ticket's customer never sees it. Its people are
  agents or unknown, never the customer, so that no clock takes a supplier's mail for the customer's answer.
- A message of the log is public. Where a ticket has messages, its comments that came over the messaging channel
  repeat them (the transcript): those are kept as automatic, so that no answer counts twice.

Source: Zendesk developer documentation, "Side conversation events", "Conversation log events reference".
"""

from collections.abc import Iterable, Mapping
from typing import Any

from transforms.model import ActorKind, RawRecord, SourceAttachment, SourceComment
from transforms.payload import (
    UnreadableError,
    id_of,
    object_of,
    objects_of,
    required_id,
    required_instant,
    text_of,
)
from transforms.zendesk_files import attachments_of
from transforms.zendesk_history import readable
from transforms.zendesk_words import Reading

_MESSAGE_AUTHORS: Mapping[str, ActorKind] = {"user": "customer", "agent": "agent", "bot": "bot"}


def read_side_conversations(
    reading: Reading, records: Iterable[RawRecord]
) -> dict[str, list[SourceComment]]:
    """Ticket id → its side conversations' messages."""
    found: dict[str, list[SourceComment]] = {}
    for record in records:
        try:
            body = object_of(record)
            ticket_id = record.ticket_remote_id or required_id(body, "ticket_id")
            required_id(body, "id")
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        for event in objects_of(body, "events"):
            if not isinstance(event.get("message"), dict):
                continue
            try:
                comment = _side_message(reading, record, body, event, ticket_id)
            except UnreadableError as error:
                reading.reject(record, error)
                continue
            found.setdefault(ticket_id, []).append(comment)
    return found


def read_messages(reading: Reading, records: Iterable[RawRecord]) -> dict[str, list[SourceComment]]:
    """Ticket id → the messages of its conversation log."""
    found: dict[str, list[SourceComment]] = {}
    for record in records:
        try:
            body = object_of(record)
            if record.ticket_remote_id is None:
                raise UnreadableError("missing ticket", "a message of no ticket")
            if not str(body.get("type") or "").startswith("Messaging"):
                continue
            comment = _message(reading, record, body, record.ticket_remote_id)
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        found.setdefault(record.ticket_remote_id, []).append(comment)
    return found


def _side_message(
    reading: Reading,
    record: RawRecord,
    side: Mapping[str, Any],
    event: Mapping[str, Any],
    ticket_id: str,
) -> SourceComment:
    message = event["message"]
    actor = event.get("actor")
    sender = message.get("from")
    author = id_of(actor, "user_id") if isinstance(actor, dict) else None
    kind: ActorKind = "agent" if author is not None and reading.roles.get(author) else "unknown"
    people = [sender, *objects_of(message, "to")]
    html = text_of(message, "html_body")
    return SourceComment(
        remote_id=f"side-{required_id(event, 'id')}",
        ticket_remote_id=ticket_id,
        created_at=required_instant(event, "created_at"),
        author_kind=kind,
        is_public=False,
        text=text_of(message, "body")
        or (readable(html) if html else text_of(message, "preview_text") or ""),
        author_remote_id=author,
        html=html,
        subject=text_of(message, "subject") or text_of(side, "subject"),
        participants=tuple(
            dict.fromkeys(
                email.strip()
                for one in people
                if isinstance(one, dict) and (email := text_of(one, "email")) is not None
            )
        ),
        raw_stream=record.stream,
        raw_remote_id=record.remote_id,
        attachments=attachments_of(reading, record, message.get("attachments")),
    )


def _message(
    reading: Reading, record: RawRecord, body: Mapping[str, Any], ticket_id: str
) -> SourceComment:
    author, content = body.get("author"), body.get("content")
    author = author if isinstance(author, dict) else {}
    content = content if isinstance(content, dict) else {}
    user = id_of(author, "zen:support:user_id")
    kind = _MESSAGE_AUTHORS.get(str(author.get("type") or "").lower(), "unknown")
    remote_id = required_id(body, "id")
    return SourceComment(
        remote_id=f"message-{remote_id}",
        ticket_remote_id=ticket_id,
        created_at=required_instant(body, "created_at"),
        author_kind=kind,
        is_public=True,
        text=_content(content),
        author_remote_id=user,
        is_automatic=kind == "bot",
        raw_stream=record.stream,
        raw_remote_id=record.remote_id,
        attachments=(
            *attachments_of(reading, record, body.get("attachments")),
            *_media(remote_id, content),
        ),
    )


def _content(content: Mapping[str, Any]) -> str:
    """A message's words; for a form, a menu or a file without any, what it is."""
    text = text_of(content, "text") or text_of(content, "body") or text_of(content, "altText")
    if text is not None:
        return readable(text) if content.get("type") == "html" else text
    return f"({str(content.get('type') or 'message')[:40]})"


def _media(remote_id: str, content: Mapping[str, Any]) -> Iterable[SourceAttachment]:
    url = text_of(content, "mediaUrl") or text_of(content, "media_url")
    if url is None:
        return
    media_type = text_of(content, "mediaType") or text_of(content, "media_type")
    name = text_of(content, "altText") or url.partition("?")[0].rpartition("/")[2]
    size = content.get("mediaSize")
    yield SourceAttachment(
        remote_id=f"media-{remote_id}",
        file_name=name or f"media-{remote_id}",
        media_type=media_type or "application/octet-stream",
        size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else None,
        remote_url=url,
    )
