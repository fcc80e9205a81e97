"""Outlook's archives in the warehouse: mails like any other, with their threads, files and people."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

sys.path.insert(0, str(Path(__file__).parents[1] / "connectors"))
sys.path.insert(0, str(Path(__file__).parents[1] / "transforms"))
import msg_builder
from pst_builder import ROOT, File, Mail, PstBuilder

from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import attachment, comment, quarantine, raw_record, ticket
from pipelines.ingest import IngestReport, ingest_client
from pipelines.runtime import runtime_on
from pipelines.settings import SettingsError, load_settings

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = START + timedelta(days=2)
SENT_ITEMS = 0x9002

CONFIGURATION = """
clients:
  acme:
    time_zone: Etc/UTC
    sources:
      - {id: archive, type: pst, path: "*.pst", own_addresses: [help@shop.example]}
      - {id: saved, type: msg, path: saved, own_addresses: [help@shop.example]}
"""


def note(name: str, minutes: int, subject: str, sender: str, **more: Any) -> dict[int, Any]:
    """The properties of a mail; `name` is its Message-ID's left part."""
    values = {
        0x001A: "IPM.Note",
        0x0037: subject,
        0x0039: START + timedelta(minutes=minutes),
        0x0C1A: sender.partition("@")[0].title(),
        0x0C1F: sender,
        0x1000: f"{subject}, said {sender}.",
        0x1035: f"<{name}@x.example>",
    }
    return values | {int(tag.removeprefix("t"), 16): value for tag, value in more.items()}


def to(address: str) -> dict[int, Any]:
    """A recipient."""
    return {0x0C15: 1, 0x3001: address, 0x3003: address}


def archive(path: Path, *, flags: int = 0, damaged: bool = False) -> None:
    """A support mailbox: a question with a picture, its answer in Sent Items, a contact, a bounce."""
    builder = PstBuilder()
    builder.folder(SENT_ITEMS, "Sent Items", ROOT)
    question = note("q", 0, "Printer burns", "ada@buyer.example", t0E07=flags)
    builder.add(Mail(question, [to("help@shop.example")], [File({0x3707: "fire.png"}, b"\x89PNG")]))
    answer = note("a", 30, "RE: Printer burns", "help@shop.example", t1042="<q@x.example>")
    builder.add(Mail(answer, [to("ada@buyer.example")]), SENT_ITEMS)
    builder.add(Mail(note("c", 0, "Ada", "help@shop.example", t001A="IPM.Contact")))
    broken = builder.add(Mail(note("d", 40, "Lost", "bo@buyer.example"), [to("help@shop.example")]))
    content = bytearray(builder.build())
    if damaged:
        content[builder.blocks[builder.nodes[broken][0]][0] + 20] ^= 0xFF
    path.write_bytes(content)


def saved(folder: Path) -> None:
    """A folder with a saved mail and a saved task."""
    folder.mkdir()
    mail = note("s", 5, "Scanner smokes", "cem@buyer.example")
    (folder / "scanner.msg").write_bytes(
        msg_builder.msg(msg_builder.Item(mail, [to("help@shop.example")]))
    )
    task = note("t", 6, "Call Cem", "help@shop.example", t001A="IPM.Task")
    (folder / "task.msg").write_bytes(msg_builder.msg(msg_builder.Item(task)))


def ingest(engine: Engine, folder: Path) -> IngestReport:
    """One run over both sources."""
    (folder / "deskbridge.yaml").write_text(CONFIGURATION, "utf-8")
    runtime = runtime_on(engine, load_settings(folder / "deskbridge.yaml"), lambda: NOW)
    return ingest_client(runtime, "acme")


def rows(engine: Engine, statement: Any) -> list[Any]:
    """What a query gives."""
    with reading(engine) as connection:
        return list(connection.execute(statement))


def test_conversations_files_and_people_of_archives(engine: Engine, tmp_path: Path) -> None:
    archive(tmp_path / "support.pst")
    saved(tmp_path / "saved")
    report = ingest(engine, tmp_path)
    assert report.errors == []
    tickets = rows(engine, select(ticket).order_by(ticket.c.created_at))
    assert [(row.subject, row.status) for row in tickets] == [
        ("Printer burns", "pending"),
        ("Scanner smokes", "open"),
        ("Lost", "open"),
    ]
    comments = rows(engine, select(comment).order_by(comment.c.created_at))
    assert [
        (c.message_id, c.author_kind) for c in comments if c.ticket_key == tickets[0].ticket_key
    ] == [
        ("<q@x.example>", "customer"),
        ("<a@x.example>", "agent"),
    ]
    assert [row.file_name for row in rows(engine, select(attachment))] == ["fire.png"]
    held = rows(engine, select(quarantine))
    assert [row.reason for row in held] == ["no mail"]
    assert "IPM.Task" in held[0].detail
    kinds = {row.media_type for row in rows(engine, select(raw_record.c.media_type))}
    assert kinds == {"application/ms-tnef", "application/vnd.ms-outlook"}
    with reading(engine) as connection:
        before = warehouse_checksums(connection)
    assert ingest(engine, tmp_path).errors == []
    with reading(engine) as connection:
        assert warehouse_checksums(connection) == before


def test_a_mail_that_was_read_since_stays_the_same_comment(engine: Engine, tmp_path: Path) -> None:
    saved(tmp_path / "saved")
    archive(tmp_path / "support.pst")
    ingest(engine, tmp_path)
    before = rows(
        engine, select(comment.c.comment_key, comment.c.ticket_key).order_by(comment.c.comment_key)
    )
    archive(tmp_path / "support.pst", flags=1)
    (tmp_path / "support.pst").touch()
    report = ingest(engine, tmp_path)
    assert report.errors == []
    after = rows(
        engine, select(comment.c.comment_key, comment.c.ticket_key).order_by(comment.c.comment_key)
    )
    assert after == before


def test_a_damaged_mail_is_held_until_the_archive_is_whole(engine: Engine, tmp_path: Path) -> None:
    saved(tmp_path / "saved")
    archive(tmp_path / "support.pst", damaged=True)
    assert ingest(engine, tmp_path).errors == []
    held = [row for row in rows(engine, select(quarantine)) if row.reason == "empty mail"]
    (one,) = held
    assert "wrong checksum" in one.detail
    assert "support.pst" in one.detail
    assert len(rows(engine, select(ticket))) == 2
    archive(tmp_path / "support.pst")
    ingest(engine, tmp_path)
    assert [row.reason for row in rows(engine, select(quarantine))] == ["no mail"]
    assert len(rows(engine, select(ticket))) == 3


def test_folders_go_with_pst_only(tmp_path: Path) -> None:
    (tmp_path / "deskbridge.yaml").write_text(
        "clients: {acme: {time_zone: Etc/UTC, sources: [{id: a, type: mbox, path: a.mbox, folders: [Inbox]}]}}"
    )
    with pytest.raises(SettingsError, match="'folders' goes with type pst, not with mbox"):
        load_settings(tmp_path / "deskbridge.yaml")
