"""Closes the ledger: every source record has one decision, every moved one is in the target, the sums agree.

Belongs here: the sums and what keeps them from closing. Does not belong here: the report's form.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from connectors.contract import Helpdesk
from connectors.warehouse import audit, ledger
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from migrations.plan import DECISIONS
from migrations.verify import count_verified

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The closed (or not) sums of a run."""

    run_key: str
    source_mails: int
    mails: dict[str, int]
    tickets: dict[str, int]
    tickets_in_target: int
    tickets_verified: int
    was_closed: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def closes(self) -> bool:
        """Whether nothing is open, lost or different."""
        return not self.faults

    def lines(self) -> list[str]:
        """The sums in words, a line each."""
        parts = " + ".join(f"{self.mails.get(name, 0)} {name}" for name in DECISIONS)
        tickets = " + ".join(f"{self.tickets.get(name, 0)} {name}" for name in DECISIONS)
        return [
            f"mails    {self.source_mails} in the source = {parts}",
            f"tickets  {sum(self.tickets.values())} conversations = {tickets}",
            f"target   {self.tickets_in_target} tickets there, "
            f"{self.tickets_verified} read back and equal",
        ]


def reconcile(
    engine: Engine,
    run_key: str,
    client_key: str,
    source_key: str,
    helpdesk: Helpdesk,
    now: datetime,
) -> Reconciliation:
    """Counts source, ledger and target against each other and closes the run where they agree."""
    with reading(engine) as connection:
        source = ledger.source_mails(connection, client_key, source_key)
        mails = ledger.items(connection, run_key, "mail")
        tickets = ledger.items(connection, run_key, "ticket")
        state = next(
            (r["state"] for r in ledger.runs(connection, client_key) if r["run_key"] == run_key),
            None,
        )
    moved = [item for item in tickets if item["decision"] == "moved"]
    in_target = _count_in_target(moved, helpdesk)
    result = Reconciliation(
        run_key,
        len(source),
        dict(Counter(item["decision"] for item in mails)),
        dict(Counter(item["decision"] for item in tickets)),
        in_target,
        count_verified(moved),
        state == "closed",
        _faults(source, mails, tickets, moved, in_target),
    )
    with writing(engine) as connection:
        ledger.close_run(connection, run_key, "closed" if result.closes else "open", now)
        if result.closes and not result.was_closed:
            # In the transaction that closes the run: a later one would not know that it is owed.
            detail: dict[str, audit.Plain] = {
                f"mails_{decision}": count for decision, count in result.mails.items()
            }
            item = audit.AuditItem("migration closed", run_key, now, detail)
            audit.append(connection, client_key, [item])
    return result


def _count_in_target(moved: list[Row], helpdesk: Helpdesk) -> int:
    return sum(
        len(helpdesk.find_imported([item["external_id"] for item in batch]))
        for batch in chunks(moved, 100)
    )


def _faults(
    source: dict[str, bool],
    mails: list[Row],
    tickets: list[Row],
    moved: list[Row],
    in_target: int,
) -> list[str]:
    faults = []
    missing = set(source) - {item["remote_id"] for item in mails}
    if missing:
        faults.append(f"{len(missing)} source mails have no line in the ledger: plan again")
    unfinished = [item for item in (*mails, *tickets) if item["state"] != "done"]
    if unfinished:
        faults.append(f"{len(unfinished)} items are not done: run the move again")
    if in_target != len(moved):
        faults.append(f"the target has {in_target} of {len(moved)} moved tickets")
    unverified = [item for item in moved if not item["verification"]]
    if unverified:
        faults.append(f"{len(unverified)} moved tickets were not read back: run verify")
    different = [item for item in moved if item["verification"] and item["verification"]["faults"]]
    faults.extend(
        f"ticket {item['ticket_key']} (target {item['target_remote_id']}): "
        f"{'; '.join(item['verification']['faults'])}"
        for item in different[:20]
    )
    if len(different) > 20:
        faults.append(f"… and {len(different) - 20} more tickets that differ")
    return faults
