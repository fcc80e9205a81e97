"""What waits for a person, by client: `deskbridge quarantine` and `deskbridge messages`.

Belongs here: the questions that these commands and the asset checks ask. Does not belong here: the terminal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connectors.warehouse import problems
from connectors.warehouse.engine import reading, writing
from pipelines.runtime import Runtime

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """How many records of a stream could not be understood for one reason."""

    source_key: str
    stream: str
    reason: str
    records: int


def quarantined(runtime: Runtime, client_key: str) -> list[Quarantined]:
    """A client's whole quarantine, counted by source, stream and reason."""
    with reading(runtime.engine) as connection:
        return [Quarantined(**row) for row in problems.quarantine_counts(connection, client_key)]


def quarantined_records(runtime: Runtime, client_key: str, limit: int) -> list[Row]:
    """The newest records in quarantine; see `connectors.warehouse.problems`."""
    with reading(runtime.engine) as connection:
        return problems.quarantined_records(connection, client_key, limit)


def undelivered(runtime: Runtime, client_key: str) -> list[Row]:
    """A client's messages that are dead or were tried in vain so far."""
    with reading(runtime.engine) as connection:
        return problems.undelivered(connection, client_key)


def settle_dead(
    runtime: Runtime,
    client_key: str,
    delivery_keys: Sequence[str],
    decision: Literal["retry", "drop"],
    by: str,
) -> int:
    """Settles dead messages as a person decided: those named, or all where none is; returns how many."""
    keys = delivery_keys or [
        row["delivery_key"] for row in undelivered(runtime, client_key) if row["state"] == "dead"
    ]
    with writing(runtime.engine) as connection:
        return problems.settle_dead(
            connection, client_key, keys, decision, by, runtime.sending_clock()
        )
