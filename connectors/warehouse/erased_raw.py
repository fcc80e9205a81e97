"""Erased versions of raw records: all that a source ever gave of them goes, what is left of it stays.

Belongs here: finding and rewriting rows of `raw_record`. Does not belong here: what stays erased afterwards
(`erasures`), what a payload keeps (`connectors.erasing`).

Every version is rewritten, not only the last: a Freshdesk ticket's history lies in the differences of its versions.
Each gets a new `raw_id`, so that it is due to be normalised, by the ordinary way.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from connectors.erasing.records import erased
from connectors.warehouse.bulk import KEYS_PER_QUERY, chunks, delete_in, insert, one_of
from connectors.warehouse.erasures import Rules
from connectors.warehouse.raw import content_sha256
from connectors.warehouse.tables import raw_record, sync_cursor
from transforms.model import RawRecord

Row = dict[str, Any]

_RECORD = (
    "stream",
    "remote_id",
    "payload",
    "media_type",
    "ticket_remote_id",
    "is_tombstone",
    "source_updated_at",
)


def hold_streams(connection: Connection, client_key: str) -> None:
    """Waits for pages that are being stored for a client, and lets none in until the transaction ends."""
    held = select(sync_cursor.c.stream).where(sync_cursor.c.client_key == client_key)
    connection.execute(held.with_for_update()).all()


def newest_raw_id(connection: Connection, client_key: str) -> int:
    """The last version stored for a client; 0 where there is none."""
    statement = select(raw_record.c.raw_id).where(raw_record.c.client_key == client_key)
    return connection.scalar(statement.order_by(raw_record.c.raw_id.desc()).limit(1)) or 0


def naming(
    connection: Connection, client_key: str, addresses: Iterable[str], after: int = 0
) -> Iterator[tuple[str, str, str, str | None]]:
    """(source, stream, remote id, ticket) of every version in whose payload one of some addresses stands.

    Args:
        connection: to read with; all payloads of the client are read once.
        client_key: whose.
        addresses: in small letters.
        after: only versions stored after this one.
    """
    wanted = [one.encode() for one in addresses]
    if not wanted:
        return
    rows = connection.execute(
        select(
            raw_record.c.source_key,
            raw_record.c.stream,
            raw_record.c.remote_id,
            raw_record.c.ticket_remote_id,
            raw_record.c.payload,
        )
        .where(raw_record.c.client_key == client_key, raw_record.c.raw_id > after)
        .execution_options(yield_per=500)
    )
    for row in rows:
        payload = row.payload.lower()
        if any(one in payload for one in wanted):
            yield row.source_key, row.stream, row.remote_id, row.ticket_remote_id


def erase_versions(
    connection: Connection,
    client_key: str,
    source_key: str,
    salt: str,
    *,
    ticket_ids: Iterable[str],
    records: Iterable[tuple[str, str]],
    volatile: Mapping[str, Sequence[str]],
) -> int:
    """Rewrites every version of some records by what was erased; gives how many records changed.

    Done already, nothing changes.

    Args:
        connection: inside a transaction; the marks of what is erased are written.
        client_key: whose.
        source_key: the source's id.
        salt: of the client's marks.
        ticket_ids: remote ids of tickets: all their records.
        records: (stream, remote id) of others.
        volatile: the source's fields that the content hash leaves out, by stream.
    """
    rules = Rules(connection, client_key, source_key, salt)
    of_source = select(raw_record).where(
        raw_record.c.client_key == client_key, raw_record.c.source_key == source_key
    )
    changed = 0
    for chunk in chunks(dict.fromkeys(ticket_ids), KEYS_PER_QUERY // 4):
        chosen = of_source.where(one_of(connection, raw_record.c.ticket_remote_id, chunk))
        changed += _rewrite(connection, chosen, rules, volatile)
    by_stream: dict[str, list[str]] = {}
    for stream, remote_id in dict.fromkeys(records):
        by_stream.setdefault(stream, []).append(remote_id)
    for stream, remote_ids in sorted(by_stream.items()):
        for chunk in chunks(remote_ids, KEYS_PER_QUERY // 4):
            chosen = of_source.where(
                raw_record.c.stream == stream, one_of(connection, raw_record.c.remote_id, chunk)
            )
            changed += _rewrite(connection, chosen, rules, volatile)
    return changed


def _rewrite(
    connection: Connection,
    chosen: Select[Any],
    rules: Rules,
    volatile: Mapping[str, Sequence[str]],
) -> int:
    histories: dict[tuple[str, str], list[Row]] = {}
    for row in connection.execute(chosen.order_by(raw_record.c.raw_id)):
        histories.setdefault((row.stream, row.remote_id), []).append(dict(row._mapping))
    old: list[int] = []
    new: list[Row] = []
    changed = 0
    for history in histories.values():
        rewritten = _erased_history(history, rules, volatile)
        if _told(rewritten) == _told(history):
            continue
        changed += 1
        old += [row["raw_id"] for row in history]
        new += rewritten
    delete_in(connection, raw_record, raw_record.c.raw_id, old)
    new.sort(key=lambda row: row["raw_id"])
    insert(connection, raw_record, [{k: v for k, v in row.items() if k != "raw_id"} for row in new])
    return changed


def _erased_history(
    history: Sequence[Row], rules: Rules, volatile: Mapping[str, Sequence[str]]
) -> list[Row]:
    """A record's versions, each erased; of versions that are alike afterwards the later one."""
    told = [
        RawRecord(**{name: row[name] for name in _RECORD}, location=row["location"] or {})
        for row in history
    ]
    kept: list[Row] = []
    for row, record, rule in zip(history, told, rules.of(told), strict=True):
        if rule is None:
            kept.append(row)
            continue
        one = erased(record, rule)
        digest = content_sha256(one, volatile.get(one.stream, ()))
        if kept and kept[-1]["content_sha256"] == digest:
            kept.pop()
        kept.append(
            row
            | {
                "payload": one.payload,
                "media_type": one.media_type,
                "payload_sha256": hashlib.sha256(one.payload).hexdigest(),
                "content_sha256": digest,
                "location": dict(one.location) or None,
            }
        )
    return kept


def _told(history: Sequence[Row]) -> list[tuple[Any, ...]]:
    return [(row["version"], row["content_sha256"], row["payload_sha256"]) for row in history]
