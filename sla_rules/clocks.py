"""Measuring one cycle of a clock: elapsed and paused time, due instant, breach, risk.

Belongs here: the arithmetic of promises over the spans of a cycle. Does not belong here: when cycles start
and stop (`cycles.py`), which promise holds (`terms.py`), rows for callers (`engine.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sla_rules.cycles import Cycle
from sla_rules.history import Moment
from sla_rules.metrics import SOLVED_STATUSES
from sla_rules.policy import Policy, Rules
from sla_rules.terms import Term


@dataclass(slots=True)
class Span:
    """A stretch of a cycle in which neither the ticket's state nor the promise changes.

    `judged` is the promise whose target counts, `calendar` the one whose calendar does: the one in force
    unless a rule says otherwise. `business_seconds` is the span's length in that calendar; `is_counted`
    whether it is elapsed time. `is_promised` is
    False before anything was promised, `is_dropped` marks what lies before a restart.
    """

    start: int
    end: int
    moment: Moment
    judged: Term
    calendar: Term
    is_counted: bool
    is_promised: bool = True
    business_seconds: int = 0
    is_dropped: bool = False


@dataclass(slots=True)
class Clock:
    """A measured cycle; instants in epoch seconds, see SLA.md "Clock rows" for their meaning."""

    cycle: Cycle
    term: Term
    policy: Policy
    calendar_name: str
    spans: list[Span]
    started: int
    target_seconds: int
    elapsed_seconds: int
    paused_seconds: int
    due: int | None
    due_next_open: int | None
    breached: int | None
    state: str
    is_at_risk: bool
    next_check: int | None


TermAt = Callable[[Moment, str | None], Term | None]
"""The promise at a moment for a priority, as the engine finds it."""


def measure(
    cycle: Cycle,
    moments: Sequence[Moment],
    term_at: TermAt,
    uncounted: Callable[[Rules, Term], frozenset[str]],
    as_of: int,
) -> Clock | None:
    """The clock of a cycle as it stands at `as_of`.

    Args:
        cycle: Where the clock starts and stops.
        moments: The ticket's states, in order.
        term_at: Gives the promise at a moment for a priority.
        uncounted: Gives the statuses whose time is not counted.
        as_of: Epoch second; not before the cycle's start.

    Returns:
        None where nothing was ever promised.
    """
    end = as_of if cycle.stop is None else cycle.stop
    states = _states(cycle, moments)
    promises = _promises(states, term_at)
    if promises is None:
        return None
    terms, unpromised = promises
    last = terms[-1]
    rules = last.policy.rules
    spans = _spans(cycle, end, states, terms, uncounted(rules, last))
    kept = spans[_restart(spans) if rules.priority_change == "restart" else 0 :]
    for span in spans[:unpromised]:
        span.is_promised = False
    for span in spans[: -len(kept)]:
        span.is_dropped = True
    _apply_rules(kept, rules, is_stopped=cycle.stop is not None)
    for span in kept:
        span.business_seconds = span.calendar.calendar.between_epoch(span.start, span.end)
    elapsed = sum(span.business_seconds for span in kept if span.is_counted)
    total = sum(span.business_seconds for span in kept)
    breached = _breached(kept, rules)
    state = _state(cycle, kept[-1], breached)
    target, calendar = kept[-1].judged.target_seconds, kept[-1].calendar
    due = _due(kept, elapsed, state, rules)
    threshold = rules.at_risk.threshold(target)
    return Clock(
        cycle=cycle,
        term=kept[-1].judged,
        policy=last.policy,
        calendar_name=calendar.calendar_name,
        spans=spans,
        started=kept[0].start,
        target_seconds=target,
        elapsed_seconds=elapsed,
        paused_seconds=total - elapsed,
        due=due,
        due_next_open=None if due is None else calendar.calendar.next_open_epoch(due),
        breached=breached,
        state=state,
        is_at_risk=state in ("running", "paused") and elapsed >= threshold,
        next_check=_next_check(elapsed, threshold, due, as_of, calendar, rules, state),
    )


def _states(cycle: Cycle, moments: Sequence[Moment]) -> list[Moment]:
    """The ticket's states during a cycle: the one in force at its start, and each later one."""
    first = 0
    for position, moment in enumerate(moments):
        if moment.index > cycle.start_index:
            break
        first = position
    if cycle.stop_index is None:
        return list(moments[first:])
    return [
        moment
        for position, moment in enumerate(moments)
        if position >= first and (moment.index <= cycle.stop_index or position == first)
    ]


def _promises(states: Sequence[Moment], term_at: TermAt) -> tuple[list[Term], int] | None:
    """The promise during each state, and how many states passed before anything was promised.

    A state for which nothing is promised goes by the promise before it, or else by the first one made: a
    ticket that gets its priority late is measured from its creation all the same.
    """
    found = [term_at(state, state.priority) for state in states]
    unpromised = next((n for n, term in enumerate(found) if term is not None), None)
    if unpromised is None:
        return None
    known = found[unpromised]
    assert known is not None
    if known.policy.rules.priority_change == "frozen" and len(states) > 1:
        first = next((state.priority for state in states if state.priority is not None), None)
        found = [term_at(state, first) for state in states]
    filled: list[Term] = []
    for term in found:
        known = known if term is None else term
        filled.append(known)
    return filled, unpromised


def _spans(
    cycle: Cycle,
    end: int,
    states: Sequence[Moment],
    terms: Sequence[Term],
    uncounted: frozenset[str],
) -> list[Span]:
    spans: list[Span] = []
    for position, (state, term) in enumerate(zip(states, terms, strict=True)):
        start = cycle.start if position == 0 else min(max(state.second, cycle.start), end)
        finish = states[position + 1].second if position + 1 < len(states) else end
        finish = max(start, min(finish, end))
        spans.append(Span(start, finish, state, term, term, state.status not in uncounted))
    return spans


def _restart(spans: Sequence[Span]) -> int:
    """Position of the span of the last change of priority; getting a first priority is no change."""
    previous: str | None = None
    found = 0
    for position, span in enumerate(spans):
        priority = span.moment.priority
        if priority is not None:
            if previous is not None and priority != previous:
                found = position
            previous = priority
    return found


def _apply_rules(spans: Sequence[Span], rules: Rules, *, is_stopped: bool) -> None:
    """Which calendar counts, and which target judges, where promises changed on the way."""
    if len(spans) == 1:
        return
    if rules.calendar_change != "cumulative":
        chosen = spans[-1 if rules.calendar_change == "last" else 0].calendar
        for span in spans:
            span.calendar = chosen
    if is_stopped and rules.stopped_target == "at_start":
        first = spans[0].judged
        for span in spans:
            span.judged = first


def _breached(spans: Sequence[Span], rules: Rules) -> int | None:
    """Since when the promise has been broken without a break; None where it is not broken.

    It breaks where the target runs out in counted time, or at the change that puts a target which has run
    out already in force; a change to a target that has not run out mends it. Nothing breaks while the ticket
    is solved and its time not counted, or before anything was promised.
    """
    elapsed = 0
    broken: int | None = None
    for span in spans:
        is_solved = span.moment.status in SOLVED_STATUSES and not span.is_counted
        if is_solved or not span.is_promised:
            elapsed += span.business_seconds if span.is_counted else 0
            continue
        rest = span.judged.target_seconds - elapsed
        if rest > 0:
            broken = None
        elif rest < 0 and broken is None:
            broken = span.start
        if not span.is_counted:
            continue
        if broken is None and span.business_seconds >= rest:
            runs_out = _runs_out(span, rest, rules)
            if runs_out is not None and (
                runs_out < span.end or (rules.equal == "breached" and runs_out == span.end)
            ):
                broken = runs_out
        elapsed += span.business_seconds
    return broken


def _runs_out(span: Span, seconds: int, rules: Rules) -> int | None:
    """When that much of a span's time has passed; the next opening instead of a closing, if so ruled."""
    calendar = span.calendar.calendar
    found = calendar.add_epoch(span.start, seconds)
    if found is not None and rules.due_at_closing == "next_opening":
        return calendar.next_open_epoch(found)
    return found


def _state(cycle: Cycle, last: Span, breached: int | None) -> str:
    if breached is not None:
        return "breached"
    if cycle.is_cancelled:
        return "cancelled"
    if cycle.stop is not None:
        return "met"
    return "running" if last.is_counted else "paused"


def _due(spans: Sequence[Span], elapsed: int, state: str, rules: Rules) -> int | None:
    """When the target runs out, or ran out; for a stopped clock as if it had gone on."""
    last = spans[-1]
    target = last.judged.target_seconds
    if elapsed >= target:
        passed = 0
        for span in spans:
            if span.is_counted:
                if passed + span.business_seconds >= target:
                    return _runs_out(span, target - passed, rules)
                passed += span.business_seconds
    if state == "paused" and rules.due_while_paused == "null":
        return None
    if state == "cancelled" and not last.is_counted and rules.due_while_paused == "null":
        return None
    calendar = last.calendar.calendar
    found = calendar.add_epoch(last.end, target - elapsed)
    if found is not None and rules.due_at_closing == "next_opening":
        return calendar.next_open_epoch(found)
    return found


def _next_check(
    elapsed: int,
    threshold: int,
    due: int | None,
    as_of: int,
    calendar: Term,
    rules: Rules,
    state: str,
) -> int | None:
    """The next second at which a running clock becomes at risk or breached if nothing happens."""
    if state != "running":
        return None
    if elapsed < threshold:
        return calendar.calendar.add_epoch(as_of, threshold - elapsed)
    if due is None:
        return None
    return due if rules.equal == "breached" else max(due, as_of) + 1
