"""Mailboxes in the warehouse: conversations keep their keys whatever comes late, and nothing is ever lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, select

from connectors.mailbox.mbox import MboxSource
from connectors.warehouse import duplicates, outbox
from connectors.warehouse.bulk import upsert
from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import (
    comment,
    delivery,
    entity_alias,
    quarantine,
    sla_clock,
    ticket,
    ticket_link,
    timer,
)
from pipelines import normalise_mail
from pipelines.demo.folder import CLIENT
from pipelines.escalate import Destination, escalate_client
from pipelines.measure import evaluate_client
from pipelines.normalise_mail import MailTransform, normalise_mailbox
from pipelines.rules import Rules, load_rules
from pipelines.settings import load_settings
from pipelines.sync import sync_source
from transforms.mail import MailboxPolicy
from transforms.threads import ThreadPolicy

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
OWN = frozenset({"help@shop.example"})
TRANSFORM = MailTransform(MailboxPolicy(own_addresses=OWN), ThreadPolicy(own_addresses=OWN))
NOW = START + timedelta(days=1)


def mail(
    name: str,
    minutes: int,
    subject: str,
    *,
    references: str = "",
    sender: str = "Ada <ada@buyer.example>",
    to: str = "help@shop.example",
    body: str = "It does not work.",
) -> bytes:
    """An mbox entry: `name` is its Message-ID's left part."""
    at = START + timedelta(minutes=minutes)
    lines = [
        f"From sender {at:%a %b %d %H:%M:%S %Y}",
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Date: {format_datetime(at)}",
        f"Message-ID: <{name}@buyer.example>",
    ]
    if references:
        ids = " ".join(f"<{one}@buyer.example>" for one in references.split())
        lines.append(f"References: {ids}")
    return "\n".join([*lines, "", f"{body} ({name})", "", ""]).encode()


class Box:
    """An mbox file and a warehouse that follows it."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.path = path
        self.path.write_bytes(b"")

    def add(self, *entries: bytes) -> None:
        """New mails at the file's end."""
        with self.path.open("ab") as file:
            file.write(b"".join(entries))

    def take_in(self, now: datetime = NOW) -> None:
        """Sync and normalise."""
        self.pull(now)
        normalise_mailbox(self.engine, CLIENT, "box", TRANSFORM, lambda: now)

    def pull(self, now: datetime = NOW) -> None:
        """Sync alone."""
        sync_source(self.engine, CLIENT, "box", MboxSource(str(self.path)), lambda: now)

    def rows(self, statement) -> list[SimpleNamespace]:
        """What a query gives."""
        with reading(self.engine) as connection:
            return [SimpleNamespace(**row._mapping) for row in connection.execute(statement)]

    def conversations(self) -> dict[str, list[str]]:
        """Ticket key → its mails by name, in order."""
        found: dict[str, list[str]] = {row.ticket_key: [] for row in self.rows(select(ticket))}
        statement = select(comment).order_by(comment.c.ticket_key, comment.c.position)
        for row in self.rows(statement):
            found[row.ticket_key].append(row.message_id.strip("<").partition("@")[0])
        return found

    def key_of(self, name: str) -> str:
        """The key of the ticket that a mail is in."""
        return next(key for key, names in self.conversations().items() if name in names)

    def checksums(self) -> dict[str, tuple[int, str]]:
        """Of every table."""
        with reading(self.engine) as connection:
            return warehouse_checksums(connection)


@pytest.fixture
def box(engine, tmp_path) -> Box:
    """An empty mailbox on each database."""
    return Box(engine, tmp_path / "box.mbox")


@pytest.fixture
def sqlite_box(sqlite_engine, tmp_path) -> Box:
    """An empty mailbox on SQLite."""
    return Box(sqlite_engine, tmp_path / "box.mbox")


def rules_of(folder: Path) -> Rules:
    """The shipped promises and ladder, for a client with one mailbox."""
    config = folder / "deskbridge.yaml"
    source = "{id: box, type: mbox, path: box.mbox}"
    config.write_text(f"clients: {{{CLIENT}: {{time_zone: Etc/UTC, sources: [{source}]}}}}")
    return load_rules(load_settings(config), CLIENT, NOW.date())


def two_threads_and_what_joins_them() -> tuple[list[bytes], bytes]:
    """`second` refers to a mail that is not there yet; `middle` is that mail and refers to `first`."""
    apart = [
        mail("first", 0, "Where is my order?"),
        mail("second", 90, "Something else entirely", references="middle"),
    ]
    return apart, mail("middle", 60, "Re: Where is my order?", references="first")


def test_a_late_mail_that_joins_two_threads_keeps_the_older_key(box):
    apart, middle = two_threads_and_what_joins_them()
    box.add(*apart)
    box.take_in()
    older, younger = box.key_of("first"), box.key_of("second")
    assert older != younger
    with writing(box.engine) as connection:
        duplicates.write_duplicates(
            connection, CLIENT, ["ticket-portal"], {"ticket-portal": (younger, "the same")}
        )

    box.add(middle)
    box.take_in()

    assert box.conversations() == {older: ["first", "middle", "second"]}
    stands_for = {row.entity_key for row in box.rows(select(entity_alias)) if row.kind == "ticket"}
    assert stands_for == {older}
    (link,) = box.rows(select(ticket_link))
    assert (link.ticket_key, link.other_key) == ("ticket-portal", older)
    sums = box.checksums()
    box.take_in()
    assert box.checksums() == sums


def test_a_thread_that_grows_an_older_root_keeps_its_key(box):
    box.add(mail("answer", 30, "Re: Broken lamp", references="root"))
    box.take_in()
    key = box.key_of("answer")

    box.add(mail("before", 5, "Broken lamp", references=""), mail("root", 10, "Broken lamp"))
    box.add(mail("joining", 20, "Re: Broken lamp", references="before root"))
    box.take_in()

    assert box.conversations() == {key: ["before", "root", "joining", "answer"]}


def test_what_parts_from_a_living_thread_gets_a_key_of_its_own(box):
    """A mail that only its subject joined goes over to a later conversation of the same subject."""
    box.add(
        mail("one", 0, "The till prints nothing"),
        mail("about-one", 500, "Re: The till prints nothing"),
    )
    box.take_in()
    key = box.key_of("one")
    assert box.key_of("about-one") == key

    box.add(mail("two", 400, "The till prints nothing"))
    box.take_in()

    found = box.conversations()
    assert found.pop(key) == ["one"]
    ((other, names),) = found.items()
    assert names == ["two", "about-one"]
    known = {row.remote_id: row.entity_key for row in box.rows(select(entity_alias))}
    tickets = {row.remote_id: row.ticket_key for row in box.rows(select(ticket))}
    assert sorted(tickets.values()) == sorted([key, other])
    assert tickets.items() <= known.items()


def test_a_mail_that_is_withdrawn_leaves(box):
    """A writer at work: the last mail is cut before its headers end, and whole the next time."""
    whole = mail("reply", 40, "Re: Where is my order?", references="first")
    cut = whole[: whole.index(b"References:")]
    box.add(mail("first", 0, "Where is my order?", sender="Bob <bob@buyer.example>"), cut)
    box.take_in()
    assert len(box.conversations()) == 2

    box.add(whole[len(cut) :])
    box.take_in()

    assert list(box.conversations().values()) == [["first", "reply"]]
    reasons = [row.reason for row in box.rows(select(quarantine))]
    assert reasons == []


SCENES: dict[str, Callable[[], tuple[list[bytes], list[bytes]]]] = {
    "joined": lambda: (
        two_threads_and_what_joins_them()[0],
        [two_threads_and_what_joins_them()[1]],
    ),
    "parted": lambda: (
        [
            mail("one", 0, "The till prints nothing"),
            mail("about-one", 500, "Re: The till prints nothing"),
        ],
        [mail("two", 400, "The till prints nothing")],
    ),
    "grown": lambda: (
        [mail("answer", 30, "Re: Broken lamp", references="root")],
        [
            mail("before", 5, "Broken lamp"),
            mail("root", 10, "Broken lamp", references="before"),
        ],
    ),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("kill_at", (1, 2, 3))
def test_killed_between_moving_mails_nothing_is_lost(
    sqlite_box, new_engine, tmp_path, monkeypatch, scene, kill_at
):
    """One conversation a batch, so that a kill falls between the two that mails move between."""
    monkeypatch.setattr("pipelines.normalise_mail.TICKETS_PER_BATCH", 1)
    before, late = SCENES[scene]()
    calm = Box(new_engine(), tmp_path / "calm.mbox")
    for box in (calm, sqlite_box):
        box.add(*before)
        box.take_in()
        box.add(*late)
    calm.take_in()
    sqlite_box.pull()
    engine, left, original = sqlite_box.engine, [kill_at], sqlite_box.engine.begin

    class _KilledError(Exception):
        pass

    def begin():
        left[0] -= 1
        if left[0] == 0:
            raise _KilledError
        return original()

    monkeypatch.setattr(engine, "begin", begin)
    with pytest.raises(_KilledError):
        normalise_mailbox(engine, CLIENT, "box", TRANSFORM, lambda: NOW)
    sqlite_box.take_in()

    assert sqlite_box.conversations() == calm.conversations()
    derived = ("ticket", "comment", "ticket_change", "entity_alias", "contact")
    found, expected = sqlite_box.checksums(), calm.checksums()
    assert {name: found[name] for name in derived} == {name: expected[name] for name in derived}


def test_a_renumbered_folder_changes_nothing(desk):
    desk.ingest("info")
    sums, tickets = desk.checksums(), desk.rows(select(ticket).order_by(ticket.c.ticket_key))
    for name in ("INBOX", "Sent"):
        desk.servers["imap"].store.folder(name).renumber()

    report = desk.ingest("info")

    (outcome,) = report.sources
    assert outcome.sync.total("seen") > 90
    assert outcome.sync.total("stored") == 0
    assert desk.checksums() == sums
    assert desk.rows(select(ticket).order_by(ticket.c.ticket_key)) == tickets


def test_silence_solves_a_ticket_and_its_clocks_stop(box, tmp_path):
    """No mail comes; only time passes."""
    rules = rules_of(tmp_path)
    agent = "Help <help@shop.example>"
    box.add(
        mail("question", 0, "Where is my order?"),
        mail(
            "answer",
            30,
            "Re: Where is my order?",
            references="question",
            sender=agent,
            to="ada@buyer.example",
        ),
    )
    box.take_in()
    evaluate_client(box.engine, CLIENT, rules, NOW)
    (row,) = box.rows(select(ticket))
    assert (row.status, row.solved_at) == ("pending", None)

    later = NOW + timedelta(days=8)
    box.take_in(later)
    evaluate_client(box.engine, CLIENT, rules, later)

    answered = START + timedelta(minutes=30)
    (row,) = box.rows(select(ticket))
    assert (row.status, row.solved_at) == ("solved", answered)
    (clock,) = box.rows(select(sla_clock).where(sla_clock.c.metric == "resolution"))
    assert (clock.state, clock.stopped_at) == ("met", answered)
    sums = box.checksums()
    box.take_in(later)
    assert box.checksums() == sums


def test_what_was_to_be_told_of_a_joined_conversation_is_called_off(box, tmp_path):
    rules = rules_of(tmp_path)
    apart, middle = two_threads_and_what_joins_them()
    box.add(*apart)
    box.take_in()
    younger = box.key_of("second")
    soon = START + timedelta(hours=3)

    def tick(as_of):
        evaluate_client(box.engine, CLIENT, rules, as_of)
        pager = [Destination("pagerduty", "desk", wakes=True)]
        escalate_client(box.engine, CLIENT, CLIENT, rules, pager, START, as_of)

    tick(soon)
    pending = [row for row in box.rows(select(timer)) if row.ticket_key == younger]
    assert {row.state for row in pending} == {"pending"}
    told = [row.timer_key for row in pending][:1]
    with writing(box.engine) as connection:
        # As if its first step had paged: by the shipped ladder a mail without priority wakes nobody.
        page = f"v1:{CLIENT}:{younger}:1:l2"
        at = soon - timedelta(minutes=5)
        row = {**vars(pending[0]), "timer_key": page, "step": "l2", "state": "fired", "due_at": at}
        upsert(connection, timer, [{**row, "decided_at": at}])
        sent = outbox.NewDelivery(CLIENT, "pagerduty", "desk", page, "trigger", {}, at, younger)
        outbox.enqueue(connection, [sent])

    box.add(middle)
    box.take_in()
    tick(soon + timedelta(minutes=1))

    rows = {
        row.timer_key: row.state for row in box.rows(select(timer)) if row.ticket_key == younger
    }
    assert {rows[key] for key in told} == {"cancelled"}
    assert rows[page] == "fired"
    actions = [row.action for row in box.rows(select(delivery)) if row.message_key == page]
    assert sorted(actions) == ["resolve", "trigger"]


def test_two_runs_at_once_leave_no_ticket_without_mails(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has found its work when the second gets the mail that joins both conversations."""
    apart, joining = two_threads_and_what_joins_them()
    box.add(*apart)
    box.pull()
    found = normalise_mail._find_work

    def overtaken(*arguments: object, **options: object) -> object:
        work = found(*arguments, **options)
        monkeypatch.setattr(normalise_mail, "_find_work", found)
        box.add(joining)
        box.take_in()
        return work

    monkeypatch.setattr(normalise_mail, "_find_work", overtaken)
    normalise_mailbox(box.engine, CLIENT, "box", TRANSFORM, lambda: NOW)
    assert sorted(map(sorted, box.conversations().values())) == [["first", "middle", "second"]]
    box.take_in()
    assert sorted(map(sorted, box.conversations().values())) == [["first", "middle", "second"]]
