"""Serves a made-up account of a given size from a process of its own, limits off: `python -m tests.bench.serve`.

    python -m tests.bench.serve zendesk|freshdesk TICKETS COMMENTS_PER_TICKET [MILLISECONDS_PER_ANSWER]

prints the address and serves until it is told to stop.
"""

import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.standins.freshdesk import FreshdeskStandin, Limits
from connectors.standins.server import Fault, Request, Response, StandIn
from connectors.standins.zendesk import ZendeskStandin

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TEXT = "The scanner at gate four stopped after the update and shows a red lamp. " * 8


AGENT = 21
FIELDS = [{"id": 360_000 + one, "value": None} for one in range(12)]


def zendesk(tickets: int, comments: int) -> dict[str, Any]:
    """Tickets with a comment each at creation and `comments - 1` later ones, an event for each.

    Tickets and events are generators: the stand-in packs them one by one.
    """
    customers = range(1_000, 1_000 + max(1, tickets // 20))
    people = [
        {"id": 1, "name": "Operator", "email": "ops@acme.example", "role": "admin"},
        {"id": AGENT, "name": "Agent", "email": "agent@acme.example", "role": "agent"},
        *(
            {
                "id": one,
                "name": f"Customer {one}",
                "email": f"c{one}@customer.example",
                "role": "end-user",
            }
            for one in customers
        ),
    ]
    told = {
        "active": True,
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-01-01T00:00:00Z",
    }
    return {
        "users": [{**one, **told} for one in people],
        "organizations": [],
        "groups": [{"id": 41, "name": "Support", **told}],
        "tickets": _zendesk_tickets(tickets, comments),
        "comments": [],
        "ticket_events": _zendesk_events(tickets, comments),
        "satisfaction_ratings": [],
        "ticket_fields": [],
    }


def _created(number: int, tickets: int) -> datetime:
    return NOW - timedelta(days=365) + timedelta(seconds=number * 30_000_000 // tickets)


def _requester(number: int, tickets: int) -> int:
    return 1_000 + number % max(1, tickets // 20)


def _zendesk_tickets(tickets: int, comments: int) -> Iterator[dict[str, Any]]:
    for number in range(1, tickets + 1):
        requester, created = _requester(number, tickets), _created(number, tickets)
        last = created + timedelta(minutes=7 * (comments - 1))
        yield {
            "id": number,
            "subject": f"Ticket {number}",
            "description": f"{number}.0 {TEXT}",
            "status": "open",
            "priority": "normal",
            "type": "question",
            "requester_id": requester,
            "submitter_id": requester,
            "assignee_id": AGENT,
            "group_id": 41,
            "tags": ["made_up"],
            "custom_fields": FIELDS,
            # The export gives them twice; tap-zendesk stops at a ticket without.
            "fields": FIELDS,
            "generated_timestamp": int(last.timestamp()),
            "via": {"channel": "email", "source": {"from": {}, "to": {}, "rel": None}},
            "satisfaction_rating": {"score": "unoffered"},
            "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
            "updated_at": f"{last:%Y-%m-%dT%H:%M:%SZ}",
        }


def _zendesk_events(tickets: int, comments: int) -> Iterator[dict[str, Any]]:
    for number in range(1, tickets + 1):
        requester, created = _requester(number, tickets), _created(number, tickets)
        for place in range(comments):
            at = created + timedelta(minutes=7 * place)
            author = requester if place % 2 == 0 else AGENT
            comment = {
                "id": number * 1_000 + place,
                "type": "Comment",
                "event_type": "Comment",
                "author_id": author,
                "body": f"{number}.{place} {TEXT}",
                "html_body": f"<div>{number}.{place} {TEXT}</div>",
                "public": True,
                "attachments": [],
                "via": {"channel": "email"},
            }
            children: list[dict[str, Any]] = [comment]
            if place == 0:
                children.append(
                    {
                        "id": number * 1_000 + 900,
                        "event_type": "Create",
                        "status": "open",
                        "priority": "normal",
                        "subject": f"Ticket {number}",
                    }
                )
            yield {
                "id": number * 1_000 + place,
                "ticket_id": number,
                "updater_id": author,
                "timestamp": int(at.timestamp()),
                "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
                "via": {"channel": "email"},
                "child_events": children,
                "event_type": "Audit",
            }


def freshdesk(tickets: int, comments: int) -> dict[str, Any]:
    """Tickets with a description and `comments - 1` conversations each."""
    rows, conversations = [], []
    for number in range(1, tickets + 1):
        created = NOW - timedelta(days=365) + timedelta(seconds=number * 30_000_000 // tickets)
        last = created + timedelta(minutes=7 * (comments - 1))
        rows.append(
            {
                "id": number,
                "subject": f"Ticket {number}",
                "description": f"<div>{number}.0 {TEXT}</div>",
                "description_text": f"{number}.0 {TEXT}",
                "status": 2,
                "priority": 2,
                "source": 1,
                "requester_id": 500,
                "responder_id": 21,
                "group_id": 41,
                "tags": ["made_up"],
                "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
                "updated_at": f"{last:%Y-%m-%dT%H:%M:%SZ}",
            }
        )
        for place in range(1, comments):
            at = f"{created + timedelta(minutes=7 * place):%Y-%m-%dT%H:%M:%SZ}"
            conversations.append(
                {
                    "id": number * 1_000 + place,
                    "ticket_id": number,
                    "body": f"<div>{number}.{place} {TEXT}</div>",
                    "body_text": f"{number}.{place} {TEXT}",
                    "incoming": place % 2 == 0,
                    "private": False,
                    "source": 0,
                    "user_id": 500 if place % 2 == 0 else 21,
                    "attachments": [],
                    "created_at": at,
                    "updated_at": at,
                }
            )
    told = {"created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"}
    return {
        "agents": [
            {"id": 21, "contact": {"name": "Agent", "email": "agent@acme.example", **told}, **told}
        ],
        "contacts": [{"id": 500, "name": "Customer", "email": "c@customer.example", **told}],
        "groups": [{"id": 41, "name": "Support", **told}],
        "tickets": rows,
        "conversations": conversations,
    }


class _Late(StandIn):
    """Answers as late as a vendor across the internet does; requests wait beside each other."""

    latency_seconds = 0.0

    def _answer(self, request: Request) -> tuple[Response | None, Fault | None]:
        time.sleep(self.latency_seconds)
        return super()._answer(request)


class _LateZendesk(_Late, ZendeskStandin):
    pass


class _LateFreshdesk(_Late, FreshdeskStandin):
    pass


def server(system: str, tickets: int, comments: int, latency_ms: float = 0) -> StandIn:
    """The stand-in, not yet started, without limits."""
    made: _LateZendesk | _LateFreshdesk
    if system == "zendesk":
        made = _LateZendesk(
            zendesk(tickets, comments),
            now=lambda: NOW,
            time_scale=1e6,
            is_packed=True,
            calls_per_minute=10**9,
            exports_per_minute=10**9,
        )
    else:
        made = _LateFreshdesk(
            freshdesk(tickets, comments),
            now=lambda: NOW,
            time_scale=1e6,
            limits=Limits(10**9, 10**9, 10**9),
        )
    made.latency_seconds = latency_ms / 1_000
    return made


def main() -> None:
    """Serves until it is told to stop."""
    system, tickets, comments = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    latency_ms = float(sys.argv[4]) if len(sys.argv) > 4 else 0
    with server(system, tickets, comments, latency_ms) as running:
        sys.stdout.write(f"{running.base_url}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
