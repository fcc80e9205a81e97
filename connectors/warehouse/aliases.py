"""Ids that survive: which of our keys a source's identity stands for (`entity_alias`).

Belongs here: get-or-give keys, in bulk. Does not belong here: deciding that two identities are one thing
(`transforms.identity`, `transforms.threads`).
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from connectors.warehouse.bulk import select_in, upsert
from connectors.warehouse.tables import entity_alias
from connectors.warehouse.types import safe_text
from transforms.model import key_of


def known_keys(
    connection: Connection, client_key: str, source_key: str, kind: str, remote_ids: Iterable[str]
) -> dict[str, str]:
    """Remote id → our key, for those that were seen before."""
    statement = select(entity_alias.c.remote_id, entity_alias.c.entity_key).where(
        entity_alias.c.client_key == client_key,
        entity_alias.c.source_key == source_key,
        entity_alias.c.kind == kind,
    )
    return {
        row.remote_id: row.entity_key
        for row in select_in(connection, statement, entity_alias.c.remote_id, remote_ids)
    }


def keys_for(
    connection: Connection, client_key: str, source_key: str, kind: str, remote_ids: Iterable[str]
) -> dict[str, str]:
    """Remote id → our key for all of them; gives keys to those seen for the first time."""
    wanted = [safe_text(remote_id) for remote_id in dict.fromkeys(remote_ids)]
    keys = known_keys(connection, client_key, source_key, kind, wanted)
    new = {
        remote_id: key_of(kind, client_key, source_key, remote_id)
        for remote_id in wanted
        if remote_id not in keys
    }
    set_aliases(connection, client_key, source_key, kind, new, "first seen")
    return keys | new


def set_aliases(
    connection: Connection,
    client_key: str,
    source_key: str,
    kind: str,
    keys: Mapping[str, str],
    reason: str,
) -> None:
    """Makes each remote id stand for the given key from now on."""
    rows = [
        {
            "client_key": client_key,
            "source_key": source_key,
            "kind": kind,
            "remote_id": remote_id,
            "entity_key": entity_key,
            "reason": reason,
        }
        for remote_id, entity_key in keys.items()
    ]
    upsert(connection, entity_alias, rows)


def all_keys(connection: Connection, client_key: str, source_key: str, kind: str) -> dict[str, str]:
    """Remote id → our key, of everything of a kind."""
    rows = connection.execute(
        select(entity_alias.c.remote_id, entity_alias.c.entity_key).where(
            entity_alias.c.client_key == client_key,
            entity_alias.c.source_key == source_key,
            entity_alias.c.kind == kind,
        )
    )
    return {row.remote_id: row.entity_key for row in rows}


def sources_of(
    connection: Connection, client_key: str, kind: str, keys: Iterable[str]
) -> dict[str, set[str]]:
    """Our key → the sources that know the thing."""
    statement = select(entity_alias.c.entity_key, entity_alias.c.source_key).where(
        entity_alias.c.client_key == client_key, entity_alias.c.kind == kind
    )
    found: dict[str, set[str]] = {}
    for row in select_in(connection, statement, entity_alias.c.entity_key, keys):
        found.setdefault(row.entity_key, set()).add(row.source_key)
    return found
