"""Escalation: what fires, for whom, once; what stops it; what an outage, a merge or a reopening does to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sla_rules.ladder as ladder_module
from sla_rules.calendar import Calendar
from sla_rules.escalation import (
    Acknowledgement,
    Decision,
    Outcome,
    TicketState,
    Timer,
    decide,
    decide_ticket,
    load_ladder,
    timers,
)
from sla_rules.on_call import OnCallPlan, load_on_call
from transforms.yaml_document import DocumentError

POLICIES = Path(ladder_module.__file__).parent / "policies"
SHIPPED = (POLICIES / "escalation.yaml").read_text()
LADDER = load_ladder(SHIPPED, "escalation.yaml")
PLAN = load_on_call(
    (POLICIES / "follow_the_sun.yaml").read_text(), "follow_the_sun.yaml", date(2026, 11, 24)
)
OFFICE = Calendar.from_mapping(
    {
        "time_zone": "Europe/Istanbul",
        "hours": {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    }
)
CALENDARS = {"office": OFFICE}
OPENED = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)  # Tuesday, 10:00 in Istanbul
LIVE = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    occurred_at: datetime
    field: str
    old_value: str | None = None
    new_value: str | None = None
    actor_kind: str = "unknown"
    is_public: bool = False
    position: int = 0


@dataclass(frozen=True)
class Clock:
    metric: str
    started_at: datetime
    due_at: datetime | None
    target_seconds: int | None
    calendar: str = "24x7"
    instance: int = 1
    stopped_at: datetime | None = None
    breached_at: datetime | None = None
    state: str = "running"
    at_risk: bool = False


def after(**span: float) -> datetime:
    return OPENED + timedelta(**span)


def ticket(*events: Event, priority: str | None = "critical", **options: object) -> TicketState:
    return TicketState("acme", "t1", OPENED, events, priority=priority, **options)  # type: ignore[arg-type]


def reply(at: datetime, actor: str = "agent", public: bool = True) -> Event:
    return Event(at, "comment", actor_kind=actor, is_public=public)


def status(at: datetime, old: str, new: str) -> Event:
    return Event(at, "status", old, new)


CRITICAL_CLOCKS = (
    Clock("first_reply", OPENED, after(minutes=15), 900),
    Clock("resolution", OPENED, after(hours=4), 14_400),
)


class Warehouse:
    """What a caller keeps between two looks at a ticket: its timer rows, and what was told."""

    def __init__(self, **options: object) -> None:
        self.rows: dict[str, Timer] = {}
        self.told: list[Decision] = []
        self.skipped: list[Decision] = []
        self.options = {
            "ladder": LADDER,
            "plan": PLAN,
            "live_from": LIVE,
            "calendars": CALENDARS,
        } | options

    def look(self, state: TicketState, clocks: Sequence[Clock], as_of: datetime) -> Outcome:
        outcome = decide_ticket(
            self.options["ladder"],  # type: ignore[arg-type]
            state,
            clocks,
            list(self.rows.values()),
            self.options["plan"],  # type: ignore[arg-type]
            as_of,
            self.options["live_from"],  # type: ignore[arg-type]
            self.options["calendars"],  # type: ignore[arg-type]
        )
        self.rows |= {timer.timer_key: timer for timer in outcome.timers}
        self.told += [d for d in outcome.decisions if d.outcome == "fire"]
        self.skipped += [d for d in outcome.decisions if d.outcome == "skip"]
        again = decide_ticket(
            self.options["ladder"],  # type: ignore[arg-type]
            state,
            clocks,
            list(self.rows.values()),
            self.options["plan"],  # type: ignore[arg-type]
            as_of,
            self.options["live_from"],  # type: ignore[arg-type]
            self.options["calendars"],  # type: ignore[arg-type]
        )
        assert again.timers == again.decisions == (), (
            "a second look at the same instant changes nothing"
        )
        return outcome

    def steps(self) -> list[str]:
        return [decision.timer.step for decision in self.told]

    def pages(self) -> list[str]:
        return [decision.timer.step for decision in self.told if decision.action == "page"]


def test_a_critical_ticket_climbs_the_whole_ladder_minute_by_minute() -> None:
    kept = Warehouse()
    for minute in range(0, 245):
        kept.look(ticket(), CRITICAL_CLOCKS, after(minutes=minute))
    assert [(d.timer.step, (d.timer.decided_at - OPENED).seconds // 60) for d in kept.told] == [  # type: ignore[operator]
        ("l1", 0),
        ("response_at_risk", 12),
        ("l2", 15),
        ("response_breached", 15),
        ("l3", 60),
        ("cto", 60),
        ("resolution_at_risk", 192),
        ("resolution_breached", 240),
        ("management", 240),
    ]
    assert not any(d.is_late for d in kept.told)
    l2 = kept.told[2]
    # 07:15 UTC is 10:15 in Istanbul: the Istanbul shift, week 46 of the rotation, so Mert.
    assert (l2.primary.key if l2.primary else None, l2.hand_over) == ("mert", True)
    assert l2.timer.timer_key == "v1:acme:t1:1:l2"
    assert l2.reason == "no human response 15 min after it was opened (critical)"
    assert l2.rule_version.startswith("standard@")


@pytest.mark.parametrize("priority", ["medium", "low", None])
def test_medium_and_low_never_page_and_are_told_four_times_at_most(priority: str | None) -> None:
    clocks = (
        Clock("first_reply", OPENED, after(hours=4), 14_400, "office"),
        Clock("resolution", OPENED, after(hours=24), 32_400, "office"),
    )
    kept = Warehouse()
    for quarter in range(0, 4 * 24 * 4):
        kept.look(ticket(priority=priority), clocks, after(minutes=15 * quarter))
    assert kept.pages() == []
    assert kept.steps() == [
        "response_at_risk",
        "response_breached",
        "resolution_at_risk",
        "resolution_breached",
    ]
    assert not any(d.hand_over for d in kept.told)


def test_high_counts_and_pages_in_business_hours_only() -> None:
    opened = datetime(
        2026, 11, 24, 14, 50, tzinfo=UTC
    )  # 17:50 in Istanbul, ten minutes before closing
    state = TicketState("acme", "t1", opened, (), priority="high")
    clocks = (
        Clock("first_reply", opened, None, 3_600, "office"),
        Clock("resolution", opened, None, 28_800, "office"),
    )
    kept = Warehouse()
    kept.look(state, clocks, opened)
    # 10 minutes today and 5 tomorrow; 50 more for L3
    assert kept.rows["v1:acme:t1:1:l2"].due_at == datetime(2026, 11, 25, 6, 5, tzinfo=UTC)
    assert kept.rows["v1:acme:t1:1:l3"].due_at == datetime(2026, 11, 25, 6, 50, tzinfo=UTC)
    kept.look(state, clocks, datetime(2026, 11, 24, 23, 0, tzinfo=UTC))
    assert kept.pages() == []
    kept.look(state, clocks, datetime(2026, 11, 25, 6, 5, tzinfo=UTC))
    assert kept.pages() == ["l2"]


def test_a_high_page_that_an_outage_made_late_waits_for_the_morning() -> None:
    state = ticket(priority="high")
    clocks = (Clock("first_reply", OPENED, after(hours=1), 3_600, "office"),)
    kept = Warehouse()
    kept.look(state, clocks, OPENED)
    kept.look(state, clocks, datetime(2026, 11, 24, 20, 0, tzinfo=UTC))
    assert kept.pages() == []
    kept.look(state, clocks, datetime(2026, 11, 25, 6, 0, tzinfo=UTC))
    assert kept.pages() == ["l3"]
    assert kept.told[-1].is_late


def test_a_page_due_exactly_at_closing_time_is_sent() -> None:
    opened = datetime(2026, 11, 24, 14, 45, tzinfo=UTC)  # 17:45, so that 15 minutes end at closing
    kept = Warehouse()
    state = TicketState("acme", "t1", opened, (), priority="high")
    clocks = (Clock("first_reply", opened, None, 3_600, "office"),)
    kept.look(state, clocks, opened + timedelta(minutes=15, seconds=20))
    assert kept.pages() == ["l2"]


@pytest.mark.parametrize(
    ("acknowledged_at", "pages"),
    [
        (timedelta(minutes=14, seconds=59.9), ["l1", "l3"]),
        (timedelta(minutes=15, seconds=0.1), ["l1", "l2", "l3"]),
    ],
)
def test_an_acknowledgement_a_blink_before_or_after_the_instant(
    acknowledged_at: timedelta, pages: list[str]
) -> None:
    ack = (Acknowledgement(OPENED + acknowledged_at, "Mei"),)
    kept = Warehouse()
    for second in (0, 600, 900, 901, 1_800, 3_600):
        state = ticket(acknowledgements=ack)
        kept.look(state, CRITICAL_CLOCKS[1:], after(seconds=second))
    assert kept.pages() == pages, "the response ladder stops, the resolution ladder does not"


def test_an_acknowledgement_known_at_the_moment_of_firing_stops_it() -> None:
    kept = Warehouse()
    kept.look(ticket(), (), OPENED)
    late_tick = after(minutes=15, seconds=40)
    acked = ticket(acknowledgements=(Acknowledgement(after(minutes=15, seconds=20), "Mei"),))
    outcome = kept.look(acked, (), late_tick)
    assert kept.pages() == ["l1"]
    cancelled = [d for d in outcome.decisions if d.outcome == "cancel"]
    assert [(d.timer.step, d.reason) for d in cancelled] == [("l2", "acknowledged by Mei")]
    assert [(f.message_key, f.action) for f in outcome.follow_ups] == [
        ("v1:acme:t1:1:l1", "acknowledge")
    ]


def test_giving_a_page_back_starts_the_response_ladder_anew() -> None:
    taken = Acknowledgement(after(minutes=5), "Mei")
    back = Acknowledgement(after(minutes=20), "Mei", is_undone=True)
    kept = Warehouse()
    kept.look(ticket(), (), OPENED)
    kept.look(ticket(acknowledgements=(taken,)), (), after(minutes=16))
    kept.look(ticket(acknowledgements=(taken, back)), (), after(minutes=34))
    assert kept.pages() == ["l1"]
    kept.look(ticket(acknowledgements=(taken, back)), (), after(minutes=35))
    assert kept.pages() == ["l1", "l2"]


@pytest.mark.parametrize(
    "message",
    [
        reply(after(minutes=1), actor="bot"),
        reply(after(minutes=1), actor="bridge"),
        reply(after(minutes=1), actor="customer"),
        reply(after(minutes=1), public=False),
        reply(OPENED),
    ],
    ids=["bot", "bridge", "customer", "private note", "at creation"],
)
def test_only_a_humans_later_public_reply_stops_the_response_ladder(message: Event) -> None:
    kept = Warehouse()
    kept.look(ticket(message), (), OPENED)
    kept.look(ticket(message), (), after(minutes=15))
    assert kept.pages() == ["l1", "l2"]
    answered = Warehouse()
    answered.look(ticket(reply(after(minutes=1))), (), OPENED)
    outcome = answered.look(ticket(reply(after(minutes=1))), (), after(minutes=15))
    assert answered.pages() == ["l1"]
    assert [(f.action, f.reason) for f in outcome.follow_ups] == [("resolve", "a human replied")]
    answered.look(ticket(reply(after(minutes=1))), (), after(minutes=60))
    assert answered.pages() == ["l1", "l3"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ticket(status(after(minutes=5), "new", "solved")), "the ticket is solved"),
        (ticket(status(after(minutes=5), "new", "spam")), "the ticket is spam"),
        (ticket(Event(after(minutes=5), "merged", None, "t9")), "merged into t9"),
        (ticket(Event(after(minutes=5), "deleted", None, "true")), "the ticket is deleted"),
        (ticket(merged_into="t2"), "merged into t2"),
    ],
)
def test_an_end_cancels_everything_and_resolves_what_was_paged(
    state: TicketState, reason: str
) -> None:
    kept = Warehouse()
    kept.look(ticket(), CRITICAL_CLOCKS, OPENED)
    outcome = kept.look(state, CRITICAL_CLOCKS, after(hours=5))
    assert kept.steps() == ["l1"]
    assert {d.outcome for d in outcome.decisions} == {"cancel"}
    assert {d.reason for d in outcome.decisions} == {reason}
    assert [(f.message_key, f.action) for f in outcome.follow_ups] == [
        ("v1:acme:t1:1:l1", "resolve")
    ]


def test_after_an_outage_forty_tickets_page_once_each_at_their_own_level_and_say_they_are_late() -> (
    None
):
    back = after(hours=3)
    levels = []
    for number in range(40):
        opened = back - timedelta(minutes=4 * (number + 1) + 15)  # from 19 to 175 minutes ago
        state = TicketState("acme", f"t{number}", opened, (), priority="critical")
        kept = Warehouse()
        kept.rows = {t.timer_key: t for t in timers(LADDER, state, (), opened, CALENDARS)}
        kept.look(state, (), back)
        pages = [d for d in kept.told if d.action == "page"]
        assert len(pages) == 1
        assert pages[0].is_late
        age = back - opened
        expected = (
            "L3" if age >= timedelta(hours=1) else "L2" if age >= timedelta(minutes=15) else "L1"
        )
        assert pages[0].level == expected
        below = {d.timer.step: d.reason for d in kept.skipped if d.action == "page"}
        assert sorted(below) == {"L1": [], "L2": ["l1"], "L3": ["l1", "l2"]}[expected]
        assert all(reason.startswith("superseded: ") for reason in below.values())
        levels.append(expected)
    assert (levels.count("L1"), levels.count("L2"), levels.count("L3")) == (0, 11, 29)


def test_a_lower_level_that_comes_due_after_a_higher_one_is_not_paged() -> None:
    kept = Warehouse()
    taken = Acknowledgement(after(minutes=5), "Mei")
    kept.look(ticket(acknowledgements=(taken,)), (), after(minutes=60))
    back = Acknowledgement(after(minutes=61), "Mei", is_undone=True)
    kept.look(ticket(acknowledgements=(taken, back)), (), after(minutes=80))
    assert kept.pages() == ["l3"]
    assert {d.timer.step: d.reason for d in kept.skipped}[
        "l2"
    ] == "superseded: L3 was paged already"


def test_what_was_due_before_live_from_is_written_down_and_never_told() -> None:
    kept = Warehouse(live_from=after(minutes=30))
    kept.look(ticket(), CRITICAL_CLOCKS, after(hours=2))
    assert kept.pages() == ["l3"]
    assert {d.timer.step: d.reason for d in kept.skipped} == dict.fromkeys(
        ("l1", "response_at_risk", "l2", "response_breached"), "before live_from"
    )
    not_live = Warehouse(live_from=None)
    not_live.look(ticket(), CRITICAL_CLOCKS, after(hours=5))
    assert not_live.told == []
    assert {d.reason for d in not_live.skipped} == {"before live_from: not live yet"}


def empty(*levels: str, fallback: bool = True) -> OnCallPlan:
    rotations = tuple(r for r in PLAN.rotations if r.level not in levels)
    return PLAN.model_copy(
        update={"rotations": rotations, "fallback": "selin" if fallback else None}
    )


def test_a_level_with_nobody_on_call_passes_its_page_on_at_once() -> None:
    kept = Warehouse(plan=empty("L2"))
    kept.look(ticket(), (), OPENED)
    kept.look(ticket(), (), after(minutes=15))
    assert kept.pages() == ["l1", "l3"]
    assert kept.told[-2].timer.step == "l3"
    assert kept.told[-2].reason == "Nobody on call below L3: passed on at once"
    assert kept.told[-1].timer.step == "cto", "critical at L3: the CTO is informed with it"
    skipped = {d.timer.step: d.reason for d in kept.skipped}
    assert skipped["l2"].startswith("nobody on call at L2 (the plan follow_the_sun has no rotation")
    kept.look(ticket(), (), after(hours=2))
    assert kept.pages() == ["l1", "l3"], (
        "passed on means fired: not a second time at its own instant"
    )


def test_with_nobody_on_any_level_the_fallback_is_paged_and_without_one_the_channel() -> None:
    kept = Warehouse(plan=empty("L1", "L2", "L3"))
    kept.look(ticket(), (), OPENED)
    assert kept.pages() == ["l3"]
    assert kept.told[0].primary is not None
    assert kept.told[0].primary.key == "selin"
    assert "the fallback Selin Arslan is called" in kept.told[0].on_call_reason
    silent = Warehouse(plan=empty("L1", "L2", "L3", fallback=False))
    silent.look(ticket(), (), OPENED)
    assert silent.pages() == ["l3"], "a page is never lost for want of a name"
    assert silent.told[0].primary is None


def test_a_reopened_ticket_climbs_again_under_keys_of_its_own() -> None:
    solved, reopened = after(minutes=20), after(hours=3)
    history = (status(solved, "new", "solved"), status(reopened, "solved", "open"))
    kept = Warehouse()
    for minute in range(0, 20):
        kept.look(ticket(), (), after(minutes=minute))
    kept.look(ticket(history[0]), (), after(minutes=30))
    kept.look(ticket(*history), (), reopened)
    outcome = kept.look(ticket(*history), (), reopened + timedelta(minutes=15))
    assert [d.timer.timer_key for d in kept.told] == [
        "v1:acme:t1:1:l1",
        "v1:acme:t1:1:l2",
        "v1:acme:t1:2:l1",
        "v1:acme:t1:2:l2",
    ]
    assert kept.told[-1].reason == "no human response 15 min after it was reopened (critical)"
    closed = {f.message_key for f in outcome.follow_ups if f.action == "resolve"}
    assert closed == {"v1:acme:t1:1:l1", "v1:acme:t1:1:l2"}


def test_a_breach_told_before_the_reopening_is_not_told_again() -> None:
    breached = Clock(
        "resolution", OPENED, after(hours=4), 14_400, breached_at=after(hours=4), state="breached"
    )
    history = (status(after(hours=5), "open", "solved"), status(after(hours=6), "solved", "open"))
    kept = Warehouse()
    kept.look(ticket(status="open"), (breached,), after(hours=4))
    kept.look(ticket(*history), (breached,), after(hours=6, minutes=1))
    assert kept.steps().count("resolution_breached") == 1


def test_waiting_for_the_customer_does_not_count_towards_not_resolved() -> None:
    history = (
        status(after(minutes=30), "open", "pending"),
        status(after(minutes=90), "pending", "open"),
    )
    kept = Warehouse()
    kept.look(ticket(), (), after(minutes=29))
    assert kept.rows["v1:acme:t1:1:l3"].due_at == after(minutes=60)
    outcome = kept.look(ticket(history[0]), (), after(minutes=70))
    paused = {d.timer.step: d.reason for d in outcome.decisions if d.outcome == "cancel"}
    assert paused == {"l3": "paused: the ticket is pending"}
    kept.look(ticket(*history), (), after(minutes=91))
    assert kept.rows["v1:acme:t1:1:l3"].state == "pending"
    assert kept.rows["v1:acme:t1:1:l3"].due_at == after(minutes=120)
    kept.look(ticket(*history), (), after(minutes=120))
    assert kept.pages()[-1] == "l3"


def test_a_raised_priority_pages_the_level_it_is_at_and_a_lowered_one_cancels() -> None:
    raised = Event(after(hours=2), "priority", "low", "critical")
    kept = Warehouse()
    kept.look(ticket(raised), (), after(hours=1))
    assert kept.rows == {}
    kept.look(ticket(raised), (), after(hours=2))
    assert kept.pages() == ["l3"]
    lowered = Event(after(minutes=5), "priority", "critical", "low")
    kept = Warehouse()
    kept.look(ticket(lowered), (), OPENED)
    outcome = kept.look(ticket(lowered), (), after(hours=2))
    assert kept.pages() == ["l1"]
    assert {d.reason for d in outcome.decisions} == {
        "only for critical, high; the ticket is low",
    }


def test_a_breach_makes_its_own_warning_pointless() -> None:
    kept = Warehouse()
    kept.look(
        ticket(priority="low"),
        (Clock("first_reply", OPENED, after(hours=1), 3_600),),
        after(hours=2),
    )
    assert kept.steps() == ["response_breached"]
    assert [(d.timer.step, d.reason) for d in kept.skipped] == [
        ("response_at_risk", "superseded: first_reply is breached already")
    ]


def test_the_warning_comes_at_eighty_percent_of_the_clocks_own_time() -> None:
    opened = datetime(
        2026, 11, 24, 13, 0, tzinfo=UTC
    )  # 16:00; 4 h of office time end at 11:00 tomorrow
    clock = Clock("first_reply", opened, datetime(2026, 11, 25, 8, 0, tzinfo=UTC), 14_400, "office")
    state = TicketState("acme", "t1", opened, (), priority="medium")
    wanted = {t.step: t.due_at for t in timers(LADDER, state, (clock,), opened, CALENDARS)}
    # 3 h 12 min of office time: 2 h today, 1 h 12 min from 09:00 tomorrow
    assert wanted["response_at_risk"] == datetime(2026, 11, 25, 7, 12, tzinfo=UTC)
    assert wanted["response_breached"] == clock.due_at


def test_decide_answers_for_one_timer() -> None:
    rows = timers(LADDER, ticket(), CRITICAL_CLOCKS, OPENED, CALENDARS)
    by_step = {row.step: row for row in rows}

    def one(step: str, as_of: datetime) -> Decision:
        return decide(
            by_step[step], LADDER, ticket(), CRITICAL_CLOCKS, rows, PLAN, as_of, LIVE, CALENDARS
        )

    assert one("l2", after(minutes=14)).outcome == "wait"
    assert one("l2", after(minutes=15)).outcome == "fire"
    assert one("l2", after(minutes=61)).outcome == "skip"
    assert one("l3", after(minutes=61)).outcome == "fire"


def test_numbered_clocks_have_a_timer_each() -> None:
    ladder = load_ladder(
        "name: n\nlevels: [L1]\nsteps:\n"
        "  - {name: next, metric: next_reply, when: breached, level: L1, action: message, until: replied}\n",
        "n.yaml",
    )
    clocks = [
        Clock(
            "next_reply",
            after(hours=n),
            after(hours=n, minutes=30),
            1_800,
            instance=n,
            state="breached",
            breached_at=after(hours=n, minutes=30),
        )
        for n in (1, 2)
    ]
    kept = Warehouse(ladder=ladder)
    kept.look(ticket(), clocks, after(hours=3))
    assert [d.timer.timer_key for d in kept.told] == ["v1:acme:t1:1:next", "v1:acme:t1:1:next-2"]


def test_a_status_step_counts_from_the_stay_that_still_lasts() -> None:
    ladder = load_ladder(
        "name: s\nlevels: [L1]\nsteps:\n"
        "  - {name: stuck, status: [on_hold, pending], after: 2h, level: L1, action: message, until: solved}\n",
        "s.yaml",
    )
    history = (
        status(after(hours=1), "open", "pending"),
        status(after(hours=2), "pending", "on_hold"),
        status(after(hours=4), "on_hold", "open"),
        status(after(hours=5), "open", "pending"),
    )
    assert [t.due_at for t in timers(ladder, ticket(*history), (), after(hours=2), {})] == [
        after(hours=3)
    ]
    assert timers(ladder, ticket(*history), (), after(hours=4), {}) == []
    assert [t.due_at for t in timers(ladder, ticket(*history), (), after(hours=9), {})] == [
        after(hours=7)
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("after: 15m", "after: 15 minutes"),
            "mine.yaml:52: steps.2.after: found '15 minutes', expected a duration",
        ),
        (
            ("level: L3\n    action: page", "level: L0\n    action: page"),
            "found 'L0', expected one of L1, L2, L3",
        ),
        (
            ("at_level: L3", "at_level: L3\n    metric: resolution"),
            "exactly one of metric, status and at_level",
        ),
        (("name: l2", "name: l1"), "found 'l1' a second time"),
        (("name: l2", "name: 'l:2'"), "part of every page's key"),
        (
            ("until: solved\n  - name: management", "untill: solved\n  - name: management"),
            "did you mean 'until'?",
        ),
        (("{critical: 24x7, high: business}", "{critical: 24x7}"), "'clock' says nothing for high"),
        (
            ("when: at_risk\n    level: L1", "when: at_risk\n    after: 5m\n    level: L1"),
            "has its own instant",
        ),
    ],
)
def test_a_wrong_ladder_says_where_and_what(change: tuple[str, str], expected: str) -> None:
    assert change[0] in SHIPPED
    with pytest.raises(DocumentError) as caught:
        load_ladder(SHIPPED.replace(change[0], change[1], 1), "mine.yaml")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("mine.yaml:")


ACTIONS = st.sampled_from(
    ["reply", "solve", "reopen", "pending", "open", "ack", "back", "low", "critical", "merge"]
)


@settings(max_examples=150, deadline=None)
@given(
    happenings=st.lists(st.tuples(st.integers(0, 300), ACTIONS), max_size=8),
    looks=st.lists(st.integers(0, 400), min_size=1, max_size=25),
)
def test_whatever_happens_a_key_fires_once_and_never_after_the_end(
    happenings: list[tuple[int, str]], looks: list[int]
) -> None:
    events, acks = [], []
    current, merged_at = "open", None
    for minute, action in sorted(happenings, key=lambda h: h[0]):
        at = after(minutes=minute, seconds=1)
        new = {"solve": "solved", "reopen": "open", "pending": "pending", "open": "open"}.get(
            action
        )
        if new:
            events.append(status(at, current, new))
            current = new
        elif action == "reply":
            events.append(reply(at))
        elif action in ("ack", "back"):
            acks.append(Acknowledgement(at, "Mei", is_undone=action == "back"))
        elif action == "merge":
            merged_at = merged_at or at
            events.append(Event(at, "merged", None, "t2"))
        else:
            events.append(Event(at, "priority", None, action))
    kept = Warehouse()
    state = ticket(*events, acknowledgements=tuple(acks), status="open")
    for minute in sorted(looks):
        as_of = after(minutes=minute)
        seen_before = len(kept.told)
        kept.look(state, (), as_of)
        # As of: what comes later plays no part.
        past = ticket(
            *(e for e in events if e.occurred_at <= as_of),
            acknowledgements=tuple(a for a in acks if a.at <= as_of),
            status="open",
        )
        assert timers(LADDER, state, (), as_of, CALENDARS, kept.rows) == timers(
            LADDER, past, (), as_of, CALENDARS, kept.rows
        ) or any(e.field == "priority" for e in events)
        new_pages = [d for d in kept.told[seen_before:] if d.action == "page"]
        assert len(new_pages) <= 1, "never a burst"
    keys = [d.timer.timer_key for d in kept.told]
    assert len(keys) == len(set(keys))
