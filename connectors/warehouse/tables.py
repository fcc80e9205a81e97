"""The warehouse's tables (SQLAlchemy Core), in the field's own words.

Belongs here: tables, keys, indexes and which columns are operational. Does not belong here: queries or
writes. Two kinds of table: memory, which is never rebuilt (`MEMORY`), and derived rows, which can be thrown
away and made again from the raw records (`DERIVED`).

Operational columns (`OPERATIONAL`) say how a run went (leases, tries, wall-clock instants of our own); all
others are domain columns and are the same however often a step was killed and run again.
"""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    false,
)

from connectors.warehouse.types import BigId, Json, SafeText, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key(name: str, **options: Any) -> Column[str]:
    return Column(name, SafeText, primary_key=True, **options)


def _text(name: str, *, required: bool = False) -> Column[str]:
    return Column(name, SafeText, nullable=not required)


def _at(name: str, *, required: bool = False) -> Column[Any]:
    return Column(name, UtcDateTime, nullable=not required)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean(create_constraint=False), nullable=False)


def _number(name: str, *, required: bool = False) -> Column[int]:
    return Column(name, BigId, nullable=not required)


def _json(name: str, *, required: bool = False) -> Column[Any]:
    return Column(name, Json, nullable=not required)


client = Table(
    "client",
    metadata,
    _key("client_key"),
    _text("time_zone", required=True),
    _at("live_from"),
)

raw_record = Table(
    "raw_record",
    metadata,
    Column("raw_id", BigId, primary_key=True, autoincrement=True),
    _text("client_key", required=True),
    _text("source_key", required=True),
    _text("stream", required=True),
    _text("remote_id", required=True),
    Column("version", Integer, nullable=False),
    _text("ticket_remote_id"),
    _text("media_type", required=True),
    Column("payload", LargeBinary, nullable=False),
    _text("payload_sha256", required=True),
    _text("content_sha256", required=True),
    _flag("is_tombstone"),
    _at("source_updated_at"),
    _json("location"),
    _at("fetched_at", required=True),
    UniqueConstraint("client_key", "source_key", "stream", "remote_id", "version"),
    Index(None, "ticket_remote_id", "client_key", "source_key", "stream"),
)

sync_cursor = Table(
    "sync_cursor",
    metadata,
    _key("client_key"),
    _key("source_key"),
    _key("stream"),
    _json("cursor"),
    Column("sequence", Integer, nullable=False),
    _flag("is_complete"),
    _number("normalised_raw_id"),
    _at("moved_at"),
    # Grows with each transaction of a normalisation: one that finds it moved works on what is no longer so.
    _number("normalise_sequence"),
)

quarantine = Table(
    "quarantine",
    metadata,
    _key("client_key"),
    _key("source_key"),
    _key("stream"),
    _key("remote_id"),
    _text("reason", required=True),
    _text("detail"),
    _text("transform_version", required=True),
    _at("seen_at"),
)

organisation = Table(
    "organisation",
    metadata,
    _key("organisation_key"),
    _text("client_key", required=True),
    _text("name", required=True),
    _json("domains"),
    _text("external_id"),
    _text("merged_into_key"),
    Index(None, "client_key"),
)

team = Table(
    "team",
    metadata,
    _key("team_key"),
    _text("client_key", required=True),
    _text("source_key", required=True),
    _text("name", required=True),
    Column("is_active", Boolean(create_constraint=False)),
    Index(None, "client_key"),
)

team_member = Table(
    "team_member",
    metadata,
    _key("team_key"),
    _key("agent_key"),
    _text("client_key", required=True),
    Index(None, "agent_key"),
    Index(None, "client_key"),
)
"""Who belongs to a team now, as its source tells; a source that does not tell has no rows."""

agent = Table(
    "agent",
    metadata,
    _key("agent_key"),
    _text("client_key", required=True),
    _text("name"),
    _text("email"),
    _text("time_zone"),
    _flag("is_active"),
    _text("merged_into_key"),
    Index(None, "client_key"),
)

contact = Table(
    "contact",
    metadata,
    _key("contact_key"),
    _text("client_key", required=True),
    _text("name"),
    _text("email"),
    _text("phone"),
    _text("language"),
    _text("organisation_key"),
    _text("merged_into_key"),
    Index(None, "client_key"),
)
"""A contact, known by the first identity of the records that are it alone. One that turned out to be the same
person as another has that one's key in `merged_into_key` and stays, with its key: a merge can be undone."""

person_record = Table(
    "person_record",
    metadata,
    _key("client_key"),
    _key("source_key"),
    _key("remote_id"),
    _text("kind", required=True),
    _text("person_key", required=True),
    _text("name"),
    _json("emails", required=True),
    _json("phones", required=True),
    _text("external_id"),
    _text("organisation_key"),
    _text("language"),
    _text("time_zone"),
    _flag("is_active"),
    Index(None, "person_key"),
)
"""What each source says of a contact or an agent (`kind`), as it says it; what is shown is made of these."""

entity_match = Table(
    "entity_match",
    metadata,
    _key("client_key"),
    _key("left_key"),
    _key("right_key"),
    _text("kind", required=True),
    _text("verdict", required=True),
    _text("basis", required=True),
    Column("bits", Float),
    _text("reason", required=True),
    Index(None, "right_key"),
)
"""Why two contacts, agents or organisations (`kind`) are one, or may be: `verdict` is same, doubtful or apart.

`basis` says what it rests on: identity, score or decision. `left_key` < `right_key`; `bits` is the log2 of the
odds that both are one, where it was scored.
"""

contact_identity = Table(
    "contact_identity",
    metadata,
    _key("client_key"),
    _key("kind"),
    _key("value"),
    _text("contact_key", required=True),
    _text("reason", required=True),
    _text("source_key", required=True),
    Index(None, "contact_key"),
)

contact_decision = Table(
    "contact_decision",
    metadata,
    _key("client_key"),
    _key("left_key"),
    _key("right_key"),
    _text("decision", required=True),
    _text("author", required=True),
    _at("decided_at", required=True),
)

entity_alias = Table(
    "entity_alias",
    metadata,
    _key("client_key"),
    _key("source_key"),
    _key("kind"),
    _key("remote_id"),
    _text("entity_key", required=True),
    _text("reason"),
    Index(None, "entity_key"),
)

ticket = Table(
    "ticket",
    metadata,
    _key("ticket_key"),
    _text("client_key", required=True),
    _text("source_key", required=True),
    _text("remote_id", required=True),
    _text("number"),
    _text("external_id"),
    _text("subject", required=True),
    _text("status", required=True),
    _text("source_status", required=True),
    _text("priority"),
    _text("source_priority"),
    _text("type"),
    _text("category"),
    _text("channel", required=True),
    _text("requester_key"),
    _text("organisation_key"),
    _text("assignee_key"),
    _text("team_key"),
    _text("url"),
    _text("language"),
    Column(
        "is_automatic", Boolean(create_constraint=False), nullable=False, server_default=false()
    ),
    _json("tags"),
    _json("fields"),
    _json("source_verdict"),
    _at("created_at", required=True),
    _at("updated_at", required=True),
    _at("solved_at"),
    _at("closed_at"),
    _text("transform_version", required=True),
    _number("history_revision"),
    Index(None, "client_key", "created_at"),
    Index(None, "client_key", "source_key", "remote_id"),
    Index(None, "client_key", "external_id"),
    Index(None, "client_key", "history_revision"),
    Index(None, "client_key", "number"),
)

comment = Table(
    "comment",
    metadata,
    _key("comment_key"),
    _text("client_key", required=True),
    _text("ticket_key", required=True),
    _text("source_key", required=True),
    _text("remote_id", required=True),
    Column("position", Integer, nullable=False),
    _at("created_at", required=True),
    _text("author_kind", required=True),
    _text("author_key"),
    _flag("is_public"),
    _flag("is_automatic"),
    _text("subject"),
    _text("body_text", required=True),
    _text("body_html"),
    _text("reply_text"),
    _text("message_id"),
    _json("in_reply_to"),
    _json("reference_ids"),
    _json("bounced_ids"),
    _json("participants"),
    _text("thread_reason"),
    _json("thread_marks"),
    _json("thread_doubt"),
    _text("copy_of_key"),
    _text("raw_stream"),
    _text("raw_remote_id"),
    Index(None, "ticket_key"),
    Index(None, "client_key", "message_id"),
    Index(None, "raw_remote_id", "source_key"),
)

erasure = Table(
    "erasure",
    metadata,
    _key("erasure_key"),
    _text("client_key", required=True),
    _text("contact_key", required=True),
    _text("author", required=True),
    _at("erased_at", required=True),
    _at("finished_at"),
    _text("salt", required=True),
    _json("counts", required=True),
    _json("plan"),
    Index(None, "client_key"),
)
"""Whose data was erased, when and by whom. `plan` holds what is left to do until `finished_at`; `salt` is the client's,
by which `erased_record` names what it holds no name of."""

erased_record = Table(
    "erased_record",
    metadata,
    _key("client_key"),
    _key("remote_hash"),
    _text("erasure_key", required=True),
    _text("source_key", required=True),
    _text("kind", required=True),
    _text("entity_key"),
    _json("kept_fields"),
    Index(None, "entity_key"),
    Index(None, "client_key", "erasure_key"),
)
"""What stays erased when a source sends it again: `kind` is record, ticket, part, message, address, mention or person.

`remote_hash` is the salted sha256 of the source, the kind and the source's id (an id can be an address);
`kept_fields` is what of the record is structure (`connectors.erasing`)."""

thread_decision = Table(
    "thread_decision",
    metadata,
    _key("client_key"),
    _key("source_key"),
    _key("remote_id"),
    _key("other_source_key", server_default=""),
    _text("kind", required=True),
    _text("other_remote_id"),
    _at("decided_at", required=True),
    _text("decided_by", required=True),
)
"""What people decided about a mail's conversation (`apart`, `with`): memory, it wins over all evidence.

`other_source_key` is empty where it is about the mail's own mailbox; else the decision is about the conversation that the
mail is in and the ticket of another source that is, or holds, `other_remote_id`."""

ticket_change = Table(
    "ticket_change",
    metadata,
    _key("change_key"),
    _text("client_key", required=True),
    _text("ticket_key", required=True),
    _text("source_key", required=True),
    _text("field", required=True),
    _text("old_value"),
    _text("new_value"),
    _at("occurred_at", required=True),
    _at("recorded_at", required=True),
    Column("position", Integer, nullable=False),
    _text("actor_kind", required=True),
    _text("actor_key"),
    _flag("is_observed"),
    _text("raw_stream"),
    _text("raw_remote_id"),
    Index(None, "ticket_key"),
    Index(None, "client_key", "occurred_at"),
)

attachment = Table(
    "attachment",
    metadata,
    _key("attachment_key"),
    _text("client_key", required=True),
    _text("ticket_key", required=True),
    _text("comment_key", required=True),
    _text("file_name", required=True),
    _text("media_type", required=True),
    _number("size_bytes"),
    _text("sha256"),
    _text("content_id"),
    _flag("is_inline"),
    _text("remote_url"),
    Index(None, "comment_key"),
    Index(None, "ticket_key"),
)

attachment_content = Table(
    "attachment_content",
    metadata,
    _key("attachment_key"),
    _text("client_key", required=True),
    _text("sha256"),
    _number("size_bytes"),
    _text("failure"),
    Column("attempts", Integer, nullable=False),
    _at("next_at"),
    _at("fetched_at"),
    Index(None, "client_key", "next_at"),
)
"""What was fetched of the attachments that lie at the source: the content's name in the store, or why not yet."""

satisfaction_rating = Table(
    "satisfaction_rating",
    metadata,
    _key("rating_key"),
    _text("client_key", required=True),
    _text("ticket_key", required=True),
    _text("kind", required=True),
    Column("score", Integer, nullable=False),
    _text("source_score", required=True),
    _text("comment"),
    _at("rated_at", required=True),
    Index(None, "ticket_key"),
)

article = Table(
    "article",
    metadata,
    _key("article_key"),
    _text("client_key", required=True),
    _text("source_key", required=True),
    _text("remote_id", required=True),
    _text("title", required=True),
    _text("body_text", required=True),
    _text("language"),
    _text("url"),
    _at("updated_at"),
    _text("body_html"),
    _at("created_at"),
    Column(
        "is_published", Boolean(create_constraint=False), nullable=False, server_default=false()
    ),
    Column(
        "is_translation", Boolean(create_constraint=False), nullable=False, server_default=false()
    ),
    _text("visibility"),
    _text("category"),
    _text("section"),
    _json("labels"),
    _json("attachments"),
    _text("author_key"),
    _text("article_remote_id"),
    _text("raw_stream"),
    _text("raw_remote_id"),
    _text("transform_version"),
    Index(None, "client_key"),
    Index(None, "client_key", "source_key", "raw_remote_id"),
)
"""One row per article and language; `article_remote_id` is what the languages of one article share."""

# `history_revision` of a ticket is the number of the transaction that wrote it last (`loading.next_revision`); a
# clock keeps the one it was evaluated with. Where they differ the history moved, whatever the wall clocks say.

ticket_link = Table(
    "ticket_link",
    metadata,
    _key("client_key"),
    _key("ticket_key"),
    _key("other_key"),
    _key("kind"),
    _text("reason", required=True),
    Index(None, "other_key"),
)
"""`ticket_key` is `kind` `other_key`: duplicate_of, same_conversation, merged_into, migrated_to, problem_of.

A ticket that is `duplicate_of` another, and a ticket that another was `migrated_to`, is left out of figures,
clocks and pages: the other one counts. One that was `merged_into` another is left out of figures; its own
history says when its clocks and pages ended. `same_conversation` says that a mailbox's conversation is another source's
ticket and why; which of the two counts is said by `duplicate_of`.
"""

ticket_name = Table(
    "ticket_name",
    metadata,
    _key("ticket_key"),
    _key("comment_key"),
    _key("kind"),
    _key("value"),
    _text("client_key", required=True),
    Index(None, "client_key", "kind", "value"),
)
"""How tickets are named elsewhere. `own reference` is what a helpdesk's mails call the ticket (`comment_key` is empty);
the other kinds are what a conversation's mails name (`transforms.ticket_names`): number, worded number, number in text,
reply number, reply reference, answered."""

sla_policy_version = Table(
    "sla_policy_version",
    metadata,
    _key("client_key"),
    _key("policy"),
    _key("version"),
    _text("body", required=True),
    _at("loaded_at"),
)

sla_clock = Table(
    "sla_clock",
    metadata,
    _key("ticket_key"),
    _key("metric"),
    Column("instance", Integer, primary_key=True, autoincrement=False),
    _text("client_key", required=True),
    _text("policy", required=True),
    _text("policy_version", required=True),
    _text("priority"),
    _text("calendar", required=True),
    _number("target_seconds"),
    _at("started_at", required=True),
    _at("stopped_at"),
    _at("due_at"),
    _at("due_next_open_at"),
    _at("breached_at"),
    _number("elapsed_seconds", required=True),
    _number("paused_seconds", required=True),
    _number("remaining_seconds"),
    _text("state", required=True),
    _flag("is_at_risk"),
    _at("next_check_at"),
    _at("evaluated_at", required=True),
    _number("history_revision"),
    Index(None, "client_key", "state"),
    Index(None, "client_key", "next_check_at"),
)

timer = Table(
    "timer",
    metadata,
    _key("timer_key"),
    _text("client_key", required=True),
    _text("ticket_key", required=True),
    Column("episode", Integer, nullable=False),
    _text("step", required=True),
    _at("due_at", required=True),
    _text("state", required=True),
    _at("decided_at"),
    _text("reason"),
    Index(None, "client_key", "state", "due_at"),
    Index(None, "ticket_key"),
)

escalation = Table(
    "escalation",
    metadata,
    _key("escalation_key"),
    _text("client_key", required=True),
    _text("ticket_key", required=True),
    _text("step", required=True),
    _text("level", required=True),
    _text("action", required=True),
    _at("due_at", required=True),
    _at("decided_at", required=True),
    _flag("is_late"),
    _text("person"),
    _text("reason", required=True),
    _text("rule_version", required=True),
    Index(None, "client_key", "decided_at"),
    Index(None, "ticket_key"),
)

delivery = Table(
    "delivery",
    metadata,
    _key("delivery_key"),
    _text("client_key", required=True),
    _text("channel", required=True),
    _text("destination", required=True),
    _text("message_key", required=True),
    _text("action", required=True),
    Column("sequence", Integer, nullable=False),
    _text("ticket_key"),
    _json("body", required=True),
    _at("created_at", required=True),
    _text("state", required=True),
    _text("provider_id"),
    Column("attempts", Integer, nullable=False),
    _at("next_at"),
    _at("lease_until"),
    _text("lease_owner"),
    _text("outcome"),
    _at("delivered_at"),
    UniqueConstraint("channel", "destination", "message_key", "action", "sequence"),
    Index(None, "state", "next_at"),
    Index(None, "client_key"),
)

inbound_event = Table(
    "inbound_event",
    metadata,
    _key("provider"),
    _key("event_id"),
    _text("client_key", required=True),
    _json("payload", required=True),
    _at("occurred_at"),
    _at("received_at", required=True),
    _at("applied_at"),
    _text("source_key"),
    _text("event_type"),
    Column("body", LargeBinary),
    Column("state", SafeText, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("next_at"),
    _text("failure"),
    Index(None, "client_key", "source_key", "state", "next_at"),
    Index(None, "received_at"),
)
"""What vendors' webhooks told, verified: `body` as it came, `payload` what was understood of it (`ticket_ids`).

`event_id` is `CLIENT/SOURCE/ID`, so that no client's events hide another's; `state` is pending | done | ignored (signed
but not understood) | failed."""

lease = Table(
    "lease",
    metadata,
    _key("name"),
    _text("owner", required=True),
    _at("lease_until", required=True),
)

rate_budget = Table(
    "rate_budget",
    metadata,
    _key("credential"),
    _key("endpoint_class"),
    _number("limit_per_window"),
    _number("remaining"),
    _at("resets_at"),
    _at("seen_at"),
    _json("state"),
)
"""What is left of a rate limit, for all workers. `credential` is a host and a hash, never a secret; `state` is what
`connectors.budget` counts by, the other columns are for people."""

oauth_token = Table(
    "oauth_token",
    metadata,
    _key("credential"),
    _text("seed_sha256", required=True),
    _text("access_token", required=True),
    _text("refresh_token"),
    _at("expires_at"),
    _at("rotated_at", required=True),
)
"""Tokens that rotate: a refresh token works once, so the pair that replaced it is kept at once and for all workers."""

source_sla_event = Table(
    "source_sla_event",
    metadata,
    _key("event_key"),
    _text("client_key", required=True),
    _text("ticket_key", required=True),
    _text("source_key", required=True),
    _text("remote_id", required=True),
    _text("metric", required=True),
    Column("instance", Integer, nullable=False),
    _text("type", required=True),
    _at("occurred_at", required=True),
    _json("detail"),
    Index(None, "ticket_key"),
    Index(None, "client_key", "occurred_at"),
)
"""What the source itself says of its own SLA (activate, pause, fulfill, apply_sla, breach…), kept beside our clocks."""

report_issue = Table(
    "report_issue",
    metadata,
    _key("client_key"),
    _key("report"),
    _key("period_start"),
    _key("period_end"),
    Column("issue", Integer, primary_key=True, autoincrement=False),
    _at("as_of", required=True),
    _json("figures", required=True),
    _text("figures_sha256", required=True),
    _text("file_name"),
    _at("issued_at", required=True),
)

audit_entry = Table(
    "audit_entry",
    metadata,
    _key("client_key"),
    Column("sequence", BigId, primary_key=True, autoincrement=False),
    _text("action", required=True),
    _text("subject", required=True),
    _json("detail"),
    _at("occurred_at", required=True),
    _text("previous_hash", required=True),
    _text("entry_hash", required=True),
    Index(None, "client_key", "subject"),
)

migration_run = Table(
    "migration_run",
    metadata,
    _key("run_key"),
    _text("client_key", required=True),
    _text("source_key", required=True),
    _text("target", required=True),
    _text("plan_sha256", required=True),
    _text("state", required=True),
    _at("started_at"),
    _at("ended_at"),
)

migration_item = Table(
    "migration_item",
    metadata,
    _key("run_key"),
    _key("kind"),
    _key("remote_id"),
    _text("client_key", required=True),
    _text("source_key", required=True),
    _text("external_id"),
    _text("ticket_key"),
    _text("decision", required=True),
    _text("reason"),
    _text("state", required=True),
    _text("target_remote_id"),
    _json("verification"),
    Index(None, "client_key", "external_id"),
    Index(None, "run_key", "ticket_key"),
)

OPERATIONAL: dict[str, frozenset[str]] = {
    "raw_record": frozenset({"raw_id", "fetched_at", "location"}),
    "sync_cursor": frozenset(
        {"cursor", "sequence", "moved_at", "normalised_raw_id", "normalise_sequence"}
    ),
    "quarantine": frozenset({"seen_at"}),
    "ticket": frozenset({"history_revision"}),
    "ticket_change": frozenset({"recorded_at"}),
    "sla_policy_version": frozenset({"loaded_at"}),
    "sla_clock": frozenset({"evaluated_at", "history_revision"}),
    "delivery": frozenset(
        {
            "attempts",
            "next_at",
            "lease_until",
            "lease_owner",
            "outcome",
            "delivered_at",
            "provider_id",
        }
    ),
    "attachment_content": frozenset({"attempts", "next_at", "fetched_at"}),
    "inbound_event": frozenset(
        {"received_at", "applied_at", "state", "attempts", "next_at", "failure"}
    ),
    "erasure": frozenset({"erased_at", "finished_at", "plan", "salt"}),
    "erased_record": frozenset({"remote_hash"}),
    "report_issue": frozenset({"issued_at"}),
    "audit_entry": frozenset({"sequence", "previous_hash", "entry_hash", "occurred_at", "detail"}),
    "migration_run": frozenset({"started_at", "ended_at"}),
}
"""Columns left out of the checksum over the domain columns: they say how a run went, not what is true."""

OPERATIONAL_TABLES = frozenset({"lease", "rate_budget", "oauth_token"})
"""Tables that are operational as a whole."""

DERIVED = (
    "organisation",
    "team",
    "team_member",
    "agent",
    "contact",
    "contact_identity",
    "person_record",
    "entity_match",
    "ticket",
    "comment",
    "ticket_change",
    "attachment",
    "satisfaction_rating",
    "article",
    "ticket_link",
    "ticket_name",
    "source_sla_event",
    "sla_clock",
    "quarantine",
)
"""Tables that `deskbridge rebuild` empties and makes again. `entity_alias` stays: ids survive."""
