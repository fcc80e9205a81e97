"""Links tickets that are the same request; only tickets that are new since the last time are compared.

Belongs here: which tickets are compared. Does not belong here: comparing (`transforms.duplicates`).
"""

from collections.abc import Sequence

from sqlalchemy import Engine

from connectors.warehouse import duplicates, history
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from transforms.duplicates import TicketText, find_duplicates

REQUESTERS_AT_ONCE = 250
"""People whose tickets are read and compared together: bounds memory."""


def link_duplicates(engine: Engine, client_key: str) -> int:
    """Compares a client's new tickets with what could match; returns how many links changed.

    Killed anywhere, the next call compares the same tickets again and ends with the same links.
    """
    with reading(engine) as connection:
        revision = history.newest_revision(connection, client_key)
        after = duplicates.compared_up_to(connection, client_key)
        if revision <= after:
            return 0
        requesters = duplicates.new_requesters(connection, client_key, after)
    changed = 0
    for some in chunks(requesters, REQUESTERS_AT_ONCE):
        changed += _link_those_of(engine, client_key, after, some)
    with writing(engine) as connection:
        duplicates.mark_compared(connection, client_key, revision)
    return changed


def _link_those_of(
    engine: Engine, client_key: str, after: int, requesters: Sequence[str | None]
) -> int:
    with reading(engine) as connection:
        new = duplicates.new_tickets(connection, client_key, after, requesters)
        keys = {row["ticket_key"] for row in new}
        others = duplicates.candidates(
            connection,
            client_key,
            {row["requester_key"] for row in new if row["requester_key"]},
            {row["message_id"] for row in new if row["message_id"]},
            keys,
        )
        known = duplicates.known_duplicates(connection, client_key)
    found = find_duplicates(
        [TicketText(**row) for row in new], [TicketText(**row) for row in others], known
    )
    links = {one.ticket_key: (one.duplicate_of_key, one.reason) for one in found}
    with writing(engine) as connection:
        return duplicates.write_duplicates(connection, client_key, sorted(keys), links)
