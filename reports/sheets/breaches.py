"""Every broken promise of the period, with its evidence.

Belongs here: this sheet's layout. Does not belong here: what counts as a breach (`basis.py`, `sla.py`).
"""

from collections.abc import Mapping

from reports.columns import customer, duration, foreign, instant, own, ticket
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import HEADER_ROW, SheetWriter
from reports.sla import metric_name

TITLE = "Breaches"
WIDTHS = (13, 26, 44, 10, 16, 17, 17, 11, 11, 20, 17, 24)
FREEZE = f"B{HEADER_ROW + 1}"
NOTE = (
    "Targets that ran out in the period, the latest first. Overdue and paused are hours:minutes of the clock's "
    "own time. Owner: the assignee when the target ran out. Evidence: policy and version that judged it."
)


def write(writer: SheetWriter, report: ReportFigures) -> Mapping[tuple[str, str], str]:
    """Writes the sheet; gives (ticket_key, metric) → cell, the latest breach where there are several."""
    columns = [
        ticket(),
        customer(),
        foreign("Subject", "subject"),
        own("Priority", lambda r: r["priority"] or "none"),
        own("Metric", lambda r: numbered_metric(r["metric"], r["instance"])),
        instant("Ran out", "decided_at"),
        instant("Met at", "met_at"),
        duration("Overdue", "overdue_seconds"),
        duration("Paused", "paused_seconds"),
        foreign("Owner then", "owner"),
        foreign("Calendar", "calendar"),
        foreign("Evidence", lambda r: f"{r['policy']} {r['policy_version']}"),
    ]
    rows = list(records(report.breaches))
    first, _ = writer.table(
        columns, rows, is_filtered=True, empty="No target was broken in this period."
    )
    cells: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows, first):
        cells.setdefault((row["ticket_key"], row["metric"]), f"{TITLE}!A{number}")
    return cells


def numbered_metric(metric: str, instance: int) -> str:
    """`Next reply 3`: later instances carry their number."""
    return metric_name(metric) if instance <= 1 else f"{metric_name(metric)} {int(instance)}"
