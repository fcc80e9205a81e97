"""Proves that what was moved arrived: reads each ticket back and compares it with what was sent.

Belongs here: the comparison and its result in the ledger. Does not belong here: mending differences.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from connectors.contract import Helpdesk, ImportedTicket, ReadBackTicket
from connectors.errors import NotFoundError
from connectors.warehouse import ledger
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from migrations.move import imported_tickets

Row = dict[str, Any]

TICKETS_PER_TRANSACTION = 50


def verify(
    engine: Engine,
    run_key: str,
    client_key: str,
    source_key: str,
    helpdesk: Helpdesk,
    on_batch: Callable[[int, int], None] = lambda _done, _total: None,
) -> int:
    """Reads back every moved ticket that was not verified yet; returns how many differ, over the whole run."""
    with reading(engine) as connection:
        moved = [
            item
            for item in ledger.items(connection, run_key, "ticket", ["done"])
            if item["decision"] == "moved"
        ]
    due = [item for item in moved if not item["verification"]]
    differing = sum(1 for item in moved if item["verification"] and item["verification"]["faults"])
    done = 0
    for batch in chunks(due, TICKETS_PER_TRANSACTION):
        with reading(engine) as connection:
            sent = {
                ticket.external_id: ticket
                for ticket in imported_tickets(connection, client_key, source_key, batch)
            }
        checked = [
            item
            | {"verification": _compare_with_target(item, sent.get(item["external_id"]), helpdesk)}
            for item in batch
        ]
        with writing(engine) as connection:
            ledger.set_items(connection, checked)
        differing += sum(1 for item in checked if item["verification"]["faults"])
        done += len(checked)
        on_batch(done, len(due))
    return differing


def _compare_with_target(item: Row, sent: ImportedTicket | None, helpdesk: Helpdesk) -> Row:
    if sent is None:
        fault = "its conversation was joined to another since it was moved: compare it by hand"
        return {"comments": 0, "attachments": 0, "faults": [fault]}
    try:
        found = helpdesk.read_back(item["target_remote_id"])
    except NotFoundError:
        return {"comments": 0, "attachments": 0, "faults": ["the target no longer has the ticket"]}
    return {
        "comments": len(found.comments),
        "attachments": sum(len(comment.attachment_sha256) for comment in found.comments),
        "faults": compare(sent, found),
    }


def compare(sent: ImportedTicket, found: ReadBackTicket) -> list[str]:
    """What differs between a ticket as sent and as the target gives it back; empty when all is there."""
    faults = []
    if found.external_id != sent.external_id:
        faults.append(f"external id {found.external_id!r}")
    if _same(found.subject) != _same(sent.subject):
        faults.append("subject differs")
    if (found.requester_email or "").casefold() != (sent.requester_email or "").casefold():
        faults.append("requester differs")
    if _seconds(found.created_at) != _seconds(sent.created_at):
        faults.append(f"created at {found.created_at.isoformat()}")
    missing_tags = sorted(set(sent.tags) - set(found.tags))
    if missing_tags:
        faults.append(f"tags missing: {', '.join(missing_tags)}")
    if len(found.comments) != len(sent.comments):
        faults.append(f"{len(found.comments)} of {len(sent.comments)} comments")
        return faults
    for number, (ours, theirs) in enumerate(zip(sent.comments, found.comments, strict=True), 1):
        if _same(theirs.text) != _same(ours.text):
            faults.append(f"comment {number}: text differs")
        if _seconds(theirs.created_at) != _seconds(ours.created_at):
            faults.append(f"comment {number}: time differs")
        if theirs.is_public != ours.is_public:
            faults.append(f"comment {number}: public became private or the other way round")
        lost = Counter(a.sha256 for a in ours.attachments) - Counter(theirs.attachment_sha256)
        if lost:
            faults.append(f"comment {number}: {lost.total()} attachments missing or changed")
    return faults


def _same(text: str) -> str:
    """Text as compared: white space does not count, control characters neither."""
    return re.sub(r"[\s\x00-\x1f\ufffd]+", " ", text).strip()


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())


def count_verified(items: Sequence[Row]) -> int:
    """How many items were read back without a difference."""
    return sum(1 for i in items if i["verification"] and not i["verification"]["faults"])
