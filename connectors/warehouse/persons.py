"""People in the warehouse: what each source says of them, who is one, what people decided about that.

Belongs here: reads and writes of `person_record`, `entity_match`, `contact_decision` and `merged_into_key`.
Does not belong here: who is one person (`transforms.persons`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    FromClause,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from connectors.warehouse import watermarks
from connectors.warehouse.bulk import select_in, upsert
from connectors.warehouse.tables import (
    agent,
    comment,
    contact,
    contact_decision,
    contact_identity,
    entity_match,
    organisation,
    person_record,
    ticket,
)

Row = dict[str, Any]

ROWS_AT_ONCE = 5_000

TABLES: dict[str, tuple[Table, Column[str]]] = {
    "contact": (contact, contact.c.contact_key),
    "agent": (agent, agent.c.agent_key),
    "organisation": (organisation, organisation.c.organisation_key),
}
"""Kind → the table of what is shown, and its key."""


def leading(table: FromClause, key: Any) -> Any:
    """The key that leads the group of a row: who it was merged into, or itself."""
    return func.coalesce(table.c.merged_into_key, key)


def with_leading(joined: Any, kind: str, own_key: Column[Any]) -> Any:
    """Joins the table of what is shown, in the row that leads the group of `own_key`."""
    table, key = TABLES[kind]
    known = table.alias(f"known_{kind}")
    leader = leading(known, known.c[key.name])
    return joined.outerjoin(known, known.c[key.name] == own_key).outerjoin(table, key == leader)


def write_records(connection: Connection, rows: Sequence[Row]) -> int:
    """Upserts what a source says of people; returns how many rows changed."""
    return upsert(connection, person_record, rows)


def records_of(connection: Connection, person_keys: Iterable[str]) -> list[Row]:
    """What all sources say of these people."""
    found = select_in(connection, select(person_record), person_record.c.person_key, person_keys)
    return [dict(row._mapping) for row in found]


def all_records(connection: Connection, client_key: str, kind: str) -> Iterator[Mapping[str, Any]]:
    """What all sources say of a client's contacts or agents, row by row.

    Somebody of whom there is only the row that is shown (loaded before records were kept) is told by that.
    """
    statement = select(person_record).where(
        person_record.c.client_key == client_key, person_record.c.kind == kind
    )
    for row in _streamed(connection, statement):
        yield row._mapping
    table, key = TABLES[kind]
    without = select(table).where(
        table.c.client_key == client_key, ~exists().where(person_record.c.person_key == key)
    )
    for row in _streamed(connection, without):
        shown = row._mapping
        yield {
            "source_key": "",
            "remote_id": shown[key.name],
            "person_key": shown[key.name],
            "name": shown["name"],
            "emails": [shown["email"]] if shown["email"] else [],
            "phones": [shown["phone"]] if shown.get("phone") else [],
            "external_id": None,
            "organisation_key": shown.get("organisation_key"),
            "language": shown.get("language"),
            "time_zone": shown.get("time_zone"),
            "is_active": shown.get("is_active", True),
        }


def _streamed(connection: Connection, statement: Any) -> Any:
    """Rows as they are asked for: there may be a million."""
    return connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement)


def wrote_together(connection: Connection, client_key: str) -> set[tuple[str, str]]:
    """Pairs of contacts (smaller key first) of whom one asked for a ticket and the other wrote in it."""
    pairs = (
        select(ticket.c.requester_key, comment.c.author_key)
        .select_from(ticket.join(comment, comment.c.ticket_key == ticket.c.ticket_key))
        .where(
            ticket.c.client_key == client_key,
            comment.c.author_kind == "customer",
            comment.c.author_key != ticket.c.requester_key,
        )
        .distinct()
    )
    return {(min(row), max(row)) for row in connection.execute(pairs)}


def all_organisations(connection: Connection, client_key: str) -> list[Row]:
    """A client's organisations."""
    statement = select(organisation).where(organisation.c.client_key == client_key)
    return [dict(row._mapping) for row in connection.execute(statement)]


def groups_of(connection: Connection, kind: str, keys: Iterable[str]) -> dict[str, list[str]]:
    """Leading key → all keys of its group, for the groups that these keys are in."""
    table, key = TABLES[kind]
    statement = select(leading(table, key))
    leaders = {row[0] for row in select_in(connection, statement, key, keys)}
    groups: dict[str, list[str]] = {leader: [leader] for leader in sorted(leaders)}
    members = select(key, table.c.merged_into_key)
    for row in select_in(connection, members, table.c.merged_into_key, leaders):
        groups[row.merged_into_key].append(row[0])
    return groups


def leaders_of(connection: Connection, client_key: str, kind: str) -> dict[str, str]:
    """Key → the key that leads its group, of everybody of a client."""
    table, key = TABLES[kind]
    statement = select(key, leading(table, key)).where(table.c.client_key == client_key)
    return {row[0]: row[1] for row in connection.execute(statement)}


def write_leaders(connection: Connection, kind: str, leaders: Mapping[str, str]) -> None:
    """Notes for these keys who leads their group."""
    table, key = TABLES[kind]
    if not leaders:
        return
    connection.execute(
        update(table)
        .where(key == bindparam("its_key"))
        .values(merged_into_key=bindparam("its_leader")),
        [
            {"its_key": one, "its_leader": None if one == leader else leader}
            for one, leader in leaders.items()
        ],
    )


def write_matches(connection: Connection, client_key: str, kind: str, rows: Sequence[Row]) -> int:
    """Makes these the only matches of a client's kind; returns how many rows changed."""
    of_kind = and_(entity_match.c.client_key == client_key, entity_match.c.kind == kind)
    present = {
        (row.left_key, row.right_key)
        for row in connection.execute(
            select(entity_match.c.left_key, entity_match.c.right_key).where(of_kind)
        )
    }
    gone = present - {(row["left_key"], row["right_key"]) for row in rows}
    if gone:
        connection.execute(
            delete(entity_match).where(
                of_kind,
                entity_match.c.left_key == bindparam("its_left"),
                entity_match.c.right_key == bindparam("its_right"),
            ),
            [{"its_left": left, "its_right": right} for left, right in sorted(gone)],
        )
    return len(gone) + upsert(connection, entity_match, rows)


def matches(
    connection: Connection, client_key: str, *, verdict: str | None = None, key: str | None = None
) -> list[Row]:
    """Why two are one or may be, surest first; only those of a verdict, or that touch one key."""
    statement = select(entity_match).where(entity_match.c.client_key == client_key)
    if verdict is not None:
        statement = statement.where(entity_match.c.verdict == verdict)
    if key is not None:
        statement = statement.where(
            or_(entity_match.c.left_key == key, entity_match.c.right_key == key)
        )
    ordered = statement.order_by(
        entity_match.c.bits.is_(None),
        entity_match.c.bits.desc(),
        entity_match.c.left_key,
        entity_match.c.right_key,
    )
    return [dict(row._mapping) for row in connection.execute(ordered)]


def shown(connection: Connection, kind: str, keys: Iterable[str]) -> dict[str, Row]:
    """Key → the row that is shown."""
    table, key = TABLES[kind]
    found = select_in(connection, select(table), key, keys)
    return {row._mapping[key.name]: dict(row._mapping) for row in found}


def find(
    connection: Connection, client_key: str, who: str, email: str | None
) -> tuple[str, str] | None:
    """(kind, key) of whoever has an e-mail address, or is called `source/id`; None where nobody is.

    Args:
        connection: where to look.
        client_key: whose.
        who: `source/id`.
        email: an address in the form in which addresses are compared; None where `who` is none.
    """
    source_key, _, remote_id = who.partition("/")
    named = select(person_record.c.kind, person_record.c.person_key).where(
        person_record.c.client_key == client_key,
        person_record.c.source_key == source_key,
        person_record.c.remote_id == remote_id,
    )
    row = connection.execute(named).first()
    if row is None and email is not None:
        known = select(literal("contact"), contact_identity.c.contact_key).where(
            contact_identity.c.client_key == client_key,
            contact_identity.c.kind == "email",
            contact_identity.c.value == email,
        )
        of_agent = select(literal("agent"), agent.c.agent_key).where(
            agent.c.client_key == client_key, func.lower(agent.c.email) == email
        )
        row = connection.execute(known).first() or connection.execute(of_agent).first()
    return (row[0], row[1]) if row else None


def tickets_by_key(connection: Connection, kind: str, keys: Iterable[str]) -> dict[str, int]:
    """Key → how many tickets: asked for by a contact, assigned to an agent, of an organisation."""
    column = {
        "contact": ticket.c.requester_key,
        "agent": ticket.c.assignee_key,
        "organisation": ticket.c.organisation_key,
    }[kind]
    counted = select(column, func.count()).group_by(column)
    return {row[0]: row[1] for row in select_in(connection, counted, column, keys)}


def decisions(connection: Connection, client_key: str) -> list[Row]:
    """What people decided about pairs of contacts, agents or organisations."""
    statement = select(contact_decision).where(contact_decision.c.client_key == client_key)
    ordered = statement.order_by(contact_decision.c.left_key, contact_decision.c.right_key)
    return [dict(row._mapping) for row in connection.execute(ordered)]


def decide(
    connection: Connection,
    client_key: str,
    pairs: Iterable[tuple[str, str]],
    decision: str,
    author: str,
    decided_at: datetime,
) -> None:
    """Remembers for pairs of keys what somebody decided; the newest decision about a pair holds.

    Args:
        connection: inside a transaction.
        client_key: whose.
        pairs: keys of one kind, in any order.
        decision: same or different.
        author: who decided.
        decided_at: aware instant.
    """
    rows = [
        {
            "client_key": client_key,
            "left_key": min(pair),
            "right_key": max(pair),
            "decision": decision,
            "author": author,
            "decided_at": decided_at,
        }
        for pair in pairs
    ]
    upsert(connection, contact_decision, rows)


def forget_decisions(
    connection: Connection, client_key: str, pairs: Iterable[tuple[str, str]]
) -> int:
    """Takes back what was decided about pairs; returns how many decisions went."""
    gone = 0
    for pair in pairs:
        gone += connection.execute(
            delete(contact_decision).where(
                contact_decision.c.client_key == client_key,
                contact_decision.c.left_key == min(pair),
                contact_decision.c.right_key == max(pair),
            )
        ).rowcount
    return gone


def note_change(connection: Connection, client_key: str) -> None:
    """Says that what is known of a client's people changed: they are to be matched again."""
    if watermarks.count_up(connection, client_key, watermarks.PEOPLE) is None:
        first = watermarks.Watermark(1)
        watermarks.set_watermark(connection, client_key, watermarks.PEOPLE, first, update=False)


def to_match(connection: Connection, client_key: str) -> tuple[int, datetime | None] | None:
    """(number of the newest change, when people were last matched), where they were not matched since; else None."""
    newest = watermarks.watermark(connection, client_key, watermarks.PEOPLE).number
    matched = watermarks.watermark(connection, client_key, watermarks.PEOPLE_MATCHED)
    return (newest, matched.at) if newest > matched.number else None


def count_records(connection: Connection, client_key: str) -> int:
    """How many records of people a client's sources have."""
    counted = select(func.count()).where(person_record.c.client_key == client_key)
    return connection.execute(counted).scalar_one()


def mark_matched(connection: Connection, client_key: str, number: int, at: datetime) -> None:
    """Says up to which change people were matched, and when (aware)."""
    mark = watermarks.Watermark(number, at)
    watermarks.set_watermark(connection, client_key, watermarks.PEOPLE_MATCHED, mark)
