"""Dead letters: pages that nobody took in go to another channel, each one once.

Belongs here: which pages those are and what is said of them. Does not belong here: sending, retrying (`outbox`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, literal, or_, select

from connectors.warehouse.lanes import Lane
from connectors.warehouse.outbox import NewDelivery, enqueue, in_lane, of_client
from connectors.warehouse.tables import delivery

PAGE_BUDGET = timedelta(minutes=3)
"""A page that has not been taken in for this long goes to another channel as well."""


def undelivered_pages(
    connection: Connection,
    now: datetime,
    fallback: Mapping[Lane, Lane],
    client_key: str | None = None,
) -> int:
    """Sends pages that are dead, or not taken in for three minutes, to another channel: each one once.

    The page itself is tried further, no harder. The dead letter has a key of its own, `dead:` before the
    page's, and a body that says why it comes this way.

    Args:
        connection: a short transaction.
        now: aware instant.
        fallback: lane of pages → lane to use instead.
        client_key: only this client's pages; None takes all.

    Returns:
        How many dead letters were new.
    """
    letters = []
    for lane, other in fallback.items():
        letter = delivery.alias("letter")
        has_letter = exists().where(
            letter.c.channel == other.channel,
            letter.c.destination == other.destination,
            letter.c.message_key == literal("dead:").concat(delivery.c.message_key),
        )
        rows = connection.execute(
            select(delivery).where(
                *in_lane(lane),
                *of_client(client_key),
                delivery.c.action == "trigger",
                or_(
                    delivery.c.state == "dead",
                    and_(delivery.c.state == "pending", delivery.c.created_at <= now - PAGE_BUDGET),
                ),
                ~delivery.c.message_key.startswith("dead:"),
                ~has_letter,
            )
        )
        letters += [_letter(row, lane, other, now) for row in rows]
    return enqueue(connection, letters)


def _letter(row: Any, lane: Lane, other: Lane, now: datetime) -> NewDelivery:
    body = dict(row.body)
    detail = (row.outcome or "not tried yet").partition(": ")[2] or row.outcome or "not tried yet"
    why = f"The page could not be delivered through {lane.channel} ({lane.destination}): {detail}"
    body["title"] = f"Undelivered page: {body.get('title', '')}"
    body["text"] = f"{why}\n{body.get('text', '')}".rstrip()
    body["severity"] = "critical"
    return NewDelivery(
        client_key=row.client_key,
        channel=other.channel,
        destination=other.destination,
        message_key=f"dead:{row.message_key}",
        action="trigger",
        body=body,
        created_at=now,
        ticket_key=row.ticket_key,
    )
