"""The lists that say where an article stands (sections, folders, categories), by their ids.

Belongs here: what every vendor's articles share. Does not belong here: what one vendor's article means.
"""

from collections.abc import Iterable
from typing import Any

from transforms.model import Batch, RawRecord, Rejected
from transforms.payload import UnreadableError, object_of, required_id


def rows_by_id(batch: Batch, records: Iterable[RawRecord]) -> dict[str, dict[str, Any]]:
    """Id → row; what cannot be read is added to the batch's `rejected`."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        try:
            body = object_of(record)
            found[required_id(body, "id")] = body
        except UnreadableError as error:
            batch.rejected.append(
                Rejected(record.stream, record.remote_id, error.reason, error.detail)
            )
    return found
