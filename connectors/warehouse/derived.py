"""Takes derived rows away before they are made again, and what was not made again afterwards.

Belongs here: which rows go, and which marks are set back. Does not belong here: making them again
(`pipelines.rebuild`).
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select, update

from connectors.warehouse import articles, loading, watermarks
from connectors.warehouse.tables import (
    agent,
    contact,
    contact_identity,
    entity_match,
    organisation,
    person_record,
    quarantine,
    sync_cursor,
    team,
    team_member,
    ticket,
)

PEOPLE = (
    contact,
    contact_identity,
    person_record,
    entity_match,
    agent,
    organisation,
    team,
    team_member,
)


def begin_rebuild(
    connection: Connection, client_key: str, source_keys: Sequence[str], *, with_people: bool
) -> int:
    """Sets sources back to where nothing was normalised; gives the revision before which rows are old.

    People's rows go where all sources are made again, but not who they are: the keys that were given stay
    (`entity_alias`).
    """
    revision = loading.next_revision(connection, client_key)
    connection.execute(
        update(sync_cursor)
        .where(sync_cursor.c.client_key == client_key, sync_cursor.c.source_key.in_(source_keys))
        .values(normalised_raw_id=0)
    )
    connection.execute(
        delete(quarantine).where(
            quarantine.c.client_key == client_key, quarantine.c.source_key.in_(source_keys)
        )
    )
    articles.forget_articles(connection, client_key, source_keys)
    watermarks.set_watermark(connection, client_key, watermarks.DUPLICATES, watermarks.Watermark(0))
    if with_people:
        for table in PEOPLE:
            connection.execute(delete(table).where(table.c.client_key == client_key))
    return revision


def made_otherwise(
    connection: Connection, client_key: str, source_key: str, version: str, mark: str
) -> int:
    """How many tickets and records in quarantine were made by another mapping.

    Args:
        connection: inside a transaction.
        client_key: whose.
        source_key: the source's id.
        version: the transform's version now, with the mapping's digest behind `mark`.
        mark: between the two; what was made before versions named a mapping is not counted.
    """
    _, _, digest = version.partition(mark)
    count = 0
    for table in (ticket, quarantine):
        made_by = table.c.transform_version
        count += connection.scalars(
            select(func.count())
            .select_from(table)
            .where(
                table.c.client_key == client_key,
                table.c.source_key == source_key,
                made_by.contains(mark, autoescape=True),
                ~made_by.endswith(f"{mark}{digest}", autoescape=True),
            )
        ).one()
    return count


def end_rebuild(
    connection: Connection, client_key: str, source_keys: Sequence[str], revision: int
) -> int:
    """Removes the tickets of these sources that were not written since; gives how many."""
    keys = list(
        connection.scalars(
            select(ticket.c.ticket_key).where(
                ticket.c.client_key == client_key,
                ticket.c.source_key.in_(source_keys),
                ticket.c.history_revision <= revision,
            )
        )
    )
    loading.forget_tickets(connection, keys)
    return len(keys)
