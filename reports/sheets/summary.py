"""The first sheet: verdict in sentences, headline figures with goal and change, two charts.

Belongs here: this sheet's layout. Does not belong here: figures or wording (`verdict.py`).
"""

from openpyxl.cell import Cell

from reports.cells import CellMaker
from reports.charts import Block, Line, column_chart, line_chart
from reports.figure import SMALL_N, SYMBOLS, Figure
from reports.figures import Headline, ReportFigures
from reports.sheet_writer import Column, SheetWriter
from reports.sheets.weekly import ALL, CREATED, FIRST_REPLY, GOAL, RESOLUTION, SOLVED, lowest_share
from reports.styles import BLUE, GREY, NAVY, ORANGE, TEAL, TONES, Tone
from reports.verdict import sentences, share_text

TITLE = "Summary"
WIDTHS = (42, 15, 11, 15, 15, 18, 12, 34)
NOTE = (
    "Green: goal reached. Amber: up to 5 points under it. Red: further under. "
    f"Grey: fewer than {SMALL_N} cases, too few to judge. Formulas: sheet Definitions."
)


def write(writer: SheetWriter, report: ReportFigures, weekly: Block) -> None:
    """Writes the sheet; the charts read the cells of the weekly sheet."""
    for text in sentences(report):
        writer.paragraph(text)
    writer.skip()
    previous = report.period.previous().label()
    columns = [
        Column(
            "Figure", "text", lambda cells, r, tone: cells.own(r["now"].figure.title, "text", tone)
        ),
        Column(
            report.period.label(),
            "share",
            lambda cells, r, tone: value_cell(cells, r["now"].figure),
        ),
        Column("Goal", "share", lambda cells, r, tone: _goal(cells, r["now"].figure)),
        Column("Status", "status", lambda cells, r, tone: status_cell(cells, r["now"].figure)),
        Column("Change", "share", lambda cells, r, tone: _change(cells, r["now"])),
        Column(previous, "share", lambda cells, r, tone: value_cell(cells, r["now"].before)),
        Column("Cases (n)", "count", lambda cells, r, tone: _n(cells, r["now"].figure)),
        Column("Note", "text", lambda cells, r, tone: cells.own(_note(r["now"].figure), "text")),
    ]
    writer.table(columns, ({"now": headline} for headline in report.headlines()))
    writer.skip()
    row = writer.next_row
    lines = [
        Line(ALL, "All targets", NAVY),
        Line(FIRST_REPLY, "First reply", TEAL),
        Line(RESOLUTION, "Resolution", ORANGE),
    ]
    if report.goals.compliance is not None:
        lines.append(Line(GOAL, "Goal", GREY, is_goal=True))
    writer.sheet.add_chart(
        line_chart(
            "SLA compliance, last 12 complete weeks",
            weekly,
            lines,
            lowest=lowest_share(report),
            width_cm=16.2,
            height_cm=7.6,
        ),
        f"A{row}",
    )
    writer.sheet.add_chart(
        column_chart(
            "Tickets created and solved per week",
            weekly,
            [Line(CREATED, "Created", BLUE), Line(SOLVED, "Solved", GREY)],
            width_cm=14.6,
            height_cm=7.6,
        ),
        f"E{row}",
    )


def value_cell(cells: CellMaker, figure: Figure, tone: Tone = "plain") -> Cell:
    """A figure's value in its unit."""
    if figure.unit == "seconds":
        return cells.duration(figure.value, tone)
    return cells.number(figure.value, "share" if figure.unit == "share" else "count", tone)


def status_cell(cells: CellMaker, figure: Figure) -> Cell:
    """Sign, word and colour."""
    verdict = figure.verdict
    if verdict == "no goal":
        return cells.own("–", "status", "plain")
    return cells.own(f"{SYMBOLS[verdict]} {verdict}", "status", TONES[verdict])


def _goal(cells: CellMaker, figure: Figure) -> Cell:
    if figure.goal is None:
        return cells.empty("share")
    return cells.number(figure.goal, "share")


def _change(cells: CellMaker, headline: Headline) -> Cell:
    change, unit = headline.change, headline.figure.unit
    if change is None:
        return cells.empty("points")
    tone = _change_tone(headline, change)
    if unit == "share":
        return cells.number(round(change * 100, 6), "points", tone)
    if unit == "seconds":
        return cells.number(int(change / 60), "minutes_change", tone)
    return cells.number(change, "count_change")


def _change_tone(headline: Headline, change: float) -> Tone:
    """Only changes of figures with a direction, and with cases enough on both sides, are coloured."""
    figure, before = headline.figure, headline.before
    if figure.unit == "count" or figure.goal is None or min(figure.n, before.n) < SMALL_N:
        return "plain"
    if abs(change) < 0.0005:
        return "plain"
    return "good" if (change > 0) == figure.is_higher_better else "bad"


def _n(cells: CellMaker, figure: Figure) -> Cell:
    return cells.empty("count") if figure.unit == "count" else cells.number(figure.n)


def _note(figure: Figure) -> str:
    if figure.interval is not None and figure.key == "csat":
        low, high = figure.interval
        return f"95% interval {share_text(low)} to {share_text(high)}"
    if figure.unit == "seconds":
        return "hours:minutes"
    if figure.numerator is not None and figure.n:
        return f"{figure.numerator:,} of {figure.n:,}"
    return ""
