"""All figures of one report, computed once: pure functions over frames, no I/O and no clock.

Belongs here: which figures a report has, and the comparison with the period before. Does not belong here: a
formula (each lies in the module of its subject) or how anything is shown (`workbook.py`, `scoreboard.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from connectors.warehouse.report_queries import ReportRows
from reports.backlog import BACKLOG, Backlog, backlog
from reports.basis import Basis, prepare
from reports.contact import Contact, contact
from reports.durations import acknowledgement_figures, resolution_figures, response_figures
from reports.escalations import Escalations, escalations
from reports.figure import Figure, count
from reports.period import Period
from reports.reconciliation import Reconciliation, reconciliation
from reports.satisfaction import Satisfaction, satisfaction
from reports.sla import (
    SlaCounts,
    at_risk,
    breaches,
    compliance_figures,
    priority_matrix,
    sla_counts,
    weekly_trend,
)
from reports.source_verdict import SourceVerdicts, source_verdicts
from reports.volume import volume_by_source, volume_figures

KPI_KEYS = (
    "sla_compliance",
    "sla_compliance_first_reply",
    "sla_compliance_resolution",
    "ticket_compliance",
    "first_response_calendar_median",
    "first_response_business_median",
    "first_resolution_calendar_median",
    "resolution_business_median",
    "first_contact",
    "reopen_rate",
    "csat",
    "escalation_rate",
    "created",
    "solved",
    "backlog",
)
"""The headline figures in the order in which summary and scoreboard show them."""


@dataclass(frozen=True, slots=True)
class Goals:
    """What was promised, as shares 0–1; None shows the figure without a verdict."""

    compliance: float | None = 0.90
    first_contact: float | None = None
    reopen_rate: float | None = None
    csat: float | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure with the same figure of the period before."""

    figure: Figure
    before: Figure

    @property
    def change(self) -> float | None:
        """Value minus the value before, in the figure's unit; None where either is missing."""
        if self.figure.value is None or self.before.value is None:
            return None
        return self.figure.value - self.before.value


@dataclass(frozen=True, slots=True)
class ReportFigures:
    """Everything a report shows of one client and one period."""

    client_key: str
    period: Period
    as_of: datetime
    goals: Goals
    figures: dict[str, Figure]
    before: dict[str, Figure]
    clocks: SlaCounts
    matrix: pd.DataFrame
    weekly: pd.DataFrame
    breaches: pd.DataFrame
    at_risk: pd.DataFrame
    escalations: Escalations
    backlog: Backlog
    contact: Contact
    satisfaction: Satisfaction
    volume: pd.DataFrame
    reconciliation: Reconciliation
    source_verdicts: SourceVerdicts
    policies: pd.DataFrame
    calendars: tuple[str, ...]

    def headlines(self) -> Iterator[Headline]:
        """The figures of `KPI_KEYS` that exist, in order."""
        for key in KPI_KEYS:
            if key in self.figures:
                yield Headline(self.figures[key], self.before[key])

    @property
    def is_complete(self) -> bool:
        """Whether the data reach to the end of the period."""
        return self.as_of >= self.period.end


def compute(
    rows: ReportRows, period: Period, as_of: datetime, goals: Goals | None = None
) -> ReportFigures:
    """All figures of a period as they stood at `as_of`.

    Args:
        rows: all frames of one client.
        period: what the report is about.
        as_of: aware instant up to which the data are to be taken; where it lies before the period's end the
            figures are those of the period so far.
        goals: what was promised.

    Raises:
        ValueError: `as_of` is naive or not after the start of the period.
    """
    goals = goals or Goals()
    basis = prepare(rows, as_of)
    if basis.as_of <= period.start:
        raise ValueError(
            f"the report on {period.label()} of client {rows.client_key} begins "
            f"{period.starts_at_text()} ({period.time_zone}), after the instant of its data, "
            f"{basis.as_of.isoformat()}; take an earlier period"
        )
    left = backlog(basis, period)
    reached = contact(basis, period, goals.first_contact, goals.reopen_rate)
    rated = satisfaction(basis, period, goals.csat)
    steps = escalations(basis, period)
    figures = _figures(basis, period, goals, left, reached, rated, steps)
    counts = sla_counts(basis, period)
    matrix = priority_matrix(basis, period)
    broken = breaches(basis, period)
    volume = volume_by_source(basis, period)
    used = basis.counted_clocks
    return ReportFigures(
        client_key=rows.client_key,
        period=period,
        as_of=basis.as_of.to_pydatetime(),
        goals=goals,
        figures=figures,
        before=_figures_before(basis, period.previous(), goals),
        clocks=counts,
        matrix=matrix,
        weekly=weekly_trend(basis, min(pd.Timestamp(period.end), basis.as_of), period.time_zone),
        breaches=broken,
        at_risk=at_risk(basis),
        escalations=steps,
        backlog=left,
        contact=reached,
        satisfaction=rated,
        volume=volume,
        reconciliation=reconciliation(
            basis,
            period,
            clocks=counts,
            matrix=matrix,
            listed_breaches=len(broken),
            left=left,
            volume=volume,
            created=int(figures["created"].value or 0),
        ),
        source_verdicts=source_verdicts(basis, period),
        policies=_policies_used(rows, used),
        calendars=tuple(sorted(used["calendar"].unique())),
    )


def _figures_before(basis: Basis, period: Period, goals: Goals) -> dict[str, Figure]:
    return _figures(
        basis,
        period,
        goals,
        backlog(basis, period),
        contact(basis, period, goals.first_contact, goals.reopen_rate),
        satisfaction(basis, period, goals.csat),
        escalations(basis, period),
    )


def _figures(
    basis: Basis,
    period: Period,
    goals: Goals,
    left: Backlog,
    reached: Contact,
    rated: Satisfaction,
    steps: Escalations,
) -> dict[str, Figure]:
    all_figures = [
        *compliance_figures(basis, period, goals.compliance),
        *response_figures(basis, period),
        *acknowledgement_figures(basis, period),
        *resolution_figures(basis, period),
        reached.first_contact,
        reached.reopen_rate,
        reached.resolved_again_without_reply,
        rated.csat,
        rated.response_rate,
        steps.rate,
        *volume_figures(basis, period),
        count("backlog", "Backlog at the end", left.end, BACKLOG),
    ]
    return {figure.key: figure for figure in all_figures}


def _policies_used(rows: ReportRows, clocks: pd.DataFrame) -> pd.DataFrame:
    """Policy, version, clock instances judged by it, and since when it is loaded (NaT where not stored)."""
    used = (
        clocks.groupby(["policy", "policy_version"])
        .size()
        .rename("instances")
        .reset_index()
        .rename(columns={"policy_version": "version"})
    )
    return used.merge(rows.policies, on=["policy", "version"], how="left")
