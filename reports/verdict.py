"""The report in a few sentences, made from its figures.

Belongs here: wording. Does not belong here: figures. Every number in a sentence stands in a cell as well.
"""

from reports.figure import SMALL_N, Figure
from reports.figures import ReportFigures
from reports.records import records
from reports.sla import metric_name

SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 3_600


def sentences(report: ReportFigures) -> list[str]:
    """Three sentences on promises, their weakest spot and the work; more where something needs a warning."""
    found = [_compliance(report), _parts(report), _work(report)]
    if not report.is_complete:
        found.append(
            f"The period is not over: it ends {report.period.ends_at_text()} "
            f"({report.period.time_zone}), the figures are those so far."
        )
    failed = [check.name for check in report.reconciliation.checks if not check.is_ok]
    if failed:
        found.append(
            f"{_cases(len(failed), 'check does', 'checks do')} not agree, see the sheet Reconciliation "
            f"before you use these figures: {failed[0]}."
        )
    return found


def share_text(value: float | None) -> str:
    """`83.5%`."""
    return "–" if value is None else f"{value * 100:.1f}%"


def duration_text(seconds: float | None) -> str:
    """`45 s`, `12 min`, `2 h 05 min`, `3 d 4 h`, always calendar-free: a day is 24 hours."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    if whole < SECONDS_PER_MINUTE:
        return f"{whole} s"
    if whole < SECONDS_PER_HOUR:
        return f"{whole // 60} min"
    hours, minutes = whole // 3_600, whole % 3_600 // 60
    return f"{hours:,} h {minutes:02d} min"


def value_text(figure: Figure) -> str:
    """A figure's value in its unit."""
    if figure.unit == "share":
        return share_text(figure.value)
    if figure.unit == "seconds":
        return duration_text(figure.value)
    return "–" if figure.value is None else f"{figure.value:,.0f}"


def change_text(change: float | None, unit: str) -> str:
    """A change against the period before: `+5.0 pts`, `-0:18` (hours:minutes), `+13`."""
    if change is None:
        return "–"
    if unit == "share":
        return f"{change * 100:+.1f} pts"
    if unit == "seconds":
        hours, minutes = divmod(abs(int(change / SECONDS_PER_MINUTE)), 60)
        return f"{'-' if change < 0 else '+'}{hours}:{minutes:02d}"
    return f"{change:+,.0f}"


def _compliance(report: ReportFigures) -> str:
    figure = report.figures["sla_compliance"]
    if figure.value is None:
        return f"In {report.period.label()} no SLA target was decided, so there is no compliance to report."
    text = (
        f"In {report.period.label()}, {figure.numerator:,} of {figure.n:,} decided SLA targets were met "
        f"({share_text(figure.value)})"
    )
    if figure.goal is not None:
        points = (figure.value - figure.goal) * 100
        where = "above" if points >= 0 else "under"
        text += f", {abs(points):.1f} points {where} the goal of {figure.goal * 100:.0f}%"
    before = report.before["sla_compliance"]
    if before.value is not None:
        points = (figure.value - before.value) * 100
        if abs(points) < 0.05:
            return f"{text}; that is the same as in {report.period.previous().label()}."
        better = "better" if points > 0 else "worse"
        text += f"; {abs(points):.1f} points {better} than {report.period.previous().label()}"
    return f"{text}."


def _parts(report: ReportFigures) -> str:
    reply = report.figures["sla_compliance_first_reply"]
    solve = report.figures["sla_compliance_resolution"]
    text = (
        f"First reply in time: {share_text(reply.value)} of {reply.n:,}; "
        f"resolution in time: {share_text(solve.value)} of {solve.n:,}"
    )
    rows = [
        row
        for row in records(report.matrix)
        if row["priority"] != "all" and row["n"] >= SMALL_N and row["breached"]
    ]
    if not rows:
        return f"{text}."
    weakest = min(rows, key=lambda row: (row["met"] / row["n"], -row["n"], row["metric"]))
    share, whole = weakest["met"] / weakest["n"], report.figures["sla_compliance"].value
    if whole is not None and share >= whole:
        # What drags the figure down has too few cases to be named; naming the next best would mislead.
        return f"{text}. No priority with {SMALL_N} cases or more lies under the whole."
    return (
        f"{text}. The weakest spot is {metric_name(weakest['metric']).lower()} for priority "
        f"{weakest['priority']}: {share_text(share)} of {weakest['n']:,}."
    )


def _work(report: ReportFigures) -> str:
    left = report.backlog
    created = int(report.figures["created"].value or 0)
    solved = int(report.figures["solved"].value or 0)
    trend = (
        "unchanged from"
        if left.end == left.start
        else "up from"
        if left.end > left.start
        else "down from"
    )
    risky = _cases(len(report.at_risk), "open target has", "open targets have")
    when = "" if not report.is_complete else "today "
    came = _cases(created, "ticket", "tickets")
    return (
        f"{came[0].upper()}{came[1:]} came in and "
        f"{_cases(solved, 'was', 'were') if solved else 'none were'} solved; "
        f"{left.end:,} are open at the end, {trend} {left.start:,}, "
        f"and {when}{risky} used 80% of the time allowed."
    )


def _cases(number: int, one: str, many: str) -> str:
    if number == 1:
        return f"1 {one}"
    return f"{number:,} {many}" if number else f"no {many}"
