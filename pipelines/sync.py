"""Pulls a source's streams into raw records: a page and its cursor in one transaction.

Belongs here: the loop from source to `raw_record`. Does not belong here: what records mean (`normalise`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from connectors.contract import Source
from connectors.errors import CursorExpiredError
from connectors.warehouse import raw
from connectors.warehouse.engine import reading, writing


@dataclass(slots=True)
class StreamReport:
    """What one pull of a stream did."""

    stream: str
    pages: int = 0
    seen: int = 0
    stored: int = 0
    calls: int = 0
    seconds_waited: float = 0.0
    notes: list[str] = field(default_factory=list)
    """What the source tells a person of this reading."""


@dataclass(slots=True)
class SyncReport:
    """What one sync of a source did."""

    client_key: str
    source_key: str
    streams: list[StreamReport] = field(default_factory=list)

    def total(self, figure: str) -> float:
        """The sum of one figure over the streams."""
        return float(sum(getattr(stream, figure) for stream in self.streams))


def sync_source(
    engine: Engine,
    client_key: str,
    source_key: str,
    source: Source,
    now: Callable[[], datetime],
    on_page: Callable[[StreamReport], None] = lambda _report: None,
    report: SyncReport | None = None,
    from_start: bool = False,
) -> SyncReport:
    """Pulls every stream of a source until it is complete for now.

    Killed anywhere, the next call goes on behind the last committed page.

    Args:
        engine: the warehouse.
        client_key: whose.
        source_key: the source's id.
        source: what is read.
        now: the clock.
        on_page: told after each page.
        report: filled while it goes on, so that it says what was stored even where this raises.
        from_start: what is new first, then everything once more from the beginning. Equal records change nothing; what
            an earlier version did not read with them comes. Killed after its first page, the next call goes on with it.

    Raises:
        ConnectorError: what the source or the warehouse raised; pages committed before it stay.
    """
    report = report or SyncReport(client_key, source_key)
    for stream in source.streams:
        stream_report = StreamReport(stream)
        report.streams.append(stream_report)
        restart = from_start
        try:
            # Also before all is read again: only a cursor that is taken up tells what left a list meanwhile.
            _pull(engine, client_key, source_key, source, stream_report, now, on_page)
        except CursorExpiredError:
            # The source no longer knows the cursor: its window is read again; equal records change nothing.
            restart = True
        if restart:
            _pull(engine, client_key, source_key, source, stream_report, now, on_page, restart=True)
    return report


def _pull(
    engine: Engine,
    client_key: str,
    source_key: str,
    source: Source,
    report: StreamReport,
    now: Callable[[], datetime],
    on_page: Callable[[StreamReport], None],
    restart: bool = False,
) -> None:
    with reading(engine) as connection:
        state = raw.stream_state(connection, client_key, source_key, report.stream)
    sequence = state.sequence
    volatile = source.volatile_fields.get(report.stream, ())
    for page in source.pull(report.stream, None if restart else state.cursor):
        with writing(engine) as connection:
            stored = raw.store_page(
                connection,
                client_key,
                source_key,
                report.stream,
                page,
                sequence=sequence,
                fetched_at=now(),
                volatile=volatile,
            )
        sequence += 1
        report.pages += 1
        report.seen += stored.seen
        report.stored += stored.stored
        report.calls += page.calls
        report.seconds_waited += page.seconds_waited
        report.notes.extend(page.notes)
        on_page(report)
