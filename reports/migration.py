"""The ledger of a migration as sums: what was moved, merged, held and left out, and why.

Belongs here: adding up ledger rows. Does not belong here: deciding or moving anything (`migrations/`).
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from connectors.warehouse.history import UNDATED


@dataclass(frozen=True, slots=True)
class MigrationLedger:
    """One run's ledger: `sums` by kind, decision and state; `reasons` by decision and reason; the `rows`."""

    run_key: str
    sums: pd.DataFrame
    reasons: pd.DataFrame
    rows: pd.DataFrame

    @property
    def totals(self) -> dict[str, int]:
        """Kind → items; the sums of a kind add up to it."""
        return {
            str(kind): int(n) for kind, n in self.rows["kind"].value_counts().sort_index().items()
        }


def _read_back(own: pd.DataFrame) -> pd.DataFrame:
    """The rows with `verified`; a mail that moved arrived as its ticket did."""
    tickets = own[own["kind"] == "ticket"]
    of_ticket = dict(
        zip(tickets["ticket_key"], tickets["verification"].map(_verified), strict=True)
    )
    verified = [
        of_ticket.get(row.ticket_key, "")
        if row.kind == "mail" and row.decision == "moved"
        else _verified(row.verification)
        for row in own.itertuples()
    ]
    dated = own["occurred_at"].where(own["occurred_at"] > pd.Timestamp(UNDATED))
    return own.assign(verified=verified, occurred_at=dated)


def _verified(verification: Any) -> str:
    """What reading back from the target found; empty where nothing was moved or read."""
    if not isinstance(verification, dict):
        return ""
    return "; ".join(verification.get("faults") or ()) or "equal"


def migration_ledger(run_key: str, rows: pd.DataFrame) -> MigrationLedger:
    """The ledger of one run from its `migration_item` rows (`report_queries.read_migration_items`)."""
    own = rows[rows["run_key"] == run_key]
    sums = own.groupby(["kind", "decision", "state"]).size().rename("items").reset_index()
    given = own[own["reason"].notna()]
    # Each copy names its original: one line for all of them.
    reasons = (
        given.assign(
            reason=given["reason"].str.replace(r"^copy of .*", "copy of another mail", regex=True)
        )
        .groupby(["kind", "decision", "reason"])
        .size()
        .rename("items")
        .reset_index()
    )
    return MigrationLedger(
        run_key=run_key,
        sums=sums.sort_values(["kind", "decision", "state"], kind="stable"),
        reasons=reasons.sort_values(
            ["items", "kind", "decision", "reason"], ascending=[False, True, True, True]
        ),
        rows=_read_back(own).sort_values(
            ["kind", "decision", "occurred_at", "remote_id"], kind="stable"
        ),
    )
