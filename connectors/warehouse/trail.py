"""Everything that is known about one ticket, from its raw records to the messages about it.

Belongs here: the reads behind `deskbridge explain`. Does not belong here: how it is shown.
"""

from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

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
    """Tickets by our key, by number or by the source's id (`zendesk/1042` names the source too)."""
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
    if client_key is not None:
        conditions.append(ticket.c.client_key == client_key)
    member = contact.alias("member")
    person_key = func.coalesce(contact.c.merged_into_key, contact.c.contact_key)
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
