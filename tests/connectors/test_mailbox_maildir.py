"""Mails in files: each is given once, whatever people do to the files."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.contract import Cursor, Source
from connectors.errors import ConfigurationError
from connectors.mailbox.eml import EmlSource
from connectors.mailbox.mail_files import FilesSource
from connectors.mailbox.maildir import MaildirSource
from transforms.model import RawRecord


def mail(number: int) -> bytes:
    return f"Subject: Printer {number}\nMessage-ID: <{number}@customer.example>\n\nhello\n".encode()


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    root = tmp_path / "Maildir"
    for folder in ("", ".Sent", ".Archive.2026", ".G&APY-nderilmi&AV8-", "plain"):
        for part in ("cur", "new", "tmp"):
            (root / folder / part).mkdir(parents=True)
    (root / "new" / "1700000000.1.host").write_bytes(mail(1))
    (root / "cur" / "1600000000.2.host:2,S").write_bytes(mail(2))
    (root / ".Sent" / "cur" / "1600000001.3.host:2,S").write_bytes(mail(3))
    (root / "tmp" / "half").write_bytes(b"Subject: half")
    return root


def pulled(source: FilesSource, cursor: Cursor | None = None) -> tuple[list[RawRecord], Cursor]:
    pages = list(source.pull("mails", cursor))
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]
    records = [record for page in pages for record in page.records]
    return records, json.loads(json.dumps(dict(pages[-1].cursor)))


def test_all_folders_are_read_and_named_as_people_see_them(maildir: Path) -> None:
    (maildir / ".G&APY-nderilmi&AV8-" / "cur" / "4").write_bytes(mail(4))
    source = MaildirSource(maildir)
    assert isinstance(source, Source)
    records, _ = pulled(source)
    found = {(record.location["folder"], record.payload) for record in records}
    assert found == {
        *(("INBOX", mail(1)), ("INBOX", mail(2)), ("Sent", mail(3)), ("Gönderilmiş", mail(4))),
    }
    assert source.check().detail == (
        "4 mails: INBOX 2, Archive/2026 0, Gönderilmiş 1, Sent 1, plain 0"
    )


def test_wanted_folders_alone_and_missing_ones_named(maildir: Path) -> None:
    records, _ = pulled(MaildirSource(maildir, folders=["Sent"]))
    assert [record.payload for record in records] == [mail(3)]
    with pytest.raises(ConfigurationError, match=r"no folder Spam; there are: INBOX, Archive/2026"):
        pulled(MaildirSource(maildir, folders=["Spam"]))


def test_reading_a_mail_and_flagging_it_gives_nothing_new(maildir: Path) -> None:
    _, cursor = pulled(MaildirSource(maildir))
    (maildir / "new" / "1700000000.1.host").rename(maildir / "cur" / "1700000000.1.host:2,RS")
    (maildir / "new" / "1800000000.9.host").write_bytes(mail(9))
    records, _ = pulled(MaildirSource(maildir), cursor)
    assert [record.payload for record in records] == [mail(9)]


def test_a_moved_mail_keeps_its_id_and_a_copied_one_gets_a_number(maildir: Path) -> None:
    before, cursor = pulled(MaildirSource(maildir))
    ids = {record.payload: record.remote_id for record in before}
    (maildir / "cur" / "1600000000.2.host:2,S").rename(
        maildir / ".Archive.2026" / "cur" / "7.h:2,S"
    )
    (maildir / ".Sent" / "cur" / "8.h:2,S").write_bytes(mail(3))
    records, _ = pulled(MaildirSource(maildir), cursor)
    assert [record.remote_id for record in records] == [ids[mail(2)], ids[mail(3)] + "#2"]


def test_each_page_can_be_the_last_one(maildir: Path) -> None:
    for number in range(10, 17):
        (maildir / "cur" / f"{number}.h:2,S").write_bytes(mail(number % 3))
    wanted, _ = pulled(MaildirSource(maildir))
    found: list[RawRecord] = []
    cursor: Cursor | None = None
    for _ in range(30):
        page = next(iter(MaildirSource(maildir, page_mails=2).pull("mails", cursor)))
        found += page.records
        cursor = json.loads(json.dumps(dict(page.cursor)))
        if page.complete:
            break
    assert [record.remote_id for record in found] == [record.remote_id for record in wanted]
    assert len({record.remote_id for record in found}) == len(found) == 10


def test_eml_files_are_found_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "2026" / "March").mkdir(parents=True)
    (tmp_path / "a.eml").write_bytes(mail(1))
    (tmp_path / "2026" / "March" / "B.EML").write_bytes(mail(2))
    (tmp_path / "notes.txt").write_bytes(b"no mail")
    records, _ = pulled(EmlSource(tmp_path))
    assert [(record.location["folder"], record.payload) for record in records] == [
        (".", mail(1)),
        ("2026/March", mail(2)),
    ]


def test_a_touched_eml_file_comes_under_its_id_and_an_overwritten_one_under_another(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(mail(1))
    first, cursor = pulled(EmlSource(tmp_path))
    os.utime(path, ns=(0, 10**18))
    touched, cursor = pulled(EmlSource(tmp_path), cursor)
    path.write_bytes(mail(2))
    overwritten, cursor = pulled(EmlSource(tmp_path), cursor)
    assert touched[0].remote_id == first[0].remote_id != overwritten[0].remote_id
    assert pulled(EmlSource(tmp_path), cursor)[0] == []


def test_an_empty_folder_gives_nothing_and_a_missing_one_is_named(tmp_path: Path) -> None:
    assert pulled(EmlSource(tmp_path))[0] == []
    for source in (EmlSource(tmp_path / "x"), MaildirSource(tmp_path / "x")):
        with pytest.raises(ConfigurationError, match="check 'path' in the configuration"):
            pulled(source)
        assert not source.check().works
    with pytest.raises(ConfigurationError, match="is no Maildir"):
        pulled(MaildirSource(tmp_path))


def test_a_file_that_cannot_be_read_is_named_after_the_others_came(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name.startswith("1600000000"):
            raise PermissionError(13, "Permission denied")
        return really(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    records: list[RawRecord] = []
    with pytest.raises(ConfigurationError, match=r"1 file.*1600000000\.2\.host.*denied"):
        for page in MaildirSource(maildir).pull("mails", None):
            records += page.records
    assert {record.payload for record in records} == {mail(1), mail(3)}


def test_half_a_maildir_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "cur").mkdir()
    detail = MaildirSource(tmp_path).check().detail
    assert "has no folder `new`, and no folder in it is one" in detail


def test_a_folder_that_may_not_be_listed_is_named_and_the_others_come(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.parent.name == ".Sent":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    known = pulled(MaildirSource(maildir))[1]
    monkeypatch.setattr(Path, "iterdir", refuse)
    source = MaildirSource(maildir)
    assert not source.check().works
    pages = source.pull("mails", None)
    records = next(pages).records
    assert {record.payload for record in records} == {mail(1), mail(2)}
    with pytest.raises(ConfigurationError, match=r"\.Sent/new: Permission denied"):
        next(pages)
    # Once it can be listed again, its mails come under the ids that they had.
    again = next(source.pull("mails", known)).cursor
    monkeypatch.undo()
    assert [r.payload for r in pulled(source, again)[0]] == [mail(3)]


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.eml").symlink_to("b.eml")
    (tmp_path / "c.eml").write_bytes(mail(1))
    assert not EmlSource(tmp_path).check().works
    pages = EmlSource(tmp_path).pull("mails", None)
    assert [record.payload for record in next(pages).records] == [mail(1)]
    with pytest.raises(ConfigurationError, match=r"a\.eml: it is a link to b\.eml, which is not"):
        next(pages)


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [("a.eml", {1}), ("*.eml", {1, 2}), ("x[1]", {3}), ("**/*.eml", {1, 2, 3})],
)
def test_eml_files_by_name_and_pattern(tmp_path: Path, pattern: str, numbers: set[int]) -> None:
    (tmp_path / "x[1]").mkdir()
    for name, number in (("a.eml", 1), ("b.EML", 2), ("x[1]/c.eml", 3), ("d.txt", 4)):
        (tmp_path / name).write_bytes(mail(number))
    (tmp_path / "b.EML").rename(tmp_path / "b.eml")
    records, cursor = pulled(EmlSource(tmp_path / pattern))
    assert {record.payload for record in records} == {mail(number) for number in numbers}
    assert pulled(EmlSource(tmp_path / pattern), cursor)[0] == []


def test_check_names_what_is_not_read(tmp_path: Path) -> None:
    for name in ("a.eml", "b.msg", "c.MSG", "d"):
        (tmp_path / name).write_bytes(mail(1))
    detail = EmlSource(tmp_path).check().detail
    assert detail == "1 mails; not read, for they do not end in .eml: 3 files (.msg 2, none 1)"
