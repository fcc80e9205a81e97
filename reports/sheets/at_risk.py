"""Open promises that have used 80% of their time.

Belongs here: this sheet's layout. Does not belong here: the threshold (`basis.py`).
"""

from collections.abc import Mapping

from reports.columns import customer, duration, foreign, instant, own, share, ticket
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import HEADER_ROW, SheetWriter
from reports.sheets.breaches import numbered_metric

TITLE = "At risk"
WIDTHS = (13, 26, 44, 10, 16, 11, 17, 11, 11, 20, 24)
FREEZE = f"B{HEADER_ROW + 1}"
NOTE = (
    "Targets still open at the instant of the data that have used 80% of their time, the next to break first. "
    "They are counted in no compliance figure yet. Times used and allowed are hours:minutes of the clock's own time."
)


def write(writer: SheetWriter, report: ReportFigures) -> Mapping[tuple[str, str], str]:
    """Writes the sheet; gives (ticket_key, metric) → cell."""
    columns = [
        ticket(),
        customer(),
        foreign("Subject", "subject"),
        own("Priority", lambda r: r["priority"] or "none"),
        own("Metric", lambda r: numbered_metric(r["metric"], r["instance"])),
        own("Clock", "state"),
        instant("Due", "due_at"),
        duration("Used", "elapsed_seconds"),
        share("Used share", "elapsed_seconds", "target_seconds"),
        foreign("Owner", "owner"),
        foreign("Evidence", lambda r: f"{r['policy']} {r['policy_version']}"),
    ]
    rows = list(records(report.at_risk))
    first, _ = writer.table(columns, rows, is_filtered=True, empty="No open target is at risk.")
    cells: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows, first):
        cells.setdefault((row["ticket_key"], row["metric"]), f"'{TITLE}'!A{number}")
    return cells
