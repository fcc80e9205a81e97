"""Writes and counts the articles of a knowledge base.

Belongs here: the table `article`. Does not belong here: how rows are made (`transforms.article_rows`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select

from connectors.warehouse.bulk import delete_in, select_in, upsert
from connectors.warehouse.tables import article
from connectors.warehouse.types import safe_text

Row = Mapping[str, Any]


def write_articles(
    connection: Connection,
    client_key: str,
    source_key: str,
    raw_remote_ids: Iterable[str],
    rows: Sequence[Row],
) -> int:
    """Makes `rows` the only articles of some raw records; a record without rows (a tombstone) loses what it had.

    Returns:
        How many rows were inserted, changed or deleted.
    """
    present = select(article.c.article_key).where(
        article.c.client_key == client_key, article.c.source_key == source_key
    )
    given = [safe_text(remote_id) for remote_id in raw_remote_ids]
    kept = {row["article_key"] for row in rows}
    stale = [
        row.article_key
        for row in select_in(connection, present, article.c.raw_remote_id, given)
        if row.article_key not in kept
    ]
    gone = delete_in(connection, article, article.c.article_key, stale)
    return gone + upsert(connection, article, rows)


def forget_articles(connection: Connection, client_key: str, source_keys: Sequence[str]) -> None:
    """Removes every article of some sources, before they are made again."""
    connection.execute(
        delete(article).where(
            article.c.client_key == client_key, article.c.source_key.in_(source_keys)
        )
    )


def count_articles(connection: Connection, client_key: str) -> dict[str, int]:
    """Source → how many articles it has, each language counted."""
    rows = connection.execute(
        select(article.c.source_key, func.count().label("articles"))
        .where(article.c.client_key == client_key)
        .group_by(article.c.source_key)
    )
    return {row.source_key: row.articles for row in rows}
