"""Where the helpdesk's own verdict differs from ours.

Belongs here: this sheet's layout. Does not belong here: the comparison (`reports/source_verdict.py`).
"""

from reports.columns import count, foreign, instant, own, share, ticket
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import SheetWriter
from reports.sla import metric_name

TITLE = "Source verdicts"
WIDTHS = (22, 14, 16, 12, 12, 18, 18, 44, 70)
NOTE = (
    "Some helpdesks say themselves whether a promise was kept. Their verdict is compared with ours for every "
    "promise decided in the period, and every difference is listed with its reason."
)


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    found = report.source_verdicts
    writer.section("Compared")
    writer.table(
        [
            foreign("Source", "source"),
            count("Compared", "compared"),
            count("Equal", "equal"),
            share("Share", "equal", "compared", small_n=0),
        ],
        (
            {"source": source, "compared": compared, "equal": equal}
            for source, (compared, equal) in found.compared.items()
        ),
        empty="No source gave a verdict on a promise decided in this period.",
    )
    writer.skip()
    writer.section(f"Differences ({len(found.differences):,})")
    writer.table(
        [
            ticket(),
            foreign("Source", "source_key"),
            own("Metric", lambda r: metric_name(r["metric"])),
            own("Ours", lambda r: _word(r["is_met"])),
            own("Source's", lambda r: _word(r["source_is_met"])),
            instant("Our due", "due_at"),
            instant("Source's due", "source_due_at"),
            foreign("Subject", "subject"),
            own("Reason", "reason"),
        ],
        records(found.differences),
        is_filtered=True,
        empty="No verdict differs.",
    )


def _word(is_met: bool) -> str:
    return "met" if is_met else "breached"
