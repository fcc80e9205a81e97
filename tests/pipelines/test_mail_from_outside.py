"""Mail sources as somebody meets them who has a configuration and the command: what is said and what is counted."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import CommandFolder

from connectors.contract import Cursor, Page
from connectors.mailbox.mbox import MboxSource
from pipelines import normalise_mail


def mail(name: str, sender: str = "Ada Byron <ada@buyer.example>") -> bytes:
    """A mail from a customer to the desk."""
    return (
        f"From: {sender}\nTo: help@shop.example\nSubject: Printer {name}\n"
        f"Message-ID: <{name}@buyer.example>\nDate: Mon, 02 Mar 2026 09:00:00 +0000\n\nPlease look ({name}).\n"
    ).encode()


def mbox(*mails: bytes) -> bytes:
    """An mbox file of these mails."""
    return b"".join(b"From x Mon Mar  2 09:00:00 2026\n" + one + b"\n" for one in mails)


def desk(folder: Path, *sources: str) -> CommandFolder:
    """A folder with a configuration of these sources."""
    listed = "".join(f"      - {source}\n" for source in sources)
    text = f"clients:\n  acme:\n    time_zone: Etc/UTC\n    sources:\n{listed}"
    return CommandFolder(folder, text)


def rows(folder: CommandFolder, statement: str) -> list[tuple[Any, ...]]:
    """What a query gives on the embedded warehouse."""
    with closing(sqlite3.connect(folder.folder / "warehouse.db")) as connection:
        return connection.execute(statement).fetchall()


def test_what_was_stored_before_a_source_failed_is_counted(tmp_path: Path) -> None:
    folder = desk(tmp_path, "{id: old, type: mbox, path: '*.mbox'}")
    folder.write({"a.mbox": mbox(mail("one"), mail("two")), "b.mbox": b"no mails at all\n"})
    ran = folder.run("sync", "--json")
    (figures,) = json.loads(ran.out)
    assert (ran.code, figures["read"], figures["new"], figures["tickets"]) == (1, 2, 2, 2)
    assert "client acme, source old: <folder>/b.mbox is no mbox file" in ran.err


def test_a_source_that_another_run_is_reading_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = desk(tmp_path, "{id: old, type: mbox, path: a.mbox}")
    folder.write({"a.mbox": mbox(mail("one"), mail("two"))})
    pull = MboxSource.pull

    def overtaken(self: MboxSource, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        monkeypatch.setattr(MboxSource, "pull", pull)
        assert folder.run("sync").code == 0
        yield from self.pull(stream, cursor)

    monkeypatch.setattr(MboxSource, "pull", overtaken)
    ran = folder.run("sync")
    assert ran.code == 0
    assert ran.err.strip() == (
        "note client acme, source old, stream mails: another run is reading it at the same time; it is left "
        "to that run, nothing is lost"
    )
    assert rows(folder, "SELECT count(*) FROM raw_record") == [(2,)]


@pytest.mark.parametrize("named", ["one", "two"])
def test_a_name_that_stands_in_one_mail_only_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setattr(normalise_mail, "TICKETS_PER_BATCH", 1)
    folder = desk(tmp_path, "{id: old, type: mbox, path: a.mbox}")
    senders = {named: "Ada Byron <ada@buyer.example>"}
    mails = [mail(name, senders.get(name, "ada@buyer.example")) for name in ("one", "two")]
    folder.write({"a.mbox": mbox(*mails)})
    assert folder.run("sync").code == 0
    assert rows(folder, "SELECT name, email FROM contact") == [("Ada Byron", "ada@buyer.example")]


@pytest.mark.parametrize("name", ["<two@buyer.example>", "two@buyer.example"])
def test_explain_finds_a_mail_s_ticket_and_says_where_its_mails_lie(
    tmp_path: Path, name: str
) -> None:
    folder = desk(tmp_path, "{id: old, type: mbox, path: a.mbox}")
    answer = mail("two").replace(b"Subject", b"In-Reply-To: <one@buyer.example>\nSubject")
    answer = answer.replace(b"09:00", b"10:00")
    folder.write({"a.mbox": mbox(mail("one"), answer, mail("three"))})
    assert folder.run("sync").code == 0
    told = json.loads(folder.run("explain", name, "--json").out)["Its mails"]
    assert [(row["Message-ID"], row["where it lay"], row["placed by"]) for row in told] == [
        ("<one@buyer.example>", "file <folder>/a.mbox, number 1", "first mail"),
        ("<two@buyer.example>", "file <folder>/a.mbox, number 2", "in-reply-to"),
    ]
    ran = folder.run("explain", "four@buyer.example")
    assert ran.code == 2
    assert "there is no ticket 'four@buyer.example'" in ran.err


def test_a_warning_names_its_mail(tmp_path: Path) -> None:
    folder = desk(tmp_path, "{id: old, type: eml, path: mails}")
    folder.write({"mails/a.eml": b"From: ada@buyer.example\nSubject: no date\n\nhello\n"})
    ran = folder.run("sync")
    assert "1 × no Date header and nothing else tells; 1970-01-01 is taken, for instance" in ran.err
    assert ran.err.strip().endswith("(file <folder>/mails/a.eml)")


def test_what_a_source_left_out_on_purpose_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = desk(tmp_path, "{id: old, type: mbox, path: a.mbox}")
    folder.write({"a.mbox": mbox(mail("one"))})
    pull = MboxSource.pull

    def noting(self: MboxSource, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        for page in pull(self, stream, cursor):
            yield replace(page, notes=["3 contacts were left out"])

    monkeypatch.setattr(MboxSource, "pull", noting)
    ran = folder.run("sync")
    assert (ran.code, ran.err.strip()) == (0, "note acme, old: 3 contacts were left out")
