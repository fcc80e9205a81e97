"""The people, organisations, teams and fields that a batch of tickets is read with.

Belongs here: which of them a batch is given. Does not belong here: what they mean (`transforms`).

Teams and fields are few and are given whole. People may be hundreds of thousands: a batch is given those that its
records name, so that memory and time do not grow with everybody who ever wrote. Which field of which vendor names
somebody need not be known: an id that is named stands in the payload as a number, and a number that is nobody's id
names nobody.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from connectors.warehouse import raw
from transforms.model import RawRecord

_NUMBER = re.compile(rb"\d+")


class References:
    """One source's reference records as they are when a normalisation begins.

    Args:
        connection: inside a transaction.
        client_key: whose.
        source_key: the source's id.
        whole: streams given with every batch.
        named: streams of numbered records of which a batch is given those it names; a stream that others name
            behind those (people, then their organisations).
    """

    def __init__(
        self,
        connection: Connection,
        client_key: str,
        source_key: str,
        whole: Iterable[str],
        named: Sequence[str],
    ) -> None:
        """Reads the short streams, and the ids of the long ones."""
        self._of = (client_key, source_key)
        self._whole = {
            stream: list(raw.latest_records(connection, *self._of, stream)) for stream in whole
        }
        self._ids = {
            stream: {text.encode() for text in raw.remote_ids(connection, *self._of, stream)}
            for stream in named
        }
        # Members of teams, say: needed with every batch.
        told = _numbers(record for records in self._whole.values() for record in records)
        self._always = told & set().union(*self._ids.values())

    def given_with(
        self,
        connection: Connection,
        records: Mapping[str, Sequence[RawRecord]],
        changed: Mapping[str, Sequence[str]],
    ) -> dict[str, list[RawRecord]]:
        """The reference records of a batch: what its records name, and the `changed` ones (stream → remote ids)."""
        given = dict(self._whole)
        numbers = self._always | _numbers(record for some in records.values() for record in some)
        for stream, ids in self._ids.items():
            wanted = {one.decode() for one in ids & numbers}.union(changed.get(stream, ()))
            given[stream] = list(
                raw.latest_records(connection, *self._of, stream, remote_ids=sorted(wanted))
            )
            numbers |= _numbers(given[stream])
        return given


def _numbers(records: Iterable[RawRecord]) -> set[bytes]:
    found: set[bytes] = set()
    for record in records:
        found.update(_NUMBER.findall(record.payload))
    return found
