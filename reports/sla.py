"""SLA compliance: per metric, per ticket, per priority, per week, and the instances behind it.

Belongs here: everything that is counted from decided clock instances, and the open ones at risk. Does not
belong here: durations of conversations (`durations.py`) and how clocks run (`sla_rules`).

An instance is *decided* when it stopped in time (at that instant), else when its target ran out. It belongs
to the period that holds this instant. Shares are sums over sums, never averages of shares.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.basis import AT_RISK_SHARE, SLA_METRICS, Basis
from reports.figure import Figure, quantile_of, share
from reports.history import value_at
from reports.period import Period, complete_weeks, week_name
from transforms.model import PRIORITIES

COMPLIANCE = (
    "met / (met + breached) over the clock instances decided in the period. Decided: when stopped in time, "
    "else when the target ran out; open past due is breached. Left out: running and paused before due (see "
    "At risk), cancelled, without a target or a "
    "figure only (acknowledgement)."
)
TICKET_COMPLIANCE = "tickets whose instances decided in the period were all met / tickets with at least one decided instance."
HEADLINE_METRICS = ("first_reply", "resolution")
"""The promises that the standard matrix makes (response and resolution)."""

NO_PRIORITY = "none"
"""How the matrix calls instances of tickets without a priority."""


@dataclass(frozen=True, slots=True)
class SlaCounts:
    """How many instances of tickets that count stand where, for one period."""

    decided: int
    met: int
    breached: int
    decided_before: int
    decided_later: int
    open: int
    cancelled: int
    no_target: int
    of_excluded_tickets: int

    @property
    def total(self) -> int:
        """All clock instances that had started."""
        return (
            self.decided
            + self.decided_before
            + self.decided_later
            + self.open
            + self.cancelled
            + self.no_target
            + self.of_excluded_tickets
        )


def decided_in(basis: Basis, period: Period) -> pd.DataFrame:
    """The decided instances of the period, of tickets that count."""
    clocks = basis.counted_clocks
    at = clocks["decided_at"]
    return clocks[(at >= period.start) & (at < period.end)]


def sla_counts(basis: Basis, period: Period) -> SlaCounts:
    """Where every clock instance went, so that the sum can be checked."""
    clocks = basis.counted_clocks
    decided = decided_in(basis, period)
    outcome, at = clocks["outcome"], clocks["decided_at"]
    is_decided = outcome.isin(["met", "breached"])
    return SlaCounts(
        decided=len(decided),
        met=int((decided["outcome"] == "met").sum()),
        breached=int((decided["outcome"] == "breached").sum()),
        decided_before=int((is_decided & (at < period.start)).sum()),
        decided_later=int((is_decided & ~(at < period.end)).sum()),
        open=int((outcome == "open").sum()),
        cancelled=int((outcome == "cancelled").sum()),
        no_target=int((outcome == "no target").sum()),
        of_excluded_tickets=int((~basis.clocks["is_counted"]).sum()),
    )


def compliance_figures(basis: Basis, period: Period, goal: float | None) -> list[Figure]:
    """All promises together, each metric that has instances, and tickets with every promise kept."""
    decided = decided_in(basis, period)
    counts = sla_counts(basis, period)
    left_out = {
        "running or paused before due": counts.open,
        "cancelled": counts.cancelled,
        "without a target": counts.no_target,
        "of tickets that are left out": counts.of_excluded_tickets,
    }
    figures = [
        share(
            "sla_compliance",
            "SLA compliance, all targets",
            int((decided["outcome"] == "met").sum()),
            len(decided),
            COMPLIANCE,
            excluded=left_out,
            goal=goal,
        )
    ]
    present = set(decided["metric"]) | set(HEADLINE_METRICS)
    for metric in sorted(present, key=_metric_rank):
        own = decided[decided["metric"] == metric]
        figures.append(
            share(
                f"sla_compliance_{metric}",
                f"SLA compliance, {metric_name(metric).lower()}",
                int((own["outcome"] == "met").sum()),
                len(own),
                COMPLIANCE,
                goal=goal,
            )
        )
    is_met = (decided["outcome"] == "met").groupby(decided["ticket_key"]).all()
    figures.append(
        share(
            "ticket_compliance",
            "Tickets with every target met",
            int(is_met.sum()),
            len(is_met),
            TICKET_COMPLIANCE,
            goal=goal,
        )
    )
    return figures


def priority_matrix(basis: Basis, period: Period) -> pd.DataFrame:
    """One row a metric and priority, and one `all` a metric that sums them.

    Columns: metric, priority, calendars, n, met, breached, stopped, median_seconds, p90_seconds,
    worst_overdue_seconds. Median and p90 are the clock's own time over the stopped instances.
    """
    decided = decided_in(basis, period)
    decided = decided.assign(priority=decided["priority"].fillna(NO_PRIORITY))
    rows: list[dict[str, Any]] = []
    for metric in sorted(decided["metric"].unique(), key=_metric_rank):
        own = decided[decided["metric"] == metric]
        present = set(own["priority"])
        order = [p for p in PRIORITIES if p in present]
        order += sorted(present.difference(PRIORITIES))
        rows += [_matrix_row(metric, p, own[own["priority"] == p]) for p in order]
        rows.append(_matrix_row(metric, "all", own))
    columns = [
        "metric",
        "priority",
        "calendars",
        "n",
        "met",
        "breached",
        "stopped",
        "median_seconds",
        "p90_seconds",
        "worst_overdue_seconds",
    ]
    return pd.DataFrame(rows, columns=columns)


def _matrix_row(metric: str, priority: str, own: pd.DataFrame) -> dict[str, Any]:
    stopped = own.loc[own["met_at"].notna(), "elapsed_seconds"].to_numpy(dtype=float)
    worst = own["overdue_seconds"].max()
    return {
        "metric": metric,
        "priority": priority,
        "calendars": ", ".join(sorted(own["calendar"].unique())),
        "n": len(own),
        "met": int((own["outcome"] == "met").sum()),
        "breached": int((own["outcome"] == "breached").sum()),
        "stopped": len(stopped),
        "median_seconds": quantile_of(stopped, 0.5),
        "p90_seconds": quantile_of(stopped, 0.9),
        "worst_overdue_seconds": None if pd.isna(worst) else float(worst),
    }


def weekly_trend(basis: Basis, before: pd.Timestamp, time_zone: str) -> pd.DataFrame:
    """The last 12 complete ISO weeks: for all targets and each headline metric met and n, created and solved.

    Columns: week (`2026-W42`), starts_on, all_met, all_n, first_reply_met, first_reply_n, resolution_met,
    resolution_n, created, solved.
    """
    clocks = basis.counted_clocks
    counted = basis.counted
    keys = set(counted["ticket_key"])
    solved = basis.moves[(basis.moves["kind"] == "solved") & basis.moves["ticket_key"].isin(keys)]
    rows: list[dict[str, Any]] = []
    for week in complete_weeks(before.to_pydatetime(), time_zone):
        inside = clocks[(clocks["decided_at"] >= week.start) & (clocks["decided_at"] < week.end)]
        row: dict[str, Any] = {"week": week_name(week.first_day), "starts_on": week.first_day}
        groups = {"all": inside}
        groups |= {metric: inside[inside["metric"] == metric] for metric in HEADLINE_METRICS}
        for name, own in groups.items():
            row[f"{name}_met"] = int((own["outcome"] == "met").sum())
            row[f"{name}_n"] = len(own)
        row["created"] = _between(counted["created_at"], week)
        row["solved"] = _between(solved["from_at"], week)
        rows.append(row)
    return pd.DataFrame(rows)


def breaches(basis: Basis, period: Period) -> pd.DataFrame:
    """Every breached instance of the period, the latest first, with the ticket and who owned it then."""
    own = decided_in(basis, period)
    return _with_tickets(basis, own[own["outcome"] == "breached"], ["decided_at"], [False])


def at_risk(basis: Basis) -> pd.DataFrame:
    """Every open instance that has used 80 % of its target, the next to break first."""
    own = basis.counted_clocks
    used = own["is_at_risk"] | (own["used_share"] >= AT_RISK_SHARE)
    return _with_tickets(basis, own[(own["outcome"] == "open") & used], ["due_at"], [True])


def _with_tickets(
    basis: Basis, clocks: pd.DataFrame, by: list[str], ascending: list[bool]
) -> pd.DataFrame:
    names = [
        "ticket_key",
        "number",
        "url",
        "subject",
        "organisation_name",
        "requester_name",
        "source_key",
        "assignee_key",
        "team_name",
    ]
    rows = clocks.merge(basis.tickets[names], on="ticket_key", how="left", validate="many_to_one")
    rows = rows.sort_values(
        [*by, "ticket_key", "metric", "instance"],
        ascending=[*ascending, True, True, True],
        kind="stable",
        na_position="last",
    ).reset_index(drop=True)
    rows["owner"] = owners_at(basis, rows["ticket_key"], rows["decided_at"])
    return rows


def owners_at(basis: Basis, keys: "pd.Series[Any]", at: "pd.Series[Any]") -> "pd.Series[Any]":
    """The name of the assignee at each instant; where the instant is missing, the present one."""
    present = basis.tickets.set_index("ticket_key")["assignee_key"]
    wanted = pd.DataFrame({"ticket_key": keys, "at": at.fillna(basis.as_of)})
    owner = value_at(basis.rows.changes, "assignee", wanted, present)
    names = dict(zip(basis.rows.agents["agent_key"], basis.rows.agents["name"], strict=True))
    return owner.map(lambda key: names.get(key) or key).astype(object)


def metric_name(metric: str) -> str:
    """A metric's name for people."""
    return SLA_METRICS.get(metric, metric.replace("_", " ").capitalize())


def _metric_rank(metric: str) -> tuple[int, str]:
    order = list(SLA_METRICS)
    return (order.index(metric) if metric in SLA_METRICS else len(order), metric)


def _between(instants: "pd.Series[Any]", period: Period) -> int:
    return int(((instants >= period.start) & (instants < period.end)).sum())
