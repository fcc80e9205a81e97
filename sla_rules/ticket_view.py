"""What a ticket's history says at an instant, as far as escalation asks: episode, status, replies, level.

Belongs here: reading events up to `as_of`. Does not belong here: clocks (`engine`) and steps (`escalation`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from transforms.model import END_STATUSES

SOLVED_STATUSES = frozenset({"solved", "closed"})
_UNSET = frozenset({"false", "0", "no"})


class EventLike(Protocol):
    """One event of a ticket (SLA.md, Events), ordered by (occurred_at, position)."""

    @property
    def occurred_at(self) -> datetime: ...  # noqa: D102
    @property
    def field(self) -> str: ...  # noqa: D102
    @property
    def old_value(self) -> str | None: ...  # noqa: D102
    @property
    def new_value(self) -> str | None: ...  # noqa: D102
    @property
    def actor_kind(self) -> str: ...  # noqa: D102
    @property
    def is_public(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A person took a page of this ticket (`is_undone`: gave it back). Never an automatic message."""

    at: datetime
    person: str
    is_undone: bool = False


@dataclass(frozen=True, slots=True)
class TicketState:
    """A ticket as escalation needs it.

    `status`, `priority` and `level` are the current values and serve where the history has no change of
    them; `merged_into` names the ticket that counts instead (merged, duplicate, migrated), which ends this
    one for escalation. `events` are the ticket's, in order.
    """

    client_key: str
    ticket_key: str
    created_at: datetime
    events: Sequence[EventLike] = ()
    status: str = "new"
    priority: str | None = None
    level: str | None = None
    merged_into: str | None = None
    acknowledgements: Sequence[Acknowledgement] = ()


@dataclass(frozen=True, slots=True)
class Stay:
    """A stretch of one status; `end` None means until now."""

    status: str
    start: datetime
    end: datetime | None


class TicketView:
    """A ticket at `as_of`. Nothing that came later is seen."""

    def __init__(self, ticket: TicketState, as_of: datetime, no_priority: str = "medium") -> None:
        """Reads the history once."""
        self.ticket = ticket
        self.as_of = as_of
        self._events = [event for event in ticket.events if event.occurred_at <= as_of]
        self.stays = self._stays()
        self.status = self.stays[-1].status
        self.priority = self._value_of("priority", ticket.priority) or no_priority
        self.episode, self.episode_start = self._episode()

    @property
    def is_solved(self) -> bool:
        """Whether it is solved or closed."""
        return self.status in SOLVED_STATUSES

    @property
    def ended(self) -> str | None:
        """Why the ticket has left the service (merged, deleted, spam), if it has."""
        if self.ticket.merged_into:
            return f"merged into {self.ticket.merged_into}"
        ended: str | None = None
        for event in self._events:
            if event.field in END_STATUSES:
                is_set = str(event.new_value or "true").lower() not in _UNSET
                ended = (
                    f"merged into {event.new_value}"
                    if event.field == "merged"
                    else f"the ticket is {event.field}"
                )
                ended = ended if is_set else None
            elif event.field == "status" and event.new_value in END_STATUSES:
                ended = f"the ticket is {event.new_value}"
            elif event.field == "status" and event.new_value not in SOLVED_STATUSES:
                # Helpdesks close what was merged or deleted; only work on the ticket brings it back.
                ended = None
        return ended or (f"the ticket is {self.status}" if self.status in END_STATUSES else None)

    def reply_after(self, start: datetime) -> datetime | None:
        """The first public comment of an agent strictly after `start`; bots and our own never count."""
        for event in self._events:
            if (
                event.field == "comment"
                and event.actor_kind == "agent"
                and event.is_public
                and event.occurred_at > start
            ):
                return event.occurred_at
        return None

    def acknowledgement_after(self, start: datetime) -> Acknowledgement | None:
        """The latest acknowledgement since `start` that was not given back."""
        latest: Acknowledgement | None = None
        for one in sorted(self.ticket.acknowledgements, key=lambda a: a.at):
            if start <= one.at <= self.as_of:
                latest = None if one.is_undone else one
        return latest

    def given_back_at(self) -> datetime | None:
        """When the latest acknowledgement was given back, in this episode."""
        undone = [one.at for one in self.ticket.acknowledgements if one.is_undone]
        return max((at for at in undone if self.episode_start <= at <= self.as_of), default=None)

    def at_level_since(self, level: str) -> datetime | None:
        """Since when the ticket stands at a level by a change in this episode; None where it does not."""
        changes = [event for event in self._events if event.field == "level"]
        if changes and changes[-1].new_value == level:
            return max(changes[-1].occurred_at, self.episode_start)
        if not changes and self.ticket.level == level:
            return self.episode_start
        return None

    def in_status_since(self, statuses: Sequence[str]) -> datetime | None:
        """Since when the ticket has been in one of `statuses` without a break, within this episode."""
        since: datetime | None = None
        for stay in reversed(self.stays):
            if stay.status not in statuses:
                break
            since = stay.start
        return None if since is None else max(since, self.episode_start)

    def _value_of(self, field: str, current: str | None) -> str | None:
        changes = [event for event in self.ticket.events if event.field == field]
        past = [event for event in changes if event.occurred_at <= self.as_of]
        if past:
            return past[-1].new_value
        return changes[0].old_value if changes else current

    def _stays(self) -> list[Stay]:
        changes = [event for event in self.ticket.events if event.field == "status"]
        first = changes[0].old_value if changes else self.ticket.status
        stays = [Stay(first or "new", self.ticket.created_at, None)]
        for change in changes:
            if change.occurred_at > self.as_of:
                break
            if change.new_value is None or change.new_value == stays[-1].status:
                continue
            stays[-1] = Stay(stays[-1].status, stays[-1].start, change.occurred_at)
            stays.append(Stay(change.new_value, change.occurred_at, None))
        return stays

    def _episode(self) -> tuple[int, datetime]:
        """1 for a new ticket, one more for each reopening; and when it began."""
        episode, start = 1, self.ticket.created_at
        was_solved = False
        for stay in self.stays:
            if stay.status in SOLVED_STATUSES:
                was_solved = True
            elif was_solved and stay.status not in END_STATUSES:
                was_solved = False
                episode, start = episode + 1, stay.start
        return episode, start
