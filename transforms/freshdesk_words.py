"""Freshdesk's codes in our words: statuses, priorities, channels, ratings, and what one account calls them.

Belongs here: tables and the small readers that the Freshdesk transforms share. Does not belong here: whole
records.

Source: Freshdesk API v2 reference, "Tickets", "Conversations", "Ticket fields", "Satisfaction ratings".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.model import Batch, DataWarning, RawRecord, Rejected
from transforms.payload import UnreadableError, id_of, object_of, text_of

STATUS_CODES: Mapping[str, str] = {"2": "open", "3": "pending", "4": "solved", "5": "closed"}
"""The codes that every account has. 6 and above are the account's own."""

STATUS_LABELS: Mapping[str, str] = {
    "waiting on customer": "pending",
    "awaiting your reply": "pending",
    "waiting on third party": "on_hold",
}
"""Names (the agents' or the customers') that Freshdesk itself gives to statuses of its default set."""

PRIORITY_CODES: Mapping[str, str] = {"1": "low", "2": "medium", "3": "high", "4": "critical"}

CHANNEL_CODES: Mapping[str, str] = {
    "1": "email",
    "2": "web",
    "3": "phone",
    "4": "forum",
    "5": "twitter",
    "6": "facebook",
    "7": "chat",
    "8": "mobile",
    "9": "web",
    "10": "email",
    "11": "ecommerce",
    "13": "whatsapp",
    "15": "chat",
}
"""`source` → channel. Codes that are missing here go by the name that the account gives them."""

OUTBOUND_SOURCE = "10"
"""An agent wrote first: the description is the agent's."""

CHAT_SOURCES = frozenset({"7", "15"})
"""Tickets made of chats repeat their description as the first message."""

RATING_SCORES: Mapping[int, int] = {103: 5, 102: 4, 101: 4, 100: 3, -101: 2, -102: 2, -103: 1}
"""Seven steps on ours of five: 1 + 4 × step / 6, rounded. Accounts with a scale of 2, 3 or 5 use a part of them
(ends first, neutral always 100), so that every scale keeps its ends at 1 and 5 and its middle at 3."""

CLASSIC_SCORES: Mapping[int, int] = {1: 5, 2: 3, 3: 1}
"""The classic survey: happy, neutral, unhappy."""


@dataclass(frozen=True, slots=True)
class AccountWords:
    """What an account calls its status and source codes."""

    status: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Code → the agents' name, then the customers'."""
    source: Mapping[str, str] = field(default_factory=dict)
    stops_timer: frozenset[str] = frozenset()
    """Codes of statuses in which the account's own SLA timer stands still."""
    products: Mapping[str, str] = field(default_factory=dict)
    """Id → name."""

    def status_label(self, code: str) -> str:
        """Code and agents' name, e.g. `6 Waiting on Customer`; the code alone where it has no name."""
        names = self.status.get(code)
        return f"{code} {names[0]}" if names else code


@dataclass(slots=True)
class Reading:
    """One run of the transform: what it gives, and the words it goes by."""

    words: AccountWords
    statuses: Mapping[str, str]
    priorities: Mapping[str, str]
    base_url: str
    bot_user_ids: frozenset[str]
    bridge_user_ids: frozenset[str]
    batch: Batch = field(default_factory=Batch)
    agents: set[str] = field(default_factory=set)
    members: dict[str, list[str]] | None = None
    """Group id → its agents, as the agents tell; None where no agent told any."""
    contacts: set[str] = field(default_factory=set)
    warned: set[tuple[str | None, str]] = field(default_factory=set)

    def reject(self, stream: str, remote_id: str, error: UnreadableError) -> None:
        """Lists a record that could not be understood."""
        self.batch.rejected.append(Rejected(stream, remote_id, error.reason, error.detail))

    def warn(self, ticket_id: str | None, rule: str, detail: str) -> None:
        """Notes something a person may want to know, once per ticket and rule."""
        if (ticket_id, rule) not in self.warned:
            self.warned.add((ticket_id, rule))
            self.batch.warnings.append(DataWarning(ticket_id, rule, detail[:500]))

    def status(self, code: str, ticket_id: str) -> str:
        """The canonical status of a code: the configuration's word, the built-in one, or by the account's names.

        A status that only the account explains is `on_hold` where it stops the account's SLA timer (ours stops
        then too); what nothing explains counts as `open`. Both with a warning, since the configuration can say it
        better.
        """
        names = [name.strip().lower() for name in self.words.status.get(code, ())]
        for configured in (code, *names):
            if configured in self.statuses:
                return self.statuses[configured]
        if code in STATUS_CODES:
            return STATUS_CODES[code]
        for name in names:
            if name in STATUS_LABELS:
                return STATUS_LABELS[name]
        label = self.words.status_label(code)
        if code in self.words.stops_timer:
            detail = f"status {label!r} stops the account's SLA timer and counts as on_hold"
            self.warn(ticket_id, "unknown status", detail)
            return "on_hold"
        self.warn(ticket_id, "unknown status", f"status {label!r} counts as open")
        return "open"

    def priority(self, value: Any, ticket_id: str) -> str | None:
        """The canonical priority; None where there is none or the code is unknown (with a warning)."""
        if value is None:
            return None
        code = str(value).strip().lower()
        known = self.priorities.get(code, PRIORITY_CODES.get(code))
        if known is None:
            self.warn(ticket_id, "unknown priority", f"priority {value!r} counts as none")
        return known

    def channel(self, value: Any) -> str:
        """Our channel of a `source` code: the built-in word, or one by the account's own name for it."""
        code = str(value)
        if code in CHANNEL_CODES:
            return CHANNEL_CODES[code]
        name = self.words.source.get(code, "").lower()
        for word in ("whatsapp", "chat", "phone", "email", "sms", "instagram", "facebook", "bot"):
            if word in name:
                return word
        return name or "unknown"


def read_words(fields: Iterable[RawRecord], products: Iterable[RawRecord] = ()) -> AccountWords:
    """The account's names, from its ticket fields and products; a record that cannot be read gives none."""
    status: dict[str, tuple[str, ...]] = {}
    source: dict[str, str] = {}
    stops: set[str] = set()
    for body in _objects(fields):
        kind = body.get("type")
        told = [body.get("choices"), body.get("admin_choices")]
        if kind == "default_status":
            for choices in told:
                names = _status_names(choices, status)
                status.update({code: given for code, given in names.items() if code not in status})
                stops |= _stopping(choices, status)
        elif kind == "default_source":
            for choices in told:
                source = {**_source_names(choices), **source}
    named = {id_of(body, "id"): text_of(body, "name") for body in _objects(products)}
    return AccountWords(
        status,
        source,
        frozenset(stops),
        {key: name for key, name in named.items() if key and name},
    )


def _objects(records: Iterable[RawRecord]) -> Iterator[dict[str, Any]]:
    for record in records:
        try:
            yield object_of(record)
        except UnreadableError:
            continue


_AGENT_NAMES = ("value", "label", "name")
_CUSTOMER_NAMES = ("label_for_customers", "customer_display_name")


def _status_names(choices: Any, known: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Code → names, from `{"6": ["Waiting on Customer", "Awaiting your Reply"]}` or the list of the newer API."""
    names: dict[str, tuple[str, ...]] = {}
    if isinstance(choices, dict):
        for code, labels in choices.items():
            given = labels if isinstance(labels, list) else [labels]
            texts = tuple(label for label in given if isinstance(label, str) and label.strip())
            if texts:
                names[str(code)] = texts
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            texts = _names(choice, (*_AGENT_NAMES, *_CUSTOMER_NAMES))
            code_of = _code(choice, known)
            if texts and code_of:
                names[code_of] = texts
    return names


def _stopping(choices: Any, known: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Codes of the choices that say `stop_sla_timer`."""
    found = {
        _code(choice, known)
        for choice in (choices if isinstance(choices, list) else ())
        if isinstance(choice, dict) and choice.get("stop_sla_timer") is True
    }
    return {code for code in found if code}


def _code(choice: Mapping[str, Any], known: Mapping[str, tuple[str, ...]]) -> str | None:
    """The status code of a choice: its own, else that of the status with its name (an id may be the choice's own)."""
    code = id_of(choice, "status_id")
    if code:
        return code
    for name in _names(choice, _AGENT_NAMES):
        for one, labels in known.items():
            if labels[0] == name:
                return one
    return id_of(choice, "id")


def _names(choice: Mapping[str, Any], keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (text_of(choice, key) for key in keys))))


def _source_names(choices: Any) -> dict[str, str]:
    """Code → name, from `{"Email": 1}` or the list of the newer API."""
    if isinstance(choices, dict):
        return {str(code): str(name) for name, code in choices.items()}
    if isinstance(choices, list):
        return {
            str(choice.get("id")): str(choice.get("value") or choice.get("label"))
            for choice in choices
            if isinstance(choice, dict)
        }
    return {}
