"""Normalises a mailbox: new mails find their conversations, and those conversations are built again.

Belongs here: which mails are read together. Does not belong here: threading and the meaning of mails
(`transforms.threads`, `transforms.mail`).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, Engine

from connectors.warehouse import loading, raw, threads
from connectors.warehouse.engine import reading, writing
from pipelines.mail_keys import give_keys
from pipelines.normalise import NormaliseReport, write_batch
from pipelines.people import PeopleLoader
from transforms.mail import MailboxPolicy, build, parse
from transforms.model import Batch, Rejected
from transforms.rows import Origin
from transforms.thread_marks import headers_of
from transforms.threads import (
    Doubt,
    MailHeaders,
    Placement,
    ThreadDecision,
    ThreadIndex,
    ThreadPolicy,
    place,
)

STREAM = "mails"

VERSION = "mail-3"

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
    withdrawn: list[str] = field(default_factory=list)
    """Mails that were a conversation's last ones and are no mails any more."""
    newest_raw_id: int = 0
    sequence: int = 0
    """Of the stream's normalising transactions, as it was when the work was found and after each of ours."""

    @property
    def alive(self) -> set[str]:
        """Every conversation that has mails."""
        return {placement.ticket_remote_id for placement in self.index.placements.values()}

    def batches(self) -> Iterator[list[str]]:
        """Conversations to be built, in a fixed order: a run that was killed goes on with the same batches.

        Conversations between which mails moved are built in one transaction: were only one of them written,
        nothing would tell the next run that the other one has changed.
        """
        together = {ticket_id: {ticket_id} for ticket_id in self.tickets}
        for ticket_id, sources in self.came_from.items():
            group = set[str]().union(*(together.get(one, ()) for one in (ticket_id, *sources)))
            together.update(dict.fromkeys(group, group))
        batch: dict[str, None] = {}
        given: set[str] = set()
        for ticket_id in sorted(self.tickets):
            if ticket_id in given:
                continue
            given |= together[ticket_id]
            batch.update(dict.fromkeys(sorted(together[ticket_id])))
            if len(batch) >= TICKETS_PER_BATCH:
                yield [*batch]
                batch = {}
        if batch:
            yield [*batch]


def normalise_mailbox(
    engine: Engine,
    client_key: str,
    source_key: str,
    transform: MailTransform,
    now: Callable[[], datetime],
    on_batch: Callable[[NormaliseReport], None] = lambda _report: None,
    region: str | None = None,
    finish: Callable[[Batch], Batch] = lambda batch: batch,
    *,
    is_decided: bool = False,
) -> NormaliseReport:
    """Places new mails and builds every conversation that changed; silence may have solved others.

    With `is_decided` the mails are placed again though none came: a person decided about some.
    Killed anywhere, the next call does the unmarked work again and ends with the same rows. Where another run writes at the
    same time, the one that comes second stops; what it had found is due at the next call.
    """
    report = NormaliseReport(client_key, source_key)
    as_of = now()
    with reading(engine) as connection:
        work = _find_work(
            connection, client_key, source_key, transform, as_of, is_decided=is_decided
        )
    if not work.tickets and not work.unreadable:
        return report
    origin = Origin(client_key, source_key, transform.version, as_of)
    people = PeopleLoader(client_key, source_key, region)
    with suppress(_OvertakenError):
        _write(engine, origin, transform, work, people, finish, report, on_batch)
    return report


class _OvertakenError(Exception):
    """Another run has written meanwhile: the places of mails that this one has read may be no longer so."""


@contextmanager
def _writing(engine: Engine, origin: Origin, work: _Work) -> Iterator[Connection]:
    """A transaction that nothing of another run lies before since `work` was found.

    Two runs that place the same mails at the same time would leave tickets without mails.
    """
    with writing(engine) as connection:
        place = (origin.client_key, origin.source_key, STREAM)
        if not raw.claim_normalisation(connection, *place, work.sequence):
            raise _OvertakenError
        yield connection
    work.sequence += 1


def _write(
    engine: Engine,
    origin: Origin,
    transform: MailTransform,
    work: _Work,
    people: PeopleLoader,
    finish: Callable[[Batch], Batch],
    report: NormaliseReport,
    on_batch: Callable[[NormaliseReport], None],
) -> None:
    client_key, source_key = origin.client_key, origin.source_key
    with _writing(engine, origin, work) as connection:
        give_keys(connection, client_key, source_key, work.came_from, work.alive)
        loading.forget_withdrawn(connection, client_key, source_key, work.withdrawn)
    for number, ticket_ids in enumerate([*work.batches()] or [[]]):
        wanted = [mail for ticket_id in ticket_ids for mail in work.tickets[ticket_id]]
        if number == 0:
            wanted.extend(work.unreadable)
        with reading(engine) as connection:
            records = list(
                raw.latest_records(connection, client_key, source_key, STREAM, remote_ids=wanted)
            )
        # What its source withdrew was no mail: it is given so that it leaves the quarantine, not to enter it.
        parsed = ((record, parse(record)) for record in records if not record.is_tombstone)
        batch = build(
            (
                (record, mail, work.index.placements.get(record.remote_id))
                for record, mail in parsed
            ),
            transform.mailbox,
            origin.recorded_at,
        )
        batch = finish(batch)
        with _writing(engine, origin, work) as connection:
            changed = write_batch(connection, batch, {STREAM: records}, origin, people)
            # Only now: until their mails have moved, a mail's place is known by these rows alone.
            if work.came_from or work.withdrawn:
                loading.forget_emptied(connection, client_key, source_key)
        report.add(batch, changed)
        on_batch(report)
    with _writing(engine, origin, work) as connection:
        raw.mark_normalised(connection, client_key, source_key, STREAM, work.newest_raw_id)


def _find_work(
    connection: Connection,
    client_key: str,
    source_key: str,
    transform: MailTransform,
    as_of: datetime,
    *,
    is_decided: bool,
) -> _Work:
    state = raw.stream_state(connection, client_key, source_key, STREAM)
    due = raw.changed_since(connection, client_key, source_key, STREAM, state.normalised_raw_id)
    newest = due[-1][0] if due else state.normalised_raw_id
    work = _Work(ThreadIndex(), newest_raw_id=newest, sequence=state.normalise_sequence)
    affected: set[str] = set()
    left: dict[str, str] = {}
    policy = transform.mailbox
    if policy.solved_after is not None:
        affected.update(
            threads.quiet_tickets(
                connection, client_key, source_key, policy.agent_status, as_of - policy.solved_after
            )
        )
    if not due and not affected and not is_decided:
        return work
    _load_index(connection, client_key, source_key, work.index)
    headers = []
    for record in raw.latest_records(
        connection,
        client_key,
        source_key,
        STREAM,
        remote_ids=(remote_id for _, remote_id, _ in due),
    ):
        mail = parse(record)
        if isinstance(mail, Rejected):
            work.unreadable.append(record.remote_id)
            # A mail that was withdrawn leaves the conversation that it was part of.
            work.index.mails.pop(record.remote_id, None)
            before = work.index.placements.pop(record.remote_id, None)
            if before is not None:
                affected.add(before.ticket_remote_id)
                left[record.remote_id] = before.ticket_remote_id
        else:
            headers.append(mail.headers)
    known = (*work.index.mails.values(), *headers)
    thread_policy = _policy(connection, client_key, source_key, transform.threads, known)
    for placement in place(headers, work.index, thread_policy):
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
    alive = work.alive
    work.withdrawn = [mail for mail, ticket_id in left.items() if ticket_id not in alive]
    return work


def _load_index(
    connection: Connection, client_key: str, source_key: str, index: ThreadIndex
) -> None:
    for row in threads.placed_mails(connection, client_key, source_key):
        remote_id = row["remote_id"]
        index.mails[remote_id] = headers_of(row)
        doubt = row["thread_doubt"]
        index.placements[remote_id] = Placement(
            remote_id,
            row["ticket_remote_id"],
            row["thread_reason"] or "",
            row["copy_of_remote_id"],
            doubt=Doubt(doubt["ticket_remote_id"], doubt["reason"]) if doubt else None,
        )


def _policy(
    connection: Connection,
    client_key: str,
    source_key: str,
    policy: ThreadPolicy,
    mails: Iterable[MailHeaders],
) -> ThreadPolicy:
    """The settings with what the warehouse knows: which ticket numbers exist, what people decided."""
    numbers = {
        number
        for mail in mails
        for number in (*mail.numbers, *mail.possible_numbers, *mail.text_numbers)
    }
    exist = threads.numbers_that_exist(connection, client_key, numbers)
    decided = threads.decisions(connection, client_key, source_key)
    return replace(
        policy,
        known_numbers=exist | (policy.known_numbers or frozenset()),
        decisions=(*policy.decisions, *(ThreadDecision(**row) for row in decided)),
    )
