"""Tickets created, by source and channel.

Belongs here: this sheet's layout. Does not belong here: the counting (`reports/volume.py`).
"""

from reports.columns import count, foreign, share
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import Column, SheetWriter

TITLE = "Volume by source"
WIDTHS = (22, 20, 14, 14, 18, 14, 26)
NOTE = (
    "Tickets created in the period, the largest stream first; copies, deleted tickets and spam are left out. "
    "Solved by now: how many of them were solved at the instant of the data."
)


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    rows = list(records(report.volume))
    total = sum(row["created"] for row in rows)
    if rows:
        names = ("created", "created_before", "ended")
        rows.append(
            {"source_key": "All", "channel": ""}
            | {name: sum(r[name] for r in rows) for name in names}
        )
    columns = [
        foreign("Source", "source_key"),
        foreign("Channel", "channel"),
        count("Created", "created"),
        share("Share", "created", lambda r: total, small_n=0),
        count(report.period.previous().label(), "created_before"),
        Column(
            "Change",
            "count_change",
            lambda cells, r, tone: cells.number(
                r["created"] - r["created_before"], "count_change", tone
            ),
        ),
        share("Solved by now", "ended", "created", small_n=0),
    ]
    writer.table(
        columns,
        rows,
        tone=lambda r: "total" if r["source_key"] == "All" and not r["channel"] else "plain",
        empty="No ticket was created in this period.",
    )
