"""What must hold for every ticket, and a second engine that counts minute by minute."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_rules.engine import Event, TicketFacts, evaluate, explain
from sla_rules.metrics import METRICS
from sla_rules.policy import load_policies

MINUTE = timedelta(minutes=1)
CREATED = datetime(2026, 11, 19, 6, tzinfo=UTC)
"""Thursday 09:00 in Istanbul."""

SPAN = 5 * 1440
"""Minutes of history; over a weekend."""

PRIORITIES = ("critical", "high", "medium", "low")
STATUSES = ("new", "open", "pending", "on_hold", "solved", "closed", "merged", "deleted")

RULES = {
    "priority_change": ("keep_elapsed", "restart", "frozen"),
    "stopped_target": ("at_stop", "at_start"),
    "reopen": ("resume_exclude_solved", "resume_include_solved", "new_cycle", "first_only"),
    "calendar_change": ("cumulative", "last", "at_start"),
    "equal": ("met", "breached"),
    "due_at_closing": ("closing", "next_opening"),
    "merge": ("cancelled", "stop"),
    "due_while_paused": ("null", "projected"),
    "no_priority": ("medium", "no_clock"),
    "at_risk": ("80 %", "30 min left"),
}


@lru_cache(maxsize=4096)
def policy(rules: tuple[tuple[str, str], ...] = (), targets: tuple[int, ...] = (60, 120, 240, 540)):
    """All metrics measured; critical around the clock, the others in business hours."""
    rows = []
    for priority, minutes in zip(PRIORITIES, targets, strict=True):
        cells = ", ".join(f"{metric}: {minutes} min" for metric in METRICS)
        calendar = "24x7" if priority == "critical" else "office"
        rows.append(f"  {priority}: {{{cells}, calendar: {calendar}}}\n")
    chosen = "".join(f"  {key}: {value}\n" for key, value in rules)
    return load_policies(
        "name: p\ncalendars:\n"
        '  office: {time_zone: Europe/Istanbul, hours: {mon-fri: [["09:00", "18:00"]]}}\n'
        '  night: {time_zone: Europe/Istanbul, hours: {mon-sun: [["20:00", "23:00"]]}}\n'
        "business_hours: office\nmatrix:\n"
        + "".join(rows)
        + (f"rules:\n{chosen}" if chosen else ""),
        "p.yaml",
    )


rule_sets = st.fixed_dictionaries(
    {key: st.sampled_from(words) for key, words in RULES.items()}
).map(lambda found: tuple(sorted(found.items())))


def at(minute: int) -> datetime:
    return CREATED + minute * MINUTE


@st.composite
def events(draw, fields=("status", "priority", "comment", "calendar"), statuses=STATUSES):
    minutes = draw(st.lists(st.integers(0, SPAN), max_size=10, unique=True))
    found = []
    for position, minute in enumerate(sorted(minutes)):
        field = draw(st.sampled_from(fields))
        value, kind, public = None, "agent", False
        if field == "status":
            value = draw(st.sampled_from(statuses))
        elif field == "priority":
            value = draw(st.sampled_from((*PRIORITIES, None)))
        elif field == "calendar":
            value = draw(st.sampled_from(("office", "night", None)))
        else:
            kind = draw(st.sampled_from(("agent", "customer", "bot", "bridge")))
            public = draw(st.booleans())
        recorded = at(minute + draw(st.integers(0, 600)))
        found.append(Event("t", at(minute), field, None, value, kind, public, position, recorded))
    return found


tickets = st.builds(
    TicketFacts,
    ticket_key=st.just("t"),
    created_at=st.just(CREATED),
    priority=st.sampled_from((*PRIORITIES, None)),
    status=st.sampled_from(("new", "open")),
)
minutes = st.integers(0, SPAN)


@settings(max_examples=200, deadline=None)
@given(tickets, events(), rule_sets, minutes)
def test_what_comes_later_has_no_influence(ticket, history, rules, minute):
    past = [event for event in history if event.occurred_at <= at(minute)]
    which = policy(rules)
    assert evaluate([ticket], history, which, at(minute)) == evaluate(
        [ticket], past, which, at(minute)
    )
    assert explain(ticket, history, which, at(minute)) == explain(ticket, past, which, at(minute))


@settings(max_examples=100, deadline=None)
@given(tickets, events(), rule_sets, minutes, minutes)
def test_what_was_recorded_later_has_no_influence(ticket, history, rules, minute, known):
    then = [event for event in history if event.recorded_at <= at(known)]
    which = policy(rules)
    found = evaluate([ticket], history, which, at(minute), known_at=at(known))
    assert found == evaluate([ticket], then, which, at(minute))


@settings(max_examples=100, deadline=None)
@given(tickets, events(), rule_sets, minutes, st.randoms(use_true_random=False))
def test_order_and_company_of_the_events_do_not_matter(ticket, history, rules, minute, random):
    which = policy(rules)
    expected = evaluate([ticket], history, which, at(minute))
    shuffled = list(history)
    random.shuffle(shuffled)
    other = TicketFacts("x", CREATED, priority="low")
    foreign = [Event("x", at(5), "status", new_value="solved")]
    found = evaluate([other, ticket], foreign + shuffled, which, at(minute))
    assert [row for row in found if row.ticket_key == "t"] == expected


@settings(max_examples=200, deadline=None)
@given(tickets, events(), rule_sets, minutes)
def test_the_intervals_add_up_to_the_elapsed_time(ticket, history, rules, minute):
    which = policy(rules)
    intervals = explain(ticket, history, which, at(minute))
    for row in evaluate([ticket], history, which, at(minute)):
        own = [i for i in intervals if (i.metric, i.instance) == (row.metric, row.instance)]
        assert sum(i.counted_seconds for i in own) == row.elapsed_seconds
        assert all(a.end == b.start for a, b in pairwise(own))
        if own:
            assert own[0].start <= row.started_at
            assert own[-1].end == (row.stopped_at or at(minute))


@settings(max_examples=200, deadline=None)
@given(tickets, events(fields=("status", "comment")), minutes)
def test_elapsed_and_paused_time_are_all_the_time_there_was(ticket, history, minute):
    (which,) = policy()
    for row in evaluate([ticket], history, [which], at(minute)):
        end = row.stopped_at or at(minute)
        passed = which.calendars[row.calendar].between(row.started_at, end)
        assert row.elapsed_seconds + row.paused_seconds == passed
        assert row.remaining_seconds == row.target_seconds - row.elapsed_seconds


@settings(max_examples=200, deadline=None)
@given(tickets, events(), rule_sets, minutes)
def test_the_next_check_is_when_something_changes_and_not_before(ticket, history, rules, minute):
    which = policy(rules)
    past = [event for event in history if event.occurred_at <= at(minute)]

    def state(when: datetime) -> dict:
        found = evaluate([ticket], past, which, when)
        return {(r.metric, r.instance): (r.state, r.is_at_risk) for r in found}

    for row in evaluate([ticket], past, which, at(minute)):
        key = (row.metric, row.instance)
        now = (row.state, row.is_at_risk)
        if row.next_check_at is None:
            assert state(at(minute) + timedelta(days=40))[key] == now
        else:
            assert row.next_check_at > at(minute)
            assert state(row.next_check_at - timedelta(seconds=1))[key] == now
            assert state(row.next_check_at)[key] != now


@settings(max_examples=100, deadline=None)
@given(tickets, events(), rule_sets, minutes, st.integers(1, 100_000))
def test_a_breach_does_not_move_while_nothing_happens(ticket, history, rules, minute, later):
    which = policy(rules)
    past = [event for event in history if event.occurred_at <= at(minute)]
    after = {
        (r.metric, r.instance): r
        for r in evaluate([ticket], past, which, at(minute) + later * MINUTE)
    }
    for row in evaluate([ticket], past, which, at(minute)):
        if row.state == "breached":
            assert row.breached_at <= at(minute)
            assert after[row.metric, row.instance].breached_at == row.breached_at
        elif after[row.metric, row.instance].state == "breached":
            assert after[row.metric, row.instance].breached_at >= at(minute)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PRIORITIES), minutes, st.integers(1, 2000), minutes)
def test_a_pause_never_brings_the_due_time_forward(priority, pause, length, minute):
    ticket = TicketFacts("t", CREATED, priority=priority)
    which = policy((("due_while_paused", "projected"),))
    paused = [
        Event("t", at(pause), "status", new_value="pending"),
        Event("t", at(pause + length), "status", new_value="open"),
    ]

    def due(history) -> datetime:
        rows = evaluate([ticket], history, which, at(minute))
        return next(r.due_at for r in rows if r.metric == "resolution")

    assert due(paused) >= due([])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PRIORITIES[1:]), minutes, st.integers(0, SPAN * 2))
def test_a_higher_priority_never_moves_the_due_time_back(priority, change, minute):
    ticket = TicketFacts("t", CREATED, priority=priority)
    higher = PRIORITIES[PRIORITIES.index(priority) - 1]
    raised = [Event("t", at(change), "priority", new_value=higher)]
    before = evaluate([ticket], [], policy(), at(minute))
    after = evaluate([ticket], raised, policy(), at(minute))
    for old, new in zip(before, after, strict=True):
        if old.due_at is not None:
            assert new.due_at <= old.due_at


def is_open(priority: str, minute: int) -> bool:
    """Whether the clock of a priority counts at a minute; Istanbul is three hours ahead of UTC."""
    if priority == "critical":
        return True
    local = at(minute) + timedelta(hours=3)
    return local.weekday() < 5 and 9 <= local.hour < 18


class Simulation:
    """The resolution clock, minute by minute: what a patient person with a stop-watch would write down."""

    def __init__(
        self, rules: dict[str, str], targets: dict[str, int], priority: str, history
    ) -> None:
        self.rules, self.targets = rules, targets
        self.changes = {round((event.occurred_at - CREATED) / MINUTE): event for event in history}
        self.status, self.priority, self.first_priority = "open", priority, priority
        self.elapsed, self.start, self.broken = 0, 0, None
        self.stop: int | None = None
        self.pending_restart: int | None = None

    def run(self, end: int) -> "Simulation":
        for minute in range(end + 1):
            self._look(minute, is_end=True)
            event = self.changes.get(minute)
            if event is not None and self._is_final():
                event = None
            if event is not None:
                getattr(self, f"_{event.field}")(event.new_value, minute)
            self._look(minute, is_end=minute == end)
            if minute < end and self._counts() and is_open(self._row(), minute):
                self.elapsed += 1
        return self

    def _is_final(self) -> bool:
        return self.stop is not None and self.rules["reopen"] == "first_only"

    def _row(self) -> str:
        return self.first_priority if self.rules["priority_change"] == "frozen" else self.priority

    def _counts(self) -> bool:
        return self.stop is None and self.status not in ("pending", "on_hold")

    def _look(self, minute: int, *, is_end: bool) -> None:
        """Break the promise, or mend it, by what is known at this instant."""
        if self.stop is not None:
            return
        target = self.targets[self._row()]
        if self.elapsed < target:
            self.broken = None
        elif self.elapsed > target:
            self.broken = minute if self.broken is None else self.broken
        elif self.broken is None and self._counts():
            has_run_out = self.rules["due_at_closing"] == "closing" or is_open(self._row(), minute)
            if has_run_out and (self.rules["equal"] == "breached" or not is_end):
                self.broken = minute

    def _status(self, value: str, minute: int) -> None:
        self.status = value
        if value in ("solved", "closed"):
            if self.stop is None:
                self.stop = minute
            return
        if self.stop is not None:
            self.stop = None
            if self.rules["reopen"] == "new_cycle":
                self.elapsed, self.start, self.broken = 0, minute, None
                self.first_priority = self.priority
            elif self.pending_restart is not None:
                self.elapsed, self.start, self.broken = 0, self.pending_restart, None
            self.pending_restart = None

    def _priority(self, value: str, minute: int) -> None:
        if value != self.priority and self.rules["priority_change"] == "restart":
            if self.stop is None:
                self.elapsed, self.start, self.broken = 0, minute, None
            else:
                self.pending_restart = minute
        self.priority = value

    def state(self) -> str:
        if self.broken is not None:
            return "breached"
        if self.stop is not None:
            return "met"
        return "running" if self._counts() else "paused"


SIMULATED_RULES = st.fixed_dictionaries(
    {
        "priority_change": st.sampled_from(RULES["priority_change"]),
        "reopen": st.sampled_from(("resume_exclude_solved", "new_cycle", "first_only")),
        "equal": st.sampled_from(RULES["equal"]),
        "due_at_closing": st.sampled_from(RULES["due_at_closing"]),
    }
)


@st.composite
def simulated_events(draw):
    found = draw(
        events(
            fields=("status", "priority"),
            statuses=("open", "pending", "on_hold", "solved", "closed"),
        )
    )
    # A known priority each time; nothing at the very start, where the order within the minute would matter.
    return [e for e in found if e.new_value is not None and e.occurred_at > CREATED]


@settings(max_examples=400, deadline=None)
@given(
    SIMULATED_RULES,
    st.lists(st.integers(1, 30).map(lambda n: n * 30), min_size=4, max_size=4),
    st.sampled_from(PRIORITIES),
    simulated_events(),
    minutes,
)
def test_the_resolution_clock_agrees_with_a_stop_watch(rules, amounts, priority, history, end):
    targets = dict(zip(PRIORITIES, amounts, strict=True))
    simulation = Simulation(rules, targets, priority, history)
    simulation.run(end)
    ticket = TicketFacts("t", CREATED, priority=priority, status="open")
    which = policy(tuple(sorted(rules.items())), tuple(amounts))
    rows = [r for r in evaluate([ticket], history, which, at(end)) if r.metric == "resolution"]
    found = rows[-1]
    expected = {
        "elapsed": simulation.elapsed * 60,
        "state": simulation.state(),
        "stopped": None if simulation.stop is None else at(simulation.stop),
        "breached": None if simulation.broken is None else at(simulation.broken),
        "started": at(simulation.start),
    }
    assert expected == {
        "elapsed": found.elapsed_seconds,
        "state": found.state,
        "stopped": found.stopped_at,
        "breached": found.breached_at,
        "started": found.started_at,
    }
