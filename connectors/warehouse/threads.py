"""What threading needs of the mails that are already comments.

Belongs here: reading their headers and places back. Does not belong here: threading (`transforms.threads`).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connectors.warehouse.tables import comment, ticket

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
