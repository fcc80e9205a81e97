"""The escalation steps of a period, each with what was sent and how that went.

Belongs here: the list, its counts by level, the escalation rate. Does not belong here: when a step is due
(`sla_rules`).

A step finds its messages in the outbox by its key, which every message about it carries.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from connectors.warehouse.report_queries import instants
from reports.backlog import open_at
from reports.basis import Basis
from reports.figure import Figure, share
from reports.period import Period
from reports.records import records

ESCALATION_RATE = (
    "tickets with at least one escalation step taken in the period / tickets handled (open at the start or "
    "created in the period). Warnings before a breach and steps that were skipped are listed, not counted."
)
NO_ESCALATION = ("skipped", "warn")
"""Actions that reached no higher level: a step that was passed over, a warning before the breach."""


@dataclass(frozen=True, slots=True)
class Escalations:
    """The rate, level → (steps taken, late ones), and every step with its channel and result, the latest first."""

    rate: Figure
    by_level: dict[str, tuple[int, int]]
    steps: pd.DataFrame


def escalations(basis: Basis, period: Period) -> Escalations:
    """All steps decided in the period, of whatever ticket; the rate is over steps taken and tickets that count."""
    all_steps = basis.rows.escalations
    end = min(pd.Timestamp(period.end), basis.as_of)
    steps = all_steps[(all_steps["decided_at"] >= period.start) & (all_steps["decided_at"] < end)]
    counted = basis.counted
    created = counted.loc[
        (counted["created_at"] >= period.start) & (counted["created_at"] < end), "ticket_key"
    ]
    at_start = set(open_at(basis, pd.Timestamp(period.start)).index)
    handled = (at_start | set(created)) & set(counted["ticket_key"])
    taken = steps[~steps["action"].isin(NO_ESCALATION)]
    escalated = set(taken["ticket_key"]) & handled
    levels = sorted(set(taken["level"]))
    return Escalations(
        rate=share(
            "escalation_rate",
            "Escalation rate",
            len(escalated),
            len(handled),
            ESCALATION_RATE,
            is_higher_better=False,
        ),
        by_level={
            level: (
                int((taken["level"] == level).sum()),
                int(((taken["level"] == level) & taken["is_late"]).sum()),
            )
            for level in levels
        },
        steps=_with_results(basis, steps),
    )


def _with_results(basis: Basis, steps: pd.DataFrame) -> pd.DataFrame:
    names = ["ticket_key", "number", "url", "subject", "priority", "organisation_name"]
    rows = steps.merge(basis.tickets[names], on="ticket_key", how="left")
    delay = (rows["decided_at"] - rows["due_at"]).dt.total_seconds()
    # What was skipped was kept from nobody; before `live_from` it would be thousands of hours.
    rows["delay_seconds"] = delay.where(rows["action"] != "skipped")
    by_key: dict[str, list[dict[str, Any]]] = {}
    for message in records(basis.rows.deliveries):
        # At `as_of` itself too: a message enters the outbox in the transaction that decides its step.
        if message["action"] == "trigger" and message["created_at"] <= basis.as_of:
            by_key.setdefault(message["message_key"], []).append(message)
    found = [by_key.get(key, []) for key in rows["escalation_key"]]
    rows["channel"] = _texts(", ".join(sorted({m["channel"] for m in own})) for own in found)
    rows["result"] = _texts(_result(own) for own in found)
    rows["delivered_at"] = instants(
        [min((m["delivered_at"] for m in own if m["delivered_at"]), default=None) for own in found]
    )
    return rows.sort_values(
        ["decided_at", "escalation_key"], ascending=[False, True], kind="stable"
    ).reset_index(drop=True)


def _result(messages: list[dict[str, Any]]) -> str:
    """The states of the messages, each once, with the reason of those that did not arrive."""
    words = [
        f"{m['state']}: {m['outcome']}" if m["outcome"] and not m["delivered_at"] else m["state"]
        for m in messages
    ]
    return ", ".join(dict.fromkeys(words))


def _texts(values: Iterable[str]) -> "pd.Series[Any]":
    return pd.Series([value or None for value in values], dtype=object)
