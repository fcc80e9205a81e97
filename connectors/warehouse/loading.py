"""Writes normalised rows: whole tickets with all that hangs on them, people, quarantine.

Belongs here: which table is replaced by which parent, and reading what a load needs to know beforehand.
Does not belong here: how rows are made (`transforms.rows`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, func, or_, select

from connectors.warehouse import files, watermarks
from connectors.warehouse.bulk import delete_in, replace_children, select_in, upsert
from connectors.warehouse.tables import (
    agent,
    attachment,
    comment,
    contact,
    contact_identity,
    organisation,
    quarantine,
    satisfaction_rating,
    sla_clock,
    source_sla_event,
    team,
    team_member,
    ticket,
    ticket_change,
    ticket_link,
    ticket_name,
)
from transforms.model import Rejected

Row = Mapping[str, Any]

_OF_TICKET = (
    comment,
    ticket_change,
    attachment,
    satisfaction_rating,
    source_sla_event,
    ticket_name,
)


def next_revision(connection: Connection, client_key: str) -> int:
    """The number of this transaction among those that write a client's tickets.

    Raw ids would not do: a source that was pulled first may be normalised last, and silence changes a ticket
    without any record. Here later commits have greater numbers, since writers of one client wait for each
    other from this call on. Call it first in the transaction.
    """
    revision = watermarks.count_up(connection, client_key, watermarks.REVISIONS)
    if revision is None:
        newest = connection.scalar(
            select(func.max(ticket.c.history_revision)).where(ticket.c.client_key == client_key)
        )
        first = watermarks.Watermark(newest or 0)
        watermarks.set_watermark(connection, client_key, watermarks.REVISIONS, first, update=False)
        revision = watermarks.count_up(connection, client_key, watermarks.REVISIONS)
    assert revision is not None, "the row was just made"
    return revision


def write_tickets(
    connection: Connection, ticket_keys: Sequence[str], rows: Mapping[str, Sequence[Row]]
) -> int:
    """Makes the given rows the whole truth about these tickets.

    Args:
        connection: inside a transaction.
        ticket_keys: whose rows are replaced.
        rows: table name → rows, for ticket, comment, ticket_change, attachment, satisfaction_rating,
            source_sla_event, ticket_name, ticket_link. `recorded_at` of a change stays what it was when we first learned of it.

    Returns:
        How many rows were inserted, changed or deleted.
    """
    changed = upsert(connection, ticket, rows["ticket"])
    for table in _OF_TICKET:
        keep = ("recorded_at",) if table is ticket_change else ()
        its_rows = rows[table.name]
        if table is attachment:
            its_rows = files.with_digests(connection, its_rows)
        changed += replace_children(
            connection, table, "ticket_key", ticket_keys, its_rows, keep=keep
        )
    return changed + upsert(connection, ticket_link, rows["ticket_link"])


def tickets_without_people(
    connection: Connection, client_key: str, source_key: str, since: datetime
) -> list[str]:
    """Remote ids of tickets that were at work since an instant and name somebody who is not known yet.

    People are pulled before tickets: whoever wrote for the first time between the two comes with the next
    pull, when nothing is new about the ticket.
    """
    unknown_author = exists().where(
        comment.c.ticket_key == ticket.c.ticket_key,
        comment.c.author_kind.in_(("customer", "agent")),
        comment.c.author_key.is_(None),
    )
    return list(
        connection.scalars(
            select(ticket.c.remote_id)
            .where(
                ticket.c.client_key == client_key,
                ticket.c.source_key == source_key,
                ticket.c.updated_at >= since,
                or_(ticket.c.requester_key.is_(None), unknown_author),
            )
            .order_by(ticket.c.remote_id)
        )
    )


def forget_tickets(connection: Connection, ticket_keys: Iterable[str]) -> None:
    """Removes the derived rows of tickets that no longer stand for themselves (their thread was joined)."""
    keys = list(ticket_keys)
    for table in (*_OF_TICKET, sla_clock, ticket):
        delete_in(connection, table, table.c.ticket_key, keys)


def forget_withdrawn(
    connection: Connection, client_key: str, source_key: str, remote_ids: Iterable[str]
) -> None:
    """Removes comments whose mail its source withdrew, with their files."""
    statement = select(comment.c.comment_key).where(
        comment.c.client_key == client_key, comment.c.source_key == source_key
    )
    rows = select_in(connection, statement, comment.c.remote_id, remote_ids)
    keys = [row.comment_key for row in rows]
    for table in (attachment, comment):
        delete_in(connection, table, table.c.comment_key, keys)


def forget_emptied(connection: Connection, client_key: str, source_key: str) -> None:
    """Removes the rows of a mailbox's tickets without any mail: joined to another, or withdrawn."""
    has_mail = exists().where(comment.c.ticket_key == ticket.c.ticket_key)
    emptied = select(ticket.c.ticket_key).where(
        ticket.c.client_key == client_key, ticket.c.source_key == source_key, ~has_mail
    )
    forget_tickets(connection, list(connection.scalars(emptied)))


def created_at_of(connection: Connection, ticket_keys: Iterable[str]) -> dict[str, datetime]:
    """Ticket key → when it was created, for those that have a row."""
    statement = select(ticket.c.ticket_key, ticket.c.created_at)
    rows = select_in(connection, statement, ticket.c.ticket_key, ticket_keys)
    return {row.ticket_key: row.created_at for row in rows}


def write_people(
    connection: Connection,
    *,
    contacts: Sequence[Row] = (),
    identities: Sequence[Row] = (),
    agents: Sequence[Row] = (),
    organisations: Sequence[Row] = (),
    teams: Sequence[Row] = (),
) -> int:
    """Upserts people, their identities, organisations and teams; returns how many rows changed."""
    return (
        upsert(connection, contact, contacts)
        + upsert(connection, contact_identity, identities, update=False)
        + upsert(connection, agent, agents)
        + upsert(connection, organisation, organisations)
        + upsert(connection, team, teams)
    )


def write_members(
    connection: Connection, client_key: str, members: Mapping[str, Iterable[str]]
) -> int:
    """Makes the given agents the only members of these teams; returns how many rows changed.

    Args:
        connection: inside a transaction.
        client_key: whose.
        members: team key → agent keys.
    """
    rows = [
        {"team_key": team_key, "agent_key": agent_key, "client_key": client_key}
        for team_key, agent_keys in members.items()
        for agent_key in dict.fromkeys(agent_keys)
    ]
    return replace_children(connection, team_member, "team_key", members, rows)


def read_organisations(
    connection: Connection, organisation_keys: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """The present rows of some organisations."""
    rows = select_in(
        connection, select(organisation), organisation.c.organisation_key, organisation_keys
    )
    return {row.organisation_key: dict(row._mapping) for row in rows}


def write_quarantine(
    connection: Connection,
    client_key: str,
    source_key: str,
    rejected: Sequence[Rejected],
    understood: Mapping[str, Iterable[str]],
    transform_version: str,
    seen_at: datetime,
) -> int:
    """Lists what could not be understood, and takes off the list what now is.

    Args:
        connection: inside a transaction.
        client_key: whose.
        source_key: the source's id.
        rejected: what the transform refused, with reasons.
        understood: stream → remote ids that were given to the transform; those not refused leave the list.
        transform_version: which transform said so.
        seen_at: aware instant.

    Returns:
        How many records are in quarantine because of this call.
    """
    refused = {(one.stream, one.remote_id) for one in rejected}
    for stream, remote_ids in understood.items():
        fine = [remote_id for remote_id in remote_ids if (stream, remote_id) not in refused]
        listed = select(quarantine.c.remote_id).where(
            quarantine.c.client_key == client_key,
            quarantine.c.source_key == source_key,
            quarantine.c.stream == stream,
        )
        present = set(connection.scalars(listed))
        for remote_id in present.intersection(fine):
            connection.execute(
                delete(quarantine).where(
                    quarantine.c.client_key == client_key,
                    quarantine.c.source_key == source_key,
                    quarantine.c.stream == stream,
                    quarantine.c.remote_id == remote_id,
                )
            )
    rows = [
        {
            "client_key": client_key,
            "source_key": source_key,
            "stream": one.stream,
            "remote_id": one.remote_id,
            "reason": one.reason,
            "detail": one.detail[:500],
            "transform_version": transform_version,
            "seen_at": seen_at,
        }
        for one in rejected
    ]
    upsert(connection, quarantine, rows, keep=("seen_at",))
    return len(rows)
