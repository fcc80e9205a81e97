"""What happens when escalation timers come due: fire, skip or cancel, and why.

Belongs here: decisions about one ticket at one instant, pure. Does not belong here: the ladder's file
(`ladder`), due instants (`timers`), who is on call (`on_call`), sending (`connectors`).

Use `decide_ticket` for everything that a ticket asks for at an instant, in one call:

    outcome = decide_ticket(ladder, ticket, clocks, stored, plan, as_of, live_from, calendars)
    outcome.timers       # rows to write: wanted, moved, decided, cancelled
    outcome.decisions    # what to tell and what to write down, in order
    outcome.follow_ups   # pages sent earlier that are to be resolved or acknowledged at the pager

Calling it again at the same instant with the rows it gave changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sla_rules.ladder import Action, Ladder, Step, load_ladder
from sla_rules.on_call import OnCallPerson, OnCallPlan, person, who
from sla_rules.ticket_view import (
    Acknowledgement,
    EventLike,
    TicketState,
    TicketView,
)
from sla_rules.timers import (
    DECIDED,
    BusinessTime,
    ClockRowLike,
    Timer,
    Want,
    business_calendar,
    step_of,
    timer_key,
    timers,
    wants,
)

__all__ = [
    "Acknowledgement",
    "BusinessTime",
    "ClockRowLike",
    "Decision",
    "EventLike",
    "FollowUp",
    "Ladder",
    "Outcome",
    "Step",
    "TicketState",
    "Timer",
    "decide",
    "decide_ticket",
    "load_ladder",
    "timer_key",
    "timers",
]

NOBODY_ON_CALL = "nobody on call"
"""How the reason of a step begins that was passed on because its level was empty."""

BEFORE_LIVE = "before live_from"


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one timer.

    `fire` and `skip` are final. `cancel` may be wanted again (a priority that comes back). `wait` is not
    written: not due yet, or held until business hours begin. `primary` and `secondary` are filled for `fire`
    only; both empty means that nobody could be named and the channel itself has to do.
    """

    timer: Timer
    outcome: Literal["fire", "skip", "cancel", "wait"]
    reason: str
    level: str
    action: Action
    priority: str
    rule_version: str
    hand_over: bool = False
    primary: OnCallPerson | None = None
    secondary: OnCallPerson | None = None
    on_call_reason: str = ""
    late_seconds: int = 0
    """How long after its instant it fired, where that is more than the ladder's `late_after`; else 0."""

    @property
    def is_late(self) -> bool:
        """Whether it has to say that it is late."""
        return self.late_seconds > 0


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A page that was sent and is to be closed or marked as taken at the pager, under its own key."""

    message_key: str
    action: Literal["resolve", "acknowledge"]
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything a ticket asks for at an instant; empty lists where nothing changed."""

    timers: tuple[Timer, ...]
    decisions: tuple[Decision, ...]
    follow_ups: tuple[FollowUp, ...]


def decide_ticket(
    ladder: Ladder,
    ticket: TicketState,
    clocks: Sequence[ClockRowLike],
    stored: Sequence[Timer],
    plan: OnCallPlan,
    as_of: datetime,
    live_from: datetime | None,
    calendars: Mapping[str, BusinessTime],
) -> Outcome:
    """Decides every due timer of a ticket, in order of level, until nothing is due any more.

    Args:
        ladder: the steps.
        ticket: its history; what came after `as_of` is not seen.
        clocks: the engine's rows of this ticket, as of `as_of`.
        stored: every timer row of this ticket.
        plan: who is on call.
        as_of: aware instant of the decision, the moment of sending.
        live_from: what was due before it is written down and never told; None: the client is not live yet.
        calendars: by the name that clock rows carry.
    """
    deciding = _Deciding(ladder, ticket, clocks, stored, plan, as_of, live_from, calendars)
    return deciding.run()


def decide(
    timer: Timer,
    ladder: Ladder,
    ticket: TicketState,
    clocks: Sequence[ClockRowLike],
    stored: Sequence[Timer],
    plan: OnCallPlan,
    as_of: datetime,
    live_from: datetime | None,
    calendars: Mapping[str, BusinessTime],
) -> Decision:
    """What becomes of one timer at `as_of`, everything else of the ticket taken into account."""
    known = {one.timer_key: one for one in stored} | {timer.timer_key: timer}
    deciding = _Deciding(
        ladder, ticket, clocks, list(known.values()), plan, as_of, live_from, calendars
    )
    for decision in deciding.run().decisions:
        if decision.timer.timer_key == timer.timer_key:
            return decision
    return deciding.waiting(timer)


class _Deciding:
    """One ticket at one instant; `stored` grows with each decision, so that the next one sees it."""

    def __init__(
        self,
        ladder: Ladder,
        ticket: TicketState,
        clocks: Sequence[ClockRowLike],
        stored: Sequence[Timer],
        plan: OnCallPlan,
        as_of: datetime,
        live_from: datetime | None,
        calendars: Mapping[str, BusinessTime],
    ) -> None:
        self.ladder = ladder
        self.clocks = clocks
        self.plan = plan
        self.as_of = as_of
        self.live_from = live_from
        self.calendars = calendars
        self.view = TicketView(ticket, as_of, ladder.no_priority)
        self.before = {timer.timer_key: timer for timer in stored}
        self.stored = dict(self.before)
        self.decisions: list[Decision] = []

    def run(self) -> Outcome:
        # Each turn decides one timer for good, so there are no more turns than timers.
        while (decision := self._next()) is not None:
            self.decisions.append(decision)
            self.stored[decision.timer.timer_key] = decision.timer
        self._cancel_and_arm()
        changed = [t for key, t in self.stored.items() if self.before.get(key) != t]
        return Outcome(tuple(changed), tuple(self.decisions), tuple(self._follow_ups()))

    def waiting(self, timer: Timer) -> Decision:
        """The answer for a timer that nothing happens to now."""
        if timer.state in DECIDED:
            return self._decision(timer, "skip", f"already {timer.state}: {timer.reason}")
        if timer.due_at <= self.as_of:
            return self._decision(timer, "wait", "held until business hours begin")
        return self._decision(timer, "wait", f"due at {timer.due_at.isoformat(timespec='seconds')}")

    def _next(self) -> Decision | None:
        due = self._due()
        for _, timer in due:
            if self.live_from is None or timer.due_at < self.live_from:
                return self._skip(
                    timer, BEFORE_LIVE if self.live_from else f"{BEFORE_LIVE}: not live yet"
                )
        for want, timer in due:
            higher = self._superseded_by(want, due)
            if higher:
                return self._skip(timer, higher)
        for want, timer in due:
            if want.step.action == "page":
                if self._is_held(want.step, timer):
                    continue
                return self._page(want, timer)
            return self._fire(want, timer, None)
        return None

    def _due(self) -> list[tuple[Want, Timer]]:
        """Undecided timers whose instant has come, or whose lower level had nobody."""
        found = []
        for want in self._wants():
            known = self.stored.get(want.key)
            if want.due_at is None or (known is not None and known.state in DECIDED):
                continue
            timer = self._armed(want, want.due_at)
            passed_on = self._passed_on_at(want.step)
            if timer.due_at <= self.as_of or passed_on is not None:
                found.append((want, timer))
        return found

    def _wants(self) -> list[Want]:
        return list(wants(self.ladder, self.view, self.clocks, self.calendars, self.stored))

    def _armed(self, want: Want, due_at: datetime) -> Timer:
        ticket = self.view.ticket
        step = want.key.rsplit(":", 1)[1]
        return Timer(
            want.key, ticket.client_key, ticket.ticket_key, self.view.episode, step, due_at
        )

    def _passed_on_at(self, step: Step) -> datetime | None:
        """When a lower page of this episode found nobody, if no page has been sent since."""
        if step.action != "page":
            return None
        pages = [
            timer
            for timer in self.stored.values()
            if timer.episode == self.view.episode
            and timer.state in DECIDED
            and (other := step_of(self.ladder, timer)) is not None
            and other.action == "page"
        ]
        latest = max(pages, key=lambda t: self._order(t.step), default=None)
        if latest is None or not (latest.reason or "").startswith(NOBODY_ON_CALL):
            return None
        following = self._following_page(latest.step)
        return latest.decided_at if following is not None and following.name == step.name else None

    def _following_page(self, name: str) -> Step | None:
        """The next page step after this one that still applies to the ticket."""
        after = self._order(name)
        for want in self._wants():
            step = want.step
            known = self.stored.get(want.key)
            is_open = want.due_at is not None and (known is None or known.state not in DECIDED)
            if step.action == "page" and self._order(step.name) > after and is_open:
                return step
        return None

    def _order(self, name: str) -> int:
        names = [step.name for step in self.ladder.steps]
        base = name if name in names else name.rsplit("-", 1)[0]
        return names.index(base) if base in names else -1

    def _superseded_by(self, want: Want, due: list[tuple[Want, Timer]]) -> str | None:
        """At most the current level is paged, and a breach makes its own warning pointless."""
        step = want.step
        if step.action == "page":
            rank = self.ladder.rank(step.level)
            for other, its_timer in due:
                is_higher = self.ladder.rank(other.step.level) > rank
                # A higher page that is held until the morning silences nobody tonight.
                if (
                    other.step.action == "page"
                    and is_higher
                    and not self._is_held(other.step, its_timer)
                ):
                    return f"superseded: {other.step.level} is due as well"
            reached = self._highest_paged()
            return (
                f"superseded: {self.ladder.levels[reached]} was paged already"
                if reached > rank
                else None
            )
        if step.when != "at_risk":
            return None
        instance = want.key[len(want.key.rsplit(":", 1)[0]) + 1 + len(step.name) :]
        keys = {
            f"{want.key.rsplit(':', 1)[0]}:{other.name}{instance}"
            for other in self.ladder.steps
            if other.when == "breached" and other.metric == step.metric
        }
        if any(other.key in keys for other, _ in due) or any(
            key in self.stored and self.stored[key].state in DECIDED for key in keys
        ):
            return f"superseded: {step.metric} is breached already"
        return None

    def _highest_paged(self) -> int:
        ranks = [
            self.ladder.rank(step.level)
            for timer in self.stored.values()
            if timer.state == "fired"
            and timer.episode == self.view.episode
            and (step := step_of(self.ladder, timer)) is not None
            and step.action == "page"
        ]
        return max(ranks, default=-1)

    def _is_held(self, step: Step, timer: Timer) -> bool:
        """A late page of a business-hours step waits for business hours."""
        calendar = business_calendar(
            self.ladder, step, self.view.priority, self.clocks, self.calendars
        )
        if calendar is None or calendar.is_open(self.as_of):
            return False
        # A target may run out exactly at closing time, when the calendar is no longer open: that is in time.
        return not 0 <= self._late_by(timer) <= self.ladder.late_after

    def _page(self, want: Want, timer: Timer) -> Decision:
        on_call = who(self.plan, want.step.level, self.as_of)
        if not on_call.is_empty:
            return self._fire(want, timer, None)
        following = self._following_page(want.step.name)
        if following is not None:
            return self._skip(
                timer,
                f"{NOBODY_ON_CALL} at {want.step.level} ({on_call.why}); {following.level} is paged at once",
            )
        return self._fire(want, timer, person(self.plan, self.plan.fallback))

    def _fire(self, want: Want, timer: Timer, fallback: OnCallPerson | None) -> Decision:
        step = want.step
        on_call = who(self.plan, step.level, self.as_of)
        late = self._late_by(timer)
        passed_on = self._passed_on_at(step)
        reason = why_due(step, self.view)
        if passed_on is not None and timer.due_at > self.as_of:
            reason = f"{NOBODY_ON_CALL[0].upper()}{NOBODY_ON_CALL[1:]} below {step.level}: passed on at once"
        decision = self._decision(
            replace(timer, state="fired", decided_at=self.as_of, reason=reason), "fire", reason
        )
        who_why = on_call.why
        if fallback is not None:
            who_why = f"{on_call.why}; no level is left, so the fallback {fallback.name} is called"
        return replace(
            decision,
            hand_over=step.hand_over,
            primary=fallback or on_call.primary,
            secondary=on_call.secondary,
            on_call_reason=who_why,
            late_seconds=late if late > self.ladder.late_after else 0,
        )

    def _skip(self, timer: Timer, reason: str) -> Decision:
        skipped = replace(timer, state="skipped", decided_at=self.as_of, reason=reason)
        return self._decision(skipped, "skip", reason)

    def _late_by(self, timer: Timer) -> int:
        return int((self.as_of - timer.due_at).total_seconds())

    def _decision(
        self, timer: Timer, outcome: Literal["fire", "skip", "cancel", "wait"], reason: str
    ) -> Decision:
        step = step_of(self.ladder, timer)
        return Decision(
            timer=timer,
            outcome=outcome,
            reason=reason,
            level=step.level if step else "",
            action=step.action if step else "message",
            priority=self.view.priority,
            rule_version=self.ladder.version,
        )

    def _cancel_and_arm(self) -> None:
        """Arms what is wanted, moves what was moved, cancels what nothing waits for any more."""
        reasons: dict[str, str] = {}
        for want in self._wants():
            known = self.stored.get(want.key)
            if known is not None and known.state in DECIDED:
                continue
            if want.due_at is not None:
                self.stored[want.key] = self._armed(want, want.due_at)
            else:
                reasons[want.key] = want.reason
        wanted = {key for key, timer in self.stored.items() if timer.state == "pending"}
        for key in sorted(wanted):
            timer = self.stored[key]
            if self.view.ended:
                # Its clocks may be gone with it, and nothing else would say that nobody waits any more.
                reasons.setdefault(key, self.view.ended)
            elif timer.episode != self.view.episode:
                reasons.setdefault(key, f"reopened: episode {self.view.episode} began")
            elif step_of(self.ladder, timer) is None:
                reasons.setdefault(key, "the ladder has no such step any more")
            if key in reasons:
                cancelled = replace(
                    timer, state="cancelled", decided_at=self.as_of, reason=reasons[key]
                )
                self.stored[key] = cancelled
                self.decisions.append(self._decision(cancelled, "cancel", reasons[key]))

    def _follow_ups(self) -> Iterator[FollowUp]:
        """Pages that were sent: over with the ticket or the reply, or taken by somebody."""
        view = self.view
        for timer in self.stored.values():
            step = step_of(self.ladder, timer)
            if step is None or step.action != "page" or timer.state != "fired":
                continue
            over = view.ended or (f"the ticket is {view.status}" if view.is_solved else None)
            if over is None and timer.episode != view.episode:
                over = "the ticket was solved and reopened since"
            if over is None and step.until != "solved" and view.reply_after(view.episode_start):
                over = "a human replied"
            if over is not None:
                yield FollowUp(timer.timer_key, "resolve", over)
                continue
            taken = view.acknowledgement_after(timer.decided_at or timer.due_at)
            if taken is not None:
                yield FollowUp(timer.timer_key, "acknowledge", f"acknowledged by {taken.person}")


def why_due(step: Step, view: TicketView) -> str:
    """Why a step comes due, for people."""
    if step.status:
        waited = _minutes(step.after_for(view.priority))
        return f"{' or '.join(step.status)} for {waited} ({view.priority})"
    if step.at_level is not None:
        return f"{view.priority} at {step.at_level}"
    metric = (step.metric or "").replace("_", " ")
    if step.when == "at_risk":
        return f"{metric} is at risk ({view.priority})"
    if step.when == "breached":
        return f"{metric} is breached ({view.priority})"
    seconds = step.after_for(view.priority)
    opened = "reopened" if view.episode > 1 else "opened"
    missing = "not resolved" if step.until == "solved" else "no human response"
    if seconds == 0:
        return f"{opened}, {missing} yet ({view.priority})"
    return f"{missing} {_minutes(seconds)} after it was {opened} ({view.priority})"


def _minutes(seconds: int) -> str:
    hours, rest = divmod(seconds, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [
        f"{hours} h" if hours else "",
        f"{minutes} min" if minutes else "",
        f"{left} s" if left else "",
    ]
    return " ".join(part for part in parts if part) or "0 min"
