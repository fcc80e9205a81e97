"""What waits for a person: records in quarantine, messages that did not leave.

Belongs here: listing them, and what a person decides about a dead message. Does not belong here: putting
records into quarantine (`loading`), sending (`outbox`), dead letters (`dead_letters`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, func, or_, select, update

from connectors.warehouse import audit
from connectors.warehouse.tables import delivery, quarantine, raw_record, ticket

Row = dict[str, Any]


def quarantine_counts(connection: Connection, client_key: str) -> list[Row]:
    """`source_key`, `stream`, `reason`, `records`; the most frequent first."""
    q = quarantine.c
    count = func.count().label("records")
    rows = connection.execute(
        select(q.source_key, q.stream, q.reason, count)
        .where(q.client_key == client_key)
        .group_by(q.source_key, q.stream, q.reason)
        .order_by(count.desc(), q.source_key, q.stream, q.reason)
    )
    return [dict(row._mapping) for row in rows]


def quarantined_records(connection: Connection, client_key: str, limit: int) -> list[Row]:
    """Records in quarantine, newest first, each with size and sha256 of its latest raw version."""
    r, q = raw_record.c, quarantine.c
    newest = (
        select(func.max(r.raw_id))
        .where(
            r.client_key == q.client_key,
            r.source_key == q.source_key,
            r.stream == q.stream,
            r.remote_id == q.remote_id,
        )
        .correlate(quarantine)
        .scalar_subquery()
    )
    latest = raw_record.alias("latest")
    rows = connection.execute(
        select(
            q.source_key,
            q.stream,
            q.remote_id,
            q.reason,
            q.detail,
            q.seen_at,
            q.transform_version,
            latest.c.payload_sha256,
            func.length(latest.c.payload).label("size_bytes"),
        )
        .select_from(quarantine.outerjoin(latest, latest.c.raw_id == newest))
        .where(q.client_key == client_key)
        .order_by(q.seen_at.desc(), q.source_key, q.stream, q.remote_id)
        .limit(limit)
    )
    return [dict(row._mapping) for row in rows]


def quarantined_as(connection: Connection, text: str, client_key: str | None) -> list[Row]:
    """Records in quarantine of what somebody calls a ticket: its id, the record's, or `source/id`; at most ten."""
    source_key, _, number = text.rpartition("/")
    r, q = raw_record.c, quarantine.c
    conditions = [or_(q.remote_id.in_([text, number]), r.ticket_remote_id.in_([text, number]))]
    if source_key:
        # An id may hold a slash itself.
        conditions.append(or_(q.source_key == source_key, q.remote_id == text))
    if client_key is not None:
        conditions.append(q.client_key == client_key)
    of_record = and_(
        r.client_key == q.client_key,
        r.source_key == q.source_key,
        r.stream == q.stream,
        r.remote_id == q.remote_id,
    )
    rows = connection.execute(
        select(
            q.client_key,
            q.source_key,
            q.stream,
            q.remote_id,
            q.reason,
            q.detail,
            q.seen_at,
            r.location,
        )
        .select_from(quarantine.outerjoin(raw_record, of_record))
        .where(*conditions)
        .order_by(q.client_key, q.source_key, q.stream, q.remote_id, r.raw_id.desc())
        .limit(100)
    )
    newest: dict[tuple[str, ...], Row] = {}
    for row in rows:
        newest.setdefault(tuple(row)[:4], dict(row._mapping))
    return list(newest.values())[:10]


def undelivered(connection: Connection, client_key: str) -> list[Row]:
    """Messages that are dead, or were tried and wait for their next attempt; oldest first."""
    d = delivery.c
    rows = connection.execute(
        select(
            d.delivery_key,
            d.channel,
            d.destination,
            d.action,
            d.message_key,
            d.state,
            d.attempts,
            d.outcome,
            d.created_at,
            d.next_at,
            d.body,
            ticket.c.source_key,
            ticket.c.number,
        )
        .select_from(delivery.outerjoin(ticket, ticket.c.ticket_key == d.ticket_key))
        .where(
            d.client_key == client_key,
            (d.state == "dead") | ((d.state == "pending") & (d.attempts > 0)),
        )
        .order_by(d.created_at, d.delivery_key)
    )
    return [dict(row._mapping) for row in rows]


def settle_dead(
    connection: Connection,
    client_key: str,
    delivery_keys: Sequence[str],
    decision: Literal["retry", "drop"],
    by: str,
    now: datetime,
) -> int:
    """What a person decides about dead messages: try again, or let be; written into the audit trail.

    A message that is tried again keeps its key, so that a provider that took it in after all does not alert
    twice. One that is older than a day gets a single attempt.

    Args:
        connection: a short transaction.
        client_key: whose; messages of others are left alone.
        delivery_keys: which.
        decision: `retry` or `drop`.
        by: who decided, and why.
        now: aware instant.

    Returns:
        How many were dead and are settled now.
    """
    values: dict[str, Any] = (
        {"state": "pending", "next_at": now, "lease_owner": None, "lease_until": None}
        if decision == "retry"
        else {"state": "cancelled", "outcome": f"dropped by {by}"}
    )
    settled = [
        key
        for key in delivery_keys
        if connection.execute(
            update(delivery)
            .where(
                delivery.c.delivery_key == key,
                delivery.c.client_key == client_key,
                delivery.c.state == "dead",
            )
            .values(values)
        ).rowcount
    ]
    word = "message tried again" if decision == "retry" else "message dropped"
    audit.append(
        connection,
        client_key,
        [audit.AuditItem(word, key, now, {"by": by}) for key in settled],
    )
    return len(settled)
