"""What the warehouse holds of a source, as the nightly reconciliation compares it with the source's own list.

Belongs here: ids, instants and counts of raw records. Does not belong here: payloads (`raw`), what to do about a
difference (`pipelines.reconcile`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from connectors.warehouse.bulk import select_in
from connectors.warehouse.tables import comment, raw_record, ticket


@dataclass(frozen=True, slots=True)
class Known:
    """The latest version of one record: whether it says that the thing is gone, and when the source changed it."""

    is_tombstone: bool
    source_updated_at: datetime | None


def known_records(
    connection: Connection, client_key: str, source_key: str, stream: str, remote_ids: Sequence[str]
) -> dict[str, Known]:
    """Those of the given ids that are stored, with what their latest version says."""
    r = raw_record.c
    statement = select(r.remote_id, r.raw_id, r.is_tombstone, r.source_updated_at).where(
        r.client_key == client_key, r.source_key == source_key, r.stream == stream
    )
    found: dict[str, tuple[int, Known]] = {}
    for remote_id, raw_id, is_tombstone, at in select_in(
        connection, statement, r.remote_id, list(remote_ids)
    ):
        if raw_id > found.get(remote_id, (0, None))[0]:
            found[remote_id] = (raw_id, Known(is_tombstone, at))
    return {remote_id: known for remote_id, (_, known) in found.items()}


def live_ids(
    connection: Connection, client_key: str, source_key: str, stream: str
) -> Iterator[str]:
    """Remote ids of all records whose latest version is no tombstone and that a list of the source can have.

    What only its own address gives (an archive's ticket) says `is_unlisted` in its location.
    """
    r = raw_record.c
    newest = (
        select(func.max(r.raw_id).label("raw_id"))
        .where(r.client_key == client_key, r.source_key == source_key, r.stream == stream)
        .group_by(r.remote_id)
        .subquery()
    )
    rows = connection.execute(
        select(r.remote_id, r.location)
        .join(newest, r.raw_id == newest.c.raw_id)
        .where(r.is_tombstone.is_(False))
        .execution_options(yield_per=5_000)
    )
    for remote_id, location in rows:
        if not (location or {}).get("is_unlisted"):
            yield remote_id


def comment_counts(
    connection: Connection, client_key: str, source_key: str, remote_ids: Sequence[str]
) -> dict[str, int]:
    """Ticket's remote id → how many comments are here; a ticket without any is left out."""
    statement = (
        select(ticket.c.remote_id, func.count())
        .join(comment, comment.c.ticket_key == ticket.c.ticket_key)
        .where(ticket.c.client_key == client_key, ticket.c.source_key == source_key)
        .group_by(ticket.c.remote_id)
    )
    return dict(select_in(connection, statement, ticket.c.remote_id, list(remote_ids)))
