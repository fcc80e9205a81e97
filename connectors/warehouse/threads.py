"""What threading needs of the mails that are already comments, its doubts, and what people decided about them.

Belongs here: reading headers and places back, doubtful places, decisions. Does not belong here: threading
(`transforms.threads`).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from connectors.warehouse.bulk import select_in, upsert
from connectors.warehouse.tables import comment, thread_decision, ticket

Row = dict[str, Any]


def placed_mails(connection: Connection, client_key: str, source_key: str) -> Iterator[Row]:
    """Headers of a source's mails, with the remote id of their ticket and of the mail they are a copy of."""
    copied = comment.alias("copied")
    rows = connection.execute(
        select(
            comment.c.remote_id,
            comment.c.message_id,
            comment.c.in_reply_to,
            comment.c.reference_ids,
            comment.c.bounced_ids,
            comment.c.participants,
            comment.c.subject,
            comment.c.created_at,
            comment.c.thread_reason,
            comment.c.thread_marks,
            comment.c.thread_doubt,
            ticket.c.remote_id.label("ticket_remote_id"),
            copied.c.remote_id.label("copy_of_remote_id"),
        )
        .select_from(
            comment.join(ticket, ticket.c.ticket_key == comment.c.ticket_key).outerjoin(
                copied, copied.c.comment_key == comment.c.copy_of_key
            )
        )
        .where(comment.c.client_key == client_key, comment.c.source_key == source_key)
        .execution_options(yield_per=2_000)
    )
    for row in rows:
        yield dict(row._mapping)


def numbers_that_exist(
    connection: Connection, client_key: str, numbers: Iterable[str]
) -> frozenset[str]:
    """Of some ticket numbers those that a ticket of this client has, in whichever source."""
    statement = select(ticket.c.number).where(ticket.c.client_key == client_key)
    return frozenset(
        row.number for row in select_in(connection, statement, ticket.c.number, numbers)
    )


def has_mail(connection: Connection, client_key: str, source_key: str, remote_id: str) -> bool:
    """Whether a source's mail stands in some conversation."""
    found = connection.scalar(
        select(comment.c.comment_key).where(
            comment.c.client_key == client_key,
            comment.c.source_key == source_key,
            comment.c.raw_remote_id == remote_id,
        )
    )
    return found is not None


def decisions(connection: Connection, client_key: str, source_key: str) -> list[Row]:
    """`remote_id`, `kind`, `other_remote_id` of each mail that a person decided about."""
    rows = connection.execute(
        select(
            thread_decision.c.remote_id, thread_decision.c.kind, thread_decision.c.other_remote_id
        )
        .where(
            thread_decision.c.client_key == client_key,
            thread_decision.c.source_key == source_key,
            thread_decision.c.other_source_key == "",
        )
        .order_by(thread_decision.c.remote_id)
    )
    return [dict(row._mapping) for row in rows]


def decide(
    connection: Connection,
    client_key: str,
    source_key: str,
    remote_id: str,
    kind: str,
    other_remote_id: str | None,
    at: datetime,
    by: str,
    other_source_key: str = "",
) -> None:
    """Keeps what a person decided about a mail; a later decision about the same mail replaces it.

    There may be one within the mailbox (`other_source_key` empty) and one for each other source.
    """
    row = {
        "client_key": client_key,
        "source_key": source_key,
        "remote_id": remote_id,
        "other_source_key": other_source_key,
        "kind": kind,
        "other_remote_id": other_remote_id,
        "decided_at": at,
        "decided_by": by,
    }
    upsert(connection, thread_decision, [row])


def forget_decision(
    connection: Connection,
    client_key: str,
    source_key: str,
    remote_id: str,
    other_source_key: str = "",
) -> None:
    """Leaves a mail to its evidence again."""
    connection.execute(
        delete(thread_decision).where(
            thread_decision.c.client_key == client_key,
            thread_decision.c.source_key == source_key,
            thread_decision.c.remote_id == remote_id,
            thread_decision.c.other_source_key == other_source_key,
        )
    )


def doubtful(connection: Connection, client_key: str, limit: int) -> list[Row]:
    """Mails that could belong elsewhere, the latest first, but for those a person decided about.

    Each has `source_key`, `remote_id`, `subject`, `created_at`, `thread_reason`, `ticket_key`, `number` (of its ticket),
    `why`, and `other_key`, `other_number` of the alternative where it still exists.
    """
    other = ticket.alias("other")
    rows = connection.execute(
        select(
            comment.c.source_key,
            comment.c.remote_id,
            comment.c.subject,
            comment.c.created_at,
            comment.c.thread_reason,
            comment.c.thread_doubt,
            comment.c.ticket_key,
            ticket.c.number,
        )
        .select_from(
            comment.join(ticket, ticket.c.ticket_key == comment.c.ticket_key).outerjoin(
                thread_decision,
                (thread_decision.c.client_key == comment.c.client_key)
                & (thread_decision.c.source_key == comment.c.source_key)
                & (thread_decision.c.remote_id == comment.c.remote_id)
                & (thread_decision.c.other_source_key == ""),
            )
        )
        .where(
            comment.c.client_key == client_key,
            comment.c.thread_doubt.is_not(None),
            thread_decision.c.remote_id.is_(None),
        )
        .order_by(comment.c.created_at.desc(), comment.c.comment_key)
        .limit(limit)
    )
    found = [dict(row._mapping) for row in rows]
    ids = {row["thread_doubt"]["ticket_remote_id"] for row in found}
    statement = select(
        other.c.source_key, other.c.remote_id, other.c.ticket_key, other.c.number
    ).where(other.c.client_key == client_key)
    others = {
        (row.source_key, row.remote_id): row
        for row in select_in(connection, statement, other.c.remote_id, ids)
    }
    for row in found:
        doubt = row.pop("thread_doubt")
        match = others.get((row["source_key"], doubt["ticket_remote_id"]))
        row |= {
            "why": doubt["reason"],
            "other_key": match.ticket_key if match else None,
            "other_number": match.number if match else None,
        }
    return found


def shown(connection: Connection, comment_keys: Iterable[str]) -> dict[str, Row]:
    """What `doubtful` shows of mails, by comment key."""
    statement = select(
        comment.c.comment_key,
        comment.c.source_key,
        comment.c.remote_id,
        comment.c.subject,
        comment.c.created_at,
        comment.c.thread_reason,
        comment.c.ticket_key,
        ticket.c.number,
    ).select_from(comment.join(ticket, ticket.c.ticket_key == comment.c.ticket_key))
    return {
        (row := dict(found._mapping)).pop("comment_key"): row
        for found in select_in(connection, statement, comment.c.comment_key, comment_keys)
    }


def quiet_tickets(
    connection: Connection, client_key: str, source_key: str, status: str, before: datetime
) -> list[str]:
    """Remote ids of a source's tickets in a status since before an instant: silence may have solved them."""
    return list(
        connection.scalars(
            select(ticket.c.remote_id)
            .where(
                ticket.c.client_key == client_key,
                ticket.c.source_key == source_key,
                ticket.c.status == status,
                ticket.c.updated_at <= before,
            )
            .order_by(ticket.c.remote_id)
        )
    )
