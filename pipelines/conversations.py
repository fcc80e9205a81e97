"""Links mailboxes' conversations with the tickets of other systems that they are.

Belongs here: gathering what mails name and what the names stand for, in a few queries; decisions of people; doubts. Does not
belong here: when two are the same (`transforms.conversations`), which of both counts (`duplicates`).
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine

from connectors.warehouse import audit, conversations, erasures, loading, threads
from connectors.warehouse.engine import reading, writing
from transforms.conversations import Decisions, Found, Known, Naming, Party, find_same
from transforms.model import END_STATUSES

Row = dict[str, Any]
IsOwn = Callable[[str], bool]


def link_conversations(engine: Engine, client_key: str, is_own: IsOwn) -> int:
    """Finds a client's links anew where tickets or people changed since; returns how many links changed.

    Everything is looked up and judged again, so it does not matter what came first; the cost goes with the mails that name
    something outside of their mailbox. Killed anywhere, the next call ends with the same links.

    Args:
        engine: the warehouse.
        client_key: whose.
        is_own: whether an address is a mailbox's or an agent's, by the settings.
    """
    with reading(engine) as connection:
        state = conversations.state_of(connection, client_key)
        if state == conversations.linked_at(connection, client_key):
            return 0
        found = find_conversations(connection, client_key, is_own)
        wanted = {one.ticket_key: (one.other_key, one.reason) for one in found.links}
        present = conversations.links(connection, client_key)
        erased = erasures.erased_of(connection, client_key, "ticket")
        # What a link of somebody erased was found by is gone: it stays what it is, so that no figure moves.
        wanted |= {key: link for key, link in present.items() if key in erased or link[0] in erased}
    with writing(engine) as connection:
        changed = (
            0 if wanted == present else conversations.write_links(connection, client_key, wanted)
        )
        conversations.mark_linked(connection, client_key, state)
    return changed


def find_conversations(connection: Connection, client_key: str, is_own: IsOwn) -> Found:
    """What a client's conversations are, and what they may be, by everything that is in the warehouse now."""
    namings = [Naming(**row) for row in conversations.namings(connection, client_key)]
    values: dict[str, set[str]] = {}
    for one in namings:
        values.setdefault("mail" if one.kind == "answered" else "ticket", set()).add(
            one.value.rpartition("|")[2] if one.kind.startswith("reply") else one.value
        )
    names = values.get("ticket", set())
    by_number = conversations.keys_by_number(connection, client_key, names)
    by_reference = conversations.keys_by_reference(connection, client_key, names)
    by_mail = conversations.keys_by_mail(connection, client_key, values.get("mail", ()))
    decided = conversations.decisions(connection, client_key)
    named = set[str]().union(*by_number.values(), *by_reference.values(), *by_mail.values())
    named |= {row["other_key"] for row in decided if row["other_key"] is not None}
    parties = _parties(connection, client_key, {one.ticket_key for one in namings} | named)
    addresses = {address for one in namings for address in one.participants}
    addresses |= {one.address for one in parties.values() if one.address is not None}
    agents = conversations.agents_addresses(connection, client_key)
    known = Known(
        parties,
        by_number,
        by_reference,
        by_mail,
        conversations.persons_by_address(connection, client_key, addresses),
        lambda address: address in agents or is_own(address),
    )
    return find_same(namings, known, _decisions(decided, parties))


def _parties(
    connection: Connection, client_key: str, ticket_keys: Iterable[str]
) -> dict[str, Party]:
    """The tickets that are alive, each with what counts for it; what ended without that is left out."""
    keys = set(ticket_keys)
    stands_for = conversations.standing_for(connection, keys)
    rows = {
        row["ticket_key"]: row
        for row in conversations.parties(connection, keys | set(stands_for.values()))
    }
    boxes = conversations.mailboxes(connection, client_key)
    alive = {key for key, row in rows.items() if row["status"] not in END_STATUSES}
    return {
        key: Party(
            key,
            row["source_key"],
            row["number"],
            row["subject"],
            row["created_at"],
            row["updated_at"],
            urlsplit(row["url"] or "").hostname,
            row["person"],
            row["address"],
            stands_for.get(key),
            row["source_key"] in boxes,
        )
        for key, row in rows.items()
        if stands_for.get(key, key) in alive
    }


def _decisions(rows: Iterable[Row], parties: dict[str, Party]) -> Decisions:
    def pairs(kind: str) -> frozenset[tuple[str, str]]:
        return frozenset(
            (row["ticket_key"], parties[row["other_key"]].counts_as)
            for row in rows
            if row["kind"] == kind and row["other_key"] in parties
        )

    rows = [*rows]
    return Decisions(
        pairs("with"),
        pairs("apart"),
        frozenset(row["ticket_key"] for row in rows if row["kind"] == "alone"),
    )


def doubtful_conversations(engine: Engine, client_key: str, is_own: IsOwn, limit: int) -> list[Row]:
    """Conversations that may be another source's ticket, with the fields of `connectors.warehouse.threads.doubtful`."""
    with reading(engine) as connection:
        doubts = find_conversations(connection, client_key, is_own).doubts
        mails = threads.shown(connection, (one.comment_key for one in doubts if one.comment_key))
        others = {
            row["ticket_key"]: row
            for row in conversations.parties(connection, (one.other_key for one in doubts))
        }
    rows = [
        mails[one.comment_key]
        | {
            "why": one.reason,
            "other_key": one.other_key,
            "other_number": f"{others[one.other_key]['source_key']}/{others[one.other_key]['number']}",
        }
        for one in doubts
        if one.comment_key in mails and one.other_key in others
    ]
    rows.sort(key=lambda row: (row["created_at"], row["remote_id"]), reverse=True)
    return rows[:limit]


def decide_conversation(
    engine: Engine,
    client_key: str,
    mail: tuple[str, str],
    other: tuple[str, str],
    kind: str,
    now: Callable[[], datetime],
    decided_by: str,
) -> None:
    """Keeps that a mail's conversation is, or is not, the ticket of another source; it wins over all evidence.

    The links are found anew by the next `link_conversations`.

    Args:
        engine: the warehouse.
        client_key: whose.
        mail: source and id of a mail.
        other: source and id of a ticket there, or of a mail where it is a mailbox.
        kind: with, apart, or evidence (takes the decision back).
        now: the clock.
        decided_by: who decides.

    Raises:
        ValueError: one of the two is not in the warehouse.
    """
    at = now()
    with writing(engine) as connection:
        held = conversations.keys_by_remote_id(connection, client_key, (mail, other))
        for source_key, remote_id in (mail, other):
            if (source_key, remote_id) not in held:
                raise ValueError(
                    f"source {source_key} of client {client_key} has no mail or ticket '{remote_id}'; "
                    "deskbridge thread review lists the ids of doubtful ones"
                )
        revision = loading.next_revision(connection, client_key)
        place = (connection, client_key, *mail)
        if kind == "evidence":
            threads.forget_decision(*place, other[0])
        else:
            threads.decide(*place, kind, other[1], at, decided_by, other[0])
        detail = {"source": mail[0], "with": "/".join(other)}
        action = "thread undecided" if kind == "evidence" else f"thread set {kind}"
        audit.append(connection, client_key, [audit.AuditItem(action, mail[1], at, detail)])
        conversations.touch(connection, {key for key, _ in held.values()}, revision)
