"""What is computed for an instant never depends on what came after it."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.demo.folder import AS_OF, CLIENT
from pipelines.measure import clocks_as_of
from pipelines.rules import load_rules

REPLAYED = ("status", "priority", "assignee_id", "group_id", "subject", "type", "requester_id")


def as_it_was(zendesk, instant):
    """The account as it stood at an instant: later events are gone, tickets are as their history says."""
    until = instant.timestamp()
    events = [one for one in zendesk["ticket_events"] if one["timestamp"] <= until]
    later = [one for one in zendesk["ticket_events"] if one["timestamp"] > until]
    tickets = {
        one["id"]: dict(one)
        for one in zendesk["tickets"]
        if datetime.fromisoformat(one["created_at"]) <= instant
    }
    for event in sorted(later, key=lambda one: (one["timestamp"], one["id"]), reverse=True):
        for child in event["child_events"]:
            ticket = tickets.get(event["ticket_id"])
            if ticket is None or child["event_type"] != "Change":
                continue
            for name in REPLAYED:
                if name in child:
                    ticket[name] = child["previous_value"]
            if "tags" in child:
                ticket["tags"] = child["previous_value"]
    for ticket in tickets.values():
        own = [one["timestamp"] for one in events if one["ticket_id"] == ticket["id"]]
        last = max(own)
        ticket["updated_at"] = datetime.fromtimestamp(last, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ticket["generated_timestamp"] = last
    return {
        **zendesk,
        "tickets": list(tickets.values()),
        "ticket_events": events,
        "comments": [
            one
            for one in zendesk["comments"]
            if datetime.fromisoformat(one["created_at"]) <= instant
        ],
        "satisfaction_ratings": [],
    }


def clocks(desk, instant):
    """The clocks of an instant, without the marks of the run."""
    rules = load_rules(desk.runtime.settings, CLIENT, instant.date())
    rows = clocks_as_of(desk.engine, CLIENT, rules, instant)
    # When a clock has to be looked at again is the one thing that may know of what is to come.
    left_out = {"history_revision", "next_check_at"}
    return {
        (row["ticket_key"], row["metric"], row["instance"]): {
            name: value for name, value in row.items() if name not in left_out
        }
        for row in rows
    }


def some_instants(world):
    """Right before, at and after things that happened; and while a ticket that ended was still in the service."""
    zendesk = json.loads((world / "zendesk.json").read_text("ascii"))
    facts = json.loads((world / "facts.json").read_text("utf-8"))["zendesk"]
    stamps = sorted({one["timestamp"] for one in zendesk["ticket_events"]})
    chosen = [stamps[len(stamps) * part // 6] for part in range(1, 6)]
    instants = [datetime.fromtimestamp(one, UTC) for one in chosen]
    ended = [*map(int, facts["merged"]), *facts["deleted"], *facts["spam"]]
    came = {one["id"]: datetime.fromisoformat(one["created_at"]) for one in zendesk["tickets"]}
    return [
        *instants,
        instants[1] - timedelta(seconds=1),
        instants[2] + timedelta(hours=5),
        AS_OF - timedelta(hours=2),
        *(came[number] + timedelta(minutes=2) for number in ended),
    ]


@pytest.mark.parametrize("number", range(11))
def test_clocks_of_the_past_are_those_of_a_warehouse_that_knows_no_more(
    open_desk, small_world, new_engine, tmp_path, number
):
    zendesk = json.loads((small_world / "zendesk.json").read_text("ascii"))
    instant = some_instants(small_world)[number]
    world = tmp_path / "world"
    shutil.copytree(small_world, world)
    cut = as_it_was(zendesk, instant)
    (world / "zendesk.json").write_text(json.dumps(cut), "ascii")
    full, part = new_engine(), new_engine()
    with open_desk(full) as later:
        later.ingest("zendesk")
        found = clocks(later, instant)
    with open_desk(part, world=world) as then:
        then.ingest("zendesk")
        expected = clocks(then, instant)

    assert len(expected) > 10
    assert found == expected
