"""The named clocks: what each measures, and what pauses it unless a policy says otherwise.

Belongs here: the table of metrics. Does not belong here: how a history becomes cycles (`cycles.py`), or how
a cycle is measured (`clocks.py`).
"""

from dataclasses import dataclass
from typing import Literal

ACTIVE_STATUSES = ("new", "open", "pending", "on_hold")
"""Statuses in which a ticket is being served; any of them may pause a clock."""

SOLVED_STATUSES = frozenset({"solved", "closed"})
"""Statuses that fulfil a resolution; one closed without being solved counts as solved.

Source: Zendesk Help, "About SLA policies and how they work".
"""

Kind = Literal["message", "work", "once", "whole", "close"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One named clock.

    `kind` says how its cycles come about: `message` clocks run between comments; `work` clocks run from
    creation to solved and follow the policy's reopen rule; `once` stops for good at the first solve;
    `whole` runs to the last solve, time spent solved included; `close` the same to closed.
    """

    name: str
    kind: Kind
    pausing: frozenset[str] = frozenset()
    meaning: str = ""


_ALL = frozenset(ACTIVE_STATUSES)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("acknowledgement", "message", meaning="first message of any kind to the customer"),
        Metric("first_reply", "message", meaning="first public reply by an agent"),
        Metric("next_reply", "message", meaning="reply to the oldest unanswered customer comment"),
        Metric("periodic_update", "message", meaning="from one agent comment to the next"),
        Metric(
            "pausable_update",
            "message",
            frozenset({"pending"}),
            meaning="from one agent comment to the next, pending left out",
        ),
        Metric(
            "agent_work", "work", frozenset({"pending", "on_hold"}), meaning="new and open time"
        ),
        Metric(
            "requester_wait", "work", frozenset({"pending"}), meaning="new, open and on-hold time"
        ),
        Metric("agent_wait", "work", _ALL - {"pending"}, meaning="pending time"),
        Metric("on_hold", "work", _ALL - {"on_hold"}, meaning="on-hold time"),
        Metric(
            "resolution", "work", frozenset({"pending", "on_hold"}), meaning="creation to solved"
        ),
        Metric("first_resolution", "once", meaning="creation to the first solve"),
        Metric("total_resolution", "whole", meaning="creation to the last solve, all time counted"),
        Metric("close", "close", meaning="creation to closed"),
    )
}
"""All metrics by name, in the order in which rows are given.

Source: Zendesk Help, "Defining SLA policies", for the reply, update, wait and work metrics.
"""

MATRIX_NAMES = {"response": "first_reply"}
"""Words of the matrix that name a metric otherwise."""
