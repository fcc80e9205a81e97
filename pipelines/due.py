"""What of a source changed since it was last normalised.

Belongs here: which tickets and people are made again. Does not belong here: making them (`normalise`).

A first import may have a million of them: each is remembered by eight bytes, the id of one of its new versions.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from connectors.warehouse import raw
from connectors.warehouse.bulk import chunks


@dataclass(frozen=True, slots=True)
class Due:
    """What changed in a source since it was last normalised."""

    newest_raw_id: Mapping[str, int]
    """Stream → the newest version that is taken in now."""
    ticket_raw_ids: "array[int]"
    """A new version of each ticket that has one."""
    people_raw_ids: "array[int]"
    """A new version of each changed record of the streams of people."""
    loose_remote_ids: Mapping[str, Sequence[str]]
    """Stream of tickets → changed records that belong to no ticket."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not self.newest_raw_id


def due_work(
    connection: Connection,
    client_key: str,
    source_key: str,
    *,
    ticket_streams: Iterable[str],
    people_streams: Iterable[str],
    other_streams: Iterable[str],
) -> Due:
    """What was stored since the last normalisation."""
    of_tickets, of_people = tuple(ticket_streams), tuple(people_streams)
    after = {
        stream: raw.stream_state(connection, client_key, source_key, stream).normalised_raw_id
        for stream in (*other_streams, *of_people, *of_tickets)
    }
    newest = raw.newest_after(connection, client_key, source_key, after)

    def changed(streams: Iterable[str], *, is_of_tickets: bool) -> "array[int]":
        since = {stream: after[stream] for stream in streams if stream in newest}
        return raw.one_version_each(
            connection, client_key, source_key, since, is_of_tickets=is_of_tickets
        )

    return Due(
        newest,
        changed(of_tickets, is_of_tickets=True),
        changed(of_people, is_of_tickets=False),
        {
            stream: raw.without_ticket(connection, client_key, source_key, stream, after[stream])
            for stream in of_tickets
            if stream in newest
        },
    )


def batches(due: Due, size: int) -> Iterator[tuple[list[int], list[int]]]:
    """(people, tickets) by versions, `size` at a time, people first; one empty batch where only others changed."""
    yield from ((some, []) for some in chunks(due.people_raw_ids, size))
    yield from (([], some) for some in chunks(due.ticket_raw_ids, size))
    if not due.people_raw_ids and not due.ticket_raw_ids:
        yield [], []
