"""Takes a person's words and names out of the rows that raw records do not make again, and out of derived ones at once.

Belongs here: updates and deletes by keys, table by table (`erased_columns` lists them). Does not belong here: raw
records (`erased_raw`), finding what is a person's (`pipelines.erasure`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from connectors.erasing.rules import ERASED
from connectors.erasing.vendor_json import erased_value
from connectors.warehouse import aliases, persons
from connectors.warehouse.bulk import KEYS_PER_QUERY, chunks, delete_in, one_of, select_in, upsert
from connectors.warehouse.tables import (
    attachment,
    attachment_content,
    comment,
    contact,
    contact_identity,
    delivery,
    entity_alias,
    entity_match,
    inbound_event,
    person_record,
    quarantine,
    satisfaction_rating,
    ticket,
    ticket_change,
)

Row = dict[str, Any]

REQUESTER_PREFIX = "requester:"
"""Before a person's address in what a file export calls that person."""


@dataclass(frozen=True, slots=True)
class ErasedPerson:
    """Who is erased: the leading key, all keys, the address that stands for theirs."""

    leader: str
    keys: Sequence[str]
    pseudonym: str


def erase_tickets(connection: Connection, ticket_keys: Collection[str]) -> None:
    """Takes every text out of whole tickets; ids, instants, statuses and links stay."""
    for keys in chunks(ticket_keys, KEYS_PER_QUERY):
        _set(connection, ticket, ticket.c.ticket_key, keys, subject=ERASED, fields=None)
        _erase_comments(connection, comment.c.ticket_key, keys)
        _erase_files(connection, keys)
        of = one_of(connection, satisfaction_rating.c.ticket_key, keys)
        connection.execute(update(satisfaction_rating).where(of).values(comment=None))
        asked = (
            one_of(connection, ticket_change.c.ticket_key, keys),
            ticket_change.c.field == "requester",
        )
        connection.execute(
            update(ticket_change).where(*asked).values(old_value=None, new_value=None)
        )
        _erase_deliveries(connection, keys)


def erase_comments(connection: Connection, comment_keys: Collection[str]) -> None:
    """Takes the text out of single messages, and their files' names."""
    for keys in chunks(comment_keys, KEYS_PER_QUERY):
        _erase_comments(connection, comment.c.comment_key, keys)
        of = one_of(connection, attachment.c.comment_key, keys)
        connection.execute(update(attachment).where(of).values(**_NO_FILE))


def erase_person(
    connection: Connection, client_key: str, person: ErasedPerson, source_keys: Iterable[str]
) -> None:
    """Makes a group of contacts one nameless person with one address that is nobody's.

    Ids that are an address or a name (a mailbox's, an export's) stand no more; in each source that had one, the address
    that is nobody's stands for the leading key.

    Args:
        connection: inside a transaction.
        client_key: whose.
        person: who.
        source_keys: sources of the client, also those that know the person by an address alone.
    """
    nobody: Row = {"name": None, "phone": None, "email": person.pseudonym}
    _set(connection, contact, contact.c.contact_key, person.keys, **nobody)
    delete_in(connection, contact_identity, contact_identity.c.contact_key, person.keys)
    identity = {
        "client_key": client_key,
        "kind": "email",
        "value": person.pseudonym,
        "contact_key": person.leader,
        "reason": "stands for an erased address",
        "source_key": "",
    }
    upsert(connection, contact_identity, [identity])
    for side in (entity_match.c.left_key, entity_match.c.right_key):
        delete_in(connection, entity_match, side, person.keys)
    _erase_records(connection, client_key, person)
    _erase_aliases(connection, client_key, person, source_keys)
    persons.note_change(connection, client_key)


def erase_mentions(
    connection: Connection,
    client_key: str,
    addresses: Collection[str],
    remote_ids: Mapping[str, Collection[str]],
) -> None:
    """Takes out what quarantine and webhooks told of some records, or of somebody by address.

    Args:
        connection: inside a transaction.
        client_key: whose.
        addresses: in small letters.
        remote_ids: source → remote ids of erased tickets and records.
    """
    q = quarantine.c
    for source_key, ids in remote_ids.items():
        for some in chunks(ids, KEYS_PER_QUERY):
            connection.execute(
                update(quarantine)
                .where(
                    q.client_key == client_key,
                    q.source_key == source_key,
                    one_of(connection, q.remote_id, some),
                )
                .values(detail=None)
            )
    for address in addresses:
        names = q.detail.ilike(f"%{_like(address)}%", escape="\\")
        connection.execute(
            update(quarantine).where(q.client_key == client_key, names).values(detail=None)
        )
    _erase_events(connection, client_key, addresses, remote_ids)


def digests_of(
    connection: Connection, ticket_keys: Iterable[str], comment_keys: Iterable[str]
) -> set[str]:
    """Content digests of the files that hang on some tickets or messages."""
    found: set[str] = set()
    for column, keys in (
        (attachment.c.ticket_key, ticket_keys),
        (attachment.c.comment_key, comment_keys),
    ):
        statement = select(attachment.c.sha256).where(attachment.c.sha256.is_not(None))
        found |= {row.sha256 for row in select_in(connection, statement, column, keys)}
    return found


def still_referred_to(connection: Connection, client_key: str, digests: Iterable[str]) -> set[str]:
    """Those of some digests that an attachment of the client has."""
    statement = select(attachment.c.sha256).where(attachment.c.client_key == client_key)
    return {row.sha256 for row in select_in(connection, statement, attachment.c.sha256, digests)}


_NO_FILE: Row = {"file_name": ERASED, "content_id": None, "remote_url": None, "sha256": None}


def _erase_comments(connection: Connection, column: Any, keys: Sequence[str]) -> None:
    _set(
        connection,
        comment,
        column,
        keys,
        subject=None,
        body_text=ERASED,
        body_html=None,
        reply_text=None,
        participants=None,
        thread_doubt=None,
    )
    # Threading reads the marks of mails that are not made again; those of these are, from what is left of them.
    _set(connection, comment, column, keys, thread_marks=None)


def _erase_files(connection: Connection, ticket_keys: Sequence[str]) -> None:
    of = select(attachment.c.attachment_key).where(
        one_of(connection, attachment.c.ticket_key, ticket_keys)
    )
    connection.execute(
        delete(attachment_content).where(attachment_content.c.attachment_key.in_(of))
    )
    _set(connection, attachment, attachment.c.ticket_key, ticket_keys, **_NO_FILE)


def _erase_deliveries(connection: Connection, ticket_keys: Sequence[str]) -> None:
    of = one_of(connection, delivery.c.ticket_key, ticket_keys)
    rows = connection.execute(select(delivery.c.delivery_key, delivery.c.body).where(of)).all()
    for row in rows:
        connection.execute(
            update(delivery)
            .where(delivery.c.delivery_key == row.delivery_key)
            .values(body=_erased_body(row.body))
        )


_BODY_KEPT = frozenset({"severity", "source", "url", "occurred_at", "mention"})
_DETAILS_KEPT = frozenset(
    {"ticket", "priority", "level", "on call", "second", "why", "due", "runbook", "rule"}
)


def _erased_body(body: Mapping[str, Any]) -> Row:
    """A message's body: what, when, how bad and for whom stays; title, text and customer go."""
    found = {k: v if k in _BODY_KEPT else erased_value(v) for k, v in body.items()}
    details = body.get("details")
    if isinstance(details, dict):
        found["details"] = {
            k: v if k in _DETAILS_KEPT else erased_value(v) for k, v in details.items()
        }
    return found


def _erase_records(connection: Connection, client_key: str, person: ErasedPerson) -> None:
    rows = persons.records_of(connection, person.keys)
    delete_in(connection, person_record, person_record.c.person_key, person.keys)
    kept = {}
    for row in rows:
        remote_id, key = row["remote_id"], row["person_key"]
        if not is_opaque(remote_id):
            remote_id, key = _nameless(remote_id, person.pseudonym), person.leader
        kept[row["source_key"], remote_id] = row | {
            "remote_id": remote_id,
            "person_key": key,
            "name": None,
            "emails": [person.pseudonym],
            "phones": [],
            "external_id": None,
        }
    upsert(connection, person_record, list(kept.values()))


def _erase_aliases(
    connection: Connection, client_key: str, person: ErasedPerson, source_keys: Iterable[str]
) -> None:
    statement = select(entity_alias.c.source_key, entity_alias.c.remote_id).where(
        entity_alias.c.client_key == client_key, entity_alias.c.kind == "contact"
    )
    named = [
        (row.source_key, row.remote_id)
        for row in select_in(connection, statement, entity_alias.c.entity_key, person.keys)
        if not is_opaque(row.remote_id)
    ]
    for source_key, remote_id in named:
        connection.execute(
            delete(entity_alias).where(
                entity_alias.c.client_key == client_key,
                entity_alias.c.source_key == source_key,
                entity_alias.c.kind == "contact",
                entity_alias.c.remote_id == remote_id,
            )
        )
    # Under these ids the sources' erased records name the person from now on.
    for source_key in sorted({*source_keys, *(source for source, _ in named)}):
        ids = (person.pseudonym, f"{REQUESTER_PREFIX}{person.pseudonym}")
        aliases.set_aliases(
            connection,
            client_key,
            source_key,
            "contact",
            dict.fromkeys(ids, person.leader),
            "stands for an erased address",
        )


def _erase_events(
    connection: Connection,
    client_key: str,
    addresses: Collection[str],
    remote_ids: Mapping[str, Collection[str]],
) -> None:
    """Webhooks that tell of an erased ticket, or name the person: what they said goes, which ticket it was stays."""
    e = inbound_event.c
    rows = connection.execute(
        select(e.provider, e.event_id, e.source_key, e.payload, e.body).where(
            e.client_key == client_key, or_(e.body.is_not(None), e.failure.is_not(None))
        )
    ).all()
    wanted = [one.encode() for one in addresses]
    for row in rows:
        told = {str(one) for one in (row.payload or {}).get("ticket_ids", ())}
        body = (row.body or b"").lower()
        if told & set(remote_ids.get(row.source_key or "", ())) or any(w in body for w in wanted):
            connection.execute(
                update(inbound_event)
                .where(e.provider == row.provider, e.event_id == row.event_id)
                .values(body=None, failure=None, payload=erased_value(row.payload))
            )


def is_opaque(remote_id: str) -> bool:
    """Whether what a source calls somebody says nothing of them: a number, a UUID."""
    return bool(remote_id) and all(one in "0123456789abcdefABCDEF-" for one in remote_id)


def _nameless(remote_id: str, pseudonym: str) -> str:
    prefix = REQUESTER_PREFIX if remote_id.startswith(REQUESTER_PREFIX) else ""
    return f"{prefix}{pseudonym}"


def _set(
    connection: Connection, table: Any, column: Any, keys: Iterable[str], **values: Any
) -> None:
    for some in chunks(keys, KEYS_PER_QUERY):
        connection.execute(update(table).where(one_of(connection, column, some)).values(**values))


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return text
