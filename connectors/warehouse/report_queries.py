"""Bulk reads for the reports: one query a frame, always of one client.

Belongs here: reads that give whole tables of one client as pandas frames, with aware UTC instants on both
databases. Does not belong here: figures, exclusions or anything that decides what counts (`reports/`).

Every frame has its columns even when it has no rows. Instants are `datetime64[us, UTC]` with NaT for none,
seconds are floats where they may be missing, flags are bool, everything else is an object with None for none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Boolean, Connection, Select, and_, case, func, select
from sqlalchemy.types import Integer

from connectors.warehouse import persons
from connectors.warehouse.tables import (
    agent,
    client,
    comment,
    contact,
    delivery,
    escalation,
    migration_item,
    organisation,
    quarantine,
    raw_record,
    satisfaction_rating,
    sla_clock,
    sla_policy_version,
    team,
    ticket,
    ticket_change,
    ticket_link,
)
from connectors.warehouse.types import UtcDateTime

HISTORY_FIELDS = ("status", "priority", "assignee", "team")
"""The fields of `ticket_change` that a report reads."""

CLOCK_COLUMNS = (
    "ticket_key",
    "metric",
    "instance",
    "policy",
    "policy_version",
    "priority",
    "calendar",
    "target_seconds",
    "started_at",
    "stopped_at",
    "due_at",
    "breached_at",
    "elapsed_seconds",
    "paused_seconds",
    "state",
    "is_at_risk",
    "evaluated_at",
)
"""The columns of `sla_clock` that a report reads."""

ROWS_PER_FETCH = 10_000
"""Rows taken from the database at a time; bounds what the driver holds beside the frame."""


@dataclass(frozen=True, slots=True)
class ReportRows:
    """Everything a report reads about one client. Each field is the result of one query below."""

    client_key: str
    tickets: pd.DataFrame
    comments: pd.DataFrame
    clocks: pd.DataFrame
    links: pd.DataFrame
    changes: pd.DataFrame
    ratings: pd.DataFrame
    escalations: pd.DataFrame
    deliveries: pd.DataFrame
    agents: pd.DataFrame
    teams: pd.DataFrame
    quarantine: pd.DataFrame
    raw_counts: pd.DataFrame
    policies: pd.DataFrame

    def with_clocks(self, clocks: pd.DataFrame) -> "ReportRows":
        """The same rows with clocks that were evaluated for another instant (see `clocks_frame`)."""
        return replace(self, clocks=clocks)


def read_report_rows(connection: Connection, client_key: str) -> ReportRows:
    """All frames of one client, read in the transaction that `connection` is in."""
    return ReportRows(
        client_key=client_key,
        tickets=read_tickets(connection, client_key),
        comments=read_comments(connection, client_key),
        clocks=read_clocks(connection, client_key),
        links=read_links(connection, client_key),
        changes=read_changes(connection, client_key),
        ratings=read_ratings(connection, client_key),
        escalations=read_escalations(connection, client_key),
        deliveries=read_deliveries(connection, client_key),
        agents=read_agents(connection, client_key),
        teams=read_teams(connection, client_key),
        quarantine=read_quarantine(connection, client_key),
        raw_counts=read_raw_counts(connection, client_key),
        policies=read_policies(connection, client_key),
    )


def read_time_zone(connection: Connection, client_key: str) -> str | None:
    """The client's own time zone; None when the warehouse does not know the client."""
    zone: str | None = connection.execute(
        select(client.c.time_zone).where(client.c.client_key == client_key)
    ).scalar_one_or_none()
    return zone


def read_tickets(connection: Connection, client_key: str) -> pd.DataFrame:
    """Every ticket with the names of its requester, organisation, assignee and team, by creation.

    Whoever is one person (or organisation) with others has one name on all of their tickets.
    """
    joined = ticket.outerjoin(team, team.c.team_key == ticket.c.team_key)
    for kind, own_key in (
        ("contact", ticket.c.requester_key),
        ("organisation", ticket.c.organisation_key),
        ("agent", ticket.c.assignee_key),
    ):
        joined = persons.with_leading(joined, kind, own_key)
    t = ticket.c
    statement = (
        select(
            t.ticket_key,
            t.source_key,
            func.coalesce(t.number, t.remote_id).label("number"),
            t.subject,
            t.status,
            t.priority,
            t.type,
            t.category,
            t.channel,
            t.is_automatic,
            t.url,
            t.created_at,
            t.updated_at,
            t.solved_at,
            t.closed_at,
            t.assignee_key,
            t.team_key,
            t.source_verdict,
            func.coalesce(contact.c.name, contact.c.email).label("requester_name"),
            organisation.c.name.label("organisation_name"),
            func.coalesce(agent.c.name, agent.c.email).label("assignee_name"),
            team.c.name.label("team_name"),
        )
        .select_from(joined)
        .where(t.client_key == client_key)
        .order_by(t.created_at, t.ticket_key)
    )
    return _frame(connection, statement)


def read_comments(connection: Connection, client_key: str) -> pd.DataFrame:
    """When each comment was made, by what kind of author and whether in public; second copies left out, no texts."""
    c = comment.c
    statement = (
        select(
            c.ticket_key,
            c.source_key,
            c.position,
            c.created_at,
            c.author_kind,
            c.is_public,
            c.is_automatic,
        )
        .where(c.client_key == client_key, c.copy_of_key.is_(None))
        .order_by(c.ticket_key, c.created_at, c.position)
    )
    return _frame(connection, statement)


def read_clocks(connection: Connection, client_key: str) -> pd.DataFrame:
    """Every clock instance as last evaluated."""
    columns = [sla_clock.c[name] for name in CLOCK_COLUMNS]
    statement = (
        select(*columns)
        .where(sla_clock.c.client_key == client_key)
        .order_by(sla_clock.c.ticket_key, sla_clock.c.metric, sla_clock.c.instance)
    )
    return _frame(connection, statement)


def read_links(connection: Connection, client_key: str) -> pd.DataFrame:
    """Which ticket is a duplicate of, was merged into or was migrated to which other."""
    link = ticket_link.c
    statement = (
        select(link.ticket_key, link.other_key, link.kind, link.reason)
        .where(link.client_key == client_key)
        .order_by(link.ticket_key, link.other_key, link.kind)
    )
    return _frame(connection, statement)


def read_changes(
    connection: Connection, client_key: str, fields: Iterable[str] = HISTORY_FIELDS
) -> pd.DataFrame:
    """The changes of status, priority, assignee and team, in the order in which they happened to each ticket."""
    change = ticket_change.c
    statement = (
        select(
            change.ticket_key,
            change.field,
            change.old_value,
            change.new_value,
            change.occurred_at,
            change.recorded_at,
            change.position,
            change.actor_kind,
        )
        .where(change.client_key == client_key, change.field.in_(tuple(fields)))
        .order_by(change.ticket_key, change.occurred_at, change.position, change.change_key)
    )
    return _frame(connection, statement)


def read_ratings(connection: Connection, client_key: str) -> pd.DataFrame:
    """Every satisfaction rating, by the instant it was given."""
    rating = satisfaction_rating.c
    statement = (
        select(rating.ticket_key, rating.kind, rating.score, rating.comment, rating.rated_at)
        .where(rating.client_key == client_key)
        .order_by(rating.rated_at, rating.rating_key)
    )
    return _frame(connection, statement)


def read_escalations(connection: Connection, client_key: str) -> pd.DataFrame:
    """Every escalation step that was decided, by the instant it was decided."""
    columns = [column for column in escalation.c if column.name != "client_key"]
    statement = (
        select(*columns)
        .where(escalation.c.client_key == client_key)
        .order_by(escalation.c.decided_at, escalation.c.escalation_key)
    )
    return _frame(connection, statement)


def read_deliveries(connection: Connection, client_key: str) -> pd.DataFrame:
    """The outbox's rows that concern a ticket: through which channel, and how it went."""
    row = delivery.c
    statement = (
        select(
            row.delivery_key,
            row.ticket_key,
            row.message_key,
            row.channel,
            row.destination,
            row.action,
            row.sequence,
            row.created_at,
            row.state,
            row.outcome,
            row.delivered_at,
        )
        .where(row.client_key == client_key, row.ticket_key.is_not(None))
        .order_by(row.created_at, row.delivery_key)
    )
    return _frame(connection, statement)


def read_agents(connection: Connection, client_key: str) -> pd.DataFrame:
    """Agent keys with the name to show: the same one for all keys of one person."""
    known = agent.alias("known")
    leader = persons.leading(known, known.c.agent_key)
    statement = (
        select(known.c.agent_key, func.coalesce(agent.c.name, agent.c.email).label("name"))
        .select_from(known.join(agent, agent.c.agent_key == leader))
        .where(known.c.client_key == client_key)
        .order_by(known.c.agent_key)
    )
    return _frame(connection, statement)


def read_teams(connection: Connection, client_key: str) -> pd.DataFrame:
    """Team keys with their names."""
    statement = (
        select(team.c.team_key, team.c.name)
        .where(team.c.client_key == client_key)
        .order_by(team.c.team_key)
    )
    return _frame(connection, statement)


def read_quarantine(connection: Connection, client_key: str) -> pd.DataFrame:
    """How many records could not be understood, by source, stream and reason."""
    q = quarantine.c
    statement = (
        select(q.source_key, q.stream, q.reason, func.count().label("records"))
        .where(q.client_key == client_key)
        .group_by(q.source_key, q.stream, q.reason)
        .order_by(q.source_key, q.stream, q.reason)
    )
    return _frame(connection, statement)


def read_raw_counts(connection: Connection, client_key: str) -> pd.DataFrame:
    """Distinct raw records by source and stream; `readable_records` ever came with more than a tombstone."""
    r = raw_record.c
    with_payload = func.count(func.distinct(case((r.is_tombstone.is_(False), r.remote_id))))
    statement = (
        select(
            r.source_key,
            r.stream,
            func.count(func.distinct(r.remote_id)).label("records"),
            with_payload.label("readable_records"),
            func.max(r.fetched_at).label("fetched_at"),
        )
        .where(r.client_key == client_key)
        .group_by(r.source_key, r.stream)
        .order_by(r.source_key, r.stream)
    )
    return _frame(connection, statement)


def read_policies(connection: Connection, client_key: str) -> pd.DataFrame:
    """The policy versions that the client's clocks may name."""
    p = sla_policy_version.c
    statement = (
        select(p.policy, p.version, p.loaded_at)
        .where(p.client_key == client_key)
        .order_by(p.policy, p.loaded_at, p.version)
    )
    return _frame(connection, statement)


def read_migration_items(
    connection: Connection, client_key: str, run_key: str | None = None
) -> pd.DataFrame:
    """The migration ledger's rows, of one run or of all, each with the subject and time of what it is about."""
    columns = [column for column in migration_item.c if column.name != "client_key"]
    of_mail = and_(
        migration_item.c.kind == "mail",
        comment.c.client_key == migration_item.c.client_key,
        comment.c.source_key == migration_item.c.source_key,
        comment.c.raw_remote_id == migration_item.c.remote_id,
    )
    statement = (
        select(
            *columns,
            func.coalesce(comment.c.subject, ticket.c.subject).label("subject"),
            func.coalesce(comment.c.created_at, ticket.c.created_at, type_=UtcDateTime()).label(
                "occurred_at"
            ),
        )
        .select_from(
            migration_item.outerjoin(comment, of_mail).outerjoin(
                ticket, ticket.c.ticket_key == migration_item.c.ticket_key
            )
        )
        .where(migration_item.c.client_key == client_key)
        .order_by(migration_item.c.run_key, migration_item.c.kind, migration_item.c.remote_id)
    )
    if run_key is not None:
        statement = statement.where(migration_item.c.run_key == run_key)
    return _frame(connection, statement)


def clocks_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Clock rows evaluated for another instant, in the shape that `read_clocks` gives."""
    columns = [sla_clock.c[name] for name in CLOCK_COLUMNS]
    values = [tuple(row.get(column.name) for column in columns) for row in rows]
    return _typed(values, [column.name for column in columns], [column.type for column in columns])


def _frame(connection: Connection, statement: Select[Any]) -> pd.DataFrame:
    result = connection.execute(statement, execution_options={"yield_per": ROWS_PER_FETCH})
    values = [tuple(row) for row in result]
    columns = list(statement.selected_columns)
    return _typed(values, [column.name for column in columns], [column.type for column in columns])


def _typed(values: list[Any], names: list[str], types: list[Any]) -> pd.DataFrame:
    """A frame whose column types follow the tables', never what the rows happen to hold."""
    frame = pd.DataFrame(values, columns=names, dtype=object)
    for name, kind in zip(names, types, strict=True):
        if isinstance(kind, UtcDateTime):
            frame[name] = instants(frame[name])
        elif isinstance(kind, Boolean):
            frame[name] = frame[name].astype(bool)
        elif isinstance(kind, Integer):
            frame[name] = _whole(frame[name])
    return frame


def instants(values: Iterable[datetime | None]) -> "pd.Series[Any]":
    """Aware instants as one column of UTC microseconds, NaT for none."""
    column = pd.Series(values)
    return pd.to_datetime(column, utc=True).astype("datetime64[us, UTC]")


def _whole(values: "pd.Series[Any]") -> "pd.Series[Any]":
    return values.astype(float) if values.isna().any() or values.empty else values.astype("int64")


def tickets_from_to(connection: Connection, client_key: str) -> tuple[datetime, datetime] | None:
    """When a client's first and last ticket were created; None where it has none."""
    created_at = ticket.c.created_at
    first, last = connection.execute(
        select(func.min(created_at), func.max(created_at)).where(ticket.c.client_key == client_key)
    ).one()
    return None if first is None else (first, last)
