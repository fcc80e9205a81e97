"""What a year of Zendesk costs in calls: the export's pages and next to nothing else; an increment costs a handful.

The long version: DESKBRIDGE_CALLS_ZENDESK_TICKETS=100000 (600,000 comments; some minutes and about 1 GB).
"""

import math
import os
import random
import resource
import time
from collections import Counter

import pytest

from connectors.http import Policy
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_life import Life
from connectors.standins.zendesk_sample import NOW, Clock
from connectors.standins.zendesk_year import year
from connectors.zendesk.account import open_session
from connectors.zendesk.source import ZendeskSource

TICKETS = int(os.environ.get("DESKBRIDGE_CALLS_ZENDESK_TICKETS", "4000"))
COMMENTS = 6
PAGE, LIST_PAGE, EXPORTS_PER_MINUTE = 1_000, 100, 10
STREAMS = ("users", "organizations", "groups", "tickets", "ticket_events")
CHANGED = 150


@pytest.mark.timeout(1_800)
def test_year_when_pulled_then_costs_its_pages_and_an_increment_a_handful() -> None:
    clock = Clock()
    began = time.perf_counter()
    data = year(TICKETS, COMMENTS)
    sizes = {name: len(data[name]) for name in ("users", "organizations", "groups")}
    sizes |= {"tickets": TICKETS, "ticket_events": TICKETS * COMMENTS}
    pages = {
        name: math.ceil(size / (LIST_PAGE if name == "groups" else PAGE))
        for name, size in sizes.items()
    }
    with ZendeskStandin(
        data, now=clock, is_packed=True, calls_per_minute=10**9, exports_per_minute=10**9
    ) as zendesk:
        session = open_session(zendesk.base_url, zendesk.email, zendesk.token, policy=Policy())
        with session:
            source = ZendeskSource(
                base_url=zendesk.base_url, email="", token="", session=session, now=clock
            )
            loaded = time.perf_counter()
            calls, records, cursors = _pull(source, {})
            pulled = time.perf_counter()
            assert {name: records[name] >= size for name, size in sizes.items()} == dict.fromkeys(
                sizes, True
            )
            needed, made = sum(pages.values()), sum(calls.values())
            print(
                f"\n{TICKETS:,} tickets, {TICKETS * COMMENTS:,} comments, {sizes['users']:,} users:"
                f"\n  pages needed {needed}, calls made {made}: {made / needed:.3f} of them "
                f"{dict(calls)}"
                f"\n  at {EXPORTS_PER_MINUTE} exports a minute: {made / EXPORTS_PER_MINUTE:.0f} minutes"
                f"\n  made up in {loaded - began:.1f} s, pulled in {pulled - loaded:.1f} s: "
                f"{sum(records.values()) / (pulled - loaded):,.0f} records/s"
                f"\n  most memory of stand-in and source together: "
                f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
            )
            assert made <= 1.2 * needed
            assert zendesk.calls["audits"] == zendesk.calls["comments"] == 0

            life = Life(zendesk, random.Random(2))
            for number in life.changeable(CHANGED):
                life.comment(number)
            clock.move(120)
            calls, records, _ = _pull(source, cursors)
            print(f"  {CHANGED} changed tickets: {dict(calls)}")
            # The rows of a time-based export's last second come again; here those of two of them at most.
            assert CHANGED <= records["ticket_events"] <= CHANGED + 10
            assert records["tickets"] == CHANGED
            assert sum(calls.values()) <= len(STREAMS) + 1
    assert clock() > NOW


def _pull(
    source: ZendeskSource, cursors: dict[str, object]
) -> tuple[Counter[str], Counter[str], dict[str, object]]:
    """Calls and records of each stream, and the cursors behind them; keeps no record."""
    calls: Counter[str] = Counter()
    records: Counter[str] = Counter()
    for stream in STREAMS:
        for page in source.pull(stream, cursors.get(stream)):  # type: ignore[arg-type]
            calls[stream] += page.calls
            records[stream] += sum(record.stream == stream for record in page.records)
            cursors = {**cursors, stream: page.cursor}
    return calls, records, cursors
