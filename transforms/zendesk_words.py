"""Zendesk's words in ours, and how its values are read: statuses, priorities, channels, ids, instants.

Belongs here: tables and small readers that the Zendesk transforms share. Does not belong here: whole records.

Source: Zendesk developer documentation, "Tickets", "Via object reference", "Incremental exports".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from transforms.model import Batch, DataWarning, RawRecord, Rejected

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


class MalformedError(ValueError):
    """A record cannot be understood; the text is the stable reason, `detail` what was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Keeps the reason and the first 500 characters of what was found."""
        super().__init__(reason)
        self.reason = reason
        self.detail = detail[:500]


@dataclass(slots=True)
class Reading:
    """One run of the transform: what it gives, and the configured words."""

    statuses: Mapping[str, str]
    priorities: Mapping[str, str]
    base_url: str
    bridge_user_ids: frozenset[str]
    batch: Batch = field(default_factory=Batch)
    roles: dict[str, bool] = field(default_factory=dict)
    """User id → is an agent."""
    _rejected: set[tuple[str, str]] = field(default_factory=set)

    def reject(self, record: RawRecord, error: MalformedError) -> None:
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


def payload_of(record: RawRecord) -> dict[str, Any]:
    """The record's JSON object.

    Raises:
        MalformedError: not JSON, or not an object.
    """
    try:
        body = json.loads(record.payload)
    except ValueError as error:
        raise MalformedError("not JSON", str(error)) from None
    if not isinstance(body, dict):
        raise MalformedError("not an object", type(body).__name__)
    return body


def id_of(body: Mapping[str, Any], name: str) -> str | None:
    """A remote id as text; None where it is absent, null or empty."""
    value = body.get(name)
    if value is None or isinstance(value, bool) or value == "":
        return None
    return str(value)


def required_id(body: Mapping[str, Any], name: str) -> str:
    """A remote id that must be there.

    Raises:
        MalformedError: it is not.
    """
    value = id_of(body, name)
    if value is None:
        raise MalformedError(f"missing {name}", f"{name}={body.get(name)!r}")
    return value


def text_of(body: Mapping[str, Any], name: str) -> str | None:
    """A text that says something; None for null, blanks and other types."""
    value = body.get(name)
    return value if isinstance(value, str) and value.strip() else None


def instant_of(body: Mapping[str, Any], name: str) -> datetime | None:
    """An ISO 8601 instant in UTC; None where absent.

    Raises:
        MalformedError: it is there and is no instant, or carries no zone.
    """
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MalformedError(f"unreadable {name}", f"{name}={value!r}") from None
    if at.tzinfo is None:
        raise MalformedError(f"{name} without a zone", f"{name}={value!r}")
    return at.astimezone(UTC)


def required_instant(body: Mapping[str, Any], name: str) -> datetime:
    """An instant that must be there.

    Raises:
        MalformedError: it is not, or is unreadable.
    """
    at = instant_of(body, name)
    if at is None:
        raise MalformedError(f"missing {name}", f"{name}={body.get(name)!r}")
    return at


def channel_of(via: Any) -> str:
    """Our channel of a `via` (an object, or the title that ticket events carry); `unknown` where it says nothing."""
    word = via.get("channel") if isinstance(via, dict) else via
    if word is None or isinstance(word, dict | list) or not str(word).strip():
        return "unknown"
    name = str(word).strip().lower()
    return CHANNEL_WORDS.get(name, name)


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


def texts_of(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts of a list that say something, without blanks around them."""
    values = body.get(name)
    if not isinstance(values, list):
        return ()
    return tuple(value.strip() for value in values if isinstance(value, str) and value.strip())
