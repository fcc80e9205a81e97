"""What a Freshdesk increment costs: calls in proportion to the tickets that changed, whatever the account's size.

Sizes: DESKBRIDGE_CALLS_TICKETS (the larger account), DESKBRIDGE_CALLS_CHANGED (the most changes of one increment).
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.freshdesk.source import FreshdeskSource
from connectors.standins.freshdesk import FreshdeskStandin, Limits
from connectors.standins.freshdesk_account import stamp

TICKETS = int(os.environ.get("DESKBRIDGE_CALLS_TICKETS", "2000"))
CHANGED = int(os.environ.get("DESKBRIDGE_CALLS_CHANGED", "400"))

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
IDLE_CALLS = 3 + 2 + 1
"""Of an increment without any change: a list of each pass over tickets, two of contacts, one of ratings."""


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def data(tickets: int) -> dict[str, Any]:
    begin = NOW - timedelta(days=300)
    return {
        "tickets": [
            {
                "id": number,
                "subject": f"ticket {number}",
                "requester_id": 9,
                "created_at": stamp(begin + timedelta(minutes=number)),
                "updated_at": stamp(begin + timedelta(minutes=2 * number)),
            }
            for number in range(1, tickets + 1)
        ],
        "conversations": [
            {
                "id": 10 * number + place,
                "ticket_id": number,
                "body_text": "hello",
                "created_at": stamp(begin + timedelta(minutes=number + place)),
            }
            for number in range(1, tickets + 1)
            for place in range(4)
        ],
    }


def increments(tickets: int, changes: list[int]) -> list[tuple[int, int]]:
    """(changed tickets, calls) of each increment after a first sync of an account of this size."""
    clock = Clock()
    streams = ("contacts", "tickets", "satisfaction_ratings")
    with FreshdeskStandin(
        data(tickets), now=clock, limits=Limits(10**9, 10**9, 10**9)
    ) as freshdesk:
        source = FreshdeskSource(base_url=freshdesk.base_url, api_key=freshdesk.api_key, now=clock)
        cursors: dict[str, Any] = dict.fromkeys(streams)

        def sync() -> tuple[int, int]:
            before, seen = sum(freshdesk.calls.values()), 0
            for stream in streams:
                for page in source.pull(stream, cursors[stream]):
                    cursors[stream] = page.cursor
                    seen += len(page.records)
            return seen, sum(freshdesk.calls.values()) - before

        try:
            sync()
            measured = []
            for count in changes:
                clock.now += timedelta(minutes=10)
                for number in range(1, count + 1):
                    freshdesk.customer_reply(number, "and another thing")
                    clock.now += timedelta(seconds=2)
                clock.now += timedelta(minutes=10)
                measured.append(sync())
        finally:
            source.close()
    return measured


def test_an_increment_costs_calls_in_proportion_to_changed_tickets_only() -> None:
    changes = [0, 1, 10, 100, CHANGED, 0]
    small = increments(max(CHANGED, TICKETS // 4), changes)
    large = increments(TICKETS, changes)
    print(f"\nchanged tickets → calls, of {TICKETS // 4} and of {TICKETS} tickets:")
    for count, (_, few), (_, many) in zip(changes, small, large, strict=True):
        print(f"  {count:>5} → {few:>5} and {many:>5}")
    assert large == small
    for count, (seen, calls) in zip(changes, large, strict=True):
        assert seen == count
        pages = -(-count // 99)
        # The last five minutes are listed again, which hold 150 of these changes.
        assert calls <= IDLE_CALLS + count + pages + 2
