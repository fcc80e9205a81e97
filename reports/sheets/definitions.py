"""What every figure means, what it leaves out, and by which policies and calendars.

Belongs here: this sheet's layout. Does not belong here: the definitions themselves; each stands beside its
formula.
"""

from reports.columns import count, foreign, instant, own
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import Column, SheetWriter
from reports.sheets.summary import value_cell

TITLE = "Definitions"
WIDTHS = (52, 16, 12, 96, 44)
NOTE = (
    "Shares are always one sum over another sum, never an average of shares. Medians and 90th percentiles are "
    "interpolated between neighbours and rounded down to whole seconds."
)


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    writer.section("Period and data")
    facts = [
        (
            "Period",
            f"from {report.period.starts_at_text()} up to, not including, {report.period.ends_at_text()}",
        ),
        ("Time zone of all dates and times", report.period.time_zone),
        (
            "An event counts",
            "in the period in which it happened (a reply, a solution, a decided target)",
        ),
        (
            "Left out everywhere",
            "duplicates, merged tickets, copies made by a migration, deleted tickets, spam (counts: Reconciliation)",
        ),
        ("At risk", "an open clock that has used 80% of its target"),
        ("Calendars in use", ", ".join(report.calendars) or "none"),
        ("Goal of compliance", _goal(report.goals.compliance)),
    ]
    for name, text in facts:
        writer.append([writer.cells.own(name), writer.cells.own(text, "remark")])
    writer.skip()
    writer.section("Policies that judged the clocks")
    writer.table(
        [
            foreign("Policy", "policy"),
            foreign("Version", "version"),
            count("Clocks", "instances"),
            instant("In the warehouse since", "loaded_at"),
        ],
        records(report.policies),
        empty="No clock has run.",
    )
    writer.skip()
    writer.section("Figures")
    writer.table(
        [
            own("Figure", lambda r: r["figure"].title),
            Column("Value", "share", lambda cells, r, tone: value_cell(cells, r["figure"])),
            count("Cases (n)", lambda r: r["figure"].n),
            own("Definition", lambda r: r["figure"].definition, "wrapped"),
            own("Left out", lambda r: _left_out(r["figure"].excluded), "wrapped"),
        ],
        ({"figure": figure} for figure in report.figures.values()),
    )


def _left_out(excluded: dict[str, int]) -> str:
    return "; ".join(f"{name}: {cases:,}" for name, cases in excluded.items() if cases)


def _goal(goal: float | None) -> str:
    return "none" if goal is None else f"{goal * 100:.1f}%; amber down to 5 points under it"
