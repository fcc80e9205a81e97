"""What every connector promises, as small typed protocols.

Belongs here: `Source`, `Helpdesk`, `Notifier` and the records that pass through them. Does not belong
here: any vendor, any HTTP, any database.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from transforms.model import RawRecord

Cursor = Mapping[str, Any]
"""Opaque JSON: only the source that made it reads it."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records that commit together with the cursor behind them.

    `complete` is true on the page after which the stream holds nothing new for now. A page may be
    empty (a cursor can move without records). `seconds_waited` is what the rate limit cost.
    """

    records: Sequence[RawRecord]
    cursor: Cursor
    complete: bool
    calls: int = 1
    seconds_waited: float = 0.0
    notes: Sequence[str] = ()
    """What a person may want to know of this reading: what was left out on purpose, and why."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What `deskbridge check` prints for one thing: does it work, and if not, why and what to do."""

    name: str
    works: bool
    detail: str


@runtime_checkable
class Source(Protocol):
    """The read side of a helpdesk, a mailbox or a file."""

    streams: Sequence[str]
    """Names of its streams, in the order in which they are to be pulled."""
    volatile_fields: Mapping[str, Sequence[str]]
    """Stream → top-level fields that change on every read and say nothing new (left out of the content hash)."""

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages from `cursor` on (None: from the beginning) until the stream is complete for now.

        Deletes, spam and merges are records too. Memory is bounded by the page. A generator that is
        abandoned or killed loses nothing: pulling again from the last page's cursor goes on behind it,
        and a page that comes twice has the same records.

        Raises:
            ConnectorError: one of the family in `connectors.errors`.
        """
        ...

    def check(self) -> CheckResult:
        """One cheap, read-only call that proves address, credential and permission; never raises ConnectorError."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """One record as an inventory names it: enough to see whether ours is the same, never its content.

    `children` is how many comments the source counts for a ticket (None: it does not tell); with
    `children_is_least` it may leave some out (notes, side conversations), so that more here is no difference.
    """

    remote_id: str
    is_tombstone: bool = False
    updated_at: datetime | None = None
    children: int | None = None
    children_is_least: bool = False

    def counts_otherwise(self, here: int) -> bool:
        """Whether the source's count contradicts `here`, the number of comments stored for the ticket."""
        if self.children is None:
            return False
        return here < self.children if self.children_is_least else here != self.children


@runtime_checkable
class Reconcilable(Protocol):
    """A source whose records can be listed and fetched by id, for the nightly reconciliation and the fast lane."""

    reconciled_streams: Sequence[str]
    """Streams that `inventory` can list whole."""

    def inventory(self, stream: str) -> Iterator[Sequence[Listed]]:
        """Everything the source holds in a stream now, page by page, each record at least once.

        Raises:
            ConnectorError: the list could not be read to its end; nothing may be concluded from a part of it.
        """
        ...

    def fetch(self, stream: str, remote_ids: Sequence[str]) -> Iterator[Page]:
        """The named records as `pull` would give them, with all that belongs to them (a ticket with its events).

        Records of several streams may stand in one page; its cursor is empty and must not be stored. A record that
        the source does not have any more comes as a tombstone.
        """
        ...


@dataclass(frozen=True, slots=True)
class ContainerCount:
    """What a recount found in one folder of a mailbox; all figures count mails.

    `listed` on the server; of them `known` were here, `missing` should have been (they are fetched) and `arrived`
    came since the last sync (fetched too). `vanished` were there and are not any more: their records stay.
    """

    name: str
    listed: int
    known: int
    missing: int
    arrived: int
    vanished: int


@dataclass(slots=True)
class Recount:
    """A recount under way: read `pages` to the end and store each as a pull's; then the rest is complete."""

    pages: Iterator[Page]
    containers: list[ContainerCount] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Remote ids that were held and that no folder has any more. They are no tombstones: what was said stays."""


@runtime_checkable
class Recounting(Protocol):
    """A source whose ids are made of its records' bytes, so that no list can name them (a mailbox).

    The honest equivalent of `Reconcilable`: each folder's UIDs are compared with those that the cursor remembers,
    and what it remembers with what is held here; what is missing is fetched.
    """

    streams: Sequence[str]
    """Its streams, as `Source` names them."""

    def recount(self, stream: str, cursor: Cursor | None, held: Collection[str]) -> Recount:
        """Compares everything the source holds with what is here.

        Args:
            stream: one of its streams.
            cursor: the stored one; the pages carry it on, exactly as those of `pull` do.
            held: remote ids of all records of the stream that are here and no tombstones.
        """
        ...


@runtime_checkable
class FileReading(Protocol):
    """A source that keeps the files of its comments apart from the records that name them."""

    def file(self, ticket_remote_id: str, remote_url: str) -> Iterator[bytes]:
        """A file's bytes, in pieces, by the address that its record had (signatures left out).

        The credential goes to the source's own host only; an address that has run out is asked for anew.

        Raises:
            NotFoundError: the file is not there any more.
            ConnectorError: it could not be read now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hints:
    """Ids of tickets that changed lately, newest last, and where to ask on from."""

    ticket_remote_ids: Sequence[str]
    cursor: Cursor


@runtime_checkable
class Hinting(Protocol):
    """A source that can be asked every few seconds, in one or two calls, what changed (the fast lane)."""

    def newest(self, cursor: Cursor | None) -> Hints:
        """Tickets changed since `cursor` (None: the last minutes). A hint may be wrong, late or missing."""
        ...


@runtime_checkable
class KnowledgeBase(Protocol):
    """A source that holds articles: `pull` gives them as the stream `articles`, each with its translations.

    An article that is gone comes as a tombstone. An account without a knowledge base has empty streams.
    """

    article_streams: Sequence[str]
    """Those of its streams that make the knowledge base: what `articles` refers to (sections, permissions) first."""

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """As `Source.pull`."""
        ...


@dataclass(frozen=True, slots=True)
class ImportedAttachment:
    """A file to be carried over with a comment."""

    file_name: str
    media_type: str
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class ImportedComment:
    """A comment to be carried over, with its original time."""

    author_email: str | None
    author_name: str | None
    is_agent: bool
    is_public: bool
    text: str
    created_at: datetime
    html: str | None = None
    attachments: tuple[ImportedAttachment, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedTicket:
    """A ticket to be carried over; `external_id` is the key under which it is created at most once."""

    external_id: str
    subject: str
    status: str
    priority: str | None
    requester_email: str | None
    requester_name: str | None
    created_at: datetime
    updated_at: datetime
    solved_at: datetime | None
    comments: tuple[ImportedComment, ...]
    tags: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadBackComment:
    """A comment as the target gives it back. Text is compared in a form that ignores white space."""

    text: str
    is_public: bool
    created_at: datetime
    attachment_sha256: tuple[str, ...] = ()
    author_email: str | None = None


@dataclass(frozen=True, slots=True)
class ReadBackTicket:
    """A ticket as the target gives it back, for verification."""

    remote_id: str
    external_id: str | None
    subject: str
    status: str
    created_at: datetime
    requester_email: str | None
    tags: tuple[str, ...]
    comments: tuple[ReadBackComment, ...]


@dataclass(frozen=True, slots=True)
class RejectedImport:
    """Why the target refused one ticket."""

    reason: str


class Helpdesk(Protocol):
    """The write side of a helpdesk."""

    cannot_keep: Mapping[str, str]
    """What an import here cannot keep: field → what happens instead. Goes into the plan and the report."""

    def find_imported(self, external_ids: Sequence[str]) -> Mapping[str, str]:
        """Those of the given external ids that exist, with their remote ticket id. At most 100 ids a call."""
        ...

    def import_tickets(
        self, tickets: Sequence[ImportedTicket]
    ) -> Mapping[str, str | RejectedImport]:
        """Creates tickets silently (nobody is notified): external id → remote id, or why not. At most 100 a call.

        The caller looks up ids whose outcome it does not know with `find_imported` before it calls again.
        """
        ...

    def read_back(self, remote_id: str) -> ReadBackTicket:
        """The ticket as the helpdesk has it now."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell somebody, keyed so that it can be sent twice without being heard twice.

    `body` is plain data; each notifier renders it. Known entries: `title`, `text`, `severity` (critical |
    error | warning | info), `source`, `url`, `occurred_at` (ISO 8601), `details` (flat mapping of text), `links`.
    """

    key: str
    action: Literal["trigger", "acknowledge", "resolve", "note"]
    body: Mapping[str, Any]
    previous_provider_id: str | None = None
    is_possible_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's answer to a delivered message."""

    provider_id: str | None
    status: str
    was_repeat: bool = False


class Notifier(Protocol):
    """A channel that carries pages or messages to people.

    `deliver` raises `TransientError` where trying again makes sense (with `retry_after_seconds` where the
    provider tells), `PermanentError` where not. It never retries by itself: the outbox does.
    """

    channel: str
    destination: str

    def deliver(self, message: Message) -> Receipt:
        """Hands the message over once."""
        ...

    def check(self) -> CheckResult:
        """Proves the credential without waking anybody."""
        ...
