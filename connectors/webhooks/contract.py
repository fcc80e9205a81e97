"""What a vendor's webhook is made of, and what its verifier promises.

Belongs here: a source's place, the request as it came, the event read from it, the protocol, comparing secrets, the ids of tickets as they
stand in a body. Does not belong here: any vendor (`connectors.zendesk.webhook`, `connectors.freshdesk.webhook`), HTTP
(`http_server`), the order of the steps (`receiver`).
"""

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

MOST_TICKETS = 1_000
"""Ids taken from one body; the sync brings the rest."""

LONGEST_TEXT = 200
"""Characters of a vendor's id or type that are kept."""


class UnverifiedError(Exception):
    """The request does not prove whom it comes from; the message is for our own log and names no secret."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose webhook: a client's source."""

    client_key: str
    source_key: str

    @property
    def path(self) -> str:
        """Where the vendor sends it."""
        return f"/hooks/{self.client_key}/{self.source_key}"


@dataclass(frozen=True, slots=True)
class HookRequest:
    """A webhook's request. Header names are in small letters; `body` is what was signed."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HookEvent:
    """What a verified request says.

    `event_id` is the vendor's, the same on each try (None: it gives none, and every delivery counts as new). `payload` is
    what was understood; empty where nothing was.
    """

    event_id: str | None = None
    event_type: str | None = None
    occurred_at: datetime | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_understood(self) -> bool:
        """Whether there is something to be done."""
        return bool(self.payload)


class Hook(Protocol):
    """One vendor's webhook, with the secrets of one source."""

    provider: str

    def verify(self, request: HookRequest, now: datetime) -> None:
        """Makes sure that the vendor sent these bytes, and lately where it says when.

        Raises:
            UnverifiedError: it did not, or nothing proves it.
        """
        ...

    def read(self, request: HookRequest) -> HookEvent:
        """What the request says; a body that cannot be understood gives an event without payload, never an error."""
        ...


def is_one_of(given: str, expected: Iterable[str]) -> bool:
    """Whether a text is one of the expected ones; takes the same time whichever it is, and however much of it fits."""
    found = False
    for one in expected:
        found |= hmac.compare_digest(given.encode(), one.encode())
    return found


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; an empty one for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def part(value: Any, name: str) -> dict[str, Any]:
    """An object inside of an object; an empty one where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def short_text(value: Any) -> str | None:
    """A vendor's id or type as text, cut; None for anything that is neither text nor a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)[:LONGEST_TEXT] or None


def ticket_ids(*values: Any) -> list[str]:
    """The ids among values and lists of values (numbers, or texts of digits), each once; what is none is left out."""
    found: dict[str, None] = {}
    for value in values:
        for one in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
            text = str(one).strip() if isinstance(one, str | int) else ""
            # Ids are 64-bit numbers; a longer one would make a vendor refuse all that is asked for with it.
            if text.isascii() and text.isdigit() and 0 < int(text[:20]) < 2**63:
                found[text.lstrip("0")] = None
    return list(found)[:MOST_TICKETS]
