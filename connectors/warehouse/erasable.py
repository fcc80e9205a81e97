"""What in the warehouse is a person's: tickets asked for, messages written, files, mails, reports that may name them.

Belongs here: reading it. Does not belong here: erasing it (`erased_rows`, `erased_raw`).
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from connectors.warehouse import persons
from connectors.warehouse.bulk import select_in
from connectors.warehouse.tables import (
    attachment,
    comment,
    contact,
    contact_identity,
    raw_record,
    report_issue,
    ticket,
    ticket_link,
)

Row = dict[str, Any]


def addresses_of(connection: Connection, contact_keys: Collection[str]) -> set[str]:
    """Every e-mail address by which some contacts are known, in small letters."""
    told = {
        email for row in persons.records_of(connection, contact_keys) for email in row["emails"]
    }
    known = select(contact_identity.c.value).where(contact_identity.c.kind == "email")
    told |= {
        row.value
        for row in select_in(connection, known, contact_identity.c.contact_key, contact_keys)
    }
    shown = select(contact.c.email).where(contact.c.email.is_not(None))
    told |= {row.email for row in select_in(connection, shown, contact.c.contact_key, contact_keys)}
    return {one.strip().lower() for one in told if "@" in one}


def tickets_of(connection: Connection, contact_keys: Collection[str]) -> list[Row]:
    """The tickets that some contacts asked for, and the copies that a migration made of them."""
    columns = select(
        ticket.c.ticket_key,
        ticket.c.source_key,
        ticket.c.remote_id,
        ticket.c.number,
        ticket.c.created_at,
        ticket.c.updated_at,
    )
    found = {
        row.ticket_key: dict(row._mapping)
        for row in select_in(connection, columns, ticket.c.requester_key, contact_keys)
    }
    moved = select(ticket_link.c.ticket_key, ticket_link.c.other_key).where(
        ticket_link.c.kind == "migrated_to"
    )
    copies: set[str] = set()
    for side in (ticket_link.c.ticket_key, ticket_link.c.other_key):
        for row in select_in(connection, moved, side, list(found)):
            copies |= {row.ticket_key, row.other_key}
    for row in select_in(connection, columns, ticket.c.ticket_key, copies - found.keys()):
        found[row.ticket_key] = dict(row._mapping)
    return sorted(found.values(), key=lambda row: (row["source_key"], row["ticket_key"]))


def messages_of(
    connection: Connection, ticket_keys: Collection[str], author_keys: Collection[str]
) -> list[Row]:
    """The messages of some tickets, and those that some contacts wrote anywhere."""
    columns = select(
        comment.c.comment_key,
        comment.c.ticket_key,
        comment.c.source_key,
        comment.c.remote_id,
        comment.c.position,
        comment.c.message_id,
        comment.c.raw_stream,
        comment.c.raw_remote_id,
        comment.c.author_key,
        ticket.c.remote_id.label("ticket_remote_id"),
    ).join(ticket, ticket.c.ticket_key == comment.c.ticket_key)
    found: dict[str, Row] = {}
    for column, keys in (
        (comment.c.ticket_key, ticket_keys),
        (comment.c.author_key, author_keys),
    ):
        for row in select_in(connection, columns, column, keys):
            found[row.comment_key] = dict(row._mapping)
    return sorted(found.values(), key=lambda row: (row["ticket_key"], row["position"]))


def first_message_ids(connection: Connection, ticket_keys: Iterable[str]) -> dict[str, str]:
    """Ticket → the Message-ID of its first mail, where it is one."""
    columns = select(comment.c.ticket_key, comment.c.position, comment.c.message_id)
    first: dict[str, tuple[int, str | None]] = {}
    for row in select_in(connection, columns, comment.c.ticket_key, ticket_keys):
        if row.ticket_key not in first or row.position < first[row.ticket_key][0]:
            first[row.ticket_key] = (row.position, row.message_id)
    return {key: message_id for key, (_, message_id) in first.items() if message_id}


def count_files(connection: Connection, ticket_keys: Collection[str]) -> int:
    """How many files hang on some tickets."""
    counted = select(func.count()).select_from(attachment)
    return sum(
        row[0] for row in select_in(connection, counted, attachment.c.ticket_key, ticket_keys)
    )


def people_streams_of(connection: Connection, client_key: str) -> list[tuple[str, str]]:
    """(source, stream) of everything that holds people's records."""
    rows = connection.execute(
        select(raw_record.c.source_key, raw_record.c.stream)
        .where(
            raw_record.c.client_key == client_key,
            raw_record.c.stream.in_(("users", "contacts")),
        )
        .distinct()
    )
    return sorted((row.source_key, row.stream) for row in rows)


def sources_of(connection: Connection, client_key: str) -> list[str]:
    """Every source that gave a client anything, configured or not any more."""
    rows = connection.scalars(
        select(raw_record.c.source_key).where(raw_record.c.client_key == client_key).distinct()
    )
    return sorted(rows)


def reports_about(
    connection: Connection, client_key: str, since: datetime, until: datetime
) -> list[Row]:
    """Reports whose period touches a span of time, oldest first: files that were given away may name somebody."""
    r = report_issue.c
    rows = connection.execute(
        select(r.report, r.period_start, r.period_end, r.file_name, r.issued_at)
        .where(
            r.client_key == client_key,
            r.period_end >= since.date().isoformat(),
            r.period_start <= until.date().isoformat(),
        )
        .order_by(r.period_start, r.report)
    )
    return [dict(row._mapping) for row in rows]
