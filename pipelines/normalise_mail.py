"""Normalises a mailbox: new mails find their conversations, and those conversations are built again.

Belongs here: which mails are read together. Does not belong here: threading and the meaning of mails
(`transforms.threads`, `transforms.mail`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine

from connectors.warehouse import aliases, loading, raw, threads
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from pipelines.normalise import NormaliseReport, due_records, write_batch
from pipelines.people import PeopleLoader
from transforms.mail import MailboxPolicy, build, parse
from transforms.model import Rejected
from transforms.rows import Origin
from transforms.threads import MailHeaders, Placement, ThreadIndex, ThreadPolicy, place

STREAM = "mails"

VERSION = "mail-1"

TICKETS_PER_BATCH = 300
"""Conversations built and written in one transaction; each holds whole mails in memory."""


@dataclass(frozen=True, slots=True)
class MailTransform:
    """How a mailbox's mails become tickets."""

    mailbox: MailboxPolicy
    threads: ThreadPolicy
    version: str = VERSION


@dataclass(slots=True)
class _Work:
    """What has to be built again, and the places of all mails."""

    index: ThreadIndex
    tickets: dict[str, list[str]] = field(default_factory=dict)
    """Ticket's remote id → remote ids of all its mails."""
    unreadable: list[str] = field(default_factory=list)
    came_from: dict[str, set[str]] = field(default_factory=dict)
    """Ticket's remote id → tickets that mails of it belonged to before."""
    newest_raw_id: int = 0


def normalise_mailbox(
    engine: Engine,
    client_key: str,
    source_key: str,
    transform: MailTransform,
    now: Callable[[], datetime],
    on_batch: Callable[[NormaliseReport], None] = lambda _report: None,
    region: str | None = None,
) -> NormaliseReport:
    """Places new mails and builds every conversation that changed; silence may have solved others.

    Killed anywhere, the next call does the unmarked work again and ends with the same rows.
    """
    report = NormaliseReport(client_key, source_key)
    as_of = now()
    with reading(engine) as connection:
        work = _find_work(connection, client_key, source_key, transform, as_of)
    if not work.tickets and not work.unreadable:
        return report
    origin = Origin(client_key, source_key, transform.version, as_of)
    people = PeopleLoader(client_key, source_key, region)
    with writing(engine) as connection:
        _keep_keys(connection, origin, work)
    for number, ticket_ids in enumerate([*chunks(work.tickets, TICKETS_PER_BATCH)] or [[]]):
        wanted = [mail for ticket_id in ticket_ids for mail in work.tickets[ticket_id]]
        if number == 0:
            wanted.extend(work.unreadable)
        with reading(engine) as connection:
            records = list(
                raw.latest_records(connection, client_key, source_key, STREAM, remote_ids=wanted)
            )
        parsed = ((record, parse(record)) for record in records)
        batch = build(
            (
                (record, mail, work.index.placements.get(record.remote_id))
                for record, mail in parsed
            ),
            transform.mailbox,
            as_of,
        )
        with writing(engine) as connection:
            changed = write_batch(connection, batch, {STREAM: records}, origin, people)
        report.add(batch, changed)
        on_batch(report)
    with writing(engine) as connection:
        raw.mark_normalised(connection, client_key, source_key, STREAM, work.newest_raw_id)
    return report


def _find_work(
    connection: Connection,
    client_key: str,
    source_key: str,
    transform: MailTransform,
    as_of: datetime,
) -> _Work:
    due = due_records(connection, client_key, source_key, [STREAM])
    state = raw.stream_state(connection, client_key, source_key, STREAM)
    work = _Work(
        ThreadIndex(), newest_raw_id=due.newest_raw_id.get(STREAM, state.normalised_raw_id)
    )
    affected: set[str] = set()
    policy = transform.mailbox
    if policy.solved_after is not None:
        affected.update(
            threads.quiet_tickets(
                connection, client_key, source_key, policy.agent_status, as_of - policy.solved_after
            )
        )
    if due.is_empty and not affected:
        return work
    _load_index(connection, client_key, source_key, work.index)
    headers = []
    for record in raw.latest_records(
        connection, client_key, source_key, STREAM, remote_ids=due.loose_remote_ids.get(STREAM, ())
    ):
        mail = parse(record)
        if isinstance(mail, Rejected):
            work.unreadable.append(record.remote_id)
            # A mail that was withdrawn leaves the conversation that it was part of.
            work.index.mails.pop(record.remote_id, None)
            before = work.index.placements.pop(record.remote_id, None)
            affected.update({before.ticket_remote_id} if before else ())
        else:
            headers.append(mail.headers)
    for placement in place(headers, work.index, transform.threads):
        affected.add(placement.ticket_remote_id)
        if placement.previous_ticket_remote_id:
            affected.add(placement.previous_ticket_remote_id)
            work.came_from.setdefault(placement.ticket_remote_id, set()).add(
                placement.previous_ticket_remote_id
            )
    # A mail given again whose place did not change still has to be built again: its bytes may differ.
    affected.update(
        work.index.placements[mail.remote_id].ticket_remote_id
        for mail in headers
        if mail.remote_id in work.index.placements
    )
    for remote_id, placement in work.index.placements.items():
        if placement.ticket_remote_id in affected:
            work.tickets.setdefault(placement.ticket_remote_id, []).append(remote_id)
    return work


def _load_index(
    connection: Connection, client_key: str, source_key: str, index: ThreadIndex
) -> None:
    for row in threads.placed_mails(connection, client_key, source_key):
        remote_id = row["remote_id"]
        index.mails[remote_id] = MailHeaders(
            remote_id=remote_id,
            message_id=row["message_id"],
            in_reply_to=tuple(row["in_reply_to"] or ()),
            reference_ids=tuple(row["reference_ids"] or ()),
            subject=row["subject"] or "",
            participants=tuple(row["participants"] or ()),
            sent_at=row["created_at"],
            bounced_ids=tuple(row["bounced_ids"] or ()),
        )
        index.placements[remote_id] = Placement(
            remote_id,
            row["ticket_remote_id"],
            row["thread_reason"] or "",
            row["copy_of_remote_id"],
        )


def _keep_keys(connection: Connection, origin: Origin, work: _Work) -> None:
    """Gives a conversation that grew an older root, or that was joined to another, the key it had first.

    Of two conversations that were joined the older key wins; the other's rows go, and its id stands for the
    winner from now on.
    """
    client_key, source_key = origin.client_key, origin.source_key
    joined: set[str] = set()
    for ticket_id, sources in sorted(work.came_from.items()):
        ids = [ticket_id, *sorted(sources)]
        known = aliases.known_keys(connection, client_key, source_key, "ticket", ids)
        keys = list(dict.fromkeys(known[one] for one in ids if one in known))
        if not keys:
            continue
        winner = _oldest(connection, keys)
        gone = [one for one in sources if one not in work.tickets]
        stands_for = dict.fromkeys([ticket_id, *gone], winner)
        aliases.set_aliases(
            connection, client_key, source_key, "ticket", stands_for, "conversations joined"
        )
        lost = {known[one] for one in gone if one in known} - {winner}
        if ticket_id in known and known[ticket_id] != winner:
            lost.add(known[ticket_id])
        joined |= lost
    loading.forget_tickets(connection, sorted(joined))


def _oldest(connection: Connection, ticket_keys: Iterable[str]) -> str:
    """The key that was given first: the one whose ticket began first."""
    keys = list(ticket_keys)
    began = loading.created_at_of(connection, keys)
    known = sorted((began[key], key) for key in keys if key in began)
    return known[0][1] if known else min(keys)
