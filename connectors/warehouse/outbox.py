"""The outbox: messages that are to leave, written with the decision that made them, sent at least once.

Belongs here: rows of `delivery`, their order, leases and ends. Does not belong here: sending
(`connectors.outbox_sender`), and what a message says.

A row is `pending` until it is `delivered`, `dead` (nobody will take it) or `cancelled` (no longer wanted).
`outcome` begins with one word: `unknown` when an attempt may have reached the provider, `refused` when it
surely did not. Once unknown it stays so: the next attempt is a possible repeat.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    text,
    update,
)

from connectors.contract import Message
from connectors.warehouse.bulk import upsert
from connectors.warehouse.lanes import Lane as Lane
from connectors.warehouse.lanes import held_lanes
from connectors.warehouse.tables import delivery

Action = Literal["trigger", "acknowledge", "resolve", "note"]
SEQUENCES: Mapping[str, int] = {"trigger": 0, "note": 1, "acknowledge": 2, "resolve": 3}
"""The usual place of an action among those of one key; a second note or acknowledgement brings its own."""

LEASE_SECONDS = 120
"""How long a claimed row is left to its owner; after that it counts as sent with an unknown result."""

RETRY_CAP_SECONDS = 60.0
RETRY_AFTER_CAP_SECONDS = 900.0
"""A provider that asks for more is asked again after this."""

GIVE_UP_AFTER = timedelta(hours=24)
_UNKNOWN = "unknown"
_REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message to be sent. `created_at` is the instant of the decision."""

    client_key: str
    channel: str
    destination: str
    message_key: str
    action: Action
    body: Mapping[str, Any]
    created_at: datetime
    ticket_key: str | None = None
    sequence: int | None = None

    @property
    def order(self) -> int:
        """Its place among the messages of its key."""
        return SEQUENCES[self.action] if self.sequence is None else self.sequence


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this owner may send now, until `lease_until`."""

    delivery_key: str
    client_key: str
    lane: Lane
    ticket_key: str | None
    message: Message
    created_at: datetime
    attempts: int
    lease_owner: str
    lease_until: datetime
    previous_outcome: str | None


def delivery_key(
    channel: str, destination: str, message_key: str, action: str, sequence: int
) -> str:
    """The row's key: the same message to the same place is the same row, whoever enqueues it."""
    identity = "\x1f".join((channel, destination, message_key, action, str(sequence)))
    return f"delivery-{hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def enqueue(connection: Connection, rows: Iterable[NewDelivery]) -> int:
    """Puts messages into the outbox, in the transaction that decided them.

    Returns:
        How many were new; what was there already stays as it is.
    """
    return upsert(connection, delivery, [_row(row) for row in rows], update=False)


def _row(row: NewDelivery) -> dict[str, Any]:
    key = delivery_key(row.channel, row.destination, row.message_key, row.action, row.order)
    return {
        "delivery_key": key,
        "client_key": row.client_key,
        "channel": row.channel,
        "destination": row.destination,
        "message_key": row.message_key,
        "action": row.action,
        "sequence": row.order,
        "ticket_key": row.ticket_key,
        "body": dict(row.body),
        "created_at": row.created_at,
        "state": "pending",
        "provider_id": None,
        "attempts": 0,
        "next_at": row.created_at,
        "lease_until": None,
        "lease_owner": None,
        "outcome": None,
        "delivered_at": None,
    }


def due_lanes(connection: Connection, now: datetime, client_key: str | None = None) -> list[Lane]:
    """Lanes with something to send that no limit holds back: of one client, or of all.

    Two clients may well have a channel of the same name in two workspaces. A caller whose notifiers are one
    client's passes that client's key here and to `claim`.
    """
    rows = connection.execute(
        select(delivery.c.channel, delivery.c.destination)
        .where(*_is_due(now), *of_client(client_key))
        .distinct()
        .order_by(delivery.c.channel, delivery.c.destination)
    )
    lanes = [Lane(row.channel, row.destination) for row in rows]
    held = held_lanes(connection, now, client_key)
    return [lane for lane in lanes if lane not in held]


def claim(
    connection: Connection,
    now: datetime,
    owner: str,
    limit: int,
    lane: Lane,
    client_key: str | None = None,
) -> list[Claimed]:
    """Leases up to `limit` due rows of a lane to `owner`: triggers first, the critical ones of them, by age.

    A message waits for the earlier ones of its key. What was resolved before it was sent is cancelled here.
    PostgreSQL skips rows that another claim holds, SQLite lets one writer in at a time.

    Args:
        connection: a short transaction of its own, committed before anything is sent.
        now: aware instant.
        owner: who holds the lease; unique per worker.
        limit: at most this many rows.
        lane: which channel and destination.
        client_key: only this client's rows; None takes all.
    """
    if lane in held_lanes(connection, now, client_key):
        return []
    _lock(connection, lane)
    _cancel_resolved(connection, now, lane)
    statement = (
        select(delivery)
        .where(*_is_due(now), *in_lane(lane), *of_client(client_key))
        .order_by(
            case((delivery.c.action == "trigger", 0), else_=1),
            _urgency(connection),
            delivery.c.created_at,
            delivery.c.delivery_key,
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(connection.execute(statement))
    if not rows:
        return []
    lease_until = now + timedelta(seconds=LEASE_SECONDS)
    keys = [row.delivery_key for row in rows]
    connection.execute(
        update(delivery)
        .where(delivery.c.delivery_key.in_(keys), *_is_free(now))
        .values(
            lease_owner=owner,
            lease_until=lease_until,
            attempts=delivery.c.attempts + 1,
            outcome=f"{_UNKNOWN}: a send began and its result was not recorded",
        )
    )
    earlier = _trigger_ids(connection, lane, [r.message_key for r in rows if r.action != "trigger"])
    return [
        Claimed(
            delivery_key=row.delivery_key,
            client_key=row.client_key,
            lane=lane,
            ticket_key=row.ticket_key,
            message=Message(
                key=row.message_key,
                action=row.action,
                body=row.body,
                previous_provider_id=earlier.get(row.message_key)
                if row.action != "trigger"
                else None,
                is_possible_repeat=(row.outcome or "").startswith(_UNKNOWN),
            ),
            created_at=row.created_at,
            attempts=row.attempts + 1,
            lease_owner=owner,
            lease_until=lease_until,
            previous_outcome=row.outcome,
        )
        for row in rows
    ]


def record_delivered(
    connection: Connection, claimed: Claimed, now: datetime, provider_id: str | None, status: str
) -> bool:
    """Notes that the provider took a message in; true unless another worker had noted it already."""
    return _finish(
        connection,
        delivery.c.delivery_key == claimed.delivery_key,
        state="delivered",
        outcome=status,
        provider_id=provider_id,
        delivered_at=now,
    )


def record_dead(connection: Connection, claimed: Claimed, reason: str) -> bool:
    """Notes that nobody will take a message; true unless somebody else ended it meanwhile."""
    return _finish(
        connection, _is_mine(claimed), state="dead", outcome=_outcome(claimed, _REFUSED, reason)
    )


def record_retry(
    connection: Connection,
    claimed: Claimed,
    now: datetime,
    reason: str,
    *,
    jitter: float,
    retry_after_seconds: float | None = None,
    was_taken_in: bool | None = None,
) -> datetime | None:
    """Puts a message back for later and gives the instant of the next attempt.

    Args:
        connection: a short transaction.
        claimed: what was tried.
        now: aware instant.
        reason: what was seen.
        jitter: 0 to 1, the caller's random number.
        retry_after_seconds: what the provider asked for, capped at a quarter of an hour.
        was_taken_in: False when the provider surely did not take it (429); None when nobody knows.

    Returns:
        The next attempt, or None where the lease was lost meanwhile or the message was given up as dead.
    """
    verdict = _REFUSED if was_taken_in is False else _UNKNOWN
    outcome = _outcome(claimed, verdict, reason)
    if now - claimed.created_at >= GIVE_UP_AFTER:
        _finish(
            connection, _is_mine(claimed), state="dead", outcome=f"{outcome}; given up after 24 h"
        )
        return None
    next_at = now + timedelta(seconds=retry_seconds(claimed.attempts, jitter, retry_after_seconds))
    kept = _finish(connection, _is_mine(claimed), state="pending", outcome=outcome, next_at=next_at)
    return next_at if kept else None


def retry_seconds(attempts: int, jitter: float, retry_after_seconds: float | None = None) -> float:
    """The provider's wait where told, else full jitter: a random share of min(60, 2·2ⁿ) seconds."""
    if retry_after_seconds is not None:
        return min(retry_after_seconds, RETRY_AFTER_CAP_SECONDS)
    return float(jitter * min(RETRY_CAP_SECONDS, 2.0 * 2.0 ** min(attempts, 10)))


def release(connection: Connection, claimed: Sequence[Claimed]) -> None:
    """Gives back rows that were claimed and not tried, as if they had never been claimed."""
    for one in claimed:
        connection.execute(
            update(delivery)
            .where(_is_mine(one))
            .values(
                lease_owner=None,
                lease_until=None,
                attempts=one.attempts - 1,
                outcome=one.previous_outcome,
            )
        )


def release_own(connection: Connection, owner: str) -> int:
    """Gives back what a worker of this name held when it died; what it was sending is a possible repeat.

    Only for an owner whose name no other running worker has: then there is no need to wait for its leases.
    """
    result = connection.execute(
        update(delivery)
        .where(delivery.c.state == "pending", delivery.c.lease_owner == owner)
        .values(lease_owner=None, lease_until=None)
    )
    return result.rowcount


def counts(connection: Connection, client_key: str | None = None) -> dict[tuple[str, str], int]:
    """(channel, state) → number of rows, of one client or of all."""
    statement = select(delivery.c.channel, delivery.c.state, func.count()).group_by(
        delivery.c.channel, delivery.c.state
    )
    if client_key is not None:
        statement = statement.where(delivery.c.client_key == client_key)
    return {(channel, state): count for channel, state, count in connection.execute(statement)}


def _is_free(now: datetime) -> tuple[Any, ...]:
    return (
        delivery.c.state == "pending",
        or_(delivery.c.lease_until.is_(None), delivery.c.lease_until <= now),
    )


def _is_due(now: datetime) -> tuple[Any, ...]:
    earlier = delivery.alias("earlier")
    waits = exists().where(
        *_same_key(earlier), earlier.c.sequence < delivery.c.sequence, earlier.c.state == "pending"
    )
    return (*_is_free(now), delivery.c.next_at <= now, ~waits)


def _urgency(connection: Connection) -> Any:
    """0 for critical, 1 for error, 2 for the rest, by the body's `severity`."""
    if connection.dialect.name == "postgresql":
        severity = func.jsonb_extract_path_text(delivery.c.body, "severity")
    else:
        severity = func.json_extract(delivery.c.body, "$.severity")
    return case((severity == "critical", 0), (severity == "error", 1), else_=2)


def _same_key(other: Any) -> tuple[Any, ...]:
    return (
        other.c.channel == delivery.c.channel,
        other.c.destination == delivery.c.destination,
        other.c.message_key == delivery.c.message_key,
    )


def in_lane(lane: Lane) -> tuple[Any, ...]:
    """Condition: rows of this lane."""
    return (delivery.c.channel == lane.channel, delivery.c.destination == lane.destination)


def _is_mine(claimed: Claimed) -> Any:
    return and_(
        delivery.c.delivery_key == claimed.delivery_key,
        delivery.c.lease_owner == claimed.lease_owner,
        delivery.c.attempts == claimed.attempts,
    )


def _finish(connection: Connection, condition: Any, **values: Any) -> bool:
    result = connection.execute(
        update(delivery)
        .where(condition, delivery.c.state == "pending")
        .values(lease_owner=None, lease_until=None, **values)
    )
    return result.rowcount > 0


def _outcome(claimed: Claimed, verdict: str, reason: str) -> str:
    was_unknown = claimed.message.is_possible_repeat
    return f"{_UNKNOWN if was_unknown else verdict}: {reason[:500]}"


def _cancel_resolved(connection: Connection, now: datetime, lane: Lane) -> None:
    """What is resolved before it left wakes nobody any more; a resolve of something never sent is needless."""
    other = delivery.alias("other")
    is_resolved = exists().where(
        *_same_key(other), other.c.action == "resolve", other.c.state == "pending"
    )
    connection.execute(
        update(delivery)
        .where(*_is_free(now), *in_lane(lane), delivery.c.action != "resolve", is_resolved)
        .values(state="cancelled", lease_owner=None, lease_until=None)
    )
    was_never_sent = exists().where(
        *_same_key(other),
        other.c.action == "trigger",
        other.c.state == "cancelled",
        or_(other.c.outcome.is_(None), ~other.c.outcome.startswith(_UNKNOWN)),
    )
    connection.execute(
        update(delivery)
        .where(*_is_free(now), *in_lane(lane), delivery.c.action == "resolve", was_never_sent)
        .values(state="cancelled", outcome=f"{_REFUSED}: resolved before the page was sent")
    )


def _lock(connection: Connection, lane: Lane) -> None:
    """PostgreSQL: claims of one lane come one after the other, so that none can deadlock another."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
            {"name": f"lane:{lane.channel} {lane.destination}"},
        )


def of_client(client_key: str | None) -> tuple[Any, ...]:
    """Condition: rows of this client; none where it is None."""
    return () if client_key is None else (delivery.c.client_key == client_key,)


def _trigger_ids(connection: Connection, lane: Lane, message_keys: Sequence[str]) -> dict[str, str]:
    if not message_keys:
        return {}
    rows = connection.execute(
        select(delivery.c.message_key, delivery.c.provider_id).where(
            *in_lane(lane),
            delivery.c.message_key.in_(set(message_keys)),
            delivery.c.action == "trigger",
            delivery.c.provider_id.is_not(None),
        )
    )
    return {row.message_key: row.provider_id for row in rows}
