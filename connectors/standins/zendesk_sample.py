"""A small made-up Zendesk account in the vendor's documented shape, and a clock that moves when told.

Belongs here: what tests of several rooms start from. Does not belong here: the year of the demo.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CUSTOMER, AGENT, ADMIN = 11, 21, 1


class Clock:
    """Aware UTC now that stands still until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        """Stands at `at`."""
        self.at = at

    def __call__(self) -> datetime:
        """Now."""
        return self.at

    def move(self, seconds: float) -> None:
        """Moves on."""
        self.at += timedelta(seconds=seconds)


def stamp(at: datetime) -> str:
    """An instant as Zendesk writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def account(
    tickets: int = 7, step: Callable[[int], datetime] | None = None, events: bool = True
) -> dict[str, Any]:
    """`tickets` tickets with a question and an answer each, a minute apart (or where `step` puts them)."""
    at = step or (lambda n: NOW - timedelta(days=2) + timedelta(minutes=n))
    rows, history = [], []
    for n in range(1, tickets + 1):
        created = at(n)
        rows.append(
            {
                "id": 1000 + n,
                "subject": f"Question {n}",
                "description": f"Question {n}?",
                "status": "open",
                "priority": "normal",
                "created_at": stamp(created),
                "updated_at": stamp(created),
                "requester_id": CUSTOMER,
                "assignee_id": AGENT,
                "group_id": 41,
                "organization_id": 31,
                "via": {"channel": "email"},
                "tags": ["made_up"],
                "satisfaction_rating": None,
            }
        )
        if events:
            history.append(_event(n, created, f"Question {n}?"))
    return {
        "users": [
            {"id": ADMIN, "name": "Deskbridge", "email": "ops@acme.example", "role": "admin", "active": True,
             "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"},
            {"id": CUSTOMER, "name": "Ayşe", "email": "ayse@customer.example", "role": "end-user", "active": True,
             "organization_id": 31, "created_at": "2025-02-01T00:00:00Z", "updated_at": "2025-02-01T00:00:00Z"},
            {"id": AGENT, "name": "Boris", "email": "boris@acme.example", "role": "agent", "active": True,
             "created_at": "2025-02-01T00:00:00Z", "updated_at": "2025-02-02T00:00:00Z"},
        ],
        "organizations": [
            {"id": 31, "name": "Customer", "domain_names": ["customer.example"],
             "created_at": "2025-02-01T00:00:00Z", "updated_at": "2025-02-01T00:00:00Z"},
            {"id": 32, "name": "Other", "domain_names": [],
             "created_at": "2025-02-03T00:00:00Z", "updated_at": "2025-02-03T00:00:00Z"},
        ],
        "groups": [{"id": 41, "name": "Support", "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"}],
        "tickets": rows,
        "comments": [],
        "ticket_events": history,
        "satisfaction_ratings": [
            {"id": 51, "ticket_id": 1001, "score": "good", "comment": "Thanks",
             "created_at": stamp(NOW - timedelta(days=1)), "updated_at": stamp(NOW - timedelta(days=1))},
        ],
        "ticket_fields": [],
    }  # fmt: skip


def _event(n: int, at: datetime, text: str) -> dict[str, Any]:
    number = 100_000 + n * 10
    return {
        "id": number,
        "ticket_id": 1000 + n,
        "timestamp": int(at.timestamp()),
        "created_at": stamp(at),
        "updater_id": CUSTOMER,
        "via": "Mail",
        "system": {},
        "event_type": "Audit",
        "child_events": [
            {
                "id": number + 1,
                "type": "Comment",
                "event_type": "Comment",
                "author_id": CUSTOMER,
                "body": text,
                "html_body": f"<p>{text}</p>",
                "public": True,
                "attachments": [],
                "created_at": stamp(at),
                "via": {"channel": "email"},
            },
            {"id": number + 2, "event_type": "Create", "status": "open", "via": "Mail"},
            {"id": number + 3, "event_type": "Create", "priority": "normal", "via": "Mail"},
            {"id": number + 4, "event_type": "Create", "assignee_id": str(AGENT), "via": "Mail"},
            {"id": number + 5, "event_type": "Create", "group_id": "41", "via": "Mail"},
        ],
    }
