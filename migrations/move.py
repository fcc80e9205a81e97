"""Moves what the plan says, keyed by `external_id`, so that it can be killed anywhere and run again.

Belongs here: planned → sending → done. Does not belong here: deciding what moves (`plan`), proving that it
arrived (`verify`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine

from connectors.contract import (
    Helpdesk,
    ImportedAttachment,
    ImportedComment,
    ImportedTicket,
    RejectedImport,
)
from connectors.warehouse import aliases, ledger, raw
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from migrations.plan import REFUSED
from transforms.mail import ParsedMail, parse

Row = dict[str, Any]

TICKETS_PER_CALL = 50
"""Half of what Zendesk's create_many takes: keeps a call's body small with long conversations."""

MIGRATED_TAG = "migrated_by_deskbridge"


def move(
    engine: Engine,
    run_key: str,
    client_key: str,
    source_key: str,
    target_key: str,
    helpdesk: Helpdesk,
    on_batch: Callable[[int, int], None] = lambda _done, _total: None,
) -> int:
    """Moves every planned ticket; returns how many the target has because of this call.

    A ticket is marked `sending` before the call and `done` after it. One whose outcome is unknown (we were
    killed, the line was cut) is looked up in the target by its external id before it is sent again.
    """
    _settle_unknown(engine, run_key, client_key, target_key, helpdesk)
    with reading(engine) as connection:
        planned = ledger.items(connection, run_key, "ticket", ["planned"])
    moved = 0
    for batch in chunks(planned, TICKETS_PER_CALL):
        with writing(engine) as connection:
            ledger.set_items(connection, [item | {"state": "sending"} for item in batch])
        with reading(engine) as connection:
            tickets = list(imported_tickets(connection, client_key, source_key, batch))
        outcome = helpdesk.import_tickets(tickets)
        with writing(engine) as connection:
            moved += _record(connection, run_key, client_key, target_key, batch, outcome)
        on_batch(moved, len(planned))
    return moved


def _settle_unknown(
    engine: Engine, run_key: str, client_key: str, target_key: str, helpdesk: Helpdesk
) -> None:
    with reading(engine) as connection:
        unknown = ledger.items(connection, run_key, "ticket", ["sending"])
    for batch in chunks(unknown, 100):
        found = helpdesk.find_imported([item["external_id"] for item in batch])
        with writing(engine) as connection:
            _record(connection, run_key, client_key, target_key, batch, found)
            missing = [item for item in batch if item["external_id"] not in found]
            ledger.set_items(connection, [item | {"state": "planned"} for item in missing])


def _record(
    connection: Connection,
    run_key: str,
    client_key: str,
    target_key: str,
    batch: Sequence[Row],
    outcome: Mapping[str, str | RejectedImport],
) -> int:
    """Writes what became of a batch: the tickets, their mails, and the links to their copies."""
    settled: dict[str, Row] = {}
    for item in batch:
        result = outcome.get(item["external_id"])
        if isinstance(result, RejectedImport):
            settled[item["ticket_key"]] = item | {
                "state": "done",
                "decision": "held",
                "reason": f"{REFUSED}: {result.reason}",
            }
        elif result is not None:
            settled[item["ticket_key"]] = item | {"state": "done", "target_remote_id": result}
    mails = [
        mail
        | {
            "state": "done",
            "decision": settled[mail["ticket_key"]]["decision"],
            "reason": settled[mail["ticket_key"]]["reason"],
            "target_remote_id": settled[mail["ticket_key"]]["target_remote_id"],
        }
        for mail in ledger.mails_of(connection, run_key, settled)
        if mail["state"] == "planned"
    ]
    ledger.set_items(connection, [*settled.values(), *mails])
    arrived = {
        key: item["target_remote_id"]
        for key, item in settled.items()
        if item["decision"] == "moved"
    }
    copies = aliases.keys_for(connection, client_key, target_key, "ticket", arrived.values())
    ledger.link_migrated(
        connection, client_key, {key: copies[remote] for key, remote in arrived.items()}
    )
    return len(arrived)


def imported_tickets(
    connection: Connection, client_key: str, source_key: str, batch: Sequence[Row]
) -> Iterable[ImportedTicket]:
    """The tickets of some ledger items as the target is given them: whole, in the order of the conversation."""
    external_ids = {item["ticket_key"]: item["external_id"] for item in batch}
    rows = list(ledger.tickets_to_move(connection, external_ids))
    moving = _mails_moving(connection, batch)
    attachments = attachments_of(
        connection,
        client_key,
        source_key,
        [c["raw_remote_id"] for row in rows for c in row["comments"]],
    )
    for row in rows:
        yield ImportedTicket(
            external_id=external_ids[row["ticket_key"]],
            subject=row["subject"] or "(no subject)",
            status=row["status"],
            priority=row["priority"],
            requester_email=row["requester_email"],
            requester_name=row["requester_name"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            solved_at=row["solved_at"],
            comments=tuple(
                imported_comment(comment, attachments.get(comment["raw_remote_id"], ()))
                for comment in row["comments"]
                if moving.get(comment["raw_remote_id"]) == row["ticket_key"]
            ),
            tags=(MIGRATED_TAG, *(row["tags"] or ())),
        )


def _mails_moving(connection: Connection, batch: Sequence[Row]) -> dict[str, str]:
    """Mail → ticket, of the mails that move by the ledger; one that came since the plan is none of them."""
    mails = ledger.mails_of(connection, batch[0]["run_key"], (item["ticket_key"] for item in batch))
    return {m["remote_id"]: m["ticket_key"] for m in mails if m["decision"] == "moved"}


def imported_comment(comment: Row, attachments: tuple[ImportedAttachment, ...]) -> ImportedComment:
    """A comment as the target is given it."""
    return ImportedComment(
        author_email=comment["author_email"],
        author_name=comment["author_name"],
        is_agent=comment["author_kind"] == "agent",
        is_public=comment["is_public"],
        text=comment["body_text"] or "(no text)",
        created_at=comment["created_at"],
        attachments=attachments,
    )


def attachments_of(
    connection: Connection, client_key: str, source_key: str, mail_ids: Iterable[str]
) -> dict[str, tuple[ImportedAttachment, ...]]:
    """Mail → its files with their bytes, parsed again from the raw mail."""
    found: dict[str, tuple[ImportedAttachment, ...]] = {}
    for record in raw.latest_records(
        connection, client_key, source_key, "mails", remote_ids=mail_ids
    ):
        mail = parse(record)
        files = tuple(
            ImportedAttachment(
                attachment.safe_name,
                attachment.media_type,
                attachment.content,
                attachment.sha256,
            )
            for attachment in (
                (*mail.attachments, *mail.embedded) if isinstance(mail, ParsedMail) else ()
            )
        )
        if files:
            found[record.remote_id] = files
    return found
