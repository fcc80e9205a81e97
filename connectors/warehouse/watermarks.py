"""How far a client's own steps have come: rows of `sync_cursor` that belong to no source.

Belongs here: reading, writing and counting up these watermarks. Does not belong here: sources' cursors
(`raw`), and what a step does with its watermark.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from connectors.warehouse.bulk import upsert
from connectors.warehouse.tables import sync_cursor

EVERY_SOURCE = "*"
"""`source_key` of rows that hold across a client's sources."""

REVISIONS = "revisions"
"""Counts the transactions that wrote a client's tickets."""
DUPLICATES = "duplicates"
"""Up to which revision tickets were compared with each other."""
PEOPLE = "people"
"""Counts the changes of what is known of a client's people."""
PEOPLE_MATCHED = "people_matched"
"""Up to which of those changes people were matched with each other."""
CONVERSATIONS = "conversations"
"""Up to which revision mailboxes' conversations were looked up among other sources' tickets."""
CONVERSATIONS_PEOPLE = "conversations_people"
"""The same for matchings of people."""
CLOCKS = "clocks"
"""To which instant, and up to which revision, the clocks were brought."""
TICK = "tick"
"""Up to which instant the timers were settled."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Where a step stands. `is_complete` is false while it is on its way there."""

    number: int = 0
    at: datetime | None = None
    is_complete: bool = True


def watermark(connection: Connection, client_key: str, step: str) -> Watermark:
    """Where a step of a client stands; the zero watermark where it never ran."""
    row = connection.execute(
        select(
            sync_cursor.c.normalised_raw_id, sync_cursor.c.moved_at, sync_cursor.c.is_complete
        ).where(*_is_step(client_key, step))
    ).first()
    return Watermark(row[0] or 0, row[1], row[2]) if row else Watermark()


def set_watermark(
    connection: Connection, client_key: str, step: str, mark: Watermark, *, update: bool = True
) -> None:
    """Writes where a step stands; with `update` false only where it has no watermark yet."""
    row = {
        "client_key": client_key,
        "source_key": EVERY_SOURCE,
        "stream": step,
        "sequence": 0,
        "is_complete": mark.is_complete,
        "normalised_raw_id": mark.number,
        "moved_at": mark.at,
    }
    upsert(connection, sync_cursor, [row], update=update)


def count_up(connection: Connection, client_key: str, step: str) -> int | None:
    """Adds one to a step's number and gives it; None where it has no watermark yet.

    Whoever calls this waits for others that called it until their transactions end.
    """
    number: int | None = connection.scalar(
        update(sync_cursor)
        .where(*_is_step(client_key, step))
        .values(normalised_raw_id=sync_cursor.c.normalised_raw_id + 1)
        .returning(sync_cursor.c.normalised_raw_id)
    )
    return number


def hold(connection: Connection, client_key: str, step: str) -> None:
    """Waits for others that counted this step up, and lets others wait until the caller's transaction ends.

    With `REVISIONS` nobody writes a client's people or tickets meanwhile: two transactions that write the same
    rows in different orders would stop each other for good.
    """
    connection.execute(
        select(sync_cursor.c.sequence).where(*_is_step(client_key, step)).with_for_update()
    )


def _is_step(client_key: str, step: str) -> tuple[Any, ...]:
    return (
        sync_cursor.c.client_key == client_key,
        sync_cursor.c.source_key == EVERY_SOURCE,
        sync_cursor.c.stream == step,
    )
