"""Which of our keys a mailbox's conversations have when mails moved between them.

Belongs here: keys of conversations that grew an older root, were joined or parted. Does not belong here:
threading (`transforms.threads`), building the tickets (`normalise_mail`).

A conversation's id may change (`transforms.threads`), its key must not. Keys are given before the tickets are
written; rows are never removed here, since the mails on them have not moved yet.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection

from connectors.warehouse import aliases, duplicates, loading
from transforms.model import key_of

Keys = dict[str, str]
"""Conversation's id → our key."""


def give_keys(
    connection: Connection,
    client_key: str,
    source_key: str,
    came_from: Mapping[str, Collection[str]],
    alive: Collection[str],
) -> None:
    """Settles the keys of conversations that mails moved into.

    Of conversations that became one the older key wins, and the ids of the others stand for the winner from
    now on; links to a key that nobody has any more point to the winner. A conversation that mails left, but
    that lives on, keeps its key: what split off gets one of its own.

    Args:
        connection: inside a transaction.
        client_key: whose.
        source_key: the mailbox.
        came_from: conversation → those that mails of it belonged to before.
        alive: every conversation that has mails now.
    """
    ids = sorted({*came_from, *itertools.chain.from_iterable(came_from.values())})
    before = aliases.known_keys(connection, client_key, source_key, "ticket", ids)
    began = loading.created_at_of(connection, before.values())
    after = _joined(before, came_from, alive, began)
    for ticket_id in _without_a_key_of_its_own(before, after, alive):
        after[ticket_id] = _free_key(connection, client_key, source_key, ticket_id, before, after)
    changed = {one: key for one, key in after.items() if before.get(one) != key}
    aliases.set_aliases(
        connection, client_key, source_key, "ticket", changed, "conversations joined or parted"
    )
    kept = {after[one] for one in ids if one in after and one in alive}
    for ticket_id, key in sorted(changed.items()):
        lost = before.get(ticket_id)
        if lost is not None and lost not in kept:
            duplicates.repoint_links(connection, client_key, lost, key)


def _joined(
    before: Keys,
    came_from: Mapping[str, Collection[str]],
    alive: Collection[str],
    began: Mapping[str, datetime],
) -> Keys:
    """A conversation whose mails have all gone over gives its key to where they went."""
    after = dict(before)
    for ticket_id, sources in sorted(came_from.items()):
        one_now = [ticket_id, *sorted(source for source in sources if source not in alive)]
        keys = dict.fromkeys(before[one] for one in one_now if one in before)
        if keys:
            dated = sorted((began[key], key) for key in keys if key in began)
            winner = dated[0][1] if dated else min(keys)
            after.update(dict.fromkeys(one_now, winner))
    return after


def _without_a_key_of_its_own(before: Keys, after: Keys, alive: Collection[str]) -> Iterator[str]:
    """All but one of those living conversations that would have the same key."""
    holders: dict[str, list[str]] = {}
    for ticket_id, key in sorted(after.items()):
        if ticket_id in alive:
            holders.setdefault(key, []).append(ticket_id)
    for key, ids in holders.items():
        keeper = next((one for one in ids if before.get(one) == key), ids[0])
        yield from (one for one in ids if one != keeper)


def _free_key(
    connection: Connection,
    client_key: str,
    source_key: str,
    ticket_id: str,
    before: Keys,
    after: Keys,
) -> str:
    """The key it had, else its own, else a further one: whichever no other conversation has."""
    taken = {*after.values(), *(key for one, key in before.items() if one != ticket_id)}
    former = before.get(ticket_id)
    if former is not None and former not in taken:
        return former
    identities = itertools.chain(
        [ticket_id], (f"{ticket_id}#{number}" for number in itertools.count(2))
    )
    keys = (key_of("ticket", client_key, source_key, identity) for identity in identities)
    return next(
        key for key in keys if key not in taken and not loading.created_at_of(connection, [key])
    )
