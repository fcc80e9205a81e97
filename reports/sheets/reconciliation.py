"""Whether the sums agree: with each other, with the warehouse, with what the sources gave.

Belongs here: this sheet's layout. Does not belong here: the checks (`reports/reconciliation.py`).
"""

from openpyxl.cell import Cell

from reports.basis import EXCLUSIONS
from reports.cells import CellMaker
from reports.columns import count, foreign, instant, own
from reports.figures import ReportFigures
from reports.reconciliation import Check
from reports.records import records
from reports.sheet_writer import Column, SheetWriter

TITLE = "Reconciliation"
WIDTHS = (82, 16, 20, 16, 20, 52)
NOTE = (
    "Every line compares two numbers that were counted in different ways. OK: they agree. CHECK: they do not, "
    "and the figures should not be used before the reason is known."
)


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    found = report.reconciliation
    writer.section("Checks")
    writer.table(
        [
            own("What must agree", lambda r: r["check"].name),
            Column("Expected", "count", lambda cells, r, tone: _expected(cells, r["check"])),
            count("Found", lambda r: r["check"].found),
            Column("Result", "status", lambda cells, r, tone: _result(cells, r["check"])),
            own("Explanation", lambda r: r["check"].explanation, "remark"),
        ],
        ({"check": check} for check in found.checks),
    )
    writer.skip()
    writer.section("Tickets left out of every figure")
    writer.table(
        [
            own("Reason", lambda r: EXCLUSIONS[r["reason"]]),
            count("In all", lambda r: r["counts"][0]),
            count("Created in period", lambda r: r["counts"][1]),
        ],
        ({"reason": reason, "counts": counts} for reason, counts in found.excluded.items()),
    )
    writer.skip()
    clocks = report.clocks
    writer.section("Where the clock instances went")
    writer.table(
        [own("Clock instances", "name"), count("Number", "number")],
        [
            {"name": "Decided in the period: met", "number": clocks.met},
            {"name": "Decided in the period: breached", "number": clocks.breached},
            {"name": "Decided before the period", "number": clocks.decided_before},
            {"name": "Decided after the period", "number": clocks.decided_later},
            {"name": "Open: running or paused before due", "number": clocks.open},
            {"name": "Cancelled", "number": clocks.cancelled},
            {"name": "Without a target, or a figure only", "number": clocks.no_target},
            {"name": "Of tickets that are left out", "number": clocks.of_excluded_tickets},
            {"name": "All", "number": clocks.total},
        ],
        tone=lambda r: "total" if r["name"] == "All" else "plain",
    )
    writer.skip()
    writer.section("Tickets and comments by source")
    writer.table(
        [
            foreign("Source", "source_key"),
            count("Tickets", "tickets"),
            count("Counted", "counted"),
            count("Comments", "comments"),
        ],
        records(found.sources),
        empty="The warehouse has no ticket of this client.",
    )
    writer.skip()
    writer.section("Raw records by source and stream")
    writer.table(
        [
            foreign("Source and stream", lambda r: f"{r['source_key']} · {r['stream']}"),
            count("Records", "records"),
            count("Readable", "readable_records"),
            count("Quarantined", "quarantined"),
            instant("Last new version", "fetched_at"),
        ],
        records(found.streams),
        empty="No raw record was stored.",
    )
    writer.skip()
    writer.section("Quarantine by reason")
    writer.table(
        [
            foreign(
                "Source, stream and reason",
                lambda r: f"{r['source_key']} · {r['stream']}: {r['reason']}",
            ),
            count("Records", "records"),
        ],
        records(found.quarantine),
        empty="Every record was understood.",
    )


def _expected(cells: CellMaker, check: Check) -> Cell:
    most = check.expected_most
    if most is None or most == check.expected:
        return cells.number(check.expected)
    return cells.own(f"{check.expected:,} to {most:,}", "count")


def _result(cells: CellMaker, check: Check) -> Cell:
    return (
        cells.own("✔ OK", "status", "good")
        if check.is_ok
        else cells.own("✖ CHECK", "status", "bad")
    )
