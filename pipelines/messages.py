"""What people are told: a decision of the ladder as the body of a message.

Belongs here: words and their order. Does not belong here: how a channel renders them (its connector), whom
they go to (`escalate`).
"""

from datetime import datetime
from typing import Any

from connectors.warehouse.types import iso_utc
from sla_rules.escalation import Decision, FollowUp

Row = dict[str, Any]

_SEVERITIES = {"critical": "critical", "high": "error", "medium": "warning", "low": "info"}

RUNBOOKS = {
    "page": "answering-a-page.md",
    "warn": "promise-at-risk.md",
    "message": "promise-broken.md",
}
"""Action of a step → its page in `pipelines/runbooks`."""


def decision_body(decision: Decision, card: Row, client_name: str) -> Row:
    """The body of a page or message: what happened, to which ticket of whom, who is asked, what to do."""
    late = f" (late by {_duration(decision.late_seconds)})" if decision.is_late else ""
    subject = " ".join((card["subject"] or "(no subject)").split())
    details = {
        "ticket": f"{card['source_key']} #{card['number']}",
        "customer": " · ".join(filter(None, (card["customer"], card["organisation"]))) or "unknown",
        "priority": decision.priority,
        "level": decision.level,
        "on call": decision.primary.name if decision.primary else "nobody named",
        "second": decision.secondary.name if decision.secondary else "",
        "why": decision.reason,
        "due": iso_utc(decision.timer.due_at),
        "runbook": RUNBOOKS.get(decision.action, RUNBOOKS["message"]),
        "rule": decision.rule_version,
    }
    mention = decision.primary.contacts.get("slack") if decision.primary else None
    return {
        "title": f"{decision.level}: {decision.reason}{late} · #{card['number']} {subject}",
        "text": subject,
        "severity": "warning" if decision.action == "warn" else _SEVERITIES[decision.priority],
        "source": f"Deskbridge · {client_name}",
        "url": card["url"],
        "occurred_at": iso_utc(decision.timer.due_at),
        "details": {name: value for name, value in details.items() if value},
        "mention": [mention] if mention and decision.action != "warn" else [],
    }


def follow_up_body(follow_up: FollowUp, trigger: Row, as_of: datetime) -> Row:
    """The body that closes (or marks as taken) a page: the trigger's own words, and why."""
    return trigger | {
        "text": follow_up.reason,
        "occurred_at": iso_utc(as_of),
        "mention": [],
        "details": {"why": follow_up.reason},
    }


def _duration(seconds: int) -> str:
    minutes = seconds // 60
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
