"""Links tickets that are the same request; only tickets that are new since the last time are compared.

Belongs here: which tickets are compared. Does not belong here: comparing (`transforms.duplicates`).
"""

from sqlalchemy import Engine

from connectors.warehouse import duplicates, history
from connectors.warehouse.engine import reading, writing
from transforms.duplicates import TicketText, find_duplicates


def link_duplicates(engine: Engine, client_key: str) -> int:
    """Compares a client's new tickets with what could match; returns how many links changed."""
    with reading(engine) as connection:
        revision = history.newest_revision(connection, client_key)
        after = duplicates.compared_up_to(connection, client_key)
        if revision <= after:
            return 0
        new = duplicates.new_tickets(connection, client_key, after)
        others = duplicates.candidates(
            connection,
            client_key,
            {row["requester_key"] for row in new if row["requester_key"]},
            {row["message_id"] for row in new if row["message_id"]},
        )
        known = duplicates.known_duplicates(connection, client_key)
    keys = {row["ticket_key"] for row in new}
    found = find_duplicates(
        [TicketText(**row) for row in new],
        [TicketText(**row) for row in others if row["ticket_key"] not in keys],
        known,
    )
    links = {one.ticket_key: (one.duplicate_of_key, one.reason) for one in found}
    with writing(engine) as connection:
        return duplicates.write_duplicates(connection, client_key, sorted(keys), links, revision)
