"""What was erased and stays erased: the gate that every record passes before it is stored.

Belongs here: `erasure`, `erased_record`, and the gate. Does not belong here: finding what is a person's, clearing rows
(`erased_rows`), writing erased versions (`erased_raw`), how a payload is rewritten (`connectors.erasing`).

Nothing here names anybody: what a source calls a thing can be an address, so ids are kept as salted hashes alone. A
client of whom nobody was erased pays one look at an empty index per page.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from connectors.erasing.records import (
    NEVER_CHANGE,
    addresses_in,
    erased,
    message_id_of,
    parts_of,
)
from connectors.erasing.rules import Rule, pseudonym
from connectors.warehouse.bulk import insert, select_in, upsert
from connectors.warehouse.tables import erased_record, erasure
from connectors.warehouse.types import safe_text
from transforms.model import RawRecord

Row = dict[str, Any]

EVERY_SOURCE = "*"
"""Of what is erased wherever it comes from: a mail by its Message-ID, an address."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that stays erased.

    `kind` and `remote_id`: `record` (`stream/id`), `mention` (`stream/id`: somebody else's, the person is named in it),
    `ticket` (id), `part` (`ticket id/message id`), `message` (Message-ID), `address`, `person` (our key).
    """

    kind: str
    remote_id: str
    source_key: str = EVERY_SOURCE
    entity_key: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)


def record_id(stream: str, remote_id: str) -> str:
    """How a `record` or `mention` is named."""
    return f"{stream}/{remote_id}"


def hashed(salt: str, source_key: str, kind: str, remote_id: str) -> str:
    """The name of a thing without its name."""
    told = "\x1f".join((salt, source_key, kind, safe_text(remote_id)))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def salt_of(connection: Connection, client_key: str) -> str | None:
    """The client's salt; None where nobody was ever erased."""
    statement = select(erasure.c.salt).where(erasure.c.client_key == client_key).limit(1)
    return connection.scalar(statement)


def write_erasure(connection: Connection, row: Mapping[str, Any], marks: Iterable[Mark]) -> int:
    """Writes an erasure and what stays erased by it; gives how many marks are new.

    Args:
        connection: inside a transaction.
        row: of `erasure`.
        marks: what stays erased; those that stand already stay as they are.
    """
    insert(connection, erasure, [dict(row)])
    rows: dict[str, Row] = {}
    for mark in marks:
        name = hashed(row["salt"], mark.source_key, mark.kind, mark.remote_id)
        rows[name] = {
            "client_key": row["client_key"],
            "remote_hash": name,
            "erasure_key": row["erasure_key"],
            "source_key": mark.source_key,
            "kind": mark.kind,
            "entity_key": mark.entity_key,
            "kept_fields": dict(mark.kept) or None,
        }
    return upsert(connection, erased_record, list(rows.values()), update=False)


def erasures(connection: Connection, client_key: str, *, unfinished: bool = False) -> list[Row]:
    """A client's erasures, oldest first; with `unfinished` those that were not carried to their end."""
    statement = select(erasure).where(erasure.c.client_key == client_key)
    if unfinished:
        statement = statement.where(erasure.c.finished_at.is_(None))
    ordered = statement.order_by(erasure.c.erased_at, erasure.c.erasure_key)
    return [dict(row._mapping) for row in connection.execute(ordered)]


def finish(connection: Connection, erasure_key: str, finished_at: datetime) -> None:
    """Notes that nothing is left to do; the plan goes."""
    connection.execute(
        update(erasure)
        .where(erasure.c.erasure_key == erasure_key)
        .values(finished_at=finished_at, plan=None)
    )


def erased_entities(connection: Connection, keys: Iterable[str]) -> dict[str, Row]:
    """Our key of a ticket or a person → its erasure, for those that were erased."""
    statement = select(
        erased_record.c.entity_key, erasure.c.erasure_key, erasure.c.erased_at, erasure.c.author
    ).join(erasure, erasure.c.erasure_key == erased_record.c.erasure_key)
    statement = statement.where(erased_record.c.kind.in_(("ticket", "person")))
    found = select_in(connection, statement, erased_record.c.entity_key, keys)
    return {row.entity_key: dict(row._mapping) for row in found}


def erased_of(connection: Connection, client_key: str, kind: str) -> set[str]:
    """Our keys of everything of a kind that was erased for a client: `ticket` or `person`."""
    rows = connection.scalars(
        select(erased_record.c.entity_key).where(
            erased_record.c.client_key == client_key,
            erased_record.c.kind == kind,
            erased_record.c.entity_key.is_not(None),
        )
    )
    return set(rows)


def erased_tickets(
    connection: Connection, client_key: str, source_key: str, remote_ids: Iterable[str]
) -> set[str]:
    """Those of a source's tickets that were erased, by the source's ids."""
    salt = salt_of(connection, client_key)
    if salt is None:
        return set()
    names = {hashed(salt, source_key, "ticket", one): one for one in remote_ids}
    statement = select(erased_record.c.remote_hash).where(erased_record.c.client_key == client_key)
    found = select_in(connection, statement, erased_record.c.remote_hash, names)
    return {names[row.remote_hash] for row in found}


def gate(
    connection: Connection,
    client_key: str,
    source_key: str,
    stream: str,
    records: Sequence[RawRecord],
    known: Mapping[str, Any],
) -> Sequence[RawRecord]:
    """The records as they may be stored: what was erased comes without its words.

    Args:
        connection: inside the transaction that stores them.
        client_key: whose.
        source_key: the source's id.
        stream: of the records.
        records: as the source gave them.
        known: remote ids of which there is a version; of an erased record that never changes it is the last one.
    """
    if not records or (salt := salt_of(connection, client_key)) is None:
        return records
    rules = Rules(connection, client_key, source_key, salt).of(records)
    kept = []
    for record, rule in zip(records, rules, strict=True):
        if rule is None:
            kept.append(record)
        elif stream not in NEVER_CHANGE or safe_text(record.remote_id) not in known:
            kept.append(erased(record, rule))
    return kept


class Rules:
    """Looks up what is to happen to records of one source of a client."""

    def __init__(self, connection: Connection, client_key: str, source_key: str, salt: str) -> None:
        """Reads nothing yet."""
        self._connection = connection
        self._client_key = client_key
        self._source_key = source_key
        self._salt = salt

    def of(self, records: Sequence[RawRecord]) -> list[Rule | None]:
        """For each record what is to happen to it; None: nothing of it was erased."""
        names = [[*self._names(record)] for record in records]
        marks = self._marks(name for own in names for _, name in own)
        hits = [[(part, marks[name]) for part, name in own if name in marks] for own in names]
        addresses = self._pseudonyms(
            record
            for record, hit in zip(records, hits, strict=True)
            if hit and not any("mail" in (row["kept_fields"] or ()) for _, row in hit)
        )
        return [self._rule(hit, addresses.get) if hit else None for hit in hits]

    def _names(self, record: RawRecord) -> Iterable[tuple[str, str]]:
        """(part, hash) of everything by which this record can be marked."""
        source, own = self._source_key, record_id(record.stream, record.remote_id)
        yield "", hashed(self._salt, source, "record", own)
        yield "", hashed(self._salt, source, "mention", own)
        if record.ticket_remote_id is not None:
            yield "", hashed(self._salt, source, "ticket", record.ticket_remote_id)
        message_id = message_id_of(record)
        if message_id is not None:
            yield "", hashed(self._salt, EVERY_SOURCE, "message", message_id)
        for part in parts_of(record):
            yield part, hashed(self._salt, source, "part", f"{record.remote_id}/{part}")

    def _marks(self, names: Iterable[str]) -> dict[str, Row]:
        statement = (
            select(
                erased_record.c.remote_hash,
                erased_record.c.kind,
                erased_record.c.kept_fields,
                erasure.c.contact_key,
            )
            .join(erasure, erasure.c.erasure_key == erased_record.c.erasure_key)
            .where(erased_record.c.client_key == self._client_key)
        )
        rows = select_in(self._connection, statement, erased_record.c.remote_hash, names)
        return {row.remote_hash: dict(row._mapping) for row in rows}

    def _pseudonyms(self, records: Iterable[RawRecord]) -> "_Addresses":
        """Address → what stands for it, of the erased people's addresses that stand in some records."""
        told = set[str]().union(*(addresses_in(record.payload) for record in records))
        names = {hashed(self._salt, EVERY_SOURCE, "address", one): one for one in told}
        marks = self._marks(names)
        return _Addresses({names[n]: pseudonym(row["contact_key"]) for n, row in marks.items()})

    def _rule(self, own: Sequence[tuple[str, Row]], replaced: Callable[[str], str | None]) -> Rule:
        kinds = {row["kind"] for _, row in own}
        is_whole = bool(kinds & {"record", "ticket", "message"})
        kept: Row = {}
        for _, row in own:
            kept |= row["kept_fields"] or {}
        contact_key = own[0][1]["contact_key"]
        return Rule(
            is_whole=is_whole,
            parts=frozenset(part for part, row in own if row["kind"] == "part"),
            kept_fields=frozenset(kept.get("fields", ())),
            columns=frozenset(kept.get("columns", ())),
            blank_columns=frozenset(kept.get("blank_columns", ())),
            address_column=kept.get("address_column"),
            mail=kept.get("mail"),
            pseudonym=pseudonym(contact_key)
            if kept.get("is_person") or kept.get("columns")
            else None,
            replaced=replaced,
        )


class _Addresses:
    """Erased people's addresses, whatever their letters' case."""

    def __init__(self, found: Mapping[str, str]) -> None:
        self._found = found

    def get(self, address: str) -> str | None:
        """What stands for an address; None where it is nobody's who was erased."""
        return self._found.get(address.strip().lower())
