"""Compares a mailbox with what is here: its folders' UIDs, the cursor, the raw records. Fetches what is missing.

Belongs here: a recount's pages stored, its figures. Does not belong here: how folders are compared
(`connectors.mailbox`), sources whose records have ids of their own (`reconcile`).

A mail that is on the server no more keeps its record and is no tombstone: what was said stays said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connectors.contract import ContainerCount, Recounting
from connectors.warehouse import inventory, raw
from connectors.warehouse.engine import reading, writing
from pipelines.runtime import Runtime


@dataclass(slots=True)
class Recounted:
    """What one recount found and did; figures count mails."""

    here: int = 0
    """Records before the recount that are no tombstones."""
    stored: int = 0
    calls: int = 0
    containers: Sequence[ContainerCount] = ()
    gone: Sequence[str] = field(default_factory=list)
    """Remote ids that are on the server no more."""

    def total(self, figure: str) -> int:
        """The sum of one figure over the folders."""
        return sum(int(getattr(one, figure)) for one in self.containers)


def recount_stream(
    runtime: Runtime,
    client_key: str,
    source_key: str,
    source: Recounting,
    stream: str,
    on_page: Callable[[int], None] = lambda _stored: None,
) -> Recounted:
    """Recounts one stream and stores what was missing, the cursor with each page.

    Raises:
        ConnectorError: what the source or the warehouse raised; pages committed before it stay.
    """
    place = (client_key, source_key, stream)
    with reading(runtime.engine) as connection:
        state = raw.stream_state(connection, *place)
        held = list(inventory.live_ids(connection, *place))
    report = Recounted(here=len(held))
    found = source.recount(stream, state.cursor, held)
    for number, page in enumerate(found.pages):
        with writing(runtime.engine) as connection:
            stored = raw.store_page(
                connection,
                *place,
                page,
                sequence=state.sequence + number,
                fetched_at=runtime.now(),
            )
        report.stored += stored.stored
        report.calls += page.calls
        on_page(report.stored)
    report.containers, report.gone = found.containers, found.gone
    return report
