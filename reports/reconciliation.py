"""Whether the report's sums agree with the warehouse and with what came from the sources.

Belongs here: checks that are two counts and a verdict, and the list of what was left out. Does not belong
here: a figure that stands elsewhere in the report; it is only compared here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from reports.backlog import Backlog
from reports.basis import EXCLUSIONS, Basis
from reports.period import Period
from reports.records import records
from reports.sla import SlaCounts

TICKET_STREAMS = ("tickets",)
"""Streams in which one record is one ticket, so that the counts can be compared."""


@dataclass(frozen=True, slots=True)
class Check:
    """Two numbers that must agree, or a range in which the second must lie."""

    name: str
    expected: int
    found: int
    explanation: str
    expected_most: int | None = None

    @property
    def is_ok(self) -> bool:
        """Whether they agree."""
        most = self.expected if self.expected_most is None else self.expected_most
        return self.expected <= self.found <= most


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All checks, the tickets that were left out by reason, and the counts by source and stream.

    `excluded`: reason → (in all, created in the period). `sources`: source_key, tickets, comments.
    `streams`: source_key, stream, records, quarantined, fetched_at.
    """

    checks: tuple[Check, ...]
    excluded: Mapping[str, tuple[int, int]]
    sources: pd.DataFrame
    streams: pd.DataFrame
    quarantine: pd.DataFrame

    @property
    def is_ok(self) -> bool:
        """Whether every check agrees."""
        return all(check.is_ok for check in self.checks)


def reconciliation(
    basis: Basis,
    period: Period,
    *,
    clocks: SlaCounts,
    matrix: pd.DataFrame,
    listed_breaches: int,
    left: Backlog,
    volume: pd.DataFrame,
    created: int,
) -> Reconciliation:
    """Compares figures that were counted in different ways."""
    tickets = basis.tickets
    reasons = tickets["excluded_as"].value_counts()
    in_period = tickets[
        (tickets["created_at"] >= period.start) & (tickets["created_at"] < period.end)
    ]
    period_reasons = in_period["excluded_as"].value_counts()
    totals = matrix[matrix["priority"] == "all"]
    parts = matrix[matrix["priority"] != "all"]
    later = len(basis.rows.tickets) - len(tickets)
    gone = int(in_period["excluded_as"].isin(["merged", "deleted", "spam"]).sum())
    checks = [
        *_source_checks(basis),
        Check(
            "Tickets: warehouse = counted + left out + created after the report",
            len(basis.rows.tickets),
            len(basis.counted) + int(reasons.sum()) + later,
            "every ticket of the warehouse is either counted or left out for one reason",
        ),
        Check(
            "Clocks: warehouse = decided + open + cancelled + without target + of tickets left out",
            len(basis.clocks),
            clocks.total,
            "every clock instance that had started went to one place",
        ),
        Check(
            "SLA: sum over priorities = sum over metrics",
            int(totals["n"].sum()),
            int(parts["n"].sum()),
            "decided instances of the sheet Priority × metric",
        ),
        Check(
            "SLA: sum over metrics = decided instances",
            clocks.decided,
            int(totals["n"].sum()),
            "decided instances of the summary",
        ),
        Check(
            "Breaches: listed = counted",
            clocks.breached,
            listed_breaches,
            "rows of the sheet Breaches",
        ),
        Check(
            "Backlog: start + created + reopened + restored − solved − removed = end",
            left.expected_end,
            left.end,
            "the end is counted from each ticket's status, the moves from its history",
        ),
        Check(
            "Backlog: created = volume + deleted, spam and merged since",
            created + gone,
            left.created,
            "the backlog counts a ticket until it is removed, the volume leaves it out",
        ),
        Check(
            "Volume: sum over sources and channels = tickets created",
            created,
            int(volume["created"].sum()),
            "rows of the sheet Volume",
        ),
    ]
    return Reconciliation(
        checks=tuple(checks),
        excluded={
            reason: (int(reasons.get(reason, 0)), int(period_reasons.get(reason, 0)))
            for reason in EXCLUSIONS
        },
        sources=_sources(basis),
        streams=_streams(basis),
        quarantine=basis.rows.quarantine,
    )


def _source_checks(basis: Basis) -> list[Check]:
    """Per source whose stream holds a record a ticket: raw records = tickets + quarantined.

    A record that only ever came as a tombstone may or may not have become a ticket, hence a range.
    """
    checks = []
    tickets = basis.rows.tickets["source_key"].value_counts()
    broken = basis.rows.quarantine
    for row in records(basis.rows.raw_counts):
        source = row["source_key"]
        if row["stream"] not in TICKET_STREAMS:
            continue
        own = broken[(broken["source_key"] == source) & (broken["stream"] == row["stream"])]
        checks.append(
            Check(
                f"Source {source}: raw records = tickets + quarantined",
                int(row["readable_records"]),
                int(tickets.get(source, 0)) + int(own["records"].sum()),
                "what the source gave, against what the warehouse made of it",
                expected_most=int(row["records"]),
            )
        )
    return checks


def _sources(basis: Basis) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "tickets": basis.rows.tickets.groupby("source_key").size(),
            "counted": basis.counted.groupby("source_key").size(),
            "comments": basis.rows.comments.groupby("source_key").size(),
        }
    )
    return table.fillna(0).astype(int).rename_axis("source_key").reset_index()


def _streams(basis: Basis) -> pd.DataFrame:
    broken = basis.rows.quarantine.groupby(["source_key", "stream"])["records"].sum()
    table = basis.rows.raw_counts.merge(
        broken.rename("quarantined").reset_index(), on=["source_key", "stream"], how="outer"
    )
    for name in ("records", "readable_records", "quarantined"):
        table[name] = table[name].fillna(0).astype(int)
    return table.sort_values(["source_key", "stream"], kind="stable").reset_index(drop=True)
