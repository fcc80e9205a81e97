"""The audit trail: append-only entries per client, each one sealed by a hash over itself and its predecessor.

Belongs here: appending, the chain's head, verifying. Does not belong here: what is worth an entry. Entries
hold keys, words of our own and hashes, no personal text, so that an erasure leaves the chain valid.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select, text

from connectors.warehouse.tables import audit_entry
from connectors.warehouse.types import canonical_json, iso_utc, safe_text

FIRST_HASH = "0" * 64
"""What the first entry of a client names as its predecessor."""

Plain = str | int | bool | None


@dataclass(frozen=True, slots=True)
class AuditItem:
    """One thing to be written down.

    `action` is our own word for what happened, `subject` the key of what it happened to. `detail` is flat:
    texts, whole numbers, flags; numbers with a fraction are refused, since databases write them differently.
    """

    action: str
    subject: str
    occurred_at: datetime
    detail: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a client's chain; kept outside the database it shows that nothing was cut off."""

    sequence: int
    entry_hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found. `fault` says which entry breaks the chain and how; None where it holds."""

    entries: int
    head: Head
    fault: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the chain is whole."""
        return self.fault is None


def append(connection: Connection, client_key: str, items: Sequence[AuditItem]) -> Head:
    """Adds entries in order, in the caller's transaction, and gives the new head.

    Two writers of one client wait for each other until the transaction ends.

    Raises:
        ValueError: a detail is not plain, or an instant has no zone; nothing was written.
    """
    for item in items:
        _check(item)
    if not items:
        return head(connection, client_key)
    _lock(connection, client_key)
    last = head(connection, client_key)
    rows = []
    for item in items:
        sequence = last.sequence + 1
        sealed = _entry_hash(client_key, sequence, item, last.entry_hash)
        rows.append(
            {
                "client_key": client_key,
                "sequence": sequence,
                "action": item.action,
                "subject": item.subject,
                "detail": dict(item.detail),
                "occurred_at": item.occurred_at,
                "previous_hash": last.entry_hash,
                "entry_hash": sealed,
            }
        )
        last = Head(sequence, sealed)
    connection.execute(insert(audit_entry), rows)
    return last


def head(connection: Connection, client_key: str) -> Head:
    """The last entry's number and hash; number 0 where there is none."""
    row = connection.execute(
        select(audit_entry.c.sequence, audit_entry.c.entry_hash)
        .where(audit_entry.c.client_key == client_key)
        .order_by(audit_entry.c.sequence.desc())
        .limit(1)
    ).first()
    return Head(row.sequence, row.entry_hash) if row else Head(0, FIRST_HASH)


def verify(connection: Connection, client_key: str, anchor: Head | None = None) -> Verification:
    """Reads a client's chain from its first entry and recomputes every hash.

    Args:
        connection: a reading transaction.
        client_key: whose chain.
        anchor: a head that was kept elsewhere; the chain has to contain it, so that a cut end shows.
    """
    last = Head(0, FIRST_HASH)
    is_anchored = anchor is None or anchor.sequence == 0
    rows = connection.execute(
        select(audit_entry)
        .where(audit_entry.c.client_key == client_key)
        .order_by(audit_entry.c.sequence)
        .execution_options(yield_per=1_000)
    )
    for row in rows:
        item = AuditItem(row.action, row.subject, row.occurred_at, row.detail or {})
        fault = None
        if row.sequence != last.sequence + 1:
            fault = f"entry {last.sequence + 1} is missing"
        elif row.previous_hash != last.entry_hash:
            fault = f"entry {row.sequence} does not follow entry {last.sequence}"
        elif row.entry_hash != _entry_hash(client_key, row.sequence, item, last.entry_hash):
            fault = f"entry {row.sequence} was changed after it was written"
        if fault:
            rows.close()
            return Verification(last.sequence, last, fault)
        last = Head(row.sequence, row.entry_hash)
        if anchor is not None and anchor.sequence == row.sequence:
            is_anchored = anchor.entry_hash == row.entry_hash
    if not is_anchored:
        assert anchor is not None, "only an anchor can be missed"
        found = "another entry" if anchor.sequence <= last.sequence else "nothing"
        fault = f"the anchored head {anchor.sequence} is gone: {found} stands there"
        return Verification(last.sequence, last, fault)
    return Verification(last.sequence, last)


def _entry_hash(client_key: str, sequence: int, item: AuditItem, previous_hash: str) -> str:
    sealed = [
        previous_hash,
        safe_text(client_key),
        sequence,
        item.action,
        item.subject,
        iso_utc(item.occurred_at),
        dict(item.detail),
    ]
    return hashlib.sha256(canonical_json(sealed).encode()).hexdigest()


def _check(item: AuditItem) -> None:
    iso_utc(item.occurred_at)
    for name, value in item.detail.items():
        if not isinstance(value, str | int | bool | None):
            raise ValueError(
                f"audit entry {item.action} of {item.subject}: '{name}' is a {type(value).__name__}; "
                "expected text, a whole number or a flag"
            )


def _lock(connection: Connection, client_key: str) -> None:
    """PostgreSQL: one writer per client until the transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
            {"name": f"audit:{client_key}"},
        )
