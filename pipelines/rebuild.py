"""Makes a client's derived rows again from its raw records: after a transform was mended, or to prove them.

Belongs here: what is taken away, in which order everything is made again. Does not belong here: the making
(`normalise`, `normalise_mail`, `duplicates`).

Tickets are written over in place, so that a tick that runs meanwhile never finds a ticket gone, and a change
keeps the instant at which we learned of it. Memory (raw records, keys, timers, decisions, the ledger, the audit
trail) is not touched. Killed anywhere, the next sync or rebuild goes on.
"""

from dataclasses import dataclass, field

from connectors.warehouse import derived
from connectors.warehouse.engine import writing
from pipelines.duplicates import link_duplicates
from pipelines.ingest import Progress, normalise, silent
from pipelines.normalise import NormaliseReport
from pipelines.own_addresses import own_addresses
from pipelines.runtime import Runtime
from pipelines.same_people import SamePeople, match_people_of
from pipelines.wiring import sources_of, wire


@dataclass(slots=True)
class RebuildReport:
    """What a rebuild did; `removed` counts tickets that no raw record stands behind any more."""

    client_key: str
    sources: list[NormaliseReport] = field(default_factory=list)
    removed: int = 0
    people: SamePeople = field(default_factory=SamePeople)
    duplicates: int = 0


def rebuild_client(
    runtime: Runtime, client_key: str, source: str | None = None, progress: Progress = silent
) -> RebuildReport:
    """Normalises everything that a client's sources ever gave, as if nothing had been made of it yet.

    Args:
        runtime: settings, warehouse, clock. Nothing is pulled.
        client_key: whose.
        source: only this source; people are then made again only as far as it tells of them.
        progress: told what is done.

    Raises:
        SettingsError: no such client or source, or a mapping file is wrong: before anything is taken away.
    """
    report = RebuildReport(client_key)
    sources = sources_of(runtime.settings, client_key, [source] if source else [])
    wired = {one.id: wire(runtime.settings, client_key, one, runtime.now) for one in sources}
    with writing(runtime.engine) as connection:
        revision = derived.begin_rebuild(
            connection, client_key, [*wired], with_people=source is None
        )
    for source_key, one in wired.items():
        report.sources.append(normalise(runtime, client_key, source_key, one.transform, progress))
    with writing(runtime.engine) as connection:
        report.removed = derived.end_rebuild(connection, client_key, [*wired], revision)
    report.people = match_people_of(runtime, client_key)
    report.duplicates = link_duplicates(
        runtime.engine, client_key, own_addresses(runtime.settings, client_key)
    )
    return report
