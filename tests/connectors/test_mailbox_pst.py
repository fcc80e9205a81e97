"""A PST gives each mail once, in all its forms; what is damaged is told by name and the rest goes on."""

import io
import struct
import sys
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from pst_builder import DRAFTS, INBOX, ROOT, File, Mail, PstBuilder

from connectors.contract import Cursor, Page
from connectors.errors import ConfigurationError
from connectors.mailbox.outlook import pst_blocks
from connectors.mailbox.outlook.pst_blocks import (
    ANSI,
    UNICODE,
    UNICODE_4K,
    Layout,
    PstError,
    PstFile,
)
from connectors.mailbox.outlook.pst_crypt import cycled, permuted, unpermuted
from connectors.mailbox.outlook.pst_items import PstReader
from connectors.mailbox.pst import PstSource
from transforms.mail import ParsedMail, parse
from transforms.model import RawRecord, Rejected
from transforms.outlook.mapi import is_mail_class

SENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FORMS = [
    pytest.param(ANSI, 1, False, id="ANSI"),
    pytest.param(ANSI, 0, False, id="ANSI, plain"),
    pytest.param(UNICODE, 0, False, id="Unicode, plain"),
    pytest.param(UNICODE, 1, False, id="Unicode, permuted"),
    pytest.param(UNICODE, 2, False, id="Unicode, cycled"),
    pytest.param(UNICODE_4K, 0, False, id="4 KiB pages"),
    pytest.param(UNICODE_4K, 1, True, id="4 KiB pages, deflated"),
]


def note(subject: str, **more: Any) -> dict[int, Any]:
    """The properties of a mail from Ada."""
    return {
        0x001A: "IPM.Note",
        0x0037: subject,
        0x0039: SENT,
        0x0C1A: "Ada Böhm",
        0x0C1E: "SMTP",
        0x0C1F: "ada@customer.example",
        0x1000: f"About {subject}.",
        **{int(tag.removeprefix("t"), 16): value for tag, value in more.items()},
    }


def person(name: str, address: str, kind: int = 1) -> dict[int, Any]:
    """A recipient."""
    return {0x0C15: kind, 0x3001: name, 0x3002: "SMTP", 0x3003: address}


def pulled(path: Path, cursor: Cursor | None = None, **options: Any) -> list[Page]:
    """All pages of a pull."""
    return list(PstSource(path, is_mail_class=is_mail_class, **options).pull("mails", cursor))


def records(pages: Sequence[Page]) -> list[RawRecord]:
    return [record for page in pages for record in page.records]


def mails(pages: Sequence[Page]) -> list[ParsedMail]:
    found = [parse(record) for record in records(pages)]
    assert not [each for each in found if isinstance(each, Rejected)]
    return [each for each in found if isinstance(each, ParsedMail)]


def write(tmp_path: Path, builder: PstBuilder, name: str = "archive.pst") -> Path:
    path = tmp_path / name
    path.write_bytes(builder.build())
    return path


@pytest.mark.parametrize(("layout", "crypt", "deflate"), FORMS)
def test_every_form_is_read(tmp_path: Path, layout: Layout, crypt: int, deflate: bool) -> None:
    builder = PstBuilder(layout, crypt, deflate)
    picture = bytes(range(256)) * 200
    inner = Mail(note("Inner"), files=[File({0x3707: "in.txt"}, b"inside")])
    builder.add(
        Mail(
            note("Printer", t1035="<1@customer.example>", t1042="<0@shop.example>"),
            [person("Help", "help@shop.example"), person("Bo", "bo@shop.example", 2)],
            [
                File({0x3707: "picture.png", 0x3712: "p1@x", 0x7FFE: (0x000B, b"\1")}, picture),
                File({0x3001: "Inner"}, inner),
            ],
        )
    )
    pages = pulled(write(tmp_path, builder))
    (mail,) = mails(pages)
    assert (mail.subject, mail.message_id) == ("Printer", "<1@customer.example>")
    assert mail.in_reply_to == ("<0@shop.example>",)
    assert mail.sent_at == SENT
    assert mail.sender is not None
    assert (mail.sender.name, mail.sender.address) == ("Ada Böhm", "ada@customer.example")
    assert [each.address for each in mail.to] == ["help@shop.example"]
    assert [each.address for each in mail.cc] == ["bo@shop.example"]
    assert mail.text == "About Printer."
    assert [each.file_name for each in mail.attachments] == ["picture.png", "Inner.eml"]
    assert mail.attachments[0].content == picture
    assert mail.attachments[0].content_id == "p1@x"
    assert b"in.txt" in mail.attachments[1].content
    assert mail.warnings == ()
    assert records(pages)[0].location["folder"] == "/Inbox"


@pytest.mark.parametrize(("layout", "crypt", "deflate"), FORMS)
def test_large_values_lie_in_lists_of_lists_of_blocks(
    tmp_path: Path, layout: Layout, crypt: int, deflate: bool
) -> None:
    builder = PstBuilder(layout, crypt, deflate, block_limit=64, list_limit=5)
    content = bytes(number * 7 % 251 for number in range(2_000))
    builder.add(
        Mail(
            note("Large", t1000="word " * 400),
            [person(f"Person {n}", f"p{n}@shop.example") for n in range(40)],
            [File({0x3707: f"{n}.bin"}, content[n:]) for n in range(25)],
        )
    )
    (mail,) = mails(pulled(write(tmp_path, builder)))
    assert mail.plain == ("word " * 400).strip()
    assert [each.address for each in mail.to] == [f"p{n}@shop.example" for n in range(40)]
    assert [each.content for each in mail.attachments] == [content[n:] for n in range(25)]


@given(st.binary(max_size=600), st.integers(0, 2**32 - 1))
def test_hidden_blocks_come_back(data: bytes, block_id: int) -> None:
    assert unpermuted(permuted(data)) == data
    assert cycled(cycled(data, block_id), block_id) == data


def test_what_was_not_sent_is_left_out_and_counted(tmp_path: Path) -> None:
    builder = PstBuilder()
    junk = 0x9002
    entries = [bytes(20) + struct.pack("<I", nid) for nid in (DRAFTS, junk)]
    others = struct.pack("<I5I", 5, 24, 24, 24, 24, 24) + entries[1]
    builder.folder(ROOT, "", ROOT, {0x36D7: entries[0], 0x36D8: (0x1102, others)})
    builder.folder(DRAFTS, "Entwürfe", ROOT)
    builder.folder(junk, "Junk-E-Mail", ROOT)
    builder.add(Mail(note("Winner")), junk)
    builder.add(Mail(note("Sent")))
    builder.add(Mail(note("Not yet")), DRAFTS)
    builder.add(Mail(note("Ada", t001A="IPM.Contact")))
    builder.add(Mail(note("Call", t001A="IPM.Task")))
    builder.add(Mail(note("Invitation", t001A="IPM.Schedule.Meeting.Request")))
    pages = pulled(write(tmp_path, builder))
    assert [mail.subject for mail in mails(pages)] == ["Sent", "Invitation"]
    (state,) = pages[-1].cursor["files"].values()
    assert state["left_out"] == {
        "in the folder of drafts": 1,
        "in the folder of junk": 1,
        "IPM.Contact": 1,
        "IPM.Task": 1,
    }
    assert state["given"] == 2
    assert pages[-1].notes == [
        "archive.pst: 2 mails; 4 other items were left out: IPM.Contact 1, IPM.Task 1, in the folder of drafts 1, "
        "in the folder of junk 1"
    ]
    again = PstSource(tmp_path / "archive.pst").pull("mails", pages[-1].cursor)
    assert [note for page in again for note in page.notes] == []
    assert [
        m.subject for m in mails(pulled(tmp_path / "archive.pst", folders=["Junk-E-Mail"]))
    ] == ["Winner"]


def test_only_the_named_folders_are_read(tmp_path: Path) -> None:
    builder = PstBuilder()
    builder.folder(0x9002, "2024", INBOX)
    builder.folder(0x9022, "Other", ROOT)
    for folder, subject in ((INBOX, "In"), (0x9002, "Below"), (0x9022, "Out")):
        builder.add(Mail(note(subject)), folder)
    path = write(tmp_path, builder)
    assert [m.subject for m in mails(pulled(path, folders=["inbox"]))] == ["In", "Below"]
    assert [m.subject for m in mails(pulled(path, folders=["Inbox/2024"]))] == ["Below"]
    with pytest.raises(ConfigurationError, match=r"no folder sent; there are: /Inbox, /Inbox/2024"):
        pulled(path, folders=["Sent"])
    assert "no folder sent" in PstSource(path, folders=["Sent"]).check().detail


def test_ids_stay_when_a_mail_is_read_or_flagged(tmp_path: Path) -> None:
    def archive(flags: int, **more: Any) -> Path:
        builder = PstBuilder()
        builder.add(Mail(note("Printer", t0E07=flags, **more)))
        return write(tmp_path, builder)

    first = pulled(archive(0))
    again = pulled(archive(1, t1090=2, t3008=SENT), first[-1].cursor)
    assert records(first)[0].remote_id == records(again)[0].remote_id
    assert records(first)[0].payload != records(again)[0].payload
    other = pulled(archive(0, t0037="Scanner"), again[-1].cursor)
    assert records(other)[0].remote_id != records(first)[0].remote_id


def test_a_pull_goes_on_behind_each_page_and_gives_each_mail_once(tmp_path: Path) -> None:
    builder = PstBuilder()
    for number in range(23):
        builder.add(Mail(note(f"Printer {number // 2}")))  # pairs of identical mails
    path = write(tmp_path, builder)
    whole = pulled(path, page_mails=4)
    ids = [record.remote_id for record in records(whole)]
    assert len(ids) == len(set(ids)) == 23
    assert sum(each.endswith("#2") for each in ids) == 11
    given: list[str] = []
    cursor: Cursor | None = None
    while True:  # a run that is killed behind each page
        page = next(iter(PstSource(path, page_mails=4).pull("mails", cursor)))
        given += [record.remote_id for record in page.records]
        cursor = page.cursor
        if page.complete:
            break
    assert given == ids
    assert records(pulled(path, cursor)) == []


def test_a_damaged_mail_is_held_by_name_and_withdrawn_once_it_is_whole(tmp_path: Path) -> None:
    builder = PstBuilder()
    builder.add(Mail(note("First")))
    nid = builder.add(Mail(note("Second")))
    builder.add(Mail(note("Third")))
    whole = builder.build()
    offset, _ = builder.blocks[builder.nodes[nid][0]]
    path = tmp_path / "archive.pst"
    broken = bytearray(whole)
    broken[offset + 20] ^= 0xFF
    path.write_bytes(broken)
    pages = pulled(path)
    found = [parse(record) for record in records(pages)]
    assert [each.subject for each in found if isinstance(each, ParsedMail)] == ["First", "Third"]
    (held,) = [each for each in found if isinstance(each, Rejected)]
    assert held.reason == "empty mail"
    assert "wrong checksum" in held.detail
    assert "archive.pst" in held.detail
    assert "/Inbox" in held.detail
    path.write_bytes(whole + b"\0" * 512)
    again = records(pulled(path, pages[-1].cursor))
    assert [record.remote_id for record in again if record.is_tombstone] == [held.remote_id]
    assert sum(not record.is_tombstone for record in again) == 3
    assert {r.remote_id for r in records(pages) if r.payload} < {r.remote_id for r in again}


def test_a_damaged_file_leaves_its_mail(tmp_path: Path) -> None:
    builder = PstBuilder()
    builder.add(
        Mail(
            note("Printer"),
            files=[File({0x3707: "a.bin"}, b"A" * 600), File({0x3707: "b.bin"}, b"B" * 600)],
        )
    )
    content = bytearray(builder.build())
    at = content.index(permuted(b"A" * 600))
    content[at] ^= 0xFF
    (tmp_path / "archive.pst").write_bytes(content)
    pages = pulled(tmp_path / "archive.pst")
    (mail,) = mails(pages)
    assert [each.file_name for each in mail.attachments] == ["b.bin"]
    assert mail.warnings == ("attachment a.bin has no content",)
    assert "wrong checksum" in records(pages)[0].location["problem"]


def test_a_damaged_index_is_told_last_and_all_else_is_given(tmp_path: Path) -> None:
    builder = PstBuilder()
    for number in range(60):
        builder.add(Mail(note(f"Mail {number}")))
    content = bytearray(builder.build())
    last_leaf = content.rindex(struct.pack("<Q", max(builder.nodes)))
    content[last_leaf] ^= 0xFF
    path = tmp_path / "archive.pst"
    path.write_bytes(content)
    found = []
    with pytest.raises(
        ConfigurationError, match=r"archive\.pst: page at .* has a wrong checksum; repair"
    ):
        for page in PstSource(path).pull("mails", None):
            found += page.records
            cursor = page.cursor
    assert 20 < len(found) < 60
    with pytest.raises(
        ConfigurationError, match="wrong checksum"
    ):  # still so, without reading it again
        list(PstSource(path).pull("mails", cursor))


def test_other_files_are_read_where_one_is_none(tmp_path: Path) -> None:
    builder = PstBuilder()
    builder.add(Mail(note("Printer")))
    write(tmp_path, builder, "b.pst")
    (tmp_path / "a.pst").write_bytes(b"From ada@customer.example\n" * 40)
    found = []
    with pytest.raises(ConfigurationError, match=r"a\.pst: no PST file: it is an mbox file"):
        for page in PstSource(tmp_path / "*.pst").pull("mails", None):
            found += page.records
    assert len(found) == 1
    check = PstSource(tmp_path / "*.pst").check()
    assert not check.works
    assert "a.pst: no PST file" in check.detail
    assert PstSource(tmp_path / "b.pst").check().detail == "b.pst: 1 items (Unicode)"
    with pytest.raises(ConfigurationError, match="no PST file matches"):
        pulled(tmp_path / "c.pst")


def test_a_protected_archive_says_what_to_do(tmp_path: Path) -> None:
    builder = PstBuilder(crypt=0)
    builder.crypt = 0x10
    path = write(tmp_path, builder)
    with pytest.raises(ConfigurationError, match="protected by Windows"):
        pulled(path)


def test_items_enclosed_in_one_another_are_cut_and_told(tmp_path: Path) -> None:
    inner = Mail(note("0"))
    for number in range(1, 40):
        inner = Mail(note(str(number)), files=[File({0x3001: "deeper"}, inner)])
    builder = PstBuilder()
    builder.add(inner)
    (mail,) = mails(pulled(write(tmp_path, builder)))
    assert "attachment deeper has no content" in mail.warnings


def test_blocks_that_list_themselves_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pst_blocks, "ITEM_LIMIT", 200_000)
    builder = PstBuilder(block_limit=4000)
    block = builder.block(b"x" * 4000)
    many = builder._list(1, [block] * 400, 1)
    most = builder._list(2, [many] * 400, 1)
    subnodes = {0x4025: (builder._file(File({0x3707: "bomb.bin"}, b"")))}
    builder.nodes[0x20004] = (*builder.properties(note("Bomb"), subnodes), INBOX)
    builder.nodes[0x20024] = (most, 0, INBOX)
    reader = PstReader(PstFile(io.BytesIO(builder.build())))
    first, second = [found.node for found in reader.mails()]
    assert reader.item(first).problems == []
    with pytest.raises(PstError, match="more than 0 MB in one item"):
        reader.item(second)


def test_a_tree_that_runs_in_a_circle_ends(tmp_path: Path) -> None:
    builder = PstBuilder()
    for number in range(60):
        builder.add(Mail(note(f"Mail {number}")))
    content = bytearray(builder.build())
    (root,) = struct.unpack_from("<Q", content, 224)
    struct.pack_into("<Q", content, root + 16, root)  # the first child of the root is the root
    page = content[root : root + 496]
    struct.pack_into("<I", content, root + 500, pst_blocks.checksum(page))
    (tmp_path / "archive.pst").write_bytes(content)
    with pytest.raises(ConfigurationError, match="met twice"):
        pulled(tmp_path / "archive.pst")


def test_memory_is_that_of_a_page(tmp_path: Path) -> None:
    builder = PstBuilder()
    for number in range(300):
        builder.add(
            Mail(
                note(f"Mail {number}"),
                files=[File({0x3707: "a.bin"}, bytes([number % 256]) * 60_000)],
            )
        )
    path = write(tmp_path, builder)
    del builder
    tracemalloc.start()
    try:
        count = sum(
            len(page.records) for page in PstSource(path, page_bytes=500_000).pull("mails", None)
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 300
    assert peak < 3_000_000
