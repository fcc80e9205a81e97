"""A CSV export as a source: nothing lost, nothing twice, and errors a person can act on."""

import csv
import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Page, Source
from connectors.errors import ConfigurationError, UnavailableError
from connectors.file_export.layout import EXTRA, MISSING, FileLayout
from connectors.file_export.mappings import mapping_text, shipped_names
from connectors.file_export.source import FileExportSource
from transforms import file_export_rows
from transforms.mapping import load_mapping
from transforms.model import RawRecord

LAYOUT = FileLayout(ticket_column="id", needed_columns=("id", "status"))


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def source_of(path: Path, layout: FileLayout = LAYOUT, page_rows: int = 2) -> FileExportSource:
    return FileExportSource(path, layout, page_rows=page_rows)


def records_of(pages: Sequence[Page]) -> list[RawRecord]:
    return [record for page in pages for record in page.records]


def cells_of(record: RawRecord) -> dict[str, Any]:
    cells = json.loads(record.payload)
    assert isinstance(cells, dict)
    return cells


def test_rows_come_as_they_are_with_ticket_and_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,status\n 7 , Open \n8,Closed\n9,New\n")
    source = source_of(path)
    pages = list(source.pull("rows", None))
    records = records_of(pages)
    assert isinstance(source, Source)
    assert [len(page.records) for page in pages] == [2, 1]
    assert [page.complete for page in pages] == [False, True]
    assert [record.ticket_remote_id for record in records] == ["7", "8", "9"]
    assert cells_of(records[0]) == {"id": " 7 ", "status": " Open "}
    assert records[0].location == {"file": "a.csv", "line": 2}
    assert all(r.remote_id.startswith(f"{r.ticket_remote_id}:") for r in records)


def test_quoted_newlines_bom_nul_and_blank_lines(tmp_path: Path) -> None:
    text = 'id,status,text\n1,Open,"two\nlines, ""quoted"""\n\n2,Open,nul\0here\n'
    path = write(tmp_path / "a.csv", text, "utf-8-sig")
    records = records_of(list(source_of(path).pull("rows", None)))
    assert [cells_of(record)["text"] for record in records] == [
        'two\nlines, "quoted"',
        "nul\0here",
    ]
    assert [record.location["line"] for record in records] == [3, 5]


def test_ragged_rows_are_kept_and_marked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,status,team\n1,Open\n2,Open,T,extra,more\n")
    short, long = (cells_of(r) for r in records_of(list(source_of(path).pull("rows", None))))
    assert short == {"id": "1", "status": "Open", MISSING: ["team"]}
    assert long == {"id": "2", "status": "Open", "team": "T", EXTRA: ["extra", "more"]}
    assert (file_export_rows.EXTRA, file_export_rows.MISSING) == (EXTRA, MISSING)


def test_columns_of_one_name_hide_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"id,status,note,note,,{EXTRA}\n1,Open,a,b,c,d\n")
    (record,) = records_of(list(source_of(path).pull("rows", None)))
    assert sorted(cells_of(record).values()) == ["1", "Open", "a", "b", "c", "d"]
    assert EXTRA not in cells_of(record)


def test_identical_rows_get_a_number_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,status\n1,Open\n1,Open\n1,Closed\n1,Open\n")
    ids = [record.remote_id for record in records_of(list(source_of(path).pull("rows", None)))]
    assert len(set(ids)) == 4
    assert ids[1] == f"{ids[0]}#2"
    assert ids[3] == f"{ids[0]}#3"


def test_rows_without_a_ticket_are_told_apart_by_their_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,status\n,Open\n  ,Open\n?,Open\n,Open\n")
    layout = FileLayout("id", ("status",), missing=("", "?"))
    records = records_of(list(source_of(path, layout).pull("rows", None)))
    assert [record.ticket_remote_id for record in records] == [None] * 4
    assert len({record.remote_id for record in records}) == 4


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("123"), st.sampled_from(["Open", "a\nb", "é"]))),
    page_rows=st.integers(1, 4),
    cut=st.integers(0, 12),
)
def test_pulling_again_from_any_page_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    page_rows: int,
    cut: int,
) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "status"), *rows])
    whole = list(source_of(path, page_rows=page_rows).pull("rows", None))
    cut = min(cut, len(whole) - 1)
    cursor = json.loads(json.dumps(whole[cut].cursor))
    rest = list(source_of(path, page_rows=page_rows).pull("rows", cursor))
    assert len({record.remote_id for record in records_of(whole)}) == len(rows)
    assert records_of(whole[: cut + 1]) + records_of(rest) == records_of(whole)
    assert rest[-1].complete


def test_an_unchanged_file_brings_nothing_and_a_grown_one_only_new_identities(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.csv", "id,status\n1,Open\n1,Open\n2,Open\n")
    first = list(source_of(path).pull("rows", None))
    (idle,) = source_of(path).pull("rows", first[-1].cursor)
    assert (list(idle.records), idle.complete) == ([], True)

    write(path, "id,status\n1,Open\n1,Open\n2,Open\n2,Closed\n")
    os.utime(path, ns=(1, 2))
    again = records_of(list(source_of(path).pull("rows", idle.cursor)))
    known = {record.remote_id for record in records_of(first)}
    assert [r.ticket_remote_id for r in again if r.remote_id not in known] == ["2"]
    assert len(again) == 4


def test_a_file_replaced_in_the_middle_of_reading_is_read_from_its_start(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,status\n" + "".join(f"{n},Open\n" for n in range(6)))
    pages = source_of(path).pull("rows", None)
    cursor = next(pages).cursor
    pages.close()  # type: ignore[attr-defined]
    write(path, "id,status\n" + "".join(f"{n},Closed\n" for n in range(6)))
    os.utime(path, ns=(1, 2))
    again = records_of(list(source_of(path).pull("rows", cursor)))
    assert [cells_of(record)["status"] for record in again] == ["Closed"] * 6


def test_several_files_by_pattern_and_gzip(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", "id,status\n3,Open\n1,Open\n")
    with gzip.open(tmp_path / "a.csv.gz", "wt", encoding="utf-8") as file:
        file.write("id,status\n1,Open\n2,Open\n")
    source = FileExportSource(tmp_path / "*.csv*", LAYOUT, page_rows=10)
    pages = list(source.pull("rows", None))
    ids = [record.remote_id for record in records_of(pages)]
    assert [record.ticket_remote_id for record in records_of(pages)] == ["1", "2", "3", "1"]
    assert ids[0] == ids[3], "the same row in two exports is one record"
    assert [page.complete for page in pages] == [False, True]
    write(tmp_path / "c.csv", "id,status\n4,Open\n")
    more = records_of(list(source.pull("rows", pages[-1].cursor)))
    assert [record.ticket_remote_id for record in more] == ["4"]


def test_a_path_with_pattern_letters_is_a_file_where_it_exists(tmp_path: Path) -> None:
    path = write(tmp_path / "export [1].csv", "id,status\n1,Open\n")
    assert len(records_of(list(source_of(path).pull("rows", None)))) == 1


def test_a_header_without_rows_is_a_complete_empty_export(tmp_path: Path) -> None:
    (page,) = source_of(write(tmp_path / "a.csv", "id,status\n")).pull("rows", None)
    assert (list(page.records), page.complete) == ([], True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("id,state\n1,Open\n", "'status' of the mapping is not there (nearest: 'state')"),
        ("Ticket,status\n1,Open\n", "'id' of the mapping is not there"),
        ("id;status\n1;Open\n", "Columns found: id;status"),
        ("id,status,status\n1,a,b\n", "'status' stands 2 times"),
    ],
)
def test_a_wrong_header_stops_before_any_record(tmp_path: Path, text: str, told: str) -> None:
    write(tmp_path / "a.csv", "id,status\n1,Open\n")
    write(tmp_path / "b.csv", text)
    source = FileExportSource(tmp_path / "*.csv", LAYOUT)
    with pytest.raises(ConfigurationError) as caught:
        next(source.pull("rows", None))
    assert "b.csv" in str(caught.value)
    assert told in str(caught.value)
    result = source.check()
    assert not result.works
    assert result.detail == str(caught.value)


def test_a_wrong_encoding_is_named_or_replaced_as_the_mapping_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,status\n1,İstanbul ş\n", "windows-1254")
    with pytest.raises(ConfigurationError, match=r"a\.csv: not readable as utf-8 .*dd"):
        list(source_of(path).pull("rows", None))
    assert "encoding_errors: replace" in source_of(path).check().detail
    own = FileLayout("id", ("status",), encoding="windows-1254")
    (record,) = records_of(list(source_of(path, own).pull("rows", None)))
    assert cells_of(record)["status"] == "İstanbul ş"
    lax = FileLayout("id", ("status",), encoding_errors="replace")
    (record,) = records_of(list(source_of(path, lax).pull("rows", None)))
    assert cells_of(record)["status"] == "\ufffdstanbul \ufffd"


def test_utf_16_with_a_tab_as_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id\tstatus\r\n1\tGeöffnet\r\n", "utf-16")
    layout = FileLayout("id", ("status",), encoding="utf-16", delimiter="\t")
    (record,) = records_of(list(source_of(path, layout).pull("rows", None)))
    assert cells_of(record) == {"id": "1", "status": "Geöffnet"}


def test_a_quotation_mark_that_is_never_closed_is_named_with_its_line(tmp_path: Path) -> None:
    text = 'id,status\n1,Open\n2,"Open\n' + "3,Open\n" * 700_000
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(ConfigurationError, match=r"a\.csv: the row after line 2 .*quotation mark"):
        list(source_of(path, page_rows=1_000).pull("rows", None))


def test_half_a_gzip_file_is_tried_again_later_and_a_broken_one_is_not(tmp_path: Path) -> None:
    packed = gzip.compress(b"id,status\n" + os.urandom(3_000).hex().encode() + b",Open\n")
    (tmp_path / "half.csv.gz").write_bytes(packed[:-900])
    with pytest.raises(UnavailableError, match="still being copied"):
        list(source_of(tmp_path / "half.csv.gz").pull("rows", None))
    (tmp_path / "bad.csv.gz").write_bytes(packed[:40] + b"\xff" * 40 + packed[80:])
    with pytest.raises(ConfigurationError, match="damaged gzip"):
        list(source_of(tmp_path / "bad.csv.gz").pull("rows", None))


def test_no_file_and_no_such_stream_are_told(tmp_path: Path) -> None:
    assert "no file at" in source_of(tmp_path / "nothing.csv").check().detail
    with pytest.raises(ConfigurationError, match="stream 'rows'"):
        next(source_of(tmp_path).pull("tickets", None))
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "same.csv", "id,status\n")
    with pytest.raises(ConfigurationError, match=r"finds same\.csv in two folders"):
        next(FileExportSource(tmp_path / "*" / "*.csv", LAYOUT).pull("rows", None))


def test_check_tells_what_it_read(tmp_path: Path) -> None:
    result = source_of(write(tmp_path / "a.csv", "id,status\n1,Open\n")).check()
    assert result.works
    assert result.detail == "1 file(s) readable: a.csv"


def test_shipped_mappings_are_valid_and_found_by_name(tmp_path: Path) -> None:
    assert shipped_names() == ["ticket_list.yaml", "uci_incidents.yaml"]
    for shipped in shipped_names():
        name, text = mapping_text(shipped.removesuffix(".yaml"), tmp_path)
        assert name == shipped
        FileLayout(**load_mapping(text, name).layout())


def test_ones_own_mapping_goes_first_and_a_missing_one_lists_the_shipped(tmp_path: Path) -> None:
    own = write(tmp_path / "ticket_list.yaml", "rows: ticket\n")
    assert mapping_text("ticket_list.yaml", tmp_path) == (own.name, "rows: ticket\n")
    for missing in ("tickets.yaml", "../ticket_list.yaml", "sub/uci_incidents.yaml"):
        with pytest.raises(ConfigurationError, match=r"ticket_list\.yaml, uci_incidents\.yaml"):
            mapping_text(missing, tmp_path / "elsewhere")
