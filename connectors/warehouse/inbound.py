"""Inbound events: what webhooks told, and what became of it.

Belongs here: rows of `inbound_event`. Does not belong here: receiving them (`connectors.webhooks`), acting on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, case, delete, func, select, update

from connectors.warehouse import erasures
from connectors.warehouse.bulk import KEYS_PER_QUERY, chunks, one_of, upsert
from connectors.warehouse.tables import inbound_event

PENDING, DONE, IGNORED, FAILED = "pending", "done", "ignored", "failed"

MOST_ATTEMPTS = 20
"""Tries of an event, over an hour or more; the sync brings what it was about in any case."""

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One verified event. `event_id` is `CLIENT/SOURCE/ID`; `payload` is what was understood of `body`."""

    provider: str
    event_id: str
    client_key: str
    source_key: str
    event_type: str | None
    payload: Mapping[str, Any]
    body: bytes
    occurred_at: datetime | None
    received_at: datetime
    is_understood: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A pending event that is being worked off, with its tries so far, this one included."""

    provider: str
    event_id: str
    payload: Mapping[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True)
class HookState:
    """How one source's events stand; `seconds` are those from hook to ticket of the latest ones, rising."""

    source_key: str
    pending: int
    done: int
    ignored: int
    failed: int
    oldest_pending_at: datetime | None
    latest_at: datetime | None
    seconds: Sequence[float]


def store(connection: Connection, events: Sequence[InboundEvent]) -> int:
    """Writes events that are not there yet; returns how many those were. A vendor's second try changes nothing."""
    rows = [
        {
            "provider": event.provider,
            "event_id": event.event_id,
            "client_key": event.client_key,
            "source_key": event.source_key,
            "event_type": event.event_type,
            "payload": dict(event.payload),
            "body": None if _is_erased(connection, event) else event.body,
            "occurred_at": event.occurred_at,
            "received_at": event.received_at,
            "state": PENDING if event.is_understood else IGNORED,
            "attempts": 0,
            "next_at": event.received_at if event.is_understood else None,
        }
        for event in events
    ]
    return upsert(connection, inbound_event, rows, update=False)


def _is_erased(connection: Connection, event: InboundEvent) -> bool:
    """Whether it tells of a ticket that was erased: which one is kept, not what it says."""
    told = [str(one) for one in event.payload.get("ticket_ids", ())]
    return bool(
        told and erasures.erased_tickets(connection, event.client_key, event.source_key, told)
    )


def are_due(connection: Connection, client_key: str, source_key: str, now: datetime) -> bool:
    """Whether a source has pending events whose time has come."""
    return connection.scalar(_due(client_key, source_key, now).limit(1)) is not None


def claim(
    connection: Connection, client_key: str, source_key: str, now: datetime, limit: int
) -> list[Claimed]:
    """Pending events that are due, oldest first, each with one try more and put off until its next one.

    Who dies over them leaves them pending: they are due again after the wait.
    """
    query = _due(client_key, source_key, now)
    e = inbound_event.c
    query = query.add_columns(e.provider, e.payload, e.attempts)
    rows = connection.execute(query.order_by(e.received_at, e.event_id).limit(limit))
    claimed = [Claimed(row.provider, row.event_id, row.payload, row.attempts + 1) for row in rows]
    for attempts in sorted({one.attempts for one in claimed}):
        some = [one for one in claimed if one.attempts == attempts]
        _set(connection, some, attempts=attempts, next_at=now + _wait(attempts))
    return claimed


def finish(connection: Connection, events: Sequence[Claimed], now: datetime) -> None:
    """Marks events as done."""
    _set(connection, events, state=DONE, applied_at=now, next_at=None, failure=None)


def put_back(
    connection: Connection, events: Sequence[Claimed], failure: str, now: datetime
) -> None:
    """Notes why events could not be worked off, and when they are tried again; those without tries left are failed."""
    last = [one for one in events if one.attempts >= MOST_ATTEMPTS]
    _set(connection, last, state=FAILED, next_at=None, failure=failure[:1_000])
    for attempts in sorted({one.attempts for one in events if one.attempts < MOST_ATTEMPTS}):
        again = [one for one in events if one.attempts == attempts]
        _set(connection, again, next_at=now + _wait(attempts), failure=failure[:1_000])


def try_again(connection: Connection, client_key: str, now: datetime) -> int:
    """Makes a client's failed events pending once more; returns how many."""
    statement = (
        update(inbound_event)
        .where(inbound_event.c.client_key == client_key, inbound_event.c.state == FAILED)
        .values(state=PENDING, attempts=0, next_at=now)
    )
    return connection.execute(statement).rowcount


def states(connection: Connection, client_key: str, latest: int = 500) -> dict[str, HookState]:
    """Source → how its events stand."""
    e = inbound_event.c
    counts = {
        state: func.sum(case((e.state == state, 1), else_=0))
        for state in (PENDING, DONE, IGNORED, FAILED)
    }
    rows = connection.execute(
        select(
            e.source_key,
            *(count.label(state) for state, count in counts.items()),
            func.min(case((e.state == PENDING, e.received_at))).label("oldest_pending_at"),
            func.max(e.received_at).label("latest_at"),
        )
        .where(e.client_key == client_key, e.source_key.is_not(None))
        .group_by(e.source_key)
    ).all()
    return {
        row.source_key: HookState(
            **row._mapping, seconds=_seconds(connection, client_key, row.source_key, latest)
        )
        for row in rows
    }


def failures(connection: Connection, client_key: str, limit: int) -> list[dict[str, Any]]:
    """A client's events that failed or wait for another try with a reason, newest first."""
    e = inbound_event.c
    rows = connection.execute(
        select(
            e.source_key, e.event_id, e.event_type, e.payload, e.state, e.attempts, e.received_at, e.failure
        )
        .where(e.client_key == client_key, e.state.in_((PENDING, FAILED)), e.failure.is_not(None))
        .order_by(e.received_at.desc(), e.event_id)
        .limit(limit)
    )  # fmt: skip
    return [dict(row._mapping) for row in rows]


def purge(connection: Connection, before: datetime, limit: int = 5_000) -> int:
    """Deletes events received before an instant, pending ones excepted; returns how many went, at most `limit`."""
    e = inbound_event.c
    old = (
        select(e.provider, e.event_id)
        .where(e.received_at < before, e.state != PENDING)
        .limit(limit)
        .subquery()
    )
    named = select(old.c.event_id)
    return connection.execute(
        delete(inbound_event).where(e.event_id.in_(named), e.received_at < before)
    ).rowcount


def _due(client_key: str, source_key: str, now: datetime) -> Any:
    e = inbound_event.c
    return select(e.event_id).where(
        and_(
            e.client_key == client_key,
            e.source_key == source_key,
            e.state == PENDING,
            e.next_at <= now,
        )
    )


def _set(connection: Connection, events: Sequence[Claimed], **values: Any) -> None:
    e = inbound_event.c
    for provider in sorted({one.provider for one in events}):
        ids = [one.event_id for one in events if one.provider == provider]
        for some in chunks(ids, KEYS_PER_QUERY):
            connection.execute(
                update(inbound_event)
                .where(e.provider == provider, one_of(connection, e.event_id, some))
                .values(**values)
            )


def _wait(attempts: int) -> timedelta:
    doubled: timedelta = FIRST_WAIT * 2 ** min(attempts - 1, 20)
    return min(doubled, LONGEST_WAIT)


def _seconds(
    connection: Connection, client_key: str, source_key: str, latest: int
) -> Sequence[float]:
    e = inbound_event.c
    rows = connection.execute(
        select(e.received_at, e.applied_at)
        .where(
            e.client_key == client_key,
            e.source_key == source_key,
            e.state == DONE,
            e.applied_at.is_not(None),
        )
        .order_by(e.received_at.desc())
        .limit(latest)
    )
    return sorted((row.applied_at - row.received_at).total_seconds() for row in rows)
