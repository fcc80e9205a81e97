"""A Freshdesk ticket's changes: what the account still tells, and what comparing our own snapshots shows.

Belongs here: the reconstruction of a history that Freshdesk does not give. Does not belong here: comments.

Freshdesk's API has no history of a ticket. What it tells are the last instants of some kinds (`stats`), and
what we have are the versions in which we saw the ticket. From these, and from nothing else:

- The ticket begins at `created_at` with the status it was first seen in, where nothing had changed since its
  creation; else as `new` where no agent had touched it when first seen, else as `open` (Freshdesk's default).
- `resolved_at`, `closed_at`, `reopened_at`, `pending_since` and `status_updated_at` of every version are exact
  changes to solved, closed, open, pending and that version's status. `first_responded_at` ends `new`.
- An instant that a later version moves stays beside the new one. Where the new one lies before it, the ticket had
  that status already, so the old one changes nothing: nobody told of a reopening between them.
- Where a version's status still differs from what these say, the change was seen, not told: `is_observed`, at
  that version's `updated_at`. So are all changes of priority, assignee and team, and deleted and spam.
- Priority is taken to be what it was when first seen; an assignee or team that was there when first seen counts
  from creation only where the ticket had not been updated since.
- What happened before the first version and left no instant is unknown, and a warning says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from transforms.freshdesk_words import Reading
from transforms.model import SourceChange
from transforms.payload import UnreadableError, id_of, instant_of, required_id, required_instant

UNKNOWN_BEFORE = "history before first sync unknown"

AT_ONCE = timedelta(seconds=1)
"""Times of one creation may differ by a rounded second."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a ticket, as far as its history goes."""

    at: datetime
    """The version's `updated_at`, or a later instant that it tells itself."""
    code: str
    base: str
    """Canonical status, deleted and spam left aside."""
    status: str
    priority: str | None
    assignee: str | None
    team: str | None
    stats: Mapping[str, datetime] | None
    """Instants the account tells; None where the version came without."""

    @property
    def status_since(self) -> datetime | None:
        """When the account says that the status last changed."""
        return (self.stats or {}).get("status_updated_at")


class _Event(NamedTuple):
    """A point of the status history. The order of fields is the order of events."""

    at: datetime
    version: int
    rank: int
    status: str | None
    """None: ends `new`, whatever else it is."""
    is_observed: bool


_STATS = (
    "first_responded_at",
    "status_updated_at",
    "reopened_at",
    "resolved_at",
    "closed_at",
    "pending_since",
)


def snapshot_of(
    reading: Reading, body: Mapping[str, Any], *, was_touched: bool, is_tombstone: bool
) -> Snapshot:
    """One version of a ticket.

    Args:
        reading: the words of the account.
        body: the ticket's object.
        was_touched: whether an agent was assigned or wrote before or in this version.
        is_tombstone: whether it came as deleted (spam says so itself).

    Raises:
        UnreadableError: it has no id, status, creation or update instant.
    """
    ticket_id = required_id(body, "id")
    code = required_id(body, "status")
    stats = _stats(body.get("stats"))
    base = reading.status(code, ticket_id)
    if (
        base == "open"
        and code == "2"
        and not was_touched
        and "first_responded_at" not in (stats or {})
    ):
        base = "new"
    status = "deleted" if body.get("deleted") else "spam" if body.get("spam") else base
    if is_tombstone and status == base:
        status = "deleted"
    created_at = required_instant(body, "created_at")
    return Snapshot(
        at=max(created_at, instant_of(body, "updated_at") or created_at, *(stats or {}).values()),
        code=code,
        base=base,
        status=status,
        priority=reading.priority(body.get("priority"), ticket_id),
        assignee=id_of(body, "responder_id"),
        team=id_of(body, "group_id"),
        stats=stats,
    )


def changes_of(
    reading: Reading, ticket_id: str, created_at: datetime, snapshots: Sequence[Snapshot]
) -> list[SourceChange]:
    """The ticket's changes, oldest first; the first status and priority are changes from None at creation.

    Args:
        reading: takes the warnings.
        ticket_id: the ticket's remote id.
        created_at: when it was created.
        snapshots: its versions, oldest first, at least one.
    """
    snapshots = _in_order(snapshots)
    first = snapshots[0]
    told = _told(reading, ticket_id, 0, first, created_at)
    initial = _initial_status(first, told, created_at)
    _warn_of_gaps(reading, ticket_id, first, initial, told, created_at)
    points = [
        (created_at, "status", None, initial, False),
        *_status_points(reading, ticket_id, created_at, snapshots, initial),
        (created_at, "priority", None, first.priority, False),
        *_field_points(created_at, snapshots),
    ]
    points = [point for point in points if point[2] != point[3]]
    points.sort(key=lambda point: point[0])
    changes: list[SourceChange] = []
    seen: dict[tuple[Any, ...], int] = {}
    for at, name, old, new, is_observed in points:
        position = changes[-1].position + 1 if changes and changes[-1].occurred_at == at else 0
        identity = (name, at, new)
        repeat = seen[identity] = seen.get(identity, -1) + 1
        suffix = f":{repeat}" if repeat else ""
        changes.append(
            SourceChange(
                remote_id=f"{name}:{at:%Y-%m-%dT%H:%M:%SZ}:{new or ''}{suffix}",
                ticket_remote_id=ticket_id,
                field=name,
                old_value=old,
                new_value=new,
                occurred_at=at,
                position=position,
                is_observed=is_observed,
                raw_stream="tickets",
                raw_remote_id=ticket_id,
            )
        )
    return changes


def _in_order(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """The versions with instants that never fall, so that a later version always has the last word."""
    ordered = [snapshots[0]]
    for snapshot in snapshots[1:]:
        ordered.append(replace(snapshot, at=max(snapshot.at, ordered[-1].at)))
    return ordered


_Point = tuple[datetime, str, str | None, str | None, bool]
"""(instant, field, old, new, is observed)"""


def _status_points(
    reading: Reading,
    ticket_id: str,
    created_at: datetime,
    snapshots: Sequence[Snapshot],
    initial: str,
) -> list[_Point]:
    events: dict[tuple[datetime, int, str], _Event] = {}
    observed: list[_Event] = []
    for version, snapshot in enumerate(snapshots):
        for key, event in _told(reading, ticket_id, version, snapshot, created_at).items():
            events.setdefault(key, event)
        implied = _replay([*events.values(), *observed], initial, snapshot.at)
        if implied != snapshot.status:
            observed.append(_Event(snapshot.at, version, 9, snapshot.status, True))
    points: list[_Point] = []
    current = initial
    for event in sorted([*events.values(), *observed], key=_order):
        status = _after(current, event)
        points.append((event.at, "status", current, status, event.is_observed))
        current = status
    return points


def _told(
    reading: Reading, ticket_id: str, version: int, snapshot: Snapshot, created_at: datetime
) -> dict[tuple[datetime, int, str], _Event]:
    """The exact instants that one version tells, by (instant, kind, code)."""
    stats, own = snapshot.stats or {}, snapshot.status_since
    resolved_at, closed_at = stats.get("resolved_at"), stats.get("closed_at")
    is_merged = snapshot.base == "merged"
    if is_merged and resolved_at == closed_at:
        # A merge closes; it solves nothing.
        resolved_at = None
    told: list[tuple[datetime | None, int, str, str | None]] = [
        (stats.get("first_responded_at"), 0, "", None),
        (resolved_at, 3, "4", reading.status("4", ticket_id)),
        (closed_at, 4, "5", "merged" if is_merged else reading.status("5", ticket_id)),
        (own, 5, snapshot.code, snapshot.base),
    ]
    reopened_at, pending_at = stats.get("reopened_at"), stats.get("pending_since")
    if reopened_at != own:
        told.append((reopened_at, 1, "2", "open"))
    if snapshot.code == "3" or (pending_at and own and pending_at < own):
        told.append((pending_at, 2, "3", reading.status("3", ticket_id)))
    return {
        (at, rank, code): _Event(at, version, rank, status, False)
        for at, rank, code, status in told
        if at is not None and at > created_at + (AT_ONCE if rank == 5 else timedelta(0))
    }


def _initial_status(
    first: Snapshot, told: Mapping[tuple[datetime, int, str], _Event], created_at: datetime
) -> str:
    is_untouched = not any(event.status for event in told.values())
    if first.base in ("new", "open"):
        return first.base
    if first.stats is not None and is_untouched and first.status_since is not None:
        return first.base
    # Agents may create a ticket as pending or solved; only a first version of that very moment proves it.
    return first.base if first.at <= created_at + AT_ONCE else "open"


def _warn_of_gaps(
    reading: Reading,
    ticket_id: str,
    first: Snapshot,
    initial: str,
    told: Mapping[tuple[datetime, int, str], _Event],
    created_at: datetime,
) -> None:
    changed = any(event.status for event in told.values()) or first.base != initial
    if changed or (first.stats is None and first.at > created_at + AT_ONCE):
        reading.warn(
            ticket_id,
            UNKNOWN_BEFORE,
            f"first seen as {first.base} at its update of {first.at.isoformat()}; status changes before it are "
            "known only where Freshdesk keeps their instant",
        )


def _replay(events: list[_Event], initial: str, until: datetime) -> str:
    current = initial
    for event in sorted(events, key=_order):
        if event.at > until:
            break
        current = _after(current, event)
    return current


def _after(current: str, event: _Event) -> str:
    if event.status is None:
        return "open" if current == "new" else current
    return event.status


def _order(event: _Event) -> tuple[datetime, int, int]:
    return event.at, event.version, event.rank


def _field_points(created_at: datetime, snapshots: Sequence[Snapshot]) -> list[_Point]:
    """What comparing versions shows of priority, assignee and team."""
    first = snapshots[0]
    is_fresh = first.at <= created_at + AT_ONCE
    since = created_at if is_fresh else first.at
    points: list[_Point] = [
        (since, "assignee", None, first.assignee, not is_fresh),
        (since, "team", None, first.team, not is_fresh),
    ]
    for before, after in pairwise(snapshots):
        points += [
            (after.at, "priority", before.priority, after.priority, True),
            (after.at, "assignee", before.assignee, after.assignee, True),
            (after.at, "team", before.team, after.team, True),
        ]
    return points


def _stats(value: Any) -> dict[str, datetime] | None:
    if not isinstance(value, dict):
        return None
    found: dict[str, datetime] = {}
    for name in _STATS:
        try:
            at = instant_of(value, name)
        except UnreadableError:
            continue
        if at is not None:
            found[name] = at
    return found
