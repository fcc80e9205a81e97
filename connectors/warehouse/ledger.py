"""The migration ledger: one row for each source record, and what became of it.

Belongs here: `migration_run` and `migration_item`, and the reads a move needs. Does not belong here:
decisions (`migrations`) or the target.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from connectors.warehouse.bulk import chunks, select_in, upsert
from connectors.warehouse.tables import (
    agent,
    comment,
    contact,
    migration_item,
    migration_run,
    quarantine,
    raw_record,
    ticket,
    ticket_link,
)

Row = dict[str, Any]


def open_run(
    connection: Connection,
    run_key: str,
    client_key: str,
    source_key: str,
    target: str,
    plan_sha256: str,
    started_at: datetime,
) -> None:
    """Notes that a run exists, and by which plan; state and start of one that exists are left as they are."""
    row = {
        "run_key": run_key,
        "client_key": client_key,
        "source_key": source_key,
        "target": target,
        "plan_sha256": plan_sha256,
        "state": "open",
        "started_at": started_at,
    }
    upsert(connection, migration_run, [row], keep=("state", "started_at"))


def close_run(connection: Connection, run_key: str, state: str, ended_at: datetime) -> None:
    """Notes how a run ended: `closed` (the sums close) or `open` again."""
    connection.execute(
        update(migration_run)
        .where(migration_run.c.run_key == run_key, migration_run.c.state != state)
        .values(state=state, ended_at=ended_at)
    )


def runs(connection: Connection, client_key: str) -> list[Row]:
    """A client's runs, by key."""
    rows = connection.execute(
        select(migration_run)
        .where(migration_run.c.client_key == client_key)
        .order_by(migration_run.c.run_key)
    )
    return [dict(row._mapping) for row in rows]


def remove_items(connection: Connection, run_key: str, gone: Sequence[Row]) -> None:
    """Removes lines of records that are not there any more (a conversation that was joined to another)."""
    for kind in ("mail", "ticket"):
        for chunk in chunks([one["remote_id"] for one in gone if one["kind"] == kind], 500):
            connection.execute(
                delete(migration_item).where(
                    migration_item.c.run_key == run_key,
                    migration_item.c.kind == kind,
                    migration_item.c.remote_id.in_(chunk),
                )
            )


def set_items(connection: Connection, items: Iterable[Row]) -> int:
    """Writes what became of items."""
    return upsert(connection, migration_item, items)


def items(
    connection: Connection, run_key: str, kind: str, states: Sequence[str] | None = None
) -> list[Row]:
    """Items of one kind (`mail` or `ticket`), in a stable order."""
    statement = select(migration_item).where(
        migration_item.c.run_key == run_key, migration_item.c.kind == kind
    )
    if states is not None:
        statement = statement.where(migration_item.c.state.in_(states))
    rows = connection.execute(statement.order_by(migration_item.c.remote_id))
    return [dict(row._mapping) for row in rows]


def mails_of(connection: Connection, run_key: str, ticket_keys: Iterable[str]) -> Iterator[Row]:
    """The mail items of some tickets."""
    statement = select(migration_item).where(
        migration_item.c.run_key == run_key, migration_item.c.kind == "mail"
    )
    for row in select_in(connection, statement, migration_item.c.ticket_key, ticket_keys):
        yield dict(row._mapping)


def source_mails(connection: Connection, client_key: str, source_key: str) -> dict[str, bool]:
    """Remote id of every mail the source ever gave, in the order in which they came → whether it stands.

    A mail that the source withdrew (one that was read while it was still being written) does not.
    """
    rows = connection.execute(
        select(raw_record.c.remote_id, raw_record.c.is_tombstone)
        .where(
            raw_record.c.client_key == client_key,
            raw_record.c.source_key == source_key,
            raw_record.c.stream == "mails",
        )
        .order_by(raw_record.c.raw_id)
    )
    return {row.remote_id: not row.is_tombstone for row in rows}


def source_comments(connection: Connection, client_key: str, source_key: str) -> list[Row]:
    """Every comment of the source: which mail it is, its ticket, whether a copy, who wrote it."""
    rows = connection.execute(
        select(
            comment.c.comment_key,
            comment.c.ticket_key,
            comment.c.raw_remote_id,
            comment.c.copy_of_key,
            comment.c.is_automatic,
            comment.c.created_at,
            comment.c.subject,
            comment.c.author_key,
            func.coalesce(contact.c.email, agent.c.email).label("author_email"),
        )
        .select_from(
            comment.outerjoin(contact, contact.c.contact_key == comment.c.author_key).outerjoin(
                agent, agent.c.agent_key == comment.c.author_key
            )
        )
        .where(comment.c.client_key == client_key, comment.c.source_key == source_key)
        .order_by(comment.c.ticket_key, comment.c.position)
    )
    return [dict(row._mapping) for row in rows]


def quarantined(connection: Connection, client_key: str, source_key: str) -> dict[str, str]:
    """Remote id of a mail in quarantine → its reason."""
    rows = connection.execute(
        select(quarantine.c.remote_id, quarantine.c.reason).where(
            quarantine.c.client_key == client_key,
            quarantine.c.source_key == source_key,
            quarantine.c.stream == "mails",
        )
    )
    return {row.remote_id: row.reason for row in rows}


def tickets_to_move(connection: Connection, ticket_keys: Iterable[str]) -> Iterator[Row]:
    """Tickets with their requester, and under `comments` their comments with author, in order."""
    for keys in chunks(dict.fromkeys(ticket_keys), 500):
        found = {
            row.ticket_key: {**row._mapping, "comments": []}
            for row in connection.execute(
                select(
                    ticket,
                    contact.c.email.label("requester_email"),
                    contact.c.name.label("requester_name"),
                )
                .select_from(
                    ticket.outerjoin(contact, contact.c.contact_key == ticket.c.requester_key)
                )
                .where(ticket.c.ticket_key.in_(keys))
            )
        }
        for row in connection.execute(_comments_with_authors(keys)):
            found[row.ticket_key]["comments"].append(dict(row._mapping))
        yield from (found[key] for key in keys if key in found)


def _comments_with_authors(ticket_keys: Sequence[str]) -> Any:
    return (
        select(
            comment.c.comment_key,
            comment.c.ticket_key,
            comment.c.raw_remote_id,
            comment.c.created_at,
            comment.c.author_kind,
            comment.c.is_public,
            comment.c.body_text,
            comment.c.body_html,
            func.coalesce(contact.c.email, agent.c.email).label("author_email"),
            func.coalesce(contact.c.name, agent.c.name).label("author_name"),
        )
        .select_from(
            comment.outerjoin(contact, contact.c.contact_key == comment.c.author_key).outerjoin(
                agent, agent.c.agent_key == comment.c.author_key
            )
        )
        .where(comment.c.ticket_key.in_(ticket_keys), comment.c.copy_of_key.is_(None))
        .order_by(comment.c.ticket_key, comment.c.position)
    )


def link_migrated(connection: Connection, client_key: str, pairs: Mapping[str, str]) -> None:
    """Notes for each original ticket key the key of its copy in the new home: one ticket, counted once."""
    upsert(
        connection,
        ticket_link,
        [
            {
                "client_key": client_key,
                "ticket_key": original,
                "other_key": copy,
                "kind": "migrated_to",
                "reason": "moved by a migration run",
            }
            for original, copy in pairs.items()
        ],
    )


def ticket_numbers(connection: Connection, ticket_keys: Iterable[str]) -> dict[str, Row]:
    """Subject, status and requester's address of some tickets, for the report."""
    statement = select(ticket.c.ticket_key, ticket.c.subject, ticket.c.status, ticket.c.created_at)
    rows = select_in(connection, statement, ticket.c.ticket_key, ticket_keys)
    return {row.ticket_key: dict(row._mapping) for row in rows}
