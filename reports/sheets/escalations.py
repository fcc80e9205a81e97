"""Every escalation step of the period.

Belongs here: this sheet's layout. Does not belong here: how a step finds its messages (`reports/escalations.py`).
"""

from reports.columns import delay, foreign, instant, own, ticket
from reports.figures import ReportFigures
from reports.records import records
from reports.sheet_writer import HEADER_ROW, Column, Record, SheetWriter
from reports.styles import Tone

TITLE = "Escalations"
WIDTHS = (13, 30, 10, 12, 22, 11, 18, 48, 17, 17, 10, 8, 18, 22)
FREEZE = f"B{HEADER_ROW + 1}"


def note(report: ReportFigures) -> str:
    """What the sheet shows, with the counts by level."""
    levels = ", ".join(
        f"{level} {steps:,} ({late:,} late)"
        for level, (steps, late) in report.escalations.by_level.items()
    )
    return (
        "Every step that was decided in the period, the latest first, with what was sent and how it went; grey ones were skipped. Delay: "
        f"hours:minutes:seconds from due to decided. Taken by level: {levels or 'none'}."
    )


def write(writer: SheetWriter, report: ReportFigures) -> None:
    """Writes the sheet."""
    columns = [
        ticket(),
        foreign("Subject", "subject"),
        own("Priority", lambda r: r["priority"] or "none"),
        foreign("Level", "level"),
        foreign("Rule", "step"),
        foreign("Action", "action"),
        foreign("Whom", "person"),
        foreign("Reason", "reason"),
        instant("Due", "due_at"),
        instant("Decided", "decided_at"),
        delay("Delay", "delay_seconds"),
        own("Late", lambda r: "late" if r["is_late"] else ""),
        foreign("Channel", "channel"),
        Column("Result", "text", lambda cells, r, tone: cells.foreign(r["result"], _tone(r, tone))),
    ]
    writer.table(
        columns,
        records(report.escalations.steps),
        is_filtered=True,
        tone=lambda r: (
            "muted" if r["action"] == "skipped" else "warning" if r["is_late"] else "plain"
        ),
        empty="No escalation step was decided in this period.",
    )


def _tone(step: Record, otherwise: Tone) -> Tone:
    """Red where a message was given up (a dead letter)."""
    return "bad" if step["result"] and "dead" in step["result"] else otherwise
