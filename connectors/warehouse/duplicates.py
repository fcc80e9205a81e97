"""Reads what duplicates are found by, and keeps the links.

Belongs here: first messages, candidates, `ticket_link` rows of kind `duplicate_of`. Does not belong here:
comparing (`transforms.duplicates`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, or_, select, update

from connectors.warehouse import loading, persons, watermarks
from connectors.warehouse.bulk import KEYS_PER_QUERY, chunks, one_of, select_in, upsert
from connectors.warehouse.history import UNDATED
from connectors.warehouse.tables import comment, contact, contact_identity, ticket, ticket_link
from transforms.model import END_STATUSES

Row = dict[str, Any]

_FORWARD_WORDS = (
    "fw",
    "fwd",
    "wg",
    "tr",
    "rv",
    "enc",
    "pd",
    "vb",
    "vl",
    "doorst",
    "ilt",
    "i̇lt",
    "转发",
    "転送",
)
"""How subjects of forwards begin, in lower case."""

_SUBJECT = func.coalesce(func.nullif(comment.c.subject, ""), ticket.c.subject)
"""The first message's own subject, where it has one: a mailbox's ticket has no `Fwd:` any more."""

LONGEST_TEXT = 4_000
"""Characters of a first message that are read for the comparison."""


def compared_up_to(connection: Connection, client_key: str) -> int:
    """The newest revision of a client's tickets that was compared."""
    return watermarks.watermark(connection, client_key, watermarks.DUPLICATES).number


def new_requesters(connection: Connection, client_key: str, after: int) -> list[str | None]:
    """Who asked for the tickets that `new_tickets` gives; None where somebody unknown did."""
    statement = select(ticket.c.requester_key).where(*_is_new(client_key, after)).distinct()
    return list(connection.scalars(statement.order_by(ticket.c.requester_key)))


def new_tickets(
    connection: Connection, client_key: str, after: int, requester_keys: Sequence[str | None]
) -> list[Row]:
    """Tickets of some requesters whose history moved after a revision, with their first message.

    Duplicates whose primary has ended since (somebody deleted it, say) are among them: one of the two has to
    count.
    """
    known = [key for key in requester_keys if key is not None]
    asked = [one_of(connection, ticket.c.requester_key, known)] if known else []
    if len(known) < len(requester_keys):
        asked.append(ticket.c.requester_key.is_(None))
    statement = _with_first_message().where(*_is_new(client_key, after), or_(*asked))
    rows = [dict(row._mapping) for row in connection.execute(statement)]
    return _with_later_mails(connection, rows)


def tickets_of(connection: Connection, ticket_keys: Iterable[str]) -> list[Row]:
    """These tickets with their first message, as `new_tickets` gives them."""
    found = select_in(connection, _with_first_message(), ticket.c.ticket_key, ticket_keys)
    return _with_later_mails(connection, [dict(row._mapping) for row in found])


def _is_new(client_key: str, after: int) -> tuple[Any, ...]:
    primary = ticket.alias("primary")
    link = ticket_link.alias("link")
    orphaned = (
        select(link.c.ticket_key)
        .join(primary, primary.c.ticket_key == link.c.other_key)
        .where(
            link.c.client_key == client_key,
            link.c.kind == "duplicate_of",
            primary.c.status.in_(END_STATUSES),
        )
    )
    return (
        ticket.c.client_key == client_key,
        or_(ticket.c.history_revision > after, ticket.c.ticket_key.in_(orphaned)),
    )


def candidates(
    connection: Connection,
    client_key: str,
    requester_keys: Iterable[str],
    message_ids: Iterable[str],
    forwarded: tuple[datetime, datetime] | None,
    besides: Collection[str],
) -> list[Row]:
    """Tickets that could be the same request as others, but for the tickets `besides`.

    Args:
        connection: to read with.
        client_key: whose.
        requester_keys: tickets of these people are among them, and of whoever is one person with them.
        message_ids: tickets that hold one of these mails, too.
        forwarded: and those opened between two instants whose subject begins like a forward's: whose request they
            hand on, only their text tells.
        besides: tickets that are not wanted.
    """
    base = _with_first_message().where(ticket.c.client_key == client_key)
    asked = set(requester_keys)
    people = asked.union(*persons.groups_of(connection, "contact", asked).values())
    found: dict[str, Row] = {}
    holders = {
        row.ticket_key
        for row in select_in(
            connection,
            select(comment.c.ticket_key).where(comment.c.client_key == client_key),
            comment.c.message_id,
            message_ids,
        )
    }
    for column, values in (
        (ticket.c.requester_key, people),
        (ticket.c.ticket_key, holders.difference(besides)),
    ):
        for row in select_in(connection, base, column, values):
            found[row.ticket_key] = dict(row._mapping)
    if forwarded is not None:
        began = ticket.c.created_at.between(*forwarded)
        looks = or_(*(func.lower(_SUBJECT).like(f"{word}:%") for word in _FORWARD_WORDS))
        for row in connection.execute(base.where(began, looks)):
            found[row.ticket_key] = dict(row._mapping)
    rows = [row for key, row in found.items() if key not in besides]
    return _with_later_mails(connection, rows)


def contacts_of_addresses(
    connection: Connection, client_key: str, addresses: Iterable[str]
) -> set[str]:
    """Keys of contacts that have one of some addresses."""
    statement = select(contact_identity.c.contact_key).where(
        contact_identity.c.client_key == client_key, contact_identity.c.kind == "email"
    )
    rows = select_in(connection, statement, contact_identity.c.value, addresses)
    return {row.contact_key for row in rows}


def address_variants(connection: Connection, client_key: str) -> Iterator[tuple[str, str]]:
    """Contact key and address of those whose address may be another way to write somebody's: `+tag`, Gmail."""
    value = contact_identity.c.value
    rows = connection.execute(
        select(contact_identity.c.contact_key, value)
        .where(
            contact_identity.c.client_key == client_key,
            contact_identity.c.kind == "email",
            or_(value.like("%+%@%"), value.like("%@gmail.com"), value.like("%@googlemail.com")),
        )
        .execution_options(yield_per=2_000)
    )
    for row in rows:
        yield row.contact_key, row.value


def _with_later_mails(connection: Connection, rows: list[Row]) -> list[Row]:
    """Adds the Message-IDs of a ticket's mails after the first, second copies left out."""
    later: dict[str, list[str]] = {}
    statement = (
        select(comment.c.ticket_key, comment.c.message_id)
        .where(comment.c.message_id.is_not(None), comment.c.copy_of_key.is_(None))
        .order_by(comment.c.ticket_key, comment.c.position)
    )
    keys = [row["ticket_key"] for row in rows]
    for found in select_in(connection, statement, comment.c.ticket_key, keys):
        later.setdefault(found.ticket_key, []).append(found.message_id)
    for row in rows:
        ids = later.get(row["ticket_key"], [])
        row["later_message_ids"] = tuple(one for one in ids if one != row["message_id"])
    return rows


def known_duplicates(connection: Connection, client_key: str) -> dict[str, str]:
    """Ticket key → the ticket it is a duplicate of."""
    rows = connection.execute(
        select(ticket_link.c.ticket_key, ticket_link.c.other_key).where(
            ticket_link.c.client_key == client_key, ticket_link.c.kind == "duplicate_of"
        )
    )
    return {row.ticket_key: row.other_key for row in rows}


def write_duplicates(
    connection: Connection,
    client_key: str,
    compared: Sequence[str],
    links: Mapping[str, tuple[str, str]],
) -> int:
    """Makes `links` (ticket → primary and reason) the truth about the tickets compared; returns changes.

    A ticket that is none any more counts again: its revision moves, so that its clocks are made.
    """
    next_one = loading.next_revision(connection, client_key)
    changed = 0
    for chunk in chunks([key for key in compared if key not in links], KEYS_PER_QUERY):
        parted = (
            ticket_link.c.client_key == client_key,
            ticket_link.c.kind == "duplicate_of",
            ticket_link.c.ticket_key.in_(chunk),
        )
        again = list(connection.scalars(select(ticket_link.c.ticket_key).where(*parted)))
        connection.execute(
            update(ticket).where(ticket.c.ticket_key.in_(again)).values(history_revision=next_one)
        )
        changed += connection.execute(delete(ticket_link).where(*parted)).rowcount
    for key, (primary, _) in links.items():
        connection.execute(
            delete(ticket_link).where(
                ticket_link.c.client_key == client_key,
                ticket_link.c.kind == "duplicate_of",
                ticket_link.c.ticket_key == key,
                ticket_link.c.other_key != primary,
            )
        )
    rows = [
        {
            "client_key": client_key,
            "ticket_key": key,
            "other_key": primary,
            "kind": "duplicate_of",
            "reason": reason,
        }
        for key, (primary, reason) in links.items()
    ]
    return changed + upsert(connection, ticket_link, rows)


def mark_compared(connection: Connection, client_key: str, revision: int) -> None:
    """Notes that every ticket up to a revision was compared."""
    watermarks.set_watermark(
        connection, client_key, watermarks.DUPLICATES, watermarks.Watermark(revision)
    )


def repoint_links(connection: Connection, client_key: str, lost_key: str, winner_key: str) -> None:
    """Makes links from and to a ticket that was joined to another the other's own.

    What it was a duplicate of is left out: the winner is compared anew.
    """
    either = or_(ticket_link.c.ticket_key == lost_key, ticket_link.c.other_key == lost_key)
    mine = (ticket_link.c.client_key == client_key, either)
    rows = [dict(row._mapping) for row in connection.execute(select(ticket_link).where(*mine))]
    connection.execute(delete(ticket_link).where(*mine))
    moved = [
        row
        | {
            name: winner_key if row[name] == lost_key else row[name]
            for name in ("ticket_key", "other_key")
        }
        for row in rows
        if row["kind"] != "duplicate_of" or row["ticket_key"] != lost_key
    ]
    kept = [row for row in moved if row["ticket_key"] != row["other_key"]]
    upsert(connection, ticket_link, kept, update=False)


def _with_first_message() -> Select[Any]:
    """Tickets that are alive and no migrated copy, each with its first comment that is no second copy."""
    any_comment = comment.alias("any_comment")
    first = (
        select(func.min(any_comment.c.position))
        .where(any_comment.c.ticket_key == ticket.c.ticket_key, any_comment.c.copy_of_key.is_(None))
        .correlate(ticket)
        .scalar_subquery()
    )
    is_copy = exists().where(
        ticket_link.c.other_key == ticket.c.ticket_key, ticket_link.c.kind == "migrated_to"
    )
    return (
        select(
            ticket.c.ticket_key,
            ticket.c.client_key,
            ticket.c.source_key,
            func.coalesce(contact.c.merged_into_key, ticket.c.requester_key).label("requester_key"),
            _SUBJECT.label("subject"),
            ticket.c.created_at,
            func.substr(comment.c.body_text, 1, LONGEST_TEXT).label("text"),
            comment.c.message_id,
            contact.c.email.label("requester_address"),
            or_(ticket.c.is_automatic, ticket.c.created_at <= UNDATED).label("is_left_out"),
        )
        .select_from(
            ticket.join(
                comment,
                and_(comment.c.ticket_key == ticket.c.ticket_key, comment.c.position == first),
            ).outerjoin(contact, contact.c.contact_key == ticket.c.requester_key)
        )
        .where(ticket.c.status.not_in(END_STATUSES), ~is_copy)
    )
