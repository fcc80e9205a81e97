"""The SLA engine: clock rows of tickets as of an instant, and the intervals that explain them.

A pure function of (histories, policies, `as_of`): no I/O, no clock of its own. Belongs here: the two public
calls and the rows they give. Does not belong here: the arithmetic (`clocks.py`), starts and stops
(`cycles.py`), which promise holds (`terms.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sla_rules.calendar import epoch_seconds
from sla_rules.clocks import Clock, Span, measure
from sla_rules.cycles import cycles_of, statuses_left_out
from sla_rules.durations import shown_duration
from sla_rules.history import Event, History, Moment, TicketFacts, build_history
from sla_rules.intake import events_from, ticket_from, tickets_from
from sla_rules.metrics import METRICS
from sla_rules.policy import Policy, Rules
from sla_rules.terms import PolicyBook, Term
from transforms.model import END_STATUSES

__all__ = ["ClockRow", "Event", "Interval", "TicketFacts", "evaluate", "explain"]


class _Row:
    """Reading a record's fields by name, as from a mapping."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    def keys(self) -> list[str]:
        """Names of the columns, in order; with it `dict(row)` works."""
        return [item.name for item in fields(self)]  # type: ignore[arg-type] # subclasses are dataclasses

    def as_dict(self) -> dict[str, Any]:
        """The record as a plain mapping, for a table or a database row."""
        return {name: getattr(self, name) for name in self.keys()}


@dataclass(frozen=True, slots=True)
class ClockRow(_Row):
    """One clock of one ticket.

    Instants are in UTC, whole seconds; all amounts are in the clock's own time. `state` is `running`,
    `paused`, `met`, `breached` or `cancelled`. `due_at` is when the target runs out (for a stopped clock: would
    have); None while paused. `due_next_open_at` is `due_at`, or the next opening where that is a closing.
    `breached_at` is the instant since when the promise is broken. `paused_seconds` counts the time that was
    left out, so that elapsed and paused together are the time since `started_at`. `remaining_seconds` is
    negative when overdue. `next_check_at` is the next instant after `as_of` at which `state` or `is_at_risk`
    changes if nothing else happens, None when they never do.
    """

    ticket_key: str
    metric: str
    instance: int
    policy: str
    policy_version: str
    priority: str
    calendar: str
    target_seconds: int
    started_at: datetime
    stopped_at: datetime | None
    due_at: datetime | None
    due_next_open_at: datetime | None
    breached_at: datetime | None
    elapsed_seconds: int
    paused_seconds: int
    remaining_seconds: int
    state: str
    is_at_risk: bool
    next_check_at: datetime | None

    @property
    def at_risk(self) -> bool:
        """The same as `is_at_risk`."""
        return self.is_at_risk


@dataclass(frozen=True, slots=True)
class Interval(_Row):
    """A stretch of a clock's life in which nothing changed.

    `counted_seconds` of all intervals of a clock add up to its `elapsed_seconds`. `due_at` and
    `remaining_seconds` are as they stood at the interval's end; `due_at` is None where the clock stood still.
    """

    start: datetime
    end: datetime
    metric: str
    instance: int
    status: str
    priority: str
    calendar: str
    counted_seconds: int
    is_counted: bool
    why: str
    policy: str
    policy_version: str
    target_seconds: int
    due_at: datetime | None
    remaining_seconds: int


def evaluate(
    tickets: Any,
    events: Any,
    policies: Sequence[Policy],
    as_of: datetime,
    known_at: datetime | None = None,
) -> list[ClockRow]:
    """Clock rows of all tickets as of an instant.

    Args:
        tickets: `TicketFacts`, mappings with the same keys, or a pandas table with such columns.
        events: `Event` records, mappings or a table; in any order, ordered here by (occurred_at, position).
        policies: In the order in which they are tried; the first that fits a ticket is its policy.
        as_of: Aware instant; what happened after it has no influence.
        known_at: Aware instant; what was recorded after it has no influence. None: all is known.

    Returns:
        Rows in the order of the tickets, then of the metrics, then of the instances.

    Raises:
        ValueError: a naive datetime, a ticket or event without its key or time, or a time outside the years
            that calendars answer for; the message names the ticket.
    """
    epoch_seconds(as_of)
    if known_at is not None:
        epoch_seconds(known_at)
    book = PolicyBook(policies)
    by_ticket: dict[str, list[Event]] = {}
    for event in events_from(events):
        by_ticket.setdefault(event.ticket_key, []).append(event)
    rows: list[ClockRow] = []
    for ticket in tickets_from(tickets):
        own = by_ticket.get(ticket.ticket_key, ())
        try:
            rows.extend(
                _row(ticket, metric, clock, book, as_of)
                for metric, clock in _clocks(ticket, own, book, as_of, known_at)
            )
        except ValueError as error:
            raise ValueError(f"the clocks of ticket {ticket.ticket_key}: {error}") from error
    return rows


def explain(
    ticket: Any,
    events: Any,
    policies: Sequence[Policy],
    as_of: datetime,
    known_at: datetime | None = None,
) -> list[Interval]:
    """Why the clocks of one ticket stand as they do: their life, interval by interval.

    Args:
        ticket: A `TicketFacts` or a mapping with the same keys.
        events: Events; those of other tickets are passed over.
        policies: As for `evaluate`.
        as_of: Aware instant; what happened after it has no influence.
        known_at: Aware instant; what was recorded after it has no influence.

    Returns:
        Intervals by metric, instance and time.

    Raises:
        ValueError: as `evaluate`.
    """
    facts = ticket_from(ticket)
    own = [event for event in events_from(events) if event.ticket_key == facts.ticket_key]
    book = PolicyBook(policies)
    found: list[Interval] = []
    for metric, clock in _clocks(facts, own, book, as_of, known_at):
        found.extend(_intervals(metric, clock))
    return found


def _clocks(
    ticket: TicketFacts,
    events: Iterable[Event],
    book: PolicyBook,
    as_of: datetime,
    known_at: datetime | None,
) -> Iterator[tuple[str, Clock]]:
    """Every clock of a ticket, by metric and instance."""
    history = build_history(ticket, events, as_of, known_at, every_event=not book.is_timeless)
    if history is None:
        return
    now = epoch_seconds(as_of)
    if book.is_static:
        policies = [book.policy_for(ticket, history.start, now)] * len(history.moments)
    else:
        policies = [book.policy_for(ticket, moment.second, now) for moment in history.moments]
    known = {policy for policy in policies if policy is not None}
    latest = next((policy for policy in reversed(policies) if policy is not None), None)
    if latest is None:
        return
    by_index = {
        moment.index: policy for moment, policy in zip(history.moments, policies, strict=True)
    }
    names = latest.metrics if len(known) == 1 else _names(known)
    for metric in names:
        yield from _metric_clocks(metric, history, book, by_index, latest.rules, now)


def _names(policies: Iterable[Policy]) -> list[str]:
    named = {metric for policy in policies for metric in policy.metrics}
    return [metric for metric in METRICS if metric in named]


def _metric_clocks(
    metric: str,
    history: History,
    book: PolicyBook,
    by_index: dict[int, Policy | None],
    rules: Rules,
    now: int,
) -> Iterator[tuple[str, Clock]]:
    ticket = history.ticket

    def term_at(moment: Moment, priority: str | None) -> Term | None:
        policy = by_index[moment.index]
        if policy is None:
            return None
        return book.term(policy, metric, ticket, moment, priority)

    def uncounted(governing: Rules, term: Term) -> frozenset[str]:
        return term.policy.pausing[metric] | statuses_left_out(metric, governing)

    for cycle in cycles_of(metric, history, rules):
        clock = measure(cycle, history.moments, term_at, uncounted, now)
        if clock is not None:
            yield metric, clock


def _row(
    ticket: TicketFacts, metric: str, clock: Clock, book: PolicyBook, as_of: datetime
) -> ClockRow:
    next_check = clock.next_check
    if not book.is_static:
        change = book.next_change(epoch_seconds(as_of))
        if change is not None:
            next_check = change if next_check is None else min(next_check, change)
    return ClockRow(
        ticket_key=ticket.ticket_key,
        metric=metric,
        instance=clock.cycle.instance,
        policy=clock.policy.name,
        policy_version=clock.policy.version,
        priority=clock.term.priority,
        calendar=clock.calendar_name,
        target_seconds=clock.target_seconds,
        started_at=datetime.fromtimestamp(clock.started, UTC),
        stopped_at=_instant(clock.cycle.stop),
        due_at=_instant(clock.due),
        due_next_open_at=_instant(clock.due_next_open),
        breached_at=_instant(clock.breached),
        elapsed_seconds=clock.elapsed_seconds,
        paused_seconds=clock.paused_seconds,
        remaining_seconds=clock.target_seconds - clock.elapsed_seconds,
        state=clock.state,
        is_at_risk=clock.is_at_risk,
        next_check_at=_instant(next_check),
    )


def _intervals(metric: str, clock: Clock) -> Iterator[Interval]:
    elapsed = 0
    for span in clock.spans:
        if span.end <= span.start:
            continue
        counted = span.business_seconds if span.is_counted and not span.is_dropped else 0
        elapsed += counted
        remaining = span.judged.target_seconds - elapsed
        due = None
        if span.is_counted and not span.is_dropped and remaining >= 0:
            due = span.calendar.calendar.add_epoch(span.end, remaining)
        yield Interval(
            start=datetime.fromtimestamp(span.start, UTC),
            end=datetime.fromtimestamp(span.end, UTC),
            metric=metric,
            instance=clock.cycle.instance,
            status=span.moment.status,
            priority=span.judged.priority,
            calendar=span.calendar.calendar_name,
            counted_seconds=counted,
            is_counted=span.is_counted and not span.is_dropped,
            why=_why(span, counted),
            policy=span.judged.policy.name,
            policy_version=span.judged.policy.version,
            target_seconds=span.judged.target_seconds,
            due_at=_instant(due),
            remaining_seconds=remaining,
        )


def _why(span: Span, counted: int) -> str:
    """The interval in a person's words."""
    status, calendar = span.moment.status, span.calendar.calendar_name
    if span.is_dropped:
        return "before the priority changed, which started the clock again"
    if status in END_STATUSES:
        return f"{status}: the ticket was out of service"
    if not span.is_counted:
        return f"{status}: the clock stood still"
    source = "" if span.judged.source == "matrix" else f", contract {span.judged.source}"
    if counted == 0:
        return f"{status}: outside the hours of {calendar}{source}"
    return f"{status}: {shown_duration(counted)} counted in {calendar}{source}"


def _instant(second: int | None) -> datetime | None:
    return None if second is None else datetime.fromtimestamp(second, UTC)
