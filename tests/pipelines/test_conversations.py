"""A conversation of the old inbox and the new helpdesk's ticket are linked in the warehouse, whatever came first."""

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from connectors.mailbox.mbox import MboxSource
from connectors.warehouse import history
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import comment, ticket, ticket_link
from pipelines.conversations import decide_conversation, doubtful_conversations
from pipelines.demo.folder import CLIENT
from pipelines.duplicates import link_duplicates
from pipelines.normalise import write_batch
from pipelines.normalise_mail import normalise_mailbox
from pipelines.people import PeopleLoader
from pipelines.same_people import match_people
from pipelines.sync import sync_source
from pipelines.threads import decide_thread
from tests.pipelines.test_mailbox import NOW, OWN, START, TRANSFORM, Box, mail
from transforms.model import Batch, SourceComment, SourcePerson, SourceTicket
from transforms.rows import Origin

HOST = "acme.zendesk.com"
DESK = "zendesk"


def is_own(address: str) -> bool:
    return address in OWN


def helpdesk_ticket(
    number: str, minutes: int, requester: str, subject: str, message_id: str | None = None
) -> tuple[SourcePerson, SourceTicket, SourceComment]:
    at = START + timedelta(minutes=minutes)
    made = SourceTicket(
        *(number, subject, "open", "open", None, None, at, at),
        number=number,
        requester_remote_id=f"user-{requester}",
        url=f"https://{HOST}/agent/tickets/{number}",
        references=(f"1G7EOR-{number}AB",) if number == "12" else (),
    )
    first = SourceComment(
        *(f"c{number}", number, at, "customer", True, f"Text of {number}: {subject}"),
        author_remote_id=f"user-{requester}",
        message_id=message_id,
    )
    return SourcePerson(f"user-{requester}", False, requester, (requester,)), made, first


TICKETS = [
    helpdesk_ticket("11", 5, "ada@buyer.example", "Lamp in the entrance"),
    helpdesk_ticket("12", 50, "bob@other.example", "Chair with three legs"),
    helpdesk_ticket("13", 60, "cy@third.example", "Table wobbles", "<cy1@buyer.example>"),
    helpdesk_ticket("14", 70, "dan@fourth.example", "Carpet too short"),
]

MAILS = [
    mail("ada1", 0, "my lamp is dark"),
    mail("ada2", 30, "Re: my lamp is dark [#11]", references="ada1"),
    mail(
        "bob1",
        200,
        "Chair",
        sender="bob@other.example",
        to=f"support+id1G7EOR-12AB@{HOST}, help@shop.example",
    ),
    mail("cy2", 300, "and now?", sender="Cy <cy@third.example>", references="cy1"),
    mail("eve1", 310, "what about [#14]", sender="Eve <eve@stranger.example>"),
    mail("ticket", 320, "My ticket 14 for the zoo", sender="Zoe <zoe@stranger.example>"),
]

LINKS = {("ada1", "11"), ("bob1", "12"), ("cy2", "13")}
COUNTED = {"ada1", "12", "13", "14", "eve1", "ticket"}


class Desk:
    """A mailbox and a helpdesk of one client in one warehouse."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.box = Box(engine, path)
        self.engine = engine

    def mails(self, entries: Sequence[bytes]) -> None:
        """New mails, taken in and linked."""
        self.box.add(*entries)
        sync_source(self.engine, CLIENT, "box", MboxSource(str(self.box.path)), lambda: NOW)
        normalise_mailbox(self.engine, CLIENT, "box", TRANSFORM, lambda: NOW)
        self.link()

    def tickets(self, records: Sequence[tuple[SourcePerson, SourceTicket, SourceComment]]) -> None:
        """Tickets as the helpdesk gives them, taken in and linked."""
        batch = Batch(
            people=[person for person, _, _ in records],
            tickets=[made for _, made, _ in records],
            comments=[first for _, _, first in records],
        )
        origin = Origin(CLIENT, DESK, "test-1", NOW)
        with writing(self.engine) as connection:
            write_batch(connection, batch, {}, origin, PeopleLoader(CLIENT, DESK))
        self.link()

    def link(self) -> int:
        """Matches people and links."""
        match_people(self.engine, CLIENT, NOW)
        return link_duplicates(self.engine, CLIENT, is_own)

    def named(self, kind: str = "same_conversation") -> dict[tuple[str, str], str]:
        """(name, name) → reason of the links of a kind; a conversation is named by its first mail."""
        names = self.names()
        rows = self.box.rows(select(ticket_link).where(ticket_link.c.kind == kind))
        return {(names[row.ticket_key], names[row.other_key]): row.reason for row in rows}

    def names(self) -> dict[str, str]:
        """Key → the ticket's number, or the name of the conversation's first mail."""
        rows = self.box.rows(select(ticket))
        names = {row.ticket_key: row.number for row in rows if row.source_key == DESK}
        statement = select(comment).where(comment.c.source_key == "box")
        for row in self.box.rows(statement.order_by(comment.c.created_at)):
            names.setdefault(row.ticket_key, row.message_id.strip("<").partition("@")[0])
        return names

    def counted(self) -> set[str]:
        """Names of all tickets that count."""
        with reading(self.engine) as connection:
            keys = history.all_ticket_keys(connection, CLIENT)
        names = self.names()
        return {names[key] for key in keys}

    def doubts(self) -> dict[str, str]:
        """Subject → the ticket that it may be."""
        rows = doubtful_conversations(self.engine, CLIENT, is_own, 20)
        return {row["subject"]: row["other_number"] for row in rows}

    def mail_id(self, name: str) -> str:
        """The id of a mail within its source."""
        found = self.box.rows(
            select(comment).where(
                comment.c.message_id == f"<{name}@buyer.example>", comment.c.source_key == "box"
            )
        )
        return str(found[0].remote_id)


def test_each_is_linked_with_a_reason_and_counts_once(engine: Engine, tmp_path: Path) -> None:
    desk = Desk(engine, tmp_path / "box.mbox")
    desk.tickets(TICKETS)
    desk.mails(MAILS)
    assert desk.named() == {
        ("ada1", "11"): "names ticket 11 of zendesk (its requester)",
        ("bob1", "12"): "goes to the reply address of ticket 12 of zendesk (its requester)",
        ("cy2", "13"): "answers a mail of ticket 13 of zendesk (its requester)",
    }
    assert set(desk.named("duplicate_of")) == {("11", "ada1"), ("bob1", "12"), ("cy2", "13")}
    assert desk.counted() == COUNTED
    assert desk.doubts() == {"what about [#14]": "zendesk/14"}
    assert desk.link() == 0


@pytest.mark.parametrize("seed", range(8))
def test_any_order_and_any_batches_give_the_same_links(
    sqlite_engine: Engine, tmp_path: Path, seed: int
) -> None:
    desk = Desk(sqlite_engine, tmp_path / "box.mbox")
    chance = random.Random(seed)
    steps = [("mail", one) for one in MAILS] + [("ticket", one) for one in TICKETS]
    chance.shuffle(steps)
    while steps:
        size = chance.randint(1, 4)
        some, steps = steps[:size], steps[size:]
        mails = [one for kind, one in some if kind == "mail"]
        tickets = [one for kind, one in some if kind == "ticket"]
        if mails:
            desk.mails(mails)
        if tickets:
            desk.tickets(tickets)
    assert set(desk.named()) == LINKS
    assert set(desk.named("duplicate_of")) == {("11", "ada1"), ("bob1", "12"), ("cy2", "13")}
    assert desk.counted() == COUNTED
    assert desk.doubts() == {"what about [#14]": "zendesk/14"}


def test_people_win_and_can_take_it_back(sqlite_engine: Engine, tmp_path: Path) -> None:
    desk = Desk(sqlite_engine, tmp_path / "box.mbox")
    desk.mails(MAILS)
    desk.tickets(TICKETS)

    def decide(name: str, number: str, kind: str) -> None:
        pair = (("box", desk.mail_id(name)), (DESK, number))
        decide_conversation(sqlite_engine, CLIENT, *pair, kind, lambda: NOW, "kim")
        desk.link()

    decide("eve1", "14", "with")
    assert desk.named()["eve1", "14"] == "joined by a person"
    assert desk.counted() == COUNTED - {"eve1"}
    assert desk.doubts() == {}
    decide("ada2", "11", "apart")
    assert set(desk.named()) == LINKS - {("ada1", "11")} | {("eve1", "14")}
    assert "11" in desk.counted()
    desk.tickets(TICKETS)
    assert ("ada1", "11") not in desk.named()
    decide("eve1", "14", "evidence")
    decide("ada2", "11", "evidence")
    assert set(desk.named()) == LINKS
    assert desk.counted() == COUNTED
    decide_thread(
        *(sqlite_engine, CLIENT, "box", TRANSFORM, desk.mail_id("bob1"), None, lambda: NOW, "kim")
    )
    desk.link()
    assert set(desk.named()) == LINKS - {("bob1", "12")}, "it stands alone"
    with pytest.raises(ValueError, match=r"source zendesk of client .* has no mail or ticket '99'"):
        decide("eve1", "99", "with")


def test_a_link_goes_when_its_ticket_does(sqlite_engine: Engine, tmp_path: Path) -> None:
    desk = Desk(sqlite_engine, tmp_path / "box.mbox")
    desk.mails(MAILS)
    desk.tickets(TICKETS)
    person, made, first = TICKETS[1]
    gone = SourceTicket(
        *(made.remote_id, made.subject, "deleted", "deleted", None, None),
        *(made.created_at, made.updated_at),
        number="12",
        requester_remote_id=made.requester_remote_id,
        url=made.url,
    )
    desk.tickets([(person, gone, first)])
    assert set(desk.named()) == LINKS - {("bob1", "12")}
    assert "bob1" in desk.counted()
