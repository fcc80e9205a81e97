"""What is read beside a page, for the few tickets whose rows say that there is more: one or two calls a ticket.

Belongs here: which tickets those are, and how their side conversations and messages are read. Does not belong here:
what they mean (`transforms.zendesk_conversations`).

The records stand in the page that names their ticket, so that they commit with its cursor: a walk that is killed
reads both again. No ordinary ticket costs a call:

- side conversations: a ticket whose events say that one was begun, answered, closed or opened again;
- messages: a ticket of a messaging channel, whenever its row comes.

Source: Zendesk developer documentation, "Ticket audit events reference" (collaboration thread events), "Side
conversations" (`include=events`), "Conversation log", "Tickets" (`from_messaging_channel`).
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.errors import AuthError, NotFoundError
from connectors.http import PolicySession
from connectors.zendesk.pages import Walker
from transforms.model import RawRecord

logger = logging.getLogger(__name__)

SIDE_EVENTS = ("collabthread", "collaborationthread", "sideconversation")
"""How the kinds of events begin that tell of side conversations (`CollabThreadCreated`, …), without `_` and case."""
MESSAGING_CHANNELS = frozenset({"native_messaging", "whatsapp"})
MESSAGING_PREFIX = "sunshine_conversations"
PAGE = 100
IDENTITY_FIELDS = ("id", "type", "value", "primary", "verified")
"""What is kept of an identity; its counts of undelivered mail change by themselves."""


class Companions:
    """Reads what belongs to the tickets of a page. A product that is refused once is not asked for again.

    Args:
        session: of the account.
        now: epoch seconds.
    """

    def __init__(self, session: PolicySession, now: Callable[[], float]) -> None:
        """Keeps the settings; makes no call."""
        self._session = session
        self._now = now
        self._refused: set[str] = set()

    def beside(self, stream: str, rows: Sequence[Any]) -> list[RawRecord]:
        """Records of the companion streams for the tickets that these rows name.

        Raises:
            ConnectorError: a call failed for now; the page must not be stored, it comes again.
        """
        if stream == "ticket_events":
            return self._of_all("side_conversations", with_side_conversations(rows), self._sides)
        if stream == "tickets":
            return self._of_all("conversation_log", with_messages(rows), self._messages)
        return []

    def _of_all(
        self, stream: str, tickets: Sequence[str], read: Callable[[str], Iterator[RawRecord]]
    ) -> list[RawRecord]:
        found: list[RawRecord] = []
        for ticket_id in tickets:
            if stream in self._refused:
                break
            try:
                found.extend(read(ticket_id))
            except NotFoundError:
                logger.info("%s: ticket %s has no %s", self._session.label, ticket_id, stream)
            except AuthError:
                # 403 with a credential that reads the exports: the product is not part of the plan.
                logger.warning(
                    "%s: %s are refused to this login",
                    self._session.label,
                    stream.replace("_", " "),
                )
                self._refused.add(stream)
        return found

    def _sides(self, ticket_id: str) -> Iterator[RawRecord]:
        path = f"api/v2/tickets/{ticket_id}/side_conversations.json"
        page = 1
        while True:
            body = self._session.get_json(
                path, params={"include": "events", "per_page": PAGE, "page": page}
            )
            body = body if isinstance(body, dict) else {}
            events: dict[str, list[Any]] = {}
            for event in _objects(body.get("events")):
                events.setdefault(str(event.get("side_conversation_id")), []).append(event)
            for side in _objects(body.get("side_conversations")):
                number = side.get("id")
                if number is not None:
                    whole = {**side, "events": events.get(str(number), [])}
                    yield _record("side_conversations", str(number), ticket_id, whole)
            if not body.get("next_page"):
                return
            page += 1

    def _messages(self, ticket_id: str) -> Iterator[RawRecord]:
        path = f"api/v2/tickets/{ticket_id}/conversation_log.json"
        for page in Walker(self._session, "events", path, now=self._now).list(None):
            for event in _objects(page.rows):
                # Comments of the log are those that the event export brings.
                if event.get("id") is not None and event.get("type") != "Comment":
                    yield _record("conversation_log", str(event["id"]), ticket_id, event)


def with_side_conversations(rows: Sequence[Any]) -> list[str]:
    """Tickets whose events tell of side conversations, each once."""
    found: dict[str, None] = {}
    for row in _objects(rows):
        if row.get("ticket_id") is not None and any(
            _kind(child).startswith(SIDE_EVENTS)
            for child in _objects(row.get("child_events") or row.get("events"))
        ):
            found[str(row["ticket_id"])] = None
    return list(found)


def with_messages(rows: Sequence[Any]) -> list[str]:
    """Tickets of messaging channels, each once; deleted ones have no log any more."""
    found: dict[str, None] = {}
    for row in _objects(rows):
        if row.get("id") is None or row.get("status") == "deleted":
            continue
        via = row.get("via")
        channel = str(via.get("channel") or "") if isinstance(via, dict) else ""
        if (
            row.get("from_messaging_channel") is True
            or channel in MESSAGING_CHANNELS
            or channel.startswith(MESSAGING_PREFIX)
        ):
            found[str(row["id"])] = None
    return list(found)


def _kind(child: Mapping[str, Any]) -> str:
    kind = child.get("event_type") or child.get("type") or ""
    return str(kind).replace("_", "").lower()


def _record(stream: str, remote_id: str, ticket_id: str, body: Mapping[str, Any]) -> RawRecord:
    payload = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return RawRecord(
        stream=stream,
        remote_id=remote_id,
        payload=payload.encode("utf-8", "surrogatepass"),
        ticket_remote_id=ticket_id,
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return (
        [one for one in value if isinstance(one, dict)] if isinstance(value, list | tuple) else []
    )


class UsersWalker(Walker):
    """Users with what the export tells beside them: each row carries its identities (further addresses, numbers).

    Source: Zendesk developer documentation, "Side-loading", users: `include=identities`.
    """

    def _rows(self, body: Any) -> Sequence[Any]:
        rows = super()._rows(body)
        identities = body.get("identities") if isinstance(body, dict) else None
        if not isinstance(identities, list):
            return rows
        of_user: dict[Any, list[Any]] = {}
        for identity in _objects(identities):
            kept = {name: identity.get(name) for name in IDENTITY_FIELDS}
            of_user.setdefault(identity.get("user_id"), []).append(kept)
        return [
            {**row, "identities": of_user.get(row.get("id"), [])} if isinstance(row, dict) else row
            for row in rows
        ]
