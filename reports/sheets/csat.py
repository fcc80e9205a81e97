"""What customers said.

Belongs here: this sheet's layout. Does not belong here: the figures (`satisfaction.py`).
"""

from reports.charts import Block, Line, column_chart
from reports.columns import count, customer, foreign, instant, own, share, ticket
from reports.figure import Figure
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import Column, Record, SheetWriter
from reports.sheets.summary import status_cell, value_cell
from reports.styles import BLUE, Tone
from reports.verdict import share_text

TITLE = "CSAT"
WIDTHS = (34, 12, 18, 22, 28, 44, 56)
NOTE = (
    "The last rating of each ticket, by the day it was given. Satisfied: 4 or 5 of 5. The interval says where "
    "the share of all customers lies with 95% confidence (Wilson); with few answers it is wide."
)

UNHAPPY = 2
"""Scores up to this one are marked."""


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    said = report.satisfaction
    writer.section("Figures")
    writer.table(
        [
            own("Figure", lambda r: r["figure"].title),
            Column("Value", "share", lambda cells, r, tone: value_cell(cells, r["figure"])),
            Column("Status", "status", lambda cells, r, tone: status_cell(cells, r["figure"])),
            own("Cases and interval", lambda r: _cases(r["figure"]), "remark"),
        ],
        ({"figure": figure} for figure in (said.csat, said.response_rate)),
    )
    writer.skip()
    writer.section("Distribution")
    total = sum(said.distribution.values())
    first, last = writer.table(
        [
            own("Score", lambda r: f"{r['score']} of 5"),
            count("Ratings", "ratings"),
            share("Share", "ratings", lambda r: total, small_n=0),
        ],
        ({"score": score, "ratings": n} for score, n in said.distribution.items()),
    )
    if total:
        chart = column_chart(
            "Ratings by score",
            Block(writer.sheet, first, last),
            [Line(2, "Ratings", BLUE)],
            width_cm=14,
            height_cm=6.2,
        )
        writer.sheet.add_chart(chart, f"E{first - 2}")
    writer.skip(6)
    writer.section(f"Rated tickets ({len(said.rated):,}), the worst first")
    writer.table(
        [
            ticket(),
            Column(
                "Score", "count", lambda cells, r, tone: cells.number(r["score"], tone=_tone(r))
            ),
            instant("Rated", "rated_at"),
            foreign("Owner now", "assignee_name"),
            customer(),
            foreign("Subject", "subject"),
            foreign("Comment", "comment", "wrapped"),
        ],
        records(said.rated),
        empty="No rating was given in this period.",
    )


def _tone(rated: Record) -> Tone:
    return "bad" if rated["score"] <= UNHAPPY else "plain"


def _cases(figure: Figure) -> str:
    text = f"{figure.numerator or 0:,} of {figure.n:,}"
    if figure.interval is None:
        return text
    low, high = figure.interval
    return f"{text}; 95% interval {share_text(low)} to {share_text(high)}"
