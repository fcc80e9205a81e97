"""A Zendesk account's webhook: tells an endpoint of each change to a ticket, signed, again and out of order.

Belongs here: the events' bodies, signature, tries, faults. Does not belong here: the account (`zendesk`), who changes it
(`zendesk_life`).

Source: https://developer.zendesk.com/documentation/webhooks/anatomy-of-a-webhook-request/ and .../verifying/ for headers
and signature, https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/ for the bodies,
https://developer.zendesk.com/api-reference/webhooks/introduction/ for the tries (their number is not documented for every
case; here it is three).
"""

import base64
import hashlib
import hmac
import http.client
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_shelf import Row
from connectors.standins.zendesk_state import iso

TRIES = 3
RETRIED = frozenset({409, 429, 503})
TIMEOUT_SECONDS = 12.0

CHANGES: Mapping[str, str] = {
    "status": "status_changed",
    "priority": "priority_changed",
    "subject": "subject_changed",
    "assignee_id": "agent_assignment_changed",
    "group_id": "group_assignment_changed",
    "organization_id": "organization_changed",
    "requester_id": "requester_changed",
    "tags": "tags_changed",
}
"""Changed field → the event's name."""

Kind = Literal["good", "repeated", "forged", "stale"]
"""What a request is: as documented; one that was answered before; with a wrong signature; signed an hour ago."""


@dataclass(frozen=True, slots=True)
class WebhookFaults:
    """Shares of events to which something happens besides."""

    repeated: float = 0.0
    forged: float = 0.0
    stale: float = 0.0
    is_shuffled: bool = False
    """Events are held back until `flush` and then sent in any order."""


@dataclass(frozen=True, slots=True)
class _Outgoing:
    kind: Kind
    body: bytes
    headers: Mapping[str, str]


class ZendeskWebhooks:
    """One webhook that is subscribed to all events of tickets.

    Args:
        zendesk: the account; imports and the system's own touches tell nothing.
        url: the endpoint.
        secret: with which requests are signed.
        faults: what happens besides.
        rng: which events meet a fault, and their order; ids are unique always.
        connections: requests at the same time.
    """

    def __init__(
        self,
        zendesk: ZendeskStandin,
        url: str,
        secret: str,
        *,
        faults: WebhookFaults | None = None,
        rng: random.Random | None = None,
        connections: int = 4,
    ) -> None:
        """Subscribes; sends from `start` on."""
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path
        self._zendesk = zendesk
        self._secret = secret.encode()
        self._faults = faults or WebhookFaults()
        self._rng = rng or random.Random(1)
        self._queue: list[_Outgoing] = []
        self._changed = threading.Condition()
        self._under_way = 0
        self._is_open = True
        self._is_flushing = not self._faults.is_shuffled
        self._threads = [
            threading.Thread(target=self._send_all, name=f"zendesk webhook {n}", daemon=True)
            for n in range(connections)
        ]
        self.answers: Counter[tuple[Kind, int]] = Counter()
        """(kind, status) → requests; status 0 where there was no answer."""
        self.seconds: list[float] = []
        """How long each good one's answer took."""
        self.events = 0
        """Events that were told, each counted once."""
        self.taken: list[bytes] = []
        """Bodies of good ones that were answered 2xx."""
        zendesk.state.observers.append(self._observe)

    def start(self) -> Self:
        """Sends from now on."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Sends no more."""
        self._zendesk.state.observers.remove(self._observe)
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def __enter__(self) -> Self:
        """Starts."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stops."""
        self.stop()

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Waits until everything told so far was sent, tries included.

        Raises:
            TimeoutError: it took longer.
        """
        with self._changed:
            if self._faults.is_shuffled:
                self._rng.shuffle(self._queue)
            self._is_flushing = True
            self._changed.notify_all()
            done = self._changed.wait_for(
                lambda: not self._queue and not self._under_way, timeout_seconds
            )
            self._is_flushing = not self._faults.is_shuffled
        if not done:
            raise TimeoutError(f"{len(self._queue)} webhooks were not sent in {timeout_seconds} s")

    def tell(self, body: bytes, kind: Kind = "good") -> None:
        """Sends a body as it is: what a trigger's own text would be."""
        with self._changed:
            self._queue.append(self._request(body, kind))
            self._changed.notify()

    def _observe(self, kind: str, entry: Mapping[str, Any]) -> None:
        if kind != "ticket":
            return
        for body in self._bodies(entry):
            self.events += 1
            with self._changed:
                first = self._request(body, "good")
                self._queue.append(first)
                if self._rng.random() < self._faults.repeated:
                    self._queue.append(_Outgoing("repeated", body, first.headers))
                for fault in ("forged", "stale"):
                    if self._rng.random() < getattr(self._faults, fault):
                        self._queue.append(self._request(body, fault))
                self._changed.notify_all()

    def _bodies(self, entry: Mapping[str, Any]) -> Iterator[bytes]:
        ticket = entry["ticket"]
        for name, event in _events_of(entry):
            yield json.dumps(
                {
                    "account_id": 123456,
                    "detail": _detail(ticket),
                    "event": event,
                    "id": str(uuid.uuid4()),
                    "subject": f"zen:ticket:{ticket['id']}",
                    "time": iso(self._zendesk.now()),
                    "type": f"zen:event-type:ticket.{name}",
                    "zendesk_event_version": "2022-11-06",
                }
            ).encode()

    def _request(self, body: bytes, kind: Kind) -> _Outgoing:
        at = self._zendesk.now() - timedelta(hours=1 if kind == "stale" else 0)
        secret = b"somebody else's" if kind == "forged" else self._secret
        stamp = iso(at)
        digest = hmac.new(secret, stamp.encode() + body, hashlib.sha256).digest()
        return _Outgoing(
            kind,
            body,
            {
                "content-type": "application/json; charset=utf-8",
                "x-zendesk-account-id": "123456",
                "x-zendesk-webhook-id": "01HXMADEUPWEBHOOKID0000000",
                "x-zendesk-webhook-invocation-id": f"01HX{uuid.uuid4().hex[:22].upper()}",
                "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
                "x-zendesk-webhook-signature-timestamp": stamp,
            },
        )

    def _send_all(self) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(
                        lambda: not self._is_open or (self._queue and self._is_flushing)
                    )
                    if not self._is_open:
                        return
                    one = self._queue.pop(0)
                    self._under_way += 1
                self._send(connection, one)
                with self._changed:
                    self._under_way -= 1
                    self._changed.notify_all()
        finally:
            connection.close()

    def _send(self, connection: http.client.HTTPConnection, one: _Outgoing) -> None:
        """One request with its tries: after 409, 429 or 503, where the answer asks for less than a minute's patience."""
        for _ in range(TRIES):
            started = time.perf_counter()
            try:
                connection.request("POST", self._path, one.body, dict(one.headers))
                answer = connection.getresponse()
                answer.read()
                status, wait = answer.status, answer.getheader("retry-after")
            except (OSError, http.client.HTTPException):
                connection.close()
                status, wait = 0, "1"
            with self._changed:
                self.answers[one.kind, status] += 1
                if one.kind == "good" and 200 <= status < 300:
                    self.taken.append(one.body)
                if one.kind == "good":
                    self.seconds.append(time.perf_counter() - started)
            patience = float(wait) if wait else 1.0
            if (status and status not in RETRIED) or patience >= 60:
                return
            time.sleep(patience / self._zendesk.time_scale)


def _events_of(entry: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """(name, what changed) of each event that a change to a ticket makes."""
    operation, ticket = entry.get("operation"), entry["ticket"]
    if operation == "create":
        yield "created", {}
    elif operation == "system" and ticket["status"] == "deleted":
        is_scrubbed = ticket.get("subject") == "SCRUBBED"
        yield ("permanently_deleted" if is_scrubbed else "soft_deleted"), {}
    if operation != "update":
        return
    for event in entry.get("events", ()):
        for child in event["child_events"]:
            kind = child.get("event_type")
            if kind == "Comment":
                told = {"id": str(child["id"]), "is_public": child.get("public", True)}
                yield "comment_added", {"comment": told}
            elif kind == "CommentRedactionEvent":
                yield "comment_redacted", {"comment": {"id": str(child["comment_id"])}}
            elif kind == "Change":
                for field, name in CHANGES.items():
                    if field in child:
                        yield (
                            name,
                            {"current": child[field], "previous": child.get("previous_value")},
                        )


def _detail(ticket: Mapping[str, Any]) -> Row:
    """The ticket as it is told: ids are texts, words in capitals."""
    told: Row = {"id": str(ticket["id"]), "tags": ticket.get("tags") or [], "is_public": True}
    for name in ("assignee_id", "group_id", "organization_id", "requester_id"):
        told[name] = str(ticket[name]) if ticket.get(name) else None
    for name in ("status", "priority"):
        told[name] = ticket[name].upper() if ticket.get(name) else None
    for name in ("subject", "created_at", "updated_at"):
        told[name] = ticket.get(name)
    return told
