"""Compliance by metric and priority.

Belongs here: this sheet's layout. Does not belong here: the figures (`sla.py`).
"""

from reports.columns import count, duration, own, share
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import SheetWriter
from reports.sla import metric_name

TITLE = "Priority × metric"
WIDTHS = (20, 14, 14, 10, 10, 11, 14, 16, 16, 26)
NOTE = (
    "Targets decided in the period. Median and 90th percentile: the clock's own time (by its calendar, pauses "
    "left out) over the targets whose clock has stopped. Times are hours:minutes. Grey: fewer than 10 cases."
)


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    columns = [
        own("Metric", lambda r: metric_name(r["metric"])),
        own("Priority", "priority"),
        share("In time", "met", "n", report.goals.compliance),
        count("Decided (n)", "n"),
        count("Met", "met"),
        count("Breached", "breached"),
        duration("Median", "median_seconds"),
        duration("90th percentile", "p90_seconds"),
        duration("Worst overdue", "worst_overdue_seconds"),
        own("Calendar", "calendars"),
    ]
    writer.table(
        columns,
        records(report.matrix),
        tone=lambda r: "total" if r["priority"] == "all" else "plain",
        empty="No target was decided in this period.",
    )
