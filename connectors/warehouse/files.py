"""Which attachments still lie only at their source, and what was fetched.

Belongs here: `attachment_content`, and the digest on `attachment`. Does not belong here: fetching, storing bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, or_, select, update

from connectors.warehouse.bulk import KEYS_PER_QUERY, Row, chunks, one_of, select_in, upsert
from connectors.warehouse.tables import attachment, attachment_content, ticket

FIRST_PAUSE = timedelta(minutes=10)
LONGEST_PAUSE = timedelta(days=7)
"""A file that could not be fetched is tried again after pauses that double, up to this one."""


@dataclass(frozen=True, slots=True)
class DueFile:
    """An attachment to be fetched."""

    attachment_key: str
    ticket_remote_id: str
    file_name: str
    remote_url: str
    attempts: int
    media_type: str | None = None
    size_bytes: int | None = None
    """Both as the source told them with the comment."""


def due_files(
    connection: Connection, client_key: str, source_key: str, now: datetime, limit: int
) -> list[DueFile]:
    """Attachments whose bytes were never fetched and may be tried now; a ticket's files stand together."""
    a, c = attachment.c, attachment_content.c
    rows = connection.execute(
        select(
            a.attachment_key,
            ticket.c.remote_id,
            a.file_name,
            a.remote_url,
            func.coalesce(c.attempts, 0),
            a.media_type,
            a.size_bytes,
        )
        .join(ticket, ticket.c.ticket_key == a.ticket_key)
        .outerjoin(attachment_content, c.attachment_key == a.attachment_key)
        .where(
            a.client_key == client_key,
            ticket.c.source_key == source_key,
            a.sha256.is_(None),
            a.remote_url.is_not(None),
            or_(c.attachment_key.is_(None), and_(c.sha256.is_(None), c.next_at <= now)),
        )
        .order_by(a.ticket_key, a.attachment_key)
        .limit(limit)
    )
    return [DueFile(*row) for row in rows]


def note_stored(
    connection: Connection,
    client_key: str,
    stored: Iterable[tuple[DueFile, str, int]],
    fetched_at: datetime,
) -> None:
    """Notes (file, sha256, size in bytes) of what is in the store now."""
    rows = [
        {
            "attachment_key": file.attachment_key,
            "client_key": client_key,
            "sha256": sha256,
            "size_bytes": size,
            "failure": None,
            "attempts": file.attempts + 1,
            "next_at": None,
            "fetched_at": fetched_at,
        }
        for file, sha256, size in stored
    ]
    upsert(connection, attachment_content, rows)
    noted = (
        select(attachment_content.c.sha256)
        .where(attachment_content.c.attachment_key == attachment.c.attachment_key)
        .scalar_subquery()
    )
    for keys in chunks((row["attachment_key"] for row in rows), KEYS_PER_QUERY):
        chosen = one_of(connection, attachment.c.attachment_key, keys)
        connection.execute(update(attachment).where(chosen).values(sha256=noted))


def note_failed(
    connection: Connection,
    client_key: str,
    file: DueFile,
    failure: str,
    now: datetime,
    *,
    is_final: bool,
) -> None:
    """Notes why a file could not be fetched, and when it is tried again (never, where that is final)."""
    pause = min(FIRST_PAUSE * 2 ** min(file.attempts, 20), LONGEST_PAUSE)
    row = {
        "attachment_key": file.attachment_key,
        "client_key": client_key,
        "failure": failure[:500],
        "attempts": file.attempts + 1,
        "next_at": None if is_final else now + pause,
    }
    upsert(connection, attachment_content, [row])


def with_digests(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Rows of attachments, with the digest of those whose bytes were fetched before."""
    keys = [row["attachment_key"] for row in rows if row["sha256"] is None and row["remote_url"]]
    c = attachment_content.c
    statement = select(c.attachment_key, c.sha256).where(c.sha256.is_not(None))
    known = dict(select_in(connection, statement, c.attachment_key, keys))
    return [{**row, "sha256": row["sha256"] or known.get(row["attachment_key"])} for row in rows]


def counts(connection: Connection, client_key: str) -> dict[str, int]:
    """How many attachments of a client are `stored`, `waiting` or `failed` for good, and how many come with their mail."""
    a, c = attachment.c, attachment_content.c
    has = {
        "stored": and_(a.remote_url.is_not(None), a.sha256.is_not(None)),
        "in_mail": and_(a.remote_url.is_(None), a.sha256.is_not(None)),
        "failed": and_(a.sha256.is_(None), c.failure.is_not(None), c.next_at.is_(None)),
    }
    base = attachment.outerjoin(attachment_content, c.attachment_key == a.attachment_key)
    found = {
        name: connection.scalar(
            select(func.count()).select_from(base).where(a.client_key == client_key, condition)
        )
        or 0
        for name, condition in has.items()
    }
    total = connection.scalar(
        select(func.count()).select_from(attachment).where(a.client_key == client_key)
    )
    return {**found, "waiting": (total or 0) - sum(found.values())}
