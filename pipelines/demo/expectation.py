"""What the standard matrix says about a case, worked out on its own here so that tests can hold the engine to it.

Belongs here: first reply and resolution of the demo's cases, by the shipped rules. Does not belong here: other
metrics, other rules; `sla_rules` is the engine.
"""

from dataclasses import dataclass

from pipelines.demo.case import Case
from pipelines.demo.hours import BusinessHours, after, elapsed
from pipelines.demo.issues import REPLY_TARGETS, RESOLUTION_TARGETS

_COUNTS = frozenset({"new", "open"})
AT_RISK_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Verdict:
    """One clock at the demo's end: `met`, `breached`, `at_risk`, `running` or `paused`, and its elapsed seconds."""

    state: str
    elapsed_seconds: int
    target_seconds: int
    due_at: int | None


def first_reply(case: Case, hours: BusinessHours, as_of: int) -> Verdict:
    """The response promise. Solving without a reply stops the clock; priority is the one at the stop."""
    stops = [at for at in (case.first_reply_at(), case.first("solved"), case.first("closed")) if at]
    stopped = min(stops) if stops else None
    priority = case.priority if stopped is None else priority_at(case, stopped)
    target = REPLY_TARGETS[priority]
    spent = elapsed(hours, priority, case.created_at, stopped or as_of)
    due = after(hours, priority, case.created_at, target)
    if stopped is not None:
        return Verdict("met" if spent <= target else "breached", spent, target, due)
    return Verdict(_running(spent, target), spent, target, due)


def resolution(case: Case, hours: BusinessHours, as_of: int) -> Verdict:
    """The resolution promise: new and open time until the last solution; a reopening resumes, solved time left out."""
    priority, status, since, spent = case.priority, _first_status(case), case.created_at, 0
    for step in case.steps:
        for change in step.changes:
            if change.field != "status":
                continue
            if status in _COUNTS:
                spent += elapsed(hours, priority, since, step.at)
            status, since = str(change.new), step.at
    target = RESOLUTION_TARGETS[priority]
    if status in ("solved", "closed"):
        return Verdict("met" if spent <= target else "breached", spent, target, None)
    if status not in _COUNTS:
        return Verdict("breached" if spent > target else "paused", spent, target, None)
    due = after(hours, priority, since, target - spent) if spent < target else None
    spent += elapsed(hours, priority, since, as_of)
    return Verdict(_running(spent, target), spent, target, due)


def priority_at(case: Case, at: int) -> str:
    """The priority in force at an instant."""
    priority = case.priority
    for step in reversed(case.steps):
        if step.at <= at:
            break
        for change in step.changes:
            if change.field == "priority":
                priority = str(change.old)
    return priority


def is_counted(case: Case) -> bool:
    """Whether the case stays in the service: not merged, deleted or spam."""
    return case.merged_into is None and not case.is_deleted and not case.is_spam


def _running(spent: int, target: int) -> str:
    if spent > target:
        return "breached"
    return "at_risk" if spent >= AT_RISK_SHARE * target else "running"


def _first_status(case: Case) -> str:
    for step in case.steps:
        for change in step.changes:
            if change.field == "status":
                return str(change.old)
    return case.status
