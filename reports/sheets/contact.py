"""First-contact resolution and reopened tickets.

Belongs here: this sheet's layout. Does not belong here: the rules (`reports/contact.py`).
"""

from reports.columns import count as count_column
from reports.columns import customer, foreign, instant, own, share, ticket
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import Column, SheetWriter
from reports.sheets.summary import status_cell, value_cell

TITLE = "First contact & reopens"
WIDTHS = (40, 18, 18, 28, 50, 28)
NOTE = (
    "First contact (strict): one public reply by a person, one team, held for 7 days. Tickets whose 7 days are "
    "not over are left out and shown as a slice, so a month's figure is final 7 days after its end."
)


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    held = report.contact
    writer.section("Figures")
    figures = [held.first_contact, held.reopen_rate, held.resolved_again_without_reply]
    writer.table(
        [
            own("Figure", lambda r: r["figure"].title),
            Column("Value", "share", lambda cells, r, tone: value_cell(cells, r["figure"])),
            own(
                "Cases",
                lambda r: (
                    ""
                    if r["figure"].numerator is None
                    else f"{r['figure'].numerator:,} of {r['figure'].n:,}"
                ),
            ),
            Column("Status", "status", lambda cells, r, tone: status_cell(cells, r["figure"])),
        ],
        ({"figure": figure} for figure in figures),
    )
    writer.skip()
    writer.section("How many replies a solution took")
    total = sum(held.slices.values())
    writer.table(
        [
            own("Tickets first solved in the period", lambda r: r["name"].capitalize()),
            count_column("Tickets", "tickets"),
            share("Share", "tickets", lambda r: total, small_n=0),
        ],
        [
            *({"name": name, "tickets": tickets} for name, tickets in held.slices.items()),
            {"name": "all", "tickets": total},
        ],
        tone=lambda r: "total" if r["name"] == "all" else "plain",
    )
    writer.skip()
    writer.section(f"Reopened in the period ({len(held.reopened):,})")
    writer.table(
        [
            ticket(),
            instant("Reopened", "from_at"),
            instant("Solved again", "solved_again_at"),
            customer(),
            foreign("Subject", "subject"),
            own("Remark", lambda r: _remark(r["is_solved_without_reply"])),
        ],
        records(held.reopened),
        empty="No ticket was reopened in this period.",
    )


def _remark(is_solved_without_reply: bool) -> str:
    return "solved again without a reply" if is_solved_without_reply else ""
