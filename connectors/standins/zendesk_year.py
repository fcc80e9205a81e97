"""A year of a large made-up Zendesk account, row by row, for stand-ins that keep them packed.

Belongs here: volume. Does not belong here: odd cases (`zendesk_sample`), the demo's story.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.standins.zendesk_sample import stamp
from connectors.standins.zendesk_shelf import Row

YEAR_START = datetime(2025, 6, 1, tzinfo=UTC)
YEAR_SECONDS = 364 * 86_400
FIRST_TICKET, FIRST_USER, FIRST_ORGANIZATION, FIRST_EVENT = 1_000, 500_000, 900_000, 10_000_000
AGENTS = 40
TEXT = (
    "Since the update the export of last month's invoices stops half way through. We tried it from another machine "
    "and with another account; the same each time. Could you have a look? "
)


def year(tickets: int, comments_per_ticket: int = 6, seed: int = 1) -> dict[str, Any]:
    """A data set of `ZendeskStandin(..., is_packed=True)`; tickets and events are generators.

    Each comment is an event of its own, spread over four days; a tenth as many users as tickets.
    """
    users = max(1, tickets // 10)
    return {
        "users": [_user(n) for n in range(users + AGENTS)],
        "organizations": [_organization(n) for n in range(max(1, users // 10))],
        "groups": [{"id": 41 + n, "name": f"Team {n}", "created_at": stamp(YEAR_START),
                    "updated_at": stamp(YEAR_START)} for n in range(8)],
        "tickets": _tickets(tickets, comments_per_ticket, users, seed),
        "ticket_events": _events(tickets, comments_per_ticket, users, seed),
    }  # fmt: skip


def _moments(n: int, tickets: int, comments: int) -> list[datetime]:
    first = YEAR_START + timedelta(seconds=n * (YEAR_SECONDS - 5 * 86_400) / tickets)
    return [first + timedelta(seconds=k * 4 * 86_400 // comments) for k in range(comments)]


def _tickets(tickets: int, comments: int, users: int, seed: int) -> Iterator[Row]:
    rng = random.Random(seed)
    for n in range(tickets):
        moments = _moments(n, tickets, comments)
        yield {
            "id": FIRST_TICKET + n,
            "url": f"https://acme.example/api/v2/tickets/{FIRST_TICKET + n}.json",
            "external_id": None,
            "via": {"channel": "email", "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": stamp(moments[0]),
            "updated_at": stamp(moments[-1]),
            # The system touches tickets later than people do.
            "generated_timestamp": int(moments[-1].timestamp()) + rng.randrange(3_600),
            "type": rng.choice(["question", "incident", None]),
            "subject": f"Invoices of account {n} stop half way",
            "raw_subject": f"Invoices of account {n} stop half way",
            "description": TEXT,
            "priority": rng.choice(["low", "normal", "high", "urgent"]),
            "status": rng.choice(["closed", "closed", "solved", "open"]),
            "requester_id": FIRST_USER + AGENTS + n % users,
            "submitter_id": FIRST_USER + AGENTS + n % users,
            "assignee_id": FIRST_USER + n % AGENTS,
            "organization_id": FIRST_ORGANIZATION + (n % users) // 10,
            "group_id": 41 + n % 8,
            "tags": ["billing", f"plan_{n % 5}"],
            "custom_fields": [
                {"id": 360_001, "value": f"v{n % 7}"},
                {"id": 360_002, "value": None},
            ],
            "satisfaction_rating": None,
        }


def _events(tickets: int, comments: int, users: int, seed: int) -> Iterator[Row]:
    for n in range(tickets):
        for k, at in enumerate(_moments(n, tickets, comments)):
            is_agent = k % 2 == 1
            author = FIRST_USER + (n % AGENTS if is_agent else AGENTS + n % users)
            number = FIRST_EVENT + (n * comments + k) * 4
            children: list[Row] = [
                {
                    "id": number + 1,
                    "type": "Comment",
                    "event_type": "Comment",
                    "author_id": author,
                    "body": f"{TEXT}{n}.{k}",
                    "html_body": f"<p>{TEXT}{n}.{k}</p>",
                    "public": k % 5 != 4,
                    "attachments": [],
                    "created_at": stamp(at),
                }
            ]
            if k == 0:
                children.append({"id": number + 2, "event_type": "Create", "status": "new"})
            elif k in (1, comments - 1):
                children.append(
                    {
                        "id": number + 2,
                        "event_type": "Change",
                        "status": "solved" if k == comments - 1 else "open",
                        "previous_value": "open" if k == comments - 1 else "new",
                    }
                )
            yield {
                "id": number,
                "ticket_id": FIRST_TICKET + n,
                "timestamp": int(at.timestamp()),
                "created_at": stamp(at),
                "updater_id": author,
                "via": "Mail",
                "system": {},
                "event_type": "Audit",
                "child_events": children,
            }


def _user(n: int) -> Row:
    at = stamp(YEAR_START + timedelta(seconds=n))
    return {
        "id": FIRST_USER + n,
        "name": f"Person {n}",
        "email": f"person-{n}@customer.example" if n >= AGENTS else f"agent-{n}@acme.example",
        "role": "end-user" if n >= AGENTS else "agent",
        "active": True,
        "created_at": at,
        "updated_at": at,
    }


def _organization(n: int) -> Row:
    at = stamp(YEAR_START + timedelta(seconds=n))
    return {
        "id": FIRST_ORGANIZATION + n,
        "name": f"Company {n}",
        "domain_names": [f"company-{n}.example"],
        "created_at": at,
        "updated_at": at,
    }
