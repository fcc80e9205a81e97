"""Turns new raw records of a knowledge base into articles; those that are gone leave the table.

Belongs here: which records are read together, in which transactions rows are written. Does not belong here: what a
vendor's record means (`transforms`), tickets (`normalise`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from connectors.warehouse import aliases, articles, loading, raw
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from transforms.article_rows import article_rows
from transforms.model import Batch, DataWarning, RawRecord
from transforms.rows import Origin

ARTICLES_PER_BATCH = 200
"""Articles normalised and written in one transaction; each may hold a megabyte of HTML in several languages."""

STREAM = "articles"

Records = Mapping[str, Sequence[RawRecord]]


@dataclass(frozen=True, slots=True)
class ArticleTransform:
    """A source's transform of its knowledge base."""

    version: str
    reference_streams: tuple[str, ...]
    """Streams of categories, sections, permissions: given whole; where one of them changed, every article is new."""
    normalise: Callable[[Records], Batch]
    """Raw articles and the reference records, as a batch of the model."""


@dataclass(slots=True)
class ArticleReport:
    """What one normalisation of a knowledge base did."""

    articles: int = 0
    removed: int = 0
    quarantined: int = 0
    rows_changed: int = 0
    warnings: tuple[DataWarning, ...] = ()


def normalise_articles(
    engine: Engine,
    client_key: str,
    source_key: str,
    transform: ArticleTransform,
    now: Callable[[], datetime],
) -> ArticleReport:
    """Normalises every article that has a new raw version; then marks the versions as taken in.

    Killed anywhere, the next call does the unmarked work again and ends with the same rows.
    """
    report = ArticleReport()
    with reading(engine) as connection:
        newest, changed = _due(connection, client_key, source_key, transform)
        if not newest:
            return report
        references = {
            stream: list(raw.latest_records(connection, client_key, source_key, stream))
            for stream in transform.reference_streams
        }
    origin = Origin(client_key, source_key, transform.version, now())
    for remote_ids in [*chunks(changed, ARTICLES_PER_BATCH)] or [[]]:
        with reading(engine) as connection:
            found = raw.latest_records(
                connection, client_key, source_key, STREAM, remote_ids=remote_ids
            )
            records = references | {STREAM: list(found)}
        batch = transform.normalise(records)
        with writing(engine) as connection:
            report.rows_changed += _write(connection, batch, records, origin)
        report.articles += len(batch.articles)
        report.removed += sum(record.is_tombstone for record in records[STREAM])
        report.quarantined += len(batch.rejected)
        report.warnings += tuple(batch.warnings)
    with writing(engine) as connection:
        for stream, raw_id in newest.items():
            raw.mark_normalised(connection, client_key, source_key, stream, raw_id)
    return report


def _due(
    connection: Connection, client_key: str, source_key: str, transform: ArticleTransform
) -> tuple[dict[str, int], list[str]]:
    """(stream → newest version that is taken in now, articles to be made again: all where a reference changed)."""
    newest: dict[str, int] = {}
    where = (connection, client_key, source_key)
    for stream in (*transform.reference_streams, STREAM):
        state = raw.stream_state(*where, stream)
        changed = raw.changed_since(*where, stream, state.normalised_raw_id)
        if changed:
            newest[stream] = changed[-1][0]
    if not newest.keys().isdisjoint(transform.reference_streams):
        since = 0
    else:
        since = raw.stream_state(*where, STREAM).normalised_raw_id
    found = raw.changed_since(*where, STREAM, since)
    return newest, list(dict.fromkeys(remote_id for _, remote_id, _ in found))


def _write(connection: Connection, batch: Batch, records: Records, origin: Origin) -> int:
    """Makes the batch's articles the whole truth about the raw records that were read."""
    where = (connection, origin.client_key, origin.source_key)
    keys = aliases.keys_for(*where, "article", (one.remote_id for one in batch.articles))
    people = _people(connection, origin, (one.author_remote_id for one in batch.articles))
    rows = article_rows(batch.articles, keys, people, origin)
    changed = articles.write_articles(*where, [one.remote_id for one in records[STREAM]], rows)
    loading.write_quarantine(
        *where,
        batch.rejected,
        {stream: [record.remote_id for record in given] for stream, given in records.items()},
        origin.transform_version,
        origin.recorded_at,
    )
    return changed


def _people(
    connection: Connection, origin: Origin, remote_ids: Iterable[str | None]
) -> dict[str, str]:
    """Keys of authors that are known; agents before contacts."""
    wanted = sorted({one for one in remote_ids if one})
    where = (connection, origin.client_key, origin.source_key)
    return aliases.known_keys(*where, "contact", wanted) | aliases.known_keys(
        *where, "agent", wanted
    )
