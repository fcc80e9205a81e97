"""Mails that Zendesk held back: suspended tickets.

Belongs here: how they show. Does not belong here: how they are listed (`connectors.zendesk`).

Decision: each is a ticket of its own with the status `spam`, under the id `suspended-…`. So a customer's lost mail is
found by searching, with its text, its sender and the reason; and no figure counts it, no clock runs, nobody is paged,
since `spam` is an end outside the service. A list of faults would be the wrong place: nothing is wrong with the record,
and an account holds thousands of them. Zendesk forgets a suspended ticket after 14 days, or makes a real ticket of it
when somebody recovers it: that it is listed no more is no deletion, and what we hold stays.

The sender becomes no contact: most are nobody's customer.

Source: Zendesk developer documentation, "Suspended tickets".
"""

from collections.abc import Iterable, Mapping
from typing import Any

from transforms.model import RawRecord, SourceComment, SourceTicket
from transforms.payload import (
    UnreadableError,
    id_of,
    instant_of,
    object_of,
    required_id,
    required_instant,
    text_of,
)
from transforms.zendesk_files import attachments_of
from transforms.zendesk_words import Reading, channel_of

PREFIX = "suspended-"


def read_suspended(reading: Reading, records: Iterable[RawRecord]) -> None:
    """Adds the suspended tickets, each with its one message."""
    for record in records:
        try:
            body = object_of(record)
            number = required_id(body, "id")
            ticket = _ticket(body, number)
            comment = _comment(reading, record, body, number)
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        reading.batch.tickets.append(ticket)
        reading.batch.comments.append(comment)


def _ticket(body: Mapping[str, Any], number: str) -> SourceTicket:
    created_at = required_instant(body, "created_at")
    author = body.get("author")
    fields = {
        "cause": text_of(body, "cause"),
        "recipient": text_of(body, "recipient"),
        "sender": text_of(author, "email") if isinstance(author, dict) else None,
        "meant for ticket": id_of(body, "ticket_id"),
    }
    return SourceTicket(
        remote_id=f"{PREFIX}{number}",
        number=f"{PREFIX}{number}",
        subject=text_of(body, "subject") or "",
        status="spam",
        source_status="suspended",
        priority=None,
        source_priority=None,
        created_at=created_at,
        updated_at=instant_of(body, "updated_at") or created_at,
        channel=channel_of(body.get("via")),
        fields={name: value for name, value in fields.items() if value is not None},
    )


def _comment(
    reading: Reading, record: RawRecord, body: Mapping[str, Any], number: str
) -> SourceComment:
    author = body.get("author")
    email = text_of(author, "email") if isinstance(author, dict) else None
    return SourceComment(
        remote_id=f"{PREFIX}{number}",
        ticket_remote_id=f"{PREFIX}{number}",
        created_at=required_instant(body, "created_at"),
        author_kind="unknown",
        is_public=True,
        text=text_of(body, "content") or "",
        subject=text_of(body, "subject"),
        participants=(email.strip(),) if email else (),
        raw_stream=record.stream,
        raw_remote_id=record.remote_id,
        attachments=attachments_of(reading, record, body.get("attachments")),
    )
