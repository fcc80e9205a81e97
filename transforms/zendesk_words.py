"""Zendesk's words in ours: statuses, priorities, channels, what a `via` says.

Belongs here: tables and what the Zendesk transforms share while they read. Does not belong here: whole records.

Source: Zendesk developer documentation, "Tickets", "Via object reference", "Incremental exports".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.model import Batch, DataWarning, RawRecord, Rejected
from transforms.payload import UnreadableError

STATUS_WORDS: Mapping[str, str] = {
    "new": "new",
    "open": "open",
    "pending": "pending",
    "hold": "on_hold",
    "solved": "solved",
    "closed": "closed",
    "deleted": "deleted",
}
"""Zendesk's status word (also the category of a custom status) → canonical status."""

PRIORITY_WORDS: Mapping[str, str] = {
    "urgent": "critical",
    "high": "high",
    "normal": "medium",
    "low": "low",
}
"""Zendesk's priority word → canonical priority."""

CHANNEL_WORDS: Mapping[str, str] = {
    "mail": "email",
    "web form": "web",
    "web service": "api",
    "web_service": "api",
    "native_messaging": "messaging",
    "voice": "phone",
    "phone": "phone",
    "phone_call_inbound": "phone",
    "phone_call_outbound": "phone",
    "voicemail": "phone",
}
"""Names that differ: `via.channel`, and the older titles that ticket events carry → our channel. Others pass."""

AUTOMATION_CHANNELS = frozenset({"rule", "system", "answer_bot", "admin setting", "admin_setting"})
"""Channels by which nobody writes: triggers, automations, the product itself."""

AUTOMATION_RELATIONS = frozenset({"trigger", "automation", "macro_automation"})
"""`via.source.rel` of what a business rule did."""

SYSTEM_USER = "-1"
"""The author of what Zendesk does by itself."""

MARKER = "deskbridge"
"""The entry in an audit's custom metadata by which our own writes are known when they come back."""


MESSAGING_CHANNELS = frozenset({"messaging", "whatsapp", "chat"})
"""Our names of channels by which people talk in turns, plus everything that begins with `sunshine_conversations`."""


@dataclass(frozen=True, slots=True)
class CustomStatus:
    """A status of the account's own: what agents call it, the vendor's category of it, ours."""

    label: str
    category: str
    canonical: str
    is_default: bool = False
    is_mapped: bool = False
    """The configuration says of this very label what it means."""


@dataclass(slots=True)
class Names:
    """Names by id. `options`: field id → value → label."""

    statuses: dict[str, CustomStatus] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    forms: dict[str, str] = field(default_factory=dict)
    brands: dict[str, str] = field(default_factory=dict)

    def status(self, value: Any, word: Any = None) -> CustomStatus | None:
        """The custom status of an id, where it is known and, with `word`, of that category.

        A closed or deleted ticket keeps the custom status that it had before: it says nothing any more.
        """
        if value is None or isinstance(value, bool | dict | list):
            return None
        found = self.statuses.get(str(value))
        if found is None or (word is not None and found.category != str(word).strip().lower()):
            return None
        return found


@dataclass(slots=True)
class Reading:
    """One run of the transform: what it gives, the configured words, what the account's ids mean."""

    statuses: Mapping[str, str]
    priorities: Mapping[str, str]
    base_url: str
    bridge_user_ids: frozenset[str]
    own_words: Mapping[str, str] = field(default_factory=dict)
    """The configured words for statuses alone, lower case → canonical."""
    time_zones: Mapping[str, str] = field(default_factory=dict)
    """The vendor's names of time zones → IANA's."""
    names: Names = field(default_factory=Names)
    batch: Batch = field(default_factory=Batch)
    roles: dict[str, bool] = field(default_factory=dict)
    """User id → is an agent."""
    _rejected: set[tuple[str, str]] = field(default_factory=set)

    def reject(self, record: RawRecord, error: UnreadableError) -> None:
        """Lists a record that could not be understood, once."""
        if (record.stream, record.remote_id) in self._rejected:
            return
        self._rejected.add((record.stream, record.remote_id))
        self.batch.rejected.append(
            Rejected(record.stream, record.remote_id, error.reason, error.detail)
        )

    def warn(self, ticket_id: str | None, rule: str, detail: str) -> None:
        """Notes something a person may want to know."""
        self.batch.warnings.append(DataWarning(ticket_id, rule, detail[:500]))

    def status(self, word: Any, ticket_id: str) -> str:
        """The canonical status; an unknown word counts as `open`, with a warning."""
        known = self.statuses.get(str(word).strip().lower())
        if known is None:
            self.warn(ticket_id, "unknown status", f"status {word!r} counts as open")
            return "open"
        return known

    def priority(self, word: Any, ticket_id: str) -> str | None:
        """The canonical priority; None where there is none or the word is unknown (with a warning)."""
        if word is None or str(word).strip() in ("", "-"):
            return None
        known = self.priorities.get(str(word).strip().lower())
        if known is None:
            self.warn(ticket_id, "unknown priority", f"priority {word!r} counts as none")
        return known


def channel_of(via: Any) -> str:
    """Our channel of a `via` (an object, or the title that ticket events carry); `unknown` where it says nothing."""
    word = via.get("channel") if isinstance(via, dict) else via
    if word is None or isinstance(word, dict | list) or not str(word).strip():
        return "unknown"
    name = str(word).strip().lower()
    return CHANNEL_WORDS.get(name, name)


def is_messaging(channel: str) -> bool:
    """Whether people talk in turns there, so that the messages stand in the conversation log."""
    return channel in MESSAGING_CHANNELS or channel.startswith("sunshine_conversations")


def relation_of(via: Any) -> str | None:
    """`via.source.rel`, lower case, or None. The older title `Merge` means the relation too."""
    if isinstance(via, str):
        return "merge" if via.strip().lower() in ("merge", "ticket merge") else None
    source = via.get("source") if isinstance(via, dict) else None
    relation = source.get("rel") if isinstance(source, dict) else None
    return str(relation).strip().lower() if relation else None


def is_automation(via: Any) -> bool:
    """Whether a business rule or the product itself did it."""
    return channel_of(via) in AUTOMATION_CHANNELS or relation_of(via) in AUTOMATION_RELATIONS
