"""One client's way from its sources to clean tickets: sync, normalise, find duplicates.

Belongs here: the order of these steps, and that one source's failure leaves the others alone. Does not belong
here: the steps themselves.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from connectors.contract import Source
from connectors.errors import ConfigurationError, ConnectorError, UnavailableError
from connectors.warehouse import derived
from connectors.warehouse.engine import reading
from connectors.warehouse.raw import CursorMovedError
from pipelines.duplicates import link_duplicates
from pipelines.normalise import NormaliseReport, SourceTransform, normalise_source
from pipelines.normalise_articles import normalise_articles
from pipelines.normalise_mail import MailTransform, normalise_mailbox
from pipelines.own_addresses import own_addresses
from pipelines.rules import triage_rules
from pipelines.runtime import Runtime
from pipelines.same_people import SamePeople, match_people_of
from pipelines.settings import SettingsError, SourceSettings
from pipelines.sync import StreamReport, SyncReport, sync_source
from pipelines.triage import triaged
from pipelines.wiring import MAPPING_MARK, Wired, label_of, sources_of, wire
from transforms.identity_values import region_of_zone
from transforms.model import Batch

Progress = Callable[[str, str, int], None]
"""(source, what, how many so far)"""


@dataclass(slots=True)
class SourceOutcome:
    """What became of one source in a run; `error` is set where it failed, and says what to do.

    `sync` counts what was stored before a failure too.
    """

    source_key: str
    sync: SyncReport | None = None
    normalise: NormaliseReport | None = None
    made_otherwise: int = 0
    """Tickets and records in quarantine that were read by an earlier state of the source's mapping."""
    error: ConnectorError | None = None

    @property
    def is_left_to_another(self) -> bool:
        """Whether another run was found reading the source: it goes on, and nothing has failed."""
        return isinstance(self.error, CursorMovedError)


@dataclass(slots=True)
class IngestReport:
    """What one run brought for a client."""

    client_key: str
    sources: list[SourceOutcome] = field(default_factory=list)
    people: SamePeople = field(default_factory=SamePeople)
    duplicates: int = 0

    @property
    def errors(self) -> list[ConnectorError]:
        """The failures of the run; the other sources went through."""
        return [outcome.error for outcome in self.sources if outcome.error is not None]


def silent(_source: str, _what: str, _count: int) -> None:
    """No progress."""


def ingest_client(
    runtime: Runtime,
    client_key: str,
    only: Sequence[str] = (),
    progress: Progress = silent,
    from_start: bool = False,
) -> IngestReport:
    """Syncs and normalises a client's sources, then links duplicate tickets across them.

    A source that fails is reported and leaves the others alone; what it committed before stays. `from_start` reads all
    streams once more from their beginning (`sync_source`).

    Raises:
        SettingsError: no such client or source, or a mapping is wrong: before anything is pulled.
    """
    report = IngestReport(client_key)
    sources = sources_of(runtime.settings, client_key, only)
    wired = {
        source.id: wire(runtime.settings, client_key, source, runtime.now, runtime.stores)
        for source in sources
    }
    for source in sources:
        outcome = ingest_source(runtime, client_key, source, progress, wired[source.id], from_start)
        report.sources.append(outcome)
    report.people = match_people_of(runtime, client_key, at_once=False)
    report.duplicates = link_duplicates(
        runtime.engine, client_key, own_addresses(runtime.settings, client_key)
    )
    _finish_erasures(runtime, client_key)
    return report


def _finish_erasures(runtime: Runtime, client_key: str) -> None:
    """Carries an erasure that was killed to its end; where that cannot be done now, the next sync does it."""
    # Erasing makes tickets again by this module.
    from pipelines.erasure import finish_erasures

    with suppress(UnavailableError):
        finish_erasures(runtime, client_key)


def ingest_source(
    runtime: Runtime,
    client_key: str,
    settings: SourceSettings,
    progress: Progress = silent,
    wired: Wired | None = None,
    from_start: bool = False,
) -> SourceOutcome:
    """Syncs and normalises one source; a failure stands in the outcome.

    Where triage rules cannot be read, what is new is pulled and kept, and normalised once they can be.
    """
    wired = wired or wire(runtime.settings, client_key, settings, runtime.now, runtime.stores)
    outcome = SourceOutcome(settings.id)
    outcome.sync = SyncReport(client_key, settings.id)
    try:
        _pull(runtime, client_key, settings, wired.source, progress, outcome.sync, from_start)
    except ConnectorError as error:
        outcome.error = error
    # What was pulled before a failure is normalised all the same: it is committed and whole.
    try:
        outcome.normalise = normalise(runtime, client_key, settings.id, wired.transform, progress)
        outcome.made_otherwise = _made_otherwise(runtime, client_key, settings.id, wired.transform)
    except SettingsError as error:
        waiting = ConfigurationError(
            f"{error}. Its triage rules are needed to read tickets: what was pulled is kept, and read by the next "
            "sync after the file is right"
        )
        outcome.error = outcome.error or named(waiting, client_key, settings)
    return outcome


def _made_otherwise(
    runtime: Runtime, client_key: str, source_key: str, transform: SourceTransform | MailTransform
) -> int:
    if isinstance(transform, MailTransform) or MAPPING_MARK not in transform.version:
        return 0
    with reading(runtime.engine) as connection:
        return derived.made_otherwise(
            connection, client_key, source_key, transform.version, MAPPING_MARK
        )


def named(error: ConnectorError, client_key: str, settings: SourceSettings) -> ConnectorError:
    """The error, with the client and the source it is about."""
    label = label_of(client_key, settings)
    return error if label in str(error) else type(error)(f"{label}: {error}")


def normalise(
    runtime: Runtime,
    client_key: str,
    source_key: str,
    transform: SourceTransform | MailTransform,
    progress: Progress = silent,
) -> NormaliseReport:
    """Normalises what is new in one source, mailbox or not."""
    region = region_of_zone(runtime.settings.client(client_key).time_zone)

    rules = triage_rules(runtime.settings, client_key)

    def on_batch(done: NormaliseReport) -> None:
        progress(source_key, "tickets", done.tickets)

    def finish(batch: Batch) -> Batch:
        return triaged(batch, rules, source_key)

    work = (runtime.engine, client_key, source_key)
    if isinstance(transform, MailTransform):
        return normalise_mailbox(*work, transform, runtime.now, on_batch, region, finish)
    report = normalise_source(*work, transform, runtime.now, on_batch, region, finish)
    if transform.articles is not None:
        # Behind the people, whom articles name as their authors.
        report.add_articles(normalise_articles(*work, transform.articles, runtime.now))
    return report


def _pull(
    runtime: Runtime,
    client_key: str,
    settings: SourceSettings,
    source: Source,
    progress: Progress,
    report: SyncReport,
    from_start: bool,
) -> None:
    def on_page(done: StreamReport) -> None:
        progress(settings.id, done.stream, done.seen)

    try:
        sync_source(
            runtime.engine,
            client_key,
            settings.id,
            source,
            runtime.now,
            on_page,
            report,
            from_start,
        )
    except ConnectorError as error:
        raise named(error, client_key, settings) from error
