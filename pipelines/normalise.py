"""Turns new raw records into tickets, comments, changes and people: only what changed is made again.

Belongs here: which records are read together, in which transactions rows are written. Does not belong here:
what a vendor's record means (`transforms`), how a row is written (`connectors.warehouse.loading`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from connectors.warehouse import aliases, loading, raw
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from pipelines.due import batches, due_work
from pipelines.normalise_articles import ArticleReport, ArticleTransform
from pipelines.people import PeopleLoader
from pipelines.references import References
from transforms.mapping import FileMapping
from transforms.model import Batch, DataWarning, RawRecord
from transforms.rows import Keys, Origin, TicketRows, ticket_rows

TICKETS_PER_BATCH = 1_000
"""Tickets normalised and written in one transaction: bounds memory and how long a writer holds the database."""

LATE_PEOPLE = timedelta(days=1)
"""How long a ticket may wait for people whom it names and whom the source has not told yet."""

Records = Mapping[str, Sequence[RawRecord]]


@dataclass(frozen=True, slots=True)
class SourceTransform:
    """A transform whose records name their ticket (everything but mail), and what it wants to be given."""

    version: str
    ticket_streams: tuple[str, ...]
    """Streams whose records belong to a ticket (`ticket_remote_id`)."""
    reference_streams: tuple[str, ...]
    """Streams of people, teams, organisations, fields: given with every batch, whole but for `people_streams`."""
    normalise: Callable[[Records], Batch]
    """Raw records of whole tickets, and the reference records, as a batch of the model."""
    versioned_streams: frozenset[str] = frozenset()
    """Streams of which every version is given, not only the latest: their history lies in the differences."""
    people_streams: tuple[str, ...] = ()
    """Reference streams of many numbered records: a batch is given those that it names, people before organisations."""
    articles: ArticleTransform | None = None
    """The source's knowledge base, where it has one."""
    mapping: FileMapping | None = None
    """What a file export's columns mean."""


@dataclass(slots=True)
class NormaliseReport:
    """What one normalisation of a source did."""

    client_key: str
    source_key: str
    tickets: int = 0
    comments: int = 0
    changes: int = 0
    articles: int = 0
    quarantined: int = 0
    rows_changed: int = 0
    warnings: list[DataWarning] = field(default_factory=list)

    def add(self, batch: Batch, rows_changed: int) -> None:
        """Adds up one batch."""
        self.tickets += len(batch.tickets)
        self.comments += len(batch.comments)
        self.changes += len(batch.changes)
        self.quarantined += len(batch.rejected)
        self.rows_changed += rows_changed
        self.warnings.extend(batch.warnings)

    def add_articles(self, done: ArticleReport) -> None:
        """Adds up what was made of the knowledge base."""
        self.articles += done.articles
        self.quarantined += done.quarantined
        self.rows_changed += done.rows_changed
        self.warnings.extend(done.warnings)


def normalise_source(
    engine: Engine,
    client_key: str,
    source_key: str,
    transform: SourceTransform,
    now: Callable[[], datetime],
    on_batch: Callable[[NormaliseReport], None] = lambda _report: None,
    region: str | None = None,
    finish: Callable[[Batch], Batch] = lambda batch: batch,
) -> NormaliseReport:
    """Normalises every ticket that has a new raw version, in batches; then marks the versions as taken in.

    Killed anywhere, the next call does the unmarked work again and ends with the same rows. `finish` is what
    the client's own rules make of each batch (triage).
    """
    report = NormaliseReport(client_key, source_key)
    others = [one for one in transform.reference_streams if one not in transform.people_streams]
    with reading(engine) as connection:
        due = due_work(
            connection,
            client_key,
            source_key,
            ticket_streams=transform.ticket_streams,
            people_streams=transform.people_streams,
            other_streams=others,
        )
        if due.is_empty:
            return report
        references = References(
            connection, client_key, source_key, others, transform.people_streams
        )
        late: dict[str, None] = {}
        if not due.newest_raw_id.keys().isdisjoint(transform.reference_streams):
            since = now() - LATE_PEOPLE
            late = dict.fromkeys(
                loading.tickets_without_people(connection, client_key, source_key, since)
            )
    origin = Origin(client_key, source_key, transform.version, now())
    people = PeopleLoader(client_key, source_key, region)

    def take_in(given: _Given) -> None:
        with reading(engine) as connection:
            records = _records(connection, origin, transform, given, references)
        batch = finish(transform.normalise(records))
        with writing(engine) as connection:
            report.add(batch, write_batch(connection, batch, records, origin, people))
        on_batch(report)

    loose = due.loose_remote_ids
    for people_raw_ids, ticket_raw_ids in batches(due, TICKETS_PER_BATCH):
        with reading(engine) as connection:
            changed: dict[str, list[str]] = {}
            for stream, remote_id, _ in raw.named_by(connection, people_raw_ids):
                changed.setdefault(stream, []).append(remote_id)
            named = raw.named_by(connection, ticket_raw_ids)
        ticket_ids = [ticket_id for _, _, ticket_id in named if ticket_id is not None]
        take_in(_Given(ticket_ids, changed, loose))
        loose = {}
        for ticket_id in ticket_ids:
            late.pop(ticket_id, None)
    for ticket_ids in chunks(late, TICKETS_PER_BATCH):
        take_in(_Given(ticket_ids, {}, {}))
    with writing(engine) as connection:
        for stream, raw_id in due.newest_raw_id.items():
            raw.mark_normalised(connection, client_key, source_key, stream, raw_id)
    return report


@dataclass(frozen=True, slots=True)
class _Given:
    """What one batch is made of: tickets, and by stream changed people and records that name no ticket."""

    ticket_ids: Sequence[str]
    people: Mapping[str, Sequence[str]]
    loose: Mapping[str, Sequence[str]]


def _records(
    connection: Connection,
    origin: Origin,
    transform: SourceTransform,
    given: _Given,
    references: References,
) -> dict[str, list[RawRecord]]:
    """The latest records of a batch's tickets, the loose ones, and the people and all else that they name."""
    source = (origin.client_key, origin.source_key)
    records: dict[str, list[RawRecord]] = {}
    for stream in transform.ticket_streams:
        records[stream] = [
            *raw.latest_records(
                connection,
                *source,
                stream,
                ticket_remote_ids=given.ticket_ids,
                every_version=stream in transform.versioned_streams,
            ),
            *raw.latest_records(
                connection, *source, stream, remote_ids=given.loose.get(stream, ())
            ),
        ]
    return references.given_with(connection, records, given.people) | records


def write_batch(
    connection: Connection, batch: Batch, records: Records, origin: Origin, people: PeopleLoader
) -> int:
    """Gives keys, writes people, tickets and quarantine of one batch; returns how many rows changed."""
    origin = replace(origin, revision=loading.next_revision(connection, origin.client_key))
    changed = people.load(connection, batch)
    keys = Keys(
        ticket=ticket_keys(connection, batch, origin),
        person=people.person,
        organisation=people.organisation,
        team=people.team,
    )
    rows = ticket_rows(batch, keys, origin)
    changed += loading.write_tickets(connection, rows.ticket_keys, by_table(rows))
    loading.write_quarantine(
        connection,
        origin.client_key,
        origin.source_key,
        batch.rejected,
        {stream: [record.remote_id for record in given] for stream, given in records.items()},
        origin.transform_version,
        origin.recorded_at,
    )
    return changed


def ticket_keys(connection: Connection, batch: Batch, origin: Origin) -> dict[str, str]:
    """Remote id → our key for the batch's tickets, and for those that others were merged into."""
    keys = aliases.keys_for(
        connection,
        origin.client_key,
        origin.source_key,
        "ticket",
        (ticket.remote_id for ticket in batch.tickets),
    )
    merged_into = {ticket.merged_into_remote_id for ticket in batch.tickets} - {None}
    return keys | aliases.keys_for(
        connection,
        origin.client_key,
        origin.source_key,
        "ticket",
        sorted(filter(None, merged_into)),
    )


def by_table(rows: TicketRows) -> dict[str, list[dict[str, object]]]:
    """Table name → rows."""
    return {
        "ticket": rows.ticket,
        "comment": rows.comment,
        "ticket_change": rows.ticket_change,
        "attachment": rows.attachment,
        "satisfaction_rating": rows.satisfaction_rating,
        "ticket_link": rows.ticket_link,
        "source_sla_event": rows.source_sla_event,
        "ticket_name": rows.ticket_name,
    }
