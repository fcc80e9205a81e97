"""Twelve complete ISO weeks: compliance with its cases, tickets created and solved, and a chart.

Belongs here: this sheet's layout and where its columns lie (charts of other sheets read them). Does not
belong here: what a complete week is (`period.py`).
"""

import math

from reports.charts import Block, Line, column_chart, line_chart
from reports.columns import count, day, own, share
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import Column, SheetWriter
from reports.styles import BLUE, GREY, NAVY, ORANGE, TEAL

TITLE = "Weekly trend"
WIDTHS = (13, 13, 13, 9, 13, 9, 13, 9, 9, 11, 11)
NOTE = (
    "The last 12 ISO weeks (Monday to Sunday in the report's time zone) that were over at the end of the data; "
    "a running week is left out. A week's share is its met targets over its decided targets."
)
ALL, FIRST_REPLY, RESOLUTION, GOAL, CREATED, SOLVED = 3, 5, 7, 9, 10, 11
"""The numbers of the columns that charts read."""


def write(writer: SheetWriter, report: ReportFigures) -> Block:
    """Writes the sheet and says where its data lie."""
    goal = report.goals.compliance
    columns = [
        own("Week", lambda r: r["week"].partition("-")[2]),
        day("Begins", "starts_on"),
        share("All targets", "all_met", "all_n", goal),
        count("n", "all_n"),
        share("First reply", "first_reply_met", "first_reply_n", goal),
        count("n", "first_reply_n"),
        share("Resolution", "resolution_met", "resolution_n", goal),
        count("n", "resolution_n"),
        Column("Goal", "share", lambda cells, r, tone: cells.number(goal, "share", tone)),
        count("Created", "created"),
        count("Solved", "solved"),
    ]
    first, last = writer.table(columns, records(report.weekly))
    block = Block(writer.sheet, first, last)
    writer.skip()
    row = writer.next_row
    lines = [
        Line(ALL, "All targets", NAVY),
        Line(FIRST_REPLY, "First reply", TEAL),
        Line(RESOLUTION, "Resolution", ORANGE),
    ]
    if goal is not None:
        lines.append(Line(GOAL, "Goal", GREY, is_goal=True))
    writer.sheet.add_chart(
        line_chart(
            "SLA compliance per week",
            block,
            lines,
            lowest=lowest_share(report),
            width_cm=25,
            height_cm=8,
        ),
        f"A{row}",
    )
    writer.sheet.add_chart(
        column_chart(
            "Tickets created and solved per week",
            block,
            [Line(CREATED, "Created", BLUE), Line(SOLVED, "Solved", GREY)],
            width_cm=25,
            height_cm=7,
        ),
        f"A{row + 17}",
    )
    return block


def lowest_share(report: ReportFigures) -> float:
    """Where a chart's axis begins: the full ten points under the lowest share shown, at most 80 %."""
    shares: list[float] = [
        row[f"{name}_met"] / row[f"{name}_n"]
        for row in records(report.weekly)
        for name in ("all", "first_reply", "resolution")
        if row[f"{name}_n"]
    ]
    if not shares:
        return 0.0
    return min(0.8, max(0.0, math.floor(min(shares) * 10 - 0.2) / 10))
