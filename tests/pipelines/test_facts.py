"""What the generator knows of its world, held against the warehouse after the whole job."""

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import openpyxl
import pytest
import yaml
from sqlalchemy import select

from connectors.warehouse.tables import (
    agent,
    article,
    comment,
    contact,
    contact_identity,
    delivery,
    escalation,
    quarantine,
    raw_record,
    satisfaction_rating,
    sla_clock,
    team,
    team_member,
    ticket,
    ticket_link,
    timer,
)
from pipelines.demo import people
from pipelines.demo.folder import AS_OF, CLIENT, LIVE_FROM
from pipelines.demo.people import AGENTS, TEAMS
from pipelines.measure import evaluate_client
from pipelines.rules import load_rules

HELPDESKS = ("zendesk", "freshdesk")
ARTICLES = Path(people.__file__).parent / "texts" / "articles.yaml"


def own(desk, source):
    """Tickets of a source by number, without those that a migration put there."""
    copies = {
        row["other_key"]
        for row in desk.rows(select(ticket_link).where(ticket_link.c.kind == "migrated_to"))
    }
    rows = desk.rows(select(ticket).where(ticket.c.source_key == source))
    return {row["number"]: row for row in rows if row["ticket_key"] not in copies}


def mails_by_place(desk, source):
    """`INBOX/00017.eml` or the number in the mbox → the mail's remote id."""
    rows = desk.rows(select(raw_record).where(raw_record.c.source_key == source))
    places = {}
    for row in rows:
        where = row["location"]
        place = (
            f"archive.mbox:{where['number'] - 1}"
            if source == "archive"
            else f"{where['folder']}/{where['uid']:05d}.eml"
        )
        places[place] = row["remote_id"]
    return places


def comments_of_mails(desk, source):
    """Remote id of a mail → its comment."""
    rows = desk.rows(select(comment).where(comment.c.source_key == source))
    return {row["raw_remote_id"]: row for row in rows}


def thread_keys(desk, source, facts):
    """Number of a planted thread → keys of the tickets that its mails are in."""
    places, comments = mails_by_place(desk, source), comments_of_mails(desk, source)
    found = defaultdict(set)
    for mail in facts["mails"]:
        if mail["ticket"] is not None:
            found[mail["ticket"]].add(comments[places[mail["place"]]]["ticket_key"])
    return found


@pytest.mark.parametrize("source", HELPDESKS)
def test_tickets_comments_and_ratings_of_the_helpdesks(done, source):
    facts, tickets = done.facts[source], own(done, source)
    assert len(tickets) == facts["tickets"]
    keys = {row["ticket_key"] for row in tickets.values()}
    comments = done.rows(select(comment.c.ticket_key).where(comment.c.source_key == source))
    # Freshdesk gives what it holds for spam without its conversation: the acknowledgement is not there.
    untold = len(facts["spam"]) if source == "freshdesk" else 0
    assert sum(row["ticket_key"] in keys for row in comments) == facts["comments"] - untold
    ratings = done.rows(select(satisfaction_rating.c.ticket_key))
    assert sum(row["ticket_key"] in keys for row in ratings) == facts["ratings"]
    assert done.count(quarantine) == 0


@pytest.mark.parametrize("source", HELPDESKS)
def test_ends_of_tickets(done, source):
    facts, tickets = done.facts[source], own(done, source)
    by_key = {row["ticket_key"]: number for number, row in tickets.items()}
    found = {
        by_key[row["ticket_key"]]: by_key[row["other_key"]]
        for row in done.rows(select(ticket_link).where(ticket_link.c.kind == "merged_into"))
        if row["ticket_key"] in by_key
    }
    # Freshdesk's API does not tell merges: there a merged ticket is one that was closed.
    merged = facts["merged"] if source == "zendesk" else {}
    assert found == {number: str(into) for number, into in merged.items()}
    gone = {*map(str, facts["deleted"]), *map(str, facts["spam"]), *merged}
    ends = ("deleted", "spam", "merged")
    assert {number for number, row in tickets.items() if row["status"] in ends} == gone
    expected = Counter(facts["by_status"])
    expected["closed"] -= len(merged)
    statuses = Counter(row["status"] for row in tickets.values())
    for status in ("new", "open", "pending", "on_hold", "solved", "closed"):
        assert statuses[status] == expected[status]


@pytest.mark.parametrize("source", HELPDESKS)
def test_priorities(done, source):
    found = Counter(row["priority"] for row in own(done, source).values())
    assert dict(found) == done.facts[source]["by_priority"]


@pytest.mark.parametrize(("source", "name"), [("info", "mail"), ("archive", "legacy")])
def test_each_planted_thread_is_one_ticket(done, source, name):
    facts = done.facts[name]
    found = thread_keys(done, source, facts)
    assert len(found) == facts["totals"]["tickets"]
    assert {number: len(keys) for number, keys in found.items()} == dict.fromkeys(found, 1)
    assert len({key for keys in found.values() for key in keys}) == len(found)


@pytest.mark.parametrize(("source", "name"), [("info", "mail"), ("archive", "legacy")])
def test_each_mail_is_a_comment_and_each_second_copy_is_known(done, source, name):
    facts = done.facts[name]
    places, comments = mails_by_place(done, source), comments_of_mails(done, source)
    assert len(places) == len(comments) == facts["totals"]["mails"]
    mails = {row["comment_key"]: row["raw_remote_id"] for row in comments.values()}
    # Of two copies of one instant either may lead.
    planted = {
        frozenset((places[mail["place"]], places[facts["mails"][mail["copy_of"]]["place"]]))
        for mail in facts["mails"]
        if mail["kind"] == "copy"
    }
    found = {
        frozenset((row["raw_remote_id"], mails[row["copy_of_key"]]))
        for row in comments.values()
        if row["copy_of_key"] is not None
    }
    assert len(planted) == facts["totals"]["copy"]
    assert found == planted


def test_duplicates_planted_on_two_channels_are_found_and_no_others(done):
    threads = thread_keys(done, "info", done.facts["mail"])
    planted = {
        frozenset(
            (
                own(done, pair["source"])[str(pair["ticket"])]["ticket_key"],
                *threads[pair["mail_thread"]],
            )
        )
        for pair in done.facts["duplicates"]
    }
    links = done.rows(select(ticket_link).where(ticket_link.c.kind == "duplicate_of"))
    found = {frozenset((row["ticket_key"], row["other_key"])) for row in links}
    assert planted
    assert found == planted
    created = {row["ticket_key"]: row["created_at"] for row in done.rows(select(ticket))}
    assert all(created[row["other_key"]] <= created[row["ticket_key"]] for row in links)


def test_a_customer_of_two_channels_is_one_contact(done):
    people = {row["email"] and row["email"].lower() for row in done.rows(select(contact))}
    identities = {
        row["value"]: row["contact_key"]
        for row in done.rows(select(contact_identity).where(contact_identity.c.kind == "email"))
    }
    assert people
    requesters = defaultdict(set)
    statement = select(ticket.c.requester_key, ticket.c.source_key)
    for row in done.rows(statement):
        requesters[row["requester_key"]].add(row["source_key"])
    channels = {"mail": "info"}
    for person in done.facts["people"]["two_channel"]:
        keys = {identities[one.lower()] for one in person["addresses"] if one.lower() in identities}
        plain = {one.lower() for one in person["addresses"] if "+" not in one}
        assert len({identities[one] for one in plain}) == 1, person
        sources = {channels.get(source, source) for source in person["sources"]}
        assert sources <= set().union(*(requesters[key] for key in keys)), person


def test_agents_of_several_systems_are_one_person_each(done):
    rows = done.rows(select(agent))
    emails = Counter(row["email"].lower() for row in rows if row["email"])
    assert max(emails.values()) == 1
    assert {one["email"] for one in done.facts["people"]["agents"]} <= set(emails)


@pytest.mark.parametrize("source", HELPDESKS)
def test_teams_know_their_agents(done, source):
    """As `people.AGENTS` says: each of the three teams has three."""
    rows = done.rows(
        select(team.c.name, agent.c.email)
        .join(team_member, team_member.c.team_key == team.c.team_key)
        .join(agent, agent.c.agent_key == team_member.c.agent_key)
        .where(team.c.source_key == source)
    )
    assert {(row["name"], row["email"]) for row in rows} == {
        (TEAMS[one.team], one.email) for one in AGENTS
    }
    assert len(rows) == len(AGENTS)


@pytest.mark.parametrize("source", HELPDESKS)
def test_articles_of_the_knowledge_base(done, source):
    told = yaml.safe_load(ARTICLES.read_text("utf-8"))
    rows = done.rows(select(article).where(article.c.source_key == source))
    languages = [name for one in told for name in ("en", "de", "tr") if name in one]
    assert Counter(row["language"][:2] for row in rows) == Counter(languages)
    assert {row["title"] for row in rows} == {
        one[name][0] for one in told for name in ("en", "de", "tr") if name in one
    }
    published = [one for one in told if not one.get("draft")]
    assert {row["title"] for row in rows if row["is_published"] and not row["is_translation"]} == {
        one["en"][0] for one in published
    }
    staff = [one["en"][0] for one in told if one.get("audience") == "staff"]
    assert [row["title"] for row in rows if row["visibility"] == "internal"] == staff
    assert {row["visibility"] for row in rows} == {"public", "internal"}


def test_promises_are_judged_as_the_generator_does(sqlite_desk):
    """Without the mailboxes no portal ticket is a mail's duplicate: all of them count.

    Zendesk tells the whole history. Freshdesk tells only how things stand: first replies are there, the times
    spent waiting are not.
    """
    desk = sqlite_desk
    desk.ingest(*HELPDESKS)
    rules = load_rules(desk.runtime.settings, CLIENT, AS_OF.date())
    evaluate_client(desk.engine, CLIENT, rules, AS_OF)
    rows = desk.rows(
        select(sla_clock, ticket.c.source_key, ticket.c.number)
        .join(ticket, ticket.c.ticket_key == sla_clock.c.ticket_key)
        .where(sla_clock.c.metric.in_(("first_reply", "resolution")))
    )

    def judged(source, metrics):
        merged = desk.facts[source]["merged"]
        met, decided = Counter(), Counter()
        for row in rows:
            if row["source_key"] == source and row["number"] not in merged:
                for key in (row["metric"], f"{row['metric']}.{row['priority']}", "all"):
                    decided[key] += row["state"] in ("met", "breached")
                    met[key] += row["state"] == "met"
        return {
            key: (met[key], count)
            for key, count in decided.items()
            if count and key.startswith(metrics)
        }

    def planted(source, metrics):
        facts = desk.facts[f"sla_{source}"]
        return {
            key: (one["met"], one["decided"])
            for key, one in facts.items()
            if key.startswith(metrics)
        }

    every = ("first_reply", "resolution", "all")
    assert judged("zendesk", every) == planted("zendesk", every)
    assert judged("freshdesk", "first_reply") == planted("freshdesk", "first_reply")


def test_the_clocks_of_fresh_tickets(done):
    threads = thread_keys(done, "info", done.facts["mail"])
    clocks = {
        (row["ticket_key"], row["metric"]): row
        for row in done.rows(select(sla_clock).where(sla_clock.c.instance == 1))
    }
    for planted in done.facts["fresh_open"]:
        if planted["source"] == "mail":
            (key,) = threads[planted["number"]]
        else:
            key = own(done, planted["source"])[str(planted["number"])]["ticket_key"]
        for metric in ("first_reply", "resolution"):
            row, expected = clocks[key, metric], planted[metric]
            state = "at_risk" if row["state"] == "running" and row["is_at_risk"] else row["state"]
            assert state == expected["state"], (planted, metric)
            assert row["elapsed_seconds"] == expected["elapsed_seconds"]
            assert row["target_seconds"] == expected["target_seconds"]
            due = row["due_at"] and row["due_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
            if expected["due_at"] is not None:
                assert due == expected["due_at"], (planted, metric)


def test_nothing_that_was_due_before_going_live_was_told_to_anybody(done):
    told = done.rows(select(delivery).where(delivery.c.action == "trigger"))
    timers = {row["timer_key"]: row for row in done.rows(select(timer))}
    assert told
    assert all(timers[row["message_key"]]["due_at"] >= LIVE_FROM for row in told)
    assert {timers[row["message_key"]]["state"] for row in told} == {"fired"}
    old = {
        own(done, one["source"])[str(one["number"])]["ticket_key"]
        for one in done.facts["old_open"]
        if one["source"] in HELPDESKS and one["first_reply"]["state"] == "breached"
    }
    assert old
    pages = {row["ticket_key"] for row in told if row["channel"] == "pagerduty"}
    assert not pages & old
    skipped = done.rows(select(escalation).where(escalation.c.action == "skipped"))
    assert any(row["ticket_key"] in old for row in skipped)


def test_the_silent_critical_ticket_was_paged(done):
    (planted,) = [
        one for one in done.facts["fresh_open"] if "fresh_unanswered_critical" in one["planted"]
    ]
    key = own(done, planted["source"])[str(planted["number"])]["ticket_key"]
    pages = done.rows(
        select(delivery).where(
            delivery.c.ticket_key == key,
            delivery.c.channel == "pagerduty",
            delivery.c.action == "trigger",
        )
    )
    assert {row["state"] for row in pages} == {"delivered"}
    keys = {row["message_key"] for row in pages}
    assert keys
    assert keys <= set(done.received()[0])


def test_hostile_subjects_are_kept_as_they_came(done):
    threads = thread_keys(done, "info", done.facts["mail"])
    by_key = {row["ticket_key"]: row for row in done.rows(select(ticket))}
    for planted in done.facts["hostile"]:
        if planted["source"] == "mail":
            (key,) = threads[planted["number"]]
            found = by_key[key]["subject"]
            assert " ".join(found.split()) == " ".join(planted["subject"].split())
        else:
            found = own(done, planted["source"])[str(planted["number"])]["subject"]
            assert found == planted["subject"]


def test_hostile_texts_are_inert_in_the_workbook(done):
    (path,) = done.folder.root.glob("reports/*.xlsx")
    book = openpyxl.load_workbook(path)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    for cell in cells:
        if cell.data_type == "f":
            assert "evil" not in str(cell.value)
            assert not str(cell.value).startswith(("=cmd", '=HYPERLINK("http://evil'))
        if cell.hyperlink is not None and cell.hyperlink.target:
            assert "evil.example" not in cell.hyperlink.target
    texts = {str(cell.value) for cell in cells if isinstance(cell.value, str)}
    assert len(texts) > 100


def test_what_was_moved_counts_once(done):
    """The old inbox's tickets, pulled again from their new home, are the same tickets."""
    links = done.rows(select(ticket_link).where(ticket_link.c.kind == "migrated_to"))
    moved = {row["ticket_key"]: row["other_key"] for row in links}
    rows = {row["ticket_key"]: row for row in done.rows(select(ticket))}
    assert len(moved) == done.facts["legacy"]["totals"]["tickets"]
    assert {rows[key]["source_key"] for key in moved} == {"archive"}
    assert {rows[key]["source_key"] for key in moved.values()} == {"zendesk"}
    for original, copy in moved.items():
        assert rows[copy]["external_id"].endswith(original)
        assert rows[copy]["created_at"] == rows[original]["created_at"]
    copies = list(moved.values())
    for table in (sla_clock, timer, escalation, delivery):
        assert done.count(table, table.c.ticket_key.in_(copies)) == 0
    assert done.count(sla_clock, sla_clock.c.ticket_key.in_(list(moved))) > 0


def test_raw_records_hold_the_bytes(done):
    rows = done.rows(select(raw_record))
    assert all(hashlib.sha256(row["payload"]).hexdigest() == row["payload_sha256"] for row in rows)
