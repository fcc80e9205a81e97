"""Compares what a source holds with what is here, fetches what is missing, marks what vanished. Nightly.

Belongs here: what counts as a difference and what is done about it. Does not belong here: how a source is listed
(`connectors`), what the records mean (`normalise`).

A sync runs first, so that what is merely new is not taken for lost. Nothing is concluded from a list that could
not be read to its end. A record that the list does not have is asked for by its id before it becomes a tombstone;
where more of them vanish at once than a helpdesk loses in a night, nothing is marked: a credential that sees less
than it did looks the same.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.contract import Listed, Reconcilable, Recounting
from connectors.errors import ConnectorError
from connectors.warehouse import inventory
from connectors.warehouse.engine import reading
from pipelines.fetched import Fetched, FetchedById, fetch_and_store
from pipelines.ingest import ingest_source, named, normalise
from pipelines.recount import Recounted, recount_stream
from pipelines.runtime import Runtime
from pipelines.settings import SourceSettings
from pipelines.wiring import sources_of, wire

VANISHED_AT_ONCE = 50
VANISHED_SHARE = 0.1
"""More vanished records than both of these are marked only where a person has said so."""

MOST_REPAIRS = 5_000
"""Records of a stream that one pass fetches at most; the rest is said, and left to the next pass."""

Progress = Callable[[str, str, int], None]


@dataclass(slots=True)
class StreamDifference:
    """What one stream's comparison found and did. All figures count records."""

    stream: str
    listed: int = 0
    """At the source, not counting what it lists as deleted: comparable with `here`."""
    here: int = 0
    """Here before the pass, not counting what is marked as gone."""
    arrived: int = 0
    """Not here because they came or changed while the pass ran; fetched."""
    missing: int = 0
    """At the source and not here, though the sync had gone by; fetched."""
    differing: int = 0
    """Here in an older state, or with another number of comments; fetched."""
    vanished: int = 0
    """Here and not at the source any more; marked as gone once their id gave nothing."""
    fetched: int = 0
    """Records that the fetching brought which were new or changed."""
    remaining: int = 0
    """Differences that are still there after the pass."""
    disputed: int = 0
    """Read again whole, and the source's own count of comments is still another one; listed, not a failure."""
    examples: list[str] = field(default_factory=list)
    """Some ids with what was wrong, for people."""

    @property
    def lost(self) -> int:
        """What the syncs had not brought, or brought wrong."""
        return self.missing + self.differing


@dataclass(slots=True)
class SourceDifference:
    """One source's comparison; `error` says why it could not be made."""

    source_key: str
    streams: list[StreamDifference] = field(default_factory=list)
    calls: int = 0
    is_comparable: bool = True
    error: ConnectorError | None = None


@dataclass(slots=True)
class Reconciled:
    """What a pass over a client's sources found."""

    client_key: str
    sources: list[SourceDifference] = field(default_factory=list)

    @property
    def errors(self) -> list[ConnectorError]:
        """Why sources could not be compared."""
        return [one.error for one in self.sources if one.error is not None]

    def total(self, figure: str) -> int:
        """The sum of one figure over all streams."""
        return sum(int(getattr(stream, figure)) for one in self.sources for stream in one.streams)

    @property
    def agrees(self) -> bool:
        """Whether every source was compared and nothing differs any more."""
        return not self.errors and self.total("remaining") == 0


def reconcile_client(
    runtime: Runtime,
    client_key: str,
    only: Sequence[str] = (),
    *,
    many_vanished: bool = False,
    progress: Progress = lambda _source, _what, _count: None,
) -> Reconciled:
    """Compares a client's sources with the warehouse and mends what differs.

    Args:
        runtime: settings, engine, clock.
        client_key: whose.
        only: ids of sources; all when empty.
        many_vanished: whether a person has said that many records are really gone.
        progress: told of each step.

    Raises:
        SettingsError: no such client or source, or a mapping or policy file is wrong.
    """
    report = Reconciled(client_key)
    for settings in sources_of(runtime.settings, client_key, only):
        outcome = SourceDifference(settings.id)
        report.sources.append(outcome)
        synced = ingest_source(runtime, client_key, settings, progress)
        if synced.error is not None:
            outcome.error = synced.error
            continue
        try:
            _reconcile_source(runtime, client_key, settings, outcome, many_vanished, progress)
        except ConnectorError as error:
            outcome.error = named(error, client_key, settings)
    return report


def _reconcile_source(
    runtime: Runtime,
    client_key: str,
    settings: SourceSettings,
    outcome: SourceDifference,
    many_vanished: bool,
    progress: Progress,
) -> None:
    wired = wire(runtime.settings, client_key, settings, runtime.now, runtime.stores)
    source = wired.source
    if isinstance(source, Recounting):
        for stream in source.streams:
            recounted = recount_stream(
                runtime,
                client_key,
                settings.id,
                source,
                stream,
                lambda stored, stream=stream: progress(settings.id, f"{stream} mended", stored),  # type: ignore[misc]
            )
            outcome.streams.append(_difference_of(stream, recounted))
            outcome.calls += recounted.calls
        normalise(runtime, client_key, settings.id, wired.transform, progress)
        return
    if not isinstance(source, Reconcilable):
        outcome.is_comparable = False
        return
    comparisons = []
    for stream in source.reconciled_streams:
        difference = StreamDifference(stream)
        outcome.streams.append(difference)
        comparison = _Comparison(runtime, client_key, settings.id, difference, runtime.now())
        progress(settings.id, f"{stream} listed", 0)
        for page in source.inventory(stream):
            comparison.take(page)
            progress(settings.id, f"{stream} listed", difference.listed)
        comparison.find_vanished(many_vanished)
        outcome.calls += _fetch(runtime, client_key, settings.id, source, comparison, progress)
        comparisons.append(comparison)
    normalise(runtime, client_key, settings.id, wired.transform, progress)
    for comparison in comparisons:
        comparison.count_again()


def _difference_of(stream: str, found: Recounted) -> StreamDifference:
    """A mailbox's recount in the figures of a comparison; mails that are gone there stay here and are told only."""
    examples = [
        f"{one.name}: {one.missing} of {one.listed} were not here"
        for one in found.containers
        if one.missing
    ]
    if found.gone:
        examples.append(f"{len(found.gone)} are on the server no more; their records stay")
    return StreamDifference(
        stream,
        listed=found.total("listed"),
        here=found.here,
        arrived=found.total("arrived"),
        missing=found.total("missing"),
        fetched=found.stored,
        examples=examples,
    )


class _Comparison:
    """One stream's list against what is here. Holds the ids of the stream, nothing else."""

    def __init__(
        self,
        runtime: Runtime,
        client_key: str,
        source_key: str,
        difference: StreamDifference,
        began_at: datetime,
    ) -> None:
        self.engine = runtime.engine
        self.place = (client_key, source_key, difference.stream)
        self.difference = difference
        self.began_at = began_at
        self.wanted: dict[str, str] = {}
        """Remote id → what is wrong with it."""
        self._seen: set[str] = set()
        self._counted: dict[str, Listed] = {}
        """Tickets to be mended, as the source lists and counts them."""

    def take(self, page: Sequence[Listed]) -> None:
        """Compares one page of the source's list."""
        page = [one for one in page if one.remote_id not in self._seen]
        self._seen.update(one.remote_id for one in page)
        self.difference.listed += sum(not one.is_tombstone for one in page)
        remote_ids = [one.remote_id for one in page]
        counted = [one.remote_id for one in page if one.children is not None]
        client_key, source_key, _ = self.place
        with reading(self.engine) as connection:
            known = inventory.known_records(connection, *self.place, remote_ids)
            comments = inventory.comment_counts(connection, client_key, source_key, counted)
        for one in page:
            fault = _fault(one, known.get(one.remote_id), comments.get(one.remote_id, 0))
            if fault is None:
                continue
            if one.updated_at is not None and one.updated_at >= self.began_at:
                self.difference.arrived += 1
            elif fault == MISSING:
                self.difference.missing += 1
            else:
                self.difference.differing += 1
            self._want(one.remote_id, fault)
            if one.children is not None and not one.is_tombstone:
                self._counted[one.remote_id] = one

    def find_vanished(self, many_vanished: bool) -> None:
        """Finds what is here and was not in the list; call it when the list was read to its end.

        Raises:
            ConnectorError: more is gone than can be believed.
        """
        vanished = []
        with reading(self.engine) as connection:
            for remote_id in inventory.live_ids(connection, *self.place):
                self.difference.here += 1
                if remote_id not in self._seen:
                    vanished.append(remote_id)
        limit = max(VANISHED_AT_ONCE, VANISHED_SHARE * self.difference.here)
        if len(vanished) > limit and not many_vanished:
            self.difference.remaining += len(vanished)
            raise ConnectorError(
                f"{len(vanished)} of {self.difference.here} records of {self.difference.stream} are not at the "
                "source any more, more than is plausible in a night. Nothing was marked. Check that the credential "
                "still sees everything; if they are really gone: deskbridge reconcile --many-vanished"
            )
        self.difference.vanished = len(vanished)
        for remote_id in vanished:
            self._want(remote_id, VANISHED)

    def remain(self, remote_ids: Iterable[str]) -> None:
        """Notes what could not be settled."""
        self.difference.remaining += sum(1 for _ in remote_ids)

    def count_again(self) -> None:
        """Notes whose comments still differ in number after all was read again and normalised."""
        client_key, source_key, _ = self.place
        with reading(self.engine) as connection:
            here = inventory.comment_counts(connection, client_key, source_key, list(self._counted))
        for remote_id, listed in self._counted.items():
            if listed.counts_otherwise(here.get(remote_id, 0)):
                self.difference.disputed += 1

    def _want(self, remote_id: str, fault: str) -> None:
        self.wanted[remote_id] = fault
        if len(self.difference.examples) < 10:
            self.difference.examples.append(f"{remote_id}: {fault}")


MISSING = "not here"
VANISHED = "not at the source any more"


def _fault(listed: Listed, known: inventory.Known | None, comments: int) -> str | None:
    """What is wrong with a listed record, None where nothing is."""
    if known is None:
        return MISSING
    if listed.is_tombstone != known.is_tombstone:
        return "gone at the source" if listed.is_tombstone else "back at the source"
    at = known.source_updated_at
    if listed.updated_at is not None and at is not None and listed.updated_at > at:
        return f"here as of {at:%Y-%m-%d %H:%M:%S}, changed since"
    if not listed.is_tombstone and listed.counts_otherwise(comments):
        return f"{comments} comments here, {listed.children} at the source"
    return None


def _fetch(
    runtime: Runtime,
    client_key: str,
    source_key: str,
    source: FetchedById,
    comparison: _Comparison,
    progress: Progress,
) -> int:
    """Fetches what differs and stores it; returns the calls it took."""
    difference = comparison.difference
    wanted = list(comparison.wanted)
    comparison.remain(wanted[MOST_REPAIRS:])
    wanted = wanted[:MOST_REPAIRS]

    def on_page(done: Fetched) -> None:
        difference.fetched = done.stored
        progress(source_key, f"{difference.stream} mended", done.stored)

    fetched = fetch_and_store(
        runtime, client_key, source_key, source, difference.stream, wanted, on_page
    )
    comparison.remain(set(wanted) - fetched.answered)
    return fetched.calls
