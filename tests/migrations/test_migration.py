"""An old inbox moved into Zendesk over HTTP: killed, refused, late, tampered with; and its sums."""

from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from connectors.errors import ConnectorError
from connectors.warehouse.tables import (
    audit_entry,
    comment,
    migration_item,
    migration_run,
    raw_record,
    ticket,
    ticket_link,
)
from migrations.plan import DECISIONS, make_plan
from migrations.rules import ExclusionRule
from pipelines.demo.folder import AS_OF, CLIENT
from pipelines.migrate import (
    migrate_client,
    move_migration,
    plan_migration,
    reconcile_migration,
    verify_migration,
)

ID = "old-inbox"
NEWSLETTER = "newsletter@trade-weekly.example"
LEGACY = "support@acme.example"


def items(desk, kind):
    """Ledger lines of a kind by the source's id."""
    rows = desk.rows(select(migration_item).where(migration_item.c.kind == kind))
    return {row["remote_id"]: row for row in rows}


def imported(desk):
    """External id → how many tickets of the target carry it."""
    return Counter(row["external_id"] for row in desk.servers["zendesk"].imported)


def planned_ids(desk):
    """External ids of what is to be in the target."""
    return {
        row["external_id"] for row in items(desk, "ticket").values() if row["decision"] == "moved"
    }


def add_mail(desk, *, sender, subject, at, body="And another thing.", headers=()):
    """Appends a mail to the old inbox and takes it in."""
    lines = [
        f"From x {at:%a %b %d %H:%M:%S %Y}",
        f"From: {sender}",
        "To: old@acme.example",
        f"Subject: {subject}",
        f"Date: {format_datetime(at)}",
        *headers,
    ]
    path = desk.folder.world / "legacy" / "archive.mbox"
    with path.open("ab") as file:
        file.write("\n".join([*lines, "", body, "", ""]).encode())
    desk.ingest("archive")


def newest_mail(desk):
    """Remote id of the mail that came last."""
    rows = desk.rows(
        select(raw_record.c.remote_id)
        .where(raw_record.c.source_key == "archive")
        .order_by(raw_record.c.raw_id.desc())
        .limit(1)
    )
    return rows[0]["remote_id"]


def sums(desk):
    """What the ledger and its run say, without when."""
    found = desk.checksums()
    return {name: found[name] for name in ("migration_item", "migration_run", "ticket_link")}


@pytest.fixture
def inbox(desk):
    """A desk on each database that has taken in the old inbox alone."""
    desk.ingest("archive")
    return desk


@pytest.fixture
def sqlite_inbox(sqlite_desk):
    """The same on SQLite."""
    sqlite_desk.ingest("archive")
    return sqlite_desk


def test_the_ledger_agrees_with_what_the_generator_knows(inbox):
    facts = inbox.facts["legacy"]
    result = migrate_client(inbox.runtime, CLIENT, ID)

    assert result.faults == []
    assert result.closes
    kinds = facts["totals"]
    assert result.source_mails == kinds["mails"]
    assert result.mails["excluded"] == kinds["excluded"]
    assert result.mails["held"] == kinds["held"]
    assert result.mails["merged"] == kinds["copy"]
    assert sum(result.mails.values()) == kinds["mails"]
    assert result.tickets["moved"] == kinds["tickets"]
    assert result.tickets_in_target == result.tickets_verified == kinds["tickets"]
    assert set(imported(inbox).values()) == {1}
    assert set(imported(inbox)) == planned_ids(inbox)
    assert inbox.servers["zendesk"].notifications == []
    (entry,) = inbox.rows(select(audit_entry))
    assert entry["action"] == "migration closed"


def test_planning_twice_and_migrating_twice_change_nothing(inbox):
    first = plan_migration(inbox.runtime, CLIENT, ID)
    before = sums(inbox)
    assert plan_migration(inbox.runtime, CLIENT, ID) == first
    assert sums(inbox) == before
    assert imported(inbox) == {}

    migrate_client(inbox.runtime, CLIENT, ID)
    before, there = inbox.checksums(), imported(inbox)
    migrate_client(inbox.runtime, CLIENT, ID)
    assert inbox.checksums() == before
    assert imported(inbox) == there
    assert inbox.count(audit_entry) == 1


def test_a_lost_answer_makes_no_ticket_twice(inbox):
    """The target creates the tickets, and its answer never comes."""
    plan_migration(inbox.runtime, CLIENT, ID)
    inbox.servers["zendesk"].faults.add("import_tickets", "drop_reply")
    with pytest.raises(ConnectorError):
        move_migration(inbox.runtime, CLIENT, ID)
    states = Counter(row["state"] for row in items(inbox, "ticket").values())
    assert states["sending"] == len(planned_ids(inbox))

    result = migrate_client(inbox.runtime, CLIENT, ID)

    assert result.closes
    assert set(imported(inbox).values()) == {1}
    assert set(imported(inbox)) == planned_ids(inbox)


class _KilledError(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(engine, number, *, is_after):
    """Kills at the `number`-th write, before or right after its commit."""
    left, original = [number], engine.begin

    @contextmanager
    def begin():
        with original() as connection:
            yield connection
            left[0] -= 1
            if left[0] == 0 and not is_after:
                raise _KilledError
        if left[0] == 0:
            raise _KilledError

    engine.begin = begin
    try:
        yield
    finally:
        del engine.begin


@pytest.mark.parametrize("is_after", [False, True])
def test_killed_at_every_write_each_ticket_arrives_once(desk, monkeypatch, is_after):
    monkeypatch.setattr("migrations.move.TICKETS_PER_CALL", 5)
    monkeypatch.setattr("migrations.verify.TICKETS_PER_TRANSACTION", 5)
    desk.ingest("archive")
    for number in range(1, 40):
        try:
            with killed_at(desk.engine, number, is_after=is_after):
                result = migrate_client(desk.runtime, CLIENT, ID)
            break
        except _KilledError:
            continue
    assert number >= 6
    assert result.faults == []
    assert set(imported(desk).values()) == {1}
    assert set(imported(desk)) == planned_ids(desk)
    assert desk.count(audit_entry) == 1
    (run,) = desk.rows(select(migration_run))
    assert run["state"] == "closed"


def test_a_ticket_that_the_target_refuses_is_held_with_its_reason(inbox):
    """Zendesk takes no comment from the future; the others arrive."""
    late = AS_OF + timedelta(days=1)
    add_mail(inbox, sender="Zoe <zoe@buyer.example>", subject="From tomorrow", at=late)
    mail = newest_mail(inbox)

    result = migrate_client(inbox.runtime, CLIENT, ID)

    assert result.closes
    row = items(inbox, "mail")[mail]
    assert (row["decision"], row["state"]) == ("held", "done")
    assert row["reason"].startswith("the target refused it: ")
    assert "future" in row["reason"]
    assert result.mails["held"] == inbox.facts["legacy"]["totals"]["held"] + 1
    assert sum(result.mails.values()) == result.source_mails
    key = row["ticket_key"]
    assert inbox.count(ticket_link, ticket_link.c.ticket_key == key) == 0
    # A later mail to it is held as well, and the ledger still closes.
    add_mail(
        inbox,
        sender="Zoe <zoe@buyer.example>",
        subject="Re: From tomorrow",
        at=late + timedelta(hours=1),
    )
    again = migrate_client(inbox.runtime, CLIENT, ID)
    assert again.faults == []
    assert items(inbox, "mail")[newest_mail(inbox)]["decision"] == "held"


def test_a_mail_that_comes_after_the_move_is_held(inbox):
    migrate_client(inbox.runtime, CLIENT, ID)
    first = inbox.facts["legacy"]["tickets"][0]
    add_mail(
        inbox,
        sender="Ada <ada@buyer.example>",
        subject="Re: whatever",
        at=datetime(2025, 12, 1, 9, tzinfo=UTC),
        headers=[f"References: {first['first_message_id']}"],
    )

    result = migrate_client(inbox.runtime, CLIENT, ID)

    assert result.faults == []
    row = items(inbox, "mail")[newest_mail(inbox)]
    assert row["decision"] == "held"
    assert row["reason"].startswith("came after its conversation was moved")
    assert sum(result.mails.values()) == result.source_mails
    assert set(imported(inbox).values()) == {1}


def test_an_excluded_mail_that_was_answered_moves_with_its_answer(inbox):
    plan_migration(inbox.runtime, CLIENT, ID)
    rows = items(inbox, "mail")
    excluded = [key for key, row in rows.items() if row["reason"] == "rule newsletters"]
    assert excluded
    (told,) = inbox.rows(select(comment).where(comment.c.raw_remote_id == excluded[0]))
    add_mail(
        inbox,
        sender="agent <elif.sahin@acme.example>",
        subject=f"Re: {told['subject']}",
        at=told["created_at"] + timedelta(hours=2),
        headers=[f"In-Reply-To: {told['message_id']}"],
    )

    result = migrate_client(inbox.runtime, CLIENT, ID)

    assert result.faults == []
    now = items(inbox, "mail")
    assert now[excluded[0]]["decision"] == "moved"
    assert now[newest_mail(inbox)]["decision"] == "moved"
    assert result.mails["excluded"] == inbox.facts["legacy"]["totals"]["excluded"] - 1


def test_conversations_that_are_joined_between_plan_and_move_move_as_one(inbox):
    plan_migration(inbox.runtime, CLIENT, ID)
    one, two = inbox.facts["legacy"]["tickets"][:2]
    add_mail(
        inbox,
        sender="Ada <ada@buyer.example>",
        subject="Both of these",
        at=datetime(2025, 12, 1, 9, tzinfo=UTC),
        headers=[f"References: {one['first_message_id']} {two['first_message_id']}"],
    )

    result = migrate_client(inbox.runtime, CLIENT, ID)

    assert result.faults == []
    assert result.tickets["moved"] == inbox.facts["legacy"]["totals"]["tickets"] - 1
    assert set(imported(inbox).values()) == {1}
    assert sum(result.mails.values()) == result.source_mails


def test_conversations_that_are_joined_before_the_read_back_leave_the_run_open(inbox):
    plan_migration(inbox.runtime, CLIENT, ID)
    move_migration(inbox.runtime, CLIENT, ID)
    one, two = inbox.facts["legacy"]["tickets"][:2]
    add_mail(
        inbox,
        sender="Ada <ada@buyer.example>",
        subject="Both of these",
        at=datetime(2025, 12, 1, 9, tzinfo=UTC),
        headers=[f"References: {one['first_message_id']} {two['first_message_id']}"],
    )

    plan_migration(inbox.runtime, CLIENT, ID)
    verify_migration(inbox.runtime, CLIENT, ID)
    result = reconcile_migration(inbox.runtime, CLIENT, ID)
    assert not result.closes
    assert len(result.faults) == 1
    assert "joined to another" in " ".join(result.faults)
    assert sum(result.mails.values()) == result.source_mails


def tamper_text(comments):
    comments[0]["body"] = "Somebody was here."
    comments[0]["html_body"] = "<p>Somebody was here.</p>"
    comments[0]["plain_body"] = "Somebody was here."


def tamper_time(comments):
    comments[0]["created_at"] = "2001-02-03T04:05:06Z"


def tamper_privacy(comments):
    comments[0]["public"] = not comments[0]["public"]


def tamper_count(comments):
    del comments[-1]


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (tamper_text, "comment 1: text differs"),
        (tamper_time, "comment 1: time differs"),
        (tamper_privacy, "comment 1: public became private or the other way round"),
        (tamper_count, "comments"),
    ],
)
def test_the_read_back_finds_what_is_not_as_it_was_sent(sqlite_inbox, tamper, words):
    desk = sqlite_inbox
    plan_migration(desk.runtime, CLIENT, ID)
    move_migration(desk.runtime, CLIENT, ID)
    zendesk = desk.servers["zendesk"]
    moved = zendesk.imported[0]
    with zendesk.lock:
        tamper(zendesk.state.comments[moved["id"]])

    assert verify_migration(desk.runtime, CLIENT, ID) == 1
    result = reconcile_migration(desk.runtime, CLIENT, ID)

    assert not result.closes
    (fault,) = result.faults
    assert f"target {moved['id']}" in fault
    assert words in fault
    (run,) = desk.rows(select(migration_run))
    assert run["state"] == "open"
    assert desk.count(audit_entry) == 0


def test_the_read_back_finds_a_changed_file(sqlite_inbox):
    desk = sqlite_inbox
    plan_migration(desk.runtime, CLIENT, ID)
    move_migration(desk.runtime, CLIENT, ID)
    zendesk = desk.servers["zendesk"]
    with zendesk.lock:
        number, attachment = next(
            (ticket_id, file)
            for ticket_id, comments in zendesk.state.comments.items()
            for one in comments
            for file in one.get("attachments") or ()
            if file.get("sha256") and ticket_id in {row["id"] for row in zendesk.imported}
        )
        changed = zendesk.state.keep_content(b"something else")
        attachment["sha256"] = changed
        zendesk.state.attachments[attachment["id"]]["sha256"] = changed

    assert verify_migration(desk.runtime, CLIENT, ID) == 1
    (fault,) = reconcile_migration(desk.runtime, CLIENT, ID).faults
    assert f"target {number}" in fault
    assert "1 attachments missing or changed" in fault


def test_a_ticket_that_vanished_from_the_target_keeps_the_run_open(sqlite_inbox):
    desk = sqlite_inbox
    plan_migration(desk.runtime, CLIENT, ID)
    move_migration(desk.runtime, CLIENT, ID)
    zendesk = desk.servers["zendesk"]
    with zendesk.lock:
        zendesk.scrub(zendesk.imported[0]["id"])
    verify_migration(desk.runtime, CLIENT, ID)
    result = reconcile_migration(desk.runtime, CLIENT, ID)
    assert not result.closes
    assert desk.rows(select(migration_run))[0]["state"] == "open"


def test_reconciling_before_anything_was_done_says_what_to_do(sqlite_inbox):
    result = reconcile_migration(sqlite_inbox.runtime, CLIENT, ID)
    assert not result.closes
    assert "plan again" in " ".join(result.faults)


WORDS = ("offers", "wo", "rechnung", "fatura", "re:", "trade")
RULES = st.lists(
    st.builds(
        ExclusionRule,
        name=st.sampled_from(["one", "two"]),
        senders=st.lists(
            st.sampled_from([NEWSLETTER, "@freemail.example", "@acme.example", "@eposta.example"]),
            max_size=2,
        ).map(tuple),
        subject_words=st.lists(st.sampled_from(WORDS), max_size=2).map(tuple),
        automatic=st.sampled_from([None, True, False]),
    ),
    max_size=3,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rules=RULES)
def test_whatever_the_rules_each_mail_has_one_decision_and_the_sums_close(sqlite_inbox, rules):
    """Nothing was sent yet, so each plan decides anew."""
    desk = sqlite_inbox
    plan = make_plan(desk.engine, CLIENT, "archive", "zendesk", rules, AS_OF)

    mails, tickets = items(desk, "mail"), items(desk, "ticket")
    assert sum(plan.mails.values()) == len(mails) == desk.facts["legacy"]["totals"]["mails"]
    assert {row["decision"] for row in (*mails.values(), *tickets.values())} <= set(DECISIONS)
    assert all(row["reason"] for row in mails.values() if row["decision"] != "moved")
    keys = {row["ticket_key"] for row in mails.values() if row["ticket_key"]}
    assert set(tickets) == keys == {row["ticket_key"] for row in desk.rows(select(ticket))}
    for key, row in tickets.items():
        own = {mail["decision"] for mail in mails.values() if mail["ticket_key"] == key}
        assert (row["decision"] == "moved") == ("moved" in own)
        assert (row["state"] == "planned") == (row["decision"] == "moved")
    alone = Counter(row["ticket_key"] for row in mails.values() if row["decision"] != "merged")
    assert all(
        alone[row["ticket_key"]] == 1 for row in mails.values() if row["decision"] == "excluded"
    )
