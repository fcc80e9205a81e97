"""Reads what mailboxes' conversations name and what the names stand for; keeps `same_conversation` links.

Belongs here: `ticket_name`, lookups by number, reference and Message-ID, decisions about tickets of other sources. Does not
belong here: what is the same (`transforms.conversations`), which of both counts (`duplicates`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, update

from connectors.warehouse import loading, persons, watermarks
from connectors.warehouse.bulk import KEYS_PER_QUERY, chunks, select_in, upsert
from connectors.warehouse.tables import (
    agent,
    comment,
    contact,
    contact_identity,
    sync_cursor,
    thread_decision,
    ticket,
    ticket_link,
    ticket_name,
)
from transforms.model import END_STATUSES

Row = dict[str, Any]

LINK = "same_conversation"


def state_of(connection: Connection, client_key: str) -> tuple[int, int]:
    """(revision of the client's tickets, number of the last matching of people): both are what links rest on."""
    revision = connection.scalar(
        select(func.max(ticket.c.history_revision)).where(ticket.c.client_key == client_key)
    )
    people = watermarks.watermark(connection, client_key, watermarks.PEOPLE_MATCHED).number
    return int(revision or 0), people


def linked_at(connection: Connection, client_key: str) -> tuple[int, int]:
    """The state at which links were found last."""
    return (
        watermarks.watermark(connection, client_key, watermarks.CONVERSATIONS).number,
        watermarks.watermark(connection, client_key, watermarks.CONVERSATIONS_PEOPLE).number,
    )


def mark_linked(connection: Connection, client_key: str, state: tuple[int, int]) -> None:
    """Notes the state at which links were found."""
    steps = (watermarks.CONVERSATIONS, watermarks.CONVERSATIONS_PEOPLE)
    for step, number in zip(steps, state, strict=True):
        watermarks.set_watermark(connection, client_key, step, watermarks.Watermark(number))


def mailboxes(connection: Connection, client_key: str) -> frozenset[str]:
    """The client's sources that give mails."""
    return frozenset(
        connection.scalars(
            select(sync_cursor.c.source_key).where(
                sync_cursor.c.client_key == client_key, sync_cursor.c.stream == "mails"
            )
        )
    )


def namings(connection: Connection, client_key: str) -> Iterator[Row]:
    """What the mails of conversations that are alive name: the fields of `transforms.conversations.Naming`."""
    rows = connection.execute(
        select(
            ticket_name.c.ticket_key,
            ticket_name.c.comment_key,
            ticket_name.c.kind,
            ticket_name.c.value,
            comment.c.created_at.label("sent_at"),
            func.coalesce(comment.c.subject, "").label("subject"),
            comment.c.participants,
        )
        .select_from(
            ticket_name.join(comment, comment.c.comment_key == ticket_name.c.comment_key).join(
                ticket, ticket.c.ticket_key == ticket_name.c.ticket_key
            )
        )
        .where(ticket_name.c.client_key == client_key, ticket.c.status.not_in(END_STATUSES))
        .execution_options(yield_per=2_000)
    )
    for row in rows:
        yield dict(row._mapping) | {"participants": tuple(row.participants or ())}


def keys_by_number(
    connection: Connection, client_key: str, numbers: Iterable[str]
) -> dict[str, set[str]]:
    """Number → keys of the client's tickets that have it."""
    statement = select(ticket.c.number, ticket.c.ticket_key).where(
        ticket.c.client_key == client_key
    )
    return _gathered(select_in(connection, statement, ticket.c.number, numbers))


def keys_by_reference(
    connection: Connection, client_key: str, references: Iterable[str]
) -> dict[str, set[str]]:
    """A helpdesk's reference → keys of the tickets that it names."""
    statement = select(ticket_name.c.value, ticket_name.c.ticket_key).where(
        ticket_name.c.client_key == client_key, ticket_name.c.kind == "own reference"
    )
    return _gathered(select_in(connection, statement, ticket_name.c.value, references))


def keys_by_mail(
    connection: Connection, client_key: str, message_ids: Iterable[str]
) -> dict[str, set[str]]:
    """Message-ID → keys of the client's tickets in which the mail stands."""
    statement = select(comment.c.message_id, comment.c.ticket_key).where(
        comment.c.client_key == client_key
    )
    return _gathered(select_in(connection, statement, comment.c.message_id, message_ids))


def _gathered(rows: Iterable[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for value, key in rows:
        found.setdefault(value, set()).add(key)
    return found


def standing_for(connection: Connection, ticket_keys: Iterable[str]) -> dict[str, str]:
    """Key → the ticket that counts for it: of a merged one the other, of a migrated copy the original."""
    found: dict[str, str] = {}
    due = set(ticket_keys)
    while due:
        rows = [
            *select_in(
                connection,
                select(ticket_link.c.ticket_key, ticket_link.c.other_key).where(
                    ticket_link.c.kind == "merged_into"
                ),
                ticket_link.c.ticket_key,
                due,
            ),
            *select_in(
                connection,
                select(ticket_link.c.other_key, ticket_link.c.ticket_key).where(
                    ticket_link.c.kind == "migrated_to"
                ),
                ticket_link.c.other_key,
                due,
            ),
        ]
        steps = dict(sorted(((row[0], row[1]) for row in rows), reverse=True))
        due = {other for one, other in steps.items() if other not in found and one not in found}
        found.update(steps)
    return {key: _end(key, found) for key in found}


def _end(key: str, steps: Mapping[str, str]) -> str:
    seen = {key}
    while key in steps and steps[key] not in seen:
        key = steps[key]
        seen.add(key)
    return key


def parties(connection: Connection, ticket_keys: Iterable[str]) -> Iterator[Row]:
    """What tickets are compared by, with status and url, the requester's address and the key leading their group."""
    statement = select(
        ticket.c.ticket_key,
        ticket.c.source_key,
        func.coalesce(ticket.c.number, ticket.c.remote_id).label("number"),
        ticket.c.subject,
        ticket.c.status,
        ticket.c.created_at,
        ticket.c.updated_at,
        ticket.c.url,
        persons.leading(contact, contact.c.contact_key).label("person"),
        func.lower(contact.c.email).label("address"),
    ).select_from(ticket.outerjoin(contact, contact.c.contact_key == ticket.c.requester_key))
    for row in select_in(connection, statement, ticket.c.ticket_key, ticket_keys):
        yield dict(row._mapping)


def persons_by_address(
    connection: Connection, client_key: str, addresses: Iterable[str]
) -> dict[str, set[str]]:
    """Address → keys that lead the groups of the contacts who have it."""
    leader = persons.leading(contact, contact.c.contact_key)
    statement = (
        select(contact_identity.c.value, leader)
        .select_from(
            contact_identity.join(contact, contact.c.contact_key == contact_identity.c.contact_key)
        )
        .where(contact_identity.c.client_key == client_key, contact_identity.c.kind == "email")
    )
    return _gathered(select_in(connection, statement, contact_identity.c.value, addresses))


def agents_addresses(connection: Connection, client_key: str) -> frozenset[str]:
    """Addresses of the client's agents, in small letters."""
    return frozenset(
        connection.scalars(
            select(func.lower(agent.c.email)).where(
                agent.c.client_key == client_key, agent.c.email.is_not(None)
            )
        )
    )


def decisions(connection: Connection, client_key: str) -> list[Row]:
    """What people decided about conversations and other sources' tickets, with the keys of both as they are now.

    Each has `kind` (with, apart, alone), `ticket_key` of the mail's conversation and `other_key` (None for alone: the mail
    begins a conversation of its own and still does). What is about records that are not here is left out.
    """
    rows = [
        *connection.execute(
            select(thread_decision).where(
                thread_decision.c.client_key == client_key,
                or_(thread_decision.c.other_source_key != "", thread_decision.c.kind == "apart"),
            )
        )
    ]
    names = {(row.source_key, row.remote_id) for row in rows}
    names |= {(row.other_source_key, row.other_remote_id) for row in rows if row.other_source_key}
    held = keys_by_remote_id(connection, client_key, names)
    found: list[Row] = []
    for row in rows:
        key, reason = held.get((row.source_key, row.remote_id), (None, None))
        if key is None:
            continue
        if not row.other_source_key:
            if reason == "set apart by a person":
                found.append({"kind": "alone", "ticket_key": key, "other_key": None})
            continue
        other, _ = held.get((row.other_source_key, row.other_remote_id), (None, None))
        if other is not None:
            found.append({"kind": row.kind, "ticket_key": key, "other_key": other})
    return found


def keys_by_remote_id(
    connection: Connection, client_key: str, names: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(source, id of a ticket, a comment or a mail) → (key of the ticket, the mail's reason of its place)."""
    wanted = set(names)
    ids = {remote_id for _, remote_id in wanted}
    found: dict[tuple[str, str], tuple[str, str | None]] = {}
    columns = (comment.c.source_key, comment.c.ticket_key, comment.c.thread_reason)
    by_mail = select(*columns, comment.c.raw_remote_id.label("id")).where(
        comment.c.client_key == client_key
    )
    for row in select_in(connection, by_mail, comment.c.raw_remote_id, ids):
        found[row.source_key, row.id] = (row.ticket_key, row.thread_reason)
    by_id = select(ticket.c.source_key, ticket.c.ticket_key, ticket.c.remote_id).where(
        ticket.c.client_key == client_key,
        ticket.c.source_key.in_({source for source, _ in wanted}),
    )
    for row in select_in(connection, by_id, ticket.c.remote_id, ids):
        found[row.source_key, row.remote_id] = (row.ticket_key, None)
    return {name: found[name] for name in wanted if name in found}


def links(connection: Connection, client_key: str) -> dict[str, tuple[str, str]]:
    """Conversation → (the ticket it is, why)."""
    rows = connection.execute(
        select(ticket_link).where(
            ticket_link.c.client_key == client_key, ticket_link.c.kind == LINK
        )
    )
    return {row.ticket_key: (row.other_key, row.reason) for row in rows}


def write_links(
    connection: Connection, client_key: str, wanted: Mapping[str, tuple[str, str]]
) -> int:
    """Makes these the only links; the tickets of links that came or went are compared anew. Gives how many did."""
    revision = loading.next_revision(connection, client_key)
    present = links(connection, client_key)
    gone = [key for key, link in present.items() if wanted.get(key, ("",))[0] != link[0]]
    new = {key: link for key, link in wanted.items() if present.get(key) != link}
    for chunk in chunks(gone, KEYS_PER_QUERY):
        connection.execute(
            delete(ticket_link).where(
                ticket_link.c.client_key == client_key,
                ticket_link.c.kind == LINK,
                ticket_link.c.ticket_key.in_(chunk),
            )
        )
    rows = [
        {
            "client_key": client_key,
            "ticket_key": key,
            "other_key": other,
            "kind": LINK,
            "reason": reason,
        }
        for key, (other, reason) in new.items()
    ]
    upsert(connection, ticket_link, rows)
    moved = {*gone, *new} | {present[key][0] for key in gone} | {other for other, _ in new.values()}
    touch(connection, moved, revision)
    return len({*gone, *new})


def touch(connection: Connection, ticket_keys: Iterable[str], revision: int) -> None:
    """Says that these tickets are to be looked at again: compared, and their clocks evaluated."""
    for chunk in chunks(ticket_keys, KEYS_PER_QUERY):
        connection.execute(
            update(ticket).where(ticket.c.ticket_key.in_(chunk)).values(history_revision=revision)
        )
