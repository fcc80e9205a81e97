"""Which timers a ticket wants at an instant: one per step of the ladder that still has something to wait for.

Belongs here: due instants and why a step waits no longer. Does not belong here: what happens when a timer
comes due (`escalation`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from sla_rules.ladder import NUMBERED_METRICS, Ladder, Step
from sla_rules.ticket_view import Stay, TicketState, TicketView

ALWAYS_OPEN = "24x7"

TimerStatus = Literal["pending", "fired", "skipped", "cancelled"]
DECIDED: frozenset[TimerStatus] = frozenset({"fired", "skipped"})
"""A timer in one of these states never fires (again); a cancelled one may be wanted again."""


class BusinessTime(Protocol):
    """The calls of `sla_rules.calendar.Calendar` that escalation needs."""

    def between(self, start: datetime, end: datetime) -> int: ...  # noqa: D102
    def add(self, start: datetime, seconds: int) -> datetime: ...  # noqa: D102
    def subtract(self, end: datetime, seconds: int) -> datetime: ...  # noqa: D102
    def is_open(self, instant: datetime) -> bool: ...  # noqa: D102
    def next_open(self, instant: datetime) -> datetime | None: ...  # noqa: D102


class ClockRowLike(Protocol):
    """A row of the SLA engine (SLA.md, Clock rows)."""

    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def instance(self) -> int: ...  # noqa: D102
    @property
    def calendar(self) -> str: ...  # noqa: D102
    @property
    def target_seconds(self) -> int | None: ...  # noqa: D102
    @property
    def started_at(self) -> datetime: ...  # noqa: D102
    @property
    def stopped_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def due_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def breached_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def at_risk(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Timer:
    """A row of the timer table. `due_at` is the instant by the ladder, whenever it is looked at."""

    timer_key: str
    client_key: str
    ticket_key: str
    episode: int
    step: str
    due_at: datetime
    state: TimerStatus = "pending"
    decided_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """What a step asks for: a due instant, or the reason why it waits for nothing (then `due_at` is None)."""

    step: Step
    key: str
    due_at: datetime | None
    reason: str
    counts_from: datetime
    is_stopped: bool = False
    """Stopped for good in this episode (solved, replied, …), not only paused."""


def timer_key(client_key: str, ticket_key: str, episode: int, step: str) -> str:
    """`v1:{client}:{ticket}:{episode}:{step}`: the key of the timer and of every message it sends.

    Never a time, a title or a random number in it. The step carries the level: a pager that is acknowledged
    pages nobody for a second trigger of the same key.
    """
    return f"v1:{client_key}:{ticket_key}:{episode}:{step}"


def timers(
    ladder: Ladder,
    ticket: TicketState,
    clocks: Sequence[ClockRowLike],
    as_of: datetime,
    calendars: Mapping[str, BusinessTime],
    stored: Mapping[str, Timer] | None = None,
) -> list[Timer]:
    """The timers the ticket wants at `as_of`, those already due included, in the ladder's order.

    Args:
        ladder: the steps.
        ticket: its history; events after `as_of` are not seen.
        clocks: the engine's rows of this ticket, as of `as_of`.
        as_of: aware instant.
        calendars: by the name that clock rows carry.
        stored: timers of this ticket that exist, by key; a step that fired tells `at_level` steps since when.
    """
    view = TicketView(ticket, as_of, ladder.no_priority)
    return [
        _pending(view, want, want.due_at)
        for want in wants(ladder, view, clocks, calendars, stored or {})
        if want.due_at is not None
    ]


def _pending(view: TicketView, want: Want, due_at: datetime) -> Timer:
    ticket = view.ticket
    step = want.key.rsplit(":", 1)[1]
    return Timer(want.key, ticket.client_key, ticket.ticket_key, view.episode, step, due_at)


def wants(
    ladder: Ladder,
    view: TicketView,
    clocks: Sequence[ClockRowLike],
    calendars: Mapping[str, BusinessTime],
    stored: Mapping[str, Timer],
) -> Iterator[Want]:
    """What every step of the ladder asks for at the view's instant."""
    for step in ladder.steps:
        if step.metric in NUMBERED_METRICS or step.when != "elapsed":
            for row in (row for row in clocks if row.metric == step.metric):
                yield _want_of_clock(ladder, view, step, row, clocks, calendars)
            continue
        key = _key(view, step.name)
        start = _start(ladder, view, step, stored)
        stopped = _stopped(ladder, view, step, view.episode_start)
        if stopped or start is None:
            yield Want(
                step, key, None, stopped or _not_there(step), view.episode_start, bool(stopped)
            )
            continue
        calendar = business_calendar(ladder, step, view.priority, clocks, calendars)
        stays = view.stays if step.metric else [Stay(view.status, start, None)]
        due_at = _counted(
            stays, start, step.after_for(view.priority), step.pausing_statuses(), calendar
        )
        yield Want(
            step, key, due_at, "" if due_at else f"paused: the ticket is {view.status}", start
        )


def business_calendar(
    ladder: Ladder,
    step: Step,
    priority: str,
    clocks: Sequence[ClockRowLike],
    calendars: Mapping[str, BusinessTime],
) -> BusinessTime | None:
    """The calendar that counts for a step; None means around the clock.

    A business step takes the ladder's own calendar, else that of the ticket's SLA clock of the same metric,
    else that of any of its clocks which is not around the clock.
    """
    if step.clock_for(priority) == ALWAYS_OPEN:
        return None
    same_metric_first = sorted(clocks, key=lambda row: row.metric != step.metric)
    for name in (ladder.calendar, *(row.calendar for row in same_metric_first)):
        if name and name != ALWAYS_OPEN and name in calendars:
            return calendars[name]
    return None


def _key(view: TicketView, step: str, instance: int = 1) -> str:
    name = step if instance <= 1 else f"{step}-{instance}"
    return timer_key(view.ticket.client_key, view.ticket.ticket_key, view.episode, name)


def _start(
    ladder: Ladder, view: TicketView, step: Step, stored: Mapping[str, Timer]
) -> datetime | None:
    if step.metric:
        # A page that was given back starts the response ladder anew; the promise's own clock runs on.
        given_back = view.given_back_at() if step.until == "acknowledged" else None
        return given_back or view.episode_start
    if step.status:
        return view.in_status_since(step.status)
    assert step.at_level is not None, "a step has exactly one condition"
    since = [
        timer.decided_at
        for timer in stored.values()
        if timer.state == "fired"
        and timer.episode == view.episode
        and timer.decided_at is not None
        and (fired := step_of(ladder, timer)) is not None
        and fired.level == step.at_level
        and fired.action == "page"
    ]
    by_hand = view.at_level_since(step.at_level)
    return min([*since, *([by_hand] if by_hand else [])], default=None)


def step_of(ladder: Ladder, timer: Timer) -> Step | None:
    """The ladder's step of a timer (`name`, or `name-2` for the second instance); None when it is gone."""
    return ladder.step(timer.step) or ladder.step(timer.step.rsplit("-", 1)[0])


def _not_there(step: Step) -> str:
    if step.status:
        return f"the ticket is not {' or '.join(step.status)}"
    return f"the ticket is not at {step.at_level}"


def _stopped(ladder: Ladder, view: TicketView, step: Step, start: datetime) -> str | None:
    """Why a step has nothing to wait for any more, whatever its instant."""
    if view.ended:
        return view.ended
    if view.is_solved:
        return f"the ticket is {view.status}"
    if view.priority not in step.only:
        return f"only for {', '.join(step.only)}; the ticket is {view.priority}"
    if step.until == "solved":
        return None
    reply = view.reply_after(start)
    if reply is not None:
        return f"a human replied at {reply.isoformat(timespec='seconds')}"
    taken = view.acknowledgement_after(start) if step.until == "acknowledged" else None
    return f"acknowledged by {taken.person}" if taken else None


def _want_of_clock(
    ladder: Ladder,
    view: TicketView,
    step: Step,
    row: ClockRowLike,
    clocks: Sequence[ClockRowLike],
    calendars: Mapping[str, BusinessTime],
) -> Want:
    """A step that follows one SLA clock: its start (numbered metrics), its risk or its breach."""
    instance = row.instance if step.metric in NUMBERED_METRICS else 1
    key = _key(view, step.name, instance)
    start = max(row.started_at, view.episode_start)
    stopped = _stopped(ladder, view, step, start)
    if stopped is None and row.state == "cancelled":
        stopped = f"the clock {row.metric} is cancelled"
    if stopped is None and row.stopped_at is not None:
        stopped = f"the clock {row.metric} has stopped"
    if stopped:
        return Want(step, key, None, stopped, start, is_stopped=True)
    if step.when == "elapsed":
        calendar = business_calendar(ladder, step, view.priority, [row, *clocks], calendars)
        due_at = _counted(
            view.stays, start, step.after_for(view.priority), step.pausing_statuses(), calendar
        )
    elif step.when == "breached":
        due_at = row.breached_at or row.due_at
    else:
        due_at = _at_risk_at(ladder, row, calendars, view.as_of)
    if due_at is not None and due_at < view.episode_start:
        return Want(step, key, None, "told before the ticket was reopened", start)
    return Want(step, key, due_at, "" if due_at else f"the clock {row.metric} is paused", start)


def _at_risk_at(
    ladder: Ladder, row: ClockRowLike, calendars: Mapping[str, BusinessTime], as_of: datetime
) -> datetime | None:
    """When the share of the target is used up, counted back from the due instant in the clock's own time."""
    due_at = row.due_at or row.breached_at
    if due_at is None or row.target_seconds is None:
        return None
    left = row.target_seconds * (100 - ladder.at_risk_percent) // 100
    calendar = None if row.calendar == ALWAYS_OPEN else calendars.get(row.calendar)
    try:
        at = calendar.subtract(due_at, left) if calendar else due_at - timedelta(seconds=left)
    except ValueError:
        return None
    # The policy may say "minutes left" instead of a share: then the engine's flag comes first.
    return as_of if row.at_risk and at > as_of else at


def _counted(
    stays: Sequence[Stay],
    start: datetime,
    seconds: int,
    pausing: Sequence[str],
    calendar: BusinessTime | None,
) -> datetime | None:
    """The instant by which `seconds` have been counted outside the pausing statuses; None while paused."""
    left = seconds
    for stay in stays:
        if stay.end is not None and stay.end <= start:
            continue
        begin = max(stay.start, start)
        if stay.status in pausing:
            continue
        if stay.end is not None:
            counted = _between(calendar, begin, stay.end)
            if counted < left:
                left -= counted
                continue
        try:
            return calendar.add(begin, left) if calendar else begin + timedelta(seconds=left)
        except ValueError:
            return None
    return None


def _between(calendar: BusinessTime | None, start: datetime, end: datetime) -> int:
    return calendar.between(start, end) if calendar else int((end - start).total_seconds())
