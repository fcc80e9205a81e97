"""The backlog's identity, its age and the oldest open tickets.

Belongs here: this sheet's layout. Does not belong here: the counting (`reports/backlog.py`).
"""

from reports.charts import Block, Line, column_chart
from reports.columns import count, customer, foreign, instant, own, ticket
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import Column, SheetWriter
from reports.styles import BLUE, GREY, NAVY, ORANGE, TEAL, Tone

TITLE = "Backlog"
WIDTHS = (30, 12, 12, 12, 18, 22, 28, 50)
NOTE = (
    "Tickets that are neither solved, closed, deleted, spam nor merged. The parts must add up to the end; "
    "Reconciliation checks it."
)
PRIORITY_COLOURS = {
    "critical": "A32020",
    "high": ORANGE,
    "medium": BLUE,
    "low": TEAL,
    "none": GREY,
}


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    left = report.backlog
    parts: list[tuple[str, int, str, Tone]] = [
        ("Open at the start", left.start, "", "total"),
        ("+ created", left.created, "new tickets, those removed later included", "plain"),
        ("+ reopened", left.reopened, "back from solved or closed", "plain"),
        ("+ restored", left.restored, "back from deleted, spam or merged", "plain"),
        ("− solved", left.solved, "moves from open to solved or closed", "plain"),
        ("− removed", left.removed, "deleted, marked as spam or merged", "plain"),
        ("= open at the end", left.end, _end_note(left.reconciles, left.expected_end), "total"),
        ("  of these without an owner", left.without_owner, "nobody assigned", "plain"),
    ]
    writer.section("How the backlog moved")
    writer.table(
        [
            own("Part", lambda r: r["part"][0]),
            count("Tickets", lambda r: r["part"][1]),
            own("Meaning", lambda r: r["part"][2], "remark"),
        ],
        ({"part": part} for part in parts),
        tone=lambda r: _tone(r["part"]),
    )
    writer.skip()
    writer.section("Age of the open tickets at the end")
    priorities = [str(name) for name in left.ageing if name not in ("age", "all")]
    columns: list[Column] = [own("Age", "age"), count("All", "all")]
    columns += [count(name.capitalize(), name) for name in priorities]
    first, last = writer.table(columns, records(left.ageing))
    if left.end:
        lines = [
            Line(3 + index, name.capitalize(), PRIORITY_COLOURS.get(name, NAVY))
            for index, name in enumerate(priorities)
        ]
        chart = column_chart(
            "Open tickets by age and priority",
            Block(writer.sheet, first, last),
            lines,
            width_cm=24,
            height_cm=7.5,
            is_stacked=True,
        )
        writer.skip()
        writer.sheet.add_chart(chart, f"A{writer.next_row}")
        writer.skip(17)
        writer.break_page()
    writer.section(f"The oldest open tickets ({len(left.oldest):,} of {left.end:,})")
    writer.table(
        [
            ticket(),
            own("Priority", "priority_now"),
            own("Status", "status_now"),
            count("Days old", lambda r: int(r["age_days"])),
            instant("Created", "created_at"),
            foreign("Owner", "owner"),
            customer(),
            foreign("Subject", "subject"),
        ],
        records(left.oldest),
        empty="Nothing is open.",
    )


def _tone(part: tuple[str, int, str, Tone]) -> Tone:
    return part[3]


def _end_note(reconciles: bool, expected: int) -> str:
    return (
        "the parts add up"
        if reconciles
        else f"the parts add up to {expected:,}: see Reconciliation"
    )
