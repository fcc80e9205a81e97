"""Fetches what changed in the last seconds, ahead of the exports that leave it out.

Belongs here: asking sources for hints, fetching what they name, normalising it. Does not belong here: how a source
is asked (`connectors`), the loop (`watch`).

Hints are only that: one that is lost costs nothing but the minutes until the next sync, which stays the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.contract import Cursor, Hinting, Reconcilable
from connectors.errors import ConnectorError
from connectors.warehouse import raw
from connectors.warehouse.engine import reading
from pipelines.fetched import fetch_and_store
from pipelines.ingest import named, normalise
from pipelines.runtime import Runtime
from pipelines.settings import SourceSettings
from pipelines.wiring import Wired, sources_of, wire

STREAM = "tickets"


@dataclass(slots=True)
class FastLaneReport:
    """What one pass of the fast lane brought for a client."""

    client_key: str
    hinted: int = 0
    stored: int = 0
    tickets: int = 0
    calls: int = 0
    errors: list[ConnectorError] = field(default_factory=list)


class FastLane:
    """A client's sources that can be asked what changed; remembers where it asked last, for its own life."""

    def __init__(self, runtime: Runtime, client_key: str, only: Sequence[str] = ()) -> None:
        """Wires the sources; makes no call.

        Raises:
            SettingsError: no such client or source, or a mapping file is wrong.
        """
        self._runtime = runtime
        self._client_key = client_key
        self._cursors: dict[str, Cursor] = {}
        self._sources: list[tuple[SourceSettings, Wired]] = []
        for settings in sources_of(runtime.settings, client_key, only):
            wired = wire(runtime.settings, client_key, settings, runtime.now, runtime.stores)
            if isinstance(wired.source, Hinting) and isinstance(wired.source, Reconcilable):
                self._sources.append((settings, wired))

    @property
    def source_keys(self) -> list[str]:
        """The sources that it asks."""
        return [settings.id for settings, _ in self._sources]

    def run(self) -> FastLaneReport:
        """Asks each source once; a source that fails is reported and asked again the next time."""
        report = FastLaneReport(self._client_key)
        for settings, wired in self._sources:
            try:
                self._one(settings, wired, report)
            except ConnectorError as error:
                report.errors.append(named(error, self._client_key, settings))
        return report

    def _one(self, settings: SourceSettings, wired: Wired, report: FastLaneReport) -> None:
        source: Any = wired.source
        with reading(self._runtime.engine) as connection:
            state = raw.stream_state(connection, self._client_key, settings.id, STREAM)
        if state.sequence == 0:
            # Nothing was ever pulled: the first sync brings all, and until then nothing is compared.
            return
        hints = source.newest(self._cursors.get(settings.id))
        report.hinted += len(hints.ticket_remote_ids)
        fetched = fetch_and_store(
            self._runtime,
            self._client_key,
            settings.id,
            source,
            STREAM,
            hints.ticket_remote_ids,
        )
        # Only now: had the fetching failed, the same tickets would be asked for again.
        self._cursors[settings.id] = hints.cursor
        report.calls += fetched.calls
        report.stored += fetched.stored
        if hints.ticket_remote_ids:
            # Whatever was stored: who stored it before may have died ahead of this.
            done = normalise(self._runtime, self._client_key, settings.id, wired.transform)
            report.tickets += done.tickets
