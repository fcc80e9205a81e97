"""Erases a person: what is theirs, from every table, raw record and file, with every figure kept.

Belongs here: the order of it, the preview, going on after a kill. Does not belong here: what a payload keeps
(`connectors.erasing`), rows (`connectors.warehouse.erased_rows`), what stays erased (`connectors.warehouse.erasures`),
options and printing (`cli_contact`).

One transaction takes everything out of the tables and writes down what stays erased: killed before its end, nothing has
happened; after it, no text is left in any table, and what is missing (tickets made again from what is left of their
records, files, freed pages) is done by the next `contact erase` or the next sync.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from connectors.erasing.rules import pseudonym
from connectors.warehouse import audit, erasable, erased_raw, erased_rows, erasures, persons, raw
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.erased_rows import ErasedPerson, is_opaque
from connectors.warehouse.erasures import Mark, record_id
from connectors.warehouse.scrub import scrub
from pipelines.attachments import store_of
from pipelines.contacts import find
from pipelines.duplicates import link_duplicates
from pipelines.erased_fields import kept_of
from pipelines.ingest import normalise
from pipelines.normalise_mail import STREAM as MAILS
from pipelines.normalise_mail import MailTransform
from pipelines.own_addresses import own_addresses
from pipelines.runtime import Runtime
from pipelines.same_people import match_people_of
from pipelines.settings import SettingsError
from pipelines.wiring import Wired, sources_of, wire
from transforms.mail import parse
from transforms.mail_erased import erased_mail
from transforms.model import Rejected, key_of

Row = dict[str, Any]

SUSPENDED = "suspended_tickets"
"""Mails that a helpdesk held back: nobody's ticket, whole the sender's."""


@dataclass(slots=True)
class Scope:
    """What is a person's. `mentions` are (source, stream, id, ticket) of other people's records that name an address."""

    client_key: str
    person: ErasedPerson
    addresses: set[str]
    records: list[Row]
    tickets: list[Row]
    messages: list[Row]
    files: int = 0
    mentions: set[tuple[str, str, str, str | None]] = field(default_factory=set)
    doubtful: list[str] = field(default_factory=list)
    reports: list[Row] = field(default_factory=list)

    @property
    def ticket_keys(self) -> list[str]:
        """Our keys of the tickets."""
        return [row["ticket_key"] for row in self.tickets]

    @property
    def elsewhere(self) -> list[Row]:
        """Messages that the person wrote on other people's tickets."""
        own = set(self.ticket_keys)
        return [row for row in self.messages if row["ticket_key"] not in own]

    def by_source(self) -> dict[str, dict[str, int]]:
        """Source → how many records of the person, tickets and messages."""
        found: dict[str, dict[str, int]] = {}
        for name, rows in (
            ("records", self.records),
            ("tickets", self.tickets),
            ("messages", self.messages),
        ):
            for row in rows:
                nothing = {"records": 0, "tickets": 0, "messages": 0}
                found.setdefault(row["source_key"], nothing)[name] += 1
        return dict(sorted(found.items()))

    @property
    def counts(self) -> dict[str, int]:
        """How much it is."""
        return {
            "records": len(self.records),
            "tickets": len(self.tickets),
            "messages": len(self.messages),
            "messages_elsewhere": len(self.elsewhere),
            "files": self.files,
            "mentions": len(self.mentions),
        }


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done. `raw_records` are records of sources that were written anew, `files_deleted` contents of files."""

    erasure_key: str
    scope: Scope
    raw_records: int
    files_deleted: int


def preview(runtime: Runtime, client_key: str, who: str) -> Scope:
    """What `erase` would take; changes nothing.

    Raises:
        SettingsError: nobody is known by that, or it is no customer.
    """
    is_own = _own_addresses(_wired(runtime, client_key))
    with reading(runtime.engine) as connection:
        scope = _scope(connection, client_key, who, is_own)
        _look_for_mentions(connection, scope)
        return scope


def erase(runtime: Runtime, client_key: str, who: str, author: str, new_salt: str) -> Erased:
    """Erases a person, all keys of their group, from everything that all sources told.

    Args:
        runtime: settings, warehouse, clock.
        client_key: whose.
        who: our key, an address, or `source/id`.
        author: who asked for it, for the audit trail.
        new_salt: random text; used where the client has none yet.

    Raises:
        SettingsError: nobody is known by that, it is no customer, or it was erased and nothing came since.
        UnavailableError: all is erased but from freed pages or the file store; call it again.
    """
    finish_erasures(runtime, client_key)
    wired = _wired(runtime, client_key)
    is_own = _own_addresses(wired)
    # What was pulled and is not made into tickets yet would not be found.
    for source_key, one in wired.items():
        normalise(runtime, client_key, source_key, one.transform)
    with reading(runtime.engine) as connection:
        scope = _scope(connection, client_key, who, is_own)
        seen = erased_raw.newest_raw_id(connection, client_key)
        _look_for_mentions(connection, scope)
    mentions = scope.mentions
    now = runtime.now()
    with writing(runtime.engine) as connection:
        erased_raw.hold_streams(connection, client_key)
        scope = _scope(connection, client_key, who, is_own)
        scope.mentions = mentions
        _look_for_mentions(connection, scope, seen)
        _refuse_twice(connection, scope, who)
        salt = erasures.salt_of(connection, client_key) or new_salt
        row = _erasure_row(connection, scope, wired, author, salt, now)
        marks = _marks(connection, scope, wired)
        erasures.write_erasure(connection, row, marks)
        _erase_rows(connection, scope, marks)
        changed = _erase_raw(connection, scope, wired, marks, salt)
        detail = {"erasure": row["erasure_key"], "by": author, "raw_records": changed}
        audit.append(
            connection,
            client_key,
            [audit.AuditItem("contact erased", scope.person.leader, now, detail | scope.counts)],
        )
    deleted = _finish(runtime, row)
    return Erased(row["erasure_key"], scope, changed, deleted)


def finish_erasures(runtime: Runtime, client_key: str) -> int:
    """Carries erasures that were killed to their end; gives how many there were.

    Raises:
        UnavailableError: freed pages or the file store could not be reached; call it again.
    """
    with reading(runtime.engine) as connection:
        rows = erasures.erasures(connection, client_key, unfinished=True)
    for row in rows:
        _finish(runtime, row)
    return len(rows)


def _finish(runtime: Runtime, row: Mapping[str, Any]) -> int:
    """Makes tickets again from what is left of their records, deletes files, empties freed pages."""
    client_key, plan = row["client_key"], row["plan"] or {}
    for source_key, one in _wired(runtime, client_key).items():
        normalise(runtime, client_key, source_key, one.transform)
    match_people_of(runtime, client_key)
    link_duplicates(runtime.engine, client_key, own_addresses(runtime.settings, client_key))
    with reading(runtime.engine) as connection:
        digests = set(plan.get("digests", ()))
        orphaned = digests - erased_rows.still_referred_to(connection, client_key, digests)
    store = store_of(runtime, client_key)
    deleted = sum(store.delete(digest) for digest in sorted(orphaned))
    scrub(runtime.engine)
    with writing(runtime.engine) as connection:
        erasures.finish(connection, row["erasure_key"], runtime.now())
    return deleted


def _wired(runtime: Runtime, client_key: str) -> dict[str, Wired]:
    """The client's configured sources; none is called."""
    return {
        one.id: wire(runtime.settings, client_key, one, runtime.now)
        for one in sources_of(runtime.settings, client_key)
    }


def _own_addresses(wired: Mapping[str, Wired]) -> Callable[[str], bool]:
    """Whether an address is the desk's own or an agent's, by any of its mailboxes."""
    policies = [
        one.transform.mailbox for one in wired.values() if isinstance(one.transform, MailTransform)
    ]
    return lambda address: any(policy.is_agent(address) for policy in policies)


def _scope(
    connection: Connection, client_key: str, who: str, is_own: Callable[[str], bool]
) -> Scope:
    person = find(connection, client_key, who)
    if person.kind != "contact":
        raise SettingsError(
            f"{client_key}: {who} is of kind {person.kind}; only a contact can be erased"
        )
    ((leader, keys),) = persons.groups_of(connection, "contact", [person.key]).items()
    addresses = erasable.addresses_of(connection, keys) - {pseudonym(leader)}
    if addresses and all(map(is_own, addresses)):
        raise SettingsError(
            f"{client_key}: {who} has no address but the desk's own ({', '.join(sorted(addresses))}): nobody's to erase"
        )
    tickets = erasable.tickets_of(connection, keys)
    scope = Scope(
        client_key=client_key,
        person=ErasedPerson(leader, sorted(keys), pseudonym(leader)),
        addresses={one for one in addresses if not is_own(one)},
        records=persons.records_of(connection, keys),
        tickets=tickets,
        messages=erasable.messages_of(connection, [t["ticket_key"] for t in tickets], keys),
    )
    scope.files = erasable.count_files(connection, scope.ticket_keys)
    scope.doubtful = sorted(
        {
            row[side]
            for key in keys
            for row in persons.matches(connection, client_key, verdict="doubtful", key=key)
            for side in ("left_key", "right_key")
        }
        - set(keys)
    )
    if tickets:
        scope.reports = erasable.reports_about(
            connection,
            client_key,
            min(row["created_at"] for row in tickets),
            max(row["updated_at"] for row in tickets),
        )
    return scope


def _look_for_mentions(connection: Connection, scope: Scope, after: int = 0) -> None:
    """Adds other people's records in which an address of the person stands."""
    own = {(row["source_key"], row["remote_id"]) for row in scope.tickets}
    told = {(row["source_key"], row["raw_stream"], row["raw_remote_id"]) for row in scope.messages}
    told |= {
        (row["source_key"], stream, row["remote_id"])
        for row in scope.records
        for stream in ("users", "contacts")
    }
    found = erased_raw.naming(connection, scope.client_key, scope.addresses, after)
    scope.mentions |= {
        (source, stream, remote_id, ticket_id)
        for source, stream, remote_id, ticket_id in found
        if (source, ticket_id) not in own and (source, stream, remote_id) not in told
    }


def _refuse_twice(connection: Connection, scope: Scope, who: str) -> None:
    erased = erasures.erased_entities(connection, [*scope.person.keys, *scope.ticket_keys])
    is_new = scope.addresses or set(scope.ticket_keys) - erased.keys()
    if scope.person.leader in erased and not is_new:
        row = erased[scope.person.leader]
        raise SettingsError(
            f"{who} was erased at {row['erased_at']:%Y-%m-%d %H:%M} UTC by {row['author']}; nothing came since"
        )


def _erasure_row(
    connection: Connection,
    scope: Scope,
    wired: Mapping[str, Wired],
    author: str,
    salt: str,
    now: datetime,
) -> Row:
    number = len(erasures.erasures(connection, scope.client_key))
    digests = erased_rows.digests_of(
        connection, scope.ticket_keys, [row["comment_key"] for row in scope.elsewhere]
    )
    return {
        "erasure_key": key_of("erasure", scope.client_key, scope.person.leader, str(number)),
        "client_key": scope.client_key,
        "contact_key": scope.person.leader,
        "author": author,
        "erased_at": now,
        "finished_at": None,
        "salt": salt,
        "counts": scope.counts,
        "plan": {"digests": sorted(digests)},
    }


def _marks(connection: Connection, scope: Scope, wired: Mapping[str, Wired]) -> list[Mark]:
    """Everything that stays erased."""
    marks = [Mark("person", key, entity_key=key) for key in scope.person.keys]
    marks += [Mark("address", one) for one in sorted(scope.addresses)]
    kept = {
        source_key: kept_of(connection, scope.client_key, source_key, wired.get(source_key))
        for source_key in {row["source_key"] for row in scope.tickets}
    }
    marks += [
        Mark(
            "ticket",
            row["remote_id"],
            row["source_key"],
            row["ticket_key"],
            kept[row["source_key"]],
        )
        for row in scope.tickets
    ]
    streams = erasable.people_streams_of(connection, scope.client_key)
    marks += [
        Mark(
            "record",
            record_id(stream, row["remote_id"]),
            row["source_key"],
            row["person_key"],
            {"is_person": True},
        )
        for row in scope.records
        if is_opaque(row["remote_id"])
        for source_key, stream in streams
        if source_key == row["source_key"]
    ]
    marks += _message_marks(connection, scope, wired)
    marks += [
        Mark(
            "record" if stream == SUSPENDED else "mention", record_id(stream, remote_id), source_key
        )
        for source_key, stream, remote_id, _ in sorted(scope.mentions, key=str)
    ]
    return marks


def _message_marks(
    connection: Connection, scope: Scope, wired: Mapping[str, Wired]
) -> Iterable[Mark]:
    """Mails, each with what stands for it; on others' tickets the person's own messages."""
    mails: dict[str, list[Row]] = {}
    for row in scope.messages:
        if row["raw_stream"] == MAILS and row["raw_remote_id"]:
            mails.setdefault(row["source_key"], []).append(row)
    for source_key, rows in sorted(mails.items()):
        yield from _mail_marks(connection, scope, source_key, rows, wired.get(source_key))
    for row in scope.elsewhere:
        stream, remote_id = row["raw_stream"], row["raw_remote_id"]
        if not remote_id or stream == MAILS:
            continue
        if stream == "tickets":
            part = f"{remote_id}/{row['remote_id']}"
            yield Mark("part", part, row["source_key"], row["comment_key"])
        else:
            yield Mark("record", record_id(stream, remote_id), row["source_key"])


def _mail_marks(
    connection: Connection,
    scope: Scope,
    source_key: str,
    rows: Sequence[Row],
    wired: Wired | None,
) -> Iterable[Mark]:
    is_own: Callable[[str], bool] = lambda _address: False  # noqa: E731 - one of two of its kind
    if wired is not None and isinstance(wired.transform, MailTransform):
        is_own = wired.transform.mailbox.is_agent
    stands_for = dict.fromkeys(scope.addresses, scope.person.pseudonym)
    by_id = {row["raw_remote_id"]: row for row in rows}
    roots = erasable.first_message_ids(connection, {row["ticket_key"] for row in rows})
    for record in raw.latest_records(
        connection, scope.client_key, source_key, MAILS, remote_ids=by_id
    ):
        row = by_id[record.remote_id]
        mail = parse(record)
        if isinstance(mail, Rejected):
            yield Mark("record", record_id(MAILS, record.remote_id), source_key, None, {"mail": ""})
            continue
        text = erased_mail(
            mail,
            row["ticket_remote_id"],
            roots.get(row["ticket_key"]),
            lambda address: stands_for.get(address.lower()),
            is_own,
        )
        yield Mark("record", record_id(MAILS, record.remote_id), source_key, None, {"mail": text})
        if mail.message_id is not None:
            yield Mark("message", mail.message_id, kept={"mail": text})


def _erase_rows(connection: Connection, scope: Scope, marks: Iterable[Mark]) -> None:
    erased_rows.erase_tickets(connection, scope.ticket_keys)
    erased_rows.erase_comments(connection, [row["comment_key"] for row in scope.elsewhere])
    source_keys = {row["source_key"] for row in (*scope.records, *scope.tickets)}
    source_keys |= set(erasable.sources_of(connection, scope.client_key))
    erased_rows.erase_person(connection, scope.client_key, scope.person, source_keys)
    remote_ids: dict[str, set[str]] = {}
    for mark in marks:
        if mark.kind in ("ticket", "record", "mention"):
            remote_id = mark.remote_id
            own = remote_id if mark.kind == "ticket" else remote_id.partition("/")[2]
            remote_ids.setdefault(mark.source_key, set()).add(own)
    erased_rows.erase_mentions(connection, scope.client_key, scope.addresses, remote_ids)


def _erase_raw(
    connection: Connection,
    scope: Scope,
    wired: Mapping[str, Wired],
    marks: Iterable[Mark],
    salt: str,
) -> int:
    tickets: dict[str, list[str]] = {}
    records: dict[str, list[tuple[str, str]]] = {}
    for mark in marks:
        if mark.kind == "ticket":
            tickets.setdefault(mark.source_key, []).append(mark.remote_id)
        elif mark.kind in ("record", "mention"):
            stream, _, remote_id = mark.remote_id.partition("/")
            records.setdefault(mark.source_key, []).append((stream, remote_id))
        elif mark.kind == "part":
            ticket_id = mark.remote_id.rpartition("/")[0]
            records.setdefault(mark.source_key, []).append(("tickets", ticket_id))
    changed = 0
    for source_key in sorted({*tickets, *records}):
        one = wired.get(source_key)
        changed += erased_raw.erase_versions(
            connection,
            scope.client_key,
            source_key,
            salt,
            ticket_ids=tickets.get(source_key, ()),
            records=records.get(source_key, ()),
            volatile=one.source.volatile_fields if one is not None else {},
        )
    return changed
