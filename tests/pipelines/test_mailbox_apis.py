"""Mailboxes over Microsoft Graph and the Gmail API, from a configuration to tickets, on both databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from connectors.errors import AuthError
from connectors.standins.gmail import GmailStandin
from connectors.standins.graph import GraphStandin
from connectors.standins.imap import ImapStandin
from connectors.standins.oauth import TokenDesk
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import comment, sync_cursor, ticket, ticket_link
from pipelines.ingest import ingest_client
from pipelines.reconcile import reconcile_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import SettingsError, load_settings

NOW = datetime(2026, 11, 4, 13, tzinfo=UTC)
OURS = "info@acme.example"


def mail(name: str, hour: int, *, answers: str = "", is_ours: bool = False) -> bytes:
    sender, to = ("Ada <ada@buyer.example>", OURS)
    if is_ours:
        sender, to = OURS, "ada@buyer.example"
    references = f"References: <{answers}@buyer.example>\r\n" if answers else ""
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: Printer of {answers or name}\r\n"
        f"Message-ID: <{name}@buyer.example>\r\n{references}"
        f"Date: Tue, 3 Nov 2026 {hour:02}:00:00 +0000\r\n\r\n"
        f"The printer in the hall prints blank pages since Monday ({name}).\r\n"
    ).encode()


THREAD = (mail("first", 9), mail("again", 11, answers="first"))
ANSWER = mail("answer", 10, answers="first", is_ours=True)


@dataclass
class Office:
    """The same conversation in three mailboxes, each behind a server of its own."""

    graph: GraphStandin
    gmail: GmailStandin
    imap: ImapStandin
    desk: TokenDesk
    google: TokenDesk
    folder: Path
    engine: Engine

    def runtime(self, *kinds: str) -> Runtime:
        oauth = "client_id: deskbridge, client_secret: made-up-secret"
        known = {
            "graph": f"{{id: graph, type: graph, user: {OURS}, tries: 2, tenant: acme.example, "
            f"base_url: '{self.graph.base_url}/v1.0', oauth: {{{oauth}, "
            f"token_url: '{self.graph.token_url()}'}}}}",
            "gmail": f"{{id: gmail, type: gmail, user: {OURS}, tries: 2, "
            f"base_url: '{self.gmail.base_url}/gmail/v1', oauth: {{{oauth}, "
            f"refresh_token: seed-refresh-token, token_url: '{self.gmail.token_url}'}}}}",
            "imap": f"{{id: imap, type: imap, host: 127.0.0.1, port: {self.imap.port}, tls: false, "
            f"username: {OURS}, password: secret, folders: [INBOX, Sent]}}",
        }
        path = self.folder / "deskbridge.yaml"
        sources = "".join(f"      - {known[kind]}\n" for kind in kinds)
        path.write_text(
            f"clients:\n  acme:\n    time_zone: Europe/Istanbul\n    sources:\n{sources}"
        )
        return runtime_on(self.engine, load_settings(path, {}), lambda: NOW)

    def conversations(self) -> dict[str, list[tuple[str, bool]]]:
        """Source → its one conversation: (Message-ID's name, is it an agent's) in order."""
        with reading(self.engine) as connection:
            rows = connection.execute(
                select(
                    ticket.c.source_key,
                    ticket.c.ticket_key,
                    comment.c.message_id,
                    comment.c.author_kind,
                )
                .join(comment, comment.c.ticket_key == ticket.c.ticket_key)
                .order_by(ticket.c.source_key, comment.c.position)
            ).all()
        found: dict[str, list[tuple[str, bool]]] = {}
        keys: dict[str, set[str]] = {}
        for source, key, message_id, role in rows:
            keys.setdefault(source, set()).add(key)
            found.setdefault(source, []).append(
                (message_id.strip("<").partition("@")[0], role == "agent")
            )
        assert all(len(one) == 1 for one in keys.values()), keys
        return found

    def cursors(self) -> dict[str, object]:
        with reading(self.engine) as connection:
            rows = connection.execute(select(sync_cursor.c.source_key, sync_cursor.c.cursor)).all()
        return {row.source_key: row.cursor for row in rows}


@pytest.fixture
def office(engine: Engine, tmp_path: Path) -> Iterator[Office]:
    desk, google = TokenDesk(has_own_right=True), TokenDesk(rotates=False)
    for folder, mails in (("INBOX", THREAD), ("Sent", (ANSWER,))):
        (tmp_path / "imap" / folder).mkdir(parents=True)
        for number, content in enumerate(mails):
            (tmp_path / "imap" / folder / f"{number}.eml").write_bytes(content)
    with ExitStack() as stack:
        graph = stack.enter_context(GraphStandin(OURS, oauth=desk))
        gmail = stack.enter_context(GmailStandin(OURS, oauth=google))
        imap = stack.enter_context(ImapStandin(tmp_path / "imap", {OURS: "secret"}))
        for content in THREAD:
            graph.deliver(graph.folder("inbox"), content)
            gmail.deliver(content, {"INBOX"})
        graph.deliver(graph.folder("sentitems"), ANSWER)
        gmail.deliver(ANSWER, {"SENT"})
        yield Office(graph, gmail, imap, desk, google, tmp_path, engine)


def test_mails_become_the_same_conversation_whatever_way_they_came(office: Office) -> None:
    runtime = office.runtime("imap", "graph", "gmail")
    report = ingest_client(runtime, "acme")
    assert report.errors == []
    thread = [("first", False), ("answer", True), ("again", False)]
    assert office.conversations() == {"imap": thread, "graph": thread, "gmail": thread}
    # The same mails in three sources of a client are three tickets of which two are told to be copies.
    assert report.duplicates == 2
    with reading(office.engine) as connection:
        links = connection.execute(select(ticket_link)).all()
    assert len(links) == 2
    again = ingest_client(runtime, "acme")
    assert [one.sync.total("stored") for one in again.sources if one.sync] == [0, 0, 0]


def test_a_new_mail_joins_its_conversation(office: Office) -> None:
    runtime = office.runtime("graph", "gmail")
    ingest_client(runtime, "acme")
    late = mail("late", 12, answers="again")
    office.graph.deliver(office.graph.folder("inbox"), late)
    office.gmail.deliver(late)
    office.graph.forget_state()
    office.gmail.forget_history()
    ingest_client(runtime, "acme")
    names = [name for name, _ in office.conversations()["graph"]]
    assert names == ["first", "answer", "again", "late"]
    assert [name for name, _ in office.conversations()["gmail"]] == names


def test_the_nightly_comparison_agrees(office: Office) -> None:
    runtime = office.runtime("graph", "gmail")
    ingest_client(runtime, "acme")
    report = reconcile_client(runtime, "acme")
    assert report.agrees
    found = {one.source_key: one.streams[0] for one in report.sources}
    assert {key: (one.listed, one.here, one.fetched) for key, one in found.items()} == {
        "graph": (3, 3, 0),
        "gmail": (3, 3, 0),
    }


def test_an_ended_right_leaves_the_cursor_and_the_other_source(office: Office) -> None:
    runtime = office.runtime("graph", "gmail")
    ingest_client(runtime, "acme")
    before = office.cursors()
    office.google.revoke()
    office.graph.deliver(office.graph.folder("inbox"), mail("late", 12, answers="again"))
    report = ingest_client(runtime, "acme")
    (error,) = report.errors
    assert isinstance(error, AuthError)
    text = str(error)
    assert "client acme, source gmail" in text
    assert "Google Cloud console" in text
    assert "made-up-secret" not in text and "seed-refresh-token" not in text
    after = office.cursors()
    assert after["gmail"] == before["gmail"]
    assert after["graph"] != before["graph"]
    assert len(office.conversations()["graph"]) == 4


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "{id: a, type: gmail, user: a@b.example, oauth: {client_id: c, client_secret: s}}",
            "refresh_token",
        ),
        ("{id: a, type: graph, user: 0f1e, oauth: {client_id: c, client_secret: s}}", "tenant"),
        ("{id: a, type: graph, user: a@b.example}", "oauth"),
        ("{id: a, type: gmail, user: me, oauth: {client_id: c, refresh_token: s}}", "user"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, source: str, words: str) -> None:
    path = tmp_path / "deskbridge.yaml"
    path.write_text(f"clients: {{acme: {{time_zone: Etc/UTC, sources: [{source}]}}}}")
    with pytest.raises(SettingsError, match=words):
        load_settings(path, {})
