"""Everything that is known about one ticket, from its raw records to the messages about it.

Belongs here: the reads behind `deskbridge explain`. Does not belong here: how it is shown.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from connectors.warehouse import persons
from connectors.warehouse.tables import (
    agent,
    audit_entry,
    comment,
    contact,
    delivery,
    entity_alias,
    escalation,
    migration_item,
    organisation,
    raw_record,
    source_sla_event,
    team,
    ticket,
    ticket_link,
    timer,
)

Row = dict[str, Any]


def find_tickets(connection: Connection, text: str, client_key: str | None) -> list[Row]:
    """Tickets by our key, by number or by the source's id (`zendesk/1042` names the source too), or by a mail of theirs.

    A mail is named by its Message-ID (with or without angles) or its record's id (`sha256:…`).
    """
    if "@" in text or text.startswith(("sha256:", "<")):
        return _find(connection, [ticket.c.ticket_key.in_(_with_mail(text))], client_key)
    source_key, _, number = text.rpartition("/")
    conditions = [
        or_(
            ticket.c.ticket_key == text,
            ticket.c.number == number.lstrip("#"),
            ticket.c.remote_id == number,
        )
    ]
    if source_key:
        conditions.append(ticket.c.source_key == source_key)
    return _find(connection, conditions, client_key)


def _with_mail(text: str) -> Select[Any]:
    names = (text.strip("<>"), f"<{text.strip('<>')}>")
    return select(comment.c.ticket_key).where(
        or_(comment.c.message_id.in_(names), comment.c.raw_remote_id == text)
    )


def _find(
    connection: Connection, conditions: list[ColumnElement[bool]], client_key: str | None
) -> list[Row]:
    if client_key is not None:
        conditions.append(ticket.c.client_key == client_key)
    member = contact.alias("member")
    person_key = persons.leading(contact, contact.c.contact_key)
    others = (
        select(func.count())
        .select_from(member)
        .where(member.c.merged_into_key == person_key)
        .correlate(contact)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(
            ticket,
            contact.c.name.label("requester"),
            contact.c.email.label("requester_email"),
            person_key.label("person_key"),
            others.label("other_contacts"),
            organisation.c.name.label("organisation"),
            agent.c.name.label("assignee"),
            team.c.name.label("team"),
        )
        .select_from(
            ticket.outerjoin(contact, contact.c.contact_key == ticket.c.requester_key)
            .outerjoin(organisation, organisation.c.organisation_key == ticket.c.organisation_key)
            .outerjoin(agent, agent.c.agent_key == ticket.c.assignee_key)
            .outerjoin(team, team.c.team_key == ticket.c.team_key)
        )
        .where(*conditions)
        .order_by(ticket.c.client_key, ticket.c.source_key)
    )
    return [dict(row._mapping) for row in rows]


def raw_versions(connection: Connection, found: Row) -> list[Row]:
    """The raw records a ticket was made from: stream, id, version, hash, when fetched."""
    mails = select(comment.c.raw_remote_id).where(
        comment.c.ticket_key == found["ticket_key"], comment.c.raw_remote_id.is_not(None)
    )
    by_mail = and_(raw_record.c.stream == "mails", raw_record.c.remote_id.in_(mails))
    rows = connection.execute(
        select(
            raw_record.c.stream,
            raw_record.c.remote_id,
            raw_record.c.version,
            raw_record.c.payload_sha256,
            raw_record.c.fetched_at,
            func.length(raw_record.c.payload).label("size_bytes"),
            raw_record.c.location,
        )
        .where(
            raw_record.c.client_key == found["client_key"],
            raw_record.c.source_key == found["source_key"],
            or_(raw_record.c.ticket_remote_id == found["remote_id"], by_mail),
        )
        .order_by(raw_record.c.raw_id)
    )
    return [dict(row._mapping) for row in rows]


def words_of(connection: Connection, ticket_key: str, most: int = 400) -> dict[str, str]:
    """Of each comment of a ticket, by its key, the beginning of what its author wrote."""
    own = func.coalesce(comment.c.reply_text, comment.c.body_text)
    rows = connection.execute(
        select(comment.c.comment_key, func.substr(own, 1, most)).where(
            comment.c.ticket_key == ticket_key
        )
    )
    return {row[0]: row[1] for row in rows}


def mails_of(connection: Connection, ticket_key: str) -> list[Row]:
    """A ticket's mails in order: id, when sent, where they lay, why they are in this conversation."""
    newest = (
        select(
            raw_record.c.client_key,
            raw_record.c.source_key,
            raw_record.c.remote_id,
            func.max(raw_record.c.raw_id).label("raw_id"),
        )
        .where(
            raw_record.c.stream == "mails",
            raw_record.c.remote_id.in_(
                select(comment.c.raw_remote_id).where(comment.c.ticket_key == ticket_key)
            ),
        )
        .group_by(raw_record.c.client_key, raw_record.c.source_key, raw_record.c.remote_id)
        .subquery()
    )
    rows = connection.execute(
        select(
            comment.c.raw_remote_id.label("remote_id"),
            comment.c.created_at,
            comment.c.message_id,
            comment.c.thread_reason,
            raw_record.c.location,
        )
        .select_from(
            comment.join(
                newest,
                and_(
                    newest.c.client_key == comment.c.client_key,
                    newest.c.source_key == comment.c.source_key,
                    newest.c.remote_id == comment.c.raw_remote_id,
                ),
            ).join(raw_record, raw_record.c.raw_id == newest.c.raw_id)
        )
        .where(comment.c.ticket_key == ticket_key, comment.c.raw_stream == "mails")
        .order_by(comment.c.position)
    )
    return [dict(row._mapping) for row in rows]


def names_of(connection: Connection, keys: list[str]) -> dict[str, str]:
    """Our keys of people and teams → names."""
    found: dict[str, str] = {}
    for table, key in ((contact, "contact_key"), (agent, "agent_key"), (team, "team_key")):
        named = func.coalesce(table.c.name, getattr(table.c, "email", table.c.name))
        rows = connection.execute(select(table.c[key], named).where(table.c[key].in_(keys)))
        found.update({k: name for k, name in rows if name})
    return found


def told_about(connection: Connection, ticket_key: str) -> tuple[list[Row], list[Row], list[Row]]:
    """(timers, escalations, messages) of a ticket, in order."""
    timers = connection.execute(
        select(timer).where(timer.c.ticket_key == ticket_key).order_by(timer.c.due_at)
    )
    escalations = connection.execute(
        select(escalation)
        .where(escalation.c.ticket_key == ticket_key)
        .order_by(escalation.c.decided_at)
    )
    messages = connection.execute(
        select(delivery)
        .where(delivery.c.ticket_key == ticket_key)
        .order_by(delivery.c.created_at, delivery.c.sequence, delivery.c.channel)
    )
    return (
        [dict(row._mapping) for row in timers],
        [dict(row._mapping) for row in escalations],
        [dict(row._mapping) for row in messages],
    )


def links_of(connection: Connection, ticket_key: str) -> list[Row]:
    """Links of a ticket in both directions, with the other ticket's number."""
    other = ticket.alias("other")
    rows = connection.execute(
        select(ticket_link, other.c.number, other.c.source_key.label("other_source"))
        .select_from(
            ticket_link.outerjoin(
                other,
                or_(
                    and_(
                        ticket_link.c.ticket_key == ticket_key,
                        other.c.ticket_key == ticket_link.c.other_key,
                    ),
                    and_(
                        ticket_link.c.other_key == ticket_key,
                        other.c.ticket_key == ticket_link.c.ticket_key,
                    ),
                ),
            )
        )
        .where(or_(ticket_link.c.ticket_key == ticket_key, ticket_link.c.other_key == ticket_key))
    )
    return [dict(row._mapping) for row in rows]


def source_verdicts_of(connection: Connection, ticket_key: str) -> list[Row]:
    """What the source's own SLA says of a ticket, in order."""
    rows = connection.execute(
        select(source_sla_event)
        .where(source_sla_event.c.ticket_key == ticket_key)
        .order_by(source_sla_event.c.occurred_at, source_sla_event.c.remote_id)
    )
    return [dict(row._mapping) for row in rows]


def moves_of(connection: Connection, ticket_key: str) -> list[Row]:
    """What a migration did with a ticket."""
    rows = connection.execute(
        select(migration_item).where(
            migration_item.c.ticket_key == ticket_key, migration_item.c.kind == "ticket"
        )
    )
    return [dict(row._mapping) for row in rows]


def aliases_of(connection: Connection, ticket_key: str) -> list[Row]:
    """Every identity that stands for a ticket."""
    rows = connection.execute(
        select(entity_alias).where(
            entity_alias.c.entity_key == ticket_key, entity_alias.c.kind == "ticket"
        )
    )
    return [dict(row._mapping) for row in rows]


def audited(connection: Connection, client_key: str, subjects: list[str]) -> list[Row]:
    """Audit entries about some subjects (timer and message keys)."""
    rows = connection.execute(
        select(audit_entry)
        .where(audit_entry.c.client_key == client_key, audit_entry.c.subject.in_(subjects))
        .order_by(audit_entry.c.sequence)
    )
    return [dict(row._mapping) for row in rows]
