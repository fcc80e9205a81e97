"""The ledger of a migration.

Belongs here: this sheet's layout. Does not belong here: the sums (`reports/migration.py`).
"""

from reports.columns import count, foreign, instant
from reports.migration import MigrationLedger
from reports.records import records
from reports.sheet_writer import SheetWriter

TITLE = "Migration"
WIDTHS = (10, 46, 12, 17, 44, 16, 12, 30, 44)
NOTE = (
    "Every item of the old inbox is listed once with what was decided and what became of it; the sums of a kind "
    "add up to all its items."
)


def write(writer: SheetWriter, ledger: MigrationLedger) -> None:
    """Writes the sheet."""
    sums = list(records(ledger.sums))
    for kind, items in ledger.totals.items():
        sums.append({"kind": kind, "decision": "all", "state": "", "items": items})
    writer.section(f"Sums of {ledger.run_key}")
    writer.table(
        [
            foreign("Kind", "kind"),
            foreign("Decision", "decision"),
            foreign("State", "state"),
            count("Items", "items"),
        ],
        sums,
        tone=lambda r: "total" if r["decision"] == "all" else "plain",
        empty="The ledger is empty.",
    )
    writer.skip()
    writer.section("Reasons")
    writer.table(
        [
            foreign("Kind", "kind"),
            foreign("Reason", "reason"),
            foreign("Decision", "decision"),
            count("Items", "items"),
        ],
        records(ledger.reasons),
        empty="No item needed a reason.",
    )
    writer.skip()
    writer.section(f"Items ({len(ledger.rows):,})")
    writer.table(
        [
            foreign("Kind", "kind"),
            foreign("Subject", "subject"),
            foreign("Decision", "decision"),
            instant("Sent or opened", "occurred_at"),
            foreign("Reason", "reason"),
            foreign("New ticket", "target_remote_id"),
            foreign("State", "state"),
            foreign("Read back", "verified"),
            foreign("Old id", "remote_id"),
        ],
        records(ledger.rows),
        is_filtered=True,
        empty="The ledger is empty.",
    )
