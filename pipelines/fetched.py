"""Fetches records by their ids and stores them: the one loop of the fast lane, the webhooks and the reconciliation.

Belongs here: pieces, calls, what came. Does not belong here: which ids, and why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from connectors.contract import Page
from connectors.warehouse import raw
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import writing
from pipelines.runtime import Runtime
from transforms.model import RawRecord

FETCHED_AT_ONCE = 100
"""Records asked for by id in one step; what came is stored before the next."""


class FetchedById(Protocol):
    """What of a source is needed here (`contract.Source`, `contract.Reconcilable`)."""

    volatile_fields: Mapping[str, Sequence[str]]

    def fetch(self, stream: str, remote_ids: Sequence[str]) -> Iterator[Page]:
        """As `contract.Reconcilable.fetch`."""
        ...


STORED_AT_ONCE = 200
"""Records of one transaction: a ticket's history is a page of its own, mostly of a few rows."""

STORED_BYTES = 8_000_000
"""Or fewer, where they are large."""


@dataclass(slots=True)
class Fetched:
    """What fetching brought."""

    stored: int = 0
    """Records that were new or changed, of any stream."""
    calls: int = 0
    answered: set[str] = field(default_factory=set)
    """Those of the ids that the source said anything about."""


def fetch_and_store(
    runtime: Runtime,
    client_key: str,
    source_key: str,
    source: FetchedById,
    stream: str,
    remote_ids: Sequence[str],
    on_page: Callable[[Fetched], object] = lambda _done: None,
) -> Fetched:
    """Fetches records by id and stores them, some hundred a transaction; what is here and newer stays.

    Args:
        runtime: engine and clock.
        client_key: whose.
        source_key: the source's id in the configuration.
        source: asked for them.
        stream: of the ids; records of other streams that belong to them come along.
        remote_ids: which.
        on_page: told how far it is, after each page.

    Raises:
        ConnectorError: the source could not be asked; what came before is stored.
    """
    done = Fetched()
    waiting: list[RawRecord] = []

    def store() -> None:
        with writing(runtime.engine) as connection:
            done.stored += raw.store_records(
                connection,
                client_key,
                source_key,
                waiting,
                fetched_at=runtime.now(),
                volatile=source.volatile_fields,
                keep_newer=True,
            )
        waiting.clear()
        on_page(done)

    try:
        for some in chunks(remote_ids, FETCHED_AT_ONCE):
            for page in source.fetch(stream, some):
                done.calls += page.calls
                done.answered |= {one.remote_id for one in page.records if one.stream == stream}
                waiting += page.records
                size = sum(len(one.payload) for one in waiting)
                if len(waiting) >= STORED_AT_ONCE or size >= STORED_BYTES:
                    store()
                else:
                    on_page(done)
    finally:
        # Behind a failure too: what came before it is kept.
        if waiting:
            store()
    return done
