"""The plan of a migration: what will become of every mail and every ticket, before anything moves.

Belongs here: one decision with a reason for each source record, written into the ledger. Does not belong
here: moving, or reading what the target has.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from connectors.errors import DataError
from connectors.warehouse import ledger
from connectors.warehouse.engine import writing
from connectors.warehouse.history import UNDATED
from connectors.warehouse.types import canonical_json
from migrations.rules import ExclusionRule, MailFacts, first_fit
from transforms.model import key_of

Row = dict[str, Any]

DECISIONS = ("moved", "merged", "held", "excluded")
"""What can become of a source record. Each record gets exactly one."""


REFUSED = "the target refused it"
"""How the reason of a conversation begins that the target did not take."""

_TOO_LATE = "came after its conversation was moved; carry it over by hand or move again"
_TOO_LATE_AND_REFUSED = "came after its conversation was refused by the target"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the ledger says will happen; counts by decision, and the plan's own hash."""

    run_key: str
    plan_sha256: str
    mails: dict[str, int]
    tickets: dict[str, int]
    reasons: dict[str, int]
    """`decision: reason`, or the decision alone → how many mails."""


def run_key_of(client_key: str, source_key: str, target_key: str) -> str:
    """The run that moves one source into one target; run again it goes on with the same ledger."""
    return key_of("migration", client_key, source_key, target_key)


def external_id_of(client_key: str, source_key: str, ticket_key: str) -> str:
    """The id under which the target knows a moved ticket: it can be created at most once."""
    return f"deskbridge:{client_key}:{source_key}:{ticket_key}"


def make_plan(
    engine: Engine,
    client_key: str,
    source_key: str,
    target_key: str,
    rules: Sequence[ExclusionRule],
    now: datetime,
) -> Plan:
    """Writes a decision for every mail of the source and for their conversations.

    Planned again it decides anew, by the rules as they are now, about all that did not set out yet; what was
    moved, is on its way or was refused by the target keeps its line. Planning twice changes nothing.

    Raises:
        DataError: mails of the source are neither a comment nor in quarantine (it was not normalised).
    """
    run_key = run_key_of(client_key, source_key, target_key)
    with writing(engine) as connection:
        mails, tickets = _decide(connection, client_key, source_key, run_key, rules)
        _write(connection, run_key, [*tickets, *mails])
        stored = ledger.items(connection, run_key, "mail")
        stored_tickets = ledger.items(connection, run_key, "ticket")
        digest = _digest([*stored_tickets, *stored])
        ledger.open_run(connection, run_key, client_key, source_key, target_key, digest, now)
    return Plan(
        run_key,
        digest,
        dict(Counter(item["decision"] for item in stored)),
        dict(Counter(item["decision"] for item in stored_tickets)),
        dict(Counter(_in_words(item) for item in stored)),
    )


def _write(connection: Connection, run_key: str, decided: Sequence[Row]) -> None:
    """Writes what is undecided or may be decided anew; lines that nothing stands behind any more go."""
    stored = [
        *ledger.items(connection, run_key, "ticket"),
        *ledger.items(connection, run_key, "mail"),
    ]
    settled = {item["ticket_key"] for item in stored if _has_set_out(item)}
    kept = {(i["kind"], i["remote_id"]) for i in stored if i["ticket_key"] in settled}
    fresh = [row for row in decided if (row["kind"], row["remote_id"]) not in kept]
    wanted = {(row["kind"], row["remote_id"]) for row in fresh}
    gone = [item for item in stored if (item["kind"], item["remote_id"]) not in kept | wanted]
    ledger.remove_items(connection, run_key, gone)
    ledger.set_items(connection, fresh)


def _digest(items: Sequence[Row]) -> str:
    """One hash for what the plan says; moving does not change it."""
    fields = ("kind", "remote_id", "ticket_key", "external_id", "decision", "reason")
    lines = [[item[field] for field in fields] for item in items]
    return hashlib.sha256(canonical_json(lines).encode()).hexdigest()


def _has_set_out(item: Row) -> bool:
    return item["kind"] == "ticket" and (
        item["state"] == "sending"
        or item["target_remote_id"] is not None
        or (item["reason"] or "").startswith(REFUSED)
    )


def _decide(
    connection: Connection,
    client_key: str,
    source_key: str,
    run_key: str,
    rules: Sequence[ExclusionRule],
) -> tuple[list[Row], list[Row]]:
    comments = ledger.source_comments(connection, client_key, source_key)
    by_mail = {comment["raw_remote_id"]: comment for comment in comments}
    quarantined = ledger.quarantined(connection, client_key, source_key)
    alone = Counter(c["ticket_key"] for c in comments if c["copy_of_key"] is None)
    mail_of = {comment["comment_key"]: comment["raw_remote_id"] for comment in comments}
    requesters = _requesters(connection, comments)
    too_late = {
        item["ticket_key"]: _TOO_LATE if item["decision"] == "moved" else _TOO_LATE_AND_REFUSED
        for item in ledger.items(connection, run_key, "ticket")
        if _has_set_out(item)
    }
    mails: list[Row] = []
    for remote_id, is_there in ledger.source_mails(connection, client_key, source_key).items():
        comment = by_mail.get(remote_id)
        row = {
            "run_key": run_key,
            "kind": "mail",
            "remote_id": remote_id,
            "client_key": client_key,
            "source_key": source_key,
            "ticket_key": comment["ticket_key"] if comment else None,
            "state": "done",
        }
        if comment is not None:
            decision, reason = _decision(comment, mail_of, alone, rules, requesters, too_late)
        else:
            decision, reason = _unread(remote_id, quarantined, is_there=is_there)
        if decision == "moved":
            row["state"] = "planned"
        mails.append(row | {"decision": decision, "reason": reason})
    return mails, _ticket_items(client_key, source_key, run_key, mails)


def _in_words(item: Row) -> str:
    """Decision and reason as they are counted: each copy names its original, which is no reason of its own."""
    reason = item["reason"] or ""
    if item["decision"] == "merged":
        reason = "copy of another mail"
    return f"{item['decision']}: {reason}" if reason else str(item["decision"])


def _unread(
    remote_id: str, quarantined: dict[str, str], *, is_there: bool
) -> tuple[str, str | None]:
    if not is_there:
        return "excluded", "withdrawn by the source"
    if remote_id in quarantined:
        return "held", f"not readable: {quarantined[remote_id]}"
    raise DataError(
        f"the mail {remote_id} is neither a comment nor in quarantine: run deskbridge sync first"
    )


def _decision(
    comment: Row,
    mail_of: dict[str, str],
    alone: Counter[str],
    rules: Sequence[ExclusionRule],
    requesters: dict[str, str | None],
    too_late: dict[str, str],
) -> tuple[str, str | None]:
    if comment["copy_of_key"] is not None:
        return "merged", f"copy of {mail_of.get(comment['copy_of_key'], comment['copy_of_key'])}"
    facts = MailFacts(
        comment["author_email"] or "",
        comment["subject"] or "",
        bool(comment["is_automatic"]),
        alone[comment["ticket_key"]] == 1,
    )
    rule = first_fit(rules, facts)
    if rule is not None:
        return "excluded", f"rule {rule.name}"
    if comment["ticket_key"] in too_late:
        return "held", too_late[comment["ticket_key"]]
    if comment["created_at"] <= UNDATED:
        return "held", "no readable date: the target would show it as new"
    if not requesters.get(comment["ticket_key"]):
        return "held", "the conversation has no customer address"
    return "moved", None


def _requesters(connection: Connection, comments: Sequence[Row]) -> dict[str, str | None]:
    rows = ledger.tickets_to_move(connection, [comment["ticket_key"] for comment in comments])
    return {row["ticket_key"]: row["requester_email"] for row in rows}


def _ticket_items(
    client_key: str, source_key: str, run_key: str, mails: Sequence[Row]
) -> list[Row]:
    """A ticket moves when any of its mails does; else it shares its mails' decision."""
    by_ticket: dict[str, list[Row]] = {}
    for mail in mails:
        if mail["ticket_key"] and mail["decision"] != "merged":
            by_ticket.setdefault(mail["ticket_key"], []).append(mail)
    items = []
    for ticket_key, own in sorted(by_ticket.items()):
        moved = any(mail["decision"] == "moved" for mail in own)
        items.append(
            {
                "run_key": run_key,
                "kind": "ticket",
                "remote_id": ticket_key,
                "client_key": client_key,
                "source_key": source_key,
                "ticket_key": ticket_key,
                "external_id": external_id_of(client_key, source_key, ticket_key),
                "decision": "moved" if moved else own[0]["decision"],
                "reason": None if moved else own[0]["reason"],
                "state": "planned" if moved else "done",
            }
        )
    return items
