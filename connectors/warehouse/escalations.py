"""Timers and escalations: which tickets escalation has to look at, what was decided, who is affected.

Belongs here: `timer` and `escalation`, and the reads around them. Does not belong here: decisions
(`sla_rules.escalation`), the outbox (`outbox`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from connectors.warehouse import watermarks
from connectors.warehouse.bulk import select_in, upsert
from connectors.warehouse.history import does_not_count
from connectors.warehouse.tables import (
    client,
    contact,
    delivery,
    escalation,
    organisation,
    sla_clock,
    ticket,
    timer,
)
from transforms.model import END_STATUSES

Row = dict[str, Any]

LOOK_BACK = timedelta(days=2)
"""How long after its solution a paged ticket is still looked at, so that its pages are resolved."""


MONTH = timedelta(days=30)


def lock_client(connection: Connection, client_key: str) -> None:
    """Makes two workers that decide for one client wait for each other until the transaction ends.

    SQLite lets one writer in at a time anyhow; PostgreSQL holds the client's row.
    """
    connection.execute(
        select(client.c.client_key).where(client.c.client_key == client_key).with_for_update()
    )


def tickets_to_look_at(connection: Connection, client_key: str, as_of: datetime) -> list[str]:
    """Keys of tickets that are open at `as_of`, or have timers that are not settled yet.

    Tickets that no longer count (duplicates, copies of migrated ones) are looked at only where they have
    pending timers, so that these are cancelled; so are keys that no ticket has any more (its conversation was
    joined to another), for their pages of the last month as well, so that these are resolved.
    """
    is_open = and_(
        ticket.c.created_at <= as_of,
        ticket.c.status.not_in(END_STATUSES),
        or_(ticket.c.solved_at.is_(None), ticket.c.solved_at > as_of),
        ~does_not_count(),
    )
    is_pending = exists().where(
        timer.c.ticket_key == ticket.c.ticket_key, timer.c.state == "pending"
    )
    was_paged = and_(
        exists().where(timer.c.ticket_key == ticket.c.ticket_key, timer.c.state == "fired"),
        or_(ticket.c.solved_at.is_(None), ticket.c.solved_at > as_of - LOOK_BACK),
    )
    found = connection.scalars(
        select(ticket.c.ticket_key).where(
            ticket.c.client_key == client_key, or_(is_open, is_pending, was_paged)
        )
    )
    gone = connection.scalars(
        select(timer.c.ticket_key)
        .where(
            timer.c.client_key == client_key,
            or_(
                timer.c.state == "pending",
                and_(timer.c.state == "fired", timer.c.due_at > as_of - MONTH),
            ),
            ~exists().where(ticket.c.ticket_key == timer.c.ticket_key),
        )
        .distinct()
    )
    return sorted({*found, *gone})


def read_timers(connection: Connection, ticket_keys: Iterable[str]) -> dict[str, list[Row]]:
    """Ticket key → its timer rows."""
    found: dict[str, list[Row]] = {}
    for row in select_in(connection, select(timer), timer.c.ticket_key, ticket_keys):
        found.setdefault(row.ticket_key, []).append(dict(row._mapping))
    return found


def read_clocks(connection: Connection, ticket_keys: Iterable[str]) -> dict[str, list[Row]]:
    """Ticket key → its clock rows, as they were last evaluated."""
    found: dict[str, list[Row]] = {}
    for row in select_in(connection, select(sla_clock), sla_clock.c.ticket_key, ticket_keys):
        found.setdefault(row.ticket_key, []).append(dict(row._mapping))
    return found


def ticket_cards(connection: Connection, ticket_keys: Iterable[str]) -> dict[str, Row]:
    """What a message says of a ticket: number, subject, link, customer."""
    statement = select(
        ticket.c.ticket_key,
        ticket.c.number,
        ticket.c.subject,
        ticket.c.url,
        ticket.c.source_key,
        ticket.c.category,
        contact.c.name.label("customer"),
        organisation.c.name.label("organisation"),
    ).select_from(
        ticket.outerjoin(contact, contact.c.contact_key == ticket.c.requester_key).outerjoin(
            organisation, organisation.c.organisation_key == ticket.c.organisation_key
        )
    )
    rows = select_in(connection, statement, ticket.c.ticket_key, ticket_keys)
    return {row.ticket_key: dict(row._mapping) for row in rows}


def write_decisions(
    connection: Connection, timers: Sequence[Row], escalations: Sequence[Row]
) -> int:
    """Writes timers and what was decided; a decision that stands is never rewritten."""
    return upsert(connection, timer, timers) + upsert(
        connection, escalation, escalations, update=False
    )


def sent_triggers(connection: Connection, message_keys: Iterable[str]) -> dict[str, list[Row]]:
    """Message key → its trigger rows in the outbox, whatever became of them."""
    statement = select(
        delivery.c.message_key,
        delivery.c.channel,
        delivery.c.destination,
        delivery.c.ticket_key,
        delivery.c.body,
    ).where(delivery.c.action == "trigger")
    found: dict[str, list[Row]] = {}
    for row in select_in(connection, statement, delivery.c.message_key, message_keys):
        found.setdefault(row.message_key, []).append(dict(row._mapping))
    return found


def last_tick(connection: Connection, client_key: str) -> datetime | None:
    """The instant up to which a client's timers were settled."""
    return watermarks.watermark(connection, client_key, watermarks.TICK).at


def set_last_tick(connection: Connection, client_key: str, as_of: datetime) -> None:
    """Notes that a client's timers are settled up to `as_of`."""
    mark = watermarks.Watermark(at=as_of)
    watermarks.set_watermark(connection, client_key, watermarks.TICK, mark)


def next_instant(connection: Connection, client_key: str, after: datetime) -> datetime | None:
    """The earliest instant after `after` at which a timer comes due, a clock flips or a ticket comes in."""
    candidates = (
        select(func.min(timer.c.due_at)).where(
            timer.c.client_key == client_key, timer.c.state == "pending", timer.c.due_at > after
        ),
        select(func.min(sla_clock.c.next_check_at)).where(
            sla_clock.c.client_key == client_key, sla_clock.c.next_check_at > after
        ),
        select(func.min(ticket.c.created_at)).where(
            ticket.c.client_key == client_key, ticket.c.created_at > after
        ),
    )
    found = [connection.scalar(candidate) for candidate in candidates]
    return min((instant for instant in found if instant is not None), default=None)
