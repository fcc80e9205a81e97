"""Raw records and cursors: stores a page and its cursor in one transaction, reads the latest versions back.

Belongs here: `raw_record` and `sync_cursor`. Does not belong here: what the payloads mean.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select, update

from connectors.contract import Page
from connectors.errors import TransientError
from connectors.json_text import parsed
from connectors.warehouse import erasures
from connectors.warehouse.bulk import KEYS_PER_QUERY, chunks, insert, one_of, select_in, upsert
from connectors.warehouse.tables import raw_record, sync_cursor
from connectors.warehouse.types import canonical_parsed, safe_text
from transforms.model import RawRecord


class CursorMovedError(TransientError):
    """Another worker moved this stream's cursor meanwhile; this page was not stored."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream stands: its cursor, how often it moved, whether the last pull reached the end."""

    cursor: Mapping[str, Any] | None
    sequence: int
    is_complete: bool
    normalised_raw_id: int
    normalise_sequence: int = 0


@dataclass(frozen=True, slots=True)
class StoredPage:
    """What a page brought: records seen, and how many of them were new or changed."""

    seen: int
    stored: int


def stream_state(
    connection: Connection, client_key: str, source_key: str, stream: str
) -> StreamState:
    """The stream's state; sequence 0 and no cursor where it was never pulled."""
    row = connection.execute(
        select(
            sync_cursor.c.cursor,
            sync_cursor.c.sequence,
            sync_cursor.c.is_complete,
            sync_cursor.c.normalised_raw_id,
            sync_cursor.c.normalise_sequence,
        ).where(*_is_stream(sync_cursor, client_key, source_key, stream))
    ).first()
    if row is None:
        return StreamState(None, 0, False, 0)
    return StreamState(
        row.cursor,
        row.sequence,
        row.is_complete,
        row.normalised_raw_id or 0,
        row.normalise_sequence or 0,
    )


def store_page(
    connection: Connection,
    client_key: str,
    source_key: str,
    stream: str,
    page: Page,
    *,
    sequence: int,
    fetched_at: datetime,
    volatile: Sequence[str] = (),
) -> StoredPage:
    """Stores a page's new or changed records and moves the cursor, all in the caller's transaction.

    A record gets a new version only where its content hash differs from its latest version's. Records of other
    streams that the page brings along are stored in those, under the same cursor.

    Args:
        connection: inside a transaction that the caller commits.
        client_key: whose.
        source_key: the source's id in the configuration.
        stream: one of the source's streams.
        page: what `Source.pull` gave.
        sequence: the sequence the cursor had when the pull began or the last page was stored.
        fetched_at: aware instant of the fetch.
        volatile: top-level JSON fields left out of the content hash.

    Raises:
        CursorMovedError: the stored sequence is another one; nothing was written.
    """
    _move_cursor(connection, client_key, source_key, stream, page, sequence, fetched_at)
    own = [record for record in page.records if record.stream == stream]
    stored = _store(connection, client_key, source_key, stream, own, fetched_at, volatile)
    if len(own) < len(page.records):
        others = [record for record in page.records if record.stream != stream]
        for name in sorted({record.stream for record in others}):
            _begin_stream(connection, client_key, source_key, name, fetched_at)
        stored += store_records(
            connection, client_key, source_key, others, fetched_at=fetched_at, volatile={}
        )
    return StoredPage(len(page.records), stored)


def store_records(
    connection: Connection,
    client_key: str,
    source_key: str,
    records: Sequence[RawRecord],
    *,
    fetched_at: datetime,
    volatile: Mapping[str, Sequence[str]],
    keep_newer: bool = False,
) -> int:
    """Stores new or changed records that were fetched by id, of any stream; no cursor moves.

    With `keep_newer` a record is left out that the source changed before the one that is here: two workers may have
    asked for it, and the one who asked first may store last. Where one of the two is a tombstone, the new one counts.

    Returns:
        How many were new or changed. Records of a stream that was never pulled are left out: its first pull
        brings them.
    """
    by_stream: dict[str, list[RawRecord]] = {}
    for record in records:
        by_stream.setdefault(record.stream, []).append(record)
    stored = 0
    for stream, some in sorted(by_stream.items()):
        # The cursor's row is the stream's lock: a pull that stores a page meanwhile waits, or is waited for.
        held = connection.execute(
            select(sync_cursor.c.sequence)
            .where(*_is_stream(sync_cursor, client_key, source_key, stream))
            .with_for_update()
        ).first()
        if held is not None:
            stored += _store(
                connection,
                client_key,
                source_key,
                stream,
                some,
                fetched_at,
                volatile.get(stream, ()),
                keep_newer=keep_newer,
            )
    return stored


def _store(
    connection: Connection,
    client_key: str,
    source_key: str,
    stream: str,
    records: Sequence[RawRecord],
    fetched_at: datetime,
    volatile: Sequence[str],
    *,
    keep_newer: bool = False,
) -> int:
    """Writes a new version of each record whose content differs from its latest one; returns how many."""
    place = (client_key, source_key, stream)
    latest = _latest_hashes(connection, *place, [safe_text(r.remote_id) for r in records])
    records = erasures.gate(connection, *place, records, latest)
    if keep_newer:
        records = _without_older(connection, place, records)
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for record in records:
        remote_id = safe_text(record.remote_id)
        version, known = latest.get(remote_id, (0, ""))
        digest = content_sha256(record, volatile)
        if digest == known:
            continue
        latest[remote_id] = (version + 1, digest)
        rows[(remote_id, version + 1)] = {
            "client_key": client_key,
            "source_key": source_key,
            "stream": stream,
            "remote_id": remote_id,
            "version": version + 1,
            "ticket_remote_id": record.ticket_remote_id,
            "media_type": record.media_type,
            "payload": record.payload,
            "payload_sha256": hashlib.sha256(record.payload).hexdigest(),
            "content_sha256": digest,
            "is_tombstone": record.is_tombstone,
            "source_updated_at": record.source_updated_at,
            "location": dict(record.location) or None,
            "fetched_at": fetched_at,
        }
    # The stream's lock is held since before the look: nobody can have stored these versions meanwhile.
    return insert(connection, raw_record, rows.values())


def content_sha256(record: RawRecord, volatile: Sequence[str]) -> str:
    """The hash that decides whether a record changed; covers the tombstone flag and the ticket it belongs to."""
    payload = record.payload
    if record.version_key is not None:
        payload = record.version_key.encode("utf-8", "surrogatepass")
    elif record.media_type == "application/json":
        body = parsed(payload)
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name not in volatile}
        payload = canonical_parsed(body).encode()
    head = f"{int(record.is_tombstone)}\x1f{record.ticket_remote_id or ''}\x1f".encode(
        "utf-8", "surrogatepass"
    )
    return hashlib.sha256(head + payload).hexdigest()


def latest_records(
    connection: Connection,
    client_key: str,
    source_key: str,
    stream: str,
    *,
    ticket_remote_ids: Iterable[str] | None = None,
    remote_ids: Iterable[str] | None = None,
    every_version: bool = False,
) -> Iterator[RawRecord]:
    """The latest version of each record: of the whole stream, of some tickets, or of some remote ids.

    With `every_version` all versions come, a record's in the order in which they were stored.
    """
    newest = select(func.max(raw_record.c.raw_id).label("raw_id")).where(
        *_is_stream(raw_record, client_key, source_key, stream)
    )
    newest = newest.group_by(raw_record.c.raw_id if every_version else raw_record.c.remote_id)
    if ticket_remote_ids is None and remote_ids is None:
        yield from _read(connection, newest)
        return
    column = raw_record.c.ticket_remote_id if remote_ids is None else raw_record.c.remote_id
    wanted = ticket_remote_ids if remote_ids is None else remote_ids
    for chunk in chunks(dict.fromkeys(wanted or ()), KEYS_PER_QUERY):
        yield from _read(connection, newest.where(one_of(connection, column, chunk)))


def changed_since(
    connection: Connection, client_key: str, source_key: str, stream: str, raw_id: int
) -> list[tuple[int, str, str | None]]:
    """(raw_id, remote_id, ticket_remote_id) of every version stored after `raw_id`, in order."""
    rows = connection.execute(
        select(raw_record.c.raw_id, raw_record.c.remote_id, raw_record.c.ticket_remote_id)
        .where(
            *_is_stream(raw_record, client_key, source_key, stream), raw_record.c.raw_id > raw_id
        )
        .order_by(raw_record.c.raw_id)
    )
    return [(row.raw_id, row.remote_id, row.ticket_remote_id) for row in rows]


def newest_after(
    connection: Connection, client_key: str, source_key: str, after: Mapping[str, int]
) -> dict[str, int]:
    """Stream → its newest version, for the streams that have one stored after `after[stream]`."""
    found: dict[str, int] = {}
    for stream, raw_id in after.items():
        newest = connection.scalar(
            select(func.max(raw_record.c.raw_id)).where(
                *_is_stream(raw_record, client_key, source_key, stream),
                raw_record.c.raw_id > raw_id,
            )
        )
        if newest is not None:
            found[stream] = newest
    return found


def one_version_each(
    connection: Connection,
    client_key: str,
    source_key: str,
    after: Mapping[str, int],
    *,
    is_of_tickets: bool,
) -> "array[int]":
    """For each record with a version stored after `after[stream]`, the first such version's id, oldest first.

    With `is_of_tickets`, for each ticket that such a version of any of the streams names.
    """
    if not after:
        return array("q")
    record = (raw_record.c.stream, raw_record.c.remote_id)
    first = func.min(raw_record.c.raw_id)
    statement = (
        select(first)
        .where(
            raw_record.c.client_key == client_key,
            raw_record.c.source_key == source_key,
            or_(
                *(
                    and_(raw_record.c.stream == stream, raw_record.c.raw_id > raw_id)
                    for stream, raw_id in after.items()
                )
            ),
        )
        .group_by(*((raw_record.c.ticket_remote_id,) if is_of_tickets else record))
        .order_by(first)
    )
    if is_of_tickets:
        statement = statement.where(raw_record.c.ticket_remote_id.is_not(None))
    return array("q", connection.scalars(statement.execution_options(yield_per=10_000)))


def named_by(connection: Connection, raw_ids: Iterable[int]) -> list[tuple[str, str, str | None]]:
    """(stream, remote_id, ticket_remote_id) of versions, oldest first."""
    statement = select(
        raw_record.c.raw_id,
        raw_record.c.stream,
        raw_record.c.remote_id,
        raw_record.c.ticket_remote_id,
    )
    rows = sorted(map(tuple, select_in(connection, statement, raw_record.c.raw_id, raw_ids)))
    return [row[1:] for row in rows]


def without_ticket(
    connection: Connection, client_key: str, source_key: str, stream: str, after: int
) -> list[str]:
    """Remote ids of the records stored after a version that belong to no ticket."""
    rows = connection.scalars(
        select(raw_record.c.remote_id)
        .where(
            *_is_stream(raw_record, client_key, source_key, stream),
            raw_record.c.raw_id > after,
            raw_record.c.ticket_remote_id.is_(None),
        )
        .order_by(raw_record.c.raw_id)
    )
    return list(dict.fromkeys(rows))


def remote_ids(
    connection: Connection, client_key: str, source_key: str, stream: str
) -> Iterator[str]:
    """The remote ids of a stream's records, each once."""
    statement = (
        select(raw_record.c.remote_id)
        .where(*_is_stream(raw_record, client_key, source_key, stream))
        .distinct()
    )
    yield from connection.scalars(statement.execution_options(yield_per=10_000))


def mark_normalised(
    connection: Connection, client_key: str, source_key: str, stream: str, raw_id: int
) -> None:
    """Notes that every version up to `raw_id` has been normalised, in the transaction that wrote the rows."""
    connection.execute(
        update(sync_cursor)
        .where(*_is_stream(sync_cursor, client_key, source_key, stream))
        .values(normalised_raw_id=raw_id)
    )


def claim_normalisation(
    connection: Connection, client_key: str, source_key: str, stream: str, sequence: int
) -> bool:
    """Moves the stream's count of normalising transactions on, at the start of each; the row is held until its end.

    False: it is not at `sequence`, so another run has written meanwhile. What this one has read is no longer so, and
    nothing of it may be written.
    """
    moved = connection.execute(
        update(sync_cursor)
        .where(
            *_is_stream(sync_cursor, client_key, source_key, stream),
            func.coalesce(sync_cursor.c.normalise_sequence, 0) == sequence,
        )
        .values(normalise_sequence=sequence + 1)
    )
    return moved.rowcount > 0


def count_records(connection: Connection, client_key: str, source_key: str) -> dict[str, int]:
    """Stream → number of distinct records."""
    rows = connection.execute(
        select(raw_record.c.stream, func.count(func.distinct(raw_record.c.remote_id)))
        .where(raw_record.c.client_key == client_key, raw_record.c.source_key == source_key)
        .group_by(raw_record.c.stream)
    )
    return dict(rows)


def _without_older(
    connection: Connection, place: tuple[str, str, str], records: Sequence[RawRecord]
) -> list[RawRecord]:
    """The records but those that are older than what is here; tombstones stay."""
    r = raw_record.c
    dated = [one for one in records if one.source_updated_at and not one.is_tombstone]
    statement = select(r.remote_id, r.version, r.is_tombstone, r.source_updated_at).where(
        *_is_stream(raw_record, *place)
    )
    here: dict[str, Any] = {}
    ids = [safe_text(one.remote_id) for one in dated]
    for row in select_in(connection, statement, r.remote_id, ids):
        if row.remote_id not in here or row.version > here[row.remote_id].version:
            here[row.remote_id] = row

    def is_older(one: RawRecord) -> bool:
        known = here.get(safe_text(one.remote_id))
        if known is None or known.is_tombstone or one.is_tombstone:
            return False
        at, known_at = one.source_updated_at, known.source_updated_at
        return at is not None and known_at is not None and at < known_at

    return [one for one in records if not is_older(one)]


def _read(connection: Connection, newest: Select[Any]) -> Iterator[RawRecord]:
    rows = connection.execute(
        select(
            raw_record.c.stream,
            raw_record.c.remote_id,
            raw_record.c.payload,
            raw_record.c.media_type,
            raw_record.c.ticket_remote_id,
            raw_record.c.is_tombstone,
            raw_record.c.source_updated_at,
            raw_record.c.location,
        )
        .where(raw_record.c.raw_id.in_(newest))
        .order_by(raw_record.c.raw_id)
        .execution_options(yield_per=1_000)
    )
    for row in rows:
        values = dict(row._mapping)
        yield RawRecord(**{**values, "location": values["location"] or {}})


def _is_stream(table: Any, client_key: str, source_key: str, stream: str) -> tuple[Any, ...]:
    return (
        table.c.client_key == client_key,
        table.c.source_key == source_key,
        table.c.stream == stream,
    )


def _begin_stream(
    connection: Connection, client_key: str, source_key: str, stream: str, moved_at: datetime
) -> None:
    """Gives a stream that was never pulled its row, so that what stands in it can be normalised."""
    row = {
        "client_key": client_key,
        "source_key": source_key,
        "stream": stream,
        "cursor": {},
        "sequence": 1,
        "is_complete": True,
        "moved_at": moved_at,
    }
    upsert(connection, sync_cursor, [row], update=False)


def _move_cursor(
    connection: Connection,
    client_key: str,
    source_key: str,
    stream: str,
    page: Page,
    sequence: int,
    moved_at: datetime,
) -> None:
    values = {
        "cursor": dict(page.cursor),
        "sequence": sequence + 1,
        "is_complete": page.complete,
        "moved_at": moved_at,
    }
    if sequence == 0:
        row = {"client_key": client_key, "source_key": source_key, "stream": stream, **values}
        moved = upsert(connection, sync_cursor, [row], update=False)
    else:
        moved = connection.execute(
            update(sync_cursor)
            .where(
                *_is_stream(sync_cursor, client_key, source_key, stream),
                sync_cursor.c.sequence == sequence,
            )
            .values(**values)
        ).rowcount
    if not moved:
        raise CursorMovedError(
            f"client {client_key}, source {source_key}, stream {stream}: another run is reading it at the "
            "same time; it is left to that run, nothing is lost"
        )


def _latest_hashes(
    connection: Connection, client_key: str, source_key: str, stream: str, remote_ids: list[str]
) -> dict[str, tuple[int, str]]:
    latest: dict[str, tuple[int, str]] = {}
    statement = select(
        raw_record.c.remote_id, raw_record.c.version, raw_record.c.content_sha256
    ).where(*_is_stream(raw_record, client_key, source_key, stream))
    for remote_id, version, digest in select_in(
        connection, statement, raw_record.c.remote_id, remote_ids
    ):
        if version > latest.get(remote_id, (0, ""))[0]:
            latest[remote_id] = (version, digest)
    return latest
