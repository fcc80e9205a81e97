"""Clocks worked out by hand, metric by metric and rule by rule.

All tickets live in Istanbul (UTC+3 all year) in November 2026: Monday 23rd, Tuesday 24th, Wednesday 25th,
Thursday 26th, Friday 27th, Saturday 28th; no public holiday among them. Business hours are 09:00-18:00.
"""

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from sla_rules.engine import ClockRow, Event, TicketFacts, evaluate, explain
from sla_rules.policy import load_policies

HOUR = 3600
ISTANBUL = timezone(timedelta(hours=3))

HEAD = """
name: test
calendars:
  office:
    time_zone: Europe/Istanbul
    hours: {mon-fri: [["09:00", "18:00"]]}
  night:
    time_zone: Europe/Istanbul
    hours: {mon-sun: [["18:00", "24:00"]]}
business_hours: office
"""
STANDARD = """
matrix:
  critical: {response: 15 min, resolution: 4 h, calendar: 24x7}
  high: {response: 1 h, resolution: 8 h}
  medium: {response: 4 h, resolution: 1 business day}
  low: {response: 1 business day, resolution: 3 business days}
"""


def policies(matrix: str = STANDARD, **rules: str):
    lines = "".join(f"  {key}: {value}\n" for key, value in rules.items())
    return load_policies(HEAD + matrix + (f"rules:\n{lines}" if rules else ""), "test.yaml")


def only(metric: str, target: str = "4 h", **rules: str):
    """A policy that measures one metric, the same for every priority."""
    rows = "".join(
        f"  {p}: {{{metric}: {target}}}\n" for p in ("critical", "high", "medium", "low")
    )
    return policies(f"matrix:\n{rows}", **rules)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=ISTANBUL)


MONDAY = at(23, 9)
A_MINUTE_LATER = at(23, 9, 1)


def ticket(created: datetime = MONDAY, **facts) -> TicketFacts:
    return TicketFacts("t", created, **{"priority": "medium", **facts})


class Story:
    """Events of one ticket in the order in which they are told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def _add(self, when: datetime, field: str, value: str | None = None, **rest) -> "Story":
        rest.setdefault("position", len(self.events))
        self.events.append(Event("t", when, field, None, value, **rest))
        return self

    def status(self, when: datetime, value: str) -> "Story":
        return self._add(when, "status", value)

    def priority(self, when: datetime, value: str | None) -> "Story":
        return self._add(when, "priority", value)

    def comment(self, when: datetime, kind: str, is_public: bool = True) -> "Story":
        return self._add(when, "comment", actor_kind=kind, is_public=is_public)

    def field(self, when: datetime, field: str, value: str | None = None) -> "Story":
        return self._add(when, field, value)


def rows(
    story: Story | None, which, as_of: datetime, facts: TicketFacts | None = None
) -> list[ClockRow]:
    return evaluate([facts or ticket()], story.events if story else [], which, as_of)


def row(
    story: Story | None,
    which,
    as_of: datetime,
    facts: TicketFacts | None = None,
    metric: str | None = None,
) -> ClockRow:
    found = [r for r in rows(story, which, as_of, facts) if metric in (None, r.metric)]
    assert len(found) == 1
    return found[0]


class TestFirstReply:
    """Medium: four hours of business time, so that a ticket of Monday 09:00 is due at 13:00."""

    def test_running(self):
        found = row(None, policies(), at(23, 10), metric="first_reply")
        assert found.state == "running"
        assert found.due_at == found.due_next_open_at == at(23, 13)
        assert (found.elapsed_seconds, found.remaining_seconds) == (HOUR, 3 * HOUR)
        assert (found.target_seconds, found.priority, found.calendar) == (
            4 * HOUR,
            "medium",
            "office",
        )
        assert found.next_check_at == at(23, 12, 12)  # 80 % of four hours
        assert not found.is_at_risk
        assert found.started_at.tzinfo is UTC

    def test_at_risk_from_eighty_percent_on(self):
        assert not row(None, policies(), at(23, 12, 11, 59), metric="first_reply").is_at_risk
        found = row(None, policies(), at(23, 12, 12), metric="first_reply")
        assert found.is_at_risk
        assert found.at_risk
        assert found.state == "running"
        assert found.next_check_at == at(23, 13, 0, 1)

    def test_equal_to_the_target_is_met_and_a_second_more_is_not(self):
        on_time = Story().comment(at(23, 13), "agent")
        late = Story().comment(at(23, 13, 0, 1), "agent")
        assert row(on_time, policies(), at(24), metric="first_reply").state == "met"
        found = row(late, policies(), at(24), metric="first_reply")
        assert (found.state, found.breached_at, found.stopped_at) == (
            "breached",
            at(23, 13),
            at(23, 13, 0, 1),
        )
        assert found.remaining_seconds == -1
        assert not found.is_at_risk

    def test_open_past_due_is_breached_at_the_instant_the_target_ran_out(self):
        assert row(None, policies(), at(23, 13), metric="first_reply").state == "running"
        found = row(None, policies(), at(25, 11), metric="first_reply")
        assert (found.state, found.breached_at, found.stopped_at) == ("breached", at(23, 13), None)
        assert found.elapsed_seconds == 20 * HOUR  # 9 + 9 + 2
        assert found.next_check_at is None

    def test_who_and_what_counts_as_a_reply(self):
        story = Story()
        for kind in ("bot", "bridge", "customer", "unknown"):
            story.comment(at(23, 9, 5), kind)
        story.comment(at(23, 9, 10), "agent", is_public=False)
        assert row(story, policies(), at(23, 10), metric="first_reply").state == "running"
        story.comment(at(23, 9, 30), "agent")
        found = row(story, policies(), at(23, 10), metric="first_reply")
        assert (found.state, found.stopped_at, found.elapsed_seconds) == (
            "met",
            at(23, 9, 30),
            1800,
        )

    def test_the_opening_comment_of_an_agents_ticket_is_not_its_reply(self):
        story = Story().comment(at(23, 9), "agent").comment(at(23, 11), "agent")
        assert row(story, policies(), at(23, 12), metric="first_reply").stopped_at == at(23, 11)

    def test_a_fraction_of_a_second_after_the_start_is_after_it(self):
        story = Story().comment(at(23, 9) + timedelta(milliseconds=200), "agent")
        found = row(story, policies(), at(23, 12), metric="first_reply")
        assert (found.stopped_at, found.elapsed_seconds, found.state) == (at(23, 9), 0, "met")

    @pytest.mark.parametrize("end", ["solved", "closed"])
    def test_solved_or_closed_without_a_reply_stops_it(self, end):
        story = Story().status(at(23, 10), end).comment(at(23, 16), "agent")
        found = row(story, policies(), at(24), metric="first_reply")
        assert (found.state, found.stopped_at) == ("met", at(23, 10))

    def test_pending_does_not_pause_it_unless_the_policy_says_so(self):
        story = Story().status(at(23, 10), "pending")
        assert row(story, policies(), at(23, 12), metric="first_reply").state == "running"
        pausing = load_policies(HEAD + STANDARD + "pausing: {response: [pending]}\n", "p.yaml")
        found = row(story, pausing, at(23, 12), metric="first_reply")
        assert (found.state, found.elapsed_seconds, found.paused_seconds) == (
            "paused",
            HOUR,
            2 * HOUR,
        )

    def test_a_ticket_that_comes_at_night_starts_at_the_opening(self):
        found = row(None, policies(), at(28, 12), ticket(at(27, 20)), metric="first_reply")
        # Friday 20:00: nothing has passed by Saturday; due on Monday the 30th at 13:00.
        assert (found.elapsed_seconds, found.due_at, found.state) == (0, at(30, 13), "running")

    def test_critical_runs_around_the_clock(self):
        found = row(
            None,
            policies(),
            at(28, 3, 5),
            ticket(at(28, 3), priority="critical"),
            metric="first_reply",
        )
        assert (found.calendar, found.due_at) == ("24x7", at(28, 3, 15))


class TestResolution:
    """Medium: one business day, nine hours."""

    def test_pending_and_on_hold_are_left_out(self):
        story = (
            Story()
            .status(at(23, 10), "pending")  # 1 h counted
            .status(at(23, 12), "open")  # 2 h left out
            .status(at(23, 15), "on_hold")  # 3 h counted
            .status(at(24, 10), "open")  # 3 h + 1 h left out
        )
        found = row(story, policies(), at(24, 11), metric="resolution")
        assert (found.elapsed_seconds, found.paused_seconds) == (5 * HOUR, 6 * HOUR)
        assert (found.state, found.due_at) == ("running", at(24, 15))

    def test_while_paused_there_is_no_due_time_but_the_rest_is_known(self):
        story = Story().status(at(23, 10), "pending")
        found = row(story, policies(), at(23, 17), metric="resolution")
        assert (found.state, found.due_at, found.due_next_open_at) == ("paused", None, None)
        assert found.remaining_seconds == 8 * HOUR
        assert found.next_check_at is None

    def test_while_paused_the_due_time_may_be_projected(self):
        story = Story().status(at(23, 10), "pending")
        found = row(story, policies(due_while_paused="projected"), at(23, 17), metric="resolution")
        # Resumed at 17:00, one hour is left on Monday and seven on Tuesday.
        assert (found.state, found.due_at) == ("paused", at(24, 16))

    def test_solved_stops_it(self):
        story = Story().status(at(23, 17), "solved").status(at(28), "closed")
        found = row(story, policies(), at(29), metric="resolution")
        assert (found.state, found.stopped_at, found.elapsed_seconds) == (
            "met",
            at(23, 17),
            8 * HOUR,
        )
        assert found.due_at == at(23, 18)

    def test_it_may_breach_after_a_pause(self):
        story = Story().status(at(23, 12), "pending").status(at(24, 12), "open")
        found = row(story, policies(), at(25, 12), metric="resolution")
        # Three hours on Monday, six on Tuesday: run out at closing time on Tuesday.
        assert (found.state, found.breached_at) == ("breached", at(24, 18))
        assert found.due_next_open_at == at(25, 9)

    def test_the_target_may_run_out_exactly_when_a_pause_begins(self):
        story = Story().status(at(23, 18), "pending")
        found = row(story, policies(), at(25), metric="resolution")
        assert (found.state, found.remaining_seconds) == ("paused", 0)
        story.status(at(25, 10), "open")
        assert row(story, policies(), at(25, 10), metric="resolution").state == "running"
        assert row(story, policies(), at(25, 10, 0, 1), metric="resolution").state == "breached"


class TestClosingTime:
    """Medium resolution of Monday 09:00 runs out at Monday 18:00, closing time."""

    @pytest.mark.parametrize(
        ("rule", "due", "overnight"),
        [("closing", at(23, 18), "breached"), ("next_opening", at(24, 9), "met")],
    )
    def test_due_is_the_closing_instant_or_the_next_opening(self, rule, due, overnight):
        which = policies(due_at_closing=rule)
        found = row(None, which, at(23, 12), metric="resolution")
        assert (found.due_at, found.due_next_open_at) == (due, at(24, 9))
        solved_overnight = Story().status(at(23, 20), "solved")
        found = row(solved_overnight, which, at(25), metric="resolution")
        assert (found.state, found.due_at) == (overnight, due)
        assert (
            row(Story().status(at(23, 18), "solved"), which, at(25), metric="resolution").state
            == "met"
        )
        found = row(None, which, at(25), metric="resolution")
        assert (found.state, found.breached_at) == ("breached", due)


class TestEqual:
    def test_breached_where_the_policy_says_so(self):
        which = policies(equal="breached")
        found = row(Story().comment(at(23, 13), "agent"), which, at(24), metric="first_reply")
        assert (found.state, found.breached_at) == ("breached", at(23, 13))
        found = row(
            Story().comment(at(23, 12, 59, 59), "agent"), which, at(24), metric="first_reply"
        )
        assert found.state == "met"
        assert row(None, which, at(23, 12, 30), metric="first_reply").next_check_at == at(23, 13)
        assert row(None, which, at(23, 13), metric="first_reply").state == "breached"


class TestPriorityChange:
    def test_keep_elapsed_swaps_the_target_and_keeps_the_start(self):
        story = Story().priority(at(23, 11), "low")
        found = row(story, policies(), at(23, 14), metric="first_reply")
        # Low answers within nine hours; five have passed.
        assert (found.started_at, found.due_at) == (at(23, 9), at(23, 18))
        assert (found.elapsed_seconds, found.target_seconds, found.priority) == (
            5 * HOUR,
            9 * HOUR,
            "low",
        )

    def test_due_may_then_lie_in_the_past_and_the_breach_is_at_the_change(self):
        story = Story().priority(at(23, 12), "high")
        before = row(story, policies(), at(23, 11, 59), metric="first_reply")
        assert (before.state, before.priority) == ("running", "medium")
        found = row(story, policies(), at(23, 12), metric="first_reply")
        assert (found.state, found.due_at, found.breached_at) == (
            "breached",
            at(23, 10),
            at(23, 12),
        )

    def test_a_breach_stays_where_the_next_target_had_run_out_as_well(self):
        story = Story().priority(at(23, 14), "high")
        found = row(story, policies(), at(23, 15), metric="first_reply")
        assert (found.due_at, found.breached_at) == (at(23, 10), at(23, 13))

    def test_a_lower_priority_mends_a_breach(self):
        story = Story().priority(at(23, 14), "low")
        found = row(story, policies(), at(23, 15), metric="first_reply")
        assert (found.state, found.breached_at, found.due_at) == ("running", None, at(23, 18))

    def test_each_calendar_counts_while_it_is_in_force(self):
        # Critical (24x7) from Monday 20:00 on: nine business hours on Monday, then real hours.
        story = Story().priority(at(23, 20), "critical")
        found = row(story, policies(), at(23, 21), ticket(priority="low"), metric="resolution")
        assert found.elapsed_seconds == 10 * HOUR
        # Four hours were over at 13:00, long before the change that made four hours the target.
        assert (found.due_at, found.breached_at) == (at(23, 13), at(23, 20))

    def test_a_change_while_solved_counts_from_the_reopening(self):
        # Nine hours were in time as low; as high, eight hours would have run out at 17:00.
        story = (
            Story()
            .status(at(23, 18), "solved")
            .priority(at(23, 20), "high")
            .status(at(24, 10), "open")
        )
        facts = ticket(priority="low")
        assert row(story, policies(), at(24, 9), facts, "resolution").state == "met"
        found = row(story, policies(), at(24, 11), facts, "resolution")
        assert (found.due_at, found.breached_at) == (at(23, 17), at(24, 10))

    def test_restart(self):
        story = Story().priority(at(23, 12), "high")
        which = policies(priority_change="restart")
        found = row(story, which, at(23, 12, 30), metric="first_reply")
        assert (found.started_at, found.elapsed_seconds, found.due_at) == (
            at(23, 12),
            1800,
            at(23, 13),
        )
        assert found.state == "running"

    def test_a_first_priority_is_no_change(self):
        story = Story().priority(at(23, 12), "high")
        which = policies(priority_change="restart")
        found = row(story, which, at(23, 12, 30), ticket(priority=None), metric="first_reply")
        assert found.started_at == at(23, 9)

    def test_frozen(self):
        story = Story().priority(at(23, 12), "critical")
        which = policies(priority_change="frozen")
        found = row(story, which, at(23, 12, 30), metric="first_reply")
        assert (found.priority, found.due_at, found.state) == ("medium", at(23, 13), "running")

    @pytest.mark.parametrize(
        ("rule", "state", "target"), [("at_stop", "breached", 1), ("at_start", "met", 4)]
    )
    def test_the_target_of_a_stopped_clock(self, rule, state, target):
        story = Story().priority(at(23, 11), "high").comment(at(23, 11, 30), "agent")
        found = row(story, policies(stopped_target=rule), at(24), metric="first_reply")
        assert (found.state, found.target_seconds) == (state, target * HOUR)

    def test_a_change_after_the_stop_does_not_matter(self):
        story = Story().comment(at(23, 11), "agent").priority(at(23, 12), "critical")
        found = row(story, policies(), at(24), metric="first_reply")
        assert (found.state, found.priority) == ("met", "medium")

    def test_the_order_within_one_update_decides(self):
        first = Story().priority(at(23, 11), "high").comment(at(23, 11), "agent")
        then = Story().comment(at(23, 11), "agent").priority(at(23, 11), "high")
        assert row(first, policies(), at(24), metric="first_reply").priority == "high"
        assert row(then, policies(), at(24), metric="first_reply").priority == "medium"


class TestReopen:
    """Solved on Monday 12:00 after three hours, reopened on Tuesday 10:00."""

    def story(self) -> Story:
        return Story().status(at(23, 12), "solved").status(at(24, 10), "open")

    def test_solved_time_is_left_out(self):
        found = row(self.story(), policies(), at(24, 11), metric="resolution")
        assert (found.state, found.stopped_at, found.instance) == ("running", None, 1)
        assert (found.elapsed_seconds, found.paused_seconds, found.due_at) == (
            4 * HOUR,
            7 * HOUR,
            at(24, 16),
        )

    def test_or_counted(self):
        found = row(
            self.story(), policies(reopen="resume_include_solved"), at(24, 11), metric="resolution"
        )
        assert (found.state, found.elapsed_seconds) == ("breached", 11 * HOUR)
        assert found.breached_at == at(23, 18)

    def test_or_a_new_cycle_begins(self):
        story = self.story().status(at(24, 12), "closed")
        first, second = (
            r for r in rows(story, policies(reopen="new_cycle"), at(25)) if r.metric == "resolution"
        )
        assert (first.instance, first.state, first.elapsed_seconds) == (1, "met", 3 * HOUR)
        assert (second.instance, second.state, second.elapsed_seconds) == (2, "met", 2 * HOUR)
        assert second.started_at == at(24, 10)

    def test_or_the_first_solve_is_final(self):
        found = row(self.story(), policies(reopen="first_only"), at(27), metric="resolution")
        assert (found.state, found.stopped_at) == ("met", at(23, 12))

    def test_before_the_reopening_it_was_met(self):
        assert row(self.story(), policies(), at(24, 9), metric="resolution").state == "met"


class TestOtherMetrics:
    def test_acknowledgement_takes_any_message_to_the_customer(self):
        story = Story().comment(at(23, 9), "customer").comment(at(23, 9, 1), "bridge")
        found = row(story, only("acknowledgement", "5 min"), at(23, 10))
        assert (found.state, found.elapsed_seconds) == ("met", 60)

    def test_next_reply_runs_from_the_oldest_unanswered_comment(self):
        story = (
            Story()
            .comment(at(23, 9), "customer")  # before the first reply: its own clock
            .comment(at(23, 10), "agent")
            .comment(at(23, 11), "customer")  # 1 starts
            .comment(at(23, 12), "customer")
            .comment(at(23, 12, 30), "bot")
            .comment(at(23, 13), "agent")  # 1 stops after two hours
            .comment(at(23, 14), "agent")
            .comment(at(24, 9), "customer")  # 2 starts
            .status(at(24, 10), "solved")  # 2 stops
            .comment(at(24, 11), "customer")  # a word of thanks: the ticket stays solved
        )
        found = rows(story, only("next_reply", "90 min"), at(25))
        assert [(r.instance, r.started_at, r.stopped_at, r.state) for r in found] == [
            (1, at(23, 11), at(23, 13), "breached"),
            (2, at(24, 9), at(24, 10), "met"),
        ]
        # Reopened: the customer has been waiting since the comment.
        story.status(at(24, 12), "open")
        third = rows(story, only("next_reply", "90 min"), at(24, 12, 15))[2]
        assert (third.instance, third.started_at, third.elapsed_seconds) == (3, at(24, 11), 75 * 60)

    def test_next_reply_after_a_solve_without_a_reply(self):
        story = (
            Story()
            .status(at(23, 10), "solved")
            .comment(at(23, 11), "customer")
            .status(at(23, 11), "open")
        )
        found = row(story, only("next_reply"), at(23, 12))
        assert (found.started_at, found.state) == (at(23, 11), "running")

    def test_periodic_and_pausable_update(self):
        story = (
            Story()
            .comment(at(23, 10), "agent")
            .status(at(23, 11), "pending")
            .status(at(23, 14), "open")
            .comment(at(23, 15), "agent")
            .comment(at(23, 17), "agent")
            .status(at(23, 17), "solved")
            .comment(at(23, 17, 30), "agent")
        )
        periodic = rows(story, only("periodic_update"), at(24))
        assert [(r.elapsed_seconds, r.state) for r in periodic] == [
            (5 * HOUR, "breached"),
            (2 * HOUR, "met"),
        ]
        pausable = rows(story, only("pausable_update"), at(24))
        assert [(r.elapsed_seconds, r.state) for r in pausable] == [
            (2 * HOUR, "met"),
            (2 * HOUR, "met"),
        ]

    @pytest.mark.parametrize(
        ("metric", "hours"),
        [
            # new 9-10, open 10-12, pending 12-13, on hold 13-15, open 15-16, solved 16-17, open 17-18, solved.
            ("agent_work", 5),
            ("requester_wait", 7),
            ("agent_wait", 1),
            ("on_hold", 2),
            ("resolution", 5),
            ("first_resolution", 7),
            ("total_resolution", 9),
        ],
    )
    def test_what_each_metric_counts(self, metric, hours):
        story = (
            Story()
            .status(at(23, 10), "open")
            .status(at(23, 12), "pending")
            .status(at(23, 13), "on_hold")
            .status(at(23, 15), "open")
            .status(at(23, 16), "solved")
            .status(at(23, 17), "open")
            .status(at(23, 18), "solved")
        )
        found = row(story, only(metric, "6 h"), at(25))
        assert found.elapsed_seconds == hours * HOUR
        assert found.state == ("breached" if hours > 6 else "met")

    def test_close(self):
        story = (
            Story()
            .status(at(23, 10), "pending")
            .status(at(23, 12), "solved")
            .status(at(23, 15), "closed")
        )
        found = row(story, only("close"), at(25))
        assert (found.elapsed_seconds, found.stopped_at) == (6 * HOUR, at(23, 15))


class TestEnds:
    @pytest.mark.parametrize("end", ["merged", "deleted", "spam"])
    @pytest.mark.parametrize("as_status", [True, False])
    def test_open_clocks_are_cancelled(self, end, as_status):
        story = Story().status(at(23, 10), end) if as_status else Story().field(at(23, 10), end)
        for found in rows(story, policies(), at(27)):
            assert (found.state, found.stopped_at, found.elapsed_seconds) == (
                "cancelled",
                at(23, 10),
                HOUR,
            )
            assert (found.next_check_at, found.breached_at, found.is_at_risk) == (None, None, False)

    def test_what_was_decided_stays(self):
        story = Story().comment(at(23, 10), "agent").field(at(24, 12), "merged")
        reply, resolution = rows(story, policies(), at(27))
        assert reply.state == "met"
        assert (resolution.state, resolution.breached_at) == ("breached", at(23, 18))

    @pytest.mark.parametrize("order", [("status", "merged"), ("merged", "status")])
    def test_the_close_and_the_comment_that_come_with_a_merge_answer_nothing(self, order):
        story = Story().comment(at(23, 10), "agent")
        for field in order:
            story.field(at(23, 10), field, "closed" if field == "status" else None)
        assert {r.state for r in rows(story, policies(), at(27))} == {"cancelled"}
        story.status(at(25), "closed")
        assert {r.state for r in rows(story, policies(), at(27))} == {"cancelled"}

    def test_a_merge_may_stop_instead(self):
        found = rows(Story().field(at(23, 10), "merged"), policies(merge="stop"), at(27))
        assert {(r.state, r.stopped_at) for r in found} == {("met", at(23, 10))}
        found = rows(Story().field(at(23, 10), "deleted"), policies(merge="stop"), at(27))
        assert {r.state for r in found} == {"cancelled"}

    def test_a_ticket_that_comes_back_goes_on(self):
        story = Story().field(at(23, 10), "deleted", "true").field(at(23, 12), "deleted", "false")
        found = row(story, policies(), at(23, 13), metric="resolution")
        assert (found.state, found.elapsed_seconds, found.paused_seconds) == (
            "running",
            2 * HOUR,
            2 * HOUR,
        )

    def test_nothing_starts_on_a_merged_ticket(self):
        story = (
            Story()
            .comment(at(23, 10), "agent")
            .status(at(23, 11), "merged")
            .comment(at(23, 12), "customer")
            .comment(at(23, 13), "agent")
        )
        assert rows(story, only("next_reply"), at(24)) == []
        assert [r.state for r in rows(story, only("periodic_update"), at(24))] == ["cancelled"]


class TestNoPriority:
    def test_the_row_that_the_policy_names(self):
        found = row(
            None,
            policies(no_priority="high"),
            at(23, 9, 30),
            ticket(priority=None),
            metric="first_reply",
        )
        assert (found.priority, found.target_seconds) == ("high", HOUR)

    def test_or_no_clock_until_there_is_one(self):
        which = policies(no_priority="no_clock")
        story = Story().priority(at(23, 12), "low")
        assert rows(story, which, at(23, 11), ticket(priority=None)) == []
        found = row(story, which, at(23, 12), ticket(priority=None), metric="first_reply")
        assert (found.started_at, found.elapsed_seconds) == (at(23, 9), 3 * HOUR)

    def test_a_promise_that_comes_too_late_is_broken_when_it_comes(self):
        which = policies(no_priority="no_clock")
        story = Story().priority(at(23, 12), "high")
        found = row(story, which, at(23, 13), ticket(priority=None), metric="first_reply")
        assert (found.due_at, found.breached_at) == (at(23, 10), at(23, 12))

    def test_an_unknown_word_is_no_priority(self):
        found = row(None, policies(), at(23, 9, 30), ticket(priority="P1"), metric="first_reply")
        assert found.priority == "medium"


class TestAtRisk:
    def test_minutes_left(self):
        which = policies(at_risk="30 min left")
        assert not row(None, which, at(23, 12, 29, 59), metric="first_reply").is_at_risk
        assert row(None, which, at(23, 12, 30), metric="first_reply").is_at_risk

    def test_a_paused_clock_stays_at_risk(self):
        story = Story().status(at(23, 17), "pending")
        found = row(story, policies(), at(27), metric="resolution")
        assert (found.state, found.is_at_risk) == ("paused", True)


class TestCalendarChange:
    """The ticket moves to the night shift (18:00-24:00) on Monday 12:00: three hours counted so far."""

    story = Story().field(at(23, 12), "calendar", "night")

    @pytest.mark.parametrize(
        ("rule", "elapsed", "calendar"),
        [("cumulative", 3 + 2, "night"), ("last", 2, "night"), ("at_start", 9, "office")],
    )
    def test_which_calendar_counts(self, rule, elapsed, calendar):
        found = row(self.story, policies(calendar_change=rule), at(23, 20), metric="resolution")
        assert (found.elapsed_seconds, found.calendar) == (elapsed * HOUR, calendar)

    def test_a_promise_around_the_clock_does_not_move(self):
        found = row(
            self.story, policies(), at(23, 20), ticket(priority="critical"), metric="resolution"
        )
        assert found.calendar == "24x7"

    def test_an_unknown_calendar_changes_nothing(self):
        story = Story().field(at(23, 12), "calendar", "nowhere")
        assert row(story, policies(), at(23, 13), metric="resolution").calendar == "office"


CONTRACTS = """
contracts:
  - name: gold
    match: {contracts: gold}
    targets:
      medium: {response: 30 min, calendar: 24x7}
  - name: acme
    match: {organisations: [Acme]}
    valid_from: 2026-11-01
    valid_to: 2026-11-25
    targets:
      medium: {response: 2 h, resolution: 4 h}
  - name: acme gold
    match: {organisations: Acme, contracts: gold}
    targets:
      medium: {response: 10 min}
"""


class TestContracts:
    which = load_policies(HEAD + STANDARD + CONTRACTS, "contracts.yaml")

    def found(self, story, facts, as_of=A_MINUTE_LATER):
        reply, resolution = rows(story, self.which, as_of, facts)
        return reply.target_seconds, reply.calendar, resolution.target_seconds

    def test_the_most_specific_wins_and_empty_cells_fall_through(self):
        assert self.found(None, ticket()) == (4 * HOUR, "office", 9 * HOUR)
        assert self.found(None, ticket(contract="gold")) == (1800, "24x7", 9 * HOUR)
        assert self.found(None, ticket(organisation_name="ACME")) == (2 * HOUR, "office", 4 * HOUR)
        # Ten minutes from the pair, the resolution from acme alone.
        both = ticket(organisation_name="Acme", contract="gold")
        assert self.found(None, both) == (600, "office", 4 * HOUR)
        # Nothing is said about low.
        assert self.found(None, ticket(contract="gold", priority="low"))[0] == 9 * HOUR

    def test_a_contract_holds_from_its_first_to_before_its_last_day(self):
        early = ticket(datetime(2026, 10, 30, 9, tzinfo=ISTANBUL), organisation_name="Acme")
        assert self.found(None, early, datetime(2026, 10, 30, 9, 1, tzinfo=ISTANBUL))[0] == 4 * HOUR
        late = ticket(at(25, 9), organisation_name="Acme")
        assert self.found(None, late, at(25, 9, 1))[0] == 4 * HOUR
        # It ends while a ticket is open: what was promised stays until the ticket's next event.
        facts = ticket(at(24, 17), organisation_name="Acme")
        assert self.found(None, facts, at(25, 12))[2] == 4 * HOUR
        story = Story().comment(at(25, 11), "agent", is_public=False)
        assert self.found(story, facts, at(25, 12))[2] == 9 * HOUR

    def test_a_contract_may_come_later(self):
        story = Story().field(at(23, 9, 30), "contract", "gold")
        assert self.found(story, ticket(), at(23, 9, 40)) == (1800, "24x7", 9 * HOUR)


VERSIONS = """
policies:
  - name: p
    calendars: {office: {time_zone: Europe/Istanbul, hours: {mon-fri: [["09:00", "18:00"]]}}}
    matrix: &one
      critical: {response: 1 h}
      high: {response: 1 h}
      medium: {response: 4 h}
      low: {response: 8 h}
  - name: p
    effective_from: 2026-11-23T11:00:00+03:00
    rules: {policy_edit: RULE}
    calendars: {office: {time_zone: Europe/Istanbul, hours: {mon-fri: [["09:00", "18:00"]]}}}
    matrix:
      critical: {response: 1 h}
      high: {response: 1 h}
      medium: {response: 2 h}
      low: {response: 8 h}
"""


class TestPolicyVersions:
    def test_a_running_clock_keeps_its_version_until_the_tickets_next_event(self):
        which = load_policies(VERSIONS.replace("RULE", "versioned"), "v.yaml")
        assert row(None, which, at(23, 12)).policy_version == which[0].version
        story = Story().comment(at(23, 11, 30), "customer")
        found = row(story, which, at(23, 12))
        assert (found.policy_version, found.target_seconds, found.state) == (
            which[1].version,
            2 * HOUR,
            "breached",
        )
        # Two hours were over at 11:00, but only the comment brought the new version.
        assert found.breached_at == at(23, 11, 30)
        assert row(None, which, at(24, 9, 30), ticket(at(24, 9))).policy_version == which[1].version

    def test_or_is_computed_again_at_once(self):
        which = load_policies(VERSIONS.replace("RULE", "recompute"), "v.yaml")
        before = row(None, which, at(23, 10))
        assert (before.policy_version, before.next_check_at) == (which[0].version, at(23, 11))
        found = row(None, which, at(23, 12))
        assert (found.policy_version, found.due_at, found.breached_at) == (
            which[1].version,
            at(23, 11),
            at(23, 11),
        )

    def test_before_its_first_version_a_policy_promises_nothing(self):
        which = load_policies(
            HEAD.replace("name: test", "name: test\neffective_from: 2026-11-24") + STANDARD,
            "v.yaml",
        )
        assert rows(None, which, at(25)) == []
        assert len(rows(None, which, at(25), ticket(at(24, 9)))) == 2


class TestMatching:
    text = """
policies:
  - name: mail
    match: {channels: [email], tags: [VIP, urgent]}
    matrix: &m
      critical: {response: 1 h}
      high: {response: 1 h}
      medium: {response: 1 h}
      low: {response: 1 h}
  - name: rest
    matrix: *m
"""

    @pytest.mark.parametrize(
        ("facts", "policy"),
        [
            ({"channel": "email", "tags": ("vip", "x")}, "mail"),
            ({"channel": "email", "tags": ("x",)}, "rest"),
            ({"channel": "web", "tags": ("vip",)}, "rest"),
        ],
    )
    def test_the_first_policy_that_fits_wins(self, facts, policy):
        which = load_policies(self.text, "m.yaml")
        assert row(None, which, at(23, 10), ticket(**facts)).policy == policy

    def test_a_ticket_that_no_policy_fits_has_no_clock(self):
        which = load_policies(self.text, "m.yaml")[:1]
        assert rows(None, which, at(23, 10)) == []


class TestAsOf:
    def test_a_ticket_from_later_is_not_there(self):
        assert rows(None, policies(), at(23, 8, 59)) == []
        assert len(rows(None, policies(), at(23, 9))) == 2

    def test_known_at_leaves_out_what_was_recorded_later(self):
        events = [
            Event(
                "t",
                at(23, 10),
                "comment",
                actor_kind="agent",
                is_public=True,
                recorded_at=at(23, 18),
            ),
            Event("t", at(23, 9), "created", recorded_at=at(23, 9, 5)),
        ]
        found = evaluate([ticket()], events, policies(), at(23, 12), known_at=at(23, 12))
        assert {r.state for r in found} == {"running"}
        found = evaluate([ticket()], events, policies(), at(23, 12), known_at=at(23, 18))
        assert found[0].state == "met"
        assert evaluate([ticket()], events, policies(), at(23, 12), known_at=at(23, 9)) == []
        late = ticket(recorded_at=at(23, 13))
        assert evaluate([late], [], policies(), at(23, 12), known_at=at(23, 12)) == []

    def test_naive_times_are_refused(self):
        naive = datetime(2026, 11, 23)  # noqa: DTZ001 - the point of the test
        for call in (
            lambda: evaluate([ticket()], [], policies(), naive),
            lambda: evaluate([ticket()], [], policies(), at(23), known_at=naive),
            lambda: evaluate([{"ticket_key": "t", "created_at": naive}], [], policies(), at(23)),
            lambda: evaluate([TicketFacts("t", naive)], [], policies(), at(23)),
        ):
            with pytest.raises(ValueError, match=r"zone|naive"):
                call()


class TestClockChange:
    def test_a_target_over_the_night_the_clocks_go_back(self):
        text = (
            HEAD.replace("Europe/Istanbul", "Europe/Berlin").replace("mon-fri", "mon-sun")
            + STANDARD
        )
        which = load_policies(
            text.replace('[["09:00", "18:00"]]', '[["00:00", "24:00"]]'), "b.yaml"
        )
        # Berlin, Sunday 25 October 2026 has 25 hours. Medium: a business day of 24 h of the clock on the wall.
        created = datetime(2026, 10, 24, 22, tzinfo=UTC)  # its midnight
        found = evaluate([ticket(created)], [], which, created)[1]
        assert found.target_seconds == 24 * HOUR
        assert found.due_at == datetime(2026, 10, 25, 22, tzinfo=UTC)  # 23:00 in Berlin


class TestShapes:
    def test_mappings_and_tables_are_taken_too(self):
        story = (
            Story()
            .comment(at(23, 10), "agent")
            .status(at(23, 12), "pending")
            .priority(at(23, 13), "low")
        )
        expected = rows(story, policies(), at(24))
        facts = {"ticket_key": "t", "created_at": at(23, 9), "priority": "medium", "colour": "red"}
        events = [
            {
                name: getattr(e, name)
                for name in (
                    "ticket_key",
                    "occurred_at",
                    "field",
                    "new_value",
                    "actor_kind",
                    "is_public",
                    "position",
                )
            }
            for e in story.events
        ]
        assert evaluate([facts], events, policies(), at(24)) == expected
        tickets_table = pd.DataFrame([{**facts, "tags": ["a"], "category": None}])
        events_table = (
            pd.DataFrame(events).assign(recorded_at=pd.NaT).sample(frac=1, random_state=1)
        )
        assert evaluate(tickets_table, events_table, policies(), at(24)) == expected
        assert explain(facts, events_table, policies(), at(24)) == explain(
            ticket(), story.events, policies(), at(24)
        )

    @pytest.mark.parametrize(
        ("facts", "message"),
        [
            ({"created_at": at(23)}, "no ticket_key"),
            ({"ticket_key": "t"}, "ticket t has no created_at"),
            ({"ticket_key": "t", "created_at": 5}, "created_at is no time"),
        ],
    )
    def test_a_ticket_that_lacks_something_says_so(self, facts, message):
        with pytest.raises(ValueError, match=message):
            evaluate([facts], [], policies(), at(24))

    def test_a_time_that_cannot_be_true_names_its_ticket(self):
        broken = TicketFacts("t7", datetime(2, 1, 1, tzinfo=UTC))
        with pytest.raises(ValueError, match=r"ticket t7: .* 1900 to 2200"):
            evaluate([broken], [], policies(), at(23))

    def test_empty_cells_of_a_table_mean_the_default(self):
        table = pd.DataFrame(
            [
                {
                    "ticket_key": "t",
                    "created_at": pd.Timestamp(at(23, 9)),
                    "priority": float("nan"),
                    "category": pd.NA,
                    "recorded_at": pd.NaT,
                    "tags": None,
                    "channel": None,
                }
            ],
            dtype=object,
        )
        assert evaluate(table, [], policies(), at(23, 10)) == evaluate(
            [TicketFacts("t", at(23, 9))], [], policies(), at(23, 10)
        )

    def test_rows_read_like_mappings_and_fill_a_table(self):
        found = rows(None, policies(), at(23, 10))
        assert found[0]["state"] == "running"
        with pytest.raises(KeyError):
            found[0]["colour"]
        assert dict(found[0]) == found[0].as_dict()
        table = pd.DataFrame(found)
        assert list(table["metric"]) == ["first_reply", "resolution"]
        assert list(pd.DataFrame([r.as_dict() for r in found]).columns) == found[0].keys()

    def test_rows_come_in_the_order_of_the_tickets(self):
        tickets = [TicketFacts(key, at(23, 9)) for key in ("b", "a")]
        found = evaluate(tickets, [], policies(), at(23, 10))
        assert [(r.ticket_key, r.metric) for r in found] == [
            ("b", "first_reply"),
            ("b", "resolution"),
            ("a", "first_reply"),
            ("a", "resolution"),
        ]


class TestExplain:
    def test_each_interval_says_why(self):
        story = (
            Story()
            .status(at(23, 10), "pending")
            .status(at(23, 12), "open")
            .priority(at(23, 13), "high")
        )
        found = [
            i
            for i in explain(ticket(), story.events, policies(), at(23, 20))
            if i.metric == "resolution"
        ]
        assert [(i.start, i.end, i.status, i.counted_seconds, i.is_counted) for i in found] == [
            (at(23, 9), at(23, 10), "new", HOUR, True),
            (at(23, 10), at(23, 12), "pending", 0, False),
            (at(23, 12), at(23, 13), "open", HOUR, True),
            (at(23, 13), at(23, 20), "open", 5 * HOUR, True),
        ]
        assert [i.why for i in found] == [
            "new: 1 h counted in office",
            "pending: the clock stood still",
            "open: 1 h counted in office",
            "open: 5 h counted in office",
        ]
        assert [i.target_seconds // HOUR for i in found] == [9, 9, 9, 8]
        assert [i.remaining_seconds // HOUR for i in found] == [8, 8, 7, 1]
        assert found[-1].due_at == at(24, 10)
        assert found[0]["policy_version"] == policies()[0].version

    def test_other_tickets_do_not_interfere(self):
        other = [Event("x", at(23, 10), "status", new_value="solved")]
        assert len(explain(ticket(), other, policies(), at(23, 12))) == 2
