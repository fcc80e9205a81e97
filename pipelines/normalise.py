"""Turns new raw records into tickets, comments, changes and people: only what changed is made again.

Belongs here: which records are read together, in which transactions rows are written. Does not belong here:
what a vendor's record means (`transforms`), how a row is written (`connectors.warehouse.loading`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from connectors.warehouse import aliases, loading, raw
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from pipelines.normalise_articles import ArticleReport, ArticleTransform
from pipelines.people import PeopleLoader
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
    """Streams of people, teams, organisations, fields: given whole with every batch."""
    normalise: Callable[[Records], Batch]
    """Raw records of whole tickets, and the reference records, as a batch of the model."""
    versioned_streams: frozenset[str] = frozenset()
    """Streams of which every version is given, not only the latest: their history lies in the differences."""
    articles: ArticleTransform | None = None
    """The source's knowledge base, where it has one."""


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


@dataclass(frozen=True, slots=True)
class Due:
    """What changed in a source since it was last normalised."""

    newest_raw_id: Mapping[str, int]
    """Stream → the newest version that is taken in now."""
    ticket_remote_ids: tuple[str, ...]
    loose_remote_ids: Mapping[str, tuple[str, ...]]
    """Stream → changed records that belong to no ticket."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not self.newest_raw_id


def due_records(
    connection: Connection, client_key: str, source_key: str, streams: Iterable[str]
) -> Due:
    """What was stored since the last normalisation, stream by stream."""
    newest: dict[str, int] = {}
    tickets: dict[str, None] = {}
    loose: dict[str, tuple[str, ...]] = {}
    for stream in streams:
        state = raw.stream_state(connection, client_key, source_key, stream)
        changed = raw.changed_since(
            connection, client_key, source_key, stream, state.normalised_raw_id
        )
        if not changed:
            continue
        newest[stream] = changed[-1][0]
        tickets.update((ticket_id, None) for _, _, ticket_id in changed if ticket_id is not None)
        alone = tuple(
            dict.fromkeys(remote_id for _, remote_id, ticket_id in changed if ticket_id is None)
        )
        if alone:
            loose[stream] = alone
    return Due(newest, tuple(tickets), loose)


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
    streams = (*transform.reference_streams, *transform.ticket_streams)
    with reading(engine) as connection:
        due = due_records(connection, client_key, source_key, streams)
        if due.is_empty:
            return report
        references = {
            stream: list(raw.latest_records(connection, client_key, source_key, stream))
            for stream in transform.reference_streams
        }
        ticket_remote_ids = dict.fromkeys(due.ticket_remote_ids)
        if not due.newest_raw_id.keys().isdisjoint(transform.reference_streams):
            since = now() - LATE_PEOPLE
            ticket_remote_ids |= dict.fromkeys(
                loading.tickets_without_people(connection, client_key, source_key, since)
            )
    origin = Origin(client_key, source_key, transform.version, now())
    people = PeopleLoader(client_key, source_key, region)
    first = True
    for ticket_ids in [*chunks(ticket_remote_ids, TICKETS_PER_BATCH)] or [[]]:
        with reading(engine) as connection:
            records = references | {
                stream: _of_tickets(
                    connection, origin, transform, stream, ticket_ids, due if first else None
                )
                for stream in transform.ticket_streams
            }
        batch = finish(transform.normalise(records))
        with writing(engine) as connection:
            report.add(batch, write_batch(connection, batch, records, origin, people))
        on_batch(report)
        first = False
    with writing(engine) as connection:
        for stream, raw_id in due.newest_raw_id.items():
            raw.mark_normalised(connection, client_key, source_key, stream, raw_id)
    return report


def _of_tickets(
    connection: Connection,
    origin: Origin,
    transform: SourceTransform,
    stream: str,
    ticket_ids: Sequence[str],
    due: Due | None,
) -> list[RawRecord]:
    """The latest records of these tickets; with the first batch also those that name no ticket at all."""
    records = list(
        raw.latest_records(
            connection,
            origin.client_key,
            origin.source_key,
            stream,
            ticket_remote_ids=ticket_ids,
            every_version=stream in transform.versioned_streams,
        )
    )
    loose = due.loose_remote_ids.get(stream, ()) if due else ()
    if loose:
        records.extend(
            raw.latest_records(
                connection, origin.client_key, origin.source_key, stream, remote_ids=loose
            )
        )
    return records


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
    }
