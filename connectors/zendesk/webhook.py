"""Zendesk's webhooks: the signature, and which tickets a body names.

Belongs here: Zendesk's headers and bodies. Does not belong here: receiving (`connectors.webhooks`), fetching (`by_id`).

Two kinds of body come: those of subscribed events (`zen:event-type:ticket.*`), and those that an admin writes into a
trigger's or automation's action, for which `{"ticket_id": "{{ticket.id}}"}` is asked for.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.webhooks.contract import (
    HookEvent,
    HookRequest,
    UnverifiedError,
    is_one_of,
    json_object,
    part,
    short_text,
    ticket_ids,
)

MOST_SKEW = timedelta(minutes=5)
"""How far a request's time may lie from ours, in either direction."""

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"
TICKET_EVENT = "zen:event-type:ticket."


class ZendeskHook:
    """Verifies and reads one account's webhook.

    Args:
        secrets: the webhook's signing secret; two while one replaces the other.
    """

    provider = "zendesk"

    def __init__(self, secrets: Sequence[str]) -> None:
        """Keeps the secrets."""
        self._secrets = [secret.encode() for secret in secrets]

    def verify(self, request: HookRequest, now: datetime) -> None:
        """Checks the signature, then the time that it covers.

        Source: https://developer.zendesk.com/documentation/webhooks/verifying/

        Raises:
            UnverifiedError: no or a wrong signature, or one of another hour.
        """
        given, stamp = request.headers.get(SIGNATURE, ""), request.headers.get(TIMESTAMP, "")
        if not given or not stamp:
            raise UnverifiedError("it is not signed")
        signed = stamp.encode("latin-1", "replace") + request.body
        expected = [
            base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
            for secret in self._secrets
        ]
        if not is_one_of(given.strip(), expected):
            raise UnverifiedError("its signature is not that of the configured secret")
        at = _instant(stamp)
        if at is None or abs(now - at) > MOST_SKEW:
            raise UnverifiedError(
                "its signature is not of the last five minutes; is this machine's clock right?"
            )

    def read(self, request: HookRequest) -> HookEvent:
        """The tickets that a body names.

        A subscribed event carries an id of its own, which is signed with the body; the invocation's id, the same on each
        try, stands in for it where an admin wrote the body.

        Source: https://developer.zendesk.com/documentation/webhooks/anatomy-of-a-webhook-request/,
        https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
        """
        body = json_object(request.body)
        kind = short_text(body.get("type")) or ""
        if kind.startswith("zen:event-type:"):
            named = _tickets_of_event(body) if kind.startswith(TICKET_EVENT) else []
            event_id = short_text(body.get("id")) or _invocation(request)
            at = _instant(body.get("time"))
        else:
            named = ticket_ids(
                body.get("ticket_id"), body.get("ticket_ids"), part(body, "ticket").get("id")
            )
            event_id, at = _invocation(request), None
        payload = {"ticket_ids": named} if named else {}
        return HookEvent(event_id, kind or None, at, payload)


def _tickets_of_event(body: dict[str, Any]) -> list[str]:
    """The event's ticket, and the other one where two were merged."""
    subject = short_text(body.get("subject")) or ""
    event = part(body, "event")
    return ticket_ids(
        part(body, "detail").get("id"),
        subject.removeprefix("zen:ticket:"),
        event.get("target_ticket_id"),
        event.get("source_ticket_ids"),
    )


def _invocation(request: HookRequest) -> str | None:
    """The invocation's id with the body's hash: the id alone is not signed, and could be made to hide another event."""
    told = short_text(request.headers.get(INVOCATION))
    return told and f"{told}-{hashlib.sha256(request.body).hexdigest()[:16]}"


def _instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None
