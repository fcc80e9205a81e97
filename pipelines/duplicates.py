"""Links tickets that are the same request; only tickets that are new since the last time are compared.

Belongs here: which tickets are compared. Does not belong here: comparing (`transforms.duplicates`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine

from connectors.warehouse import conversations, duplicates, erasures, history
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from pipelines.conversations import IsOwn, link_conversations
from transforms.duplicates import FORWARDED_WITHIN, Requests, TicketText, find_duplicates
from transforms.mail_addresses import mailbox_of
from transforms.quote_headers import forwarded_original

REQUESTERS_AT_ONCE = 250
"""People whose tickets are read and compared together: bounds memory."""

Variants = dict[str, set[str]]
"""Mailbox → contacts whose address is another way to write it."""


def link_duplicates(engine: Engine, client_key: str, is_own: IsOwn = lambda _address: False) -> int:
    """Links conversations with the tickets they are, and compares new tickets with what could match; returns changes.

    `is_own` tells the addresses of mailboxes and agents, by the settings.

    Killed anywhere, the next call compares the same tickets again and ends with the same links.
    """
    linked = link_conversations(engine, client_key, is_own)
    with reading(engine) as connection:
        revision = history.newest_revision(connection, client_key)
        after = duplicates.compared_up_to(connection, client_key)
        if revision <= after:
            return linked
        requesters = duplicates.new_requesters(connection, client_key, after)
        one_request = conversations.links(connection, client_key)
        decided = conversations.decisions(connection, client_key)
        apart = {(row["ticket_key"], row["other_key"]) for row in decided if row["kind"] == "apart"}
        variants: Variants = {}
        for contact_key, address in duplicates.address_variants(connection, client_key):
            variants.setdefault(mailbox_of(address), set()).add(contact_key)
    changed = linked
    for some in chunks(requesters, REQUESTERS_AT_ONCE):
        changed += _link_those_of(engine, client_key, after, some, variants, one_request, apart)
    with writing(engine) as connection:
        duplicates.mark_compared(connection, client_key, revision)
    return changed


def _link_those_of(
    engine: Engine,
    client_key: str,
    after: int,
    requesters: Sequence[str | None],
    variants: Variants,
    one_request: Mapping[str, tuple[str, str]],
    apart: Collection[tuple[str, str]],
) -> int:
    requests = Requests(one_request)
    with reading(engine) as connection:
        known = duplicates.known_duplicates(connection, client_key)
        kept = _settled(connection, client_key, known)
        new = [
            TicketText(**row)
            for row in duplicates.new_tickets(connection, client_key, after, requesters)
            if row["ticket_key"] not in kept
        ]
        given = {one.ticket_key for one in new}
        besides = set[str]().union(*map(requests.members, given)) - given
        new += [TicketText(**row) for row in duplicates.tickets_of(connection, besides - set(kept))]
        keys = {one.ticket_key for one in new}
        others = duplicates.candidates(
            connection,
            client_key,
            _people(connection, client_key, new, variants),
            {one.message_id for one in new if one.message_id}.union(
                *(one.later_message_ids for one in new)
            ),
            _span(new),
            keys,
        )
    found = find_duplicates(new, [TicketText(**row) for row in others], known, one_request, apart)
    links = {one.ticket_key: (one.duplicate_of_key, one.reason) for one in found}
    with writing(engine) as connection:
        return duplicates.write_duplicates(connection, client_key, sorted(keys), links)


def _settled(connection: Connection, client_key: str, known: Mapping[str, str]) -> set[str]:
    """Duplicates whose words, or whose original's, were erased: what they were found by is gone, they stay what they are."""
    erased = erasures.erased_of(connection, client_key, "ticket")
    return {key for key, other in known.items() if key in erased or other in erased}


def _people(
    connection: Connection, client_key: str, tickets: Iterable[TicketText], variants: Variants
) -> set[str]:
    """Who asked for the tickets, by every contact that has the same mailbox; whom forwards name, too."""
    keys: set[str] = set()
    addresses: set[str] = set()
    for one in tickets:
        if one.requester_key:
            keys.add(one.requester_key)
        if one.requester_address:
            addresses.add(one.requester_address)
        original = forwarded_original(one.text, one.subject)
        if original is not None and original.sender is not None:
            addresses.add(original.sender.address)
    mailboxes = {mailbox_of(address) for address in addresses}
    for mailbox in mailboxes:
        keys |= variants.get(mailbox, set())
    return keys | duplicates.contacts_of_addresses(connection, client_key, addresses | mailboxes)


def _span(tickets: Sequence[TicketText]) -> tuple[datetime, datetime] | None:
    """The time in which a forward of one of the tickets could have been opened, or the original of one."""
    if not tickets:
        return None
    opened = [one.created_at for one in tickets]
    return min(opened) - FORWARDED_WITHIN, max(opened) + FORWARDED_WITHIN
