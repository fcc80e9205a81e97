"""What the SLA engine reads and writes: histories of tickets, clock rows, and which tickets are due.

Belongs here: bulk reads of tickets, comments and changes for evaluation, and `sla_clock`. Does not belong
here: the meaning of a clock (`sla_rules`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, distinct, exists, func, or_, select, union

from connectors.warehouse import watermarks
from connectors.warehouse.bulk import replace_children, select_in, upsert
from connectors.warehouse.tables import (
    comment,
    sla_clock,
    sla_policy_version,
    ticket,
    ticket_change,
    ticket_link,
)

Row = dict[str, Any]


UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""What a conversation carries whose mails have no readable date (see `transforms.mail`)."""


@dataclass(slots=True)
class Histories:
    """Tickets with their comments and changes; changes and comments by ticket key, in order."""

    tickets: list[Row] = field(default_factory=list)
    comments: dict[str, list[Row]] = field(default_factory=dict)
    changes: dict[str, list[Row]] = field(default_factory=dict)


def does_not_count() -> Any:
    """The condition under which a ticket is left out at any instant.

    It is a duplicate or a migrated ticket's copy, no person ever wrote in it, or nobody knows when it began. One that was merged away is
    not among them: until then it was in the service, and its history says when that ended.
    """
    return or_(
        ticket.c.is_automatic,
        ticket.c.created_at <= UNDATED,
        exists().where(
            ticket_link.c.ticket_key == ticket.c.ticket_key, ticket_link.c.kind == "duplicate_of"
        ),
        exists().where(
            ticket_link.c.other_key == ticket.c.ticket_key, ticket_link.c.kind == "migrated_to"
        ),
    )


def all_ticket_keys(connection: Connection, client_key: str) -> list[str]:
    """Keys of every ticket of a client that counts."""
    return list(
        connection.scalars(
            select(ticket.c.ticket_key)
            .where(ticket.c.client_key == client_key, ~does_not_count())
            .order_by(ticket.c.ticket_key)
        )
    )


def newest_revision(connection: Connection, client_key: str) -> int:
    """The newest revision of any ticket of a client."""
    found = connection.scalar(
        select(func.max(ticket.c.history_revision)).where(ticket.c.client_key == client_key)
    )
    return int(found or 0)


def set_evaluated(
    connection: Connection,
    client_key: str,
    as_of: datetime,
    revision: int,
    *,
    is_complete: bool = True,
) -> None:
    """Notes that every clock of a client stands as of `as_of`, with all up to `revision` taken in.

    Noted before as well, with `is_complete` false: a run that is killed among the clocks leaves some that
    have seen more than the next run, at an earlier instant, may see.
    """
    mark = watermarks.Watermark(revision, as_of, is_complete)
    watermarks.set_watermark(connection, client_key, watermarks.CLOCKS, mark)


def due_ticket_keys(connection: Connection, client_key: str, as_of: datetime) -> list[str]:
    """Keys of tickets whose clocks may have moved since the last evaluation.

    Their history changed, they were created since, or a clock flips by `as_of`; also those that no longer
    count and still have clocks. The cost goes with what changed, not with the history. Where `as_of` lies
    before the last evaluation, or that one was not finished, every ticket is due.
    """
    last = watermarks.watermark(connection, client_key, watermarks.CLOCKS)
    if last.at is None or as_of < last.at or not last.is_complete:
        return list(
            connection.scalars(select(ticket.c.ticket_key).where(ticket.c.client_key == client_key))
        )
    own = ticket.c.client_key == client_key
    of_client = sla_clock.c.client_key == client_key
    linked = union(
        select(ticket_link.c.ticket_key).where(
            ticket_link.c.client_key == client_key, ticket_link.c.kind == "duplicate_of"
        ),
        select(ticket_link.c.other_key).where(
            ticket_link.c.client_key == client_key, ticket_link.c.kind == "migrated_to"
        ),
    )
    queries = (
        select(ticket.c.ticket_key).where(own, ticket.c.history_revision > last.number),
        select(ticket.c.ticket_key).where(
            own, ticket.c.created_at > last.at, ticket.c.created_at <= as_of
        ),
        select(sla_clock.c.ticket_key).where(of_client, sla_clock.c.next_check_at <= as_of),
        select(sla_clock.c.ticket_key).where(of_client, sla_clock.c.ticket_key.in_(linked)),
    )
    found: dict[str, None] = {}
    for query in queries:
        found.update(dict.fromkeys(connection.scalars(query.distinct())))
    return sorted(found)


def read_histories(connection: Connection, ticket_keys: Sequence[str]) -> Histories:
    """Tickets that count, with their comments (copies left out) and changes, in order of occurrence."""
    found = Histories()
    statement = select(ticket).where(~does_not_count())
    found.tickets = [
        dict(row._mapping)
        for row in select_in(connection, statement, ticket.c.ticket_key, ticket_keys)
    ]
    keys = [row["ticket_key"] for row in found.tickets]
    comments = (
        select(
            comment.c.ticket_key,
            comment.c.comment_key,
            comment.c.created_at,
            comment.c.position,
            comment.c.author_kind,
            comment.c.author_key,
            comment.c.is_public,
            comment.c.is_automatic,
        )
        .where(comment.c.copy_of_key.is_(None))
        .order_by(comment.c.ticket_key, comment.c.position)
    )
    for row in select_in(connection, comments, comment.c.ticket_key, keys):
        found.comments.setdefault(row.ticket_key, []).append(dict(row._mapping))
    changes = select(ticket_change).order_by(
        ticket_change.c.ticket_key, ticket_change.c.occurred_at, ticket_change.c.position
    )
    for row in select_in(connection, changes, ticket_change.c.ticket_key, keys):
        found.changes.setdefault(row.ticket_key, []).append(dict(row._mapping))
    return found


def write_clocks(connection: Connection, ticket_keys: Iterable[str], rows: Sequence[Row]) -> int:
    """Makes `rows` the only clocks of these tickets; returns how many rows changed."""
    return replace_children(connection, sla_clock, "ticket_key", ticket_keys, rows)


def write_policy_versions(
    connection: Connection, client_key: str, versions: Iterable[tuple[str, str, str]], at: datetime
) -> None:
    """Keeps (policy, version, body) of every policy that was ever in use; those given are in use from now on."""
    in_use = policies_in_use(connection, client_key)
    last = connection.scalar(
        select(func.max(sla_policy_version.c.loaded_at)).where(
            sla_policy_version.c.client_key == client_key
        )
    )
    if last is not None:
        # Two changes within one instant still have an order.
        at = max(at, last + timedelta(seconds=1))
    upsert(
        connection,
        sla_policy_version,
        [
            {
                "client_key": client_key,
                "policy": name,
                "version": version,
                "body": body,
                "loaded_at": at,
            }
            for name, version, body in versions
            if (name, version) not in in_use
        ],
    )


def policies_in_use(connection: Connection, client_key: str) -> set[tuple[str, str]]:
    """(policy, version) of the version of each policy that was taken up last."""
    rows = connection.execute(
        select(sla_policy_version.c.policy, sla_policy_version.c.version)
        .where(sla_policy_version.c.client_key == client_key)
        .order_by(sla_policy_version.c.loaded_at)
    )
    return set({row.policy: (row.policy, row.version) for row in rows}.values())


def count_clocks(connection: Connection, client_key: str) -> dict[str, int]:
    """State → number of clocks."""
    rows = connection.execute(
        select(sla_clock.c.state, func.count())
        .where(sla_clock.c.client_key == client_key)
        .group_by(sla_clock.c.state)
    )
    return {state: count for state, count in rows}  # noqa: C416 - rows are no pairs for the type checker


def count_tickets(connection: Connection, client_key: str) -> int:
    """How many tickets of a client count."""
    counted = connection.scalar(
        select(func.count(distinct(ticket.c.ticket_key))).where(
            ticket.c.client_key == client_key, ~does_not_count()
        )
    )
    return counted or 0
