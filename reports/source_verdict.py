"""The helpdesk's own verdict beside ours, and why they differ.

Belongs here: reading the verdicts that sources give and comparing them. Does not belong here: our verdict
(`basis.py`). Only promises decided in the period are compared; a source that gives no verdict takes no part.
A source gives no history of its verdicts: theirs is the one of the last pull, whatever `as_of`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from reports.basis import Basis
from reports.period import Period
from reports.records import records
from reports.sla import decided_in

WHOLE_TICKET = "all targets"
"""How a verdict on the whole ticket is called."""

SAME_DUE_SECONDS = 60
"""Two due instants closer than this are the same: sources round to the minute."""

_COLUMNS = [
    "ticket_key",
    "number",
    "url",
    "subject",
    "source_key",
    "metric",
    "is_met",
    "source_is_met",
    "due_at",
    "source_due_at",
    "reason",
]


@dataclass(frozen=True, slots=True)
class SourceVerdict:
    """What a source says of one promise; `due_at` where it tells."""

    metric: str
    is_met: bool
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SourceVerdicts:
    """`compared`: source → (compared, equal). `differences`: one row each, with both verdicts and the reason."""

    compared: Mapping[str, tuple[int, int]]
    differences: pd.DataFrame


def read_verdicts(verdict: Mapping[str, Any] | None) -> Iterator[SourceVerdict]:
    """The verdicts in a ticket's `source_verdict`, whatever source it came from; unknown shapes give none.

    Source: Freshdesk API, "Tickets": `fr_escalated` and `is_escalated` are true once the first response, or
    the resolution, is past `fr_due_by`, or `due_by`. Exports carry one word a ticket (`is_sla_met`).
    """
    for flag, due, metric in (
        ("fr_escalated", "fr_due_by", "first_reply"),
        ("is_escalated", "due_by", "resolution"),
    ):
        value = (verdict or {}).get(flag)
        if isinstance(value, bool):
            yield SourceVerdict(metric, not value, _instant((verdict or {}).get(due)))
    value = (verdict or {}).get("is_sla_met")
    if isinstance(value, bool):
        yield SourceVerdict(WHOLE_TICKET, value)


def source_verdicts(basis: Basis, period: Period) -> SourceVerdicts:
    """Compares our verdicts on promises decided in the period with the sources' own."""
    decided = decided_in(basis, period).drop_duplicates(["ticket_key", "metric"], keep="last")
    ours = {(row["ticket_key"], row["metric"]): row for row in records(decided)}
    clocks = basis.counted_clocks
    broken = set(clocks.loc[clocks["outcome"] == "breached", "ticket_key"])
    keys = set(decided["ticket_key"])
    compared: dict[str, tuple[int, int]] = {}
    rows: list[dict[str, Any]] = []
    tickets = basis.tickets[basis.tickets["ticket_key"].isin(keys)]
    for ticket in records(tickets):
        for theirs in read_verdicts(ticket["source_verdict"]):
            key = ticket["ticket_key"]
            own = ours.get((key, theirs.metric))
            if theirs.metric != WHOLE_TICKET and own is None:
                continue
            is_met = key not in broken if own is None else own["outcome"] == "met"
            n, equal = compared.get(ticket["source_key"], (0, 0))
            compared[ticket["source_key"]] = (n + 1, equal + (is_met == theirs.is_met))
            if is_met != theirs.is_met:
                due_at = None if own is None else own["due_at"] or own["decided_at"]
                rows.append(
                    {
                        name: ticket[name]
                        for name in ("ticket_key", "number", "url", "subject", "source_key")
                    }
                    | {
                        "metric": theirs.metric,
                        "is_met": is_met,
                        "source_is_met": theirs.is_met,
                        "due_at": due_at,
                        "source_due_at": theirs.due_at,
                        "reason": _reason(due_at, theirs.due_at),
                    }
                )
    return SourceVerdicts(compared, pd.DataFrame(rows, columns=_COLUMNS, dtype=object))


def _reason(due_at: datetime | None, source_due_at: datetime | None) -> str:
    if due_at is None or source_due_at is None:
        return "the source gives no due instant to compare: its target, calendar and pauses are its own"
    seconds = (source_due_at - due_at).total_seconds()
    if abs(seconds) < SAME_DUE_SECONDS:
        return "same due instant: the source takes another event as start or stop"
    minutes = int(abs(seconds) // 60)
    where = "later" if seconds > 0 else "earlier"
    return (
        f"the source's due instant is {minutes // 60:,} h {minutes % 60:02d} min {where}: "
        "another target, calendar or pause"
    )


def _instant(value: object) -> datetime | None:
    """An ISO 8601 instant of a source; None for anything else, a time without a zone included."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if instant.tzinfo is None else instant.astimezone(UTC)
