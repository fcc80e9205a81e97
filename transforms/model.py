"""The unified model: what every source's records become, whatever helpdesk they came from.

Belongs here: frozen records, the canonical words (statuses, priorities, kinds of actor) and how
ids are derived. Does not belong here: anything that knows one vendor, a database or a clock.

All identifiers in the `Source…` records are the source's own (`remote_id`, text). Our keys are given
when a batch is loaded (see `key_of`). All instants are aware UTC datetimes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Status = Literal[
    "new", "open", "pending", "on_hold", "solved", "closed", "deleted", "spam", "merged"
]
Priority = Literal["critical", "high", "medium", "low"]
ActorKind = Literal["customer", "agent", "bot", "bridge", "unknown"]
Visibility = Literal["public", "signed_in", "internal", "restricted"]

STATUSES: tuple[str, ...] = (
    "new",
    "open",
    "pending",
    "on_hold",
    "solved",
    "closed",
    "deleted",
    "spam",
    "merged",
)
"""Canonical statuses (SLA.md). The last three are ends outside the service: they never count as solved."""

PRIORITIES: tuple[str, ...] = ("critical", "high", "medium", "low")
"""Canonical priorities, most urgent first (SLA.md)."""

END_STATUSES = frozenset({"deleted", "spam", "merged"})


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One payload as the source gave it, in the version that is to be read.

    `remote_id` is unique within (source, stream). `ticket_remote_id` names the ticket a record belongs to,
    where the source tells (None for people, groups and, until threaded, mails). `location` says where a
    mail or a file row was found: folder, UID, file, line; it never takes part in identity.
    `version_key` decides whether the record changed, where the same state may come in several shapes (None: the
    payload decides).
    """

    stream: str
    remote_id: str
    payload: bytes
    media_type: str = "application/json"
    ticket_remote_id: str | None = None
    is_tombstone: bool = False
    source_updated_at: datetime | None = None
    location: Mapping[str, Any] = field(default_factory=dict)
    version_key: str | None = None


@dataclass(frozen=True, slots=True)
class SourcePerson:
    """A contact or an agent as one source knows it."""

    remote_id: str
    is_agent: bool
    name: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    external_id: str | None = None
    organisation_remote_id: str | None = None
    is_active: bool = True
    time_zone: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class SourceOrganisation:
    """A customer's company."""

    remote_id: str
    name: str
    domains: tuple[str, ...] = ()
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class SourceTeam:
    """A group of agents. `member_remote_ids` are its agents; None where the source does not tell them."""

    remote_id: str
    name: str
    member_remote_ids: tuple[str, ...] | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class SourceTicket:
    """The current state of a ticket. `source_status` and `source_priority` keep the source's own words."""

    remote_id: str
    subject: str
    status: str
    source_status: str
    priority: str | None
    source_priority: str | None
    created_at: datetime
    updated_at: datetime
    channel: str = "unknown"
    number: str | None = None
    type: str | None = None
    category: str | None = None
    requester_remote_id: str | None = None
    organisation_remote_id: str | None = None
    assignee_remote_id: str | None = None
    team_remote_id: str | None = None
    merged_into_remote_id: str | None = None
    external_id: str | None = None
    url: str | None = None
    language: str | None = None
    is_automatic: bool = False
    """No person ever wrote in it (newsletters, bounces): kept and searched, never measured, paged or counted."""
    references: tuple[str, ...] = ()
    """By what its helpdesk's mails name it besides its number, as Zendesk's `1G7EOR-0Q2J`."""
    tags: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    source_verdict: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceAttachment:
    """A file that hangs on a comment. `content` is set where the bytes came with the record (mail)."""

    remote_id: str
    file_name: str
    media_type: str
    size_bytes: int | None = None
    sha256: str | None = None
    remote_url: str | None = None
    content_id: str | None = None
    is_inline: bool = False
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class SourceComment:
    """One message of a ticket's conversation, the first one included.

    `text` is readable text, `html` the source's HTML, unsanitised, where it gave any. For mails the
    threading fields are set; `copy_of_remote_id` names the comment of which this one is a second copy
    (the same mail in Inbox and Sent, or by list and directly), which no figure counts twice.
    """

    remote_id: str
    ticket_remote_id: str
    created_at: datetime
    author_kind: ActorKind
    is_public: bool
    text: str
    author_remote_id: str | None = None
    html: str | None = None
    is_automatic: bool = False
    subject: str | None = None
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    reference_ids: tuple[str, ...] = ()
    bounced_ids: tuple[str, ...] = ()
    participants: tuple[str, ...] = ()
    thread_reason: str | None = None
    thread_marks: Mapping[str, Any] = field(default_factory=dict)
    """What threading needs of a mail besides its ids (`transforms.thread_marks`)."""
    thread_doubt: Mapping[str, str] | None = None
    """Another conversation that a mail could belong to: `ticket_remote_id` and `reason`."""
    copy_of_remote_id: str | None = None
    raw_stream: str | None = None
    raw_remote_id: str | None = None
    attachments: tuple[SourceAttachment, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceChange:
    """One change of one field of a ticket.

    `field` is `status`, `priority`, `assignee`, `team`, `level`, `calendar`, `contract`, … ; `created` is not
    a change (the ticket's `created_at` says it), nor is a comment. Status and priority values are canonical.
    `position` orders changes of one instant. `is_observed` marks changes found by comparing two snapshots:
    the instant is then the snapshot's, not the source's.
    """

    remote_id: str
    ticket_remote_id: str
    field: str
    old_value: str | None
    new_value: str | None
    occurred_at: datetime
    position: int = 0
    actor_kind: ActorKind = "unknown"
    actor_remote_id: str | None = None
    is_observed: bool = False
    raw_stream: str | None = None
    raw_remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class SourceRating:
    """A customer's verdict. `score` is 1 (worst) to 5; `source_score` the source's own value."""

    remote_id: str
    ticket_remote_id: str
    kind: Literal["csat", "nps", "ces"]
    score: int
    source_score: str
    rated_at: datetime
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSlaEvent:
    """What the source's own SLA says of a ticket: a clock of it was started, paused, fulfilled, breached.

    `metric` and `type` are the source's own words; `instance` counts the clocks of one metric on a ticket.
    `detail` holds what the event carries besides: the policy, its target in seconds, elapsed seconds.
    """

    remote_id: str
    ticket_remote_id: str
    metric: str
    instance: int
    type: str
    occurred_at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceArticle:
    """An article of a knowledge base in one language; its translations are articles of their own.

    `remote_id` tells article and language apart, `article_remote_id` is the source's id that they share.
    `visibility` says who may read it once it is published: `public` (everybody), `signed_in` (every customer who is
    signed in), `internal` (agents), `restricted` (some of them: companies, segments). `section` is the path of
    folders below the category.
    """

    remote_id: str
    article_remote_id: str
    title: str
    text: str
    visibility: Visibility
    is_published: bool
    is_translation: bool = False
    html: str | None = None
    language: str | None = None
    url: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    category: str | None = None
    section: str | None = None
    labels: tuple[str, ...] = ()
    author_remote_id: str | None = None
    attachments: tuple[SourceAttachment, ...] = ()
    raw_stream: str | None = None
    raw_remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A raw record that could not be understood, kept raw and listed with its reason (quarantine)."""

    stream: str
    remote_id: str
    reason: str
    """Short, stable code-like words, for instance `missing created_at`."""
    detail: str = ""
    """What was found, cut to 500 characters; no secret, no whole payload."""


@dataclass(frozen=True, slots=True)
class DataWarning:
    """Something that was understood by a rule and that a person may want to know, e.g. an unknown status."""

    ticket_remote_id: str | None
    rule: str
    detail: str


@dataclass(slots=True)
class Batch:
    """What a source's transform gives for a set of raw records."""

    people: list[SourcePerson] = field(default_factory=list)
    organisations: list[SourceOrganisation] = field(default_factory=list)
    teams: list[SourceTeam] = field(default_factory=list)
    tickets: list[SourceTicket] = field(default_factory=list)
    comments: list[SourceComment] = field(default_factory=list)
    changes: list[SourceChange] = field(default_factory=list)
    ratings: list[SourceRating] = field(default_factory=list)
    sla_events: list[SourceSlaEvent] = field(default_factory=list)
    articles: list[SourceArticle] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[DataWarning] = field(default_factory=list)


def key_of(kind: str, client_key: str, source_key: str, remote_id: str) -> str:
    """Our key for a thing first seen under this identity, e.g. `ticket-3f9a1c…` (kind and 20 hex digits).

    The same input gives the same key in any run. A key is given once, at first sight, and kept in
    `entity_alias`; later identities of the same thing point to it and never re-key it.
    """
    identity = "\x1f".join((client_key, source_key, kind, remote_id))
    return f"{kind}-{hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"


def utc(instant: datetime) -> datetime:
    """The same instant in UTC.

    Raises:
        ValueError: the datetime carries no zone; a naive time is never guessed.
    """
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise ValueError(f"a time without a zone: {instant.isoformat()}")
    return instant.astimezone(UTC)
