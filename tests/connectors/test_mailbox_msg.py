"""A folder, a file or a pattern of .msg files gives each file's bytes once, as they are."""

from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from connectors.mailbox.eml import EmlSource
from connectors.mailbox.msg import MsgSource
from transforms.model import RawRecord


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two folders with three .msg files and one of another kind."""
    (tmp_path / "2025").mkdir()
    for name, content in (("a.msg", b"A"), ("b.MSG", b"B"), ("2025/c.msg", b"C"), ("d.eml", b"D")):
        (tmp_path / name).write_bytes(content)
    return tmp_path


def pulled(source: MsgSource, cursor: object = None) -> list[RawRecord]:
    return [record for page in source.pull("mails", cursor) for record in page.records]  # type: ignore[arg-type]


def test_a_folder_with_all_below_it(folder: Path) -> None:
    records = pulled(MsgSource(folder))
    assert [record.payload for record in records] == [b"A", b"B", b"C"]
    assert {record.media_type for record in records} == {"application/vnd.ms-outlook"}
    assert records[2].location["folder"] == "2025"
    assert [r.payload for r in pulled(EmlSource(folder))] == [b"D"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "payloads"),
    [
        ("*.msg", [b"A"]),
        ("**/*.msg", [b"A", b"C"]),
        ("2025/c.msg", [b"C"]),
        ("*.[mM]*", [b"A", b"B"]),
    ],
)
def test_a_pattern_or_a_file(folder: Path, pattern: str, payloads: list[bytes]) -> None:
    assert sorted(record.payload for record in pulled(MsgSource(folder / pattern))) == payloads


def test_a_known_file_is_not_given_again_and_a_changed_one_is(folder: Path) -> None:
    source = MsgSource(folder / "*.msg")
    (*_, last) = source.pull("mails", None)
    assert pulled(source, last.cursor) == []
    (folder / "a.msg").write_bytes(b"other")
    assert [record.payload for record in pulled(source, last.cursor)] == [b"other"]


def test_nothing_there(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no \.msg file matches .*none"):
        pulled(MsgSource(folder / "none*"))
    check = MsgSource(folder / "none*").check()
    assert not check.works
    assert "no .msg file matches" in check.detail
    assert MsgSource(folder).check().works
