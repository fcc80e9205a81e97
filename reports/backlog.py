"""The backlog: what was open, what came, what went, and how old the rest is.

Belongs here: the backlog's identity, its ageing, tickets created and solved. Does not belong here: which
changes make a move (`history.py`).

Start and end are counted from each ticket's status at these instants, the moves between from the moves
themselves; so the identity can fail, and the report says so when it does. Copies (duplicates, merged ones,
migrated ones) never take part; a ticket that was deleted, or marked as spam, counts until then.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.basis import Basis
from reports.history import ENDED, GONE, look_up, value_at
from reports.period import Period
from reports.sla import NO_PRIORITY, owners_at
from transforms.model import PRIORITIES

BACKLOG = (
    "tickets created before the instant and then neither solved, closed, deleted, spam nor merged. "
    "start + created + reopened + restored − solved − removed = end."
)

AGES: tuple[tuple[str, float], ...] = (
    ("under 1 day", 1),
    ("1 to 3 days", 3),
    ("3 to 7 days", 7),
    ("7 to 14 days", 14),
    ("14 to 30 days", 30),
    ("over 30 days", float("inf")),
)
"""Buckets of calendar age, each up to but not including its bound."""

OLDEST_SHOWN = 200
"""How many of the oldest open tickets a report lists."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The identity's terms for one period, and how old what is left is.

    `ageing`: one row a bucket, one column a priority and `all`. `oldest`: the oldest open tickets at the end.
    """

    start: int
    created: int
    reopened: int
    restored: int
    solved: int
    removed: int
    end: int
    without_owner: int
    ageing: pd.DataFrame
    oldest: pd.DataFrame

    @property
    def expected_end(self) -> int:
        """What the identity says the end must be."""
        return (
            self.start + self.created + self.reopened + self.restored - self.solved - self.removed
        )

    @property
    def reconciles(self) -> bool:
        """Whether the counted end is the expected one."""
        return self.end == self.expected_end


def backlog(basis: Basis, period: Period) -> Backlog:
    """The backlog at both ends of a period; the end is `as_of` where the period is not over."""
    end = min(pd.Timestamp(period.end), basis.as_of)
    moves = basis.moves
    inside = moves[(moves["from_at"] >= period.start) & (moves["from_at"] < end)]
    kinds = inside["kind"].value_counts()
    open_keys = open_at(basis, end)
    left = basis.tickets[basis.tickets["ticket_key"].isin(open_keys.index)].copy()
    left["at"] = end
    left["age_days"] = (end - left["created_at"]).dt.total_seconds() / 86_400
    left["status_now"] = look_up(left["ticket_key"], open_keys)
    present = basis.tickets.set_index("ticket_key")["priority"]
    left["priority_now"] = value_at(basis.rows.changes, "priority", left, present).fillna(
        NO_PRIORITY
    )
    left["owner"] = owners_at(basis, left["ticket_key"], left["at"])
    return Backlog(
        start=len(open_at(basis, pd.Timestamp(period.start))),
        created=int(kinds.get("created", 0)),
        reopened=int(kinds.get("reopened", 0)),
        restored=int(kinds.get("restored", 0)),
        solved=int(kinds.get("solved", 0)),
        removed=int(kinds.get("removed", 0)),
        end=len(open_keys),
        without_owner=int(left["owner"].isna().sum()),
        ageing=_ageing(left),
        oldest=left.sort_values(["created_at", "ticket_key"]).head(OLDEST_SHOWN),
    )


def open_at(basis: Basis, instant: pd.Timestamp) -> "pd.Series[str]":
    """Ticket → status, of the tickets that were open just before the instant."""
    before = basis.moves[basis.moves["from_at"] < instant]
    status = before.drop_duplicates("ticket_key", keep="last").set_index("ticket_key")["status"]
    return status[~status.isin(ENDED + GONE)]


def _ageing(left: pd.DataFrame) -> pd.DataFrame:
    bounds = [bound for _, bound in AGES]
    bucket = np.searchsorted(bounds, left["age_days"].to_numpy(dtype=float), side="right")
    present = set(left["priority_now"])
    columns = [p for p in PRIORITIES if p in present] + sorted(present.difference(PRIORITIES))
    rows = []
    for index, (name, _) in enumerate(AGES):
        own = left[bucket == index]
        counts = own["priority_now"].value_counts()
        rows.append(
            {"age": name}
            | {priority: int(counts.get(priority, 0)) for priority in columns}
            | {"all": len(own)}
        )
    return pd.DataFrame(rows, columns=["age", *columns, "all"])
