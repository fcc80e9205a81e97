"""The shipped policy, ladder and on-call plan together: what one ticket of each priority sets off."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import sla_rules.engine as engine_module
from sla_rules.engine import evaluate
from sla_rules.escalation import TicketState, Timer, decide_ticket, load_ladder
from sla_rules.history import Event, TicketFacts
from sla_rules.on_call import load_on_call
from sla_rules.policy import load_policies

FOLDER = Path(engine_module.__file__).parent / "policies"
POLICIES = load_policies((FOLDER / "standard.yaml").read_text(), "standard.yaml")
LADDER = load_ladder((FOLDER / "escalation.yaml").read_text(), "escalation.yaml")
PLAN = load_on_call((FOLDER / "follow_the_sun.yaml").read_text(), "follow_the_sun.yaml")
CALENDARS = {name: cal for policy in POLICIES for name, cal in policy.calendars.items()}
OPENED = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)  # Tuesday


def told(priority: str, events: Sequence[Event], minutes: Sequence[int]) -> list[tuple[str, int]]:
    """(step, minute) of everything that fires when the ticket is looked at in these minutes."""
    facts = TicketFacts("t1", OPENED, priority=priority)
    stored: dict[str, Timer] = {}
    fired = []
    for minute in minutes:
        as_of = OPENED + timedelta(minutes=minute)
        outcome = decide_ticket(
            LADDER,
            TicketState("acme", "t1", OPENED, events, priority=priority),
            evaluate([facts], events, POLICIES, as_of),
            list(stored.values()),
            PLAN,
            as_of,
            OPENED,
            CALENDARS,
        )
        stored |= {timer.timer_key: timer for timer in outcome.timers}
        fired += [(d.timer.step, minute) for d in outcome.decisions if d.outcome == "fire"]
    return fired


def comment(minute: float, actor: str = "agent") -> Event:
    return Event(
        "t1", OPENED + timedelta(minutes=minute), "comment", actor_kind=actor, is_public=True
    )


def test_a_silent_critical_ticket_sets_off_everything_at_its_minute() -> None:
    assert told("critical", [], range(300)) == [
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


def test_an_answer_in_time_leaves_the_resolution_ladder_only() -> None:
    events = [comment(0.5, "bridge"), comment(10)]
    steps = [step for step, _ in told("critical", events, range(100))]
    assert steps == ["l1", "l3", "cto"]


@pytest.mark.parametrize("priority", ["medium", "low"])
def test_medium_and_low_are_told_and_never_page(priority: str) -> None:
    steps = [step for step, _ in told(priority, [], range(0, 6 * 24 * 60, 10))]
    assert steps == [
        "response_at_risk",
        "response_breached",
        "resolution_at_risk",
        "resolution_breached",
    ]


def test_a_solved_ticket_sets_off_nothing_more() -> None:
    solved = Event("t1", OPENED + timedelta(minutes=14), "status", "new", "solved", "agent")
    assert told("critical", [solved], range(300)) == [("l1", 0), ("response_at_risk", 12)]
