"""What comes later than what depends on it: people, ends of duplicates, other promises."""

import json
import shutil
from datetime import timedelta

from sqlalchemy import select

from connectors.warehouse.tables import comment, sla_clock, ticket, ticket_link
from pipelines.demo.folder import AFTER_MIGRATION, AS_OF, CLIENT
from pipelines.ingest import ingest_client
from pipelines.measure import clocks_as_of, evaluate_client
from pipelines.rules import load_rules
from pipelines.settings import load_settings

MARKS = {"history_revision", "evaluated_at"}


def test_a_customer_who_is_exported_after_the_ticket_becomes_its_requester(
    engine, open_desk, small_world, tmp_path
):
    """Written between the pull of people and that of tickets."""
    world = tmp_path / "world"
    shutil.copytree(small_world, world)
    data = json.loads((world / "zendesk.json").read_text("ascii"))
    newest = max(data["tickets"], key=lambda one: one["created_at"])
    (late,) = [one for one in data["users"] if one["id"] == newest["requester_id"]]
    data["users"].remove(late)
    (world / "zendesk.json").write_text(json.dumps(data), "ascii")
    with open_desk(engine, world=world) as desk:
        desk.ingest("zendesk")
        number = ticket.c.number == str(newest["id"])
        (row,) = desk.rows(select(ticket).where(number))
        assert row["requester_key"] is None

        zendesk = desk.servers["zendesk"]
        with zendesk.lock:
            stamp = (AS_OF + timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
            zendesk.state.record("user", user={**late, "updated_at": stamp})
        desk.folder.set_clock(AFTER_MIGRATION)
        desk.ingest("zendesk")

        (row,) = desk.rows(select(ticket).where(number))
        assert row["requester_key"] is not None
        own = comment.c.ticket_key == row["ticket_key"]
        authors = desk.rows(select(comment).where(own, comment.c.author_kind == "customer"))
        assert {one["author_key"] for one in authors} == {row["requester_key"]}
        sums = desk.checksums()
        desk.ingest("zendesk")
        assert desk.checksums() == sums


def test_when_the_primary_is_deleted_its_duplicate_counts_again(desk):
    desk.ingest()
    rules = load_rules(desk.runtime.settings, CLIENT, AS_OF.date())
    evaluate_client(desk.engine, CLIENT, rules, AS_OF)
    links = desk.rows(select(ticket_link).where(ticket_link.c.kind == "duplicate_of"))
    tickets = {row["ticket_key"]: row for row in desk.rows(select(ticket))}
    link = next(one for one in links if tickets[one["other_key"]]["source_key"] == "zendesk")
    copy = link["ticket_key"]
    assert desk.count(sla_clock, sla_clock.c.ticket_key == copy) == 0
    zendesk = desk.servers["zendesk"]
    with zendesk.lock:
        zendesk.writes.change_row(int(tickets[link["other_key"]]["number"]), status="deleted")
    desk.folder.set_clock(AFTER_MIGRATION)

    ingest_client(desk.runtime, CLIENT)
    evaluate_client(desk.engine, CLIENT, rules, AS_OF)

    (gone,) = desk.rows(select(ticket).where(ticket.c.ticket_key == link["other_key"]))
    assert gone["status"] == "deleted"
    assert desk.count(ticket_link, ticket_link.c.ticket_key == copy) == 0
    assert desk.count(sla_clock, sla_clock.c.ticket_key == copy) > 0
    sums = desk.checksums()
    ingest_client(desk.runtime, CLIENT)
    evaluate_client(desk.engine, CLIENT, rules, AS_OF)
    assert desk.checksums() == sums


def stored(desk):
    """Clocks as they stand, without the marks of the run."""
    rows = desk.rows(select(sla_clock))
    return sorted(
        (sorted((k, str(v)) for k, v in row.items() if k not in MARKS) for row in rows), key=str
    )


def fresh(desk, rules):
    """Clocks evaluated anew."""
    rows = clocks_as_of(desk.engine, CLIENT, rules, AS_OF)
    return sorted(
        (sorted((k, str(v)) for k, v in row.items() if k not in MARKS) for row in rows), key=str
    )


def test_other_promises_are_seen_by_the_next_tick(desk):
    desk.ingest("zendesk")
    rules = load_rules(desk.runtime.settings, CLIENT, AS_OF.date())
    evaluate_client(desk.engine, CLIENT, rules, AS_OF)
    before = stored(desk)
    text = rules.texts[rules.policies[0].name]
    target = "low: {response: 1 business day"
    assert target in text
    stricter_text = text.replace(target, "low: {response: 1 hour")
    (desk.folder.root / "stricter.yaml").write_text(stricter_text, "utf-8")
    config = desk.folder.config.read_text("utf-8").replace("standard.yaml]", "stricter.yaml]", 1)
    desk.folder.config.write_text(config, "utf-8")
    stricter = load_rules(load_settings(desk.folder.config), CLIENT, AS_OF.date())

    report = evaluate_client(desk.engine, CLIENT, stricter, AS_OF)

    assert report.tickets > 50
    assert stored(desk) == fresh(desk, stricter) != before
    assert evaluate_client(desk.engine, CLIENT, stricter, AS_OF).tickets < 50
    evaluate_client(desk.engine, CLIENT, rules, AS_OF)
    assert stored(desk) == before
