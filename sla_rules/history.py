"""What the engine is told about a ticket: its facts at creation and the events of its life.

Belongs here: the shapes of tickets and events, and how a ticket's events become an ordered history.
Does not belong here: mappings and tables of callers (`intake.py`), what a clock makes of a history.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import floor
from typing import Literal

from sla_rules.calendar import epoch_seconds
from sla_rules.metrics import SOLVED_STATUSES
from transforms.model import END_STATUSES, PRIORITIES, STATUSES

ActorKind = Literal["customer", "agent", "bot", "bridge", "unknown"]


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """A ticket as it was created, and what policies match on.

    `priority`, `status`, `calendar` and `contract` are those at creation (`opening_value` finds them);
    later values come as events. `recorded_at` is when the ticket was first seen, for `known_at`.
    """

    ticket_key: str
    created_at: datetime
    source_key: str = ""
    channel: str = "unknown"
    organisation_key: str | None = None
    organisation_name: str | None = None
    requester_key: str | None = None
    tags: tuple[str, ...] = ()
    category: str | None = None
    priority: str | None = None
    status: str = "new"
    calendar: str | None = None
    contract: str | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a ticket.

    `field` is `created`, `comment`, `status`, `priority`, `assignee`, `team`, `level`, `calendar`,
    `contract`, `merged`, `deleted`, `spam`, …; fields that no clock reads are passed over. Statuses and
    priorities are canonical.
    """

    ticket_key: str
    occurred_at: datetime
    field: str
    old_value: str | None = None
    new_value: str | None = None
    actor_kind: str = "unknown"
    is_public: bool = False
    position: int = 0
    recorded_at: datetime | None = None


@dataclass(slots=True)
class Moment:
    """The ticket's state from an instant on, until the next moment. `second` is in epoch seconds."""

    index: int
    occurred_at: datetime
    second: int
    status: str
    priority: str | None
    calendar: str | None
    contract: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """A public comment. `is_after_start` says whether it came strictly after the ticket's creation."""

    index: int
    occurred_at: datetime
    second: int
    actor_kind: str
    is_after_start: bool


@dataclass(frozen=True, slots=True)
class History:
    """A ticket's life up to an instant, in order; `index` orders moments and messages of one second."""

    ticket: TicketFacts
    start: int
    moments: list[Moment]
    messages: list[Message]


def build_history(
    ticket: TicketFacts,
    events: Iterable[Event],
    as_of: datetime,
    known_at: datetime | None = None,
    *,
    every_event: bool = False,
) -> History | None:
    """The history of one ticket as it stood at `as_of` and was known at `known_at`.

    Events are put in order of (occurred_at, position). One before the creation counts as at the creation.

    Args:
        ticket: The ticket.
        events: Its events, in any order.
        as_of: Events after this instant are left out.
        known_at: Events recorded after this instant are left out.
        every_event: Whether each event brings a moment, not only those that change the ticket's state;
            needed where promises change with time and take hold at the ticket's next event.

    Returns:
        None where the ticket did not exist, or was not known, by then.

    Raises:
        ValueError: a naive datetime.
    """
    start = epoch_seconds(ticket.created_at)
    if ticket.created_at > as_of or _is_unknown(ticket.recorded_at, known_at):
        return None
    first = Moment(
        index=0,
        occurred_at=ticket.created_at,
        second=start,
        status=_status(ticket.status),
        priority=_priority(ticket.priority),
        calendar=ticket.calendar,
        contract=ticket.contract,
    )
    moments: list[Moment] = [first]
    messages: list[Message] = []
    for index, event in enumerate(_in_order(events), start=1):
        if event.occurred_at > as_of:
            break
        if _is_unknown(event.recorded_at, known_at):
            if event.field == "created":
                return None
            continue
        if event.field == "comment":
            if event.is_public:
                second = max(start, floor(event.occurred_at.timestamp()))
                is_after = event.occurred_at > ticket.created_at
                messages.append(
                    Message(index, event.occurred_at, second, event.actor_kind, is_after)
                )
        elif event.field in _STATE_FIELDS:
            _apply(event, index, start, moments)
            if moments[-1].status in END_STATUSES:
                _drop_parting_words(event, messages)
            continue
        if every_event:
            second = max(start, floor(event.occurred_at.timestamp()))
            at = event.occurred_at
            moments.append(replace(moments[-1], index=index, occurred_at=at, second=second))
    return History(ticket, start, moments, messages)


def opening_value(field: str, changes: Sequence[Event], current: str | None) -> str | None:
    """The value a field had when the ticket was created: the first change's old value, else today's."""
    relevant = [change for change in changes if change.field == field]
    if not relevant:
        return current
    return min(relevant, key=lambda change: (change.occurred_at, change.position)).old_value


_STATE_FIELDS = frozenset({"status", "priority", "calendar", "contract"} | END_STATUSES)
_UNSET = frozenset({"false", "0", "no", ""})


def _in_order(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.occurred_at, event.position))


def _is_unknown(recorded_at: datetime | None, known_at: datetime | None) -> bool:
    return known_at is not None and recorded_at is not None and recorded_at > known_at


def _status(word: str | None) -> str:
    """A canonical status; an unknown word counts as open (SLA.md)."""
    return word if word in STATUSES else "open"


def _priority(word: str | None) -> str | None:
    return word if word in PRIORITIES else None


def _apply(event: Event, index: int, start: int, moments: list[Moment]) -> None:
    """Add the moment that an event of the ticket's state brings."""
    second = max(start, floor(event.occurred_at.timestamp()))
    moment = replace(moments[-1], index=index, occurred_at=event.occurred_at, second=second)
    if event.field == "priority":
        moment.priority = _priority(event.new_value)
    elif event.field == "calendar":
        moment.calendar = event.new_value or None
    elif event.field == "contract":
        moment.contract = event.new_value or None
    else:
        moment.status = _next_status(event, moments)
    moments.append(moment)


def _next_status(event: Event, moments: list[Moment]) -> str:
    last = moments[-1].status
    if event.field in END_STATUSES:
        if str(event.new_value or "true").lower() in _UNSET:
            return _status_before_end(moments) if last in END_STATUSES else last
        status = event.field
    else:
        status = _status(event.new_value)
    if status in END_STATUSES:
        _undo_solve(event, moments)
        return status
    if last in END_STATUSES and status in SOLVED_STATUSES:
        # Helpdesks close what was merged or deleted; only work on the ticket brings it back.
        return last
    return status


def _drop_parting_words(event: Event, messages: list[Message]) -> None:
    """The comment a helpdesk writes in the same update as a merge or a deletion answers nobody."""
    while messages and messages[-1].occurred_at == event.occurred_at:
        messages.pop()


def _undo_solve(event: Event, moments: list[Moment]) -> None:
    """A merge closes the ticket in the same update, in either order: that is no solve."""
    same = [m for m in moments[1:] if m.occurred_at == event.occurred_at]
    if same:
        before = moments[len(moments) - len(same) - 1].status
        for moment in same:
            if moment.status in SOLVED_STATUSES:
                moment.status = before


def _status_before_end(moments: Sequence[Moment]) -> str:
    for moment in reversed(moments):
        if moment.status not in END_STATUSES:
            return moment.status
    return "open"
